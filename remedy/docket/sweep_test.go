package docket_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

// TestMissedWebhooksAreFoundByAsking: the service was away while people merged, closed and pushed.
func TestMissedWebhooksAreFoundByAsking(t *testing.T) {
	for state, want := range map[string]string{"merged": "merged", "closed": "refused", "open": "proposed"} {
		t.Run(state, func(t *testing.T) {
			w, _ := proposed(t, nil)
			w.forge.SetState(1, state)
			p := w.process() // a new process asks at its start
			p.sweep()
			p.settle()
			w.stage(0, want)
		})
	}
	t.Run("pushed", func(t *testing.T) {
		w, _ := proposed(t, nil)
		w.forge.Push(repo, w.record(0).Pull.Branch, strings.Repeat("f", 40))
		p := w.process()
		p.sweep()
		p.settle()
		if r := w.stage(0, "proposed"); !r.Pull.Human {
			t.Errorf("pull request %+v", r.Pull)
		}
	})
	t.Run("not all the time", func(t *testing.T) {
		w, _ := proposed(t, nil)
		p := w.process()
		p.sweep()
		w.forge.SetState(1, "merged")
		w.clock.Advance(time.Minute)
		p.sweep()
		w.stage(0, "proposed")
		w.clock.Advance(15 * time.Minute)
		p.sweep()
		w.stage(0, "merged")
	})
}

// TestRetention: files go first, the whole case later, and with it everything that was kept for it.
func TestRetention(t *testing.T) {
	w := newWorld(t)
	w.settings.KeepFiles, w.settings.KeepCases = 24*time.Hour, 72*time.Hour
	w.runner.Plan = samePlace
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	w.clock.Advance(100 * time.Hour)
	p.sweep()
	w.stage(0, "proposed") // its pull request is open
	w.forge.SetState(1, "merged")
	p.event(docket.ForgeEvent{Delivery: "m", Kind: docket.PullMerged, Number: 1})
	p.settle()
	blobs := func() []string {
		names, err := p.view.BlobNames(p.ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if len(blobs()) == 0 {
		t.Fatal("nothing is kept")
	}
	w.clock.Advance(25 * time.Hour)
	p.sweep()
	r := w.stage(0, "merged")
	if got := blobs(); len(got) != 0 || r.Files != "" {
		t.Errorf("after a day there are %q", got)
	}
	if said := p.mustAct("explain", 0); !strings.Contains(said, "merged") {
		t.Errorf("without its files the case explains itself by %q", said)
	}
	w.clock.Advance(50 * time.Hour)
	p.sweep()
	if _, err := p.view.Get(p.ctx, fp(0)); !errors.Is(err, docket.ErrNotFound) {
		t.Errorf("the record is still there: %v", err)
	}
	if keys, _ := p.view.ClaimKeys(p.ctx, "cause/"); len(keys) != 0 {
		t.Errorf("causes %q are still claimed", keys)
	}
	p.settle()
	p.sweep()
}

// TestRetentionOfWhatNobodyDecided: a held case is erased like an ended one, but its age counts from the last alert.
func TestRetentionOfWhatNobodyDecided(t *testing.T) {
	w := newWorld(t)
	w.runner.Plan = needsApproval
	w.settings.KeepCases = 72 * time.Hour
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	w.clock.Advance(50 * time.Hour)
	p.alert(w.firing(0))
	p.settle()
	w.clock.Advance(50 * time.Hour)
	p.sweep()
	w.stage(0, "held approval")
	w.clock.Advance(50 * time.Hour)
	p.sweep()
	if _, err := p.view.Get(p.ctx, fp(0)); !errors.Is(err, docket.ErrNotFound) {
		t.Errorf("the record is still there: %v", err)
	}
}

// TestErasureIsResumed: killed in the middle of erasing, the next sweep finishes it.
func TestErasureIsResumed(t *testing.T) {
	for n := range 30 {
		w := newWorld(t)
		w.settings.KeepFiles, w.settings.KeepCases = time.Hour, time.Hour
		w.runner.Plan = decline
		p := w.process()
		p.alert(w.firing(0))
		p.settle()
		w.clock.Advance(2 * time.Hour)
		q := w.process()
		q.p.KillAt(n, n%2 == 0)
		_ = q.Sweep(q.ctx)
		if !q.p.Dead() {
			if n < 5 {
				t.Fatalf("erasing took only %d steps", n)
			}
			return
		}
		last := w.process()
		last.sweep()
		if names, _ := last.view.BlobNames(last.ctx, ""); len(names) != 0 {
			t.Fatalf("killed at step %d, %q are left", n, names)
		}
		if _, err := last.view.Get(last.ctx, fp(0)); !errors.Is(err, docket.ErrNotFound) {
			t.Fatalf("killed at step %d: %v", n, err)
		}
	}
	t.Fatal("erasing has more steps than were tried")
}

// TestDamagedRecordStopsNobody: neither other cases nor what looks at all of them.
func TestDamagedRecordStopsNobody(t *testing.T) {
	for _, bad := range []string{"", "{", "null", `{"schema":"remediator.record/v9"}`, `{"schema":"remediator.record/v1","fingerprint":"` + fp(0) + `","stage":"dancing"}`} {
		w, p := proposed(t, nil)
		w.mem.Damage(fp(0), []byte(bad))
		p.alert(w.firing(1))
		p.settle()
		w.stage(1, "proposed")
		p.sweep()
		p.event(docket.ForgeEvent{Delivery: "m", Kind: docket.PullMerged, Number: 2})
		p.event(docket.ForgeEvent{Delivery: "b", Kind: docket.BasePushed, Branch: "main", Head: strings.Repeat("b", 40)})
		if err := p.ResetBreaker(p.ctx, "root", ""); err != nil {
			t.Error(err)
		}
		p.settle()
		w.stage(1, "merged")
		all, err := p.view.List(p.ctx)
		if err != nil || len(all) != 2 {
			t.Fatalf("%d records, %v", len(all), err)
		}
		// What comes for the damaged one is kept as a dead letter for somebody to look at.
		p.alert(w.firing(0))
		p.settle()
		if letters, _ := p.view.DeadLetters(p.ctx); len(letters) != 1 {
			t.Errorf("record %q: dead letters %+v", bad, letters)
		}
		if _, err := p.act("retry", 0); !errors.Is(err, docket.ErrDamaged) {
			t.Errorf("retry: %v", err)
		}
	}
}

// TestDamagedClaimStartsAnew.
func TestDamagedClaimStartsAnew(t *testing.T) {
	w := newWorld(t)
	w.runner.Plan = samePlace
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	for _, prefix := range []string{"cause/", "breaker", "ledger/"} {
		keys, err := p.view.ClaimKeys(p.ctx, prefix)
		if err != nil || len(keys) == 0 {
			t.Fatalf("no claims below %s: %v", prefix, err)
		}
		for _, k := range keys {
			_, rev, _ := p.view.Claim(p.ctx, k)
			if err := p.view.SetClaim(p.ctx, k, []byte("{not json"), rev); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.runner.Plan = nil
	p.alert(w.firing(1))
	p.settle()
	w.stage(1, "proposed")
	p.sweep()
}

// TestLostFilesAreWorkedOutAnew: what was to be written is gone.
func TestLostFilesAreWorkedOutAnew(t *testing.T) {
	w := newWorld(t)
	w.runner.Plan = needsApproval
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	r := w.stage(0, "held approval")
	if err := p.view.DeleteBlob(p.ctx, r.Result); err != nil {
		t.Fatal(err)
	}
	p.mustAct("approve", 0)
	p.settle()
	w.stage(0, "proposed")
	if w.runner.Runs("") != 2 {
		t.Errorf("%d runs", w.runner.Runs(""))
	}
}

// TestForgottenTaskIsFoundAgain: the record waits for work and the queue has lost its task.
func TestForgottenTaskIsFoundAgain(t *testing.T) {
	w := newWorld(t)
	w.mem.Tries = 1
	p := w.process()
	p.p.Fail = func(step string, done bool) error {
		if step == "put running" && !done {
			return errors.New("no quorum")
		}
		return nil
	}
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "queued")
	q := w.process()
	q.settle()
	w.stage(0, "queued") // nothing comes by itself
	w.clock.Advance(5 * time.Minute)
	q.sweep()
	q.settle()
	w.stage(0, "proposed")
}

// TestRevivedDeadLetterGoesOn: the store was away for longer than the queue's patience. A case that failed itself
// is no dead letter, since its record says so.
func TestRevivedDeadLetterGoesOn(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	away := false
	p.p.Fail = func(step string, done bool) error {
		if strings.HasPrefix(step, "put ") && !done && away {
			return errors.New("no quorum")
		}
		return nil
	}
	p.alert(w.firing(0))
	if err := p.Handle(p.ctx, <-alertTasks(t, p)); err != nil {
		t.Fatal(err)
	}
	away = true
	p.settle()
	w.stage(0, "queued")
	letters, _ := p.view.DeadLetters(p.ctx)
	if len(letters) != 1 || letters[0].Case != fp(0) {
		t.Fatalf("dead letters %+v", letters)
	}
	away = false
	if err := p.view.Revive(p.ctx, letters[0].ID); err != nil {
		t.Fatal(err)
	}
	p.settle()
	w.stage(0, "proposed")

	p.Runner = &dockettest.Runner{Plan: func(_ docket.RunRequest, o *dockettest.Outcome) { o.Err = errors.New("no disk") }}
	p.alert(w.firing(1))
	p.settle()
	w.stage(1, "failed")
	if letters, _ := p.view.DeadLetters(p.ctx); len(letters) != 0 {
		t.Errorf("dead letters %+v of a case that says itself that it failed", letters)
	}
}

// TestInboxIsEmptied of bodies whose tasks were given up.
func TestInboxIsEmptied(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	if err := p.Receive(p.ctx, docket.Alert{Source: "x", Body: []byte(strings.Repeat("x", 1<<20))}); err != nil {
		t.Fatal(err)
	}
	p.settle() // it cannot be parsed
	inbox := func() int { names, _ := p.view.BlobNames(p.ctx, "inbox/"); return len(names) }
	p.sweep()
	if inbox() != 1 {
		t.Error("the body of a dead letter is gone at once, so that it cannot be revived")
	}
	w.clock.Advance(8 * 24 * time.Hour)
	p.sweep()
	if inbox() != 0 {
		t.Error("the body is kept for ever")
	}
}
