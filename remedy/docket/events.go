package docket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/remedy"
)

// rebaseDue is an event this package sends to itself: the target branch moved some time ago.
const rebaseDue EventKind = "rebase_due"

// handleEvent does what an event of the forge asks for. Every event may come twice, late or not at all.
func (d *Desk) handleEvent(ctx context.Context, t Task) error {
	var e ForgeEvent
	if err := decode("an event's task", t.Body, &e); err != nil {
		return err
	}
	if e.Kind == BasePushed {
		return d.basePushed(ctx, e)
	}
	r, err := d.recordOf(ctx, e)
	if err != nil || r == nil {
		return err
	}
	switch e.Kind {
	case PullMerged, PullClosed, PullReopened:
		return d.pullMoved(ctx, r.Fingerprint, e)
	case PullPushed:
		return d.pullPushed(ctx, r.Fingerprint, e)
	case CommandComment, CheckRerun:
		return d.command(ctx, r, e)
	case rebaseDue:
		return d.rebaseNow(ctx, r, e)
	}
	return nil // kinds of later versions
}

// recordOf finds the record that an event is about; nil means that it is about none of ours.
func (d *Desk) recordOf(ctx context.Context, e ForgeEvent) (*Record, error) {
	if validFingerprint(e.Case) {
		r, err := d.Store.Get(ctx, e.Case)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil || !strings.EqualFold(r.Repository, e.Repository) {
			return nil, err
		}
		return r, nil
	}
	if e.Branch != "" && !strings.HasPrefix(e.Branch, remedy.BranchPrefix) {
		return nil, nil
	}
	all, err := d.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		if !strings.EqualFold(r.Repository, e.Repository) {
			continue
		}
		switch {
		case r.Pull != nil && e.Number != 0 && r.Pull.Number == e.Number,
			r.Pull == nil && e.Branch != "" && r.Summary != nil && r.Summary.Branch == e.Branch:
			return r, nil
		}
	}
	return nil, nil
}

// seen says whether the event is about the record's pull request, which it may bring to notice first.
func (r *Record) seen(e ForgeEvent) bool {
	if e.Branch != "" && r.Summary != nil && r.Summary.Branch != e.Branch {
		return false // of an earlier round
	}
	if r.Pull == nil && r.Summary != nil && e.Number != 0 {
		r.Pull = &Pull{Number: e.Number, Branch: r.Summary.Branch, Head: e.Head, Base: r.Summary.Base, State: "open"}
	}
	return r.Pull != nil && (e.Number == 0 || r.Pull.Number == e.Number)
}

// pullMoved follows what people did with the pull request.
func (d *Desk) pullMoved(ctx context.Context, fingerprint string, e ForgeEvent) error {
	kind := ""
	r, err := d.change(ctx, fingerprint, func(r *Record) error {
		kind = ""
		now := d.Now()
		if !r.seen(e) {
			return errUnchanged
		}
		switch e.Kind {
		case PullMerged:
			if r.Pull.State == "merged" {
				return errUnchanged
			}
			r.Pull.State, kind = "merged", "merged"
			r.to(Merged, now, "pull request %d was merged", r.Pull.Number)
			r.History[len(r.History)-1].By = cut(e.User, 100)
		case PullClosed:
			if r.Pull.State == "merged" || r.Pull.State == "closed" && r.Stage == Refused {
				return errUnchanged
			}
			r.Pull.State = "closed"
			if r.Stage != Refused {
				kind = "refused"
				r.Decision = &Decision{By: cut(e.User, 100), Via: pullVia, At: now}
				r.to(Refused, now, "pull request %d was closed without a merge", r.Pull.Number)
			}
		case PullReopened:
			if r.Stage != Refused || e.Bot {
				return errUnchanged
			}
			r.Pull.State, r.Decision = "open", nil
			r.Effects = slices.DeleteFunc(r.Effects, func(e Effect) bool { return e.Key == "close" || e.Key == "drop" })
			r.to(Proposed, now, "pull request %d was opened again", r.Pull.Number)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if kind != "" {
		d.observe(Observation{Kind: kind, Record: r})
	}
	return d.settleLedger(ctx, r, r.open())
}

// pullPushed tells this tool's pushes from those of people.
func (d *Desk) pullPushed(ctx context.Context, fingerprint string, e ForgeEvent) error {
	_, err := d.change(ctx, fingerprint, func(r *Record) error {
		if e.Head == "" || !r.seen(e) || !r.open() {
			return errUnchanged
		}
		ours := r.wrote(e.Head)
		if ours && !r.Pull.Human || r.Pull.Head == e.Head && r.Pull.Human == !ours {
			return errUnchanged
		}
		r.Pull.Head, r.Pull.Human = e.Head, !ours
		text := "the branch is back at a commit of this tool"
		if !ours {
			text = "a person pushed to the branch; it is left alone from now on"
		}
		r.noteBy(d.Now(), "pull", text, e.User)
		return nil
	})
	return err
}

// wrote says whether this tool may have written a head of the branch.
func (r *Record) wrote(head string) bool {
	e := r.effect(branchKey)
	return e != nil && (e.Version == head || slices.Contains(strings.Fields(e.Ref), head)) || r.Summary != nil && r.Summary.Commit == head
}

// basePushed lets what stands on an older tip be worked out anew, but only once the branch is quiet: the event that
// finds its own head still the tip after the delay does it.
func (d *Desk) basePushed(ctx context.Context, e ForgeEvent) error {
	all, err := d.Store.List(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, r := range all {
		if !strings.EqualFold(r.Repository, e.Repository) || !rebasable(r, e) {
			continue
		}
		due := e
		due.Kind, due.Case = rebaseDue, r.Fingerprint
		body, err := json.Marshal(due)
		if err != nil {
			return err
		}
		t := Task{Kind: EventTask, ID: "rebase/" + r.Fingerprint + "/" + e.Head, Body: body}
		failed = errors.Join(failed, d.Queue.PublishAfter(ctx, t, d.Settings.withDefaults().RebaseDelay))
	}
	return failed
}

// rebasable says whether a record has a pull request that ought to stand on the event's head and does not.
func rebasable(r *Record, e ForgeEvent) bool {
	return r.Stage == Proposed && r.open() && !r.Pull.Human && r.Summary != nil && r.Summary.Target == e.Branch && e.Head != "" && r.Summary.Base != e.Head
}

func (d *Desk) rebaseNow(ctx context.Context, r *Record, e ForgeEvent) error {
	f := d.forge(r.Repository)
	if f == nil || !rebasable(r, e) {
		return nil
	}
	tip, err := f.Tip(ctx, r.Repository, e.Branch)
	if err != nil {
		return fmt.Errorf("reading the tip of the target branch: %w", err)
	}
	if tip != e.Head {
		return nil // it moved on, which was an event of its own
	}
	_, err = d.change(ctx, r.Fingerprint, func(r *Record) error {
		if !rebasable(r, e) {
			return errUnchanged
		}
		r.again(d.Now(), "the target branch moved on")
		return nil
	})
	return err
}

// command does what somebody wrote in a comment, or asked for by the button of the check run, if that person may write.
// State and answer are stored together, under the comment's id, so that a command that is delivered twice is done once.
func (d *Desk) command(ctx context.Context, r *Record, e ForgeEvent) error {
	f := d.forge(r.Repository)
	if f == nil || e.Bot || e.User == "" {
		return nil
	}
	key := commandKey + strconv.FormatInt(e.Comment, 10)
	name := e.Command
	if e.Kind == CheckRerun {
		key, name = commandKey+e.Delivery, "retry"
	}
	may, err := f.MayWrite(ctx, r.Repository, e.User)
	if err != nil {
		return fmt.Errorf("asking whether the author of a command may write: %w", err)
	}
	if !may {
		return d.react(ctx, f, r, e, "confused")
	}
	a := Action{Case: r.Fingerprint, Name: name, By: e.User, Via: "comment", Reason: e.Argument}
	explained, tip := "", ""
	if name == "explain" {
		if explained, err = d.explain(ctx, r); err != nil {
			return err
		}
	} else if tip, err = d.tipFor(ctx, a); err != nil {
		return err
	}
	var answered error
	stored, err := d.change(ctx, r.Fingerprint, func(r *Record) error {
		answered = nil
		if r.effect(key) != nil {
			return errUnchanged
		}
		answer := explained
		if name != "explain" {
			if answer, answered = d.decide(r, a, key, tip); answered != nil {
				answer = answered.Error()
			}
		}
		r.say(d.Now(), key, mention(e, name)+answer)
		return nil
	})
	if err != nil {
		return err
	}
	if answered == nil {
		d.acted(stored)
		return d.react(ctx, f, r, e, "+1")
	}
	return d.react(ctx, f, r, e, "confused")
}

// mention opens an answer, so that a reader of many comments knows what it answers.
func mention(e ForgeEvent, name string) string {
	return "`/remediator " + remedy.Plain(name) + "` of " + code(e.User) + ": "
}

func (d *Desk) react(ctx context.Context, f Forge, r *Record, e ForgeEvent, content string) error {
	if e.Comment == 0 {
		return nil
	}
	err := f.React(ctx, r.Repository, e.Comment, content)
	if errors.Is(err, ErrForbidden) || errors.Is(err, ErrNotFound) {
		return nil // the comment is gone, or reactions are not ours to give
	}
	return err
}
