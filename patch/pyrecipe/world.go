package pyrecipe

import (
	"fmt"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
)

// world is what a generated test has to set up so that a function takes the way to a statement: values
// for the parts of its arguments, of its object and of the module that the code looks at.
type world struct {
	s        *source
	function ts.Node
	values   map[string]string // access key -> Python expression
	accesses map[string]access
	// amount is what arithmetic is done with where nothing else is demanded.
	amount float64
	// raises are calls that have to raise: access key of the call -> exception expression.
	raises map[string]string
}

func newWorld(s *source, function ts.Node) *world {
	return &world{s: s, function: function, values: map[string]string{}, accesses: map[string]access{}, amount: 1, raises: map[string]string{}}
}

// set demands a value; false when another one is demanded already, or something has to be reached
// through a value that is no object.
func (w *world) set(a access, value string) bool {
	k := a.key()
	if old, ok := w.values[k]; ok {
		return old == value
	}
	for other := range w.accesses {
		// A part of something that must be None, or None of which a part is needed.
		if v, ok := w.values[other]; ok && v == "None" && strings.HasPrefix(k, other) && other != k {
			return false
		}
		if value == "None" && strings.HasPrefix(other, k) && other != k {
			return false
		}
	}
	w.values[k], w.accesses[k] = value, a
	return true
}

func (w *world) value(a access) (string, bool) { v, ok := w.values[a.key()]; return v, ok }

// reach makes the function take the way to the statement: every condition on the way holds, and no
// earlier statement leaves.
func (w *world) reach(n ts.Node) error {
	s := w.s
	for at := n; at != w.function && at != ts.None; at = s.up(at) {
		up := s.up(at)
		switch s.kind(up) {
		case "if_statement":
			if err := w.branch(up, at); err != nil {
				return err
			}
		case "while_statement":
			if s.tree.Field(at) == "body" && !w.satisfy(s.child(up, "condition"), true) {
				return w.lost(s.child(up, "condition"))
			}
		case "for_statement":
			if s.tree.Field(at) == "body" && !w.iterates(s.child(up, "right")) {
				return w.lost(s.child(up, "right"))
			}
		case "except_clause", "except_group_clause", "finally_clause", "match_statement", "case_clause":
			return fmt.Errorf("it lies in a handler or a match statement (line %d)", s.line(up))
		case "conditional_expression":
			parts := s.children(up)
			if len(parts) != 3 || at != parts[1] && !w.satisfy(parts[1], at == parts[0]) {
				return w.lost(up)
			}
		case "block":
			if err := w.pass(up, at); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) lost(n ts.Node) error {
	return fmt.Errorf("the condition on line %d cannot be met by a generated argument", w.s.line(n))
}

// branch makes an if statement take the branch that at is.
func (w *world) branch(statement, at ts.Node) error {
	s := w.s
	if s.tree.Field(at) == "condition" {
		return nil
	}
	if s.tree.Field(at) == "consequence" {
		if c := s.child(statement, "condition"); !w.satisfy(c, true) {
			return w.lost(c)
		}
		return nil
	}
	if c := s.child(statement, "condition"); !w.satisfy(c, false) {
		return w.lost(c)
	}
	for _, other := range s.children(statement) {
		if !s.is(other, "elif_clause") {
			continue
		}
		if c := s.child(other, "condition"); !w.satisfy(c, other == at) {
			return w.lost(c)
		}
		if other == at {
			break
		}
	}
	return nil
}

// pass makes the statements before at in a block not leave it.
func (w *world) pass(block, at ts.Node) error {
	s := w.s
	for _, c := range s.children(block) {
		if c >= at {
			return nil
		}
		if s.is(c, "assert_statement") && !w.satisfy(s.tree.First(c), true) {
			return w.lost(c)
		}
		if !s.is(c, "if_statement") {
			continue
		}
		conditions := []ts.Node{c}
		for _, e := range s.children(c) {
			if s.is(e, "elif_clause") {
				conditions = append(conditions, e)
			}
		}
		for _, e := range conditions {
			body := s.child(e, "consequence")
			if s.leaves(body) && !w.satisfy(s.child(e, "condition"), false) {
				return w.lost(e)
			}
		}
	}
	return nil
}

// leaves reports a block that does not run on to the statement after it.
func (s *source) leaves(block ts.Node) bool {
	c := s.children(block)
	return len(c) > 0 && s.is(c[len(c)-1], "return_statement", "raise_statement", "continue_statement", "break_statement")
}

func (w *world) iterates(n ts.Node) bool {
	s := w.s
	switch s.kind(n) {
	case "list", "tuple", "set", "string":
		return len(s.children(n)) > 0
	case "call":
		if f := s.text(s.child(n, "function")); f == "range" || f == "enumerate" || f == "sorted" || f == "reversed" || f == "list" {
			args := s.children(s.child(n, "arguments"))
			if f == "range" {
				return len(args) > 0
			}
			return len(args) > 0 && w.iterates(args[0])
		}
	}
	a, ok := s.resolve(w.function, n, 0)
	if !ok {
		return false
	}
	key := a.with(step{elemStep, ""})
	if _, set := w.values[key.key()]; !set {
		w.accesses[key.key()] = key
	}
	return true
}
