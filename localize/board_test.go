package localize

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestTheBoardAddsEvidence(t *testing.T) {
	b := newBoard(nil, newConstants(nil))
	b.add("guilty", Reason{Signal: "errors", Weight: 4})
	b.add("victim", Reason{Signal: "log_template", Weight: 2})
	b.add("victim", Reason{Signal: "mention", Weight: -1})
	b.add("bystander", Reason{Signal: "mention", Weight: -1})
	r := b.rank()
	if len(r) != 2 || r[0].service != "guilty" || r[1].service != "victim" {
		t.Fatalf("%+v", r)
	}
	if r[0].sum != 4 || r[1].sum != 1 {
		t.Errorf("sums %v %v", r[0].sum, r[1].sum)
	}
	want := math.Exp(4) / (1 + math.Exp(4) + math.Exp(1))
	if math.Abs(r[0].posterior-want) > 1e-12 {
		t.Errorf("posterior %v, want %v", r[0].posterior, want)
	}
}

func TestRepeatingASignalAddsLittle(t *testing.T) {
	one, many := newBoard(nil, newConstants(nil)), newBoard(nil, newConstants(nil))
	one.add("s", Reason{Signal: "log_template", Weight: 2})
	for range 100 {
		many.add("s", Reason{Signal: "log_template", Weight: 2})
	}
	a, b := one.of("s").odds(), many.of("s").odds()
	if b <= a || b > 1.5*a+1e-9 {
		t.Errorf("one %v, a hundred %v", a, b)
	}
}

func TestSignalsLeftOutDoNotCount(t *testing.T) {
	b := newBoard([]string{"errors"}, newConstants(nil))
	b.addOp("s", "op", "", 1, Reason{Signal: "errors", Weight: 4})
	if len(b.of("s").reasons) != 0 || len(b.of("s").ops) != 0 {
		t.Errorf("%+v", b.of("s"))
	}
}

func TestNonsenseWeightsAreDropped(t *testing.T) {
	b := newBoard(nil, newConstants(nil))
	b.add("s", Reason{Signal: "x", Weight: math.NaN()})
	b.add("s", Reason{Signal: "x", Weight: 0.001})
	if len(b.of("s").reasons) != 0 {
		t.Errorf("%+v", b.of("s").reasons)
	}
}

func TestBestOpsAreThoseWithTheStrongestCase(t *testing.T) {
	b := newBoard(nil, newConstants(nil))
	b.addOp("s", "weak", "", 1, Reason{Signal: "ochiai", Weight: 1})
	b.addOp("s", "strong", "peer", -1, Reason{Signal: "errors", Weight: 2})
	b.addOp("s", "strong", "peer", 7, Reason{Signal: "latency", Weight: 1})
	b.addOp("s", "cleared", "", 3, Reason{Signal: "mention", Weight: -1})
	ops := b.of("s").bestOps()
	if len(ops) != 2 || ops[0].name != "strong" || ops[0].op != 7 || ops[0].weight != 3 {
		t.Errorf("%+v", ops)
	}
}

// Posteriors are a distribution over the suspects and "none of them", in the order of the sums.
func TestPosteriorsAreADistribution(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBoard(nil, newConstants(nil))
		for i := range rapid.IntRange(0, 20).Draw(t, "n") {
			b.add(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "service"),
				Reason{Signal: rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "signal"), Weight: rapid.Float64Range(-4, 4).Draw(t, "w"), Value: float64(i)})
		}
		sum := 0.0
		ranked := b.rank()
		for i, r := range ranked {
			sum += r.posterior
			if r.posterior <= 0 || r.sum <= 0 || i > 0 && r.sum > ranked[i-1].sum {
				t.Fatalf("%+v", ranked)
			}
		}
		if sum >= 1 {
			t.Fatalf("sum %v leaves nothing for none of them", sum)
		}
	})
}

func TestRampAndClamp(t *testing.T) {
	for x, want := range map[float64]float64{-1: 0, 2: 0, 3: 0.5, 4: 1, 9: 1} {
		if got := ramp(x, 2, 4); got != want {
			t.Errorf("ramp(%v) = %v, want %v", x, got, want)
		}
	}
	if ramp(5, 4, 4) != 0 {
		t.Error("a ramp without length")
	}
}

func TestSecondsForPeople(t *testing.T) {
	for s, want := range map[float64]string{0: "0", 2e-6: "2 µs", 0.0123: "12.3 ms", 1.5: "1.5 s", 600: "10 min"} {
		if got := seconds(s); got != want {
			t.Errorf("seconds(%v) = %q, want %q", s, got, want)
		}
	}
	if got := percent(0.0004); got != "0.04 %" {
		t.Error(got)
	}
	if got := percent(0.255); got != "25.5 %" {
		t.Error(got)
	}
}

func TestShortenCutsBetweenCharacters(t *testing.T) {
	if got := shorten("größer", 3); got != "gr…" && got != "grö…" {
		t.Errorf("%q", got)
	}
	if got := shorten("abc", 3); got != "abc" {
		t.Errorf("%q", got)
	}
}
