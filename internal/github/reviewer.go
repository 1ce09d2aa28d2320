package github

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	gh "github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/remedy/docket"
)

// maxReviewers is what GitHub takes for one pull request.
const maxReviewers = 15

// ensureReviewers asks the owners and the culprit's author for a review, unless they were asked or gave one.
// Whom GitHub does not know as a collaborator is left out, the others stay.
func (c *Client) ensureReviewers(ctx context.Context, t *target, p *gh.PullRequest, want docket.PullRequest) error {
	names := slices.Clone(want.Reviewers)
	if want.Culprit != "" {
		login, err := t.authorOf(ctx, want.Culprit)
		if err != nil {
			return err
		}
		names = append(names, login)
	}
	var missing []string
	seen := map[string]bool{"": true, strings.ToLower(p.GetUser().GetLogin()): true}
	for _, u := range p.RequestedReviewers {
		seen[strings.ToLower(u.GetLogin())] = true
	}
	for _, team := range p.RequestedTeams {
		seen["team/"+strings.ToLower(team.GetSlug())] = true
	}
	for _, name := range names {
		name = strings.TrimPrefix(name, "@")
		if key := reviewerKey(name); !seen[key] {
			seen[key] = true
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	done, err := t.reviewed(ctx, p.GetNumber())
	if err != nil {
		return err
	}
	missing = slices.DeleteFunc(missing, func(name string) bool { return done[reviewerKey(name)] })
	missing = missing[:min(len(missing), maxReviewers)]
	if len(missing) == 0 {
		return nil
	}
	err = t.ask(ctx, p.GetNumber(), missing)
	if s := statusOf(err); len(missing) == 1 || s != http.StatusUnprocessableEntity && s != http.StatusNotFound {
		return c.dropped(t, p, missing, err)
	}
	for _, name := range missing {
		if err := c.dropped(t, p, []string{name}, t.ask(ctx, p.GetNumber(), []string{name})); err != nil {
			return err
		}
	}
	return nil
}

// reviewerKey is a login, or team/slug; "" for what is neither.
func reviewerKey(name string) string {
	org, team, isTeam := strings.Cut(name, "/")
	switch {
	case isTeam && loginName.MatchString(org) && markerKey.MatchString(team) && !strings.Contains(team, "/"):
		return "team/" + strings.ToLower(team)
	case !isTeam && loginName.MatchString(name):
		return strings.ToLower(name)
	}
	return ""
}

func (t *target) ask(ctx context.Context, number int, names []string) error {
	var request gh.ReviewersRequest
	for _, name := range names {
		if _, team, ok := strings.Cut(name, "/"); ok {
			request.TeamReviewers = append(request.TeamReviewers, team)
		} else {
			request.Reviewers = append(request.Reviewers, name)
		}
	}
	_, _, err := t.PullRequests.RequestReviewers(ctx, t.owner, t.name, number, request)
	return err
}

// dropped forgives that somebody cannot be asked.
func (c *Client) dropped(t *target, p *gh.PullRequest, names []string, err error) error {
	if s := statusOf(err); s == http.StatusUnprocessableEntity || s == http.StatusNotFound {
		c.options.Log.Info("a reviewer cannot be asked", "repository", t.full, "pull", p.GetNumber(), "reviewer", names, "because", words(err))
		return nil
	}
	return explain(err, fmt.Sprintf("asking for a review of %s#%d", t.full, p.GetNumber()), needPulls)
}

// authorOf is the login of a commit's author, "" if it is nobody who could review.
func (t *target) authorOf(ctx context.Context, sha string) (string, error) {
	if checkHash(sha) != nil {
		return "", nil
	}
	commit, _, err := t.Repositories.GetCommit(ctx, t.owner, t.name, sha, nil)
	switch statusOf(err) {
	case http.StatusNotFound, http.StatusUnprocessableEntity:
		return "", nil
	}
	if err != nil {
		return "", explain(err, "looking up the author of "+sha[:12], "contents: read")
	}
	if commit.GetAuthor().GetType() == "Bot" || !loginName.MatchString(commit.GetAuthor().GetLogin()) {
		return "", nil
	}
	return commit.GetAuthor().GetLogin(), nil
}

// reviewed are those who gave a review already, which takes them off the list of those who were asked.
func (t *target) reviewed(ctx context.Context, number int) (map[string]bool, error) {
	done := map[string]bool{}
	options := &gh.ListOptions{PerPage: 100}
	for range maxPages {
		list, res, err := t.PullRequests.ListReviews(ctx, t.owner, t.name, number, options)
		if statusOf(err) == http.StatusNotFound {
			break // none are told of
		}
		if err != nil {
			return nil, explain(err, fmt.Sprintf("reading the reviews of %s#%d", t.full, number), "pull_requests: read")
		}
		for _, r := range list {
			done[strings.ToLower(r.GetUser().GetLogin())] = true
		}
		if options.Page = following(res, options, len(list)); options.Page == 0 {
			break
		}
	}
	return done, nil
}
