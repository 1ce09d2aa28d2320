package localize_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// answer is what a labelled bundle says is right.
type answer struct {
	Kind    string
	Service string
	Commit  string
	Decoys  []string
	Scope   string `json:"scope_span"`
}

// labelled lists the bundles below a directory that have an answer.
func labelled(t *testing.T, pattern string) map[string]answer {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]answer{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := json.Unmarshal(raw, &a); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out[filepath.Dir(f)] = a
	}
	return out
}

func rank(t *testing.T, dir string) localize.Result {
	t.Helper()
	b, err := bundle.Load(dir, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return localize.Rank(incident.Incident{}, b.Evidence, localize.Options{})
}

// The incidents recorded from the sample system, each by its own answer.
func TestRecordedIncidents(t *testing.T) {
	cases := labelled(t, "../testdata/incidents/*/truth.json")
	if len(cases) == 0 {
		t.Skip("SKIPPED: no recorded incidents under testdata")
	}
	for dir, want := range cases {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			r := rank(t, dir)
			if want.Kind == "none" {
				if r.Decision != localize.Abstain || len(r.Suspects) != 0 {
					t.Errorf("a healthy window, but %s suspects %s", r.Decision, names(r))
				}
				return
			}
			// A cause outside the system is named as the peer of the call that meets it.
			if len(r.Suspects) == 0 || want.Service != "" && r.Suspects[0].Service != want.Service && r.Suspects[0].Peer != want.Service {
				t.Fatalf("suspects %s, want %s first", names(r), want.Service)
			}
			if want.Kind == "external" && (r.Cause != localize.CauseExternal || r.Decision != localize.Abstain) {
				t.Errorf("%s, cause %s, for a cause outside the system", r.Decision, r.Cause)
			}
			blamed := "none"
			if len(r.Changes) > 0 {
				blamed = r.Changes[0].SHA
			}
			if r.Cause == localize.CauseFlag {
				return // the flag is what is blamed
			}
			if want.Kind == "change" && blamed != want.Commit {
				t.Errorf("blames %s, want %s", blamed, want.Commit)
			}
			if want.Commit == "none" && blamed != "none" {
				t.Errorf("blames %s, and no commit is to blame", blamed)
			}
		})
	}
}

func names(r localize.Result) string {
	var out []string
	for _, s := range r.Suspects {
		if !slices.Contains(out, s.Service) {
			out = append(out, s.Service)
		}
	}
	return strings.Join(out, ", ")
}

// The public corpora beside the repository: floors below which a change of the ranking is a
// regression. The full tables are made by the evaluation command.
func TestPublicIncidents(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("SKIPPED: ranking quality on the corpora is measured in full mode and without the race detector")
	}
	cases := labelled(t, "../../shared/corpora/*/*/truth.json")
	if len(cases) == 0 {
		t.Skip("SKIPPED: no corpora beside the repository, ranking quality not measured")
	}
	var scored, first, third, changes, commits, decoys, outside, quiet float64
	for dir, want := range cases {
		r := rank(t, dir)
		if want.Service != "" && want.Scope == "" {
			scored++
			services := strings.Split(names(r), ", ")
			place := slices.Index(services, want.Service)
			if place == 0 {
				first++
			}
			if place >= 0 && place < 3 {
				third++
			}
		}
		blamed := "none"
		if len(r.Changes) > 0 {
			blamed = r.Changes[0].SHA
		}
		if want.Kind == "change" {
			changes++
			if blamed == want.Commit {
				commits++
			}
		}
		if slices.Contains(want.Decoys, blamed) {
			decoys++
		}
		if want.Kind == "external" {
			outside++
			if r.Decision == localize.Abstain && blamed == "none" {
				quiet++
			}
		}
	}
	t.Logf("service first %.0f of %.0f, among three %.0f; commit %.0f of %.0f, decoys %.0f; outside causes %.0f of %.0f", first, scored, third, commits, changes, decoys, quiet, outside)
	if first < 0.87*scored || third < 0.95*scored {
		t.Errorf("service first in %.0f and among three in %.0f of %.0f", first, third, scored)
	}
	if commits*3 < changes*2 || decoys*8 >= changes+outside {
		t.Errorf("commit right in %.0f of %.0f, decoys named %.0f times", commits, changes, decoys)
	}
	if quiet*7 < outside*6 {
		t.Errorf("outside causes recognised in %.0f of %.0f", quiet, outside)
	}
}

// One half of a healthy window against the other: nobody may be named.
func TestHealthyHalvesNameNobody(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("SKIPPED: false alarms are counted in full mode and without the race detector")
	}
	dirs, err := filepath.Glob("../testdata/incidents/*/baseline")
	if err != nil {
		t.Fatal(err)
	}
	public, err := filepath.Glob("../../shared/corpora/*/*/baseline")
	if err != nil {
		t.Fatal(err)
	}
	dirs = append(dirs, public...)
	if len(dirs) == 0 {
		t.Skip("SKIPPED: no baselines at hand")
	}
	windows, alarms := 0, 0
	seen := map[string]bool{} // many cases of a recording share one healthy window
	for _, d := range dirs {
		traces, _ := filepath.Glob(d + "/traces*")
		recording := d
		if len(traces) > 0 {
			data, err := os.ReadFile(traces[0])
			if err != nil {
				t.Fatal(err)
			}
			recording = string(data)
		}
		if seen[recording] {
			continue
		}
		seen[recording] = true
		b, err := bundle.Load(filepath.Dir(d), bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		early, late := halves(b.Evidence.Baseline)
		for _, pair := range [][2]telemetry.Dataset{{early, late}, {late, early}} {
			windows++
			ev := b.Evidence
			ev.Incident, ev.Baseline = pair[0], pair[1]
			if r := localize.Rank(incident.Incident{}, ev, localize.Options{}); len(r.Suspects) > 0 {
				alarms++
				t.Logf("%s: %s, %s", d, names(r), r.Suspects[0].Reasons[0].Text)
			}
		}
	}
	t.Logf("%d false alarms in %d healthy windows", alarms, windows)
	if alarms*100 > windows {
		t.Errorf("%d false alarms in %d healthy windows", alarms, windows)
	}
}

// halves cuts each signal of a window in the middle of its time; records of one trace stay
// together.
func halves(ds telemetry.Dataset) (early, late telemetry.Dataset) {
	starts := map[telemetry.TraceID]int64{}
	for _, s := range ds.Spans {
		if _, ok := starts[s.Trace]; !ok {
			starts[s.Trace] = s.Start
		}
	}
	middle := func(from, to int64) int64 { return from + (to-from)/2 }
	var cut int64
	if n := len(ds.Spans); n > 0 {
		cut = middle(ds.Spans[0].Start, ds.Spans[n-1].Start)
	}
	for _, s := range ds.Spans {
		into(&early, &late, starts[s.Trace] < cut).Spans = append(into(&early, &late, starts[s.Trace] < cut).Spans, s)
	}
	if n := len(ds.Logs); n > 0 && len(ds.Spans) < 100 {
		cut = middle(ds.Logs[0].Time, ds.Logs[n-1].Time)
	}
	for _, l := range ds.Logs {
		at := l.Time
		if s, ok := starts[l.Trace]; ok {
			at = s
		}
		into(&early, &late, at < cut).Logs = append(into(&early, &late, at < cut).Logs, l)
	}
	from, to := int64(1<<62), int64(0)
	for _, s := range ds.Metrics {
		for _, p := range s.Points {
			from, to = min(from, p.Time), max(to, p.Time)
		}
	}
	cut = middle(from, to)
	for _, s := range ds.Metrics {
		a, b := s, s
		a.Points, b.Points = nil, nil
		for _, p := range s.Points {
			if p.Time < cut {
				a.Points = append(a.Points, p)
			} else {
				b.Points = append(b.Points, p)
			}
		}
		if len(a.Points) > 0 {
			early.Metrics = append(early.Metrics, a)
		}
		if len(b.Points) > 0 {
			late.Metrics = append(late.Metrics, b)
		}
	}
	return early, late
}

func into(early, late *telemetry.Dataset, first bool) *telemetry.Dataset {
	if first {
		return early
	}
	return late
}
