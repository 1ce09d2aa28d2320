package docket_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

// TestTwoWorkersAtOnce: while one works on a record the other keeps off, and looks again later.
func TestTwoWorkersAtOnce(t *testing.T) {
	w := newWorld(t)
	a, b := w.process(), w.process()
	w.runner.Plan = func(docket.RunRequest, *dockettest.Outcome) {
		w.runner.Plan = nil
		if err := b.Handle(b.ctx, docket.Task{Kind: docket.CaseTask, Case: fp(0)}); err != nil {
			t.Error(err)
		}
		if n := w.runner.Runs(""); n != 1 {
			t.Errorf("%d runs at once", n)
		}
	}
	a.alert(w.firing(0))
	a.settle()
	b.settle()
	w.stage(0, "proposed")
	if n := w.runner.Runs(""); n != 1 {
		t.Errorf("%d runs", n)
	}
	w.once()
}

// TestHeartbeatBesideProgress: the lease is kept while the run tells how far it is, both through the same hold on the record.
func TestHeartbeatBesideProgress(t *testing.T) {
	w := newWorld(t)
	w.settings.Lease = 4 * time.Millisecond // a heartbeat every millisecond
	p := w.process()
	p.Now = time.Now
	beats := func() uint64 {
		r, err := p.view.Get(p.ctx, fp(0))
		if err != nil {
			t.Fatal(err)
		}
		return r.Revision
	}
	w.runner.Plan = func(req docket.RunRequest, _ *dockettest.Outcome) {
		w.runner.Plan = nil
		from, states := beats(), []remedy.State{remedy.Gathered, remedy.Located}
		for i := 0; i < 50 || beats() < from+100; i++ {
			req.Progress(states[i%2], "still at it")
		}
	}
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "proposed")
	w.once()
}

// TestWorkerThatLostItsLeaseStops: it was silent for too long, another took over, and it wakes up in the middle of its run.
func TestWorkerThatLostItsLeaseStops(t *testing.T) {
	w := newWorld(t)
	a, b := w.process(), w.process()
	w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) {
		w.runner.Plan = nil
		o.Salt = "of the first worker"
		w.clock.Advance(time.Hour)
		if err := b.Handle(b.ctx, docket.Task{Kind: docket.CaseTask, Case: fp(0)}); err != nil {
			t.Error(err)
		}
		w.stage(0, "proposed")
	}
	a.alert(w.firing(0))
	a.settle()
	r := w.stage(0, "proposed")
	if len(w.forge.Branches) != 1 || w.forge.Branches[repo+" "+r.Summary.Branch] != r.Summary.Commit || w.count("branch") != 1 {
		t.Errorf("both wrote: %v", w.forge.Made)
	}
	w.once()
}

// TestManyWorkersManyCases: real goroutines in three processes, through Run.
func TestManyWorkersManyCases(t *testing.T) {
	const cases = 12
	w := newWorld(t)
	w.mem = dockettest.NewMemory(nil)
	w.settings.BreakerCases = 100
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var procs []*process
	for range 3 {
		p := w.process()
		p.Now = time.Now
		procs = append(procs, p)
		all.Go(func() {
			if err := p.Run(ctx, 2); err != nil {
				t.Error(err)
			}
		})
	}
	watch, err := procs[0].view.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 * cases {
		procs[i%3].alert(w.firing(i % cases))
	}
	done := map[string]bool{}
	deadline := time.After(time.Minute)
	for len(done) < cases {
		select {
		case r := <-watch:
			if r.Stage == docket.Proposed && r.Lease == nil {
				done[r.Fingerprint] = true
			}
		case <-deadline:
			t.Fatalf("only %d of %d cases were proposed", len(done), cases)
		}
	}
	stop()
	all.Wait()
	if len(w.forge.Pulls) != cases || w.runner.Runs("") != cases {
		t.Errorf("%d pull requests, %d runs", len(w.forge.Pulls), w.runner.Runs(""))
	}
	w.once()
}

// TestGracefulStopGivesTheRecordBack, so that another process goes on at once and no attempt is lost.
func TestGracefulStopGivesTheRecordBack(t *testing.T) {
	w := newWorld(t)
	entered := make(chan string, 1)
	w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) { o.Wait, o.Entered = make(chan struct{}), entered }
	p := w.process()
	p.alert(w.firing(0))
	if err := p.Handle(p.ctx, <-alertTasks(t, p)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() { failed <- p.Handle(ctx, docket.Task{Kind: docket.CaseTask, Case: fp(0)}) }()
	<-entered
	stop()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("the task is not given back: %v", err)
	}
	r := w.stage(0, "queued")
	if r.Lease != nil || r.Attempt != 0 {
		t.Errorf("lease %+v, attempt %d", r.Lease, r.Attempt)
	}
	w.runner.Plan = nil
	w.process().settle()
	w.stage(0, "proposed")
}

// TestRunThatFails is tried again and ends as failed with what to do; a retry begins anew.
func TestRunThatFails(t *testing.T) {
	for times, want := range map[int]string{1: "proposed", 4: "proposed", 5: "failed"} {
		t.Run(fmt.Sprint(times), func(t *testing.T) {
			w := newWorld(t)
			n := 0
			w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) {
				if n++; n <= times {
					o.Err = errors.New("clone: hunter2 was refused")
				}
			}
			p := w.process()
			p.alert(w.firing(0))
			p.settle()
			r := w.stage(0, want)
			if n != min(times+1, 5) {
				t.Errorf("%d runs", n)
			}
			if want != "failed" {
				return
			}
			if !strings.Contains(r.Failure, "clone: [redacted] was refused") || !strings.Contains(history(r), "retry") {
				t.Errorf("failure %q\n%s", r.Failure, history(r))
			}
			w.clock.Advance(time.Hour)
			p.sweep()
			p.settle()
			w.stage(0, "failed")
			p.mustAct("retry", 0)
			p.settle()
			w.stage(0, "proposed")
		})
	}
}

// TestPoisonousCaseEndsItself and nobody else: a panic in its run, or a run that kills the process each time.
func TestPoisonousCaseEndsItself(t *testing.T) {
	t.Run("panic", func(t *testing.T) {
		w := newWorld(t)
		w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) { o.Panic = q.Record.Fingerprint == fp(0) }
		p := w.process()
		p.alert(w.firing(0), w.firing(1))
		p.settle()
		w.stage(0, "failed")
		w.stage(1, "proposed")
	})
	t.Run("death", func(t *testing.T) {
		w := newWorld(t)
		var now *process
		w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
			if q.Record.Fingerprint == fp(0) {
				now.p.Kill()
				o.Err = errors.New("dead")
			}
		}
		w.mem.Tries = 100 // not the queue's patience is looked at
		now = w.process()
		now.alert(w.firing(0), w.firing(1))
		for range 24 {
			now = w.process()
			now.settle()
			w.clock.Advance(10 * time.Minute)
			now = w.process()
			now.sweep()
			now.settle()
		}
		r := w.stage(0, "failed")
		w.stage(1, "proposed")
		if n := w.runner.Runs(fp(0)); n != 20 || r.Failure == "" {
			t.Errorf("%d runs, failure %q", n, r.Failure)
		}
	})
	t.Run("deaths and then a failure", func(t *testing.T) {
		w := newWorld(t)
		var now *process
		runs := 0
		w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
			if runs++; runs <= 8 {
				now.p.Kill()
				o.Err = errors.New("dead")
			} else if runs == 9 {
				o.Err = errors.New("502")
			}
		}
		w.mem.Tries = 100
		now = w.process()
		now.alert(w.firing(0))
		for range 10 {
			now.settle()
			w.clock.Advance(10 * time.Minute)
			now = w.process()
		}
		now.settle()
		w.stage(0, "proposed") // eight restarts of the service are not the case's fault
	})
}

// TestForgeThatIsDownForLong: the record fails in the end, and a retry finds what was written before.
func TestForgeThatIsDownForLong(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	down := true
	p.p.Fail = func(step string, done bool) error {
		if step == "forge pull" && done && down { // the answer is lost, the effect is there
			return errors.New("502 bad gateway")
		}
		return nil
	}
	p.alert(w.firing(0))
	p.settle()
	r := w.stage(0, "failed")
	if !strings.Contains(r.Failure, "502") {
		t.Errorf("failure %q", r.Failure)
	}
	down = false
	p.mustAct("retry", 0)
	p.settle()
	w.stage(0, "proposed")
	w.once()
	if len(w.forge.Pulls) != 1 {
		t.Errorf("%d pull requests", len(w.forge.Pulls))
	}
}

// TestForgeThatIsAwayForHours: an outage outside costs time and not the case, while a run needs it and while it writes.
func TestForgeThatIsAwayForHours(t *testing.T) {
	for name, breaks := range map[string]func(w *world, p *process, outage func() error){
		"run": func(w *world, _ *process, outage func() error) {
			w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) { o.Err = outage() }
		},
		"effect": func(_ *world, p *process, outage func() error) {
			p.p.Fail = func(step string, done bool) error {
				if step == "forge pull" && !done {
					return outage()
				}
				return nil
			}
		},
	} {
		for hours, want := range map[int]string{3: "proposed", 30: "failed"} {
			t.Run(fmt.Sprintf("%s, %d hours", name, hours), func(t *testing.T) {
				w := newWorld(t)
				p := w.process()
				end := w.clock.Now().Add(time.Duration(hours) * time.Hour)
				tries := 0
				breaks(w, p, func() error {
					if w.clock.Now().After(end) {
						return nil
					}
					tries++
					return fmt.Errorf("clone: %w", docket.ErrAway)
				})
				p.alert(w.firing(0))
				p.settle()
				if r := w.stage(0, want); tries < 5 || tries > 80 || want == "proposed" && (!r.Away.IsZero() || r.Attempt > 1) {
					t.Errorf("%d tries: %+v", tries, r)
				}
				w.once()
			})
		}
	}
}

// TestForbidden: what is not permitted holds the case if it needs it, and is passed over if not.
func TestForbidden(t *testing.T) {
	for step, want := range map[string]string{"forge branch": "held forbidden", "forge pull": "held forbidden", "forge check": "proposed", "forge status": "proposed"} {
		t.Run(step, func(t *testing.T) {
			w := newWorld(t)
			p := w.process()
			denied := true
			p.p.Fail = func(s string, done bool) error {
				if s == step && !done && denied {
					return fmt.Errorf("%w: the App needs contents: write", docket.ErrForbidden)
				}
				return nil
			}
			p.alert(w.firing(0))
			p.settle()
			r := w.stage(0, want)
			if want == "proposed" {
				return
			}
			if !strings.Contains(r.Hold.Why, "contents: write") {
				t.Errorf("it does not say what is missing: %s", r.Hold.Why)
			}
			denied = false
			p.mustAct("approve", 0)
			p.settle()
			w.stage(0, "proposed")
			w.once()
		})
	}
}

// TestChatThatIsDown holds nothing up.
func TestChatThatIsDown(t *testing.T) {
	w := newWorld(t)
	w.notifier.Fail = errors.New("no route to chat")
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "proposed")
	if letters, _ := p.view.DeadLetters(p.ctx); len(letters) != 0 {
		t.Errorf("dead letters %+v", letters)
	}
	w.notifier.Fail = nil
	p.sweep()
	p.settle()
	if len(w.notifier.Told) != 0 {
		t.Error("it was tried again at once")
	}
	w.clock.Advance(6 * time.Minute)
	p.sweep()
	p.settle()
	if len(w.notifier.Told) != 1 {
		t.Errorf("when the chat is back, people are told %q", w.notifier.Told)
	}
}

// TestQuestionDuringALongRun is answered before its end.
func TestQuestionDuringALongRun(t *testing.T) {
	w, p := proposed(t, nil)
	q := w.process()
	answered := false
	w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) {
		q.say(5, "alice", "explain")
		w.clock.Advance(time.Minute)
		o.BeforeLocated = func() { answered = w.count("comment 1 comment:command:5") == 1 }
	}
	p.mustAct("retry", 0)
	p.settle()
	w.stage(0, "proposed")
	if !answered {
		t.Error("the answer waited for the end of the run")
	}
	w.once()
}

// TestStormDuringALongRun asks for no work that is being done.
func TestStormDuringALongRun(t *testing.T) {
	w := newWorld(t)
	p, q := w.process(), w.process()
	w.runner.Plan = func(docket.RunRequest, *dockettest.Outcome) {
		w.runner.Plan = nil
		for range 100 {
			q.alert(w.firing(0))
		}
		q.drain()
		n := 0
		for _, s := range q.p.Steps() {
			if s == "publish case" {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%d tasks for one case that is being worked on", n)
		}
	}
	p.alert(w.firing(0))
	p.settle()
	if r := w.stage(0, "proposed"); r.Alerts != 101 {
		t.Errorf("%d alerts", r.Alerts)
	}
}

// TestWorkerWhoseRecordAnotherHoldsWritesNothing: it wakes up while the one that took over is in the middle of its run.
func TestWorkerWhoseRecordAnotherHoldsWritesNothing(t *testing.T) {
	w := newWorld(t)
	a, b := w.process(), w.process()
	release := map[string]chan struct{}{"1": make(chan struct{}), "2": make(chan struct{})}
	entered := make(chan string)
	w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
		o.Salt = fmt.Sprint(q.Record.Runs)
		o.Entered, o.Wait = entered, release[o.Salt]
	}
	a.alert(w.firing(0))
	if err := a.Handle(a.ctx, <-alertTasks(t, a)); err != nil {
		t.Fatal(err)
	}
	work := func(p *process) chan error {
		done := make(chan error, 1)
		go func() { done <- p.Handle(p.ctx, docket.Task{Kind: docket.CaseTask, Case: fp(0)}) }()
		<-entered
		return done
	}
	first := work(a)
	w.clock.Advance(time.Hour)
	second := work(b)
	close(release["1"])
	if err := <-first; err != nil {
		t.Error(err)
	}
	if r := w.stage(0, "running"); len(w.forge.Order) != 0 || r.Lease == nil || !strings.HasPrefix(r.Lease.Owner, "process-2/") {
		t.Errorf("the first worker wrote %q, the lease is %+v", w.forge.Order, r.Lease)
	}
	close(release["2"])
	if err := <-second; err != nil {
		t.Error(err)
	}
	w.stage(0, "proposed")
	w.once()
}

// TestOwnPushThatWasNeverNotedIsNotAPersons: killed right before or after a push, and the next run comes to another
// commit. Only the announcement of the push knows at which of two heads the branch may stand.
func TestOwnPushThatWasNeverNotedIsNotAPersons(t *testing.T) {
	for _, pushed := range []bool{true, false} {
		t.Run(fmt.Sprint(pushed), func(t *testing.T) { pushedAndKilled(t, pushed) })
	}
}

func pushedAndKilled(t *testing.T, pushed bool) {
	w := newWorld(t)
	w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) { o.Salt = fmt.Sprint(q.Record.Runs) }
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	first := w.stage(0, "proposed").Summary.Commit
	p.mustAct("retry", 0)
	p.p.Fail = func(step string, done bool) error {
		if step == "forge branch" && done == pushed {
			p.p.OnDeath() // the answer is lost with the process
			return errors.New("connection reset")
		}
		return nil
	}
	p.drain()
	r := w.stage(0, "writing")
	if at := w.forge.Branches[repo+" "+r.Summary.Branch]; pushed && at != r.Summary.Commit || !pushed && at != first {
		t.Fatalf("the branch is at %s", at)
	}
	q := w.process()
	if err := q.view.DeleteBlob(q.ctx, r.Result); err != nil { // so that it is worked out anew
		t.Fatal(err)
	}
	q.settle()
	r = w.stage(0, "proposed")
	if at := w.forge.Branches[repo+" "+r.Summary.Branch]; at != r.Summary.Commit || len(w.forge.Pulls) != 1 || w.count("branch") < 2 {
		t.Errorf("the branch is at %s, made %v", at, w.forge.Made)
	}
}
