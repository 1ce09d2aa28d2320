package telemetry

import (
	"bytes"
	"slices"
)

// Trace is the spans of one trace with their tree. Parents that are missing, name
// themselves or form a cycle do not break it: such spans become roots.
type Trace struct {
	ID    TraceID
	Spans []*Span // by start, then id
	Roots []int   // indices of spans without a parent here, by start
	// Broken says that a span names a parent that is not in the trace, Headless that every root does, so that the beginning is what
	// is missing, and Cyclic that spans were their own ancestors.
	Broken, Headless, Cyclic bool

	parent []int32
	first  []int32 // children of span i are kids[first[i]:first[i+1]], by start
	kids   []int
	order  []int
}

// Parent is the index of span i's parent, -1 for a root.
func (t *Trace) Parent(i int) int { return int(t.parent[i]) }

// Children are the indices of span i's children, by start.
func (t *Trace) Children(i int) []int { return t.kids[t.first[i]:t.first[i+1]] }

// Order lists all spans so that parents come before their children.
func (t *Trace) Order() []int { return t.order }

// Start is the start of the earliest span.
func (t *Trace) Start() int64 {
	if len(t.Spans) == 0 {
		return 0
	}
	return t.Spans[0].Start
}

// GroupTraces builds the traces of spans. The spans are shared with the slice; the traces are
// in order of their first span.
func GroupTraces(spans []Span) []Trace {
	index := make(map[TraceID]int32, len(spans)/8+1)
	owner := make([]int32, len(spans))
	var sizes []int32
	for i := range spans {
		t, ok := index[spans[i].Trace]
		if !ok {
			t = int32(len(sizes)) // bounded by Limits.Spans
			index[spans[i].Trace] = t
			sizes = append(sizes, 0)
		}
		owner[i] = t
		sizes[t]++
	}
	traces := make([]Trace, len(sizes))
	pool := make([]*Span, len(spans))
	at := 0
	for t, n := range sizes {
		traces[t].Spans = pool[at : at : at+int(n)]
		at += int(n)
	}
	for i := range spans {
		tr := &traces[owner[i]]
		tr.ID = spans[i].Trace
		tr.Spans = append(tr.Spans, &spans[i])
	}
	eachPart(len(traces), min(len(traces), partsOf(len(spans), partSize)), func(_, from, to int) {
		n := 0
		for _, size := range sizes[from:to] {
			n += int(size)
		}
		w := newTreeBuilder(n, to-from)
		for t := from; t < to; t++ {
			w.build(&traces[t])
		}
	})
	return traces
}

// treeBuilder links the spans of one trace after the other, reusing its scratch space.
type treeBuilder struct {
	byID    map[SpanID]int32
	parents []int32
	firsts  []int32
	kids    []int
	orders  []int
}

// newTreeBuilder prepares for so many spans in so many traces.
func newTreeBuilder(n, traces int) *treeBuilder {
	return &treeBuilder{
		byID: make(map[SpanID]int32), parents: make([]int32, n), firsts: make([]int32, n+traces),
		kids: make([]int, n), orders: make([]int, n),
	}
}

// small is the size up to which a scan for the parent beats a map, large the one from which a map is not
// used again.
const small, large = 16, 4096

func (w *treeBuilder) build(t *Trace) {
	n := len(t.Spans)
	if !slices.IsSortedFunc(t.Spans, byStart) {
		slices.SortFunc(t.Spans, byStart)
	}
	t.parent, w.parents = w.parents[:n:n], w.parents[n:]
	t.first, w.firsts = w.firsts[:n+1:n+1], w.firsts[n+1:]
	t.order, w.orders = w.orders[:0:n], w.orders[n:]
	if n > small {
		if len(w.byID) > large {
			w.byID = make(map[SpanID]int32) // clearing costs what the map once held, for every further trace
		}
		clear(w.byID)
		for i, s := range t.Spans {
			if _, taken := w.byID[s.ID]; !taken {
				w.byID[s.ID] = int32(i) // bounded by Limits.Spans
			}
		}
	}
	find := func(id SpanID) int32 {
		if n > small {
			if i, ok := w.byID[id]; ok {
				return i
			}
			return -1
		}
		for i, s := range t.Spans {
			if s.ID == id {
				return int32(i) // small
			}
		}
		return -1
	}
	torn := 0
	for i, s := range t.Spans {
		t.parent[i] = -1
		if s.Parent.IsZero() {
			continue
		}
		p := find(s.Parent)
		switch {
		case p == int32(i): // bounded
			t.Cyclic = true
		case p < 0:
			t.Broken = true
			torn++
		default:
			t.parent[i] = p
		}
	}
	w.cutCycles(t)
	w.link(t)
	t.Headless = torn > 0 && torn == len(t.Roots)
}

// cutCycles makes the earliest span of each cycle a root. Each span is visited twice at
// most: state 1 is on the current walk, 2 is known to reach a root.
func (w *treeBuilder) cutCycles(t *Trace) {
	// A parent that sorts before its child everywhere cannot be part of a cycle.
	ordered := true
	for i, p := range t.parent {
		if int(p) > i {
			ordered = false
			break
		}
	}
	if ordered {
		return
	}
	state := make([]uint8, len(t.parent))
	for i := range t.parent {
		j := int32(i) // bounded
		for j >= 0 && state[j] == 0 {
			state[j] = 1
			j = t.parent[j]
		}
		cut := int32(-1)
		if j >= 0 && state[j] == 1 {
			cut = j
			for k := t.parent[j]; k != j; k = t.parent[k] {
				cut = min(cut, k)
			}
		}
		for k := int32(i); k >= 0 && state[k] == 1; k = t.parent[k] { // bounded
			state[k] = 2
		}
		if cut >= 0 {
			t.parent[cut] = -1
			t.Cyclic = true
		}
	}
}

// link fills children, roots and order.
func (w *treeBuilder) link(t *Trace) {
	n, children := len(t.Spans), 0
	for _, p := range t.parent {
		if p >= 0 {
			t.first[p+1]++
			children++
		}
	}
	for i := range n {
		t.first[i+1] += t.first[i]
	}
	t.kids, w.kids = w.kids[:children:children], w.kids[children:]
	// Fill from the back of each range, so that first ends where it belongs.
	next := t.order[:n] // scratch until the order is written
	for i := range n {
		next[i] = int(t.first[i])
	}
	for i, p := range t.parent {
		if p >= 0 {
			t.kids[next[p]] = i
			next[p]++
		} else {
			t.Roots = append(t.Roots, i)
		}
	}
	t.order = t.order[:0]
	t.order = append(t.order, t.Roots...)
	for i := 0; i < len(t.order); i++ {
		t.order = append(t.order, t.Children(t.order[i])...)
	}
}

func byStart(a, b *Span) int {
	switch {
	case a.Start < b.Start:
		return -1
	case a.Start > b.Start:
		return 1
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}
