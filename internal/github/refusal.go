package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	gh "github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

// looks bounds how often a step is looked at again before it is given up; the queue brings it back later.
const looks = 8

// errLookAgain is returned by a step that found the world changed under it.
var errLookAgain = errors.New("it changed meanwhile")

// settle runs a step that looks before it writes, and runs it again when a failure passes or
// somebody else was faster.
func (c *Client) settle(ctx context.Context, step func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		err := step(ctx)
		if err == nil {
			return nil
		}
		var p *passing
		delay := time.Duration(0)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &p):
			delay = max(p.after, c.backoff(attempt))
		case errors.Is(err, errLookAgain):
			p = &passing{what: "a step", why: err.Error()}
			delay = c.backoff(1)
		case attempt == 1 && c.stale(err):
			c.Forget()
			p = &passing{what: "the installation", why: "its token is not accepted"}
		default:
			return err
		}
		if attempt == looks || delay > c.options.MaxWait {
			return err
		}
		c.retrying(p)
		if err := c.options.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// refusal is an answer of GitHub that means no, with the next step for a person.
type refusal struct {
	text   string
	status int
}

func (e *refusal) Error() string { return docket.ErrForbidden.Error() + ": " + e.text }
func (e *refusal) Unwrap() error { return docket.ErrForbidden }

// stale says whether an error may come from an installation that is not the one remembered: it was
// removed and made anew, or its token was revoked.
func (c *Client) stale(err error) bool {
	if c.app == nil {
		return false
	}
	var token *ghinstallation.HTTPError
	var no *refusal
	return errors.As(err, &token) || errors.As(err, &no) && no.status == http.StatusUnauthorized
}

// statusOf is the HTTP status that GitHub refused with, 0 for other errors.
func statusOf(err error) int {
	var e *gh.ErrorResponse
	if errors.As(err, &e) && e.Response != nil {
		return e.Response.StatusCode
	}
	return 0
}

// says tells whether GitHub's words hold one of the phrases.
func says(err error, phrases ...string) bool {
	text := strings.ToLower(words(err))
	for _, p := range phrases {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

// words are what GitHub said about a refusal, on one bounded line.
func words(err error) string {
	var e *gh.ErrorResponse
	if !errors.As(err, &e) {
		return ""
	}
	text := e.Message
	for _, one := range e.Errors {
		more := one.Message
		if more == "" {
			more = strings.TrimSpace(one.Resource + " " + one.Field + " " + one.Code)
		}
		if more != "" {
			text += "; " + more
		}
	}
	return cutRunes(oneLine(text), 300)
}

// explain turns a failed call into an error that names the next step. permission is what the call
// needs, as GitHub names it ("contents: write").
func explain(err error, doing, permission string) error {
	if err == nil {
		return nil
	}
	var p *passing
	if errors.As(err, &p) {
		return p
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var token *ghinstallation.HTTPError
	if errors.As(err, &token) && token.Response != nil {
		return fmt.Errorf("github: %s: GitHub gives no token for the installation (%d): it was removed or suspended, or lacks a permission that is asked for: %w",
			doing, token.Response.StatusCode, err)
	}
	var e *gh.ErrorResponse
	if !errors.As(err, &e) || e.Response == nil {
		return fmt.Errorf("github: %s: %w", doing, err)
	}
	if accepted := e.Response.Header.Get("X-Accepted-GitHub-Permissions"); accepted != "" {
		permission = cutRunes(oneLine(strings.NewReplacer("=", ": ", ";", " or", ",", ", ").Replace(accepted)), 200)
	}
	said := words(err)
	refused := func(format string, args ...any) error {
		return &refusal{fmt.Sprintf("%s: %s (GitHub: %d %s)", doing, fmt.Sprintf(format, args...), e.Response.StatusCode, said), e.Response.StatusCode}
	}
	switch e.Response.StatusCode {
	case http.StatusUnauthorized:
		return refused("GitHub does not accept the credentials; check the App's id and key, or the token")
	case http.StatusForbidden:
		switch {
		case says(err, "archived"):
			return refused("the repository is archived and takes no changes; unarchive it or take it out of the configuration")
		case says(err, "locked"):
			return refused("the conversation is locked; unlock it, or go on at the case's page")
		case says(err, "disabled", "blocked"):
			return refused("the repository is disabled")
		case says(err, "protected branch", "rule violation", "protected ref"):
			return refused("a branch protection or ruleset covers the branch; exempt the App from it for %s*", branchPrefix)
		case says(err, "suspended"):
			return refused("the App's installation is suspended; its owner can resume it")
		}
		return refused("the permission %q is missing; grant it to the App and let the owner accept it", permission)
	case http.StatusNotFound:
		return refused("the repository is not visible or the permission %q is missing", permission)
	case http.StatusGone:
		return refused("issues are disabled in the repository, and with them what was asked for")
	case http.StatusUnavailableForLegalReasons:
		return refused("the repository is blocked")
	case http.StatusConflict:
		if says(err, "empty") {
			return fmt.Errorf("github: %s: the repository is empty; push a first commit", doing)
		}
	case http.StatusUnprocessableEntity:
		if says(err, "protected branch", "rule violation", "protected ref") {
			return refused("a branch protection or ruleset covers the branch; exempt the App from it for %s*", branchPrefix)
		}
	}
	return fmt.Errorf("github: %s: GitHub answers %d %s", doing, e.Response.StatusCode, said)
}

// grades orders autonomy.
var grades = map[remedy.Autonomy]int{remedy.Branch: 1, remedy.Draft: 2, remedy.Ready: 3}

// allow checks, where something is about to be written, that the repository's cap reaches that far.
func (c *Client) allow(repo string, need remedy.Autonomy, doing string) error {
	if limit := c.options.Autonomy(repo); grades[limit] < grades[need] {
		if limit == "" {
			limit = remedy.Report
		}
		return fmt.Errorf("%w: %s needs autonomy %q, %s is capped at %q", docket.ErrForbidden, doing, need, repo, limit)
	}
	return nil
}
