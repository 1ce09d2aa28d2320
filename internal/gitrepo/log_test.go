package gitrepo

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/localize"
)

func TestLogPrintsHunksAsGitDoes(t *testing.T) {
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

	changes, err := open(t, f.dir).Log(context.Background(), LogRange{From: "HEAD"})
	if err != nil {
		t.Fatal(err)
	}
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

func titles(changes []localize.Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Message)
	}
	return strings.Join(out, " ")
}

func TestLogKeepsToItsRangeAndLeavesMergesOut(t *testing.T) {
	f := newFixture(t)
	f.write("f", "0")
	base := f.commit("base")
	f.git("checkout", "-q", "-b", "side")
	f.write("g", "1")
	f.commit("side")
	f.git("checkout", "-q", "main")
	f.write("f", "1")
	f.commit("one")
	f.now += 60
	f.git("merge", "-q", "--no-ff", "-m", "merge", "side")
	f.write("f", "2")
	f.commit("two")
	r := open(t, f.dir)
	ctx := context.Background()
	at := func(n int64) time.Time { return time.Unix(1_700_000_000+60*n, 0) }
	for name, c := range map[string]struct {
		in   LogRange
		want string
	}{
		"all":      {LogRange{From: "HEAD"}, "base side one two"},
		"newest":   {LogRange{From: "HEAD", Max: 2}, "one two"},
		"since":    {LogRange{From: "HEAD", Since: at(3)}, "one two"},
		"until":    {LogRange{From: "HEAD", Until: at(3)}, "base side one"},
		"window":   {LogRange{From: "HEAD", Since: at(2), Until: at(3)}, "side one"},
		"not":      {LogRange{From: "HEAD", Not: base}, "side one two"},
		"from":     {LogRange{From: base}, "base"},
		"nothing":  {LogRange{From: base, Not: "HEAD"}, ""},
		"long ago": {LogRange{From: "HEAD", Until: time.Unix(1, 0)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			changes, err := r.Log(ctx, c.in)
			if err != nil || titles(changes) != c.want {
				t.Errorf("changes are %q (%v), want %q", titles(changes), err, c.want)
			}
		})
	}
	for _, in := range []LogRange{{From: "nowhere"}, {From: "HEAD", Not: "nowhere"}, {}} {
		if _, err := r.Log(ctx, in); !errors.Is(err, ErrNoCommit) {
			t.Errorf("%+v gives %v", in, err)
		}
	}
}

func TestLogBoundsWhatItKeeps(t *testing.T) {
	f := newFixture(t)
	f.write("large.txt", strings.Repeat("line\n", maxFilePatch))
	f.write("small.txt", "x\n")
	f.commit(strings.Repeat("m", 2*maxMessage))
	changes, err := open(t, f.dir).Log(context.Background(), LogRange{From: "HEAD"})
	if err != nil || len(changes) != 1 {
		t.Fatalf("changes are %v (%v)", changes, err)
	}
	files := changes[0].Files
	if len(files) != 2 || files[0].Patch != "" || files[1].Patch == "" || len(changes[0].Message) > maxMessage {
		t.Errorf("%d files, message of %d", len(files), len(changes[0].Message))
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
