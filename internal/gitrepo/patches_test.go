package gitrepo

import (
	"context"
	"strings"
	"testing"
	"time"
)

func TestHistoryHasHunksAsGitPrintsThem(t *testing.T) {
	f := newFixture(t)
	f.write("a.txt", "1\n2\n3\n4\n5\n6\n7\n8\n9\n")
	f.write("old name.txt", strings.Repeat("line\n", 30))
	first := f.commit("first\n\nbody")
	f.write("a.txt", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n")
	f.write("grün \"q\".txt", "x\n")
	f.write("bin", "a\x00b")
	f.git("mv", "old name.txt", "new name.txt")
	f.now += 60
	f.git("add", "-A")
	f.git("commit", "-q", "--author", "Zoë <z@example.org>", "-m", "second "+first)
	second := f.git("rev-parse", "HEAD")
	f.git("rm", "-q", "a.txt")
	// A line of a file that looks like the start of a commit or of a file.
	f.write("trap.txt", first+"\ndiff --git a/x b/x\n")
	third := f.commit("third")

	h, err := open(t, f.dir).History(context.Background(), HistoryRange{From: "HEAD"})
	if err != nil {
		t.Fatal(err)
	}
	changes := h.Changes
	if len(changes) != 3 || changes[0].SHA != first || changes[1].SHA != second || changes[2].SHA != third {
		t.Fatalf("changes are %+v", changes)
	}
	if c := changes[0]; c.Message != "first\n\nbody" || c.Author != "Ann Author" || !c.Time.Equal(time.Unix(1_700_000_060, 0)) || c.Time.Location() != time.UTC {
		t.Errorf("first is %+v", c)
	}
	if changes[1].Author != "Zoë" {
		t.Errorf("author is %q", changes[1].Author)
	}
	got := map[string]string{}
	for _, file := range changes[1].Files {
		got[file.Path] = file.Patch
	}
	want := map[string]string{
		"a.txt":          "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n",
		"grün \"q\".txt": "@@ -0,0 +1 @@\n+x\n",
		"bin":            "",
		"new name.txt":   "",
	}
	for name, patch := range want {
		if p, ok := got[name]; !ok || p != patch {
			t.Errorf("patch of %s is %q (%v), want %q", name, p, ok, patch)
		}
	}
	if len(got) != len(want) {
		t.Errorf("files are %v", got)
	}
	if files := changes[2].Files; len(files) != 2 || files[0].Path != "a.txt" || files[1].Path != "trap.txt" || !strings.HasPrefix(files[1].Patch, "@@ -0,0 +1,2 @@\n+"+first) {
		t.Errorf("third is %+v", files)
	}
}

func TestHistoryBoundsWhatItKeepsOfACommit(t *testing.T) {
	f := newFixture(t)
	f.write("large.txt", strings.Repeat("line\n", maxFilePatch))
	f.write("small.txt", "x\n")
	f.commit(strings.Repeat("m", 2*maxMessage))
	h, err := open(t, f.dir).History(context.Background(), HistoryRange{From: "HEAD"})
	if err != nil || len(h.Changes) != 1 {
		t.Fatalf("history is %+v (%v)", h, err)
	}
	files := h.Changes[0].Files
	if len(files) != 2 || files[0].Patch != "" || files[1].Patch == "" || len(h.Changes[0].Message) > maxMessage {
		t.Errorf("%d files, message of %d", len(files), len(h.Changes[0].Message))
	}
}

func FuzzSplitPatch(f *testing.F) {
	f.Add("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n")
	f.Add("diff --git \"a/\\303\" \"b/\\303\"\nBinary files differ\n")
	f.Add("diff --git a/ b/\nrename to \"x\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, file := range splitPatch(text) {
			if file.Path == "" || len(file.Patch) > 3*maxFilePatch || file.Patch != "" && !strings.HasPrefix(file.Patch, "@@ ") {
				t.Errorf("file is %+v", file)
			}
		}
	})
}
