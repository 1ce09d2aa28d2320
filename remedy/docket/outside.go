package docket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/remedy"
)

// approvalFile is the file of the evidence that says who let the patch be proposed.
const approvalFile = "approval.json"

// approval is what it holds.
type approval struct {
	Schema string    `json:"schema"`
	Case   string    `json:"case"`
	Commit string    `json:"commit"`
	Digest string    `json:"patch_sha256"`
	By     string    `json:"by"`
	Via    string    `json:"via"`
	Reason string    `json:"reason,omitempty"`
	Hold   string    `json:"hold"` // what it ended
	At     time.Time `json:"at"`
}

// putEvidence brings the files of the case to where CI fetches them.
func putEvidence(ctx context.Context, w *work, r *Record) (string, error) {
	names, err := CaseFiles(ctx, w.d.Blobs, r)
	if err != nil {
		return "", err
	}
	files := map[string][]byte{}
	for _, n := range names {
		if n == TelemetryFile {
			continue
		}
		if files[n], err = CaseFile(ctx, w.d.Blobs, r, n); err != nil {
			return "", err
		}
	}
	if r.approved() {
		a := approval{Schema: "remediator.approval/v1", Case: r.Fingerprint, Commit: r.Summary.Commit, Digest: r.Summary.Digest,
			By: r.Decision.By, Via: r.Decision.Via, Reason: r.Decision.Reason, Hold: r.Decision.Hold, At: r.Decision.At}
		if files[approvalFile], err = json.MarshalIndent(a, "", "  "); err != nil {
			return "", err
		}
	}
	return "", w.d.forge(r.Repository).EnsureEvidence(ctx, r.Repository, r.Fingerprint, files)
}

// putBranch makes the branch point to the commit. The heads that this tool may have written are tried in turn; any other is a
// person's.
func putBranch(ctx context.Context, w *work, r *Record) (string, error) {
	res, err := w.d.readResult(ctx, r)
	if err != nil {
		return "", err
	}
	var heads []string
	if e := r.effect(branchKey); e != nil {
		heads = strings.Fields(e.Ref)
	}
	if r.Pull != nil && r.open() && !r.Pull.Human && r.Pull.Head != "" && !slices.Contains(heads, r.Pull.Head) {
		heads = append(heads, r.Pull.Head)
	}
	if len(heads) == 0 {
		heads = []string{""}
	}
	var sha string
	for _, h := range heads {
		sha, err = w.d.forge(r.Repository).EnsureBranch(ctx, r.Repository, r.Summary.Branch, h, res.Change)
		if !errors.Is(err, ErrHumanCommits) {
			break
		}
	}
	return sha, err
}

// putPull makes or updates the pull request.
func putPull(ctx context.Context, w *work, r *Record) (string, error) {
	d := w.d
	res, err := d.readResult(ctx, r)
	if err != nil {
		return "", err
	}
	body, err := CaseFile(ctx, d.Blobs, r, "pull-request.md")
	if err != nil {
		return "", fmt.Errorf("reading the text of the pull request: %w", err)
	}
	p, err := d.forge(r.Repository).EnsurePull(ctx, r.Repository, PullRequest{
		Case: r.Fingerprint, Branch: r.Summary.Branch, Base: res.Target, Head: r.Summary.Commit, Title: res.Title,
		Body: d.pullBody(r, string(body)), Draft: r.Summary.Autonomy != remedy.Ready, Labels: res.Labels, Reviewers: res.Reviewers, Culprit: r.Summary.Culprit,
	})
	if err != nil {
		return "", err
	}
	kind := ""
	err = w.update(ctx, func(r *Record) error {
		kind = ""
		r.Pull = p
		switch p.State {
		case "merged":
			kind = "merged"
			r.to(Merged, d.Now(), "pull request %d was merged", p.Number)
		case "closed": // while the branch was being written: still a no
			kind = "refused"
			r.to(Refused, d.Now(), "pull request %d was closed without a merge", p.Number)
		default:
			r.Pull.Base = r.Summary.Base
		}
		return nil
	})
	if err == nil && kind != "" {
		d.observe(Observation{Kind: kind, Record: w.record()})
		return p.URL, d.settleLedger(ctx, w.record(), false)
	}
	return p.URL, err
}

func putCheck(ctx context.Context, w *work, r *Record) (string, error) {
	c, err := w.d.checkRun(ctx, r)
	if err != nil {
		return "", err
	}
	id, err := w.d.forge(r.Repository).EnsureCheck(ctx, r.Repository, c)
	return fmt.Sprint(id), err
}

func putStatus(ctx context.Context, w *work, r *Record) (string, error) {
	s := CommitStatus{Head: r.Pull.Head, Context: "remediator/verify", URL: w.d.page(r)}
	v := verdictOf(r)
	s.State, s.Description = "failure", v.title
	if v.conclusion == "success" {
		s.State = "success"
	}
	return "", w.d.forge(r.Repository).EnsureStatus(ctx, r.Repository, s)
}

func closePull(ctx context.Context, w *work, r *Record) (string, error) {
	if err := w.d.forge(r.Repository).ClosePull(ctx, r.Repository, r.Pull.Number); err != nil {
		return "", err
	}
	err := w.update(ctx, func(r *Record) error {
		if r.open() {
			r.Pull.State = "closed"
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	return "", w.d.settleLedger(ctx, w.record(), false)
}

func dropBranch(ctx context.Context, w *work, r *Record) (string, error) {
	return "", w.d.forge(r.Repository).DeleteBranch(ctx, r.Repository, r.Pull.Branch, r.Pull.Head)
}

func notify(ctx context.Context, w *work, r *Record) (string, error) {
	ref := ""
	if e := r.effect("notify"); e != nil {
		ref = e.Ref
	}
	return w.d.Notifier.Notify(ctx, r, ref)
}

func (w *work) comment(ctx context.Context, r *Record, key, body string) error {
	return w.d.forge(r.Repository).EnsureComment(ctx, r.Repository, r.Pull.Number, key, body)
}

func (d *Desk) page(r *Record) string {
	if d.PageURL == nil {
		return ""
	}
	return d.PageURL(r.Fingerprint)
}
