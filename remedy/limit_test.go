package remedy

import (
	"testing"
	"time"

	"github.com/remediator/remediator/replay"
)

func TestLimitsOfLatency(t *testing.T) {
	base := func(p95 time.Duration) replay.Verdict {
		return replay.Verdict{Incident: &replay.IncidentRun{P95: p95}}
	}
	for name, tc := range map[string]struct {
		plan          replay.Threshold
		base          replay.Verdict
		limit, mended float64
	}{
		// Between 40 ms and 400 ms the plan puts its limit at 128 ms; alone, the service took 114 ms.
		"faster alone than recorded": {replay.Threshold{Kind: "latency", Value: 0.128, Recorded: 0.4, Healthy: 0.04}, base(114 * time.Millisecond), 0.08, 0.08},
		// On a slow machine the base takes longer than recorded; half of it is not asked to be health.
		"slower machine":    {replay.Threshold{Kind: "latency", Value: 0.2, Recorded: 1, Healthy: 0.04}, base(1600 * time.Millisecond), 0.08, 0.2},
		"halved is enough":  {replay.Threshold{Kind: "latency", Value: 0.2, Recorded: 1, Healthy: 0.04}, base(300 * time.Millisecond), 0.08, 0.15},
		"errors stay":       {replay.Threshold{Kind: "errors", Value: 0.03, Recorded: 0.3, Healthy: 0}, base(time.Second), 0.03, 0.03},
		"no healthy window": {replay.Threshold{Kind: "latency", Value: 0.3, Recorded: 1}, replay.Verdict{}, 0.3, 0.3},
	} {
		t.Run(name, func(t *testing.T) {
			limit := baseLimit(tc.plan)
			if limit != tc.limit {
				t.Errorf("limit of the base %v, want %v", limit, tc.limit)
			}
			if got := patchedLimit(tc.plan, limit, tc.base); got != tc.mended {
				t.Errorf("limit of the patched build %v, want %v", got, tc.mended)
			}
		})
	}
}

func TestNewDifferences(t *testing.T) {
	d := func(c, target string) replay.Difference {
		return replay.Difference{Case: c, Target: target, Kind: "changed"}
	}
	base := replay.Verdict{Differences: []replay.Difference{d("a", "span"), d("b", "body")}}
	if got := newDifferences(base, replay.Verdict{Differences: []replay.Difference{d("a", "span")}}); len(got) != 0 {
		t.Errorf("what the base shows already counts as new: %v", got)
	}
	if got := newDifferences(base, replay.Verdict{Differences: []replay.Difference{d("a", "span"), d("a", "body")}}); len(got) != 1 || got[0].Case != "a" || got[0].Target != "body" {
		t.Errorf("new differences %v", got)
	}
}

func TestMends(t *testing.T) {
	verdicts := func(base, on replay.Outcome) *Verdicts {
		return &Verdicts{Replays: []Replay{{Name: "golden_base", Verdict: replay.Verdict{Outcome: base}}, {Name: "golden_on", Verdict: replay.Verdict{Outcome: on}}}}
	}
	if !verdicts(replay.Red, replay.Green).mends() || verdicts(replay.Red, replay.Red).mends() || verdicts(replay.Green, replay.Green).mends() {
		t.Error("golden traces are mended exactly when they turn from red to green")
	}
}
