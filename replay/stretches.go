package replay

import (
	"math"
	"slices"
	"time"
)

// edgeSlack bounds how far a stretch of failures is extended towards the nearest call of the
// other kind: what lies between two calls is not known, and calls may be far apart.
const edgeSlack = 250 * time.Millisecond

// stretch is a time in which calls failed with one probability.
type stretch struct {
	from, to time.Duration // [from, to)
	failures float64       // ratio
	calls    int
}

// cutStretches finds the times of constant failure probability: optimal partitioning (Jackson et al. 2005) of the
// calls in order of time with the Bernoulli likelihood as cost. The penalty is that of BIC for a moment of failure:
// one position and one rate per two cuts, that is half the logarithm of the number of calls per cut. Exact, quadratic, hence on
// at most 2,000 calls; more are cut in blocks of that size. A single failure is no stretch: of how long it
// would have gone on nothing is known.
func cutStretches(calls []RecordedCall) []stretch {
	const block = 2000
	var bounds []int // first call of each stretch
	for from := 0; from < len(calls); from += block {
		part := calls[from:min(len(calls), from+block)]
		for _, b := range partition(part) {
			bounds = append(bounds, from+b)
		}
	}
	bounds = withoutSingles(calls, bounds)
	var out []stretch
	for i, first := range bounds {
		last := len(calls)
		if i+1 < len(bounds) {
			last = bounds[i+1]
		}
		failed := 0
		for _, c := range calls[first:last] {
			if c.failed() {
				failed++
			}
		}
		out = append(out, stretch{from: calls[first].Offset, to: calls[last-1].Offset, failures: float64(failed) / float64(last-first), calls: last - first})
	}
	// The border between two stretches lies half way between their calls; that of a failing
	// stretch at most edgeSlack away from its own.
	for i := 0; i+1 < len(out); i++ {
		a, b := &out[i], &out[i+1]
		gap := b.from - a.to
		border := a.to + gap/2
		if a.failures > b.failures {
			border = min(border, a.to+edgeSlack)
		} else {
			border = max(border, b.from-edgeSlack)
		}
		a.to, b.from = border, border
	}
	return out
}

// withoutSingles joins a failing stretch of one call with what is around it.
func withoutSingles(calls []RecordedCall, bounds []int) []int {
	var out []int
	joined := false // whether the stretch before this one was a single failure
	for i, first := range bounds {
		last := len(calls)
		if i+1 < len(bounds) {
			last = bounds[i+1]
		}
		single := last-first == 1 && calls[first].failed() && len(bounds) > 1
		if len(out) == 0 || !joined && !single {
			out = append(out, first)
		}
		joined = single
	}
	return out
}

func partition(calls []RecordedCall) []int {
	n := len(calls)
	failures := make([]int, n+1) // prefix sums
	for i, c := range calls {
		failures[i+1] = failures[i]
		if c.failed() {
			failures[i+1]++
		}
	}
	cost := func(i, j int) float64 { // negative log likelihood of calls i..j-1
		k, m := float64(failures[j]-failures[i]), float64(j-i)
		if k == 0 || k == m {
			return 0
		}
		p := k / m
		return -(k*math.Log(p) + (m-k)*math.Log(1-p))
	}
	penalty := math.Log(float64(max(n, 2))) / 2
	best := make([]float64, n+1)
	from := make([]int, n+1)
	best[0] = -penalty
	for j := 1; j <= n; j++ {
		best[j] = math.Inf(1)
		for i := range j {
			if c := best[i] + cost(i, j) + penalty; c < best[j] {
				best[j], from[j] = c, i
			}
		}
	}
	var bounds []int
	for j := n; j > 0; j = from[j] {
		bounds = append(bounds, from[j])
	}
	slices.Reverse(bounds)
	return bounds
}
