package localize

import (
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// merge writes the graphs of both windows as one.
func merge(a *analysis, blame map[string]float64) Graph {
	at, edges := map[string]place{}, map[edgeKey]bool{}
	for _, g := range []*traffic{a.graphBase, a.graph} {
		for n, m := range g.members {
			if old, ok := at[n]; !ok || old.kind != nodeService {
				at[n] = m.place
			}
		}
		for k := range g.calls {
			edges[k] = true
		}
	}
	for _, w := range []*window{a.base, a.cur} {
		for _, s := range w.services() {
			if _, ok := at[s]; !ok {
				at[s] = place{name: s, kind: nodeService}
			}
		}
	}
	into, out := callersView(a.graphBase, a.graph), Graph{Nodes: []Node{}, Edges: []Edge{}}
	for n, p := range at {
		node := Node{Name: n, Kind: p.kind, System: p.system, Blame: round4(blame[n])}
		sides := [2]*member{a.graphBase.members[n], a.graph.members[n]}
		if p.kind != nodeService || sides[0].idle() && sides[1].idle() {
			sides = into[n]
		}
		for i, m := range sides {
			if m == nil {
				continue
			}
			span := a.base.seconds()
			if i == 1 {
				span = a.cur.seconds()
			}
			node.Requests.set(i, m.n/span)
			node.Seen.set(i, m.n)
			node.Entry.set(i, m.entries/span)
			node.Errors.set(i, m.errors/max(m.n, 1))
			node.P50.set(i, quantile(m.durations, 0.5))
			node.P95.set(i, quantile(m.durations, 0.95))
			node.P99.set(i, quantile(m.durations, 0.99))
		}
		out.Nodes = append(out.Nodes, node)
	}
	slices.SortFunc(out.Nodes, func(x, y Node) int { return strings.Compare(x.Name, y.Name) })
	for k := range edges {
		e := Edge{From: k.from, To: k.to, Hidden: a.hidden[k]}
		for i, g := range []*traffic{a.graphBase, a.graph} {
			c, w := g.calls[k], a.base
			if i == 1 {
				w = a.cur
			}
			if c == nil {
				continue
			}
			e.Calls.set(i, c.n/w.seconds())
			e.Seen.set(i, c.n)
			e.Errors.set(i, c.ratio(c.errors))
			e.Retries.set(i, c.ratio(c.retries))
			e.P50.set(i, quantile(c.durations, 0.5))
			e.P95.set(i, quantile(c.durations, 0.95))
			e.P99.set(i, quantile(c.durations, 0.99))
			e.FanOut.set(i, c.n/max(c.requests, 1))
			e.Queued.set(i, quantile(c.queued, 0.95))
			if g.path > 0 {
				e.Path.set(i, c.path/g.path)
			}
			e.Async = e.Async || c.async
		}
		out.Edges = append(out.Edges, e)
	}
	slices.SortFunc(out.Edges, byEnds)
	return out
}

func byEnds(x, y Edge) int {
	if c := strings.Compare(x.From, y.From); c != 0 {
		return c
	}
	return strings.Compare(x.To, y.To)
}

// set writes the baseline's side (0) or the incident's (1).
func (s *Shift) set(side int, v float64) {
	if v = round6(v); side == 0 {
		s.Baseline = v
	} else {
		s.Incident = v
	}
}

func (m *member) idle() bool { return m == nil || m.n == 0 }

// callersView sums up, for each node, the calls into it: all that is known of what sends no telemetry.
// A queue's time is the time that messages waited in it.
func callersView(graphs ...*traffic) map[string][2]*member {
	out := map[string][2]*member{}
	get := func(node string, side int) *member {
		v := out[node]
		if v[side] == nil {
			v[side] = &member{}
			out[node] = v
		}
		return v[side]
	}
	for side, g := range graphs {
		keys := make([]edgeKey, 0, len(g.calls))
		for k := range g.calls {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(x, y edgeKey) int { return byEnds(Edge{From: x.from, To: x.to}, Edge{From: y.from, To: y.to}) })
		for _, k := range keys {
			c := g.calls[k]
			m := get(k.to, side)
			m.n += c.n
			m.errors += c.errors
			if g.kinds[k.to] != nodeQueue {
				m.durations = append(m.durations, c.durations...)
			}
			if g.kinds[k.from] == nodeQueue {
				q := get(k.from, side)
				q.durations = append(q.durations, c.queued...)
			}
		}
	}
	for _, v := range out {
		for _, m := range v {
			if m != nil {
				slices.Sort(m.durations)
			}
		}
	}
	return out
}

// mark notes the places of the suspects at the nodes and at the edges they call over. A service has the
// place of its best suspect.
func (g *Graph) mark(suspects []Suspect, p *places) {
	rank, edge := map[string]int{}, map[edgeKey]int{}
	for i := range suspects {
		s := &suspects[i]
		if rank[s.Service] == 0 {
			rank[s.Service] = len(rank) + 1
		}
		if s.Peer != "" {
			to := peerName(s.Peer)
			if name, ok := p.service(to); ok {
				to = name
			}
			if k := (edgeKey{s.Service, to}); edge[k] == 0 {
				edge[k] = rank[s.Service]
			}
		}
	}
	for i := range g.Nodes {
		g.Nodes[i].Suspect = rank[g.Nodes[i].Name]
	}
	for i := range g.Edges {
		g.Edges[i].Suspect = edge[edgeKey{g.Edges[i].From, g.Edges[i].To}]
	}
}

// servicesOf lists the services that sent telemetry.
// services lists the services that sent telemetry in a window.
func (w *window) services() []string {
	if w.named == nil {
		w.named = servicesOf(w.ds)
	}
	return w.named
}

func servicesOf(ds *telemetry.Dataset) []string {
	seen := map[string]bool{}
	last := (*telemetry.Resource)(nil)
	see := func(r *telemetry.Resource) {
		if r != last {
			seen[r.Service] = true
			last = r
		}
	}
	for _, r := range resourcesOf(ds) {
		see(r)
	}
	for i := range ds.Logs {
		see(ds.Logs[i].Resource)
	}
	for i := range ds.Metrics {
		see(ds.Metrics[i].Resource)
	}
	out := make([]string, 0, len(seen))
	for s := range seen {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}
