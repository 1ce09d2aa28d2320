package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Repository is one repository with everything on it.
type Repository struct {
	s       *Server
	id      int64
	owner   *account
	name    string
	git     *store
	private bool
	made    time.Time
	roles   map[string]string // login in lower case -> read, triage, write, maintain, admin
	// outside says that the App is not installed here.
	outside bool

	numbers  int
	pulls    map[int]*pull
	labels   map[string]*label
	comments map[int64]*comment
	checks   map[int64]*checkRun
	suites   map[int64]*checkSuite
	statuses []*status
	// before are refs as they were before their last change, for stale reads.
	before map[string]string
}

// AddRepository makes owner/name from a directory: all branches of a clone, or one commit with the files of
// anything else. The owner is made as a user unless it is there already, and may do everything.
func (s *Server) AddRepository(fullName, source string) (*Repository, error) {
	owner, name, fits := strings.Cut(fullName, "/")
	if !fits || owner == "" || name == "" {
		return nil, fmt.Errorf("%q is no owner/name", fullName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.repos[strings.ToLower(fullName)] != nil {
		return nil, fmt.Errorf("%s is there already", fullName)
	}
	g, err := makeStore(filepath.Join(s.opt.Dir, owner, name+".git"), source)
	if err != nil {
		return nil, err
	}
	r := &Repository{
		s: s, id: s.id(), owner: s.account(owner, "User"), name: name, git: g, made: s.now(),
		roles: map[string]string{strings.ToLower(owner): "admin"}, pulls: map[int]*pull{}, labels: map[string]*label{},
		comments: map[int64]*comment{}, checks: map[int64]*checkRun{}, suites: map[int64]*checkSuite{}, before: map[string]string{},
	}
	s.repos[strings.ToLower(fullName)] = r
	s.installationOf(r.owner)
	return r, nil
}

// Repository finds a repository, nil if there is none.
func (s *Server) Repository(fullName string) *Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repos[strings.ToLower(fullName)]
}

// Collaborator gives a person a role: read, triage, write, maintain or admin.
func (r *Repository) Collaborator(login, role string) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.account(login, "User")
	r.roles[strings.ToLower(login)] = role
}

// Private hides the repository from everybody without a role.
func (r *Repository) Private() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.private = true
}

// Uninstall takes the repository away from the App.
func (r *Repository) Uninstall() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.outside = true
}

// Git runs git in the bare repository and returns its output.
func (r *Repository) Git(args ...string) (string, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	out, err := r.git.run(nil, args...)
	return strings.TrimSpace(out), err
}

// CloneURL is what `git clone` takes.
func (r *Repository) CloneURL() string { return r.html() + ".git" }

// FullName is owner/name.
func (r *Repository) FullName() string { return r.owner.login + "/" + r.name }

func (r *Repository) html() string { return r.s.base + "/" + r.FullName() }
func (r *Repository) url() string  { return r.s.api + "/repos/" + r.FullName() }

func (r *Repository) defaultBranch() string {
	return strings.TrimPrefix(r.git.line("symbolic-ref", "HEAD"), "refs/heads/")
}

// role of an account in the repository; everybody reads a public one.
func (r *Repository) role(a *account) string {
	if a != nil {
		if role := r.roles[strings.ToLower(a.login)]; role != "" {
			return role
		}
	}
	if r.private {
		return "none"
	}
	return "read"
}

var roleOrder = []string{"none", "read", "triage", "write", "maintain", "admin"}

func atLeast(role, want string) bool {
	return slices.Index(roleOrder, role) >= slices.Index(roleOrder, want)
}

func rolePermissions(role string) object {
	return object{
		"admin": atLeast(role, "admin"), "maintain": atLeast(role, "maintain"), "push": atLeast(role, "write"),
		"triage": atLeast(role, "triage"), "pull": atLeast(role, "read"),
	}
}

func (r *Repository) open() int {
	n := 0
	for _, p := range r.pulls {
		if p.state == "open" {
			n++
		}
	}
	return n
}

func (r *Repository) json() object {
	u, h := r.url(), r.html()
	visibility := "public"
	if r.private {
		visibility = "private"
	}
	return object{
		"id": r.id, "node_id": nodeID("R", r.id), "name": r.name, "full_name": r.FullName(), "private": r.private,
		"owner": r.s.accountJSON(r.owner), "html_url": h, "description": nil, "fork": false, "url": u,
		"archive_url": u + "/{archive_format}{/ref}", "assignees_url": u + "/assignees{/user}", "blobs_url": u + "/git/blobs{/sha}",
		"branches_url": u + "/branches{/branch}", "collaborators_url": u + "/collaborators{/collaborator}",
		"comments_url": u + "/comments{/number}", "commits_url": u + "/commits{/sha}", "compare_url": u + "/compare/{base}...{head}",
		"contents_url": u + "/contents/{+path}", "contributors_url": u + "/contributors", "deployments_url": u + "/deployments",
		"downloads_url": u + "/downloads", "events_url": u + "/events", "forks_url": u + "/forks",
		"git_commits_url": u + "/git/commits{/sha}", "git_refs_url": u + "/git/refs{/sha}", "git_tags_url": u + "/git/tags{/sha}",
		"git_url": strings.Replace(h, "http://", "git://", 1) + ".git", "issue_comment_url": u + "/issues/comments{/number}",
		"issue_events_url": u + "/issues/events{/number}", "issues_url": u + "/issues{/number}", "keys_url": u + "/keys{/key_id}",
		"labels_url": u + "/labels{/name}", "languages_url": u + "/languages", "merges_url": u + "/merges",
		"milestones_url": u + "/milestones{/number}", "notifications_url": u + "/notifications{?since,all,participating}",
		"pulls_url": u + "/pulls{/number}", "releases_url": u + "/releases{/id}", "ssh_url": "git@localhost:" + r.FullName() + ".git",
		"stargazers_url": u + "/stargazers", "statuses_url": u + "/statuses/{sha}", "subscribers_url": u + "/subscribers",
		"subscription_url": u + "/subscription", "tags_url": u + "/tags", "teams_url": u + "/teams", "trees_url": u + "/git/trees{/sha}",
		"clone_url": r.CloneURL(), "mirror_url": nil, "hooks_url": u + "/hooks", "svn_url": h, "homepage": nil, "language": nil,
		"forks_count": 0, "stargazers_count": 0, "watchers_count": 0, "size": 1, "default_branch": r.defaultBranch(),
		"open_issues_count": r.open(), "is_template": false, "topics": []any{}, "has_issues": true, "has_projects": true,
		"has_wiki": true, "has_pages": false, "has_downloads": true, "has_discussions": false, "archived": false, "disabled": false,
		"visibility": visibility, "pushed_at": stamp(r.made), "created_at": stamp(r.made), "updated_at": stamp(r.made),
		"allow_forking": true, "web_commit_signoff_required": false, "license": nil, "forks": 0, "open_issues": r.open(), "watchers": 0,
	}
}

func (r *Repository) fullJSON(role string) object {
	o := r.json()
	o["subscribers_count"], o["network_count"] = 0, 0
	o["permissions"] = rolePermissions(role)
	o["delete_branch_on_merge"], o["allow_merge_commit"] = false, true
	return o
}

func repositoryRoutes() []route {
	const at = "/repos/{owner}/{repo}"
	return []route{
		{"GET", at, "metadata:read", getRepository},
		{"GET", at + "/branches", "contents:read", listBranches},
		{"GET", at + "/branches/{branch}", "contents:read", getBranch},
		{"GET", at + "/commits", "contents:read", listCommits},
		{"GET", at + "/commits/{ref}", "contents:read", getCommit},
		{"GET", at + "/compare/{basehead}", "contents:read", compare},
		{"GET", at + "/contents/{path}", "contents:read", getContents},
		{"GET", at + "/collaborators", "metadata:read", listCollaborators},
		{"GET", at + "/collaborators/{username}", "metadata:read", isCollaborator},
		{"GET", at + "/collaborators/{username}/permission", "metadata:read", getPermission},
	}
}

func getRepository(c *call) answer {
	role := c.repo.role(c.actor.account)
	if c.actor.install != nil {
		role = "write"
	}
	return ok(c.repo.fullJSON(role))
}

// ref reads a ref, as it was before its last change when the call is to get a stale answer.
func (c *call) ref(name string) string {
	if c.stale {
		if old, known := c.repo.before[name]; known {
			return old
		}
	}
	return c.repo.git.line("rev-parse", "--verify", "--quiet", "--end-of-options", name)
}

func listBranches(c *call) answer {
	var all []any
	for _, name := range c.repo.branches() {
		sha := c.ref("refs/heads/" + name)
		all = append(all, object{"name": name, "commit": object{"sha": sha, "url": c.repo.url() + "/commits/" + sha}, "protected": false})
	}
	return c.page(all, nil)
}

func (r *Repository) branches() []string {
	var names []string
	for ref := range r.git.refs() {
		if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func getBranch(c *call) answer {
	name := c.args["branch"]
	sha := c.ref("refs/heads/" + name)
	if sha == "" {
		return failure(http.StatusNotFound, "Branch not found")
	}
	one, err := c.repo.commitJSON(sha, false)
	if err != nil {
		return notFound()
	}
	u := c.repo.url() + "/branches/" + name
	return ok(object{
		"name": name, "commit": one, "_links": object{"self": u, "html": c.repo.html() + "/tree/" + name}, "protected": false,
		"protection":     object{"enabled": false, "required_status_checks": object{"enforcement_level": "off", "contexts": []any{}, "checks": []any{}}},
		"protection_url": u + "/protection",
	})
}

func (r *Repository) commitJSON(sha string, files bool) (object, error) {
	one, err := r.git.commit(sha)
	if err != nil {
		return nil, err
	}
	u := r.url() + "/commits/" + sha
	parents := []any{}
	for _, p := range one.parents {
		parents = append(parents, object{"sha": p, "url": r.url() + "/commits/" + p, "html_url": r.html() + "/commit/" + p})
	}
	o := object{
		"sha": sha, "node_id": "C_" + sha[:12], "url": u, "html_url": r.html() + "/commit/" + sha, "comments_url": u + "/comments",
		"author": r.s.accountJSON(r.s.byEmail(one.author.email)), "committer": r.s.accountJSON(r.s.byEmail(one.committer.email)),
		"parents": parents,
		"commit": object{
			"author": one.author.json(), "committer": one.committer.json(), "message": one.message,
			"tree": object{"sha": one.tree, "url": r.url() + "/git/trees/" + one.tree}, "url": r.url() + "/git/commits/" + sha,
			"comment_count": 0, "verification": one.verification(),
		},
	}
	if files {
		base := emptyTree
		if len(one.parents) > 0 {
			base = one.parents[0]
		}
		list, added, deleted := r.changed(base, sha)
		o["files"] = list
		o["stats"] = object{"additions": added, "deletions": deleted, "total": added + deleted}
	}
	return o, nil
}

// verification says what GitHub says of a signature by a key it does not know.
func (c commit) verification() object {
	if c.signature == "" {
		return object{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
	}
	return object{"verified": false, "reason": "unknown_key", "signature": c.signature, "payload": c.payload, "verified_at": nil}
}

// emptyTree is the tree without entries, which git knows without it being stored.
const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

// changed lists the files that differ between two commits.
func (r *Repository) changed(from, to string) (files []any, added, deleted int) {
	files = []any{}
	raw, err := r.git.run(nil, "diff", "--raw", "--numstat", "--no-abbrev", "-M", "-z", from, to)
	if err != nil {
		return files, 0, 0
	}
	type change struct {
		status, sha, old string
		plus, minus      int
	}
	byPath := map[string]*change{}
	var order []string
	parts := strings.Split(raw, "\x00")
	for i := 0; i < len(parts); i++ {
		if rest, isRaw := strings.CutPrefix(parts[i], ":"); isRaw {
			f := strings.Fields(rest) // mode mode sha sha status
			ch := &change{sha: f[3], status: map[byte]string{'A': "added", 'D': "removed", 'M': "modified", 'T': "changed", 'R': "renamed"}[f[4][0]]}
			if f[4][0] == 'D' {
				ch.sha = f[2]
			}
			i++
			path := parts[i]
			if f[4][0] == 'R' {
				ch.old = path
				i++
				path = parts[i]
			}
			byPath[path] = ch
			order = append(order, path)
			continue
		}
		f := strings.SplitN(parts[i], "\t", 3)
		if len(f) != 3 {
			continue
		}
		path := f[2]
		if path == "" { // a rename: old and new follow
			path = parts[i+2]
			i += 2
		}
		if ch := byPath[path]; ch != nil {
			fmt.Sscan(f[0], &ch.plus)
			fmt.Sscan(f[1], &ch.minus)
		}
	}
	for _, path := range order {
		ch := byPath[path]
		o := object{
			"sha": ch.sha, "filename": path, "status": ch.status, "additions": ch.plus, "deletions": ch.minus, "changes": ch.plus + ch.minus,
			"blob_url": r.html() + "/blob/" + to + "/" + path, "raw_url": r.html() + "/raw/" + to + "/" + path,
			"contents_url": r.url() + "/contents/" + path + "?ref=" + to,
		}
		if ch.old != "" {
			o["previous_filename"] = ch.old
		}
		if text, err := r.git.run(nil, "diff", "-M", from, to, "--", path); err == nil {
			if at := strings.Index(text, "\n@@"); at >= 0 {
				o["patch"] = strings.TrimSuffix(text[at+1:], "\n")
			}
		}
		files = append(files, o)
		added, deleted = added+ch.plus, deleted+ch.minus
	}
	return files, added, deleted
}

func listCommits(c *call) answer {
	from := c.query("sha")
	if from == "" {
		from = c.repo.defaultBranch()
	}
	sha := c.repo.git.commitOf(from)
	if sha == "" {
		return notFound()
	}
	args := []string{"rev-list", "--max-count=1000"}
	for _, bound := range [][2]string{{"since", "--since="}, {"until", "--until="}, {"author", "--author="}} {
		if v := c.query(bound[0]); v != "" {
			args = append(args, bound[1]+v)
		}
	}
	args = append(args, sha)
	if p := c.query("path"); p != "" {
		args = append(args, "--", p)
	}
	return c.page(c.repo.commitList(args...), nil)
}

// commitList turns the output of rev-list into commits without their files.
func (r *Repository) commitList(args ...string) []any {
	all := []any{}
	out, err := r.git.run(nil, args...)
	if err != nil {
		return all
	}
	for l := range strings.Lines(out) {
		if one, err := r.commitJSON(strings.TrimSpace(l), false); err == nil {
			all = append(all, one)
		}
	}
	return all
}

func getCommit(c *call) answer {
	sha := c.repo.git.commitOf(c.args["ref"])
	if sha == "" {
		return unprocessable("No commit found for SHA: %s", c.args["ref"])
	}
	if strings.HasSuffix(c.r.Header.Get("Accept"), ".sha") {
		return answer{status: http.StatusOK, raw: []byte(sha), media: "application/vnd.github.sha"}
	}
	one, err := c.repo.commitJSON(sha, true)
	if err != nil {
		return notFound()
	}
	return ok(one)
}

func compare(c *call) answer {
	r := c.repo
	base, head, fits := strings.Cut(c.args["basehead"], "...")
	from, to := r.git.commitOf(base), r.git.commitOf(strings.TrimPrefix(head, r.owner.login+":"))
	if !fits || from == "" || to == "" {
		return notFound()
	}
	fork := r.git.line("merge-base", from, to)
	if fork == "" {
		return failure(http.StatusNotFound, "No common ancestor between %s and %s.", base, head)
	}
	commits := r.commitList("rev-list", "--reverse", from+".."+to)
	var behind int
	fmt.Sscan(r.git.line("rev-list", "--count", to+".."+from), &behind)
	status := "identical"
	switch {
	case len(commits) > 0 && behind > 0:
		status = "diverged"
	case len(commits) > 0:
		status = "ahead"
	case behind > 0:
		status = "behind"
	}
	files, _, _ := r.changed(fork, to)
	baseJSON, err1 := r.commitJSON(from, false)
	forkJSON, err2 := r.commitJSON(fork, false)
	if err1 != nil || err2 != nil {
		return notFound()
	}
	h := r.html() + "/compare/" + base + "..." + head
	return ok(object{
		"url": r.url() + "/compare/" + base + "..." + head, "html_url": h, "permalink_url": h, "diff_url": h + ".diff", "patch_url": h + ".patch",
		"base_commit": baseJSON, "merge_base_commit": forkJSON, "status": status, "ahead_by": len(commits), "behind_by": behind,
		"total_commits": len(commits), "commits": commits, "files": files,
	})
}

func getContents(c *call) answer {
	r := c.repo
	ref := c.query("ref")
	if ref == "" {
		ref = r.defaultBranch()
	}
	commit := r.git.commitOf(ref)
	if commit == "" {
		return failure(http.StatusNotFound, "No commit found for the ref %s", ref)
	}
	path := strings.Trim(c.args["path"], "/")
	object := commit + ":" + path
	switch r.git.line("cat-file", "-t", object) {
	case "blob":
		data, err := r.git.run(nil, "cat-file", "blob", object)
		if err != nil {
			return notFound()
		}
		if strings.Contains(c.r.Header.Get("Accept"), "raw") {
			return answer{status: http.StatusOK, raw: []byte(data), media: "application/vnd.github.raw+json"}
		}
		o := r.contentJSON(path, ref, "file", r.git.line("rev-parse", object), len(data))
		o["content"], o["encoding"] = wrapped([]byte(data)), "base64"
		return ok(o)
	case "tree":
		entries, err := r.git.tree(object, false)
		if err != nil {
			return notFound()
		}
		list := []any{}
		for _, e := range entries {
			kind := map[string]string{"blob": "file", "tree": "dir", "commit": "submodule"}[e.kind]
			list = append(list, r.contentJSON(strings.TrimPrefix(path+"/"+e.path, "/"), ref, kind, e.sha, int(e.size)))
		}
		return ok(list)
	}
	return notFound()
}

func (r *Repository) contentJSON(path, ref, kind, sha string, size int) object {
	self, html, git := r.url()+"/contents/"+path+"?ref="+ref, r.html()+"/blob/"+ref+"/"+path, r.url()+"/git/blobs/"+sha
	return object{
		"type": kind, "size": size, "name": filepath.Base(path), "path": path, "sha": sha, "url": self, "git_url": git, "html_url": html,
		"download_url": r.html() + "/raw/" + ref + "/" + path, "_links": object{"self": self, "git": git, "html": html},
	}
}

// wrapped is base64 in lines of 60 characters, as GitHub sends it.
func wrapped(data []byte) string {
	var b strings.Builder
	text := base64.StdEncoding.EncodeToString(data)
	for len(text) > 60 {
		b.WriteString(text[:60] + "\n")
		text = text[60:]
	}
	b.WriteString(text + "\n")
	return b.String()
}

func (r *Repository) collaboratorJSON(a *account) object {
	o := r.s.accountJSON(a).(object)
	role := r.role(a)
	o["permissions"], o["role_name"] = rolePermissions(role), role
	return o
}

func listCollaborators(c *call) answer {
	var all []any
	for login := range c.repo.roles {
		all = append(all, c.repo.collaboratorJSON(c.s.accounts[login]))
	}
	slices.SortFunc(all, func(a, b any) int { return int(a.(object)["id"].(int64) - b.(object)["id"].(int64)) })
	return c.page(all, nil)
}

func isCollaborator(c *call) answer {
	if c.repo.roles[strings.ToLower(c.args["username"])] == "" {
		return notFound()
	}
	return noContent()
}

func getPermission(c *call) answer {
	a := c.s.accounts[strings.ToLower(c.args["username"])]
	if a == nil {
		return notFound()
	}
	role := c.repo.role(a)
	legacy := map[string]string{"triage": "read", "maintain": "write"}[role]
	if legacy == "" {
		legacy = role
	}
	return ok(object{"permission": legacy, "role_name": role, "user": c.repo.collaboratorJSON(a)})
}
