package telemetry

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestGroupTracesSurvivesBrokenAndCyclicTrees(t *testing.T) {
	d := newTraceData()
	d.span("a", 1, 1, 0, "root", 0, time.Second, nil)
	d.span("a", 1, 2, 1, "child", 1, time.Second, nil)
	d.span("a", 1, 3, 99, "orphan", 2, time.Second, nil)
	d.span("a", 1, 4, 4, "own parent", 3, time.Second, nil)
	d.span("a", 1, 5, 6, "cycle 1", 4, time.Second, nil)
	d.span("a", 1, 6, 7, "cycle 2", 5, time.Second, nil)
	d.span("a", 1, 7, 5, "cycle 3", 6, time.Second, nil)
	ds := d.dataset(t)
	traces := GroupTraces(ds.Spans)
	if len(traces) != 1 {
		t.Fatalf("%d traces", len(traces))
	}
	tr := &traces[0]
	if !tr.Broken || !tr.Cyclic || noteCount(ds, NoteBrokenTrace) != 1 || noteCount(ds, NoteSpanCycle) != 1 {
		t.Errorf("broken %v cyclic %v notes %v", tr.Broken, tr.Cyclic, ds.Notes)
	}
	var roots []string
	for _, i := range tr.Roots {
		roots = append(roots, tr.Spans[i].Name)
	}
	if want := []string{"root", "orphan", "own parent", "cycle 1"}; len(roots) != 4 || roots[0] != want[0] || roots[3] != want[3] {
		t.Errorf("roots %v, want %v", roots, want)
	}
	if len(tr.Order()) != 7 {
		t.Errorf("order has %d spans", len(tr.Order()))
	}
}

// Whatever parents spans name, each span appears once in the order, behind its parent, and is
// the child of its parent.
func TestTraceTreeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		res := &Resource{Service: "s"}
		spans := make([]Span, n)
		for i := range spans {
			spans[i] = Span{
				Trace: TraceID{1}, ID: SpanID{byte(rapid.IntRange(1, n).Draw(t, "id"))},
				Parent: SpanID{byte(rapid.IntRange(0, n+1).Draw(t, "parent"))}, Resource: res,
				Start: int64(rapid.IntRange(0, 20).Draw(t, "start")),
			}
		}
		tr := GroupTraces(spans)[0]
		place := map[int]int{}
		for at, i := range tr.Order() {
			if _, twice := place[i]; twice {
				t.Fatalf("span %d twice in order", i)
			}
			place[i] = at
		}
		if len(place) != n {
			t.Fatalf("order has %d of %d spans", len(place), n)
		}
		children := 0
		for i := range tr.Spans {
			children += len(tr.Children(i))
			for _, c := range tr.Children(i) {
				if tr.Parent(c) != i || place[c] < place[i] {
					t.Fatalf("child %d of %d: parent %d", c, i, tr.Parent(c))
				}
			}
		}
		if children+len(tr.Roots) != n {
			t.Fatalf("%d children and %d roots of %d spans", children, len(tr.Roots), n)
		}
	})
}

func TestHundredThousandChildren(t *testing.T) {
	spans := make([]Span, 100_001)
	res := &Resource{Service: "s"}
	for i := range spans {
		spans[i] = Span{Trace: TraceID{1}, ID: SpanID{byte(i), byte(i >> 8), byte(i >> 16), 1}, Resource: res, Start: int64(i)}
		if i > 0 {
			spans[i].Parent = spans[0].ID
		}
	}
	tr := GroupTraces(spans)[0]
	if len(tr.Children(0)) != 100_000 || len(tr.Roots) != 1 {
		t.Errorf("%d children, %d roots", len(tr.Children(0)), len(tr.Roots))
	}
}

func TestClockSkewIsCorrectedPerPairOfProcesses(t *testing.T) {
	d := newTraceData()
	for i := byte(0); i < 5; i++ {
		at := time.Duration(i) * 10 * time.Second
		d.span("front", i+1, 1, 0, "in", at, 2*time.Second, nil)
		d.span("back", i+1, 2, 1, "work", at-time.Hour, time.Second, nil) // an hour behind
		d.span("back", i+1, 3, 2, "inner", at-time.Hour, time.Second/2, nil)
	}
	ds := d.dataset(t)
	for _, tr := range GroupTraces(ds.Spans) {
		for i, s := range tr.Spans {
			if p := tr.Parent(i); p >= 0 && (s.Start < tr.Spans[p].Start || s.End() > tr.Spans[p].End()) {
				t.Errorf("%s lies outside its parent", s.Name)
			}
		}
	}
	if noteCount(ds, NoteClockSkew) != 10 {
		t.Errorf("notes: %v", ds.Notes)
	}
}

func TestLateCalleesAreNotTakenForSkew(t *testing.T) {
	d := newTraceData()
	for i := byte(0); i < 5; i++ {
		at := time.Duration(i) * 10 * time.Second
		d.span("front", i+1, 1, 0, "in", at, 2*time.Second, nil)
		late := time.Duration(0)
		if i == 3 {
			late = 1900 * time.Millisecond // began when its caller was about to give up
		}
		d.span("back", i+1, 2, 1, "work", at+late, time.Second, nil)
	}
	if ds := d.dataset(t); noteCount(ds, NoteClockSkew) != 0 {
		t.Errorf("a late callee was moved: %v", ds.Notes)
	}
}

func TestCorrelate(t *testing.T) {
	d := newTraceData()
	d.span("a", 1, 1, 0, "root", 0, 10*time.Second, nil)
	d.span("b", 1, 2, 1, "inner", time.Second, time.Second, nil)
	d.span("c", 2, 3, 0, "other", 100*time.Second, time.Second, nil)
	traces := GroupTraces(d.dataset(t).Spans)
	a, b, c, x := &Resource{Service: "a"}, &Resource{Service: "b"}, &Resource{Service: "c"}, &Resource{Service: "x"}
	at := func(s time.Duration) int64 { return base + int64(s) }
	logs := []Log{
		{Resource: a, Time: at(time.Second), Trace: traces[0].ID, Span: traces[0].Spans[0].ID},
		{Resource: b, Time: at(1500 * time.Millisecond), Trace: traces[0].ID},
		{Resource: c, Time: at(100500 * time.Millisecond)},
		{Resource: c, Time: at(103 * time.Second)},
		{Resource: x, Time: at(time.Second)},
		{Resource: c, Time: at(500 * time.Second), Trace: TraceID{9}},
	}
	got := Correlate(logs, traces, 10*time.Second)
	want := []LogLink{{0, 0, BySpan}, {0, 1, ByTrace}, {1, 0, ByTime}, {1, 0, ByTime}, {-1, -1, Untied}, {-1, -1, Untied}}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("log %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}
