package extract

import (
	"path"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
	"github.com/remediator/remediator/codeindex/treesitter"
)

// java reads Java.
func java(name string, t *treesitter.Tree) *facts.File {
	c := newCollector("java")
	base := path.Base(name)
	c.file.Test = strings.HasSuffix(base, "Test.java") || strings.HasSuffix(base, "Tests.java") || strings.HasSuffix(base, "IT.java") || strings.Contains("/"+name, "/src/test/")
	j := &javaFile{collector: c, t: t, fn: facts.None, class: facts.None}
	c.file.Broken = t.Broken()
	j.children(t.Root())
	return c.finish()
}

type javaFile struct {
	*collector
	t         *treesitter.Tree
	fn, class int32
	qualifier string
}

func (j *javaFile) children(n treesitter.Node) {
	for c := j.t.First(n); c != treesitter.None; c = j.t.Next(n, c) {
		j.visit(c)
	}
}

func (j *javaFile) line(n treesitter.Node) int32 { return int32(j.t.Line(n)) }

func (j *javaFile) lastLine(n treesitter.Node) int32 { return int32(j.t.LastLine(n)) }

func (j *javaFile) visit(n treesitter.Node) {
	switch kind := j.t.Kind(n); kind {
	case "package_declaration":
		j.file.Package = j.t.Text(j.t.First(n))
	case "import_declaration":
		target := j.t.Text(j.t.First(n))
		j.file.Imports = append(j.file.Imports, facts.Import{Name: last(target), Path: target})
	case "class_declaration", "record_declaration", "enum_declaration", "interface_declaration", "annotation_type_declaration":
		j.typeDef(n, kind)
	case "method_declaration", "constructor_declaration", "compact_constructor_declaration":
		j.method(n)
	case "field_declaration", "local_variable_declaration", "constant_declaration":
		j.variables(n)
	case "assignment_expression":
		v := j.value(j.t.Child(n, "right"))
		name := strings.TrimPrefix(j.dotted(j.t.Child(n, "left")), "this.")
		j.assign(name, v, j.fn, false)
	case "method_invocation", "object_creation_expression", "string_literal", "binary_expression", "explicit_constructor_invocation":
		j.value(n)
	case "line_comment", "block_comment", "comment":
	default:
		j.children(n)
	}
}

func (j *javaFile) qualified(name string) string {
	if j.qualifier == "" {
		return name
	}
	return j.qualifier + "." + name
}

func (j *javaFile) modifiers(n treesitter.Node) string {
	var b strings.Builder
	m := j.t.ChildOf(n, "modifiers")
	if m == treesitter.None {
		return ""
	}
	// Keywords are anonymous nodes: what is left of the text without the annotations.
	at := j.t.Start(m)
	for c := range j.t.Children(m) {
		b.WriteString(j.t.Source(at, j.t.Start(c)))
		at = j.t.Stop(c)
	}
	b.WriteString(j.t.Source(at, j.t.Stop(m)))
	return b.String()
}

func (j *javaFile) typeDef(n treesitter.Node, kind string) {
	s := facts.Symbol{
		Name: j.qualified(j.t.Text(j.t.Child(n, "name"))), Kind: facts.Class,
		Exported: strings.Contains(j.modifiers(n), "public"), From: j.line(n), To: j.lastLine(n),
	}
	switch kind {
	case "interface_declaration", "annotation_type_declaration":
		s.Kind = facts.Interface
	}
	for c := range j.t.Children(n) {
		switch j.t.Kind(c) {
		case "superclass", "super_interfaces", "extends_interfaces":
			for m := c + 1; m < j.t.End(c); m++ {
				if j.t.Kind(m) == "type_identifier" {
					s.Bases = append(s.Bases, j.t.Text(m))
				}
			}
		}
	}
	symbol := j.symbol(s)
	j.annotate(n, symbol, j.class)
	outerFn, outerClass, outerQualifier := j.fn, j.class, j.qualifier
	j.fn, j.class, j.qualifier = facts.None, symbol, s.Name
	j.children(j.t.Child(n, "body"))
	j.fn, j.class, j.qualifier = outerFn, outerClass, outerQualifier
}

func (j *javaFile) annotate(n treesitter.Node, symbol, class int32) (names []string) {
	m := j.t.ChildOf(n, "modifiers")
	if m == treesitter.None {
		return nil
	}
	for c := range j.t.Children(m) {
		switch j.t.Kind(c) {
		case "marker_annotation", "annotation":
		default:
			continue
		}
		a := mark{name: j.t.Text(j.t.Child(c, "name")), line: j.line(c), symbol: symbol, class: class}
		outer := j.fn
		j.fn = symbol
		for e := range j.t.Children(j.t.Child(c, "arguments")) {
			if j.t.Kind(e) == "element_value_pair" {
				v := j.value(j.t.Child(e, "value"))
				v.key = j.t.Text(j.t.Child(e, "key"))
				a.args = append(a.args, v)
				continue
			}
			a.args = append(a.args, j.value(e))
		}
		j.fn = outer
		j.marks = append(j.marks, a)
		names = append(names, last(a.name))
	}
	return names
}

func (j *javaFile) method(n treesitter.Node) {
	s := facts.Symbol{
		Name: j.qualified(j.t.Text(j.t.Child(n, "name"))), Kind: facts.Method,
		From: j.line(n), To: j.lastLine(n),
	}
	s.Exported = strings.Contains(j.modifiers(n), "public")
	if j.class >= 0 && j.file.Symbols[j.class].Kind == facts.Interface {
		s.Exported = j.file.Symbols[j.class].Exported
	}
	symbol := j.symbol(s)
	for _, a := range j.annotate(n, symbol, j.class) {
		switch a {
		case "Test", "ParameterizedTest", "RepeatedTest", "TestFactory", "TestTemplate":
			if symbol >= 0 {
				j.file.Symbols[symbol].Test = "junit"
			}
		}
	}
	outerFn, outerQualifier := j.fn, j.qualifier
	if j.fn == facts.None { // methods of anonymous classes belong to the method around them
		j.fn = symbol
	}
	j.qualifier = s.Name
	j.children(j.t.Child(n, "body"))
	j.fn, j.qualifier = outerFn, outerQualifier
}

func (j *javaFile) variables(n treesitter.Node) {
	field := j.t.Kind(n) != "local_variable_declaration"
	mods := ""
	if field {
		mods = j.modifiers(n)
		j.annotate(n, facts.None, j.class)
	}
	inInterface := j.class >= 0 && j.file.Symbols[j.class].Kind == facts.Interface
	for c := range j.t.Children(n) {
		if j.t.Kind(c) != "variable_declarator" {
			continue
		}
		name := j.t.Text(j.t.Child(c, "name"))
		if field && j.fn == facts.None {
			kind := facts.Variable
			if strings.Contains(mods, "final") {
				kind = facts.Constant
			}
			j.symbol(facts.Symbol{Name: j.qualified(name), Kind: kind, Exported: inInterface || strings.Contains(mods, "public"), From: j.line(n), To: j.lastLine(n)})
		}
		right := j.t.Child(c, "value")
		if right == treesitter.None {
			continue
		}
		v := j.value(right)
		if field && j.fn == facts.None {
			name = j.qualified(name)
		}
		j.assign(name, v, j.fn, field)
	}
}
