package workflow

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
)

// replayBench is a pull request whose builds a test plays: what each service's replay showed at base and head.
func replayBench(t *testing.T, base, head map[string]replay.Outcome) *bench {
	t.Helper()
	s, r := standIn(t)
	from := r.Ref("refs/heads/main")
	to, err := s.As("acme").PushCommit(r, "topic", "Change", map[string][]byte{"a.go": []byte("package a\n")})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, "pull_request", strings.NewReplacer(headSHA, to, baseSHA, from).Replace(pullEvent("topic", "acme/shop")), map[string]string{
		"mode": "replay", "services": "payments, orders", "token": s.ActionsToken("acme/shop", map[string]string{"contents": "read"}),
	})
	b.vars["GITHUB_SERVER_URL"] = s.URL()
	// What actions/checkout leaves: one commit, and not the one to compare with.
	cmd := exec.Command("git", "init", "--quiet", b.vars["GITHUB_WORKSPACE"])
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.play = func(c called, stdout, stderr io.Writer) int {
		repo := clone{dir: c.flag("--repo")}
		refs, err := repo.git(t.Context(), "for-each-ref", "--points-at="+c.flag("--rev"))
		if err != nil || len(refs) == 0 {
			t.Errorf("no ref of the checkout names the commit: %v", err)
		}
		if c.flag("--service") != "payments" || c.args[len(c.args)-1] != "orders" {
			t.Errorf("called %q", c.args)
		}
		all, code := []remedy.Replay{}, 0
		which := base
		if c.flag("--rev") == to {
			which = head
		}
		if which == nil {
			_, _ = io.WriteString(stderr, "remediator: payments does not build:\n::error::forged")
			return exitInput
		}
		for _, name := range []string{"orders", "payments"} {
			outcome, there := which[name]
			if !there {
				continue
			}
			one := remedy.Replay{Name: name, Want: replay.Green, OK: outcome == replay.Green, Verdict: replay.Verdict{Outcome: outcome, Why: "said of " + name}}
			if !one.OK {
				code = exitNo
				one.Verdict.Differences = []replay.Difference{{Case: "c1", Target: "status", Kind: "changed", Recorded: "200", Replayed: "5|00`</details>"}}
			}
			all = append(all, one)
		}
		if err := json.NewEncoder(stdout).Encode(all); err != nil {
			t.Error(err)
		}
		return code
	}
	return b
}

func TestReplayComparesBaseAndHead(t *testing.T) {
	type results = map[string]replay.Outcome
	for _, tc := range []struct {
		name       string
		base, head results
		ok         bool
		state      string
		says       string
	}{
		{"all green", results{"orders": "green", "payments": "green"}, results{"orders": "green", "payments": "green"}, true, "green", "| `payments` | green | green |"},
		{"a regression", results{"orders": "green", "payments": "green"}, results{"orders": "green", "payments": "red"}, false, "red", "1 differences of payments"},
		{"red before", results{"orders": "green", "payments": "red"}, results{"orders": "green", "payments": "red"}, true, "green", "| `payments` | red | red |"},
		{"mended", results{"payments": "red"}, results{"payments": "green"}, true, "green", "| `payments` | red | green |"},
		{"golden traces taken away", results{"orders": "green", "payments": "green"}, results{"orders": "green"}, false, "red", "not replayed any more"},
		{"new and red", results{"orders": "green"}, results{"orders": "green", "payments": "red"}, false, "red", "| `payments` | not replayed | red |"},
		{"does not build any more", results{"payments": "green"}, nil, false, "red", "does not build"},
		{"new in this pull request", nil, results{"payments": "green"}, true, "green", "| `payments` | not replayed | green |"},
		{"nothing at all", nil, nil, false, "failed", "nothing was replayed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := replayBench(t, tc.base, tc.head)
			ok, out, summary := b.run(t)
			if ok != tc.ok || out["state"] != tc.state || !strings.Contains(summary, tc.says) {
				t.Errorf("ok %v, state %q\n%s\n%s", ok, out["state"], summary, b.log.String())
			}
			if strings.Contains(summary, "00`<") || strings.Contains(summary, "5|00") {
				t.Errorf("a difference leaves its cell:\n%s", summary)
			}
		})
	}
}

func TestReplayNeedsTwoCommits(t *testing.T) {
	b := newBench(t, "workflow_dispatch", "{}", map[string]string{"mode": "replay", "base": "main"})
	b.vars["GITHUB_SHA"] = headSHA
	if ok, _, summary := b.run(t); ok || !strings.Contains(summary, "compares two commits") {
		t.Errorf("ok %v\n%s", ok, summary)
	}
}

func TestForkIsRefusedInEveryMode(t *testing.T) {
	for _, mode := range []string{"run", "verify", "replay"} {
		b := newBench(t, "pull_request", pullEvent("remediator/0123456789ab", "mallory/shop"), map[string]string{"mode": mode, "incident": "x"})
		ok, out, summary := b.run(t)
		if ok || out["state"] != "refused" || len(b.calls) != 0 || !strings.Contains(summary, "refuses pull requests from forks") {
			t.Errorf("%s: ok %v, state %q, %d calls\n%s", mode, ok, out["state"], len(b.calls), summary)
		}
		if _, err := os.Stat(b.vars["GITHUB_OUTPUT"]); err != nil {
			t.Error(err)
		}
	}
}
