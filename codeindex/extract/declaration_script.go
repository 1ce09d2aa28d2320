package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/treesitter"
)

// script: what ES modules export, and what CommonJS assigns to exports.
func (d *declarer) script() {
	t := d.t
	local := map[string]treesitter.Node{}
	for n := range t.Children(t.Root()) {
		for name, at := range d.scriptNames(n) {
			local[name] = at
		}
	}
	for n := range t.Children(t.Root()) {
		switch t.Kind(n) {
		case "export_statement":
			d.scriptExport(n, local)
		case "expression_statement":
			d.commonJS(t.First(n), local)
		}
	}
}

// scriptNames are the names that a statement declares.
func (d *declarer) scriptNames(n treesitter.Node) map[string]treesitter.Node {
	t := d.t
	out := map[string]treesitter.Node{}
	switch t.Kind(n) {
	case "lexical_declaration", "variable_declaration":
		for c := range t.Children(n) {
			if t.Kind(c) == "variable_declarator" && t.Kind(t.Child(c, "name")) == "identifier" {
				out[t.Text(t.Child(c, "name"))] = c
			}
		}
	default:
		if name := t.Child(n, "name"); name != treesitter.None {
			out[t.Text(name)] = n
		}
	}
	return out
}

func (d *declarer) scriptExport(n treesitter.Node, local map[string]treesitter.Node) {
	t := d.t
	isDefault := strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(t.Text(n), "export")), "default")
	if decl := t.Child(n, "declaration"); decl != treesitter.None {
		if isDefault {
			d.scriptDeclaration("default", decl)
			return
		}
		names := d.scriptNames(decl)
		for c := decl; c < t.End(decl); c++ { // in the order of the source
			for name, at := range names {
				if at == c {
					d.scriptDeclaration(name, at)
				}
			}
		}
		return
	}
	if value := t.Child(n, "value"); value != treesitter.None {
		if at, ok := local[t.Text(value)]; ok {
			value = at
		}
		d.scriptDeclaration("default", value)
		return
	}
	source := t.Child(n, "source")
	clause := t.ChildOf(n, "export_clause")
	for c := range t.Children(clause) {
		name, alias := t.Text(t.Child(c, "name")), t.Text(t.Child(c, "alias"))
		if alias == "" {
			alias = name
		}
		if at, ok := local[name]; ok && source == treesitter.None {
			d.scriptDeclaration(alias, at)
		} else {
			d.add(alias, "variable", "re-export of "+name+" from "+t.Text(source), n)
		}
	}
	if clause == treesitter.None && source != treesitter.None {
		d.add("* "+unquoteScript(t.Text(source)), "variable", "re-export", n)
	}
}

func (d *declarer) commonJS(n treesitter.Node, local map[string]treesitter.Node) {
	t := d.t
	if t.Kind(n) != "assignment_expression" {
		return
	}
	left, right := t.Text(t.Child(n, "left")), t.Child(n, "right")
	if name, ok := strings.CutPrefix(strings.TrimPrefix(left, "module."), "exports."); ok {
		if at, found := local[t.Text(right)]; found {
			right = at
		}
		d.scriptDeclaration(name, right)
		return
	}
	if left != "module.exports" {
		return
	}
	if t.Kind(right) != "object" {
		if at, ok := local[t.Text(right)]; ok {
			right = at
		}
		d.scriptDeclaration("default", right)
		return
	}
	for c := range t.Children(right) {
		switch t.Kind(c) {
		case "shorthand_property_identifier":
			if at, ok := local[t.Text(c)]; ok {
				d.scriptDeclaration(t.Text(c), at)
			} else {
				d.add(t.Text(c), "variable", "variable", c)
			}
		case "pair":
			value := t.Child(c, "value")
			if at, ok := local[t.Text(value)]; ok {
				value = at
			}
			d.scriptDeclaration(unquoteKey(t.Text(t.Child(c, "key"))), value)
		case "method_definition":
			d.scriptDeclaration(t.Text(t.Child(c, "name")), c)
		}
	}
}

func (d *declarer) scriptDeclaration(name string, n treesitter.Node) {
	t := d.t
	at := n
	if t.Kind(n) == "variable_declarator" {
		if v := t.Child(n, "value"); isFunction(t.Kind(v)) || t.Kind(v) == "class" {
			n = v
		} else {
			d.add(name, "variable", "variable"+squeeze(t.Text(t.Child(n, "type"))), at)
			return
		}
	}
	switch kind := t.Kind(n); kind {
	case "function_declaration", "generator_function_declaration", "function_signature", "arrow_function", "function_expression", "function", "generator_function", "method_definition":
		d.add(name, "function", d.scriptSignature(n), at)
	case "class_declaration", "abstract_class_declaration", "class":
		d.add(name, "type", "class "+squeeze(t.Text(t.ChildOf(n, "class_heritage"))), at)
		d.scriptClass(name, n)
	case "interface_declaration", "type_alias_declaration", "enum_declaration":
		body := t.Child(n, "body")
		if body == treesitter.None {
			body = t.Child(n, "value")
		}
		d.add(name, "type", strings.TrimSuffix(kind, "_declaration")+" "+squeeze(t.Text(t.Child(n, "type_parameters")))+squeeze(t.Text(body)), at)
	default:
		d.add(name, "variable", "variable", at)
	}
}

// scriptSignature keeps parameters with types but without default values, and the result's type.
func (d *declarer) scriptSignature(n treesitter.Node) string {
	t := d.t
	var parts []string
	params := t.Child(n, "parameters")
	if params == treesitter.None { // x => ...
		parts = append(parts, t.Text(t.Child(n, "parameter")))
	}
	for p := range t.Children(params) {
		text := t.Text(p)
		switch t.Kind(p) {
		case "comment":
			continue
		case "assignment_pattern":
			text = t.Text(t.Child(p, "left")) + "="
		case "required_parameter", "optional_parameter":
			text = t.Text(t.Child(p, "pattern"))
			if t.Kind(p) == "optional_parameter" {
				text += "?"
			}
			text += t.Text(t.Child(p, "type"))
			if t.Child(p, "value") != treesitter.None {
				text += "="
			}
		}
		parts = append(parts, squeeze(text))
	}
	return squeeze(t.Text(t.Child(n, "type_parameters"))) + "(" + strings.Join(parts, ", ") + ")" + squeeze(t.Text(t.Child(n, "return_type")))
}

func (d *declarer) scriptClass(name string, n treesitter.Node) {
	t := d.t
	for m := range t.Children(t.Child(n, "body")) {
		member := t.Text(t.Child(m, "name"))
		access := t.Text(t.ChildOf(m, "accessibility_modifier"))
		if access == "private" || access == "protected" || strings.HasPrefix(member, "#") || member == "" {
			continue
		}
		switch t.Kind(m) {
		case "method_definition", "method_signature", "abstract_method_signature":
			d.add(name+"."+member, "method", d.scriptSignature(m), m)
		case "public_field_definition", "field_definition":
			d.add(name+"."+member, "field", "field"+squeeze(t.Text(t.Child(m, "type"))), m)
		}
	}
}
