package replay

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// worstWindow finds the stretch with the most harm: failures, or time beyond the median. Of
// equally bad ones the first.
func worstWindow(entries []entry, operation, kind string, length time.Duration, requests int) (begin, end int64) {
	median := tail(ofOperation(entries, operation), 0.5)
	harm := make([]float64, len(entries))
	for i, e := range entries {
		switch {
		case e.operation != operation:
		case kind == "errors" && e.failed:
			harm[i] = 1
		case kind == "latency":
			harm[i] = math.Max(0, e.span.Duration.Seconds()-median)
		}
	}
	last := func(i int) int { // exclusive end of the window that starts at i
		j := i + 1
		for j < len(entries) && j-i < requests && entries[j].span.Start < later(entries[i].span.Start, length) {
			j++
		}
		return j
	}
	bestFrom, bestTo, most, sum := 0, last(0), -1.0, 0.0
	j := 0
	for i := range entries {
		for end := last(i); j < end; j++ {
			sum += harm[j]
		}
		if sum > most+1e-9 {
			bestFrom, bestTo, most = i, j, sum
		}
		sum -= harm[i]
	}
	// Quiet requests beyond a lead before and after only cost time.
	first, final := bestFrom, bestTo-1
	for first < final && harm[first] == 0 {
		first++
	}
	for final > first && harm[final] == 0 {
		final--
	}
	// What comes right after matters as much: a change that waits answers then.
	begin = max(entries[0].span.Start, later(entries[first].span.Start, -lead))
	end = later(min(later(entries[final].span.Start, 2*lead), later(begin, length)), 1)
	from, n := sort.Search(len(entries), func(i int) bool { return entries[i].span.Start >= begin }), 0
	for i := from; i < len(entries) && entries[i].span.Start < end; i++ {
		if n++; n > requests {
			end = entries[i].span.Start
			break
		}
	}
	return begin, end
}

// threshold lies between health and incident at their geometric mean: a build has to be nearer to health by
// factors. Health without a single failure is taken as half a failure in the requests that were seen (the
// usual continuity correction), since no count proves a rate of zero.
func threshold(kind string, window, incident, baseline []entry) Threshold {
	t := Threshold{Kind: kind}
	if kind == "errors" {
		t.Recorded = errorRatio(window)
		t.Healthy = math.Max(errorRatio(baseline), 0.5/float64(max(len(baseline), 100)+1))
		t.Why = fmt.Sprintf("geometric mean of the failing share in the replayed stretch (%.2f %% of %d) and in health (%.2f %% of %d)", 100*t.Recorded, len(window), 100*t.Healthy, len(baseline))
	} else {
		t.Recorded = p95(window)
		t.Healthy = healthyTail(incident, baseline)
		what := fmt.Sprintf("of %d requests in health", len(baseline))
		if len(baseline) == 0 {
			what = "estimated by the fastest quarter of the incident, for want of a healthy window"
		}
		t.Why = fmt.Sprintf("geometric mean of the 95th percentile in the replayed stretch (%.4g s) and %.4g s, %s", t.Recorded, t.Healthy, what)
	}
	t.Value = math.Sqrt(t.Recorded * t.Healthy)
	return t
}

// healthyTail is the 95th percentile in health, in seconds; without a healthy window that of the fastest quarter
// of the incident.
func healthyTail(incident, baseline []entry) float64 {
	// Machines differ: below this a threshold would measure the scheduler.
	const floor = 0.005
	if len(baseline) == 0 {
		return math.Max(tail(incident, 0.25), floor)
	}
	return math.Max(p95(baseline), floor)
}

// later adds to a time in nanoseconds and stays at the end of time where that is reached: times
// in telemetry are whatever was sent.
func later(t int64, d time.Duration) int64 {
	sum := t + int64(d)
	switch {
	case d > 0 && sum < t:
		return math.MaxInt64
	case d < 0 && sum > t:
		return math.MinInt64
	}
	return sum
}
