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
		case statusOf(err) == http.StatusForbidden, statusOf(err) == http.StatusNotFound:
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

// wroteAs remembers under which login something was written, which a server may choose otherwise than GitHub does.
func (c *Client) wroteAs(login string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if login != "" && login != c.login {
		c.wrote[strings.ToLower(login)] = true
	}
}

// mine says whether a login is the App's or the token's.
func (c *Client) mine(login string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return login != "" && (strings.EqualFold(login, c.login) || c.wrote[strings.ToLower(login)])
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
		// The legacy levels: maintain counts as write here, triage as read. Some servers name maintain itself.
		p, who := level.GetPermission(), level.User
		may = (p == "admin" || p == "write" || p == "maintain") && who.GetType() != "Bot" && (who == nil || strings.EqualFold(who.GetLogin(), login))
		return nil
	})
	return may && err == nil, err
}
