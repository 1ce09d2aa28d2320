package simulate

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestEventsHappenInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.SliceOfN(rapid.Int64Range(0, 50), 1, 200).Draw(t, "times")
		var e engine
		type seen struct{ at, n int64 }
		var got []seen
		for n, a := range at {
			e.at(a, func() { got = append(got, seen{e.now, int64(n)}) })
		}
		e.runUntil(51)
		if len(got) != len(at) {
			t.Fatalf("%d of %d events happened", len(got), len(at))
		}
		if !slices.IsSortedFunc(got, func(a, b seen) int {
			if a.at != b.at {
				return int(a.at - b.at)
			}
			return int(a.n - b.n)
		}) {
			t.Fatalf("out of order: %v", got)
		}
		for _, s := range got {
			if s.at != at[s.n] {
				t.Fatalf("event %d happened at %d instead of %d", s.n, s.at, at[s.n])
			}
		}
	})
}

func TestAnEventAfterTheEndDoesNotHappen(t *testing.T) {
	var e engine
	happened := false
	e.at(10, func() { happened = true })
	e.runUntil(10)
	if happened || e.now != 10 {
		t.Errorf("happened: %v, now %d", happened, e.now)
	}
}

func TestLimiterNeverAdmitsMoreThanItsPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e engine
		l := &limiter{max: rapid.IntRange(1, 5).Draw(t, "places")}
		longest := rapid.IntRange(0, 10).Draw(t, "line")
		inside, admitted, late := 0, 0, 0
		n := rapid.IntRange(1, 60).Draw(t, "n")
		for range n {
			arrive := rapid.Float64Range(0, 2).Draw(t, "arrive")
			stay := rapid.Float64Range(0.01, 1).Draw(t, "stay")
			patience := rapid.Float64Range(0, 0.5).Draw(t, "patience")
			e.after(arrive, func() {
				l.acquire(&e, patience, longest, func() {
					inside++
					admitted++
					if inside > l.max {
						t.Fatalf("%d inside, %d places", inside, l.max)
					}
					e.after(stay, func() {
						inside--
						l.release()
					})
				}, func() { late++ })
			})
		}
		e.runUntil(math.MaxInt64)
		if admitted+late != n || inside != 0 || l.used != 0 || l.waited != 0 {
			t.Fatalf("%d came, %d admitted, %d late, %d still inside, %d used, %d waiting", n, admitted, late, inside, l.used, l.waited)
		}
	})
}

// A queue with one server, exponential arrivals and exponential work is the one case whose answer is known exactly (Kleinrock,
// Queueing Systems, 3.2): the mean time in the system is 1/(mu-lambda).
func TestQueueKeepsLittlesLaw(t *testing.T) {
	r := newRandom(7, "queue")
	var e engine
	l := &limiter{max: 1}
	const lambda, mu = 6.0, 10.0
	total, n := 0.0, 0
	var next func()
	next = func() {
		came := e.now
		l.acquire(&e, 0, math.MaxInt32, func() {
			e.after(r.ExpFloat64()/mu, func() {
				total += float64(e.now-came) / 1e9
				n++
				l.release()
			})
		}, nil)
		e.after(r.ExpFloat64()/lambda, next)
	}
	next()
	e.runUntil(8_000 * 1e9)
	if mean, want := total/float64(n), 1/(mu-lambda); math.Abs(mean-want) > 0.15*want {
		t.Errorf("mean time in the system %.3f s, theory %.3f s", mean, want)
	}
}

func TestDistributions(t *testing.T) {
	r := newRandom(3, "draws")
	var v []float64
	for range 20_000 {
		v = append(v, r.logNormal(2, 0.5))
	}
	slices.Sort(v)
	if m := v[len(v)/2]; math.Abs(m-2) > 0.05 {
		t.Errorf("median %.3f, want 2", m)
	}
	// The 84.13th percentile lies one standard deviation above.
	if q, want := v[int(0.8413*float64(len(v)))], 2*math.Exp(0.5); math.Abs(q-want) > 0.1 {
		t.Errorf("84th percentile %.3f, want %.3f", q, want)
	}
	counts := make([]int, 3)
	for range 10_000 {
		counts[r.weighted([]float64{1, 2, 1})]++
	}
	if math.Abs(float64(counts[1])-5000) > 300 || counts[0] == 0 || counts[2] == 0 {
		t.Errorf("weights 1, 2, 1 were drawn %v times", counts)
	}
	for range 1000 {
		if x := r.spread(1, 100); x < 1 || x > 100 {
			t.Fatalf("%g is outside 1 to 100", x)
		}
	}
}

func TestStreamsAreIndependentOfEachOther(t *testing.T) {
	a, b := newRandom(1, "x"), newRandom(1, "x")
	newRandom(1, "y").Float64()
	if a.Uint64() != b.Uint64() {
		t.Error("the same stream of the same seed differs")
	}
	if newRandom(1, "x").Uint64() == newRandom(1, "y").Uint64() || newRandom(1, "x").Uint64() == newRandom(2, "x").Uint64() {
		t.Error("different streams are the same")
	}
}
