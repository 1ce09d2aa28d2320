package evaluate

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/localize"
)

// drawn are samples whose chance to be right is known.
func drawn(seed uint64, n int, c localize.Calibration) []Sample {
	r := rand.New(rand.NewPCG(seed, 1))
	var out []Sample
	for i := range n {
		s := Sample{Corpus: []string{"a", "b"}[i%2], Posterior: 1 / (1 + math.Exp(-(r.Float64()*10 - 3))), Willing: true,
			Grounds: localize.Grounds{Baseline: r.IntN(4) > 0, Traces: r.IntN(4) > 0}}
		s.Right = r.Float64() < c.Of(s.Posterior, s.Grounds)
		s.Harmless = s.Right
		out = append(out, s)
	}
	return out
}

// From enough samples the calibration that made them comes back.
func TestFitFindsWhatMadeTheSamples(t *testing.T) {
	want := localize.Calibration{Slope: 0.6, Offset: -0.5, NoBaseline: -1, NoTraces: 0.4}
	got := Fit(drawn(1, 20000, want))
	for _, x := range [][2]float64{{got.Slope, want.Slope}, {got.Offset, want.Offset}, {got.NoBaseline, want.NoBaseline}, {got.NoTraces, want.NoTraces}} {
		if math.Abs(x[0]-x[1]) > 0.12 {
			t.Errorf("fitted %+v, want %+v", got, want)
			break
		}
	}
}

// Nothing near the fit is better, even where posteriors are extreme and often wrong.
func TestFitIsAMinimum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f fitting
		for range rapid.IntRange(2, 60).Draw(t, "n") {
			f.samples = append(f.samples, Sample{Posterior: rapid.SampledFrom([]float64{0, 1e-5, 0.3, 0.8, 0.9999, 1}).Draw(t, "posterior"), Right: rapid.Bool().Draw(t, "right"),
				Grounds: localize.Grounds{Baseline: rapid.Bool().Draw(t, "baseline"), Traces: rapid.Bool().Draw(t, "traces")}})
		}
		hits := 0.0
		for _, s := range f.samples {
			if s.Right {
				hits++
			}
		}
		f.high, f.low = (hits+1)/(hits+2), 1/(float64(len(f.samples))-hits+2)
		c := Fit(f.samples)
		if c.Slope == 0 {
			return // what is best would turn the order around
		}
		w := [calibrationTerms]float64{c.Slope, c.Offset, c.NoBaseline, c.NoTraces}
		for k := range w {
			for _, d := range []float64{-0.05, 0.05} {
				near := w
				near[k] += d
				if f.loss(near) < f.loss(w)-1e-9 {
					t.Fatalf("%v has loss %v, %v has %v", w, f.loss(w), near, f.loss(near))
				}
			}
		}
	})
}

// Whatever the samples, the fit is finite, monotone, and not worse than the average they have.
func TestFitIsSane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var samples []Sample
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			samples = append(samples, Sample{Posterior: rapid.Float64Range(0, 1).Draw(t, "posterior"), Right: rapid.Bool().Draw(t, "right"),
				Grounds: localize.Grounds{Baseline: rapid.Bool().Draw(t, "baseline"), Traces: rapid.Bool().Draw(t, "traces")}})
		}
		c := Fit(samples)
		for _, x := range []float64{c.Slope, c.Offset, c.NoBaseline, c.NoTraces} {
			if math.IsNaN(x) || math.Abs(x) > 100 {
				t.Fatalf("fitted %+v", c)
			}
		}
		a, b := rapid.Float64Range(0, 1).Draw(t, "a"), rapid.Float64Range(0, 1).Draw(t, "b")
		if low, high := c.Of(min(a, b), localize.Grounds{}), c.Of(max(a, b), localize.Grounds{}); low > high {
			t.Fatalf("%v gives %v, %v gives %v", min(a, b), low, max(a, b), high)
		}
	})
}

func TestJudge(t *testing.T) {
	samples := []Sample{{Posterior: 0.8, Right: true}, {Posterior: 0.8, Right: true}, {Posterior: 0.8}, {Posterior: 0.2}}
	q, list := Judge(samples, localize.Uncalibrated())
	if q.Samples != 4 || q.Right != (Rate{2, 4}) || math.Abs(q.Mean-0.65) > 1e-9 {
		t.Errorf("%+v", q)
	}
	if want := (0.04 + 0.04 + 0.64 + 0.04) / 4; math.Abs(q.Brier-want) > 1e-9 {
		t.Errorf("Brier score %v, want %v", q.Brier, want)
	}
	if want := -(2*math.Log(0.8) + math.Log(0.2) + math.Log(0.8)) / 4; math.Abs(q.LogLoss-want) > 1e-9 {
		t.Errorf("log loss %v, want %v", q.LogLoss, want)
	}
	if want := (3*math.Abs(0.8-2.0/3) + 0.2) / 4; math.Abs(q.ECE-want) > 1e-9 {
		t.Errorf("calibration error %v, want %v", q.ECE, want)
	}
	if len(list) != 2 || list[0].Right != (Rate{0, 1}) || list[1].Right != (Rate{2, 3}) {
		t.Errorf("bins %+v", list)
	}
}

func TestReliabilityShowsThresholds(t *testing.T) {
	samples := []Sample{{Posterior: 0.97, Right: true, Willing: true, Harmless: true}, {Posterior: 0.97, Willing: true}, {Posterior: 0.97, Right: true}}
	var b bytes.Buffer
	Reliable(samples).Table(&b, true)
	for _, want := range []string{"### Reliability, published", "### What each threshold costs", "| 0.10 | 2 | 66.7 % | 1 | 1 | 50.0 %"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// The search keeps the published weights where nothing is gained, and finds a better one where something is.
func TestLeaveOutSearchesOnTheOthers(t *testing.T) {
	a := writeCorpus(t, map[string]any{"a1": map[string]any{"kind": "code", "service": "x"}}, "a1")
	b := writeCorpus(t, map[string]any{"b1": map[string]any{"kind": "code", "service": "x"}}, "b1")
	first := localize.Constants()[0].Name
	tool := madeTool(func(id string, o localize.Options) localize.Result {
		if id == "b1" && o.Scale[first] != 2 { // right only with the first weight doubled
			return naming("y", "x")
		}
		return naming("x", "y")
	})
	corpora := []*Corpus{open(t, a), open(t, b)}
	corpora[0].Name, corpora[1].Name = "a", "b"
	var reports []*Report
	for _, c := range corpora {
		r, err := tool.Evaluate(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		reports = append(reports, r)
	}
	samples := Samples(reports)
	if len(samples) != 2 || !samples[0].Right || samples[1].Right {
		t.Fatalf("samples %+v", samples)
	}
	h, err := tool.LeaveOut(context.Background(), corpora, samples)
	if err != nil {
		t.Fatal(err)
	}
	withoutA, withoutB := h.Corpora[0], h.Corpora[1]
	if withoutA.Factors[first] != 2 || withoutA.Gain[1] <= withoutA.Gain[0] {
		t.Errorf("without a: factors %v, score %v", withoutA.Factors, withoutA.Gain)
	}
	if len(withoutB.Factors) != 0 || withoutB.Gain[0] != withoutB.Gain[1] {
		t.Errorf("without b: factors %v, score %v; nothing was to gain on a", withoutB.Factors, withoutB.Gain)
	}
	var table bytes.Buffer
	h.Table(&table, true)
	if !strings.Contains(table.String(), "found without it: "+first+"*2") || !strings.Contains(table.String(), "found without it: no change") {
		t.Errorf("table\n%s", table.String())
	}
}
