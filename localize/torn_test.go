package localize

import (
	"testing"

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
