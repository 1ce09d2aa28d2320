package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/telemetry"
)

func TestCasesStandForRoutes(t *testing.T) {
	tests := []struct {
		route, path, arrival string
		want                 int
	}{
		{"/entries/{id}", "/entries/7", "GET /entries/{id}", 2},
		{"/entries/:id", "/entries/7", "GET /entries/{entry}", 2},
		{"/entries/<int:id>", "/entries/7", "GET /entries/{id}", 2},
		{"/entries/{id}/", "/entries/7/", "GET /entries/{id}", 2},
		{"", "/entries/7", "GET /entries/{id}", 1},
		{"/entries/search", "/entries/search", "GET /entries/{id}", 1},
		{"/entries/{id}", "/entries/7", "GET /entries/search", 1},
		{"/entries/{id}", "/entries/7", "POST /entries/{id}", 0},
		{"/entries", "/entries", "GET /shelves", 0},
		{"", "/entries", "GET /", 0},
		{"", "/", "GET /", 1},
		{"/", "/", "GET /", 2},
		{"/entries", "/entries", "GET", 0},
		{"/entries", "/entries", "", 0},
	}
	for _, tt := range tests {
		c := &Case{Request: Request{Method: "GET", Route: tt.route, Path: tt.path}}
		if got := suits(c, tt.arrival); got != tt.want {
			t.Errorf("a case of %q at %s for %q: %d, want %d", tt.route, tt.path, tt.arrival, got, tt.want)
		}
	}
}

func TestContentComesFromTheVeryRoute(t *testing.T) {
	at := func(id, route, path string, status int) Case {
		c := plainCase(id)
		c.Request.Route, c.Request.Path, c.Response.Status = route, path, status
		return c
	}
	set := setOf(at("search", "/entries/search", "/entries/search", 200), at("one", "/entries/{id}", "/entries/1", 200), at("gone", "/entries/{id}", "/entries/2", 404), at("two", "/entries/{id}", "/entries/3", 200), at("list", "/entries", "/entries", 200))
	tests := []struct {
		arrivals  []string
		operation string
		want      map[string]string
		why       string
		notes     int
	}{
		{[]string{"GET /entries/{id}"}, "GET /entries/{id}", map[string]string{"GET /entries/{id}": "one two"}, "", 0},
		{[]string{"GET /entries/search", "GET /entries"}, "GET /entries", map[string]string{"GET /entries/search": "search", "GET /entries": "list"}, "", 0},
		{[]string{"GET /entries", "GET /gone"}, "GET /entries", map[string]string{"GET /entries": "list"}, "", 1},
		{[]string{"GET /entries", "GET /gone"}, "GET /gone", nil, "GET /gone (1 requests)", 0},
		{[]string{"GET /gone", "GET /gone"}, "", nil, "GET /gone (2 requests)", 0},
	}
	for _, tt := range tests {
		r := &incidentReplay{plan: &IncidentPlan{Operation: tt.operation}, sets: []*Set{set}, run: &Run{}}
		for _, a := range tt.arrivals {
			r.plan.Arrivals = append(r.plan.Arrivals, Arrival{Route: a})
		}
		content, why := r.content()
		if !strings.Contains(why, tt.why) || (why == "") != (tt.why == "") || len(r.run.Notes) != tt.notes {
			t.Errorf("%q: %q, notes %q", tt.arrivals, why, r.run.Notes)
		}
		for route, want := range tt.want {
			var got []string
			for _, s := range content[route] {
				got = append(got, s.c.ID)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %q, want %q", route, got, want)
			}
		}
	}
}

func TestSymptoms(t *testing.T) {
	errs := Threshold{Kind: "errors", Value: 0.1, Recorded: 0.5, Healthy: 0.02}
	slow := Threshold{Kind: "latency", Value: 0.2, Recorded: 0.8, Healthy: 0.05}
	for _, tt := range []struct {
		symptom Threshold
		run     IncidentRun
		want    Outcome
		says    string
	}{
		{errs, IncidentRun{Requests: 10, ErrorRatio: 0.3}, Red, "30.0 % of 10 requests failed, above the limit of 10.0 % (50.0 % in the incident, 2.0 % in health)"},
		{errs, IncidentRun{Requests: 10, ErrorRatio: 0.1}, Green, "within the limit"},
		{errs, IncidentRun{Requests: 10, P95: time.Hour}, Green, "0.0 % of 10"},
		{slow, IncidentRun{Requests: 10, P95: 300 * time.Millisecond}, Red, "took 300ms, above the limit of 200ms (800ms in the incident, 50ms in health)"},
		{slow, IncidentRun{Requests: 10, P95: 200 * time.Millisecond, ErrorRatio: 1}, Green, "within the limit"},
		{slow, IncidentRun{Requests: 10, Downstream: 7, PeakPerSec: 3}, Green, "7 outgoing calls, at most 3 in a second"},
	} {
		got, why := symptom(&IncidentPlan{Symptom: tt.symptom}, &tt.run)
		if got != tt.want || !strings.Contains(why, tt.says) {
			t.Errorf("%s %s, want %s %s", got, why, tt.want, tt.says)
		}
	}
}

func TestQuantilesAndPeaks(t *testing.T) {
	values := []time.Duration{5, 1, 4, 2, 3}
	for q, want := range map[float64]time.Duration{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.95: 5, 1: 5, 2: 5} {
		if got := quantile(values, q); got != want {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 || !slices.Equal(values, []time.Duration{5, 1, 4, 2, 3}) {
		t.Error("of nothing, or the argument was sorted")
	}
	start := time.Unix(0, 0)
	var log []servedCall
	for _, ms := range []int{3000, 0, 100, 999, 1000, 1100, 2500} {
		log = append(log, servedCall{tapped: tapped{start: start.Add(time.Duration(ms) * time.Millisecond)}})
	}
	if got := peakPerSecond(log); got != 3 {
		t.Errorf("%v calls in a second", got)
	}
	if peakPerSecond(nil) != 0 {
		t.Error("a peak of nothing")
	}
}

func TestTheShotThatShowsTheIncident(t *testing.T) {
	ok := func(took time.Duration) *shot { return &shot{status: 200, took: took} }
	bad := func(took time.Duration) *shot { return &shot{status: 503, took: took} }
	a, b, c, d := ok(9), bad(2), bad(5), ok(20)
	for _, tt := range []struct {
		shots []*shot
		want  *shot
	}{{[]*shot{a, b, c, d}, c}, {[]*shot{d, a}, d}, {[]*shot{a}, a}, {[]*shot{b, a}, b}, {[]*shot{a, d}, d}} {
		if got := exemplarShot(tt.shots); got != tt.want {
			t.Errorf("%+v", got)
		}
	}
}

func TestLastLines(t *testing.T) {
	for in, want := range map[string]string{"": "", "\n \n": "", "a": "a", "a\nb\nc\n": "b | c", "a\r\nb\r\n": "a | b"} {
		if got := lastLines(in, 2); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	if got := lastLines(strings.Repeat("x", 10_000), 5); len(got) > 400 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestDepthFirstDrawsChildrenBelowParents(t *testing.T) {
	spans := []telemetry.Span{node(1, 1000, "desk", "a"), node(2, 1, "desk", "late"), node(3, 1, "desk", "early"), node(4, 3, "desk", "leaf"), node(5, 77, "desk", "lost")}
	for i := range spans {
		spans[i].Start = int64(100 - i*10)
	}
	spans[0].Start, spans[1].Start, spans[2].Start = 0, 50, 20
	var got []string
	for _, p := range depthFirst(groupByTrace(spans)[telemetry.TraceID{1}].exchange("", outside)) {
		got = append(got, fmt.Sprintf("%d%s", p.depth, p.span.Name))
	}
	if want := "0a 1early 2leaf 1late 0lost"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}
