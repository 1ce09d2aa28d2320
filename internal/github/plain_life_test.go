package github_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/remedy/docket"
)

// changed is a signed change of the plain server's repository.
func (p *plain) changed(t *testing.T, base, content string) docket.Change {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, ".", "clone", "--quiet", "--bare", p.dir, clone)
	return changeIn(t, clone, p.dir, base, []docket.FileChange{
		{Path: "main.go", Mode: "100644", Content: []byte(content)},
		{Path: "fix/run.sh", Mode: "100755", Content: []byte("#!/bin/sh\nexit 0\n")},
		{Path: "fix/ein weg.bin", Mode: "100644", Content: []byte{0, 0xff, 1, 2}},
		{Path: "old/unused.txt", Deleted: true},
	}, "Back off between attempts\n\nRemediator-Case: "+fingerprint+"\n")
}

// others are implementations of GitHub's API, each of which a proposal has to come through.
var others = map[string]manners{
	"as documented":                     {},
	"api v3":                            {mount: "/api/v3"},
	"lists without filters":             {ignoreFilters: true},
	"lists that are always full":        {everyPage: true},
	"null for what may be null":         {nulls: true},
	"200 for what was made":             {plainOK: true},
	"nothing said of what was made":     {quiet: true},
	"signature dropped":                 {commits: "drop"},
	"signature refused":                 {commits: "refuse"},
	"message trimmed":                   {commits: "trim"},
	"time changed":                      {commits: "time", clone: "other"},
	"signature dropped, clone a file":   {commits: "drop", clone: "file"},
	"unknown labels are not found":      {labels: http.StatusNotFound},
	"unknown labels are refused":        {labels: http.StatusUnprocessableEntity},
	"reviewers are not found":           {reviewers: http.StatusNotFound, reviews: http.StatusNotFound},
	"reviewers are refused":             {reviewers: http.StatusUnprocessableEntity},
	"installations are listed only":     {noLookup: true},
	"tokens that have expired":          {tokenLife: -time.Second},
	"clone at another port":             {clone: "other"},
	"clone in a directory":              {clone: "file"},
	"no clone URL":                      {clone: "none"},
	"the App writes under another name": {botLogin: "somebody-else"},
	"other words for what exists":       {refWords: "Validation Failed", pullWords: "Validation Failed"},
}

func TestProposalComesThroughAtOtherImplementations(t *testing.T) {
	for name, m := range others {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlain(t, m)
			live(t, p, func() *github.Client { return p.client(t) })
		})
	}
}

func TestProposalComesThroughWithAToken(t *testing.T) {
	for name, m := range map[string]manners{
		"check runs are forbidden":  {checks: http.StatusForbidden},
		"check runs are not found":  {checks: http.StatusNotFound},
		"nobody is told who it is":  {user: http.StatusForbidden, botLogin: "github-actions[bot]"},
		"there is no such question": {user: http.StatusNotFound, botLogin: "fixer"},
		"signature dropped":         {commits: "drop", botLogin: "fixer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlain(t, m)
			live(t, p, func() *github.Client { return p.client(t, withToken("a-plain-token")) })
			if checks := len(p.checks); (m.checks == 0) != (checks == 1) {
				t.Errorf("%d check runs", checks)
			}
		})
	}
}

// live goes through a proposal's whole life, every step twice and by clients that remember nothing, and then counts.
func live(t *testing.T, p *plain, client func() *github.Client) {
	ctx := t.Context()
	twice := func(what string, step func(docket.Forge) error) {
		t.Helper()
		for range 2 {
			if err := step(client()); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	base := must(client().Tip(ctx, repo, ""))(t)
	if want := git(t, p.dir, "rev-parse", "main"); base != want {
		t.Fatalf("tip %s, want %s", base, want)
	}
	if all := must(client().Repositories(ctx))(t); len(all) != 1 || all[0].Name != repo {
		t.Errorf("repositories %v", all)
	}
	mirror := must(client().Mirror(ctx, repo, t.TempDir()))(t)
	if got := git(t, mirror, "rev-parse", "HEAD"); got != base {
		t.Errorf("mirror at %s", got)
	}
	change := p.changed(t, base, "package main // 1\n")
	twice("evidence", func(f docket.Forge) error {
		return f.EnsureEvidence(ctx, repo, fingerprint, map[string][]byte{"case.json": []byte("{}\n"), "replay/a.bin": {0, 0xfe}})
	})
	if got := git(t, p.dir, "ls-tree", "-r", "--name-only", "refs/remediator/"+fingerprint); got != "case.json\nreplay/a.bin" {
		t.Errorf("evidence %q", got)
	}
	twice("branch", func(f docket.Forge) error {
		sha, err := f.EnsureBranch(ctx, repo, branch, "", change)
		if err == nil && sha != change.SHA {
			err = fmt.Errorf("the branch is at %s", sha)
		}
		return err
	})
	if got := git(t, p.dir, "rev-parse", branch); got != change.SHA {
		t.Fatalf("the branch is at %s, want %s", got, change.SHA)
	}
	want := pullOf(change)
	want.Culprit = base
	var pull *docket.Pull
	twice("pull", func(f docket.Forge) (err error) {
		pull, err = f.EnsurePull(ctx, repo, want)
		return err
	})
	if pull.Human || pull.Head != change.SHA || pull.Base != base || !pull.Draft || pull.State != "open" {
		t.Errorf("pull request %+v", pull)
	}
	twice("check", func(f docket.Forge) error {
		_, err := f.EnsureCheck(ctx, repo, docket.CheckRun{Case: fingerprint, Name: "remediator", Head: change.SHA, Status: "completed", Conclusion: "success", Title: "proven"})
		return err
	})
	twice("status", func(f docket.Forge) error {
		return f.EnsureStatus(ctx, repo, docket.CommitStatus{Head: change.SHA, Context: "remediator/verify", State: "pending", Description: "later"})
	})
	twice("status", func(f docket.Forge) error {
		return f.EnsureStatus(ctx, repo, docket.CommitStatus{Head: change.SHA, Context: "remediator/verify", State: "success", Description: "proven"})
	})
	twice("comment", func(f docket.Forge) error { return f.EnsureComment(ctx, repo, pull.Number, "status", "first") })
	twice("comment", func(f docket.Forge) error { return f.EnsureComment(ctx, repo, pull.Number, "status", "second") })
	twice("reaction", func(f docket.Forge) error { return f.React(ctx, repo, 1, "eyes") })
	for login, may := range map[string]bool{"alice": true, "dave": true, "carol": false, "nobody": false} {
		if got := must(client().MayWrite(ctx, repo, login))(t); got != may {
			t.Errorf("%s may write: %v", login, got)
		}
	}
	// The case is worked out anew, on the branch that is there.
	next := p.changed(t, base, "package main // 2\n")
	twice("branch again", func(f docket.Forge) error { _, err := f.EnsureBranch(ctx, repo, branch, change.SHA, next); return err })
	if got := git(t, p.dir, "rev-parse", branch); got != next.SHA {
		t.Errorf("the branch is at %s, want %s", got, next.SHA)
	}
	if found := must(client().FindPull(ctx, repo, branch))(t); found == nil || found.Number != pull.Number || found.Head != next.SHA || found.Human {
		t.Errorf("found %+v", found)
	}
	want.Draft, want.Title = false, "Another title"
	twice("ready", func(f docket.Forge) error { _, err := f.EnsurePull(ctx, repo, want); return err })
	// A person goes on.
	human := git(t, p.dir, "-c", "user.name=Bob", "-c", "user.email=bob@example.com", "commit-tree", "-p", next.SHA, "-m", "mine", next.Tree)
	git(t, p.dir, "update-ref", "refs/heads/"+branch, human)
	third := p.changed(t, base, "package main // 3\n")
	if _, err := client().EnsureBranch(ctx, repo, branch, next.SHA, third); !errors.Is(err, docket.ErrHumanCommits) {
		t.Errorf("writing over a person's commit: %v", err)
	}
	if err := client().DeleteBranch(ctx, repo, branch, next.SHA); !errors.Is(err, docket.ErrHumanCommits) {
		t.Errorf("deleting a person's commit: %v", err)
	}
	if found := must(client().FindPull(ctx, repo, branch))(t); !found.Human {
		t.Errorf("a person's commit is not seen: %+v", found)
	}
	if got := git(t, p.dir, "rev-parse", branch); got != human {
		t.Fatalf("the person's commit was overwritten by %s", got)
	}
	git(t, p.dir, "update-ref", "refs/heads/"+branch, next.SHA)
	twice("close", func(f docket.Forge) error { return f.ClosePull(ctx, repo, pull.Number) })
	twice("delete", func(f docket.Forge) error { return f.DeleteBranch(ctx, repo, branch, next.SHA) })
	if found := must(client().FindPull(ctx, repo, branch))(t); found.State != "closed" {
		t.Errorf("closed as %+v", found)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pulls) != 1 || len(p.comments) != 1 || !strings.HasSuffix(p.comments[0]["body"].(string), "\nsecond") {
		t.Errorf("pull requests %v, comments %v", p.pulls, p.comments)
	}
	said := slices.DeleteFunc(slices.Clone(p.statuses), func(o object) bool { return o["context"] != "remediator/verify" })
	if len(said) != 2 || len(p.checks) > 1 {
		t.Errorf("statuses %v, check runs %v", said, p.checks)
	}
	if p.manners.labels == 0 && (!p.labels["remediator"] || len(p.labels) != 2) {
		t.Errorf("labels %v", p.labels)
	}
	if p.reviewers == 0 && !slices.Contains(p.asked, "alice") {
		t.Errorf("asked for a review: %v", p.asked)
	}
}

func TestPushOfTheCommitComesAfterTheDataAPI(t *testing.T) {
	p := newPlain(t, manners{commits: "drop"})
	change := p.changed(t, git(t, p.dir, "rev-parse", "main"), "package main // 1\n")
	mirrors := t.TempDir()
	must(p.client(t, func(o *github.Options) { o.Mirrors = mirrors }).EnsureBranch(t.Context(), repo, branch, "", change))(t)
	if !slices.Contains(p.requests, "POST /repos/acme/shop/git/commits") || slices.Contains(p.requests, "POST /repos/acme/shop/git/refs") {
		t.Errorf("asked for %q", p.requests)
	}
	// The object is the very one that was signed, and the mirror holds nothing but what was fetched.
	if got := git(t, p.dir, "cat-file", "commit", branch); got != strings.TrimSpace(string(change.Commit)) {
		t.Errorf("stored %q", got)
	}
	if refs := git(t, filepath.Join(mirrors, "acme", "shop.git"), "for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
		t.Errorf("the mirror holds %q", refs)
	}
}

func TestPushDoesNotOverwriteWhatAPersonPushedMeanwhile(t *testing.T) {
	for _, previous := range []bool{false, true} {
		p := newPlain(t, manners{commits: "drop"})
		base := git(t, p.dir, "rev-parse", "main")
		from := ""
		if previous {
			from = p.changed(t, base, "package main // 0\n").SHA
			must(p.client(t).EnsureBranch(t.Context(), repo, branch, "", p.changed(t, base, "package main // 0\n")))(t)
		}
		human := git(t, p.dir, "-c", "user.name=Bob", "-c", "user.email=bob@example.com", "commit-tree", "-p", base, "-m", "mine", base+"^{tree}")
		// It arrives after the last look, while the push is on its way: the server's own hook makes it.
		hook := "#!/bin/sh\nunset GIT_QUARANTINE_PATH\n" // pre-receive comes before git checks the old value
		hook += "git update-ref refs/heads/" + branch + " " + human + "\n"
		write(t, p.dir, "hooks/pre-receive", hook)
		if err := os.Chmod(filepath.Join(p.dir, "hooks", "pre-receive"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := p.client(t).EnsureBranch(t.Context(), repo, branch, from, p.changed(t, base, "package main // 1\n"))
		if !errors.Is(err, docket.ErrHumanCommits) {
			t.Errorf("error %v", err)
		}
		if got := git(t, p.dir, "rev-parse", branch); got != human {
			t.Errorf("the branch is at %s, not at the person's %s", got, human)
		}
	}
}

func TestPushThatIsRefusedSaysWhyAndLeavesNothing(t *testing.T) {
	for words, want := range map[string]error{"GH006: Protected branch update failed": docket.ErrForbidden, "no room": nil} {
		p := newPlain(t, manners{commits: "refuse"})
		write(t, p.dir, "hooks/pre-receive", "#!/bin/sh\necho '"+words+"' >&2\nexit 1\n")
		if err := os.Chmod(filepath.Join(p.dir, "hooks", "pre-receive"), 0o755); err != nil {
			t.Fatal(err)
		}
		change := p.changed(t, git(t, p.dir, "rev-parse", "main"), "package main // 1\n")
		_, err := p.client(t).EnsureBranch(t.Context(), repo, branch, "", change)
		if err == nil || !strings.Contains(err.Error(), "Invalid signature") || !strings.Contains(err.Error(), words) || errors.Is(err, docket.ErrForbidden) != (want != nil) {
			t.Errorf("error %v", err)
		}
		if strings.Contains(fmt.Sprint(err), "ghs_plain") {
			t.Error("the token is in the error")
		}
		if got := git(t, p.dir, "for-each-ref", "--format=%(refname)"); got != "refs/heads/main" {
			t.Errorf("references %q", got)
		}
	}
}

func TestPushOfACommitThatTheFilesDoNotMakeIsNotMade(t *testing.T) {
	p := newPlain(t, manners{commits: "drop"})
	change := p.changed(t, git(t, p.dir, "rev-parse", "main"), "package main // 1\n")
	change.Files = change.Files[:1]
	if _, err := p.client(t).EnsureBranch(t.Context(), repo, branch, "", change); err == nil || !strings.Contains(err.Error(), "does not hold all") {
		t.Errorf("error %v", err)
	}
}

func TestWebhookWithTheDocumentedFieldsOnly(t *testing.T) {
	p := newPlain(t, manners{})
	c := p.client(t)
	sha := strings.Repeat("a", 40)
	here := `"repository":{"id":7,"full_name":"acme/shop","default_branch":"main"},"sender":{"login":"alice"}`
	for name, one := range map[string]struct {
		event, body string
		want        docket.ForgeEvent
	}{
		"merged without a merge commit": {"pull_request", `{"action":"closed","number":1,` + here + `,"pull_request":{"number":1,"merged":true,"merge_commit_sha":null,"mergeable":null,"head":{"ref":"` + branch + `","sha":"` + sha + `","repo":{"id":7}},"base":{"ref":"main"}}}`,
			docket.ForgeEvent{Kind: docket.PullMerged, Number: 1, Branch: branch, Head: sha, User: "alice"}},
		"merged, said by a time only": {"pull_request", `{"action":"closed","number":1,` + here + `,"pull_request":{"number":1,"merged":null,"merged_at":"2026-06-21T00:00:00Z","head":{"ref":"` + branch + `","sha":"` + sha + `","repo":{"id":7}}}}`,
			docket.ForgeEvent{Kind: docket.PullMerged, Number: 1, Branch: branch, Head: sha, User: "alice"}},
		"comment without association": {"issue_comment", `{"action":"created",` + here + `,"issue":{"number":1,"pull_request":{}},"comment":{"id":5,"body":"/remediator explain","user":{"login":"alice"},"performed_via_github_app":null}}`,
			docket.ForgeEvent{Kind: docket.CommandComment, Number: 1, Comment: 5, Command: "explain", User: "alice"}},
		"check run without its suite": {"check_run", `{"action":"rerequested",` + here + `,"check_run":{"head_sha":"` + sha + `","external_id":"` + fingerprint + `","app":{"id":42},"check_suite":null}}`,
			docket.ForgeEvent{Kind: docket.CheckRerun, Head: sha, Case: fingerprint, User: "alice"}},
		"check run without its App": {"check_run", `{"action":"rerequested",` + here + `,"check_run":{"head_sha":"` + sha + `","external_id":"` + fingerprint + `","app":null}}`,
			docket.ForgeEvent{Kind: docket.CheckRerun, Head: sha, Case: fingerprint, User: "alice"}},
		"push": {"push", `{"ref":"refs/heads/main","after":"` + sha + `",` + here + `,"commits":[],"head_commit":null}`,
			docket.ForgeEvent{Kind: docket.BasePushed, Branch: "main", Head: sha, User: "alice"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []docket.ForgeEvent
			hook := c.Webhook(func() []byte { return []byte("secret") }, func(_ context.Context, e docket.ForgeEvent) error {
				got = append(got, e)
				return nil
			}, nil)
			for range 2 { // the same delivery again keeps its id, by which it is recognised
				if status := deliver(hook, one.event, "d-1", one.body); status != http.StatusAccepted {
					t.Fatalf("answered %d", status)
				}
			}
			if len(got) != 2 || got[0].Delivery != "d-1" || got[1].Delivery != "d-1" {
				t.Fatalf("events %+v", got)
			}
			e := got[0]
			e.Delivery, e.At, e.Repository = "", time.Time{}, ""
			if e != one.want {
				t.Errorf("event %+v, want %+v", e, one.want)
			}
		})
	}
}

// deliver sends a signed delivery and returns the status of the answer.
func deliver(hook http.Handler, event, id, payload string) int {
	h := hmac.New(sha256.New, []byte("secret"))
	h.Write([]byte(payload))
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(payload))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-GitHub-Event", event)
	r.Header.Set("X-GitHub-Delivery", id)
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(h.Sum(nil)))
	w := httptest.NewRecorder()
	hook.ServeHTTP(w, r)
	return w.Code
}
