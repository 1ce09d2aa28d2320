package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/treesitter"
)

func (j *javaFile) dotted(n treesitter.Node) string {
	switch j.t.Kind(n) {
	case "identifier", "this", "super", "type_identifier", "scoped_identifier", "scoped_type_identifier":
		return j.t.Text(n)
	case "field_access":
		if base := j.dotted(j.t.Child(n, "object")); base != "" {
			return base + "." + j.t.Text(j.t.Child(n, "field"))
		}
	case "generic_type":
		return j.dotted(j.t.First(n))
	}
	return ""
}

func (j *javaFile) value(n treesitter.Node) value {
	v := value{line: j.line(n)}
	switch j.t.Kind(n) {
	case "string_literal":
		v.kind, v.text = textual, clean(javaText(j.t.Text(n)))
		j.text(v.text, v.line, j.fn)
	case "binary_expression":
		left, right := j.value(j.t.Child(n, "left")), j.value(j.t.Child(n, "right"))
		if j.t.Text(j.t.Child(n, "operator")) == "+" && (left.kind == textual || right.kind == textual) {
			v.kind, v.text = textual, concat(left.orHole(), right.orHole())
			j.text(v.text, v.line, j.fn)
		}
	case "identifier", "field_access", "this":
		if name := j.dotted(n); name != "" {
			v.kind, v.text = named, name
		} else {
			j.children(n)
		}
	case "method_reference":
		v.kind, v.text = named, strings.ReplaceAll(j.t.Text(n), "::", ".")
	case "parenthesized_expression":
		if c := j.t.First(n); c != treesitter.None {
			return j.value(c)
		}
	case "element_value_array_initializer", "array_initializer":
		v.kind = list
		for c := range j.t.Children(n) {
			v.elems = append(v.elems, j.value(c))
		}
	case "lambda_expression":
		v.kind, v.to = lambda, j.lastLine(n)
		if b := j.t.Child(n, "body"); j.t.Kind(b) == "block" {
			j.children(b)
		} else {
			j.value(b)
		}
	case "method_invocation":
		return j.invocation(n)
	case "object_creation_expression":
		return j.creation(n)
	case "explicit_constructor_invocation":
		made := &call{callee: j.t.Text(j.t.Child(n, "constructor")), line: j.line(n), fn: j.fn, to: j.lastLine(n)}
		j.record(made)
		j.arguments(n, made)
	default:
		j.children(n)
	}
	return v
}

// javaText is the content of a string or text block.
func javaText(s string) string {
	if inner, ok := strings.CutPrefix(s, `"""`); ok {
		return strings.TrimSpace(strings.TrimSuffix(inner, `"""`))
	}
	if len(s) >= 2 {
		return s[1 : len(s)-1]
	}
	return s
}

func (j *javaFile) invocation(n treesitter.Node) value {
	name := j.t.Child(n, "name")
	made := &call{line: j.line(name), fn: j.fn, to: j.lastLine(n)}
	j.record(made)
	v := value{kind: called, line: made.line, call: made}
	made.callee = j.t.Text(name)
	var on value
	if o := j.t.Child(n, "object"); o != treesitter.None {
		if base := j.dotted(o); base != "" {
			made.callee = base + "." + made.callee
		} else {
			switch on = j.value(o); on.kind {
			case called:
				made.on, made.callee = on.call, on.call.chained()+made.callee
			case textual:
				made.callee = `"".` + made.callee
			default:
				made.callee = "." + made.callee
			}
		}
	}
	j.arguments(n, made)
	v.text = made.callee
	if on.kind == textual && last(made.callee) == "formatted" {
		v.kind, v.text = textual, percent(on.text)
	} else if t, ok := formatted(made); ok {
		v.kind, v.text = textual, t
	}
	if v.kind == textual {
		j.text(v.text, v.line, j.fn)
	}
	return v
}

func (j *javaFile) creation(n treesitter.Node) value {
	made := &call{callee: j.dotted(j.t.Child(n, "type")), line: j.line(n), fn: j.fn, to: j.lastLine(n)}
	j.record(made)
	j.arguments(n, made)
	if b := j.t.ChildOf(n, "class_body"); b != treesitter.None {
		j.children(b)
	}
	return value{kind: called, line: made.line, text: made.callee, call: made}
}

func (j *javaFile) arguments(n treesitter.Node, made *call) {
	for a := range j.t.Children(j.t.Child(n, "arguments")) {
		switch j.t.Kind(a) {
		case "line_comment", "block_comment", "comment":
		default:
			made.args = append(made.args, j.value(a))
		}
	}
}
