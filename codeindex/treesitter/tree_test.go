//go:build cgo

package treesitter

import (
	"errors"
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
