package pyrecipe

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
)

// edit replaces the bytes [from, to) by text.
type edit struct {
	from, to int
	text     string
}

// rewrite applies edits and checks that the result still parses.
func (s *source) rewrite(edits []edit) ([]byte, error) {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		if e.from < at || e.to < e.from || e.to > len(s.src) {
			return nil, fmt.Errorf("edits of %s overlap", s.path)
		}
		out.Write(s.src[at:e.from])
		out.WriteString(e.text)
		at = e.to
	}
	out.Write(s.src[at:])
	if _, err := parse(s.path, out.Bytes(), s.mode); err != nil {
		return nil, fmt.Errorf("the rewrite went wrong: %w", err)
	}
	return out.Bytes(), nil
}

// need is a name that the new code uses and the import that brings it.
type need struct {
	module string // "os", "opentelemetry"
	name   string // "trace" in "from opentelemetry import trace"; "" for "import os"
}

func (n need) line() string {
	if n.name == "" {
		return "import " + n.module
	}
	return "from " + n.module + " import " + n.name
}

// bound is the name the import brings into the file.
func (n need) bound() string {
	if n.name == "" {
		return n.module
	}
	return n.name
}

// imports makes the edits that import what is needed and not there yet: beside the imports of
// the same group (standard library or not), in alphabetical order where that group keeps it.
func (s *source) imports(needs ...need) ([]edit, error) {
	var edits []edit
	slices.SortFunc(needs, func(a, b need) int { return strings.Compare(a.line(), b.line()) })
	needs = slices.Compact(needs)
	if len(s.topImports()) == 0 {
		return s.firstImports(needs)
	}
	for _, n := range needs {
		if s.imported(n) {
			continue
		}
		if s.binds(s.tree.Root(), n.bound()) {
			return nil, fmt.Errorf("the name %s, which the change has to import, means something else in %s", n.bound(), s.path)
		}
		edits = append(edits, s.importEdit(n))
	}
	// Edits at one place become one, so that their order is that of the lines.
	slices.SortStableFunc(edits, func(a, b edit) int { return a.from - b.from })
	var out []edit
	for _, e := range edits {
		if k := len(out) - 1; k >= 0 && out[k].from == e.from {
			out[k].text += e.text
			continue
		}
		out = append(out, e)
	}
	return out, nil
}

// topImports lists the import statements at the top level, but not those of __future__.
func (s *source) topImports() (out []ts.Node) {
	for _, n := range s.children(s.tree.Root()) {
		if s.is(n, "import_statement", "import_from_statement") {
			out = append(out, n)
		}
	}
	return out
}

// imported reports whether exactly this import is there at the top level, without another name.
func (s *source) imported(n need) bool {
	for _, i := range s.topImports() {
		switch s.kind(i) {
		case "import_statement":
			for _, c := range s.children(i) {
				if n.name == "" && s.is(c, "dotted_name") && s.text(c) == n.module {
					return true
				}
			}
		case "import_from_statement":
			if n.name == "" || s.text(s.child(i, "module_name")) != n.module {
				continue
			}
			for _, c := range s.children(i) {
				if s.tree.Field(c) == "name" && s.is(c, "dotted_name") && s.text(c) == n.name {
					return true
				}
			}
		}
	}
	return false
}

// importModule is the module an import statement names first.
func (s *source) importModule(n ts.Node) string {
	if s.is(n, "import_from_statement") {
		return s.text(s.child(n, "module_name"))
	}
	for _, c := range s.children(n) {
		if s.is(c, "dotted_name") {
			return s.text(c)
		}
		if s.is(c, "aliased_import") {
			return s.text(s.child(c, "name"))
		}
	}
	return ""
}

func (s *source) importEdit(n need) edit {
	nl := s.newline()
	mine := importGroup(n.module)
	var group []ts.Node
	lower, higher := ts.None, ts.None // the last import of an earlier group, the first of a later one
	for _, i := range s.topImports() {
		switch g := importGroup(s.importModule(i)); {
		case g == mine:
			group = append(group, i)
		case g < mine:
			lower = i
		case higher == ts.None:
			higher = i
		}
	}
	before := func(i ts.Node, text string) edit {
		at := s.lineStart(s.tree.Start(i))
		return edit{at, at, text}
	}
	after := func(i ts.Node, text string) edit {
		at := s.tree.Stop(i)
		for at < len(s.src) && s.src[at] != '\n' {
			at++
		}
		if at == len(s.src) {
			return edit{at, at, nl + text}
		}
		return edit{at + 1, at + 1, text}
	}
	for _, i := range group {
		// isort's default puts "import x" before "from x import y" within a group.
		if s.kind(i) == "import_from_statement" && n.name == "" {
			return before(i, n.line()+nl)
		}
		if (s.kind(i) == "import_from_statement") == (n.name != "") && s.importModule(i) > n.module {
			return before(i, n.line()+nl)
		}
	}
	switch {
	case len(group) > 0:
		return after(group[len(group)-1], n.line()+nl)
	case lower != ts.None:
		return after(lower, nl+n.line()+nl)
	case higher != ts.None:
		return before(higher, n.line()+nl+nl)
	}
	return edit{0, 0, n.line() + nl}
}

// firstImports writes the imports of a file that has none.
func (s *source) firstImports(needs []need) ([]edit, error) {
	var groups [3][]string
	for _, n := range needs {
		if s.binds(s.tree.Root(), n.bound()) {
			return nil, fmt.Errorf("the name %s, which the change has to import, means something else in %s", n.bound(), s.path)
		}
		g := importGroup(n.module)
		groups[g] = append(groups[g], n.line())
	}
	nl := s.newline()
	var blocks []string
	for _, g := range groups {
		if len(g) > 0 {
			blocks = append(blocks, strings.Join(g, nl))
		}
	}
	if len(blocks) == 0 {
		return nil, nil
	}
	return []edit{s.firstImport(strings.Join(blocks, nl+nl), nl)}, nil
}

// firstImport places the only imports of a file: after the module's docstring and its __future__, or
// at the top, below a leading comment that does not belong to what follows.
func (s *source) firstImport(line, nl string) edit {
	last := ts.None
	for _, c := range s.children(s.tree.Root()) {
		if !s.is(c, "future_import_statement") && !(s.is(c, "expression_statement") && s.is(s.tree.First(c), "string")) {
			break
		}
		last = c
	}
	if last != ts.None {
		at := s.tree.Stop(last)
		for at < len(s.src) && s.src[at] != '\n' {
			at++
		}
		if at == len(s.src) {
			return edit{at, at, nl + nl + line + nl}
		}
		return edit{at + 1, at + 1, nl + line + nl}
	}
	at := 0
	for lead := range bytes.Lines(s.src) {
		if !bytes.HasPrefix(lead, []byte("#")) {
			break
		}
		at += len(lead)
	}
	if rest := bytes.TrimLeft(s.src[at:], "\r\n"); at > 0 && len(rest) == len(s.src[at:]) && !bytes.HasPrefix(s.src, []byte("#!")) {
		at = 0 // the comment is about what follows
	} else {
		at = len(s.src) - len(rest)
	}
	gap := nl
	if first := s.children(s.tree.Root()); len(first) > 0 && s.is(first[0], "function_definition", "class_definition", "decorated_definition") {
		gap = nl + nl
	}
	return edit{at, at, line + nl + gap}
}

// importGroup is the place of a module's group: the standard library, others, the package's own.
func importGroup(module string) int {
	switch {
	case strings.HasPrefix(module, "."):
		return 2
	case stdlib(module):
		return 0
	}
	return 1
}

// stdlib reports modules of the standard library that services commonly import; it decides on the
// place of an import only.
func stdlib(module string) bool {
	top, _, _ := strings.Cut(module, ".")
	switch top {
	case "__future__", "abc", "argparse", "array", "asyncio", "atexit", "base64", "bisect", "calendar", "collections", "concurrent", "configparser", "contextlib",
		"contextvars", "copy", "csv", "ctypes", "dataclasses", "datetime", "decimal", "email", "enum", "errno", "fractions", "functools", "gc", "getpass", "glob", "gzip",
		"hashlib", "heapq", "hmac", "html", "http", "importlib", "inspect", "io", "ipaddress", "itertools", "json", "linecache", "locale", "logging", "math", "mimetypes",
		"multiprocessing", "numbers", "operator", "os", "pathlib", "pickle", "pkgutil", "platform", "pprint", "queue", "random", "re", "sched", "secrets", "select",
		"selectors", "shlex", "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "statistics", "string", "struct", "subprocess", "sys", "tempfile",
		"textwrap", "threading", "time", "timeit", "tomllib", "traceback", "types", "typing", "unicodedata", "unittest", "urllib", "uuid", "warnings", "weakref", "wsgiref",
		"xml", "zipfile", "zlib", "zoneinfo":
		return true
	}
	return false
}
