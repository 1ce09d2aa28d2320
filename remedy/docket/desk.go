package docket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remediator/remediator/incident"
)

// Desk moves records through their stages. All its fields but Forge, Notifier, PageURL, Redact, Parse and Observe
// are needed; none may be changed once it is in use. Any number of desks, in any number of processes, may share one
// Store, Claims, Blobs and Queue.
type Desk struct {
	Store  Store
	Claims Claims
	Blobs  Blobs
	Queue  Queue
	Runner Runner
	// Forge returns where a repository's pull requests live; nil means that nothing can be written there.
	Forge    func(repository string) Forge
	Notifier Notifier
	// Parse reads an alert; one body may bring several incidents. Without it incident.ParseAs reads it.
	Parse func(Alert) ([]incident.Incident, error)
	// Redact takes secrets and personal data out of a text before it is kept.
	Redact func(string) string
	Now    func() time.Time
	// Owner names this process and no other, not even this one after a restart.
	Owner string
	// Alone says that no other process shares the state, so that a lease of another owner is that of a dead one.
	Alone bool
	Log   *slog.Logger
	// PageURL is where people read about a case.
	PageURL  func(fingerprint string) string
	Settings Settings
	// Observe is told what happens, for metrics. It must not block, nor change the record.
	Observe func(Observation)

	takes      atomic.Uint64 // leases taken, so that each has a name
	sweeping   sync.Mutex
	reconciled time.Time // guarded by sweeping
}

// Settings bound what a desk does. A zero value means the default.
type Settings struct {
	Lease    time.Duration // for how long a silent worker keeps a record; default 2 minutes
	Attempts int           // runs, and tries to write outside, before a record has failed; default 5. The queue's own limit must not be lower.
	// More than BreakerCases new cases within BreakerWithin hold everything; default 10 in 10 minutes.
	BreakerCases  int
	BreakerWithin time.Duration
	// JoinSlack is how far apart the windows of two alerts of one cause may be; default 15 minutes.
	JoinSlack time.Duration
	// Reopen is how long after its end a declined or failed case is not worked out again when its alert
	// fires again; default 6 hours.
	Reopen time.Duration
	// RebaseDelay is how long the target branch has to have moved before a proposal is worked out on its new
	// tip; default 15 minutes.
	RebaseDelay time.Duration
	// Reconcile is how often Sweep asks the forge about open pull requests, whose webhooks may
	// have been missed; default 15 minutes.
	Reconcile time.Duration
	// KeepCases and KeepFiles are how long ended cases and their files are kept; default 90 and 30 days.
	KeepCases, KeepFiles time.Duration
}

func (s Settings) withDefaults() Settings {
	duration := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	number := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	duration(&s.Lease, 2*time.Minute)
	number(&s.Attempts, 5)
	number(&s.BreakerCases, 10)
	duration(&s.BreakerWithin, 10*time.Minute)
	duration(&s.JoinSlack, 15*time.Minute)
	duration(&s.Reopen, 6*time.Hour)
	duration(&s.RebaseDelay, 15*time.Minute)
	duration(&s.Reconcile, 15*time.Minute)
	duration(&s.KeepCases, 90*24*time.Hour)
	duration(&s.KeepFiles, 30*24*time.Hour)
	return s
}

// Observation is something that happened. Record is as it was stored then.
type Observation struct {
	// Kind is "alert", "opened", "repeated", "resolved", "flapped", "came_back", "ran", "joined", "declined",
	// "held", "proposed", "merged", "refused", "failed", "effect", "notify" or "breaker".
	Kind    string
	Record  *Record       // nil for "alert" and "breaker"
	Key     string        // of an effect; the code of a hold or a decline; the source of an alert
	Elapsed time.Duration // of a run or an effect; from the first alert to the proposal
	Err     error
}

func (d *Desk) observe(o Observation) {
	if d.Observe != nil {
		d.Observe(o)
	}
}

// Run consumes all tasks until ctx ends and then waits for those that run: cases with as many workers as
// it is told, alerts and events with a few of their own, so that long work does not keep them waiting.
func (d *Desk) Run(ctx context.Context, workers int) error {
	const quick = 4
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	for kind, n := range map[TaskKind]int{AlertTask: quick, EventTask: quick, CaseTask: max(workers, 1)} {
		all.Go(func() {
			if err := d.Queue.Consume(ctx, kind, n, d.Handle); err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("consuming %s tasks: %w", kind, err))
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Handle does one task. An error means that it should come again.
func (d *Desk) Handle(ctx context.Context, t Task) error {
	err := guarded(func() error {
		switch t.Kind {
		case AlertTask:
			return d.handleAlert(ctx, t)
		case EventTask:
			return d.handleEvent(ctx, t)
		case CaseTask:
			return d.handleCase(ctx, t)
		}
		return fmt.Errorf("a task of the unknown kind %q", t.Kind)
	})
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "a task has to be done again", "kind", t.Kind, "case", t.Case, "attempt", t.Attempt, "error", d.clean(err.Error()))
	}
	return err
}

// clean makes a text of unknown origin fit to be kept or logged.
func (d *Desk) clean(s string) string {
	const most = 1000
	if d.Redact != nil {
		s = d.Redact(s)
	}
	return cut(s, most)
}

func (d *Desk) forge(repository string) Forge {
	if d.Forge == nil || repository == "" {
		return nil
	}
	return d.Forge(repository)
}
