package localize

import (
	"slices"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

// lose drops every n-th span that is not a root.
func lose(ds telemetry.Dataset, n int) telemetry.Dataset {
	var kept []telemetry.Span
	at := 0
	for _, s := range ds.Spans {
		if s.Parent.IsZero() {
			kept = append(kept, s)
			continue
		}
		if at++; at%n != 0 {
			kept = append(kept, s)
		}
	}
	ds.Spans = kept
	return ds
}

// An exporter that drops spans makes failures seem to begin wherever a span is missing.
func TestLostSpansDoNotMoveAFailureUp(t *testing.T) {
	cur, old := windows(600, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		l.fail = i%3 == 0
		return chain(l)
	})
	whole := Rank(incident.Incident{}, evidence(cur, old), Options{})
	r := Rank(incident.Incident{}, evidence(lose(cur, 11), lose(old, 11)), Options{})
	if len(whole.Suspects) == 0 || whole.Suspects[0].Service != "ledger" || len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" {
		t.Fatalf("whole:\n%s\ntorn:\n%s", says(whole), says(r))
	}
	share := func(r Result) float64 {
		for _, x := range r.Suspects[0].Reasons {
			if x.Signal == "errors" {
				return x.Weight
			}
		}
		return 0
	}
	if got, want := share(r), share(whole); got < 0.97*want {
		t.Errorf("with every eleventh span lost the errors weigh %.2f, %.2f when nothing is lost:\n%s", got, want, says(r))
	}
}

// What a crashed process never sent is the fault itself: where only the failing requests are torn, they are heard.
func TestTracesTornByTheFaultAreHeard(t *testing.T) {
	cur, old := windows(600, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		l.fail = i%3 == 0
		return chain(l)
	})
	bad := map[telemetry.TraceID]bool{}
	for _, s := range cur.Spans {
		bad[s.Trace] = bad[s.Trace] || s.Status == telemetry.StatusError
	}
	var kept []telemetry.Span
	lost := 0
	for _, s := range cur.Spans {
		if bad[s.Trace] && s.Resource.Service != "ledger" && s.Kind == telemetry.KindClient && lost < 150 {
			lost++
			continue
		}
		kept = append(kept, s)
	}
	cur.Spans = kept
	a := &analysis{base: newWindow(&old, newOperations()), cur: newWindow(&cur, newOperations())}
	if lost != 150 || a.passTorn() {
		t.Errorf("of %d torn traces, all of them failed, none is heard", lost)
	}
}

// Without healthy traces a failing answer of somebody else's system may be as it always was, or the answer to a wrong question.
func TestAFailingPeerWithoutHealthyTracesIsLeftOpen(t *testing.T) {
	cur, _ := windows(200, func(*world, int) node { return peerRequest(0, 1, 0) }, func(*world, int) node { return peerRequest(1, 1, 0) })
	r := Rank(incident.Incident{}, evidence(cur, telemetry.Dataset{}), Options{Threshold: 0.01})
	if r.Decision != Abstain || r.Cause != CauseUnclear || len(r.Suspects) == 0 {
		t.Errorf("%s\n%s", r.Why, says(r))
	}
}

// Requests that a gateway has one name for are told apart by what they reach first, whatever was lost further down.
func TestATornTraceIsOfTheSameKindAsAWholeOne(t *testing.T) {
	w := newWorld(base, 1)
	request := func() node {
		n := chain(ledger(10 * ms))
		n.name = "/*"
		return n
	}
	for i := range 2 {
		w.trace(time.Duration(i)*time.Second, request())
	}
	ds := w.dataset()
	second := ds.Spans[len(ds.Spans)-1].Trace
	ds.Spans = slices.DeleteFunc(ds.Spans, func(s telemetry.Span) bool { return s.Trace == second && s.Name == "POST ledger" })
	win := newWindow(&ds, newOperations())
	if !torn(&win.traces[1]) || torn(&win.traces[0]) || win.outcomes[0].op != win.outcomes[1].op {
		t.Errorf("torn %v and %v, kinds %d and %d", torn(&win.traces[0]), torn(&win.traces[1]), win.outcomes[0].op, win.outcomes[1].op)
	}
}

// Log records keep the order of their own span when the trace lost it.
func TestRecordsOfALostSpanAreASequenceOfTheirOwn(t *testing.T) {
	w := newWorld(base, 1)
	inner := node{service: "edge", name: "step", kind: telemetry.KindInternal, self: ms, logs: []string{"INFO begin", "INFO done"}}
	outer := server("edge", "GET /", ms, inner)
	outer.after, outer.logs = 5*ms, []string{"INFO answered"}
	w.trace(0, outer)
	for _, lost := range []bool{false, true} {
		ds := w.dataset()
		if lost {
			ds.Spans = slices.DeleteFunc(slices.Clone(ds.Spans), func(s telemetry.Span) bool { return s.Name == "step" })
		}
		win := newWindow(&ds, newOperations())
		var lengths []int
		for _, s := range sequences(win, make([]int32, len(ds.Logs))) {
			lengths = append(lengths, len(s.steps))
		}
		if slices.Sort(lengths); !slices.Equal(lengths, []int{1, 2}) {
			t.Errorf("lost %v: sequences of %v records, want 1 and 2", lost, lengths)
		}
	}
}
