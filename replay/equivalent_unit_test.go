package replay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// tracedCase is a case with a body, a tree and a call.
func tracedCase(id string) Case {
	c := plainCase(id)
	c.Response.Body = json.RawMessage(`{"state":"ok","n":1}`)
	c.Trace = Trace{Tree: []TreeSpan{span("", "root", 1), span("desk|internal|root|", "query", 2)}}
	c.Downstream = []Downstream{{Peer: "ledger", Request: Request{Method: "POST", Path: "/b", Body: json.RawMessage(`{"n":1}`)}, Response: Response{Status: 200}}}
	return c
}

// ran is a run in which every case did what was recorded, edited.
func ran(edit func(o *Observed), sets ...*Set) *Run {
	r := &Run{sets: sets}
	for _, s := range sets {
		r.Sets = append(r.Sets, s.ID)
		for i := range s.Cases {
			o := *observedAs(&s.Cases[i])
			o.Trace = Trace{Tree: slices.Clone(o.Trace.Tree)}
			if edit != nil {
				edit(&o)
			}
			r.Observed = append(r.Observed, SetObserved{Set: s.ID, Observed: o})
		}
	}
	return r
}

func TestWhatTellsTwoBuildsApart(t *testing.T) {
	root := "desk|internal|root|"
	status := func(n int) func(*Observed) { return func(o *Observed) { o.Response.Status = n } }
	body := func(s string) func(*Observed) { return func(o *Observed) { o.Response.Body = json.RawMessage(s) } }
	count := func(n int) func(*Observed) { return func(o *Observed) { o.Trace.Tree[1].Count = Count{n, n} } }
	twice := func(o *Observed) { o.Downstream = append(slices.Clone(o.Downstream), o.Downstream[0]) }
	silent := func(o *Observed) { o.Traced, o.Trace = false, Trace{} }
	tests := []struct {
		name        string
		base, other func(*Observed)
		want        []string
	}{
		{"nothing", nil, nil, nil},
		{"status", nil, status(201), []string{"status changed"}},
		{"body", nil, body(`{"state":"ok","n":2}`), []string{"body changed /n"}},
		{"header that clients look at", nil, func(o *Observed) { o.Response.Headers = map[string]string{"location": "/x"} }, []string{"header unexpected /location"}},
		{"one span more", nil, count(3), []string{"span count " + root + pathSeparator + "desk|internal|query|"}},
		{"one call more", nil, twice, []string{"downstream count /ledger/POST ~1b"}},
		{"a call with other content", nil, func(o *Observed) {
			o.Downstream = slices.Clone(o.Downstream)
			o.Downstream[0].Request.Body = json.RawMessage(`{"n":2}`)
		}, []string{"downstream changed /ledger/POST ~1b/body/n"}},
		{"the same change in both", status(500), status(500), nil},
		{"the same spans more in both", count(5), count(5), nil},
		{"the same calls more in both", twice, twice, nil},
		{"both changed, differently", status(500), status(502), []string{"status changed"}},
		{"mended", status(500), nil, []string{"status changed"}},
		{"no answer", nil, func(o *Observed) { o.Error = "reset" }, []string{"connection changed"}},
		{"no answer in both", func(o *Observed) { o.Error = "reset" }, func(o *Observed) { o.Error = "reset" }, nil},
		{"no answer for another reason", func(o *Observed) { o.Error = "reset" }, func(o *Observed) { o.Error = "timeout" }, []string{"connection changed"}},
		{"telemetry lost", nil, silent, []string{"span missing"}},
		{"telemetry in neither", silent, silent, nil},
		{"telemetry appeared", silent, nil, []string{"span unexpected"}},
		{"only slower", nil, func(o *Observed) { o.Latency = 1 << 40 }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := setOf(tracedCase("a"))
			if got := lines(Equivalent(ran(tt.base, s), ran(tt.other, s))); !slices.Equal(got, tt.want) {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestEquivalenceAllowsWhatTheRecordingAllows(t *testing.T) {
	c := tracedCase("a")
	c.Trace.Tree[1].Count = Count{1, 4}
	c.Trace.Tree = append(c.Trace.Tree, span("desk|internal|root|", "refresh", 1, func(s *TreeSpan) { s.Count.Min = 0 }))
	c.Noise = []Noise{{Target: "response.body", Pointer: "/n", Rule: "numeric"}}
	s := setOf(c)
	base := ran(func(o *Observed) { o.Trace.Tree = o.Trace.Tree[:2]; o.Trace.Tree[1].Count = Count{1, 1} }, s)
	for name, tt := range map[string]struct {
		edit func(*Observed)
		want []string
	}{
		"as often as ever recorded": {func(o *Observed) { o.Trace.Tree = o.Trace.Tree[:2]; o.Trace.Tree[1].Count = Count{4, 4} }, nil},
		"with the optional span":    {func(o *Observed) { o.Trace.Tree[1].Count = Count{2, 2}; o.Trace.Tree[2].Count = Count{1, 1} }, nil},
		"another number":            {func(o *Observed) { o.Response.Body = json.RawMessage(`{"state":"ok","n":9}`) }, nil},
		"more often than ever":      {func(o *Observed) { o.Trace.Tree = o.Trace.Tree[:2]; o.Trace.Tree[1].Count = Count{5, 5} }, []string{"span count desk|internal|root| > desk|internal|query|"}},
		"no number":                 {func(o *Observed) { o.Response.Body = json.RawMessage(`{"state":"ok","n":"9"}`) }, []string{"body changed /n"}},
	} {
		if got := lines(Equivalent(base, ran(tt.edit, s))); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// The base is at one end of what was recorded; a build beyond the other end is no equivalent, although it is near the base.
func TestDriftBeyondTheRecordingIsFound(t *testing.T) {
	c := tracedCase("a")
	c.Expect = []string{`span[name="query"] count<=2`}
	s := setOf(c)
	ds := Equivalent(ran(nil, s), ran(func(o *Observed) { o.Trace.Tree[1].Count = Count{3, 3} }, s))
	if len(ds) != 2 || !slices.ContainsFunc(ds, func(d Difference) bool {
		return d.Likely == "differs from the recording, which the base build does not"
	}) {
		t.Errorf("%v", ds)
	}
}

func TestCasesMissingOnOneSide(t *testing.T) {
	s := setOf(tracedCase("a"), tracedCase("b"))
	full, half, none := ran(nil, s), ran(nil, s), ran(nil, s)
	half.Observed = half.Observed[:1]
	none.Observed = nil
	for name, tt := range map[string]struct {
		base, other *Run
		want        []string
	}{
		"the other lacks one": {full, half, []string{"b connection missing replayed/not replayed"}},
		"the base lacks one":  {half, full, []string{"b connection missing not replayed/replayed"}},
		"both lack it":        {half, half, nil},
		"nothing in common":   {none, none, []string{" connection missing /"}},
	} {
		var got []string
		for _, d := range Equivalent(tt.base, tt.other) {
			got = append(got, fmt.Sprintf("%s %s %s %s/%s", d.Case, d.Target, d.Kind, d.Recorded, d.Replayed))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestSeveralSetsAreNamed(t *testing.T) {
	a, b := setOf(tracedCase("x")), setOf(tracedCase("x"))
	b.ID = "second"
	other := ran(nil, a, b)
	other.Observed[1].Response.Status = 500
	ds := Equivalent(ran(nil, a, b), other)
	if len(ds) != 1 || ds[0].Case != "second/x" {
		t.Errorf("%v", ds)
	}
}

// An id that a build makes up is another one in each run, but the same wherever it stands.
func TestEquivalenceFollowsNames(t *testing.T) {
	c := tracedCase("a")
	c.Response.Body = json.RawMessage(`{"id":"id-1","link":"id-1"}`)
	c.Noise = []Noise{{Target: "response.body", Pointer: "/*", Rule: "alias"}}
	s := setOf(c)
	named := func(id, link string) func(*Observed) {
		return func(o *Observed) { o.Response.Body = fmt.Appendf(nil, `{"id":%q,"link":%q}`, id, link) }
	}
	if ds := Equivalent(ran(named("id-2", "id-2"), s), ran(named("id-3", "id-3"), s)); len(ds) != 0 {
		t.Errorf("%v", ds)
	}
	if ds := Equivalent(ran(named("id-2", "id-2"), s), ran(named("id-3", "id-4"), s)); len(ds) == 0 {
		t.Error("a link to something else was not noticed")
	}
}

func TestEquivalenceIsReflexiveAndSeesEveryChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := setOf(*drawCase(t))
		if ds := Equivalent(ran(nil, s), ran(nil, s)); len(ds) != 0 {
			t.Fatalf("%v", ds)
		}
		change := rapid.SampledFrom([]func(o *Observed){
			func(o *Observed) { o.Response.Status++ }, func(o *Observed) { o.Response.Body = json.RawMessage(`"other"`) }, func(o *Observed) { n := o.Trace.Tree[0].Count.Max + 1; o.Trace.Tree[0].Count = Count{n, n} }, func(o *Observed) { o.Trace.Tree[0].Status = "error" },
			func(o *Observed) {
				o.Downstream = []Downstream{{Peer: "p", Request: Request{Method: "GET", Path: "/"}}}
			},
		}).Draw(t, "change")
		if len(Equivalent(ran(nil, s), ran(change, s))) == 0 || len(Equivalent(ran(change, s), ran(nil, s))) == 0 {
			t.Fatal("not noticed in both directions")
		}
	})
}

func TestVerdictsCountCasesAndSayTheFirstDifference(t *testing.T) {
	s := setOf(tracedCase("a"), tracedCase("b"))
	run := ran(nil, s)
	var v Verdict
	v.conclude(run, nil)
	if v.Outcome != Green || v.Cases != 2 || v.Failed != 0 || v.Why != "all 2 golden cases answer, call and trace as recorded" {
		t.Errorf("%+v", v)
	}
	v = Verdict{}
	v.conclude(run, []Difference{{Case: "a", Target: "latency", Kind: "changed", Recorded: "1ms", Replayed: "1s"}})
	if v.Outcome != Green || v.Failed != 0 || len(v.Differences) != 1 {
		t.Errorf("slowness alone: %+v", v)
	}
	run.Skipped = []Skipped{{Set: "s", Case: "c", Why: "case c has effects that must not be repeated"}}
	var many []Difference
	for i := range 250 {
		many = append(many, Difference{Case: "b", Target: "body", Pointer: fmt.Sprintf("/%03d", 249-i), Kind: "missing", Recorded: "1"})
	}
	many = append(many, Difference{Case: "b", Target: "status", Kind: "changed", Recorded: "200", Replayed: "500"})
	v = Verdict{}
	v.conclude(run, many)
	if v.Outcome != Red || v.Failed != 1 || len(v.Differences) != maxDifferences || v.Dropped != 151 {
		t.Errorf("%s, %d failed, %d kept, %d dropped", v.Outcome, v.Failed, len(v.Differences), v.Dropped)
	}
	if want := "1 of 2 golden cases differ from what was recorded; the first: case b: status changed: recorded 200, replayed 500 (1 skipped: case c has effects that must not be repeated)"; v.Why != want {
		t.Errorf("%s\nwant %s", v.Why, want)
	}
}

func TestDifferencesInOneLine(t *testing.T) {
	for want, d := range map[string]Difference{
		"case a: body /x changed: recorded 1, replayed 2":                   {Case: "a", Target: "body", Pointer: "/x", Kind: "changed", Recorded: "1", Replayed: "2"},
		"case a: body /x missing: recorded 1":                               {Case: "a", Target: "body", Pointer: "/x", Kind: "missing", Recorded: "1"},
		"case a: body /x unexpected: 2":                                     {Case: "a", Target: "body", Pointer: "/x", Kind: "unexpected", Replayed: "2"},
		"case a: span missing (its parent is missing too)":                  {Case: "a", Target: "span", Kind: "missing", Likely: "its parent is missing too"},
		"case a: connection changed: recorded answered 200, replayed reset": {Case: "a", Target: "connection", Kind: "changed", Recorded: "answered 200", Replayed: "reset"},
	} {
		if got := d.String(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

func TestDifferencesAreSortedByWhatAUserSees(t *testing.T) {
	targets := []string{"connection", "status", "body", "header", "downstream", "span", "latency"}
	rapid.Check(t, func(t *rapid.T) {
		var ds []Difference
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			ds = append(ds, Difference{Case: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "case"), Target: rapid.SampledFrom(targets).Draw(t, "target"), Pointer: rapid.SampledFrom([]string{"", "/a", "/b"}).Draw(t, "pointer")})
		}
		again := rapid.Permutation(ds).Draw(t, "order")
		sortDifferences(ds)
		sortDifferences(again)
		if !slices.Equal(ds, again) {
			t.Fatal("the order depends on the order before")
		}
		for i := 1; i < len(ds); i++ {
			a, b := ds[i-1], ds[i]
			if strings.Compare(a.Case, b.Case) > 0 || a.Case == b.Case && targetRank[a.Target] > targetRank[b.Target] {
				t.Fatalf("%v before %v", a, b)
			}
		}
	})
}
