package localize

import (
	"fmt"
	"slices"

	"github.com/remediator/remediator/telemetry"
)

// findUnbounded looks for calls that last far beyond the healthy tail. A call that ends by
// itself after many times its healthy 99th percentile had no deadline near it.
func (a *analysis) findUnbounded() {
	collect := func(w *window, from int64) map[int32][]float64 {
		times := make([][]float64, len(a.ops.list))
		for t := range w.traces {
			for i, s := range w.traces[t].Spans {
				// A call that its caller gave up on had a deadline.
				if w.recs[t][i].facts.kind() == telemetry.KindClient && s.Start >= from && !(w.recs[t][i].outcome == failed && gaveUp(s)) {
					op := w.recs[t][i].op
					times[op] = append(times[op], s.Duration.Seconds())
				}
			}
		}
		out := map[int32][]float64{}
		for op, v := range times {
			if v != nil {
				out[int32(op)] = v // an operation's number
			}
		}
		return out
	}
	cur, base := both(a, func(w *window) map[int32][]float64 { return collect(w, a.since(w)) })
	var explained map[int32]bool
	for _, id := range sortedOps(cur) {
		b := base[id]
		if float64(len(b)) < a.k.window.enough {
			continue
		}
		slices.Sort(b)
		p99 := quantile(b, 0.99)
		limit := max(a.k.shape.longRatio*p99, p99+a.k.shape.longSeconds)
		slow, longest := 0.0, 0.0
		for _, d := range cur[id] {
			if d > limit {
				slow++
			}
			longest = max(longest, d)
		}
		if slow < a.k.shape.long {
			continue
		}
		if explained == nil {
			explained = a.explainedBelow()
		}
		if a.callees[id] != "" && explained[id] {
			continue
		}
		a.unbounded[id] = true
		op := &a.ops.list[id]
		ratio := slow / float64(len(cur[id]))
		text := fmt.Sprintf("%s of the calls of %s last longer than %s, up to %s; the healthy 99th percentile is %s",
			percent(ratio), label(op), seconds(limit), seconds(longest), seconds(p99))
		c := a.board.of(op.service)
		c.pattern = append(c.pattern, Pattern{Kind: PatternUnboundedCall, Text: text, Detail: a.parentDetail(details(op), id),
			Values: map[string]float64{"p99_baseline_seconds": p99, "max_seconds": longest, "slow_ratio": ratio}})
		a.board.addOp(op.service, op.name, op.peer, id, Reason{Signal: "shape", Text: text, Value: longest, Baseline: p99, Weight: a.k.weight.shape})
	}
}

// explainedBelow are the operations whose calls are long because the callee's own spans are.
func (a *analysis) explainedBelow() map[int32]bool {
	type times struct{ own, below float64 }
	byOp := map[int32]times{}
	for t := range a.cur.recs {
		tr := &a.cur.traces[t]
		for i := range a.cur.recs[t] {
			x := byOp[a.cur.recs[t][i].op]
			x.own += tr.Spans[i].Duration.Seconds()
			for _, c := range tr.Children(i) {
				x.below += tr.Spans[c].Duration.Seconds()
			}
			byOp[a.cur.recs[t][i].op] = x
		}
	}
	out := map[int32]bool{}
	for op, x := range byOp {
		out[op] = x.below > a.k.shape.below*x.own
	}
	return out
}
