package pyrecipe

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
	"github.com/remediator/remediator/patch"
)

// maxSource bounds a file that is rewritten; larger ones are generated.
const maxSource = 1 << 20

// source is one Python file with its syntax tree.
type source struct {
	path   string
	src    []byte
	mode   uint32
	tree   *ts.Tree
	parent []ts.Node
	owner  []ts.Node // the function, lambda or class a node lies in
}

// open reads and parses a file of the base. A file with syntax errors is not rewritten.
func open(base fs.FS, path string) (*source, error) {
	src, mode, err := patch.ReadBase(base, path)
	if err != nil {
		return nil, err
	}
	return parse(path, src, mode)
}

func parse(path string, src []byte, mode uint32) (*source, error) {
	if len(src) > maxSource {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxSource)
	}
	var p ts.Parser
	tree, err := p.Parse(ts.Python, src)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", path, err)
	}
	if e := tree.FirstError(); e != nil {
		return nil, fmt.Errorf("%s does not parse: %w", path, e)
	}
	s := &source{path: path, src: src, mode: mode, tree: tree, parent: make([]ts.Node, tree.Len()), owner: make([]ts.Node, tree.Len())}
	if tree.Len() > 0 {
		s.parent[0], s.owner[0] = ts.None, ts.None
	}
	for n := range ts.Node(tree.Len()) {
		owner := s.owner[n]
		if s.is(n, "function_definition", "lambda", "class_definition") {
			owner = n
		}
		for c := range tree.Children(n) {
			s.parent[c], s.owner[c] = n, owner
		}
	}
	return s, nil
}

func (s *source) kind(n ts.Node) string              { return s.tree.Kind(n) }
func (s *source) text(n ts.Node) string              { return s.tree.Text(n) }
func (s *source) child(n ts.Node, f string) ts.Node  { return s.tree.Child(n, f) }
func (s *source) ofKind(n ts.Node, k string) ts.Node { return s.tree.ChildOf(n, k) }
func (s *source) line(n ts.Node) int                 { return s.tree.Line(n) }
func (s *source) is(n ts.Node, kinds ...string) bool {
	return n != ts.None && slices.Contains(kinds, s.kind(n))
}
func (s *source) inside(n, outer ts.Node) bool {
	return outer != ts.None && n >= outer && n < s.tree.End(outer)
}
func (s *source) children(n ts.Node) (out []ts.Node) {
	for c := range s.tree.Children(n) {
		if s.kind(c) != "comment" {
			out = append(out, c)
		}
	}
	return out
}

func (s *source) up(n ts.Node) ts.Node {
	if n == ts.None {
		return ts.None
	}
	return s.parent[n]
}

// enclosing is the innermost node of one of the kinds around n, n itself excluded.
func (s *source) enclosing(n ts.Node, kinds ...string) ts.Node {
	for n = s.up(n); n != ts.None; n = s.up(n) {
		if s.is(n, kinds...) {
			return n
		}
	}
	return ts.None
}

// all lists the nodes of one of the kinds within n, in order of the text.
func (s *source) all(n ts.Node, kinds ...string) (out []ts.Node) {
	if n == ts.None {
		return nil
	}
	for c := n; c < s.tree.End(n); c++ {
		if s.is(c, kinds...) {
			out = append(out, c)
		}
	}
	return out
}

// own lists the nodes of the kinds within a function but not in functions or lambdas nested in it.
func (s *source) own(function ts.Node, kinds ...string) (out []ts.Node) {
	for _, n := range s.all(function, kinds...) {
		if n != function && s.owner[n] == function {
			out = append(out, n)
		}
	}
	return out
}

// maxFunction bounds the syntax nodes of a function that is rewritten, about 800 lines: what to do with a larger
// one is not evident to a reader either, and looking at every name in the light of every other takes time.
const maxFunction = 8000

// functionAt is the innermost function whose lines hold line, None if it is too large.
func (s *source) functionAt(line int) ts.Node {
	found := ts.None
	for _, n := range s.all(s.tree.Root(), "function_definition") {
		if s.line(n) <= line && line <= s.tree.LastLine(n) {
			found = n
		}
	}
	if found != ts.None && int(s.tree.End(found)-found) > maxFunction {
		return ts.None
	}
	return found
}

// statement is the statement n belongs to: the child of a block or of the module.
func (s *source) statement(n ts.Node) ts.Node {
	for n != ts.None && !s.is(s.up(n), "block", "module") {
		n = s.up(n)
	}
	return n
}

// name is the identifier that names a function or class.
func (s *source) name(definition ts.Node) string { return s.text(s.child(definition, "name")) }

// qualified is Class.method for a method, else the function's name.
func (s *source) qualified(function ts.Node) string {
	if c := s.class(function); c != ts.None {
		return s.name(c) + "." + s.name(function)
	}
	return s.name(function)
}

// class is the class whose method a function is.
func (s *source) class(function ts.Node) ts.Node {
	if c := s.enclosing(function, "function_definition", "class_definition"); s.is(c, "class_definition") {
		return c
	}
	return ts.None
}

// lineStart is the offset of the line that holds offset at.
func (s *source) lineStart(at int) int {
	return strings.LastIndexByte(string(s.src[:at]), '\n') + 1
}

// indent is the white space before the statement n, which has to begin its line.
func (s *source) indent(n ts.Node) (string, error) {
	at := s.tree.Start(n)
	w := string(s.src[s.lineStart(at):at])
	if strings.Trim(w, " \t") != "" {
		return "", errors.New("the statement does not begin its line")
	}
	return w, nil
}

// unit is one step of indentation, as the file's first block shows it.
func (s *source) unit() string {
	for _, b := range s.all(s.tree.Root(), "block") {
		outer := s.statement(b)
		in, err1 := s.indent(b)
		out, err2 := s.indent(outer)
		if err1 == nil && err2 == nil && len(in) > len(out) && strings.HasPrefix(in, out) {
			return in[len(out):]
		}
	}
	return "    "
}

// newline is the line end the file uses.
func (s *source) newline() string {
	if i := strings.IndexByte(string(s.src), '\n'); i > 0 && s.src[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// binds reports whether anything in scope assigns, imports or defines name.
func (s *source) binds(scope ts.Node, name string) bool {
	for _, n := range s.all(scope, "identifier") {
		if s.text(n) != name {
			continue
		}
		p := s.up(n)
		switch s.kind(p) {
		case "assignment", "augmented_assignment", "for_statement", "for_in_clause":
			if s.tree.Field(n) == "left" {
				return true
			}
		case "function_definition", "class_definition", "default_parameter", "typed_default_parameter", "named_expression":
			if s.tree.Field(n) == "name" {
				return true
			}
		case "parameters", "typed_parameter", "as_pattern_target", "pattern_list", "tuple_pattern", "global_statement", "lambda_parameters", "list_splat_pattern", "dictionary_splat_pattern":
			return true
		case "dotted_name":
			if s.is(s.enclosing(n, "import_statement", "import_from_statement"), "import_statement", "import_from_statement") {
				return true
			}
		case "aliased_import":
			return true
		}
	}
	return false
}
