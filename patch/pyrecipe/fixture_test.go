package pyrecipe

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

var update = flag.Bool("update", false, "rewrite the expected diffs in testdata")

// evidence is what a fixture says about the incident.
type evidence struct {
	Suspect  localize.Suspect
	Provider string
	Services map[string]patch.Service
	// Location is in the form file:line; Needs are Python modules without which the proof is skipped.
	File        string
	Line        int
	Needs       []string
	Behavioural *bool // of the generated test, true unless said otherwise
}

// fixture is one txtar: evidence.json, repo/..., want.diff or want.left, and off.py, a script whose
// output with the flag off has to be the same before and after.
type fixture struct {
	archive  *txtar.Archive
	path     string
	evidence evidence
	repo     fstest.MapFS
	want     map[string]string
}

func load(t *testing.T, path string) fixture {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{archive: a, path: path, repo: fstest.MapFS{}, want: map[string]string{}}
	for _, file := range a.Files {
		if name, ok := strings.CutPrefix(file.Name, "repo/"); ok {
			f.repo[name] = &fstest.MapFile{Data: file.Data, Mode: 0o644}
			continue
		}
		f.want[file.Name] = string(file.Data)
	}
	d := json.NewDecoder(strings.NewReader(f.want["evidence.json"]))
	d.DisallowUnknownFields()
	if err := d.Decode(&f.evidence); err != nil {
		t.Fatalf("evidence.json: %v", err)
	}
	return f
}

func (f fixture) input() *patch.Input {
	e := f.evidence
	return &patch.Input{
		Base:      f.repo,
		Suspects:  []localize.Suspect{e.Suspect},
		Locations: [][]codeindex.Location{{{File: e.File, Line: e.Line, Language: "python", Confidence: 0.9}}},
		Services:  e.Services,
		Provider:  e.Provider,
		Allowed:   patch.Rungs(),
	}
}

// set replaces an expected file of the fixture and writes it back.
func (f fixture) set(t *testing.T, name, content string) {
	t.Helper()
	k := slices.IndexFunc(f.archive.Files, func(x txtar.File) bool { return x.Name == name })
	if k < 0 {
		f.archive.Files = append(f.archive.Files, txtar.File{Name: name})
		k = len(f.archive.Files) - 1
	}
	f.archive.Files[k].Data = []byte(content)
	if err := os.WriteFile(f.path, txtar.Format(f.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFixtures(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			f := load(t, path)
			in := f.input()
			plan := patch.Ladder(in, All())
			if left, ok := f.want["want.left"]; ok {
				if len(plan.Options) > 0 {
					t.Fatalf("offered %q, want it left", plan.Options[0].Title)
				}
				var all []string
				for _, l := range plan.Left {
					all = append(all, l.Why)
				}
				if got := strings.Join(all, "\n"); !strings.Contains(got, strings.TrimSpace(left)) {
					t.Fatalf("left with:\n%s\nwant:\n%s", got, left)
				}
				return
			}
			if len(plan.Options) != 1 {
				t.Fatalf("%d options, left: %+v", len(plan.Options), plan.Left)
			}
			p, err := patch.Draft(in, plan.Options[0], All())
			if err != nil {
				t.Fatal(err)
			}
			code := patch.Without(p, patch.TestFile)
			if *update {
				f.set(t, "want.diff", code.Diff)
			} else if code.Diff != f.want["want.diff"] {
				t.Errorf("diff:\n%s\nwant:\n%s", code.Diff, f.want["want.diff"])
			}
			if p.Flag == nil || p.Flag.HowOff == "" {
				t.Error("the change cannot be turned off")
			}
			if len(p.Tests) != 1 {
				t.Fatalf("%d tests, risks: %q", len(p.Tests), p.Risks)
			}
			want := f.evidence.Behavioural == nil || *f.evidence.Behavioural
			if p.Tests[0].Behavioural != want {
				t.Errorf("test is behavioural: %v, want %v; risks: %q", p.Tests[0].Behavioural, want, p.Risks)
			}
			f.prove(t, p)
		})
	}
}

// prove runs the generated test before and after the change, and the fixture's script with the flag off.
func (f fixture) prove(t *testing.T, p *patch.Patch) {
	t.Helper()
	if f.evidence.Needs != nil || interpreter() == "" {
		python(t, append([]string{"os"}, f.evidence.Needs...)...)
	}
	before, after := f.checkout(t), f.checkout(t)
	if err := patch.Apply(before, patch.Without(p, patch.SourceFile)); err != nil {
		t.Fatal(err)
	}
	if err := patch.Apply(after, p); err != nil {
		t.Fatal(err)
	}
	test := p.Tests[0]
	generated, err := os.ReadFile(filepath.Join(after, filepath.FromSlash(test.File)))
	if err != nil {
		t.Fatal(err)
	}
	out, err := run(t, before, test.Command, test.Env)
	if err == nil {
		t.Errorf("the test passes without the change:\n%s\n%s", out, generated)
	}
	if test.Behavioural {
		for _, word := range []string{"SyntaxError", "ImportError", "ModuleNotFoundError", "NameError", "no tests ran", "Ran 0 tests", "fixture"} {
			if strings.Contains(out, word) {
				t.Errorf("red for the wrong reason:\n%s\n%s", out, generated)
			}
		}
	}
	if out, err := run(t, after, test.Command, test.Env); err != nil {
		t.Errorf("the test fails with the change: %v\n%s\n%s", err, out, generated)
	} else if strings.Contains(out, "Ran 0 tests") {
		t.Errorf("the command runs no test:\n%s", out)
	}
	script, ok := f.want["off.py"]
	if !ok {
		return
	}
	observe := func(dir string, env map[string]string) string {
		if err := os.WriteFile(filepath.Join(dir, "off.py"), []byte(script), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := run(t, dir, []string{"python3", "off.py"}, env)
		if err != nil {
			t.Fatalf("off.py: %v\n%s", err, out)
		}
		return out
	}
	old := observe(before, nil)
	// Unset and any value but "true" are the same to the code; see TestGuardIsOffByDefault.
	if now := observe(after, nil); now != old {
		t.Errorf("with the flag off the behaviour changed:\n%s\nbefore:\n%s", now, old)
	}
	if len(p.Flag.On) > 0 && observe(after, p.Flag.On) == old {
		t.Error("with the flag on nothing changed")
	}
}

func (f fixture) checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(f.repo)) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.repo[name].Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// interpreter is the directory of the python3 that runs: version managers put a slow script before it.
var interpreter = sync.OnceValue(func() string {
	out, err := exec.Command("python3", "-c", "import os, sys; print(os.path.dirname(sys.executable))").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})

// python skips a test loudly where there is no Python with the modules.
func python(t *testing.T, modules ...string) {
	t.Helper()
	if out, err := exec.Command("python3", "-c", "import "+strings.Join(modules, ", ")).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: the proof needs python3 with %s: %v %s", strings.Join(modules, ", "), err, bytes.TrimSpace(out))
	}
}

func run(t *testing.T, dir string, command []string, env map[string]string) (string, error) {
	t.Helper()
	name := command[0]
	if real := filepath.Join(interpreter(), name); interpreter() != "" {
		if _, err := os.Stat(real); err == nil {
			name = real
		}
	}
	cmd := exec.Command(name, command[1:]...)
	cmd.Dir = dir
	cmd.WaitDelay = 20 * time.Second
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "REMEDIATOR_") && !strings.HasPrefix(e, "PYTHON") {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "PYTHONDONTWRITEBYTECODE=1")
	for _, k := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, k+"="+env[k])
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
