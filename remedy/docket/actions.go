package docket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Errors of [Desk.Act]. Those that say no to what was asked wrap [ErrConflict] too.
var (
	// ErrStage means that this cannot be asked of the case as it stands; the text says what can.
	ErrStage = errors.New("not at this stage")
	// ErrDecided means that somebody decided before.
	ErrDecided = errors.New("already decided")
	// ErrAction means that there is no such action.
	ErrAction = errors.New("no such action")
)

// stopCode stands in the decision of somebody who stopped a case, where the pull request is left to people.
const stopCode = "stop"

// pullVia is how somebody decides who closes the pull request.
const pullVia = "pull request"

// no is an answer that changes nothing.
type no struct {
	kind error
	text string
}

func (n *no) Error() string        { return n.text }
func (n *no) Is(target error) bool { return target == n.kind || target == ErrConflict }

func wrongStage(format string, args ...any) error { return &no{ErrStage, fmt.Sprintf(format, args...)} }
func decided(format string, args ...any) error    { return &no{ErrDecided, fmt.Sprintf(format, args...)} }

// Act does what a person asks for and returns the answer to show. That the person may ask is for
// the caller to check. Errors are [ErrNotFound], [ErrStage], [ErrDecided], [ErrAction], or failures of the store.
func (d *Desk) Act(ctx context.Context, a Action) (string, error) {
	switch a.Name {
	case "reset":
		if err := d.ResetBreaker(ctx, a.By, a.Reason); err != nil {
			return "", err
		}
		return "the breaker is reset", nil
	case "explain":
		r, err := d.Store.Get(ctx, a.Case)
		if err != nil {
			return "", err
		}
		return d.explain(ctx, r)
	}
	tip, err := d.tipFor(ctx, a)
	if err != nil {
		return "", err
	}
	answer := ""
	r, err := d.change(ctx, a.Case, func(r *Record) (err error) {
		answer, err = d.decide(r, a, fmt.Sprintf("comment:%s:%d", a.Name, r.Runs), tip)
		return err
	})
	if err != nil {
		return "", err
	}
	d.acted(r)
	return answer, nil
}

// tipFor is the tip of the branch that a case to be rebased goes to; "" where it does not matter.
func (d *Desk) tipFor(ctx context.Context, a Action) (string, error) {
	if a.Name != "rebase" {
		return "", nil
	}
	r, err := d.Store.Get(ctx, a.Case)
	if err != nil {
		return "", err
	}
	f := d.forge(r.Repository)
	if f == nil || r.Summary == nil {
		return "", nil
	}
	return f.Tip(ctx, r.Repository, r.Summary.Target)
}

func (d *Desk) acted(r *Record) {
	if r.Stage == Refused {
		d.observe(Observation{Kind: "refused", Record: r})
	}
}

// decide applies an action to a record. It returns the answer for the person, or why it cannot be done; answers
// that come later go to the comment of the key.
func (d *Desk) decide(r *Record, a Action, key, tip string) (string, error) {
	now := d.Now()
	a.By, a.Via, a.Reason = cut(a.By, 100), cut(a.Via, 40), d.clean(a.Reason)
	if !slices.Contains([]string{"approve", "reject", "stop", "retry", "rebase", "replay"}, a.Name) {
		return "", &no{ErrAction, fmt.Sprintf("there is no action %.40q; there are approve, reject, retry, rebase, replay, stop and explain", a.Name)}
	}
	if r.Stage == Merged {
		return "", decided("the fix was merged; there is nothing left to %s", a.Name)
	}
	do := map[string]func() (string, error){
		"approve": func() (string, error) { return r.approve(a, now) },
		"reject":  func() (string, error) { return r.refuse(a, now) },
		"stop":    func() (string, error) { return r.refuse(a, now) },
		"retry":   func() (string, error) { return r.retry(a, now) },
		"rebase":  func() (string, error) { return r.rebase(a, now, tip) },
		"replay":  func() (string, error) { return r.replay(a, now, key) },
	}[a.Name]
	answer, err := do()
	if err == nil {
		r.noteBy(now, "command", strings.TrimSpace(a.Name+" by "+a.Via+" "+a.Reason), a.By)
	}
	return answer, err
}

func (r *Record) approve(a Action, now time.Time) (string, error) {
	switch {
	case r.Stage == Refused:
		return "", r.alreadyRefused()
	case r.Decision != nil && r.Decision.Approve && (r.Stage == Writing || r.Stage == Proposed):
		return "", decided("%s approved it at %s", r.Decision.By, r.Decision.At.UTC().Format(time.RFC3339))
	case r.Stage != Held || r.Hold == nil:
		return "", wrongStage("the case is %s, and nothing waits for an approval", r.Stage)
	case !slices.Contains(approvable, r.Hold.Code):
		return "", wrongStage("the case waits because of %q, which no approval ends: %s", r.Hold.Code, r.Hold.Why)
	}
	held := r.Hold.Code
	r.Decision = &Decision{Approve: true, By: a.By, Via: a.Via, Reason: a.Reason, At: now, Hold: held}
	if held == "limit" || held == cameBackCode {
		r.clear(held)
	}
	if held == cameBackCode {
		if r.Pull != nil {
			// The next fix has a branch and a pull request of its own; what was done for the last one is done.
			r.Round++
			r.Pull, r.Summary, r.Result = nil, nil, ""
			r.Effects = slices.DeleteFunc(r.Effects, func(e Effect) bool { return e.Key != "notify" && !strings.HasPrefix(e.Key, commandKey) })
		}
		r.again(now, "a person lets the cause be looked at again")
		return "approved: the case is worked out anew", nil
	}
	if r.Summary == nil || r.Summary.Commit == "" {
		r.again(now, "approved")
		return "approved: the case is worked out", nil
	}
	r.Decision.Digest = r.Summary.Digest
	r.to(Writing, now, "approved")
	return "approved: the patch is proposed as soon as no other rule holds it", nil
}

func (r *Record) alreadyRefused() error {
	if r.Decision == nil {
		return decided("the pull request was closed, which stays a no; reopen it to go on")
	}
	return decided("%s said no at %s; reopen the pull request, or retry a case that has none, to go on", orNobody(r.Decision.By), r.Decision.At.UTC().Format(time.RFC3339))
}

func orNobody(s string) string {
	if s == "" {
		return "somebody"
	}
	return s
}

// refuse ends a case for good: rejected, or stopped, where the pull request is left as it is.
func (r *Record) refuse(a Action, now time.Time) (string, error) {
	if r.Stage == Refused {
		return "", r.alreadyRefused()
	}
	d := &Decision{By: a.By, Via: a.Via, Reason: a.Reason, At: now}
	switch {
	case a.Name == "stop":
		d.Hold = stopCode
	case r.Hold != nil:
		d.Hold = r.Hold.Code
	}
	r.Decision = d
	if a.Name == "stop" {
		r.to(Refused, now, "stopped")
		return "stopped: nothing more is done about this case; its branch stays", nil
	}
	r.to(Refused, now, "rejected")
	return "rejected: nothing is proposed for this cause any more", nil
}

func (r *Record) retry(a Action, now time.Time) (string, error) {
	switch {
	case r.Stage == Queued || r.Stage == Running || r.Stage == Writing:
		return "", wrongStage("the case is %s already", r.Stage)
	case r.Stage == Refused && r.Pull != nil:
		return "", r.alreadyRefused()
	case r.Hold != nil && r.Hold.Code == cameBackCode:
		return "", wrongStage("the cause came back after its fix; approve or reject it")
	case r.Stage == Proposed && r.Pull != nil && r.Pull.Human:
		return "", wrongStage("the branch carries a commit of a person, which is never overwritten; replay says whether the proof still holds")
	}
	if r.Stage == Refused {
		r.Decision = nil
	}
	r.Rebases, r.JoinedTo = 0, ""
	r.again(now, "%s asked for by %s", a.Name, orNobody(a.By))
	return "the case is worked out anew", nil
}

func (r *Record) rebase(a Action, now time.Time, tip string) (string, error) {
	switch {
	case !r.open():
		return "", wrongStage("there is no open pull request to rebase")
	case tip != "" && r.Summary != nil && tip == r.Summary.Base && r.Stage == Proposed:
		return "nothing to do: the pull request stands on the tip of its target branch", nil
	}
	return r.retry(a, now)
}

func (r *Record) replay(a Action, now time.Time, key string) (string, error) {
	switch {
	case r.Stage == Queued || r.Stage == Running || r.Stage == Writing:
		return "", wrongStage("the case is %s already", r.Stage)
	case r.Summary == nil || r.Summary.Commit == "" || r.Stage != Proposed && r.Stage != Held:
		return "", wrongStage("the case is %s and has no patch to replay", r.Stage)
	}
	c := &Recheck{Key: key, Back: r.Stage, Hold: r.Hold, By: a.By}
	r.again(now, "replay asked for by %s", orNobody(a.By))
	r.Recheck = c
	return "the incident is replayed; the verdict follows here", nil
}
