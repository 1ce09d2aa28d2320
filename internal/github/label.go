package github

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	gh "github.com/google/go-github/v66/github"
)

// labelColour is that of labels made here.
const labelColour = "5319e7"

// ensureLabels adds labels to a pull request, making those that the repository lacks. Labels that people added
// or removed otherwise stay as they are.
func (c *Client) ensureLabels(ctx context.Context, t *target, p *gh.PullRequest, labels []string) error {
	has := map[string]bool{}
	for _, l := range p.Labels {
		has[strings.ToLower(l.GetName())] = true
	}
	var missing []string
	for _, name := range labels {
		// GitHub keeps a label of 50 characters; a comma would be two labels in its search.
		name = cutRunes(strings.ReplaceAll(strings.ReplaceAll(oneLine(name), "@", ""), ",", " "), maxLabel)
		if name == "" || has[strings.ToLower(name)] || len(has) >= maxLabels+len(p.Labels) {
			continue
		}
		has[strings.ToLower(name)] = true
		missing = append(missing, name)
	}
	if len(missing) == 0 {
		return nil
	}
	// Nothing is worth holding a proposal for which is only a label.
	forgiven := func(err error) error {
		switch statusOf(err) {
		case http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity:
			c.options.Log.Warn("a pull request goes without labels", "pull", fmt.Sprintf("%s#%d", t.full, p.GetNumber()), "labels", missing, "because", words(err))
			return nil
		}
		return explain(err, fmt.Sprintf("labelling %s#%d", t.full, p.GetNumber()), needPulls)
	}
	for _, name := range missing {
		if err := forgiven(t.ensureLabel(ctx, name)); err != nil {
			return err
		}
	}
	// The library sends a bare list, which GitHub takes and its description no longer mentions.
	request, err := t.NewRequest(http.MethodPost, fmt.Sprintf("repos/%s/%s/issues/%d/labels", t.owner, t.name, p.GetNumber()), map[string][]string{"labels": missing})
	if err != nil {
		return err
	}
	_, err = t.Do(ctx, request, nil)
	return forgiven(err)
}

func (t *target) ensureLabel(ctx context.Context, name string) error {
	_, _, err := t.Issues.GetLabel(ctx, t.owner, t.name, name)
	if statusOf(err) != http.StatusNotFound {
		return err
	}
	_, _, err = t.Issues.CreateLabel(ctx, t.owner, t.name, &gh.Label{
		Name: gh.String(name), Color: gh.String(labelColour),
		Description: gh.String(cutRunes("Proposed by remediator", maxLabelDescription)),
	})
	if statusOf(err) == http.StatusUnprocessableEntity && says(err, "already_exists", "already exists") {
		return nil
	}
	return err
}
