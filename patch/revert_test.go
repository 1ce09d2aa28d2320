package patch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
)

// history is a real git repository that a test builds commit by commit.
type history struct {
	t    *testing.T
	dir  string
	at   time.Time
	list []localize.Change
}

func newHistory(t *testing.T) *history {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: reverts are compared with git, which is not installed")
	}
	h := &history{t: t, dir: t.TempDir(), at: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	h.git("init", "-q", "-b", "main")
	h.git("config", "core.autocrlf", "false")
	return h
}

func (h *history) git(args ...string) string {
	h.t.Helper()
	out, err := h.try(args...)
	if err != nil {
		h.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (h *history) try(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = h.dir
	stamp := h.at.Format(time.RFC3339)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org", "GIT_AUTHOR_DATE="+stamp, "GIT_COMMITTER_DATE="+stamp)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// commit writes files (nil content deletes) and records the change as evidence would hold it.
func (h *history) commit(message string, files map[string]string) string {
	h.t.Helper()
	for name, content := range files {
		path := filepath.Join(h.dir, name)
		if content == deleted {
			if err := os.Remove(path); err != nil {
				h.t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
	h.at = h.at.Add(time.Hour)
	h.git("add", "-A")
	h.git("commit", "-q", "-m", message)
	sha := strings.TrimSpace(h.git("rev-parse", "HEAD"))
	c := localize.Change{SHA: sha, Time: h.at, Author: "a", Service: "pay", Message: message}
	for _, name := range strings.Fields(h.git("show", "--format=", "--name-only", "--no-renames", sha)) {
		diff := h.git("show", "--format=", "--no-renames", "-p", sha, "--", name)
		_, hunks, _ := strings.Cut(diff, "\n@@ ")
		if hunks != "" {
			hunks = "@@ " + hunks
		}
		c.Files = append(c.Files, localize.ChangedFile{Path: name, Patch: hunks})
	}
	h.list = append(h.list, c)
	return sha
}

// deleted marks a file that a commit removes.
const deleted = "\x00deleted"

func (h *history) input(culprit string) *Input {
	return &Input{
		Base:     os.DirFS(h.dir),
		Suspects: []localize.Suspect{{Service: "pay", Operation: "POST /pay", Culprit: culprit}},
		Ranked:   []localize.RankedChange{{SHA: culprit, Service: "pay", Score: 0.8, Reasons: []localize.Reason{{Signal: "change", Text: "hostile @text"}}}},
		Changes:  h.list,
		Allowed:  Rungs(),
	}
}

// lines numbers n lines, all different.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i+1)
	}
	return b.String()
}

func TestRevertDoesWhatGitDoes(t *testing.T) {
	body := numbered(60)
	edit := strings.NewReplacer("line 10\n", "changed 10\n", "line 40\n", "changed 40\nadded\n").Replace(body)
	for name, c := range map[string]struct{ before, culprit, later map[string]string }{
		"nothing since": {
			before:  map[string]string{"pay/a.py": body},
			culprit: map[string]string{"pay/a.py": edit},
		},
		"lines moved since": {
			before:  map[string]string{"pay/a.py": body},
			culprit: map[string]string{"pay/a.py": edit},
			later:   map[string]string{"pay/a.py": "new 1\nnew 2\n" + strings.Replace(edit, "line 25\n", "between\nlines\n", 1)},
		},
		"added file": {
			before:  map[string]string{"pay/a.py": body},
			culprit: map[string]string{"pay/a.py": edit, "pay/new.py": "x = 1\n", "pay/test_new.py": "def test_x():\n    pass\n"},
			later:   map[string]string{"pay/other.py": "y = 2\n"},
		},
		"deleted file": {
			before:  map[string]string{"pay/a.py": body, "pay/old.py": "z = 1\n"},
			culprit: map[string]string{"pay/a.py": edit, "pay/old.py": deleted},
		},
		"no newline at the end": {
			before:  map[string]string{"pay/a.py": "a\nb"},
			culprit: map[string]string{"pay/a.py": "a\nc\n"},
		},
		"newline at the end comes back": {
			before:  map[string]string{"pay/a.py": "a\nb\n"},
			culprit: map[string]string{"pay/a.py": "a\nb"},
		},
		"carriage returns": {
			before:  map[string]string{"pay/a.py": strings.ReplaceAll(body, "\n", "\r\n")},
			culprit: map[string]string{"pay/a.py": strings.ReplaceAll(edit, "\n", "\r\n")},
			later:   map[string]string{"pay/a.py": "top\r\n" + strings.ReplaceAll(edit, "\n", "\r\n")},
		},
		"deleted lines": {
			before:  map[string]string{"pay/a.py": body},
			culprit: map[string]string{"pay/a.py": strings.Replace(body, "line 5\nline 6\n", "", 1)},
			later:   map[string]string{"pay/a.py": "top\n" + strings.Replace(body, "line 5\nline 6\n", "", 1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			h.commit("Start", c.before)
			sha := h.commit("Pay: be quicker", c.culprit)
			if c.later != nil {
				h.commit("Innocent", c.later)
			}
			in := h.input(sha)
			plan := Ladder(in, []Recipe{NewRevert()})
			if len(plan.Options) != 1 {
				t.Fatalf("options %v, left %v", plan.Options, plan.Left)
			}
			o := plan.Options[0]
			if want := fmt.Sprintf("Revert %s (Pay: be quicker)", sha[:7]); o.Title != want || o.ID != "revert-"+sha[:7] {
				t.Errorf("title %q, id %q", o.Title, o.ID)
			}
			p, err := Draft(in, o, []Recipe{NewRevert()})
			if err != nil {
				t.Fatal(err)
			}
			diff := filepath.Join(t.TempDir(), "p.diff")
			if err := os.WriteFile(diff, []byte(p.Diff), 0o644); err != nil {
				t.Fatal(err)
			}
			h.git("apply", "--index", diff)
			ours := h.git("write-tree")
			h.git("reset", "-q", "--hard")
			h.git("revert", "--no-commit", sha)
			if theirs := h.git("write-tree"); ours != theirs {
				t.Errorf("git revert makes another tree:\n%s\nours:\n%s", h.git("diff", "--cached"), p.Diff)
			}
		})
	}
}

func TestRevertLeaves(t *testing.T) {
	body := numbered(30)
	change := strings.Replace(body, "line 10\n", "changed\n", 1)
	start := map[string]string{"pay/a.py": body, "pay/b.py": "b\n"}
	for name, c := range map[string]struct {
		message string
		culprit map[string]string
		later   map[string]string
		edit    func(*localize.Change)
		want    string
	}{
		"changed since":      {culprit: map[string]string{"pay/a.py": change}, later: map[string]string{"pay/a.py": strings.Replace(change, "changed\n", "again\n", 1)}, want: "does not revert cleanly: pay/a.py:7: "},
		"neighbour changed":  {culprit: map[string]string{"pay/a.py": change}, later: map[string]string{"pay/a.py": strings.Replace(change, "line 9\n", "nine\n", 1)}, want: "does not revert cleanly: pay/a.py:7: "},
		"file gone":          {culprit: map[string]string{"pay/a.py": change}, later: map[string]string{"pay/a.py": deleted}, want: "pay/a.py:1: the file is gone"},
		"added file changed": {culprit: map[string]string{"pay/a.py": change, "pay/n.py": "n\n"}, later: map[string]string{"pay/n.py": "n\nm\n"}, want: "pay/n.py:1: the commit added the file and later ones changed it"},
		"deleted file back":  {culprit: map[string]string{"pay/b.py": deleted}, later: map[string]string{"pay/b.py": "other\n"}, want: "there again"},
		"reverted":           {culprit: map[string]string{"pay/a.py": change}, later: map[string]string{"pay/a.py": body}, want: "has been reverted already"},
		"documents only":     {culprit: map[string]string{"docs/a.md": "x\n", "pay/test_a.py": "x\n"}, want: "tests and documents only"},
		"merge":              {message: "Merge pull request #3 from x/y", culprit: map[string]string{"pay/a.py": change}, want: "is a merge"},
		"initial by subject": {message: "Initial commit", culprit: map[string]string{"pay/a.py": change}, want: "is the initial commit"},
		"initial by content": {culprit: map[string]string{"pay/c.py": "c\n"}, later: map[string]string{"pay/a.py": deleted, "pay/b.py": deleted}, want: "is the initial commit"},
		"content unknown":    {culprit: map[string]string{"pay/a.py": change}, edit: func(c *localize.Change) { c.Files[0].Patch = "" }, want: "the content of the change to pay/a.py is not known"},
		"cut off":            {culprit: map[string]string{"pay/a.py": change}, edit: func(c *localize.Change) { c.Files[0].Patch = c.Files[0].Patch[:30] }, want: "may be cut off"},
		"rename":             {culprit: map[string]string{"pay/a.py": change}, edit: func(c *localize.Change) { c.Files[0].Patch = "similarity index 90%\nrename from x\nrename to y\n" }, want: "is a rename"},
		"another file's header": {culprit: map[string]string{"pay/a.py": change}, edit: func(c *localize.Change) {
			c.Files[0].Patch += "diff --git a/etc b/etc\n--- a/etc\n+++ b/etc\n@@ -1 +1 @@\n-a\n+b\n"
		}, want: "not those of one text file"},
		"path that climbs": {culprit: map[string]string{"pay/a.py": change}, edit: func(c *localize.Change) { c.Files[0].Path = "../../etc/passwd" }, want: "not a clean path"},
		"no files":         {culprit: map[string]string{"pay/a.py": change}, edit: func(c *localize.Change) { c.Files = nil }, want: "its files are not known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			h.commit("Start", start)
			if c.message == "" {
				c.message = "Change"
			}
			sha := h.commit(c.message, c.culprit)
			if c.later != nil {
				h.commit("Later", c.later)
			}
			if c.edit != nil {
				c.edit(&h.list[1])
			}
			plan := Ladder(h.input(sha), []Recipe{NewRevert()})
			if len(plan.Options) != 0 {
				t.Fatalf("offered %v", plan.Options)
			}
			if !slices.ContainsFunc(plan.Left, func(l Left) bool { return strings.Contains(l.Why, c.want) && strings.HasPrefix(l.Why, sha[:7]+": ") }) {
				t.Errorf("left %+v, want %q", plan.Left, c.want)
			}
		})
	}
}

func TestRevertSaysThatTestsGoBackToo(t *testing.T) {
	h := newHistory(t)
	h.commit("Start", map[string]string{"pay/a.py": "a\n", "pay/test_a.py": "old\n"})
	sha := h.commit("Change", map[string]string{"pay/a.py": "b\n", "pay/test_a.py": "new\n"})
	in := h.input(sha)
	p, err := Draft(in, Ladder(in, []Recipe{NewRevert()}).Options[0], []Recipe{NewRevert()})
	if err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(p.Summary, " "); !strings.Contains(s, "changes of tests back with it: pay/test_a.py") {
		t.Errorf("summary %q", s)
	}
	if p.Flag != nil {
		t.Error("a revert needs no flag")
	}
}

func TestRevertTakesTheExpectedOfEqualPlaces(t *testing.T) {
	block := "start\nx = 1\nend\n"
	before := strings.Repeat(block, 5)
	after := block + block + "start\nx = 2\nend\n" + block + block
	twice := after + "start\nx = 2\nend\n" // a later commit wrote the same once more
	hunk := "@@ -7,3 +7,3 @@\n start\n-x = 1\n+x = 2\n end\n"
	edit := func(base string) (string, error) {
		e, err := reverseFile(fstest.MapFS{"a.py": {Data: []byte(base)}}, localize.ChangedFile{Path: "a.py", Patch: hunk})
		return string(e.New), err
	}
	if got, err := edit(after); err != nil || got != before {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := edit(twice); err != nil || got != before+"start\nx = 2\nend\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := edit("top\n" + twice); err == nil || !strings.Contains(err.Error(), "2 times") {
		t.Errorf("an ambiguous place was taken: %v", err)
	}
}

func TestCulpritsBelongToOneSuspect(t *testing.T) {
	changes := []localize.Change{
		{SHA: "aaaaaaaaaa", Service: "pay", Message: "a"},
		{SHA: "bbbbbbbbbb", Service: "pay", Message: "b"},
		{SHA: "cccccccccc", Service: "mail", Message: "c", Files: []localize.ChangedFile{{Path: "pay/x.go"}}},
		{SHA: "dddddddddd", Service: "mail", Message: "d"},
	}
	in := &Input{
		Suspects:  []localize.Suspect{{Service: "pay", Culprit: "aaaaaaaa"}, {Service: "pay", Culprit: "aaaaaaaaaa"}},
		Locations: [][]codeindex.Location{{{File: "pay/x.go"}}},
		Changes:   changes,
		Ranked: []localize.RankedChange{{SHA: "dddddddddd", Score: 0.9}, {SHA: "aaaaaaaaaa", Score: 0.8}, {SHA: "cccccccccc", Score: 0.7},
			{SHA: "bbbbbbbbbb", Service: "pay", Score: 0.2}},
	}
	var got []string
	for _, c := range culprits(in, 0) {
		got = append(got, c.change.SHA[:1])
	}
	if s := strings.Join(got, ""); s != "ac" { // d concerns nothing here, b is far behind
		t.Errorf("culprits of the first suspect %q", s)
	}
	if c := culprits(in, 1); len(c) != 0 {
		t.Errorf("the second suspect repeats %v", c)
	}
}

func TestSafeSubject(t *testing.T) {
	for in, want := range map[string]string{
		"fix: retry with backoff\n\nbody":                    "fix: retry with backoff",
		"Closes #12 @admin `rm -rf` [x](http://evil.test/a)": "Closes 12 admin rm -rf x",
		"call 0664 123 45 67 for bob@example.org":            "call for",
		"<script>alert(1)</script>":                          "script alert 1 /script",
		"\x1b[31mred\u202e evil":                             "31mred evil",
		strings.Repeat("word ", 40):                          strings.TrimSpace(strings.Repeat("word ", 12)) + " ...",
		strings.Repeat("x", 300):                             strings.Repeat("x", 60) + " ...",
		"":                                                   "",
		"naïve größe":                                        "naïve größe",
	} {
		if got := safeSubject(in); got != want {
			t.Errorf("safeSubject(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestRevertUndoesAnyChange applies random changes to random texts, moves the result by lines put before it, and
// expects the reverse to bring back what was there.
func TestRevertUndoesAnyChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "\n", "}\n", "x = 1\n", "\ty\r\n"})
		before := rapid.SliceOfN(line, 1, 40).Draw(t, "before")
		after := slices.Clone(before)
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			at := rapid.IntRange(0, len(after)).Draw(t, "at")
			cut := rapid.IntRange(0, min(3, len(after)-at)).Draw(t, "cut")
			after = slices.Concat(after[:at:at], rapid.SliceOfN(line, 0, 3).Draw(t, "new"), after[at+cut:])
		}
		old, now := strings.Join(before, ""), strings.Join(after, "")
		if rapid.Bool().Draw(t, "open end") {
			now = strings.TrimSuffix(now, "\n")
		}
		if old == now || now == "" {
			t.Skip("no change, or nothing left")
		}
		diff := Diff([]FileEdit{{Path: "f", Mode: 0o100644, Old: []byte(old), New: []byte(now)}})
		_, hunks, _ := strings.Cut(diff, "\n@@ ")
		back := func(base string) (string, error) {
			e, err := reverseFile(fstest.MapFS{"f": {Data: []byte(base)}}, localize.ChangedFile{Path: "f", Patch: "@@ " + hunks})
			return string(e.New), err
		}
		if got, err := back(now); err != nil || got != old {
			t.Fatalf("got %q, %v; want %q\n%s", got, err, old, diff)
		}
		// Moved, the place may no longer be the only one; then it must not be guessed.
		moved := "moved 1\nmoved 2\n"
		if got, err := back(moved + now); err == nil && got != moved+old {
			t.Fatalf("moved: got %q, want %q\n%s", got, moved+old, diff)
		}
	})
}

func FuzzRevertHunks(f *testing.F) {
	f.Add("a\nb\n", "@@ -1,2 +1,2 @@\n a\n-c\n+b\n")
	f.Add("", "@@ -1 +0,0 @@\n-a\n\\ No newline at end of file\n")
	f.Add("a\n", "@@ -0,0 +1 @@\n+a\n")
	f.Add("a\n", "rename from x\n@@ -1 +1 @@\n-b\n+a\n")
	f.Fuzz(func(t *testing.T, base, hunks string) {
		e, err := reverseFile(fstest.MapFS{"f": {Data: []byte(base)}}, localize.ChangedFile{Path: "f", Patch: hunks})
		if err == nil && e.Old != nil && string(e.Old) != base {
			t.Errorf("old side %q is not the base", e.Old)
		}
	})
}
