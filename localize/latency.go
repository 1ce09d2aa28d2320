package localize

import (
	"fmt"
	"math"
	"slices"

	"github.com/remediator/remediator/telemetry"
)

// pathShare is the mean time per trace that each operation holds up the trace, in seconds.
type pathShare map[int32]float64

// pathShares averages the critical paths of the traces that keep lets through, per root
// operation.
func pathShares(w *window, keep func(t int, o *traceRec) bool) (map[int32]pathShare, map[int32]float64) {
	sums, counts := map[int32]pathShare{}, map[int32]float64{}
	of := func(root int32) pathShare {
		s := sums[root]
		if s == nil {
			s = pathShare{}
			sums[root] = s
		}
		counts[root]++
		return s
	}
	for t := range w.traces {
		if !keep(t, &w.outcomes[t]) {
			continue
		}
		s := of(w.outcomes[t].op)
		if len(w.async) > 0 {
			below(&w.traces[t], w.outcomes[t].root, func(i int) {
				if p := w.recs[t][i].path; p > 0 {
					s[w.recs[t][i].op] += float64(p) / 1e9
				}
			})
			continue
		}
		for i := range w.recs[t] {
			if p := w.recs[t][i].path; p > 0 {
				s[w.recs[t][i].op] += float64(p) / 1e9
			}
		}
	}
	for n := range w.async {
		o := &w.async[n]
		if !keep(int(o.trace), &o.traceRec) {
			continue
		}
		s, recs := of(o.op), w.recs[o.trace]
		below(&w.traces[o.trace], o.root, func(i int) {
			if p := recs[i].path; p > 0 {
				s[recs[i].op] += float64(p) / 1e9
			}
		})
	}
	for root, s := range sums {
		for op := range s {
			s[op] /= counts[root]
		}
	}
	return sums, counts
}

// excess is the time an operation adds to the critical path.
type excess struct {
	op        int32
	added     float64 // seconds per slow trace, over all root operations, weighted by traces
	cur, base float64
}

// findLatency compares self time on the critical path of the slow traces with that of the
// healthy ones of the same root operation. What was added is split among the operations that
// added it, and the share is the evidence (the differential view of CRISP, section 5, and of
// TraceDiff).
func (a *analysis) findLatency() {
	var slow, healthy map[int32]pathShare
	var counts map[int32]float64
	beside(
		func() {
			slow, counts = pathShares(a.cur, func(t int, o *traceRec) bool { return o.slow && a.cur.traces[t].Start() >= a.onset })
		},
		func() { healthy, _ = pathShares(a.base, func(int, *traceRec) bool { return true }) },
	)
	total := 0.0
	byOp := map[int32]*excess{}
	// Sums of floating-point numbers depend on their order, so it is fixed.
	for _, root := range sortedOps(slow) {
		s, h := slow[root], healthy[root]
		if h == nil {
			continue
		}
		for _, op := range sortedOps(s) {
			cur, base := s[op], h[op]
			added := (cur - base) * counts[root]
			if added <= 0 {
				continue
			}
			e := byOp[op]
			if e == nil {
				e = &excess{op: op}
				byOp[op] = e
			}
			e.added += added
			e.cur += cur * counts[root]
			e.base += base * counts[root]
			total += added
		}
	}
	traces := 0.0
	for _, n := range counts {
		traces += n
	}
	if total == 0 || traces == 0 {
		return
	}
	list := make([]*excess, 0, len(byOp))
	for _, e := range byOp {
		list = append(list, e)
	}
	slices.SortFunc(list, func(x, y *excess) int {
		if x.added != y.added {
			return int(math.Copysign(1, y.added-x.added))
		}
		return int(x.op - y.op)
	})
	// The evidence is only as good as the slowness: one slow trace in a hundred is healthy.
	sure := a.k.latency.sure.of(a.worstSlow)
	for _, e := range list {
		share := e.added / total
		if share < a.k.latency.least {
			break
		}
		op := &a.ops.list[e.op]
		service, peer, what := op.service, "", "its own time"
		if op.kind.Outgoing() {
			peer = op.peer
			if callee := a.callee(e.op); callee != "" {
				// Time between the caller's and the callee's view of a call: see network.go.
				service, what = a.slowerEnd(e.op, callee), fmt.Sprintf("time between %s and %s", op.service, callee)
				peer = callee
			} else {
				what = "waiting for " + nonEmpty(op.peer, "the callee")
				if a.callsSlower(e.op) { // and not merely more of them
					a.peerSlowed[edgeKey{op.service, op.peer}] += share
				}
			}
		}
		a.board.addOp(service, op.name, peer, e.op, Reason{Signal: "latency",
			Text: fmt.Sprintf("%s: %s makes up %s of the time added to slow traces (%s instead of %s per trace)",
				op.name, what, percent(share), seconds(e.cur/traces), seconds(e.base/traces)),
			Value: e.cur / traces, Baseline: e.base / traces, Weight: a.k.weight.latency * math.Sqrt(share) * sure})
		a.blamedOps[e.op] += share
	}
}

// callsSlower says that single calls of an operation last clearly longer than when healthy.
func (a *analysis) callsSlower(op int32) bool {
	durations := func(w *window, from int64) (out []float64) {
		for t := range w.recs {
			for i := range w.recs[t] {
				if w.recs[t][i].op != op {
					continue
				}
				if s := w.traces[t].Spans[i]; s.Start >= from {
					if out = append(out, s.Duration.Seconds()); len(out) == 5000 {
						return out
					}
				}
			}
		}
		return out
	}
	cur, base := both(a, func(w *window) []float64 { return durations(w, a.since(w)) })
	return len(base) == 0 || cliff(cur, base) > a.k.latency.delta || quantile(sorted(cur), 0.95) > a.k.latency.tail*quantile(sorted(base), 0.95)
}

// callee is the service that answers calls of an outgoing operation, "" when it sends no spans.
func (a *analysis) callee(op int32) string { return a.callees[op] }

// findCallees notes which service answers each outgoing operation.
func (a *analysis) findCallees() {
	type callee struct {
		op   int32
		span *telemetry.Span
	}
	last := make([]callee, len(a.ops.list)) // the last that was seen of each operation
	for _, w := range []*window{a.base, a.cur} {
		for t := range w.traces {
			tr, recs := &w.traces[t], w.recs[t]
			for i, s := range tr.Spans {
				if p := tr.Parent(i); recs[i].facts.is(crossing) && recs[p].facts.kind().Outgoing() {
					last[recs[p].op] = callee{recs[i].op, s}
				}
			}
		}
	}
	for op, c := range last {
		if c.span == nil {
			continue
		}
		a.callees[int32(op)] = c.span.Resource.Service // an operation's number
		if a.calleeOps != nil {
			a.calleeOps[int32(op)] = c.op
		}
	}
}
