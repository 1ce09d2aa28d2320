package docket_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

// TestBreaker: too many cases at once hold all that is not written yet, until each is approved or an administrator
// lets everything go on.
func TestBreaker(t *testing.T) {
	w := newWorld(t)
	w.settings.BreakerCases, w.settings.BreakerWithin = 3, 10*time.Minute
	p := w.process()
	for n := range 5 {
		p.alert(w.firing(n))
	}
	p.settle()
	for n := range 5 {
		w.stage(n, "held breaker")
	}
	if len(w.forge.Order) != 0 {
		t.Fatalf("written although everything is held: %q", w.forge.Order)
	}
	if b, err := p.BreakerState(p.ctx); err != nil || b.Tripped.IsZero() || b.Why == "" {
		t.Errorf("breaker %+v, %v", b, err)
	}
	p.mustAct("approve", 2)
	p.settle()
	w.stage(2, "proposed")
	w.stage(3, "held breaker")
	w.clock.Advance(24 * time.Hour)
	p.sweep()
	p.settle()
	w.stage(3, "held breaker") // time alone ends nothing
	if _, err := p.Act(p.ctx, docket.Action{Name: "reset", By: "root", Via: "api"}); err != nil {
		t.Fatal(err)
	}
	p.settle()
	for n := range 5 {
		w.stage(n, "proposed")
	}
	w.once()
	p.alert(w.firing(9))
	p.settle()
	w.stage(9, "proposed")
}

// TestBreakerCountsCasesNotAlerts, and only those of its time.
func TestBreakerCountsCasesNotAlerts(t *testing.T) {
	w := newWorld(t)
	w.settings.BreakerCases, w.settings.BreakerWithin = 3, 10*time.Minute
	p := w.process()
	for range 50 {
		p.alert(w.firing(0))
	}
	p.settle()
	w.stage(0, "proposed")
	for n := range 12 {
		w.clock.Advance(4 * time.Minute)
		p.alert(w.firing(n + 1))
		p.settle()
		w.stage(n+1, "proposed")
	}
}

// TestHalfWrittenCaseIsFinishedWhenTheBreakerTrips: a branch without its pull request helps nobody.
func TestHalfWrittenCaseIsFinishedWhenTheBreakerTrips(t *testing.T) {
	w := newWorld(t)
	w.settings.BreakerCases = 2
	p := w.process()
	failed := false
	p.p.Fail = func(step string, done bool) error {
		if step == "forge pull" && !failed {
			failed = true
			return errors.New("502")
		}
		return nil
	}
	p.alert(w.firing(0))
	p.drain()
	w.stage(0, "writing")
	for n := range 3 {
		p.alert(w.firing(n + 1))
	}
	p.settle()
	w.stage(0, "proposed")
	w.stage(3, "held breaker")
}

func TestLimits(t *testing.T) {
	for name, tc := range map[string]struct {
		rules docket.Rules
		// services of the cases 0, 1, 2
		services [3]string
		want     [3]string
	}{
		"none":                  {docket.Rules{}, [3]string{"a", "a", "a"}, [3]string{"proposed", "proposed", "proposed"}},
		"open":                  {docket.Rules{MaxOpen: 2}, [3]string{"a", "b", "c"}, [3]string{"proposed", "proposed", "held limit"}},
		"for a service":         {docket.Rules{MaxPerServe: 1}, [3]string{"a", "a", "b"}, [3]string{"proposed", "held limit", "proposed"}},
		"in an hour":            {docket.Rules{MaxPerHour: 1}, [3]string{"a", "b", "c"}, [3]string{"proposed", "held limit", "held limit"}},
		"critical bypass":       {docket.Rules{MaxOpen: 1, MaxPerHour: 1, MaxPerServe: 1, Bypass: true}, [3]string{"a", "a", "a"}, [3]string{"proposed", "proposed", "proposed"}},
		"branches do not count": {docket.Rules{MaxOpen: 1, Autonomy: remedy.Branch}, [3]string{"a", "a", "a"}, [3]string{"proposed", "proposed", "proposed"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
				for n := range 3 {
					if q.Record.Fingerprint == fp(n) {
						o.Service = tc.services[n]
					}
				}
				if o.Rules = tc.rules; o.Rules.Autonomy == "" {
					o.Rules.Autonomy = remedy.Ready
				}
			}
			p := w.process()
			for n := range 3 {
				p.alert(w.firing(n))
				p.settle()
			}
			for n, want := range tc.want {
				w.stage(n, want)
			}
		})
	}
}

// TestLimitEnds when there is room: after the hour, when a pull request is gone, or when a person says so.
func TestLimitEnds(t *testing.T) {
	two := func(t *testing.T, rules docket.Rules) (*world, *process) {
		w := newWorld(t)
		rules.Autonomy = remedy.Ready
		w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) { o.Rules = rules }
		p := w.process()
		for n := range 2 {
			p.alert(w.firing(n))
			p.settle()
		}
		w.stage(0, "proposed")
		w.stage(1, "held limit")
		p.sweep()
		p.settle()
		w.stage(1, "held limit")
		return w, p
	}
	t.Run("hour", func(t *testing.T) {
		w, p := two(t, docket.Rules{MaxPerHour: 1})
		if h := w.record(1).Hold; h.Until.IsZero() || h.Until.After(w.clock.Now().Add(time.Hour)) {
			t.Errorf("the hold ends at %s", h.Until)
		}
		w.clock.Advance(61 * time.Minute)
		p.sweep()
		p.settle()
		w.stage(1, "proposed")
	})
	t.Run("merge", func(t *testing.T) {
		w, p := two(t, docket.Rules{MaxOpen: 1})
		w.forge.SetState(1, "merged")
		p.event(docket.ForgeEvent{Delivery: "m", Kind: docket.PullMerged, Number: 1})
		p.settle()
		p.sweep()
		p.settle()
		w.stage(1, "proposed")
	})
	t.Run("person", func(t *testing.T) {
		w, p := two(t, docket.Rules{MaxOpen: 1})
		p.mustAct("approve", 1)
		p.settle()
		w.stage(1, "proposed")
	})
}

// TestLastPlaceIsTakenOnce: two processes reach the limit at the same moment.
func TestLastPlaceIsTakenOnce(t *testing.T) {
	for range 20 {
		w := newWorld(t)
		var meet sync.WaitGroup
		meet.Add(2)
		w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) {
			o.Rules.MaxOpen = 1
			o.BeforeLocated = func() { meet.Done(); meet.Wait() }
		}
		a, b := w.process(), w.process()
		a.alert(w.firing(0), w.firing(1))
		if err := a.Handle(a.ctx, <-alertTasks(t, a)); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		for _, p := range []*process{a, b} {
			both.Go(p.drain)
		}
		both.Wait()
		if len(w.forge.Pulls) != 1 {
			t.Fatalf("%d pull requests", len(w.forge.Pulls))
		}
	}
}

// TestNoTwoPullRequestsTouchTheSameLines; the second waits until the first is gone.
func TestNoTwoPullRequestsTouchTheSameLines(t *testing.T) {
	w := newWorld(t)
	w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
		o.File, o.Function = "svc/shared.go", "F"+q.Record.Fingerprint[:8]
		if q.Record.Fingerprint == fp(2) {
			o.Line = 30
		}
	}
	p := w.process()
	for n := range 3 {
		p.alert(w.firing(n))
		p.settle()
	}
	w.stage(0, "proposed")
	r := w.stage(1, "held overlap")
	w.stage(2, "proposed")
	if !strings.Contains(r.Hold.Why, "svc/shared.go") {
		t.Errorf("it waits because %s", r.Hold.Why)
	}
	if _, err := p.act("approve", 1); !errors.Is(err, docket.ErrStage) {
		t.Errorf("an approval ends an overlap: %v", err)
	}
	w.forge.SetState(1, "closed")
	p.event(docket.ForgeEvent{Delivery: "c", Kind: docket.PullClosed, Number: 1})
	p.settle()
	p.sweep()
	p.settle()
	w.stage(1, "proposed")
	w.once()
}

// TestApproval: nothing is written before a person approved, and what was said is part of the evidence.
func TestApproval(t *testing.T) {
	w := newWorld(t)
	w.runner.Plan = needsApproval
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "held approval")
	if len(w.forge.Order) != 0 {
		t.Fatalf("written before the approval: %q", w.forge.Order)
	}
	if !slices.Contains(w.notifier.Told, "held approval") {
		t.Errorf("people were told %q", w.notifier.Told)
	}
	if _, err := p.Act(p.ctx, docket.Action{Case: fp(0), Name: "approve", By: "@channel", Via: "slack", Reason: "looks `right` [x](http://evil) #1 hunter2"}); err != nil {
		t.Fatal(err)
	}
	p.settle()
	r := w.stage(0, "proposed")
	if d := r.Decision; d == nil || !d.Approve || d.Via != "slack" || d.Digest != r.Summary.Digest {
		t.Errorf("decision %+v", d)
	}
	var said map[string]string
	if err := json.Unmarshal(w.forge.Evidence[repo+" "+fp(0)]["approval.json"], &said); err != nil || said["commit"] != r.Summary.Commit || said["via"] != "slack" {
		t.Errorf("evidence says %v, %v", said, err)
	}
	body := w.forge.Requests[0].Body
	_, footer, _ := strings.Cut(body, "\n---\n")
	if !strings.Contains(footer, "Approved by `channel` (slack)") || strings.Contains(footer, "@") || strings.Contains(footer, "://evil") || strings.Contains(footer, "#1") || strings.Contains(footer, "hunter2") {
		t.Errorf("the body says\n%s", footer)
	}
	if _, err := p.act("approve", 0); !errors.Is(err, docket.ErrDecided) {
		t.Errorf("a second approval: %v", err)
	}
}

// TestApprovalIsForOnePatch: another patch for the same case needs another approval.
func TestApprovalIsForOnePatch(t *testing.T) {
	w := newWorld(t)
	w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
		needsApproval(q, o)
		o.Salt = fmt.Sprint(q.Record.Runs)
	}
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	p.mustAct("approve", 0)
	p.settle()
	first := w.stage(0, "proposed").Summary.Commit
	p.mustAct("retry", 0)
	p.settle()
	r := w.stage(0, "held approval")
	if w.forge.Branches[repo+" "+r.Summary.Branch] != first {
		t.Error("a patch that nobody approved was pushed")
	}
	p.mustAct("approve", 0)
	p.settle()
	if r := w.stage(0, "proposed"); w.forge.Branches[repo+" "+r.Summary.Branch] != r.Summary.Commit || len(w.forge.Pulls) != 1 {
		t.Error("the approved patch is not on the branch")
	}
	w.once()
}

// TestSeverityThatRisesIsNotApprovedByOldRules: the rules were read for the severity that the alert had then.
func TestSeverityThatRisesIsNotApprovedByOldRules(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
		w.runner.Plan = nil
		in := w.firing(0)
		in.Severity = incident.Critical
		p.alert(in)
		if err := p.Handle(p.ctx, <-alertTasks(t, p)); err != nil {
			t.Error(err)
		}
	}
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "held approval")
}

// TestAutonomy: how far the tool goes by itself.
func TestAutonomy(t *testing.T) {
	for name, tc := range map[string]struct {
		rule, own remedy.Autonomy
		want      string
		pulls     int
		draft     bool
		branches  int
	}{
		"report":                {remedy.Report, remedy.Ready, "held autonomy", 0, false, 0},
		"nothing said":          {"", remedy.Ready, "held autonomy", 0, false, 0},
		"nonsense":              {"yolo", remedy.Ready, "held autonomy", 0, false, 0},
		"branch":                {remedy.Branch, remedy.Ready, "proposed", 0, false, 1},
		"draft":                 {remedy.Draft, remedy.Ready, "proposed", 1, true, 1},
		"ready":                 {remedy.Ready, remedy.Ready, "proposed", 1, false, 1},
		"ready, but with holds": {remedy.Ready, remedy.Draft, "proposed", 1, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) { o.Rules.Autonomy, o.Autonomy = tc.rule, tc.own }
			p := w.process()
			p.alert(w.firing(0))
			p.settle()
			w.stage(0, tc.want)
			if len(w.forge.Pulls) != tc.pulls || len(w.forge.Branches) != tc.branches || tc.pulls > 0 && w.forge.Pulls[0].Draft != tc.draft {
				t.Errorf("pull requests %+v, branches %v", w.forge.Pulls, w.forge.Branches)
			}
			if tc.want == "held autonomy" {
				if len(w.forge.Order) > 0 {
					t.Errorf("a report wrote %q", w.forge.Order)
				}
				p.mustAct("approve", 0)
				p.settle()
				w.stage(0, "proposed")
				if len(w.forge.Pulls) != 1 || !w.forge.Pulls[0].Draft {
					t.Errorf("approved, it is %+v and not a draft", w.forge.Pulls)
				}
			}
		})
	}
}

// TestWithoutAForge everything is worked out and kept, and the hold says where it is.
func TestWithoutAForge(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	p.Forge = nil
	p.alert(w.firing(0))
	p.settle()
	r := w.stage(0, "held no_forge")
	if body, err := docket.CaseFile(p.ctx, p.view, r, "patch.diff"); err != nil || len(body) == 0 {
		t.Errorf("the patch is not kept: %v", err)
	}
	p.Forge = w.forge.As(p.p)
	p.sweep()
	p.settle()
	w.stage(0, "proposed")
}

// TestCameBack: the alert fires again after its fix was merged. A person decides, and the next fix is another pull
// request.
func TestCameBack(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	old := w.firing(0)
	w.forge.SetState(1, "merged")
	p.event(docket.ForgeEvent{Delivery: "m", Kind: docket.PullMerged, Number: 1})
	p.settle()
	p.alert(old) // fires since before the merge
	p.settle()
	w.stage(0, "merged")
	w.clock.Advance(time.Hour)
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "held came_back")
	w.once("comment 1 comment:came_back")
	if _, err := p.act("retry", 0); !errors.Is(err, docket.ErrStage) {
		t.Errorf("retry goes around the stop: %v", err)
	}
	// Another alert of the same cause does not get around it either.
	w.runner.Plan = func(q docket.RunRequest, o *dockettest.Outcome) {
		o.Operation, o.File = "GET /"+fp(0)[:8], "svc/"+fp(0)[:8]+".go"
	}
	p.alert(w.firing(1))
	p.settle()
	w.stage(1, "joined")
	p.mustAct("approve", 0)
	p.settle()
	r := w.stage(0, "proposed")
	if len(w.forge.Pulls) != 2 || r.Pull.Number != 2 || r.Pull.Branch != remedy.BranchName(fp(0), 1) {
		t.Errorf("pull requests %+v", w.forge.Pulls)
	}
	if w.forge.Pulls[0].State != "merged" || w.count("comment 2 comment:came_back") != 0 {
		t.Errorf("made %v", w.forge.Made)
	}
	w.once()
}
