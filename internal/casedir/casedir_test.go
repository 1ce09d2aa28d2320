package casedir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOpenClearsWhatAnEarlierRunLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "case")
	d := open(t, path)
	if err := d.Put(CaseFile, []byte(`{"schema": "remediator.case/v1"}`)); err != nil {
		t.Fatal(err)
	}
	// A run that was killed leaves its work directory, with things in it that cannot simply be removed.
	write(t, filepath.Join(d.Work(), "base", "mod", "x.go"), "package x")
	if err := os.Chmod(filepath.Join(d.Work(), "base", "mod"), 0o500); err != nil {
		t.Fatal(err)
	}
	d.unlock()
	d = open(t, path)
	defer d.Close()
	for _, gone := range []string{filepath.Join(path, CaseFile), filepath.Join(d.Work(), "base")} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s is still there (%v)", gone, err)
		}
	}
}

func TestOpenRefusesForeignDirectories(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "thesis.tex"), "years of work")
	write(t, filepath.Join(dir, CaseFile), "{}")
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "thesis.tex") || !strings.Contains(err.Error(), "--out") {
		t.Fatalf("Open = %v, want an error with the foreign file and the flag", err)
	}
	if _, err := os.Stat(filepath.Join(dir, CaseFile)); err != nil {
		t.Errorf("something was removed from a directory that was refused: %v", err)
	}
}

func TestOpenKeepsACaseFileOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, CaseFile), "mine")
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "did not write") {
		t.Fatalf("Open = %v, want it refused", err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, CaseFile)); string(text) != "mine" {
		t.Errorf("the file holds %q now", text)
	}
}

func TestCloseLeavesOnlyTheCase(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "case"))
	write(t, filepath.Join(d.Work(), "a", "b"), "x")
	if err := d.Put(ReportFile, []byte("<html>")); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(d.Path)
	if len(entries) != 1 || entries[0].Name() != ReportFile {
		t.Errorf("left %v, want only %s", entries, ReportFile)
	}
}

func TestPutReplacesWhole(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	for _, text := range []string{"a long first version", "short"} {
		if err := d.Put(DiffFile, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(d.File(DiffFile)); string(got) != text {
			t.Errorf("read %q, want %q", got, text)
		}
	}
}

func TestDigestsLeaveOutEvidenceCloneAndWork(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	for _, name := range []string{DiffFile, CaseFile, EvidenceFile} {
		if err := d.Put(name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, d.File(Repository+"/HEAD"), "ref")
	sums, err := d.Digests()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range sums {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != CaseFile+" "+DiffFile {
		t.Errorf("Digests lists %q", got)
	}
}

// TestCheckRepositoryNoticesEveryChange: a byte, a file more, a file less.
func TestCheckRepositoryNoticesEveryChange(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(t *testing.T, dir string)
		want string
	}{
		"nothing": {func(*testing.T, string) {}, ""},
		"byte":    {func(t *testing.T, dir string) { write(t, filepath.Join(dir, Repository, "refs/heads/x"), "bbb") }, "refs/heads/x was changed"},
		"added": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, Repository, "hooks/post-checkout"), "evil")
		}, "hooks/post-checkout was added"},
		"removed": {func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, Repository, "HEAD")) }, "HEAD is missing"},
		"list":    {func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, RepositorySums)) }, RepositorySums},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, t.TempDir())
			defer d.Close()
			write(t, d.File(Repository+"/HEAD"), "ref: refs/heads/x")
			write(t, d.File(Repository+"/refs/heads/x"), "aaa")
			if err := d.Seal(true); err != nil {
				t.Fatal(err)
			}
			tc.do(t, d.Path)
			c := CheckRepository(d.Path)
			if c.Proved != (tc.want == "") || !strings.Contains(c.Why, tc.want) {
				t.Errorf("claim %+v, want it to name %q", c, tc.want)
			}
		})
	}
}

func TestSealWithoutProposalRemovesTheClone(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	write(t, d.File(Repository+"/HEAD"), "ref")
	if err := d.Seal(false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.File(Repository)); !os.IsNotExist(err) {
		t.Errorf("the clone is still there: %v", err)
	}
}

// A run that came to nothing leaves no directory that was not there before.
func TestCloseTakesAnEmptyDirectoryAway(t *testing.T) {
	root := t.TempDir()
	if err := open(t, filepath.Join(root, "a", "case")).Close(); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
	there := filepath.Join(root, "there")
	if err := os.Mkdir(there, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := open(t, there).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(there); err != nil {
		t.Errorf("a directory of the user's is gone: %v", err)
	}
	d := open(t, filepath.Join(root, "b", "case"))
	if err := errors.Join(d.Put(DiffFile, []byte("x")), d.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "b", "case", DiffFile)); err != nil {
		t.Errorf("a file of the case is gone: %v", err)
	}
}

func TestMakeAllUndoesOnlyWhatItMade(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "file"), "")
	if _, err := MakeAll(filepath.Join(root, "new", "file")); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeAll(filepath.Join(root, "file", "below")); err == nil {
		t.Error("a directory below a file")
	}
	undo, err := MakeAll(filepath.Join(root, "x", "y", "z"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "x", "kept"), "")
	undo()
	if _, err := os.Stat(filepath.Join(root, "x", "y")); !os.IsNotExist(err) {
		t.Errorf("y is still there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "x", "kept")); err != nil {
		t.Errorf("what was put there is gone: %v", err)
	}
}
