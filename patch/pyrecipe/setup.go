package pyrecipe

import (
	"fmt"
	"slices"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
)

// script is the body of a generated test in the making: lines with their indentation, of which the
// code that runs under the replaced names comes last.
type script struct {
	lines  []string
	depth  int
	module string // the name of the module under test
}

func (t *script) add(format string, args ...any) {
	if format == "" {
		t.lines = append(t.lines, "")
		return
	}
	t.lines = append(t.lines, strings.Repeat("    ", t.depth)+fmt.Sprintf(format, args...))
}

// with opens a with statement whose body is what is added next.
func (t *script) with(format string, args ...any) {
	t.add("with "+format+":", args...)
	t.depth++
}

// branch is a node of the tree that accesses of one root form.
type branch struct {
	value    string
	raises   string
	children map[step]*branch
	order    []step
}

func (b *branch) to(st step) *branch {
	if b.children == nil {
		b.children = map[step]*branch{}
	}
	c := b.children[st]
	if c == nil {
		c = &branch{}
		b.children[st] = c
		b.order = append(b.order, st)
	}
	return c
}

// trees joins the world's accesses by root.
func (w *world) trees() map[string]*branch {
	out := map[string]*branch{}
	keys := make([]string, 0, len(w.accesses))
	for k := range w.accesses {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		a := w.accesses[k]
		root := string('0'+byte(a.kind)) + a.root
		if out[root] == nil {
			out[root] = &branch{}
		}
		b := out[root]
		for _, st := range a.steps {
			if st.kind == awaitStep {
				continue // build awaits by making the call an AsyncMock
			}
			b = b.to(st)
		}
		b.value = w.values[k]
		b.raises = w.raises[k]
	}
	return out
}

// build writes the lines that give target the shape of b. fresh means that target does not exist yet.
func (t *script) build(target string, b *branch, fresh bool) {
	if b.value != "" {
		t.add("%s = %s", target, b.value)
		return
	}
	if b.raises != "" {
		if fresh {
			t.add("%s = mock.MagicMock()", target)
		}
		t.add("%s.side_effect = %s", target, b.raises)
		return
	}
	items := slices.ContainsFunc(b.order, func(st step) bool { return st.kind == itemStep })
	if items {
		t.add("%s = {}", target)
		for _, st := range b.order {
			if st.kind == itemStep {
				t.build(target+"["+st.name+"]", b.children[st], true)
			}
		}
		return
	}
	for _, st := range b.order {
		if st.kind == elemStep {
			t.add("%s = [mock.MagicMock()]", target)
			t.build(target+"[0]", b.children[st], b.children[st].value != "")
			return
		}
	}
	if fresh {
		t.add("%s = mock.MagicMock()", target)
	}
	for _, st := range b.order {
		c := b.children[st]
		switch st.kind {
		case attrStep:
			t.build(target+"."+st.name, c, false)
		case callStep:
			if c.raises != "" {
				t.add("%s.side_effect = %s", target, c.raises)
				continue
			}
			t.build(target+".return_value", c, false)
		case enterStep:
			t.build(target+".__enter__.return_value", c, false)
		}
	}
}

// prepare writes what the world demands and returns the expression that calls the function.
func (w *world) prepare(t *script) (string, error) {
	s := w.s
	for _, a := range w.accesses {
		for _, st := range a.steps {
			if st.kind == awaitStep {
				return "", fmt.Errorf("line %d waits for something asynchronous, which a generated test does not stand in for", s.line(w.function))
			}
		}
	}
	if s.enclosing(w.function, "function_definition") != ts.None {
		return "", fmt.Errorf("%s is defined inside another function", s.name(w.function))
	}
	trees := w.trees()
	globals := make([]string, 0, len(trees))
	for root := range trees {
		if root[0] == '0'+byte(globalRoot) {
			globals = append(globals, root[1:])
		}
	}
	for _, name := range w.instances() {
		if !slices.Contains(globals, name) {
			globals = append(globals, name)
			trees[string('0'+byte(globalRoot))+name] = &branch{}
		}
	}
	slices.Sort(globals)
	for _, g := range globals {
		b := trees[string('0'+byte(globalRoot))+g]
		if b.value != "" {
			t.with("mock.patch.object(%s, %q, %s)", t.module, g, b.value)
			continue
		}
		if len(b.order) == 0 {
			t.with("mock.patch.object(%s, %q)", t.module, g)
			continue
		}
		stand := "fake_" + strings.Trim(g, "_")
		if plainData(b) {
			t.build(stand, b, true)
			t.with("mock.patch.object(%s, %q, %s)", t.module, g, stand)
			continue
		}
		t.with("mock.patch.object(%s, %q) as %s", t.module, g, stand)
		t.build(stand, b, false)
	}
	return w.call(t, trees)
}

// plainData reports a root that is a dict or a list rather than an object.
func plainData(b *branch) bool {
	return slices.ContainsFunc(b.order, func(st step) bool { return st.kind == itemStep || st.kind == elemStep })
}

// call writes the arguments and the object and returns the call.
func (w *world) call(t *script, trees map[string]*branch) (string, error) {
	s := w.s
	target := t.module + "." + s.name(w.function)
	params := s.params(w.function)
	class := s.class(w.function)
	if class != ts.None {
		if s.enclosing(class, "function_definition", "class_definition") != ts.None {
			return "", fmt.Errorf("the class %s is defined inside something else", s.name(class))
		}
		qualified := t.module + "." + s.name(class)
		switch {
		case s.decorated(w.function, "staticmethod"):
			target = qualified + "." + s.name(w.function)
		case s.decorated(w.function, "classmethod"):
			target = qualified + "." + s.name(w.function)
			params = params[min(1, len(params)):]
		default:
			if len(params) == 0 {
				return "", fmt.Errorf("%s takes no self", s.qualified(w.function))
			}
			w.object(t, class, params[0].name, trees)
			params = params[1:]
			target = "subject." + s.name(w.function)
		}
	}
	var args []string
	for _, p := range params {
		if p.variadic {
			continue
		}
		b := trees[string('0'+byte(paramRoot))+p.name]
		if b == nil && p.optional {
			continue
		}
		if b == nil {
			b = &branch{}
		}
		name := p.name
		if name == t.module || name == "mock" || name == "os" || name == "subject" {
			name += "_value"
		}
		t.build(name, b, true)
		if p.keyword {
			name = p.name + "=" + name
		}
		args = append(args, name)
	}
	call := target + "(" + strings.Join(args, ", ") + ")"
	if class != ts.None && s.decorated(w.function, "property") {
		call = target
	}
	switch {
	case s.async(w.function) && s.generator(w.function):
		return "", fmt.Errorf("%s is an asynchronous generator", s.name(w.function))
	case s.async(w.function):
		return "asyncio.run(" + call + ")", nil
	case s.generator(w.function):
		return "list(" + call + ")", nil
	}
	return call, nil
}

// object makes the object of a method without its constructor, whose arguments are unknown, and gives it the
// attributes that the class looks at.
func (w *world) object(t *script, class ts.Node, self string, trees map[string]*branch) {
	s := w.s
	t.add("subject = object.__new__(%s.%s)", t.module, s.name(class))
	b := trees[string('0'+byte(selfRoot))+self]
	if b == nil {
		b = &branch{}
	}
	defined := map[string]bool{}
	for _, f := range s.all(class, "function_definition") {
		defined[s.name(f)] = true
	}
	for _, a := range s.children(s.child(class, "body")) {
		if as := s.ofKind(a, "assignment"); as != ts.None {
			defined[s.text(s.child(as, "left"))] = true
		}
	}
	seen := map[string]bool{}
	for _, n := range s.all(w.function, "attribute") {
		name := s.text(s.child(n, "attribute"))
		if s.text(s.child(n, "object")) != self || defined[name] || seen[name] || b.children[step{attrStep, name}] != nil {
			continue
		}
		seen[name] = true
		t.add("subject.%s = mock.MagicMock()", name)
	}
	for _, st := range b.order {
		if st.kind == attrStep {
			t.build("subject."+st.name, b.children[st], true)
		}
	}
}

// instances are objects that the module makes when it is imported (a connection, a client) and the function
// uses: a test must not talk to what they are connected to. Loggers and tracers do no harm.
func (w *world) instances() []string {
	s := w.s
	var out []string
	for _, c := range s.children(s.tree.Root()) {
		a := s.ofKind(c, "assignment")
		if a == ts.None || !s.is(s.child(a, "left"), "identifier") || !s.is(s.child(a, "right"), "call") {
			continue
		}
		f := strings.ToLower(s.text(s.child(s.child(a, "right"), "function")))
		name := s.text(s.child(a, "left"))
		harmless := false
		for _, word := range []string{"logg", "tracer", "meter", "counter", "histogram", "compile", "environ", "getenv", "int", "float", "str", "bool", "dict", "list", "set", "tuple", "typevar", "flask", "fastapi", "blueprint", "router", "timedelta", "decimal", "get_client"} {
			harmless = harmless || f == word || len(word) > 4 && strings.Contains(f, word) || strings.HasSuffix(f, "."+word)
		}
		if harmless {
			continue
		}
		for _, n := range s.own(w.function, "identifier") {
			if s.text(n) == name && s.tree.Field(n) != "attribute" {
				out = append(out, name)
				break
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
