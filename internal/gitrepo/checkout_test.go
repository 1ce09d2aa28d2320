package gitrepo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entry puts any entry into the fixture's index, also one that a work tree could not hold.
func (f *fixture) entry(mode, content, name string) {
	f.t.Helper()
	file := filepath.Join(f.t.TempDir(), "blob")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	f.git("update-index", "--add", "--cacheinfo", mode+","+f.git("hash-object", "-w", file)+","+name)
}

func TestCheckoutWritesTheTreeAndNothingElse(t *testing.T) {
	f := simple(t)
	f.write("run.sh", "#!/bin/sh\n")
	f.write(".gitattributes", "*.txt text eol=lf\nexport.txt export-ignore\n")
	f.write("export.txt", "kept")
	f.git("add", "-A")
	f.git("update-index", "--chmod=+x", "run.sh")
	f.entry("100644", "a\r\n", "crlf.txt")
	f.entry("120000", "a.txt", "inside")
	f.entry("120000", "../a.txt", "gone/up")
	f.entry("120000", "../../etc/passwd", "out")
	f.entry("120000", "/etc/passwd", "absolute")
	f.entry("120000", "nowhere", "dangling")
	f.entry("120000", "gone/hop/../../..", "lexical")
	f.entry("120000", "..", "gone/hop")
	f.entry("120000", "gone/hop/..", "chain")
	f.entry("120000", "loop", "loop")
	f.git("update-index", "--add", "--cacheinfo", "160000,"+strings.Repeat("1", 40)+",module")
	f.now += 60
	f.git("commit", "-q", "-m", "links")
	dir := filepath.Join(t.TempDir(), "a", "out")
	notes, err := open(t, f.dir).Checkout(context.Background(), "HEAD", dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, n := range notes {
		got[n.Path] = n.Text
	}
	for name, want := range map[string]string{
		"out": "symbolic link out of", "absolute": "symbolic link out of", "lexical": "symbolic link out of",
		"chain": "symbolic link out of", "module": "is a submodule", "loop": "symbolic link out of",
	} {
		if !strings.Contains(got[name], want) {
			t.Errorf("note on %s is %q", name, got[name])
		}
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was made", name)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("further notes: %v", got)
	}
	for name, want := range map[string]string{"a.txt": "one\n", "crlf.txt": "a\r\n", "gone/only.txt": "g\n", "inside": "one\n", "gone/up": "one\n", "export.txt": "kept"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != want {
			t.Errorf("%s is %q (%v)", name, data, err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "run.sh")); err != nil || info.Mode().Perm()&0o111 == 0 {
		t.Errorf("run.sh has mode %v (%v)", info.Mode(), err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a.txt")); err != nil || info.Mode().Perm()&0o111 != 0 {
		t.Errorf("a.txt has mode %v (%v)", info.Mode(), err)
	}
	if _, err := open(t, f.dir).Checkout(context.Background(), "HEAD", dir); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("checked out over something: %v", err)
	}
}

// A tree made by hand holds names that git itself would refuse.
func TestCheckoutLeavesOutNamesThatReachElsewhere(t *testing.T) {
	f := simple(t)
	blob := f.git("rev-parse", "HEAD:a.txt")
	for _, name := range []string{".git", ".GIT", "git~1", ".git ", "..", ".", `a\b`, ".g\u200cit"} {
		if err := checkName(name); err == nil {
			t.Errorf("%q is allowed", name)
		}
	}
	for _, name := range []string{"a", ".github", ".gitignore", "git", "...", "a b", "ü"} {
		if err := checkName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	// mktree takes names without asking, except for a slash.
	file := filepath.Join(t.TempDir(), "tree")
	if err := os.WriteFile(file, []byte("100644 blob "+blob+"\t.git\n100644 blob "+blob+"\t..\n100644 blob "+blob+"\tok\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tree := f.shell("git mktree <" + file)
	commit := f.git("commit-tree", "-m", "evil", tree)
	dir := filepath.Join(t.TempDir(), "out")
	r := open(t, f.dir)
	notes, err := r.Checkout(context.Background(), commit, dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) != 2 {
		t.Errorf("notes are %v", notes)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "ok" {
		t.Errorf("written were %v (%v)", entries, err)
	}
	fsys, err := r.FS(commit)
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.WalkDir(fsys, ".", func(name string, _ fs.DirEntry, err error) error {
		if strings.Contains(name, "..") {
			t.Errorf("the tree shows %q", name)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestDamagedObjectsAreNoticed(t *testing.T) {
	f := simple(t)
	blob := f.git("rev-parse", "HEAD:a.txt")
	other := f.git("rev-parse", "HEAD:sub.txt")
	object := func(sha string) string { return filepath.Join(f.dir, ".git", "objects", sha[:2], sha[2:]) }
	data, err := os.ReadFile(object(other))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(object(blob), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(object(blob), data, 0o600); err != nil {
		t.Fatal(err)
	}
	fsys, err := open(t, f.dir).FS("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := fs.ReadFile(fsys, "a.txt"); err == nil || !strings.Contains(err.Error(), "git fsck") {
		t.Errorf("a swapped object reads as %q (%v)", text, err)
	}
}
