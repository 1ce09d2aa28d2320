package main

import (
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// bounds are the buckets of the latency histogram, in seconds.
var bounds = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 5, 10}

// scoreboard counts what customers saw, for Prometheus.
type scoreboard struct {
	mu     sync.Mutex
	counts map[[2]string]int // route and status
	times  map[string]*latencies
}

type latencies struct {
	buckets []int // cumulative counts, one per bound
	count   int
	sum     float64 // seconds
	all     []time.Duration
}

func newScoreboard() *scoreboard {
	return &scoreboard{counts: make(map[[2]string]int), times: make(map[string]*latencies)}
}

// count notes one answer; status 0 is no answer at all.
func (s *scoreboard) count(route string, status int, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status == 0 {
		status = 599 // as load balancers note a connection that broke
	}
	s.counts[[2]string{route, strconv.Itoa(status)}]++
	l := s.times[route]
	if l == nil {
		l = &latencies{buckets: make([]int, len(bounds))}
		s.times[route] = l
	}
	for i, bound := range bounds {
		if took.Seconds() <= bound {
			l.buckets[i]++
		}
	}
	l.count++
	l.sum += took.Seconds()
	l.all = append(l.all, took)
}

// ServeHTTP is the page Prometheus scrapes.
func (s *scoreboard) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page strings.Builder
	page.WriteString("# TYPE shop_requests_total counter\n")
	for _, key := range sortedCounts(s.counts) {
		fmt.Fprintf(&page, "shop_requests_total{route=%q,code=%q} %d\n", key[0], key[1], s.counts[key])
	}
	page.WriteString("# TYPE shop_request_duration_seconds histogram\n")
	for _, route := range sortedRoutes(s.times) {
		l := s.times[route]
		for i, bound := range bounds {
			fmt.Fprintf(&page, "shop_request_duration_seconds_bucket{route=%q,le=%q} %d\n", route, strconv.FormatFloat(bound, 'g', -1, 64), l.buckets[i])
		}
		fmt.Fprintf(&page, "shop_request_duration_seconds_bucket{route=%q,le=\"+Inf\"} %d\n", route, l.count)
		fmt.Fprintf(&page, "shop_request_duration_seconds_sum{route=%q} %g\n", route, l.sum)
		fmt.Fprintf(&page, "shop_request_duration_seconds_count{route=%q} %d\n", route, l.count)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = w.Write([]byte(page.String())) // Prometheus comes again
}

// p95 is the 95th percentile of a route since the last call of take.
func (s *scoreboard) p95(route string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.times[route]
	if l == nil || len(l.all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l.all))
	return sorted[len(sorted)*95/100]
}

// take returns what was counted since the last call as lines for people, and starts anew with
// the quantiles; the counters go on.
func (s *scoreboard) take(since map[[2]string]int) (lines []string, now map[[2]string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now = make(map[[2]string]int)
	for _, key := range sortedCounts(s.counts) {
		now[key] = s.counts[key]
		if n := s.counts[key] - since[key]; n > 0 {
			lines = append(lines, fmt.Sprintf("%-20s %s %6d", key[0], key[1], n))
		}
	}
	for _, route := range sortedRoutes(s.times) {
		l := s.times[route]
		if len(l.all) > 0 {
			sort.Slice(l.all, func(i, j int) bool { return l.all[i] < l.all[j] })
			lines = append(lines, fmt.Sprintf("%-20s p50 %v p95 %v", route,
				l.all[len(l.all)/2].Round(time.Millisecond), l.all[len(l.all)*95/100].Round(time.Millisecond)))
		}
		l.all = nil
	}
	return lines, now
}

func sortedCounts(counts map[[2]string]int) [][2]string {
	keys := make([][2]string, 0, len(counts))
	for key := range counts {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool {
		return keys[i][0] < keys[j][0] || keys[i][0] == keys[j][0] && keys[i][1] < keys[j][1]
	})
	return keys
}

func sortedRoutes(times map[string]*latencies) []string {
	routes := make([]string, 0, len(times))
	for route := range times {
		routes = append(routes, route)
	}
	sort.Strings(routes)
	return routes
}
