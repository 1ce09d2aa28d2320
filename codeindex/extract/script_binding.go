package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
	"github.com/remediator/remediator/codeindex/treesitter"
)

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
				switch s.t.Kind(m) {
				case "shorthand_property_identifier_pattern":
					s.file.Imports = append(s.file.Imports, facts.Import{Name: s.t.Text(m), Path: path, Item: s.t.Text(m)})
				case "pair_pattern": // const {router: users} = require("./users")
					if local := s.t.Child(m, "value"); s.t.Kind(local) == "identifier" {
						s.file.Imports = append(s.file.Imports, facts.Import{Name: s.t.Text(local), Path: path, Item: unquoteKey(s.t.Text(s.t.Child(m, "key")))})
					}
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
