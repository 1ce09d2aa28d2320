package replay

import (
	"slices"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// minTail is how many calls of the healthy window have to outlast the caller's patience before they are taken
// for what it did not wait for.
const minTail = 5

// uncensor finds out what became of calls that the caller gave up on, where that can be known. Such a call is a censored
// observation: it would have lasted at least as long. If about as large a share of requests made a call of that length when all was
// well, and those calls ended, then the dependency is as it always was and the caller lost patience: the
// call gets one of those latencies and the status that went with it (Efron's redistribution to the right, 1967, with the
// healthy window as the sample). Otherwise the dependency did change, and the call hangs.
func uncensor(calls, healthy []outgoingCall) {
	type route struct{ peer, method, route string }
	of := func(c *outgoingCall) route { return route{c.peer, c.call.Method, c.call.Route} }
	given := map[route]time.Duration{} // the shortest patience seen
	requests, impatient := map[route]map[telemetry.TraceID]bool{}, map[route]map[telemetry.TraceID]bool{}
	note := func(m map[route]map[telemetry.TraceID]bool, r route, t telemetry.TraceID) {
		if m[r] == nil {
			m[r] = map[telemetry.TraceID]bool{}
		}
		m[r][t] = true
	}
	for i := range calls {
		c, r := &calls[i], of(&calls[i])
		note(requests, r, c.trace)
		if c.call.TimedOut {
			note(impatient, r, c.trace)
			if d, ok := given[r]; !ok || c.call.Latency < d {
				given[r] = c.call.Latency
			}
		}
	}
	before, longer := map[route]map[telemetry.TraceID]bool{}, map[route]map[telemetry.TraceID]bool{}
	tails := map[route][]RecordedCall{}
	for i := range healthy {
		c, r := &healthy[i], of(&healthy[i])
		patience, ok := given[r]
		if !ok {
			continue
		}
		note(before, r, c.trace)
		if !c.call.failed() && c.call.Latency >= patience {
			note(longer, r, c.trace)
			tails[r] = append(tails[r], c.call)
		}
	}
	next := map[route]int{}
	for i := range calls {
		c, r := &calls[i], of(&calls[i])
		tail := tails[r]
		if !c.call.TimedOut || len(tail) < minTail {
			continue
		}
		share := float64(len(impatient[r])) / float64(len(requests[r]))
		usual := float64(len(longer[r])) / float64(len(before[r]))
		if usual < share/2 { // more than twice as many as in health: not explained by it
			continue
		}
		if next[r] == 0 {
			slices.SortStableFunc(tail, func(a, b RecordedCall) int { return int(a.Latency - b.Latency) })
		}
		// A stride through the sorted tail spreads short and long ones evenly, without randomness.
		like := tail[next[r]*goldenStride(len(tail))%len(tail)]
		next[r]++
		c.call.Status, c.call.Error, c.call.TimedOut = like.Status, "", false
		c.call.Latency = max(like.Latency, c.call.Latency)
	}
}

// goldenStride is a step near the golden section of n that shares no factor with it, so that
// walking in such steps visits every place once and neighbours far apart.
func goldenStride(n int) int {
	step := max(1, int(float64(n)*0.618))
	for gcd(step, n) != 1 {
		step++
	}
	return step
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
