package githubtest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/internal/githubtest"
)

// TestSignedCommitKeepsItsHash signs a commit with git itself and makes the same commit by the API: the object has to be
// the same, and git has to verify it.
func TestSignedCommitKeepsItsHash(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is needed to sign a commit: ", err)
	}
	s, r := start(t, githubtest.Options{})
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	clone := filepath.Join(dir, "clone")
	run := func(args ...string) string {
		t.Helper()
		out, err := git(t, clone, args...)
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return out
	}
	if out, err := git(t, "", "clone", "-q", r.CloneURL(), clone); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	run("-c", "user.name=Bot Ö", "-c", "user.email=bot@example.com", "-c", "gpg.format=ssh", "-c", "user.signingkey="+key, "commit", "-q", "--allow-empty", "-S", "-m", "Sign\n\nwith a body")
	want := strings.TrimSpace(run("rev-parse", "HEAD"))
	head, message, _ := strings.Cut(run("cat-file", "commit", "HEAD"), "\n\n")
	var signature []string
	for _, l := range strings.Split(head, "\n") {
		if rest, ok := strings.CutPrefix(l, "gpgsig "); ok {
			signature = append(signature, rest)
		} else if len(signature) > 0 && strings.HasPrefix(l, " ") {
			signature = append(signature, l[1:])
		}
	}
	when, err := time.Parse(time.RFC3339, strings.TrimSpace(run("show", "-s", "--format=%aI")))
	if err != nil {
		t.Fatal(err)
	}
	who := &github.CommitAuthor{Name: github.String("Bot Ö"), Email: github.String("bot@example.com"), Date: &github.Timestamp{Time: when}}
	c := client(t, s)
	tip := r.Ref("refs/heads/main")
	base := must[*github.Commit](t)(c.Git.GetCommit(t.Context(), "acme", "shop", tip))
	got := must[*github.Commit](t)(c.Git.CreateCommit(t.Context(), "acme", "shop", &github.Commit{
		Message: &message, Tree: &github.Tree{SHA: base.Tree.SHA}, Parents: []*github.Commit{{SHA: &tip}}, Author: who, Committer: who,
		Verification: &github.SignatureVerification{Signature: github.String(strings.Join(signature, "\n") + "\n")},
	}, nil))
	if got.GetSHA() != want {
		t.Errorf("made %s, signed %s", got.GetSHA(), want)
	}
	if got.Verification.GetReason() != "unknown_key" || !strings.HasPrefix(got.Verification.GetPayload(), "tree ") || strings.Contains(got.Verification.GetPayload(), "gpgsig") {
		t.Errorf("verification = %+v", got.Verification)
	}
	signers := filepath.Join(dir, "signers")
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(signers, []byte("bot@example.com "+string(public)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := r.Git("-c", "gpg.ssh.allowedSignersFile="+signers, "verify-commit", got.GetSHA()); err != nil {
		t.Errorf("git does not verify the commit: %v: %s", err, out)
	}
}

// TestTreesAreEdited adds, changes, removes and makes executable in one tree, as git then sees it.
func TestTreesAreEdited(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	c := client(t, s)
	base, err := r.Git("rev-parse", "main^{tree}")
	if err != nil {
		t.Fatal(err)
	}
	entry := func(path, mode, content string) *github.TreeEntry {
		return &github.TreeEntry{Path: &path, Mode: &mode, Type: github.String("blob"), Content: &content}
	}
	tree := must[*github.Tree](t)(c.Git.CreateTree(t.Context(), "acme", "shop", base, []*github.TreeEntry{
		entry("deep/er/new.sh", "100755", "#!/bin/sh\n"), entry("payments/pay.go", "100644", "package payments\n"),
		{Path: github.String("README.md"), Mode: github.String("100644"), Type: github.String("blob")},
	}))
	list, err := r.Git("ls-tree", "-r", "--format=%(objectmode) %(path)", tree.GetSHA())
	want := "100644 .github/CODEOWNERS\n100755 deep/er/new.sh\n100644 payments/pay.go"
	if err != nil || list != want {
		t.Errorf("tree:\n%s\nwant:\n%s (%v)", list, want, err)
	}
	if _, err := r.Git("fsck", "--strict", tree.GetSHA()); err != nil {
		t.Error(err)
	}
}

// TestPullRequestFollowsItsBranch pushes to, merges by push, and deletes branches.
func TestPullRequestFollowsItsBranch(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	c := client(t, s)
	pr := propose(t, c, "remediator/follow")
	sha, err := s.As("alice").PushCommit(r, "remediator/follow", "By hand", map[string][]byte{"README.md": nil})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Pulls()[0]; got.HeadSHA != sha || r.Ref("refs/pull/1/head") != sha {
		t.Errorf("the pull request is at %s, its ref at %s, pushed %s", got.HeadSHA, r.Ref("refs/pull/1/head"), sha)
	}
	if err := s.As("alice").DeleteBranch(r, "remediator/follow"); err != nil {
		t.Fatal(err)
	}
	if got := r.Pulls()[0]; got.State != "closed" || got.Merged {
		t.Errorf("after its branch went: %+v", got)
	}
	if err := do(t, c, "PATCH", "repos/acme/shop/pulls/1", object{"state": "open"}); status(err) != 422 {
		t.Errorf("reopening %d without its branch: %v", pr.GetNumber(), err)
	}
	second := propose(t, c, "remediator/second")
	if err := do(t, c, "PATCH", "repos/acme/shop/git/refs/heads/main", object{"sha": second.Head.GetSHA()}); err != nil {
		t.Fatal(err)
	}
	if got := r.Pulls()[1]; !got.Merged {
		t.Errorf("after main moved to its head: %+v", got)
	}
}

// TestDraftsByGraphQL takes a pull request out of draft and back.
func TestDraftsByGraphQL(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	c := client(t, s)
	pr := propose(t, c, "remediator/draft")
	for _, tc := range []struct {
		mutation string
		draft    bool
	}{{"markPullRequestReadyForReview", false}, {"convertPullRequestToDraft", true}} {
		err := do(t, c, "POST", "graphql", object{
			"query":     "mutation($id: ID!) { " + tc.mutation + "(input: {pullRequestId: $id}) { pullRequest { isDraft } } }",
			"variables": object{"id": pr.GetNodeID()},
		})
		if err != nil || r.Pulls()[0].Draft != tc.draft {
			t.Errorf("%s: draft = %v, %v", tc.mutation, r.Pulls()[0].Draft, err)
		}
	}
}

// TestEnterprise serves below /api/v3 and nowhere else.
func TestEnterprise(t *testing.T) {
	s, _ := start(t, githubtest.Options{Enterprise: true, Undescribed: true})
	if !strings.HasSuffix(s.APIURL(), "/api/v3/") {
		t.Fatalf("API at %s", s.APIURL())
	}
	pr := propose(t, client(t, s), "remediator/enterprise")
	if want := s.APIURL() + "repos/acme/shop/pulls/1"; pr.GetURL() != want {
		t.Errorf("url = %s, want %s", pr.GetURL(), want)
	}
	c := with(t, s, nil).WithAuthToken(s.InstallationToken(shop))
	outside, err := c.BaseURL.Parse(s.URL() + "/")
	if err != nil {
		t.Fatal(err)
	}
	c.BaseURL = outside
	if err := do(t, c, "GET", "repos/acme/shop", nil); status(err) != 404 {
		t.Errorf("outside /api/v3: %v", err)
	}
}
