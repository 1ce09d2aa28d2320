package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	gh "github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

// head is the commit a reference points to, "" if there is no such reference.
func (t *target) head(ctx context.Context, ref string) (string, error) {
	got, _, err := t.Git.GetRef(ctx, t.owner, t.name, ref)
	switch {
	case statusOf(err) == http.StatusNotFound:
		return "", nil
	case statusOf(err) == http.StatusConflict && says(err, "empty"):
		return "", nil
	case err != nil:
		return "", explain(err, "reading "+ref+" of "+t.full, "contents: read")
	case got.GetRef() != ref:
		return "", nil // an old server answers with references that begin like it
	}
	return got.GetObject().GetSHA(), nil
}

// Tip implements [docket.Forge]. An empty branch means the repository's default.
func (c *Client) Tip(ctx context.Context, repo, branch string) (string, error) {
	if branch == "" {
		r, err := c.Repository(ctx, repo)
		if err != nil {
			return "", err
		}
		branch = r.DefaultBranch
	}
	if err := checkRef(branch); err != nil {
		return "", err
	}
	tip := ""
	err := c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		tip, err = t.head(ctx, "refs/heads/"+branch)
		return err
	})
	if err == nil && tip == "" {
		return "", fmt.Errorf("github: %s has no branch %s, or is empty; name the target branch in the configuration", repo, branch)
	}
	return tip, err
}

// EnsureBranch implements [docket.Forge].
func (c *Client) EnsureBranch(ctx context.Context, repo, branch, previous string, change docket.Change) (string, error) {
	if err := checkBranch(branch); err != nil {
		return "", err
	}
	if _, err := checkChange(change); err != nil {
		return "", err
	}
	if previous != "" {
		if err := checkHash(previous); err != nil {
			return "", err
		}
	}
	if err := c.allow(repo, remedy.Branch, "writing branch "+branch); err != nil {
		return "", err
	}
	err := c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		return c.moveBranch(ctx, t, branch, previous, change)
	})
	if err != nil {
		return "", err
	}
	return change.SHA, nil
}

// moveBranch is one look at the branch and what follows from it.
func (c *Client) moveBranch(ctx context.Context, t *target, branch, previous string, change docket.Change) error {
	ref := "refs/heads/" + branch
	compare := func() (done bool, head string, err error) {
		head, err = t.head(ctx, ref)
		switch {
		case err != nil:
			return false, "", err
		case head == change.SHA:
			return true, head, nil
		case head != "" && head != previous:
			return false, head, fmt.Errorf("%w: %s of %s points to %s, which was not written here; merge, close or delete it first",
				docket.ErrHumanCommits, branch, t.full, head)
		}
		return false, head, nil
	}
	if done, _, err := compare(); done || err != nil {
		return err
	}
	other := t.ensureCommit(ctx, change)
	if other != nil && !errors.Is(other, errOtherCommit) {
		return other
	}
	// Making the commit took time; look once more, immediately before the branch moves.
	done, head, err := compare()
	if done || err != nil {
		return err
	}
	if other != nil {
		c.options.Log.Warn("the commit is pushed by git's own protocol", "repository", t.full, "because", other.Error())
		switch err := c.pushCommit(ctx, t.full, ref, head, change); {
		case errors.Is(err, errLookAgain), errors.Is(err, docket.ErrBaseMoved):
			return err
		case err != nil:
			return fmt.Errorf("%w; %w", other, err)
		}
		if head, err = t.head(ctx, ref); err == nil && head != change.SHA {
			err = errLookAgain
		}
		return err
	}
	if head == "" {
		return t.createRef(ctx, ref, change.SHA)
	}
	return c.moveRef(ctx, t, ref, head, change.SHA, change.Base != head)
}

func (t *target) createRef(ctx context.Context, ref, sha string) error {
	made, _, err := t.Git.CreateRef(ctx, t.owner, t.name, &gh.Reference{Ref: gh.String(ref), Object: &gh.GitObject{SHA: gh.String(sha)}})
	switch {
	case err == nil && made.GetObject().GetSHA() == "":
		return errLookAgain // it did not say what it made
	case err == nil && made.GetObject().GetSHA() != sha:
		return fmt.Errorf("github: %s was made at %s instead of %s", ref, cutRunes(oneLine(made.GetObject().GetSHA()), 64), sha)
	case statusOf(err) == http.StatusConflict, statusOf(err) == http.StatusUnprocessableEntity && says(err, "already exists", "already_exists"):
		return errLookAgain
	case statusOf(err) == http.StatusUnprocessableEntity && !says(err, "protected", "rule violation"):
		if taken, _ := t.head(ctx, "refs/heads/remediator"); taken != "" {
			return fmt.Errorf("github: %s has a branch named remediator, beside which git can keep no %s; rename that branch", t.full, ref)
		}
	}
	return explain(err, "making "+ref+" in "+t.full, needContents)
}

// moveRef points an existing reference elsewhere, after it was seen to point to from.
func (c *Client) moveRef(ctx context.Context, t *target, ref, from, to string, force bool) error {
	made, _, err := t.Git.UpdateRef(ctx, t.owner, t.name, &gh.Reference{Ref: gh.String(ref), Object: &gh.GitObject{SHA: gh.String(to)}}, force)
	switch {
	case err == nil && made.GetObject().GetSHA() != to:
		return errLookAgain
	case statusOf(err) == http.StatusUnprocessableEntity && says(err, "does not exist", "not a fast forward", "not a fast-forward"):
		return errLookAgain
	case statusOf(err) == http.StatusConflict:
		return errLookAgain
	}
	return explain(err, "moving "+ref+" of "+t.full, needContents)
}

// DeleteBranch implements [docket.Forge].
func (c *Client) DeleteBranch(ctx context.Context, repo, branch, head string) error {
	if err := checkBranch(branch); err != nil {
		return err
	}
	if err := checkHash(head); err != nil {
		return err
	}
	if err := c.allow(repo, remedy.Branch, "deleting branch "+branch); err != nil {
		return err
	}
	ref := "refs/heads/" + branch
	return c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		now, err := t.head(ctx, ref)
		switch {
		case err != nil || now == "":
			return err
		case now != head:
			return fmt.Errorf("%w: %s of %s points to %s by now and was left alone", docket.ErrHumanCommits, branch, repo, now)
		}
		_, err = t.Git.DeleteRef(ctx, t.owner, t.name, ref)
		if s := statusOf(err); s == http.StatusNotFound || s == http.StatusUnprocessableEntity && says(err, "does not exist") {
			return errLookAgain
		}
		return explain(err, "deleting "+ref+" of "+repo, needContents)
	})
}
