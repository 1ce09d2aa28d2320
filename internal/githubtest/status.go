package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// status is a commit status.
type status struct {
	id                  int64
	sha, state, context string
	description, target string
	by                  *account
	made                time.Time
}

func statusRoutes() []route {
	const at = "/repos/{owner}/{repo}"
	return []route{
		{"POST", at + "/statuses/{sha}", "statuses:write", createStatus},
		{"GET", at + "/commits/{ref}/statuses", "statuses:read", listStatuses},
		{"GET", at + "/commits/{ref}/status", "statuses:read", combinedStatus},
	}
}

func (r *Repository) statusJSON(x *status) object {
	return object{
		"url": r.url() + "/statuses/" + x.sha, "avatar_url": r.s.base + "/avatars/" + fmt.Sprint(x.by.id), "id": x.id, "node_id": nodeID("SC", x.id),
		"state": x.state, "description": nullable(x.description), "target_url": nullable(x.target), "context": x.context,
		"created_at": stamp(x.made), "updated_at": stamp(x.made), "creator": r.s.accountJSON(x.by),
	}
}

func createStatus(c *call) answer {
	sha := c.args["sha"]
	if c.repo.git.kind(sha) != "commit" {
		return unprocessable("No commit found for SHA: %s", sha)
	}
	x := &status{
		id: c.s.id(), sha: sha, state: c.text("state"), context: c.text("context"), description: c.text("description"), target: c.text("target_url"),
		by: c.actor.account, made: c.s.now(),
	}
	if x.context == "" {
		x.context = "default"
	}
	switch {
	case !slices.Contains([]string{"error", "failure", "pending", "success"}, x.state):
		return invalid(fieldError{"Status", "state", "custom", "state is not included in the list"})
	case len([]rune(x.description)) > 140:
		return invalid(fieldError{"Status", "description", "custom", "description is too long (maximum is 140 characters)"})
	case x.target != "" && !strings.HasPrefix(x.target, "http://") && !strings.HasPrefix(x.target, "https://"):
		return invalid(fieldError{"Status", "target_url", "custom", "target_url must use http(s) scheme"})
	}
	c.repo.statuses = append(c.repo.statuses, x)
	o := c.repo.statusJSON(x)
	event := object{"id": x.id, "sha": sha, "name": c.repo.FullName(), "context": x.context, "state": x.state, "description": o["description"], "target_url": o["target_url"]}
	if one, err := c.repo.commitJSON(sha, false); err == nil {
		event["commit"] = one
	}
	c.repo.emit("status", "", event, c.actor.account)
	return created(o)
}

// statusesOf are the statuses of a commit, newest first.
func (r *Repository) statusesOf(sha string) []*status {
	var all []*status
	for _, x := range slices.Backward(r.statuses) {
		if x.sha == sha {
			all = append(all, x)
		}
	}
	return all
}

func listStatuses(c *call) answer {
	sha := c.repo.git.commitOf(c.args["ref"])
	if sha == "" {
		return notFound()
	}
	list := []any{}
	for _, x := range c.repo.statusesOf(sha) {
		list = append(list, c.repo.statusJSON(x))
	}
	return c.page(list, nil)
}

func combinedStatus(c *call) answer {
	sha := c.repo.git.commitOf(c.args["ref"])
	if sha == "" {
		return notFound()
	}
	state, list, seen := "success", []any{}, map[string]bool{}
	for _, x := range c.repo.statusesOf(sha) {
		if seen[x.context] {
			continue
		}
		seen[x.context] = true
		o := c.repo.statusJSON(x)
		delete(o, "creator")
		list = append(list, o)
		switch {
		case x.state == "failure" || x.state == "error":
			state = "failure"
		case x.state == "pending" && state == "success":
			state = "pending"
		}
	}
	if len(list) == 0 {
		state = "pending"
	}
	return c.page(list, func(cut []any) any {
		return object{
			"state": state, "statuses": cut, "sha": sha, "total_count": len(list), "repository": c.repo.json(),
			"commit_url": c.repo.url() + "/commits/" + sha, "url": c.repo.url() + "/commits/" + sha + "/status",
		}
	})
}
