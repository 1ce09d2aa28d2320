package githubtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// comment is a comment in a pull request's conversation.
type comment struct {
	id            int64
	number        int // of the pull request
	body          string
	user          *account
	byApp         bool
	made, changed time.Time
	reactions     []reaction
}

type reaction struct {
	id      int64
	user    *account
	content string
	made    time.Time
}

type label struct {
	id          int64
	name, color string
	description string
}

func commentRoutes() []route {
	const at = "/repos/{owner}/{repo}"
	const need = "issues:write|pull_requests:write"
	const look = "issues:read|pull_requests:read"
	return []route{
		{"GET", at + "/issues/{issue_number}", look, getIssue},
		{"GET", at + "/issues/{issue_number}/comments", look, listComments},
		{"POST", at + "/issues/{issue_number}/comments", need, createComment},
		{"GET", at + "/issues/comments/{comment_id}", look, getComment},
		{"PATCH", at + "/issues/comments/{comment_id}", need, updateComment},
		{"DELETE", at + "/issues/comments/{comment_id}", need, deleteComment},
		{"GET", at + "/issues/comments/{comment_id}/reactions", look, listReactions},
		{"POST", at + "/issues/comments/{comment_id}/reactions", need, createReaction},
		{"DELETE", at + "/issues/comments/{comment_id}/reactions/{reaction_id}", need, deleteReaction},
		{"GET", at + "/issues/{issue_number}/labels", look, listLabels},
		{"POST", at + "/issues/{issue_number}/labels", need, addLabels},
		{"PUT", at + "/issues/{issue_number}/labels", need, setLabels},
		{"DELETE", at + "/issues/{issue_number}/labels/{name}", need, removeLabel},
		{"GET", at + "/labels", look, listRepositoryLabels},
		{"POST", at + "/labels", need, createLabel},
		{"GET", at + "/labels/{name}", look, getLabel},
	}
}

func (r *Repository) commentJSON(m *comment) object {
	u := fmt.Sprintf("%s/issues/comments/%d", r.url(), m.id)
	app := any(nil)
	if m.byApp {
		app = r.s.appJSON()
	}
	return object{
		"id": m.id, "node_id": nodeID("IC", m.id), "url": u, "html_url": fmt.Sprintf("%s/pull/%d#issuecomment-%d", r.html(), m.number, m.id),
		"body": m.body, "user": r.s.accountJSON(m.user), "created_at": stamp(m.made), "updated_at": stamp(m.changed),
		"issue_url": fmt.Sprintf("%s/issues/%d", r.url(), m.number), "author_association": r.association(m.user),
		"performed_via_github_app": app, "reactions": rollup(u, m.reactions),
	}
}

// rollup counts reactions by kind.
func rollup(url string, all []reaction) object {
	o := object{"url": url + "/reactions", "total_count": len(all)}
	for _, kind := range reactionKinds {
		n := 0
		for _, x := range all {
			if x.content == kind {
				n++
			}
		}
		o[kind] = n
	}
	return o
}

// issueJSON is a pull request seen as the issue that it also is.
func (p *pull) issueJSON() object {
	o := p.json()
	n := 0
	for _, m := range p.repo.comments {
		if m.number == p.number {
			n++
		}
	}
	return object{
		"url": p.issue(), "repository_url": p.repo.url(), "labels_url": p.issue() + "/labels{/name}", "comments_url": p.issue() + "/comments",
		"events_url": p.issue() + "/events", "html_url": p.html(), "id": p.id + 1<<20, "node_id": nodeID("I", p.id), "number": p.number,
		"title": p.title, "user": o["user"], "labels": o["labels"], "state": p.state, "locked": false, "assignee": nil, "assignees": []any{},
		"milestone": nil, "comments": n, "created_at": o["created_at"], "updated_at": o["updated_at"], "closed_at": o["closed_at"],
		"author_association": o["author_association"], "active_lock_reason": nil, "body": nullable(p.body), "draft": p.draft,
		"pull_request": object{"url": p.url(), "html_url": p.html(), "diff_url": p.html() + ".diff", "patch_url": p.html() + ".patch", "merged_at": o["merged_at"]},
		"timeline_url": p.issue() + "/timeline", "performed_via_github_app": nil, "state_reason": nil, "reactions": rollup(p.issue(), nil),
	}
}

func (c *call) issue() *pull { return c.repo.pulls[int(c.argID("issue_number"))] }

func getIssue(c *call) answer {
	p := c.issue()
	if p == nil {
		return notFound()
	}
	o := p.issueJSON()
	o["closed_by"] = c.s.accountJSON(p.mergedBy)
	return ok(o)
}

func (r *Repository) commentsOf(number int) []*comment {
	var all []*comment
	for _, m := range r.comments {
		if m.number == number {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *comment) int { return int(a.id - b.id) })
	return all
}

func listComments(c *call) answer {
	p := c.issue()
	if p == nil {
		return notFound()
	}
	all := []any{}
	for _, m := range c.repo.commentsOf(p.number) {
		if since, err := time.Parse(time.RFC3339, c.query("since")); err == nil && m.changed.Before(since) {
			continue
		}
		all = append(all, c.repo.commentJSON(m))
	}
	return c.page(all, nil)
}

func createComment(c *call) answer {
	p := c.issue()
	if p == nil {
		return notFound()
	}
	if bad := checkComment(c.text("body")); bad != nil {
		return *bad
	}
	m := c.repo.comment(p, c.actor, c.text("body"))
	return created(c.repo.commentJSON(m))
}

func checkComment(body string) *answer {
	var a answer
	switch {
	case strings.TrimSpace(body) == "":
		a = invalid(fieldError{"IssueComment", "data", "unprocessable", "Body cannot be blank"})
	case len([]rune(body)) > maxBody:
		a = invalid(fieldError{"IssueComment", "body", "unprocessable", fmt.Sprintf("Body is too long (maximum is %d characters)", maxBody)})
	default:
		return nil
	}
	return &a
}

func (r *Repository) comment(p *pull, by *actor, body string) *comment {
	m := &comment{id: r.s.id(), number: p.number, body: body, user: by.account, byApp: by.install != nil, made: r.s.now(), changed: r.s.now()}
	r.comments[m.id] = m
	r.emitComment("created", p, m, by.account, nil)
	return m
}

func (r *Repository) emitComment(action string, p *pull, m *comment, by *account, more object) {
	o := object{"action": action, "issue": p.issueJSON(), "comment": r.commentJSON(m)}
	for k, v := range more {
		o[k] = v
	}
	r.emit("issue_comment", action, o, by)
}

func (c *call) comment() *comment { return c.repo.comments[c.argID("comment_id")] }

func getComment(c *call) answer {
	m := c.comment()
	if m == nil {
		return notFound()
	}
	return ok(c.repo.commentJSON(m))
}

func updateComment(c *call) answer {
	m := c.comment()
	if m == nil {
		return notFound()
	}
	if bad := checkComment(c.text("body")); bad != nil {
		return *bad
	}
	if c.actor.install == nil && m.user != c.actor.account && !atLeast(c.repo.role(c.actor.account), "write") {
		return failure(403, "Must have admin rights to Repository.")
	}
	c.repo.edit(m, c.text("body"), c.actor.account)
	return ok(c.repo.commentJSON(m))
}

func (r *Repository) edit(m *comment, body string, by *account) {
	old := m.body
	m.body, m.changed = body, r.s.now()
	r.emitComment("edited", r.pulls[m.number], m, by, object{"changes": object{"body": object{"from": old}}})
}

func deleteComment(c *call) answer {
	m := c.comment()
	if m == nil {
		return notFound()
	}
	delete(c.repo.comments, m.id)
	c.repo.emitComment("deleted", c.repo.pulls[m.number], m, c.actor.account, nil)
	return noContent()
}

var reactionKinds = []string{"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}

func (r *Repository) reactionJSON(x reaction) object {
	return object{"id": x.id, "node_id": nodeID("REA", x.id), "user": r.s.accountJSON(x.user), "content": x.content, "created_at": stamp(x.made)}
}

func listReactions(c *call) answer {
	m := c.comment()
	if m == nil {
		return notFound()
	}
	all := []any{}
	for _, x := range m.reactions {
		if want := c.query("content"); want == "" || want == x.content {
			all = append(all, c.repo.reactionJSON(x))
		}
	}
	return c.page(all, nil)
}

func createReaction(c *call) answer {
	m := c.comment()
	if m == nil {
		return notFound()
	}
	content := c.text("content")
	if !slices.Contains(reactionKinds, content) {
		return invalid(fieldError{"Reaction", "content", "invalid", ""})
	}
	for _, x := range m.reactions {
		if x.user == c.actor.account && x.content == content {
			return ok(c.repo.reactionJSON(x))
		}
	}
	x := reaction{c.s.id(), c.actor.account, content, c.s.now()}
	m.reactions = append(m.reactions, x)
	return created(c.repo.reactionJSON(x))
}

func deleteReaction(c *call) answer {
	m := c.comment()
	if m == nil {
		return notFound()
	}
	before := len(m.reactions)
	m.reactions = slices.DeleteFunc(m.reactions, func(x reaction) bool { return x.id == c.argID("reaction_id") })
	if len(m.reactions) == before {
		return notFound()
	}
	return noContent()
}

// label finds a label or makes it, as naming a new one on an issue does.
func (r *Repository) label(name string) *label {
	key := strings.ToLower(name)
	if r.labels[key] == nil {
		r.labels[key] = &label{id: r.s.id(), name: name, color: "ededed"}
	}
	return r.labels[key]
}

func (l *label) json(r *Repository) object {
	return object{
		"id": l.id, "node_id": nodeID("LA", l.id), "url": r.url() + "/labels/" + strings.ReplaceAll(l.name, " ", "%20"), "name": l.name,
		"description": nullable(l.description), "color": l.color, "default": false,
	}
}

func (p *pull) labelsJSON() []any { return p.json()["labels"].([]any) }

func listLabels(c *call) answer {
	p := c.issue()
	if p == nil {
		return notFound()
	}
	return c.page(p.labelsJSON(), nil)
}

// names reads the labels of a body: a list, or an object that holds one, of names or of objects with a name.
func (c *call) labelNames() []string {
	list, _ := c.body["labels"].([]any)
	if bare, isBare := c.body[""].([]any); isBare {
		list = bare
	}
	var names []string
	for _, v := range list {
		switch v := v.(type) {
		case string:
			names = append(names, v)
		case object:
			if n, _ := v["name"].(string); n != "" {
				names = append(names, n)
			}
		}
	}
	return names
}

func addLabels(c *call) answer { return c.changeLabels(false) }
func setLabels(c *call) answer { return c.changeLabels(true) }

func (c *call) changeLabels(replace bool) answer {
	p := c.issue()
	if p == nil {
		return notFound()
	}
	names := c.labelNames()
	for _, n := range names {
		if n == "" || len([]rune(n)) > 50 {
			return invalid(fieldError{"Label", "name", "invalid", ""})
		}
	}
	if c.actor.install == nil && !atLeast(c.repo.role(c.actor.account), "triage") {
		return notFound()
	}
	if replace {
		p.labels = nil
	}
	for _, n := range names {
		l := c.repo.label(n)
		if !slices.Contains(p.labels, l.name) {
			p.labels = append(p.labels, l.name)
			p.emit("labeled", c.actor.account, object{"label": l.json(c.repo)})
		}
	}
	p.changed = c.s.now()
	return ok(p.labelsJSON())
}

func removeLabel(c *call) answer {
	p := c.issue()
	if p == nil || !slices.Contains(p.labels, c.args["name"]) {
		return failure(404, "Label does not exist")
	}
	p.labels = slices.DeleteFunc(p.labels, func(n string) bool { return n == c.args["name"] })
	p.emit("unlabeled", c.actor.account, object{"label": c.repo.label(c.args["name"]).json(c.repo)})
	return ok(p.labelsJSON())
}

func listRepositoryLabels(c *call) answer {
	all := []any{}
	for _, l := range c.repo.labels {
		all = append(all, l.json(c.repo))
	}
	slices.SortFunc(all, func(a, b any) int { return strings.Compare(a.(object)["name"].(string), b.(object)["name"].(string)) })
	return c.page(all, nil)
}

func createLabel(c *call) answer {
	name := c.text("name")
	if c.repo.labels[strings.ToLower(name)] != nil {
		return invalid(fieldError{"Label", "name", "already_exists", ""})
	}
	if name == "" || len([]rune(name)) > 50 {
		return invalid(fieldError{"Label", "name", "invalid", ""})
	}
	l := c.repo.label(name)
	if color := c.text("color"); color != "" {
		l.color = strings.TrimPrefix(color, "#")
	}
	l.description = c.text("description")
	return created(l.json(c.repo))
}

func getLabel(c *call) answer {
	l := c.repo.labels[strings.ToLower(c.args["name"])]
	if l == nil {
		return notFound()
	}
	return ok(l.json(c.repo))
}
