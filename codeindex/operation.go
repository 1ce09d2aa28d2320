package codeindex

import (
	"fmt"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// routeHits explains a route by its handler, and with less certainty by its registration.
func (x *Index) routeHits(method, route string, base float64) []hit {
	if len(route) > maxLead {
		return nil
	}
	if m, r, ok := splitOperation(route); ok && r != "" {
		route = r
		if method == "" {
			method = m
		}
	}
	method = strings.ToUpper(method)
	mounts := x.mounts()
	var out []hit
	x.eachSite(facts.Route, nil, func(entry int, f *facts.File, s *facts.Site) {
		text := x.resolve(entry, s.Text)
		score, part := sameRoute(text, route)
		if score < 0.9 {
			if m, ok := mounts[x.entries[entry].path]; ok {
				for _, prefix := range m {
					if t, _ := sameRoute(join(prefix, text), route); t*0.98 > score {
						score, part, text = t*0.98, "", join(prefix, text)
					}
				}
			}
		}
		if score == 0 {
			return
		}
		switch {
		case method == "" || strings.Contains(","+s.Method+",", ","+method+","):
		case s.Method == "":
			score *= 0.9
		case method == "HEAD" && s.Method == "GET":
			score *= 0.9
		default:
			return
		}
		score *= base
		what := strings.TrimSpace(s.Method + " " + text)
		how := fmt.Sprintf("handler of the route %s, registered at %s:%d by %s", what, x.entries[entry].path, s.Line, s.Via)
		if part != "" {
			how = fmt.Sprintf("handler of %s, which agrees with %s of %s", what, part, route)
		}
		found := x.handlerHits(entry, s, method, score, how)
		out = append(out, found...)
		if len(found) == 0 {
			out = append(out, hit{ref{entry, s.Func}, s.Line, 0.7 * score, fmt.Sprintf("registration of the route %s by %s", what, s.Via)})
		} else if found[0].at != (ref{entry, s.Func}) {
			out = append(out, hit{ref{entry, s.Func}, s.Line, 0.35 * score, fmt.Sprintf("registration of the route %s by %s", what, s.Via)})
		}
	})
	return out
}

func join(prefix, route string) string {
	return strings.TrimSuffix(prefix, "/") + "/" + strings.TrimPrefix(route, "/")
}

// mounts gives, per file, the prefixes under which other files mount its routes.
func (x *Index) mounts() map[string][]string {
	out := map[string][]string{}
	x.eachSite(facts.Mount, nil, func(entry int, f *facts.File, s *facts.Site) {
		prefix := x.resolve(entry, s.Text)
		for _, name := range strings.Split(s.Handler, "|") {
			name = strings.TrimSuffix(name, "()")
			if name == "" {
				continue
			}
			for _, t := range x.mounted(entry, f, name) {
				if !contains(out[t], prefix) {
					out[t] = append(out[t], prefix)
				}
			}
		}
	})
	return out
}

// mounted finds the files whose routes a router's name stands for: the imported module, the file
// that declares the name, or the module that a text names (Django's include).
func (x *Index) mounted(entry int, f *facts.File, name string) []string {
	var out []string
	first, _, _ := strings.Cut(name, ".")
	short := lastName(name)
	for i, e := range x.entries {
		if e.sites&(1<<facts.Route) == 0 || i == entry {
			continue
		}
		tf := e.facts()
		switch {
		case imports(f, e.path, tf, first), imports(f, e.path, tf, name):
		case f.Language == "python" && strings.HasSuffix("/"+strings.TrimSuffix(e.path, ".py"), "/"+strings.ReplaceAll(name, ".", "/")):
		case f.Language == "go" && first == tf.Package && name != first:
		case declares(tf, short) && (f.Language == "go" || f.Language == "java"):
		default:
			continue
		}
		out = append(out, e.path)
	}
	return out
}

func declares(f *facts.File, name string) bool {
	for n := range f.Symbols {
		if lastName(f.Symbols[n].Name) == name {
			return true
		}
	}
	return false
}

// handlerHits finds the function that a registration names.
func (x *Index) handlerHits(entry int, s *facts.Site, method string, score float64, how string) []hit {
	e := x.entries[entry]
	f := e.facts()
	if s.HandlerFrom > 0 { // written in place
		at := enclosing(f, s.HandlerFrom)
		for n := range f.Symbols { // a closure of its own begins on the very line
			if sym := &f.Symbols[n]; sym.Kind.Callable() && sym.From == s.HandlerFrom && sym.To == s.HandlerTo {
				at = int32(n)
			}
		}
		return []hit{{ref{entry, at}, s.HandlerFrom, score, how}}
	}
	for _, name := range strings.Split(s.Handler, "|") {
		if name == "" {
			continue
		}
		// A handler in the same file under its full name, as annotations give it.
		for n := range f.Symbols {
			if f.Symbols[n].Name == name && f.Symbols[n].Kind.Callable() {
				return []hit{{ref{entry, int32(n)}, f.Symbols[n].From, score, how}}
			}
		}
		var out []hit
		call := facts.Call{Callee: name, Func: s.Func, Line: s.Line}
		for _, t := range x.targets(entry, &call) {
			tf := x.entries[t.ref.entry].facts()
			sym := &tf.Symbols[t.ref.symbol]
			if sym.Kind == facts.Class { // Django's class-based views: the methods do the work
				for n := range tf.Symbols {
					m := &tf.Symbols[n]
					if owner(m.Name) == sym.Name && m.Kind == facts.Method && httpVerb(lastName(m.Name), method) {
						out = append(out, hit{ref{t.ref.entry, int32(n)}, m.From, score, how})
					}
				}
				if len(out) > 0 {
					return out
				}
			}
			out = append(out, hit{t.ref, sym.From, score * (0.8 + 0.2*t.sure), how})
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

func httpVerb(name, method string) bool {
	switch name {
	case "get", "post", "put", "delete", "patch":
		return method == "" || strings.EqualFold(name, method)
	case "list", "retrieve": // Django REST framework
		return method == "" || method == "GET"
	case "create":
		return method == "" || method == "POST"
	case "update":
		return method == "" || method == "PUT"
	case "partial_update":
		return method == "" || method == "PATCH"
	case "destroy":
		return method == "" || method == "DELETE"
	}
	return false
}
