package benchmark

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// clock advances by a second at every look.
func clock() func() time.Time {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return func() time.Time { at = at.Add(time.Second); return at }
}

func TestTheSystemIsWhatItSays(t *testing.T) {
	const n = 6000
	cur, old := NewSystem(true).Dataset(n), NewSystem(false).Dataset(n)
	if again := NewSystem(true).Dataset(n); len(again.Spans) != len(cur.Spans) || again.Spans[n-1].ID != cur.Spans[n-1].ID || again.Spans[n-1].Start != cur.Spans[n-1].Start {
		t.Error("the same size gives other telemetry")
	}
	services := map[string]bool{}
	for i := range cur.Spans {
		services[cur.Spans[i].Resource.Service] = true
	}
	if len(services) != 20 {
		t.Errorf("%d services, the doc says twenty", len(services))
	}
	traces := telemetry.GroupTraces(cur.Spans)
	if per := float64(len(cur.Spans)) / float64(len(traces)); per < 13 || per > 17 {
		t.Errorf("%.1f spans per trace, want about fifteen", per)
	}
	failed := func(ds *telemetry.Dataset) (n int) {
		for _, tr := range telemetry.GroupTraces(ds.Spans) {
			if tr.Broken || len(tr.Roots) != 1 {
				t.Fatalf("trace %s has %d roots", tr.ID, len(tr.Roots))
			}
			if tr.Spans[tr.Roots[0]].Status == telemetry.StatusError {
				n++
			}
		}
		return n
	}
	if f := failed(&cur); f == 0 || f*25 > len(traces) {
		t.Errorf("%d of %d requests fail in the broken window", f, len(traces))
	}
	if f := failed(&old); f != 0 {
		t.Errorf("%d requests fail in the healthy window", f)
	}
	if len(cur.Notes) != 0 {
		t.Errorf("notes %v about telemetry that should need no repair", cur.Notes)
	}
}

// What is measured must be the real work: the ranking finds the fault that the system has.
func TestTheFaultIsFound(t *testing.T) {
	ev := localize.Evidence{Incident: NewSystem(true).Dataset(30_000), Baseline: NewSystem(false).Dataset(30_000)}
	r := localize.Rank(incident.Incident{}, ev, localize.Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "fares" {
		t.Errorf("suspects %+v, want fares first", r.Suspects)
	}
}

func TestRepeatCountsTheRunsAfterTheFirst(t *testing.T) {
	runs := 0
	wall, _, err := repeat(t.Context(), clock(), 5, func() { runs++ })
	if err != nil || runs != 6 || wall.Runs != 5 || wall.Median != 1 || wall.Least != 1 || wall.Most != 1 {
		t.Errorf("%d runs, %+v, %v", runs, wall, err)
	}
	slow := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	wall, _, err = repeat(t.Context(), func() time.Time { slow = slow.Add(time.Minute); return slow }, 50, func() {})
	if err != nil || wall.Runs != 3 {
		t.Errorf("%d runs of a minute each, %v; want the least number, three", wall.Runs, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := repeat(ctx, clock(), 5, func() { t.Error("measured after the end") }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestFigureIsTheMedian(t *testing.T) {
	if f := figure([]float64{9, 1, 5}); f != (Figure{Median: 5, Least: 1, Most: 9, Runs: 3}) {
		t.Errorf("%+v", f)
	}
}

var kept []byte

func TestNeedSeesThePeak(t *testing.T) {
	const size = 64 << 20
	m := need(func() {
		kept = make([]byte, size)
		for i := 0; i < len(kept); i += 4096 {
			kept[i] = 1
		}
	})
	kept = nil
	if m.Peak < size || m.Allocated < size || m.Peak > 4*size {
		t.Errorf("%+v for %d bytes", m, size)
	}
}

func TestTargets(t *testing.T) {
	m := Measurement{Items: 1000, Unit: "span", Seconds: Figure{Median: 0.01}}
	if m.PerSecond() != 100_000 || math.Abs(m.Nanoseconds()-10_000) > 1e-6 {
		t.Errorf("%v per second, %v ns", m.PerSecond(), m.Nanoseconds())
	}
	if got := m.atLeast(250_000, "more"); *got.Met {
		t.Error("a target of 250,000 met with 100,000")
	}
	if got := m.within(20*time.Millisecond, "less"); !*got.Met {
		t.Error("10 ms are not within 20")
	}
}

func TestGroupingAccuracy(t *testing.T) {
	for _, tt := range []struct {
		got, want []int
		accuracy  float64
	}{
		{[]int{1, 1, 2}, []int{7, 7, 8}, 1},
		{[]int{1, 2, 3}, []int{7, 7, 8}, 1.0 / 3},
		{[]int{1, 1, 1}, []int{7, 7, 8}, 0},
		{nil, nil, 0},
	} {
		if a := groupingAccuracy(tt.got, tt.want); math.Abs(a-tt.accuracy) > 1e-9 {
			t.Errorf("%v for %v and %v, want %v", a, tt.got, tt.want, tt.accuracy)
		}
	}
}

func TestLinesKnowTheirStatement(t *testing.T) {
	lines, statement := Lines(2000)
	for i, l := range lines {
		if strings.Contains(l, "%") {
			t.Fatalf("line %q was not filled in", l)
		}
		before, _, _ := strings.Cut(statements[statement[i]], "%")
		if !strings.HasPrefix(l, before) {
			t.Fatalf("line %q is not of statement %q", l, statements[statement[i]])
		}
	}
}

func TestRunMeasuresAndReportsEverything(t *testing.T) {
	var said []string
	var rows []string
	r, err := Run(t.Context(), Options{Spans: []int{2000}, Ingest: 1000, Lines: 500, Runs: 1, Now: clock(), Say: func(s string) { said = append(said, s) },
		Row: func(m *Measurement) { rows = append(rows, m.Name) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Measurements) != 7 || len(r.Peers) != 1 || len(said) < 7 {
		t.Fatalf("%d measurements, %d miners, %d messages", len(r.Measurements), len(r.Peers), len(said))
	}
	for i := range rows {
		if len(rows) != len(r.Measurements) || rows[i] != r.Measurements[i].Name {
			t.Errorf("row %d is %q of %d", i, rows[i], len(rows))
		}
	}
	if len(rows) == 0 {
		t.Error("no row was handed out")
	}
	for _, m := range r.Measurements {
		if m.Items == 0 || m.Seconds.Median != 1 || m.Seconds.Runs != 1 {
			t.Errorf("%s: %d items, %+v", m.Name, m.Items, m.Seconds)
		}
	}
	var table, markdown bytes.Buffer
	if err := r.Table(&table); err != nil {
		t.Fatal(err)
	}
	if err := r.Markdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"alert to ranked suspects", "MISSED", "grouping accuracy", "remediator"} {
		if !strings.Contains(table.String(), want) || !strings.Contains(markdown.String(), want) {
			t.Errorf("no %q in\n%s\n%s", want, table.String(), markdown.String())
		}
	}
	columns := 0
	for line := range strings.Lines(markdown.String()) {
		if n := strings.Count(line, "|"); strings.TrimSpace(line) != "" && columns != 0 && n != columns {
			t.Errorf("row %q has %d bars, the one before %d", line, n, columns)
		} else {
			columns = n
		}
	}
	raw, err := json.Marshal(r)
	if err != nil || !json.Valid(raw) {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestAPythonWithoutDrain3IsSaid(t *testing.T) {
	_, err := drain3(t.Context(), "/nonexistent/python", []string{"a"}, func(string, ...any) {})
	if err == nil || !strings.Contains(err.Error(), "install-drain3") {
		t.Errorf("error %v does not offer the next step", err)
	}
}
