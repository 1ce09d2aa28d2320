package localize

import (
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// routes finds the parts of literal paths that identify one thing although they look like words: a
// customer's name, a slug. Where instrumentation records no route, every such path would be an
// operation of its own, and the case against one operation would be split among hundreds. A
// position of a path is variable where its values are many and either rare, while the names of
// endpoints come again and again, or followed by the same, while each endpoint has parts of its
// own; so Drain tells variables from words too (He et al., ICWS 2017), though by token.
type routes struct {
	roots map[routeKey]*segment
	nodes int
}

type routeKey struct {
	service string
	kind    telemetry.Kind
	method  string
}

// segment is one position of the paths that share what stands before it.
type segment struct {
	count    float64
	children map[string]*segment
	variable bool
}

const (
	// learnedSpans bounds how much of each window is looked at: variety shows soon.
	learnedSpans = 50000
	maxSegments  = 12
	maxNodes     = 50000
	// manyValues and rareShare say from when on a position is variable.
	manyValues = 30
	rareShare  = 4 // one distinct value in so many requests
	anything   = "{id}"
)

func newRoutes() *routes { return &routes{roots: map[routeKey]*segment{}} }

// literalPath is the path that a span records in place of a route, "" when it records a route or no
// path at all.
func literalPath(s *telemetry.Span) string {
	if s.Attrs.First(telemetry.AttrHTTPRoute, telemetry.AttrURLTemplate, telemetry.AttrDBSystem) != "" {
		return ""
	}
	if s.Attrs.First(telemetry.AttrURLPath, telemetry.AttrURLFull) != "" {
		return s.Route()
	}
	// Some instrumentations put the path into the name alone.
	if i := strings.IndexByte(s.Name, '/'); i >= 0 && s.Attrs.Get(telemetry.AttrHTTPMethod) != "" {
		return telemetry.NormalRoute(s.Name[i:])
	}
	return ""
}

func (r *routes) key(s *telemetry.Span) routeKey {
	return routeKey{s.Resource.Service, s.Kind, s.Attrs.Get(telemetry.AttrHTTPMethod)}
}

// learn looks at the paths of a window.
func (r *routes) learn(spans []telemetry.Span) {
	for i := range spans[:min(len(spans), learnedSpans)] {
		s := &spans[i]
		p := literalPath(s)
		if p == "" || p == "/" {
			continue
		}
		k := r.key(s)
		at := r.roots[k]
		if at == nil {
			at = &segment{}
			r.roots[k] = at
		}
		at.count++
		for n, part := range strings.Split(strings.Trim(p, "/"), "/") {
			if n >= maxSegments || r.nodes >= maxNodes {
				break
			}
			next := at.children[part]
			if next == nil {
				if at.children == nil {
					at.children = map[string]*segment{}
				}
				next = &segment{}
				at.children[part] = next
				r.nodes++
			}
			next.count++
			at = next
		}
	}
}

// settle decides which positions are variable.
func (r *routes) settle() {
	for k, s := range r.roots {
		if !s.settle() {
			delete(r.roots, k) // nothing to mask
		}
	}
}

// settle reports whether the position or one behind it is variable.
func (s *segment) settle() bool {
	found := false
	if n := float64(len(s.children)); n > manyValues && (n*rareShare > s.count || s.alike()) {
		s.variable, found = true, true
		// What stands behind the values is one subtree.
		all := &segment{}
		names := make([]string, 0, len(s.children))
		for name := range s.children {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			all.absorb(s.children[name])
		}
		s.children = map[string]*segment{anything: all}
	}
	for _, c := range s.children {
		if c.settle() {
			found = true
		}
	}
	return found
}

// alike says that nearly all values of a position are followed by the same part.
func (s *segment) alike() bool {
	follow := map[string]int{}
	for _, c := range s.children {
		for name := range c.children {
			follow[name]++
		}
	}
	most := 0
	for _, n := range follow {
		most = max(most, n)
	}
	return most*5 >= len(s.children)*4
}

func (s *segment) absorb(other *segment) {
	s.count += other.count
	for name, c := range other.children {
		if s.children == nil {
			s.children = map[string]*segment{}
		}
		if s.children[name] == nil {
			s.children[name] = &segment{}
		}
		s.children[name].absorb(c)
	}
}

// of is the span's path with variable parts masked; ok is false when nothing in it is masked.
func (r *routes) of(s *telemetry.Span) (route string, ok bool) {
	if len(r.roots) == 0 {
		return "", false
	}
	at := r.roots[r.key(s)]
	if at == nil {
		return "", false
	}
	p := literalPath(s)
	if p == "" {
		return "", false
	}
	parts := strings.Split(strings.Trim(p, "/"), "/")
	for i := range parts[:min(len(parts), maxSegments)] {
		if at == nil {
			break
		}
		if at.variable {
			parts[i], ok = anything, true
		}
		at = at.children[parts[i]]
	}
	return "/" + strings.Join(parts, "/"), ok
}
