package replay

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// measured are the shots on which the symptom is measured: those of the failing operation.
func (r *incidentReplay) measured(shots []*shot) []*shot {
	own := slices.DeleteFunc(slices.Clone(shots), func(s *shot) bool { return s.arrival.Route != r.plan.Operation })
	if len(own) == 0 {
		return shots
	}
	return own
}

// exemplarShot is the request that shows the incident best: the slowest failure, else the slowest.
func exemplarShot(shots []*shot) *shot {
	best := shots[0]
	for _, s := range shots[1:] {
		if s.failed() != best.failed() && s.failed() || s.failed() == best.failed() && s.took > best.took {
			best = s
		}
	}
	return best
}

// judge measures and decides.
func (r *incidentReplay) judge(shots []*shot, zero time.Time) Verdict {
	calls, dropped := r.rig.stage.log()
	calls = slices.DeleteFunc(calls, func(c servedCall) bool { return c.start.Before(zero) }) // made while warming up
	spans, lost, _, _ := r.rig.receiver.Received()
	shots = r.measured(shots)
	r.run.Spans, r.run.Calls = spans, len(calls)+dropped
	m := &IncidentRun{Requests: len(shots), Downstream: len(calls) + dropped, Threshold: r.plan.Symptom.Value, PeakPerSec: peakPerSecond(calls)}
	took := make([]time.Duration, 0, len(shots))
	refused := 0
	for _, s := range shots {
		took = append(took, s.took)
		if s.failed() {
			m.Failed++
		}
		if s.err != nil && (failure(s.err) == "refused") {
			refused++
		}
	}
	m.ErrorRatio = float64(m.Failed) / float64(len(shots))
	m.P95 = quantile(took, 0.95)
	m.Exemplar = r.exemplar(exemplarShot(shots))
	v := Verdict{Incident: m, Cases: len(shots), Failed: m.Failed}
	unknown := 0
	for _, c := range calls {
		if c.unknown {
			unknown++
		}
	}
	tail := ""
	if last := lastLines(r.run.Output, 5); last != "" {
		tail = "; its output ends: " + last
	}
	switch {
	case lost > 0:
		v.Outcome, v.Why = Broken, fmt.Sprintf("the service sent more than %d spans during the incident; %d were dropped", r.opts.MaxSpans, lost)
		return v
	case refused > len(shots)/2:
		v.Outcome, v.Why = Broken, fmt.Sprintf("the service stopped accepting connections: %d of %d requests were refused%s", refused, len(shots), tail)
		return v
	case unknown > 0:
		first := calls[slices.IndexFunc(calls, func(c servedCall) bool { return c.unknown })]
		v.Outcome = Broken
		v.Why = fmt.Sprintf("the stand-ins had no recorded answer to %d of %d outgoing calls (first: %s %s to %s), so the incident cannot be judged; record golden cases that make them",
			unknown, len(calls), first.method, clip(first.path, 80), first.peer)
		v.Differences = []Difference{{Case: "incident", Target: "downstream", Pointer: pointer{first.peer, first.method + " " + first.path}.String(), Kind: "unexpected", Replayed: fmt.Sprintf("%d×", unknown)}}
		return v
	}
	v.Outcome, v.Why = symptom(r.plan, m)
	if late := quantile(lateness(shots), 0.95); late > tooLate {
		v.Why += fmt.Sprintf("; this machine was too busy to be exact: requests left up to %s late", late.Round(time.Millisecond))
	}
	return v
}

// tooLate is when the driver itself disturbs what it measures: moments of failure are often not much
// longer.
const tooLate = 100 * time.Millisecond

func lateness(shots []*shot) []time.Duration {
	out := make([]time.Duration, len(shots))
	for i, s := range shots {
		out[i] = s.started - s.arrival.Offset
	}
	return out
}

// symptom decides whether the incident shows, and says so with the numbers.
func symptom(plan *IncidentPlan, m *IncidentRun) (Outcome, string) {
	shown, unit := m.ErrorRatio > plan.Symptom.Value, fmt.Sprintf("%.1f %% of %d requests failed", 100*m.ErrorRatio, m.Requests)
	limit := fmt.Sprintf("%.1f %%", 100*plan.Symptom.Value)
	context := fmt.Sprintf("%.1f %% in the incident, %.1f %% in health", 100*plan.Symptom.Recorded, 100*plan.Symptom.Healthy)
	if plan.Symptom.Kind == "latency" {
		seconds := func(s float64) string {
			return time.Duration(s * float64(time.Second)).Round(100 * time.Microsecond).String()
		}
		shown, unit = m.P95.Seconds() > plan.Symptom.Value, fmt.Sprintf("the 95th percentile of %d requests took %s", m.Requests, m.P95.Round(100*time.Microsecond))
		limit = seconds(plan.Symptom.Value)
		context = fmt.Sprintf("%s in the incident, %s in health", seconds(plan.Symptom.Recorded), seconds(plan.Symptom.Healthy))
	}
	calls := fmt.Sprintf("%d outgoing calls, at most %.0f in a second", m.Downstream, m.PeakPerSec)
	if shown {
		return Red, fmt.Sprintf("the incident shows: %s, above the limit of %s (%s); %s", unit, limit, context, calls)
	}
	return Green, fmt.Sprintf("the incident does not show: %s, within the limit of %s (%s); %s", unit, limit, context, calls)
}

// peakPerSecond is the highest number of calls that started within one second.
func peakPerSecond(calls []servedCall) float64 {
	starts := make([]time.Time, len(calls))
	for i := range calls {
		starts[i] = calls[i].start
	}
	slices.SortFunc(starts, time.Time.Compare)
	peak, first := 0, 0
	for i, t := range starts {
		for t.Sub(starts[first]) >= time.Second {
			first++
		}
		peak = max(peak, i-first+1)
	}
	return float64(peak)
}

// quantile is the nearest-rank quantile: the smallest value at least q of all are not above.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[min(len(sorted)-1, max(0, int(math.Ceil(q*float64(len(sorted))))-1))]
}
