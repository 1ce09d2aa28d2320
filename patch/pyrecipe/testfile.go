package pyrecipe

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/remediator/remediator/patch"
)

// layout is how a repository keeps the tests of one module.
type layout struct {
	dir    string // where the test goes
	root   string // directory that has to be on the module search path
	dotted string // the module as it is imported from there
	suffix bool   // x_test.py rather than test_x.py
	pytest bool
}

// module is the name the test uses for the module.
func (l layout) module() string { return l.dotted[strings.LastIndexByte(l.dotted, '.')+1:] }

func (l layout) importLine() string {
	if k := strings.LastIndexByte(l.dotted, '.'); k >= 0 {
		return "from " + l.dotted[:k] + " import " + l.dotted[k+1:]
	}
	return "import " + l.dotted
}

var (
	importLine = regexp.MustCompile(`(?m)^[ \t]*(?:from[ \t]+([A-Za-z_][\w.]*)[ \t]+import[ \t]+([\w, \t(]+)|import[ \t]+([A-Za-z_][\w.]*))`)
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// findLayout reads the convention from the tests that exist, and falls back to a test beside the package.
func findLayout(in *patch.Input, file string) (layout, error) {
	stem := strings.TrimSuffix(path.Base(file), ".py")
	root, dotted := path.Dir(file), stem
	for root != "." && exists(in.Base, path.Join(root, "__init__.py")) {
		dotted = path.Base(root) + "." + dotted
		root = path.Dir(root)
	}
	if stem == "__init__" {
		dotted = strings.TrimSuffix(dotted, ".__init__")
	}
	for part := range strings.SplitSeq(dotted, ".") {
		if !identifier.MatchString(part) {
			return layout{}, fmt.Errorf("%s cannot be imported by a test: %q is no module name", file, part)
		}
	}
	l := layout{dir: root, root: root, dotted: dotted}
	var best string
	suffixes, prefixes := 0, 0
	for _, t := range existingTests(in.Base, root) {
		src, _, err := patch.ReadBase(in.Base, t)
		if err != nil {
			continue
		}
		if strings.HasSuffix(t, "_test.py") {
			suffixes++
		} else {
			prefixes++
		}
		if strings.Contains(string(src), "import pytest") || strings.Contains(string(src), "from pytest") {
			l.pytest = true
		}
		d := importedAs(string(src), file)
		if d != "" && (best == "" || path.Dir(t) == path.Dir(file)) {
			best = t
			l.dir, l.dotted = path.Dir(t), d
			l.root = strings.TrimSuffix(strings.TrimSuffix(file, ".py"), strings.ReplaceAll(d, ".", "/"))
			l.root = path.Clean(strings.TrimSuffix(l.root, "/"))
		} else if best == "" && within(path.Dir(t), root) {
			// A test of another module: its directory is the convention.
			l.dir = path.Dir(t)
		}
	}
	l.suffix = suffixes > prefixes
	l.pytest = l.pytest || usesPytest(in, file)
	return l, nil
}

func within(dir, root string) bool {
	return root == "." || dir == root || strings.HasPrefix(dir, root+"/")
}

func exists(base fs.FS, p string) bool {
	_, err := fs.Stat(base, p)
	return err == nil
}

// importedAs is the dotted name under which a test imports the module of file, "" if it does not.
func importedAs(test, file string) string {
	want := strings.ReplaceAll(strings.TrimSuffix(file, ".py"), "/", ".")
	matches := func(d string) bool { return d == want || strings.HasSuffix(want, "."+d) }
	for _, m := range importLine.FindAllStringSubmatch(test, 200) {
		switch {
		case m[3] != "" && matches(m[3]):
			return m[3]
		case m[1] != "" && matches(m[1]):
			return m[1]
		case m[1] != "":
			for name := range strings.SplitSeq(m[2], ",") {
				name = strings.Trim(strings.TrimSpace(name), "(")
				if fields := strings.Fields(name); len(fields) > 0 && matches(m[1]+"."+fields[0]) {
					return m[1] + "." + fields[0]
				}
			}
		}
	}
	return ""
}

// existingTests lists Python tests below root and in a tests directory beside the way up to it.
func existingTests(base fs.FS, root string) []string {
	var out []string
	seen := 0
	_ = fs.WalkDir(base, root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // what cannot be read shows no convention
		}
		if seen++; seen > 5000 || len(out) >= 100 {
			return fs.SkipAll
		}
		if d.IsDir() {
			if n := d.Name(); p != root && (strings.HasPrefix(n, ".") || n == "node_modules" || n == "venv" || n == "site-packages" || n == "__pycache__") {
				return fs.SkipDir
			}
			return nil
		}
		if isTest(d.Name()) && d.Type().IsRegular() {
			out = append(out, p)
		}
		return nil
	})
	for dir := root; dir != "."; {
		dir = path.Dir(dir)
		for _, t := range []string{"tests", "test"} {
			entries, err := fs.ReadDir(base, path.Join(dir, t))
			if err != nil {
				continue
			}
			for _, e := range entries[:min(100, len(entries))] {
				if isTest(e.Name()) && e.Type().IsRegular() {
					out = append(out, path.Join(dir, t, e.Name()))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func isTest(name string) bool {
	return strings.HasPrefix(name, "test_") && strings.HasSuffix(name, ".py") || strings.HasSuffix(name, "_test.py")
}

// usesPytest looks at the service's test command and at the files that configure pytest on the way to the root.
func usesPytest(in *patch.Input, file string) bool {
	for _, s := range in.Services {
		if !slices.ContainsFunc(s.Paths, func(g string) bool { return patch.MatchGlob(g, file) }) {
			continue
		}
		for _, word := range s.Test {
			if strings.Contains(word, "unittest") {
				return false
			}
			if strings.Contains(word, "pytest") {
				return true
			}
		}
	}
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		if exists(in.Base, path.Join(dir, "pytest.ini")) || exists(in.Base, path.Join(dir, "conftest.py")) {
			return true
		}
		for _, name := range []string{"pyproject.toml", "setup.cfg", "tox.ini", "requirements.txt", "requirements-dev.txt", "dev-requirements.txt", "requirements-test.txt"} {
			if src, _, err := patch.ReadBase(in.Base, path.Join(dir, name)); err == nil && strings.Contains(string(src), "pytest") {
				return true
			}
		}
		if dir == "." {
			return false
		}
	}
}

// generated is a test to be written: its body calls the code in module l.module().
type generated struct {
	name        string   // test_...
	title       string   // first line of the docstring
	imports     []string // beside the module and mock
	body        []string
	behavioural bool
	checks      string
}

// write makes the file edit and the test of the patch.
func (g generated) write(in *patch.Input, l layout) (patch.FileEdit, patch.Test, error) {
	stem := strings.TrimPrefix(g.name, "test_")
	var file string
	for n := 1; ; n++ {
		name := stem
		if n > 1 {
			name = fmt.Sprintf("%s_%d", stem, n)
		}
		if l.suffix {
			name += "_test.py"
		} else {
			name = "test_" + name + ".py"
		}
		if file = path.Join(l.dir, name); !exists(in.Base, file) {
			break
		}
		if n == 20 {
			return patch.FileEdit{}, patch.Test{}, errors.New("every name for the generated test is taken")
		}
	}
	std, other := []string{}, []string{l.importLine()}
	for _, i := range append(slices.Clone(g.imports), "from unittest import mock") {
		if f := strings.Fields(i); stdlib(f[1]) {
			std = append(std, i)
		} else {
			other = append(other, i)
		}
	}
	if !l.pytest {
		std = append(std, "import unittest")
	}
	body := strings.Join(g.body, "\n")
	var b strings.Builder
	fmt.Fprintf(&b, "\"\"\"%s\"\"\"\n\n", g.title)
	writeImports(&b, std, body)
	b.WriteByte('\n')
	writeImports(&b, other, "")
	b.WriteString("\n\n")
	indent := "    "
	class := ""
	if l.pytest {
		fmt.Fprintf(&b, "def %s():\n", g.name)
	} else {
		class = "Remediator"
		for word := range strings.SplitSeq(stem, "_") {
			if word != "" {
				class += strings.ToUpper(word[:1]) + word[1:]
			}
		}
		class += "Test"
		fmt.Fprintf(&b, "class %s(unittest.TestCase):\n    def %s(self):\n", class, g.name)
		indent = "        "
	}
	for _, line := range g.body {
		if line == "" {
			b.WriteByte('\n')
			continue
		}
		if !l.pytest {
			line = unittestAssert(line)
		}
		b.WriteString(indent + line + "\n")
	}
	if !l.pytest {
		b.WriteString("\n\nif __name__ == \"__main__\":\n    unittest.main()\n")
	}
	edit := patch.FileEdit{Path: file, Kind: patch.TestFile, Mode: 0o100644, New: []byte(b.String())}
	if _, err := parse(file, edit.New, edit.Mode); err != nil {
		return edit, patch.Test{}, fmt.Errorf("the generated test went wrong: %w", err)
	}
	test := patch.Test{File: file, Name: g.name, Behavioural: g.behavioural, Checks: g.checks}
	if l.pytest {
		test.Command = []string{"python3", "-m", "pytest", "-q", file + "::" + g.name}
	} else {
		test.Command = []string{"python3", "-m", "unittest", "discover", "-s", l.dir, "-p", path.Base(file), "-k", g.name}
	}
	if l.dir != l.root {
		test.Env = map[string]string{"PYTHONPATH": l.root}
	}
	return edit, test, nil
}

var (
	assertCompare = regexp.MustCompile(`^( *)assert (.+) (==|>=|is|in) (.+)$`)
	assertNot     = regexp.MustCompile(`^( *)assert not (\w+), (".+")$`)
)

// unittestAssert writes an assertion as unittest has it, which says what was there when it fails.
func unittestAssert(line string) string {
	if m := assertNot.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf("%sself.assertFalse(%s, %s)", m[1], m[2], m[3])
	}
	m := assertCompare.FindStringSubmatch(line)
	if m == nil {
		return line
	}
	switch m[3] {
	case "==":
		return fmt.Sprintf("%sself.assertEqual(%s, %s)", m[1], m[2], m[4])
	case ">=":
		return fmt.Sprintf("%sself.assertGreaterEqual(%s, %s)", m[1], m[2], m[4])
	case "in":
		return fmt.Sprintf("%sself.assertIn(%s, %s)", m[1], m[2], m[4])
	}
	if m[4] == "None" {
		return fmt.Sprintf("%sself.assertIsNone(%s)", m[1], m[2])
	}
	return line
}

// writeImports sorts imports as isort does and drops those of the standard library that the body does not use.
func writeImports(b *strings.Builder, lines []string, body string) {
	slices.SortFunc(lines, func(a, c string) int {
		fa, fc := strings.Fields(a), strings.Fields(c)
		if fa[0] != fc[0] {
			return strings.Compare(fc[0], fa[0]) // "import" before "from"
		}
		return strings.Compare(a, c)
	})
	for _, l := range slices.Compact(lines) {
		f := strings.Fields(l)
		if name := f[len(f)-1]; body != "" && name != "unittest" && !strings.Contains(body, name+".") {
			continue
		}
		b.WriteString(l + "\n")
	}
}
