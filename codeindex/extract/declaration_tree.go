package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/treesitter"
)

// python: what __all__ lists, or else every name of the module without a leading underscore, with
// the public methods of public classes.
func (d *declarer) python() {
	root := d.t.Root()
	listed := d.pythonAll(root)
	d.pythonBlock(root, "", func(name string) bool {
		if listed != nil {
			return listed[name]
		}
		return !strings.HasPrefix(name, "_")
	})
}

func (d *declarer) pythonAll(root treesitter.Node) map[string]bool {
	for s := range d.t.Children(root) {
		a := d.t.First(s)
		if d.t.Kind(a) != "assignment" || d.t.Text(d.t.Child(a, "left")) != "__all__" {
			continue
		}
		listed := map[string]bool{}
		right := d.t.Child(a, "right")
		for n := right; n < d.t.End(right); n++ {
			if d.t.Kind(n) == "string_content" {
				listed[d.t.Text(n)] = true
			}
		}
		return listed
	}
	return nil
}

func (d *declarer) pythonBlock(block treesitter.Node, prefix string, public func(string) bool) {
	t := d.t
	for n := range t.Children(block) {
		def, decorators := n, ""
		if t.Kind(n) == "decorated_definition" {
			def = t.Child(n, "definition")
			for c := range t.Children(n) {
				if t.Kind(c) == "decorator" {
					switch text := squeeze(t.Text(c)); text {
					case "@property", "@staticmethod", "@classmethod":
						decorators += text + " "
					}
				}
			}
		}
		name := t.Text(t.Child(def, "name"))
		switch t.Kind(def) {
		case "function_definition":
			// The constructor is what a class is called by.
			if public(name) || prefix != "" && name == "__init__" {
				async := ""
				if strings.HasPrefix(t.Text(def), "async") {
					async = "async "
				}
				kind := "function"
				if prefix != "" {
					kind = "method"
				}
				d.add(prefix+name, kind, decorators+async+d.pythonParameters(t.Child(def, "parameters")), def)
			}
		case "class_definition":
			if public(name) {
				d.add(prefix+name, "type", "class"+squeeze(t.Text(t.Child(def, "superclasses"))), def)
				d.pythonBlock(t.Child(def, "body"), prefix+name+".", func(name string) bool { return !strings.HasPrefix(name, "_") })
			}
		case "expression_statement":
			if a := t.First(def); t.Kind(a) == "assignment" && t.Kind(t.Child(a, "left")) == "identifier" {
				if name := t.Text(t.Child(a, "left")); public(name) {
					d.add(prefix+name, "variable", "variable", def)
				}
			}
		case "if_statement", "try_statement": // declared under a condition, declared all the same
			for c := range t.Children(def) {
				if t.Kind(c) == "block" {
					d.pythonBlock(c, prefix, public)
				}
			}
		}
	}
}

// pythonParameters keeps names, since callers pass by them, and whether there is a default, but
// neither the default itself nor annotations.
func (d *declarer) pythonParameters(n treesitter.Node) string {
	t := d.t
	var parts []string
	for p := range t.Children(n) {
		text := t.Text(p)
		switch t.Kind(p) {
		case "comment":
			continue
		case "default_parameter", "typed_default_parameter":
			text = t.Text(t.Child(p, "name")) + "="
		case "typed_parameter":
			text = t.Text(t.First(p))
		}
		parts = append(parts, squeeze(text))
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

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

// javaTypes: public and protected types and their public and protected members. Members of an
// interface are public without saying so.
func (d *declarer) javaTypes(block treesitter.Node, prefix string, inInterface bool) {
	t := d.t
	for n := range t.Children(block) {
		kind := t.Kind(n)
		if kind == "enum_body_declarations" {
			d.javaTypes(n, prefix, inInterface)
			continue
		}
		public := inInterface || d.javaPublic(n)
		switch kind {
		case "class_declaration", "interface_declaration", "enum_declaration", "record_declaration", "annotation_type_declaration":
			if !public {
				continue
			}
			name := prefix + t.Text(t.Child(n, "name"))
			signature := strings.TrimSuffix(kind, "_declaration")
			for c := range t.Children(n) {
				switch t.Kind(c) {
				case "superclass", "super_interfaces", "extends_interfaces", "type_parameters", "formal_parameters":
					signature += " " + squeeze(t.Text(c))
				}
			}
			d.add(name, "type", signature, n)
			isInterface := kind == "interface_declaration" || kind == "annotation_type_declaration"
			d.javaTypes(t.Child(n, "body"), name+".", isInterface)
		case "method_declaration", "constructor_declaration", "annotation_type_element_declaration":
			if public {
				name := prefix + t.Text(t.Child(n, "name"))
				signature := "(" + d.javaParameters(t.Child(n, "parameters")) + ") " + squeeze(t.Text(t.Child(n, "type")))
				if th := t.ChildOf(n, "throws"); th != treesitter.None {
					signature += " " + squeeze(t.Text(th))
				}
				d.add(name, "method", strings.TrimSpace(signature), n)
			}
		case "field_declaration", "constant_declaration":
			if !public {
				continue
			}
			for c := range t.Children(n) {
				if t.Kind(c) == "variable_declarator" {
					d.add(prefix+t.Text(t.Child(c, "name")), "field", squeeze(t.Text(t.Child(n, "type"))), n)
				}
			}
		case "enum_constant":
			d.add(prefix+t.Text(t.Child(n, "name")), "constant", "enum constant", n)
		}
	}
}

func (d *declarer) javaPublic(n treesitter.Node) bool {
	j := javaFile{t: d.t}
	m := j.modifiers(n)
	return strings.Contains(m, "public") || strings.Contains(m, "protected")
}

func (d *declarer) javaParameters(n treesitter.Node) string {
	t := d.t
	var parts []string
	for p := range t.Children(n) {
		switch t.Kind(p) {
		case "formal_parameter":
			parts = append(parts, squeeze(t.Text(t.Child(p, "type"))+t.Text(t.Child(p, "dimensions"))))
		case "spread_parameter":
			for c := range t.Children(p) {
				if k := t.Kind(c); k != "modifiers" && k != "variable_declarator" {
					parts = append(parts, squeeze(t.Text(c))+"...")
				}
			}
		}
	}
	return strings.Join(parts, ", ")
}
