package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
	"github.com/remediator/remediator/codeindex/treesitter"
)

func (s *jsFile) classDef(name string, n, whole treesitter.Node, decorators []treesitter.Node) {
	sym := facts.Symbol{Name: s.qualified(name), Kind: facts.Class, Exported: s.exported, From: s.line(whole), To: s.lastLine(n)}
	if h := s.t.ChildOf(n, "class_heritage"); h != treesitter.None {
		for m := h + 1; m < s.t.End(h); m++ {
			if k := s.t.Kind(m); k == "identifier" || k == "type_identifier" || k == "member_expression" {
				sym.Bases = append(sym.Bases, s.t.Text(m))
				m = s.t.End(m) - 1 // of a.B, a is no base
			}
		}
	}
	symbol := s.symbol(sym)
	for c := range s.t.Children(n) {
		if s.t.Kind(c) == "decorator" {
			decorators = append(decorators, c)
		}
	}
	s.decorate(decorators, symbol, facts.None)
	outerFn, outerClass, outerQualifier := s.fn, s.class, s.qualifier
	s.class, s.qualifier, s.fn = symbol, sym.Name, facts.None
	exported := s.exported
	decorators = nil
	for c := range s.t.Children(s.t.Child(n, "body")) {
		switch s.t.Kind(c) {
		case "decorator":
			decorators = append(decorators, c)
			continue
		case "method_definition":
			for d := range s.t.Children(c) {
				if s.t.Kind(d) == "decorator" {
					decorators = append(decorators, d)
				}
			}
			s.method(c, decorators, exported)
		case "public_field_definition", "field_definition":
			s.field(c, exported)
		default:
			s.visit(c)
		}
		decorators = nil
	}
	s.fn, s.class, s.qualifier = outerFn, outerClass, outerQualifier
}

func (s *jsFile) method(n treesitter.Node, decorators []treesitter.Node, exported bool) {
	name := s.t.Text(s.t.Child(n, "name"))
	access := s.t.Text(s.t.ChildOf(n, "accessibility_modifier"))
	from := n
	if len(decorators) > 0 {
		from = decorators[0]
	}
	symbol := s.symbol(facts.Symbol{
		Name: s.qualified(name), Kind: facts.Method,
		Exported: exported && access != "private" && access != "protected" && !strings.HasPrefix(name, "#"),
		From:     s.line(from), To: s.lastLine(n),
	})
	s.decorate(decorators, symbol, s.class)
	s.within(symbol, n)
}

func (s *jsFile) field(n treesitter.Node, exported bool) {
	nameNode := s.t.Child(n, "name")
	if nameNode == treesitter.None {
		nameNode = s.t.Child(n, "property")
	}
	name := s.t.Text(nameNode)
	v := s.t.Child(n, "value")
	if isFunction(s.t.Kind(v)) {
		symbol := s.symbol(facts.Symbol{Name: s.qualified(name), Kind: facts.Method, Exported: exported, From: s.line(n), To: s.lastLine(v)})
		s.within(symbol, v)
		return
	}
	if v != treesitter.None {
		s.assign(s.qualified(name), s.value(v), facts.None, true)
	}
}

func (s *jsFile) decorate(decorators []treesitter.Node, symbol, class int32) {
	for _, d := range decorators {
		m := mark{line: s.line(d), symbol: symbol, class: class}
		switch v := s.value(s.t.First(d)); v.kind {
		case named:
			m.name = v.text
		case called:
			m.name, m.args, m.call = v.call.callee, v.call.args, v.call
			v.call.fn = symbol
		default:
			continue
		}
		s.marks = append(s.marks, m)
	}
}
