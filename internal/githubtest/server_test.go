package githubtest_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/internal/githubtest"
)

const shop = "acme/shop"

// files makes a directory that becomes a repository.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"README.md": "# Shop\n", "payments/pay.go": "package payments\n\nfunc Pay() int { return 1 }\n", ".github/CODEOWNERS": "* @alice\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func start(t *testing.T, o githubtest.Options) (*githubtest.Server, *githubtest.Repository) {
	t.Helper()
	s := githubtest.New(t, o)
	s.AddUser("alice", "alice@example.com")
	r, err := s.AddRepository(shop, files(t))
	if err != nil {
		t.Fatal(err)
	}
	r.Collaborator("alice", "write")
	r.Collaborator("reader", "read")
	return s, r
}

// client is go-github with an App's installation behind it, as a program would use it.
func client(t *testing.T, s *githubtest.Server) *github.Client {
	t.Helper()
	transport, err := ghinstallation.New(http.DefaultTransport, s.AppID(), s.InstallationID(shop), s.AppKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	transport.BaseURL = strings.TrimSuffix(s.APIURL(), "/")
	return with(t, s, &http.Client{Transport: transport})
}

func with(t *testing.T, s *githubtest.Server, h *http.Client) *github.Client {
	t.Helper()
	c := github.NewClient(h)
	base, err := c.BaseURL.Parse(s.APIURL())
	if err != nil {
		t.Fatal(err)
	}
	c.BaseURL = base
	return c
}

// asApp is the App itself.
func asApp(t *testing.T, s *githubtest.Server) *github.Client {
	t.Helper()
	transport, err := ghinstallation.NewAppsTransport(http.DefaultTransport, s.AppID(), s.AppKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	return with(t, s, &http.Client{Transport: transport})
}

func asPerson(t *testing.T, s *githubtest.Server, login string) *github.Client {
	t.Helper()
	return with(t, s, nil).WithAuthToken(s.Token(login))
}

func must[T any](t *testing.T) func(v T, _ *github.Response, err error) T {
	return func(v T, _ *github.Response, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// propose makes a branch with one changed file and a draft pull request, all by the API.
func propose(t *testing.T, c *github.Client, branch string) *github.PullRequest {
	t.Helper()
	ctx := t.Context()
	tip := must[*github.Reference](t)(c.Git.GetRef(ctx, "acme", "shop", "heads/main"))
	base := must[*github.Commit](t)(c.Git.GetCommit(ctx, "acme", "shop", tip.Object.GetSHA()))
	blob := must[*github.Blob](t)(c.Git.CreateBlob(ctx, "acme", "shop", &github.Blob{Content: github.String("package payments\n\nfunc Pay() int { return 2 }\n"), Encoding: github.String("utf-8")}))
	tree := must[*github.Tree](t)(c.Git.CreateTree(ctx, "acme", "shop", base.Tree.GetSHA(), []*github.TreeEntry{{
		Path: github.String("payments/pay.go"), Mode: github.String("100644"), Type: github.String("blob"), SHA: blob.SHA,
	}}))
	when := github.Timestamp{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))}
	who := &github.CommitAuthor{Name: github.String("remediator"), Email: github.String("bot@example.com"), Date: &when}
	commit := must[*github.Commit](t)(c.Git.CreateCommit(ctx, "acme", "shop", &github.Commit{
		Message: github.String("Pay twice on " + branch), Tree: tree, Parents: []*github.Commit{{SHA: tip.Object.SHA}}, Author: who, Committer: who,
	}, nil))
	must[*github.Reference](t)(c.Git.CreateRef(ctx, "acme", "shop", &github.Reference{Ref: github.String("refs/heads/" + branch), Object: &github.GitObject{SHA: commit.SHA}}))
	return must[*github.PullRequest](t)(c.PullRequests.Create(ctx, "acme", "shop", &github.NewPullRequest{
		Title: github.String("Pay twice"), Head: github.String(branch), Base: github.String("main"), Body: github.String("Because."), Draft: github.Bool(true),
	}))
}

func TestPullRequestThroughTheGitDataAPI(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	pr := propose(t, client(t, s), "remediator/0123456789ab")
	if !pr.GetDraft() || pr.GetChangedFiles() != 1 || pr.GetCommits() != 1 || pr.GetMergeableState() != "draft" {
		t.Errorf("pull request = draft %v, %d files, %d commits, %s", pr.GetDraft(), pr.GetChangedFiles(), pr.GetCommits(), pr.GetMergeableState())
	}
	if pr.User.GetLogin() != s.AppLogin() {
		t.Errorf("made by %s, want %s", pr.User.GetLogin(), s.AppLogin())
	}
	author, err := r.Git("show", "-s", "--format=%an <%ae> %aI", pr.Head.GetSHA())
	if err != nil || author != "remediator <bot@example.com> 2026-01-02T03:04:05+01:00" {
		t.Errorf("author = %s, %v", author, err)
	}
	sha, err := s.As("alice").Merge(r, pr.GetNumber())
	if err != nil || r.Ref("refs/heads/main") != sha {
		t.Fatalf("merge = %s, %v; main is at %s", sha, err, r.Ref("refs/heads/main"))
	}
	if got := r.Pulls()[0]; !got.Merged || got.State != "closed" {
		t.Errorf("after the merge: %+v", got)
	}
}

func TestGitOverHTTP(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	r.Private()
	dir := filepath.Join(t.TempDir(), "clone")
	if out, err := git(t, "", "clone", r.CloneURL(), dir); err == nil {
		t.Fatalf("cloned a private repository without a token: %s", out)
	}
	token := s.InstallationToken(shop)
	url := strings.Replace(r.CloneURL(), "http://", "http://x-access-token:"+token+"@", 1)
	run := func(args ...string) {
		t.Helper()
		if out, err := git(t, dir, args...); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	if out, err := git(t, "", "clone", url, dir); err != nil {
		t.Fatalf("clone: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "new.txt"), []byte("new\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run("add", ".")
	run("-c", "user.name=Alice", "-c", "user.email=alice@example.com", "commit", "-m", "Add a file")
	run("push", "origin", "HEAD:refs/heads/topic")
	head, err := git(t, dir, "rev-parse", "HEAD")
	if err != nil || r.Ref("refs/heads/topic") != strings.TrimSpace(head) {
		t.Errorf("topic = %s, pushed %s (%v)", r.Ref("refs/heads/topic"), head, err)
	}
	var pushes int
	for _, d := range s.Deliveries() {
		if d.Event == "push" {
			pushes++
		}
	}
	if pushes != 1 {
		t.Errorf("%d push events, want 1", pushes)
	}
	reader := strings.Replace(r.CloneURL(), "http://", "http://reader:"+s.Token("reader")+"@", 1)
	if out, err := git(t, dir, "push", reader, "HEAD:refs/heads/forbidden"); err == nil {
		t.Errorf("somebody who may only read pushed: %s", out)
	}
	for _, e := range s.Requests() {
		if strings.Contains(e.Path+e.Body, token) {
			t.Errorf("the log holds a token: %+v", e)
		}
	}
}

func git(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
