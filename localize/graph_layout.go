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

// order reduces the crossings: each column is put in the order of the barycentres of its neighbours, to and
// fro, then neighbours change places where that helps. The best order seen stays.
func (l *layout) order() {
	position := make([]int, len(l.items))
	number := func() {
		for _, c := range l.columns {
			for k, i := range c {
				position[i] = k
			}
		}
	}
	number()
	best, fewest := cloned(l.columns), l.crossings(position)
	for s := 0; s < sweeps && fewest > 0; s++ {
		forward := s%2 == 0
		for k := range l.columns {
			c := l.columns[k]
			if !forward {
				c = l.columns[len(l.columns)-1-k]
			}
			centre := make(map[int]float64, len(c))
			for at, i := range c {
				near := l.items[i].left
				if !forward {
					near = l.items[i].right
				}
				if len(near) == 0 {
					centre[i] = float64(at)
					continue
				}
				sum := 0.0
				for _, j := range near {
					sum += float64(position[j])
				}
				centre[i] = sum / float64(len(near))
			}
			slices.SortStableFunc(c, func(a, b int) int { return cmp.Compare(centre[a], centre[b]) })
			for at, i := range c {
				position[i] = at
			}
		}
		l.transpose(position)
		if n := l.crossings(position); n < fewest {
			best, fewest = cloned(l.columns), n
		}
	}
	l.columns = best
}

func cloned(in [][]int) [][]int {
	out := make([][]int, len(in))
	for i := range in {
		out[i] = slices.Clone(in[i])
	}
	return out
}

// transpose swaps neighbours of a column while that removes crossings.
func (l *layout) transpose(position []int) {
	for range 4 {
		better := false
		for _, c := range l.columns {
			for k := 1; k < len(c); k++ {
				a, b := c[k-1], c[k]
				if l.between(a, b, position) > l.between(b, a, position) {
					c[k-1], c[k] = b, a
					position[a], position[b] = k, k-1
					better = true
				}
			}
		}
		if !better {
			return
		}
	}
}

// between counts the crossings of the lines of a with those of b where a stands above b.
func (l *layout) between(a, b int, position []int) int {
	n := 0
	for _, side := range [2][2][]int{{l.items[a].left, l.items[b].left}, {l.items[a].right, l.items[b].right}} {
		for _, i := range side[0] {
			for _, j := range side[1] {
				if position[i] > position[j] {
					n++
				}
			}
		}
	}
	return n
}

// crossings counts those of the whole drawing.
func (l *layout) crossings(position []int) int {
	n := 0
	for _, c := range l.columns {
		var lines [][2]int
		for _, i := range c {
			for _, j := range l.items[i].right {
				lines = append(lines, [2]int{position[i], position[j]})
			}
		}
		for i := range lines {
			for j := i + 1; j < len(lines); j++ {
				if (lines[i][0]-lines[j][0])*(lines[i][1]-lines[j][1]) < 0 {
					n++
				}
			}
		}
	}
	return n
}

// gapAfter is the room between two neighbours of a column.
func (l *layout) gapAfter(a, b int) float64 {
	if l.items[a].node >= 0 && l.items[b].node >= 0 {
		return nodeGap
	}
	if l.items[a].node >= 0 || l.items[b].node >= 0 {
		return nodeGap * 0.7
	}
	return laneGap
}

// place gives coordinates. Down a column each item wants to stand where its neighbours in other
// columns stand; the nearest to all wishes that keeps order and distances is found by isotonic regression
// (pool adjacent violators, Ayer et al. 1955).
func (l *layout) place() {
	for _, c := range l.columns {
		y := 0.0
		for k, i := range c {
			if k > 0 {
				y += l.items[c[k-1]].h/2 + l.gapAfter(c[k-1], i) + l.items[i].h/2
			}
			l.items[i].y = y
		}
		for _, i := range c {
			l.items[i].y -= y / 2
		}
	}
	for s := range 3 * sweeps {
		for k := range l.columns {
			c := l.columns[k]
			if s%2 == 1 {
				c = l.columns[len(l.columns)-1-k]
			}
			l.settle(c, s)
		}
	}
	l.top = math.Inf(1)
	bottom := math.Inf(-1)
	for i := range l.items {
		it := &l.items[i]
		l.top, bottom = min(l.top, it.y-it.h/2), max(bottom, it.y+it.h/2)
	}
	l.height = bottom - l.top
	x := 0.0
	for k, c := range l.columns {
		widest := 0.0
		lines := 0
		for _, i := range c {
			widest = max(widest, l.items[i].w)
			lines += len(l.items[i].right)
		}
		for _, i := range c {
			l.items[i].x = x + (widest-l.items[i].w)/2
		}
		x += widest
		l.width = x
		if k+1 < len(l.columns) {
			bend := minBend
			if widest == 0 || l.widthOf(k+1) == 0 {
				bend = minBend * 0.6 // a column without labels is one more bend of the same lines
			}
			x += bend + min(float64(lines)*1.2, 32)
		}
	}
}

func (l *layout) widthOf(column int) float64 {
	w := 0.0
	for _, i := range l.columns[column] {
		w = max(w, l.items[i].w)
	}
	return w
}

// settle moves the items of one column towards their neighbours. Lines that pass through resist most, so that
// long edges run straight.
func (l *layout) settle(c []int, sweep int) {
	type block struct {
		sum, weight float64
		n           int
	}
	var blocks []block
	offset := 0.0
	for k, i := range c {
		it := &l.items[i]
		if k > 0 {
			offset += l.items[c[k-1]].h/2 + l.gapAfter(c[k-1], i) + it.h/2
		}
		near := it.left
		switch {
		case sweep >= 2*sweeps || len(near) == 0 && len(it.right) > 0:
			near = append(slices.Clone(it.left), it.right...)
		case sweep%2 == 1 && len(it.right) > 0:
			near = it.right
		}
		want, weight := it.y, 0.2
		if len(near) > 0 {
			sum, total := 0.0, 0.0
			for _, j := range near {
				w := 1.0
				if l.items[j].node < 0 && it.node < 0 {
					w = 4
				}
				sum += w * l.items[j].y
				total += w
			}
			want, weight = sum/total, 1
			if it.node < 0 {
				weight = 2
			}
		}
		blocks = append(blocks, block{weight * (want - offset), weight, 1})
		for n := len(blocks); n > 1 && blocks[n-2].sum*blocks[n-1].weight >= blocks[n-1].sum*blocks[n-2].weight; n = len(blocks) {
			blocks[n-2].sum += blocks[n-1].sum
			blocks[n-2].weight += blocks[n-1].weight
			blocks[n-2].n += blocks[n-1].n
			blocks = blocks[:n-1]
		}
	}
	k, offset := 0, 0.0
	for _, b := range blocks {
		for range b.n {
			if k > 0 {
				offset += l.items[c[k-1]].h/2 + l.gapAfter(c[k-1], c[k]) + l.items[c[k]].h/2
			}
			l.items[c[k]].y = b.sum/b.weight + offset
			k++
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
