package gitrepo

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remediator/remediator/patch"
)

const fingerprint = "0123456789abcdef0123456789abcdef"

// draft is a valid commit that changes a.txt and adds sub/new.txt.
func draft() Draft {
	return Draft{
		Base: "HEAD",
		Edits: []patch.FileEdit{
			{Path: "a.txt", Old: []byte("one\n"), New: []byte("two\n"), Mode: 0o100644},
			{Path: "sub/deep/new.sh", New: []byte("#!/bin/sh\n"), Mode: 0o100755},
		},
		Message: "Bound the retries of charge\n\nBecause it hammers the bank.",
		Case:    fingerprint,
		Author:  Identity{"remediator", "remediator@example.org"},
		When:    time.Unix(1_700_009_999, 123).In(time.FixedZone("x", 3600)),
	}
}

func simple(t *testing.T) *fixture {
	f := newFixture(t)
	f.write("a.txt", "one\n")
	f.write("sub.txt", "s\n")
	f.write("gone/only.txt", "g\n")
	f.commit("start")
	return f
}

func TestCommitIsWhatGitWouldHaveMade(t *testing.T) {
	f := simple(t)
	d := draft()
	d.Edits = append(d.Edits, patch.FileEdit{Path: "gone/only.txt", Old: []byte("g\n")})
	made, err := open(t, f.dir).Commit(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	f.git("fsck", "--strict", "--no-dangling")
	if got, want := f.git("ls-tree", "-r", made.SHA), "100644 blob f719efd430d52bcfc8566a43b2eb655688d38871\ta.txt"; !strings.HasPrefix(got, want) || strings.Contains(got, "gone/") || !strings.Contains(got, "100755 blob 1a2485251c33a70432394c93fb89330ef214bfc9\tsub/deep/new.sh") {
		t.Errorf("tree is\n%s", got)
	}
	if got := f.git("log", "-1", "--format=%an|%ae|%cn|%ct|%T|%P|%(trailers:key=Remediator-Case,valueonly)", made.SHA); got != "remediator|remediator@example.org|remediator|1700009999|"+made.Tree+"|"+made.Parent+"|"+fingerprint {
		t.Errorf("commit is %s", got)
	}
	// The same tree made through an index.
	f.write("a.txt", "two\n")
	f.write("sub/deep/new.sh", "#!/bin/sh\n")
	f.git("rm", "-q", "gone/only.txt")
	f.git("add", "-A")
	f.git("update-index", "--chmod=+x", "sub/deep/new.sh")
	if want := f.git("write-tree"); made.Tree != want {
		t.Errorf("tree is %s, git makes %s", made.Tree, want)
	}
}

func TestCommitIsDeterministicAndTouchesNothingElse(t *testing.T) {
	f := simple(t)
	before := f.state()
	first, err := open(t, f.dir).Commit(context.Background(), draft())
	if err != nil {
		t.Fatal(err)
	}
	second, err := open(t, f.dir).Commit(context.Background(), draft())
	if err != nil || first != second {
		t.Errorf("second commit is %v (%v), first %v", second, err, first)
	}
	other := newFixture(t)
	other.write("a.txt", "one\n")
	other.write("sub.txt", "s\n")
	other.write("gone/only.txt", "g\n")
	other.commit("start")
	third, err := open(t, other.dir).Commit(context.Background(), draft())
	if err != nil || first != third {
		t.Errorf("the commit in an equal repository is %v (%v), want %v", third, err, first)
	}
	if after := f.state(); after != before {
		t.Errorf("state went from\n%s\nto\n%s", before, after)
	}
}

type brokenSigner struct{}

func (brokenSigner) Sign(io.Reader) ([]byte, error) { return nil, errors.New("no key") }

func TestCommitRefuses(t *testing.T) {
	f := simple(t)
	f.git("update-index", "--add", "--cacheinfo", "120000,"+f.git("hash-object", "-w", "a.txt")+",lnk")
	f.now += 60
	f.git("commit", "-q", "-m", "link")
	r := open(t, f.dir)
	for name, c := range map[string]struct {
		change func(*Draft)
		want   string
	}{
		"stale old content":   {func(d *Draft) { d.Edits[0].Old = []byte("other\n") }, "a.txt: has other content in the base"},
		"new that exists":     {func(d *Draft) { d.Edits[0].Old = nil }, "a.txt: exists in the base already"},
		"old that is absent":  {func(d *Draft) { d.Edits[0].Path = "b.txt" }, "b.txt: does not exist in the base"},
		"parent directory":    {func(d *Draft) { d.Edits[1].Path = "../x" }, "is not a path inside"},
		"absolute":            {func(d *Draft) { d.Edits[1].Path = "/x" }, "is not a path inside"},
		"git directory":       {func(d *Draft) { d.Edits[1].Path = "sub/.GIT/hooks/x" }, "git's own directory"},
		"short git directory": {func(d *Draft) { d.Edits[1].Path = "git~1/config" }, "git's own directory"},
		"hidden characters":   {func(d *Draft) { d.Edits[1].Path = ".g\u200cit/config" }, "git's own directory"},
		"backslash":           {func(d *Draft) { d.Edits[1].Path = `a\b` }, "not allowed"},
		"through a file":      {func(d *Draft) { d.Edits[1].Path = "a.txt/x" }, "a.txt is not a directory"},
		"through a link":      {func(d *Draft) { d.Edits[1].Path = "lnk/x" }, "links are not followed"},
		"a link":              {func(d *Draft) { d.Edits[0].Path = "lnk" }, "is not a regular file"},
		"a directory":         {func(d *Draft) { d.Edits[0].Path = "gone" }, "is not a regular file"},
		"mode":                {func(d *Draft) { d.Edits[1].Mode = 0o120000 }, "mode 120000 is neither"},
		"nothing":             {func(d *Draft) { d.Edits = nil }, "change nothing"},
		"author":              {func(d *Draft) { d.Author.Name = "a <b" }, "cannot stand in a commit"},
		"author without name": {func(d *Draft) { d.Author.Name = "" }, "cannot stand in a commit"},
		"message":             {func(d *Draft) { d.Message = " " }, "message is empty"},
		"case":                {func(d *Draft) { d.Case = "a\nb" }, "line break"},
		"time":                {func(d *Draft) { d.When = time.Time{} }, "time is missing"},
		"base":                {func(d *Draft) { d.Base = "nowhere" }, "commit not found"},
		"signer":              {func(d *Draft) { d.Signer = brokenSigner{} }, "sign commit: no key"},
	} {
		t.Run(name, func(t *testing.T) {
			d := draft()
			c.change(&d)
			if _, err := r.Commit(context.Background(), d); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestFSIsAFileSystemThatFollowsNothing(t *testing.T) {
	f := simple(t)
	f.git("update-index", "--add", "--cacheinfo", "120000,"+f.git("hash-object", "-w", "a.txt")+",lnk")
	f.now += 60
	f.git("commit", "-q", "-m", "link")
	fsys, err := open(t, f.dir).FS("HEAD")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadFile(fsys, "lnk"); !errors.Is(err, ErrNotFollowed) {
		t.Errorf("reading a link gives %v", err)
	}
	if _, err := fs.ReadFile(fsys, "../etc/passwd"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("reading upwards gives %v", err)
	}
	plain, err := open(t, f.dir).FS("HEAD~1")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(plain, "a.txt", "gone/only.txt", "sub.txt"); err != nil {
		t.Error(err)
	}
}

func TestCloneProposeAndOwnership(t *testing.T) {
	ctx := context.Background()
	f := simple(t)
	f.write("a.txt", "dirty\n")
	before := f.state()
	clone, err := Clone(ctx, f.dir, filepath.Join(t.TempDir(), "deep", "clone.git"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := clone.Commit(ctx, draft())
	if err != nil {
		t.Fatal(err)
	}
	name, err := BranchName(fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	if err := clone.CreateBranch(ctx, name, made.SHA); err != nil {
		t.Fatal(err)
	}
	if err := clone.Propose(ctx, open(t, f.dir), name, made.SHA); err != nil {
		t.Fatal(err)
	}
	if got := f.git("rev-parse", name); got != made.SHA {
		t.Errorf("branch is at %s, want %s", got, made.SHA)
	}
	if after := f.state(); after != before {
		t.Errorf("state went from\n%s\nto\n%s", before, after)
	}
	f.git("fsck", "--strict")

	// The next round replaces our own commit, and only that.
	d := draft()
	d.Message = "Another title"
	again, err := clone.Commit(ctx, d)
	if err != nil {
		t.Fatal(err)
	}
	if err := clone.Propose(ctx, open(t, f.dir), name, again.SHA); err != nil {
		t.Fatalf("our own branch was not moved: %v", err)
	}
	f.git("checkout", "-q", "-f", name)
	if err := clone.Propose(ctx, open(t, f.dir), name, made.SHA); err == nil || !strings.Contains(err.Error(), "is checked out in") {
		t.Errorf("a branch that is checked out was moved: %v", err)
	}
	f.commit("a person's commit")
	f.git("checkout", "-q", "main")
	err = clone.Propose(ctx, open(t, f.dir), name, made.SHA)
	if !errors.Is(err, ErrForeignBranch) {
		t.Errorf("a person's commit was overwritten: %v", err)
	}
}
