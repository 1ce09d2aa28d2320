package replay

import (
	"math"
	"slices"
	"sort"
	"sync"
	"time"
)

// edgeSlack bounds how far a stretch of failures is extended towards the nearest call of the
// other kind: what lies between two calls is not known, and calls may be far apart.
const edgeSlack = 250 * time.Millisecond

// routeModel is how one route of a dependency behaved.
type routeModel struct {
	method, route string
	calls         []RecordedCall // by offset
	stretches     []stretch
	rate          rateLimit
	busy          int // concurrency limit, 0 for none
	from, to      time.Duration

	mu       sync.Mutex
	arrivals []time.Duration // recent, for the rate
	flying   int
	owed     map[int]float64 // failures owed per stretch, for exact ratios
	used     []bool          // recorded calls already given as likeness
}

// stretch is a time in which calls failed with one probability.
type stretch struct {
	from, to time.Duration // [from, to)
	failures float64       // ratio
	calls    int
}

// rateLimit says that calls fail once more than Max arrived within Window before them.
type rateLimit struct {
	window time.Duration
	max    int // 0: no limit
}

func (c *RecordedCall) failed() bool {
	return c.Error != "" || c.TimedOut || c.Status == 0 || c.Status >= 500 || c.Status == 429
}

// inferModels builds the models of one dependency.
func inferModels(b Behaviour) []*routeModel {
	byRoute := map[string][]RecordedCall{}
	for _, c := range b.Calls {
		key := c.Method + " " + c.Route
		byRoute[key] = append(byRoute[key], c)
	}
	var out []*routeModel
	for _, key := range sortedKeys(byRoute) {
		calls := byRoute[key]
		slices.SortStableFunc(calls, func(a, b RecordedCall) int {
			if a.Offset != b.Offset {
				return int(max(-1, min(1, a.Offset-b.Offset)))
			}
			return 0
		})
		out = append(out, inferModel(calls))
	}
	return out
}

func inferModel(calls []RecordedCall) *routeModel {
	m := &routeModel{method: calls[0].Method, route: calls[0].Route, calls: calls, owed: map[int]float64{}, used: make([]bool, len(calls))}
	m.from, m.to = calls[0].Offset, calls[len(calls)-1].Offset
	m.stretches = cutStretches(calls)
	if limit, ok := inferRate(calls); ok {
		m.rate = limit
	} else if busy, ok := inferConcurrency(calls); ok {
		m.busy = busy
	}
	return m
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
	for i, first := range bounds {
		last := len(calls)
		if i+1 < len(bounds) {
			last = bounds[i+1]
		}
		if last-first == 1 && calls[first].failed() && i+1 < len(bounds) && len(out) > 0 {
			continue // joined with the stretch before ...
		}
		if i > 0 && first-bounds[i-1] == 1 && calls[first-1].failed() && len(out) > 0 && out[len(out)-1] != bounds[i-1] {
			continue // ... and so is the one after it
		}
		out = append(out, first)
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

// fate is what the model says about one call.
type fate struct {
	fail bool
	like *RecordedCall // the recorded call it resembles; nil outside what was recorded
}

// arrive decides on a call at time t. The caller must call leave when the call is over.
func (m *routeModel) arrive(t time.Duration) fate {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flying++
	if m.rate.max > 0 {
		m.arrivals = append(m.arrivals, t)
		for len(m.arrivals) > 0 && m.arrivals[0] < t-m.rate.window {
			m.arrivals = m.arrivals[1:]
		}
		fail := len(m.arrivals) > m.rate.max
		return fate{fail: fail, like: m.nearest(t, fail)}
	}
	if m.busy > 0 {
		fail := m.flying > m.busy
		return fate{fail: fail, like: m.nearest(t, fail)}
	}
	if t < m.from-edgeSlack || t > m.to+edgeSlack {
		return fate{}
	}
	i := m.stretchAt(t)
	s := &m.stretches[i]
	fail := false
	switch {
	case s.failures >= 0.98: // a stray success within an outage promises nothing
		fail = true
	case s.failures > 0:
		// Error diffusion: exactly the recorded ratio, evenly, without randomness.
		m.owed[i] += s.failures
		if m.owed[i] >= 1 {
			m.owed[i]--
			fail = true
		}
	}
	return fate{fail: fail, like: m.nearest(t, fail)}
}

func (m *routeModel) leave() {
	m.mu.Lock()
	m.flying--
	m.mu.Unlock()
}

func (m *routeModel) stretchAt(t time.Duration) int {
	i := sort.Search(len(m.stretches), func(i int) bool { return m.stretches[i].to > t })
	return min(i, len(m.stretches)-1)
}

// nearest returns the recorded call of the wanted kind that is nearest in time. Within edgeSlack one that
// was not taken yet is preferred, so that where half of the calls were slow half of the replayed ones are.
func (m *routeModel) nearest(t time.Duration, failed bool) *RecordedCall {
	at := sort.Search(len(m.calls), func(i int) bool { return m.calls[i].Offset >= t })
	distance := func(i int) time.Duration { return max(m.calls[i].Offset-t, t-m.calls[i].Offset) }
	nearest, fresh := -1, -1
	closer := func(i, than int) bool { return than < 0 || distance(i) < distance(than) }
	look := func(i int) (done bool) {
		if m.calls[i].failed() != failed {
			return distance(i) > edgeSlack && nearest >= 0
		}
		if closer(i, nearest) {
			nearest = i
		}
		if distance(i) > edgeSlack {
			return true
		}
		if !m.used[i] {
			if closer(i, fresh) {
				fresh = i
			}
			return true
		}
		return false
	}
	for i := at - 1; i >= 0 && !look(i); i-- { //nolint:revive // look does the work
	}
	for i := at; i < len(m.calls) && !look(i); i++ { //nolint:revive // look does the work
	}
	if fresh >= 0 {
		m.used[fresh] = true
		return &m.calls[fresh]
	}
	if nearest >= 0 {
		return &m.calls[nearest]
	}
	return nil
}
