package localize

import (
	"fmt"
	"slices"
)

// groupKey is the calls of one operation under one parent.
type groupKey struct {
	parent int
	op     int32
}

// group is the sibling calls of one operation under one parent, by start.
type group struct {
	trace int
	groupKey
	calls []int
}

// siblings groups the outgoing calls of each trace of a window. A group is good until visit returns.
func siblings(w *window, visit func(g *group)) {
	var byKey handful[groupKey, int]
	var groups []group
	for t := range w.traces {
		tr, recs := &w.traces[t], w.recs[t]
		byKey.empty()
		groups = groups[:0]
		for _, i := range tr.Order() {
			if f := recs[i].facts; !f.kind().Outgoing() && !f.is(statement) {
				continue
			}
			k := groupKey{tr.Parent(i), recs[i].op}
			at := len(groups)
			if old := byKey.get(k); old != nil {
				at = *old
			} else {
				byKey.add(k, at)
				if at < cap(groups) { // with the room for calls that it had in the last trace
					groups = groups[:at+1]
					groups[at].trace, groups[at].groupKey, groups[at].calls = t, k, groups[at].calls[:0]
				} else {
					groups = append(groups, group{trace: t, groupKey: k})
				}
			}
			groups[at].calls = append(groups[at].calls, i)
		}
		for i := range groups {
			g := &groups[i]
			if len(g.calls) > 1 {
				slices.SortStableFunc(g.calls, func(a, b int) int { return compare(tr.Spans[a].Start, tr.Spans[b].Start) })
			}
			visit(g)
		}
	}
}

// retryStats is what one window shows of the retries of one operation.
type retryStats struct {
	parents, retrying, exhausted float64
	attempts, gaps, callers      []float64
	calls                        []attemptTime
	firstFailed                  float64
}

type attemptTime struct {
	start, end int64
	failed     bool
}

// retries measures repeated calls after failures.
func retries(w *window) map[int32]*retryStats {
	out := map[int32]*retryStats{}
	siblings(w, func(g *group) {
		tr, recs := &w.traces[g.trace], w.recs[g.trace]
		st := out[g.op]
		if st == nil {
			st = &retryStats{}
			out[g.op] = st
		}
		st.parents++
		failedBefore, again := false, 0
		last := false
		for n, i := range g.calls {
			bad := recs[i].outcome == failed
			s := tr.Spans[i]
			st.calls = append(st.calls, attemptTime{s.Start, s.End(), bad})
			if n == 0 && bad {
				st.firstFailed++
			}
			if failedBefore {
				prev := tr.Spans[g.calls[n-1]]
				if s.Start >= prev.End() { // one after the other, not side by side
					again++
					st.gaps = append(st.gaps, float64(s.Start-prev.End())/1e9)
				}
			}
			failedBefore, last = bad, bad
		}
		if again == 0 {
			return
		}
		st.retrying++
		st.attempts = append(st.attempts, float64(again+1))
		if last {
			st.exhausted++
		}
		if g.parent >= 0 {
			st.callers = append(st.callers, tr.Spans[g.parent].Duration.Seconds())
		}
	})
	return out
}

// outages measures how long a peer kept failing: from the start of a failure after a success to
// the next success.
func outages(calls []attemptTime) []float64 {
	slices.SortFunc(calls, func(a, b attemptTime) int { return compare(a.end, b.end) })
	var out []float64
	begin := int64(-1)
	lastEnd := int64(0)
	for _, c := range calls {
		switch {
		case c.failed && begin < 0:
			begin, lastEnd = c.start, c.end
		case c.failed:
			lastEnd = c.end
		case begin >= 0:
			out = append(out, float64(lastEnd-begin)/1e9)
			begin = -1
		}
	}
	if begin >= 0 {
		out = append(out, float64(lastEnd-begin)/1e9)
	}
	slices.Sort(out)
	return out
}

// findRetries looks for retry bursts. What makes a burst a suspect is the change of handling
// (shorter pauses, more attempts, more parents that give up), not the failures of the peer.
func (a *analysis) findRetries() {
	k := &a.k.shape
	cur, base := both(a, retries)
	for _, id := range sortedOps(cur) {
		st := cur[id]
		if st.retrying < k.retrying {
			continue
		}
		op := &a.ops.list[id]
		slices.Sort(st.attempts)
		slices.Sort(st.callers)
		out := outages(st.calls)
		v := map[string]float64{
			"attempts": quantile(st.attempts, 0.95), "gap_seconds": median(st.gaps),
			"exhausted_ratio": st.exhausted / st.retrying, "caller_p95_seconds": quantile(st.callers, 0.95),
			"first_failure_ratio": st.firstFailed / st.parents,
		}
		if len(out) > 0 {
			v["outage_p95_seconds"], v["outage_max_seconds"] = quantile(out, 0.95), out[len(out)-1]
		}
		handling := 0.0
		words := ""
		if b := base[id]; b != nil && b.retrying >= k.retrying {
			v["baseline_gap_seconds"] = median(b.gaps)
			v["baseline_first_failure_ratio"] = b.firstFailed / b.parents
			worse := zProportions(st.exhausted, st.retrying, b.exhausted, b.retrying)
			quicker := cliff(b.gaps, st.gaps)
			if st.firstFailed/st.parents > a.k.errors.ratio*b.firstFailed/b.parents {
				worse = 0 // it gives up more often since more fails, not since it tries less
			}
			if quicker > k.quickerLeast || worse > k.worseLeast {
				handling = max(k.quicker.of(quicker), k.worse.of(worse))
				words = fmt.Sprintf("; when healthy it paused %s and gave up in %s", seconds(median(b.gaps)), percent(b.exhausted/b.retrying))
			}
		} else if st.exhausted > 0 {
			handling = k.alone * st.exhausted / st.retrying
		}
		c := a.board.of(op.service)
		text := fmt.Sprintf("%s calls %s up to %.0f times in a row while it fails, with pauses of %s, and gives up in %s of such requests%s",
			op.service, nonEmpty(op.peer, op.name), v["attempts"], seconds(v["gap_seconds"]), percent(v["exhausted_ratio"]), words)
		c.pattern = append(c.pattern, Pattern{Kind: PatternRetryBurst, Text: text, Values: v, Detail: a.parentDetail(details(op), id)})
		a.board.addOp(op.service, op.name, op.peer, id, Reason{Signal: "shape", Text: text, Value: v["gap_seconds"], Baseline: v["baseline_gap_seconds"],
			Weight: 2 * a.k.weight.shape * handling})
		if handling > k.absorbed {
			a.handling[edgeKey{op.service, op.peer}] = max(a.handling[edgeKey{op.service, op.peer}], handling)
		}
	}
}
