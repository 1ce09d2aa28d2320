package replay

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/telemetry"
	"pgregory.net/rapid"
)

// node makes a span with the given number as its id and parent as the id of its parent.
func node(id, parent uint64, service, name string) telemetry.Span {
	s := telemetry.Span{Trace: telemetry.TraceID{1}, Resource: &telemetry.Resource{Service: service}, Name: name, Kind: telemetry.KindInternal, Duration: time.Millisecond}
	binary.BigEndian.PutUint64(s.ID[:], id)
	binary.BigEndian.PutUint64(s.Parent[:], parent)
	return s
}

var outside = func() (id telemetry.SpanID) { binary.BigEndian.PutUint64(id[:], 1000); return id }()

func exchangeNames(spans []telemetry.Span, service string, caller telemetry.SpanID) []string {
	var out []string
	for _, p := range groupByTrace(spans)[telemetry.TraceID{1}].exchange(service, caller) {
		out = append(out, p.span.Name)
	}
	slices.Sort(out)
	return out
}

func TestExchangeIsWhatTheServiceDidItself(t *testing.T) {
	spans := []telemetry.Span{
		node(1, 1000, "desk", "entry"), node(2, 1, "desk", "call"), node(3, 2, "ledger", "serve"), node(4, 3, "ledger", "call back"), node(5, 4, "desk", "second entry"),
		node(6, 999, "desk", "other exchange"), node(7, 6, "desk", "its child"),
	}
	if got := exchangeNames(spans, "desk", outside); !slices.Equal(got, []string{"call", "entry", "its child", "other exchange"}) {
		t.Errorf("with one entry known, detached spans belong to it: %q", got)
	}
	if got := exchangeNames(spans, "", outside); len(got) != 7 {
		t.Errorf("all services: %q", got)
	}
	var inner telemetry.SpanID
	binary.BigEndian.PutUint64(inner[:], 4)
	if got := exchangeNames(spans, "desk", inner); !slices.Equal(got, []string{"second entry"}) {
		t.Errorf("the call back alone: %q", got)
	}
	var nowhere *traceSpans
	if got := nowhere.exchange("desk", outside); got != nil {
		t.Errorf("no trace: %v", got)
	}
}

func TestHostileTracesStayBounded(t *testing.T) {
	tests := map[string][]telemetry.Span{"cycle": {node(1, 2, "desk", "a"), node(2, 1, "desk", "b")}, "own parent": {node(1, 1, "desk", "a")}, "same id": {node(1, 1000, "desk", "a"), node(1, 1000, "desk", "b")}}
	var chain, wide []telemetry.Span
	for i := uint64(1); i <= 20_000; i++ {
		parent := i - 1
		if i == 1 {
			parent = 1_000_000
		}
		chain = append(chain, node(i, parent, "desk", "step"))
		wide = append(wide, node(i+1, 1, "desk", "leaf"))
	}
	wide = append(wide, node(1, 1_000_000, "desk", "root"))
	tests["chain"], tests["wide"] = chain, wide
	var caller telemetry.SpanID
	binary.BigEndian.PutUint64(caller[:], 1_000_000)
	for name, spans := range tests {
		t.Run(name, func(t *testing.T) {
			tree := treeOf(groupByTrace(spans)[telemetry.TraceID{1}].exchange("", caller), nil)
			for _, c := range tree.Tree {
				if len(c.Parent) > 200*maxPathDepth {
					t.Fatalf("a path of %d bytes", len(c.Parent))
				}
			}
			if name == "wide" && (len(tree.Tree) != 2 || tree.Tree[1].Count.Max != 20_000 || len(tree.Tree[1].Durations) != maxDurations) {
				t.Errorf("%d classes", len(tree.Tree))
			}
		})
	}
}

func TestTreeKeepsCriticalAttributesAndTypesOnly(t *testing.T) {
	s := node(1, 1000, "desk", "POST /entries/123456")
	s.Kind, s.Status = telemetry.KindServer, telemetry.StatusError
	s.Attrs = attrs(telemetry.AttrErrorType, "503", telemetry.AttrHTTPMethod, "POST", telemetry.AttrHTTPStatus, "503", "net.peer", "10.0.0.1", "thread.id", "7")
	s.Events = []telemetry.Event{{Name: "exception", Attrs: attrs(telemetry.AttrExceptionMsg, "secret", telemetry.AttrExceptionType, "IOError")}}
	got := treeOf(groupByTrace([]telemetry.Span{s})[s.Trace].exchange("", outside), NewRedactor()).Tree
	if len(got) != 1 || got[0].Status != "error" || got[0].Kind != "server" || !slices.Equal(got[0].Errors, []string{"IOError"}) || len(got[0].Attributes) != 3 {
		t.Fatalf("%+v", got)
	}
	if strings.Contains(got[0].Signature, "123456") {
		t.Errorf("an id in %s", got[0].Signature)
	}
}

// The order in which spans arrive says nothing.
func TestTreeDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var spans []telemetry.Span
		for i := uint64(1); i <= uint64(rapid.IntRange(1, 30).Draw(t, "n")); i++ {
			parent := uint64(1000)
			if i > 1 {
				parent = rapid.Uint64Range(1, i-1).Draw(t, "parent")
			}
			spans = append(spans, node(i, parent, "desk", rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name")))
		}
		fold := func(spans []telemetry.Span) Trace {
			return treeOf(groupByTrace(spans)[telemetry.TraceID{1}].exchange("", outside), nil)
		}
		one := fold(spans)
		two := fold(rapid.Permutation(spans).Draw(t, "order"))
		c := &Case{ID: "c", Response: Response{Status: 200}, Trace: one}
		o := observedAs(c)
		o.Trace = two
		if ds := Compare(c, o); len(ds) != 0 {
			t.Fatalf("%v", ds)
		}
		total := 0
		for _, s := range one.Tree {
			total += s.Count.Max
		}
		if total != len(spans) {
			t.Fatalf("%d spans in the tree, %d in the trace", total, len(spans))
		}
	})
}

func TestMergedTreesKnowTheRange(t *testing.T) {
	a := Trace{Tree: []TreeSpan{span("", "root", 1), span("x", "query", 3)}}
	b := Trace{Tree: []TreeSpan{span("", "root", 1), span("x", "query", 5), span("x", "refresh", 1)}}
	m := mergeTrees([]Trace{a, b})
	counts := map[string]Count{}
	for _, s := range m.Tree {
		counts[s.Signature] = s.Count
	}
	if counts["desk|internal|query|"] != (Count{3, 5}) || counts["desk|internal|refresh|"] != (Count{0, 1}) || counts["desk|internal|root|"] != (Count{1, 1}) {
		t.Errorf("%v", counts)
	}
	for _, tree := range []Trace{a, b} {
		c := &Case{ID: "c", Response: Response{Status: 200}, Trace: m}
		o := observedAs(c)
		o.Trace = tree
		if ds := Compare(c, o); len(ds) != 0 {
			t.Errorf("a recording differs from what was made of it: %v", ds)
		}
	}
}

func BenchmarkFoldAndCompare(b *testing.B) {
	const traces, perTrace = 100, 100
	var spans []telemetry.Span
	res := &telemetry.Resource{Service: "desk"}
	for t := range traces {
		for i := uint64(1); i <= perTrace; i++ {
			s := node(i, i/4, "desk", "GET /things/"+string(rune('a'+i%7)))
			if i == 1 {
				s.Parent = outside
			}
			s.Trace, s.Resource = telemetry.TraceID{1, byte(t)}, res
			s.Attrs = attrs(telemetry.AttrHTTPMethod, "GET", telemetry.AttrHTTPStatus, "200", telemetry.AttrHTTPRoute, "/things/{id}")
			spans = append(spans, s)
		}
	}
	c := &Case{ID: "c", Response: Response{Status: 200}}
	c.Trace = treeOf(groupByTrace(spans)[telemetry.TraceID{1}].exchange("", outside), nil)
	redact := NewRedactor()
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range groupByTrace(spans) {
			o := observedAs(c)
			o.Trace = treeOf(t.exchange("", outside), redact)
			if ds := Compare(c, o); len(ds) != 0 {
				b.Fatal(ds[0])
			}
		}
	}
	b.ReportMetric(float64(b.N*traces*perTrace)/b.Elapsed().Seconds(), "spans/s")
}
