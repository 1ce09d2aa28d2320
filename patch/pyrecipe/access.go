package pyrecipe

import (
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
)

// stepKind is one way to get from a value to another.
type stepKind byte

const (
	attrStep  stepKind = '.'
	itemStep  stepKind = '['
	callStep  stepKind = '('
	elemStep  stepKind = '*' // an element met while iterating
	enterStep stepKind = 'w' // what a with statement binds
	awaitStep stepKind = 'a'
)

type step struct {
	kind stepKind
	name string // attribute name, or the key as written
}

// rootKind says what a value is reached from.
type rootKind byte

const (
	paramRoot rootKind = iota
	selfRoot
	globalRoot
)

// access is the way from something a test controls to a value that code computes.
type access struct {
	kind  rootKind
	root  string
	steps []step
}

func (a access) key() string {
	var b strings.Builder
	b.WriteByte('0' + byte(a.kind))
	// Every part ends in a NUL, so that a key is a prefix of another only where the way is.
	b.WriteString(a.root + "\x00")
	for _, s := range a.steps {
		b.WriteByte(byte(s.kind))
		b.WriteString(s.name + "\x00")
	}
	return b.String()
}

func (a access) with(s step) access {
	a.steps = append(a.steps[:len(a.steps):len(a.steps)], s)
	return a
}

// resolve follows an expression, through local variables that are assigned once, to a parameter, to
// self or to a name of the module.
func (s *source) resolve(function, e ts.Node, depth int) (access, bool) {
	if depth > 12 || e == ts.None {
		return access{}, false
	}
	next := func(n ts.Node, st step) (access, bool) {
		a, ok := s.resolve(function, n, depth+1)
		return a.with(st), ok
	}
	switch s.kind(e) {
	case "parenthesized_expression":
		return s.resolve(function, s.tree.First(e), depth+1)
	case "identifier":
		return s.resolveName(function, e, depth)
	case "attribute":
		return next(s.child(e, "object"), step{attrStep, s.text(s.child(e, "attribute"))})
	case "subscript":
		key := s.child(e, "subscript")
		if !s.is(key, "string", "integer") || strings.ContainsAny(s.text(key), "{\n") {
			return access{}, false
		}
		if s.is(key, "integer") {
			return next(s.child(e, "value"), step{elemStep, ""})
		}
		return next(s.child(e, "value"), step{itemStep, s.text(key)})
	case "call":
		f := s.child(e, "function")
		if key := s.getKey(e); key != "" {
			return next(s.child(f, "object"), step{itemStep, key})
		}
		return next(f, step{callStep, ""})
	case "await":
		return next(s.tree.First(e), step{awaitStep, ""})
	}
	return access{}, false
}

// getKey is the literal key of a call X.get("key"[, default]), "" for any other call.
func (s *source) getKey(call ts.Node) string {
	f := s.child(call, "function")
	if !s.is(f, "attribute") || s.text(s.child(f, "attribute")) != "get" {
		return ""
	}
	args := s.children(s.child(call, "arguments"))
	if len(args) < 1 || len(args) > 2 || !s.is(args[0], "string") || strings.ContainsAny(s.text(args[0]), "{\n/") {
		return ""
	}
	return s.text(args[0])
}

func (s *source) resolveName(function, e ts.Node, depth int) (access, bool) {
	name := s.text(e)
	var assigned ts.Node = ts.None
	count := 0
	for _, a := range s.own(function, "assignment", "augmented_assignment", "named_expression", "for_statement", "for_in_clause", "as_pattern", "pattern_list", "tuple_pattern") {
		switch s.kind(a) {
		case "pattern_list", "tuple_pattern":
			for _, c := range s.children(a) {
				if s.text(c) == name {
					return access{}, false // unpacking says nothing about where the part comes from
				}
			}
			continue
		case "as_pattern":
			if t := s.child(a, "alias"); t == ts.None || s.text(t) != name {
				continue
			}
		default:
			left := s.child(a, "left")
			if left == ts.None {
				left = s.child(a, "name")
			}
			if s.text(left) != name {
				continue
			}
		}
		if s.tree.Start(a) > s.tree.Start(e) {
			continue // assigned later; a loop may bring it back, which the test does not follow
		}
		if s.kind(a) == "augmented_assignment" {
			return access{}, false
		}
		assigned = a
		count++
	}
	if count > 1 {
		return access{}, false
	}
	if assigned != ts.None {
		switch s.kind(assigned) {
		case "assignment":
			return s.resolve(function, s.child(assigned, "right"), depth+1)
		case "named_expression":
			return s.resolve(function, s.child(assigned, "value"), depth+1)
		case "for_statement", "for_in_clause":
			a, ok := s.resolve(function, s.child(assigned, "right"), depth+1)
			return a.with(step{elemStep, ""}), ok
		default:
			if !s.is(s.up(assigned), "with_item") {
				return access{}, false // the exception of an except clause
			}
			a, ok := s.resolve(function, s.tree.First(assigned), depth+1)
			return a.with(step{enterStep, ""}), ok
		}
	}
	for k, p := range s.params(function) {
		if p.name == name {
			if k == 0 && s.class(function) != ts.None && !s.decorated(function, "staticmethod") {
				return access{kind: selfRoot, root: name}, true
			}
			return access{kind: paramRoot, root: name}, true
		}
	}
	if s.binds(s.tree.Root(), name) && s.enclosing(function, "function_definition") == ts.None {
		return access{kind: globalRoot, root: name}, true
	}
	return access{}, false
}

// param is one parameter of a function.
type param struct {
	name     string
	optional bool
	keyword  bool // can be given by keyword only
	variadic bool
}

func (s *source) params(function ts.Node) (out []param) {
	keyword := false
	for _, n := range s.children(s.child(function, "parameters")) {
		p := param{keyword: keyword}
		switch s.kind(n) {
		case "identifier":
			p.name = s.text(n)
		case "default_parameter", "typed_default_parameter":
			p.name, p.optional = s.text(s.child(n, "name")), true
		case "typed_parameter":
			first := s.tree.First(n)
			p.name, p.variadic = strings.TrimLeft(s.text(first), "*"), !s.is(first, "identifier")
			if p.variadic {
				keyword = true
			}
		case "list_splat_pattern":
			p.name, p.variadic, keyword = strings.TrimLeft(s.text(n), "*"), true, true
		case "dictionary_splat_pattern":
			p.name, p.variadic = strings.TrimLeft(s.text(n), "*"), true
		case "keyword_separator":
			keyword = true
			continue
		default:
			continue
		}
		out = append(out, p)
	}
	return out
}

// decorated reports whether a function carries the decorator, by its last name.
func (s *source) decorated(function ts.Node, decorator string) bool {
	d := s.up(function)
	if !s.is(d, "decorated_definition") {
		return false
	}
	for _, n := range s.children(d) {
		if !s.is(n, "decorator") {
			continue
		}
		t := strings.TrimSpace(strings.TrimPrefix(s.text(n), "@"))
		t, _, _ = strings.Cut(t, "(")
		if t == decorator || strings.HasSuffix(t, "."+decorator) {
			return true
		}
	}
	return false
}

func (s *source) async(function ts.Node) bool {
	return strings.HasPrefix(s.text(function), "async")
}

func (s *source) generator(function ts.Node) bool { return len(s.own(function, "yield")) > 0 }
