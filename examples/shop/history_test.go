package shop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	goldentraces "github.com/remediator/remediator/testdata/golden-traces"
)

// heads pins the head of every scenario's history. A change of the sources, of a patch or of a golden
// set changes them; recorded bundles name these commits and have to be recorded again then.
var heads = map[string]string{
	"retry-storm":      "bdf2a90447cf61a309090344749552c68ad2dcdd",
	"missing-deadline": "1d0e4486816dda81d551e94b7ba49b49357e677b",
	"pool-of-one":      "124d89abcc873a5c7f6b35d92c7c393785f54b06",
	"n-plus-one":       "7c6c6e56d47111ffc79178cd93f0c6b2ad520f8b",
	"none-deref":       "1d0e4486816dda81d551e94b7ba49b49357e677b",
	"flag-on":          "af6b33972062ed467736926156b73effeec25799",
	"wrong-config":     "9178bad90ec3c950f26854deea52ea7a06472fe9",
	"bank-down":        "1d0e4486816dda81d551e94b7ba49b49357e677b",
	"healthy-steady":   "1d0e4486816dda81d551e94b7ba49b49357e677b",
	"healthy-varying":  "1d0e4486816dda81d551e94b7ba49b49357e677b",
	"healthy-deploy":   "daea153157ff7599d9c9cbe8490b6cbe13688abb",
	"healthy-restart":  "1d0e4486816dda81d551e94b7ba49b49357e677b",
}

// library keeps one repository of each scenario for all tests; they may only read them.
type library struct {
	mu    sync.Mutex
	dir   string
	built map[string]History
}

var shelf = library{built: make(map[string]History)}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		panic(err)
	}
	shelf.dir = dir
	code := m.Run()
	_ = os.RemoveAll(dir) // a temporary directory
	os.Exit(code)
}

// build returns the repository of a scenario, to be read only.
func build(t *testing.T, scenario string) (dir string, h History) {
	t.Helper()
	shelf.mu.Lock()
	defer shelf.mu.Unlock()
	dir = filepath.Join(shelf.dir, scenario)
	if h, ok := shelf.built[scenario]; ok {
		return dir, h
	}
	h, err := Build(dir, scenario)
	if err != nil {
		t.Fatal(err)
	}
	shelf.built[scenario] = h
	return dir, h
}

// clone returns a copy of the repository of a scenario, to be written to.
func clone(t *testing.T, scenario string) (dir string, h History) {
	t.Helper()
	from, h := build(t, scenario)
	dir = filepath.Join(t.TempDir(), "clone")
	runGit(t, from, "clone", "-q", from, dir)
	return dir, h
}

func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestHeadsArePinned(t *testing.T) {
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "repository")
			head, err := BuildHistory(dir, s.Name)
			if err != nil {
				t.Fatal(err)
			}
			if head != heads[s.Name] {
				t.Errorf("head = %s, pinned is %s", head, heads[s.Name])
			}
			if got := runGit(t, dir, "rev-parse", "HEAD"); got != head {
				t.Errorf("git says that the head is %s, Build says %s", got, head)
			}
			if status := runGit(t, dir, "status", "--porcelain", "--ignored"); status != "" {
				t.Errorf("the work tree is not clean:\n%s", status)
			}
			runGit(t, dir, "fsck", "--strict")
		})
	}
	if len(heads) != len(Scenarios()) {
		t.Errorf("%d heads are pinned, there are %d scenarios", len(heads), len(Scenarios()))
	}
}

func TestScenariosShareTheirHistory(t *testing.T) {
	_, first := build(t, "retry-storm")
	_, second := build(t, "wrong-config")
	common := 0
	for common < len(second.Commits) && first.Commits[common].SHA == second.Commits[common].SHA {
		common++
	}
	if common < 12 {
		t.Errorf("the histories share %d commits, want at least a dozen", common)
	}
	if first.Head() == second.Head() {
		t.Error("two scenarios have one head")
	}
}

func TestCommitsAreWhatGitSays(t *testing.T) {
	dir, h := build(t, "retry-storm")
	lines := strings.Split(runGit(t, dir, "log", "--reverse", "--format=%H|%an <%ae>|%cn <%ce>|%aI|%cI|%s"), "\n")
	if len(lines) != len(h.Commits) {
		t.Fatalf("git has %d commits, Build says %d", len(lines), len(h.Commits))
	}
	var last time.Time
	for i, line := range lines {
		c, field := h.Commits[i], strings.Split(line, "|")
		if field[0] != c.SHA || field[1] != c.Author || field[2] != c.Author || field[5] != c.Title() {
			t.Errorf("commit %d: git has %q, Build says %+v", i, line, c)
		}
		at, err := time.Parse(time.RFC3339, field[3])
		if err != nil || !at.Equal(c.Time) || field[3] != field[4] {
			t.Errorf("%s: dates %s and %s, Build says %s", c.Title(), field[3], field[4], c.Time)
		}
		if at.Before(last) {
			t.Errorf("%s is older than the commit before it", c.Title())
		}
		last = at
	}
}

func TestScenariosNameTheirCommits(t *testing.T) {
	for _, s := range Scenarios() {
		_, h := build(t, s.Name)
		for role, name := range map[string]string{"baseline": s.Baseline, "culprit": s.Culprit} {
			if name == "" {
				continue
			}
			c, ok := h.Commit(name)
			if !ok {
				t.Errorf("%s: no commit is its %s, %q", s.Name, role, name)
				continue
			}
			if role == "culprit" && c.SHA == h.Commits[0].SHA {
				t.Errorf("%s: the first commit is its culprit", s.Name)
			}
		}
	}
}

func TestTheCulpritHidesAmongInnocents(t *testing.T) {
	_, h := build(t, "retry-storm")
	culprit, ok := h.Commit("retry-storm/0002")
	if !ok {
		t.Fatal("the culprit is gone")
	}
	innocent, neighbours := 0, 0
	for _, c := range h.Commits[1:] {
		if c.SHA == culprit.SHA {
			continue
		}
		innocent++
		for _, f := range c.Files {
			if strings.HasPrefix(f.Path, "payments/") && c.Time.Sub(culprit.Time).Abs() < 48*time.Hour {
				neighbours++
				break
			}
		}
	}
	if innocent < 12 || neighbours < 2 {
		t.Errorf("%d innocent commits, %d of them in the same service within two days", innocent, neighbours)
	}
	var removed, added bool
	for _, f := range culprit.Files {
		removed = removed || strings.Contains(f.Hunks, "-\t\t\tif err := pause(ctx, attempt); err != nil {")
		added = added || strings.Contains(f.Hunks, "+type DeclinedError struct {")
	}
	if !removed || !added {
		t.Errorf("the culprit removed the pause: %v, and reports declined cards: %v; it has to do both", removed, added)
	}
}

func TestCulpritsCanBeReverted(t *testing.T) {
	for _, s := range Scenarios() {
		if s.Culprit == "" {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			dir, h := clone(t, s.Name)
			culprit, _ := h.Commit(s.Culprit)
			runGit(t, dir, "-c", "user.name=t", "-c", "user.email=t@shop.example", "revert", "--no-edit", culprit.SHA)
		})
	}
}

func TestGoldenSetsWereRecordedFromAncestors(t *testing.T) {
	for _, name := range []string{"retry-storm", "wrong-config"} {
		dir, h := build(t, name)
		found := 0
		for _, c := range h.Commits {
			for _, f := range c.Files {
				if !strings.HasPrefix(f.Path, "golden/") {
					continue
				}
				found++
				text, err := os.ReadFile(filepath.Join(dir, f.Path))
				if err != nil {
					t.Fatal(err)
				}
				recorded, err := goldenCommit(text)
				if err != nil {
					t.Fatalf("%s: %v", f.Path, err)
				}
				if recorded == c.SHA {
					t.Errorf("%s was recorded from the commit that adds it", f.Path)
				}
				runGit(t, dir, "merge-base", "--is-ancestor", recorded, c.SHA)
			}
		}
		if found < 6 {
			t.Errorf("%s: %d golden sets, want one for every service and one of its own", name, found)
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	if _, err := BuildHistory(t.TempDir(), "no-such-scenario"); err == nil || !strings.Contains(err.Error(), "retry-storm") {
		t.Errorf("unknown scenario: %v, want an error that names the known ones", err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := BuildHistory(full, "retry-storm"); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("directory in use: %v", err)
	}
	_, err := BuildFrom(filepath.Join(t.TempDir(), "r"), "retry-storm", fstest.MapFS{}, "")
	if err == nil || !strings.Contains(err.Error(), "record-golden") {
		t.Errorf("without golden sets: %v, want an error that says how to record them", err)
	}
	_, err = BuildFrom(filepath.Join(t.TempDir(), "r"), "retry-storm", goldentraces.Files, "wrong-config/0001")
	if err == nil {
		t.Error("a patch of another scenario was accepted as the last one")
	}
}

func TestBuildFromEndsAtThePatch(t *testing.T) {
	h, err := BuildFrom(filepath.Join(t.TempDir(), "r"), "retry-storm", fstest.MapFS{}, "common/0009")
	if err != nil {
		t.Fatal(err)
	}
	last := h.Commits[len(h.Commits)-1]
	if !strings.HasPrefix(last.Patch, "history/common/0009") {
		t.Errorf("the last patch is %s", last.Patch)
	}
}

func TestEveryPatchIsInASeries(t *testing.T) {
	used := make(map[string]bool)
	for _, name := range Names() {
		patches, err := series(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range patches {
			used[p] = true
		}
	}
	for _, p := range allPatches(t) {
		if !used[p] {
			t.Errorf("%s is in no series", p)
		}
	}
}
