package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
	"github.com/remediator/remediator/codeindex/treesitter"
)

// dotted is an identifier or attribute chain of identifiers.
func (p *pyFile) dotted(n treesitter.Node) string {
	switch p.t.Kind(n) {
	case "identifier":
		return p.t.Text(n)
	case "attribute":
		if base := p.dotted(p.t.Child(n, "object")); base != "" {
			return base + "." + p.t.Text(p.t.Child(n, "attribute"))
		}
	}
	return ""
}

func (p *pyFile) value(n treesitter.Node) value {
	v := value{line: int32(p.t.Line(n))}
	switch p.t.Kind(n) {
	case "string":
		v.kind, v.text = textual, p.str(n)
		p.text(v.text, v.line, p.fn)
	case "concatenated_string":
		v.kind = textual
		for c := range p.t.Children(n) {
			v.text = concat(v.text, p.value(c).orHole())
		}
		p.text(v.text, v.line, p.fn)
	case "binary_operator":
		left, right := p.value(p.t.Child(n, "left")), p.value(p.t.Child(n, "right"))
		switch op := p.t.Text(p.t.Child(n, "operator")); {
		case op == "%" && left.kind == textual:
			v.kind, v.text = textual, percent(left.text)
		case (op == "+" || op == "/") && (left.kind == textual || right.kind == textual):
			v.kind, v.text = textual, concat(left.orHole(), right.orHole())
		}
		if v.kind == textual {
			p.text(v.text, v.line, p.fn)
		}
	case "identifier", "attribute":
		if name := p.dotted(n); name != "" {
			v.kind, v.text = named, name
		} else {
			p.children(n)
		}
	case "parenthesized_expression", "await":
		if c := p.t.First(n); c != treesitter.None {
			return p.value(c)
		}
	case "list", "tuple":
		v.kind = list
		for c := range p.t.Children(n) {
			v.elems = append(v.elems, p.value(c))
		}
	case "dictionary":
		v.kind = object
		for c := range p.t.Children(n) {
			if p.t.Kind(c) != "pair" {
				p.visit(c)
				continue
			}
			key := p.value(p.t.Child(c, "key"))
			e := p.value(p.t.Child(c, "value"))
			e.key = key.text
			v.elems = append(v.elems, e)
		}
	case "lambda":
		v.kind, v.to = lambda, int32(p.t.LastLine(n))
		p.children(n)
	case "call":
		return p.call(n)
	case "conditional_expression":
		first := true
		for c := range p.t.Children(n) {
			e := p.value(c)
			if first {
				v = e
			}
			first = false
		}
	default:
		p.children(n)
	}
	return v
}

// str is the template of a string; interpolations are holes.
func (p *pyFile) str(n treesitter.Node) string {
	if p.t.First(n) == treesitter.None {
		return ""
	}
	var b strings.Builder
	for c := range p.t.Children(n) {
		switch p.t.Kind(c) {
		case "string_content":
			b.WriteString(clean(p.t.Text(c)))
		case "interpolation":
			if v := p.value(p.t.First(c)); v.kind == named {
				b.WriteString(reference(v.text))
			} else {
				b.WriteString(facts.Hole)
			}
		}
	}
	return b.String()
}

func (p *pyFile) call(n treesitter.Node) value {
	made := &call{line: int32(p.t.Line(n)), fn: p.fn, to: int32(p.t.LastLine(n))}
	p.record(made)
	v := value{kind: called, line: made.line, call: made}
	f := p.t.Child(n, "function")
	var on value
	if made.callee = p.dotted(f); made.callee == "" && p.t.Kind(f) == "attribute" {
		attribute := p.t.Child(f, "attribute")
		made.line = int32(p.t.Line(attribute))
		on = p.value(p.t.Child(f, "object"))
		switch on.kind {
		case called:
			made.on, made.callee = on.call, on.call.chained()+p.t.Text(attribute)
		case textual:
			made.callee = `"".` + p.t.Text(attribute)
		default:
			made.callee = "." + p.t.Text(attribute)
		}
	} else if made.callee == "" {
		p.visit(f)
	}
	args := p.t.Child(n, "arguments")
	if p.t.Kind(args) == "argument_list" {
		for a := range p.t.Children(args) {
			switch p.t.Kind(a) {
			case "comment":
			case "keyword_argument":
				e := p.value(p.t.Child(a, "value"))
				e.key = p.t.Text(p.t.Child(a, "name"))
				made.args = append(made.args, e)
			default:
				made.args = append(made.args, p.value(a))
			}
		}
	} else {
		p.visit(args)
	}
	v.text = made.callee
	if on.kind == textual && last(made.callee) == "format" {
		v.kind, v.text = textual, braces(on.text)
	} else if t, ok := formatted(made); ok {
		v.kind, v.text = textual, t
	} else if (made.callee == "text" || made.callee == "sa.text" || made.callee == "sqlalchemy.text" || made.callee == "str" || made.callee == "_") && len(made.args) == 1 && made.args[0].kind == textual {
		v.kind, v.text = textual, made.args[0].text
	}
	if v.kind == textual {
		p.text(v.text, v.line, p.fn)
	}
	return v
}
