package extract

import (
	"fmt"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
	"github.com/remediator/remediator/codeindex/treesitter"
)

// script reads JavaScript and TypeScript.
func script(name, language string, t *treesitter.Tree) *facts.File {
	c := newCollector(language)
	c.file.Test = strings.Contains(name, ".test.") || strings.Contains(name, ".spec.") || strings.Contains(name, "__tests__/")
	s := &jsFile{collector: c, t: t, fn: facts.None, class: facts.None}
	c.file.Broken = t.FirstError() != nil
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

func (s *jsFile) line(n treesitter.Node) int32     { return int32(s.t.Line(n)) }
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

func (s *jsFile) classDef(name string, n, whole treesitter.Node, decorators []treesitter.Node) {
	sym := facts.Symbol{Name: s.qualified(name), Kind: facts.Class, Exported: s.exported, From: s.line(whole), To: s.lastLine(n)}
	if h := s.t.ChildOf(n, "class_heritage"); h != treesitter.None {
		for m := h + 1; m < s.t.End(h); m++ {
			if k := s.t.Kind(m); k == "identifier" || k == "type_identifier" || k == "member_expression" {
				sym.Bases = append(sym.Bases, s.t.Text(m))
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

func isFunction(kind string) bool {
	switch kind {
	case "arrow_function", "function_expression", "function", "generator_function":
		return true
	}
	return false
}

func (s *jsFile) decorate(decorators []treesitter.Node, symbol, class int32) {
	for _, d := range decorators {
		m := mark{line: s.line(d), symbol: symbol, class: class}
		switch v := s.value(s.t.First(d)); v.kind {
		case named:
			m.name = v.text
		case called:
			m.name, m.args = v.call.callee, v.call.args
		default:
			continue
		}
		s.marks = append(s.marks, m)
	}
}

func (s *jsFile) imports(n treesitter.Node) {
	source := unquoteScript(s.t.Text(s.t.Child(n, "source")))
	for m := n + 1; m < s.t.End(n); m++ {
		switch s.t.Kind(m) {
		case "import_specifier":
			name, alias := s.t.Text(s.t.Child(m, "name")), s.t.Text(s.t.Child(m, "alias"))
			if alias == "" {
				alias = name
			}
			s.file.Imports = append(s.file.Imports, facts.Import{Name: alias, Path: source, Item: name})
		case "namespace_import":
			s.file.Imports = append(s.file.Imports, facts.Import{Name: s.t.Text(s.t.First(m)), Path: source})
		case "import_clause":
			if f := s.t.First(m); s.t.Kind(f) == "identifier" {
				s.file.Imports = append(s.file.Imports, facts.Import{Name: s.t.Text(f), Path: source, Item: "default"})
			}
		}
	}
}

func unquoteScript(s string) string {
	if len(s) >= 2 {
		return s[1 : len(s)-1]
	}
	return s
}

func (s *jsFile) declarator(n, whole treesitter.Node) {
	name, right := s.t.Child(n, "name"), s.t.Child(n, "value")
	if right == treesitter.None {
		return
	}
	if s.t.Kind(name) == "identifier" && isFunction(s.t.Kind(right)) {
		s.function(s.t.Text(name), right, whole)
		return
	}
	if s.t.Kind(right) == "class" {
		s.classDef(s.t.Text(name), right, whole, nil)
		return
	}
	v := s.value(right)
	if v.kind == called && v.call.callee == "require" {
		path, _ := v.call.literal(0)
		if s.t.Kind(name) == "identifier" {
			s.file.Imports = append(s.file.Imports, facts.Import{Name: s.t.Text(name), Path: path})
		} else {
			for m := name + 1; m < s.t.End(name); m++ {
				if s.t.Kind(m) == "shorthand_property_identifier_pattern" {
					s.file.Imports = append(s.file.Imports, facts.Import{Name: s.t.Text(m), Path: path, Item: s.t.Text(m)})
				}
			}
		}
	}
	if s.t.Kind(name) != "identifier" {
		return
	}
	target := s.t.Text(name)
	if s.fn == facts.None && s.class == facts.None {
		kind := facts.Variable
		if s.t.Text(s.t.Child(whole, "kind")) == "const" {
			kind = facts.Constant
		}
		s.symbol(facts.Symbol{Name: target, Kind: kind, Exported: s.exported, From: s.line(n), To: s.lastLine(n)})
	}
	if v.kind == object && s.fn == facts.None { // const ROUTES = {charge: "/charge"}
		for _, e := range v.elems {
			if e.kind == textual {
				s.assign(target+"."+e.key, e, facts.None, true)
			}
		}
	}
	s.assign(target, v, s.fn, s.fn == facts.None)
}

func (s *jsFile) assignment(n treesitter.Node) {
	left, right := s.t.Child(n, "left"), s.t.Child(n, "right")
	name := s.dotted(left)
	if name != "" && isFunction(s.t.Kind(right)) && s.fn == facts.None {
		// exports.charge = async () => ..., Service.prototype.charge = function ...
		short := strings.NewReplacer("module.exports.", "", "exports.", "", ".prototype", "").Replace(name)
		if short == "module.exports" {
			short = "default"
		}
		outer := s.exported
		s.exported = s.exported || strings.Contains(name, "exports")
		s.function(short, right, n)
		s.exported = outer
		return
	}
	v := s.value(right)
	if rest, ok := strings.CutPrefix(name, "this."); ok && v.kind == textual {
		if class := front(s.name(s.fn)); class != "" {
			s.assign(class+"."+rest, v, facts.None, false)
			return
		}
	}
	s.assign(name, v, s.fn, s.fn == facts.None)
	if name == "" {
		s.visit(left)
	}
}

// pair reads a property whose value may be a method of an object literal.
func (s *jsFile) pair(n treesitter.Node) {
	v := s.t.Child(n, "value")
	if isFunction(s.t.Kind(v)) && s.fn == facts.None {
		s.function(s.t.Text(s.t.Child(n, "key")), v, n)
		return
	}
	s.value(v)
}

func (s *jsFile) dotted(n treesitter.Node) string {
	switch s.t.Kind(n) {
	case "identifier", "this", "super", "property_identifier":
		return s.t.Text(n)
	case "member_expression":
		if base := s.dotted(s.t.Child(n, "object")); base != "" {
			return base + "." + s.t.Text(s.t.Child(n, "property"))
		}
	case "non_null_expression":
		return s.dotted(s.t.First(n))
	}
	return ""
}

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
			made.on, made.callee = on.call, on.call.callee+"()."+s.t.Text(property)
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
