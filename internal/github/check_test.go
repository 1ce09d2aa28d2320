package github_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/internal/githubtest"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

func runOf(head, status, conclusion string) docket.CheckRun {
	return docket.CheckRun{
		Case: fingerprint, Name: "remediator", Head: head, Status: status, Conclusion: conclusion,
		Title: "Proof", Summary: "The summary.", Text: "The text.", DetailsURL: "https://remediator.example.com/cases/" + fingerprint,
	}
}

func annotations(n int) []docket.Annotation {
	var all []docket.Annotation
	for i := range n {
		all = append(all, docket.Annotation{Path: "main.go", First: i + 1, Last: i + 1, Level: "notice", Title: "here", Message: fmt.Sprintf("remark %d", i)})
	}
	return all
}

func TestCheckRunMovesThroughItsStatuses(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	var ids []int64
	for _, s := range [][2]string{{"queued", ""}, {"in_progress", ""}, {"completed", "success"}} {
		for range 2 {
			ids = append(ids, must(c.EnsureCheck(t.Context(), repo, runOf(w.base, s[0], s[1])))(t))
		}
	}
	checks := w.repo.Checks()
	if len(checks) != 1 || checks[0].Status != "completed" || checks[0].Conclusion != "success" || checks[0].ExternalID != fingerprint || checks[0].Text != "The text." {
		t.Fatalf("%+v", checks)
	}
	for _, id := range ids {
		if id != checks[0].ID {
			t.Fatalf("ids %v, want %d throughout", ids, checks[0].ID)
		}
	}
	w.ForgetRequests()
	must(w.client(t).EnsureCheck(t.Context(), repo, runOf(w.base, "completed", "success")))(t)
	w.wroteNothing(t)
}

func TestRerunGoesBackToPending(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	first := must(c.EnsureCheck(t.Context(), repo, runOf(w.base, "completed", "failure")))(t)
	second := must(c.EnsureCheck(t.Context(), repo, runOf(w.base, "in_progress", "")))(t)
	if first == second {
		t.Fatal("a completed run cannot wait again; it needs a successor")
	}
	for range 2 {
		if id := must(c.EnsureCheck(t.Context(), repo, runOf(w.base, "completed", "success")))(t); id != second {
			t.Errorf("completed %d, want %d", id, second)
		}
	}
	if checks := w.repo.Checks(); len(checks) != 2 || checks[1].Conclusion != "success" {
		t.Fatalf("%+v", checks)
	}
}

func TestAnnotationsComeFiftyACall(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	run := runOf(w.base, "completed", "failure")
	run.Annotations = annotations(120)
	for range 2 {
		must(c.EnsureCheck(t.Context(), repo, run))(t)
	}
	if checks := w.repo.Checks(); len(checks) != 1 || checks[0].Annotations != 120 {
		t.Fatalf("%+v", checks)
	}
	run.Annotations = append(annotations(700), docket.Annotation{Path: "../../etc/passwd", Message: "outside"}, docket.Annotation{Path: "x", Level: "loud", First: -3, Last: -9, Message: "odd"})
	run.Name = "another"
	must(c.EnsureCheck(t.Context(), repo, run))(t)
	if checks := w.repo.Checks(); checks[1].Annotations != 500 {
		t.Fatalf("%d annotations, want the bound", checks[1].Annotations)
	}
}

func TestCheckRunStaysWithinGitHubsLimits(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	run := runOf(w.base, "completed", "neutral")
	run.Title = strings.Repeat("t", 999)
	run.Summary, run.Text = strings.Repeat("ü\n", 60000), strings.Repeat("```\ncode\n", 20000)
	must(c.EnsureCheck(t.Context(), repo, run))(t)
	got := w.repo.Checks()[0]
	if len(got.Summary) > 65535 || len(got.Text) > 65535 || !strings.Contains(got.Summary, "Cut here") {
		t.Errorf("summary %d bytes, text %d bytes", len(got.Summary), len(got.Text))
	}
}

func TestCheckRunsThatMakeNoSense(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	for name, spoil := range map[string]func(*docket.CheckRun){
		"status":     func(r *docket.CheckRun) { r.Status = "done" },
		"conclusion": func(r *docket.CheckRun) { r.Status, r.Conclusion = "completed", "fine" },
		"head":       func(r *docket.CheckRun) { r.Head = "main" },
		"name":       func(r *docket.CheckRun) { r.Name = " " },
		"case":       func(r *docket.CheckRun) { r.Case = "" },
	} {
		run := runOf(w.base, "queued", "")
		spoil(&run)
		if _, err := c.EnsureCheck(t.Context(), repo, run); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTokenThatMayNotCheckWritesAStatus(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, withToken(w.Token("alice")))
	for _, s := range [][2]string{{"in_progress", ""}, {"completed", "success"}} {
		for range 2 {
			if id := must(c.EnsureCheck(t.Context(), repo, runOf(w.base, s[0], s[1])))(t); id != 0 {
				t.Fatalf("id %d of a status", id)
			}
		}
	}
	got := w.repo.Statuses()
	if len(got) != 2 || got[0].State != "pending" || got[1].State != "success" || got[1].Context != "remediator" || got[1].Description != "Proof" {
		t.Fatalf("%+v", got)
	}
}

func TestWorkflowTokenMayCheck(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, withToken(w.ActionsToken(repo, map[string]string{"checks": "write", "contents": "read", "metadata": "read"})))
	if id := must(c.EnsureCheck(t.Context(), repo, runOf(w.base, "queued", "")))(t); id == 0 || len(w.repo.Checks()) != 1 {
		t.Fatalf("id %d, checks %+v", id, w.repo.Checks())
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	s := docket.CommitStatus{Head: w.base, Context: "remediator/verify", State: "pending", Description: strings.Repeat("d", 300), URL: "https://example.com/"}
	for range 2 {
		if err := c.EnsureStatus(t.Context(), repo, s); err != nil {
			t.Fatal(err)
		}
	}
	s.State = "success"
	if err := c.EnsureStatus(t.Context(), repo, s); err != nil {
		t.Fatal(err)
	}
	got := w.repo.Statuses()
	if len(got) != 2 || len([]rune(got[0].Description)) != 140 || got[1].State != "success" {
		t.Fatalf("%+v", got)
	}
	s.State = "great"
	if err := c.EnsureStatus(t.Context(), repo, s); err == nil {
		t.Error("accepted a state that GitHub does not have")
	}
}

func TestEvidenceIsKeptUnderItsOwnReference(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	files := map[string][]byte{"case.json": []byte("{}\n"), "evidence/bundle.sigstore.json": []byte("{}"), "a/b/c.bin": {0xff, 0, 1}, "a.txt": []byte("sorts between a and a/"), "big.txt": []byte(strings.Repeat("x", 100<<10))}
	for range 2 {
		if err := c.EnsureEvidence(t.Context(), repo, fingerprint, files); err != nil {
			t.Fatal(err)
		}
	}
	ref := "refs/remediator/" + fingerprint
	first := w.repo.Ref(ref)
	if parents := must(w.repo.Git("log", "--format=%P", ref))(t); strings.TrimSpace(parents) != "" {
		t.Errorf("parents %q", parents)
	}
	if got := must(w.repo.Git("ls-tree", "-r", "--name-only", ref))(t); len(strings.Fields(got)) != len(files) {
		t.Errorf("files %q", got)
	}
	if got := must(w.repo.Git("cat-file", "blob", ref+":a/b/c.bin"))(t); got != string(files["a/b/c.bin"]) {
		t.Errorf("content %q", got)
	}
	w.ForgetRequests()
	if err := w.client(t).EnsureEvidence(t.Context(), repo, fingerprint, files); err != nil {
		t.Fatal(err)
	}
	w.wroteNothing(t)
	files["case.json"] = []byte(`{"changed":true}`)
	if err := c.EnsureEvidence(t.Context(), repo, fingerprint, files); err != nil {
		t.Fatal(err)
	}
	if w.repo.Ref(ref) == first {
		t.Error("changed evidence was not kept")
	}
	for name, bad := range map[string]map[string][]byte{
		"nothing": nil, "outside": {"../x": nil}, "git": {".git/config": nil}, "both": {"a": nil, "a/b": nil},
	} {
		if err := c.EnsureEvidence(t.Context(), repo, fingerprint, bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCommentIsWrittenOnceAndUpdatedInPlace(t *testing.T) {
	w, c, _, p := proposed(t)
	for _, body := range []string{"The alert has ended.", "The alert has ended.", "It fired again. <!-- remediator:stop:1 -->"} {
		if err := c.EnsureComment(t.Context(), repo, p.Number, "resolved:1", body); err != nil {
			t.Fatal(err)
		}
	}
	got := w.repo.Comments(p.Number)
	if len(got) != 1 || !strings.HasPrefix(got[0].Body, "<!-- remediator:resolved:1 -->\nIt fired again.") || strings.Count(got[0].Body, "<!-- remediator:") != 1 {
		t.Fatalf("%+v", got)
	}
	if err := c.EnsureComment(t.Context(), repo, p.Number, "merged", "Merged."); err != nil {
		t.Fatal(err)
	}
	w.ForgetRequests()
	if err := w.client(t).EnsureComment(t.Context(), repo, p.Number, "merged", "Merged."); err != nil {
		t.Fatal(err)
	}
	w.wroteNothing(t)
	for _, key := range []string{"", "a b", "x-->y", "a--b", strings.Repeat("k", 300)} {
		if err := c.EnsureComment(t.Context(), repo, p.Number, key, "x"); err == nil {
			t.Errorf("key %q was accepted", key)
		}
	}
}

func TestMarkerCopiedBySomebodyElseDoesNotCount(t *testing.T) {
	w, c, _, p := proposed(t)
	theirs := must(w.As("carol").Comment(w.repo, p.Number, "<!-- remediator:resolved -->\nNothing to see."))(t)
	if err := c.EnsureComment(t.Context(), repo, p.Number, "resolved", "The alert has ended."); err != nil {
		t.Fatal(err)
	}
	got := w.repo.Comments(p.Number)
	if len(got) != 2 || got[0].ID != theirs || !strings.Contains(got[0].Body, "Nothing to see") || got[1].User != w.AppLogin() {
		t.Fatalf("%+v", got)
	}
}

func TestTwoCommentsAfterARaceBecomeOne(t *testing.T) {
	w, c, _, p := proposed(t)
	other := w.client(t)
	w.onceBefore("POST", "/comments", func() {
		if err := other.EnsureComment(t.Context(), repo, p.Number, "resolved", "The alert has ended."); err != nil {
			t.Error(err)
		}
	})
	if err := c.EnsureComment(t.Context(), repo, p.Number, "resolved", "The alert has ended."); err != nil {
		t.Fatal(err)
	}
	if got := w.repo.Comments(p.Number); len(got) != 1 {
		t.Fatalf("%+v", got)
	}
}

func TestCommentWithAPersonsToken(t *testing.T) {
	for name, token := range map[string]func(*world) string{
		"a person's": func(w *world) string { return w.Token("alice") },
		"a workflow's": func(w *world) string {
			return w.ActionsToken(repo, map[string]string{"pull_requests": "write", "contents": "write", "metadata": "read"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, _, p := proposed(t)
			for range 2 {
				if err := w.client(t, withToken(token(w))).EnsureComment(t.Context(), repo, p.Number, "resolved", "The alert has ended."); err != nil {
					t.Fatal(err)
				}
			}
			if got := w.repo.Comments(p.Number); len(got) != 1 {
				t.Fatalf("%+v", got)
			}
		})
	}
}

func TestReact(t *testing.T) {
	w, c, _, p := proposed(t)
	id := must(w.As("alice").Comment(w.repo, p.Number, "/remediator explain"))(t)
	for range 2 {
		if err := c.React(t.Context(), repo, id, "eyes"); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.repo.Comments(p.Number); len(got[0].Reactions) != 1 {
		t.Fatalf("%+v", got)
	}
	if err := c.React(t.Context(), repo, id, "heart"); err == nil {
		t.Error("accepted a reaction that is not used")
	}
	if err := c.React(t.Context(), repo, 987654321, "eyes"); !errors.Is(err, docket.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}

func TestOnlyPeopleWithWriteAccessMayWrite(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	w.AddUser("dora")
	w.repo.Collaborator("dora", "admin")
	for login, want := range map[string]bool{
		"alice": true, "dora": true, "carol": false, "stranger": false, "": false, "../alice": false, "alice/x": false,
		w.AppLogin(): false, "nobody-there": false, "alice?x": false,
	} {
		if got := must(c.MayWrite(t.Context(), repo, login))(t); got != want {
			t.Errorf("%q may write: %v, want %v", login, got, want)
		}
	}
}

func TestTwoClientsAtTheSameTimeMakeOneOfEach(t *testing.T) {
	w := newWorld(t)
	i := w.incident(t, 0)
	errs := make(chan error)
	clients := []*github.Client{w.client(t), w.client(t), w.client(t)}
	for _, c := range clients {
		go func() {
			errs <- everything(t.Context(), c, i)
		}()
	}
	for range clients {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if pulls := w.repo.Pulls(); len(pulls) != 1 || pulls[0].HeadSHA != i.change.SHA || len(pulls[0].Labels) != 2 {
		t.Errorf("%+v", pulls)
	}
	if comments := w.repo.Comments(w.repo.Pulls()[0].Number); len(comments) != 1 {
		t.Errorf("%+v", comments)
	}
}

// everything does what a case does at GitHub.
func everything(ctx context.Context, c *github.Client, i incident) error {
	if err := c.EnsureEvidence(ctx, repo, i.fingerprint, map[string][]byte{"case.json": []byte("{}\n"), "x/y.bin": {0xff}}); err != nil {
		return err
	}
	if _, err := c.EnsureBranch(ctx, repo, i.branch(), "", i.change); err != nil {
		return err
	}
	want := pullOf(i.change)
	want.Case, want.Branch = i.fingerprint, i.branch()
	p, err := c.EnsurePull(ctx, repo, want)
	if err != nil {
		return err
	}
	run := runOf(i.change.SHA, "completed", "success")
	run.Annotations = annotations(60)
	if _, err := c.EnsureCheck(ctx, repo, run); err != nil {
		return err
	}
	if err := c.EnsureStatus(ctx, repo, docket.CommitStatus{Head: i.change.SHA, Context: "remediator/verify", State: "success"}); err != nil {
		return err
	}
	return c.EnsureComment(ctx, repo, p.Number, "resolved", "The alert has ended.")
}

func TestReadyIsTheCapOfReady(t *testing.T) {
	w := newWorldWith(t, githubtest.Options{Enterprise: true})
	c := w.client(t, func(o *github.Options) { o.Autonomy = func(string) remedy.Autonomy { return remedy.Ready } })
	i := w.incident(t, 0)
	if err := everything(t.Context(), c, i); err != nil {
		t.Fatal(err)
	}
	want := pullOf(i.change)
	want.Branch, want.Draft = i.branch(), false
	if p := must(c.EnsurePull(t.Context(), repo, want))(t); p.Draft {
		t.Error("still a draft at an Enterprise Server")
	}
}
