package pyrecipe

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
)

// retryLoop is a loop that repeats a failing call.
type retryLoop struct {
	function ts.Node
	loop     ts.Node
	counter  string
	rename   ts.Node // the _ of "for _ in range", which gets a name
	start    int     // the counter in the first round
	attempts int     // 0 when the code does not tell
	handler  ts.Node // the except clause that goes on to the next round, None for retries on a result
	call     ts.Node // the call that is repeated
}

// findRetryLoop finds the retry loop of the function at a line: the innermost around the line, or the only one.
func findRetryLoop(s *source, line int) (retryLoop, error) {
	f := s.functionAt(line)
	if f == ts.None {
		return retryLoop{}, errNoFunction
	}
	var found []retryLoop
	var why error
	for _, n := range s.own(f, "for_statement", "while_statement") {
		l, err := s.readRetryLoop(f, n)
		if err != nil {
			if why == nil || !errors.Is(err, errNoRetry) {
				why = err
			}
			continue
		}
		found = append(found, l)
	}
	if len(found) > 1 {
		at := slices.DeleteFunc(slices.Clone(found), func(l retryLoop) bool { return s.line(l.loop) > line || s.tree.LastLine(l.loop) < line })
		if len(at) == 0 {
			return retryLoop{}, fmt.Errorf("%s has %d loops that retry; which of them is meant is not known", s.name(f), len(found))
		}
		found = at[len(at)-1:]
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if why == nil {
		why = errNoRetry
	}
	return retryLoop{}, fmt.Errorf("%s: %w", s.name(f), why)
}

var errNoRetry = errors.New("there is no loop that counts attempts and repeats a failing call")

func (s *source) readRetryLoop(f, n ts.Node) (retryLoop, error) {
	l := retryLoop{function: f, loop: n, handler: ts.None, call: ts.None, rename: ts.None}
	body := s.child(n, "body")
	if !l.repeats(s, body) {
		return l, errNoRetry
	}
	for _, c := range s.own(f, "call") {
		if name := s.text(s.child(c, "function")); s.inside(c, body) && (name == "sleep" || strings.HasSuffix(name, ".sleep")) {
			if t := s.text(s.child(c, "arguments")); strings.Contains(t, "**") || strings.Contains(t, "<<") || strings.Contains(t, "random") {
				return l, errors.New("the loop backs off already")
			}
		}
	}
	if s.is(n, "for_statement") {
		return l, l.readRange(s)
	}
	return l, l.readCounter(s, body)
}

// repeats looks for what makes another round: an except clause that does not leave the loop, or a result
// that is returned on a condition only.
func (l *retryLoop) repeats(s *source, body ts.Node) bool {
	for _, t := range s.own(l.function, "try_statement") {
		if !s.inside(t, body) || s.enclosing(t, "for_statement", "while_statement") != l.loop {
			continue
		}
		for _, h := range s.children(t) {
			if !s.is(h, "except_clause") {
				continue
			}
			b := s.children(s.ofKind(h, "block"))
			if len(b) == 0 || s.is(b[len(b)-1], "raise_statement", "return_statement", "break_statement") {
				continue
			}
			l.handler = h
			l.call = s.outerCall(s.child(t, "body"))
			return l.call != ts.None
		}
	}
	conditional := false
	for _, r := range s.own(l.function, "return_statement", "break_statement") {
		if s.inside(r, body) && s.is(s.enclosing(r, "if_statement", "for_statement", "while_statement"), "if_statement") {
			conditional = true
		}
	}
	if !conditional {
		return false
	}
	l.call = s.outerCall(body)
	return l.call != ts.None
}

// outerCall is the first call in a block that may be the one to another service: no builtin, no logging, nothing
// of the standard library but its network modules.
func (s *source) outerCall(block ts.Node) ts.Node {
	for _, c := range s.all(block, "call") {
		f := s.text(s.child(c, "function"))
		lower := strings.ToLower(f)
		if strings.Contains(lower, "log") || strings.Contains(lower, "span") || strings.HasSuffix(lower, "sleep") || s.harmless(s.child(c, "function")) {
			continue
		}
		return c
	}
	return ts.None
}

// harmless reports functions that stay within the process: builtins, methods of literals and of results of
// such functions, and most of the standard library.
func (s *source) harmless(f ts.Node) bool {
	switch s.kind(f) {
	case "call":
		return s.harmless(s.child(f, "function"))
	case "attribute":
		return s.harmless(s.child(f, "object"))
	case "identifier":
	default:
		return true
	}
	name := s.text(f)
	for _, i := range s.topImports() {
		module := s.importModule(i)
		top, _, _ := strings.Cut(module, ".")
		if !stdlib(module) || slices.Contains([]string{"urllib", "http", "socket", "ssl", "smtplib", "sqlite3", "subprocess", "asyncio", "xmlrpc"}, top) {
			continue
		}
		for _, c := range s.children(i) {
			if s.tree.Field(c) == "name" && (s.text(c) == name || s.is(c, "aliased_import") && s.text(s.child(c, "alias")) == name) {
				return true
			}
		}
	}
	return !s.binds(s.tree.Root(), name)
}

func (l *retryLoop) readRange(s *source) error {
	left := s.child(l.loop, "left")
	right := s.child(l.loop, "right")
	if !s.is(left, "identifier") || !s.is(right, "call") || s.text(s.child(right, "function")) != "range" {
		return errNoRetry
	}
	args := s.children(s.child(right, "arguments"))
	if len(args) == 3 {
		return errors.New("the loop counts in steps")
	}
	if len(args) == 2 {
		if !s.is(args[0], "integer") {
			return errors.New("the loop's first count is not a constant")
		}
		l.start = number(s.text(args[0]))
	}
	l.counter = s.text(left)
	if l.counter == "_" {
		l.counter, l.rename = "attempt", left
		if s.binds(l.function, "attempt") || s.binds(s.tree.Root(), "attempt") {
			return errors.New("the loop does not name its count")
		}
	}
	l.attempts, _ = s.rangeCount(l.loop)
	return nil
}

// rangeCount is the number of rounds of a loop over range, where the code tells.
func (s *source) rangeCount(loop ts.Node) (int, bool) {
	right := s.child(loop, "right")
	if !s.is(right, "call") || s.text(s.child(right, "function")) != "range" {
		return 0, false
	}
	args := s.children(s.child(right, "arguments"))
	if len(args) == 0 || len(args) > 2 {
		return 0, false
	}
	end, ok := s.constant(args[len(args)-1], 0)
	from := 0
	if len(args) == 2 {
		from, _ = s.constant(args[0], 0)
	}
	return end - from, ok && end > from
}

// constant is the value of an integer, of a module's constant, or of a sum of such.
func (s *source) constant(n ts.Node, depth int) (int, bool) {
	if depth > 4 {
		return 0, false
	}
	switch s.kind(n) {
	case "integer":
		v := number(strings.ReplaceAll(s.text(n), "_", ""))
		return v, v < 1000
	case "binary_operator":
		a, ok1 := s.constant(s.child(n, "left"), depth+1)
		b, ok2 := s.constant(s.child(n, "right"), depth+1)
		if s.text(s.child(n, "operator")) == "-" {
			b = -b
		} else if s.text(s.child(n, "operator")) != "+" {
			return 0, false
		}
		return a + b, ok1 && ok2
	case "identifier":
		v, count := ts.None, 0
		for _, a := range s.all(s.tree.Root(), "assignment") {
			if s.text(s.child(a, "left")) == s.text(n) {
				v = s.child(a, "right")
				count++
			}
		}
		if count == 1 {
			return s.constant(v, depth+1)
		}
	}
	return 0, false
}

// readCounter handles while loops over a counter that grows by one.
func (l *retryLoop) readCounter(s *source, body ts.Node) error {
	for _, a := range s.own(l.function, "augmented_assignment") {
		if !s.inside(a, body) || s.text(s.child(a, "operator")) != "+=" || s.text(s.child(a, "right")) != "1" {
			continue
		}
		name := s.text(s.child(a, "left"))
		for _, b := range s.own(l.function, "assignment") {
			if b < l.loop && s.text(s.child(b, "left")) == name && s.is(s.child(b, "right"), "integer") {
				if l.counter != "" {
					return errors.New("the loop keeps more than one count")
				}
				l.counter, l.start = name, number(s.text(s.child(b, "right")))
			}
		}
	}
	if l.counter == "" {
		return errNoRetry
	}
	for _, c := range append([]ts.Node{s.child(l.loop, "condition")}, s.own(l.function, "comparison_operator")...) {
		parts := strings.Fields(s.text(c))
		if len(parts) != 3 || parts[0] != l.counter || c != s.child(l.loop, "condition") && !s.inside(c, body) {
			continue
		}
		operands := s.children(c)
		limit, ok := s.constant(operands[len(operands)-1], 0)
		if !ok {
			continue
		}
		switch parts[1] {
		case "<", ">=":
			l.attempts = limit - l.start
		case "<=", ">":
			l.attempts = limit - l.start + 1
		}
		break
	}
	return nil
}

// backOff puts the delay at the top of the loop: whatever way leads to another round, it passes there.
func (l retryLoop) backOff(s *source, g *guard, sleep, base string) ([]edit, error) {
	first := s.children(s.child(l.loop, "body"))[0]
	ind, err := s.indent(first)
	if err != nil {
		return nil, err
	}
	nl, unit := s.newline(), s.unit()
	exponent := fmt.Sprintf("(%s - %d)", l.counter, l.start+1)
	if l.start+1 == 0 {
		exponent = l.counter
	}
	text := ind + fmt.Sprintf("if %s > %d and %s:", l.counter, l.start, g.on) + nl
	text += ind + unit + fmt.Sprintf("%s(%s * 2 ** %s * random.uniform(0.5, 1))", sleep, base, exponent) + nl
	text += g.lines(ind+unit, unit, nl)
	at := s.lineStart(s.tree.Start(first))
	edits := []edit{{at, at, text}}
	if l.rename != ts.None {
		edits = append(edits, edit{s.tree.Start(l.rename), s.tree.Stop(l.rename), l.counter})
	}
	return edits, nil
}
