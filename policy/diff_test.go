package policy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// section is one file of a diff with the lines of one hunk.
func section(path string, lines ...string) string {
	added, deleted, kept := 0, 0, 0
	for _, l := range lines {
		switch l[0] {
		case '+':
			added++
		case '-':
			deleted++
		default:
			kept++
		}
	}
	return "diff --git a/" + path + " b/" + path + "\n--- a/" + path + "\n+++ b/" + path + "\n" +
		"@@ -1," + digits(deleted+kept) + " +1," + digits(added+kept) + " @@\n" + strings.Join(lines, "\n") + "\n"
}

func digits(n int) string {
	if n >= 10 {
		return digits(n/10) + digits(n%10)
	}
	return string(rune('0' + n))
}

func facts(t *testing.T, diff string) Facts {
	t.Helper()
	f, err := FactsFromDiff(diff)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFactsFromDiffReadsEveryKindOfChange(t *testing.T) {
	diff := section("b/client.go", " a", "-b", "+c", "+d") +
		"diff --git a/a_test.go b/a_test.go\nnew file mode 100644\n--- /dev/null\n+++ b/a_test.go\n@@ -0,0 +1,2 @@\n+x\n+y\n" +
		"diff --git a/gone.yaml b/gone.yaml\ndeleted file mode 100644\n--- a/gone.yaml\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n" +
		"diff --git a/old.md b/new.md\nsimilarity index 100%\nrename from old.md\nrename to new.md\n" +
		"diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n" +
		"diff --git a/logo.png b/logo.png\nindex 1..2 100644\nBinary files a/logo.png and b/logo.png differ\n" +
		"diff --git a/link b/link\nnew file mode 120000\n--- /dev/null\n+++ b/link\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n" +
		"diff --git a/tool.sh b/tool.sh\nnew file mode 100755\n--- /dev/null\n+++ b/tool.sh\n@@ -0,0 +1 @@\n+x\n" +
		section("feature-flags.json", "-off", "+on") +
		"diff --git \"a/gr\\303\\274n.py\" \"b/gr\\303\\274n.py\"\n--- \"a/gr\\303\\274n.py\"\n+++ \"b/gr\\303\\274n.py\"\n@@ -1 +1 @@\n-a\n+b\n"
	want := []File{
		{Path: "a_test.go", Kind: "test", Status: "added", Added: 2},
		{Path: "b/client.go", Kind: "source", Status: "modified", Added: 2, Deleted: 1},
		{Path: "feature-flags.json", Kind: "flag", Status: "modified", Added: 1, Deleted: 1},
		{Path: "gone.yaml", Kind: "config", Status: "deleted", Deleted: 1},
		{Path: "grün.py", Kind: "source", Status: "modified", Added: 1, Deleted: 1},
		{Path: "link", Kind: "other", Status: "added", Added: 1, Symlink: true, Mode: "120000"},
		{Path: "logo.png", Kind: "other", Status: "modified", Binary: true},
		{Path: "new.md", OldPath: "old.md", Kind: "other", Status: "renamed"},
		{Path: "run.sh", Kind: "other", Status: "modified", Mode: "100755"},
		{Path: "tool.sh", Kind: "other", Status: "added", Added: 1, Mode: "100755"},
	}
	f := facts(t, diff)
	for i, w := range want {
		if i >= len(f.Files) || f.Files[i] != w {
			t.Fatalf("file %d of %+v, want %+v", i, f.Files, w)
		}
	}
	if len(f.Files) != len(want) || f.Tests != 1 {
		t.Errorf("facts are %+v", f)
	}
	d := decide(t, engine(t, Options{}), f)
	if d.Outcome != Deny {
		t.Errorf("decision is %+v", d)
	}
}

func TestFactsFromDiffRefusesWithTheNextStep(t *testing.T) {
	for name, c := range map[string]struct{ diff, want string }{
		"empty":      {" \n", "the diff is empty; make one with git diff"},
		"prose":      {"hello\nworld\n", "holds no diff; make one with git diff"},
		"broken":     {"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n-a\n", "cannot be read"},
		"huge":       {strings.Repeat("x", maxDiff+1), "larger than 16 MiB"},
		"upwards":    {section("../../etc/passwd", "-a", "+b"), "not a path inside a repository"},
		"absolute":   {"--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n", "not a path inside a repository"},
		"twice":      {section("a.go", "-a", "+b") + section("a.go", "-c", "+d"), "changes a.go twice"},
		"backslash":  {section(`a\b`, "-a", "+b"), "not a path inside"},
		"bad counts": {"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,x +1 @@\n-a\n", "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := FactsFromDiff(c.diff); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
		})
	}
}

func TestFactsFromDiffOfGitItself(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"a b.go": "1\n2\n3\n", "moved.py": strings.Repeat("line\n", 20)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.autocrlf=false"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %v: %v", args, err)
		}
		return string(out)
	}
	git("init", "-q")
	git("add", "-A")
	git("commit", "-q", "-m", "x")
	git("mv", "moved.py", "there.py")
	if err := os.WriteFile(filepath.Join(dir, "a b.go"), []byte("1\n2\nthree\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	git("add", "-A")
	f := facts(t, git("diff", "--cached", "-M"))
	if len(f.Files) != 2 || f.Files[0].Path != "a b.go" || f.Files[0].Added != 1 || f.Files[1].OldPath != "moved.py" || f.Files[1].Status != "renamed" {
		t.Errorf("files are %+v", f.Files)
	}
}

func TestWeakenedChecksAreSeen(t *testing.T) {
	for name, c := range map[string]struct {
		path  string
		lines []string
		want  string
	}{
		"go status":             {"a.go", []string{"-\t\thttp.Error(w, msg, http.StatusBadRequest)", "+\t\tx()"}, "an answer that refuses a request (4xx)"},
		"numeric status":        {"a.js", []string{"-  res.status(422).send()", "+  next()"}, "an answer that refuses a request (4xx)"},
		"validator":             {"a.go", []string{"-\tif err := validate(order); err != nil {"}, "a validation"},
		"python error":          {"a.py", []string{"-        raise ValueError('negative amount')"}, "an error that is raised for bad input"},
		"java error":            {"A.java", []string{"-    throw new IllegalArgumentException(\"x\");"}, "an error that is raised for bad input"},
		"go error":              {"a.go", []string{"-\treturn errors.New(\"invalid quantity\")"}, "an error that is raised for bad input"},
		"authorization":         {"a.py", []string{"-@login_required"}, "an authorization check"},
		"forbidden":             {"a.go", []string{"-\tw.WriteHeader(http.StatusForbidden)"}, "an authorization check"},
		"certificate":           {"a.go", []string{"+\ttls.Config{InsecureSkipVerify: true}"}, "the verification of certificates"},
		"annotation":            {"A.java", []string{"-  @NotNull"}, "a validation"},
		"moved":                 {"a.go", []string{"-\tif err := validate(order); err != nil {", " x", "+\t\tif err := validate(order); err != nil {"}, ""},
		"rewritten":             {"a.go", []string{"-\tif !isValid(x) {", "+\tif !isValid(x, y) {"}, ""},
		"only one of two":       {"a.go", []string{"-\tvalidate(a)", "-\tvalidate(b)", "+\tvalidate(a)"}, "a validation"},
		"comment":               {"a.go", []string{"-\t// validate everything"}, ""},
		"test":                  {"a_test.go", []string{"-\tvalidate(a)"}, ""},
		"retry":                 {"a.go", []string{"-\tfor i := 0; i < 3; i++ {", "+\tfor {"}, ""},
		"server error":          {"a.go", []string{"-\thttp.Error(w, msg, http.StatusInternalServerError)"}, ""},
		"innocent number":       {"a.go", []string{"-\ttimeout := 400 * time.Millisecond"}, ""},
		"innocent word invalid": {"a.go", []string{"-\tcache.invalidate()"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts(t, section(c.path, append([]string{" context"}, c.lines...)...))
			got := ""
			if len(f.Weakened) > 0 {
				got = f.Weakened[0].What
				if f.Weakened[0].Path != c.path || len(f.Weakened) > 1 {
					t.Errorf("hints are %+v", f.Weakened)
				}
			}
			if got != c.want {
				t.Errorf("hint is %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzFactsFromDiff(f *testing.F) {
	f.Add(section("a.go", "-a", "+b"))
	f.Add("diff --git a/x b/x\nold mode 100644\nnew mode 120000\n")
	f.Add("diff --git a/x b/y\nrename from x\nrename to y\n")
	f.Fuzz(func(t *testing.T, diff string) {
		facts, err := FactsFromDiff(diff)
		if err != nil {
			return
		}
		for _, file := range facts.Files {
			if strings.HasPrefix(file.Path, "/") || strings.HasPrefix(file.Path, "..") || file.Path == "" {
				t.Errorf("path %q", file.Path)
			}
		}
		if _, err := facts.input(); err != nil {
			t.Error(err)
		}
	})
}
