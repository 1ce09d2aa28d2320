package localize

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/incident"
)

// analysis is the state of one Rank: what the signals found so far. A Study copies it between two stages, see fork.
type analysis struct {
	inc       incident.Incident
	ev        *Evidence
	opt       Options
	k         *constants
	ops       *operations
	cur, base *window
	services  []string // all that sent telemetry, sorted
	board     *board
	events    *eventLog

	doubted          []doubt
	cut              []Gap // what was too much to look at
	named            *nameIndex
	directories      map[string]string // services by the names that their directories may have
	calledBy         map[string][]string
	symptom          Symptom
	worst, worstSlow float64 // strongest evidence of any root operation
	edges            int     // root operations that were compared
	onset            int64   // when users began to notice
	causeOnset       int64   // when the cause must have been there, see findCauseOnset

	graph, graphBase *traffic
	places           *places
	hidden           map[edgeKey][]Hidden // faults that callers keep from their own callers
	veiled           float64              // how surely there are any that matter, 0..1
	callees          map[int32]string
	calleeOps        map[int32]int32 // which operation answers an outgoing one
	answers          map[edgeKey]*answering
	owed             map[edgeKey]bool
	slowed           map[int32]bool
	silence          map[string]float64
	speakers         map[string]bool // services that send spans or logs
	undated          bool            // nothing told when it began, so the window's start stands in
	misdelivered     float64         // how sure it is that messages are lost or come again

	raised     []raisedEvent
	shifts     []metricShift
	divergence float64 // z score of broken event orders
	breakTimes []int64
	failures   float64 // failing traces
	networkFit map[string]float64
	unbounded  map[int32]bool // outgoing operations that wait without bound
	blamedOps  map[int32]float64
	peerFailed map[edgeKey]float64
	peerSlowed map[edgeKey]float64
	handling   map[edgeKey]float64
	judged     []judgedChange

	countsCur, countsBase map[int32]*opCount // see opCounts

	result Result // what conclude made
}

// Rank finds what is to blame for an incident. It is pure and deterministic.
func Rank(inc incident.Incident, ev Evidence, opt Options) Result {
	a := newAnalysis(inc, &ev, opt)
	for _, s := range stages() {
		if !s.within {
			s.do(a)
		}
	}
	return a.result
}

func newAnalysis(inc incident.Incident, ev *Evidence, opt Options) *analysis {
	k := newConstants(opt.Scale)
	return &analysis{
		inc: inc, ev: ev, opt: opt.withDefaults(), k: k, ops: newOperations(), board: newBoard(opt.Without, k), callees: map[int32]string{},
		networkFit: map[string]float64{}, unbounded: map[int32]bool{}, blamedOps: map[int32]float64{}, peerFailed: map[edgeKey]float64{}, peerSlowed: map[edgeKey]float64{},
		handling: map[edgeKey]float64{}, calleeOps: map[int32]int32{}, owed: map[edgeKey]bool{}, slowed: map[int32]bool{},
	}
}

// arrange concludes what holds under any constants, and beside it mines the logs and looks at the series.
func (a *analysis) arrange() {
	a.limit()
	a.ops.routes = newRoutes()
	a.base, a.cur = &window{ds: &a.ev.Baseline}, &window{ds: &a.ev.Incident}
	beside(a.findSpeakers, func() {
		a.ops.routes.learn(a.ev.Baseline.Spans)
		a.ops.routes.learn(a.ev.Incident.Spans)
		a.ops.routes.settle()
	})
	beside(
		a.mineLogs,
		func() { a.base.arrange(); a.base.number(a.ops) }, // the first to use the operations
		a.cur.arrange,
		a.lookAtSeries,
		func() { a.services = allServices(a.base, a.cur) },
	)
	a.cur.number(a.ops)
	beside(a.base.findAsync, a.cur.findAsync)
}

func (a *analysis) mineLogs() { a.events = newEventLog(a.cur, a.base, a.k) }

func (a *analysis) lookAtSeries() { a.shifts = a.findShifts() }

func (a *analysis) markSlow() {
	healthy := a.base.latencies()
	beside(
		func() { markSlow(a.cur, healthy, &a.k.window) },
		func() { markSlow(a.base, healthy, &a.k.window) },
	)
}

func (a *analysis) notice() { a.symptom = findSymptom(a, a.inc) }

func (a *analysis) findRaised() { a.raised = a.raisedEvents() }

func (a *analysis) date() {
	a.onset = a.findOnset(a.badTimes())
	a.causeOnset = a.findCauseOnset()
	a.symptom.From = time.Unix(0, a.onset).UTC()
}

func (a *analysis) observe() {
	names := map[string]bool{}
	for _, s := range a.services {
		names[s] = true
	}
	a.places = newPlaces(a.ops, names, a.base, a.cur)
	a.graph, a.graphBase = a.observeBoth()
}

// conclude makes the result of what the signals found.
func (a *analysis) conclude() {
	k := a.k
	a.doubted = a.doubts(a.inc)
	present, sure := a.present()
	res := Result{Why: a.opt.wrong(), Symptom: a.symptom, Counts: a.counts()}
	if present < k.combine.wrong {
		res.Decision, res.Cause = Abstain, CauseNone
		res.Symptom.Kind = SymptomNone
		switch {
		case a.cur.empty():
			res.Symptom.Kind = SymptomUnknown
			res.Why = append(res.Why, "no telemetry of the incident is there, so nothing can be said about it")
		case a.base.empty():
			res.Why = append(res.Why, "nothing failed outright, and there is no healthy window to compare with")
		default:
			res.Why = append(res.Why, fmt.Sprintf("nothing differs enough from the healthy window to say that something is wrong (%s sure)", percent(present)))
		}
		res.Why = append(res.Why, a.doubtTexts()...)
		res.Suspects = []Suspect{}
		res.Graph = a.bounded(merge(a, nil))
		res.Gaps = a.gaps(&res)
		a.result = res
		return
	}
	suspects := a.board.rank()
	a.findChanges(suspects)
	a.weighChanges()
	suspects = a.board.rank()
	v := a.classifyCause(suspects)
	a.write(&res, suspects, v, min(present, sure))
	a.result = res
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
		if e.fresh && e.strength > a.k.logs.first {
			see(e.service, e.first)
		}
	}
	for _, s := range a.shifts {
		if s.strength > a.k.onset.strong && s.at > 0 && s.class != classDemand {
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
		Value: lead.Seconds(), Weight: a.k.weight.first * ramp(lead.Seconds(), 0, 120)})
}

// weighChanges lets a change that fits speak for the service it runs in.
func (a *analysis) weighChanges() {
	for i := range a.judged {
		j := &a.judged[i]
		if j.odds < a.k.change.blame {
			break
		}
		if j.service == "" || !a.isService(j.service) {
			continue
		}
		a.board.add(j.service, Reason{Signal: "change", Text: fmt.Sprintf("commit %s (%s) fits what is seen", shortSHA(j.change.SHA), title(j.change.Message)),
			Value: j.odds, Weight: a.k.weight.change * ramp(j.odds, 0, 2*a.k.change.blame)})
	}
}

// allServices lists the services of both windows.
func allServices(base, cur *window) []string {
	out := append(slices.Clone(cur.services()), base.services()...)
	slices.Sort(out)
	return slices.Compact(out)
}
