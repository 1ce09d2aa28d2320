package localize

import (
	"fmt"
	"slices"

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

// findPlain adds the shapes that fit when no other does: the operation answers with errors, or
// its own time grew.
func (a *analysis) findPlain() {
	cur, base := a.opCounts()
	for _, id := range sortedOps(cur) {
		op := &a.ops.list[id]
		c := cur[id]
		b := base[id]
		if b == nil {
			b = &opCount{}
		}
		if a.blamedOps[id] < a.k.errors.least {
			continue
		}
		if c.bad > 0 && a.newlyFailing(c, base[id], len(a.base.traces) > 0) {
			p := Pattern{Kind: PatternErrorReturned, Text: fmt.Sprintf("%s of %s fail%s", percent(c.share()), op.name, a.whenHealthy(percent(b.share()))),
				Values: map[string]float64{"ratio": c.share(), "baseline_ratio": b.share()}, Detail: map[string]string{"operation": op.name}}
			a.board.of(op.service).pattern = append(a.board.of(op.service).pattern, p)
		}
	}
	slow, _ := pathShares(a.cur, func(_ int, o *traceRec) bool { return o.slow })
	healthy, _ := pathShares(a.base, func(int, *traceRec) bool { return true })
	own := map[int32][2]float64{}
	for root, s := range slow {
		for op, v := range s {
			if h := healthy[root][op]; v > a.k.latency.self*h && v-h > own[op][0]-own[op][1] {
				own[op] = [2]float64{v, h}
			}
		}
	}
	for _, id := range sortedOps(own) {
		op := &a.ops.list[id]
		if a.blamedOps[id] < a.k.latency.selfLeast || op.kind.Outgoing() {
			continue
		}
		v := own[id]
		c := a.board.of(op.service)
		c.pattern = append(c.pattern, Pattern{Kind: PatternSlowSelf,
			Text:   fmt.Sprintf("%s itself takes %s of a slow request%s", op.name, seconds(v[0]), a.whenHealthy(seconds(v[1]))),
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

// whenHealthy ends a sentence about traces with what was so when healthy, and with nothing where no healthy trace tells.
func (a *analysis) whenHealthy(what string) string {
	if len(a.base.traces) == 0 {
		return ""
	}
	return ", " + what + " when healthy"
}
