package gorecipe

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

var update = flag.Bool("update", false, "write the diffs that the fixtures expect")

// fixture is one program of testdata: sources, where telemetry points to and what it saw, and the diff or the
// reason that is expected. The comment of the archive holds "key: value" lines:
//
//	at        file:line-or-function, the place the suspect points to
//	pattern   kind key=value ...
//	left      a part of the reason for leaving the code alone
//	risk      a part of one of the risks
//	test      "behavioural" (default) or "helper"
//	provider  the feature-flag provider
//	flagfile  the file it reads
//	hint      text of a hint
type fixture struct {
	name    string
	archive *txtar.Archive
	keys    map[string]string
	files   fs.FS
	want    string
}

func fixtures(t *testing.T, glob string) []*fixture {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", glob))
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixtures match %s: %v", glob, err)
	}
	var out []*fixture
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f := &fixture{name: strings.TrimSuffix(filepath.Base(name), ".txtar"), archive: a, keys: map[string]string{}}
		for line := range strings.Lines(string(a.Comment)) {
			if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				f.keys[key] = strings.TrimSpace(value)
			}
		}
		base := *a
		base.Files = slices.DeleteFunc(slices.Clone(a.Files), func(x txtar.File) bool {
			if x.Name == "want.diff" {
				f.want = string(x.Data)
				return true
			}
			return false
		})
		if f.files, err = txtar.FS(&base); err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// input is what the recipe sees.
func (f *fixture) input(t *testing.T) *patch.Input {
	t.Helper()
	s := localize.Suspect{Service: "shop", Operation: "POST /pay"}
	words := strings.Fields(f.keys["pattern"])
	if len(words) > 0 {
		p := localize.Pattern{Kind: localize.PatternKind(words[0]), Values: map[string]float64{}, Detail: map[string]string{}}
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				p.Values[key] = v
			} else {
				p.Detail[key] = strings.ReplaceAll(value, "_", " ")
			}
		}
		s.Patterns = append(s.Patterns, p)
	}
	if h := f.keys["hint"]; h != "" {
		s.Hints = append(s.Hints, localize.Hint{Kind: localize.HintFrame, Text: h})
	}
	file, place, _ := strings.Cut(f.keys["at"], ":")
	l := codeindex.Location{File: file, Language: "go"}
	if n, err := strconv.Atoi(place); err == nil {
		l.Line = n
	} else if text, ok := strings.CutPrefix(place, "~"); ok {
		src, err := fs.ReadFile(f.files, file)
		if err != nil {
			t.Fatal(err)
		}
		i := bytes.Index(src, []byte(text))
		if i < 0 {
			t.Fatalf("%s does not hold %q", file, text)
		}
		l.Line = 1 + bytes.Count(src[:i], []byte("\n"))
	} else {
		l.Function = place
	}
	return &patch.Input{
		Base: f.files, Suspects: []localize.Suspect{s}, Locations: [][]codeindex.Location{{l}},
		Provider: f.keys["provider"], FlagFile: f.keys["flagfile"], Allowed: patch.Rungs(),
		Services: map[string]patch.Service{"shop": {Language: "go"}},
	}
}

// draft runs the recipe over the fixture; the patch is nil where it leaves the code alone, as it should.
func (f *fixture) draft(t *testing.T, recipe patch.Recipe) *patch.Patch {
	t.Helper()
	in := f.input(t)
	plan := patch.Ladder(in, []patch.Recipe{recipe})
	if want, ok := f.keys["left"]; ok {
		if len(plan.Options) > 0 {
			t.Fatalf("%s is an option although the code is to be left alone: %s", plan.Options[0].ID, plan.Options[0].Why)
		}
		if !slices.ContainsFunc(plan.Left, func(l patch.Left) bool { return l.Rung == patch.Code && strings.Contains(l.Why, want) }) {
			t.Fatalf("left %+v, want a reason with %q", plan.Left, want)
		}
		return nil
	}
	if len(plan.Options) != 1 {
		t.Fatalf("%d options; left: %+v", len(plan.Options), plan.Left)
	}
	p, err := patch.Draft(in, plan.Options[0], []patch.Recipe{recipe})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := patch.Draft(in, plan.Options[0], []patch.Recipe{recipe}); err != nil || again.Diff != p.Diff {
		t.Errorf("a second draft differs: %v", err)
	}
	if want := f.keys["risk"]; !strings.Contains(strings.Join(p.Risks, "\n"), want) {
		t.Errorf("risks %q lack %q", p.Risks, want)
	}
	if want := f.keys["test"] != "helper"; len(p.Tests) != 1 || p.Tests[0].Behavioural != want {
		t.Errorf("tests %+v, want one that is behavioural: %t", p.Tests, want)
	}
	if len(p.Telemetry) == 0 || p.Telemetry[0] == "" || p.Flag == nil || len(p.Summary) == 0 {
		t.Errorf("telemetry %q, flag %v, summary %q", p.Telemetry, p.Flag, p.Summary)
	}
	return p
}

// compare holds the diff against the fixture, or writes it there.
func (f *fixture) compare(t *testing.T, dir, diff string) {
	t.Helper()
	if diff == f.want {
		return
	}
	if !*update {
		t.Errorf("diff of %s changed (go test -update writes it):\n%s\nwant\n%s", f.name, diff, f.want)
		return
	}
	a := *f.archive
	a.Files = slices.DeleteFunc(slices.Clone(a.Files), func(x txtar.File) bool { return x.Name == "want.diff" })
	if diff != "" {
		a.Files = append(a.Files, txtar.File{Name: "want.diff", Data: []byte(diff)})
	}
	if err := os.WriteFile(filepath.Join("testdata", dir, f.name+".txtar"), txtar.Format(&a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// testRecipe drafts every fixture of a directory and then builds and runs all of them at once: with the
// tests alone, which must fail, and with the whole patch, which must pass.
func testRecipe(t *testing.T, dir string, recipe patch.Recipe) {
	var drafted []*fixture
	var patches []*patch.Patch
	for _, f := range fixtures(t, dir+"/*.txtar") {
		t.Run(f.name, func(t *testing.T) {
			p := f.draft(t, recipe)
			if p == nil {
				f.compare(t, dir, "")
				return
			}
			f.compare(t, dir, p.Diff)
			drafted, patches = append(drafted, f), append(patches, p)
		})
	}
	if t.Failed() || testing.Short() || len(drafted) == 0 {
		return
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not installed: the patches are not run")
	}
	red, green := t.TempDir(), t.TempDir()
	for i, f := range drafted {
		if err := os.CopyFS(filepath.Join(red, f.name), f.files); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(green, f.name), f.files); err != nil {
			t.Fatal(err)
		}
		if err := patch.Apply(filepath.Join(red, f.name), patch.Without(patches[i], patch.SourceFile, patch.FlagFile)); err != nil {
			t.Fatal(err)
		}
		if err := patch.Apply(filepath.Join(green, f.name), patches[i]); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := goCommand(green, drafted, "vet"); err != nil {
		t.Fatalf("go vet: %v\n%s", err, out)
	}
	before, after := runTests(t, red, drafted), runTests(t, green, drafted)
	for i, f := range drafted {
		t.Run(f.name+" runs", func(t *testing.T) {
			test := patches[i].Tests[0]
			b, a := before[f.name], after[f.name]
			if a.passed[test.Name] == 0 || len(a.failed) > 0 {
				t.Errorf("green run: passed %v, failed %v\n%s", a.passed, a.failed, a.output)
			}
			if !test.Behavioural {
				if !b.broken {
					t.Errorf("the helper's test compiles on the base")
				}
				return
			}
			if !slices.Contains(b.failed, test.Name) {
				t.Errorf("red run: the test did not fail\n%s", b.output)
			}
			if b.passed[test.Name+"/flag_off"] == 0 {
				t.Errorf("red run: the old behaviour with the flag off was not seen\n%s", b.output)
			}
		})
	}
}

type testRun struct {
	passed map[string]int
	failed []string
	broken bool // did not compile
	output string
}

// runTests runs the tests of every fixture's module and sorts the events by fixture.
func runTests(t *testing.T, dir string, fs []*fixture) map[string]*testRun {
	t.Helper()
	runs := map[string]*testRun{}
	out, _ := goCommand(dir, fs, "test", "-json", "-count=1", "-timeout=60s")
	for _, f := range fs {
		runs[f.name] = &testRun{passed: map[string]int{}}
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var e struct{ Action, Package, Test, Output, ImportPath string }
		if err := dec.Decode(&e); err == io.EOF {
			return runs
		} else if err != nil {
			t.Fatalf("go test wrote something else than events: %v\n%s", err, out)
		}
		pkg := e.Package
		if pkg == "" {
			pkg = e.ImportPath
		}
		pkg, _, _ = strings.Cut(pkg, " ")
		name, _, _ := strings.Cut(strings.TrimPrefix(pkg, "example.com/"), "/")
		r := runs[strings.TrimSuffix(name, ".test")]
		if r == nil {
			t.Fatalf("event of an unknown package: %+v\n%s", e, out)
		}
		r.output += e.Output
		switch {
		case e.Action == "pass" && e.Test != "":
			r.passed[e.Test]++
		case e.Action == "fail" && e.Test != "":
			r.failed = append(r.failed, e.Test)
		case e.Action == "build-fail":
			r.broken = true
		}
	}
}

// goCommand runs the go command over all fixtures in one work space, offline.
func goCommand(dir string, fixtures []*fixture, args ...string) ([]byte, error) {
	var work strings.Builder
	work.WriteString("go 1.26\n")
	for _, f := range fixtures {
		fmt.Fprintf(&work, "use ./%s\n", f.name)
		args = append(args, "./"+f.name+"/...")
	}
	if err := os.WriteFile(filepath.Join(dir, "go.work"), []byte(work.String()), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOTOOLCHAIN=local", "GOWORK="+filepath.Join(dir, "go.work"), "GOFLAGS=", "GONOSUMDB=*", "GOFLAGS=-mod=readonly")
	return cmd.CombinedOutput()
}
