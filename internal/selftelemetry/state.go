package selftelemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// State is what a service holds at a moment.
type State struct {
	Cases       map[string]int   // by stage
	Tasks       map[string]Tasks // by kind
	DeadLetters int
	Bytes       map[string]int64 // by what they hold; "telemetry" is the window
	// Oldest is the time of the oldest telemetry, zero when there is none.
	Oldest time.Time
}

// Tasks are the tasks of one kind.
type Tasks struct{ Waiting, Taken, Later int }

// stateTimeout is how long a scrape waits for the state: less than Prometheus waits for a scrape.
const stateTimeout = 5 * time.Second

// WatchState asks for the state whenever metrics are collected. Where it cannot be had the metrics are absent, and
// remediator.state.errors counts.
func (t *Telemetry) WatchState(now func() time.Time, state func(context.Context) (State, error)) error {
	meter := t.Metrics.Meter(scope)
	var errs []error
	gauge := func(name, unit, what string) metric.Int64ObservableGauge {
		g, err := meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return g
	}
	cases := gauge("remediator.cases.kept", "{case}", "Cases that are kept, by stage.")
	tasks := gauge("remediator.queue.tasks", "{task}", "Tasks in the queue, by kind and state.")
	letters := gauge("remediator.queue.dead_letters", "{task}", "Tasks that were given up.")
	size := gauge("remediator.storage.size", "By", "Bytes stored, by what they hold; telemetry is the rolling window.")
	age, err := meter.Float64ObservableGauge("remediator.window.age", metric.WithUnit("s"), metric.WithDescription("Age of the oldest telemetry in the rolling window."))
	errs = append(errs, err)
	failures, err := meter.Int64Counter("remediator.state.errors", metric.WithUnit("{error}"), metric.WithDescription("How often the state could not be asked for."))
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	failures.Add(context.Background(), 0)
	_, err = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		ctx, cancel := context.WithTimeout(ctx, stateTimeout)
		defer cancel()
		s, err := state(ctx)
		if err != nil {
			failures.Add(ctx, 1)
			return nil // the other metrics are good
		}
		for stage, n := range s.Cases {
			o.ObserveInt64(cases, int64(n), metric.WithAttributes(code("stage", stage)))
		}
		for kind, n := range s.Tasks {
			for state, n := range map[string]int{"waiting": n.Waiting, "taken": n.Taken, "later": n.Later} {
				o.ObserveInt64(tasks, int64(n), metric.WithAttributes(code("kind", kind), attribute.String("state", state)))
			}
		}
		o.ObserveInt64(letters, int64(s.DeadLetters))
		for what, n := range s.Bytes {
			o.ObserveInt64(size, n, metric.WithAttributes(code("content", what)))
		}
		if !s.Oldest.IsZero() {
			o.ObserveFloat64(age, max(0, now().Sub(s.Oldest).Seconds()))
		}
		return nil
	}, cases, tasks, letters, size, age)
	return err
}
