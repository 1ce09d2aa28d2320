package localize

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

func shortSHA(s string) string { return s[:min(len(s), 12)] }

func (a *analysis) counts() Counts {
	c := Counts{Spans: len(a.ev.Incident.Spans), Traces: len(a.cur.traces), Logs: len(a.ev.Incident.Logs), Series: len(a.ev.Incident.Metrics)}
	for i := range a.cur.outcomes {
		if a.cur.outcomes[i].failed {
			c.FailedTraces++
		}
	}
	return c
}

// write fills the result.
func (a *analysis) write(res *Result, suspects []ranked, v verdict, present float64) {
	blame := map[string]float64{}
	for _, s := range suspects {
		blame[s.service] = a.confidence(present, s.posterior, suspects[0].posterior)
	}
	res.Graph = a.bounded(merge(a, blame))
	res.Cause = v.cause
	res.Suspects = []Suspect{}
	for _, s := range suspects {
		if len(res.Suspects) >= a.opt.Suspects {
			break
		}
		res.Suspects = append(res.Suspects, a.suspectsOf(s, present, a.confidence(present, s.posterior, suspects[0].posterior), len(res.Suspects) == 0)...)
	}
	slices.SortStableFunc(res.Suspects, func(x, y Suspect) int {
		switch {
		case x.Score > y.Score:
			return -1
		case x.Score < y.Score:
			return 1
		}
		return 0
	})
	res.Suspects = res.Suspects[:min(len(res.Suspects), a.opt.Suspects)]
	res.Graph.mark(res.Suspects, a.places)
	if len(res.Suspects) > 0 {
		res.Confidence = res.Suspects[0].Confidence
		if len(res.Symptom.Exemplars) > 0 {
			res.Path = a.exemplarPath(res.Symptom.Exemplars[0])
		}
	}
	a.writeChanges(res)
	res.Gaps = a.gaps(res)
	res.Decision = Act
	decline := func(why string) {
		res.Decision = Abstain
		res.Why = append(res.Why, why)
	}
	res.Why = append(res.Why, v.why...)
	switch {
	case len(res.Suspects) == 0:
		decline("something is wrong, but no service stands out")
	case res.Confidence < a.opt.Threshold:
		decline(fmt.Sprintf("the confidence in the first suspect, %.2f, is below the threshold of %.2f", res.Confidence, a.opt.Threshold))
	}
	res.Why = append(res.Why, a.doubtTexts()...)
	for _, d := range a.doubted {
		if d.grave {
			decline("what is named is not known to have to do with the alert")
		}
	}
	switch v.cause {
	case CauseUnclear:
		if v.outside > 0 {
			decline("whether the system's code or what it calls is to blame cannot be told without healthy traces")
		}
	case CauseExternal:
		decline("the cause lies outside the system's code; no change of it would remove the cause")
	case CauseResource:
		if v.ours {
			break
		}
		decline("a resource is short or slow and nothing in the code or its changes explains it; a person should look at the resource first")
	}
}

// suspectsOf turns the case against a service into suspects: its best operation, and for the
// first service a second one that has as good a case.
func (a *analysis) suspectsOf(s ranked, present, sure float64, first bool) []Suspect {
	ops := s.bestOps()
	make1 := func(op *opCase, part float64) Suspect {
		out := Suspect{Service: s.service, Score: round4(logistic(s.sum-a.k.combine.offset) * part), Confidence: round4(sure * part), Posterior: clamp01(present * s.posterior * part)}
		if op != nil {
			out.Operation, out.Peer = op.name, op.peer
		}
		for _, r := range s.reasons {
			out.Reasons = append(out.Reasons, r.Reason)
		}
		slices.SortStableFunc(out.Reasons, func(x, y Reason) int {
			if wx, wy := math.Abs(x.Weight), math.Abs(y.Weight); wx != wy {
				if wx > wy {
					return -1
				}
				return 1
			}
			if c := strings.Compare(x.Signal, y.Signal); c != 0 {
				return c
			}
			return strings.Compare(x.Text, y.Text)
		})
		out.Reasons = out.Reasons[:min(len(out.Reasons), 12)]
		for i := range out.Reasons {
			r := &out.Reasons[i]
			r.Weight, r.Value, r.Baseline = round4(r.Weight), round6(r.Value), round6(r.Baseline)
		}
		out.Patterns = tidyPatterns(s.pattern)
		out.Hints = a.hintsOf(s.serviceCase, op)
		out.Commit = a.commitOf(s.service)
		out.Traces = a.tracesThrough(s.service, op)
		return out
	}
	if len(ops) == 0 {
		return []Suspect{make1(nil, 1)}
	}
	out := []Suspect{make1(ops[0], 1)}
	if first && len(ops) > 1 && ops[1].weight > a.k.combine.second*ops[0].weight {
		// The second operation of the first service never outranks another service's best.
		out = append(out, make1(ops[1], a.k.combine.secondShare*ops[1].weight/ops[0].weight))
	}
	return out
}

// tidyPatterns orders patterns and rounds their numbers. The specific shapes come first.
func tidyPatterns(in []Pattern) []Pattern {
	order := []PatternKind{PatternException, PatternRetryBurst, PatternPoolWait, PatternRepeatedQuery, PatternUnboundedCall, PatternErrorReturned, PatternSlowSelf}
	out := slices.Clone(in)
	slices.SortStableFunc(out, func(x, y Pattern) int {
		if x.Kind != y.Kind {
			return slices.Index(order, x.Kind) - slices.Index(order, y.Kind)
		}
		return strings.Compare(x.Text, y.Text)
	})
	for i := range out {
		out[i].Values = maps.Clone(out[i].Values) // the case keeps its own
		for k, v := range out[i].Values {
			out[i].Values[k] = round6(v)
		}
	}
	return out[:min(len(out), 20)]
}

// commitOf is the revision of a service that ran in the incident.
func (a *analysis) commitOf(service string) string {
	best := ""
	see := func(r *telemetry.Resource) {
		if r.Service == service && r.Commit != "" {
			best = r.Commit
		}
	}
	for i := range a.ev.Incident.Spans {
		see(a.ev.Incident.Spans[i].Resource)
	}
	if best == "" {
		for i := range a.ev.Incident.Logs {
			see(a.ev.Incident.Logs[i].Resource)
		}
	}
	if best != "" {
		return best
	}
	// What ran when it began; failing that, what ran at the end.
	began := a.causeOnset + int64(a.onsetSlack())
	for _, d := range a.ev.Deploys {
		if d.Service == service && (best == "" || d.Time.UnixNano() <= began) {
			best = d.SHA
		}
	}
	return best
}

// tracesThrough are bad traces that touch the suspect, the symptom's exemplars first.
func (a *analysis) tracesThrough(service string, op *opCase) []string {
	var out []string
	add := func(t int, wantOp bool) {
		if len(out) >= 5 {
			return
		}
		id := a.cur.traces[t].ID.String()
		if slices.Contains(out, id) {
			return
		}
		for i, s := range a.cur.traces[t].Spans {
			if s.Resource.Service == service && (!wantOp || a.cur.recs[t][i].op == op.op) {
				out = append(out, id)
				return
			}
		}
	}
	for _, wantOp := range []bool{op != nil && op.op >= 0, false} {
		for t := range a.cur.outcomes {
			if o := &a.cur.outcomes[t]; o.failed || o.diverged {
				add(t, wantOp)
			}
		}
		for t := range a.cur.outcomes {
			if a.cur.outcomes[t].slow {
				add(t, wantOp)
			}
		}
	}
	return out
}

// exemplarPath is the critical path of the trace with the id.
func (a *analysis) exemplarPath(id string) []PathSegment {
	for t := range a.cur.traces {
		if a.cur.traces[t].ID.String() == id {
			return criticalPath(a.cur, a.ops, t)
		}
	}
	return nil
}

// writeChanges lists the changes to blame and names the culprit at the suspects it concerns.
func (a *analysis) writeChanges(res *Result) {
	for i := range a.judged {
		j := &a.judged[i]
		if len(res.Changes) >= 5 || j.odds < a.k.change.blame {
			break
		}
		rc := RankedChange{SHA: j.change.SHA, Service: j.service, Title: title(j.change.Message), Score: round4(logistic(j.odds - a.k.change.blame)), Reasons: j.reasons}
		for n := range rc.Reasons {
			r := &rc.Reasons[n]
			r.Weight, r.Value = round4(r.Weight), round6(r.Value)
		}
		res.Changes = append(res.Changes, rc)
	}
	if len(res.Changes) == 0 || len(res.Suspects) == 0 {
		return
	}
	best := &res.Changes[0]
	for i := range res.Suspects {
		if best.Service == res.Suspects[i].Service || i == 0 && best.Service == "" {
			res.Suspects[i].Culprit = best.SHA
		}
	}
}

func round4(x float64) float64 { return math.Round(x*1e4) / 1e4 }

func round6(x float64) float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	if math.Abs(x) > 1e100 {
		return x // it would overflow on the way
	}
	return math.Round(x*1e6) / 1e6
}
