package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	gh "github.com/google/go-github/v66/github"
)

// markReady takes a pull request out of draft, the one thing here that REST cannot do. Where GraphQL is
// not to be had the pull request stays a draft, for a person to mark ready.
func (c *Client) markReady(ctx context.Context, t *target, p *gh.PullRequest) (*gh.PullRequest, error) {
	request, err := t.NewRequest(http.MethodPost, c.graphURL(), map[string]any{
		"query":     "mutation($id: ID!) { markPullRequestReadyForReview(input: {pullRequestId: $id}) { pullRequest { isDraft } } }",
		"variables": map[string]string{"id": p.GetNodeID()},
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Done *struct {
				Pull struct {
					Draft bool `json:"isDraft"`
				} `json:"pullRequest"`
			} `json:"markPullRequestReadyForReview"`
		} `json:"data"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	_, err = t.Do(ctx, request, &answer)
	if _, passes := RetryAfter(err); passes || ctx.Err() != nil {
		return nil, explain(err, "marking a pull request ready", needPulls)
	}
	if err == nil && answer.Data.Done != nil && !answer.Data.Done.Pull.Draft {
		ready := *p
		ready.Draft = gh.Bool(false)
		return &ready, nil
	}
	why := words(err)
	if len(answer.Errors) > 0 {
		why = cutRunes(oneLine(answer.Errors[0].Message), 200)
	}
	c.options.Log.Warn("a pull request stays a draft, since it could not be marked ready", "pull", fmt.Sprintf("%s#%d", t.full, p.GetNumber()), "because", why)
	return p, nil
}

// graphURL is where GraphQL is served beside the REST API: /graphql, at an Enterprise Server /api/graphql.
func (c *Client) graphURL() string {
	u := url.URL{Scheme: c.base.Scheme, Host: c.base.Host, Path: strings.TrimSuffix(c.base.Path, "v3/") + "graphql"}
	return u.String()
}
