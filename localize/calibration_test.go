package localize

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/telemetry"
)

// Calibration changes no ranking, whatever the evidence: a greater posterior never makes a smaller confidence.
func TestCalibrationIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64Range(0, 1).Draw(t, "a"), rapid.Float64Range(0, 1).Draw(t, "b")
		g := Grounds{Baseline: rapid.Bool().Draw(t, "baseline"), Traces: rapid.Bool().Draw(t, "traces")}
		low, high := PublishedCalibration().Of(min(a, b), g), PublishedCalibration().Of(max(a, b), g)
		if low > high || low < 0 || high > 1 || math.IsNaN(low) || math.IsNaN(high) {
			t.Fatalf("posteriors %v and %v become %v and %v", min(a, b), max(a, b), low, high)
		}
	})
}

func TestUncalibratedLeavesPosteriorsAsTheyAre(t *testing.T) {
	for p, want := range map[float64]float64{0.02: 0.02, 0.2: 0.2, 0.5: 0.5, 0.97: 0.97, 1e-9: posteriorLimit, 1: 1 - posteriorLimit} {
		if got := Uncalibrated().Of(p, Grounds{}); math.Abs(got-want) > 1e-9 {
			t.Errorf("%v became %v, want %v", p, got, want)
		}
	}
}

func TestMissingEvidenceHasItsOwnOffset(t *testing.T) {
	c := Calibration{Slope: 1, Offset: 0.5, NoBaseline: -1, NoTraces: -2}
	for g, want := range map[Grounds]float64{
		{Baseline: true, Traces: true}: 0.5, {Traces: true}: -0.5, {Baseline: true}: -1.5, {}: -2.5,
	} {
		if got := c.Of(0.5, g); math.Abs(got-logistic(want)) > 1e-9 {
			t.Errorf("%+v: %v, want %v", g, got, logistic(want))
		}
	}
}

func TestGroundsAreWhatIsThere(t *testing.T) {
	some := make([]telemetry.Span, 1)
	if g := GroundsOf(&Evidence{}); g.Baseline || g.Traces {
		t.Errorf("nothing gives grounds %+v", g)
	}
	if g := GroundsOf(&Evidence{Incident: telemetry.Dataset{Spans: some}, Baseline: telemetry.Dataset{Logs: make([]telemetry.Log, 1)}}); !g.Baseline || !g.Traces {
		t.Errorf("spans and a baseline give grounds %+v", g)
	}
	if g := GroundsOf(&Evidence{Incident: telemetry.Dataset{Logs: make([]telemetry.Log, 1)}, Baseline: telemetry.Dataset{Spans: some}}); g.Traces || !g.Baseline {
		t.Errorf("traces of the healthy window only give grounds %+v", g)
	}
}

// Whatever the calibration says, nobody is told to be surer than that.
func TestConfidenceEnds(t *testing.T) {
	for _, c := range []Calibration{PublishedCalibration(), {Slope: 9, Offset: 50}} {
		a := &analysis{ev: &Evidence{}, opt: Options{Calibration: &c}}
		if got := a.confidence(1, 1, 1); got > MaxConfidence {
			t.Errorf("%+v: confidence %v", c, got)
		}
	}
}

// What the first suspect leaves is divided among the others: together they never have more than all of it, and nobody more than
// the first.
func TestConfidencesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Float64Range(1e-9, 1), 1, 8).Draw(t, "weights")
		present := rapid.Float64Range(0, 1).Draw(t, "present")
		total, best := rapid.Float64Range(0, 1).Draw(t, "none"), 0.0
		for _, w := range weights {
			total, best = total+w, max(best, w)
		}
		a := &analysis{ev: &Evidence{}}
		first, sum := a.confidence(present, best/total, best/total), 0.0
		for _, w := range weights {
			if got := a.confidence(present, w/total, best/total); got > first || got < 0 {
				t.Fatalf("confidence %v beside %v", got, first)
			} else if w < best {
				sum += got
			}
		}
		if sum > 1-first+1e-9 {
			t.Fatalf("the first has %v, the others together %v", first, sum)
		}
	})
}
