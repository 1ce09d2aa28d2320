package docket_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/remedy/docket/dockettest"
)

// proposed is a world with one case that is proposed.
func proposed(t *testing.T, plan func(docket.RunRequest, *dockettest.Outcome)) (*world, *process) {
	w := newWorld(t)
	w.runner.Plan = plan
	w.forge.Writers = []string{"alice"}
	p := w.process()
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "proposed")
	return w, p
}

// say is a comment with a command.
func (p *process) say(id int64, user, command string) {
	p.event(docket.ForgeEvent{Delivery: fmt.Sprint("comment-", id), Kind: docket.CommandComment, Number: 1, Comment: id, User: user, Command: command})
	p.settle()
}

func TestCommandsOfOutsidersAreIgnored(t *testing.T) {
	w, p := proposed(t, nil)
	for i, command := range []string{"approve", "reject", "stop", "retry", "rebase", "replay", "explain"} {
		p.say(int64(i+1), "mallory", command)
	}
	w.stage(0, "proposed")
	if w.runner.Runs("") != 1 || w.count("comment") != 0 {
		t.Errorf("%d runs, made %v", w.runner.Runs(""), w.forge.Made)
	}
	if !slices.Contains(w.forge.Reactions, "1 confused") {
		t.Errorf("reactions %q", w.forge.Reactions)
	}
	p.event(docket.ForgeEvent{Delivery: "b", Kind: docket.CommandComment, Number: 1, Comment: 99, User: "alice", Bot: true, Command: "reject"})
	p.event(docket.ForgeEvent{Delivery: "n", Kind: docket.CommandComment, Number: 1, Comment: 98, Command: "reject"})
	p.event(docket.ForgeEvent{Delivery: "r", Kind: docket.CheckRerun, Case: fp(0), User: "mallory"})
	p.settle()
	w.stage(0, "proposed")
}

func TestCommandForAnotherRepositoryIsIgnored(t *testing.T) {
	w, p := proposed(t, nil)
	p.event(docket.ForgeEvent{Delivery: "x", Repository: "evil/shop", Kind: docket.PullMerged, Number: 1, Case: fp(0)})
	p.event(docket.ForgeEvent{Delivery: "y", Repository: "evil/shop", Kind: docket.PullClosed, Number: 1, Branch: remedy.BranchName(fp(0), 0)})
	p.event(docket.ForgeEvent{Delivery: "z", Kind: docket.PullMerged, Number: 77, Case: fp(0)})
	p.settle()
	w.stage(0, "proposed")
}

// TestCommandDeliveredTwice is done and answered once.
func TestCommandDeliveredTwice(t *testing.T) {
	w, p := proposed(t, nil)
	for i := range 3 {
		p.event(docket.ForgeEvent{Delivery: fmt.Sprint("again-", i), Kind: docket.CommandComment, Number: 1, Comment: 5, User: "alice", Command: "retry"})
		p.settle()
	}
	w.stage(0, "proposed")
	if n := w.runner.Runs(""); n != 2 {
		t.Errorf("%d runs", n)
	}
	w.once("comment 1 comment:command:5")
}

func TestExplainInAComment(t *testing.T) {
	w, p := proposed(t, nil)
	p.say(5, "alice", "explain")
	body := w.forge.Comments["1 comment:command:5"]
	for _, want := range []string{"`/remediator explain` of `alice`", "`payments`", "confidence 0.90", "`errors`: 0.5", "replay `incident_on`", "https://remediator.example.com/cases/"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
	if strings.Contains(body, "secret text") {
		t.Error("raw telemetry got into a comment")
	}
	if said := p.mustAct("explain", 0); !strings.Contains(said, "payments") {
		t.Errorf("the page is told %q", said)
	}
	if !slices.Contains(w.forge.Reactions, "5 +1") {
		t.Errorf("reactions %q", w.forge.Reactions)
	}
}

func TestUnknownCommandIsAnswered(t *testing.T) {
	w, p := proposed(t, nil)
	p.say(5, "alice", "merge @everyone `now`")
	body := w.forge.Comments["1 comment:command:5"]
	if !strings.Contains(body, "no action") || strings.Contains(strings.SplitN(body, ": ", 2)[0], "@everyone") {
		t.Errorf("answered %q", body)
	}
	w.stage(0, "proposed")
}

func TestStopKeepsTheBranchAndLeavesThePullRequest(t *testing.T) {
	w, p := proposed(t, deleteStale)
	p.say(5, "alice", "stop")
	r := w.stage(0, "refused")
	if w.forge.Pulls[0].State != "open" || len(w.forge.Branches) != 1 {
		t.Errorf("pull request %+v, branches %v", w.forge.Pulls[0], w.forge.Branches)
	}
	w.once("comment 1 comment:command:5")
	p.alert(w.firing(0))
	w.clock.Advance(48 * time.Hour)
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "refused")
	// People may still merge it.
	w.forge.SetState(1, "merged")
	p.event(docket.ForgeEvent{Delivery: "m", Kind: docket.PullMerged, Number: 1, Head: r.Pull.Head})
	p.settle()
	w.stage(0, "merged")
}

// TestStopWhileItRuns ends the run and writes nothing of it.
func TestStopWhileItRuns(t *testing.T) {
	w := newWorld(t)
	p, q := w.process(), w.process()
	w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) {
		w.runner.Plan = nil
		o.BeforeLocated = func() { q.mustAct("stop", 0) }
	}
	p.alert(w.firing(0))
	p.settle()
	w.stage(0, "refused")
	if len(w.forge.Order) != 0 {
		t.Errorf("written after the stop: %q", w.forge.Order)
	}
}

// TestClosedMeansNo, and stays so; reopening takes it back.
func TestClosedMeansNo(t *testing.T) {
	w, p := proposed(t, deleteStale)
	w.forge.SetState(1, "closed")
	p.event(docket.ForgeEvent{Delivery: "c", Kind: docket.PullClosed, Number: 1, User: "alice"})
	p.settle()
	r := w.stage(0, "refused")
	if r.Decision == nil || r.Decision.Approve || r.Decision.By != "alice" {
		t.Errorf("decision %+v", r.Decision)
	}
	if w.count("drop") != 1 {
		t.Errorf("the stale branch is still there: %v", w.forge.Branches)
	}
	for range 3 {
		w.clock.Advance(24 * time.Hour)
		p.alert(w.firing(0))
		p.settle()
	}
	w.stage(0, "refused")
	for _, name := range []string{"retry", "approve", "reject", "stop", "rebase"} {
		if _, err := p.act(name, 0); !errors.Is(err, docket.ErrConflict) {
			t.Errorf("%s after a no: %v", name, err)
		}
	}
	w.forge.SetState(1, "open")
	p.event(docket.ForgeEvent{Delivery: "o", Kind: docket.PullReopened, Number: 1, User: "alice"})
	p.settle()
	w.stage(0, "proposed")
	if len(w.forge.Pulls) != 1 || w.runner.Runs("") != 1 {
		t.Errorf("%d pull requests, %d runs", len(w.forge.Pulls), w.runner.Runs(""))
	}
}

// TestRefusalSurvivesTheLossOfAllState: the closed pull request is found again by the name of its branch.
func TestRefusalSurvivesTheLossOfAllState(t *testing.T) {
	for state, want := range map[string]string{"closed": "refused", "merged": "held came_back", "open": "proposed"} {
		t.Run(state, func(t *testing.T) {
			w, _ := proposed(t, nil)
			w.forge.SetState(1, state)
			w.mem = dockettest.NewMemory(w.clock)
			p := w.process()
			p.alert(w.firing(0))
			p.settle()
			w.stage(0, want)
			if len(w.forge.Pulls) != 1 {
				t.Errorf("%d pull requests", len(w.forge.Pulls))
			}
			w.once()
		})
	}
}

// TestCommitOfAPersonIsNeverOverwritten, whichever way the tool would come to write.
func TestCommitOfAPersonIsNeverOverwritten(t *testing.T) {
	theirs := strings.Repeat("f", 40)
	newBase := func(q docket.RunRequest, o *dockettest.Outcome) {
		if q.Record.Summary != nil {
			o.Base = strings.Repeat("b", 40)
		}
	}
	for name, tc := range map[string]struct {
		event bool
		do    func(*world, *process)
		want  string
	}{
		"retry, push not heard of": {false, func(_ *world, p *process) { p.mustAct("retry", 0) }, "held human_commits"},
		"retry refused":            {true, func(_ *world, p *process) { _, _ = p.act("retry", 0) }, "proposed"},
		"base moves": {true, func(w *world, p *process) {
			w.forge.Tips[repo+" main"] = strings.Repeat("b", 40)
			p.event(docket.ForgeEvent{Delivery: "base", Kind: docket.BasePushed, Branch: "main", Head: strings.Repeat("b", 40)})
		}, "proposed"},
		"state lost": {false, func(w *world, _ *process) {
			w.mem = dockettest.NewMemory(w.clock)
			p := w.process()
			p.alert(w.firing(0))
			p.settle()
		}, "held human_commits"},
	} {
		t.Run(name, func(t *testing.T) {
			w, p := proposed(t, newBase)
			branch := remedy.BranchName(fp(0), 0)
			w.forge.Push(repo, branch, theirs)
			if tc.event {
				p.event(docket.ForgeEvent{Delivery: "p", Kind: docket.PullPushed, Number: 1, Branch: branch, Head: theirs, User: "alice"})
				p.settle()
			}
			tc.do(w, p)
			p.settle()
			w.process().settle()
			w.stage(0, tc.want)
			if got := w.forge.Branches[repo+" "+branch]; got != theirs {
				t.Errorf("the branch is at %s", got)
			}
			w.once("comment 1 comment:human")
			if c := w.forge.Checks[repo+" "+theirs+" remediator"]; tc.event && (c.Status != "completed" || c.Conclusion != "neutral") {
				t.Errorf("the check of their commit says %+v", c)
			}
		})
	}
}

// TestOwnPushIsNotAPersons.
func TestOwnPushIsNotAPersons(t *testing.T) {
	w, p := proposed(t, nil)
	r := w.record(0)
	p.event(docket.ForgeEvent{Delivery: "p", Kind: docket.PullPushed, Number: 1, Branch: r.Pull.Branch, Head: r.Summary.Commit, User: "remediator[bot]", Bot: true})
	p.settle()
	if w.record(0).Pull.Human {
		t.Error("the tool took its own commit for a person's")
	}
	w.once()
}

// TestBaseMoved: the pull request is worked out anew on the new tip once the branch is quiet, and updated in place.
func TestBaseMoved(t *testing.T) {
	first, second := strings.Repeat("b", 40), strings.Repeat("c", 40)
	w, p := proposed(t, nil)
	w.runner.Plan = func(_ docket.RunRequest, o *dockettest.Outcome) { o.Base = w.forge.Tips[repo+" main"] }
	for i, tip := range []string{first, second} {
		w.clock.Advance(time.Minute)
		w.forge.Tips[repo+" main"] = tip
		p.event(docket.ForgeEvent{Delivery: fmt.Sprint("b", i), Kind: docket.BasePushed, Branch: "main", Head: tip})
		p.drain()
	}
	p.event(docket.ForgeEvent{Delivery: "other", Kind: docket.BasePushed, Branch: "release", Head: strings.Repeat("d", 40)})
	p.drain()
	if w.runner.Runs("") != 1 {
		t.Fatal("it did not wait for the branch to be quiet")
	}
	p.settle()
	r := w.stage(0, "proposed")
	if w.runner.Runs("") != 2 || r.Summary.Base != second || len(w.forge.Pulls) != 1 || w.forge.Pulls[0].Head != r.Summary.Commit {
		t.Errorf("%d runs, base %s, pull requests %+v", w.runner.Runs(""), r.Summary.Base, w.forge.Pulls)
	}
	if c := w.forge.Checks[repo+" "+r.Summary.Commit+" remediator"]; c.Conclusion != "success" {
		t.Errorf("the check of the new head: %+v", c)
	}
	if said := p.mustAct("rebase", 0); !strings.Contains(said, "nothing to do") {
		t.Errorf("rebase on the tip: %s", said)
	}
	p.settle()
	if w.runner.Runs("") != 2 {
		t.Error("it was worked out anew for nothing")
	}
}

// TestCheckGoesBackToPending while the case of a pull request is worked out anew.
func TestCheckGoesBackToPending(t *testing.T) {
	w, p := proposed(t, nil)
	head := w.record(0).Pull.Head
	seen := ""
	w.runner.Plan = func(docket.RunRequest, *dockettest.Outcome) {
		seen = w.forge.Checks[repo+" "+head+" remediator"].Status
	}
	p.event(docket.ForgeEvent{Delivery: "r", Kind: docket.CheckRerun, Case: fp(0), User: "alice"})
	p.settle()
	if seen != "in_progress" {
		t.Errorf("during the run the check was %q", seen)
	}
	if c := w.forge.Checks[repo+" "+head+" remediator"]; c.Status != "completed" || c.Conclusion != "success" {
		t.Errorf("after it %+v", c)
	}
	if n := w.runner.Runs(""); n != 2 {
		t.Errorf("%d runs", n)
	}
	w.once()
}

// TestBaseMovesWhileItIsWritten: the forge says that the change does not fit any more.
func TestBaseMovesWhileItIsWritten(t *testing.T) {
	for moves, want := range map[int]string{1: "proposed", 3: "proposed", 9: "held base_moves"} {
		t.Run(fmt.Sprint(moves), func(t *testing.T) {
			w := newWorld(t)
			p := w.process()
			n := 0
			p.p.Fail = func(step string, done bool) error {
				if step == "forge branch" && !done && n < moves {
					n++
					return fmt.Errorf("main: %w", docket.ErrBaseMoved)
				}
				return nil
			}
			p.alert(w.firing(0))
			p.settle()
			w.stage(0, want)
			if runs := w.runner.Runs(""); runs != min(moves, 3)+1 {
				t.Errorf("%d runs", runs)
			}
		})
	}
}

// TestReplayAnswersAndChangesNothing.
func TestReplayAnswersAndChangesNothing(t *testing.T) {
	w, p := proposed(t, nil)
	head := w.record(0).Pull.Head
	p.say(5, "alice", "replay")
	w.stage(0, "proposed")
	if body := w.forge.Comments["1 comment:command:5"]; !strings.Contains(body, "**proved**") || !strings.Contains(body, "same patch") {
		t.Errorf("answered %q", body)
	}
	w.runner.Plan = decline
	p.say(6, "alice", "replay")
	r := w.stage(0, "proposed")
	if body := w.forge.Comments["1 comment:command:6"]; !strings.Contains(body, "not proved (no_option)") {
		t.Errorf("answered %q", body)
	}
	if r.Pull.Head != head || r.Summary.Decline != "" || w.count("branch") != 1 {
		t.Errorf("the replay changed %+v", r.Summary)
	}
	w.once()
}

// TestReworkedCaseThatDeclines keeps the pull request and says so.
func TestReworkedCaseThatDeclines(t *testing.T) {
	w, p := proposed(t, nil)
	w.runner.Plan = decline
	p.mustAct("retry", 0)
	p.settle()
	r := w.stage(0, "held stale")
	if w.forge.Pulls[0].State != "open" || r.Summary.Commit == "" {
		t.Errorf("pull request %+v", w.forge.Pulls[0])
	}
	w.once("comment 1 comment:held")
	if c := w.forge.Checks[repo+" "+r.Pull.Head+" remediator"]; c.Conclusion != "action_required" {
		t.Errorf("check %+v", c)
	}
}

func TestActionsOnNothing(t *testing.T) {
	w := newWorld(t)
	p := w.process()
	for _, name := range []string{"approve", "reject", "retry", "rebase", "replay", "stop", "explain"} {
		if _, err := p.act(name, 0); !errors.Is(err, docket.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.alert(w.firing(0))
	p.settle()
	if _, err := p.act("merge", 0); !errors.Is(err, docket.ErrAction) {
		t.Errorf("unknown action: %v", err)
	}
	if _, err := p.act("approve", 0); !errors.Is(err, docket.ErrStage) || !errors.Is(err, docket.ErrConflict) {
		t.Errorf("approve of what nobody holds: %v", err)
	}
}
