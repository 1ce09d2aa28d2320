package codeindex

import (
	"fmt"
	"path"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// functionHits finds functions by name, and by what is known of their type and package. Without a
// function it finds the type.
func (x *Index) functionHits(namespace, function string) []hit {
	if function == "" {
		return x.typeHits(namespace)
	}
	var out []hit
	for _, r := range x.named(function) {
		e := x.entries[r.entry]
		f := e.facts()
		s := &f.Symbols[r.symbol]
		if !s.Kind.Callable() {
			continue
		}
		score, how := 0.5, fmt.Sprintf("function named %s", function)
		if namespace != "" {
			fit := x.fits(namespace, e.path, f, owner(s.Name))
			if fit == 0 {
				continue
			}
			score, how = 0.5+0.42*fit, fmt.Sprintf("function %s of %s", function, short(namespace))
		}
		out = append(out, hit{r, s.From, score, how})
	}
	return out
}

// fits says how well a namespace agrees with a type in a file, 0..1.
func (x *Index) fits(namespace, file string, f *facts.File, typ string) float64 {
	switch f.Language {
	case "java":
		return namespaceFits(namespace, f.Package, typ)
	case "go":
		dir := path.Dir(file)
		pkg := namespace
		if i := strings.LastIndexByte(pkg, '/'); i >= 0 {
			rest := pkg[i+1:]
			name, t, has := strings.Cut(rest, ".")
			if has && t != "" && t != typ {
				return 0
			}
			if sharedTail(pkg[:i]+"/"+name, dir) > 0 || f.Package == name {
				return 0.6 + 0.4*min(1, float64(sharedTail(pkg[:i]+"/"+name, dir))/2)
			}
			return 0
		}
		// "payments.Client", "Client", "main"
		if pkg == f.Package && typ == "" || pkg == f.Package+"."+typ || pkg == typ {
			return 0.9
		}
		if pkg == f.Package { // the type is not known
			return 0.6
		}
		return 0
	case "python":
		full := strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(file, ".py"), "/__init__"), "/", ".")
		if typ != "" {
			full += "." + typ
		}
		if namespace == typ {
			return 0.85
		}
		if n := sharedTail(strings.ReplaceAll(full, ".", "/"), strings.ReplaceAll(namespace, ".", "/")); n > 0 {
			dots := strings.Count(namespace, ".")
			if n == 1 && typ != "" && dots > 0 {
				return 0.15 // a class of that name in another module
			}
			return 0.6 + 0.4*min(1, float64(n)/float64(dots+1))
		}
		if strings.HasSuffix("."+strings.TrimSuffix(full, "."+typ), "."+namespace) {
			return 0.6
		}
		return 0
	}
	if namespace == typ || strings.Contains(file, namespace) {
		return 0.85
	}
	if lastName(namespace) == lastName(typ) {
		if outer := lastName(owner(namespace)); outer == "" || strings.Contains(typ, outer) || strings.Contains(file, outer) {
			return 0.85
		}
		return 0.15 // a class of that name elsewhere
	}
	switch namespace {
	case "Object", "Module", "exports", "module.exports", "Function":
		return 0.5
	}
	return 0
}

// namespaceFits compares a qualified class name as loggers write it with package and class. Packages
// may be abbreviated to any of their beginnings: f.m.s.BasicServiceImpl. typ is "" when only the
// package is of interest.
func namespaceFits(namespace, pkg, typ string) float64 {
	// Frames may begin with a class loader or a module: app//com.acme.Shop, java.base/java.lang.Thread.
	ns := strings.Split(namespace[strings.LastIndexByte(namespace, '/')+1:], ".")
	have := strings.Split(pkg, ".")
	if pkg == "" {
		have = nil
	}
	if typ == "" {
		// The namespace ends in a class that is not compared.
		if len(ns) > len(have) {
			ns = ns[:len(have)]
		}
		return abbreviated(ns, have)
	}
	types := strings.Split(typ, ".")
	for cut := 0; cut < len(types) && cut < 3; cut++ { // inner classes may be left out
		t := types[:len(types)-cut]
		if len(ns) < len(t) || !equal(ns[len(ns)-len(t):], t) {
			if len(ns) >= 1 && cut == 0 && len(t) > 1 && ns[len(ns)-1] == t[len(t)-1] {
				return 0.6
			}
			continue
		}
		rest := ns[:len(ns)-len(t)]
		if len(rest) == 0 {
			return 0.85
		}
		if a := abbreviated(rest, have); a > 0 {
			return a
		}
	}
	return 0
}

// abbreviated compares packages element by element; 1 when all are written out.
func abbreviated(short, full []string) float64 {
	if len(short) == 0 || len(short) > len(full) {
		return 0
	}
	full = full[len(full)-len(short):]
	score := 1.0
	for i := range short {
		switch {
		case short[i] == full[i]:
		case short[i] != "" && strings.HasPrefix(full[i], short[i]):
			score = 0.95
		default:
			return 0
		}
	}
	return score
}

func equal(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// typeHits finds a class, type or module by a logger's name or a code.namespace.
func (x *Index) typeHits(namespace string) []hit {
	if namespace == "" {
		return nil
	}
	namespace = strings.ReplaceAll(namespace, "$", ".")
	name := lastName(namespace[strings.LastIndexByte(namespace, '/')+1:])
	var out []hit
	for _, r := range x.named(name) {
		e := x.entries[r.entry]
		f := e.facts()
		s := &f.Symbols[r.symbol]
		if s.Kind != facts.Class && s.Kind != facts.Interface && s.Kind != facts.Type {
			continue
		}
		fit := 0.85
		if f.Language == "java" {
			fit = namespaceFits(namespace, f.Package, s.Name)
		}
		if fit == 0 {
			continue
		}
		out = append(out, hit{r, s.From, 0.3 + 0.35*fit, fmt.Sprintf("type %s", short(namespace))})
	}
	if len(out) > 0 {
		return out
	}
	// A Python module or a Go package.
	slashed := strings.ReplaceAll(namespace, ".", "/")
	for i, e := range x.entries {
		stem := strings.TrimSuffix(strings.TrimSuffix(e.path, path.Ext(e.path)), "/__init__")
		if strings.HasSuffix("/"+stem, "/"+slashed) {
			out = append(out, hit{ref{i, facts.None}, 1, 0.35, fmt.Sprintf("module %s", short(namespace))})
		}
	}
	return out
}
