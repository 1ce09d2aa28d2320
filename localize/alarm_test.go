package localize

import (
	"math"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

// talkative says something ordinary in each request.
func talkative(lines ...string) node {
	l := ledger(10 * ms)
	l.logs = append([]string{"INFO entries were read"}, lines...)
	return chain(l)
}

func talkativeChain(*world, int) node { return talkative() }

// mix is requests of two kinds, of which the second always warns; every nth is of the second kind.
func mix(nth int) func(*world, int) node {
	return func(_ *world, i int) node {
		if i%nth == 0 {
			n := talkative("WARN no entries for the day, list is empty")
			n.name = "GET /empty"
			return n
		}
		return talkative()
	}
}

func TestOtherRequestsAreNoReasonToNameAnybody(t *testing.T) {
	cur, old := windows(400, mix(40), mix(8))
	if r := Rank(incident.Incident{}, evidence(cur, old), Options{}); len(r.Suspects) > 0 {
		t.Errorf("a healthy window is blamed: %s", says(r))
	}
}

func TestMoreRequestsOfOneKindThatWarnNameTheirService(t *testing.T) {
	cur, old := windows(400, talkativeChain, func(_ *world, i int) node {
		if i > 340 && i%4 == 0 { // only at the end, and nobody at the edge notices
			return talkative("ERROR entries of the day could not be read")
		}
		return talkative()
	})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" {
		t.Errorf("errors that began late are not seen: %s", says(r))
	}
}

func TestARateOfFalseAlarmsThatIsRaisedNamesMore(t *testing.T) {
	cur, old := windows(400, talkativeChain, func(_ *world, i int) node {
		if i%80 == 0 {
			return talkative("WARN an entry was read twice")
		}
		return talkative()
	})
	if r := Rank(incident.Incident{}, evidence(cur, old), Options{}); len(r.Suspects) > 0 {
		t.Errorf("a handful of warnings is blamed: %s", says(r))
	}
	if r := Rank(incident.Incident{}, evidence(cur, old), Options{Scale: map[string]float64{"present.false_alarm": 100}}); len(r.Suspects) == 0 {
		t.Errorf("the bound bounds nothing: %s", says(r))
	}
}

// A resource at its limit names its service where requests are slower at the same time, and not where they are as ever.
func TestAResourceAtItsLimitCountsWithSlowness(t *testing.T) {
	window := func(start time.Time, seed uint64, share float64, slow int) *world {
		w := newWorld(start, seed)
		w.run(60, 100*time.Millisecond, func(i int) node {
			self := 10 * ms
			if slow > 0 && i%slow == 0 {
				self = 40 * ms
			}
			return chain(ledger(self))
		})
		for i := range 20 {
			w.metric(time.Duration(i)*2*time.Second, "ledger", "container.cpu.limit_utilization", share+0.001*float64(i%5))
		}
		return w
	}
	old := window(base.Add(-time.Hour), 1, 0.05, 0).dataset()
	calm, short := window(base, 2, 0.98, 0).dataset(), window(base, 2, 0.98, 12).dataset()
	slow := window(base, 2, 0.05, 12).dataset()
	if r := Rank(incident.Incident{}, evidence(calm, old), Options{}); len(r.Suspects) > 0 {
		t.Errorf("a busy service that serves as ever is blamed: %s", says(r))
	}
	if r := Rank(incident.Incident{}, evidence(slow, old), Options{}); len(r.Suspects) > 0 {
		t.Errorf("a few slow requests are blamed: %s", says(r))
	}
	if r := Rank(incident.Incident{}, evidence(short, old), Options{}); len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" {
		t.Errorf("the short resource is not seen: %s", says(r))
	}
}

func TestBinomialTail(t *testing.T) {
	for _, c := range []struct{ k, rest, p, want float64 }{
		{0, 5, 0.5, 1}, {5, 0, 0.5, 1.0 / 32}, {4, 1, 0.5, 6.0 / 32}, {3, 2, 0.5, 0.5}, {8, 0, 0.25, 1.52587890625e-05}, {1, 9, 0.1, 0.6513215599},
		{2, 3, 0, 0}, {2, 3, 1, 1}, {60, 40, 0.5, 0.02844396682},
	} {
		if got := binomialTail(c.k, c.rest, c.p); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("at least %v of %v at %v: %v, want %v", c.k, c.k+c.rest, c.p, got, c.want)
		}
	}
}

func TestHypergeometric(t *testing.T) {
	// Fisher's lady tasting tea: three or four of four cups right, of eight.
	h := hypergeometric(4, 4, 8)
	if got := h[3] + h[4]; math.Abs(got-17.0/70) > 1e-12 {
		t.Errorf("%v, want 17/70", got)
	}
	sum := convolve(h, hypergeometric(2, 5, 6))
	total := 0.0
	for _, p := range sum {
		total += p
	}
	if len(sum) != 7 || math.Abs(total-1) > 1e-12 {
		t.Errorf("%d chances that sum to %v", len(sum), total)
	}
}

func TestTogether(t *testing.T) {
	if got := together([]float64{0.04, 0.03}, 2); got != 0.04 {
		t.Errorf("two of two at 0.04: %v", got) // Simes: min(2*0.03, 2*0.04/2)
	}
	if got := together(nil, 7); got != 1 {
		t.Errorf("no answer: %v", got)
	}
	if got := together([]float64{0.001}, 50); math.Abs(got-0.05) > 1e-15 {
		t.Errorf("one of fifty: %v", got)
	}
}
