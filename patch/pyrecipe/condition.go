package pyrecipe

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
)

// satisfy makes a condition true or false by demanding values; false when it does not know how.
func (w *world) satisfy(c ts.Node, want bool) bool {
	s := w.s
	switch s.kind(c) {
	case "parenthesized_expression":
		return w.satisfy(s.tree.First(c), want)
	case "true":
		return want
	case "false", "none":
		return !want
	case "not_operator":
		return w.satisfy(s.child(c, "argument"), !want)
	case "boolean_operator":
		l, r := s.child(c, "left"), s.child(c, "right")
		if (s.text(s.child(c, "operator")) == "and") == want {
			return w.satisfy(l, want) && w.satisfy(r, want)
		}
		saved, reached := maps.Clone(w.values), maps.Clone(w.accesses)
		if w.satisfy(l, want) {
			return true
		}
		w.values, w.accesses = saved, reached
		return w.satisfy(r, want)
	case "comparison_operator":
		return w.compare(c, want)
	case "call":
		if ok, done := w.predicate(c, want); done {
			return ok
		}
	}
	a, ok := s.resolve(w.function, c, 0)
	if !ok {
		return false
	}
	return w.truth(a, want)
}

func (w *world) truth(a access, want bool) bool {
	if v, ok := w.value(a); ok {
		falsy := v == "None" || v == "0" || v == "False" || v == `""` || v == "[]" || v == "{}"
		return falsy != want
	}
	if want {
		for k := range w.accesses { // reached through: it is an object already
			if strings.HasPrefix(k, a.key()) && k != a.key() {
				return true
			}
		}
		return w.set(a, "True")
	}
	return w.set(a, "None") || w.set(a, "False")
}

// predicate handles isinstance and the tests of strings.
func (w *world) predicate(c ts.Node, want bool) (ok, done bool) {
	s := w.s
	f := s.child(c, "function")
	args := s.children(s.child(c, "arguments"))
	if s.text(f) == "isinstance" && len(args) == 2 {
		a, ok := s.resolve(w.function, args[0], 0)
		if !ok {
			return false, true
		}
		sample := map[string]string{"str": `"x"`, "int": "1", "float": "1.0", "dict": `{"x": 1}`, "list": "[1]", "bool": "True"}[s.text(args[1])]
		if !want {
			return true, true
		}
		return sample != "" && w.set(a, sample), true
	}
	if s.is(f, "attribute") && len(args) == 1 && s.is(args[0], "string") {
		m := s.text(s.child(f, "attribute"))
		if m == "startswith" || m == "endswith" {
			a, ok := s.resolve(w.function, s.child(f, "object"), 0)
			v := s.text(args[0])
			if !want {
				v = `"~"`
			}
			return ok && w.set(a, v), true
		}
	}
	return false, false
}

func (w *world) compare(c ts.Node, want bool) bool {
	s := w.s
	var operands []ts.Node
	var op string
	for n := range s.tree.Children(c) {
		if s.tree.Field(n) == "operators" {
			op += s.text(n) + " "
			continue
		}
		operands = append(operands, n)
	}
	op = strings.Join(strings.Fields(op), " ")
	if len(operands) != 2 {
		return false
	}
	l, r := s.moduleConstant(w.function, operands[0]), s.moduleConstant(w.function, operands[1])
	if s.literal(l) && !s.literal(r) { // 3 < x is x > 3
		l, r = r, l
		op = map[string]string{"<": ">", ">": "<", "<=": ">=", ">=": "<="}[op] + map[bool]string{true: op}[op == "==" || op == "!="]
	}
	if !want {
		op = map[string]string{"==": "!=", "!=": "==", "<": ">=", ">": "<=", "<=": ">", ">=": "<", "in": "not in", "not in": "in", "is": "is not", "is not": "is"}[op]
	}
	if op == "" {
		return false
	}
	if call := l; s.is(call, "call") && s.text(s.child(call, "function")) == "len" && s.is(r, "integer") {
		return w.length(call, op, s.text(r))
	}
	if held, counted := w.counted(l, op, r); counted {
		return held
	}
	a, ok := s.resolve(w.function, l, 0)
	if !ok {
		return w.grown(l, op, r)
	}
	if s.is(r, "list", "tuple", "set") {
		var first ts.Node = ts.None
		for _, e := range s.children(r) {
			if s.literal(e) {
				first = e
				break
			}
		}
		switch {
		case op == "in" && first != ts.None:
			return w.set(a, s.text(first))
		case op == "not in":
			return true // a stand-in equals none of them
		}
		return false
	}
	if !s.literal(r) {
		b, ok := s.resolve(w.function, r, 0)
		if !ok {
			return false
		}
		pair := map[string][2]string{"<": {"1", "2"}, "<=": {"1", "1"}, ">": {"2", "1"}, ">=": {"1", "1"}, "==": {"1", "1"}, "!=": {"1", "2"}}[op]
		return pair[0] != "" && w.set(a, pair[0]) && w.set(b, pair[1])
	}
	if s.is(r, "none") {
		switch op {
		case "is", "==":
			return w.set(a, "None")
		}
		return w.truthy(a)
	}
	if v, have := w.value(a); have {
		return holds(v, op, s.text(r))
	}
	switch op {
	case "==", "is":
		return w.set(a, s.text(r))
	case "!=", "is not":
		if s.is(r, "integer", "float") {
			return w.set(a, shifted(s.text(r), 1))
		}
		return w.set(a, `"~"`)
	case ">":
		return w.number(a, r, 1)
	case "<":
		return w.number(a, r, -1)
	case ">=", "<=":
		return w.number(a, r, 0)
	}
	return false
}

// moduleConstant is the number or text that a name of the module stands for, where it is assigned once; else
// the expression itself.
func (s *source) moduleConstant(function, n ts.Node) ts.Node {
	if !s.is(n, "identifier") || s.binds(function, s.text(n)) {
		return n
	}
	found := n
	count := 0
	for _, a := range s.all(s.tree.Root(), "assignment") {
		if s.text(s.child(a, "left")) == s.text(n) {
			found = s.child(a, "right")
			count++
		}
	}
	if count != 1 || !s.is(found, "integer", "float", "string") || !s.literal(found) {
		return n
	}
	return found
}

// counted handles a local count that starts from a constant: what holds at first lets the code in.
func (w *world) counted(l ts.Node, op string, r ts.Node) (held, counted bool) {
	s := w.s
	if !s.is(l, "identifier") {
		return false, false
	}
	limit, ok := s.constant(r, 0)
	if !ok {
		return false, false
	}
	for _, a := range s.own(w.function, "assignment") {
		if a < l && s.text(s.child(a, "left")) == s.text(l) && s.is(s.child(a, "right"), "integer") {
			held, counted = holds(s.text(s.child(a, "right")), op, strconv.Itoa(limit)), true
		}
	}
	// A sum that is to exceed something is not a count.
	return held, counted && (held || op != ">" && op != ">=")
}

// grown handles a local sum that has to exceed a number: everything that is added up is made large.
func (w *world) grown(l ts.Node, op string, r ts.Node) bool {
	s := w.s
	limit, err := strconv.ParseFloat(s.text(r), 64)
	if err != nil || limit <= 0 || op != ">" && op != ">=" || !s.is(l, "identifier") {
		return false
	}
	added := false
	for _, a := range s.own(w.function, "augmented_assignment") {
		if a < l && s.text(s.child(a, "left")) == s.text(l) {
			if s.text(s.child(a, "operator")) != "+=" {
				return false
			}
			added = true
		}
	}
	if added {
		w.amount = max(w.amount, limit+1)
	}
	return added
}

// truthy is "not None": whatever stands there already will do unless it is None.
func (w *world) truthy(a access) bool {
	if v, ok := w.value(a); ok {
		return v != "None"
	}
	w.accesses[a.key()] = a
	return true
}

func (w *world) number(a access, r ts.Node, delta float64) bool {
	return w.s.is(r, "integer", "float", "unary_operator") && w.set(a, shifted(w.s.text(r), delta))
}

func (w *world) length(call ts.Node, op, n string) bool {
	args := w.s.children(w.s.child(call, "arguments"))
	limit, err := strconv.Atoi(n)
	if len(args) != 1 || err != nil || limit > 20 || limit < 0 {
		return false
	}
	size := limit
	switch op {
	case ">", "!=":
		size++
	case "<":
		size--
	}
	a, ok := w.s.resolve(w.function, args[0], 0)
	return ok && size >= 0 && w.set(a, "["+strings.TrimSuffix(strings.Repeat("1, ", size), ", ")+"]")
}

func holds(v, op, r string) bool {
	a, err1 := strconv.ParseFloat(v, 64)
	b, err2 := strconv.ParseFloat(r, 64)
	if err1 != nil || err2 != nil {
		return op == "==" && v == r || op == "!=" && v != r
	}
	return map[string]bool{"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
}

func shifted(number string, delta float64) string {
	v, err := strconv.ParseFloat(strings.ReplaceAll(number, "_", ""), 64)
	if err != nil {
		return number
	}
	return strconv.FormatFloat(v+delta, 'f', -1, 64)
}

// literal reports constants, whose text can be copied into a test.
func (s *source) literal(n ts.Node) bool {
	switch s.kind(n) {
	case "integer", "float", "true", "false", "none":
		return true
	case "string":
		return len(s.all(n, "interpolation")) == 0 && !strings.Contains(s.text(n), "\n") && len(s.text(n)) < 200
	case "unary_operator":
		return s.literal(s.child(n, "argument"))
	case "list", "tuple", "dictionary":
		return len(s.children(n)) == 0
	}
	return false
}

// numbers gives 1 to what arithmetic is done with and what nothing else is demanded of.
func (w *world) numbers() {
	s := w.s
	for _, n := range s.own(w.function, "attribute", "subscript", "identifier", "call") {
		up := s.up(n)
		numeric := false
		switch s.kind(up) {
		case "binary_operator":
			other := s.child(up, "left")
			if other == n {
				other = s.child(up, "right")
			}
			numeric = s.tree.Field(n) != "" && !s.is(other, "string", "list", "concatenated_string")
			if op := s.text(s.child(up, "operator")); op == "%" && s.is(s.child(up, "left"), "string") {
				numeric = false
			}
		case "comparison_operator":
			t := s.text(up)
			numeric = strings.ContainsAny(t, "<>")
		case "augmented_assignment":
			numeric = s.tree.Field(n) == "right" && !s.is(n, "call")
		case "interpolation":
			numeric = s.ofKind(up, "format_specifier") != ts.None
		case "pair":
			// A body to be serialised: a stand-in could not be.
			numeric = s.tree.Field(n) == "value"
		case "argument_list":
			f := s.text(s.child(s.up(up), "function"))
			numeric = slices.Contains([]string{"round", "int", "float", "abs", "range", "min", "max", "json.dumps"}, f)
		}
		if !numeric {
			continue
		}
		a, ok := s.resolve(w.function, n, 0)
		if !ok || a.kind == globalRoot && !slices.ContainsFunc(a.steps, func(st step) bool { return st.kind == callStep }) {
			continue
		}
		if _, known := w.values[a.key()]; known || w.part(a) {
			continue
		}
		if a.kind == globalRoot && !w.roots()[a.root] {
			continue // nothing else of it is replaced
		}
		w.set(a, short(w.amount))
	}
}

// words gives text to the parts of an address that nothing else is demanded of.
func (w *world) words(e ts.Node) {
	s := w.s
	for _, n := range s.all(e, "identifier", "attribute", "subscript") {
		up := s.up(n)
		if !s.is(up, "interpolation") && !(s.is(up, "binary_operator") && s.text(s.child(up, "operator")) == "+") {
			continue
		}
		if a, ok := s.resolve(w.function, n, 0); ok && a.kind != globalRoot && w.values[a.key()] == "" && !w.part(a) {
			w.set(a, `"/1"`)
		}
	}
}

// part reports whether something is reached through a, or a through a value that is set.
func (w *world) part(a access) bool {
	k := a.key()
	for other := range w.accesses {
		if other != k && (strings.HasPrefix(other, k) || w.values[other] != "" && strings.HasPrefix(k, other)) {
			return true
		}
	}
	return false
}

// roots are the names of the module that the test has to replace.
func (w *world) roots() map[string]bool {
	out := map[string]bool{}
	for _, a := range w.accesses {
		if a.kind == globalRoot {
			out[a.root] = true
		}
	}
	return out
}
