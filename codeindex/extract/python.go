package extract

import (
	"path"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
	"github.com/remediator/remediator/codeindex/treesitter"
)

// python reads Python.
func python(name string, t *treesitter.Tree) *facts.File {
	c := newCollector("python")
	base := path.Base(name)
	c.file.Test = strings.HasPrefix(base, "test_") || strings.HasSuffix(base, "_test.py") || base == "conftest.py"
	p := &pyFile{collector: c, t: t, fn: facts.None, class: facts.None}
	c.file.Broken = t.Broken()
	p.children(t.Root())
	return c.finish()
}

type pyFile struct {
	*collector
	t         *treesitter.Tree
	fn, class int32 // what is being read
	qualifier string
}

func (p *pyFile) children(n treesitter.Node) {
	for c := p.t.First(n); c != treesitter.None; c = p.t.Next(n, c) {
		p.visit(c)
	}
}

func (p *pyFile) visit(n treesitter.Node) {
	switch p.t.Kind(n) {
	case "function_definition":
		p.function(n, n, nil)
	case "class_definition":
		p.classDef(n, n, nil)
	case "decorated_definition":
		p.decorated(n)
	case "import_statement", "import_from_statement":
		p.imports(n)
	case "assignment":
		p.assignment(n)
	case "call", "string", "concatenated_string", "binary_operator":
		p.value(n)
	case "expression_statement":
		if e := p.t.First(n); p.t.Kind(e) == "string" && p.t.Next(n, e) == treesitter.None {
			return // a docstring says nothing at run time
		}
		p.children(n)
	case "comment":
	default:
		p.children(n)
	}
}

func (p *pyFile) decorated(n treesitter.Node) {
	var decorators []treesitter.Node
	for c := range p.t.Children(n) {
		switch p.t.Kind(c) {
		case "decorator":
			decorators = append(decorators, c)
		case "function_definition":
			p.function(c, n, decorators)
		case "class_definition":
			p.classDef(c, n, decorators)
		}
	}
}

func (p *pyFile) decorate(decorators []treesitter.Node, symbol, class int32) {
	for _, d := range decorators {
		e := p.t.First(d)
		m := mark{line: int32(p.t.Line(d)), symbol: symbol, class: class}
		switch v := p.value(e); v.kind {
		case named:
			m.name = v.text
		case called:
			m.name, m.args, m.call = v.call.callee, v.call.args, v.call
			v.call.fn = symbol
		default:
			continue
		}
		p.marks = append(p.marks, m)
	}
}

func (p *pyFile) qualified(name string) string {
	if p.qualifier == "" {
		return name
	}
	return p.qualifier + "." + name
}

func (p *pyFile) function(n, whole treesitter.Node, decorators []treesitter.Node) {
	name := p.t.Text(p.t.Child(n, "name"))
	s := facts.Symbol{
		Name: p.qualified(name), Kind: facts.Function, Exported: !strings.HasPrefix(name, "_") && p.fn == facts.None,
		From: int32(p.t.Line(whole)), To: int32(p.t.LastLine(n)),
	}
	method := p.class != facts.None && p.fn == facts.None
	if method {
		s.Kind = facts.Method
		s.Exported = s.Exported && p.file.Symbols[p.class].Exported
	}
	if strings.HasPrefix(name, "test") && p.fn == facts.None {
		switch {
		case method && p.unittest():
			s.Test = "unittest"
		case p.file.Test && (!method || strings.HasPrefix(last(p.qualifier), "Test")):
			s.Test = "pytest"
		}
	}
	symbol := p.symbol(s)
	p.decorate(decorators, symbol, p.class)
	outerFn, outerClass, outerQualifier := p.fn, p.class, p.qualifier
	p.fn, p.qualifier, p.class = symbol, s.Name, facts.None
	p.children(p.t.Child(n, "parameters")) // defaults may call
	p.children(p.t.Child(n, "body"))
	p.fn, p.class, p.qualifier = outerFn, outerClass, outerQualifier
}

func (p *pyFile) unittest() bool {
	for _, b := range p.file.Symbols[p.class].Bases {
		if strings.HasSuffix(b, "TestCase") {
			return true
		}
	}
	return false
}

func (p *pyFile) classDef(n, whole treesitter.Node, decorators []treesitter.Node) {
	name := p.t.Text(p.t.Child(n, "name"))
	s := facts.Symbol{
		Name: p.qualified(name), Kind: facts.Class, Exported: !strings.HasPrefix(name, "_") && p.fn == facts.None,
		From: int32(p.t.Line(whole)), To: int32(p.t.LastLine(n)),
	}
	for b := range p.t.Children(p.t.Child(n, "superclasses")) {
		if v := p.value(b); v.kind == named {
			s.Bases = append(s.Bases, v.text)
		}
	}
	symbol := p.symbol(s)
	if symbol == facts.None {
		return
	}
	p.decorate(decorators, symbol, p.class)
	outerClass, outerQualifier, outerFn := p.class, p.qualifier, p.fn
	p.class, p.qualifier, p.fn = symbol, s.Name, facts.None
	p.children(p.t.Child(n, "body"))
	p.class, p.qualifier, p.fn = outerClass, outerQualifier, outerFn
}

func (p *pyFile) imports(n treesitter.Node) {
	module := p.t.Text(p.t.Child(n, "module_name"))
	from := p.t.Kind(n) == "import_from_statement"
	for c := range p.t.Children(n) {
		if p.t.Field(c) != "name" {
			continue
		}
		name, alias := p.t.Text(c), ""
		if p.t.Kind(c) == "aliased_import" {
			name, alias = p.t.Text(p.t.Child(c, "name")), p.t.Text(p.t.Child(c, "alias"))
		}
		i := facts.Import{Name: alias, Path: name}
		if from {
			i.Path, i.Item = module, name
			if alias == "" {
				i.Name = name
			}
		}
		p.file.Imports = append(p.file.Imports, i)
	}
}

func (p *pyFile) assignment(n treesitter.Node) {
	left, right := p.t.Child(n, "left"), p.t.Child(n, "right")
	if right == treesitter.None {
		return
	}
	v := p.value(right)
	name := p.dotted(left)
	if name == "" {
		p.visit(left)
		return
	}
	top := p.fn == facts.None
	if top {
		kind := facts.Variable
		if name == strings.ToUpper(name) {
			kind = facts.Constant
		}
		if !strings.Contains(name, ".") && p.class == facts.None {
			p.symbol(facts.Symbol{Name: name, Kind: kind, Exported: !strings.HasPrefix(name, "_"), From: int32(p.t.Line(n)), To: int32(p.t.LastLine(n))})
		}
		name = p.qualified(name)
	}
	if rest, ok := strings.CutPrefix(name, "self."); ok && v.kind == textual && p.fn != facts.None {
		// A text given to self in one method is read in others.
		if class := front(p.name(p.fn)); class != "" {
			p.assign(class+"."+rest, v, facts.None, false)
			return
		}
	}
	p.assign(name, v, p.fn, top)
}
