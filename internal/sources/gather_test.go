package sources

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
)

// madeSource is a server that has so many records of each window from oldest on.
type madeSource struct {
	name    string
	oldest  time.Time
	records int
	points  []string // traces it points to
	partial []string
	err     error
	wait    bool // until it is called off

	mu      sync.Mutex
	queries []Query
	probes  int
}

func (s *madeSource) Name() string { return s.name }

func (s *madeSource) Probe(_ context.Context, q Query) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.probes++
	return !q.Window.From.Before(s.oldest), s.err
}

func (s *madeSource) Fetch(ctx context.Context, q Query, to Sink) (Report, error) {
	s.mu.Lock()
	s.queries = append(s.queries, q)
	s.mu.Unlock()
	if s.wait {
		<-ctx.Done()
		return Report{}, ctx.Err()
	}
	if s.err != nil {
		return Report{}, s.err
	}
	r := Report{Partial: s.partial, TraceIDs: s.points}
	for range s.records {
		ld := plog.NewLogs()
		ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("x")
		if err := to.Logs(q.Name, ld); err != nil {
			return r, err
		}
		r.Logs++
	}
	return r, nil
}

// madeHistory is a source of metrics that knows alerts.
type madeHistory struct {
	madeSource
	expr   string
	alerts []Disturbance
}

func (h *madeHistory) Expression(context.Context, string) (string, error) { return h.expr, nil }

func (h *madeHistory) Alerts(context.Context, Window, string, []string) ([]Disturbance, error) {
	return h.alerts, h.err
}

type madeDeploys struct {
	deploys []localize.Deploy
	err     error
}

func (d madeDeploys) Name() string { return "deploys" }

func (d madeDeploys) Deploys(context.Context, Window) ([]localize.Deploy, error) {
	return d.deploys, d.err
}

func usualPlan() (Plan, *madeHistory, *madeSource, *madeSource) {
	metrics := &madeHistory{madeSource: madeSource{name: "prometheus at m", records: 2, points: []string{"id1"}}, expr: "up == 0"}
	logs := &madeSource{name: "loki at l", records: 3, points: []string{"id2", "id1"}}
	traces := &madeSource{name: "tempo at t", records: 1}
	return Plan{
		Incident: incident.Incident{Name: "Broken", StartsAt: noon, Service: "orders"}, Services: []string{"orders"}, Metrics: metrics, Logs: logs, Traces: traces,
		Settings: usualFacts().Settings, Now: func() time.Time { return noon.Add(20 * time.Minute) },
	}, metrics, logs, traces
}

func TestGatherAsksForBothWindowsAndFollowsExemplars(t *testing.T) {
	p, metrics, _, traces := usualPlan()
	p.Changes = []ChangeSource{madeDeploys{deploys: []localize.Deploy{{Time: noon.Add(-5 * time.Minute), Service: "orders", SHA: "b"}, {Time: noon.Add(-7*24*time.Hour - 5*time.Minute), Service: "orders", SHA: "a"}}}}
	var said []string
	p.Progress = func(line string) { said = append(said, line) }
	sink := &keptOutput{}
	sum, err := Gather(context.Background(), p, sink)
	if err != nil {
		t.Fatal(err)
	}
	if len(sink.logs["incident"]) != 6 || len(sink.logs["baseline"]) != 6 || len(sum.Reports) != 6 {
		t.Errorf("%d and %d exports, %d reports", len(sink.logs["incident"]), len(sink.logs["baseline"]), len(sum.Reports))
	}
	if !strings.Contains(sum.Choice, "a day before") || !strings.Contains(sum.Choice, "roll-out of orders") {
		t.Errorf("chosen: %s", sum.Choice)
	}
	if len(sum.Deploys) != 1 || sum.Deploys[0].SHA != "b" {
		t.Errorf("roll-outs handed on: %+v", sum.Deploys)
	}
	if q := metrics.queries[0]; !slices.Equal(q.Exprs, []string{"up == 0"}) || q.Alert != "Broken" || !slices.Equal(q.Services, []string{"orders"}) {
		t.Errorf("asked %+v", q)
	}
	for _, q := range traces.queries {
		slices.Sort(q.TraceIDs)
		if !slices.Equal(q.TraceIDs, []string{"id1", "id2"}) {
			t.Errorf("traces of the %s window asked for by ids %v", q.Name, q.TraceIDs)
		}
	}
	if len(said) < 7 || len(sum.Missing) != 0 {
		t.Errorf("said %q, missing %q", said, sum.Missing)
	}
}

func TestGatherTakesWhatIsThere(t *testing.T) {
	p, metrics, logs, _ := usualPlan()
	logs.err = errors.New("loki at l: down")
	metrics.partial = []string{"half of it"}
	p.Traces = nil
	p.Changes = []ChangeSource{madeDeploys{err: errors.New("no permission")}, madeDeploys{err: &Incomplete{Source: "x", Missing: []string{"the rest"}}}}
	sum, err := Gather(context.Background(), p, &keptOutput{})
	if err != nil {
		t.Fatal(err)
	}
	missing := strings.Join(sum.Missing, "\n")
	for _, want := range []string{"incident: loki at l: down", "baseline: half of it", "no server of traces is named", "roll-outs: no permission", "x: the rest"} {
		if !strings.Contains(missing, want) {
			t.Errorf("missing lacks %q:\n%s", want, missing)
		}
	}
}

func TestGatherWithoutAnything(t *testing.T) {
	p, metrics, logs, traces := usualPlan()
	metrics.err, logs.err, traces.err = errors.New("refused"), errors.New("down"), errors.New("gone")
	sum, err := Gather(context.Background(), p, &keptOutput{})
	if !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "down") || len(sum.Reports) == 0 {
		t.Errorf("%v with %d reports", err, len(sum.Reports))
	}
	if _, err := Gather(context.Background(), Plan{Incident: p.Incident}, &keptOutput{}); err == nil || !strings.Contains(err.Error(), "add `sources`") {
		t.Errorf("no servers: %v", err)
	}
	p.Incident.StartsAt = time.Time{}
	if _, err := Gather(context.Background(), p, &keptOutput{}); err == nil {
		t.Error("an alert without a beginning")
	}
	p.Incident.StartsAt = noon.Add(48 * time.Hour)
	if _, err := Gather(context.Background(), p, &keptOutput{}); !errors.Is(err, ErrAlert) || !strings.Contains(err.Error(), "in the future") {
		t.Errorf("an alert of the future: %v", err)
	}
}

func TestGatherStopsWhenTheSinkIsFull(t *testing.T) {
	p, _, _, _ := usualPlan()
	full := errors.New("no space left on the device")
	if _, err := Gather(context.Background(), p, &keptOutput{err: full}); !errors.Is(err, full) {
		t.Errorf("the error is %v", err)
	}
}

func TestGatherEndsInTime(t *testing.T) {
	p, metrics, logs, traces := usualPlan()
	metrics.wait, logs.wait, traces.wait = true, true, true
	p.Timeout = 50 * time.Millisecond
	_, err := Gather(context.Background(), p, &keptOutput{})
	if !errors.Is(err, ErrNothing) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v", err)
	}
	// What is slow does not take the time of what is asked later.
	p, metrics, _, traces = usualPlan()
	metrics.wait, p.Logs = true, nil
	p.Timeout = 2 * time.Second
	if sum, err := Gather(context.Background(), p, &keptOutput{}); err != nil || len(traces.queries) == 0 {
		t.Errorf("%v: %+v", err, sum.Reports)
	}
}

func TestGatherPutsUpWithAServerThatKeepsLess(t *testing.T) {
	p, _, logs, _ := usualPlan()
	logs.oldest = noon.Add(-time.Minute)
	sum, err := Gather(context.Background(), p, &keptOutput{})
	if err != nil || sum.Baseline == nil || !strings.Contains(sum.Choice, "a week before") || !strings.Contains(sum.Choice, "loki at l has nothing of it") {
		t.Errorf("chosen %v: %s, %v", sum.Baseline, sum.Choice, err)
	}
	p, metrics, logs, traces := usualPlan()
	metrics.oldest, logs.oldest, traces.oldest = noon.Add(-time.Minute), noon.Add(-time.Minute), noon.Add(-time.Minute)
	sum, err = Gather(context.Background(), p, &keptOutput{})
	if err != nil || sum.Baseline != nil || !strings.Contains(strings.Join(sum.Missing, "\n"), "no healthy window") || metrics.probes > mostProbes {
		t.Errorf("chosen %v after %d probes: %s, %v", sum.Baseline, metrics.probes, sum.Choice, err)
	}
}

func TestReportsAreForPeople(t *testing.T) {
	for want, r := range map[string]Report{
		"s: incident: 1 spans, 2 log records, 3 points in 5ms": {Source: "s", Window: "incident", Spans: 1, Logs: 2, Points: 3, Elapsed: 5 * time.Millisecond},
		"s: baseline: nothing in 0s\n  partial: a":             {Source: "s", Window: "baseline", Partial: []string{"a"}},
		"s: baseline: failed: b":                               {Source: "s", Window: "baseline", Error: "b"},
	} {
		if got := r.line(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
