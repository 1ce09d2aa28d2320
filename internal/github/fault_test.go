package github_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/remediator/remediator/internal/githubtest"
)

// end is what is left at GitHub once a case was proposed.
func (w *world) end(t *testing.T, i incident) string {
	t.Helper()
	var b strings.Builder
	for _, p := range w.repo.Pulls() {
		if p.Head != i.branch() {
			continue
		}
		fmt.Fprintf(&b, "pull %s %s %v %v %v\n%s\n", p.Title, p.State, p.Draft, p.Labels, p.Reviewers, p.Body)
		for _, m := range w.repo.Comments(p.Number) {
			fmt.Fprintf(&b, "comment %s %s %v\n", m.User, m.Body, m.Reactions)
		}
	}
	for _, k := range w.repo.Checks() {
		if k.Head == i.change.SHA {
			fmt.Fprintf(&b, "check %s %s %s %d\n", k.Name, k.Status, k.Conclusion, k.Annotations)
		}
	}
	for _, s := range w.repo.Statuses() {
		if s.SHA == i.change.SHA {
			fmt.Fprintf(&b, "status %s %s\n", s.Context, s.State)
		}
	}
	fmt.Fprintf(&b, "branch right %v, evidence kept %v\n",
		w.repo.Ref("refs/heads/"+i.branch()) == i.change.SHA, w.repo.Ref("refs/remediator/"+i.fingerprint+"^{tree}"))
	return b.String()
}

// smooth is what a case leaves when nothing fails, and which of its requests write, from the first on.
func (w *world) smooth(t *testing.T) (end string, writes []bool) {
	t.Helper()
	i := w.incident(t, 0)
	w.ForgetRequests()
	if err := everything(t.Context(), w.client(t), i); err != nil {
		t.Fatal(err)
	}
	for _, r := range w.Requests() {
		writes = append(writes, r.Method != http.MethodGet)
	}
	if len(writes) < 20 {
		t.Fatalf("only %d requests", len(writes))
	}
	return w.end(t, i), writes
}

// Calls fail once, in every way that GitHub fails: what is there in the end is the same, and one of each. The lost response
// hits every call that writes; of the others each hits a fifth of all calls, together all, and with
// REMEDIATOR_EVERY_FAULT set every fault hits every call.
func TestEveryFaultAtEveryRequestEndsTheSame(t *testing.T) {
	w := newWorldWith(t, githubtest.Options{RateLimit: 1 << 20})
	want, writes := w.smooth(t)
	n, all := 0, os.Getenv("REMEDIATOR_EVERY_FAULT") != ""
	for offset, fault := range []struct {
		name string
		kind githubtest.FaultKind
	}{
		{"bad gateway", githubtest.BadGateway}, {"too many", githubtest.TooMany}, {"secondary limit", githubtest.SecondaryLimit},
		{"lost response", githubtest.LostResponse}, {"cut before", githubtest.CutBefore}, {"unprocessable", githubtest.Unprocessable},
	} {
		for k := 1; k <= len(writes); k++ {
			chosen := (k+offset)%5 == 0
			if fault.kind == githubtest.LostResponse {
				chosen = writes[k-1]
			}
			if !chosen && !all {
				continue
			}
			n++
			i := w.incident(t, n)
			w.Heal()
			w.Inject(githubtest.Fault{Nth: k, Kind: fault.kind})
			// Each round is another process that knows nothing of the one before.
			var err error
			for range 3 {
				if err = everything(t.Context(), w.client(t), i); err == nil {
					break
				}
				if fault.kind != githubtest.Unprocessable {
					t.Errorf("%s at request %d came through: %v", fault.name, k, err)
				}
			}
			if err != nil {
				t.Fatalf("%s at request %d: %v", fault.name, k, err)
			}
			if got := w.end(t, i); got != want {
				t.Fatalf("%s at request %d leaves\n%s\nwant\n%s", fault.name, k, got, want)
			}
		}
	}
}

// The process dies right after any effect; the next one, which knows nothing, leaves one of each.
func TestKilledAfterAnyRequestEndsTheSame(t *testing.T) {
	w := newWorld(t)
	want, writes := w.smooth(t)
	var mu sync.Mutex
	left, kill := 0, context.CancelFunc(func() {})
	w.OnRequest(func(p githubtest.Phase, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if p == githubtest.After {
			if left--; left == 0 {
				kill()
			}
		}
	})
	for k := 1; k <= len(writes); k++ {
		if !writes[k-1] {
			continue
		}
		i := w.incident(t, k)
		ctx, cancel := context.WithCancel(t.Context())
		mu.Lock()
		left, kill = k, cancel
		mu.Unlock()
		first := everything(ctx, w.client(t), i)
		cancel()
		if err := everything(t.Context(), w.client(t), i); err != nil {
			t.Fatalf("killed at request %d (%v): %v", k, first, err)
		}
		if got := w.end(t, i); got != want {
			t.Fatalf("killed at request %d (%v) leaves\n%s\nwant\n%s", k, first, got, want)
		}
	}
}

func TestStaleReadsOfTheBranchNeverMakeASecond(t *testing.T) {
	w := newWorld(t)
	change := w.change(t, w.base, "package main // 1\n")
	c := w.client(t)
	must(c.EnsureBranch(t.Context(), repo, branch, "", change))(t)
	for k := 1; k <= 6; k++ {
		w.Heal()
		w.Inject(githubtest.Fault{Nth: k, Kind: githubtest.StaleRef, Match: func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/git/ref") }})
		must(w.client(t).EnsureBranch(t.Context(), repo, branch, "", change))(t)
		if got := w.repo.Ref("refs/heads/" + branch); got != change.SHA {
			t.Fatalf("stale read %d: branch at %s", k, got)
		}
	}
}
