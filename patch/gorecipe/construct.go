package gorecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// construct calls a constructor: a function of the type's package whose name starts with New (or Open, Make,
// Dial, Connect) and whose first result is the type or a pointer to it.
func (s *synth) construct(t typ, wantPtr bool) (string, bool) {
	p := s.pkg.tree.imported(s.pkg, t.path)
	if p == nil {
		return "", false
	}
	for _, exact := range []bool{true, false} {
		for _, f := range p.funcs() {
			name := f.decl.Name.Name
			if f.recv() != "" || f.decl.Type.TypeParams != nil || p != s.pkg && !token.IsExported(name) || !constructor.MatchString(name) {
				continue
			}
			if (strings.EqualFold(name, "new"+t.name) || name == "New") != exact {
				continue
			}
			results := f.file.params(f.decl.Type.Results)
			if len(results) == 0 || len(results) > 2 || len(results) == 2 && !results[1].typ.isError() {
				continue
			}
			r := results[0].typ
			isPtr := r.kind == pointer && r.elem.is(t.path, t.name)
			if !isPtr && !r.is(t.path, t.name) || isPtr != wantPtr && len(results) == 2 {
				continue
			}
			if v, ok := s.callConstructor(p, f, len(results) == 2); ok {
				switch {
				case isPtr && !wantPtr:
					return "*" + v, true
				case !isPtr && wantPtr:
					n := s.name("subject")
					s.setup = append(s.setup, n+" := "+v)
					return "&" + n, true
				}
				return v, true
			}
		}
	}
	return "", false
}

var constructor = regexp.MustCompile(`^(New|new|Make|make|Open|Dial|Connect)`)

func (s *synth) callConstructor(p *pkg, f *fn, withError bool) (string, bool) {
	saved := *s
	saved.setup = append([]string(nil), s.setup...)
	var args []string
	for _, prm := range f.file.params(f.decl.Type.Params) {
		if prm.variadic {
			continue
		}
		v, ok := s.value(prm.typ, prm.name)
		if !ok {
			s.setup, s.server, s.stubbed = saved.setup, saved.server, saved.stubbed
			return "", false
		}
		args = append(args, v)
	}
	name := f.decl.Name.Name
	if p != s.pkg {
		name = s.t.use(p.path) + "." + name
	}
	v := name + "(" + strings.Join(args, ", ") + ")"
	if !withError {
		return v, true
	}
	n := s.name("subject")
	s.setup = append(s.setup, fmt.Sprintf("%s, err := %s\nif err != nil {\n\tt.Fatal(err)\n}", n, v))
	return n, true
}

// literal makes a struct literal with the fields that can be made up; the rest stay zero.
func (s *synth) literal(t typ) (string, bool) {
	ref := s.ref(t)
	u := t.under(s.pkg)
	if ref == "" || u.kind != strukt {
		return "", false
	}
	var parts []string
	for _, f := range u.expr.(*ast.StructType).Fields.List {
		for _, n := range f.Names {
			if u.in.pkg != s.pkg && !n.IsExported() || n.Name == "_" || s.nilAt == t.name+"."+n.Name {
				continue
			}
			v, fixed := s.fields[t.name+"."+n.Name]
			if !fixed {
				ft := u.in.typ(f.Type)
				var ok bool
				if v, ok = s.value(ft, n.Name); !ok || v == "nil" || v == "false" {
					continue
				}
			}
			parts = append(parts, n.Name+": "+v)
		}
	}
	if len(parts) > 3 {
		return ref + "{\n" + strings.Join(parts, ",\n") + ",\n}", true
	}
	return ref + "{" + strings.Join(parts, ", ") + "}", true
}
