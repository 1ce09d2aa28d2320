package gitrepo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// forms are the ways in which a user's repository may lie on disk. Each returns the directory to
// open and what its HEAD must be in a clone.
var forms = map[string]func(f *fixture) (dir, head string){
	"work tree":     func(f *fixture) (string, string) { return f.dir, "refs/heads/main" },
	"subdirectory":  func(f *fixture) (string, string) { return filepath.Join(f.dir, "gone"), "refs/heads/main" },
	"git directory": func(f *fixture) (string, string) { return filepath.Join(f.dir, ".git"), "refs/heads/main" },
	"detached HEAD": func(f *fixture) (string, string) {
		f.git("checkout", "-q", "--detach")
		return f.dir, ""
	},
	"linked work tree": func(f *fixture) (string, string) {
		dir := filepath.Join(filepath.Dir(f.dir), "linked")
		f.git("worktree", "add", "-q", "-b", "side", dir)
		return dir, "refs/heads/side"
	},
	"bare": func(f *fixture) (string, string) {
		dir := filepath.Join(filepath.Dir(f.dir), "bare.git")
		f.git("clone", "-q", "--bare", f.dir, dir)
		return dir, "refs/heads/main"
	},
	"git file": func(f *fixture) (string, string) {
		dir := filepath.Join(filepath.Dir(f.dir), "separate")
		f.git("clone", "-q", "--separate-git-dir", dir+".git", f.dir, dir)
		return dir, "refs/heads/main"
	},
	"packed": func(f *fixture) (string, string) {
		f.git("gc", "-q")
		return f.dir, "refs/heads/main"
	},
	"borrowed objects": func(f *fixture) (string, string) {
		dir := filepath.Join(filepath.Dir(f.dir), "shared")
		f.git("clone", "-q", "--shared", f.dir, dir)
		return dir, "refs/heads/main"
	},
	"shallow": func(f *fixture) (string, string) {
		dir := filepath.Join(filepath.Dir(f.dir), "shallow")
		f.commit("second")
		f.git("clone", "-q", "--depth=1", "file://"+f.dir, dir)
		return dir, "refs/heads/main"
	},
}

func TestCloneAndProposeWorkForEveryFormOfRepository(t *testing.T) {
	ctx := context.Background()
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			f := simple(t)
			dir, head := form(f)
			want := f.gitIn(dir, "rev-parse", "HEAD")
			clone, err := Clone(ctx, dir, filepath.Join(t.TempDir(), "clone.git"))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := clone.Head(); err != nil || got != want {
				t.Errorf("head is %s (%v), want %s", got, err, want)
			}
			if head != "" {
				if got := f.gitIn(clone.Path(), "symbolic-ref", "HEAD"); got != head {
					t.Errorf("HEAD is %s, want %s", got, head)
				}
			}
			made, err := clone.Commit(ctx, draft())
			if err != nil {
				t.Fatal(err)
			}
			user := open(t, dir)
			before := f.state()
			if err := clone.Propose(ctx, user, BranchPrefix+"abc", made.SHA); err != nil {
				t.Fatal(err)
			}
			if got := f.gitIn(dir, "rev-parse", BranchPrefix+"abc"); got != made.SHA {
				t.Errorf("branch is at %s", got)
			}
			if after := f.state(); after != before {
				t.Errorf("state went from\n%s\nto\n%s", before, after)
			}
			f.gitIn(dir, "fsck", "--strict", "--no-dangling")
			if text := f.gitIn(clone.Path(), "config", "--list", "--local"); strings.Contains(text, "remote.") {
				t.Errorf("the clone points back: %s", text)
			}
		})
	}
}

func TestCloneCleansUpAndOverwritesNothing(t *testing.T) {
	f := simple(t)
	dst := filepath.Join(t.TempDir(), "clone")
	if err := os.MkdirAll(filepath.Join(dst+".partial", "left"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Clone(context.Background(), f.dir, dst); err != nil {
		t.Fatalf("what a killed run left stands in the way: %v", err)
	}
	if _, err := os.Stat(dst + ".partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the partial clone is still there: %v", err)
	}
	if _, err := Clone(context.Background(), f.dir, dst); err == nil || !strings.Contains(err.Error(), "exists; remove it") {
		t.Errorf("cloned over something: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	gone := filepath.Join(t.TempDir(), "clone")
	if _, err := Clone(ctx, f.dir, gone); err == nil {
		t.Error("a cancelled clone succeeded")
	}
	if entries, err := os.ReadDir(filepath.Dir(gone)); err != nil || len(entries) > 0 {
		t.Errorf("a cancelled clone left %v (%v)", entries, err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNotRepository) || !strings.Contains(err.Error(), "git init") {
		t.Errorf("a plain directory gives %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory gives %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file gives %v", err)
	}
	empty := newFixture(t)
	r := open(t, empty.dir)
	if _, err := r.Head(); err == nil || !strings.Contains(err.Error(), "no commit yet") {
		t.Errorf("an empty repository gives %v", err)
	}
	if _, err := Clone(context.Background(), empty.dir, filepath.Join(t.TempDir(), "c")); err == nil {
		t.Error("an empty repository was cloned")
	}
	if _, err := Open(empty.dir, WithGit("/no/such/git")); err == nil {
		t.Error("opened without git")
	}
}

func TestResolveNamesTheNextStep(t *testing.T) {
	f := simple(t)
	sha := f.git("rev-parse", "HEAD")
	f.git("tag", "-a", "v1", "-m", "x")
	r := open(t, f.dir)
	for _, rev := range []string{"HEAD", "main", "v1", sha, sha[:10], "refs/heads/main"} {
		if got, err := r.Resolve(rev); err != nil || got != sha {
			t.Errorf("%s is %s (%v)", rev, got, err)
		}
	}
	for _, rev := range []string{"", "-x", "--all", "nowhere", strings.Repeat("0", 40), "HEAD^{tree}", "a\nb", strings.Repeat("x", 5000)} {
		if _, err := r.Resolve(rev); !errors.Is(err, ErrNoCommit) {
			t.Errorf("%q gives %v", shorten(rev), err)
		}
	}
	if _, err := r.Resolve(strings.Repeat("a", 40)); err == nil || !strings.Contains(err.Error(), "git fetch --all") {
		t.Errorf("error is %v", err)
	}
	dir, _ := forms["shallow"](f)
	if _, err := open(t, dir).Resolve(sha); err == nil || !strings.Contains(err.Error(), "--unshallow") {
		t.Errorf("in a shallow clone the error is %v", err)
	}
}

func TestDefaultBranch(t *testing.T) {
	f := simple(t)
	for name, c := range map[string]struct {
		prepare func(f *fixture)
		want    string
	}{
		"main":       {func(*fixture) {}, "main"},
		"side, main": {func(f *fixture) { f.git("checkout", "-q", "-b", "side") }, "main"},
		"only trunk": {func(f *fixture) { f.git("branch", "-m", "trunk") }, "trunk"},
		"detached":   {func(f *fixture) { f.git("checkout", "-q", "--detach"); f.git("branch", "-D", "main") }, ""},
		"origin's head": {func(f *fixture) {
			f.git("update-ref", "refs/remotes/origin/dev", "HEAD")
			f.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/dev")
		}, "dev"},
	} {
		t.Run(name, func(t *testing.T) {
			f := simple(t)
			c.prepare(f)
			if got, err := open(t, f.dir).DefaultBranch(); err != nil || got != c.want {
				t.Errorf("branch is %q (%v), want %q", got, err, c.want)
			}
		})
	}
	base := f.git("rev-parse", "HEAD")
	next := f.commit("next")
	r := open(t, f.dir)
	for _, c := range []struct {
		a, b string
		want bool
	}{{base, next, true}, {next, base, false}, {base, base, true}, {"HEAD~1", "main", true}} {
		if got, err := r.IsAncestor(context.Background(), c.a, c.b); err != nil || got != c.want {
			t.Errorf("%s of %s: %v, %v", c.a, c.b, got, err)
		}
	}
	if _, err := r.IsAncestor(context.Background(), "nowhere", "main"); !errors.Is(err, ErrNoCommit) {
		t.Errorf("error is %v", err)
	}
}

// A repository may try to run code when it is read: hooks, monitors, filters, helpers.
func TestNothingInARepositoryRuns(t *testing.T) {
	ctx := context.Background()
	f := simple(t)
	trap := filepath.Join(t.TempDir(), "ran")
	script := filepath.Join(t.TempDir(), "trap.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$0\" >> "+trap+"\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	hooks := filepath.Join(f.dir, ".git", "hooks")
	if err := os.MkdirAll(hooks, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, hook := range []string{"reference-transaction", "post-checkout", "pre-receive", "post-update", "update", "post-commit", "pre-auto-gc"} {
		if err := os.Symlink(script, filepath.Join(hooks, hook)); err != nil {
			t.Fatal(err)
		}
	}
	f.write(".gitattributes", "*.txt diff=evil filter=evil\n")
	f.git("add", ".gitattributes")
	f.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "attributes")
	for _, key := range []string{"core.fsmonitor", "diff.evil.textconv", "diff.evil.command", "diff.external", "filter.evil.smudge", "filter.evil.clean",
		"core.pager", "core.sshCommand", "uploadpack.packObjectsHook", "gpg.program", "core.alternateRefsCommand", "core.editor"} {
		f.git("config", key, script)
	}
	f.git("config", "log.showSignature", "true")
	r := open(t, f.dir)
	if _, err := r.History(ctx, HistoryRange{From: "HEAD"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Checkout(ctx, "HEAD", filepath.Join(t.TempDir(), "out")); err != nil {
		t.Fatal(err)
	}
	clone, err := Clone(ctx, f.dir, filepath.Join(t.TempDir(), "clone"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := clone.Commit(ctx, draft())
	if err != nil {
		t.Fatal(err)
	}
	if err := clone.Propose(ctx, r, BranchPrefix+"x", made.SHA); err != nil {
		t.Fatal(err)
	}
	if ran, err := os.ReadFile(trap); err == nil {
		t.Errorf("the repository ran\n%s", ran)
	}
}
