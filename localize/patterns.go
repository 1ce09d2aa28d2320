package localize

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// Patterns are found per operation in the incident and measured against the baseline. The keys
// of Pattern.Values (seconds, shares 0..1, counts) and Pattern.Detail are:
//
//	retry_burst     Values: attempts (most calls of a failing parent, 95th percentile),
//	                gap_seconds (median pause between the end of a failed call and the next),
//	                baseline_gap_seconds (the same when healthy, if there were retries),
//	                outage_p95_seconds, outage_max_seconds (how long the peer kept failing, from a
//	                first failure to the next success, as its caller saw it), exhausted_ratio
//	                (retrying parents whose last call failed too), caller_p95_seconds (of those
//	                parents), first_failure_ratio, baseline_first_failure_ratio.
//	                Detail: peer, operation, method, route, parent.
//	unbounded_call  Values: p99_baseline_seconds, max_seconds, slow_ratio. Detail: peer, operation,
//	                method, route.
//	pool_wait       Values: max (connections), wait_p95_seconds, use_p95_seconds, demand_per_second,
//	                pending; those that the data shows. Detail: pool, peer.
//	repeated_query  Values: per_parent, baseline_per_parent. Detail: statement, parent, peer.
//	exception       Values: count. Detail: type, message_template, file, line, function,
//	                namespace, frames (JSON list of {file,line,function,namespace,library}).
//	error_returned  Values: ratio, baseline_ratio. Detail: status, operation.
//	slow_self       Values: seconds, baseline_seconds. Detail: operation.

// details names the request an outgoing operation makes.
func details(op *operation) map[string]string {
	d := map[string]string{"operation": op.name}
	set := func(k, v string) {
		if v != "" {
			d[k] = v
		}
	}
	set("peer", op.peer)
	set("method", op.sample.Attrs.First(telemetry.AttrHTTPMethod, telemetry.AttrRPCMethod))
	set("route", op.sample.Route())
	return d
}

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

// siblings groups the outgoing calls of each trace of a window.
func siblings(w *window, visit func(g *group)) {
	byKey := map[groupKey]int{}
	var groups []group
	for t := range w.traces {
		tr, recs := &w.traces[t], w.recs[t]
		clear(byKey)
		groups = groups[:0]
		for _, i := range tr.Order() {
			if !tr.Spans[i].Kind.Outgoing() && !hasStatement(tr.Spans[i]) {
				continue
			}
			k := groupKey{tr.Parent(i), recs[i].op}
			at, ok := byKey[k]
			if !ok {
				at = len(groups)
				byKey[k] = at
				groups = append(groups, group{trace: t, groupKey: k})
			}
			groups[at].calls = append(groups[at].calls, i)
		}
		for i := range groups {
			g := &groups[i]
			slices.SortStableFunc(g.calls, func(a, b int) int { return compare(tr.Spans[a].Start, tr.Spans[b].Start) })
			visit(g)
		}
	}
}

func hasStatement(s *telemetry.Span) bool { return s.Attrs.Get(telemetry.AttrDBSystem) != "" }

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
	cur, base := retries(a.cur), retries(a.base)
	for _, id := range sortedOps(cur) {
		st := cur[id]
		if st.retrying < 3 {
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
		if b := base[id]; b != nil && b.retrying >= 3 {
			v["baseline_gap_seconds"] = median(b.gaps)
			v["baseline_first_failure_ratio"] = b.firstFailed / b.parents
			worse := zProportions(st.exhausted, st.retrying, b.exhausted, b.retrying)
			quicker := cliff(b.gaps, st.gaps)
			if quicker > 0.3 || worse > 3 {
				handling = max(ramp(quicker, 0.2, 0.8), ramp(worse, 2, 6))
				words = fmt.Sprintf("; when healthy it paused %s and gave up in %s", seconds(median(b.gaps)), percent(b.exhausted/b.retrying))
			}
		} else if st.exhausted > 0 {
			handling = 0.3 * st.exhausted / st.retrying
		}
		c := a.board.of(op.service)
		text := fmt.Sprintf("%s calls %s up to %.0f times in a row while it fails, with pauses of %s, and gives up in %s of such requests%s",
			op.service, nonEmpty(op.peer, op.name), v["attempts"], seconds(v["gap_seconds"]), percent(v["exhausted_ratio"]), words)
		c.pattern = append(c.pattern, Pattern{Kind: PatternRetryBurst, Text: text, Values: v, Detail: a.parentDetail(details(op), id)})
		a.board.addOp(op.service, op.name, op.peer, id, Reason{Signal: "shape", Text: text, Value: v["gap_seconds"], Baseline: v["baseline_gap_seconds"],
			Weight: 2 * weightShape * handling})
		if handling > 0.2 {
			a.handling[edgeKey{op.service, op.peer}] = max(a.handling[edgeKey{op.service, op.peer}], handling)
		}
	}
}

// parentDetail adds the operation that makes the calls.
func (a *analysis) parentDetail(d map[string]string, op int32) map[string]string {
	if p := a.parentOf(op); p >= 0 {
		d["parent"] = a.ops.list[p].name
	}
	return d
}

// parentOf is the operation whose spans are the parents of an operation's in the incident, the
// most frequent one; -1 for none.
func (a *analysis) parentOf(op int32) int32 {
	votes := map[int32]float64{}
	seen := 0
	for t := range a.cur.recs {
		for i := range a.cur.recs[t] {
			if a.cur.recs[t][i].op != op {
				continue
			}
			if p := a.cur.traces[t].Parent(i); p >= 0 {
				votes[a.cur.recs[t][p].op]++
			}
			if seen++; seen >= 500 {
				return mostVoted(votes)
			}
		}
	}
	return mostVoted(votes)
}

// findUnbounded looks for calls that last far beyond the healthy tail. A call that ends by
// itself after many times its healthy 99th percentile had no deadline near it.
func (a *analysis) findUnbounded() {
	collect := func(w *window, from int64) map[int32][]float64 {
		out := map[int32][]float64{}
		for t := range w.traces {
			for i, s := range w.traces[t].Spans {
				// A call that its caller gave up on had a deadline.
				if s.Kind == telemetry.KindClient && s.Start >= from && !(w.recs[t][i].outcome == failed && gaveUp(s)) {
					out[w.recs[t][i].op] = append(out[w.recs[t][i].op], s.Duration.Seconds())
				}
			}
		}
		return out
	}
	cur, base := collect(a.cur, a.onset), collect(a.base, 0)
	for _, id := range sortedOps(cur) {
		b := base[id]
		if len(b) < enough {
			continue
		}
		slices.Sort(b)
		p99 := quantile(b, 0.99)
		limit := max(5*p99, p99+0.5)
		slow, longest := 0.0, 0.0
		for _, d := range cur[id] {
			if d > limit {
				slow++
			}
			longest = max(longest, d)
		}
		if slow < 3 || a.callees[id] != "" && a.explainedBelow(id) {
			continue
		}
		op := &a.ops.list[id]
		ratio := slow / float64(len(cur[id]))
		text := fmt.Sprintf("%s of the calls of %s last longer than %s, up to %s; the healthy 99th percentile is %s",
			percent(ratio), label(op), seconds(limit), seconds(longest), seconds(p99))
		c := a.board.of(op.service)
		c.pattern = append(c.pattern, Pattern{Kind: PatternUnboundedCall, Text: text, Detail: a.parentDetail(details(op), id),
			Values: map[string]float64{"p99_baseline_seconds": p99, "max_seconds": longest, "slow_ratio": ratio}})
		a.board.addOp(op.service, op.name, op.peer, id, Reason{Signal: "shape", Text: text, Value: longest, Baseline: p99, Weight: weightShape})
	}
}

// explainedBelow says that calls of an operation are long because the callee's own spans are.
func (a *analysis) explainedBelow(op int32) bool {
	own, below := 0.0, 0.0
	for t := range a.cur.recs {
		tr := &a.cur.traces[t]
		for i := range a.cur.recs[t] {
			if a.cur.recs[t][i].op != op {
				continue
			}
			own += tr.Spans[i].Duration.Seconds()
			for _, c := range tr.Children(i) {
				below += tr.Spans[c].Duration.Seconds()
			}
		}
	}
	return below > 0.7*own
}

// findRepeated looks for one parent issuing the same statement or call many times more than
// when healthy.
func (a *analysis) findRepeated() {
	tally := func(w *window) (perParent map[groupKey2][]float64) {
		perParent = map[groupKey2][]float64{}
		group := func(t, parent int, op int32, n int) {
			if parent < 0 {
				return
			}
			k := groupKey2{w.recs[t][parent].op, op}
			perParent[k] = append(perParent[k], float64(n))
		}
		for t := range w.traces {
			tr, recs := &w.traces[t], w.recs[t]
			for p := range tr.Spans {
				counts := map[int32]int{}
				for _, c := range tr.Children(p) {
					// A failed call that is made again is a retry, not a repetition.
					if recs[c].outcome != failed {
						counts[recs[c].op]++
					}
				}
				for op, n := range counts {
					group(t, p, op, n)
				}
			}
		}
		return perParent
	}
	cur, base := tally(a.cur), tally(a.base)
	keys := make([]groupKey2, 0, len(cur))
	for k := range cur {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y groupKey2) int {
		if x.parent != y.parent {
			return int(x.parent - y.parent)
		}
		return int(x.op - y.op)
	})
	for _, k := range keys {
		n := sorted(cur[k])
		p90 := quantile(n, 0.9)
		if p90 < 5 {
			continue
		}
		b := sorted(base[k])
		pb := quantile(b, 0.9)
		if len(b) > 0 && p90 < 2*pb {
			continue
		}
		if len(b) == 0 && len(a.base.traces) > 0 && p90 < 8 {
			continue
		}
		op, parent := &a.ops.list[k.op], &a.ops.list[k.parent]
		if op.service == parent.service && !op.kind.Outgoing() && !op.database {
			continue // inner steps, not calls
		}
		d := map[string]string{"parent": parent.name, "statement": firstNonEmpty(op.sample.Attrs.Get(telemetry.AttrDBQuery), op.name)}
		if op.peer != "" {
			d["peer"] = op.peer
		} else if op.service != parent.service {
			d["peer"] = op.service
		}
		text := fmt.Sprintf("%s runs %s %.0f times per request, %.3g times when healthy", parent.name, op.name, p90, pb)
		if len(a.base.traces) == 0 {
			text = fmt.Sprintf("%s runs %s %.0f times per request", parent.name, op.name, p90)
		}
		c := a.board.of(parent.service)
		c.pattern = append(c.pattern, Pattern{Kind: PatternRepeatedQuery, Text: text, Detail: d,
			Values: map[string]float64{"per_parent": p90, "baseline_per_parent": pb}})
		a.board.addOp(parent.service, parent.name, d["peer"], k.parent, Reason{Signal: "repeated", Text: text, Value: p90, Baseline: pb,
			Weight: 2 * weightShape * ramp(math.Log(p90/max(pb, 1)), 0.5, 2)})
	}
}

type groupKey2 struct{ parent, op int32 }

// thrown is one kind of exception at one service.
type thrown struct {
	service, typ, message string
	op                    int32
	cur, base             float64
	frames                []frame
}

// findExceptions gathers exceptions from span events and log records, and weighs those that
// became more frequent where they were thrown first: in the innermost span.
func (a *analysis) findExceptions() {
	byKey := map[string]*thrown{}
	see := func(service string, op int32, typ, message, stack string, current bool) {
		message = strings.Join(tokenize(message), " ")
		frames := ownFrames(parseStack(stack))
		place := ""
		if len(frames) > 0 {
			place = frames[0].File + ":" + strconv.Itoa(frames[0].Line) + frames[0].Function
		}
		key := service + "\x00" + typ + "\x00" + place
		if place == "" {
			key += shorten(message, 60)
		}
		x := byKey[key]
		if x == nil {
			if len(byKey) > 5000 {
				return
			}
			x = &thrown{service: service, typ: typ, message: shorten(message, 200), op: op, frames: frames}
			byKey[key] = x
		}
		if current {
			x.cur++
		} else {
			x.base++
		}
	}
	for _, w := range []*window{a.base, a.cur} {
		for t := range w.traces {
			tr, recs := &w.traces[t], w.recs[t]
			for i, s := range tr.Spans {
				e := s.Exception()
				if e == nil || childThrew(tr, i) || recs[i].outcome == refused {
					continue
				}
				see(s.Resource.Service, recs[i].op, e.Attrs.Get(telemetry.AttrExceptionType), e.Attrs.Get(telemetry.AttrExceptionMsg),
					e.Attrs.Get(telemetry.AttrExceptionStack), w == a.cur)
			}
		}
		for i := range w.ds.Logs {
			l := &w.ds.Logs[i]
			if !isThrown(l) {
				continue
			}
			typ, message, stack := l.Attrs.Get(telemetry.AttrExceptionType), l.Attrs.Get(telemetry.AttrExceptionMsg), l.Attrs.Get(telemetry.AttrExceptionStack)
			if typ == "" {
				typ, message = typeOfBody(l.Body)
			}
			if stack == "" {
				stack = l.Body
			}
			op := int32(-1)
			if k := w.links[i]; k.Span >= 0 && k.Tie == telemetry.BySpan {
				op = w.recs[k.Trace][k.Span].op
			}
			see(l.Resource.Service, op, typ, message, stack, w == a.cur)
		}
	}
	keys := make([]string, 0, len(byKey))
	for k := range byKey {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		x := byKey[k]
		z := zRate(x.cur, a.cur.seconds(), x.base, a.base.seconds())
		if x.base == 0 || a.base.empty() {
			z = max(z, math.Sqrt(x.cur)+0.5)
		}
		if x.cur == 0 || z < 2 {
			continue
		}
		a.addException(x, ramp(z, 1.5, 4))
	}
}

func (a *analysis) addException(x *thrown, sure float64) {
	d := map[string]string{"type": x.typ, "message_template": x.message}
	where := ""
	if len(x.frames) > 0 {
		f := x.frames[0]
		d["file"], d["function"], d["namespace"] = f.File, f.Function, f.Namespace
		if f.Line > 0 {
			d["line"] = strconv.Itoa(f.Line)
		}
		if b, err := json.Marshal(x.frames[:min(len(x.frames), 12)]); err == nil {
			d["frames"] = string(b)
		}
		where = fmt.Sprintf(" at %s:%d in %s", f.File, f.Line, f.Function)
	}
	for k, v := range d {
		if v == "" {
			delete(d, k)
		}
	}
	text := fmt.Sprintf("%s is thrown %.0f times%s: %q", nonEmpty(x.typ, "an exception"), x.cur, where, shorten(x.message, 120))
	if x.base == 0 && !a.base.empty() {
		text += ", never when healthy"
	}
	c := a.board.of(x.service)
	c.pattern = append(c.pattern, Pattern{Kind: PatternException, Text: text, Detail: d, Values: map[string]float64{"count": x.cur}})
	// An exception that tells of a callee that failed is thrown by the victim.
	weight := weightThrown * sure
	if isCallFailure(x.typ, x.message) {
		weight *= 0.2
	}
	name := ""
	if x.op >= 0 {
		name = a.ops.list[x.op].name
	}
	a.board.addOp(x.service, name, "", x.op, Reason{Signal: "exception", Text: text, Value: x.cur, Baseline: x.base, Weight: weight})
	for n, f := range x.frames[:min(len(x.frames), 8)] {
		c.hints = append(c.hints, Hint{Kind: HintFrame, File: f.File, Line: f.Line, Function: f.Function, Namespace: f.Namespace,
			Weight: sure * math.Pow(0.8, float64(n))})
	}
}

// isCallFailure says that an exception only reports what a call brought back.
func isCallFailure(typ, message string) bool {
	t := strings.ToLower(typ + " " + message)
	for _, w := range []string{"timeout", "timed out", "deadline exceeded", "connection refused", "connecterror", "connection reset", "upstream", "httperror", "httpstatuserror", "unavailable", "bad gateway", "status 5", "returned 5", "httpserver", "resttemplate", "feignexception"} {
		if strings.Contains(t, w) {
			return true
		}
	}
	return false
}

// childThrew says that a child of span i carries an exception too: span i passed it on.
func childThrew(tr *telemetry.Trace, i int) bool {
	for _, c := range tr.Children(i) {
		if tr.Spans[c].Exception() != nil {
			return true
		}
	}
	return false
}

// typeOfBody finds type and message of an exception in the text of a log record.
func typeOfBody(body string) (typ, message string) {
	line := body
	if strings.Contains(body, "Traceback (most recent call last)") {
		lines := strings.Split(strings.TrimSpace(body), "\n")
		line = lines[len(lines)-1]
	} else {
		line, _, _ = strings.Cut(body, "\n")
	}
	line = strings.TrimPrefix(strings.TrimSpace(line), "Uncaught ")
	if strings.HasPrefix(line, "panic: ") {
		return "panic", strings.TrimPrefix(line, "panic: ")
	}
	if t, m, ok := strings.Cut(line, ": "); ok && !strings.ContainsAny(t, " \t") && len(t) < 120 {
		return t, m
	}
	return "", line
}

// findPlain adds the shapes that fit when no other does: the operation answers with errors, or
// its own time grew.
func (a *analysis) findPlain() {
	cur, base := countOps(a.cur, a.onset), countOps(a.base, 0)
	for _, id := range sortedOps(cur) {
		op := &a.ops.list[id]
		c := cur[id]
		b := base[id]
		if b == nil {
			b = &opCount{}
		}
		if a.blamedOps[id] < 0.05 {
			continue
		}
		if c.bad > 0 && newlyFailing(c, base[id], len(a.base.traces) > 0) {
			p := Pattern{Kind: PatternErrorReturned, Text: fmt.Sprintf("%s of %s fail, %s when healthy", percent(c.share()), op.name, percent(b.share())),
				Values: map[string]float64{"ratio": c.share(), "baseline_ratio": b.share()}, Detail: map[string]string{"operation": op.name}}
			a.board.of(op.service).pattern = append(a.board.of(op.service).pattern, p)
		}
	}
	slow, _ := pathShares(a.cur, func(t int) bool { return a.cur.outcomes[t].slow })
	healthy, _ := pathShares(a.base, func(int) bool { return true })
	own := map[int32][2]float64{}
	for root, s := range slow {
		for op, v := range s {
			if h := healthy[root][op]; v > 2*h && v-h > own[op][0]-own[op][1] {
				own[op] = [2]float64{v, h}
			}
		}
	}
	for _, id := range sortedOps(own) {
		op := &a.ops.list[id]
		if a.blamedOps[id] < 0.1 || op.kind.Outgoing() {
			continue
		}
		v := own[id]
		c := a.board.of(op.service)
		c.pattern = append(c.pattern, Pattern{Kind: PatternSlowSelf,
			Text:   fmt.Sprintf("%s itself takes %s of a slow request, %s when healthy", op.name, seconds(v[0]), seconds(v[1])),
			Values: map[string]float64{"seconds": v[0], "baseline_seconds": v[1]}, Detail: map[string]string{"operation": op.name}})
	}
}

// patternWords are the words that the shapes add to what is seen, for judging changes.
func (a *analysis) patternWords() []string {
	var out []string
	for _, c := range a.board.cases {
		for _, p := range c.pattern {
			switch p.Kind {
			case PatternRetryBurst:
				out = append(out, "retry attempt backoff")
			case PatternUnboundedCall:
				out = append(out, "timeout deadline")
			case PatternPoolWait:
				out = append(out, "pool connection acquire")
			case PatternRepeatedQuery:
				out = append(out, "query queries select rows", p.Detail["statement"])
			case PatternException:
				out = append(out, p.Detail["type"], p.Detail["function"], p.Detail["message_template"], p.Detail["file"])
			}
		}
	}
	slices.Sort(out)
	return out
}

func sortedOps[V any](m map[int32]V) []int32 {
	out := make([]int32, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func nonEmpty(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

func firstNonEmpty(s ...string) string {
	for _, x := range s {
		if x != "" {
			return x
		}
	}
	return ""
}
