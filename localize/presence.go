package localize

import (
	"math"
	"slices"
)

// present is how sure it is that something is wrong at all, 0..1: the strongest of the
// questions that do not depend on where the fault is. Each ramp starts where chance ends: with a
// handful of questions per window, a z score of 4 comes up by chance once in several thousand.
//
// There are two answers: listed decides whether suspects are named at all, sure how confident anybody may be. To the
// first, log records and short resources count as soon as chance explains them no oftener than
// present.false_alarm allows; to the second only as far as they are strong, and a lone warning does not.
func (a *analysis) present() (listed, sure float64) {
	sure = a.presence(func(e *raisedEvent) float64 { return e.sure }, 2)
	if !a.comparesLogs() {
		listed = a.presence(func(e *raisedEvent) float64 { return e.z }, 1)
	} else {
		listed = a.presence(func(*raisedEvent) float64 { return 0 }, 1)
	}
	if min(a.logAlarm(), a.shortage()) <= a.k.combine.falseAlarm {
		listed = 1
	}
	return listed, sure
}

// presence asks the questions; warnings is how many different warnings are a sign by themselves.
func (a *analysis) presence(z func(*raisedEvent) float64, warnings int) float64 {
	k := &a.k.combine
	p := k.presentEdge.of(a.worst)
	if len(a.base.traces) == 0 {
		// Requests may have failed like that for ever.
		p = min(p, k.presentFailed)
	}
	if a.base.empty() {
		// Nothing healthy to compare with: a failed request or a known shape of failure has to do, and
		// nothing makes it surer, since all of it may be as it always was.
		if a.failures > 0 {
			p = max(p, k.presentFailed)
		}
		for _, c := range a.board.cases {
			for _, q := range c.pattern {
				if q.Kind == PatternRepeatedQuery {
					p = max(p, k.presentShape)
				}
			}
		}
	}
	p = max(p, a.oddity(a.divergence))
	var warned []float64
	for i := range a.raised {
		if e := &a.raised[i]; e.severity >= errorLevel || e.thrown {
			p = max(p, k.presentError.of(z(e)))
		} else {
			warned = append(warned, k.presentQuiet*k.presentWarning.of(z(e)))
		}
	}
	if slices.Sort(warned); len(warned) >= warnings {
		p = max(p, warned[len(warned)-warnings])
	}
	p = max(p, a.shiftEvidence(), a.veiled, a.misdelivered)
	if a.base.empty() {
		p = min(p, k.presentFailed)
	}
	return p
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
	expected := a.k.combine.presentByChance * all // see restlessness
	z := (moved - expected) / math.Sqrt(expected+0.25)
	return a.k.combine.presentMany.of(z)
}

// badTimes are when bad things happened: bad traces, broken event orders, new errors.
func (a *analysis) badTimes() []int64 {
	times := slices.Clone(a.breakTimes)
	for t := range a.cur.outcomes {
		if a.cur.outcomes[t].bad() {
			times = append(times, a.cur.traces[t].Start())
		}
	}
	for i := range a.cur.async {
		if o := &a.cur.async[i]; o.bad() {
			times = append(times, a.cur.traces[o.trace].Spans[o.root].Start)
		}
	}
	for _, e := range a.raised {
		times = append(times, e.cur...)
	}
	return times
}
