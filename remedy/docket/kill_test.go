package docket_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

// story is something that happens to a service, and how it has to end whatever died on the way.
type story struct {
	name string
	// before sets the scene in a process that lives, act is done by the one that may die; check
	// looks at the end.
	setup  func(w *world)
	before func(w *world, p *process)
	act    func(w *world, p *process)
	check  func(t *testing.T, w *world)
}

var stories = []story{
	{
		name: "proposal",
		act: func(w *world, p *process) {
			p.alert(w.firing(0))
			p.settle()
		},
		check: func(t *testing.T, w *world) {
			w.stage(0, "proposed")
			if len(w.forge.Pulls) != 1 || w.count("check") != 1 || w.count("branch") != 1 {
				t.Errorf("made %v", w.forge.Made)
			}
		},
	},
	{
		name:   "the end of the alert",
		before: func(w *world, p *process) { p.alert(w.firing(0)); p.settle() },
		act: func(w *world, p *process) {
			p.alert(w.resolved(0))
			p.settle()
		},
		check: func(t *testing.T, w *world) {
			w.stage(0, "proposed")
			if w.count("comment 1 comment:resolved") != 1 {
				t.Errorf("made %v", w.forge.Made)
			}
		},
	},
	{
		name:   "merge",
		setup:  func(w *world) { w.runner.Plan = deleteStale },
		before: func(w *world, p *process) { p.alert(w.firing(0)); p.settle(); w.forge.SetState(1, "merged") },
		act: func(w *world, p *process) {
			p.event(docket.ForgeEvent{Delivery: "m", Kind: docket.PullMerged, Number: 1, User: "alice"})
			p.settle()
		},
		check: func(t *testing.T, w *world) {
			w.stage(0, "merged")
			if w.count("comment 1 comment:merged") != 1 || w.count("drop") != 1 {
				t.Errorf("made %v", w.forge.Made)
			}
		},
	},
	{
		name:   "rejection",
		before: func(w *world, p *process) { p.alert(w.firing(0)); p.settle() },
		act: func(w *world, p *process) {
			p.event(docket.ForgeEvent{Delivery: "c", Kind: docket.CommandComment, Number: 1, Comment: 7, Command: "reject", User: "alice"})
			p.settle()
		},
		check: func(t *testing.T, w *world) {
			w.stage(0, "refused")
			if w.count("close") != 1 || w.count("comment 1 comment:command:7") != 1 || w.forge.Pulls[0].State != "closed" {
				t.Errorf("made %v", w.forge.Made)
			}
		},
	},
	{
		name: "update in place",
		setup: func(w *world) {
			w.runner.Plan = func(q docket.RunRequest, o *dockettestOutcome) {
				if q.Record.Summary != nil {
					o.Base = strings.Repeat("b", 40)
				}
			}
			w.forge.Tips[repo+" main"] = strings.Repeat("b", 40)
		},
		before: func(w *world, p *process) { p.alert(w.firing(0)); p.settle() },
		act: func(w *world, p *process) {
			p.event(docket.ForgeEvent{Delivery: "r", Kind: docket.CommandComment, Number: 1, Comment: 9, Command: "rebase", User: "alice"})
			p.settle()
		},
		check: func(t *testing.T, w *world) {
			r := w.stage(0, "proposed")
			if len(w.forge.Pulls) != 1 || w.count("branch") != 2 || r.Pull.Head != r.Summary.Commit || r.Summary.Base != strings.Repeat("b", 40) {
				t.Errorf("made %v, pull request %+v", w.forge.Made, r.Pull)
			}
			if w.forge.Branches[repo+" "+r.Summary.Branch] != r.Summary.Commit {
				t.Errorf("the branch is at %s", w.forge.Branches[repo+" "+r.Summary.Branch])
			}
		},
	},
	{
		name:   "join",
		setup:  func(w *world) { w.runner.Plan = samePlace },
		before: func(w *world, p *process) { p.alert(w.firing(0)); p.settle() },
		act: func(w *world, p *process) {
			p.alert(w.firing(1))
			p.settle()
		},
		check: func(t *testing.T, w *world) {
			o := w.stage(0, "proposed")
			if j := w.stage(1, "joined"); j.JoinedTo != fp(0) || len(o.Members) != 1 {
				t.Errorf("joined to %s, members %v", j.JoinedTo, o.Members)
			}
			if len(w.forge.Pulls) != 1 || w.count("comment 1 comment:joined") != 1 {
				t.Errorf("made %v", w.forge.Made)
			}
		},
	},
	{
		name:   "approval",
		setup:  func(w *world) { w.runner.Plan = needsApproval },
		before: func(w *world, p *process) { p.alert(w.firing(0)); p.settle() },
		act: func(w *world, p *process) {
			_, err := p.act("approve", 0)
			if err != nil && !p.p.Dead() && !errors.Is(err, docket.ErrDecided) {
				w.t.Fatal(err)
			}
			p.settle()
		},
		check: func(t *testing.T, w *world) {
			r := w.record(0)
			if r.Stage == docket.Held && r.Decision == nil {
				return // the approval was never acknowledged, so nobody was told that it was taken
			}
			w.stage(0, "proposed")
		},
	},
}

// samePlace makes all cases blame the same operation.
func samePlace(_ docket.RunRequest, o *dockettestOutcome) {
	o.Operation, o.File = "POST /charges", "svc/charges.go"
}

func deleteStale(_ docket.RunRequest, o *dockettestOutcome)   { o.Rules.DeleteStale = true }
func needsApproval(_ docket.RunRequest, o *dockettestOutcome) { o.Rules.Approval = true }

// TestKilledAtEveryStep: whatever step a process dies at, before or after its effect, the next one brings the story
// to the same end with one of everything.
func TestKilledAtEveryStep(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			steps := tell(t, s, -1, false)
			if len(steps) < 5 {
				t.Fatalf("the story has only the steps %q", steps)
			}
			t.Run("before anything", func(t *testing.T) { tell(t, s, 0, false) })
			// Right after one effect is right before the next.
			for n := range steps {
				t.Run(fmt.Sprintf("after %d %s", n, steps[n]), func(t *testing.T) { tell(t, s, n, true) })
			}
		})
	}
}

// tell plays a story in which the acting process dies at a step, and returns the steps of one that lives.
func tell(t *testing.T, s story, die int, after bool) []string {
	w := newWorld(t)
	if s.setup != nil {
		s.setup(w)
	}
	if s.before != nil {
		s.before(w, w.process())
	}
	p := w.process()
	if die >= 0 {
		p.p.KillAt(die, after)
	}
	safely(t, w, p, s.act)
	steps := p.p.Steps()
	if p.p.Dead() {
		// The sender of something that was not acknowledged sends it again; what was acknowledged must not be lost.
		if len(steps) <= 1 {
			q := w.process()
			s.act(w, q)
		}
		for range 3 {
			q := w.process()
			q.settle()
			w.clock.Advance(10 * time.Minute)
			q.sweep()
			q.settle()
		}
	}
	w.once()
	s.check(t, w)
	for n := range 2 {
		if r, err := w.process().view.Get(t.Context(), fp(n)); err == nil && r.Lease != nil && w.clock.Now().Before(r.Lease.Until) {
			t.Errorf("case %d is still leased to %s", n, r.Lease.Owner)
		}
	}
	if letters, _ := w.process().view.DeadLetters(t.Context()); len(letters) > 0 {
		t.Errorf("dead letters %+v", letters)
	}
	return steps
}

// safely lets a process that dies fail in whatever it does.
func safely(t *testing.T, w *world, p *process, act func(*world, *process)) {
	outer := w.t
	defer func() { w.t = outer }()
	w.t = &dying{TB: outer, p: p}
	defer func() {
		if r := recover(); r != nil {
			if err, ok := r.(error); !ok || !errors.Is(err, errGone) {
				panic(r)
			}
		}
	}()
	act(w, p)
}

var errGone = errors.New("the process is gone")

// dying is a test in which failures of a dead process are none.
type dying struct {
	testing.TB
	p *process
}

func (d *dying) Fatal(args ...any) {
	if d.p.p.Dead() {
		panic(errGone)
	}
	d.TB.Fatal(args...)
}

func (d *dying) Fatalf(format string, args ...any) {
	if d.p.p.Dead() {
		panic(errGone)
	}
	d.TB.Fatalf(format, args...)
}

// TestEffectsFailAtEveryStep: a forge or a store that fails once, before or after the effect, changes nothing about the
// end either.
func TestEffectsFailAtEveryStep(t *testing.T) {
	for _, s := range stories {
		if s.name != "proposal" && s.name != "update in place" {
			continue // the others are made of the same steps
		}
		t.Run(s.name, func(t *testing.T) {
			steps := tell(t, s, -1, false)
			for n := range steps {
				for _, done := range []bool{false, true} {
					w := newWorld(t)
					if s.setup != nil {
						s.setup(w)
					}
					if s.before != nil {
						s.before(w, w.process())
					}
					p := w.process()
					at := 0
					failed := false
					p.p.Fail = func(step string, after bool) error {
						if after != done || failed || strings.HasPrefix(step, "ack") {
							return nil
						}
						if at++; at-1 == n && n > 0 {
							failed = true
							return errors.New("connection reset")
						}
						return nil
					}
					if _, err := p.view.List(p.ctx); err != nil {
						t.Fatal(err)
					}
					gentle := &lenient{TB: w.t}
					w.t = gentle
					s.act(w, p)
					if gentle.failed {
						s.act(w, p) // the person or sender tries again
					}
					w.t = t
					w.clock.Advance(10 * time.Minute)
					p.sweep()
					p.settle()
					w.once()
					s.check(t, w)
				}
			}
		})
	}
}

// lenient is a test in which something that was refused may be tried again.
type lenient struct {
	testing.TB
	failed bool
}

func (l *lenient) Fatal(...any)          { l.failed = true }
func (l *lenient) Fatalf(string, ...any) { l.failed = true }
