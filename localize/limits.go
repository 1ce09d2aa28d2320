package localize

import (
	"cmp"
	"fmt"
	"slices"
)

// The most of each kind of context that is judged. Every change is held against every deployment and flag, and a
// history without end would make that last without end; what came last is the likeliest cause.
const (
	mostChanges = 5000
	mostDeploys = 5000
	mostFlags   = 1000
)

// limit puts the context into an order of its own, since records of one moment come in any and the answer must not depend on
// it. It leaves out what is too much, and notes it for Result.Gaps.
func (a *analysis) limit() {
	a.ev.Changes = latest(a, a.ev.Changes, mostChanges, "changes", func(x, y *Change) int { return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.SHA, y.SHA)) })
	a.ev.Deploys = latest(a, a.ev.Deploys, mostDeploys, "deployments", func(x, y *Deploy) int {
		return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.Service, y.Service), cmp.Compare(x.SHA, y.SHA), cmp.Compare(x.Version, y.Version))
	})
	a.ev.Flags = latest(a, a.ev.Flags, mostFlags, "flag changes", func(x, y *FlagChange) int {
		return cmp.Or(x.Time.Compare(y.Time), cmp.Compare(x.Flag, y.Flag), cmp.Compare(x.Service, y.Service), cmp.Compare(x.Change, y.Change))
	})
}

// latest keeps the most recent, in order. The evidence belongs to the caller, so it is a copy.
func latest[T any](a *analysis, all []T, most int, what string, order func(x, y *T) int) []T {
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(x, y T) int { return order(&x, &y) })
	if len(out) > most {
		a.cut = append(a.cut, Gap{"context_cut", fmt.Sprintf("of %d %s only the latest %d were judged: give those of the days before the incident", len(all), what, most)})
		out = out[len(out)-most:]
	}
	return out
}

// The most nodes and edges of a graph that is handed out: a person and a page can take no more, and whoever
// makes up names of services must not make a result of gigabytes.
const (
	mostNodes = 2000
	mostEdges = 10_000
)

// bounded leaves out what has least to say of a graph that is too large, and notes it.
func (a *analysis) bounded(g Graph) Graph {
	nodes, edges := len(g.Nodes), len(g.Edges)
	g.Nodes = mostTroubled(g.Nodes, mostNodes, func(n *Node) (float64, float64) { return n.trouble(), n.Requests.Incident })
	if len(g.Nodes) < nodes {
		kept := make(map[string]bool, len(g.Nodes))
		for i := range g.Nodes {
			kept[g.Nodes[i].Name] = true
		}
		g.Edges = slices.DeleteFunc(g.Edges, func(e Edge) bool { return !kept[e.From] || !kept[e.To] })
	}
	g.Edges = mostTroubled(g.Edges, mostEdges, func(e *Edge) (float64, float64) { return e.trouble(), e.Calls.Incident })
	if len(g.Nodes) < nodes || len(g.Edges) < edges {
		a.cut = append(a.cut, Gap{"graph_cut", fmt.Sprintf("of %d nodes and %d edges of the service graph the %d and %d with most trouble are listed: "+
			"give services names that do not change from process to process", nodes, edges, len(g.Nodes), len(g.Edges))})
	}
	return g
}

// mostTroubled keeps those with most trouble, then most traffic, in the order they were in.
func mostTroubled[T any](all []T, most int, of func(*T) (trouble, traffic float64)) []T {
	if len(all) <= most {
		return all
	}
	type place struct {
		at               int
		trouble, traffic float64
	}
	places := make([]place, len(all))
	for i := range all {
		t, n := of(&all[i])
		places[i] = place{i, t, n}
	}
	slices.SortFunc(places, func(x, y place) int {
		return cmp.Or(cmp.Compare(y.trouble, x.trouble), cmp.Compare(y.traffic, x.traffic), cmp.Compare(x.at, y.at))
	})
	places = places[:most]
	slices.SortFunc(places, func(x, y place) int { return x.at - y.at })
	kept := make([]T, 0, most)
	for _, p := range places {
		kept = append(kept, all[p.at])
	}
	return kept
}

// sayCuts adds what the miner of templates could not keep apart.
func (a *analysis) sayCuts() []Gap {
	out := slices.Clone(a.cut)
	if n := a.events.miner.overflow; n > 0 {
		out = append(out, Gap{"log_templates_cut", fmt.Sprintf("the log has more than %d shapes of messages; %d records that fit none of the first were put together: "+
			"log constant messages with variable parts, not texts made for each record", maxTemplates, n)})
	}
	return out
}
