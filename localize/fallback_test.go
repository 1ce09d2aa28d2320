package localize

import (
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

// shop is a made-up system: a portal asks advice of a service that asks a store; without advice the portal
// shows what everybody likes.
type shop struct {
	adviceFails bool          // this request's advice fails
	begins      string        // service in which it fails: advice or store
	again       bool          // the portal asks a second time, and gets it
	slow        time.Duration // of advice
	open        bool          // the portal's breaker does not let the call through
	said        bool          // the breaker's refusal is in the trace
	cached      bool          // no call is needed
}

func (s shop) request() node {
	store := server("store", "GET /likes", 2*ms)
	ask := client("advice", "GET /likes", "store", 0, store)
	advice := server("advice", "GET /advice", 3*ms+s.slow, ask)
	call := client("portal", "GET /advice", "advice", 0, advice)
	if s.adviceFails {
		a := &call.calls[0]
		a.fail, call.fail = true, true
		if s.begins == "store" {
			a.calls[0].fail, a.calls[0].calls[0].fail = true, true
		}
	}
	root := server("portal", "GET /home", 5*ms, call)
	if s.again {
		good := shop{}.request()
		root.calls = append(root.calls, good.calls...)
	}
	if s.open || s.cached {
		root.calls = nil
	}
	if s.said {
		root.events = []telemetry.Event{{Name: telemetry.EventException, Attrs: attrs(telemetry.AttrExceptionType, "io.github.resilience4j.circuitbreaker.CallNotPermittedException")}}
	}
	return root
}

// judgeShop ranks a made-up incident of requests of which every one is slower by a little, so that somebody is
// called, and returns the result.
func judgeShop(healthy, broken func(i int) shop) Result {
	return judgeWindows(300, healthy, broken)
}

func judgeWindows(n int, healthy, broken func(i int) shop) Result {
	cur, old := windows(n, func(_ *world, i int) node { return healthy(i).request() }, func(_ *world, i int) node { return broken(i).request() })
	return Rank(incident.Incident{}, evidence(cur, old), Options{})
}

func well(int) shop { return shop{} }

func hiddenOn(r Result, from, to string, kind HiddenKind) (Hidden, bool) {
	for _, e := range r.Graph.Edges {
		if e.From == from && e.To == to {
			for _, h := range e.Hidden {
				if h.Kind == kind {
					return h, true
				}
			}
		}
	}
	return Hidden{}, false
}

// wantBehind checks that the first suspect is the service behind the veil, and that the edge says so.
func wantBehind(t *testing.T, r Result, kind HiddenKind, service string, share float64) {
	t.Helper()
	h, ok := hiddenOn(r, "portal", "advice", kind)
	if !ok || h.Share.Incident < share-0.03 || h.Share.Incident > share+0.03 || h.Text == "" {
		t.Errorf("edge says %+v (%v), want %s in %.2f", h, ok, kind, share)
	}
	if len(r.Suspects) == 0 || r.Suspects[0].Service != service {
		t.Errorf("want %s first:\n%s", service, says(r))
	}
}

func TestTheServiceBehindAFallbackIsNamed(t *testing.T) {
	r := judgeShop(well, func(i int) shop { return shop{adviceFails: i%2 == 0, begins: "advice"} })
	wantBehind(t, r, HiddenFallback, "advice", 0.5)
}

func TestTheFaultIsFollowedBehindTheFallback(t *testing.T) {
	r := judgeShop(well, func(i int) shop { return shop{adviceFails: i%2 == 0, begins: "store"} })
	wantBehind(t, r, HiddenFallback, "store", 0.5)
}

func TestRepetitionsHideAFault(t *testing.T) {
	r := judgeShop(well, func(i int) shop { return shop{adviceFails: i%2 == 0, begins: "advice", again: i%2 == 0} })
	h, ok := hiddenOn(r, "portal", "advice", HiddenRetry)
	if !ok || h.Share.Incident < 0.47 || h.Share.Incident > 0.53 {
		t.Errorf("edge says %+v", h)
	}
	if _, wrong := hiddenOn(r, "portal", "advice", HiddenFallback); wrong {
		t.Error("a repetition that succeeds is called a fallback")
	}
	if len(r.Suspects) > 0 && r.Suspects[0].Service != "advice" {
		t.Errorf("want advice first:\n%s", says(r))
	}
}

func TestAnOpenBreakerPointsBehindIt(t *testing.T) {
	for name, said := range map[string]bool{"which says so": true, "which is told by its probes": false} {
		t.Run(name, func(t *testing.T) {
			r := judgeShop(well, func(i int) shop {
				if i < 20 || i%20 == 0 { // until it opens, and when it probes
					return shop{adviceFails: true, begins: "advice"}
				}
				return shop{open: true, said: said}
			})
			wantBehind(t, r, HiddenBreaker, "advice", 0.89)
		})
	}
}

func TestAnswersThatAreNotWaitedFor(t *testing.T) {
	late := func(slow, patience time.Duration) Result {
		cur, old := windows(300, func(w *world, i int) node { return shop{slow: time.Duration(i%10) * 10 * ms}.request() },
			func(w *world, i int) node {
				n := shop{slow: time.Duration(i%10)*10*ms + slow}.request()
				return n
			})
		giveUp(&cur, patience)
		return Rank(incident.Incident{}, evidence(cur, old), Options{})
	}
	// Advice takes ten times as long as ever and the portal gives up as it always would have.
	r := late(500*ms, 150*ms)
	if _, ok := hiddenOn(r, "portal", "advice", HiddenDeadline); !ok || len(r.Suspects) == 0 || r.Suspects[0].Service != "advice" {
		t.Errorf("a callee that became slow:\n%s", says(r))
	}
	// Advice takes what it always took, and the portal gives up on half of it.
	r = late(0, 50*ms)
	if _, ok := hiddenOn(r, "portal", "advice", HiddenDeadline); !ok || len(r.Suspects) == 0 || r.Suspects[0].Service != "portal" {
		t.Errorf("a caller that became impatient:\n%s", says(r))
	}
}

// giveUp makes the portal's calls end with an error after its patience; the callee goes on.
func giveUp(ds *telemetry.Dataset, patience time.Duration) {
	for i := range ds.Spans {
		s := &ds.Spans[i]
		if s.Resource.Service == "portal" && s.Kind == telemetry.KindClient && s.Duration > patience {
			s.Duration, s.Status, s.Message = patience, telemetry.StatusError, "context deadline exceeded"
		}
		if s.Resource.Service == "portal" && s.Kind == telemetry.KindServer && s.Duration > patience+5*ms {
			s.Duration = patience + 5*ms
		}
	}
}

// Systems that always live with fallbacks, repetitions, breakers and impatience are not ill.
func TestHabitsAreNoFaults(t *testing.T) {
	for name, habit := range map[string]func(i int) shop{
		"fallbacks":   func(i int) shop { return shop{adviceFails: i%5 == 0, begins: "advice"} },
		"repetitions": func(i int) shop { return shop{adviceFails: i%4 == 0, begins: "store", again: i%4 == 0} },
		"breakers":    func(i int) shop { return shop{open: i%3 == 0, said: i%3 == 0} },
		"caches":      func(i int) shop { return shop{cached: i%3 != 0} },
	} {
		t.Run(name, func(t *testing.T) {
			r := judgeShop(habit, func(i int) shop { return habit(i + 7) })
			for _, e := range r.Graph.Edges {
				if len(e.Hidden) > 0 {
					t.Errorf("%s to %s: %s", e.From, e.To, e.Hidden[0].Text)
				}
			}
			if len(r.Suspects) > 0 {
				t.Errorf("somebody is suspected:\n%s", says(r))
			}
		})
	}
}

// A cache that fills ends calls as a breaker does; nothing fails, and nobody is to blame.
func TestAWarmCacheIsNoBreaker(t *testing.T) {
	r := judgeShop(well, func(i int) shop { return shop{cached: i%10 != 0} })
	if h, ok := hiddenOn(r, "portal", "advice", HiddenBreaker); ok {
		t.Errorf("a warm cache is taken for a breaker: %s", h.Text)
	}
}

// What users see outweighs what a fallback hides.
func TestAVisibleFaultComesFirst(t *testing.T) {
	r := judgeShop(well, func(i int) shop { return shop{adviceFails: i%10 == 0, begins: "advice"} })
	if len(r.Suspects) > 0 && r.Suspects[0].Service != "advice" {
		t.Fatal(says(r))
	}
	cur, old := windows(300, func(_ *world, i int) node { return withBasket(shop{}, false) },
		func(_ *world, i int) node {
			return withBasket(shop{adviceFails: i%10 == 0, begins: "advice"}, i%2 == 0)
		})
	r = Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "basket" {
		t.Errorf("want basket first:\n%s", says(r))
	}
}

// withBasket adds a call without a fallback.
func withBasket(s shop, fails bool) node {
	root := s.request()
	basket := server("basket", "GET /basket", 3*ms)
	call := client("portal", "GET /basket", "basket", 0, basket)
	call.fail, call.calls[0].fail, root.fail = fails, fails, fails
	root.calls = append(root.calls, call)
	return root
}

func TestWithoutAHealthyWindowNothingIsCalledHidden(t *testing.T) {
	cur, _ := windows(100, func(*world, int) node { return shop{}.request() }, func(_ *world, i int) node { return shop{adviceFails: i%2 == 0, begins: "advice"}.request() })
	r := Rank(incident.Incident{}, Evidence{Incident: cur}, Options{})
	if _, ok := hiddenOn(r, "portal", "advice", HiddenFallback); ok {
		t.Error("a fallback that may be a habit is called hidden")
	}
}

func TestBreakersAreKnownByTheirWords(t *testing.T) {
	for text, want := range map[string]bool{
		"io.github.resilience4j.circuitbreaker.CallNotPermittedException": true, "Polly.CircuitBreaker.BrokenCircuitException": true, "circuit breaker is open": true,
		"HystrixRuntimeException: short-circuited and fallback failed": true, "Breaker is open": true, "BulkheadFullException": true,
		"connection refused": false, "circular reference": false, "": false, "short circuit board shipped": false,
	} {
		if got := breakerWords(text); got != want {
			t.Errorf("breakerWords(%q) = %v", text, got)
		}
	}
}
