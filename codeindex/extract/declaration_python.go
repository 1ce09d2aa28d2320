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
