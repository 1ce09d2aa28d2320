package localize

import (
	"math"
	"slices"
)

// wrongEnough is how sure it must be that something is wrong before anything is named.
const wrongEnough = 0.5

// present is how sure it is that something is wrong at all, 0..1: the strongest of the
// questions that do not depend on where the fault is. Each ramp starts where chance ends: with a
// handful of questions per window, a z score of 4 comes up by chance once in several thousand.
func (a *analysis) present() float64 {
	p := ramp(a.worst, 3, 5)
	if a.base.empty() {
		// Nothing healthy to compare with: a failed request or a known shape of failure has to do.
		if a.failures > 0 {
			p = max(p, 0.8)
		}
		for _, c := range a.board.cases {
			for _, q := range c.pattern {
				if q.Kind == PatternRepeatedQuery {
					p = max(p, 0.7)
				}
			}
		}
	}
	p = max(p, ramp(a.divergence, oddStep-1, oddStep+1))
	for _, e := range a.raised {
		if e.severity >= errorLevel || e.thrown {
			p = max(p, ramp(e.z, 2.5, 4.5))
		} else {
			p = max(p, 0.8*ramp(e.z, 3, 5))
		}
	}
	return max(p, a.shiftEvidence())
}

// shiftEvidence asks whether more series moved than move by themselves. Of many series some
// always jump, so a lone one proves nothing.
func (a *analysis) shiftEvidence() float64 {
	moved, all := 0.0, 0.0
	for i := range a.ev.Incident.Metrics {
		if c := classify(a.ev.Incident.Metrics[i].Name); c != classDemand && c != classOther {
			all++
		}
	}
	for _, s := range a.shifts {
		if s.class != classDemand && s.class != classOther {
			moved += s.strength
		}
	}
	const byChance = 0.03 // see restlessness: one in fifty, and some
	expected := byChance * all
	z := (moved - expected) / math.Sqrt(expected+0.25)
	return ramp(z, 2, 4.5)
}

// badTimes are when bad things happened: bad traces, broken event orders, new errors.
func (a *analysis) badTimes() []int64 {
	times := slices.Clone(a.breakTimes)
	for t := range a.cur.outcomes {
		if a.cur.outcomes[t].bad() {
			times = append(times, a.cur.traces[t].Start())
		}
	}
	for _, e := range a.raised {
		times = append(times, e.cur...)
	}
	return times
}
