package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"sync"
	"time"
)

// Incident replays an incident against one build: requests arrive when they arrived, whether or not earlier ones
// were answered (an open loop; a closed one would slow down with the service and hide what it does to its
// users: Tene's "coordinated omission"), their content comes from golden cases of the same method and route, and the
// dependencies behave as they did. The outcome is Red when the symptom shows.
func Incident(ctx context.Context, l Launcher, plan IncidentPlan, sets []*Set, opts Options) (Verdict, *Run, error) {
	opts = opts.withDefaults()
	run := &Run{}
	if err := plan.validate(); err != nil {
		return Verdict{}, run, err
	}
	sets = correlated(sets)
	for _, s := range sets {
		if err := s.Validate(); err != nil {
			return Verdict{}, run, fmt.Errorf("golden set %s: %w", s.ID, err)
		}
		run.Sets = append(run.Sets, s.ID)
	}
	began := opts.Now()
	r := &incidentReplay{plan: &plan, sets: sets, opts: opts, run: run, warm: map[string]map[string]string{}}
	v, err := r.replay(ctx, l)
	run.Elapsed = opts.Now().Sub(began)
	v.Sets = run.Sets
	return v, run, err
}

func (p *IncidentPlan) validate() error {
	switch {
	case len(p.Arrivals) == 0:
		return errors.New("the incident plan has no arrivals, so there is nothing to replay")
	case p.Symptom.Kind != "errors" && p.Symptom.Kind != "latency":
		return fmt.Errorf("the incident plan's symptom is of kind %q (errors and latency can be measured)", clip(p.Symptom.Kind, 20))
	case math.IsNaN(p.Symptom.Value) || p.Symptom.Value <= 0:
		return fmt.Errorf("the incident plan's threshold is %v, which separates nothing", p.Symptom.Value)
	}
	return nil
}

type incidentReplay struct {
	plan *IncidentPlan
	sets []*Set
	opts Options
	run  *Run
	rig  *rig
	warm map[string]map[string]string // values extracted while warming up, by set
}

// shot is one request of the incident and how it went.
type shot struct {
	arrival Arrival
	message message
	context traceparent
	started time.Duration // actual, from the start of the plan
	took    time.Duration // from the intended start
	status  int
	err     error
}

func (s *shot) failed() bool { return s.err != nil || s.status >= 500 }

func (r *incidentReplay) replay(ctx context.Context, l Launcher) (Verdict, error) {
	content, why := r.content()
	if why != "" {
		return Verdict{Outcome: Broken, Why: why}, nil
	}
	sim := newSimulation(r.plan, r.sets, r.opts.Now)
	var err error
	r.rig, err = start(ctx, l, union(sim.library.peers(), sortedKeys(r.plan.Behaviour), r.opts.Dependencies), sim, r.opts)
	if err != nil {
		if ctx.Err() != nil {
			return Verdict{}, ctx.Err()
		}
		return Verdict{Outcome: Broken, Why: "the service did not become healthy: " + r.opts.Redactor.Text(clip(err.Error(), 2000))}, nil
	}
	shots, why := r.prepare(ctx, content)
	if why == "" {
		r.fire(ctx, sim, shots)
		r.awaitSpans(ctx, shots)
	}
	output, stopErr := r.rig.stop(ctx)
	r.run.Output = r.opts.Redactor.Text(output)
	if ctx.Err() != nil {
		return Verdict{}, ctx.Err()
	}
	if stopErr != nil {
		r.run.Notes = append(r.run.Notes, "stopping the service: "+r.opts.Redactor.Text(clip(stopErr.Error(), 500)))
	}
	if why != "" {
		return Verdict{Outcome: Broken, Why: why}, nil
	}
	return r.judge(shots, sim.began()), nil
}

// fire sends each request at its time.
func (r *incidentReplay) fire(ctx context.Context, sim *simulation, shots []*shot) {
	sort.SliceStable(shots, func(i, j int) bool { return shots[i].arrival.Offset < shots[j].arrival.Offset })
	zero := r.opts.Now()
	sim.begin(zero)
	var wg sync.WaitGroup
	timer := time.NewTimer(0)
	defer timer.Stop()
	for _, s := range shots {
		if wait := s.arrival.Offset - r.opts.Now().Sub(zero); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				wg.Wait()
				return
			}
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, r.opts.RequestTimeout)
			defer cancel()
			s.started = r.opts.Now().Sub(zero)
			got, err := r.rig.driver.send(ctx, &s.message, s.context)
			s.status, s.err = got.status, err
			// From when it should have been sent: waiting for the driver is waiting too.
			s.took = r.opts.Now().Sub(zero) - s.arrival.Offset
		})
	}
	wg.Wait()
}

// awaitSpans waits for the trace of the request that will be the picture.
func (r *incidentReplay) awaitSpans(ctx context.Context, shots []*shot) {
	if len(shots) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(r.opts.TraceTimeout, 3*time.Second))
	defer cancel()
	s := exemplarShot(r.measured(shots))
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !r.rig.receiver.settled(s.context.trace, s.context.span, r.opts.Quiet) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
