package githubtest_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/internal/githubtest"
)

// TestEveryRouteFitsTheDescription calls every route that there is, with success; the server itself reports what does not
// fit GitHub's description.
func TestEveryRouteFitsTheDescription(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	if !s.Described() {
		t.Skip("GitHub's description was not fetched: go run ./internal/githubtest/githubstandin fetch")
	}
	s.SetWebhook("http://127.0.0.1:1/nobody", "secret")
	app, c, alice := asApp(t, s), client(t, s), asPerson(t, s, "alice")
	pr := propose(t, c, "remediator/every")
	merged := propose(t, c, "remediator/merged")
	n := pr.GetNumber()
	id := s.InstallationID(shop)
	commentID, err := s.As("alice").Comment(r, n, "/remediator explain")
	if err != nil {
		t.Fatal(err)
	}
	check, _, err := c.Checks.CreateCheckRun(t.Context(), "acme", "shop", github.CreateCheckRunOptions{
		Name: "remediator", HeadSHA: pr.Head.GetSHA(), Status: github.String("completed"), Conclusion: github.String("neutral"),
		Output: &github.CheckRunOutput{Title: github.String("t"), Summary: github.String("s"), Annotations: []*github.CheckRunAnnotation{{
			Path: github.String("payments/pay.go"), StartLine: github.Int(3), EndLine: github.Int(3), AnnotationLevel: github.String("warning"), Message: github.String("here"),
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	suite := check.CheckSuite.GetID()
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	delivery := s.Deliveries()[0].ID

	get := func(c *github.Client, path string, args ...any) func() error {
		return func() error { return do(t, c, "GET", fmt.Sprintf(path, args...), nil) }
	}
	send := func(c *github.Client, method, path string, body any, args ...any) func() error {
		return func() error { return do(t, c, method, fmt.Sprintf(path, args...), body) }
	}
	const repo = "repos/acme/shop"
	sha := pr.Head.GetSHA()
	reaction := int64(0)
	for _, step := range []func() error{
		get(app, "app"), get(app, "app/installations"), get(app, "app/installations/%d", id), get(app, repo+"/installation"),
		get(app, "users/acme/installation"), get(app, "app/hook/config"), get(app, "app/hook/deliveries?per_page=2&status=failure"),
		get(app, "app/hook/deliveries/%d", delivery), send(app, "POST", "app/hook/deliveries/%d/attempts", nil, delivery),
		send(with(t, s, nil), "POST", "app-manifests/%s/conversions", nil, s.ManifestCode()),
		get(c, "rate_limit"), get(alice, "user"), get(alice, "user/repos?per_page=5"), get(c, "users/alice"), get(c, "installation/repositories"),
		get(c, repo), get(c, repo+"/branches"), get(c, repo+"/branches/remediator/every"), get(c, repo+"/commits?sha=main&path=README.md"),
		get(c, repo+"/commits/%s", sha), get(c, repo+"/commits/remediator/every"), get(c, repo+"/compare/main...remediator/every"),
		get(c, repo+"/contents/.github/CODEOWNERS"), get(c, repo+"/contents/payments?ref=%s", sha),
		get(c, repo+"/collaborators"), get(c, repo+"/collaborators/alice"), get(c, repo+"/collaborators/alice/permission"),
		get(c, repo+"/git/blobs/%s", blobOf(t, r, "README.md")), get(c, repo+"/git/trees/main?recursive=1"),
		get(c, repo+"/git/commits/%s", sha), get(c, repo+"/git/matching-refs/heads/remediator/"),
		send(c, "PATCH", repo+"/git/refs/heads/remediator/every", object{"sha": r.Ref("refs/heads/main"), "force": true}),
		send(c, "PATCH", repo+"/git/refs/heads/remediator/every", object{"sha": sha, "force": false}),
		send(c, "POST", repo+"/git/refs", object{"ref": "refs/remediator/0123", "sha": sha}), send(c, "DELETE", repo+"/git/refs/remediator/0123", nil),
		get(c, repo+"/pulls?state=all&head=acme:remediator/every&base=main&sort=created&direction=desc"), get(c, repo+"/pulls/%d", n),
		send(c, "PATCH", repo+"/pulls/%d", object{"title": "Pay", "body": "New."}, n),
		get(c, repo+"/pulls/%d/commits", n), get(c, repo+"/pulls/%d/files", n), get(c, repo+"/pulls/%d/reviews", n),
		send(c, "POST", repo+"/pulls/%d/requested_reviewers", object{"reviewers": []string{"alice"}}, n),
		get(c, repo+"/pulls/%d/requested_reviewers", n), send(c, "DELETE", repo+"/pulls/%d/requested_reviewers", object{"reviewers": []string{"alice"}}, n),
		get(c, repo+"/commits/%s/pulls", sha),
		func() error { return s.As("alice").MarkReady(r, merged.GetNumber()) },
		send(c, "PUT", repo+"/pulls/%d/merge", object{"sha": merged.Head.GetSHA(), "merge_method": "merge"}, merged.GetNumber()),
		get(c, repo+"/pulls/%d/merge", merged.GetNumber()),
		get(c, repo+"/issues/%d", n), get(c, repo+"/issues/%d/comments?since=2020-01-01T00:00:00Z", n), get(c, repo+"/issues/comments/%d", commentID),
		send(c, "POST", repo+"/issues/%d/comments", object{"body": "Hello"}, n), send(alice, "PATCH", repo+"/issues/comments/%d", object{"body": "Changed"}, commentID),
		func() error {
			x, _, err := c.Reactions.CreateIssueCommentReaction(t.Context(), "acme", "shop", commentID, "eyes")
			reaction = x.GetID()
			return err
		},
		get(c, repo+"/issues/comments/%d/reactions?content=eyes", commentID),
		func() error {
			return do(t, c, "DELETE", fmt.Sprintf(repo+"/issues/comments/%d/reactions/%d", commentID, reaction), nil)
		},
		send(c, "DELETE", repo+"/issues/comments/%d", nil, commentID),
		send(c, "POST", repo+"/labels", object{"name": "remediator", "color": "aabbcc", "description": "By the bot"}),
		send(c, "POST", repo+"/issues/%d/labels", object{"labels": []string{"remediator", "sev 1"}}, n), get(c, repo+"/issues/%d/labels", n),
		send(c, "PUT", repo+"/issues/%d/labels", object{"labels": []string{"remediator"}}, n), get(c, repo+"/labels"), get(c, repo+"/labels/remediator"),
		send(c, "DELETE", repo+"/issues/%d/labels/remediator", nil, n),
		get(c, repo+"/check-runs/%d", check.GetID()), send(c, "PATCH", repo+"/check-runs/%d", object{"status": "in_progress"}, check.GetID()),
		get(c, repo+"/check-runs/%d/annotations", check.GetID()), send(c, "POST", repo+"/check-runs/%d/rerequest", nil, check.GetID()),
		get(c, repo+"/commits/%s/check-runs?check_name=remediator&filter=latest", sha), get(c, repo+"/commits/%s/check-suites", sha),
		get(c, repo+"/check-suites/%d", suite), get(c, repo+"/check-suites/%d/check-runs", suite), send(c, "POST", repo+"/check-suites/%d/rerequest", nil, suite),
		send(c, "POST", repo+"/statuses/%s", object{"state": "success", "context": "remediator/verify", "target_url": "https://example.com/x", "description": "Proved"}, sha),
		get(c, repo+"/commits/%s/statuses", sha), get(c, repo+"/commits/%s/status", sha),
		func() error { return do(t, c, "PATCH", fmt.Sprintf(repo+"/pulls/%d", n), object{"state": "closed"}) },
		func() error { return do(t, c, "PATCH", fmt.Sprintf(repo+"/pulls/%d", n), object{"state": "open"}) },
		func() error { return s.As("alice").RerequestSuite(r, sha) },
		send(with(t, s, nil).WithAuthToken(s.InstallationToken(shop)), "DELETE", "installation/token", nil),
	} {
		if err := step(); err != nil {
			t.Error(err)
		}
	}
	s.AddOrganization("corp", "core")
	if _, err := s.AddRepository("corp/tool", files(t)); err != nil {
		t.Fatal(err)
	}
	s.InstallationID("corp/tool")
	if err := do(t, app, "GET", "orgs/corp/installation", nil); err != nil {
		t.Error(err)
	}

	called := map[string]bool{}
	for _, e := range s.Requests() {
		if e.Status < 300 {
			called[e.Method+" "+e.Route] = true
		}
	}
	for _, name := range githubtest.RouteNames() {
		if !called[name] {
			t.Errorf("%s was never called with success", name)
		}
	}
	var events []string
	for _, d := range s.Deliveries() {
		if name := strings.TrimSuffix(d.Event+"."+d.Action, "."); !slices.Contains(events, name) {
			events = append(events, name)
		}
	}
	for _, want := range []string{
		"push", "status", "pull_request.opened", "pull_request.edited", "pull_request.synchronize", "pull_request.closed", "pull_request.reopened",
		"pull_request.ready_for_review", "pull_request.labeled", "pull_request.unlabeled", "pull_request.review_requested", "issue_comment.created",
		"issue_comment.edited", "issue_comment.deleted", "check_run.created", "check_run.completed", "check_run.rerequested",
		"check_suite.requested", "check_suite.rerequested",
	} {
		if !slices.Contains(events, want) {
			t.Errorf("no event %s was sent, only %v", want, events)
		}
	}
}

type object = map[string]any

// do makes one call and reads nothing of the answer.
func do(t *testing.T, c *github.Client, method, path string, body any) error {
	t.Helper()
	req, err := c.NewRequest(method, path, body)
	if err != nil {
		return err
	}
	_, err = c.Do(t.Context(), req, nil)
	if errors.As(err, new(*github.AcceptedError)) {
		return nil // go-github takes 202 for an error
	}
	return err
}

func blobOf(t *testing.T, r *githubtest.Repository, path string) string {
	t.Helper()
	sha, err := r.Git("rev-parse", "main:"+path)
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

func status(err error) int {
	switch e := err.(type) {
	case *github.ErrorResponse:
		return e.Response.StatusCode
	case *github.RateLimitError:
		return e.Response.StatusCode
	case *github.AbuseRateLimitError:
		return e.Response.StatusCode
	}
	return 0
}

// TestWhatGitHubRefuses plays what GitHub answers with an error, and reads the words that programs look for.
func TestWhatGitHubRefuses(t *testing.T) {
	var reports []string
	s, r := start(t, githubtest.Options{Report: func(f string, a ...any) { reports = append(reports, fmt.Sprintf(f, a...)) }})
	c, alice, reader := client(t, s), asPerson(t, s, "alice"), asPerson(t, s, "reader")
	pr := propose(t, c, "remediator/refuse")
	sha := pr.Head.GetSHA()
	const repo = "repos/acme/shop"
	notes := make([]object, 51)
	for i := range notes {
		notes[i] = object{"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}
	}
	pull := func(head, title string) object { return object{"title": title, "head": head, "base": "main"} }
	for _, tc := range []struct {
		name, method, path string
		body               any
		as                 *github.Client
		code               int
		says               string
	}{
		{"second pull request of a branch", "POST", repo + "/pulls", pull("remediator/refuse", "t"), c, 422, "A pull request already exists for acme:remediator/refuse."},
		{"pull request of no branch", "POST", repo + "/pulls", pull("nowhere", "t"), c, 422, "invalid"},
		{"pull request without commits", "POST", repo + "/pulls", pull("main", "t"), c, 422, "No commits between main and main"},
		{"title too long", "POST", repo + "/pulls", pull("remediator/refuse", strings.Repeat("x", 257)), c, 422, "too long"},
		{"ref that is there", "POST", repo + "/git/refs", object{"ref": "refs/heads/main", "sha": sha}, c, 422, "Reference already exists"},
		{"ref of nothing", "POST", repo + "/git/refs", object{"ref": "refs/heads/x", "sha": strings.Repeat("0", 40)}, c, 422, "Object does not exist"},
		{"ref without folder", "POST", repo + "/git/refs", object{"ref": "main", "sha": sha}, c, 422, "must start with 'refs/'"},
		{"no fast forward", "PATCH", repo + "/git/refs/heads/remediator/refuse", object{"sha": r.Ref("refs/heads/main")}, c, 422, "Update is not a fast forward"},
		{"unknown ref", "PATCH", repo + "/git/refs/heads/none", object{"sha": sha}, c, 422, "Reference does not exist"},
		{"delete unknown ref", "DELETE", repo + "/git/refs/heads/none", nil, c, 422, "Reference does not exist"},
		{"read unknown ref", "GET", repo + "/git/ref/heads/none", nil, c, 404, "Not Found"},
		{"tree that climbs out", "POST", repo + "/git/trees", object{"tree": []object{{"path": "../x", "mode": "100644", "type": "blob", "content": ""}}}, c, 422, "malformed path"},
		{"tree into .git", "POST", repo + "/git/trees", object{"tree": []object{{"path": ".git/config", "mode": "100644", "type": "blob", "content": ""}}}, c, 422, "malformed path"},
		{"tree of a missing blob", "POST", repo + "/git/trees", object{"tree": []object{{"path": "x", "mode": "100644", "type": "blob", "sha": strings.Repeat("1", 40)}}}, c, 422, "not a valid blob"},
		{"commit of no tree", "POST", repo + "/git/commits", object{"message": "m", "tree": strings.Repeat("1", 40)}, c, 422, "Tree SHA does not exist"},
		{"reviewer from outside", "POST", fmt.Sprintf(repo+"/pulls/%d/requested_reviewers", pr.GetNumber()), object{"reviewers": []string{"stranger"}}, c, 422, "not a collaborator"},
		{"blank comment", "POST", fmt.Sprintf(repo+"/issues/%d/comments", pr.GetNumber()), object{"body": " "}, c, 422, "Body cannot be blank"},
		{"comment too long", "POST", fmt.Sprintf(repo+"/issues/%d/comments", pr.GetNumber()), object{"body": strings.Repeat("x", 65537)}, c, 422, "Body is too long"},
		{"51 annotations", "POST", repo + "/check-runs", object{"name": "n", "head_sha": sha, "output": object{"title": "t", "summary": "s", "annotations": notes}}, c, 422, "maximum quantity of 50"},
		{"summary too long", "POST", repo + "/check-runs", object{"name": "n", "head_sha": sha, "output": object{"title": "t", "summary": strings.Repeat("x", 65536)}}, c, 422, "exceeds a maximum"},
		{"check without conclusion", "POST", repo + "/check-runs", object{"name": "n", "head_sha": sha, "status": "completed"}, c, 422, "conclusion"},
		{"check by a person", "POST", repo + "/check-runs", object{"name": "n", "head_sha": sha}, alice, 403, "via a GitHub App"},
		{"status of no kind", "POST", repo + "/statuses/" + sha, object{"state": "great"}, c, 422, "not included in the list"},
		{"status described at length", "POST", repo + "/statuses/" + sha, object{"state": "error", "description": strings.Repeat("x", 141)}, c, 422, "too long"},
		{"write by a reader", "POST", repo + "/git/refs", object{"ref": "refs/heads/y", "sha": sha}, reader, 404, "Not Found"},
		{"another repository", "GET", "repos/acme/other", nil, c, 404, "Not Found"},
		{"manifest code used up", "POST", "app-manifests/none/conversions", nil, with(t, s, nil), 404, "Not Found"},
		{"app's own call by an installation", "GET", "app", nil, c, 401, "JSON web token"},
		{"merge of a draft", "PUT", fmt.Sprintf(repo+"/pulls/%d/merge", pr.GetNumber()), object{}, c, 405, "not mergeable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := do(t, tc.as, tc.method, tc.path, tc.body)
			if err == nil || status(err) != tc.code || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %d with %q", err, tc.code, tc.says)
			}
		})
	}
	for _, report := range reports {
		if strings.Contains(report, "answer of the stand-in") {
			t.Error(report)
		}
	}
	if s.Described() && len(reports) == 0 {
		t.Error("requests that GitHub's description forbids were not reported")
	}
}

// TestPermissionsOfAnInstallation asks for what was not granted.
func TestPermissionsOfAnInstallation(t *testing.T) {
	s, _ := start(t, githubtest.Options{})
	c := client(t, s)
	sha := propose(t, c, "remediator/permit").Head.GetSHA()
	s.SetPermissions("acme", map[string]string{"metadata": "read", "contents": "read"})
	s.Expire()
	c = client(t, s)
	_, resp, err := c.Git.CreateRef(t.Context(), "acme", "shop", &github.Reference{Ref: github.String("refs/heads/x"), Object: &github.GitObject{SHA: &sha}})
	if status(err) != http.StatusForbidden || resp.Header.Get("X-Accepted-GitHub-Permissions") != "contents=write" {
		t.Errorf("writing without the permission: %v, accepted: %q", err, resp.Header.Get("X-Accepted-GitHub-Permissions"))
	}
	if _, _, err := c.Git.GetRef(t.Context(), "acme", "shop", "heads/main"); err != nil {
		t.Errorf("reading with the permission: %v", err)
	}
}

// TestTokensEnd lets an hour go by.
func TestTokensEnd(t *testing.T) {
	now := time.Now()
	s, _ := start(t, githubtest.Options{Now: func() time.Time { return now }})
	c := with(t, s, nil).WithAuthToken(s.InstallationToken(shop))
	if err := do(t, c, "GET", "repos/acme/shop", nil); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour + time.Second)
	if err := do(t, c, "GET", "repos/acme/shop", nil); status(err) != http.StatusUnauthorized {
		t.Errorf("a token of an hour ago: %v", err)
	}
}
