package docket_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

// TestThousandAlertsAreOneCase: a storm of one alert, folded by two processes at once, opens one case, which is
// worked out once.
func TestThousandAlertsAreOneCase(t *testing.T) {
	const storm = 1000
	w := newWorld(t)
	a, b := w.process(), w.process()
	for range storm {
		a.alert(w.firing(0))
	}
	var both sync.WaitGroup
	for _, p := range []*process{a, b} {
		both.Go(p.drain)
	}
	both.Wait()
	a.settle()
	r := w.stage(0, "proposed")
	if r.Alerts != storm || len(w.forge.Pulls) != 1 || w.runner.Runs("") != 1 {
		t.Errorf("%d alerts counted, %d pull requests, %d runs", r.Alerts, len(w.forge.Pulls), w.runner.Runs(""))
	}
	w.once()
	if n := len(r.History); n > 200 {
		t.Errorf("the history has %d lines", n)
	}
}

// TestAlertIsCountedOnceWhenDeliveredTwice: the queue may deliver a task again after it was done.
func TestAlertIsCountedOnceWhenDeliveredTwice(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	body, _ := json.Marshal([]incident.Incident{w.firing(0)})
	task, _ := json.Marshal(docket.Alert{Source: "test", At: w.clock.Now(), Body: body})
	for range 3 {
		if err := p.Handle(p.ctx, docket.Task{Kind: docket.AlertTask, Body: task}); err != nil {
			t.Fatal(err)
		}
	}
	if r := w.record(0); r.Alerts != 1 {
		t.Errorf("%d alerts counted", r.Alerts)
	}
}

// TestBodyOfTheFirstAlertIsKept, and the runner gets it.
func TestBodyOfTheFirstAlertIsKept(t *testing.T) {
	w := newWorld(t)
	var got docket.Alert
	w.runner.Plan = func(q docket.RunRequest, _ *dockettest.Outcome) { got = q.Alert }
	p := w.process()
	first := w.firing(0)
	first.Annotations = map[string]string{"summary": "first"}
	p.alert(first)
	p.alert(w.firing(0))
	p.settle()
	if !bytes.Contains(got.Body, []byte(`"first"`)) || got.Source != "test" || got.Format != "test" {
		t.Errorf("the runner got %+v with %s", got, got.Body)
	}
}

// TestLargeAlert: a body that no queue carries goes beside its task and is erased when it was folded.
func TestLargeAlert(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	in := w.firing(0)
	in.Annotations = map[string]string{"summary": strings.Repeat("x", 1<<20)}
	p.alert(in)
	if names, _ := p.view.BlobNames(p.ctx, "inbox/"); len(names) != 1 {
		t.Fatalf("in the inbox: %q", names)
	}
	p.settle()
	w.stage(0, "proposed")
	if names, _ := p.view.BlobNames(p.ctx, "inbox/"); len(names) != 0 {
		t.Errorf("still in the inbox: %q", names)
	}
}

// TestNotAcknowledgedUnlessStored: the sender is told of a failure, so that it sends again.
func TestNotAcknowledgedUnlessStored(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	p.p.Fail = func(step string, _ bool) error {
		if strings.HasPrefix(step, "publish") {
			return errors.New("no quorum")
		}
		return nil
	}
	if err := p.Receive(p.ctx, docket.Alert{Source: "test", Body: []byte("[]")}); err == nil {
		t.Error("an alert that was not stored was acknowledged")
	}
	if err := p.ReceiveEvent(p.ctx, docket.ForgeEvent{Delivery: "1"}); err == nil {
		t.Error("an event that was not stored was acknowledged")
	}
}

func TestResolved(t *testing.T) {
	t.Run("of nothing known", func(t *testing.T) {
		w := newWorld(t)
		p := w.process()
		p.alert(w.resolved(0))
		p.settle()
		if _, err := p.view.Get(p.ctx, fp(0)); !errors.Is(err, docket.ErrNotFound) {
			t.Errorf("a case was opened: %v", err)
		}
	})
	t.Run("before anything was begun", func(t *testing.T) {
		w := newWorld(t)
		p := w.process()
		p.alert(w.firing(0))
		p.alert(w.resolved(0))
		for range 2 { // the alerts alone
			task := <-alertTasks(t, p)
			if err := p.Handle(p.ctx, task); err != nil {
				t.Fatal(err)
			}
		}
		p.settle()
		w.stage(0, "declined")
		if w.runner.Runs("") != 0 {
			t.Error("it was worked out all the same")
		}
	})
	t.Run("while it is proposed", func(t *testing.T) {
		w := newWorld(t)
		p := w.process()
		p.alert(w.firing(0))
		p.settle()
		for range 3 {
			p.alert(w.resolved(0))
			p.settle()
		}
		r := w.stage(0, "proposed")
		if r.Resolved.IsZero() || w.count("comment 1 comment:resolved") != 1 {
			t.Errorf("resolved %s, made %v", r.Resolved, w.forge.Made)
		}
	})
}

// alertTasks takes the alert tasks off the queue as they come.
func alertTasks(t *testing.T, p *process) <-chan docket.Task {
	out := make(chan docket.Task, 1)
	ctx, cancel := context.WithCancel(t.Context())
	_ = p.view.Consume(ctx, docket.AlertTask, 1, func(_ context.Context, task docket.Task) error {
		out <- task
		cancel()
		return nil
	})
	return out
}

// TestFlappingIsOneCase: firing and resolved in turn is one case, one run, one pull request and one comment.
func TestFlappingIsOneCase(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	for range 20 {
		w.clock.Advance(2 * time.Minute)
		p.alert(w.firing(0))
		p.settle()
		w.clock.Advance(time.Minute)
		p.alert(w.resolved(0))
		p.settle()
	}
	r := w.stage(0, "proposed")
	if r.Flaps != 19 || r.Alerts != 40 || w.runner.Runs("") != 1 || len(w.forge.Pulls) != 1 {
		t.Errorf("%d flaps, %d alerts, %d runs, %d pull requests", r.Flaps, r.Alerts, w.runner.Runs(""), len(w.forge.Pulls))
	}
	w.once("comment 1 comment:resolved")
}

// TestFlappingOfAHopelessCase: what was declined is not worked out anew at every flap, but is after a while.
func TestFlappingOfAHopelessCase(t *testing.T) {
	w := newWorld(t)
	w.runner.Plan = decline
	p := w.process()
	flap := func() {
		w.clock.Advance(2 * time.Minute)
		p.alert(w.firing(0))
		p.settle()
		w.clock.Advance(time.Minute)
		p.alert(w.resolved(0))
		p.settle()
	}
	for range 5 {
		flap()
	}
	w.stage(0, "declined")
	if n := w.runner.Runs(""); n != 1 {
		t.Errorf("%d runs within minutes", n)
	}
	w.clock.Advance(7 * time.Hour)
	flap()
	if n := w.runner.Runs(""); n != 2 {
		t.Errorf("%d runs, the second was due hours later", n)
	}
}

// TestTelemetryThatWasMissingIsLookedForSooner: a case that saw nothing is worked out anew minutes later, not hours.
func TestTelemetryThatWasMissingIsLookedForSooner(t *testing.T) {
	w := newWorld(t)
	w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) {
		o.Decline = &remedy.Decline{Code: "evidence_too_thin", Why: "no telemetry", Next: "connect it"}
	}
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "declined")
	w.clock.Advance(time.Minute)
	p.alert(w.resolved(0))
	p.settle()
	w.clock.Advance(10 * time.Minute)
	w.runner.Plan = nil
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "proposed")
}

// TestDeclinedBeforeItsStartIsTakenUp when the alert fires again.
func TestDeclinedBeforeItsStartIsTakenUp(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	p.alert(w.firing(0))
	p.alert(w.resolved(0))
	for range 2 {
		if err := p.Handle(p.ctx, <-alertTasks(t, p)); err != nil {
			t.Fatal(err)
		}
	}
	w.stage(0, "declined")
	w.clock.Advance(2 * time.Minute)
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "proposed")
}

// TestSeverityOnlyRises over the life of a case.
func TestSeverityOnlyRises(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	for _, s := range []incident.Severity{incident.Minor, incident.Unknown, incident.Critical, incident.Major} {
		in := w.firing(0)
		in.Severity = s
		p.alert(in)
		p.drain()
	}
	if r := w.record(0); r.Incident.Severity != incident.Critical {
		t.Errorf("severity %s", r.Incident.Severity)
	}
}

// TestFingerprintThatIsAPath is refused before anything is named after it.
func TestFingerprintThatIsAPath(t *testing.T) {
	for _, bad := range []string{"", "../../etc/passwd", strings.Repeat("A", 32), strings.Repeat("a", 33), strings.Repeat("a", 31) + "/"} {
		w := newWorld(t)
		p := w.process()
		in := w.firing(0)
		in.Fingerprint = bad
		p.alert(in)
		p.settle()
		if all, _ := p.view.List(p.ctx); len(all) != 0 {
			t.Errorf("fingerprint %q opened %+v", bad, all[0])
		}
		if letters, _ := p.view.DeadLetters(p.ctx); len(letters) != 1 || letters[0].Kind != docket.AlertTask {
			t.Errorf("fingerprint %q: dead letters %+v", bad, letters)
		}
	}
}

// TestGroupWithSeveralIncidents: one body may bring the end of one incident and the begin of another.
func TestGroupWithSeveralIncidents(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	p.alert(w.resolved(0), w.firing(1))
	p.settle()
	if r := w.record(0); r.Resolved.IsZero() {
		t.Error("the first did not end")
	}
	w.stage(1, "proposed")
}

// TestAlertsAreReadAsTheirFormat without a parser of one's own.
func TestAlertsAreReadAsTheirFormat(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	p.Parse = nil
	body := `{"version":"4","status":"firing","groupLabels":{"alertname":"A"},"commonLabels":{"alertname":"A","severity":"critical","service":"payments"},
		"alerts":[{"status":"firing","labels":{"alertname":"A","severity":"critical","service":"payments"},"startsAt":"2026-03-04T05:00:00Z"}]}`
	if err := p.Receive(p.ctx, docket.Alert{Source: "am", Format: "alertmanager", Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	p.settle()
	all, err := p.view.List(p.ctx)
	if err != nil || len(all) != 1 || all[0].Incident.Name != "A" || all[0].Stage != docket.Proposed {
		letters, _ := p.view.DeadLetters(p.ctx)
		t.Fatalf("records %+v, dead letters %+v, %v", all, letters, err)
	}
}
