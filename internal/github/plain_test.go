package github_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/github"
)

// object is a JSON object.
type object = map[string]any

// manners are how one implementation of GitHub's API differs from another.
type manners struct {
	mount         string // in front of all paths, as /api/v3
	ignoreFilters bool   // lists hold all there is, oldest first, on one page
	everyPage     bool   // and whichever page is asked for
	nulls         bool   // for what may be null
	quiet         bool   // what is written is answered with an empty object
	plainOK       bool   // 200 in place of 201
	commits       string // "drop", "trim" and "time" change a commit, "refuse" refuses its signature
	labels        int    // the status for all about labels
	reviewers     int    // the status for those asked for a review
	reviews       int
	checks        int // the status for all about check runs
	noLookup      bool
	tokenLife     time.Duration // of an installation's
	clone         string        // "same", "other" for another port, "file"
	botLogin      string        // under which an installation writes
	user          int           // the status of GET /user
	refWords      string        // what is said of a reference that is there already
	pullWords     string
}

// plain is a small implementation of GitHub's REST API after its documentation, version 2022-11-28, over a real bare repository. It
// knows no GraphQL, no tags of answers, no rate limits, no Link headers, and forgets to validate.
type plain struct {
	*httptest.Server
	manners
	t        *testing.T
	dir      string // bare repository
	gitHost  *httptest.Server
	mu       sync.Mutex
	last     int
	pulls    []object
	comments []object
	checks   []object
	statuses []object
	labels   map[string]bool
	asked    []string // for a review
	requests []string
}

func newPlain(t *testing.T, m manners) *plain {
	t.Helper()
	if m.tokenLife == 0 {
		m.tokenLife = time.Hour
	}
	if m.botLogin == "" {
		m.botLogin = "fixer[bot]"
	}
	p := &plain{manners: m, t: t, labels: map[string]bool{}}
	root := t.TempDir()
	p.dir = filepath.Join(root, "acme", "shop.git")
	source := t.TempDir()
	write(t, source, "main.go", "package main\n\nfunc main() {}\n")
	write(t, source, "old/unused.txt", "gone soon\n")
	git(t, source, "init", "--quiet", "--initial-branch=main")
	git(t, source, "add", ".")
	git(t, source, "-c", "user.name=Alice", "-c", "user.email=alice@example.com", "commit", "--quiet", "-m", "begin")
	git(t, ".", "clone", "--quiet", "--bare", source, p.dir)
	git(t, p.dir, "config", "http.receivepack", "true")
	execPath := git(t, ".", "--exec-path")
	smart := &cgi.Handler{Path: filepath.Join(execPath, "git-http-backend"), Dir: root, Env: []string{
		"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull}}
	p.gitHost = httptest.NewServer(smart)
	t.Cleanup(p.gitHost.Close)
	mux := http.NewServeMux()
	p.routes(mux)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/acme/shop.git/") {
			smart.ServeHTTP(w, r)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.requests = append(p.requests, r.Method+" "+r.URL.Path)
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") && !strings.HasPrefix(r.Header.Get("Authorization"), "token ") {
			p.refuse(w, 401, "Requires authentication")
			return
		}
		http.StripPrefix(p.mount, mux).ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *plain) refuse(w http.ResponseWriter, status int, message string) {
	p.answer(w, status, object{"message": message, "documentation_url": "https://docs.github.com/rest"})
}

func (p *plain) answer(w http.ResponseWriter, status int, v any) {
	if status == http.StatusCreated && p.plainOK {
		status = http.StatusOK
	}
	if p.quiet && status == http.StatusCreated {
		if o, ok := v.(object); ok && o["object"] != nil {
			v = object{}
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (p *plain) id() int { p.last++; return p.last }

// page is what of a list is shown.
func (p *plain) page(r *http.Request, list []object) []object {
	if p.ignoreFilters {
		return slices.Clone(list)
	}
	list = slices.Clone(list)
	slices.Reverse(list)
	return p.cut(r, list)
}

func (p *plain) cut(r *http.Request, list []object) []object {
	each, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	at, _ := strconv.Atoi(r.URL.Query().Get("page"))
	if each == 0 {
		each = 30
	}
	if p.everyPage {
		at = 1
	}
	from := min((max(at, 1)-1)*each, len(list))
	return append([]object{}, list[from:min(from+each, len(list))]...)
}

func body(r *http.Request) (o object) {
	_ = json.NewDecoder(r.Body).Decode(&o)
	return o
}

// try runs git in the repository.
func (p *plain) try(in string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = p.dir, strings.NewReader(in)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

func (p *plain) repository() object {
	clone := p.URL + "/acme/shop.git"
	switch p.clone {
	case "other":
		clone = p.gitHost.URL + "/acme/shop.git"
	case "file":
		clone = "file://" + p.dir
	case "none":
		clone = ""
	}
	o := object{"id": 7, "name": "shop", "full_name": "acme/shop", "owner": object{"login": "acme"}, "default_branch": "main", "clone_url": clone, "private": false}
	if p.nulls {
		o["size"], o["archived"], o["disabled"], o["permissions"] = nil, nil, nil, nil
	}
	return o
}

func (p *plain) commit(sha string) object {
	raw, err := p.try("", "cat-file", "commit", sha)
	if err != nil {
		return nil
	}
	head, message, _ := strings.Cut(raw, "\n\n")
	o := object{"sha": sha, "message": message, "verification": nil}
	parents := []object{}
	for line := range strings.SplitSeq(head, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "tree":
			o["tree"] = object{"sha": value}
		case "parent":
			parents = append(parents, object{"sha": value})
		case "author", "committer":
			name, rest, _ := strings.Cut(value, " <")
			email, _, _ := strings.Cut(rest, ">")
			o[key] = object{"name": name, "email": email, "date": "2026-06-21T00:00:00Z"}
		}
	}
	o["parents"] = parents
	return o
}

func (p *plain) ref(w http.ResponseWriter, status int, name string) {
	sha, err := p.try("", "rev-parse", "--verify", "--quiet", name)
	if err != nil {
		p.refuse(w, 404, "Not Found")
		return
	}
	p.answer(w, status, object{"ref": name, "node_id": "x", "url": "", "object": object{"type": "commit", "sha": sha}})
}

func (p *plain) pull(o object) object {
	if o["state"] == "open" {
		if sha, err := p.try("", "rev-parse", "--verify", "--quiet", "refs/heads/"+o["head"].(object)["ref"].(string)); err == nil {
			o["head"].(object)["sha"] = sha
		}
	}
	return o
}

func (p *plain) find(w http.ResponseWriter, r *http.Request, list []object, key string) object {
	for _, o := range list {
		if fmt.Sprint(o[key]) == r.PathValue("n") {
			return o
		}
	}
	p.refuse(w, 404, "Not Found")
	return nil
}

func (p *plain) routes(m *http.ServeMux) {
	const repo = "/repos/acme/shop"
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { p.refuse(w, 404, "Not Found") })
	m.HandleFunc("GET /app", func(w http.ResponseWriter, r *http.Request) {
		p.answer(w, 200, object{"id": 42, "slug": "fixer", "owner": nil, "name": "Fixer"})
	})
	m.HandleFunc("GET /user", func(w http.ResponseWriter, r *http.Request) {
		if p.user != 0 {
			p.refuse(w, p.user, "Resource not accessible by integration")
			return
		}
		p.answer(w, 200, object{"login": p.botLogin, "id": 3})
	})
	installation := object{"id": 9, "account": object{"login": "Acme"}, "app_id": 42, "suspended_at": nil}
	m.HandleFunc("GET "+repo+"/installation", func(w http.ResponseWriter, r *http.Request) {
		if p.noLookup {
			p.refuse(w, 404, "Not Found")
			return
		}
		p.answer(w, 200, installation)
	})
	m.HandleFunc("GET /app/installations", func(w http.ResponseWriter, r *http.Request) { p.answer(w, 200, []object{installation}) })
	m.HandleFunc("POST /app/installations/9/access_tokens", func(w http.ResponseWriter, r *http.Request) {
		p.answer(w, 201, object{"token": "ghs_plain", "expires_at": time.Now().Add(p.tokenLife).UTC().Format(time.RFC3339)})
	})
	m.HandleFunc("GET /installation/repositories", func(w http.ResponseWriter, r *http.Request) {
		p.answer(w, 200, object{"total_count": 1, "repositories": []object{p.repository()}})
	})
	m.HandleFunc("GET "+repo, func(w http.ResponseWriter, r *http.Request) { p.answer(w, 200, p.repository()) })
	p.gitRoutes(m, repo+"/git")
	p.pullRoutes(m, repo)
	p.sayRoutes(m, repo)
}

func (p *plain) gitRoutes(m *http.ServeMux, at string) {
	m.HandleFunc("GET "+at+"/ref/{ref...}", func(w http.ResponseWriter, r *http.Request) { p.ref(w, 200, "refs/"+r.PathValue("ref")) })
	m.HandleFunc("POST "+at+"/refs", func(w http.ResponseWriter, r *http.Request) {
		in := body(r)
		name, sha := in["ref"].(string), in["sha"].(string)
		if _, err := p.try("", "update-ref", name, sha, strings.Repeat("0", 40)); err != nil {
			words := p.refWords
			if words == "" {
				words = "Reference already exists"
			}
			p.refuse(w, 422, words)
			return
		}
		p.ref(w, 201, name)
	})
	m.HandleFunc("PATCH "+at+"/refs/{ref...}", func(w http.ResponseWriter, r *http.Request) {
		name := "refs/" + r.PathValue("ref")
		if _, err := p.try("", "update-ref", name, body(r)["sha"].(string)); err != nil {
			p.refuse(w, 422, "Object does not exist")
			return
		}
		p.ref(w, 200, name)
	})
	m.HandleFunc("DELETE "+at+"/refs/{ref...}", func(w http.ResponseWriter, r *http.Request) {
		if _, err := p.try("", "update-ref", "-d", "refs/"+r.PathValue("ref")); err != nil {
			p.refuse(w, 422, "Reference does not exist")
			return
		}
		w.WriteHeader(204)
	})
	m.HandleFunc("GET "+at+"/commits/{sha}", func(w http.ResponseWriter, r *http.Request) {
		if o := p.commit(r.PathValue("sha")); o != nil {
			p.answer(w, 200, o)
			return
		}
		p.refuse(w, 404, "Not Found")
	})
	m.HandleFunc("POST "+at+"/blobs", func(w http.ResponseWriter, r *http.Request) {
		in := body(r)
		content := []byte(in["content"].(string))
		if in["encoding"] == "base64" {
			content, _ = base64.StdEncoding.DecodeString(string(content))
		}
		sha, _ := p.try(string(content), "hash-object", "-w", "--stdin")
		p.answer(w, 201, object{"sha": sha})
	})
	m.HandleFunc("POST "+at+"/trees", p.makeTree)
	m.HandleFunc("POST "+at+"/commits", p.makeCommit)
}

func (p *plain) makeTree(w http.ResponseWriter, r *http.Request) {
	in := body(r)
	index := filepath.Join(p.t.TempDir(), "index")
	run := func(stdin string, args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Stdin, cmd.Env = p.dir, strings.NewReader(stdin), append(os.Environ(), "GIT_INDEX_FILE="+index)
		out, err := cmd.Output()
		if err != nil {
			p.t.Errorf("git %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	if base, ok := in["base_tree"].(string); ok {
		run("", "read-tree", base)
	}
	for _, e := range in["tree"].([]any) {
		e := e.(object)
		sha, _ := e["sha"].(string)
		if content, ok := e["content"].(string); ok {
			sha, _ = p.try(content, "hash-object", "-w", "--stdin")
		}
		line := fmt.Sprintf("%s %s\t%s\n", e["mode"], sha, e["path"])
		if sha == "" {
			line = fmt.Sprintf("0 %s\t%s\n", strings.Repeat("0", 40), e["path"])
		}
		run(line, "update-index", "--index-info")
	}
	p.answer(w, 201, object{"sha": run("", "write-tree"), "truncated": false})
}

func (p *plain) makeCommit(w http.ResponseWriter, r *http.Request) {
	in := body(r)
	signature, _ := in["signature"].(string)
	message := in["message"].(string)
	if p.manners.commits == "refuse" && signature != "" {
		p.refuse(w, 422, "Invalid signature")
		return
	}
	if p.manners.commits == "drop" {
		signature = ""
	}
	if p.manners.commits == "trim" {
		message = strings.TrimSpace(message)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", in["tree"])
	parents, _ := in["parents"].([]any)
	for _, parent := range parents {
		fmt.Fprintf(&b, "parent %s\n", parent)
	}
	for _, key := range []string{"author", "committer"} {
		who := in[key].(object)
		at, err := time.Parse(time.RFC3339, who["date"].(string))
		if err != nil {
			p.t.Error(err)
		}
		if p.manners.commits == "time" {
			at = at.Add(time.Second)
		}
		fmt.Fprintf(&b, "%s %s <%s> %d +0000\n", key, who["name"], who["email"], at.Unix())
	}
	if signature = strings.TrimRight(signature, "\n"); signature != "" {
		fmt.Fprintf(&b, "gpgsig %s\n", strings.ReplaceAll(signature, "\n", "\n "))
	}
	sha, err := p.try(b.String()+"\n"+message, "hash-object", "-t", "commit", "-w", "--stdin")
	if err != nil {
		p.refuse(w, 422, "Invalid object")
		return
	}
	p.answer(w, 201, p.commit(sha))
}

func (p *plain) pullRoutes(m *http.ServeMux, at string) {
	m.HandleFunc("GET "+at+"/pulls", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		var list []object
		for _, o := range p.pulls {
			fits := q.Get("head") == "" || "acme:"+o["head"].(object)["ref"].(string) == q.Get("head")
			if state := q.Get("state"); state != "all" && o["state"] != "open" || !p.ignoreFilters && !fits {
				continue
			}
			list = append(list, p.pull(o))
		}
		p.answer(w, 200, p.page(r, list))
	})
	m.HandleFunc("POST "+at+"/pulls", func(w http.ResponseWriter, r *http.Request) {
		in := body(r)
		for _, o := range p.pulls {
			if o["state"] == "open" && o["head"].(object)["ref"] == in["head"] {
				p.refuse(w, 422, p.pullWords)
				return
			}
		}
		base, _ := p.try("", "rev-parse", "refs/heads/"+in["base"].(string))
		n := len(p.pulls) + 1
		here := object{"id": 7, "full_name": "acme/shop"}
		o := object{"id": p.id(), "number": n, "state": "open", "title": in["title"], "body": in["body"], "draft": in["draft"], "html_url": fmt.Sprintf("%s/acme/shop/pull/%d", p.URL, n),
			"user": object{"login": p.botLogin, "type": "Bot"}, "merged_at": nil, "labels": []object{}, "head": object{"ref": in["head"], "sha": "", "repo": here}, "base": object{"ref": in["base"], "sha": base, "repo": here}}
		if p.nulls {
			o["labels"], o["requested_reviewers"], o["requested_teams"], o["user"], o["mergeable"], o["node_id"] = nil, nil, nil, nil, nil, nil
		}
		p.pulls = append(p.pulls, o)
		p.answer(w, 201, p.pull(o))
	})
	m.HandleFunc("GET "+at+"/pulls/{n}", func(w http.ResponseWriter, r *http.Request) {
		if o := p.find(w, r, p.pulls, "number"); o != nil {
			p.answer(w, 200, p.pull(o))
		}
	})
	m.HandleFunc("PATCH "+at+"/pulls/{n}", func(w http.ResponseWriter, r *http.Request) {
		if o := p.find(w, r, p.pulls, "number"); o != nil {
			for key, value := range body(r) {
				if key == "base" {
					o["base"].(object)["ref"] = value
					continue
				}
				o[key] = value
			}
			p.answer(w, 200, p.pull(o))
		}
	})
	m.HandleFunc("GET "+at+"/pulls/{n}/commits", func(w http.ResponseWriter, r *http.Request) {
		if o := p.find(w, r, p.pulls, "number"); o != nil {
			list := []object{}
			shas, _ := p.try("", "rev-list", "refs/heads/main..refs/heads/"+o["head"].(object)["ref"].(string))
			for sha := range strings.FieldsSeq(shas) {
				c := p.commit(sha)
				list = append(list, object{"sha": sha, "commit": c, "parents": c["parents"], "author": nil, "committer": nil})
			}
			p.answer(w, 200, list)
		}
	})
	m.HandleFunc("POST "+at+"/pulls/{n}/requested_reviewers", func(w http.ResponseWriter, r *http.Request) {
		if p.reviewers != 0 {
			p.refuse(w, p.reviewers, "Not Found")
			return
		}
		for _, who := range body(r)["reviewers"].([]any) {
			p.asked = append(p.asked, who.(string))
		}
		p.answer(w, 201, p.pulls[0])
	})
	m.HandleFunc("GET "+at+"/pulls/{n}/reviews", func(w http.ResponseWriter, r *http.Request) {
		if p.reviews != 0 {
			p.refuse(w, p.reviews, "Not Found")
			return
		}
		p.answer(w, 200, []object{})
	})
	m.HandleFunc("GET "+at+"/commits/{sha}", func(w http.ResponseWriter, r *http.Request) {
		p.answer(w, 200, object{"sha": r.PathValue("sha"), "author": nil, "committer": nil, "commit": p.commit(r.PathValue("sha"))})
	})
	label := func(ok int, make bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			name := r.PathValue("n")
			switch {
			case p.manners.labels != 0:
				p.refuse(w, p.manners.labels, "Label does not exist")
			case make:
				p.labels[body(r)["name"].(string)] = true
				p.answer(w, ok, object{"name": name})
			case !p.labels[name]:
				p.refuse(w, 404, "Not Found")
			default:
				p.answer(w, ok, object{"name": name})
			}
		}
	}
	m.HandleFunc("GET "+at+"/labels/{n}", label(200, false))
	m.HandleFunc("POST "+at+"/labels", label(201, true))
	m.HandleFunc("POST "+at+"/issues/{n}/labels", func(w http.ResponseWriter, r *http.Request) {
		if p.manners.labels != 0 {
			p.refuse(w, p.manners.labels, "Label does not exist")
			return
		}
		var all []object
		for _, name := range body(r)["labels"].([]any) {
			all = append(all, object{"name": name})
		}
		p.find(w, r, p.pulls, "number")["labels"] = all
		p.answer(w, 200, all)
	})
}

// sayRoutes are comments, check runs, statuses and permissions.
func (p *plain) sayRoutes(m *http.ServeMux, at string) {
	m.HandleFunc("GET "+at+"/issues/{n}/comments", func(w http.ResponseWriter, r *http.Request) {
		p.answer(w, 200, p.cut(r, p.comments)) // oldest first, as GitHub has it
	})
	m.HandleFunc("POST "+at+"/issues/{n}/comments", func(w http.ResponseWriter, r *http.Request) {
		o := object{"id": p.id(), "body": body(r)["body"], "user": object{"login": p.botLogin, "type": "Bot"}}
		if p.nulls {
			o["user"] = nil
		}
		p.comments = append(p.comments, o)
		p.answer(w, 201, o)
	})
	m.HandleFunc("PATCH "+at+"/issues/comments/{n}", func(w http.ResponseWriter, r *http.Request) {
		if o := p.find(w, r, p.comments, "id"); o != nil {
			o["body"] = body(r)["body"]
			p.answer(w, 200, o)
		}
	})
	m.HandleFunc("DELETE "+at+"/issues/comments/{n}", func(w http.ResponseWriter, r *http.Request) {
		p.comments = slices.DeleteFunc(p.comments, func(o object) bool { return fmt.Sprint(o["id"]) == r.PathValue("n") })
		w.WriteHeader(204)
	})
	check := func(do http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if p.manners.checks != 0 {
				p.refuse(w, p.manners.checks, "Resource not accessible by personal access token")
				return
			}
			do(w, r)
		}
	}
	m.HandleFunc("GET "+at+"/commits/{sha}/check-runs", check(func(w http.ResponseWriter, r *http.Request) {
		p.answer(w, 200, object{"total_count": len(p.checks), "check_runs": p.page(r, p.checks)})
	}))
	m.HandleFunc("POST "+at+"/check-runs", check(func(w http.ResponseWriter, r *http.Request) {
		o := body(r)
		o["id"] = p.id()
		if p.nulls {
			o["app"], o["pull_requests"], o["started_at"] = nil, nil, nil
		}
		p.checks = append(p.checks, o)
		p.answer(w, 201, o)
	}))
	m.HandleFunc("PATCH "+at+"/check-runs/{n}", check(func(w http.ResponseWriter, r *http.Request) {
		if o := p.find(w, r, p.checks, "id"); o != nil {
			for key, value := range body(r) {
				o[key] = value
			}
			p.answer(w, 200, o)
		}
	}))
	m.HandleFunc("GET "+at+"/commits/{sha}/statuses", func(w http.ResponseWriter, r *http.Request) { p.answer(w, 200, p.page(r, p.statuses)) })
	m.HandleFunc("POST "+at+"/statuses/{sha}", func(w http.ResponseWriter, r *http.Request) {
		o := body(r)
		o["id"] = p.id()
		p.statuses = append(p.statuses, o)
		p.answer(w, 201, o)
	})
	m.HandleFunc("GET "+at+"/collaborators/{who}/permission", func(w http.ResponseWriter, r *http.Request) {
		level := map[string]string{"alice": "write", "carol": "read", "dave": "maintain"}[r.PathValue("who")]
		if level == "" {
			p.refuse(w, 404, "Not Found")
			return
		}
		o := object{"permission": level, "role_name": level, "user": object{"login": r.PathValue("who"), "type": "User"}}
		if p.nulls {
			o["user"] = nil
		}
		p.answer(w, 200, o)
	})
	m.HandleFunc("POST "+at+"/issues/comments/{n}/reactions", func(w http.ResponseWriter, r *http.Request) {
		p.answer(w, 201, object{"id": p.id()})
	})
}

func (p *plain) client(t *testing.T, change ...func(*github.Options)) *github.Client {
	w := &world{logs: &bytes.Buffer{}}
	return must(github.New(w.options(append([]func(*github.Options){func(o *github.Options) {
		o.URL, o.AppID, o.PrivateKey = p.URL+p.mount, 42, keyPEM()
	}}, change...)...)))(t)
}
