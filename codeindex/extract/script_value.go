package extract

import (
	"fmt"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
	"github.com/remediator/remediator/codeindex/treesitter"
)

func (s *jsFile) value(n treesitter.Node) value {
	v := value{line: s.line(n)}
	switch kind := s.t.Kind(n); kind {
	case "string":
		v.kind, v.text = textual, clean(unquoteScript(s.t.Text(n)))
		s.text(v.text, v.line, s.fn)
	case "template_string":
		v.kind, v.text = textual, s.template(n)
		s.text(v.text, v.line, s.fn)
	case "binary_expression":
		left, right := s.value(s.t.Child(n, "left")), s.value(s.t.Child(n, "right"))
		if s.t.Text(s.t.Child(n, "operator")) == "+" && (left.kind == textual || right.kind == textual) {
			v.kind, v.text = textual, concat(left.orHole(), right.orHole())
			s.text(v.text, v.line, s.fn)
		}
	case "identifier", "member_expression", "this":
		if name := s.dotted(n); name != "" {
			v.kind, v.text = named, name
		} else {
			s.children(n)
		}
	case "parenthesized_expression", "await_expression", "as_expression", "satisfies_expression", "non_null_expression":
		if c := s.t.First(n); c != treesitter.None {
			return s.value(c)
		}
	case "array":
		v.kind = list
		for c := range s.t.Children(n) {
			v.elems = append(v.elems, s.value(c))
		}
	case "object":
		v.kind = object
		s.object(n, &v)
	case "arrow_function", "function_expression", "function", "generator_function":
		v.kind, v.to = lambda, s.lastLine(n)
		s.body(n)
	case "call_expression", "new_expression":
		return s.call(n)
	case "class":
		s.visit(n)
	default:
		s.children(n)
	}
	return v
}

func (s *jsFile) object(n treesitter.Node, v *value) {
	for c := range s.t.Children(n) {
		switch s.t.Kind(c) {
		case "pair":
			key, right := unquoteKey(s.t.Text(s.t.Child(c, "key"))), s.t.Child(c, "value")
			if isFunction(s.t.Kind(right)) && s.fn == facts.None && s.class == facts.None {
				from, to := s.line(c), s.lastLine(right)
				s.function(key, right, c)
				v.elems = append(v.elems, value{kind: lambda, key: key, line: from, to: to})
				continue
			}
			e := s.value(right)
			e.key = key
			v.elems = append(v.elems, e)
		case "shorthand_property_identifier":
			v.elems = append(v.elems, value{kind: named, text: s.t.Text(c), key: s.t.Text(c), line: s.line(c)})
		case "method_definition":
			name := s.t.Text(s.t.Child(c, "name"))
			v.elems = append(v.elems, value{kind: lambda, key: name, line: s.line(c), to: s.lastLine(c)})
			if s.fn == facts.None {
				s.function(name, c, c)
			} else {
				s.body(c)
			}
		default:
			s.visit(c)
		}
	}
}

func unquoteKey(key string) string { return strings.Trim(key, `"'`) }

func (s *jsFile) template(n treesitter.Node) string {
	var b strings.Builder
	for c := range s.t.Children(n) {
		switch s.t.Kind(c) {
		case "string_fragment", "escape_sequence":
			b.WriteString(clean(s.t.Text(c)))
		case "template_substitution":
			b.WriteString(s.value(s.t.First(c)).orHole())
		}
	}
	return b.String()
}

func (s *jsFile) call(n treesitter.Node) value {
	made := &call{line: s.line(n), fn: s.fn, to: s.lastLine(n)}
	s.record(made)
	v := value{kind: called, line: made.line, call: made}
	f := s.t.Child(n, "function")
	if f == treesitter.None {
		f = s.t.Child(n, "constructor")
	}
	if made.callee = s.dotted(f); made.callee == "" && s.t.Kind(f) == "member_expression" {
		property := s.t.Child(f, "property")
		made.line = s.line(property)
		switch on := s.value(s.t.Child(f, "object")); on.kind {
		case called:
			made.on, made.callee = on.call, on.call.chained()+s.t.Text(property)
		default:
			made.callee = "." + s.t.Text(property)
		}
	} else if made.callee == "" {
		s.visit(f)
	}
	s.arguments(n, made)
	v.text = made.callee
	if t, ok := formatted(made); ok {
		v.kind, v.text = textual, t
		s.text(t, v.line, s.fn)
	}
	return v
}

func (s *jsFile) arguments(n treesitter.Node, made *call) {
	args := s.t.Child(n, "arguments")
	if s.t.Kind(args) == "template_string" { // sql`select ...`
		made.args = append(made.args, s.value(args))
		return
	}
	for a := range s.t.Children(args) {
		if s.t.Kind(a) == "comment" {
			continue
		}
		if isFunction(s.t.Kind(a)) {
			made.args = append(made.args, s.argument(a, made))
			continue
		}
		made.args = append(made.args, s.value(a))
	}
}

// argument reads a function that is passed to a call. At file level such a function is where the
// work is done (a route's handler, a test), so it becomes a symbol named after the call.
func (s *jsFile) argument(a treesitter.Node, made *call) value {
	v := value{kind: lambda, line: s.line(a), to: s.lastLine(a)}
	first, named := made.literal(0)
	name := last(made.callee)
	if i := strings.IndexByte(made.callee, '.'); i > 0 && (made.callee[:i] == "it" || made.callee[:i] == "test" || made.callee[:i] == "describe") {
		name = made.callee[:i]
	}
	if s.file.Test && named && (name == "describe" || name == "suite" || name == "context") {
		s.suite = append(s.suite, first)
		s.body(a)
		s.suite = s.suite[:len(s.suite)-1]
		return v
	}
	if s.file.Test && named && (name == "it" || name == "test") {
		symbol := s.symbol(facts.Symbol{
			Name: strings.Join(append(append([]string(nil), s.suite...), first), " "),
			Kind: facts.Closure, From: made.line, To: v.to, Test: "jest",
		})
		s.within(symbol, a)
		return v
	}
	if s.fn != facts.None || s.class != facts.None || !named || static(first) == "" {
		s.body(a)
		return v
	}
	symbol := s.symbol(facts.Symbol{Name: fmt.Sprintf("%s(%q)", made.callee, first), Kind: facts.Closure, From: v.line, To: v.to})
	s.within(symbol, a)
	return v
}
