package otlp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// keep appends data to a log as a receiver would.
func keep(t testing.TB, log Log, data any) {
	t.Helper()
	pack, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	var e export
	signal := telemetry.Traces
	switch d := data.(type) {
	case ptrace.Traces:
		e = &traceExport{d}
	case plog.Logs:
		e, signal = &logExport{d}, telemetry.Logs
	case pmetric.Metrics:
		e, signal = &metricExport{d}, telemetry.Metrics
	}
	s := e.sift(boundsAt(noon, 1000*time.Hour))
	ps, _, err := pieces(e, nil, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ps {
		if err := log.Append(context.Background(), string(signal), moment(p.from), moment(p.to), pack.pack(p.raw)); err != nil {
			t.Fatal(err)
		}
	}
}

// request is how a request of the traffic fares.
type fate struct {
	failed bool
	took   time.Duration
}

// traffic keeps two requests a second between two times, each a trace of a gateway and an orders service in two
// payloads, with a record and, every ten seconds, a metric.
func traffic(t testing.TB, log Log, from, to time.Time, fare func(at time.Time, n int) fate) {
	t.Helper()
	n := 0
	for minute := from; minute.Before(to); minute = minute.Add(time.Minute) {
		front, back, ld, md := ptrace.NewTraces(), ptrace.NewTraces(), plog.NewLogs(), pmetric.NewMetrics()
		for at := minute; at.Before(minute.Add(time.Minute)) && at.Before(to); at = at.Add(500 * time.Millisecond) {
			n++
			f := fare(at, n)
			id := uint64(at.UnixNano())
			root := spanAt(front, "gateway", id, 1, 0, at, f.took)
			child := spanAt(back, "orders", id, 2, 1, at.Add(time.Millisecond), f.took-2*time.Millisecond)
			record := someLogs(1, at.Add(2*time.Millisecond)).ResourceLogs().At(0)
			record.ScopeLogs().At(0).LogRecords().At(0).SetTraceID(traceID(id))
			if f.failed {
				root.Status().SetCode(ptrace.StatusCodeError)
				child.Status().SetCode(ptrace.StatusCodeError)
				record.ScopeLogs().At(0).LogRecords().At(0).SetSeverityNumber(plog.SeverityNumberError)
			}
			record.CopyTo(ld.ResourceLogs().AppendEmpty())
			if n%20 == 0 {
				someMetrics(1, at).ResourceMetrics().At(0).CopyTo(md.ResourceMetrics().AppendEmpty())
			}
		}
		for _, data := range []any{front, back, ld, md} {
			keep(t, log, data)
		}
	}
}

func healthy(time.Time, int) fate { return fate{took: 20 * time.Millisecond} }

func newWindow(t testing.TB, log Log, now time.Time, edit func(*WindowOptions)) *Window {
	t.Helper()
	o := WindowOptions{Now: fixed(now)}
	if edit != nil {
		edit(&o)
	}
	w, err := NewWindow(log, o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func draw(t testing.TB, w *Window, alert time.Time, d Draw) localize.Evidence {
	t.Helper()
	ev, err := w.Evidence(context.Background(), alert, d)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// extent is the first and last start of a span.
func extent(ds telemetry.Dataset) (time.Time, time.Time) {
	if len(ds.Spans) == 0 {
		return time.Time{}, time.Time{}
	}
	return time.Unix(0, ds.Spans[0].Start).UTC(), time.Unix(0, ds.Spans[len(ds.Spans)-1].Start).UTC()
}

func errorShare(ds telemetry.Dataset) float64 {
	n := 0
	for i := range ds.Spans {
		if ds.Spans[i].Status == telemetry.StatusError {
			n++
		}
	}
	return float64(n) / float64(max(len(ds.Spans), 1))
}

func note(ds telemetry.Dataset, code string) *telemetry.Note {
	if i := slices.IndexFunc(ds.Notes, func(n telemetry.Note) bool { return n.Code == code }); i >= 0 {
		return &ds.Notes[i]
	}
	return nil
}

func within(t *testing.T, what string, got, want time.Time, tolerance time.Duration) {
	t.Helper()
	if d := got.Sub(want).Abs(); d > tolerance {
		t.Errorf("%s at %s, wanted %s", what, got.Format(time.TimeOnly), want.Format(time.TimeOnly))
	}
}

// TestIncidentBeginsWithTheSymptom: a burn-rate alert fires minutes after the first request failed; those minutes belong to the
// incident and not to the baseline.
func TestIncidentBeginsWithTheSymptom(t *testing.T) {
	onset := noon.Add(-17 * time.Minute)
	for name, bad := range map[string]fate{"failing": {failed: true, took: 20 * time.Millisecond}, "slow": {took: 200 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			log := newRing(fixed(noon))
			traffic(t, log, noon.Add(-time.Hour), noon, func(at time.Time, n int) fate {
				if !at.Before(onset) && n%5 == 0 || n%997 == 0 {
					return bad
				}
				return healthy(at, n)
			})
			ev := draw(t, newWindow(t, log, noon, nil), noon.Add(-3*time.Minute), Draw{})
			from, to := extent(ev.Incident)
			within(t, "the incident begins", from, onset.Add(-lead), 15*time.Second)
			within(t, "the incident ends", to, noon, time.Second)
			from, to = extent(ev.Baseline)
			within(t, "the baseline ends", to, onset.Add(-lead-guard), 15*time.Second)
			within(t, "the baseline begins", from, to.Add(-17*time.Minute-lead), 20*time.Second)
			if len(ev.Missing) != 0 || note(ev.Incident, NoteShort) != nil {
				t.Errorf("missing %v, notes %v", ev.Missing, ev.Incident.Notes)
			}
			if n := note(ev.Incident, NoteWindows); n == nil || !strings.Contains(n.Text, "before the alert") || strings.Contains(n.Text, "not found") {
				t.Errorf("%+v", n)
			}
			if len(ev.Incident.Logs) == 0 || len(ev.Incident.Metrics) == 0 || len(ev.Baseline.Logs) == 0 || len(ev.Baseline.Metrics) == 0 {
				t.Error("logs or metrics are missing")
			}
			if name == "failing" && (errorShare(ev.Baseline) > 0.01 || errorShare(ev.Incident) < 0.15) {
				t.Errorf("errors: %.3f before, %.3f then", errorShare(ev.Baseline), errorShare(ev.Incident))
			}
		})
	}
}

func TestHealthyTrafficHasNoOnset(t *testing.T) {
	log := newRing(fixed(noon))
	random := rand.New(rand.NewPCG(1, 2))
	traffic(t, log, noon.Add(-time.Hour), noon, func(time.Time, int) fate {
		return fate{failed: random.Float64() < 0.01, took: time.Duration(10+random.ExpFloat64()*10) * time.Millisecond}
	})
	alert := noon.Add(-2 * time.Minute)
	ev := draw(t, newWindow(t, log, noon, nil), alert, Draw{})
	from, _ := extent(ev.Incident)
	within(t, "the incident begins", from, alert.Add(-lag), time.Second)
	if n := note(ev.Incident, NoteWindows); n == nil || !strings.Contains(n.Text, "not found") {
		t.Errorf("%+v", n)
	}
}

// TestBaselineAvoidsAnEarlierOutage: where the time right before the incident was bad for another reason, an earlier one is compared with.
func TestBaselineAvoidsAnEarlierOutage(t *testing.T) {
	log := newRing(fixed(noon))
	onset, outage := noon.Add(-6*time.Minute), noon.Add(-11*time.Minute)
	traffic(t, log, noon.Add(-time.Hour), noon, func(at time.Time, n int) fate {
		return fate{failed: !at.Before(onset) && n%2 == 0 || !at.Before(outage) && at.Before(outage.Add(2*time.Minute)) && n%9 == 0, took: 20 * time.Millisecond}
	})
	ev := draw(t, newWindow(t, log, noon, nil), noon.Add(-time.Minute), Draw{})
	from, to := extent(ev.Incident)
	if _, end := extent(ev.Baseline); errorShare(ev.Baseline) > 0.01 || end.After(outage.Add(time.Minute)) {
		t.Errorf("the baseline ends at %s with %.3f errors; incident %s to %s", end, errorShare(ev.Baseline), from, to)
	}
}

// TestWholeTracesStayTogether: no trace is in both windows, and none is in parts.
func TestWholeTracesStayTogether(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		log := newRing(fixed(noon))
		td := ptrace.NewTraces()
		spans := map[telemetry.TraceID]int{}
		starts := map[telemetry.TraceID]time.Time{}
		for i := range rapid.IntRange(1, 60).Draw(rt, "traces") {
			at := noon.Add(-time.Duration(rapid.IntRange(0, 20*60).Draw(rt, "ago")) * time.Second)
			starts[telemetry.TraceID(traceID(uint64(i+1)))] = at
			for k := range rapid.IntRange(1, 4).Draw(rt, "spans") {
				began := at.Add(time.Duration(k*rapid.IntRange(0, 9).Draw(rt, "later")) * time.Second)
				if began.After(noon) {
					continue
				}
				spanAt(td, "desk", uint64(i+1), uint64(k+1), uint64(k), began, time.Duration(rapid.IntRange(1, 20).Draw(rt, "took"))*time.Second)
				spans[telemetry.TraceID(traceID(uint64(i+1)))]++
				if rapid.Bool().Draw(rt, "next payload") {
					keep(t, log, td)
					td = ptrace.NewTraces()
				}
			}
		}
		keep(t, log, td)
		ev, err := newWindow(t, log, noon, nil).Evidence(context.Background(), noon.Add(-time.Minute), Draw{Before: 15 * time.Minute})
		if err != nil {
			rt.Fatal(err)
		}
		side := map[telemetry.TraceID]string{}
		for name, ds := range map[string]telemetry.Dataset{"incident": ev.Incident, "baseline": ev.Baseline} {
			for _, tr := range telemetry.GroupTraces(ds.Spans) {
				id := tr.Spans[0].Trace
				if side[id] != "" {
					rt.Fatalf("a trace is in both windows")
				}
				side[id] = name
				if len(tr.Spans) != spans[id] {
					rt.Fatalf("%d of %d spans of the trace that began at %s are in the %s", len(tr.Spans), spans[id], starts[id], name)
				}
			}
		}
		// The incident is drawn from six minutes before noon, with nothing to date it: whatever began then is in it.
		for id, at := range starts {
			if spans[id] > 0 && !at.Before(noon.Add(-6*time.Minute)) && side[id] != "incident" {
				rt.Fatalf("the trace of %s is in %q", at, side[id])
			}
		}
	})
}

// TestTraceAcrossTheBorder: a request that hung into the incident is part of it when it began in the minute between, and of the
// baseline when it began there.
func TestTraceAcrossTheBorder(t *testing.T) {
	log := newRing(fixed(noon))
	border := noon.Add(-time.Minute - lag)
	td := ptrace.NewTraces()
	spanAt(td, "desk", 1, 1, 0, border.Add(-30*time.Second), 40*time.Second)
	spanAt(td, "desk", 2, 1, 0, border.Add(-30*time.Second), 10*time.Second)
	spanAt(td, "desk", 3, 1, 0, border.Add(-90*time.Second), 2*time.Minute)
	spanAt(td, "desk", 4, 1, 0, noon.Add(-time.Second), 30*time.Second)
	keep(t, log, td)
	ld := plog.NewLogs()
	for i, at := range []time.Time{border.Add(5 * time.Second), border.Add(-25 * time.Second), border.Add(20 * time.Second), border.Add(20 * time.Second), border.Add(time.Minute)} {
		rl := someLogs(1, at).ResourceLogs().At(0)
		rl.ScopeLogs().At(0).LogRecords().At(0).Body().SetStr(fmt.Sprint(i + 1))
		if i < 3 {
			rl.ScopeLogs().At(0).LogRecords().At(0).SetTraceID(traceID(uint64(i + 1)))
		}
		rl.CopyTo(ld.ResourceLogs().AppendEmpty())
	}
	keep(t, log, ld)
	ev := draw(t, newWindow(t, log, noon, nil), noon.Add(-time.Minute), Draw{})
	names := func(ds telemetry.Dataset) (out string) {
		for _, s := range ds.Spans {
			out += fmt.Sprint("t", s.Trace[15], " ")
		}
		for _, l := range ds.Logs {
			out += "l" + l.Body + " "
		}
		return out
	}
	if got := names(ev.Incident); got != "t1 t4 l1 l4 l5 " {
		t.Errorf("incident %s", got)
	}
	if got := names(ev.Baseline); got != "t3 l3 " {
		t.Errorf("baseline %s", got)
	}
}

func TestWhatIsAbsentIsSaid(t *testing.T) {
	log := newRing(fixed(noon))
	ev := draw(t, newWindow(t, log, noon, nil), noon, Draw{})
	if fmt.Sprint(ev.Missing) != "[incident/traces incident/logs incident/metrics baseline/traces baseline/logs baseline/metrics]" {
		t.Error(ev.Missing)
	}
	traffic(t, log, noon.Add(-4*time.Minute), noon, healthy)
	ev = draw(t, newWindow(t, log, noon, nil), noon, Draw{})
	if fmt.Sprint(ev.Missing) != "[baseline/traces baseline/logs baseline/metrics]" {
		t.Error(ev.Missing)
	}
	// The window reaches less far back than a baseline should.
	log = newRing(fixed(noon))
	traffic(t, log, noon.Add(-time.Hour), noon, healthy)
	ev = draw(t, newWindow(t, log, noon, nil), noon, Draw{Before: 8 * time.Minute})
	if note(ev.Incident, NoteShort) != nil { // 2 min 40 s of the incident, five minutes of baseline
		t.Error(ev.Incident.Notes)
	}
	ev = draw(t, newWindow(t, log, noon, nil), noon, Draw{Before: 3 * time.Minute})
	if note(ev.Incident, NoteShort) == nil {
		t.Error(ev.Incident.Notes)
	}
}

// TestResolvedAlertEndsTheWindow: what came after the end is healthy and would thin out the incident.
func TestResolvedAlertEndsTheWindow(t *testing.T) {
	log := newRing(fixed(noon))
	traffic(t, log, noon.Add(-time.Hour), noon, healthy)
	alert := noon.Add(-9 * time.Minute)
	_, to := extent(draw(t, newWindow(t, log, noon, nil), alert, Draw{Resolved: noon.Add(-5 * time.Minute)}).Incident)
	within(t, "the incident ends", to, noon.Add(-5*time.Minute), time.Second)
	_, to = extent(draw(t, newWindow(t, log, noon, nil), alert, Draw{After: 2 * time.Minute}).Incident)
	within(t, "the incident ends", to, noon.Add(-7*time.Minute), time.Second)
	_, to = extent(draw(t, newWindow(t, log, noon, nil), noon.Add(time.Hour), Draw{}).Incident) // its clock is ahead
	within(t, "the incident ends", to, noon, time.Second)
}

// TestTooMuchIsThinnedByTrace: both windows lose the same share, whole traces of it, and the loss is said.
func TestTooMuchIsThinnedByTrace(t *testing.T) {
	log := newRing(fixed(noon))
	onset := noon.Add(-10 * time.Minute)
	traffic(t, log, noon.Add(-time.Hour), noon, func(at time.Time, n int) fate {
		return fate{failed: !at.Before(onset) && n%3 == 0, took: 20 * time.Millisecond}
	})
	for name, edit := range map[string]func(*WindowOptions){
		"spans": func(o *WindowOptions) { o.Limits.Spans = 700 }, "traces": func(o *WindowOptions) { o.MaxTraces = 1500 },
	} {
		ev := draw(t, newWindow(t, log, noon, edit), noon.Add(-2*time.Minute), Draw{})
		n := note(ev.Incident, NoteSampled)
		if n == nil || n.Count == 0 || !strings.Contains(n.Text, "one trace in 4") {
			t.Errorf("%s: %+v", name, n)
		}
		for _, ds := range []telemetry.Dataset{ev.Incident, ev.Baseline} {
			if len(ds.Spans) < 400 || len(ds.Spans) > 800 {
				t.Errorf("%s: %d spans", name, len(ds.Spans))
			}
			for _, tr := range telemetry.GroupTraces(ds.Spans) {
				if len(tr.Spans) != 2 {
					t.Fatalf("%s: a trace of %d spans", name, len(tr.Spans))
				}
			}
		}
		from, _ := extent(ev.Incident)
		within(t, name+": the incident begins", from, onset.Add(-lead), 30*time.Second)
	}
}

// timer moves its own clock.
type timer struct {
	now   time.Time
	waits int
	on    func()
}

func (c *timer) after(d time.Duration) <-chan time.Time {
	c.now = c.now.Add(d)
	c.waits++
	if c.on != nil {
		c.on()
	}
	ch := make(chan time.Time, 1)
	ch <- c.now
	return ch
}

// TestSettleWaitsForWhatIsOnItsWay, but not longer than it has to.
func TestSettleWaitsForWhatIsOnItsWay(t *testing.T) {
	log := newRing(fixed(noon))
	traffic(t, log, noon.Add(-time.Hour), noon.Add(-10*time.Second), healthy)
	c := &timer{now: noon}
	c.on = func() {
		if c.waits == 3 { // the exporters' next batch, with what happened before the alert and after it
			traffic(t, log, noon.Add(-10*time.Second), noon.Add(5*time.Second), healthy)
		}
	}
	w := newWindow(t, log, noon, func(o *WindowOptions) {
		o.Now = func() time.Time { return c.now }
		o.After = func(d time.Duration) <-chan time.Time { return c.after(d) }
	})
	ev := draw(t, w, noon, Draw{Settle: time.Minute})
	_, to := extent(ev.Incident)
	within(t, "the incident ends", to, noon, time.Second)
	if c.waits != 3 || note(ev.Incident, NoteSettling) != nil {
		t.Errorf("%d waits, notes %v", c.waits, ev.Incident.Notes)
	}
	// Now nothing comes any more.
	c = &timer{now: noon.Add(time.Minute)}
	td := ptrace.NewTraces()
	spanAt(td, "gone", 1, 1, 0, c.now.Add(-time.Second), time.Millisecond)
	keep(t, log, td)
	begun := c.now
	ev = draw(t, w, begun, Draw{Settle: 30 * time.Second})
	if n := note(ev.Incident, NoteSettling); n == nil || n.Count < 1 || c.now.Sub(begun) < 30*time.Second || c.now.Sub(begun) > 32*time.Second {
		t.Errorf("%+v after %s", n, c.now.Sub(begun))
	}
	// And long afterwards there is nothing to wait for.
	c = &timer{now: noon.Add(time.Hour)}
	draw(t, w, noon, Draw{Settle: 30 * time.Second})
	if c.waits != 0 {
		t.Errorf("%d waits", c.waits)
	}
}

func TestDrawStopsWithItsContext(t *testing.T) {
	log := newRing(fixed(noon))
	traffic(t, log, noon.Add(-2*time.Minute), noon, healthy)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := newWindow(t, log, noon, nil).Evidence(ctx, noon, Draw{Settle: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestPayloadOfSomebodyElse: the log may be shared; what is in it is no more trusted than what is sent.
func TestPayloadOfSomebodyElse(t *testing.T) {
	pack, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	bomb := zstded(make([]byte, 64<<20))
	for name, payload := range map[string][]byte{"no frame": []byte("hello"), "bomb": bomb, "nested": pack.pack(nested(100_000)), "not OTLP": pack.pack([]byte{0xff})} {
		log := newRing(fixed(noon))
		if err := log.Append(context.Background(), "traces", noon, noon, payload); err != nil {
			t.Fatal(err)
		}
		if _, err := newWindow(t, log, noon, nil).Evidence(context.Background(), noon, Draw{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestUnplausibleTimesDoNotMove what is drawn: ids and times that collide are no reason to fail.
func TestTracesThatShareAnID(t *testing.T) {
	log := newRing(fixed(noon))
	td := ptrace.NewTraces()
	for i := range 100 {
		spanAt(td, "desk", 1, uint64(i+1), 0, noon.Add(-time.Duration(i)*time.Second), time.Millisecond)
		s := spanAt(td, "desk", 0, uint64(i+1), 0, noon, time.Millisecond)
		s.SetTraceID(pcommon.TraceID{})
	}
	keep(t, log, td)
	ev := draw(t, newWindow(t, log, noon, nil), noon, Draw{})
	if len(ev.Incident.Spans) != 100 {
		t.Errorf("%d spans", len(ev.Incident.Spans))
	}
}

// TestShortHistoryStillGivesABaseline: a receiver that began to listen less than a minute before the incident.
func TestShortHistoryStillGivesABaseline(t *testing.T) {
	log := newRing(fixed(noon))
	began := noon.Add(-30 * time.Second)
	traffic(t, log, noon.Add(-75*time.Second), noon, func(at time.Time, n int) fate {
		if at.Before(began) || n%2 == 0 {
			return healthy(at, n)
		}
		return fate{failed: true, took: 20 * time.Millisecond}
	})
	ev := draw(t, newWindow(t, log, noon, nil), noon, Draw{})
	if n := len(ev.Baseline.Spans); n < 60 || errorShare(ev.Baseline) > 0 {
		t.Errorf("the baseline has %d spans, of which %.2f failed", n, errorShare(ev.Baseline))
	}
	if share := errorShare(ev.Incident); share < 0.3 {
		t.Errorf("%.2f of the incident's requests failed", share)
	}
}
