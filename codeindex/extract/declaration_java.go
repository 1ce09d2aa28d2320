package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/treesitter"
)

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
