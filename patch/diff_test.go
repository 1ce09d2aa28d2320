package patch

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
	"pgregory.net/rapid"
)

func TestDiffText(t *testing.T) {
	before := "package p\n\nfunc a() {\n\tx()\n}\n\nfunc c() {\n\tz()\n}\n"
	after := "package p\n\nfunc a() {\n\tx()\n}\n\nfunc b() {\n\ty()\n}\n\nfunc c() {\n\tz()\n}\n"
	tests := []struct {
		name string
		edit FileEdit
		want string
	}{
		{"new block starts at its own first line", FileEdit{Path: "p.go", Old: []byte(before), New: []byte(after)},
			"diff --git a/p.go b/p.go\nindex OLD..NEW 100644\n--- a/p.go\n+++ b/p.go\n" +
				"@@ -4,6 +4,10 @@ func a() {\n \tx()\n }\n \n+func b() {\n+\ty()\n+}\n+\n func c() {\n \tz()\n }\n"},
		{"deleted block too", FileEdit{Path: "p.go", Old: []byte(after), New: []byte(before)},
			"diff --git a/p.go b/p.go\nindex OLD..NEW 100644\n--- a/p.go\n+++ b/p.go\n" +
				"@@ -4,10 +4,6 @@ func a() {\n \tx()\n }\n \n-func b() {\n-\ty()\n-}\n-\n func c() {\n \tz()\n }\n"},
		{"new file", FileEdit{Path: "d/n.sh", Mode: 0o100755, New: []byte("a\n")},
			"diff --git a/d/n.sh b/d/n.sh\nnew file mode 100755\nindex OLD..NEW\n--- /dev/null\n+++ b/d/n.sh\n@@ -0,0 +1 @@\n+a\n"},
		{"deleted file without final newline", FileEdit{Path: "x", Old: []byte("a\nb")},
			"diff --git a/x b/x\ndeleted file mode 100644\nindex OLD..NEW\n--- a/x\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n\\ No newline at end of file\n"},
		{"empty new file", FileEdit{Path: "e", New: []byte{}},
			"diff --git a/e b/e\nnew file mode 100644\nindex OLD..NEW\n"},
		{"path with a space", FileEdit{Path: "a b", Old: []byte("1\n"), New: []byte("2\n")},
			"diff --git a/a b b/a b\nindex OLD..NEW 100644\n--- a/a b\t\n+++ b/a b\t\n@@ -1 +1 @@\n-1\n+2\n"},
		{"path outside ascii", FileEdit{Path: "ü\"", Old: []byte("1\n"), New: []byte("2\n")},
			`diff --git "a/\303\274\"" "b/\303\274\""` + "\nindex OLD..NEW 100644\n" +
				`--- "a/\303\274\""` + "\n" + `+++ "b/\303\274\""` + "\n@@ -1 +1 @@\n-1\n+2\n"},
		{"no change", FileEdit{Path: "x", Old: []byte("a\n"), New: []byte("a\n")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.NewReplacer("OLD", blobName(tt.edit.Old, tt.edit.Old != nil),
				"NEW", blobName(tt.edit.New, tt.edit.New != nil)).Replace(tt.want)
			if got := Diff([]FileEdit{tt.edit}); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestBlobNameIsGits(t *testing.T) {
	if got := blobName([]byte("hello\n"), true); got != "ce013625030ba8dba906f756967f9e9ca394464a" {
		t.Error(got)
	}
}

// text generates files made of few different lines, so that they share much and repeat much.
func text(t *rapid.T, label string) []byte {
	lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "\tc", "}", "", "d\r", "func x() {", "\\ No", "-- q", "++ r"}), 0, 40).Draw(t, label)
	s := strings.Join(lines, "\n")
	if len(s) > 0 && rapid.Bool().Draw(t, label+" ends with a newline") {
		s += "\n"
	}
	return []byte(s)
}

// TestChangesAreShortest compares the edit distance with the textbook table and replays the script.
func TestChangesAreShortest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := splitLines(text(t, "a")), splitLines(text(t, "b"))
		var got []string
		at, edits := 0, 0
		for _, c := range changes(a, b) {
			if c.a0 < at || c.a0 == c.a1 && c.b0 == c.b1 {
				t.Fatalf("bad change %v", c)
			}
			got = append(append(got, a[at:c.a0]...), b[c.b0:c.b1]...)
			at, edits = c.a1, edits+c.a1-c.a0+c.b1-c.b0
		}
		got = append(got, a[at:]...)
		if strings.Join(got, "") != strings.Join(b, "") {
			t.Fatalf("the script makes %q of %q, not %q", got, a, b)
		}
		if want := len(a) + len(b) - 2*lcs(a, b); edits != want {
			t.Fatalf("%d edits where %d are enough", edits, want)
		}
	})
}

func lcs(a, b []string) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if row[j+1] = max(above, row[j]); a[i] == b[j] {
				row[j+1] = diagonal + 1
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// edits generates a patch of one to three files of every sort.
func edits(t *rapid.T) []FileEdit {
	names := []string{"a.txt", "dir/b.go", "sp ace/c", "ümlaut", `q"uote`}
	var files []FileEdit
	for _, name := range names[:rapid.IntRange(1, len(names)).Draw(t, "files")] {
		f := FileEdit{Path: name, Mode: 0o100644, Old: text(t, "old"), New: text(t, "new")}
		switch rapid.IntRange(0, 4).Draw(t, "sort") {
		case 0:
			f.Old = nil
		case 1:
			f.New = nil
		default:
			if bytes.Equal(f.Old, f.New) {
				f.New = append(f.New, "more\n"...)
			}
		}
		files = append(files, f)
	}
	return files
}

func TestDiffAppliesWithGitdiff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		files := edits(t)
		parsed, _, err := gitdiff.Parse(strings.NewReader(Diff(files)))
		if err != nil {
			t.Fatalf("parse: %v\n%s", err, Diff(files))
		}
		if len(parsed) != len(files) {
			t.Fatalf("%d files parsed of %d", len(parsed), len(files))
		}
		for _, p := range parsed {
			f := find(files, p.NewName+p.OldName)
			if p.IsNew != (f.Old == nil) || p.IsDelete != (f.New == nil) {
				t.Fatalf("%s: new %t, deleted %t", f.Path, p.IsNew, p.IsDelete)
			}
			var out bytes.Buffer
			if err := gitdiff.Apply(&out, bytes.NewReader(f.Old), p); err != nil {
				t.Fatalf("apply: %v\n%s", err, Diff(files))
			}
			if !bytes.Equal(out.Bytes(), f.New) {
				t.Fatalf("%s became %q, want %q", f.Path, out.Bytes(), f.New)
			}
		}
	})
}

// find looks a file up by its new name, its old name or both run together.
func find(files []FileEdit, name string) FileEdit {
	for _, f := range files {
		if name == f.Path || name == f.Path+f.Path {
			return f
		}
	}
	return FileEdit{}
}

func TestDiffAppliesWithGit(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: git apply is not checked")
	}
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		if n++; n > 40 {
			return // a process each; forty are enough beside the library's hundred
		}
		files := edits(rt)
		dir := t.TempDir()
		for _, f := range files {
			if f.Old != nil {
				must(rt, os.MkdirAll(filepath.Dir(filepath.Join(dir, f.Path)), 0o755))
				must(rt, os.WriteFile(filepath.Join(dir, f.Path), f.Old, 0o644))
			}
		}
		cmd := exec.Command("git", "apply", "--whitespace=nowarn", "-")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "GIT_CONFIG_GLOBAL=/dev/null")
		cmd.Stdin = strings.NewReader(Diff(files))
		if out, err := cmd.CombinedOutput(); err != nil {
			rt.Fatalf("git apply: %v\n%s\n%s", err, out, Diff(files))
		}
		for _, f := range files {
			got, err := os.ReadFile(filepath.Join(dir, f.Path))
			if f.New == nil {
				if !os.IsNotExist(err) {
					rt.Fatalf("%s is still there: %v", f.Path, err)
				}
				continue
			}
			if err != nil || !bytes.Equal(got, f.New) {
				rt.Fatalf("%s became %q (%v), want %q", f.Path, got, err, f.New)
			}
		}
	})
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Helper()
		t.Fatal(err)
	}
}

func TestStatCountsLines(t *testing.T) {
	added, deleted := Stat(FileEdit{Old: []byte("a\nb\nc\n"), New: []byte("a\nB\nc\nd\n")})
	if added != 2 || deleted != 1 {
		t.Errorf("+%d -%d, want +2 -1", added, deleted)
	}
}

// TestChangesOfHugeFiles shows that a rewrite beyond the bound is still a right script.
func TestChangesOfHugeFiles(t *testing.T) {
	var a, b []string
	for i := range 2 * maxEdits {
		a = append(a, fmt.Sprintf("a%d\n", i))
		b = append(b, fmt.Sprintf("b%d\n", i))
	}
	cs := changes(a, b)
	if len(cs) != 1 || cs[0] != (change{0, len(a), 0, len(b)}) {
		t.Errorf("got %d changes", len(cs))
	}
}
