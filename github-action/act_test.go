package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/examples/shop"
	"github.com/remediator/remediator/internal/githubtest"
	"github.com/remediator/remediator/remedy"
)

const actVersion = "v0.2.89"

// actBinary finds act: named by ACT, on PATH, in the cache folder, or, when REMEDIATOR_LIVE=1, built into it.
func actBinary(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("ACT"); path != "" {
		return path
	}
	if path, err := exec.LookPath("act"); err == nil {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "remediator", "act-"+actVersion)
	path := filepath.Join(dir, "act")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if os.Getenv("REMEDIATOR_LIVE") != "1" {
		t.Skip("SKIPPED: the GitHub Action did not run in a workflow; put act on PATH, name it in ACT, or set REMEDIATOR_LIVE=1 to build it")
	}
	cmd := exec.Command("go", "install", "github.com/nektos/act@"+actVersion)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build act: %v\n%s", err, out)
	}
	return path
}

// runner is a machine on which workflows run by act.
type runner struct {
	act       string
	workspace string
	home      string
	github    *githubtest.Server
	repo      *githubtest.Repository
	releases  string
	env       []string
}

// newRunner makes the repository of an incident at the stand-in, a checkout of it with the action in it, and a release
// of this source.
func newRunner(t *testing.T, incident string) *runner {
	t.Helper()
	r := &runner{act: actBinary(t), home: t.TempDir(), github: githubtest.New(t, githubtest.Options{})}
	source := filepath.Join(t.TempDir(), "shop")
	if _, err := shop.BuildHistory(source, incident); err != nil {
		t.Fatal(err)
	}
	repo, err := r.github.AddRepository("acme/shop", source)
	if err != nil {
		t.Fatal(err)
	}
	r.repo = repo
	r.workspace = filepath.Join(t.TempDir(), "workspace")
	command(t, "", "git", "clone", "--quiet", source, r.workspace)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"action.yml", "github-action/install"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		r.write(t, name, string(data), 0o755)
	}
	if err := os.CopyFS(filepath.Join(r.workspace, "incident-42"), os.DirFS(filepath.Join(root, "testdata", "incidents", incident))); err != nil {
		t.Fatal(err)
	}
	r.release(t, root)
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY"} {
		r.env = append(r.env, name+"="+command(t, "", "go", "env", name))
	}
	return r
}

// release packs what the script packs, without its flags that would build everything anew.
func (r *runner) release(t *testing.T, root string) {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("bash", filepath.Join(root, "github-action", "package"), "v0.0.1", dir)
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("package: %v\n%s", err, out)
	}
	files := map[string][]byte{}
	for _, name := range []string{fmt.Sprintf("remediator_v0.0.1_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH), "checksums.txt"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	r.releases = releases(t, files)
}

func (r *runner) write(t *testing.T, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(r.workspace, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return strings.TrimSpace(string(out))
}

// workflow runs a workflow whose one job uses the action with these inputs, and returns what was printed, the outputs
// and whether the job succeeded.
func (r *runner) workflow(t *testing.T, event string, payload any, permissions map[string]string, inputs map[string]string) (string, map[string]string, bool) {
	t.Helper()
	with := "          version: v0.0.1\n          allow-weak-sandbox: \"true\"\n"
	for name, v := range inputs {
		quoted, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		with += fmt.Sprintf("          %s: %s\n", name, quoted)
	}
	file := filepath.Join(t.TempDir(), "workflow.yml")
	text := "on: [workflow_dispatch, pull_request, pull_request_target]\njobs:\n  bot:\n    runs-on: ubuntu-latest\n    steps:\n" +
		"      - uses: actions/checkout@v4\n      - id: bot\n        uses: ./\n        with:\n" + with +
		"      - if: always()\n        run: |\n          echo 'OUTPUT state=${{ steps.bot.outputs.state }}'\n" +
		"          echo 'OUTPUT url=${{ steps.bot.outputs.pull-request-url }}'\n          echo 'OUTPUT case=${{ steps.bot.outputs.case }}'\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	eventFile := filepath.Join(filepath.Dir(file), "event.json")
	if err := os.WriteFile(eventFile, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	args := []string{
		event, "-P", "ubuntu-latest=-self-hosted", "-W", file, "-e", eventFile, "-s", "GITHUB_TOKEN=" + r.github.ActionsToken("acme/shop", permissions),
		"--env", "REMEDIATOR_RELEASES=" + r.releases, "--env", "GITHUB_REPOSITORY=acme/shop", "--env", "GITHUB_SERVER_URL=" + r.github.URL(),
		"--env", "GITHUB_API_URL=" + strings.TrimSuffix(r.github.APIURL(), "/"), "--env", "COSIGN_PASSWORD=secret",
	}
	for _, v := range r.env {
		args = append(args, "--env", v)
	}
	cmd := exec.CommandContext(ctx, r.act, args...)
	cmd.Dir = r.workspace
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + r.home, "XDG_CACHE_HOME=" + filepath.Join(r.home, "cache"), "GIT_CONFIG_NOSYSTEM=1"}
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("act: %v\n%s", err, out)
	}
	outputs := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)\| OUTPUT (\w+)=(.*)$`).FindAllStringSubmatch(string(out), -1) {
		outputs[m[1]] = strings.TrimSpace(m[2])
	}
	return string(out), outputs, err == nil
}

// pullEvent is GitHub's event of a pull request between two branches of a repository.
func pullEvent(number int, from, branch, head, base string) map[string]any {
	return map[string]any{"action": "opened", "number": number, "pull_request": map[string]any{
		"number": number,
		"head":   map[string]any{"ref": branch, "sha": head, "repo": map[string]any{"full_name": from}},
		"base":   map[string]any{"ref": "main", "sha": base, "repo": map[string]any{"full_name": "acme/shop"}},
	}}
}

// TestActionInAWorkflow takes a recorded incident to a signed pull request by the action, then checks that pull request
// by the action too, with its evidence whole and tampered with.
func TestActionInAWorkflow(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a release and runs workflows")
	}
	r := newRunner(t, "retry-storm")
	out := filepath.Join(t.TempDir(), "case")
	key := r.key(t)
	// The permissions block of the README, and no more.
	write := map[string]string{"contents": "write", "pull_requests": "write", "checks": "write", "statuses": "write", "metadata": "read"}
	read := map[string]string{"contents": "read", "metadata": "read"}

	said, outputs, ok := r.workflow(t, "workflow_dispatch", map[string]any{}, write, map[string]string{
		"incident": "incident-42", "out": out, "key": key, "propose": "pull-request", "autonomy": "draft", "approved-by": "alice",
	})
	if !ok || outputs["state"] != "proposed" || outputs["case"] != out {
		t.Fatalf("run: ok %v, outputs %v\n%s", ok, outputs, said)
	}
	for _, want := range []string{"## What broke", "## What was proved", "starts no CI on it", "title=remediator%3A suspect 1"} {
		if !strings.Contains(said, want) {
			t.Errorf("the summary and the log do not hold %q:\n%s", want, said)
		}
	}
	c := readCase(t, out)
	pulls := r.repo.Pulls()
	if len(pulls) != 1 || pulls[0].HeadSHA != c.Commit.SHA || pulls[0].Head != c.Commit.Branch || !pulls[0].Draft || outputs["url"] != r.repo.CloneURL()[:len(r.repo.CloneURL())-4]+"/pull/1" {
		t.Fatalf("pull requests %+v, output %q, commit %+v", pulls, outputs["url"], c.Commit)
	}

	// The public key is trusted once it lies in the target branch.
	public, err := os.ReadFile(filepath.Join(out, "signing.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.github.As("acme").PushCommit(r.repo, "main", "Trust the bot's key", map[string][]byte{".github/remediator.pub": public}); err != nil {
		t.Fatal(err)
	}
	verify := map[string]string{"mode": "verify", "key": ".github/remediator.pub"}
	event := pullEvent(1, "acme/shop", c.Commit.Branch, c.Commit.SHA, r.repo.Ref("refs/heads/main"))
	said, outputs, ok = r.workflow(t, "pull_request", event, read, verify)
	if !ok || outputs["state"] != "proved" {
		t.Errorf("verify: ok %v, outputs %v\n%s", ok, outputs, said)
	}

	t.Run("tampered", func(t *testing.T) {
		tamper(t, r.repo, c.Fingerprint)
		said, outputs, ok := r.workflow(t, "pull_request", event, read, verify)
		if ok || outputs["state"] != "broken" || !strings.Contains(said, "patch.diff is not proved") {
			t.Errorf("ok %v, outputs %v\n%s", ok, outputs, said)
		}
	})
	t.Run("fork", func(t *testing.T) {
		said, outputs, ok := r.workflow(t, "pull_request", pullEvent(2, "mallory/shop", c.Commit.Branch, c.Commit.SHA, c.Base.Commit), read, verify)
		if ok || outputs["state"] != "refused" || !strings.Contains(said, "refuses pull requests from forks") {
			t.Errorf("ok %v, outputs %v\n%s", ok, outputs, said)
		}
	})
	t.Run("pull_request_target", func(t *testing.T) {
		said, outputs, ok := r.workflow(t, "pull_request_target", event, read, verify)
		if ok || outputs["state"] != "refused" || !strings.Contains(said, "refuses pull_request_target") {
			t.Errorf("ok %v, outputs %v\n%s", ok, outputs, said)
		}
	})
	t.Run("replay", func(t *testing.T) {
		// The proposal is behind a flag that is off, so its golden traces are green as before.
		said, outputs, ok := r.workflow(t, "pull_request", pullEvent(1, "acme/shop", c.Commit.Branch, c.Commit.SHA, c.Base.Commit), read, map[string]string{"mode": "replay", "services": "payments"})
		if !ok || outputs["state"] != "green" || !strings.Contains(said, "| `payments` | green | green |") {
			t.Errorf("ok %v, outputs %v\n%s", ok, outputs, said)
		}
	})
}

// key makes a signing key and returns it as text.
func (r *runner) key(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	cmd := exec.Command("go", "run", "../cmd/remediator", "keygen", "--out", dir)
	cmd.Env = append(os.Environ(), "COSIGN_PASSWORD=secret")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("keygen: %v\n%s", err, out)
	}
	key, err := os.ReadFile(filepath.Join(dir, "cosign.key"))
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

func readCase(t *testing.T, dir string) (c remedy.Case) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// tamper adds a line to the diff that the evidence holds.
func tamper(t *testing.T, r *githubtest.Repository, fingerprint string) {
	t.Helper()
	ref := "refs/remediator/" + fingerprint
	git := func(args ...string) string {
		out, err := r.Git(args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	git("read-tree", ref)
	git("update-index", "--add", "--cacheinfo", "100644,"+git("rev-parse", ref+":case.json")+",patch.diff")
	git("update-ref", ref, git("commit-tree", "-m", "tampered", git("write-tree")))
}
