package replay

import (
	"slices"
	"sort"
	"time"
)

// rateLimit says that calls fail once more than Max arrived within Window before them.
type rateLimit struct {
	window time.Duration
	max    int // 0: no limit
}

// Separation that a limit has to show before it is believed: enough failures, and nearly all calls on the
// right side of one threshold. A dependency that sheds for a while fails at any rate, so the
// first failure of every run must be on the right side too; that is what tells cause from effect, since retries raise the rate
// during any outage.
const (
	minLimitFailures = 5
	minSeparation    = 0.97
)

// rateWindows are the windows over which common limiters count.
var rateWindows = []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second}

// inferRate looks for a number of arrivals in a window before a call that separates failures from
// successes.
func inferRate(calls []RecordedCall) (rateLimit, bool) {
	for _, window := range rateWindows {
		counts := make([]int, len(calls))
		first := 0
		for i, c := range calls {
			for calls[first].Offset < c.Offset-window {
				first++
			}
			counts[i] = i - first + 1
		}
		if limit, ok := separate(calls, counts); ok {
			return rateLimit{window: window, max: limit}, true
		}
	}
	return rateLimit{}, false
}

// inferConcurrency looks for a number of calls under way that separates failures from successes.
func inferConcurrency(calls []RecordedCall) (int, bool) {
	counts := make([]int, len(calls))
	var ends []time.Duration
	for i, c := range calls {
		ends = slices.DeleteFunc(ends, func(end time.Duration) bool { return end <= c.Offset })
		counts[i] = len(ends) + 1
		if !c.failed() || c.TimedOut {
			ends = append(ends, c.Offset+c.Latency)
		}
	}
	limit, ok := separate(calls, counts)
	return limit, ok && limit > 0
}

// separate finds the largest count that still succeeds, if counts separate failures from successes.
func separate(calls []RecordedCall, counts []int) (int, bool) {
	var good, bad []int
	onset := 0 // least count of a failure that follows a success
	for i, c := range calls {
		if !c.failed() {
			good = append(good, counts[i])
			continue
		}
		if c.TimedOut || c.Error != "" {
			return 0, false // a limiter answers
		}
		bad = append(bad, counts[i])
		if i == 0 || !calls[i-1].failed() {
			if onset == 0 || counts[i] < onset {
				onset = counts[i]
			}
		}
	}
	if len(bad) < minLimitFailures || len(good) < minLimitFailures {
		return 0, false
	}
	sort.Ints(good)
	// The highest count that succeeded, leaving out the odd one that slipped through.
	limit := good[int(float64(len(good)-1)*minSeparation)]
	if onset <= limit {
		return 0, false
	}
	right := 0
	for _, n := range good {
		if n <= limit {
			right++
		}
	}
	for _, n := range bad {
		if n > limit {
			right++
		}
	}
	return limit, float64(right) >= minSeparation*float64(len(good)+len(bad))
}
