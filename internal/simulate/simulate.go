package simulate

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// Options restrict what is drawn. The zero value draws from everything.
type Options struct {
	// Faults are names of faults to draw from, see [Faults]; empty means all.
	Faults []string
	// Classes are classes of faults to draw from; empty means all.
	Classes []string
	// Services bounds the size of the systems. Default 40.
	Services int
	// Traffic is a factor on how much happens in a system. Default 1.
	Traffic float64
}

// Window is the telemetry of a stretch of time.
type Window struct {
	From, To time.Time
	Traces   ptrace.Traces
	Logs     plog.Logs
	Metrics  pmetric.Metrics
}

// Bundle is one incident.
type Bundle struct {
	ID       string
	Alert    []byte // an Alertmanager webhook
	Incident Window
	Baseline Window
	Changes  []localize.Change
	Deploys  []localize.Deploy
	Flags    []localize.FlagChange
	// Missing names files that this bundle lacks, as incidents in real life do ("baseline/metrics").
	Missing []string
	Truth   Truth
}

// Faults lists the names of all faults.
func Faults() []string {
	var out []string
	for _, f := range faults() {
		out = append(out, f.name)
	}
	return out
}

// attempts bounds how often a fault is drawn again because nobody would have noticed it.
const attempts = 12

// Case makes the incident of a seed. The same seed and options give the same incident.
func Case(seed int64, o Options) Bundle {
	choice := newRandom(seed, "fault")
	var all []fault
	var weights []float64
	for _, f := range faults() {
		if (len(o.Faults) == 0 || slices.Contains(o.Faults, f.name)) && (len(o.Classes) == 0 || slices.Contains(o.Classes, f.class)) {
			all = append(all, f)
			weights = append(weights, f.weight)
		}
	}
	if len(all) == 0 {
		all, weights = noFaults(), []float64{1, 1, 1, 1, 1}
	}
	f := all[choice.weighted(weights)]
	for n := range attempts {
		// A system that has no place for the fault, or does not mind it, makes way for another.
		if n > 0 && n%4 == 0 && len(o.Faults) == 0 {
			f = all[choice.weighted(weights)]
		}
		if b, ok := try(seed, n, f, o, false); ok {
			return b
		}
	}
	b, _ := try(seed, attempts, noFaults()[0], o, true)
	return b
}

// try makes an incident of a fault; false when nobody would notice, unless it is insisted on.
func try(seed int64, attempt int, f fault, o Options, insist bool) (Bundle, bool) {
	s := newScene(seed, attempt, f, o)
	sys, r, mixed := s.sys, s.r, s.mixed
	t := &s.plan.truth
	if !f.apply(s) {
		return Bundle{}, false
	}
	changes, deploys, flags := s.history()
	s.ship(deploys)
	length := time.Duration(r.int(180, 360)) * time.Second
	end := s.from.Add(-time.Duration(r.spread(15, 26*60)) * time.Minute)
	incident := newRun(sys, mixed, "incident", s.from, s.to, s.plan)
	incident.tally = newTally(s.onset.UnixNano())
	incident.live()
	baseline := newRun(sys, mixed, "baseline", end.Add(-length), end, s.plan)
	baseline.tally = newTally(baseline.from)
	baseline.live()
	worst := compare(sys, incident, baseline)
	if s.plan.none != (worst.text == "") && !insist {
		return Bundle{}, false // a fault that nobody noticed, or something wrong where nothing should be
	}
	t.Effect = worst.text
	b := Bundle{ID: fmt.Sprintf("sim-%07d", seed), Truth: *t, Changes: changes, Deploys: deploys, Flags: flags}
	b.Incident = incident.window()
	b.Baseline = baseline.window()
	b.Alert = s.alertBody(worst)
	b.omit(r, s)
	b.Truth.Difficulty = s.difficulty(&b)
	return b, true
}

// newScene draws a system and the times of an incident in it.
func newScene(seed int64, attempt int, f fault, o Options) *scene {
	mixed := seed*64 + int64(attempt)
	sys := newSystem(mixed, o)
	r := newRandom(mixed, "scene")
	s := &scene{sys: sys, r: r, plan: &plan{}, mixed: mixed}
	day := time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(300)) * 24 * time.Hour)
	s.onset = day.Add(time.Duration(r.IntN(24*3600)) * time.Second)
	s.from = s.onset.Add(-time.Duration(r.int(60, 180)) * time.Second)
	s.alert = s.onset.Add(time.Duration(r.int(80, 240)) * time.Second)
	s.to = s.alert.Add(time.Duration(r.int(10, 60)) * time.Second)
	if r.chance(0.06) {
		pick(r, sys.services).silent = true
	}
	if r.chance(0.06) {
		pick(r, sys.services).quiet = true
	}
	t := &s.plan.truth
	t.Fault, t.Class, t.Seed, t.InjectTime = f.name, f.class, seed, s.onset
	return s
}

func (x *run) window() Window {
	sort.SliceStable(x.rec.spans, func(a, b int) bool { return x.rec.spans[a].start < x.rec.spans[b].start })
	return Window{From: time.Unix(0, x.from).UTC(), To: time.Unix(0, x.to).UTC(), Traces: x.traces(), Logs: x.logs(), Metrics: x.metricData()}
}

// Evidence is the bundle as the ranking takes it, read by the same reader as any other.
func (b *Bundle) Evidence() localize.Evidence {
	ev := localize.Evidence{
		Incident: b.Incident.dataset(), Baseline: b.Baseline.dataset(),
		Changes: b.Changes, Deploys: b.Deploys, Flags: b.Flags, Missing: append([]string{}, b.Missing...),
	}
	if len(b.Changes) == 0 {
		ev.Missing = append(ev.Missing, "context/changes")
	}
	if len(b.Deploys) == 0 {
		ev.Missing = append(ev.Missing, "context/deploys")
	}
	if len(b.Flags) == 0 {
		ev.Missing = append(ev.Missing, "context/flags")
	}
	return ev
}

func (w *Window) dataset() telemetry.Dataset {
	r := telemetry.NewReader(telemetry.Options{})
	r.AddTraces(w.Traces)
	r.AddLogs(w.Logs)
	r.AddMetrics(w.Metrics)
	return r.Dataset()
}
