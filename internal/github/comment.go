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

const markerStart = "<!-- remediator:"

// EnsureComment implements [docket.Forge]. A hidden marker in the text finds the comment again; only one
// that this App or token wrote itself counts, since anybody can copy a marker.
func (c *Client) EnsureComment(ctx context.Context, repo string, number int, key, body string) error {
	if !markerKey.MatchString(key) || strings.Contains(key, "--") {
		return fmt.Errorf("github: %q cannot mark a comment; use letters, digits, colons and single dashes", cutRunes(oneLine(key), 100))
	}
	if err := c.allow(repo, remedy.Draft, "commenting"); err != nil {
		return err
	}
	marker := markerStart + key + " -->"
	body = document(strings.ReplaceAll(body, markerStart, "<!-- "), maxBody-len(marker)-1, "The case's page has the rest.")
	text := marker + "\n" + strings.TrimSpace(body)
	return c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		doing := fmt.Sprintf("commenting on %s#%d", repo, number)
		found, err := c.marked(ctx, t, number, marker)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			made, _, err := t.Issues.CreateComment(ctx, t.owner, t.name, number, &gh.IssueComment{Body: gh.String(text)})
			if err != nil {
				return explain(err, doing, needPulls)
			}
			c.wroteAs(made.GetUser().GetLogin())
			// Somebody else may have looked at the same time, found nothing too, and written.
			if found, err = c.marked(ctx, t, number, marker); err != nil {
				return err
			}
		}
		for i, one := range found {
			switch {
			case i > 0: // the newer ones go, whoever wrote them
				_, err := t.Issues.DeleteComment(ctx, t.owner, t.name, one.GetID())
				if err != nil && statusOf(err) != http.StatusNotFound {
					return explain(err, doing, needPulls)
				}
			case !same(one.GetBody(), text):
				_, _, err := t.Issues.EditComment(ctx, t.owner, t.name, one.GetID(), &gh.IssueComment{Body: gh.String(text)})
				if statusOf(err) == http.StatusNotFound {
					return errLookAgain
				}
				if err != nil {
					return explain(err, doing, needPulls)
				}
			}
		}
		return nil
	})
}

// marked are our own comments that begin with the marker, oldest first.
func (c *Client) marked(ctx context.Context, t *target, number int, marker string) ([]*gh.IssueComment, error) {
	if _, err := c.self(ctx); err != nil {
		return nil, err
	}
	var found []*gh.IssueComment
	var others []*gh.IssueComment
	seen := map[int64]bool{}
	options := &gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: 100}}
	for range maxPages {
		list, res, err := t.Issues.ListComments(ctx, t.owner, t.name, number, options)
		if err != nil {
			return nil, explain(err, fmt.Sprintf("reading the comments of %s#%d", t.full, number), "pull_requests: read")
		}
		for _, one := range list {
			switch {
			case !strings.HasPrefix(one.GetBody(), marker) || seen[one.GetID()]:
			case c.mine(one.GetUser().GetLogin()):
				found = append(found, one)
			default:
				others = append(others, one)
			}
			seen[one.GetID()] = true
		}
		if options.Page = following(res, &options.ListOptions, len(list)); options.Page == 0 {
			break
		}
	}
	if len(found) == 0 && len(others) > 0 {
		// A server may call the App otherwise than GitHub does. Whoever opened the tool's own pull request is the tool.
		p, _, err := t.PullRequests.Get(ctx, t.owner, t.name, number)
		if err != nil {
			return nil, explain(err, fmt.Sprintf("reading %s#%d", t.full, number), "pull_requests: read")
		}
		for _, one := range others {
			if checkBranch(p.GetHead().GetRef()) == nil && ownHead(p) && one.GetUser().GetLogin() == p.GetUser().GetLogin() {
				found = append(found, one)
			}
		}
	}
	for i := range found {
		for j := i; j > 0 && found[j].GetID() < found[j-1].GetID(); j-- {
			found[j], found[j-1] = found[j-1], found[j]
		}
	}
	return found, nil
}

// React implements [docket.Forge]. GitHub keeps one reaction of a kind per person, so repeating is harmless. A reaction
// is a courtesy: where only write access to issues, which the App does not ask for, would allow it, there is none.
func (c *Client) React(ctx context.Context, repo string, comment int64, content string) error {
	switch content {
	case "eyes", "+1", "confused":
	default:
		return fmt.Errorf("github: %q is not a reaction that is used here", cutRunes(oneLine(content), 40))
	}
	if err := c.allow(repo, remedy.Draft, "reacting to a comment"); err != nil {
		return err
	}
	return c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		_, _, err = t.Reactions.CreateIssueCommentReaction(ctx, t.owner, t.name, comment, content)
		if statusOf(err) == http.StatusForbidden {
			c.options.Log.Debug("no reaction to a comment", "repository", repo, "because", words(err))
			return nil
		}
		if statusOf(err) == http.StatusNotFound {
			return fmt.Errorf("%w: the comment is gone", docket.ErrNotFound)
		}
		return explain(err, "reacting to a comment in "+repo, needPulls)
	})
}
