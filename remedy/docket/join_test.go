package docket_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

func decline(_ docket.RunRequest, o *dockettest.Outcome) {
	o.Decline = &remedy.Decline{Code: "no_option", Why: "nothing fits", Next: "look"}
}

// TestJoinRace: two alerts of one cause reach the point of decision in two processes at the same moment. One goes on.
func TestJoinRace(t *testing.T) {
	for range 30 {
		w := newWorld(t)
		var meet sync.WaitGroup
		meet.Add(2)
		w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
			samePlace(q, o)
			o.Culprit = strings.Repeat("c", 40)
			o.BeforeLocated = func() { meet.Done(); meet.Wait() }
		}
		a, b := w.process(), w.process()
		a.alert(w.firing(0))
		b.alert(w.firing(1))
		for range 2 {
			if err := a.Handle(a.ctx, <-alertTasks(t, a)); err != nil {
				t.Fatal(err)
			}
		}
		var both sync.WaitGroup
		for n, p := range []*process{a, b} {
			both.Go(func() {
				if err := p.Handle(p.ctx, docket.Task{Kind: docket.CaseTask, Case: fp(n)}); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		w.runner.Plan = samePlace
		a.settle()
		stages := map[docket.Stage]int{w.record(0).Stage: 1}
		stages[w.record(1).Stage]++
		if stages[docket.Proposed] != 1 || stages[docket.Joined] != 1 || len(w.forge.Pulls) != 1 {
			t.Fatalf("stages %v, %d pull requests", stages, len(w.forge.Pulls))
		}
		w.once("comment 1 comment:joined")
	}
}

// TestJoins: what counts as one cause and what does not.
func TestJoins(t *testing.T) {
	commit := strings.Repeat("c", 40)
	type plan = func(docket.RunRequest, *dockettest.Outcome)
	second := func(f func(o *dockettest.Outcome)) plan {
		return func(q docket.RunRequest, o *dockettest.Outcome) {
			if q.Record.Fingerprint == fp(1) {
				f(o)
			}
		}
	}
	for name, tc := range map[string]struct {
		plan  plan
		later time.Duration
		want  string
	}{
		"nothing shared": {second(func(*dockettest.Outcome) {}), 0, "proposed"},
		"same service only": {func(_ docket.RunRequest, o *dockettest.Outcome) {
			o.Service = "payments"
		}, 0, "proposed"},
		"same operation": {func(_ docket.RunRequest, o *dockettest.Outcome) { o.Operation = "POST /charges" }, 0, "joined"},
		"same change":    {func(_ docket.RunRequest, o *dockettest.Outcome) { o.Culprit = commit }, 0, "joined"},
		"same function":  {func(_ docket.RunRequest, o *dockettest.Outcome) { o.File = "svc/charges.go" }, 0, "joined"},
		"same function name in another service": {func(q docket.RunRequest, o *dockettest.Outcome) {
			if o.File = "main.go"; q.Record.Fingerprint == fp(1) {
				o.Service, o.Line = "orders", 30
			}
		}, 0, "proposed"},
		"the first is open for days": {func(_ docket.RunRequest, o *dockettest.Outcome) { o.Culprit = commit }, 72 * time.Hour, "joined"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.runner.Plan = tc.plan
			p := w.process()
			p.alert(w.firing(0))
			p.settle()
			w.clock.Advance(tc.later)
			p.alert(w.firing(1))
			p.settle()
			w.stage(0, "proposed")
			w.stage(1, tc.want)
		})
	}
}

// TestJoinedAfterTheOwnersEnd: what became of the first case decides about the second.
func TestJoinedAfterTheOwnersEnd(t *testing.T) {
	same := func(_ docket.RunRequest, o *dockettest.Outcome) {
		o.Culprit, o.Operation = strings.Repeat("c", 40), "POST /charges"
	}
	for name, tc := range map[string]struct {
		first  func(w *world, p *process)
		second func(docket.RunRequest, *dockettest.Outcome)
		later  time.Duration
		want   string
	}{
		"declined just now":     {func(*world, *process) {}, same, time.Minute, "joined"},
		"declined long ago":     {func(*world, *process) {}, same, 24 * time.Hour, "proposed"},
		"rejected":              {func(_ *world, p *process) { p.mustAct("reject", 0) }, same, 240 * time.Hour, "joined"},
		"rejected, same change": {func(_ *world, p *process) { p.mustAct("reject", 0) }, func(_ docket.RunRequest, o *dockettest.Outcome) { o.Culprit = strings.Repeat("c", 40) }, 240 * time.Hour, "joined"},
		"rejected, another change blamed": {func(_ *world, p *process) { p.mustAct("reject", 0) },
			func(q docket.RunRequest, o *dockettest.Outcome) { same(q, o); o.Culprit = strings.Repeat("d", 40) }, 240 * time.Hour, "proposed"},
		"merged": {func(w *world, p *process) {
			w.forge.SetState(1, "merged")
			p.event(docket.ForgeEvent{Delivery: "m", Kind: docket.PullMerged, Number: 1})
		}, same, time.Hour, "held came_back"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			declines := strings.HasPrefix(name, "declined")
			w.runner.Plan = same
			p := w.process()
			if declines {
				w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
					same(q, o)
					o.Then = &remedy.Decline{Code: "no_option_proved", Why: "no", Next: "look"}
				}
			}
			p.alert(w.firing(0))
			p.settle()
			tc.first(w, p)
			p.settle()
			w.clock.Advance(tc.later)
			w.runner.Plan = tc.second
			p.alert(w.firing(1))
			p.settle()
			w.stage(1, tc.want)
			w.once()
		})
	}
}

// TestJoinsFollowTheirOwner: the owner joined another case in the meantime; who joins it is told to that one.
func TestJoinsFollowTheirOwner(t *testing.T) {
	w := newWorld(t)
	w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
		switch q.Record.Fingerprint {
		case fp(0):
			o.Culprit = strings.Repeat("c", 40)
		case fp(1): // shares the change with 0 and brings an operation along
			o.Culprit, o.Operation = strings.Repeat("c", 40), "POST /charges"
		case fp(2):
			o.Operation = "POST /charges"
		}
	}
	p := w.process()
	for n := range 3 {
		p.alert(w.firing(n))
		p.settle()
	}
	w.stage(0, "proposed")
	w.stage(1, "joined")
	// Nothing but the joined case ever had the operation, so the third stands by itself.
	w.stage(2, "proposed")
}

// TestCauseOfAnErasedCase is free.
func TestCauseOfAnErasedCase(t *testing.T) {
	w := newWorld(t)
	w.runner.Plan = samePlace
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	if err := p.view.Delete(context.Background(), fp(0)); err != nil {
		t.Fatal(err)
	}
	w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
		samePlace(q, o)
		o.File, o.Line = "svc/charges.go", 30
	}
	p.alert(w.firing(1))
	p.settle()
	w.stage(1, "proposed")
}
