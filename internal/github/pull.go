package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	gh "github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

const (
	needPulls = "pull_requests: write"
	// maxPages bounds every listing.
	maxPages = 20
)

// FindPull implements [docket.Forge]. A pull request from a fork does not count, whatever its branch is called.
func (c *Client) FindPull(ctx context.Context, repo, branch string) (*docket.Pull, error) {
	if err := checkBranch(branch); err != nil {
		return nil, err
	}
	var found *docket.Pull
	err := c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		p, err := t.findPull(ctx, branch)
		if err != nil || p == nil {
			return err
		}
		found, err = t.pull(ctx, p)
		return err
	})
	return found, err
}

// findPull is the newest pull request from a branch of the repository itself.
func (t *target) findPull(ctx context.Context, branch string) (*gh.PullRequest, error) {
	options := &gh.PullRequestListOptions{State: "all", Head: t.owner + ":" + branch, Sort: "created", Direction: "desc", ListOptions: gh.ListOptions{PerPage: 100}}
	var newest *gh.PullRequest
	for range maxPages {
		list, res, err := t.PullRequests.List(ctx, t.owner, t.name, options)
		if err != nil {
			return nil, explain(err, "looking for the pull request of "+branch+" in "+t.full, "pull_requests: read")
		}
		for _, p := range list {
			if p.GetHead().GetRef() == branch && ownHead(p) && p.GetNumber() > newest.GetNumber() {
				newest = p
			}
		}
		// A server that takes no notice of the branch, or of the order, has it on any page.
		if options.Page = following(res, &options.ListOptions, len(list)); options.Page == 0 {
			break
		}
	}
	return newest, nil
}

// ownHead says whether a pull request comes from the repository itself.
func ownHead(p *gh.PullRequest) bool {
	head, base := p.GetHead().GetRepo(), p.GetBase().GetRepo()
	return head != nil && head.GetID() != 0 && head.GetID() == base.GetID()
}

// pull is a pull request as the docket knows it.
func (t *target) pull(ctx context.Context, p *gh.PullRequest) (*docket.Pull, error) {
	out := &docket.Pull{
		Number: p.GetNumber(), URL: p.GetHTMLURL(), Branch: p.GetHead().GetRef(), Head: p.GetHead().GetSHA(),
		Base: p.GetBase().GetSHA(), State: p.GetState(), Draft: p.GetDraft(),
	}
	if p.GetMerged() || !p.GetMergedAt().IsZero() {
		out.State = "merged"
	}
	if out.State != "open" {
		return out, nil
	}
	commits, _, err := t.PullRequests.ListCommits(ctx, t.owner, t.name, p.GetNumber(), &gh.ListOptions{PerPage: 100})
	if err != nil {
		return nil, explain(err, fmt.Sprintf("reading the commits of %s#%d", t.full, p.GetNumber()), "pull_requests: read")
	}
	// The tool's branches hold exactly one commit.
	out.Human = len(commits) > 1
	for _, one := range commits {
		if !ours(one.GetCommit(), out.Branch) || len(one.Parents) != 1 {
			out.Human = true
		} else if len(commits) == 1 {
			out.Base = one.Parents[0].GetSHA()
		}
	}
	return out, nil
}

// The identity of the tool's commits, and the line of the message that names the case.
const (
	committerEmail = "remediator@users.noreply.github.com"
	caseTrailer    = "Remediator-Case: "
)

// ours says whether a commit looks like the tool's own for this branch. Somebody with write access could imitate
// that; it keeps people's work from being overwritten by mistake, not by intent.
func ours(commit *gh.Commit, branch string) bool {
	if commit.GetCommitter().GetEmail() != committerEmail || commit.GetAuthor().GetEmail() != committerEmail {
		return false
	}
	digits := strings.TrimPrefix(branch, branchPrefix)
	for line := range strings.SplitSeq(commit.GetMessage(), "\n") {
		if fingerprint, ok := strings.CutPrefix(strings.TrimSuffix(line, "\r"), caseTrailer); ok && strings.HasPrefix(fingerprint, digits) {
			return true
		}
	}
	return false
}

// EnsurePull implements [docket.Forge]. A pull request that was closed or merged is returned as it is: the
// answer was given, and nothing is opened again.
func (c *Client) EnsurePull(ctx context.Context, repo string, want docket.PullRequest) (*docket.Pull, error) {
	if err := checkBranch(want.Branch); err != nil {
		return nil, err
	}
	if err := checkRef(want.Base); err != nil {
		return nil, err
	}
	text, err := title(want.Title)
	if err != nil {
		return nil, err
	}
	want.Title = text
	want.Body = document(want.Body, maxBody, "The whole report is on the case's page.")
	if err := c.allow(repo, remedy.Draft, "opening a pull request"); err != nil {
		return nil, err
	}
	if c.allow(repo, remedy.Ready, "") != nil {
		want.Draft = true
	}
	var made *docket.Pull
	err = c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		p, err := t.findPull(ctx, want.Branch)
		if err != nil {
			return err
		}
		if p == nil {
			if p, err = t.openPull(ctx, want); err != nil {
				return err
			}
		}
		if p.GetState() == "open" {
			if p, err = c.updatePull(ctx, t, p, want); err != nil {
				return err
			}
		}
		made, err = t.pull(ctx, p)
		return err
	})
	return made, err
}

func (t *target) openPull(ctx context.Context, want docket.PullRequest) (*gh.PullRequest, error) {
	p, _, err := t.PullRequests.Create(ctx, t.owner, t.name, &gh.NewPullRequest{
		Title: gh.String(want.Title), Body: gh.String(want.Body), Head: gh.String(want.Branch), Base: gh.String(want.Base),
		Draft: gh.Bool(want.Draft),
	})
	if statusOf(err) == http.StatusUnprocessableEntity {
		switch {
		case says(err, "already exists", "already_exists"):
			return nil, errLookAgain
		case says(err, "no commits between"):
			return nil, fmt.Errorf("%w: %s holds everything that %s changes already", docket.ErrBaseMoved, want.Base, want.Branch)
		case says(err, "draft pull requests are not supported"):
			return nil, fmt.Errorf("%w: drafts are not part of the plan that %s is on; set the autonomy to %q or %q",
				docket.ErrForbidden, t.full, remedy.Branch, remedy.Ready)
		case says(err, "field base", "base invalid"):
			return nil, fmt.Errorf("github: %s has no branch %s to propose to", t.full, want.Base)
		case says(err, "head invalid", "field head"):
			return nil, fmt.Errorf("github: %s has no branch %s; it has to be written before its pull request", t.full, want.Branch)
		}
	}
	if s := statusOf(err); s == http.StatusUnprocessableEntity || s == http.StatusConflict {
		if there, _ := t.findPull(ctx, want.Branch); there != nil {
			return nil, errLookAgain // opened meanwhile, whatever words the refusal has
		}
	}
	return p, explain(err, "opening a pull request in "+t.full, needPulls)
}

// updatePull makes an open pull request what it should be, writing only what differs.
func (c *Client) updatePull(ctx context.Context, t *target, p *gh.PullRequest, want docket.PullRequest) (*gh.PullRequest, error) {
	change, differs := &gh.PullRequest{}, false
	if !same(p.GetTitle(), want.Title) {
		change.Title, differs = gh.String(want.Title), true
	}
	if !same(p.GetBody(), want.Body) {
		change.Body, differs = gh.String(want.Body), true
	}
	if p.GetBase().GetRef() != want.Base {
		change.Base, differs = &gh.PullRequestBranch{Ref: gh.String(want.Base)}, true
	}
	if differs {
		edited, _, err := t.PullRequests.Edit(ctx, t.owner, t.name, p.GetNumber(), change)
		if err != nil {
			return nil, explain(err, fmt.Sprintf("updating %s#%d", t.full, p.GetNumber()), needPulls)
		}
		p = edited
	}
	if p.GetDraft() && !want.Draft {
		ready, err := c.markReady(ctx, t, p)
		if err != nil {
			return nil, err
		}
		p = ready
	}
	if err := c.ensureLabels(ctx, t, p, want.Labels); err != nil {
		return nil, err
	}
	if err := c.ensureReviewers(ctx, t, p, want); err != nil {
		return nil, err
	}
	return p, nil
}

// ClosePull implements [docket.Forge].
func (c *Client) ClosePull(ctx context.Context, repo string, number int) error {
	if err := c.allow(repo, remedy.Draft, "closing a pull request"); err != nil {
		return err
	}
	return c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		doing := fmt.Sprintf("closing %s#%d", repo, number)
		p, _, err := t.PullRequests.Get(ctx, t.owner, t.name, number)
		if err != nil {
			return explain(err, doing, "pull_requests: read")
		}
		if p.GetState() != "open" {
			return nil
		}
		if err := checkBranch(p.GetHead().GetRef()); err != nil || !ownHead(p) {
			return fmt.Errorf("%w: %s: it is not one of the tool's own", docket.ErrForbidden, doing)
		}
		_, _, err = t.PullRequests.Edit(ctx, t.owner, t.name, number, &gh.PullRequest{State: gh.String("closed")})
		return explain(err, doing, needPulls)
	})
}
