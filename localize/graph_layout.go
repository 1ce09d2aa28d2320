package localize

import (
	"cmp"
	"math"
	"slices"
)

// item is something that takes up room in the drawing: a node, an edge's label, or an edge
// that passes through.
type item struct {
	w, h   float64
	x, y   float64 // of the left edge and of the middle
	column int
	node   int // index of the node, -1 for a piece of an edge
	edge   int // index of the edge, -1 for a node
	label  bool
	left   []int // items it is joined to in columns further left, and right
	right  []int
}

// layout places nodes in layers from left to right, callers left of what they call, as Sugiyama, Tagawa and
// Toda do it (Methods for Visual Understanding of Hierarchical System Structures, 1981): cycles are cut,
// layers assigned, long edges split at each layer, the order within layers chosen for few crossings, and
// room given. Between two layers of nodes lies a column for the labels of the edges, in which labels are items
// like any other, so that no two of them can overlap.
type layout struct {
	items    []item
	columns  [][]int
	nodes    []int   // item of each node
	chains   [][]int // items of each edge from left to right, ends included
	reversed []bool  // edges drawn from right to left
	width    float64
	height   float64
	top      float64 // of the highest item
}

// box is the size of a node or of an edge's label; a label of no size is none.
type box struct{ w, h float64 }

// ends is the nodes that an edge joins.
type ends struct{ from, to int }

// Distances in the drawing, in the picture's units.
const (
	nodeGap  = 22.0
	laneGap  = 9.0
	laneSize = 4.0
	minBend  = 36.0 // room between columns for the lines to turn in
	sweeps   = 12   // more change little (Gansner et al., A Technique for Drawing Directed Graphs, 1993, use 24 at most)
)

// arrange computes the layout. first says that a node should stand at the left. Loops are not given
// here; whoever draws them leaves room in the node's box.
func arrange(nodes []box, edges []ends, labels []box, first []bool) *layout {
	l := &layout{nodes: make([]int, len(nodes)), chains: make([][]int, len(edges)), reversed: make([]bool, len(edges))}
	layers := l.assign(len(nodes), edges, first)
	l.build(nodes, edges, labels, layers)
	l.order()
	l.place()
	return l
}

// assign gives each node a layer and marks the edges that run against it.
func (l *layout) assign(n int, edges []ends, first []bool) []int {
	out := make([][]int, n)
	called := make([]int, n)
	for e, x := range edges {
		out[x.from] = append(out[x.from], e)
		called[x.to]++
	}
	// Edges to a node that is still open close a cycle. Nodes are entered as requests enter the system.
	start := make([]int, n)
	for i := range start {
		start[i] = i
	}
	slices.SortStableFunc(start, func(a, b int) int { return cmp.Compare(rankOfStart(called, first, a), rankOfStart(called, first, b)) })
	const open, done = 1, 2
	state := make([]uint8, n)
	var order []int
	var visit func(int)
	visit = func(i int) {
		state[i] = open
		for _, e := range out[i] {
			switch to := edges[e].to; state[to] {
			case open:
				l.reversed[e] = true
			case 0:
				visit(to)
			}
		}
		state[i] = done
		order = append(order, i)
	}
	for _, i := range start {
		if state[i] == 0 {
			visit(i)
		}
	}
	slices.Reverse(order) // topological, without the reversed edges
	ahead, behind := make([][]int, n), make([][]int, n)
	for e, x := range edges {
		if l.reversed[e] {
			x.from, x.to = x.to, x.from
		}
		ahead[x.from] = append(ahead[x.from], x.to)
		behind[x.to] = append(behind[x.to], x.from)
	}
	layer := make([]int, n)
	relax := func() {
		for _, i := range order {
			for _, j := range ahead[i] {
				layer[j] = max(layer[j], layer[i]+1)
			}
		}
	}
	relax()
	// Whoever is called by nobody stands next to what it calls.
	for k := len(order) - 1; k >= 0; k-- {
		i := order[k]
		if len(behind[i]) > 0 || len(ahead[i]) == 0 || first[i] {
			continue
		}
		near := math.MaxInt
		for _, j := range ahead[i] {
			near = min(near, layer[j])
		}
		layer[i] = near - 1
	}
	return l.split(layer, ahead, order)
}

func rankOfStart(called []int, first []bool, i int) int {
	switch {
	case called[i] == 0 && first[i]:
		return 0
	case called[i] == 0:
		return 1
	case first[i]:
		return 2
	}
	return 3
}

// split bounds the height of layers (Coffman and Graham's condition): what calls nothing moves on into a layer of its
// own where there are too many side by side.
func (l *layout) split(layer []int, ahead [][]int, order []int) []int {
	n := len(layer)
	most := max(5, min(9, int(math.Ceil(1.5*math.Sqrt(float64(n))))))
	by := map[int][]int{}
	deepest := 0
	for _, i := range order {
		by[layer[i]] = append(by[layer[i]], i)
		deepest = max(deepest, layer[i])
	}
	out := make([]int, n)
	at := 0
	for d := 0; d <= deepest; d++ {
		members := by[d]
		if len(members) == 0 {
			continue
		}
		slices.SortStableFunc(members, func(a, b int) int { return cmp.Compare(b2i(len(ahead[a]) == 0), b2i(len(ahead[b]) == 0)) })
		parts := (len(members) + most - 1) / most
		size := (len(members) + parts - 1) / parts
		for k, i := range members {
			out[i] = at + k/size
		}
		at += parts
	}
	return out
}

// build makes the items and joins them.
func (l *layout) build(nodes []box, edges []ends, labels []box, layer []int) {
	for i, b := range nodes {
		l.nodes[i] = len(l.items)
		l.items = append(l.items, item{w: b.w, h: b.h, column: 2 * layer[i], node: i, edge: -1})
	}
	for e, x := range edges {
		a, b := x.from, x.to
		if l.reversed[e] {
			a, b = b, a
		}
		// The label stands before the callee.
		at := 2*layer[b] - 1
		if l.reversed[e] {
			at = 2*layer[a] + 1
		}
		chain := []int{l.nodes[a]}
		for c := 2*layer[a] + 1; c < 2*layer[b]; c++ {
			it := item{h: laneSize, column: c, node: -1, edge: e}
			if c == at && labels[e].w > 0 {
				it.w, it.h, it.label = labels[e].w, labels[e].h, true
			}
			chain = append(chain, len(l.items))
			l.items = append(l.items, it)
		}
		chain = append(chain, l.nodes[b])
		l.chains[e] = chain
		for k := 1; k < len(chain); k++ {
			p, q := chain[k-1], chain[k]
			l.items[p].right = append(l.items[p].right, q)
			l.items[q].left = append(l.items[q].left, p)
		}
	}
	deepest := 0
	for i := range l.items {
		deepest = max(deepest, l.items[i].column)
	}
	l.columns = make([][]int, deepest+1)
	for i := range l.items {
		l.columns[l.items[i].column] = append(l.columns[l.items[i].column], i)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
