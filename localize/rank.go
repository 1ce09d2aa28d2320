package localize

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

// analysis is the state of one Rank: what the signals found so far.
type analysis struct {
	ev        *Evidence
	opt       Options
	ops       *operations
	cur, base *window
	services  []string // all that sent telemetry, sorted
	board     *board
	events    *eventLog

	symptom    Symptom
	edge       *edgeOp // of the symptom; never nil
	onset      int64   // when users began to notice
	causeOnset int64   // when the cause must have been there, see findCauseOnset

	graph, graphBase *traffic
	callees          map[int32]string

	raised       []raisedEvent
	shifts       []metricShift
	divergence   float64 // z score of broken event orders
	breakTimes   []int64
	failures     float64 // failing traces
	addedSeconds float64
	networkFit   map[string]float64
	blamedOps    map[int32]float64
	peerFailed   map[edgeKey]float64
	peerSlowed   map[edgeKey]float64
	handling     map[edgeKey]float64
	judged       []judgedChange
}

// Rank finds what is to blame for an incident. It is pure and deterministic.
func Rank(inc incident.Incident, ev Evidence, opt Options) Result {
	a := &analysis{
		ev: &ev, opt: opt.withDefaults(), ops: newOperations(), board: newBoard(opt.Without), callees: map[int32]string{},
		networkFit: map[string]float64{}, blamedOps: map[int32]float64{}, peerFailed: map[edgeKey]float64{}, peerSlowed: map[edgeKey]float64{},
		handling: map[edgeKey]float64{}, edge: &edgeOp{op: -1},
	}
	a.base, a.cur = newWindow(&ev.Baseline, a.ops), newWindow(&ev.Incident, a.ops)
	healthy := a.base.latencies()
	markSlow(a.cur, healthy)
	markSlow(a.base, healthy)
	a.services = allServices(&ev)
	a.events = newEventLog(a.cur, a.base)

	var edge *edgeOp
	a.symptom, edge = findSymptom(a, inc)
	if edge != nil {
		a.edge = edge
	}
	a.findSequence()
	a.raised = a.raisedEvents()
	a.shifts = a.findShifts()
	a.onset = findOnset(a.cur, a.badTimes(), a.shifts)
	a.causeOnset = a.findCauseOnset()
	a.symptom.From = time.Unix(0, a.onset).UTC()

	names := map[string]bool{}
	for _, s := range a.services {
		names[s] = true
	}
	a.graphBase, a.graph = observe(a.base, a.ops, names), observe(a.cur, a.ops, names)
	a.findCallees()
	a.findNetwork()
	a.findErrors()
	a.findLatency()
	a.findOchiai()
	a.findLogs()
	a.findMetrics()
	a.findPools()
	a.findRetries()
	a.findUnbounded()
	a.findRepeated()
	a.findExceptions()
	a.findPlain()
	a.findFirst()

	present := a.present()
	res := Result{Symptom: a.symptom, Counts: a.counts()}
	if present < wrongEnough {
		res.Decision, res.Cause = Abstain, CauseNone
		res.Symptom.Kind = SymptomNone
		res.Why = []string{fmt.Sprintf("nothing differs enough from the healthy window to say that something is wrong (%s sure)", percent(present))}
		if a.base.empty() {
			res.Why = append(res.Why, "there is no healthy window to compare with, and nothing failed outright")
		}
		res.Suspects = []Suspect{}
		res.Graph = merge(a, nil)
		res.Gaps = a.gaps()
		return res
	}
	suspects := a.board.rank()
	a.findChanges(suspects)
	a.weighChanges()
	suspects = a.board.rank()
	v := a.classifyCause(suspects)
	a.write(&res, suspects, v, present)
	return res
}

// wrongEnough is how sure it must be that something is wrong before anything is named.
const wrongEnough = 0.5

// present is how sure it is that something is wrong at all, 0..1: the strongest of the
// questions that do not depend on where the fault is. Each ramp starts where chance ends: with a
// handful of questions per window, a z score of 4 comes up by chance once in several thousand.
func (a *analysis) present() float64 {
	p := ramp(a.edge.strength(), 3, 5)
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

// findFirst favours the service that showed something first: causes precede effects.
func (a *analysis) findFirst() {
	first := map[string]int64{}
	see := func(s string, t int64) {
		if old, ok := first[s]; !ok || t < old {
			first[s] = t
		}
	}
	for _, e := range a.raised {
		if e.fresh && e.strength > 0.3 {
			see(e.service, e.first)
		}
	}
	for _, s := range a.shifts {
		if s.strength > 0.5 && s.at > 0 && s.class != classDemand {
			see(s.service, s.at)
		}
	}
	if len(first) < 2 {
		return
	}
	names := make([]string, 0, len(first))
	for s := range first {
		names = append(names, s)
	}
	slices.SortFunc(names, func(x, y string) int {
		if first[x] != first[y] {
			return compare(first[x], first[y])
		}
		return strings.Compare(x, y)
	})
	lead := time.Duration(first[names[1]] - first[names[0]])
	if lead < time.Second {
		return
	}
	a.board.add(names[0], Reason{Signal: "first", Text: fmt.Sprintf("it was the first to show anything abnormal, %s before %s", round(lead), names[1]),
		Value: lead.Seconds(), Weight: weightFirst * ramp(lead.Seconds(), 0, 120)})
}

// weighChanges lets a change that fits speak for the service it runs in.
func (a *analysis) weighChanges() {
	for i := range a.judged {
		j := &a.judged[i]
		if j.odds < blameOdds {
			break
		}
		if j.service == "" || !a.isService(j.service) {
			continue
		}
		a.board.add(j.service, Reason{Signal: "change", Text: fmt.Sprintf("commit %s (%s) fits what is seen", shortSHA(j.change.SHA), title(j.change.Message)),
			Value: j.odds, Weight: weightChange * ramp(j.odds, 0, 2*blameOdds)})
	}
}

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
		blame[s.service] = s.posterior
	}
	res.Graph = merge(a, blame)
	res.Cause = v.cause
	res.Suspects = []Suspect{}
	for _, s := range suspects {
		if len(res.Suspects) >= a.opt.Suspects {
			break
		}
		res.Suspects = append(res.Suspects, a.suspectsOf(s, present, len(res.Suspects) == 0)...)
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
	if len(res.Suspects) > 0 {
		res.Confidence = res.Suspects[0].Confidence
		if len(res.Symptom.Exemplars) > 0 {
			res.Path = a.exemplarPath(res.Symptom.Exemplars[0])
		}
	}
	a.writeChanges(res)
	res.Gaps = a.gaps()
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
	switch v.cause {
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
func (a *analysis) suspectsOf(s ranked, present float64, first bool) []Suspect {
	ops := s.bestOps()
	make1 := func(op *opCase, part float64) Suspect {
		out := Suspect{Service: s.service, Score: round4(logistic(s.sum-1.5) * part), Confidence: round4(clamp01(present * s.posterior * part))}
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
	if first && len(ops) > 1 && ops[1].weight > 0.5*ops[0].weight {
		// The second operation of the first service never outranks another service's best.
		out = append(out, make1(ops[1], 0.8*ops[1].weight/ops[0].weight))
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
	for _, d := range a.ev.Deploys {
		if d.Service == service && (a.cur.to == 0 || d.Time.UnixNano() <= a.cur.to) {
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
		if len(res.Changes) >= 5 || j.odds < blameOdds {
			break
		}
		rc := RankedChange{SHA: j.change.SHA, Service: j.service, Title: title(j.change.Message), Score: round4(logistic(j.odds - blameOdds)), Reasons: j.reasons}
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

// allServices lists the services of both windows.
func allServices(ev *Evidence) []string {
	out := append(servicesOf(&ev.Incident), servicesOf(&ev.Baseline)...)
	slices.Sort(out)
	return slices.Compact(out)
}

func round4(x float64) float64 { return math.Round(x*1e4) / 1e4 }

func round6(x float64) float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	return math.Round(x*1e6) / 1e6
}
