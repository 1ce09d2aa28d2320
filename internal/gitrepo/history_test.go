package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// history is the titles of what landed, with the minutes in which it did.
func history(t *testing.T, r *Repo, in HistoryRange) string {
	t.Helper()
	h, err := r.History(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range h.Changes {
		out = append(out, fmt.Sprintf("%s@%d", strings.Fields(c.Message)[0], (c.Time.Unix()-1_700_000_000)/60))
	}
	return strings.Join(out, " ")
}

func minute(n int64) time.Time { return time.Unix(1_700_000_000+60*n, 0) }

// What a merge brings in landed with the merge, by its own author and hash.
func TestHistoryDatesCommitsByWhenTheyLanded(t *testing.T) {
	f := newFixture(t)
	f.write("f", "0")
	f.commit("base") // 1
	f.git("checkout", "-q", "-b", "side")
	f.write("g", "1")
	f.now += 60
	f.git("add", "-A")
	f.git("commit", "-q", "--author", "Zoë <z@example.org>", "-m", "side-one") // 2
	side := f.git("rev-parse", "HEAD")
	f.write("g", "2")
	f.commit("side-two") // 3
	f.git("checkout", "-q", "main")
	f.write("f", "1")
	f.commit("direct") // 4
	f.now += 6 * 60
	f.git("merge", "-q", "--no-ff", "-m", "merge", "side") // 10
	f.write("f", "2")
	f.commit("last") // 11
	r := open(t, f.dir)
	for name, c := range map[string]struct {
		in   HistoryRange
		want string
	}{
		"all":              {HistoryRange{From: "HEAD"}, "base@1 direct@4 side-one@10 side-two@10 last@11"},
		"since the merge":  {HistoryRange{From: "HEAD", Since: minute(5)}, "side-one@10 side-two@10 last@11"},
		"until the merge":  {HistoryRange{From: "HEAD", Until: minute(9)}, "base@1 direct@4"},
		"the merge alone":  {HistoryRange{From: "HEAD", Since: minute(10), Until: minute(10)}, "side-one@10 side-two@10"},
		"the newest":       {HistoryRange{From: "HEAD", Max: 2}, "side-two@10 last@11"},
		"the side branch":  {HistoryRange{From: "side"}, "base@1 side-one@2 side-two@3"},
		"long before":      {HistoryRange{From: "HEAD", Until: time.Unix(1, 0)}, ""},
		"nothing lands":    {HistoryRange{From: "HEAD", Since: minute(20)}, ""},
		"from the base on": {HistoryRange{From: "HEAD~2"}, "base@1 direct@4"},
		"a window":         {HistoryRange{From: "HEAD", Since: minute(2), Until: minute(10)}, "direct@4 side-one@10 side-two@10"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := history(t, r, c.in); got != c.want {
				t.Errorf("history is %q, want %q", got, c.want)
			}
		})
	}
	h, err := r.History(context.Background(), HistoryRange{From: "HEAD", Since: minute(10), Until: minute(10)})
	if err != nil || h.Changes[0].SHA != side || h.Changes[0].Author != "Zoë" || h.Changes[0].Files[0].Patch != "@@ -0,0 +1 @@\n+1\n\\ No newline at end of file\n" {
		t.Errorf("first is %+v (%v)", h.Changes[0], err)
	}
	if h, err = r.History(context.Background(), HistoryRange{From: "HEAD", Max: 2}); err != nil || len(h.Notes) != 1 || !strings.Contains(h.Notes[0], "5 commits") {
		t.Errorf("notes are %q (%v)", h.Notes, err)
	}
	for _, from := range []string{"nowhere", ""} {
		if _, err := r.History(context.Background(), HistoryRange{From: from}); !errors.Is(err, ErrNoCommit) {
			t.Errorf("history of %q gives %v", from, err)
		}
	}
}

// A side branch that merged the main line into itself brings in only what is its own.
func TestHistoryOfBranchesThatMergeEachOther(t *testing.T) {
	f := newFixture(t)
	f.write("f", "0")
	f.commit("base") // 1
	f.git("checkout", "-q", "-b", "side")
	f.write("g", "1")
	f.commit("side-one") // 2
	f.git("checkout", "-q", "main")
	f.write("f", "1")
	f.commit("direct") // 3
	f.git("checkout", "-q", "side")
	f.now += 60
	f.git("merge", "-q", "--no-ff", "-m", "update", "main") // 4
	f.write("g", "2")
	f.commit("side-two") // 5
	f.git("checkout", "-q", "--orphan", "other")
	f.write("h", "1")
	f.commit("orphan") // 6
	f.git("checkout", "-q", "main")
	f.now += 60
	f.git("merge", "-q", "--no-ff", "-m", "merge", "side") // 7
	f.now += 60
	f.git("merge", "-q", "--no-ff", "--allow-unrelated-histories", "-X", "ours", "-m", "import", "other") // 8
	r := open(t, f.dir)
	if got, want := history(t, r, HistoryRange{From: "HEAD"}), "base@1 direct@3 side-one@7 side-two@7 orphan@8"; got != want {
		t.Errorf("history is %q, want %q", got, want)
	}
	if got, want := history(t, r, HistoryRange{From: "HEAD", Since: minute(7)}), "side-one@7 side-two@7 orphan@8"; got != want {
		t.Errorf("history is %q, want %q", got, want)
	}
}

func TestHistoryNamesTheServiceThatOwnsThePaths(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct{ message, files string }{
		{"one", "cart/a.go"}, {"one-and-docs", "cart/b.go docs/x.md"}, {"two", "cart/a.go pay/a.go"}, {"none", "docs/y.md"},
	} {
		for _, name := range strings.Fields(c.files) {
			f.write(name, c.message)
		}
		f.commit(c.message)
	}
	owner := func(p string) string {
		if dir, _, _ := strings.Cut(p, "/"); dir != "docs" {
			return dir
		}
		return ""
	}
	h, err := open(t, f.dir).History(context.Background(), HistoryRange{From: "HEAD", Owner: owner})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range h.Changes {
		got = append(got, c.Message+"="+c.Service)
	}
	if want := "one=cart one-and-docs=cart two= none="; strings.Join(got, " ") != want {
		t.Errorf("services are %q, want %q", got, want)
	}
}

// Renames carry their new path, binary and huge files no patch, a submodule the commit that it points to.
func TestHistoryOfUnusualFiles(t *testing.T) {
	sub := newFixture(t)
	sub.write("s", "1")
	pointed := sub.commit("sub")
	f := newFixture(t)
	f.write("old.txt", strings.Repeat("line\n", 30))
	f.commit("base")
	f.git("mv", "old.txt", "new.txt")
	f.write("bin", "a\x00b")
	f.write("huge", strings.Repeat("x\n", maxFilePatch))
	f.git("update-index", "--add", "--cacheinfo", "160000,"+pointed+",lib")
	f.git("add", "bin", "huge", "new.txt")
	f.now += 60
	f.git("commit", "-q", "-m", "odd")
	h, err := open(t, f.dir).History(context.Background(), HistoryRange{From: "HEAD", Max: 1})
	if err != nil || len(h.Changes) != 1 {
		t.Fatalf("history is %+v (%v)", h, err)
	}
	got := map[string]string{}
	for _, file := range h.Changes[0].Files {
		got[file.Path] = file.Patch
	}
	want := map[string]string{"new.txt": "", "bin": "", "huge": "", "lib": "@@ -0,0 +1 @@\n+Subproject commit " + pointed + "\n"}
	for name, patch := range want {
		if p, ok := got[name]; !ok || p != patch {
			t.Errorf("patch of %s is %q (%v), want %q", name, p, ok, patch)
		}
	}
	if len(got) != len(want) {
		t.Errorf("files are %v", got)
	}
}

// The commit at which a shallow clone ends looks as though it had added every file.
func TestHistoryOfAShallowCloneLeavesItsEndOut(t *testing.T) {
	f := newFixture(t)
	for i := range 4 {
		f.write("f", strings.Repeat("x\n", i+1))
		f.commit(fmt.Sprintf("c%d", i))
	}
	dir := filepath.Join(t.TempDir(), "shallow")
	f.git("clone", "-q", "--depth", "2", "file://"+f.dir, dir)
	h, err := open(t, dir).History(context.Background(), HistoryRange{From: "HEAD"})
	if err != nil || len(h.Changes) != 1 || h.Changes[0].Message != "c3" || len(h.Notes) != 1 || !strings.Contains(h.Notes[0], "--unshallow") {
		t.Errorf("history is %+v (%v)", h, err)
	}
}

// Whatever the graph, every commit that is not a merge lands once, with the first step of the line from which it can be
// reached, and after its parents.
func TestEveryCommitLandsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "commits")
		graph := make([]step, n) // parents have smaller numbers; turned round below
		for i := range graph {
			graph[i].sha = fmt.Sprint(i)
			for range min(i, rapid.IntRange(0, 3).Draw(t, "parents")) {
				if p := fmt.Sprint(rapid.IntRange(0, i-1).Draw(t, "parent")); !slices.Contains(graph[i].parents, p) {
					graph[i].parents = append(graph[i].parents, p)
				}
			}
		}
		var line []step
		for i := n - 1; ; {
			s := graph[i]
			s.time = minute(int64(i))
			line = append(line, s)
			if len(s.parents) == 0 || rapid.Bool().Draw(t, "window ends") {
				break
			}
			_, _ = fmt.Sscan(s.parents[0], &i)
		}
		var reaches func(from, to string) bool
		reaches = func(from, to string) bool {
			var i int
			_, _ = fmt.Sscan(from, &i)
			return from == to || slices.ContainsFunc(graph[i].parents, func(p string) bool { return reaches(p, to) })
		}
		want := map[string]time.Time{}
		for _, c := range graph {
			for _, s := range slices.Backward(line) {
				if len(c.parents) < 2 && reaches(s.sha, c.sha) {
					want[c.sha] = s.time
					break
				}
			}
		}
		slices.Reverse(graph)
		at := map[string]int{}
		for i, l := range land(line, graph) {
			if at[l.sha] > 0 || !l.time.Equal(want[l.sha]) {
				t.Fatalf("%s landed at %v, want %v", l.sha, l.time, want[l.sha])
			}
			at[l.sha] = i + 1
		}
		if len(at) != len(want) {
			t.Fatalf("%d of %d commits landed", len(at), len(want))
		}
		for _, c := range graph {
			for _, p := range c.parents {
				if at[c.sha] > 0 && at[p] > at[c.sha] {
					t.Fatalf("%s landed before its parent %s", c.sha, p)
				}
			}
		}
	})
}
