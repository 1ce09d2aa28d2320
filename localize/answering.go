package localize

import (
	"slices"

	"github.com/remediator/remediator/telemetry"
)

// answering says how the calls from one service to another fared that no span of the callee answers.
type answering struct{ calls, unanswered, callsBase, unansweredBase float64 }

// findAnswering counts failed calls without an answer, by caller and callee, for callees that send
// telemetry. Such a call was refused, broke off or timed out before the callee's work ended: the caller
// only reports it.
func (a *analysis) findAnswering() {
	cur, base := besidePlaces(a, a.unanswered)
	a.answers = map[edgeKey]*answering{}
	of := func(k edgeKey) *answering {
		c := a.answers[k]
		if c == nil {
			c = &answering{}
			a.answers[k] = c
		}
		return c
	}
	for k, n := range base {
		c := of(k)
		c.callsBase, c.unansweredBase = n.all, n.unanswered
	}
	for k, n := range cur {
		c := of(k)
		c.calls, c.unanswered = n.all, n.unanswered
	}
}

// served is how the calls of one window over one edge fared.
type served struct{ all, unanswered float64 }

// unanswered counts the calls of a window.
func (a *analysis) unanswered(w *window, at *places) map[edgeKey]*served {
	out := map[edgeKey]*served{}
	// What the callee's spans showed of an operation holds for all its calls.
	known := make([]*served, len(a.ops.list))
	for t := range w.traces {
		tr, recs := &w.traces[t], w.recs[t]
		whole := w == a.base || startsIn(tr, a.onset)
		for i, s := range tr.Spans {
			if !recs[i].facts.kind().Outgoing() || !whole && s.Start < a.onset {
				continue
			}
			c := known[recs[i].op]
			if c == nil {
				callee := a.calledFrom(at, s, recs[i].op)
				if callee == "" {
					continue
				}
				k := edgeKey{s.Resource.Service, callee}
				if c = out[k]; c == nil {
					c = &served{}
					out[k] = c
				}
				if a.callees[recs[i].op] != "" {
					known[recs[i].op] = c
				}
			}
			c.all++
			if recs[i].outcome == failed && !hasAnswer(tr, i) {
				c.unanswered++
			}
		}
	}
	return out
}

// calledService is the service that an outgoing span calls, "" when it is none that sends telemetry.
func (a *analysis) calledService(s *telemetry.Span, op int32) string {
	return a.calledFrom(a.places, s, op)
}

func (a *analysis) calledFrom(places *places, s *telemetry.Span, op int32) string {
	if c := a.callees[op]; c != "" {
		return c
	}
	if s.Kind != telemetry.KindClient {
		return ""
	}
	if at := places.called(s); at.kind == nodeService && at.name != s.Resource.Service {
		return at.name
	}
	return ""
}

// owedByCallee says that calls without an answer speak for the callee. They do when it went silent, or
// when it leaves most of its callers without an answer; not when one caller alone fares so while others
// are served, nor when what changed is the caller's patience.
func (a *analysis) owedByCallee(k edgeKey, peer string) bool {
	if v, ok := a.owed[k]; ok {
		return v
	}
	v := a.judgeOwed(k, peer)
	a.owed[k] = v
	return v
}

func (a *analysis) judgeOwed(k edgeKey, peer string) bool {
	if a.silence[k.to] > 0 {
		return true
	}
	own := a.answers[k]
	if own == nil || a.shorterDeadline(edgeKey{k.from, peer}) {
		return false
	}
	callers, affected := 0.0, 0.0
	for e, c := range a.answers {
		if e.to != k.to || c.calls < a.k.network.calls {
			continue
		}
		callers++
		if c.unanswered/c.calls > c.unansweredBase/max(c.callsBase, 1)+a.k.errors.least {
			affected++
		}
	}
	switch {
	case callers >= 2:
		return 2*affected > callers
	case own.unanswered >= own.calls:
		// Its only caller gets nothing at all while it is alive: it calls the wrong place as likely.
		return false
	}
	return true
}

// slower says that an operation lasts longer than when healthy, see callsSlower.
func (a *analysis) slower(op int32) bool {
	v, ok := a.slowed[op]
	if !ok {
		v = a.callsSlower(op)
		a.slowed[op] = v
	}
	return v
}

// answerOf is the operation of the callee that answers calls of an outgoing operation, -1 when none was
// seen.
func (a *analysis) answerOf(ops map[int32]float64) int32 {
	votes := map[int32]float64{}
	for op, n := range ops {
		if at, ok := a.calleeOps[op]; ok {
			votes[at] += n
		}
	}
	return mostVoted(votes)
}

// sortedServices lists the keys of a map in order.
func sortedServices[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for s := range m {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// hasAnswer says that a span of another service answers call i.
func hasAnswer(tr *telemetry.Trace, i int) bool {
	for _, c := range tr.Children(i) {
		if tr.Spans[c].Resource.Service != tr.Spans[i].Resource.Service {
			return true
		}
	}
	return false
}
