//go:build cgo

package treesitter

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	sitter "github.com/smacker/go-tree-sitter"
	"pgregory.net/rapid"
)

// Parse reads the C node at the beginning of a sitter.Node. Should an update of the library put
// something else there, sizes change and this fails before anything is misread.
func TestNodeLayout(t *testing.T) {
	if got, want := unsafe.Sizeof(sitter.Node{}), uintptr(32+8); got != want {
		t.Fatalf("sitter.Node has %d bytes, want %d: a C node and a pointer; check Parse against the library's new layout", got, want)
	}
	if got, want := unsafe.Sizeof(flat{}), uintptr(24); got != want {
		t.Fatalf("flat has %d bytes in Go, %d in flatten.h", got, want)
	}
}

func parse(t *testing.T, g Grammar, src string) *Tree {
	t.Helper()
	var p Parser
	tree, err := p.Parse(g, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestFlatTreeHasKindsFieldsAndLines(t *testing.T) {
	tree := parse(t, Python, "x = 1\ndef f(a):\n    return g(a)\n")
	root := tree.Root()
	if tree.Kind(root) != "module" {
		t.Fatalf("root is %q", tree.Kind(root))
	}
	f := tree.ChildOf(root, "function_definition")
	if f == None {
		t.Fatal("no function")
	}
	if got := tree.Text(tree.Child(f, "name")); got != "f" {
		t.Errorf("name %q, want f", got)
	}
	if tree.Line(f) != 2 || tree.LastLine(f) != 3 {
		t.Errorf("lines %d-%d, want 2-3", tree.Line(f), tree.LastLine(f))
	}
	if got := tree.Field(tree.Child(f, "body")); got != "body" {
		t.Errorf("field %q", got)
	}
	if tree.Child(f, "superclasses") != None {
		t.Error("a function has no superclasses")
	}
}

func TestOperatorsAreKeptForTheirField(t *testing.T) {
	tree := parse(t, JavaScript, "a = b + c")
	for n := Node(0); int(n) < tree.Len(); n++ {
		if tree.Kind(n) == "binary_expression" {
			if got := tree.Text(tree.Child(n, "operator")); got != "+" {
				t.Fatalf("operator %q", got)
			}
			return
		}
	}
	t.Fatal("no binary expression")
}

// Children of every node lie within it, in order, and next to each other.
func checkShape(t interface{ Fatalf(string, ...any) }, tree *Tree) {
	for n := Node(0); int(n) < tree.Len(); n++ {
		end := tree.End(n)
		if end <= n || int(end) > tree.Len() {
			t.Fatalf("node %d ends at %d of %d", n, end, tree.Len())
		}
		if tree.Start(n) > tree.Stop(n) {
			t.Fatalf("node %d runs backwards", n)
		}
		at := n + 1
		for c := range tree.Children(n) {
			if c != at || tree.End(c) > end || tree.Start(c) < tree.Start(n) || tree.Stop(c) > tree.Stop(n) {
				t.Fatalf("child %d of %d is out of place", c, n)
			}
			at = tree.End(c)
		}
		if at != end {
			t.Fatalf("children of %d end at %d, it at %d", n, at, end)
		}
	}
}

func TestTreesOfAnythingAreWellShaped(t *testing.T) {
	var p Parser
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{"def f(", "class A:", "\n", "  ", "(", ")", "{", "}", "x", "\"s\"", "`a${b}`", "=", "=>", ";", "@a", "\x00", "é", "if", "return"})).Draw(t, "parts")
		g := Grammar(rapid.IntRange(0, int(grammars)-1).Draw(t, "grammar"))
		tree, err := p.Parse(g, []byte(strings.Join(parts, " ")))
		if err != nil {
			t.Fatal(err)
		}
		checkShape(t, tree)
	})
}

func TestDeepNestingIsCutOff(t *testing.T) {
	for _, g := range []Grammar{JavaScript, Python, Java} {
		tree := parse(t, g, "x = "+strings.Repeat("(", 20000)+"1"+strings.Repeat(")", 20000)+"\n")
		checkShape(t, tree)
		if tree.Len() > 3*maxDepth {
			t.Errorf("grammar %d: %d nodes were kept of a tree 20000 deep", g, tree.Len())
		}
	}
}

func TestFirstErrorHasLineAndColumn(t *testing.T) {
	for _, c := range []struct {
		g            Grammar
		src          string
		line, column int
	}{
		{Python, "x = 1\ny = )\n", 2, 5},
		{JavaScript, "let a = 1;\nlet b = {;\n", 2, 9},
		{Java, "class A {\n  void f() { int x = ; }\n}\n", 2, 22},
		{TypeScript, "const a: number = 1;\nfunction (\n", 2, 1},
	} {
		e := parse(t, c.g, c.src).FirstError()
		if e == nil {
			t.Errorf("%q: no error", c.src)
			continue
		}
		if e.Line != c.line || abs(e.Column-c.column) > 10 {
			t.Errorf("%q: got %v, want line %d near column %d", c.src, e, c.line, c.column)
		}
	}
	if e := parse(t, Java, "class A {}\n").FirstError(); e != nil {
		t.Errorf("well-formed source: %v", e)
	}
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

func TestParsingStopsAtItsTimeLimit(t *testing.T) {
	p := Parser{Limit: time.Microsecond}
	_, err := p.Parse(JavaScript, []byte(strings.Repeat("f(a, b, c);\n", 50000)))
	if !errors.Is(err, ErrTimeout) {
		t.Fatalf("got %v, want ErrTimeout", err)
	}
	// The parser is as good as new afterwards.
	p.Limit = 0
	tree, err := p.Parse(JavaScript, []byte("f(a)"))
	if err != nil || tree.Kind(tree.Root()) != "program" || tree.FirstError() != nil {
		t.Fatalf("after a time-out: %v, %v", tree, err)
	}
}

func TestEmptySourceIsAnEmptyTree(t *testing.T) {
	tree := parse(t, Java, "")
	if tree.Root() != None || tree.FirstError() != nil || tree.First(None) != None || tree.Text(None) != "" {
		t.Fatal("an empty file has no nodes")
	}
}

func TestUnknownGrammarIsAnError(t *testing.T) {
	var p Parser
	if _, err := p.Parse(grammars, []byte("x")); err == nil {
		t.Fatal("no error for a grammar that does not exist")
	}
}

// Closing kinds leaves out what is below them and nothing else: every other node is there with the same
// kind, field, text and lines.
func TestClosedKindsLoseOnlyTheirInside(t *testing.T) {
	closed := map[Grammar][]string{
		JavaScript: {"string", "arguments"}, TypeScript: {"type_annotation", "type_arguments"}, Python: {"string", "type"},
		Java: {"formal_parameters", "string_literal"},
	}
	pieces := map[Grammar][]string{
		JavaScript: {"f('a', \"b\")", "x = g(h(1), `t${f('c')}`)", "class A { m() { return 'x' } }", ";", "\n", "f("},
		TypeScript: {"let a: Map<string, number[]> = f<T>(b)", "function g(x: { y: string }): void {}", "\n", "const z:"},
		Python:     {"f('a', b'c')", "def g(x: Optional['A'] = None) -> int:\n    return f'{x}'", "\n", "y = ("},
		Java:       {"class A { void f(@P(\"x\") int a) { g(\"y\", () -> 1); } }", "\n", "class B { void g( }"},
	}
	for g, kinds := range closed {
		var whole Parser
		outline := Parser{Closed: closed}
		rapid.Check(t, func(t *rapid.T) {
			src := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces[g]), 1, 8).Draw(t, "pieces"), "\n"))
			full, err := whole.Parse(g, src)
			if err != nil {
				t.Fatal(err)
			}
			less, err := outline.Parse(g, src)
			if err != nil {
				t.Fatal(err)
			}
			checkShape(t, less)
			if full.Broken() != less.Broken() || (full.FirstError() == nil) != (less.FirstError() == nil) {
				t.Fatalf("%q: an error is lost", src)
			}
			if e := full.FirstError(); e != nil && *e != *less.FirstError() {
				t.Fatalf("%q: %v became %v", src, e, less.FirstError())
			}
			var walk func(a, b Node)
			walk = func(a, b Node) {
				if full.Kind(a) != less.Kind(b) || full.Field(a) != less.Field(b) || full.Text(a) != less.Text(b) || full.Line(a) != less.Line(b) || full.LastLine(a) != less.LastLine(b) {
					t.Fatalf("%q: %s %q became %s %q", src, full.Kind(a), full.Text(a), less.Kind(b), less.Text(b))
				}
				if less.First(b) == None && slices.Contains(kinds, full.Kind(a)) {
					return
				}
				ca, cb := full.First(a), less.First(b)
				for ca != None && cb != None {
					walk(ca, cb)
					ca, cb = full.Next(a, ca), less.Next(b, cb)
				}
				if ca != None || cb != None {
					t.Fatalf("%q: %s %q has other children", src, full.Kind(a), full.Text(a))
				}
			}
			if full.Root() != None {
				walk(full.Root(), less.Root())
			}
		})
	}
}

func TestErrorsWithinClosedKindsAreFound(t *testing.T) {
	p := Parser{Closed: map[Grammar][]string{Java: {"formal_parameters"}, JavaScript: {"arguments"}}}
	for g, src := range map[Grammar]string{Java: "class A { void f(int ; a) {} }", JavaScript: "f(a, , ;)"} {
		tree, err := p.Parse(g, []byte(src))
		if err != nil || tree.FirstError() == nil {
			t.Errorf("%q: %v, %v", src, tree.FirstError(), err)
		}
	}
}

// One parser reads many files one after the other; a tree of one does not show in the next.
func TestAParserIsUsedAgain(t *testing.T) {
	var p Parser
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 300).Draw(t, "n")
		g := rapid.SampledFrom([]Grammar{Python, JavaScript, Java}).Draw(t, "grammar")
		src := strings.Repeat(map[Grammar]string{Python: "f(a)\n", JavaScript: "f(a);\n", Java: "class A {}\n"}[g], n)
		tree, err := p.Parse(g, []byte(src))
		if err != nil || tree.Broken() {
			t.Fatalf("%v, %v", err, tree.FirstError())
		}
		children := 0
		if tree.Root() != None {
			for range tree.Children(tree.Root()) {
				children++
			}
		}
		if children != n {
			t.Fatalf("%d statements, want %d", children, n)
		}
	})
}

func TestPositionsOutsideOfTheTreeAreNothing(t *testing.T) {
	tree := parse(t, Python, "x = 1\n")
	if tree.Kind(None) != "" || tree.Field(None) != "" || tree.Line(None) != 0 || tree.LastLine(None) != 0 || tree.Text(None) != "" ||
		tree.End(None) != 0 || tree.Next(None, 0) != None || tree.Next(0, None) != None || tree.Child(None, "x") != None || tree.ChildOf(None, "x") != None {
		t.Error("no node has something")
	}
	for _, r := range [][2]int{{-1, 2}, {0, 100}, {3, 2}} {
		if got := tree.Source(r[0], r[1]); got != "" {
			t.Errorf("Source(%d, %d) = %q", r[0], r[1], got)
		}
	}
	if got := tree.Source(0, 5); got != "x = 1" {
		t.Errorf("got %q", got)
	}
}
