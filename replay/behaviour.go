package replay

import (
	"slices"
	"sort"
	"sync"
	"time"
)

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
			return distance(i) > edgeSlack && nearest >= 0 && distance(i) >= distance(nearest)
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
	for i := at - 1; i >= 0 && !look(i); i-- { // look does the work
	}
	for i := at; i < len(m.calls) && !look(i); i++ { // look does the work
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
