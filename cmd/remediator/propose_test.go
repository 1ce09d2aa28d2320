package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remediator/remediator/internal/githubtest"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/testdata/incidents"
)

// runAtGitHub runs one incident as a workflow would, and returns what became of it.
func runAtGitHub(t *testing.T, repo, token, api string, extra ...string) (proposal, string, int) {
	t.Helper()
	t.Setenv("GITHUB_TOKEN", token)
	t.Setenv("GITHUB_REPOSITORY", servedRepo)
	t.Setenv("GITHUB_API_URL", api)
	bundle, out := filepath.Join(t.TempDir(), "bundle"), filepath.Join(t.TempDir(), "out")
	for _, name := range []string{"alert.json", "incident/traces.jsonl.zst", "incident/logs.jsonl.zst", "baseline/traces.jsonl.zst", "baseline/logs.jsonl.zst"} {
		data, err := incidents.Files.ReadFile("none-deref/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(bundle, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bundle, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var text bytes.Buffer
	args := append([]string{"run", "--incident", bundle, "--repo", repo, "--out", out, "--propose", "pull-request", "--allow-weak-sandbox"}, extra...)
	code := execute(context.Background(), args, stdio{strings.NewReader(""), &text, &text})
	var p proposal
	if data, err := os.ReadFile(filepath.Join(out, "proposal.json")); err == nil {
		if err := json.Unmarshal(data, &p); err != nil {
			t.Fatal(err)
		}
	}
	return p, text.String(), code
}

// Run twice, as two workflow runs without any state between them do: one pull request. Closed by a person: none any more.
func TestRunProposesOnePullRequestAndTakesNoForAnAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole cases")
	}
	gh := githubtest.New(t, githubtest.Options{})
	clone := shopAt(t, "none-deref", "")
	repo, err := gh.AddRepository(servedRepo, clone)
	if err != nil {
		t.Fatal(err)
	}
	repo.Collaborator("oncall", "write")
	token := gh.ActionsToken(servedRepo, map[string]string{"contents": "write", "pull_requests": "write", "metadata": "read"})

	// Critical, and nobody approved.
	p, text, code := runAtGitHub(t, clone, token, gh.APIURL())
	if p.State != docket.Held || len(repo.Pulls()) != 0 || code != exitDeclined || !strings.Contains(text, "approve") {
		t.Fatalf("without approval: %+v, exit code %d\n%s", p, code, text)
	}
	for range 2 {
		p, text, code = runAtGitHub(t, clone, token, gh.APIURL(), "--approved-by", "oncall")
		if p.State != docket.Proposed || p.Number != 1 || p.URL == "" || !p.Draft || code != 0 || len(repo.Pulls()) != 1 {
			t.Fatalf("approved: %+v, exit code %d, %+v\n%s", p, code, repo.Pulls(), text)
		}
	}
	if err := gh.As("oncall").Close(repo, 1); err != nil {
		t.Fatal(err)
	}
	p, text, code = runAtGitHub(t, clone, token, gh.APIURL(), "--approved-by", "oncall")
	if p.State != docket.Refused || code != exitDeclined || len(repo.Pulls()) != 1 || repo.Pulls()[0].State != "closed" {
		t.Fatalf("after a no: %+v, exit code %d, %+v\n%s", p, code, repo.Pulls(), text)
	}
}

func TestProposingNeedsATokenAndARepository(t *testing.T) {
	t.Setenv("GITHUB_TOKEN", "")
	t.Setenv("GH_TOKEN", "")
	t.Setenv("GITHUB_REPOSITORY", "")
	getenv := func(name string) string { return map[string]string{"GITHUB_TOKEN": "t"}[name] }
	if _, err := fromEnvironment(t.Context(), os.Getenv, "."); codeOf(err) != exitMachine || !strings.Contains(err.Error(), "GITHUB_TOKEN") {
		t.Errorf("without a token: %v", err)
	}
	if _, err := fromEnvironment(t.Context(), getenv, t.TempDir()); codeOf(err) != exitMachine || !strings.Contains(err.Error(), "GITHUB_REPOSITORY") {
		t.Errorf("without a repository: %v", err)
	}
}

func TestRemotePath(t *testing.T) {
	for url, want := range map[string]string{
		"https://github.com/acme/shop.git": "acme/shop", "git@github.com:acme/shop.git": "acme/shop", "ssh://git@ghe.example.com:22/acme/shop": "acme/shop",
		"https://x@ghe.example.com/acme/a.b/": "acme/a.b",
	} {
		if m := remotePath.FindStringSubmatch(url); m == nil || m[1] != want {
			t.Errorf("%s is %v, want %s", url, m, want)
		}
	}
}
