package replay

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/telemetry"
	"pgregory.net/rapid"
)

// arrived makes entries of one operation, one every gap, with the given durations in milliseconds; a negative one failed.
func arrived(operation string, gap time.Duration, ms ...int) []entry {
	var out []entry
	for i, d := range ms {
		s := &telemetry.Span{Name: operation, Start: storyStart + int64(i)*int64(gap), Duration: time.Duration(max(d, -d)) * time.Millisecond}
		out = append(out, entry{span: s, operation: operation, failed: d < 0})
	}
	return out
}

func many(n, ms int) []int { return slices.Repeat([]int{ms}, n) }

func TestPickOperation(t *testing.T) {
	const gap = 100 * time.Millisecond
	join := func(lists ...[]entry) []entry { return slices.Concat(lists...) }
	tests := []struct {
		name               string
		incident, baseline []entry
		wanted, want       string
	}{
		{"the one that fails", join(arrived("GET /a", gap, many(100, 10)...), arrived("POST /b", gap, append(many(50, 10), many(50, -10)...)...)), nil, "", "POST /b"},
		{"failures beat slowness", join(arrived("GET /a", gap, many(100, 900)...), arrived("POST /b", gap, append(many(98, 10), -10, -10)...)), join(arrived("GET /a", gap, many(100, 10)...), arrived("POST /b", gap, many(100, 10)...)), "", "POST /b"},
		{"failures that are usual count for nothing", join(arrived("GET /a", gap, many(100, -10)...), arrived("POST /b", gap, append(many(80, 10), many(20, -10)...)...)), join(arrived("GET /a", gap, many(100, -10)...), arrived("POST /b", gap, many(100, 10)...)), "", "POST /b"},
		{"more requests, more harm", join(arrived("GET /a", gap, -10, 10), arrived("POST /b", gap, append(many(60, 10), many(40, -10)...)...)), nil, "", "POST /b"},
		{"the one whose tail grew", join(arrived("GET /a", gap, many(100, 20)...), arrived("POST /b", gap, many(100, 500)...)), join(arrived("GET /a", gap, many(100, 10)...), arrived("POST /b", gap, many(100, 50)...)), "", "POST /b"},
		{"a thousandfold of next to nothing is nothing", join(arrived("GET /a", gap, many(100, 4)...), arrived("POST /b", gap, many(100, 300)...)), join(arrived("GET /a", gap, many(100, 0)...), arrived("POST /b", gap, many(100, 60)...)), "", "POST /b"},
		{"slowness without a healthy window", join(arrived("GET /a", gap, many(100, 10)...), arrived("POST /b", gap, append(many(60, 10), many(40, 800)...)...)), nil, "", "POST /b"},
		{"by name", join(arrived("GET /a", gap, 1), arrived("POST /b", gap, -1)), nil, "GET /a", "GET /a"},
		{"by route", join(arrived("GET /a", gap, 1), arrived("POST /b", gap, -1)), nil, "/a", "GET /a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := pickOperation(tt.incident, tt.baseline, tt.wanted)
			if err != nil || got != tt.want {
				t.Errorf("%q %v, want %q", got, err, tt.want)
			}
		})
	}
	if _, err := pickOperation(arrived("GET /a", gap, 1), nil, "GET /gone"); err == nil || !strings.Contains(err.Error(), "it received GET /a") {
		t.Errorf("%v", err)
	}
	if _, err := pickOperation(nil, nil, ""); err == nil {
		t.Error("picked one of none")
	}
}

func TestPickKind(t *testing.T) {
	ratio := func(failed, of int) []entry {
		return arrived("x", time.Millisecond, append(many(of-failed, 1), many(failed, -1)...)...)
	}
	tests := []struct {
		incident, baseline []entry
		want               string
	}{
		{ratio(50, 100), ratio(0, 100), "errors"}, {ratio(2, 100), ratio(0, 100), "errors"}, {ratio(1, 100), ratio(0, 100), "latency"}, {ratio(0, 100), nil, "latency"}, {ratio(30, 100), nil, "errors"},
		{ratio(10, 100), ratio(8, 100), "latency"}, {ratio(20, 100), ratio(10, 100), "errors"}, {ratio(19, 100), ratio(10, 100), "latency"}, {ratio(100, 100), ratio(60, 100), "latency"},
	}
	for _, tt := range tests {
		if got := pickKind(tt.incident, tt.baseline); got != tt.want {
			t.Errorf("%.2f against %.2f: %s", errorRatio(tt.incident), errorRatio(tt.baseline), got)
		}
	}
}

func TestThresholdLiesBetweenHealthAndIncident(t *testing.T) {
	const gap = time.Millisecond
	tests := []struct {
		name               string
		kind               string
		window, healthy    []entry
		recorded, expected float64 // measured in the window, and health
	}{
		{"errors", "errors", arrived("x", gap, append(many(50, 1), many(50, -1)...)...), arrived("x", gap, append(many(98, 1), many(2, -1)...)...), 0.5, 0.02},
		{"no failure in health is half a one", "errors", arrived("x", gap, many(10, -1)...), arrived("x", gap, many(199, 1)...), 1, 0.5 / 200},
		{"little health counts as a hundred requests", "errors", arrived("x", gap, many(10, -1)...), arrived("x", gap, 1, 1), 1, 0.5 / 101},
		{"no health", "errors", arrived("x", gap, many(10, -1)...), nil, 1, 0.5 / 101},
		{"latency", "latency", arrived("x", gap, many(100, 800)...), arrived("x", gap, many(100, 50)...), 0.8, 0.05},
		{"very quick in health", "latency", arrived("x", gap, many(100, 800)...), arrived("x", gap, many(100, 1)...), 0.8, 0.005},
		{"no health to compare", "latency", arrived("x", gap, append(many(50, 20), many(50, 900)...)...), nil, 0.9, 0.02},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			th := threshold(tt.kind, tt.window, tt.window, tt.healthy)
			near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
			if !near(th.Recorded, tt.recorded) || !near(th.Healthy, tt.expected) || !near(th.Value, math.Sqrt(tt.recorded*tt.expected)) || th.Kind != tt.kind || th.Why == "" {
				t.Errorf("%+v", th)
			}
			if !(th.Healthy < th.Value && th.Value < th.Recorded) {
				t.Errorf("%v is not between %v and %v", th.Value, th.Healthy, th.Recorded)
			}
		})
	}
}

func TestWorstWindow(t *testing.T) {
	const gap = 100 * time.Millisecond
	failing := func(n int, at ...int) []entry {
		ms := many(n, 1)
		for _, i := range at {
			ms[i] = -1
		}
		return arrived("x", gap, ms...)
	}
	span := func(from, n int) []int {
		out := make([]int, n)
		for i := range out {
			out[i] = from + i
		}
		return out
	}
	offset := func(i int) int64 { return storyStart + int64(i)*int64(gap) }
	tests := []struct {
		name       string
		entries    []entry
		length     time.Duration
		requests   int
		begin, end int64
	}{
		{"a moment with what is around it", failing(200, span(100, 5)...), 8 * time.Second, 400, offset(95), offset(114) + 1},
		{"the worse of two", failing(200, append(span(20, 3), span(150, 6)...)...), 2 * time.Second, 400, offset(145), offset(165) + 1},
		{"of equals the first", failing(200, append(span(20, 3), span(150, 3)...)...), 2 * time.Second, 400, offset(15), offset(32) + 1},
		{"at the start", failing(200, span(0, 4)...), 8 * time.Second, 400, offset(0), offset(13) + 1},
		{"at the end", failing(50, span(46, 4)...), 8 * time.Second, 400, offset(41), offset(59) + 1},
		{"longer than the window", failing(300, span(50, 200)...), 4 * time.Second, 400, offset(45), offset(85) + 1},
		{"as many requests as allowed", failing(300, span(50, 200)...), 20 * time.Second, 30, offset(45), offset(75)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			begin, end := worstWindow(tt.entries, "x", "errors", tt.length, tt.requests)
			if begin != tt.begin || end != tt.end {
				t.Errorf("from %v to %v, want %v to %v", time.Duration(begin-storyStart), time.Duration(end-storyStart), time.Duration(tt.begin-storyStart), time.Duration(tt.end-storyStart))
			}
		})
	}
}

func TestWorstWindowKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 120).Draw(t, "requests")
		entries := make([]entry, n)
		at := storyStart
		for i := range entries {
			at += int64(rapid.IntRange(0, 400).Draw(t, "gap")) * int64(time.Millisecond)
			entries[i] = entry{span: &telemetry.Span{Start: at, Duration: time.Duration(rapid.IntRange(1, 900).Draw(t, "ms")) * time.Millisecond}, operation: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "operation"), failed: rapid.Bool().Draw(t, "failed")}
		}
		length, limit := time.Duration(rapid.IntRange(500, 8000).Draw(t, "length"))*time.Millisecond, rapid.IntRange(1, 60).Draw(t, "limit")
		kind := rapid.SampledFrom([]string{"errors", "latency"}).Draw(t, "kind")
		begin, end := worstWindow(entries, "x", kind, length, limit)
		inside := within(entries, begin, end)
		if len(inside) > limit || end <= begin && len(inside) > 0 || time.Duration(end-begin) > length+1 {
			t.Fatalf("%d requests in %v, at most %d in %v are asked for", len(inside), time.Duration(end-begin), limit, length)
		}
		if begin < entries[0].span.Start {
			t.Fatal("it begins before the first request")
		}
	})
}

// Times in telemetry are whatever was sent.
func TestPlansOfImpossibleTimes(t *testing.T) {
	for _, start := range []int64{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - int64(time.Second), 0, -1, math.MinInt64, math.MinInt64 + 1} {
		for _, kind := range []string{"errors", "latency"} {
			s := &story{}
			for i := range 20 {
				p := s.request("desk", 0, "/entries", "503", time.Duration(i)*time.Second)
				s.call(p, 0, "ledger", "/b", "503", "503", time.Second)
			}
			for i := range s.spans {
				s.spans[i].Start = start
			}
			s.spans[0].Start, s.spans[5].Duration = math.MaxInt64, math.MinInt64
			plan, err := PlanIncident(telemetry.Dataset{Spans: s.spans}, outage(true), "desk", PlanOptions{Symptom: kind})
			if err == nil && len(plan.Arrivals) == 0 {
				t.Errorf("start %d: a plan without arrivals is no error", start)
			}
		}
	}
}

func TestLaterStaysAtTheEndOfTime(t *testing.T) {
	for _, tt := range []struct {
		t    int64
		d    time.Duration
		want int64
	}{{1, 2, 3}, {1, -2, -1}, {math.MaxInt64, 1, math.MaxInt64}, {math.MaxInt64 - 1, 5, math.MaxInt64}, {math.MinInt64, -1, math.MinInt64}, {math.MinInt64, math.MaxInt64, -1}, {0, 0, 0}} {
		if got := later(tt.t, tt.d); got != tt.want {
			t.Errorf("%d + %d: %d", tt.t, tt.d, got)
		}
	}
}

func TestErrorWords(t *testing.T) {
	for text, want := range map[string]string{
		"context deadline exceeded": "timeout", "java.net.SocketTimeoutException": "timeout", "httpx.ReadTimeout": "timeout", "ETIMEDOUT": "timeout", "operation was canceled": "timeout", "AbortError: This operation was aborted": "timeout", "The read operation timed out": "timeout",
		"ECONNREFUSED": "refused", "connect: connection refused": "refused", "dial tcp: lookup x: no such host": "refused", "getaddrinfo ENOTFOUND x": "refused", "network is unreachable": "refused",
		"ECONNRESET": "reset", "EOF": "reset", "broken pipe": "reset", "": "reset", "java.io.IOException": "reset",
	} {
		spans := []telemetry.Span{
			{Attrs: attrs(telemetry.AttrErrorType, text)}, {Message: text},
			{Events: []telemetry.Event{{Name: "exception", Attrs: attrs(telemetry.AttrExceptionMsg, text)}}},
			{Events: []telemetry.Event{{Name: "exception", Attrs: attrs(telemetry.AttrExceptionType, text)}}},
		}
		for i := range spans {
			word, timedOut := errorWord(&spans[i])
			if word != want || timedOut != (want == "timeout") {
				t.Errorf("%q in form %d: %s %v", text, i, word, timedOut)
			}
		}
	}
	flood := telemetry.Span{}
	for range 200_000 {
		flood.Events = append(flood.Events, telemetry.Event{Attrs: attrs(telemetry.AttrExceptionMsg, strings.Repeat("x", 100))})
	}
	if word, _ := errorWord(&flood); word != "reset" {
		t.Error(word)
	}
}

func TestPeersByTheirConfiguredNames(t *testing.T) {
	tests := []struct {
		opts  PlanOptions
		names []string
		want  string
	}{
		{PlanOptions{}, []string{"", "a", "b"}, "a"},
		{PlanOptions{}, []string{"", ""}, ""},
		{PlanOptions{Peers: map[string]string{"b": "bank"}}, []string{"a", "b"}, "bank"},
		{PlanOptions{Peers: map[string]string{"": "never"}}, []string{"", "a"}, "a"},
		{PlanOptions{Dependencies: []string{"b"}}, []string{"a", "b"}, "b"},
		{PlanOptions{Dependencies: []string{"c"}}, []string{"a", "b"}, ""},
		{PlanOptions{Dependencies: []string{"c"}, Peers: map[string]string{"10.0.0.1:80": "c"}}, []string{"x", "10.0.0.1:80"}, "c"},
		{PlanOptions{Dependencies: []string{"a"}, Peers: map[string]string{"a": "z"}}, []string{"a"}, "z"},
	}
	for _, tt := range tests {
		if got := tt.opts.peer(tt.names); got != tt.want {
			t.Errorf("%+v %q: %q, want %q", tt.opts, tt.names, got, tt.want)
		}
	}
}

func TestOutgoingCallsOfTheServiceAlone(t *testing.T) {
	s := &story{}
	p := s.request("desk", time.Second, "/entries", "201", time.Second)
	s.call(p, 0, "ledger", "/bookings/17", "200", "", 5*time.Millisecond)
	s.call(p, time.Millisecond, "", "/nowhere", "200", "", time.Millisecond) // whom it calls is not known
	silent := s.call(p, 2*time.Millisecond, "ledger", "/x", "200", "", time.Millisecond)
	s.spans[len(s.spans)-1].Attrs = attrs(telemetry.AttrServerAddress, "ledger") // not HTTP
	other := s.request("shelf", time.Second, "/items", "200", time.Second)
	s.call(other, 0, "ledger", "/bookings", "200", "", time.Millisecond) // another service's call
	early := s.request("desk", 0, "/entries", "201", time.Millisecond)
	s.call(early, 0, "ledger", "/bookings", "200", "", time.Millisecond) // before the window
	// A client that is not instrumented: the callee's span hangs below the service's own work.
	work := telemetry.Span{Trace: p.Trace, ID: s.id(), Parent: p.ID, Resource: p.Resource, Kind: telemetry.KindInternal, Start: p.Start}
	s.spans = append(s.spans, work)
	seen := s.request("stock", 1100*time.Millisecond, "/items/{id}", "503", 7*time.Millisecond)
	s.spans[len(s.spans)-1].Trace, s.spans[len(s.spans)-1].Parent = p.Trace, work.ID
	// The same below a span of the same id in another trace.
	s.request("stock", 1200*time.Millisecond, "/items/{id}", "503", 7*time.Millisecond)
	s.spans[len(s.spans)-1].Parent = work.ID
	_, _ = silent, seen
	var got []string
	for _, c := range outgoing(s.spans, "desk", storyStart+int64(500*time.Millisecond), storyStart+int64(5*time.Second), &PlanOptions{}) {
		got = append(got, fmt.Sprintf("%s %s %s %d at %v for %v", c.peer, c.call.Method, c.call.Route, c.call.Status, c.call.Offset, c.call.Latency))
	}
	want := []string{"ledger POST /bookings/{id} 200 at 500ms for 5ms", "stock POST /items/{id} 503 at 600ms for 7ms"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestHowACallEnded(t *testing.T) {
	client := func(status, fault string, took time.Duration) *telemetry.Span {
		s := &story{}
		sp := s.call(s.request("desk", 0, "/e", "200", 1), 0, "ledger", "/b/7", status, fault, took)
		return &sp
	}
	server := func(route, status string, took time.Duration) *telemetry.Span {
		s := &story{}
		sp := s.request("books", 0, route, status, took)
		return &sp
	}
	const ms = time.Millisecond
	tests := []struct {
		name           string
		client, server *telemetry.Span
		want           RecordedCall
	}{
		{"answered", client("200", "", 5*ms), nil, RecordedCall{Method: "POST", Route: "/b/{id}", Status: 200, Latency: 5 * ms}},
		{"the callee knows its route", client("200", "", 5*ms), server("/b/{book}", "200", 3*ms), RecordedCall{Method: "POST", Route: "/b/{book}", Status: 200, Latency: 5 * ms}},
		{"failed with a status", client("503", "503", 5*ms), nil, RecordedCall{Method: "POST", Route: "/b/{id}", Status: 503, Latency: 5 * ms}},
		{"ended well without a status", client("", "", 5*ms), nil, RecordedCall{Method: "POST", Route: "/b/{id}", Status: 200, Latency: 5 * ms}},
		{"given up, and nobody knows more", client("", "timeout", 5*ms), nil, RecordedCall{Method: "POST", Route: "/b/{id}", Error: "timeout", TimedOut: true, Latency: 5 * ms}},
		{"given up, the callee went on", client("", "timeout", 5*ms), server("/b/{id}", "201", 90*ms), RecordedCall{Method: "POST", Route: "/b/{id}", Status: 201, Latency: 90 * ms}},
		{"given up, the callee had answered", client("", "timeout", 50*ms), server("/b/{id}", "201", 9*ms), RecordedCall{Method: "POST", Route: "/b/{id}", Error: "timeout", TimedOut: true, Latency: 50 * ms}},
		{"reset", client("", "EOF", 5*ms), server("/b/{id}", "201", 90*ms), RecordedCall{Method: "POST", Route: "/b/{id}", Error: "reset", Latency: 5 * ms}},
	}
	for _, tt := range tests {
		if got := callSeen(tt.client, tt.server); got != tt.want {
			t.Errorf("%s: %+v\nwant %+v", tt.name, got, tt.want)
		}
	}
}

func TestRefusalsAreNoFailures(t *testing.T) {
	for status, want := range map[string]bool{"200": false, "404": false, "422": false, "499": false, "500": true, "503": true} {
		s := telemetry.Span{Attrs: attrs(telemetry.AttrHTTPStatus, status), Status: telemetry.StatusError}
		if failedEntry(&s) != want {
			t.Errorf("%s: %v", status, !want)
		}
	}
	if !failedEntry(&telemetry.Span{Status: telemetry.StatusError}) || failedEntry(&telemetry.Span{Status: telemetry.StatusOK}) {
		t.Error("without a status the span's own decides")
	}
}
