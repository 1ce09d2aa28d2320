package githubtest_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v66/github"

	"github.com/remediator/remediator/internal/githubtest"
)

func comments(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/comments")
}

func TestFaults(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	c := client(t, s)
	n := propose(t, c, "remediator/fault").GetNumber()
	say := func(body string) error {
		_, _, err := c.Issues.CreateComment(t.Context(), "acme", "shop", n, &github.IssueComment{Body: &body})
		return err
	}
	count := func() int { return len(r.Comments(n)) }

	for _, tc := range []struct {
		name   string
		fault  githubtest.Fault
		effect int
		check  func(error) bool
	}{
		{"502", githubtest.Fault{Kind: githubtest.BadGateway}, 0, func(err error) bool { return status(err) == 502 }},
		{"429", githubtest.Fault{Kind: githubtest.TooMany, RetryAfter: 7 * time.Second}, 0, func(err error) bool {
			var e *github.ErrorResponse
			return errors.As(err, &e) && e.Response.StatusCode == 429 && e.Response.Header.Get("Retry-After") == "7"
		}},
		{"secondary limit", githubtest.Fault{Kind: githubtest.SecondaryLimit, RetryAfter: time.Minute}, 0, func(err error) bool {
			var e *github.AbuseRateLimitError
			return errors.As(err, &e) && e.GetRetryAfter() == time.Minute
		}},
		{"lost response", githubtest.Fault{Kind: githubtest.LostResponse}, 1, func(err error) bool { return errors.Is(err, io.EOF) }},
		{"cut before", githubtest.Fault{Kind: githubtest.CutBefore}, 0, func(err error) bool { return errors.Is(err, io.EOF) }},
		{"422", githubtest.Fault{Kind: githubtest.Unprocessable}, 0, func(err error) bool { return status(err) == 422 }},
		{"slow", githubtest.Fault{Kind: githubtest.Slow, Delay: time.Millisecond}, 1, func(err error) bool { return err == nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// go-github remembers a secondary limit, so every case has a client of its own.
			c = client(t, s)
			tc.fault.Match, tc.fault.Nth = comments, 2
			s.Inject(tc.fault)
			defer s.Heal()
			before := count()
			if err := say("first"); err != nil {
				t.Fatalf("the first call is not to fail: %v", err)
			}
			if err := say("second"); !tc.check(err) {
				t.Errorf("the second call: %v", err)
			}
			if got := count() - before - 1; got != tc.effect {
				t.Errorf("the second call made %d comments, want %d", got, tc.effect)
			}
		})
	}
}

func TestExhausted(t *testing.T) {
	s, _ := start(t, githubtest.Options{})
	c := client(t, s)
	s.Inject(githubtest.Fault{Kind: githubtest.Exhausted, Nth: 1, RetryAfter: time.Minute, Match: func(r *http.Request) bool { return r.URL.Path == "/repos/acme/shop" }})
	_, _, err := c.Repositories.Get(t.Context(), "acme", "shop")
	var e *github.RateLimitError
	if !errors.As(err, &e) || time.Until(e.Rate.Reset.Time) > time.Minute+time.Second {
		t.Errorf("got %v, want the primary rate limit", err)
	}
}

func TestStaleRef(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	c := client(t, s)
	old := r.Ref("refs/heads/main")
	if _, err := s.As("alice").PushCommit(r, "main", "Move on", map[string][]byte{"a": []byte("a")}); err != nil {
		t.Fatal(err)
	}
	s.Inject(githubtest.Fault{Kind: githubtest.StaleRef, Nth: 1, Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/git/ref/") }})
	for _, want := range []string{old, r.Ref("refs/heads/main")} {
		ref, _, err := c.Git.GetRef(t.Context(), "acme", "shop", "heads/main")
		if err != nil || ref.Object.GetSHA() != want {
			t.Errorf("main = %s, %v; want %s", ref.GetObject().GetSHA(), err, want)
		}
	}
	s.Inject(githubtest.Fault{Kind: githubtest.StaleRef, Nth: 1, Match: func(r *http.Request) bool { return r.Method == http.MethodPatch }})
	_, _, err := c.Git.UpdateRef(t.Context(), "acme", "shop", &github.Reference{Ref: github.String("refs/heads/main"), Object: &github.GitObject{SHA: &old}}, true)
	if status(err) != http.StatusUnprocessableEntity {
		t.Errorf("writing a stale ref: %v", err)
	}
}

// TestHooksSeeBothSidesOfAnEffect is what a test uses to kill a program right before or after an effect.
func TestHooksSeeBothSidesOfAnEffect(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	c := client(t, s)
	n := propose(t, c, "remediator/hook").GetNumber()
	seen := map[githubtest.Phase]int{}
	s.OnRequest(func(p githubtest.Phase, req *http.Request) {
		if comments(req) {
			body, err := io.ReadAll(req.Body)
			if err != nil || !strings.Contains(string(body), "hello") {
				t.Errorf("the hook read %q, %v", body, err)
			}
			seen[p] = len(r.Comments(n))
		}
	})
	if _, _, err := c.Issues.CreateComment(t.Context(), "acme", "shop", n, &github.IssueComment{Body: github.String("hello")}); err != nil {
		t.Fatal(err)
	}
	if seen[githubtest.Before] != 0 || seen[githubtest.After] != 1 {
		t.Errorf("comments before and after = %v", seen)
	}
}

func TestConditionalRequestsAreFree(t *testing.T) {
	s, _ := start(t, githubtest.Options{RateLimit: 50})
	token := s.InstallationToken(shop)
	get := func(tag string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.APIURL()+"repos/acme/shop", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		if tag != "" {
			req.Header.Set("If-None-Match", tag)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	first := get("")
	used := s.RateUsed(shop)
	again := get(first.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified || s.RateUsed(shop) != used {
		t.Errorf("the second call: %s, rate used %d then %d", again.Status, used, s.RateUsed(shop))
	}
	if first.Header.Get("X-RateLimit-Remaining") != "49" || again.Header.Get("X-RateLimit-Remaining") != "49" {
		t.Errorf("remaining %s, %s", first.Header.Get("X-RateLimit-Remaining"), again.Header.Get("X-RateLimit-Remaining"))
	}
	s.Spend(100)
	if last := get(""); last.StatusCode != http.StatusForbidden || last.Header.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("with nothing left: %s, remaining %s", last.Status, last.Header.Get("X-RateLimit-Remaining"))
	}
}

func TestPagesOfLists(t *testing.T) {
	s, r := start(t, githubtest.Options{})
	c := client(t, s)
	n := propose(t, c, "remediator/pages").GetNumber()
	for range 5 {
		if _, err := s.As("alice").Comment(r, n, "again"); err != nil {
			t.Fatal(err)
		}
	}
	opt := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 2}}
	got := 0
	for {
		page, resp, err := c.Issues.ListComments(t.Context(), "acme", "shop", n, opt)
		if err != nil {
			t.Fatal(err)
		}
		got += len(page)
		if resp.NextPage == 0 {
			break
		}
		opt.Page = resp.NextPage
	}
	if got != 5 {
		t.Errorf("%d comments on all pages, want 5", got)
	}
}
