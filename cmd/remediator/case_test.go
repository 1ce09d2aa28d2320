package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/remediator/remediator/examples/shop"
	"github.com/remediator/remediator/remedy"
)

// remediatorCommand runs a command line in this process.
func remediatorCommand(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = execute(context.Background(), args, stdio{in: strings.NewReader(""), out: &out, err: &err})
	return code, out.String(), err.String()
}

// recorded unpacks an incident of the sample shop and builds its repository.
func recorded(t *testing.T, incident string) (bundle, repo string) {
	t.Helper()
	bundle, repo = filepath.Join("..", "..", "testdata", "incidents", incident), filepath.Join(t.TempDir(), "shop")
	if _, err := shop.BuildHistory(repo, incident); err != nil {
		t.Fatal(err)
	}
	return bundle, repo
}

func loadCase(t *testing.T, out string) *remedy.Case {
	t.Helper()
	cs, err := readCase(out)
	if err != nil {
		t.Fatal(err)
	}
	return cs
}

// TestDemo is the acceptance of the whole path: the demo ends in a proven pull request, every file of it is there,
// verify passes, and one changed byte anywhere makes it fail with the broken claim's name.
func TestDemo(t *testing.T) {
	out := filepath.Join(t.TempDir(), "demo")
	code, stdout, stderr := remediatorCommand(t, "demo", "--out", out)
	if code != exitOK {
		t.Fatalf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	for _, want := range []string{"service graph", "critical path", "suspects", "cheapest first", "the diff", "policy:", "proof", "branch remediator/", "remediator verify"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the demo does not show %q", want)
		}
	}
	cs := loadCase(t, out)
	t.Run("case", func(t *testing.T) { checkProposal(t, cs) })
	t.Run("schema", func(t *testing.T) { checkSchema(t, out) })
	t.Run("git", func(t *testing.T) { checkWithGit(t, out, cs) })
	t.Run("verify", func(t *testing.T) {
		code, stdout, _ := remediatorCommand(t, "verify", out)
		if code != exitOK || strings.Contains(stdout, "BROKEN") {
			t.Fatalf("exit code %d\n%s", code, stdout)
		}
		code, _, _ = remediatorCommand(t, "verify", "--commit", strings.Repeat("0", 40), out)
		if code != exitNo {
			t.Errorf("verify of another commit: exit code %d, want %d", code, exitNo)
		}
	})
	t.Run("tampered", func(t *testing.T) { checkTampering(t, out) })
	t.Run("explain", func(t *testing.T) {
		code, stdout, _ := remediatorCommand(t, "explain", out)
		if code != exitOK || !strings.Contains(stdout, cs.Title) {
			t.Errorf("exit code %d\n%s", code, stdout)
		}
	})
}

func checkProposal(t *testing.T, cs *remedy.Case) {
	if cs.State != remedy.Proposed || cs.Verdicts == nil || !cs.Verdicts.Proved || !cs.Verdicts.FlagOffSame {
		t.Fatalf("state %s, verdicts %+v", cs.State, cs.Verdicts)
	}
	if len(cs.Suspects) == 0 || cs.Suspects[0].File == "" || cs.Suspects[0].Line == 0 || cs.Suspects[0].Commit == "" {
		t.Errorf("the first suspect has no place or no commit: %+v", cs.Suspects)
	}
	seen := map[string]string{}
	for _, r := range cs.Verdicts.Replays {
		seen[r.Name] = string(r.Verdict.Outcome)
	}
	for name, want := range map[string]string{"golden_base": "green", "incident_base": "red", "golden_on": "green", "incident_on": "green", "golden_off": "green", "incident_off": "red"} {
		if seen[name] != want {
			t.Errorf("replay %s is %q, want %s", name, seen[name], want)
		}
	}
	// The revert was tried first and fell over a golden case.
	if len(cs.Options) < 2 || cs.Options[0].Rung != "revert" || cs.Options[0].Outcome != remedy.Rejected || cs.Options[0].Verdicts == nil {
		t.Errorf("options %+v", cs.Options)
	}
}

func checkSchema(t *testing.T, out string) {
	c := jsonschema.NewCompiler()
	s, err := c.Compile(filepath.Join("..", "..", "docs", "schemas", "case.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(out, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("case.json does not fit its schema: %v", err)
	}
}

// checkWithGit looks at the proposal with the stock git.
func checkWithGit(t *testing.T, out string, cs *remedy.Case) {
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", filepath.Join(out, "repository.git"), "-c", "gpg.format=ssh", "-c", "gpg.ssh.allowedSignersFile=" + filepath.Join(out, "allowed_signers")}, args...)...)
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("git %v: %v\n%s", args, err, text)
		}
		return strings.TrimSpace(string(text))
	}
	if got := git("rev-parse", cs.Commit.Branch); got != cs.Commit.SHA {
		t.Errorf("the branch is at %s, the case says %s", got, cs.Commit.SHA)
	}
	if got := git("rev-list", "--count", cs.Commit.Parent+".."+cs.Commit.SHA); got != "1" {
		t.Errorf("%s commits on the branch, want 1", got)
	}
	git("verify-commit", cs.Commit.SHA)
	dir := t.TempDir()
	if text, err := exec.Command("sh", "-c", fmt.Sprintf("cd %s && git clone -q %s x && cd x && git checkout -q %s && git apply --check %s", dir, filepath.Join(out, "repository.git"), cs.Commit.Parent, filepath.Join(out, "patch.diff"))).CombinedOutput(); err != nil {
		t.Errorf("git apply: %v\n%s", err, text)
	}
}

// checkTampering changes one byte in every file of the case, in turn.
func checkTampering(t *testing.T, out string) {
	rng := rand.New(rand.NewPCG(1, 2))
	files := 0
	err := filepath.WalkDir(out, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(out, p)
		if strings.Contains(rel, "objects") && files%16 != 0 {
			files++ // of the many objects, every sixteenth
			return nil
		}
		files++
		text, err := os.ReadFile(p)
		if err != nil || len(text) == 0 {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		evil := bytes.Clone(text)
		evil[rng.IntN(len(evil))] ^= 1 << rng.IntN(8)
		// The file may share its inode with the repository it was cloned from.
		replace := func(data []byte) error {
			if err := os.Remove(p); err != nil {
				return err
			}
			return os.WriteFile(p, data, info.Mode().Perm())
		}
		if err := replace(evil); err != nil {
			return err
		}
		code, stdout, stderr := remediatorCommand(t, "verify", out)
		if code != exitNo || !strings.Contains(stdout, "BROKEN") {
			t.Errorf("one changed byte in %s: exit code %d\n%s%s", rel, code, stdout, stderr)
		}
		return replace(text)
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 8 {
		t.Errorf("only %d files were tampered with", files)
	}
	if code, stdout, _ := remediatorCommand(t, "verify", out); code != exitOK {
		t.Errorf("put back, verify still fails:\n%s", stdout)
	}
}

// TestSameInputSameBytes: two runs of one incident write the same case, timings aside.
func TestSameInputSameBytes(t *testing.T) {
	bundle, repo := recorded(t, "bank-down")
	keys := filepath.Join(t.TempDir(), "keys")
	t.Setenv("COSIGN_PASSWORD", "secret")
	if code, _, stderr := remediatorCommand(t, "keygen", "--out", keys); code != exitOK {
		t.Fatal(stderr)
	}
	var cases []string
	for i := range 2 {
		out := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if code, stdout, stderr := remediatorCommand(t, "run", "--incident", bundle, "--repo", repo, "--out", out, "--key", filepath.Join(keys, "cosign.key"), "--allow-weak-sandbox"); code != exitDeclined {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		cs := loadCase(t, out)
		cs.Timings = nil
		text, err := json.Marshal(cs)
		if err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(filepath.Join(out, "pull-request.md"))
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, string(text)+string(body))
	}
	if cases[0] != cases[1] {
		t.Error("the same input gave different bytes")
	}
}

// digestTree sums up every file below a directory.
func digestTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		sums[p] = hex.EncodeToString(h.Sum(nil))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// TestRunTouchesNothing: the user's repository stays as it was, uncommitted changes and all.
func TestRunTouchesNothing(t *testing.T) {
	bundle, repo := recorded(t, "bank-down")
	if err := os.WriteFile(filepath.Join(repo, "README.md"), []byte("being edited"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := digestTree(t, repo)
	out := filepath.Join(t.TempDir(), "case")
	if code, stdout, stderr := remediatorCommand(t, "run", "--incident", bundle, "--repo", repo, "--out", out, "--allow-weak-sandbox"); code != exitDeclined {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	after := digestTree(t, repo)
	for p, sum := range after {
		if before[p] != sum {
			t.Errorf("%s was changed or added", p)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files before, %d after", len(before), len(after))
	}
	cs := loadCase(t, out)
	if cs.Declined == nil || len(cs.NextSteps) == 0 || len(cs.Suspects) == 0 {
		t.Errorf("a declined case without suspects or next steps: %+v", cs.Declined)
	}
	if code, stdout, _ := remediatorCommand(t, "verify", out); code != exitOK {
		t.Errorf("verify of a declined case:\n%s", stdout)
	}
}

// TestRepositoryWithoutTheDeployedCommit: the telemetry is of another program.
func TestRepositoryWithoutTheDeployedCommit(t *testing.T) {
	bundle, _ := recorded(t, "retry-storm")
	repo := t.TempDir()
	if err := os.WriteFile(filepath.Join(repo, "main.go"), []byte("package main\n\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repo, "go.mod"), []byte("module example.com/other\n\ngo 1.24\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	script := "git init -q && git add -A && git -c user.name=a -c user.email=a@example.com commit -qm other"
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = repo
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	out := filepath.Join(t.TempDir(), "case")
	code, stdout, stderr := remediatorCommand(t, "run", "--incident", bundle, "--repo", repo, "--out", out, "--allow-weak-sandbox")
	if code != exitDeclined {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if d := loadCase(t, out).Declined; d.Code != "deployed_commit_missing" || !strings.Contains(d.Next, "git fetch") {
		t.Errorf("declined %+v", d)
	}
}

// TestKilledAndRunAgain: a run that is killed leaves nothing that the next one trips over.
func TestKilledAndRunAgain(t *testing.T) {
	bundle, repo := recorded(t, "bank-down")
	slow, slowRepo := recorded(t, "retry-storm")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "case")
	cmd := exec.Command(exe)
	cmd.Args[0] = "remediator"
	cmd.Env = append(os.Environ(), "REMEDIATOR_TEST_ARGS="+strings.Join([]string{"run", "--incident", slow, "--repo", slowRepo, "--out", out, "--allow-weak-sandbox"}, "\x1f"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Kill it once it builds something.
	deadline := time.Now().Add(2 * time.Minute)
	for {
		if _, err := os.Stat(filepath.Join(out, ".work", "base", "src")); err == nil || time.Now().After(deadline) {
			break
		}
		time.Sleep(20 * time.Millisecond) // polls for another process's directory, with a deadline
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := os.Stat(filepath.Join(out, "evidence.sigstore.json")); err == nil {
		t.Fatal("the run was finished before it was killed")
	}
	if code, stdout, stderr := remediatorCommand(t, "run", "--incident", bundle, "--repo", repo, "--out", out, "--allow-weak-sandbox"); code != exitDeclined {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, _ := remediatorCommand(t, "verify", out); code != exitOK {
		t.Errorf("verify after a killed run:\n%s", stdout)
	}
}
