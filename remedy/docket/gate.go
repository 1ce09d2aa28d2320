package docket

import (
	"context"
	"fmt"
	"slices"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy"
)

// approvable are the holds that a person ends by approving the patch.
var approvable = []string{"approval", "autonomy", "breaker", "limit", "forbidden", cameBackCode}

// gate decides whether a worked-out case may be written outside, or holds it. What was let through stays so until
// the case is worked out anew: a half-written one is finished.
func (w *work) gate(ctx context.Context, res *result) (bool, error) {
	d, r := w.d, w.record()
	if r.Admitted == r.Summary.Commit {
		return true, nil
	}
	if held, err := w.foundOutside(ctx, res); err != nil || held {
		return false, err
	}
	r = w.record()
	wait, err := d.rules(ctx, r, res)
	if err != nil {
		return false, err
	}
	if wait != nil {
		err := w.update(ctx, func(r *Record) error {
			r.hold(wait.Code, d.Now(), "%s", wait.Why)
			r.Hold.Until = wait.Until
			return nil
		})
		if err == nil {
			d.observe(Observation{Kind: "held", Record: w.record(), Key: wait.Code})
		}
		return false, err
	}
	return true, w.update(ctx, func(r *Record) error {
		r.Admitted = r.Summary.Commit
		if r.Decision != nil && r.Decision.Hold == "autonomy" && grade(r.Summary.Autonomy) == 0 {
			r.Summary.Autonomy = remedy.Draft
		}
		return nil
	})
}

// rules says what the record has to wait for, nil for nothing. Rules that a person can set aside come first and those
// that take a place in the repository last, so that nobody holds a place while a person thinks.
func (d *Desk) rules(ctx context.Context, r *Record, res *result) (*Hold, error) {
	hold := func(code, format string, args ...any) (*Hold, error) {
		return &Hold{Code: code, Why: fmt.Sprintf(format, args...)}, nil
	}
	approved := r.approved()
	if d.forge(r.Repository) == nil {
		return hold("no_forge", "there is no access to a forge for %s; the patch and its evidence are among the files of the case", orNone(r.Repository))
	}
	breaker, err := d.BreakerState(ctx)
	switch {
	case err != nil:
		return nil, err
	case grade(r.Summary.Autonomy) == 0 && !approved:
		return hold("autonomy", "the configuration allows a report only; a person who approves it lets it be proposed as a draft")
	case !breaker.Tripped.IsZero() && !approved:
		return hold("breaker", "%s; a person approves this case, or an administrator resets the breaker", breaker.Why)
	case res.Rules.Approval && !approved:
		return hold("approval", "a person approves patches for incidents of severity %s before they are proposed", r.Incident.Severity)
	case !approved && moreUrgent(r.Incident.Severity, incident.Severity(r.Summary.Severity)):
		return hold("approval", "the severity rose to %s after the case was worked out, and the rules for it were not looked at; approve the patch or retry", r.Incident.Severity)
	}
	return d.admit(ctx, r, res.Rules)
}

// approved says whether a person approved the very patch that is to be written.
func (r *Record) approved() bool {
	return r.Decision != nil && r.Decision.Approve && r.Decision.Digest != "" && r.Decision.Digest == r.Summary.Digest
}

// foundOutside looks for a pull request that is there although the record does not know it, as when the
// state was lost: one that was closed is a no, one that was merged a fix that did not last.
func (w *work) foundOutside(ctx context.Context, res *result) (ended bool, err error) {
	d, r := w.d, w.record()
	f := d.forge(r.Repository)
	if r.Pull != nil || f == nil {
		return false, nil
	}
	p, err := f.FindPull(ctx, r.Repository, r.Summary.Branch)
	if err != nil {
		return false, fmt.Errorf("looking for a pull request of %s: %w", r.Summary.Branch, err)
	}
	if p == nil {
		return false, nil
	}
	kind := ""
	err = w.update(ctx, func(r *Record) error {
		r.Pull, kind = p, ""
		now := d.Now()
		switch {
		case p.State == "closed":
			kind = "refused"
			r.to(Refused, now, "pull request %d was closed without a merge", p.Number)
		case p.State == "merged" && !slices.Contains(r.Cleared, cameBackCode):
			kind = "came_back"
			r.hold(cameBackCode, now, "its fix was merged with pull request %d, and the alert fired again; nothing more is proposed until a person approves it", p.Number)
		case p.Human:
			kind = "held"
			r.hold("human_commits", now, "the branch of pull request %d carries a commit of a person and is left alone", p.Number)
		}
		return nil
	})
	if err == nil && kind != "" {
		d.observe(Observation{Kind: kind, Record: w.record()})
	}
	return kind != "", err
}

func orNone(s string) string {
	if s == "" {
		return "the service"
	}
	return s
}
