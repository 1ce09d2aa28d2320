package github_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/internal/githubtest"
)

func TestMirrorFollowsTheRepository(t *testing.T) {
	w := newWorld(t)
	w.repo.Private()
	c := w.client(t)
	dir := t.TempDir()
	path := must(c.Mirror(t.Context(), repo, dir))(t)
	if got := git(t, path, "rev-parse", "HEAD"); got != w.base {
		t.Fatalf("HEAD is %s, want %s", got, w.base)
	}
	must(w.As("alice").PushCommit(w.repo, "feature", "a branch", map[string][]byte{"f": []byte("f")}))(t)
	moved := must(w.As("alice").PushCommit(w.repo, "main", "go on", map[string][]byte{"x": []byte("y")}))(t)
	if again := must(c.Mirror(t.Context(), repo, dir))(t); again != path {
		t.Errorf("mirrored to %s and then %s", path, again)
	}
	if got := git(t, path, "rev-parse", "HEAD"); got != moved {
		t.Errorf("HEAD is %s, want %s", got, moved)
	}
	if err := w.As("alice").DeleteBranch(w.repo, "feature"); err != nil {
		t.Fatal(err)
	}
	must(c.Mirror(t.Context(), repo, dir))(t)
	if got := git(t, path, "for-each-ref", "--format=%(refname)"); got != "refs/heads/main" {
		t.Errorf("references %q", got)
	}
	// Nothing of the token is left on disk.
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(p)
		for _, word := range []string{"x-access-token", "extraHeader", "Authorization", "ghs_"} {
			if strings.Contains(string(content), word) {
				t.Errorf("%s holds %q", p, word)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestManyMayMirrorAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	errs := make(chan error)
	clients := []*github.Client{w.client(t), w.client(t)}
	for i := range 6 {
		go func() {
			path, err := clients[i%2].Mirror(t.Context(), repo, dir)
			if err == nil {
				var out []byte
				if out, err = exec.Command("git", "-C", path, "rev-parse", "HEAD").CombinedOutput(); err == nil && strings.TrimSpace(string(out)) != w.base {
					err = fmt.Errorf("HEAD is %s", out)
				}
			}
			errs <- err
		}()
	}
	for range 6 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestMirrorLeftHalfWayIsMadeAnew(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	dir := t.TempDir()
	broken := filepath.Join(dir, "acme", "shop.git")
	write(t, broken, "objects/pack/tmp_pack_x", "half a pack")
	path := must(c.Mirror(t.Context(), repo, dir))(t)
	if got := git(t, path, "rev-parse", "HEAD"); path != broken || got != w.base {
		t.Errorf("%s at %s", path, got)
	}
}

func TestTokenOfTheMirrorCanOnlyReadThisRepository(t *testing.T) {
	w := newWorld(t)
	var asked string
	w.OnRequest(func(p githubtest.Phase, r *http.Request) {
		if p == githubtest.Before && strings.HasSuffix(r.URL.Path, "/access_tokens") {
			body := make([]byte, 4096)
			n, _ := r.Body.Read(body)
			asked += string(body[:n])
		}
	})
	must(w.client(t).Mirror(t.Context(), repo, t.TempDir()))(t)
	if !strings.Contains(asked, `"repositories":["shop"]`) || !strings.Contains(asked, `"contents":"read"`) || strings.Contains(asked, "write") {
		t.Errorf("asked for %s", asked)
	}
}

// hostileMetadata is a GitHub that names a clone URL of an attacker's choice.
func hostileMetadata(t *testing.T, clone, branch string) *github.Client {
	t.Helper()
	c, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"id":1,"full_name":"acme/shop","clone_url":%q,"default_branch":%q,"size":1}`, strings.ReplaceAll(clone, "HOST", r.Host), branch)
	})
	return c
}

func TestCloneURLThatIsNoOriginIsNotFetched(t *testing.T) {
	for _, clone := range []string{
		"file:///etc", "file://HOST/etc", "ext::sh -c touch% /tmp/pwned", "ssh://HOST/acme/shop", "http://user:pw@HOST/acme/shop",
		"--upload-pack=touch /tmp/pwned", "/etc", "https://HOST/acme/shop.git", "git://HOST/acme/shop.git", "http://HOST/x?y", "http:",
	} {
		if path, err := hostileMetadata(t, clone, "main").Mirror(t.Context(), repo, t.TempDir()); err == nil {
			t.Errorf("%q was mirrored to %s", clone, path)
		}
	}
	for _, branch := range []string{"", "../../x", "a b", "-x", "a..b"} {
		if path, err := hostileMetadata(t, "http://HOST/acme/shop.git", branch).Mirror(t.Context(), repo, t.TempDir()); err == nil {
			t.Errorf("default branch %q was mirrored to %s", branch, path)
		}
	}
}

func TestCloneURLOfAnotherHostDoesNotGetTheToken(t *testing.T) {
	asked, leaked := make(chan struct{}, 100), make(chan string, 100)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		if a := r.Header.Get("Authorization"); a != "" {
			leaked <- a
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer other.Close()
	if path, err := hostileMetadata(t, other.URL+"/acme/shop.git", "main").Mirror(t.Context(), repo, t.TempDir()); err == nil {
		t.Errorf("mirrored to %s", path)
	}
	if len(asked) == 0 {
		t.Error("the other host was not asked")
	}
	if len(leaked) != 0 {
		t.Errorf("the other host got %q", <-leaked)
	}
}

func TestRedirectOfGitDoesNotGetTheToken(t *testing.T) {
	leaked := false
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { leaked = true }))
	defer other.Close()
	c, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/info/refs") {
			http.Redirect(w, r, other.URL+r.URL.RequestURI(), http.StatusFound)
			return
		}
		fmt.Fprintf(w, `{"id":1,"full_name":"acme/shop","clone_url":"http://%s/acme/shop.git","default_branch":"main"}`, r.Host)
	})
	_, err := c.Mirror(t.Context(), repo, t.TempDir())
	if err == nil || leaked || strings.Contains(err.Error(), "token-of-a-test") {
		t.Errorf("error %v, leaked %v", err, leaked)
	}
}

func TestHooksAndConfigurationOfTheUserDoNotRun(t *testing.T) {
	w := newWorld(t)
	home := t.TempDir()
	ran := filepath.Join(home, "ran")
	script := filepath.Join(home, "hook.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch "+ran+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, home, ".gitconfig", "[core]\n\thooksPath = "+home+"\n\tfsmonitor = "+script+"\n[credential]\n\thelper = !"+script+"\n[url \"http://127.0.0.1:1/\"]\n\tinsteadOf = "+w.URL()+"/\n")
	if err := os.Symlink(script, filepath.Join(home, "reference-transaction")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	t.Setenv("GIT_DIR", "/nowhere")
	t.Setenv("GIT_CONFIG_PARAMETERS", "'core.hooksPath'='"+home+"'")
	must(w.client(t).Mirror(t.Context(), repo, t.TempDir()))(t)
	if _, err := os.Stat(ran); err == nil {
		t.Error("a program of the user's configuration ran")
	}
}

func TestMirrorIsCancelled(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.client(t).Mirror(ctx, repo, t.TempDir()); err == nil {
		t.Error("mirrored with a context that was over")
	}
}
