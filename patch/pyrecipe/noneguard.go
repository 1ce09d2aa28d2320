package pyrecipe

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	ts "github.com/remediator/remediator/codeindex/treesitter"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

type noneGuard struct{}

// NewNoneGuard returns the recipe for a None that is dereferenced. It skips statements that add to what is
// there already, takes the way out that the function itself takes for other missing values, or uses the
// default that the code gives for the same expression elsewhere. Where the code shows none of these, what a
// missing value means is a decision, and it is left to a person.
func NewNoneGuard() patch.Recipe { return noneGuard{} }

func (noneGuard) Name() string     { return "py-none-guard@1" }
func (noneGuard) Rung() patch.Rung { return patch.Code }

// noneError is what an exception says about the None.
type noneError struct {
	attribute string // that None does not have; anyAttribute when telemetry masks it
	subscript bool
	iteration bool
}

// anyAttribute is what a mined message has in place of a name with digits.
const anyAttribute = "<*>"

var noneMessages = []struct {
	re  *regexp.Regexp
	set func(*noneError, string)
}{
	{regexp.MustCompile(`'?NoneType'? object has no attribute '?([A-Za-z_][A-Za-z0-9_]*|<\*>)'?`), func(e *noneError, a string) { e.attribute = a }},
	{regexp.MustCompile(`'?NoneType'? object is not (subscriptable)`), func(e *noneError, _ string) { e.subscript = true }},
	{regexp.MustCompile(`'?NoneType'? object is not (iterable)`), func(e *noneError, _ string) { e.iteration = true }},
}

// readNoneError finds the error in everything a pattern and the hints of a suspect say.
func readNoneError(s localize.Suspect) (noneError, bool) {
	var texts []string
	for _, p := range s.Patterns {
		if p.Kind != localize.PatternException {
			continue
		}
		texts = append(texts, p.Text)
		keys := make([]string, 0, len(p.Detail))
		for k := range p.Detail {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			texts = append(texts, p.Detail[k])
		}
	}
	if len(texts) == 0 {
		return noneError{}, false
	}
	for _, h := range s.Hints {
		texts = append(texts, h.Text)
	}
	for _, t := range texts {
		for _, m := range noneMessages {
			if found := m.re.FindStringSubmatch(t); found != nil {
				var e noneError
				m.set(&e, found[1])
				return e, true
			}
		}
	}
	return noneError{}, false
}

func (r noneGuard) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	e, ok := readNoneError(in.Suspects[i])
	if !ok {
		return nil, nil
	}
	var why string
	for _, p := range places(in, i) {
		s, err := open(in.Base, p.file)
		if err != nil {
			why = err.Error()
			continue
		}
		at := fmt.Sprintf("%s:%d", p.file, p.line)
		d, err := findDereference(s, p.line, e)
		if err != nil {
			why = at + ": " + err.Error()
			continue
		}
		if _, err := guardNone(s, d, &guard{on: "True"}); err != nil {
			return nil, []patch.Left{{Rung: patch.Code, Recipe: r.Name(), Why: at + ": " + err.Error()}}
		}
		return []patch.Option{{
			ID:     "code-py-none-guard",
			Rung:   patch.Code,
			Title:  "Handle a missing value in " + s.qualified(d.function),
			Why:    fmt.Sprintf("%s fails at %s because %s is None there", s.qualified(d.function), at, d.what(s)),
			Recipe: r.Name(),
			Params: map[string]string{"file": p.file, "line": fmt.Sprint(p.line)},
			Target: p.file + ":" + s.qualified(d.function),
			Size:   3,
		}}, nil
	}
	if why == "" {
		return nil, nil // not Python
	}
	return nil, []patch.Left{{Rung: patch.Code, Recipe: r.Name(), Why: why}}
}

func (r noneGuard) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	e, ok := readNoneError(in.Suspects[o.Suspect])
	if !ok {
		return nil, errors.New("the suspect shows no dereference of None any more")
	}
	s, err := open(in.Base, o.Params["file"])
	if err != nil {
		return nil, err
	}
	d, err := findDereference(s, number(o.Params["line"]), e)
	if err != nil {
		return nil, err
	}
	g, err := newGuard(in, o.Suspect, s, d.function, "none_guard")
	if err != nil {
		return nil, err
	}
	fix, err := guardNone(s, d, g)
	if err != nil {
		return nil, err
	}
	p, err := finish(in, s, o, g, fix.edits)
	if err != nil {
		return nil, err
	}
	p.Summary = []string{fix.summary}
	p.Risks = []string{"Why the value is missing is not explained by this change; the guard keeps the request alive without it."}
	return p, addTest(in, p, s, g, noneTest(s, d, g, fix))
}

// dereference is a place where an attribute, an item or the elements of None are asked for.
type dereference struct {
	function ts.Node
	node     ts.Node // the whole expression object.attribute, with the call around it if there is one
	object   ts.Node
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]{0,60}$`)

// what names the value that is None, where its expression is fit for a message.
func (d dereference) what(s *source) string {
	if t := s.text(d.object); plainName.MatchString(t) {
		return t
	}
	return "a value"
}

// findDereference finds the one expression on a line that the error can be about.
func findDereference(s *source, line int, e noneError) (dereference, error) {
	f := s.functionAt(line)
	if f == ts.None {
		return dereference{}, errNoFunction
	}
	var found []dereference
	add := func(node, object, where ts.Node) {
		if s.line(where) != line && s.tree.LastLine(where) != line {
			return
		}
		if owner := s.enclosing(node, "function_definition", "lambda"); owner != f {
			return
		}
		if s.neverNone(f, object) {
			return
		}
		for _, o := range found {
			if s.text(o.object) == s.text(object) {
				return
			}
		}
		if up := s.up(node); s.is(up, "call") && s.tree.Field(node) == "function" {
			node = up
		}
		found = append(found, dereference{f, node, object})
	}
	switch {
	case e.attribute != "":
		for _, n := range s.all(f, "attribute") {
			if a := s.child(n, "attribute"); s.text(a) == e.attribute || e.attribute == anyAttribute {
				add(n, s.child(n, "object"), a)
			}
		}
	case e.subscript:
		for _, n := range s.all(f, "subscript") {
			add(n, s.child(n, "value"), n)
		}
	case e.iteration:
		for _, n := range s.all(f, "for_statement") {
			if right := s.child(n, "right"); s.line(right) == line {
				add(right, right, right)
			}
		}
	}
	switch len(found) {
	case 0:
		return dereference{}, errors.New("no expression on this line fits the error; the base may not be the deployed commit")
	case 1:
		return found[0], nil
	}
	if e.subscript { // of a["x"]["y"], the inner value exists if the outer is what failed; nobody can tell which
		return dereference{}, errors.New("several values on this line are subscripted; which of them is None is not known")
	}
	return dereference{}, fmt.Errorf("several values on this line have .%s; which of them is None is not known", e.attribute)
}

// neverNone reports objects that cannot be what was None: self, modules, literals, and what an earlier
// statement on the way has asked for an attribute or an item already.
func (s *source) neverNone(f, object ts.Node) bool {
	if s.is(object, "string", "list", "dictionary", "tuple", "concatenated_string") {
		return true
	}
	text := s.text(object)
	if params := s.params(f); s.class(f) != ts.None && len(params) > 0 && text == params[0].name && !s.decorated(f, "staticmethod") {
		return true
	}
	for _, i := range s.topImports() {
		for _, c := range s.children(i) {
			if s.tree.Field(c) == "name" && s.is(i, "import_statement") && s.text(c) == text {
				return true
			}
		}
	}
	st := s.statement(object)
	for _, a := range s.own(f, "attribute", "subscript") {
		o := s.child(a, "object")
		if s.is(a, "subscript") {
			o = s.child(a, "value")
		}
		if s.text(o) != text || a >= st {
			continue
		}
		// Evaluated for certain: in a statement of a block around this one, outside any branch of it.
		earlier := s.statement(a)
		if s.inside(st, s.up(earlier)) && s.certain(a, earlier) {
			return true
		}
		if s.inside(st, earlier) && s.tree.Field(s.topOf(a, earlier)) == "condition" && s.certain(a, earlier) {
			return true
		}
	}
	return false
}

// certain reports whether the evaluation of outer, as far as its own line goes, includes n.
func (s *source) certain(n, outer ts.Node) bool {
	for at := n; at != outer && at != ts.None; at = s.up(at) {
		up := s.up(at)
		if s.is(up, "lambda", "list_comprehension", "dictionary_comprehension", "set_comprehension", "generator_expression", "block") ||
			s.is(up, "boolean_operator") && s.tree.Field(at) == "right" || s.is(up, "conditional_expression") && s.children(up)[1] != at || s.is(up, "elif_clause") {
			return false
		}
	}
	return true
}

// topOf is the child of outer that holds n.
func (s *source) topOf(n, outer ts.Node) ts.Node {
	for s.up(n) != outer && n != ts.None {
		n = s.up(n)
	}
	return n
}

// pure reports expressions that can be evaluated once more without effect: names, attributes, items by
// constant, and .get("key").
func (s *source) pure(n ts.Node) bool {
	switch s.kind(n) {
	case "identifier":
		return true
	case "attribute":
		return s.pure(s.child(n, "object"))
	case "subscript":
		k := s.child(n, "subscript")
		return s.pure(s.child(n, "value")) && (s.is(k, "string", "integer", "identifier")) && s.literalOrName(k)
	case "call":
		return s.getKey(n) != "" && s.pure(s.child(s.child(n, "function"), "object"))
	case "parenthesized_expression":
		return s.pure(s.tree.First(n))
	}
	return false
}

func (s *source) literalOrName(n ts.Node) bool { return s.is(n, "identifier") || s.literal(n) }
