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
	var counts []*opCount // by operation
	type sibling struct {
		parent int
		op     int32
	}
	var seen handful[sibling, bool]
	var again []bool // the span is a repetition, or lies below one
	for t := range w.traces {
		tr, recs := &w.traces[t], w.recs[t]
		seen.empty()
		again = slices.Grow(again[:0], len(recs))[:len(recs)]
		clear(again)
		whole := startsIn(tr, onset)
		for _, i := range tr.Order() {
			if !whole && tr.Spans[i].Start < onset {
				continue
			}
			p := tr.Parent(i)
			if p >= 0 && again[p] {
				again[i] = true
				continue
			}
			if recs[i].facts.kind().Outgoing() {
				k := sibling{p, recs[i].op}
				if seen.get(k) != nil {
					again[i] = true
					continue
				}
				seen.add(k, true)
			}
			op := int(recs[i].op)
			if op >= len(counts) {
				counts = append(counts, make([]*opCount, op+1-len(counts))...)
			}
			c := counts[op]
			if c == nil {
				c = &opCount{}
				counts[op] = c
			}
			c.n++
			if recs[i].outcome == failed {
				c.bad++
			}
		}
	}
	out := map[int32]*opCount{}
	for op, c := range counts {
		if c != nil {
			out[int32(op)] = c // an operation's number
		}
	}
	return out
}

// opCounts counts the operations of both windows, from the onset on, once for all who ask. What it
// gives must not be changed.
func (a *analysis) opCounts() (cur, base map[int32]*opCount) {
	if a.countsCur == nil {
		a.countsCur, a.countsBase = both(a, func(w *window) map[int32]*opCount { return countOps(w, a.since(w)) })
	}
	return a.countsCur, a.countsBase
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

// failurePlace is where failures began: at an operation, or at a service that left calls unanswered.
type failurePlace struct {
	op     int32  // -1 for a service
	coped  bool   // a callee below fails as before
	callee string // the service, if op is -1
}

// findErrors finds where the failures began. From the span where a failure originated it goes up
// the chain of failed spans to the first whose operation fails more than it did when healthy:
// a dependency that fails as it always did is not to blame, but the caller that used to cope
// is. A service that merely passes a failure up is never reached. A call that ended without an answer
// is its callee's failure, unless the callee answers others or the caller lost its patience.
func (a *analysis) findErrors() {
	cur, base := a.opCounts()
	votes := map[failurePlace]float64{}
	below := map[failurePlace]map[int32]float64{}
	total := 0.0
	wholeOnly := a.passTorn()
	a.eachRequest(a.cur, func(t, root int) {
		tr, recs := &a.cur.traces[t], a.cur.recs[t]
		if wholeOnly && torn(tr) {
			return
		}
		if root == a.cur.outcomes[t].root && !a.cur.outcomes[t].failed || root != a.cur.outcomes[t].root && recs[root].outcome != failed {
			return
		}
		last := a.failureStart(tr, recs, root)
		if last < 0 {
			return
		}
		total++
		p := a.placeOf(tr, recs, last, cur, base)
		votes[p]++
		if below[p] == nil {
			below[p] = map[int32]float64{}
		}
		below[p][recs[last].op]++
	})
	a.failures = total
	if total == 0 {
		return
	}
	places := make([]failurePlace, 0, len(votes))
	perService, most := map[string]float64{}, map[string]float64{}
	for p, n := range votes {
		places = append(places, p)
		s := a.serviceOf(p)
		perService[s] += n
		most[s] = max(most[s], n)
	}
	slices.SortFunc(places, func(x, y failurePlace) int {
		if votes[x] != votes[y] {
			return int(math.Copysign(1, votes[y]-votes[x]))
		}
		if c := strings.Compare(x.callee, y.callee); c != 0 {
			return c
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
		share := votes[p] / total
		// The case against a service is one, over however many operations its failures are spread.
		s := a.serviceOf(p)
		strength := math.Sqrt(perService[s]/total) * votes[p] / most[s]
		if p.callee != "" {
			a.blameCallee(p, below[p], cur, base, share, strength)
			continue
		}
		a.blameOperation(p, below[p], cur, base, share, strength)
	}
}

// serviceOf is the service that a place belongs to.
func (a *analysis) serviceOf(p failurePlace) string {
	if p.callee != "" {
		return p.callee
	}
	return a.ops.list[p.op].service
}

// placeOf says what a failure that began at span last speaks against.
func (a *analysis) placeOf(tr *telemetry.Trace, recs []spanRec, last int, cur, base map[int32]*opCount) failurePlace {
	haveBase := len(a.base.traces) > 0
	s := tr.Spans[last]
	switch {
	case recs[last].outcome != failed:
		// Somebody above gave up waiting for it. If it takes longer than it did, it is what failed.
		if a.slower(recs[last].op) {
			return failurePlace{op: recs[last].op}
		}
	case s.Kind.Outgoing() && !hasAnswer(tr, last) && a.newlyFailing(cur[recs[last].op], base[recs[last].op], haveBase):
		if callee := a.calledService(s, recs[last].op); callee != "" && a.owedByCallee(edgeKey{s.Resource.Service, callee}, a.ops.list[recs[last].op].peer) {
			return failurePlace{op: -1, callee: callee}
		}
	}
	for i := last; i >= 0; i = tr.Parent(i) {
		if recs[i].outcome != failed {
			if i == last || silent(tr, recs, i) {
				continue
			}
			break
		}
		if a.newlyFailing(cur[recs[i].op], base[recs[i].op], haveBase) {
			return failurePlace{op: recs[i].op, coped: i != last && recs[last].outcome == failed}
		}
	}
	return failurePlace{op: recs[last].op}
}

// blameCallee adds the case against a service that left calls unanswered.
func (a *analysis) blameCallee(p failurePlace, calls map[int32]float64, cur, base map[int32]*opCount, share, strength float64) {
	c, b := opCount{}, opCount{}
	var callers []string
	for _, op := range sortedOps(calls) {
		if n := cur[op]; n != nil {
			c.n, c.bad = c.n+n.n, c.bad+n.bad
		}
		if n := base[op]; n != nil {
			b.n, b.bad = b.n+n.n, b.bad+n.bad
		}
		if s := a.ops.list[op].service; !slices.Contains(callers, s) {
			callers = append(callers, s)
		}
		a.blamedOps[op] += share * calls[op] / max(totalOf(calls), 1)
	}
	slices.Sort(callers)
	op := a.answerOf(calls)
	name := ""
	if op >= 0 {
		name = a.ops.list[op].name
	}
	text := fmt.Sprintf("%s of the failing requests began to fail where %s called it and got no answer: %s of these calls failed%s",
		percent(share), strings.Join(callers[:min(len(callers), 4)], ", "), percent(c.share()), a.whenHealthy(percent(b.share())))
	a.board.addOp(p.callee, name, "", op, Reason{Signal: "errors", Text: text, Value: c.share(), Baseline: b.share(), Weight: a.k.weight.errors * strength * a.surelyNew(c, b)})
	for _, op := range sortedOps(calls) {
		// Its callers are the next best guess: a network between them looks the same.
		o := &a.ops.list[op]
		a.board.addOp(o.service, o.name, p.callee, op, Reason{Signal: "errors", Text: fmt.Sprintf("%s failed without an answer of %s", o.name, p.callee),
			Value: calls[op], Weight: a.k.errors.reported * a.k.weight.errors * strength * calls[op] / max(totalOf(calls), 1)})
	}
}

// surelyNew is how sure it is that failures are more than chance: one failed call among sixty names
// nobody, whoever it was.
func (a *analysis) surelyNew(cur, base opCount) float64 {
	switch {
	case cur.bad == 0:
		return 1 // somebody gave up waiting for it
	case base.n == 0 || len(a.base.traces) == 0:
		return a.k.errors.sure.of(2 * math.Sqrt(cur.bad))
	}
	return a.k.errors.sure.of(zProportions(cur.bad, cur.n, base.bad, base.n))
}

func totalOf(m map[int32]float64) float64 {
	sum := 0.0
	for _, op := range sortedOps(m) {
		sum += m[op]
	}
	return sum
}

// blameOperation adds the case against the operation where failures began.
func (a *analysis) blameOperation(p failurePlace, origins map[int32]float64, cur, base map[int32]*opCount, share, strength float64) {
	op := &a.ops.list[p.op]
	c, b := cur[p.op], base[p.op]
	if c == nil {
		c = &opCount{}
	}
	if b == nil {
		b = &opCount{}
	}
	// How surely failing is new: the failing share beyond the healthy one.
	fresh := 1.0
	if len(a.base.traces) > 0 && b.n > 0 && c.bad > 0 {
		fresh = clamp01((c.share() - b.share()) / max(c.share(), 1e-9))
	}
	text := fmt.Sprintf("%s of the failing traces began to fail at %s: %s of its calls failed%s",
		percent(share), op.name, percent(c.share()), a.whenHealthy(percent(b.share())))
	if c.bad == 0 {
		text = fmt.Sprintf("%s of the failing traces gave up waiting for %s, which takes longer than when healthy", percent(share), label(op))
	}
	peer := ""
	if p.coped {
		lower := &a.ops.list[mostVoted(origins)]
		lc, lb := cur[mostVoted(origins)], base[mostVoted(origins)]
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
		Value: c.share(), Baseline: b.share(), Weight: a.k.weight.errors * strength * fresh * a.surelyNew(*c, *b)})
	if p.coped {
		// The call that is made is the handle for whoever mends the caller.
		lower := mostVoted(origins)
		if lo := &a.ops.list[lower]; lo.service == op.service {
			a.board.addOp(op.service, lo.name, lo.peer, lower, Reason{Signal: "handling",
				Text:  fmt.Sprintf("%s is the call whose failures %s no longer absorbs", label(lo), op.service),
				Value: share, Weight: a.k.errors.handling * a.k.weight.errors * share})
		}
	}
	a.blamedOps[p.op] += share
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
		next := a.waitedFor(tr, at)
		if next < 0 {
			return at
		}
		at = next
	}
}

// waitedFor is the child that a span spent its time waiting for, -1 when it spent it itself. What a
// call waits for is the callee's answer, however late the callee took the call up.
func (a *analysis) waitedFor(tr *telemetry.Trace, at int) int {
	s := tr.Spans[at]
	best, most := -1, int64(-1)
	for _, c := range tr.Children(at) {
		ch := tr.Spans[c]
		if ch.Kind == telemetry.KindConsumer || ch.Kind == telemetry.KindProducer {
			continue
		}
		if over := min(ch.End(), s.End()) - max(ch.Start, s.Start); over > most {
			best, most = c, over
		}
	}
	if best < 0 {
		return -1
	}
	if s.Kind == telemetry.KindClient && tr.Spans[best].Resource.Service != s.Resource.Service || float64(most) >= a.k.errors.waited*float64(s.Duration) {
		return best
	}
	return -1
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
