package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
	"github.com/remediator/remediator/codeindex/treesitter"
)

// script reads JavaScript and TypeScript.
func script(name, language string, t *treesitter.Tree) *facts.File {
	c := newCollector(language)
	c.file.Test = strings.Contains(name, ".test.") || strings.Contains(name, ".spec.") || strings.Contains(name, "__tests__/")
	s := &jsFile{collector: c, t: t, fn: facts.None, class: facts.None}
	c.file.Broken = t.Broken()
	s.children(t.Root())
	return c.finish()
}

type jsFile struct {
	*collector
	t         *treesitter.Tree
	fn, class int32
	qualifier string
	exported  bool
	suite     []string // names of the enclosing describe blocks
}

func (s *jsFile) children(n treesitter.Node) {
	for c := s.t.First(n); c != treesitter.None; c = s.t.Next(n, c) {
		s.visit(c)
	}
}

func (s *jsFile) visit(n treesitter.Node) {
	switch s.t.Kind(n) {
	case "export_statement":
		s.export(n)
	case "function_declaration", "generator_function_declaration":
		s.function(s.t.Text(s.t.Child(n, "name")), n, n)
	case "class_declaration", "class", "abstract_class_declaration":
		s.classDef(s.t.Text(s.t.Child(n, "name")), n, n, nil)
	case "interface_declaration", "type_alias_declaration", "enum_declaration":
		kind := facts.Type
		if s.t.Kind(n) == "interface_declaration" {
			kind = facts.Interface
		}
		s.symbol(facts.Symbol{Name: s.t.Text(s.t.Child(n, "name")), Kind: kind, Exported: s.exported, From: s.line(n), To: s.lastLine(n)})
		s.children(s.t.Child(n, "body"))
	case "import_statement":
		s.imports(n)
	case "lexical_declaration", "variable_declaration":
		for c := range s.t.Children(n) {
			if s.t.Kind(c) == "variable_declarator" {
				s.declarator(c, n)
			}
		}
	case "assignment_expression":
		s.assignment(n)
	case "pair":
		s.pair(n)
	case "call_expression", "new_expression", "string", "template_string", "binary_expression":
		s.value(n)
	case "arrow_function", "function_expression", "function", "generator_function":
		s.body(n)
	case "comment":
	default:
		s.children(n)
	}
}

func (s *jsFile) line(n treesitter.Node) int32 { return int32(s.t.Line(n)) }

func (s *jsFile) lastLine(n treesitter.Node) int32 { return int32(s.t.LastLine(n)) }

func (s *jsFile) export(n treesitter.Node) {
	outer := s.exported
	s.exported = s.fn == facts.None
	var decorators []treesitter.Node
	for c := range s.t.Children(n) {
		switch s.t.Kind(c) {
		case "decorator":
			decorators = append(decorators, c)
		case "class_declaration", "abstract_class_declaration", "class":
			s.classDef(s.t.Text(s.t.Child(c, "name")), c, n, decorators)
		case "arrow_function", "function_expression", "function": // export default () => ...
			s.function("default", c, n)
		default:
			s.visit(c)
		}
	}
	s.exported = outer
}

func (s *jsFile) qualified(name string) string {
	if s.qualifier == "" {
		return name
	}
	return s.qualifier + "." + name
}

// function reads a function that has a name. Functions within functions belong to the outer one,
// unless that is one.
func (s *jsFile) function(name string, n, whole treesitter.Node) {
	symbol := s.symbol(facts.Symbol{
		Name: s.qualified(name), Kind: facts.Function, Exported: s.exported && s.fn == facts.None,
		From: s.line(whole), To: s.lastLine(n),
	})
	s.within(symbol, n)
}

// within reads the body of a function as that symbol.
func (s *jsFile) within(symbol int32, n treesitter.Node) {
	outerFn, outerQualifier, outerExported, outerClass := s.fn, s.qualifier, s.exported, s.class
	s.fn, s.qualifier, s.exported, s.class = symbol, s.name(symbol), false, facts.None
	s.body(n)
	s.fn, s.qualifier, s.exported, s.class = outerFn, outerQualifier, outerExported, outerClass
}

func (s *jsFile) body(n treesitter.Node) {
	if p := s.t.Child(n, "parameters"); p != treesitter.None {
		s.children(p)
	}
	b := s.t.Child(n, "body")
	if s.t.Kind(b) == "statement_block" {
		s.children(b)
	} else if b != treesitter.None {
		s.value(b)
	}
}

func isFunction(kind string) bool {
	switch kind {
	case "arrow_function", "function_expression", "function", "generator_function":
		return true
	}
	return false
}
