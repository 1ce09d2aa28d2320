package workflow

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/internal/githubtest"
)

const fingerprint = "0123456789abcdef0123456789abcdef"

// botPull makes a branch as the bot would, with evidence beside it, and returns a step that verifies it.
func botPull(t *testing.T, evidence map[string]string) (*bench, *githubtest.Server, *githubtest.Repository, string) {
	t.Helper()
	s, r := standIn(t)
	head, err := s.As("acme").PushCommit(r, "remediator/"+fingerprint[:12], "Fix", map[string][]byte{
		"fix.go": []byte("package fix\n"),
		// A change of the key on the branch itself must have no effect.
		".github/remediator.pub": []byte("-----BEGIN PUBLIC KEY-----\nforged\n-----END PUBLIC KEY-----\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if evidence != nil {
		files := map[string][]byte{"README.md": nil, ".github/remediator.pub": nil}
		for name, content := range evidence {
			files[name] = []byte(content)
		}
		sha, err := s.As("acme").PushCommit(r, "scratch", "Evidence", files)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Git("update-ref", "refs/remediator/"+fingerprint, sha); err != nil {
			t.Fatal(err)
		}
	}
	body := strings.NewReplacer(headSHA, head, baseSHA, r.Ref("refs/heads/main")).Replace(pullEvent("remediator/"+fingerprint[:12], "acme/shop"))
	b := newBench(t, "pull_request", body, map[string]string{
		"mode": "verify", "key": ".github/remediator.pub", "token": s.ActionsToken("acme/shop", map[string]string{"contents": "read"}),
	})
	b.vars["GITHUB_SERVER_URL"] = s.URL()
	return b, s, r, head
}

func claims(t *testing.T, w io.Writer, all ...attest.Claim) {
	t.Helper()
	if err := json.NewEncoder(w).Encode(all); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyChecksTheHeadAgainstTheEvidence(t *testing.T) {
	b, _, _, head := botPull(t, map[string]string{"case.json": "{}", "sub/file.txt": "x"})
	b.play = func(c called, stdout, _ io.Writer) int {
		if c.args[0] != "verify" || c.flag("--commit") != head {
			t.Errorf("called %q", c.args)
		}
		key, err := os.ReadFile(c.flag("--key"))
		if err != nil || !strings.Contains(string(key), "trusted") {
			t.Errorf("the trusted key is %q, %v", key, err)
		}
		dir := c.args[len(c.args)-1]
		for name, want := range map[string]string{"case.json": "{}", "sub/file.txt": "x"} {
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
				t.Errorf("%s = %q, %v", name, got, err)
			}
		}
		repo := clone{dir: c.flag("--repo")}
		if out, err := repo.git(t.Context(), "rev-list", "--count", head); err != nil || strings.TrimSpace(string(out)) != "2" {
			t.Errorf("the repository has %s commits up to the head, %v; want it and its parent", out, err)
		}
		for _, v := range c.env {
			if strings.HasPrefix(v, "GITHUB_TOKEN=") || strings.HasPrefix(v, "ACTIONS_") || strings.HasPrefix(v, "INPUT_") {
				t.Errorf("the tool got %s", v)
			}
		}
		claims(t, stdout, attest.Claim{Name: "signature", Proved: true, Why: "good | <b>`"})
		return 0
	}
	ok, out, summary := b.run(t)
	if !ok || out["state"] != "proved" {
		t.Fatalf("ok %v, state %q\n%s", ok, out["state"], b.log.String())
	}
	if !strings.Contains(summary, "All 1 claims") || strings.Contains(summary, "good |") {
		t.Errorf("summary:\n%s", summary)
	}
}

func TestVerifyShowsBrokenClaims(t *testing.T) {
	b, _, _, _ := botPull(t, map[string]string{"case.json": "{}"})
	b.play = func(_ called, stdout, _ io.Writer) int {
		claims(t, stdout, attest.Claim{Name: "signature", Proved: true}, attest.Claim{Name: "case.json", Why: "the file was changed"})
		return exitNo
	}
	ok, out, summary := b.run(t)
	if ok || out["state"] != "broken" || !strings.Contains(summary, "Do not merge") {
		t.Errorf("ok %v, state %q\n%s", ok, out["state"], summary)
	}
	if !strings.Contains(b.log.String(), "::error title=remediator verify%3A case.json is not proved::the file was changed") {
		t.Errorf("no annotation:\n%s", b.log.String())
	}
}

// TestVerifyWaitsForTheEvidence: the branch is pushed before the evidence, and the event comes in between.
func TestVerifyWaitsForTheEvidence(t *testing.T) {
	b, _, _, _ := botPull(t, map[string]string{"case.json": "{}"})
	b.play = func(_ called, stdout, _ io.Writer) int {
		if len(b.calls) < 3 {
			claims(t, stdout, attest.Claim{Name: "signature", Proved: true}, attest.Claim{Name: "statement", Why: "about another commit"})
			return exitNo
		}
		claims(t, stdout, attest.Claim{Name: "signature", Proved: true})
		return 0
	}
	if ok, out, _ := b.run(t); !ok || out["state"] != "proved" || b.slept != 2 {
		t.Errorf("ok %v, state %q, waited %d times", ok, out["state"], b.slept)
	}
}

// TestVerifyCommitOnTopOfTheProposal: somebody with write access adds a commit, and the evidence stays about the one before.
func TestVerifyCommitOnTopOfTheProposal(t *testing.T) {
	b, _, _, _ := botPull(t, map[string]string{"case.json": "{}"})
	b.play = func(_ called, stdout, _ io.Writer) int {
		claims(t, stdout, attest.Claim{Name: "signature", Proved: true}, attest.Claim{Name: "statement", Why: "about another commit"})
		return exitNo
	}
	if ok, out, _ := b.run(t); ok || out["state"] != "broken" {
		t.Errorf("ok %v, state %q", ok, out["state"])
	}
}

func TestVerifyWithoutEvidenceIsBroken(t *testing.T) {
	b, _, _, _ := botPull(t, nil)
	ok, out, summary := b.run(t)
	if ok || out["state"] != "broken" || !strings.Contains(summary, "no evidence at refs/remediator/0123456789ab") || b.slept != attempts-1 {
		t.Errorf("ok %v, state %q, waited %d times\n%s", ok, out["state"], b.slept, summary)
	}
}

// TestLinkInTheEvidence puts a link where a file of the case should be.
func TestLinkInTheEvidence(t *testing.T) {
	b, _, r, _ := botPull(t, map[string]string{"case.json": "{}"})
	blob, err := r.Git("rev-parse", "refs/remediator/"+fingerprint+":case.json")
	if err != nil {
		t.Fatal(err)
	}
	// A tree with a link in it, by way of an index of its own.
	if _, err := r.Git("update-index", "--add", "--cacheinfo", "120000,"+blob+",case.json"); err != nil {
		t.Fatal(err)
	}
	tree, err := r.Git("write-tree")
	if err != nil {
		t.Fatal(err)
	}
	commit, err := r.Git("commit-tree", "-m", "link", tree)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Git("update-ref", "refs/remediator/"+fingerprint, commit); err != nil {
		t.Fatal(err)
	}
	if ok, _, summary := b.run(t); ok || !strings.Contains(summary, "no plain file") || len(b.calls) != 0 {
		t.Errorf("ok %v, %d calls\n%s", ok, len(b.calls), summary)
	}
}

// TestDoublePrefix puts the evidence of another case beside the right one, under a name that begins alike.
func TestDoublePrefix(t *testing.T) {
	b, _, r, _ := botPull(t, map[string]string{"case.json": "{}"})
	if _, err := r.Git("update-ref", "refs/remediator/"+fingerprint[:12]+"ffff", "refs/remediator/"+fingerprint); err != nil {
		t.Fatal(err)
	}
	if ok, _, summary := b.run(t); ok || !strings.Contains(summary, "evidence of 2 cases") {
		t.Errorf("ok %v\n%s", ok, summary)
	}
}

// TestKeyThatClimbsOut names keys that are not the target branch's.
func TestKeyThatClimbsOut(t *testing.T) {
	for _, key := range []string{"../trusted.pub", "/etc/passwd", "a/../b", "none.pub"} {
		b, _, _, _ := botPull(t, map[string]string{"case.json": "{}"})
		b.vars["INPUT_KEY"] = key
		if ok, _, summary := b.run(t); ok || len(b.calls) != 0 {
			t.Errorf("%s: ok %v, %d calls\n%s", key, ok, len(b.calls), summary)
		}
	}
}

func TestVerifyPassesOthers(t *testing.T) {
	for _, branch := range []string{"topic", "remediator/not-a-case", "remediator/0123456789ab/x"} {
		b := newBench(t, "pull_request", pullEvent(branch, "acme/shop"), map[string]string{"mode": "verify"})
		if ok, out, summary := b.run(t); !ok || out["state"] != "skipped" || !strings.Contains(summary, "not the bot's") {
			t.Errorf("%s: ok %v, state %q\n%s", branch, ok, out["state"], summary)
		}
	}
	b := newBench(t, "merge_group", "{}", map[string]string{"mode": "verify"})
	if ok, out, _ := b.run(t); !ok || out["state"] != "skipped" {
		t.Errorf("merge queue: ok %v, state %q", ok, out["state"])
	}
	b = newBench(t, "push", "{}", map[string]string{"mode": "verify"})
	if ok, _, _ := b.run(t); ok {
		t.Error("a push was verified")
	}
}

func TestVerifyWithoutAKeyIsRefused(t *testing.T) {
	b := newBench(t, "pull_request", pullEvent("remediator/"+fingerprint[:12], "acme/shop"), map[string]string{"mode": "verify"})
	if ok, _, summary := b.run(t); ok || !strings.Contains(summary, "the public key to trust") {
		t.Errorf("ok %v\n%s", ok, summary)
	}
}

// TestExitCodeThatTheClaimsDoNotSay: a tool that says one thing and exits with another is not believed.
func TestExitCodeThatTheClaimsDoNotSay(t *testing.T) {
	for _, tc := range []struct {
		code   int
		proved bool
	}{{0, false}, {exitNo, true}} {
		t.Run(fmt.Sprint(tc.code), func(t *testing.T) {
			b, _, _, _ := botPull(t, map[string]string{"case.json": "{}"})
			b.play = func(_ called, stdout, _ io.Writer) int {
				claims(t, stdout, attest.Claim{Name: "files", Proved: tc.proved})
				return tc.code
			}
			if ok, out, _ := b.run(t); ok || out["state"] != "failed" {
				t.Errorf("ok %v, state %q", ok, out["state"])
			}
		})
	}
}
