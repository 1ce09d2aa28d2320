package evaluate

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// Cutting neither loses nor repeats anything, and keeps traces whole.
func TestPartsHoldEverythingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		res := &telemetry.Resource{Service: "a"}
		var ds telemetry.Dataset
		for i := range rapid.IntRange(0, 250).Draw(t, "spans") {
			ds.Spans = append(ds.Spans, telemetry.Span{Trace: telemetry.TraceID{byte(rapid.IntRange(1, 40).Draw(t, "trace"))}, ID: telemetry.SpanID{byte(i), 1},
				Resource: res, Start: rapid.Int64Range(0, 1000).Draw(t, "start")})
		}
		for range rapid.IntRange(0, 20).Draw(t, "logs") {
			ds.Logs = append(ds.Logs, telemetry.Log{Resource: res, Time: rapid.Int64Range(-50, 2000).Draw(t, "time"), Trace: telemetry.TraceID{byte(rapid.IntRange(0, 40).Draw(t, "of"))}})
		}
		for range rapid.IntRange(0, 3).Draw(t, "series") {
			s := telemetry.Series{Name: "m", Resource: res}
			for range rapid.IntRange(1, 9).Draw(t, "points") {
				s.Points = append(s.Points, telemetry.Point{Time: rapid.Int64Range(0, 99).Draw(t, "at")})
			}
			ds.Metrics = append(ds.Metrics, s)
		}
		n := rapid.IntRange(1, 5).Draw(t, "n")
		all := parts(&ds, n)
		sum := 0
		home := map[telemetry.TraceID]int{}
		for k := range all {
			sum += records(&all[k])
			for _, s := range all[k].Spans {
				if at, ok := home[s.Trace]; ok && at != k {
					t.Fatalf("trace %s is in part %d and in part %d", s.Trace, at, k)
				}
				home[s.Trace] = k
			}
			for _, l := range all[k].Logs {
				if at, ok := home[l.Trace]; ok && at != k {
					t.Fatalf("a log record of trace %s is in part %d, its spans in part %d", l.Trace, k, at)
				}
			}
		}
		if len(all) != n || sum != records(&ds) {
			t.Fatalf("%d parts with %d records of %d", len(all), sum, records(&ds))
		}
		for k := range all {
			rest := others(all, k)
			if records(&rest)+records(&all[k]) != sum {
				t.Fatalf("part %d has %d records, the others %d, all %d", k, records(&all[k]), records(&rest), sum)
			}
		}
	})
}

func TestHealthyCountsAlarms(t *testing.T) {
	dir := writeCorpus(t, map[string]any{"loud": map[string]any{"kind": "code", "service": "x"}, "quiet": map[string]any{"kind": "none"}}, "loud", "quiet")
	tool := madeTool(nil)
	tool.Rank = func(in incident.Incident, ev localize.Evidence, _ localize.Options) localize.Result {
		// Names somebody in the early half of one recording only.
		if in.Service == "loud" && len(ev.Incident.Spans) == 300 && ev.Incident.Spans[0].Start < ev.Baseline.Spans[0].Start {
			r := naming("x")
			r.Suspects[0].Reasons = []localize.Reason{{Text: "it looked odd"}}
			r.Decision = localize.Abstain
			return r
		}
		return localize.Result{Decision: localize.Abstain}
	}
	h, err := tool.Healthy(context.Background(), []*Corpus{open(t, dir)}, map[string]bool{"quiet": true})
	if err != nil {
		t.Fatal(err)
	}
	var cuts []string
	for _, g := range h.Groups {
		cuts = append(cuts, g.Cut)
		want := Rate{0, g.Named.Of}
		if g.Cut == "half against half" {
			want = Rate{1, 4}
			if g.Recordings != 2 || g.Loud != 1 {
				t.Errorf("%d recordings, %d with an alarm; want 2 and 1", g.Recordings, g.Loud)
			}
		}
		if g.Named != want || g.Acted.Hits != 0 || g.Named.Of == 0 {
			t.Errorf("%s: named in %v, acted in %v, want %v and none", g.Cut, g.Named, g.Acted, want)
		}
	}
	if got := strings.Join(cuts, "; "); !strings.Contains(got, "as recorded") || !strings.Contains(got, "part of the incident against the baseline") {
		t.Errorf("cuts: %s", got)
	}
	if len(h.Alarms) != 1 || h.Alarms[0].Case != "loud" || h.Alarms[0].Reason != "it looked odd" {
		t.Errorf("alarms %+v", h.Alarms)
	}
	var b bytes.Buffer
	h.Table(&b, false)
	if !strings.Contains(b.String(), "it looked odd") {
		t.Errorf("the alarm is not in\n%s", b.String())
	}
}

// Values of the interval as Wilson's formula gives them by hand.
func TestWilson(t *testing.T) {
	for _, tt := range []struct {
		rate      Rate
		low, high float64
	}{
		{Rate{0, 10}, 0, 0.2775},
		{Rate{10, 10}, 0.7225, 1},
		{Rate{5, 10}, 0.2366, 0.7634},
		{Rate{1, 100}, 0.0018, 0.0545},
		{Rate{0, 0}, 0, 1},
	} {
		low, high := Wilson(tt.rate)
		if math.Abs(low-tt.low) > 5e-5 || math.Abs(high-tt.high) > 5e-5 {
			t.Errorf("%v: %.4f to %.4f, want %.4f to %.4f", tt.rate, low, high, tt.low, tt.high)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 10000).Draw(t, "n")
		r := Rate{rapid.IntRange(0, n).Draw(t, "hits"), n}
		low, high := Wilson(r)
		if low < 0 || high > 1 || low > r.Share()+1e-12 || high < r.Share()-1e-12 || low >= high {
			t.Errorf("%v: %v to %v", r, low, high)
		}
	})
}
