package github_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
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

// scripted is a GitHub that answers by a function, for what the stand-in would never answer.
func scripted(t *testing.T, answer http.HandlerFunc, change ...func(*github.Options)) (*github.Client, *[]time.Duration) {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	var mu sync.Mutex
	waits := &[]time.Duration{}
	o := github.Options{
		URL: s.URL, Token: "token-of-a-test", Login: "me", MaxWait: time.Hour,
		Autonomy: func(string) remedy.Autonomy { return remedy.Ready },
		Random:   func() float64 { return 0 },
		Sleep: func(ctx context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			*waits = append(*waits, d)
			return ctx.Err()
		},
	}
	for _, f := range change {
		f(&o)
	}
	c, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c, waits
}

const refAnswer = `{"ref":"refs/heads/main","object":{"type":"commit","sha":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}`

func TestWaitsAsLongAsGitHubAsks(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for name, c := range map[string]struct {
		refuse func(http.ResponseWriter)
		want   time.Duration
	}{
		"Retry-After in seconds": {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "17"); w.WriteHeader(429) }, 17 * time.Second},
		"Retry-After as a date": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", now.Add(40*time.Second).Format(http.TimeFormat))
			w.WriteHeader(403)
		}, 40 * time.Second},
		"primary limit": {func(w http.ResponseWriter) {
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", fmt.Sprint(now.Add(50*time.Second).Unix()))
			w.WriteHeader(403)
		}, 50 * time.Second},
		"secondary limit without a time": {func(w http.ResponseWriter) {
			w.WriteHeader(403)
			fmt.Fprint(w, `{"message":"You have exceeded a secondary rate limit."}`)
		}, time.Minute},
		"unavailable":      {func(w http.ResponseWriter) { w.WriteHeader(503) }, 250 * time.Millisecond},
		"gateway time-out": {func(w http.ResponseWriter) { w.WriteHeader(504) }, 250 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			clock := now
			client, waits := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
				if asked.Add(1) == 1 {
					c.refuse(w)
					return
				}
				fmt.Fprint(w, refAnswer)
			}, func(o *github.Options) {
				sleep := o.Sleep
				o.Now = func() time.Time { return clock }
				o.Sleep = func(ctx context.Context, d time.Duration) error { clock = clock.Add(d); return sleep(ctx, d) }
			})
			must(client.Tip(t.Context(), repo, "main"))(t)
			if len(*waits) != 1 || (*waits)[0] != c.want || asked.Load() != 2 {
				t.Errorf("waited %v, asked %d times, want one wait of %s", *waits, asked.Load(), c.want)
			}
		})
	}
}

func TestGivesUpWhenGitHubAsksForTooLong(t *testing.T) {
	var asked atomic.Int32
	c, waits := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Retry-After", "7200")
		w.WriteHeader(429)
	}, func(o *github.Options) { o.MaxWait = time.Minute })
	_, err := c.FindPull(t.Context(), repo, branch)
	if after, ok := github.RetryAfter(err); !ok || after != 2*time.Hour || len(*waits) != 0 || asked.Load() != 1 {
		t.Errorf("%v, waits %v, asked %d times", err, *waits, asked.Load())
	}
}

func TestKnowsWhenTheRateLimitIsUsedUp(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var asked atomic.Int32
	c, _ := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("X-RateLimit-Limit", "5000")
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.Header().Set("X-RateLimit-Reset", fmt.Sprint(now.Add(30*time.Minute).Unix()))
		fmt.Fprint(w, refAnswer)
	}, func(o *github.Options) { o.Now, o.MaxWait = func() time.Time { return now }, time.Minute })
	must(c.Tip(t.Context(), repo, "main"))(t)
	_, err := c.Tip(t.Context(), repo, "main")
	if after, ok := github.RetryAfter(err); !ok || after != 30*time.Minute || asked.Load() != 1 {
		t.Errorf("%v after %d requests", err, asked.Load())
	}
}

func TestReadingAgainCostsNothing(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	must(c.Tip(t.Context(), repo, "main"))(t)
	for range 3 {
		must(c.Tip(t.Context(), repo, "main"))(t)
	}
	fresh := 0
	for _, r := range w.Requests() {
		if strings.Contains(r.Path, "/git/ref/") && r.Status != http.StatusNotModified {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("read %d times, want one and then 304", fresh)
	}
	moved := must(w.As("alice").PushCommit(w.repo, "main", "go on", map[string][]byte{"x": []byte("y")}))(t)
	if got := must(c.Tip(t.Context(), repo, "main"))(t); got != moved {
		t.Errorf("tip %s is stale, want %s", got, moved)
	}
}

func TestRedirectToAnotherHostDoesNotGetTheToken(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked.Store(true)
		fmt.Fprint(w, refAnswer)
	}))
	defer other.Close()
	c, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusMovedPermanently)
	})
	if _, err := c.Tip(t.Context(), repo, "main"); err == nil || leaked.Load() {
		t.Errorf("followed: %v, error %v", leaked.Load(), err)
	}
}

func TestRenamedRepositoryIsFollowed(t *testing.T) {
	c, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/repos/") {
			http.Redirect(w, r, strings.Replace(r.URL.Path, "/repos/acme/shop", "/repositories/12", 1), http.StatusMovedPermanently)
			return
		}
		fmt.Fprint(w, refAnswer)
	})
	must(c.Tip(t.Context(), repo, "main"))(t)
}

func TestAnswerWithoutEnd(t *testing.T) {
	c, _ := scripted(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte(" "), 1<<20)
		for range 40 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if _, err := c.Tip(t.Context(), repo, "main"); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}

func TestNonsenseAnswers(t *testing.T) {
	for name, body := range map[string]string{
		"not JSON": "<html>", "a list": "[]", "null": "null", "empty": "", "another reference": `{"ref":"refs/heads/main2","object":{"sha":"b"}}`, "types": `{"ref":1}`,
	} {
		c, _ := scripted(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		if tip, err := c.Tip(t.Context(), repo, "main"); err == nil {
			t.Errorf("%s: tip %q", name, tip)
		}
		if _, err := c.FindPull(t.Context(), repo, branch); err == nil && body != "[]" && body != "null" && body != "" {
			t.Errorf("%s: no error of FindPull", name)
		}
	}
}

func TestCommitThatGitHubStoresUnderAnotherHash(t *testing.T) {
	w := newWorld(t)
	change := w.change(t, w.base, "package main // 1\n")
	var signatures []string
	c, _ := scripted(t, func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/git/commits/"+change.Base):
			fmt.Fprintf(rw, `{"sha":%q,"tree":{"sha":"1"}}`, change.Base)
		case strings.HasSuffix(r.URL.Path, "/git/blobs"):
			rw.WriteHeader(201)
			fmt.Fprintf(rw, `{"sha":%q}`, blobOf(r))
		case strings.HasSuffix(r.URL.Path, "/git/trees"):
			rw.WriteHeader(201)
			fmt.Fprintf(rw, `{"sha":%q}`, change.Tree)
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git/commits"):
			signatures = append(signatures, signatureOf(r))
			rw.WriteHeader(201)
			fmt.Fprintf(rw, `{"sha":%q}`, strings.Repeat("9", 40))
		case r.Method == http.MethodGet:
			rw.WriteHeader(404)
			fmt.Fprint(rw, `{"message":"Not Found"}`)
		default:
			t.Errorf("%s %s after the hash was wrong", r.Method, r.URL.Path)
		}
	})
	_, err := c.EnsureBranch(t.Context(), repo, branch, "", change)
	if err == nil || !strings.Contains(err.Error(), "to which the evidence is bound") {
		t.Fatal(err)
	}
	if len(signatures) != 2 || signatures[0] != signature || signatures[1] != signature+"\n" {
		t.Errorf("signatures %q", signatures)
	}
}

func TestClearWordsForWhatGitHubRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		status    int
		body      string
		forbidden bool
		want      string
	}{
		"credentials":     {401, `{"message":"Bad credentials"}`, true, "check the App's id and key"},
		"archived":        {403, `{"message":"Repository was archived so is read-only."}`, true, "archived"},
		"suspended":       {403, `{"message":"This installation has been suspended"}`, true, "suspended"},
		"permission":      {403, `{"message":"Resource not accessible by integration"}`, true, "statuses"},
		"issues disabled": {410, `{"message":"Issues are disabled for this repo"}`, true, "issues are disabled"},
		"rules":           {422, `{"message":"Repository rule violations found"}`, true, "exempt the App"},
		"legal":           {451, `{"message":"Repository access blocked"}`, true, "blocked"},
		"empty":           {409, `{"message":"Git Repository is empty."}`, false, "first commit"},
		"control":         {422, "{\"message\":\"a\\u001b[31mb\\nc " + strings.Repeat("x", 9999) + "\"}", false, "a [31mb c x"},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			err := client.EnsureStatus(t.Context(), repo, docket.CommitStatus{Head: strings.Repeat("a", 40), Context: "c", State: "pending"})
			if err == nil || errors.Is(err, docket.ErrForbidden) != c.forbidden || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 900 {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNoCredentialInLogsOrErrors(t *testing.T) {
	const token = "ghs_veryverysecrettoken"
	logs := &bytes.Buffer{}
	c, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(502) }, func(o *github.Options) {
		o.Token, o.Log = token, slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	_, err := c.FindPull(t.Context(), repo, branch)
	if err == nil || strings.Contains(err.Error()+logs.String(), token) || logs.Len() == 0 {
		t.Errorf("%v\n%s", err, logs)
	}
	w := newWorld(t)
	w.Inject(githubtest.Fault{Nth: 2, Kind: githubtest.BadGateway})
	app := w.client(t)
	must(app.Tip(t.Context(), repo, "main"))(t)
	issued := w.InstallationToken(repo)
	for _, secret := range []string{issued, "PRIVATE KEY", "Bearer", "Authorization"} {
		if strings.Contains(w.logs.String(), secret) {
			t.Errorf("the log holds %q", secret[:6])
		}
	}
}

func TestWritesAreSpacedAndOneAtATime(t *testing.T) {
	var now, most atomic.Int32
	c, waits := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer now.Add(-1)
		}
		w.WriteHeader(201)
		fmt.Fprint(w, `{}`)
	}, func(o *github.Options) {
		at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
		o.Now = func() time.Time { return at }
	})
	var wait sync.WaitGroup
	for i := range 25 {
		wait.Go(func() {
			if err := c.React(t.Context(), repo, int64(i+1), "eyes"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if most.Load() != 1 {
		t.Errorf("%d requests that write at a time", most.Load())
	}
	longest := time.Duration(0)
	for _, d := range *waits {
		longest = max(longest, d)
	}
	if len(*waits) != 15 || longest != 15*time.Second {
		t.Errorf("%d waits, the longest %s: want ten writes at once and then one a second", len(*waits), longest)
	}
}

func TestObserver(t *testing.T) {
	w := newWorld(t)
	w.Inject(githubtest.Fault{Nth: 3, Kind: githubtest.BadGateway})
	rates, retries := 0, 0
	c := w.client(t, func(o *github.Options) {
		o.Observe = github.Observer{
			Rate:  func(_ string, limit, remaining int) { rates++; _ = limit - remaining },
			Retry: func(string) { retries++ },
		}
	})
	must(c.Tip(t.Context(), repo, "main"))(t)
	if rates == 0 || retries != 1 {
		t.Errorf("told of %d rates and %d retries", rates, retries)
	}
}

func TestOptionsThatCannotWork(t *testing.T) {
	for name, o := range map[string]github.Options{
		"nobody":          {},
		"both":            {AppID: 1, PrivateKey: keyPEM(), Token: "x"},
		"no key":          {AppID: 1, PrivateKey: []byte("nonsense")},
		"not a URL":       {Token: "x", URL: "ghe.example.com"},
		"another scheme":  {Token: "x", URL: "ftp://ghe.example.com/"},
		"user in the URL": {Token: "x", URL: "https://u:p@ghe.example.com/api/v3/"},
		"line in a token": {Token: "x\ny"},
	} {
		if _, err := github.New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRepositoriesOfEverybody(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]*github.Client{"App": w.client(t), "workflow": w.client(t, withToken(w.ActionsToken(repo, map[string]string{"contents": "read", "metadata": "read"})))} {
		all := must(c.Repositories(t.Context()))(t)
		if len(all) != 1 || all[0].Name != repo || all[0].DefaultBranch != "main" || all[0].CloneURL == "" {
			t.Errorf("%s: %+v", name, all)
		}
	}
}
