package github

import (
	"context"
	"net/http"
	"strings"
)

// actionsLogin is whom a workflow's own token belongs to. It is the one kind of token that may not
// ask who it is.
const actionsLogin = "github-actions[bot]"

// self is the login under which the App or token writes.
func (c *Client) self(ctx context.Context) (string, error) {
	c.mu.Lock()
	login := c.login
	c.mu.Unlock()
	if login != "" {
		return login, nil
	}
	if c.app != nil {
		app, _, err := c.app.Apps.Get(ctx, "")
		if err != nil {
			return "", explain(err, "asking who the App is", "")
		}
		login = app.GetSlug() + "[bot]"
	} else {
		user, _, err := c.clients[0].Users.Get(ctx, "")
		switch {
		case statusOf(err) == http.StatusForbidden:
			login = actionsLogin
		case err != nil:
			return "", explain(err, "asking whom the token belongs to", "")
		default:
			login = user.GetLogin()
		}
	}
	c.mu.Lock()
	c.login = login
	c.mu.Unlock()
	return login, nil
}

// MayWrite implements [docket.Forge]. A bot never may, whatever its permission.
func (c *Client) MayWrite(ctx context.Context, repo, login string) (bool, error) {
	if !loginName.MatchString(login) {
		return false, nil
	}
	may := false
	err := c.settle(ctx, func(ctx context.Context) error {
		t, err := c.target(ctx, repo)
		if err != nil {
			return err
		}
		level, _, err := t.Repositories.GetPermissionLevel(ctx, t.owner, t.name, login)
		if statusOf(err) == http.StatusNotFound {
			may = false // nobody of that name
			return nil
		}
		if err != nil {
			return explain(err, "asking what "+login+" may do in "+repo, "metadata: read")
		}
		// The legacy levels: maintain counts as write here, triage as read.
		p := level.GetPermission()
		may = (p == "admin" || p == "write") && level.GetUser().GetType() != "Bot" && strings.EqualFold(level.GetUser().GetLogin(), login)
		return nil
	})
	return may && err == nil, err
}
