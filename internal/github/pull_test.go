package github_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/internal/githubtest"
	"github.com/remediator/remediator/remedy/docket"
)

// proposed is a world with a branch and an open pull request.
func proposed(t *testing.T) (*world, *github.Client, docket.Change, *docket.Pull) {
	t.Helper()
	w := newWorld(t)
	c := w.client(t)
	change := w.change(t, w.base, "package main // 1\n")
	must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	return w, c, change, must(c.EnsurePull(t.Context(), repo, pullOf(change)))(t)
}

func TestPullRequestIsMadeOnceAndFoundAgain(t *testing.T) {
	w, c, change, p := proposed(t)
	if p.State != "open" || !p.Draft || p.Head != change.SHA || p.Base != w.base || p.Branch != branch || p.Human || p.Number == 0 || !strings.Contains(p.URL, "/pull/") {
		t.Errorf("%+v", *p)
	}
	got := w.repo.Pulls()
	if len(got) != 1 || got[0].Title != "Back off in payments" || !slices.Equal(got[0].Labels, []string{"remediator", "incident"}) || !slices.Equal(got[0].Reviewers, []string{"alice"}) {
		t.Fatalf("%+v", got)
	}
	w.ForgetRequests()
	// A client without any memory, as after the state was lost.
	fresh := w.client(t)
	found := must(fresh.FindPull(t.Context(), repo, branch))(t)
	if found == nil || *found != *p {
		t.Errorf("found %+v, want %+v", found, p)
	}
	must(fresh.EnsurePull(t.Context(), repo, pullOf(change)))(t)
	must(c.EnsurePull(t.Context(), repo, pullOf(change)))(t)
	w.wroteNothing(t)
	if found := must(fresh.FindPull(t.Context(), repo, "remediator/ffffffffffff"))(t); found != nil {
		t.Errorf("found %+v where there is nothing", found)
	}
}

// wroteNothing fails if anything but tokens was made since the log was emptied.
func (w *world) wroteNothing(t *testing.T) {
	t.Helper()
	for what, n := range w.Mutations() {
		if !strings.Contains(what, "access_tokens") {
			t.Errorf("wrote %s, %d times", what, n)
		}
	}
}

func TestPullRequestIsUpdatedInPlace(t *testing.T) {
	w, c, change, p := proposed(t)
	want := pullOf(change)
	want.Title, want.Body, want.Labels = "Back off twice", "More evidence.\n", []string{"remediator", "incident", "flapping"}
	again := must(c.EnsurePull(t.Context(), repo, want))(t)
	got := w.repo.Pulls()
	if len(got) != 1 || again.Number != p.Number || got[0].Title != want.Title || got[0].Body != want.Body || len(got[0].Labels) != 3 {
		t.Fatalf("%+v", got)
	}
	want.Draft = false
	if p := must(c.EnsurePull(t.Context(), repo, want))(t); p.Draft || w.repo.Pulls()[0].Draft {
		t.Error("still a draft")
	}
}

func TestClosedPullRequestStaysClosed(t *testing.T) {
	w, c, change, p := proposed(t)
	if err := w.As("alice").Close(w.repo, p.Number); err != nil {
		t.Fatal(err)
	}
	for _, client := range []*github.Client{c, w.client(t)} {
		got := must(client.EnsurePull(t.Context(), repo, pullOf(change)))(t)
		if got.State != "closed" || got.Number != p.Number {
			t.Errorf("%+v", *got)
		}
	}
	if pulls := w.repo.Pulls(); len(pulls) != 1 || pulls[0].State != "closed" {
		t.Fatalf("%+v", pulls)
	}
}

func TestMergedPullRequest(t *testing.T) {
	w, c, change, p := proposed(t)
	if err := w.As("alice").MarkReady(w.repo, p.Number); err != nil {
		t.Fatal(err)
	}
	must(w.As("alice").Merge(w.repo, p.Number))(t)
	if got := must(c.FindPull(t.Context(), repo, branch))(t); got.State != "merged" {
		t.Errorf("%+v", *got)
	}
	if got := must(c.EnsurePull(t.Context(), repo, pullOf(change)))(t); got.State != "merged" || len(w.repo.Pulls()) != 1 {
		t.Errorf("%+v", *got)
	}
	if err := c.ClosePull(t.Context(), repo, p.Number); err != nil {
		t.Errorf("closing what is merged: %v", err)
	}
}

func TestPushOfAPersonShows(t *testing.T) {
	w, c, _, p := proposed(t)
	theirs := must(w.As("bob").PushCommit(w.repo, branch, "Tidy\n\nRemediator-Case: "+fingerprint, map[string][]byte{"main.go": []byte("package main // tidy\n")}))(t)
	got := must(c.FindPull(t.Context(), repo, branch))(t)
	if !got.Human || got.Head != theirs || got.Number != p.Number {
		t.Errorf("%+v", *got)
	}
}

func TestClosePull(t *testing.T) {
	w, c, _, p := proposed(t)
	for range 2 {
		if err := c.ClosePull(t.Context(), repo, p.Number); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.repo.Pulls()[0]; got.State != "closed" {
		t.Fatalf("%+v", got)
	}
	must(w.As("alice").PushCommit(w.repo, "feature", "theirs", map[string][]byte{"f": []byte("f")}))(t)
	number := w.openByHand(t, "feature")
	if err := c.ClosePull(t.Context(), repo, number); !errors.Is(err, docket.ErrForbidden) {
		t.Errorf("closing somebody else's pull request: %v", err)
	}
}

// openByHand opens a pull request as alice and returns its number.
func (w *world) openByHand(t *testing.T, head string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.APIURL()+"repos/"+repo+"/pulls",
		strings.NewReader(`{"title":"by hand","head":"`+head+`","base":"main"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.Token("alice"))
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("opening a pull request by hand: %s", res.Status)
	}
	all := w.repo.Pulls()
	return all[len(all)-1].Number
}

func TestReviewersUnknownToGitHubAreLeftOutOneByOne(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	culprit := must(w.As("bob").PushCommit(w.repo, "main", "the culprit", map[string][]byte{"c": []byte("c")}))(t)
	change := w.change(t, culprit, "package main // 1\n")
	must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	want := pullOf(change)
	want.Culprit = culprit
	want.Reviewers = []string{"nobody-of-that-name", "@alice", "acme/payments", "Alice", "not a login", "acme/no-such-team", "bob"}
	must(c.EnsurePull(t.Context(), repo, want))(t)
	got := w.repo.Pulls()[0]
	slices.Sort(got.Reviewers)
	if !slices.Equal(got.Reviewers, []string{"alice", "bob"}) {
		t.Errorf("reviewers %v, teams %v", got.Reviewers, got.Teams)
	}
}

func TestAuthorOfThePullRequestIsNotAskedToReviewIt(t *testing.T) {
	w := newWorld(t)
	c := w.client(t, withToken(w.Token("alice")))
	culprit := must(w.As("alice").PushCommit(w.repo, "main", "the culprit", map[string][]byte{"c": []byte("c")}))(t)
	change := w.change(t, culprit, "package main // 1\n")
	must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	want := pullOf(change)
	want.Culprit, want.Reviewers = culprit, []string{"alice", "bob"}
	must(c.EnsurePull(t.Context(), repo, want))(t)
	if got := w.repo.Pulls()[0]; !slices.Equal(got.Reviewers, []string{"bob"}) {
		t.Errorf("reviewers %v", got.Reviewers)
	}
}

func TestTitlesAndLabelsAreHarmless(t *testing.T) {
	w, c, change, _ := proposed(t)
	want := pullOf(change)
	want.Title = "Stop\n@everyone \u202e\x1b[31m from " + strings.Repeat("é", 400)
	want.Labels = []string{"@team", "two, labels", strings.Repeat("l", 80), "", "remediator", "Incident", "bad\nlabel"}
	want.Body = strings.Repeat("a line of evidence\n", 8000)
	must(c.EnsurePull(t.Context(), repo, want))(t)
	got := w.repo.Pulls()[0]
	if strings.ContainsAny(got.Title, "@\n\x1b\u202e") || utf8.RuneCountInString(got.Title) > 256 {
		t.Errorf("title %q", got.Title)
	}
	if len(got.Body) > 65536 || !strings.Contains(got.Body, "Cut here") {
		t.Errorf("body of %d bytes", len(got.Body))
	}
	for _, l := range got.Labels {
		if strings.ContainsAny(l, "@,\n") || utf8.RuneCountInString(l) > 50 {
			t.Errorf("label %q", l)
		}
	}
	w.ForgetRequests()
	must(c.EnsurePull(t.Context(), repo, want))(t)
	w.wroteNothing(t)
	want.Title = " \n\t"
	if _, err := c.EnsurePull(t.Context(), repo, want); err == nil {
		t.Error("an empty title was accepted")
	}
}

func TestChangeThatIsInTheBaseAlready(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	change := w.change(t, w.base, "package main // 1\n")
	must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	must(w.repo.Git("update-ref", "refs/heads/main", change.SHA))(t)
	if _, err := c.EnsurePull(t.Context(), repo, pullOf(change)); !errors.Is(err, docket.ErrBaseMoved) {
		t.Fatalf("%v, want ErrBaseMoved", err)
	}
}

func TestPullRequestWithoutBranchOrBase(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	change := w.change(t, w.base, "package main // 1\n")
	if _, err := c.EnsurePull(t.Context(), repo, pullOf(change)); err == nil {
		t.Error("a pull request without a branch")
	}
	must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	want := pullOf(change)
	want.Base = "nowhere"
	if _, err := c.EnsurePull(t.Context(), repo, want); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%v", err)
	}
}

func TestMissingPermissionIsNamed(t *testing.T) {
	w, _, change, _ := proposed(t)
	for need, try := range map[string]func(*github.Client) error{
		"contents": func(c *github.Client) error {
			_, err := c.EnsureBranch(t.Context(), repo, "remediator/0123456789ac", "", change)
			return err
		},
		"checks": func(c *github.Client) error {
			_, err := c.EnsureCheck(t.Context(), repo, docket.CheckRun{Case: fingerprint, Name: "remediator", Head: w.base, Status: "queued"})
			return err
		},
		"statuses": func(c *github.Client) error {
			return c.EnsureStatus(t.Context(), repo, docket.CommitStatus{Head: w.base, Context: "remediator", State: "pending"})
		},
		"pull_requests": func(c *github.Client) error {
			want := pullOf(change)
			want.Title = "another"
			_, err := c.EnsurePull(t.Context(), repo, want)
			return err
		},
	} {
		t.Run(need, func(t *testing.T) {
			granted := githubtest.DefaultPermissions()
			granted[need] = "read"
			w.SetPermissions("acme", granted)
			defer w.SetPermissions("acme", githubtest.DefaultPermissions())
			err := try(w.client(t))
			if !errors.Is(err, docket.ErrForbidden) || !strings.Contains(err.Error(), need) {
				t.Errorf("%v, want ErrForbidden that names %s", err, need)
			}
		})
	}
}

func TestAppThatIsNotInstalled(t *testing.T) {
	w := newWorld(t)
	w.repo.Uninstall()
	_, err := w.client(t).Tip(t.Context(), repo, "main")
	if !errors.Is(err, docket.ErrForbidden) || !strings.Contains(err.Error(), "install") {
		t.Fatal(err)
	}
}
