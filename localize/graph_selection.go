package localize

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// sketch is the part of a graph that is drawn, and what is said of the rest.
type sketch struct {
	nodes []Node
	edges []Edge
	rest  []string // sentences about what is left out
}

// trouble is how much a node or an edge has to say, in orders of magnitude apart: suspects, hidden faults,
// failures and slowness, then traffic.
func (n *Node) trouble() float64 {
	t := 0.0
	if n.Suspect > 0 {
		t = 1000 / float64(n.Suspect)
	}
	t += 100 * n.Blame
	if worseErrors(n.Errors) {
		t += 20 * n.Errors.Incident
	}
	if addedTime(n.P95, n.Seen) > 0 {
		t += 10
	}
	return t
}

func (e *Edge) trouble() float64 {
	t := 0.0
	if e.Suspect > 0 {
		t = 500 / float64(e.Suspect)
	}
	t += 200 * float64(len(e.Hidden))
	if worseErrors(e.Errors) {
		t += 50 + 20*e.Errors.Incident
	}
	if addedTime(e.P95, e.Seen) > 0 || addedTime(e.Queued, e.Seen) > 0 {
		t += 10
	}
	return t
}

// choose bounds a picture: the worst nodes stay, then their neighbours, then whoever has most traffic.
// What goes is counted.
func (g *Graph) choose(maxNodes, maxEdges int) sketch {
	index := make(map[string]int, len(g.Nodes))
	for i := range g.Nodes {
		index[g.Nodes[i].Name] = i
	}
	weight := make([]float64, len(g.Nodes))
	for i := range g.Nodes {
		weight[i] = g.Nodes[i].trouble()
	}
	near := make([][]int, len(g.Nodes))
	var edges []int
	for i := range g.Edges {
		e := &g.Edges[i]
		f, okF := index[e.From]
		t, okT := index[e.To]
		if !okF || !okT {
			continue // an edge needs its ends
		}
		edges = append(edges, i)
		near[f], near[t] = append(near[f], t), append(near[t], f)
		if w := e.trouble(); w > 0 {
			weight[f], weight[t] = weight[f]+w/2, weight[t]+w/2
		}
	}
	traffic := func(i int) float64 { return max(g.Nodes[i].Requests.Incident, g.Nodes[i].Requests.Baseline) }
	before := func(x, y int, by []float64) int {
		return cmp.Or(cmp.Compare(by[y], by[x]), cmp.Compare(traffic(y), traffic(x)), cmp.Compare(x, y))
	}
	// What neither calls nor is called and has nothing to say needs no box.
	var all []int
	for i := range g.Nodes {
		if len(near[i]) > 0 || weight[i] >= 1 || len(edges) == 0 {
			all = append(all, i)
		}
	}
	slices.SortFunc(all, func(x, y int) int { return before(x, y, weight) })
	kept, beside := map[int]bool{}, slices.Clone(weight)
	var around []int
	keep := func(i int) {
		kept[i] = true
		for _, j := range near[i] {
			if !kept[j] {
				beside[j] = max(beside[j], weight[i]/2)
				around = append(around, j)
			}
		}
	}
	for _, i := range all {
		if len(all) <= maxNodes || weight[i] >= 1 && len(kept) < maxNodes*3/5 {
			keep(i)
		}
	}
	for len(kept) < min(maxNodes, len(all)) {
		around = slices.DeleteFunc(around, func(i int) bool { return kept[i] })
		if len(around) > 0 {
			keep(slices.MinFunc(around, func(x, y int) int { return before(x, y, beside) }))
			continue
		}
		// Apart from what is drawn: begin again with the worst of the rest.
		keep(all[slices.IndexFunc(all, func(i int) bool { return !kept[i] })])
	}

	var out sketch
	for i := range g.Nodes {
		if kept[i] {
			out.nodes = append(out.nodes, g.Nodes[i])
		}
	}
	var inside []int
	for _, i := range edges {
		if kept[index[g.Edges[i].From]] && kept[index[g.Edges[i].To]] {
			inside = append(inside, i)
		}
	}
	beyond := 0
	if len(inside) > maxEdges {
		beyond = len(inside) - maxEdges
		slices.SortStableFunc(inside, func(x, y int) int {
			return cmp.Or(cmp.Compare(g.Edges[y].trouble(), g.Edges[x].trouble()), cmp.Compare(g.Edges[y].Calls.Incident, g.Edges[x].Calls.Incident))
		})
		inside = inside[:maxEdges]
		slices.Sort(inside)
	}
	for _, i := range inside {
		out.edges = append(out.edges, g.Edges[i])
	}
	var lone []string
	for i := range g.Nodes {
		if len(near[i]) == 0 && !kept[i] {
			lone = append(lone, g.Nodes[i].Name)
		}
	}
	out.rest = g.omitted(kept, weight, lone, len(edges)-len(inside)-beyond, beyond)
	return out
}

// omitted says in words what a picture leaves out.
func (g *Graph) omitted(kept map[int]bool, weight []float64, lone []string, touching, beyond int) []string {
	var out []string
	kinds, left, troubled := map[string]int{}, 0, 0
	for i := range g.Nodes {
		if kept[i] || slices.Contains(lone, g.Nodes[i].Name) {
			continue
		}
		kinds[g.Nodes[i].Kind]++
		left++
		if weight[i] >= 1 {
			troubled++
		}
	}
	if left > 0 {
		var parts []string
		for _, k := range []string{nodeService, nodeDatabase, nodeCache, nodeQueue, nodeExternal} {
			if n := kinds[k]; n > 0 {
				if k == nodeExternal {
					k = "outside peer"
				}
				parts = append(parts, plural(n, k))
			}
		}
		s := fmt.Sprintf("%d of %d nodes are not drawn: %s, with %s.", left, len(g.Nodes), strings.Join(parts, ", "), plural(touching, "connection"))
		if troubled == 0 {
			s += " Nothing got worse there."
		} else {
			s += fmt.Sprintf(" Something got worse at %d of them too, though less than at those that are drawn.", troubled)
		}
		out = append(out, s)
	}
	if beyond > 0 {
		out = append(out, fmt.Sprintf("%s between nodes that are drawn, those with least to say, are left out.", plural(beyond, "connection")))
	}
	if n := len(lone); n > 0 {
		names := make([]string, 0, n)
		for _, name := range lone[:min(n, 12)] {
			names = append(names, shown(name, 60))
		}
		s := fmt.Sprintf("No call to or from %s: %s", plural(n, "node"), strings.Join(names, ", "))
		if n > len(names) {
			s += fmt.Sprintf(" and %d more", n-len(names))
		}
		out = append(out, s+".")
	}
	return out
}
