package github_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

func TestBranchHoldsTheSignedCommitItself(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	change := w.change(t, w.base, "package main\n\nfunc main() { println(1) }\n")
	sha := must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	if sha != change.SHA || w.repo.Ref("refs/heads/"+branch) != change.SHA {
		t.Fatalf("branch at %s, returned %s, want %s", w.repo.Ref("refs/heads/"+branch), sha, change.SHA)
	}
	raw := must(w.repo.Git("cat-file", "commit", change.SHA))(t)
	if strings.TrimSpace(raw) != strings.TrimSpace(string(change.Commit)) {
		t.Errorf("stored commit differs:\n%s\nwant\n%s", raw, change.Commit)
	}
	if names := must(w.repo.Git("ls-tree", "-r", "--name-only", change.SHA))(t); strings.Contains(names, "old/unused.txt") || !strings.Contains(names, "fix/data.bin") {
		t.Errorf("files: %s", names)
	}
	// Once more, by the same client and by one that knows nothing: nothing is written.
	w.ForgetRequests()
	must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	must(w.client(t).EnsureBranch(t.Context(), repo, branch, change.SHA, change))(t)
	for what, n := range w.Mutations() {
		if !strings.Contains(what, "access_tokens") {
			t.Errorf("repeating wrote %s, %d times", what, n)
		}
	}
}

func TestBranchFollowsANewChange(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	first := w.change(t, w.base, "package main // 1\n")
	must(c.EnsureBranch(t.Context(), repo, branch, "", first))(t)
	moved := must(w.As("alice").PushCommit(w.repo, "main", "go on", map[string][]byte{"other.txt": []byte("x")}))(t)
	second := w.change(t, moved, "package main // 2\n")
	must(c.EnsureBranch(t.Context(), repo, branch, first.SHA, second))(t)
	if got := w.repo.Ref("refs/heads/" + branch); got != second.SHA {
		t.Fatalf("branch at %s, want %s", got, second.SHA)
	}
}

func TestCommitOfAPersonIsNeverOverwritten(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	first := w.change(t, w.base, "package main // 1\n")
	must(c.EnsureBranch(t.Context(), repo, branch, "", first))(t)
	theirs := must(w.As("alice").PushCommit(w.repo, branch, "mine", map[string][]byte{"main.go": []byte("package mine\n")}))(t)
	second := w.change(t, w.base, "package main // 2\n")
	for _, previous := range []string{first.SHA, ""} {
		if _, err := c.EnsureBranch(t.Context(), repo, branch, previous, second); !errors.Is(err, docket.ErrHumanCommits) {
			t.Errorf("previous %q: %v, want ErrHumanCommits", previous, err)
		}
	}
	if err := c.DeleteBranch(t.Context(), repo, branch, first.SHA); !errors.Is(err, docket.ErrHumanCommits) {
		t.Errorf("delete: %v, want ErrHumanCommits", err)
	}
	if got := w.repo.Ref("refs/heads/" + branch); got != theirs {
		t.Fatalf("branch at %s, want the person's %s", got, theirs)
	}
}

func TestCommitOfAPersonThatComesWhileTheCommitIsMadeStays(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	first := w.change(t, w.base, "package main // 1\n")
	must(c.EnsureBranch(t.Context(), repo, branch, "", first))(t)
	second := w.change(t, w.base, "package main // 2\n")
	theirs := ""
	w.onceAfter("POST", "/git/commits", func() {
		theirs = must(w.As("alice").PushCommit(w.repo, branch, "mine", map[string][]byte{"a": []byte("b")}))(t)
	})
	if _, err := c.EnsureBranch(t.Context(), repo, branch, first.SHA, second); !errors.Is(err, docket.ErrHumanCommits) {
		t.Fatalf("%v, want ErrHumanCommits", err)
	}
	if got := w.repo.Ref("refs/heads/" + branch); got != theirs || theirs == "" {
		t.Fatalf("branch at %s, want the person's %s", got, theirs)
	}
}

func TestBranchMadeByAnotherProcessAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	change := w.change(t, w.base, "package main // 1\n")
	other := w.client(t)
	w.onceBefore("POST", "/git/refs", func() {
		must(other.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	})
	must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	if got := w.repo.Ref("refs/heads/" + branch); got != change.SHA {
		t.Fatalf("branch at %s, want %s", got, change.SHA)
	}
}

func TestChangesThatAreNotWhatTheEvidenceSays(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	good := w.change(t, w.base, "package main // 1\n")
	for name, spoil := range map[string]func(*docket.Change){
		"another hash":    func(c *docket.Change) { c.SHA = strings.Repeat("1", 40) },
		"another tree":    func(c *docket.Change) { c.Tree = strings.Repeat("1", 40) },
		"another base":    func(c *docket.Change) { c.Base = strings.Repeat("1", 40) },
		"no commit":       func(c *docket.Change) { c.Commit = nil },
		"changed commit":  func(c *docket.Change) { c.Commit = append(slices.Clone(c.Commit), '!') },
		"no file":         func(c *docket.Change) { c.Files = nil },
		"a file left out": func(c *docket.Change) { c.Files = c.Files[:2] },
		"other content": func(c *docket.Change) {
			c.Files = append(c.Files[:3:3], docket.FileChange{Path: "x", Mode: "100644", Content: []byte("y")})
		},
		"path outside":    func(c *docket.Change) { c.Files = []docket.FileChange{{Path: "../x", Mode: "100644"}} },
		"path in .git":    func(c *docket.Change) { c.Files = []docket.FileChange{{Path: "a/.GIT/config", Mode: "100644"}} },
		"a symbolic link": func(c *docket.Change) { c.Files = []docket.FileChange{{Path: "x", Mode: "120000"}} },
		"a workflow": func(c *docket.Change) {
			c.Files = []docket.FileChange{{Path: ".github/workflows/ci.yml", Mode: "100644"}}
		},
		"a deleted workflow": func(c *docket.Change) {
			c.Files = []docket.FileChange{{Path: ".github/Workflows/ci.yml", Deleted: true}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			change := good
			spoil(&change)
			if _, err := c.EnsureBranch(t.Context(), repo, branch, "", change); err == nil {
				t.Error("accepted")
			}
			if got := w.repo.Ref("refs/heads/" + branch); got != "" {
				t.Errorf("a branch was made at %s", got)
			}
		})
	}
}

func TestBaseThatIsGone(t *testing.T) {
	w := newWorld(t)
	other := newWorld(t)
	write(t, other.clone, "elsewhere", "x")
	elsewhere := must(other.As("alice").PushCommit(other.repo, "main", "only here", map[string][]byte{"q": []byte("q")}))(t)
	change := other.change(t, elsewhere, "package main\n")
	if _, err := w.client(t).EnsureBranch(t.Context(), repo, branch, "", change); !errors.Is(err, docket.ErrBaseMoved) {
		t.Fatalf("%v, want ErrBaseMoved", err)
	}
}

func TestBranchNameTakenByABranchCalledRemediator(t *testing.T) {
	w := newWorld(t)
	must(w.As("alice").PushCommit(w.repo, "remediator", "in the way", map[string][]byte{"x": []byte("x")}))(t)
	_, err := w.client(t).EnsureBranch(t.Context(), repo, branch, "", w.change(t, w.base, "package main // 1\n"))
	if err == nil || !strings.Contains(err.Error(), "rename that branch") {
		t.Fatalf("%v, want the next step", err)
	}
}

func TestNamesThatAreNotOurs(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	change := w.change(t, w.base, "package main // 1\n")
	for _, name := range []string{"main", "", "remediator/", "remediator/a/b", "remediator/..", "remediator/a..b", "remediator/x.lock", "remediator/a\nb", "refs/heads/main", "remediator/@{1}"} {
		if _, err := c.EnsureBranch(t.Context(), repo, name, "", change); err == nil {
			t.Errorf("branch %q was accepted", name)
		}
		if err := c.DeleteBranch(t.Context(), repo, name, change.SHA); err == nil {
			t.Errorf("deleting %q was accepted", name)
		}
	}
	for _, name := range []string{"", "acme", "acme/shop/x", "../shop", "acme/..", "acme/shop?x", "acme/sh op", "acme/shop\n"} {
		if _, err := c.Tip(t.Context(), name, "main"); err == nil {
			t.Errorf("repository %q was accepted", name)
		}
	}
}

func TestDeleteBranch(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	change := w.change(t, w.base, "package main // 1\n")
	must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	for range 2 {
		if err := c.DeleteBranch(t.Context(), repo, branch, change.SHA); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.repo.Ref("refs/heads/" + branch); got != "" {
		t.Fatalf("branch still at %s", got)
	}
}

func TestTip(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	for _, name := range []string{"main", ""} {
		if got := must(c.Tip(t.Context(), repo, name))(t); got != w.base {
			t.Errorf("tip of %q is %s, want %s", name, got, w.base)
		}
	}
	if _, err := c.Tip(t.Context(), repo, "nowhere"); err == nil || !strings.Contains(err.Error(), "no branch") {
		t.Errorf("%v", err)
	}
}

func TestAutonomyIsCheckedWhereSomethingIsWritten(t *testing.T) {
	w := newWorld(t)
	change := w.change(t, w.base, "package main // 1\n")
	type write struct {
		name string
		need remedy.Autonomy
		do   func(*github.Client) error
	}
	writes := []write{
		{"branch", remedy.Branch, func(c *github.Client) error {
			_, err := c.EnsureBranch(t.Context(), repo, branch, "", change)
			return err
		}},
		{"evidence", remedy.Branch, func(c *github.Client) error {
			return c.EnsureEvidence(t.Context(), repo, fingerprint, map[string][]byte{"case.json": []byte("{}")})
		}},
		{"check", remedy.Branch, func(c *github.Client) error {
			_, err := c.EnsureCheck(t.Context(), repo, docket.CheckRun{Case: fingerprint, Name: "remediator", Head: w.base, Status: "queued"})
			return err
		}},
		{"status", remedy.Branch, func(c *github.Client) error {
			return c.EnsureStatus(t.Context(), repo, docket.CommitStatus{Head: w.base, Context: "remediator", State: "pending"})
		}},
		{"pull", remedy.Draft, func(c *github.Client) error { _, err := c.EnsurePull(t.Context(), repo, pullOf(change)); return err }},
		{"comment", remedy.Draft, func(c *github.Client) error { return c.EnsureComment(t.Context(), repo, 1, "k", "b") }},
		{"reaction", remedy.Draft, func(c *github.Client) error { return c.React(t.Context(), repo, 1, "eyes") }},
		{"close", remedy.Draft, func(c *github.Client) error { return c.ClosePull(t.Context(), repo, 1) }},
		{"delete", remedy.Branch, func(c *github.Client) error { return c.DeleteBranch(t.Context(), repo, branch, change.SHA) }},
	}
	grade := map[remedy.Autonomy]int{"": 0, remedy.Report: 0, "nonsense": 0, remedy.Branch: 1, remedy.Draft: 2}
	for _, limit := range []remedy.Autonomy{"", remedy.Report, "nonsense", remedy.Branch} {
		c := w.client(t, func(o *github.Options) { o.Autonomy = func(string) remedy.Autonomy { return limit } })
		for _, one := range writes {
			if grade[limit] >= grade[one.need] {
				continue
			}
			w.ForgetRequests()
			if err := one.do(c); !errors.Is(err, docket.ErrForbidden) {
				t.Errorf("autonomy %q: %s gives %v, want ErrForbidden", limit, one.name, err)
			}
			if n := len(w.Requests()); n != 0 {
				t.Errorf("autonomy %q: %s sent %d requests", limit, one.name, n)
			}
		}
	}
	// Without a function nothing is written either.
	c := w.client(t, func(o *github.Options) { o.Autonomy = nil })
	if err := writes[0].do(c); !errors.Is(err, docket.ErrForbidden) {
		t.Errorf("no autonomy at all: %v", err)
	}
	// A cap at draft makes a draft of what was to be ready.
	c = w.client(t, func(o *github.Options) { o.Autonomy = func(string) remedy.Autonomy { return remedy.Draft } })
	must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	want := pullOf(change)
	want.Draft = false
	if p := must(c.EnsurePull(t.Context(), repo, want))(t); !p.Draft {
		t.Error("a pull request that is ready was opened under a cap at draft")
	}
}
