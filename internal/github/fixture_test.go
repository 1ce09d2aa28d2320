package github_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/internal/githubtest"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

const (
	repo        = "acme/shop"
	fingerprint = "0123456789abcdef0123456789abcdef"
	branch      = "remediator/0123456789ab"
)

// appKey is one key for all tests, since making one takes a while.
var appKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// world is a stand-in with one repository, and a clone of it where changes are made.
type world struct {
	*githubtest.Server
	repo  *githubtest.Repository
	clone string
	base  string
	logs  *bytes.Buffer
	mu    sync.Mutex
	waits []time.Duration
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, githubtest.Options{})
}

func newWorldWith(t *testing.T, o githubtest.Options) *world {
	t.Helper()
	source := t.TempDir()
	write(t, source, "main.go", "package main\n\nfunc main() {}\n")
	write(t, source, "old/unused.txt", "gone soon\n")
	write(t, source, "README.md", "a shop\n")
	o.AppKey = appKey()
	s := githubtest.New(t, o)
	s.AddOrganization("acme", "payments")
	for _, who := range []string{"alice", "bob", "carol"} {
		s.AddUser(who, who+"@example.com")
	}
	r, err := s.AddRepository(repo, source)
	if err != nil {
		t.Fatal(err)
	}
	r.Collaborator("alice", "write")
	r.Collaborator("bob", "write")
	r.Collaborator("carol", "read")
	w := &world{Server: s, repo: r, logs: &bytes.Buffer{}}
	w.clone = filepath.Join(t.TempDir(), "clone")
	git(t, ".", "clone", "--quiet", "--bare", filepath.Join(gitDir(t, r)), w.clone)
	w.base = git(t, w.clone, "rev-parse", "HEAD")
	return w
}

func gitDir(t *testing.T, r *githubtest.Repository) string {
	t.Helper()
	dir, err := r.Git("rev-parse", "--absolute-git-dir")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(dir)
}

// client is an App's client that waits without waiting.
func (w *world) client(t *testing.T, change ...func(*github.Options)) *github.Client {
	t.Helper()
	app := func(o *github.Options) { o.URL, o.AppID, o.PrivateKey = w.APIURL(), w.AppID(), w.AppKeyPEM() }
	c, err := github.New(w.options(append([]func(*github.Options){app}, change...)...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// options are those of all clients here.
func (w *world) options(change ...func(*github.Options)) github.Options {
	o := github.Options{
		Version:  "test",
		Autonomy: func(string) remedy.Autonomy { return remedy.Ready },
		MaxWait:  time.Hour,
		Sleep: func(ctx context.Context, d time.Duration) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.waits = append(w.waits, d)
			return ctx.Err()
		},
		Random: func() float64 { return 0.5 },
		Log:    slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&o)
	}
	return o
}

func withToken(token string) func(*github.Options) {
	return func(o *github.Options) { o.AppID, o.PrivateKey, o.Token = 0, nil, token }
}

func write(t *testing.T, dir, path, content string) {
	t.Helper()
	full := filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// signature has the form of an SSH signature, which GitHub stores without looking at it.
const signature = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg\nlQZsyQy0c5y8vYl8\n-----END SSH SIGNATURE-----"

// change makes a signed commit on a base, as the tool makes them: main.go changes, a file is new, a
// program is new, and one file goes.
func (w *world) change(t *testing.T, base, content string) docket.Change {
	t.Helper()
	return w.changeFor(t, base, content, fingerprint)
}

func (w *world) changeFor(t *testing.T, base, content, fingerprint string) docket.Change {
	t.Helper()
	return w.changeOf(t, base, []docket.FileChange{
		{Path: "main.go", Mode: "100644", Content: []byte(content)},
		{Path: "fix/run.sh", Mode: "100755", Content: []byte("#!/bin/sh\nexit 0\n")},
		{Path: "fix/data.bin", Mode: "100644", Content: []byte{0, 0xff, 1, 2}},
		{Path: "old/unused.txt", Deleted: true},
	}, "Back off between attempts\n\nRemediator-Case: "+fingerprint+"\n")
}

func (w *world) changeOf(t *testing.T, base string, files []docket.FileChange, message string) docket.Change {
	t.Helper()
	return changeIn(t, w.clone, gitDir(t, w.repo), base, files, message)
}

// changeIn makes a change in a bare clone, brought up to date with a repository.
func changeIn(t *testing.T, clone, origin, base string, files []docket.FileChange, message string) docket.Change {
	t.Helper()
	git(t, clone, "fetch", "--quiet", origin, "+refs/*:refs/fetched/*")
	index := filepath.Join(t.TempDir(), "index")
	run := func(in []byte, args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Stdin = clone, bytes.NewReader(in)
		cmd.Env = append(os.Environ(), "GIT_INDEX_FILE="+index, "GIT_CONFIG_GLOBAL="+os.DevNull)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run(nil, "read-tree", base)
	for _, f := range files {
		if f.Deleted {
			run([]byte("0 "+strings.Repeat("0", 40)+"\t"+f.Path+"\n"), "update-index", "--index-info")
			continue
		}
		blob := run(f.Content, "hash-object", "-w", "--stdin")
		run(nil, "update-index", "--add", "--cacheinfo", f.Mode+","+blob+","+f.Path)
	}
	c := docket.Change{Base: base, Tree: run(nil, "write-tree"), Message: message, Files: files}
	who := "remediator <remediator@users.noreply.github.com> 1782000000 +0000"
	c.Commit = fmt.Appendf(nil, "tree %s\nparent %s\nauthor %s\ncommitter %s\ngpgsig %s\n\n%s",
		c.Tree, base, who, who, strings.ReplaceAll(signature, "\n", "\n "), message)
	c.SHA = hash("commit", c.Commit)
	return c
}

func hash(kind string, content []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00%s", kind, len(content), content)
	return hex.EncodeToString(h.Sum(nil))
}

// incident is one case with what it changes.
type incident struct {
	fingerprint string
	change      docket.Change
}

func (i incident) branch() string { return "remediator/" + i.fingerprint[:12] }

// incident makes the nth case of a world.
func (w *world) incident(t *testing.T, n int) incident {
	t.Helper()
	f := fmt.Sprintf("%012x%020x", n+1, n+1)
	return incident{f, w.changeFor(t, w.base, "package main // 1\n", f)}
}

// pullOf is the pull request that tests want.
func pullOf(c docket.Change) docket.PullRequest {
	return docket.PullRequest{
		Case: fingerprint, Branch: branch, Base: "main", Head: c.SHA, Title: "Back off in payments", Body: "The evidence.\n",
		Draft: true, Labels: []string{"remediator", "incident"}, Reviewers: []string{"alice"},
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// onceAfter runs something once, right after the first request of a kind had its effect.
func (w *world) onceAfter(method, suffix string, do func()) {
	w.once(githubtest.After, method, suffix, do)
}

// onceBefore runs something once, right before the first request of a kind has its effect.
func (w *world) onceBefore(method, suffix string, do func()) {
	w.once(githubtest.Before, method, suffix, do)
}

func (w *world) once(phase githubtest.Phase, method, suffix string, do func()) {
	var done atomic.Bool
	w.OnRequest(func(p githubtest.Phase, r *http.Request) {
		if p == phase && r.Method == method && strings.HasSuffix(r.URL.Path, suffix) && done.CompareAndSwap(false, true) {
			do()
		}
	})
}

func keyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(appKey())})
}

// blobOf is the hash of the blob that a request makes.
func blobOf(r *http.Request) string {
	var body struct{ Content []byte }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return err.Error()
	}
	return hash("blob", body.Content)
}

func signatureOf(r *http.Request) string {
	var body struct{ Signature string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return err.Error()
	}
	return body.Signature
}
