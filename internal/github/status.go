package github

import (
	"context"
	"fmt"
	"slices"

	gh "github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

// EnsureStatus implements [docket.Forge].
func (c *Client) EnsureStatus(ctx context.Context, repo string, s docket.CommitStatus) error {
	if err := c.allow(repo, remedy.Branch, "writing a commit status"); err != nil {
		return err
	}
	return c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		return t.ensureStatus(ctx, s)
	})
}

// ensureStatus adds a status unless the newest one of the same context says the same. GitHub keeps
// all of them and shows the newest, and takes 1,000 for a commit and context.
func (t *target) ensureStatus(ctx context.Context, s docket.CommitStatus) error {
	if err := checkHash(s.Head); err != nil {
		return err
	}
	if !slices.Contains([]string{"pending", "success", "failure", "error"}, s.State) {
		return fmt.Errorf("github: %q is not a state of a commit status", cutRunes(oneLine(s.State), 40))
	}
	s.Context = cutRunes(oneLine(s.Context), 100)
	s.Description = cutRunes(oneLine(s.Description), maxStatusDescription)
	if s.Context == "" {
		return fmt.Errorf("github: a commit status needs a context")
	}
	doing := "writing the status " + s.Context + " in " + t.full
	newest, err := t.newestStatus(ctx, s.Head, s.Context)
	if err != nil {
		return explain(err, doing, "statuses: read")
	}
	if newest.GetState() == s.State && newest.GetDescription() == s.Description && newest.GetTargetURL() == s.URL {
		return nil
	}
	status := &gh.RepoStatus{State: gh.String(s.State), Context: gh.String(s.Context), Description: gh.String(s.Description)}
	if s.URL != "" {
		status.TargetURL = gh.String(s.URL)
	}
	_, _, err = t.Repositories.CreateStatus(ctx, t.owner, t.name, s.Head, status)
	return explain(err, doing, needStatuses)
}

// newestStatus is what a context says now about a commit; nil if nothing. GitHub lists newest first, which the ids
// of a page make sure of.
func (t *target) newestStatus(ctx context.Context, sha, name string) (*gh.RepoStatus, error) {
	options := &gh.ListOptions{PerPage: 100}
	for range maxPages {
		list, res, err := t.Repositories.ListStatuses(ctx, t.owner, t.name, sha, options)
		if err != nil {
			return nil, err
		}
		var newest *gh.RepoStatus
		for _, s := range list {
			if s.GetContext() == name && (newest == nil || s.GetID() > newest.GetID()) {
				newest = s
			}
		}
		if newest != nil {
			return newest, nil
		}
		if options.Page = following(res, options, len(list)); options.Page == 0 {
			break
		}
	}
	return nil, nil
}
