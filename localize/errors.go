package localize

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// opCount is how often an operation ran and failed. Of repeated calls of one operation under
// one parent only the first counts, and so does only what happened below the first, so that retries
// against a dependency that is down for a moment do not make the dependency look worse than it was:
// its answers to the repetitions are its caller's doing.
type opCount struct{ n, bad float64 }

func (c opCount) share() float64 { return c.bad / max(c.n, 1) }

func countOps(w *window, onset int64) map[int32]*opCount {
	out := map[int32]*opCount{}
	type sibling struct {
		parent int
		op     int32
	}
	seen := map[sibling]bool{}
	var again []bool // the span is a repetition, or lies below one
	for t := range w.traces {
		tr, recs := &w.traces[t], w.recs[t]
		seen = emptied(seen)
		again = append(again[:0], make([]bool, len(recs))...)
		for _, i := range tr.Order() {
			if tr.Spans[i].Start < onset {
				continue
			}
			p := tr.Parent(i)
			if p >= 0 && again[p] {
				again[i] = true
				continue
			}
			if tr.Spans[i].Kind.Outgoing() {
				k := sibling{p, recs[i].op}
				if seen[k] {
					again[i] = true
					continue
				}
				seen[k] = true
			}
			c := out[recs[i].op]
			if c == nil {
				c = &opCount{}
				out[recs[i].op] = c
			}
			c.n++
			if recs[i].outcome == failed {
				c.bad++
			}
		}
	}
	return out
}

// newlyFailing says whether an operation fails more than it did when healthy: by more than
// chance explains and by half as much again. An operation that was never seen healthy counts.
func (a *analysis) newlyFailing(cur, base *opCount, haveBase bool) bool {
	if cur == nil || cur.bad == 0 {
		return false
	}
	if !haveBase || base == nil {
		return true
	}
	return cur.share() > a.k.errors.ratio*base.share() && zProportions(cur.bad, cur.n, base.bad, base.n) > a.k.errors.z
}

// findErrors finds where the failures began. From the span where a failure originated it goes up
// the chain of failed spans to the first whose operation fails more than it did when healthy:
// a dependency that fails as it always did is not to blame, but the caller that used to cope
// is. A service that merely passes a failure up is never reached.
func (a *analysis) findErrors() {
	cur, base := both(a, func(w *window) map[int32]*opCount { return countOps(w, a.since(w)) })
	haveBase := len(a.base.traces) > 0
	type place struct {
		op    int32
		coped bool // a callee below fails as before
	}
	votes := map[place]float64{}
	below := map[place]map[int32]float64{}
	total := 0.0
	for t := range a.cur.traces {
		if !a.cur.outcomes[t].failed {
			continue
		}
		tr, recs := &a.cur.traces[t], a.cur.recs[t]
		last := a.failureStart(tr, recs, a.cur.outcomes[t].root)
		if last < 0 {
			continue
		}
		total++
		p := place{op: recs[last].op}
		origin := recs[last].op
		for i := last; i >= 0; i = tr.Parent(i) {
			if recs[i].outcome != failed {
				if i != last && silent(tr, recs, i) {
					continue
				}
				break
			}
			if a.newlyFailing(cur[recs[i].op], base[recs[i].op], haveBase) {
				p = place{op: recs[i].op, coped: i != last}
				break
			}
		}
		votes[p]++
		if below[p] == nil {
			below[p] = map[int32]float64{}
		}
		below[p][origin]++
	}
	a.failures = total
	if total == 0 {
		return
	}
	places := make([]place, 0, len(votes))
	for p := range votes {
		places = append(places, p)
	}
	slices.SortFunc(places, func(x, y place) int {
		if votes[x] != votes[y] {
			return int(math.Copysign(1, votes[y]-votes[x]))
		}
		if x.op != y.op {
			return int(x.op - y.op)
		}
		if x.coped {
			return 1
		}
		return -1
	})
	for _, p := range places {
		op := &a.ops.list[p.op]
		c, b := cur[p.op], base[p.op]
		if c == nil {
			c = &opCount{}
		}
		if b == nil {
			b = &opCount{}
		}
		share := votes[p] / total
		// How surely failing is new: the failing share beyond the healthy one.
		fresh := 1.0
		if haveBase && b.n > 0 {
			fresh = clamp01((c.share() - b.share()) / max(c.share(), 1e-9))
		}
		text := fmt.Sprintf("%s of the failing traces began to fail at %s: %s of its calls failed, %s when healthy",
			percent(share), op.name, percent(c.share()), percent(b.share()))
		peer := ""
		if p.coped {
			lower := &a.ops.list[mostVoted(below[p])]
			lc, lb := cur[mostVoted(below[p])], base[mostVoted(below[p])]
			if lc != nil && lb != nil {
				text += fmt.Sprintf("; %s below it failed %s of first attempts, %s when healthy, so what changed is how %s copes",
					label(lower), percent(lc.share()), percent(lb.share()), op.service)
			}
			peer = lower.peer
		} else if op.kind.Outgoing() {
			peer = op.peer
			a.peerFailed[edgeKey{op.service, op.peer}] += share * fresh
		}
		a.board.addOp(op.service, op.name, peer, p.op, Reason{Signal: "errors", Text: text,
			Value: c.share(), Baseline: b.share(), Weight: a.k.weight.errors * math.Sqrt(share) * fresh})
		if p.coped {
			// The call that is made is the handle for whoever mends the caller.
			lower := mostVoted(below[p])
			if lo := &a.ops.list[lower]; lo.service == op.service {
				a.board.addOp(op.service, lo.name, lo.peer, lower, Reason{Signal: "handling",
					Text:  fmt.Sprintf("%s is the call whose failures %s no longer absorbs", label(lo), op.service),
					Value: votes[p], Weight: a.k.errors.handling * a.k.weight.errors * share})
			}
		}
		a.blamedOps[p.op] += share
	}
}

// failureStart follows the failure of a trace down from its root to the span where it
// began; -1 when there is none. Of several failed calls of one span those are passed over that
// were coped with (the same operation succeeded later); of the others the earliest is
// followed, since what failed later failed in its wake. A span that gave up waiting points
// to the child it waited for, even though that child does not know that it failed.
func (a *analysis) failureStart(tr *telemetry.Trace, recs []spanRec, root int) int {
	at := root
	if recs[root].outcome != failed {
		at = -1
		for _, c := range failedBelow(tr, recs, root) {
			if at < 0 || tr.Spans[c].Start < tr.Spans[at].Start {
				at = c
			}
		}
		if at < 0 {
			return -1
		}
	}
	waited := gaveUp(tr.Spans[at])
	var coped *recoveries
	for {
		next := -1
		below := failedBelow(tr, recs, at)
		if len(below) > few && coped == nil {
			coped = &recoveries{tr: tr, recs: recs, parent: -1, last: map[int32]int64{}}
		}
		for _, c := range below {
			if coped != nil && coped.of(c) || coped == nil && copedWith(tr, recs, tr.Parent(c), c) {
				continue
			}
			if next < 0 || tr.Spans[c].Start < tr.Spans[next].Start {
				next = c
			}
		}
		if next < 0 {
			break
		}
		at = next
		waited = waited || gaveUp(tr.Spans[at])
	}
	if !waited {
		return at
	}
	for {
		next := -1
		for _, c := range tr.Children(at) {
			// The child that took all the time there was.
			if float64(tr.Spans[c].Duration) >= a.k.errors.waited*float64(tr.Spans[at].Duration) {
				next = c
				break
			}
		}
		if next < 0 {
			return at
		}
		at = next
	}
}

// few is the number of failed calls up to which each looks at its siblings.
const few = 8

// recoveries answers copedWith for many calls of one parent.
type recoveries struct {
	tr     *telemetry.Trace
	recs   []spanRec
	parent int
	last   map[int32]int64 // start of the last call of each operation that did not fail
}

func (r *recoveries) of(c int) bool {
	if p := r.tr.Parent(c); p != r.parent {
		r.parent, r.last = p, emptied(r.last)
		for _, d := range r.tr.Children(p) {
			if last, seen := r.last[r.recs[d].op]; r.recs[d].outcome != failed && (!seen || r.tr.Spans[d].Start > last) {
				r.last[r.recs[d].op] = r.tr.Spans[d].Start
			}
		}
	}
	last, ok := r.last[r.recs[c].op]
	return ok && last >= r.tr.Spans[c].End()
}

// copedWith says that the same operation succeeded under the same parent after failing.
func copedWith(tr *telemetry.Trace, recs []spanRec, parent, c int) bool {
	for _, d := range tr.Children(parent) {
		if d != c && recs[d].op == recs[c].op && recs[d].outcome != failed && tr.Spans[d].Start >= tr.Spans[c].End() {
			return true
		}
	}
	return false
}

// gaveUp says that a span failed because it would not wait any longer.
func gaveUp(s *telemetry.Span) bool {
	switch s.HTTPStatus() {
	case 408, 504:
		return true
	}
	if s.RPCStatus() == "DEADLINE_EXCEEDED" {
		return true
	}
	t := strings.ToLower(s.Attrs.Get(telemetry.AttrErrorType) + " " + shorten(s.Message, 300))
	if e := s.Exception(); e != nil {
		t += " " + strings.ToLower(e.Attrs.Get(telemetry.AttrExceptionType)+" "+shorten(e.Attrs.Get(telemetry.AttrExceptionMsg), 300))
	}
	return strings.Contains(t, "timeout") || strings.Contains(t, "timed out") || strings.Contains(t, "deadline exceeded")
}

func mostVoted(v map[int32]float64) int32 {
	best, most := int32(-1), -1.0
	for op, n := range v {
		if n > most || n == most && op < best {
			best, most = op, n
		}
	}
	return best
}

// label names an operation with its target.
func label(op *operation) string {
	if op.kind.Outgoing() && op.peer != "" {
		return op.name + " to " + op.peer
	}
	return op.name
}
