package githubtest

import (
	"encoding/base64"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

func gitDataRoutes() []route {
	const at = "/repos/{owner}/{repo}/git"
	return []route{
		{"POST", at + "/blobs", "contents:write", createBlob},
		{"GET", at + "/blobs/{file_sha}", "contents:read", getBlob},
		{"POST", at + "/trees", "contents:write", createTree},
		{"GET", at + "/trees/{tree_sha}", "contents:read", getTree},
		{"POST", at + "/commits", "contents:write", createCommit},
		{"GET", at + "/commits/{commit_sha}", "contents:read", getGitCommit},
		{"POST", at + "/refs", "contents:write", createRef},
		{"GET", at + "/ref/{ref}", "contents:read", getRef},
		{"GET", at + "/matching-refs/{ref}", "contents:read", matchingRefs},
		{"PATCH", at + "/refs/{ref}", "contents:write", updateRef},
		{"DELETE", at + "/refs/{ref}", "contents:write", deleteRef},
	}
}

func createBlob(c *call) answer {
	data := []byte(c.text("content"))
	if c.text("encoding") == "base64" {
		var err error
		if data, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(string(data), "\n", "")); err != nil {
			return unprocessable("content is not valid Base64")
		}
	}
	sha, err := c.repo.git.run(data, "hash-object", "-w", "--stdin")
	if err != nil {
		return unprocessable("%v", err)
	}
	sha = strings.TrimSpace(sha)
	return created(object{"sha": sha, "url": c.repo.url() + "/git/blobs/" + sha})
}

func getBlob(c *call) answer {
	sha := c.args["file_sha"]
	if c.repo.git.kind(sha) != "blob" {
		return notFound()
	}
	data, err := c.repo.git.run(nil, "cat-file", "blob", sha)
	if err != nil {
		return notFound()
	}
	if strings.Contains(c.r.Header.Get("Accept"), "raw") {
		return answer{status: http.StatusOK, raw: []byte(data), media: "application/vnd.github.raw+json"}
	}
	return ok(object{
		"content": wrapped([]byte(data)), "encoding": "base64", "sha": sha, "size": len(data), "node_id": "B_" + sha[:12],
		"url": c.repo.url() + "/git/blobs/" + sha,
	})
}

var treeModes = map[string]string{"100644": "blob", "100755": "blob", "040000": "tree", "160000": "commit", "120000": "blob"}

func createTree(c *call) answer {
	g := c.repo.git
	base := c.text("base_tree")
	if base != "" && g.kind(base) != "tree" && g.kind(base) != "commit" {
		return unprocessable("base_tree is not a valid tree oid")
	}
	list, _ := c.body["tree"].([]any)
	if len(list) == 0 {
		return unprocessable("Invalid tree info")
	}
	var changes []treeEntry
	for _, v := range list {
		o, _ := v.(object)
		e := treeEntry{}
		e.path, _ = o["path"].(string)
		e.mode, _ = o["mode"].(string)
		e.sha, _ = o["sha"].(string)
		content, inline := o["content"].(string)
		_, named := o["sha"]
		if !cleanPath(e.path) {
			return unprocessable("tree.path contains a malformed path component")
		}
		e.kind = treeModes[e.mode]
		if e.kind == "" {
			return unprocessable("Must supply a valid tree.mode")
		}
		switch {
		case inline && named && e.sha != "", !inline && !named:
			return unprocessable("Must supply either tree.sha or tree.content")
		case inline:
			sha, err := g.run([]byte(content), "hash-object", "-w", "--stdin")
			if err != nil {
				return unprocessable("%v", err)
			}
			e.sha = strings.TrimSpace(sha)
		case e.sha == "": // null: remove
			if base == "" || g.line("cat-file", "-t", base+":"+e.path) == "" {
				return unprocessable("GitRPC::BadObjectState")
			}
		case e.kind != "commit" && g.kind(e.sha) != e.kind:
			return unprocessable("tree.sha %s is not a valid %s", e.sha, e.kind)
		}
		changes = append(changes, e)
	}
	sha, err := g.editTree(base, changes)
	if err != nil {
		return unprocessable("GitRPC::BadObjectState")
	}
	return created(c.repo.treeJSON(sha, false))
}

// cleanPath refuses what no tree may hold.
func cleanPath(p string) bool {
	if p == "" || path.Clean(p) != p || strings.HasPrefix(p, "/") {
		return false
	}
	for _, part := range strings.Split(p, "/") {
		if part == ".." || part == "." || strings.EqualFold(part, ".git") {
			return false
		}
	}
	return true
}

func (r *Repository) treeJSON(sha string, recursive bool) object {
	entries, _ := r.git.tree(sha, recursive)
	list := []any{}
	for _, e := range entries {
		o := object{"path": e.path, "mode": e.mode, "type": e.kind, "sha": e.sha, "url": r.url() + "/git/" + e.kind + "s/" + e.sha}
		if e.kind == "blob" {
			o["size"] = e.size
		}
		list = append(list, o)
	}
	return object{"sha": sha, "url": r.url() + "/git/trees/" + sha, "tree": list, "truncated": false}
}

func getTree(c *call) answer {
	name := c.args["tree_sha"]
	if !isHash(name) {
		if name = c.repo.git.commitOf(name); name == "" {
			return notFound()
		}
	}
	tree := c.repo.git.line("rev-parse", "--verify", "--quiet", name+"^{tree}")
	if tree == "" {
		return notFound()
	}
	return ok(c.repo.treeJSON(tree, c.query("recursive") != ""))
}

func createCommit(c *call) answer {
	g := c.repo.git
	one := commit{tree: c.text("tree"), parents: c.texts("parents"), message: c.text("message"), signature: c.text("signature")}
	if g.kind(one.tree) != "tree" {
		return unprocessable("Tree SHA does not exist")
	}
	for _, p := range one.parents {
		if g.kind(p) != "commit" {
			return unprocessable("Parent SHA does not exist or is not a commit object")
		}
	}
	me := person{name: c.actor.name(), email: c.actor.email(), when: c.s.now()}
	one.author = me
	given := func(name string, to *person) (answer, bool) {
		o, there := c.body[name].(object)
		if !there {
			return answer{}, true
		}
		p := person{when: me.when}
		p.name, _ = o["name"].(string)
		p.email, _ = o["email"].(string)
		if date, _ := o["date"].(string); date != "" {
			when, err := time.Parse(time.RFC3339, date)
			if err != nil {
				return invalid(fieldError{"Commit", name, "invalid", "date is not a valid ISO 8601 date"}), false
			}
			p.when = when
		}
		if p.name == "" || p.email == "" {
			return invalid(fieldError{"Commit", name, "missing_field", ""}), false
		}
		*to = p
		return answer{}, true
	}
	if a, good := given("author", &one.author); !good {
		return a
	}
	one.committer = one.author
	if a, good := given("committer", &one.committer); !good {
		return a
	}
	sha, err := g.writeCommit(one)
	if err != nil {
		return unprocessable("%v", err)
	}
	return created(c.repo.gitCommitJSON(sha))
}

func (r *Repository) gitCommitJSON(sha string) object {
	one, err := r.git.commit(sha)
	if err != nil {
		return nil
	}
	parents := []any{}
	for _, p := range one.parents {
		parents = append(parents, object{"sha": p, "url": r.url() + "/git/commits/" + p, "html_url": r.html() + "/commit/" + p})
	}
	return object{
		"sha": sha, "node_id": "C_" + sha[:12], "url": r.url() + "/git/commits/" + sha, "html_url": r.html() + "/commit/" + sha,
		"author": one.author.json(), "committer": one.committer.json(), "message": one.message, "parents": parents,
		"tree": object{"sha": one.tree, "url": r.url() + "/git/trees/" + one.tree}, "verification": one.verification(),
	}
}

func getGitCommit(c *call) answer {
	if c.repo.git.kind(c.args["commit_sha"]) != "commit" {
		return notFound()
	}
	return ok(c.repo.gitCommitJSON(c.args["commit_sha"]))
}

func (r *Repository) refJSON(name, sha string) object {
	kind := r.git.kind(sha)
	return object{
		"ref": name, "node_id": "REF_" + sha[:12], "url": r.url() + "/git/" + name,
		"object": object{"type": kind, "sha": sha, "url": r.url() + "/git/" + kind + "s/" + sha},
	}
}

func createRef(c *call) answer {
	name, sha := c.text("ref"), c.text("sha")
	if c.stale {
		return unprocessable("Reference update failed")
	}
	if !strings.HasPrefix(name, "refs/") || strings.Count(name, "/") < 2 || c.repo.git.line("check-ref-format", name) == "" && !validRef(c.repo.git, name) {
		return unprocessable("Reference name must start with 'refs/' and contain at least two slashes.")
	}
	if c.repo.git.kind(sha) == "" {
		return unprocessable("Object does not exist")
	}
	if strings.HasPrefix(name, "refs/heads/") && c.repo.git.kind(sha) != "commit" {
		return unprocessable("Reference update failed")
	}
	if c.ref(name) != "" {
		return unprocessable("Reference already exists")
	}
	if err := c.repo.setRef(name, "", sha, c.actor.account); err != nil {
		return unprocessable("Reference update failed")
	}
	return created(c.repo.refJSON(name, sha))
}

func validRef(g *store, name string) bool {
	_, err := g.run(nil, "check-ref-format", name)
	return err == nil && !strings.HasPrefix(name, "refs/pull/")
}

func getRef(c *call) answer {
	name := "refs/" + c.args["ref"]
	sha := c.ref(name)
	if sha == "" {
		return notFound()
	}
	return ok(c.repo.refJSON(name, sha))
}

func matchingRefs(c *call) answer {
	var names []string
	for name := range c.repo.git.refs() {
		if strings.HasPrefix(name, "refs/"+c.args["ref"]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	all := []any{}
	for _, name := range names {
		if sha := c.ref(name); sha != "" {
			all = append(all, c.repo.refJSON(name, sha))
		}
	}
	return ok(all)
}

func updateRef(c *call) answer {
	name, sha := "refs/"+c.args["ref"], c.text("sha")
	g := c.repo.git
	old := g.line("rev-parse", "--verify", "--quiet", "--end-of-options", name)
	switch {
	case old == "":
		return unprocessable("Reference does not exist")
	case c.stale:
		return unprocessable("Reference update failed")
	case g.kind(sha) == "":
		return unprocessable("Object does not exist")
	case !c.flag("force") && !g.ancestor(old, sha):
		return unprocessable("Update is not a fast forward")
	}
	if err := c.repo.setRef(name, old, sha, c.actor.account); err != nil {
		return unprocessable("Reference update failed")
	}
	return ok(c.repo.refJSON(name, sha))
}

func deleteRef(c *call) answer {
	name := "refs/" + c.args["ref"]
	old := c.repo.git.line("rev-parse", "--verify", "--quiet", "--end-of-options", name)
	if old == "" {
		return unprocessable("Reference does not exist")
	}
	if name == "refs/heads/"+c.repo.defaultBranch() {
		return unprocessable("Cannot delete the default branch")
	}
	if err := c.repo.setRef(name, old, "", c.actor.account); err != nil {
		return unprocessable("Reference update failed")
	}
	return noContent()
}

// setRef moves, makes ("" before) or removes ("" after) a ref and lets everything follow that follows from it.
func (r *Repository) setRef(name, before, after string, by *account) error {
	args := []string{"update-ref", name, after, before}
	switch {
	case after == "":
		args = []string{"update-ref", "-d", name, before}
	case before == "":
		args = []string{"update-ref", name, after}
	}
	if _, err := r.git.run(nil, args...); err != nil {
		return err
	}
	r.moved(name, before, after, by)
	return nil
}
