package shop

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

func allPatches(t *testing.T) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(patches, "history", func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".patch") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// goldenCommit is the commit a golden set says it was recorded from.
func goldenCommit(text []byte) (string, error) {
	var set struct {
		Recorded struct{ Commit string }
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return "", err
	}
	if set.Recorded.Commit == "" {
		return "", errors.New("no commit")
	}
	return set.Recorded.Commit, nil
}

// The shop may need nothing that remediator does not need itself, at the same versions: a
// machine that has built remediator can build the shop without a network.
func TestModulesAreRemediatorsOwn(t *testing.T) {
	own := modules(t, "../../go.mod")
	for module, version := range modules(t, "_source/go.mod.tmpl") {
		if own[module] != version {
			t.Errorf("the shop needs %s %s, remediator has %q", module, version, own[module])
		}
	}
	sums, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for line := range strings.Lines(string(sums)) {
		known[line] = true
	}
	shop, err := os.ReadFile("_source/go.sum.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(shop)) {
		if !known[line] {
			t.Errorf("go.sum of remediator lacks %s", strings.TrimSpace(line))
		}
	}
}

func modules(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse(path, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := make(map[string]string)
	for _, r := range file.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	if len(versions) == 0 {
		t.Fatalf("%s requires nothing", path)
	}
	return versions
}

func TestTreesBuildAndPass(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and tests every history's tip")
	}
	seen := make(map[string]bool)
	for _, s := range Scenarios() {
		dir, h := clone(t, s.Name)
		if seen[h.Head()] {
			continue
		}
		seen[h.Head()] = true
		t.Run(s.Name, func(t *testing.T) {
			for _, name := range []string{s.Baseline, s.Culprit} {
				if name == "" {
					continue
				}
				c, ok := h.Commit(name)
				if !ok {
					t.Fatalf("no commit %q", name)
				}
				runGit(t, dir, "checkout", "-q", "--detach", c.SHA)
				offline(t, dir, "go", "build", "./...")
			}
			runGit(t, dir, "checkout", "-q", "main")
			if s.Culprit != "" || s.Name == "missing-deadline" {
				offline(t, dir, "go", "test", "./...")
			} else {
				offline(t, dir, "go", "vet", "./...") // compiles the tests, too
			}
			if out := offline(t, dir, "gofmt", "-l", "."); out != "" {
				t.Errorf("not formatted:\n%s", out)
			}
			if _, err := exec.LookPath("python3"); err != nil {
				t.Skip("python3 is not installed; pricing's tests were not run")
			}
			offline(t, dir, "python3", "-m", "unittest", "discover", "-s", "pricing", "-t", ".")
		})
	}
}

// offline runs a program as on a machine without a network.
func offline(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly -buildvcs=false -trimpath", "GOPROXY=off", "GOWORK=off", "PYTHONDONTWRITEBYTECODE=1",
		"OTEL_EXPORTER_OTLP_ENDPOINT=")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestBaseTreeHasNothingLeftBehind(t *testing.T) {
	tree, err := baseTree()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"go.mod", "go.sum", "flags.json", "CODEOWNERS", ".gitignore", "pricing/requirements.txt", "payments/bank/client.go"} {
		if tree[want] == nil {
			t.Errorf("%s is missing", want)
		}
	}
	for path := range tree {
		if strings.HasSuffix(path, template) || strings.Contains(path, "__pycache__") || filepath.IsAbs(path) {
			t.Errorf("%s does not belong there", path)
		}
	}
}
