package patch

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"errors"

	"github.com/remediator/remediator/localize"
)

const goodGo = "package p\n\nfunc f() {}\n"

func base() fstest.MapFS {
	return fstest.MapFS{
		"svc/a.go":   {Data: []byte(goodGo)},
		"svc/odd.go": {Data: []byte("package p\nfunc  g() { }\n")},
		"x.py":       {Data: []byte("a = 1\n")},
		"link":       {Data: []byte("/etc"), Mode: fs.ModeSymlink | 0o777},
		"linkfile":   {Data: []byte("x.py"), Mode: fs.ModeSymlink | 0o777},
	}
}

func TestDraftRefuses(t *testing.T) {
	long := []byte(strings.Repeat("a\n", maxFile))
	tests := []struct {
		name string
		edit FileEdit
		want string
	}{
		{"parent path", FileEdit{Path: "../a", New: []byte("x")}, "not a clean path"},
		{"absolute path", FileEdit{Path: "/a", New: []byte("x")}, "not a clean path"},
		{"unclean path", FileEdit{Path: "a//b", New: []byte("x")}, "not a clean path"},
		{"backslash", FileEdit{Path: `a\b`, New: []byte("x")}, "characters"},
		{"newline in path", FileEdit{Path: "a\nb", New: []byte("x")}, "characters"},
		{"git directory", FileEdit{Path: "x/.GIT/hooks/a", New: []byte("x")}, "git's own directory"},
		{"symlinked directory", FileEdit{Path: "link/a", New: []byte("x")}, "not a directory"},
		{"symlink", FileEdit{Path: "linkfile", Old: []byte("x.py"), New: []byte("y")}, "not a regular file"},
		{"file as directory", FileEdit{Path: "x.py/a", New: []byte("x")}, "not a directory"},
		{"nothing", FileEdit{Path: "svc/a.go", Old: []byte(goodGo), New: []byte(goodGo)}, "changes nothing"},
		{"neither side", FileEdit{Path: "svc/a.go"}, "changes nothing"},
		{"symlink mode", FileEdit{Path: "n", Mode: 0o120000, New: []byte("x")}, "mode"},
		{"stale old side", FileEdit{Path: "x.py", Old: []byte("a = 0\n"), New: []byte("a = 2\n")}, "does not start from the base"},
		{"new file that exists", FileEdit{Path: "x.py", New: []byte("a = 2\n")}, "is in the base"},
		{"old file that does not", FileEdit{Path: "y.py", Old: []byte("a"), New: []byte("b")}, "not in the base"},
		{"binary", FileEdit{Path: "n", New: []byte("a\x00b")}, "not a text"},
		{"too large", FileEdit{Path: "n", New: long}, "larger"},
		{"go that does not parse", FileEdit{Path: "svc/n.go", New: []byte("package p\nfunc {")}, "does not parse"},
		{"go that is not formatted", FileEdit{Path: "svc/n.go", New: []byte("package p\nfunc  h() {}\n")}, "gofmt"},
		{"other syntax", FileEdit{Path: "x.py", Old: []byte("a = 1\n"), New: []byte("a =\n")}, "odd python"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := draftOne(tt.edit, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func draftOne(f FileEdit, tests []Test) (*Patch, error) {
	in := &Input{Base: base(), Suspects: make([]localize.Suspect, 1), Syntax: func(path string, src []byte) error {
		if strings.HasSuffix(string(src), "=\n") {
			return errors.New("odd python")
		}
		return nil
	}}
	r := scripted{name: "r@1", rung: Config, draft: func(*Input, Option) (*Patch, error) {
		return &Patch{Files: []FileEdit{f}, Tests: tests}, nil
	}}
	return Draft(in, Option{ID: "o", Rung: Config, Recipe: "r@1"}, []Recipe{r})
}

func TestDraftFillsInModeOptionAndDiff(t *testing.T) {
	p, err := draftOne(FileEdit{Path: "svc/a.go", Old: []byte(goodGo), New: []byte(goodGo + "\nfunc g() {}\n")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Option.ID != "o" || p.Files[0].Mode != 0o100644 || !strings.Contains(p.Diff, "+func g() {}") {
		t.Errorf("%+v", p)
	}
}

func TestDraftToleratesFilesThatWereNeverFormatted(t *testing.T) {
	old := base()["svc/odd.go"].Data
	if _, err := draftOne(FileEdit{Path: "svc/odd.go", Old: old, New: append(old[:len(old):len(old)], "func  h() { }\n"...)}, nil); err != nil {
		t.Error(err)
	}
}

func TestDraftChecksTests(t *testing.T) {
	f := FileEdit{Path: "n_test.py", Kind: TestFile, New: []byte("x\n")}
	if _, err := draftOne(f, []Test{{File: "other.py", Name: "t", Command: []string{"true"}}}); err == nil {
		t.Error("a test in a file that is not written was accepted")
	}
	if _, err := draftOne(f, []Test{{File: "n_test.py", Name: "t"}}); err == nil {
		t.Error("a test without a command was accepted")
	}
	if _, err := draftOne(f, []Test{{File: "n_test.py", Name: "t", Command: []string{"true"}}}); err != nil {
		t.Error(err)
	}
}

func TestDraftNeedsAFlagForCode(t *testing.T) {
	r := scripted{name: "r@1", rung: Code, draft: func(*Input, Option) (*Patch, error) {
		return &Patch{Files: []FileEdit{{Path: "n", New: []byte("x")}}}, nil
	}}
	in := &Input{Base: base(), Suspects: make([]localize.Suspect, 1)}
	_, err := Draft(in, Option{Rung: Code, Recipe: "r@1"}, []Recipe{r})
	if err == nil || !strings.Contains(err.Error(), "needs a flag") {
		t.Error(err)
	}
	for _, o := range []Option{{Recipe: "other@1"}, {Recipe: "r@1", Suspect: 1}, {Recipe: "r@1", Suspect: -1}} {
		if _, err := Draft(in, o, []Recipe{r}); err == nil {
			t.Errorf("%+v was drafted", o)
		}
	}
}

func TestApplyAndWithout(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "svc/a.go", goodGo)
	write(t, dir, "gone", "x")
	p := &Patch{
		Files: []FileEdit{
			{Path: "svc/a.go", Kind: SourceFile, Old: []byte(goodGo), New: []byte("package p\n")},
			{Path: "svc/sub/a_test.go", Kind: TestFile, New: []byte("package p\n"), Mode: 0o100755},
			{Path: "gone", Kind: OtherFile, Old: []byte("x")},
		},
		Tests: []Test{{File: "svc/sub/a_test.go", Name: "T"}},
	}
	red := Without(p, SourceFile, OtherFile)
	if len(red.Files) != 1 || len(red.Tests) != 1 || len(p.Files) != 3 || strings.Contains(red.Diff, "svc/a.go") {
		t.Errorf("tests only: %+v", red)
	}
	if q := Without(p, TestFile); len(q.Tests) != 0 || len(p.Tests) != 1 {
		t.Errorf("without tests: %+v", q)
	}
	if err := Apply(dir, p); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "svc/a.go")); string(got) != "package p\n" {
		t.Errorf("a.go is %q", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "svc/sub/a_test.go")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("new file: %v %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "gone")); !os.IsNotExist(err) {
		t.Errorf("deleted file: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*/.remediator-*")); len(left) > 0 {
		t.Errorf("temporary files stay: %v", left)
	}
}

func TestApplyRefusesWithoutWritingAnything(t *testing.T) {
	tests := []struct {
		name string
		bad  FileEdit
		want string
	}{
		{"symlinked directory inside", FileEdit{Path: "inner/f", New: []byte("y")}, "not a directory"},
		{"symlinked directory outside", FileEdit{Path: "outer/f", New: []byte("y")}, "not a directory"},
		{"symlinked file", FileEdit{Path: "file", Old: []byte("x"), New: []byte("y")}, "not a regular file"},
		{"dangling link as a new file", FileEdit{Path: "dangling", New: []byte("y")}, "not a regular file"},
		{"other content", FileEdit{Path: "z", Old: []byte("0"), New: []byte("y")}, "not as the patch expects"},
		{"missing", FileEdit{Path: "no", Old: []byte("0"), New: []byte("y")}, "missing"},
		{"exists", FileEdit{Path: "z", New: []byte("y")}, "exists already"},
		{"outside", FileEdit{Path: "../z", New: []byte("y")}, "not a clean path"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, outside := t.TempDir(), t.TempDir()
			write(t, dir, "real/f", "x")
			write(t, dir, "z", "x")
			for link, to := range map[string]string{"inner": "real", "outer": outside, "file": "z", "dangling": outside + "/new"} {
				if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
					t.Skip("no symbolic links here: ", err)
				}
			}
			err := Apply(dir, &Patch{Files: []FileEdit{{Path: "first", New: []byte("1")}, tt.bad}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "first")); !os.IsNotExist(err) {
				t.Error("the first file was written all the same")
			}
			if entries, _ := os.ReadDir(outside); len(entries) > 0 {
				t.Error("something was written outside")
			}
		})
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
