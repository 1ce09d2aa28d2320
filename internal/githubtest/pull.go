package githubtest

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// pull is a pull request.
type pull struct {
	repo              *Repository
	id                int64
	number            int
	title, body       string
	state             string // "open", "closed"
	draft             bool
	headRef, headSHA  string
	baseRef, baseSHA  string
	user              *account
	labels            []string
	reviewers         []*account
	teams             []string
	made, changed     time.Time
	closed, merged    time.Time
	mergedBy          *account
	mergeSHA          string
	reviews           []object
	maintainersModify bool
}

func pullRoutes() []route {
	const at = "/repos/{owner}/{repo}/pulls"
	return []route{
		{"GET", at, "pull_requests:read", listPulls},
		{"POST", at, "pull_requests:write", createPull},
		{"GET", at + "/{pull_number}", "pull_requests:read", getPull},
		{"PATCH", at + "/{pull_number}", "pull_requests:write", updatePull},
		{"GET", at + "/{pull_number}/commits", "pull_requests:read", pullCommits},
		{"GET", at + "/{pull_number}/files", "pull_requests:read", pullFiles},
		{"GET", at + "/{pull_number}/merge", "pull_requests:read", isMerged},
		{"PUT", at + "/{pull_number}/merge", "contents:write", mergePull},
		{"GET", at + "/{pull_number}/reviews", "pull_requests:read", listReviews},
		{"GET", at + "/{pull_number}/requested_reviewers", "pull_requests:read", listRequested},
		{"POST", at + "/{pull_number}/requested_reviewers", "pull_requests:write", requestReviewers},
		{"DELETE", at + "/{pull_number}/requested_reviewers", "pull_requests:write", removeReviewers},
		{"GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls", "pull_requests:read", pullsOfCommit},
	}
}

func (p *pull) url() string  { return fmt.Sprintf("%s/pulls/%d", p.repo.url(), p.number) }
func (p *pull) html() string { return fmt.Sprintf("%s/pull/%d", p.repo.html(), p.number) }
func (p *pull) issue() string {
	return fmt.Sprintf("%s/issues/%d", p.repo.url(), p.number)
}

func (p *pull) side(ref, sha string) object {
	return object{
		"label": p.repo.owner.login + ":" + ref, "ref": ref, "sha": sha, "user": p.repo.s.accountJSON(p.repo.owner), "repo": p.repo.json(),
	}
}

// association is how somebody stands to the repository.
func (r *Repository) association(a *account) string {
	switch {
	case a == r.owner:
		return "OWNER"
	case a != nil && r.roles[strings.ToLower(a.login)] != "":
		return "COLLABORATOR"
	case a != nil && a.kind == "Bot":
		return "NONE"
	}
	return "NONE"
}

// json is the form in lists.
func (p *pull) json() object {
	s := p.repo.s
	labels, reviewers, teams := []any{}, []any{}, []any{}
	for _, l := range p.labels {
		labels = append(labels, p.repo.label(l).json(p.repo))
	}
	for _, a := range p.reviewers {
		reviewers = append(reviewers, s.accountJSON(a))
	}
	for _, t := range p.teams {
		teams = append(teams, s.teamJSON(p.repo.owner, t))
	}
	link := func(u string) object { return object{"href": u} }
	u := p.url()
	return object{
		"url": u, "id": p.id, "node_id": nodeID("PR", p.id), "html_url": p.html(), "diff_url": p.html() + ".diff", "patch_url": p.html() + ".patch",
		"issue_url": p.issue(), "commits_url": u + "/commits", "review_comments_url": u + "/comments",
		"review_comment_url": p.repo.url() + "/pulls/comments{/number}", "comments_url": p.issue() + "/comments",
		"statuses_url": p.repo.url() + "/statuses/" + p.headSHA, "number": p.number, "state": p.state, "locked": false, "title": p.title,
		"user": s.accountJSON(p.user), "body": nullable(p.body), "labels": labels, "milestone": nil, "active_lock_reason": nil,
		"created_at": stamp(p.made), "updated_at": stamp(p.changed), "closed_at": stamp(p.closed), "merged_at": stamp(p.merged),
		"merge_commit_sha": nullable(p.mergeSHA), "assignee": nil, "assignees": []any{}, "requested_reviewers": reviewers,
		"requested_teams": teams, "head": p.side(p.headRef, p.headSHA), "base": p.side(p.baseRef, p.baseSHA),
		"_links": object{
			"self": link(u), "html": link(p.html()), "issue": link(p.issue()), "comments": link(p.issue() + "/comments"),
			"review_comments": link(u + "/comments"), "review_comment": link(p.repo.url() + "/pulls/comments{/number}"),
			"commits": link(u + "/commits"), "statuses": link(p.repo.url() + "/statuses/" + p.headSHA),
		},
		"author_association": p.repo.association(p.user), "auto_merge": nil, "draft": p.draft,
	}
}

// fullJSON is the form of a single pull request.
func (p *pull) fullJSON() object {
	o := p.json()
	g := p.repo.git
	files, added, deleted := []any{}, 0, 0
	if fork := g.line("merge-base", p.baseSHA, p.headSHA); fork != "" {
		files, added, deleted = p.repo.changed(fork, p.headSHA)
	}
	var commits int
	fmt.Sscan(g.line("rev-list", "--count", p.baseSHA+".."+p.headSHA), &commits)
	comments := 0
	for _, c := range p.repo.comments {
		if c.number == p.number {
			comments++
		}
	}
	mergeable, state := any(nil), "unknown"
	if p.state == "open" {
		_, clean := g.mergeTree(p.baseSHA, p.headSHA)
		mergeable, state = clean, "dirty"
		switch {
		case clean && p.draft:
			state = "draft"
		case clean:
			state = "clean"
		}
	}
	maps.Copy(o, object{
		"merged": !p.merged.IsZero(), "mergeable": mergeable, "rebaseable": mergeable, "mergeable_state": state,
		"merged_by": p.repo.s.accountJSON(p.mergedBy), "comments": comments, "review_comments": 0, "maintainer_can_modify": p.maintainersModify,
		"commits": commits, "additions": added, "deletions": deleted, "changed_files": len(files),
	})
	return o
}

func (r *Repository) sortedPulls() []*pull {
	var all []*pull
	for _, p := range r.pulls {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *pull) int { return b.number - a.number })
	return all
}

func listPulls(c *call) answer {
	state := c.query("state")
	if state == "" {
		state = "open"
	}
	all := []any{}
	for _, p := range c.repo.sortedPulls() {
		head := c.query("head")
		if state != "all" && p.state != state || c.query("base") != "" && c.query("base") != p.baseRef {
			continue
		}
		// GitHub ignores a head that is not of the form owner:branch.
		if strings.Contains(head, ":") && !strings.EqualFold(head, p.repo.owner.login+":"+p.headRef) {
			continue
		}
		all = append(all, p.json())
	}
	if c.query("direction") == "asc" {
		slices.Reverse(all)
	}
	return c.page(all, nil)
}

const (
	maxTitle = 256
	maxBody  = 65536
)

func createPull(c *call) answer {
	r := c.repo
	base, title, body := c.text("base"), c.text("title"), c.text("body")
	head := c.text("head")
	if owner, branch, cross := strings.Cut(head, ":"); cross {
		if !strings.EqualFold(owner, r.owner.login) {
			return invalid(fieldError{"PullRequest", "head", "invalid", ""})
		}
		head = branch
	}
	headSHA, baseSHA := c.ref("refs/heads/"+head), c.ref("refs/heads/"+base)
	switch {
	case title == "":
		return invalid(fieldError{"PullRequest", "title", "missing_field", ""})
	case len([]rune(title)) > maxTitle:
		return invalid(fieldError{"PullRequest", "title", "custom", fmt.Sprintf("title is too long (maximum is %d characters)", maxTitle)})
	case len([]rune(body)) > maxBody:
		return invalid(fieldError{"PullRequest", "body", "custom", fmt.Sprintf("body is too long (maximum is %d characters)", maxBody)})
	case headSHA == "":
		return invalid(fieldError{"PullRequest", "head", "invalid", ""})
	case baseSHA == "":
		return invalid(fieldError{"PullRequest", "base", "invalid", ""})
	}
	for _, p := range r.pulls {
		if p.state == "open" && p.headRef == head && p.baseRef == base {
			return invalid(fieldError{"PullRequest", "", "custom", fmt.Sprintf("A pull request already exists for %s:%s.", r.owner.login, head)})
		}
	}
	if r.git.line("rev-list", "--count", baseSHA+".."+headSHA) == "0" {
		return invalid(fieldError{"PullRequest", "", "custom", fmt.Sprintf("No commits between %s and %s", base, head)})
	}
	r.numbers++
	p := &pull{
		repo: r, id: c.s.id(), number: r.numbers, title: title, body: body, state: "open", draft: c.flag("draft"), headRef: head, headSHA: headSHA,
		baseRef: base, baseSHA: baseSHA, user: c.actor.account, made: c.s.now(), changed: c.s.now(), maintainersModify: c.flag("maintainer_can_modify"),
	}
	r.pulls[p.number] = p
	p.follow()
	p.emit("opened", c.actor.account, nil)
	return created(p.fullJSON())
}

// follow keeps the refs that GitHub makes of a pull request.
func (p *pull) follow() {
	_, _ = p.repo.git.run(nil, "update-ref", fmt.Sprintf("refs/pull/%d/head", p.number), p.headSHA)
}

func (p *pull) emit(action string, by *account, more object) {
	o := object{"action": action, "number": p.number, "pull_request": p.fullJSON()}
	for k, v := range more {
		o[k] = v
	}
	p.repo.emit("pull_request", action, o, by)
}

func (c *call) pull() *pull { return c.repo.pulls[int(c.argID("pull_number"))] }

func getPull(c *call) answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	if strings.HasSuffix(c.r.Header.Get("Accept"), "diff") {
		text, _ := p.repo.git.run(nil, "diff", p.baseSHA+"..."+p.headSHA)
		return answer{status: http.StatusOK, raw: []byte(text), media: "application/vnd.github.diff"}
	}
	return ok(p.fullJSON())
}

func updatePull(c *call) answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	if len([]rune(c.text("body"))) > maxBody || len([]rune(c.text("title"))) > maxTitle {
		return invalid(fieldError{"PullRequest", "body", "custom", fmt.Sprintf("body is too long (maximum is %d characters)", maxBody)})
	}
	changes := object{}
	if v, there := c.body["title"].(string); there && v != p.title {
		changes["title"], p.title = object{"from": p.title}, v
	}
	if v, there := c.body["body"].(string); there && v != p.body {
		changes["body"], p.body = object{"from": p.body}, v
	}
	if v, there := c.body["base"].(string); there && v != p.baseRef {
		sha := p.repo.git.line("rev-parse", "--verify", "--quiet", "refs/heads/"+v)
		if sha == "" {
			return invalid(fieldError{"PullRequest", "base", "invalid", ""})
		}
		changes["base"] = object{"ref": object{"from": p.baseRef}, "sha": object{"from": p.baseSHA}}
		p.baseRef, p.baseSHA = v, sha
	}
	p.changed = c.s.now()
	if len(changes) > 0 {
		p.emit("edited", c.actor.account, object{"changes": changes})
	}
	switch state := c.text("state"); {
	case state == "closed" && p.state == "open":
		p.close(c.actor.account)
	case state == "open" && p.state == "closed":
		if !p.merged.IsZero() || p.repo.git.line("rev-parse", "--verify", "--quiet", "refs/heads/"+p.headRef) == "" {
			return invalid(fieldError{"PullRequest", "state", "invalid", "state cannot be changed. The branch may have been deleted."})
		}
		p.reopen(c.actor.account)
	}
	return ok(p.fullJSON())
}

func (p *pull) close(by *account) {
	p.state, p.closed, p.changed = "closed", p.repo.s.now(), p.repo.s.now()
	p.emit("closed", by, nil)
}

func (p *pull) reopen(by *account) {
	p.state, p.closed, p.changed = "open", time.Time{}, p.repo.s.now()
	p.emit("reopened", by, nil)
}

func pullCommits(c *call) answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	return c.page(p.repo.commitList("rev-list", "--reverse", p.baseSHA+".."+p.headSHA), nil)
}

func pullFiles(c *call) answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	files, _, _ := p.repo.changed(p.repo.git.line("merge-base", p.baseSHA, p.headSHA), p.headSHA)
	return c.page(files, nil)
}

func pullsOfCommit(c *call) answer {
	all := []any{}
	for _, p := range c.repo.sortedPulls() {
		sha := c.args["commit_sha"]
		if p.mergeSHA == sha || isHash(sha) && c.repo.git.ancestor(sha, p.headSHA) && !c.repo.git.ancestor(sha, p.baseSHA) {
			all = append(all, p.json())
		}
	}
	return c.page(all, nil)
}

func isMerged(c *call) answer {
	if p := c.pull(); p == nil || p.merged.IsZero() {
		return answer{status: http.StatusNotFound}
	}
	return noContent()
}

func mergePull(c *call) answer {
	p := c.pull()
	switch {
	case p == nil:
		return notFound()
	case p.state != "open" || p.draft:
		return failure(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	case c.text("sha") != "" && c.text("sha") != p.headSHA:
		return failure(http.StatusConflict, "Head branch was modified. Review and try the merge again.")
	}
	sha, err := p.merge(c.actor)
	if err != nil {
		return failure(http.StatusMethodNotAllowed, "Pull Request is not mergeable")
	}
	return ok(object{"sha": sha, "merged": true, "message": "Pull Request successfully merged"})
}

// merge makes the merge commit on the base branch.
func (p *pull) merge(by *actor) (string, error) {
	g := p.repo.git
	base := g.line("rev-parse", "refs/heads/"+p.baseRef)
	tree, clean := g.mergeTree(base, p.headSHA)
	if !clean {
		return "", fmt.Errorf("pull request %d conflicts with %s", p.number, p.baseRef)
	}
	me := person{by.name(), by.email(), p.repo.s.now()}
	sha, err := g.writeCommit(commit{
		tree: tree, parents: []string{base, p.headSHA}, author: me, committer: person{"GitHub", "noreply@github.com", me.when},
		message: fmt.Sprintf("Merge pull request #%d from %s/%s\n\n%s", p.number, p.repo.owner.login, p.headRef, p.title),
	})
	if err != nil {
		return "", err
	}
	p.state, p.mergedBy, p.mergeSHA = "closed", by.account, sha
	p.closed, p.merged, p.changed = me.when, me.when, me.when
	if err := p.repo.setRef("refs/heads/"+p.baseRef, base, sha, by.account); err != nil {
		return "", err
	}
	p.emit("closed", by.account, nil)
	return sha, nil
}

func listReviews(c *call) answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	all := []any{}
	for _, r := range p.reviews {
		all = append(all, r)
	}
	return c.page(all, nil)
}

func (p *pull) requested() object {
	o := p.json()
	return object{"users": o["requested_reviewers"], "teams": o["requested_teams"]}
}

func listRequested(c *call) answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	return ok(p.requested())
}

func requestReviewers(c *call) answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	var users []*account
	for _, login := range c.texts("reviewers") {
		a := c.s.accounts[strings.ToLower(login)]
		if a != nil && a == p.user {
			return unprocessable("Review cannot be requested from pull request author.")
		}
		if a == nil || c.repo.roles[strings.ToLower(login)] == "" {
			return unprocessable("Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the %s repository.", c.repo.FullName())
		}
		users = append(users, a)
	}
	teams := c.texts("team_reviewers")
	for _, t := range teams {
		if !slices.Contains(c.repo.owner.teams, t) {
			return unprocessable("Could not resolve to a node with the global id of '%s'.", t)
		}
	}
	if len(users)+len(teams) == 0 {
		return unprocessable("At least one reviewer or team must be given")
	}
	for _, a := range users {
		if !slices.Contains(p.reviewers, a) {
			p.reviewers = append(p.reviewers, a)
			p.emit("review_requested", c.actor.account, object{"requested_reviewer": c.s.accountJSON(a)})
		}
	}
	for _, t := range teams {
		if !slices.Contains(p.teams, t) {
			p.teams = append(p.teams, t)
			p.emit("review_requested", c.actor.account, object{"requested_team": c.s.teamJSON(c.repo.owner, t)})
		}
	}
	return created(p.json())
}

func removeReviewers(c *call) answer {
	p := c.pull()
	if p == nil {
		return notFound()
	}
	gone := c.texts("reviewers")
	p.reviewers = slices.DeleteFunc(p.reviewers, func(a *account) bool { return slices.Contains(gone, a.login) })
	p.teams = slices.DeleteFunc(p.teams, func(t string) bool { return slices.Contains(c.texts("team_reviewers"), t) })
	return ok(p.json())
}

// moved lets everything follow a ref that was made, moved or removed.
func (r *Repository) moved(name, before, after string, by *account) {
	r.before[name] = before
	branch, isBranch := strings.CutPrefix(name, "refs/heads/")
	if !isBranch && !strings.HasPrefix(name, "refs/tags/") {
		return
	}
	r.emitPush(name, before, after, by)
	if !isBranch {
		return
	}
	if after != "" {
		r.suiteFor(after, branch, by)
	}
	for _, p := range r.sortedPulls() {
		if p.state != "open" {
			continue
		}
		if p.headRef == branch && after == "" {
			p.close(by)
			continue
		}
		if p.headRef == branch {
			p.headSHA, p.changed = after, r.s.now()
			p.follow()
			p.emit("synchronize", by, object{"before": before, "after": after})
		}
		if p.baseRef == branch && after != "" {
			p.baseSHA = after
			if r.git.ancestor(p.headSHA, after) { // merged by a push
				p.state, p.closed, p.merged, p.mergedBy, p.mergeSHA = "closed", r.s.now(), r.s.now(), by, after
				p.emit("closed", by, nil)
			}
		}
	}
}
