package pyrecipe

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
)

// checkWords are names of code that decides whether something is accepted; skipping it would accept more.
var checkWords = regexp.MustCompile(`(?i)(valid|verif|authent|authori[sz]|permi|check|assert|csrf|sign(ature|ed)|sanit|escape|ensure|require|forbid|deny|allow|restrict|limit)`)

// noneFix is a safe rewrite.
type noneFix struct {
	edits   []edit
	summary string
	result  string // expression the function returns for the missing value, "" when not known
}

// guardNone chooses the rewrite, by the statement the dereference is in.
func guardNone(s *source, d dereference, g *guard) (noneFix, error) {
	st := s.statement(d.node)
	if !s.pure(d.object) {
		return noneFix{}, errors.New("the value that is None comes out of a call that must not be made twice; keep it in a variable and decide what to do without it")
	}
	if checkWords.MatchString(s.name(d.function)) || checkWords.MatchString(s.text(d.node)) {
		return noneFix{}, errors.New("the code decides whether something is accepted; what a missing value means there is for a person to decide")
	}
	for n := s.up(d.node); n != st && n != ts.None; n = s.up(n) {
		switch s.kind(n) {
		case "boolean_operator", "conditional_expression", "lambda", "list_comprehension", "dictionary_comprehension", "set_comprehension", "generator_expression":
			return noneFix{}, errors.New("the value is read in an expression that is not always evaluated; a guard before the statement would read it too early")
		}
	}
	if f, ok := s.defaultElsewhere(d, g); ok {
		return f, nil
	}
	if f, ok := s.getChain(d, g); ok {
		return f, nil
	}
	switch s.kind(st) {
	case "expression_statement":
		return s.guardStatement(d, st, g)
	case "return_statement":
		return s.leaveEarly(d, st, g)
	case "for_statement":
		if s.inside(d.node, s.child(st, "right")) && (d.node == s.child(st, "right") || s.is(d.node, "call", "attribute", "subscript")) && !s.otherReads(s.child(st, "right"), d) {
			right := s.child(st, "right")
			return s.valueInstead(d, right, "()", g, "takes the loop as one over nothing")
		}
	}
	return noneFix{}, fmt.Errorf("the value is read by %s; what should happen without it is not evident from the code", statementName(s.kind(st)))
}

func statementName(kind string) string {
	switch kind {
	case "if_statement", "elif_clause":
		return "a condition"
	case "while_statement":
		return "a loop's condition"
	case "raise_statement", "assert_statement":
		return "a check"
	case "with_statement":
		return "a with statement"
	}
	return "a " + strings.ReplaceAll(kind, "_", " ")
}

// otherReads reports calls in n beside the dereference itself, which a replacement would not make.
func (s *source) otherReads(n ts.Node, d dereference) bool {
	for _, c := range s.all(n, "call") {
		if !s.inside(c, d.node) && c != d.node {
			return true
		}
	}
	return false
}

func (s *source) condition(d dereference, g *guard) string {
	return s.text(d.object) + " is None and " + g.on
}

// valueInstead replaces the expression n by a conditional one; off and not None evaluate n as before.
func (s *source) valueInstead(d dereference, n ts.Node, value string, g *guard, words string) (noneFix, error) {
	summary := fmt.Sprintf("With the flag on, %s %s when the value is None.", s.qualified(d.function), words)
	if edits, ok := s.statementInstead(d, n, value, g); ok {
		return noneFix{edits: edits, summary: summary}, nil
	}
	from, to := s.tree.Start(n), s.tree.Stop(n)
	text := fmt.Sprintf("%s if %s else %s", value, s.condition(d, g), s.text(n))
	if up := s.up(n); !s.is(up, "return_statement", "argument_list", "keyword_argument", "parenthesized_expression", "tuple", "list", "assignment") {
		text = "(" + text + ")"
	}
	edits := []edit{{from, to, text}}
	if len(g.marks) > 0 {
		st := s.statement(n)
		ind, err := s.indent(st)
		if err != nil {
			return noneFix{}, err
		}
		at, nl := s.lineStart(s.tree.Start(st)), s.newline()
		edits = append(edits, edit{at, at, ind + "if " + s.condition(d, g) + ":" + nl + g.lines(ind+s.unit(), s.unit(), nl)})
	}
	return noneFix{edits: edits, summary: summary}, nil
}

// statementInstead writes a branch of its own where the expression is all that a statement assigns or returns.
func (s *source) statementInstead(d dereference, n ts.Node, value string, g *guard) ([]edit, bool) {
	st := s.statement(n)
	ind, err := s.indent(st)
	up := s.up(n)
	if err != nil || strings.Contains(s.text(st), "\n") || s.kind(n) == "" {
		return nil, false
	}
	nl, unit := s.newline(), s.unit()
	branch := ind + "if " + s.condition(d, g) + ":" + nl + g.lines(ind+unit, unit, nl) + ind + unit
	at := s.lineStart(s.tree.Start(st))
	switch {
	case s.is(st, "return_statement") && up == st:
		return []edit{{at, at, branch + "return " + value + nl}}, true
	case s.is(up, "assignment") && s.tree.Field(n) == "right" && s.up(up) == st:
		name := s.text(s.child(up, "left"))
		return []edit{{at, at, branch + name + " = " + value + nl + ind + "else:" + nl + unit}}, true
	}
	return nil, false
}

// defaultElsewhere uses the default that the file gives for the same expression: "x.y if x else DEFAULT".
func (s *source) defaultElsewhere(d dereference, g *guard) (noneFix, bool) {
	var values []string
	for _, c := range s.all(s.tree.Root(), "conditional_expression") {
		parts := s.children(c)
		if len(parts) != 3 || !s.literal(parts[2]) || s.text(parts[0]) != s.text(d.node) {
			continue
		}
		o := s.text(d.object)
		if t := s.text(parts[1]); t == o || t == o+" is not None" {
			values = append(values, s.text(parts[2]))
		}
	}
	slices.Sort(values)
	if values = slices.Compact(values); len(values) != 1 {
		return noneFix{}, false
	}
	f, err := s.valueInstead(d, d.node, values[0], g, "uses "+values[0]+", the default the code gives for this expression elsewhere,")
	return f, err == nil
}

// getChain turns X.get("a").get("b", D) into D when X.get("a") is None: a missing key and a missing parent
// are the same to the caller.
func (s *source) getChain(d dereference, g *guard) (noneFix, bool) {
	if !s.is(d.node, "call") || s.getKey(d.node) == "" || !s.is(d.object, "call") || s.getKey(d.object) == "" {
		return noneFix{}, false
	}
	value := "None"
	if args := s.children(s.child(d.node, "arguments")); len(args) == 2 {
		if !s.literal(args[1]) {
			return noneFix{}, false
		}
		value = s.text(args[1])
	}
	// A None that is dereferenced at once would only move the failure.
	if up := s.up(d.node); value == "None" && s.is(up, "attribute", "subscript", "binary_operator") {
		return noneFix{}, false
	}
	f, err := s.valueInstead(d, d.node, value, g, "takes a missing parent as it takes a missing key, with "+value+",")
	return f, err == nil
}

// guardStatement skips a statement whose effect only adds to what is there.
func (s *source) guardStatement(d dereference, st ts.Node, g *guard) (noneFix, error) {
	inner := s.tree.First(st)
	if s.is(inner, "await") {
		inner = s.tree.First(inner)
	}
	switch s.kind(inner) {
	case "augmented_assignment", "call":
	case "assignment":
		if !s.keepsEarlierValue(d, st, inner) {
			return s.leaveEarly(d, st, g)
		}
	default:
		return noneFix{}, errors.New("what the statement does without the value is not evident from the code")
	}
	last, err := s.skippableRun(d, st)
	if err != nil {
		if f, e := s.leaveEarly(d, st, g); e == nil {
			return f, nil
		}
		return noneFix{}, err
	}
	edits, err := s.skip(d, st, last, g)
	if err != nil {
		return noneFix{}, err
	}
	words := "skips the statement that needs the value"
	if last != st {
		words = "skips the statements that need the value"
	}
	return noneFix{edits: edits, summary: fmt.Sprintf("With the flag on, %s %s when it is None; everything else runs as before.", s.qualified(d.function), words)}, nil
}

// keepsEarlierValue reports whether the name that the statement assigns has a value from the same round of the
// same loop, so that skipping leaves a meaningful one.
func (s *source) keepsEarlierValue(d dereference, st, assignment ts.Node) bool {
	left := s.child(assignment, "left")
	if !s.is(left, "identifier") || s.text(left) == s.text(d.object) {
		return false
	}
	loop := s.enclosing(st, "for_statement", "while_statement", "function_definition")
	for _, a := range s.own(d.function, "assignment") {
		if a >= assignment || s.text(s.child(a, "left")) != s.text(left) || s.is(s.child(a, "right"), "none") {
			continue
		}
		// Unconditional: its block is one that holds the statement too.
		block := s.up(s.statement(a))
		if s.inside(st, block) && s.enclosing(a, "for_statement", "while_statement", "function_definition") == loop {
			return true
		}
	}
	return false
}

// skippableRun extends the statement to those right after it that need the same value; a later one that
// needs it too would fail all the same.
func (s *source) skippableRun(d dereference, st ts.Node) (ts.Node, error) {
	object := s.text(d.object)
	needs := func(n ts.Node) bool {
		for _, a := range s.all(n, "attribute", "subscript") {
			o := s.child(a, "object")
			if s.is(a, "subscript") {
				o = s.child(a, "value")
			}
			if s.text(o) == object {
				return true
			}
		}
		return false
	}
	last := st
	block := s.up(st)
	for n := s.tree.Next(block, st); n != ts.None; n = s.tree.Next(block, n) {
		if s.is(n, "comment") {
			continue
		}
		inner := s.tree.First(n)
		if !needs(n) {
			continue
		}
		// Statements between, which do not need the value, are not to be skipped.
		if p := s.previous(block, n); p != last || !s.is(n, "expression_statement") || !s.is(inner, "augmented_assignment", "call") || checkWords.MatchString(s.text(n)) {
			return ts.None, fmt.Errorf("line %d needs the value too; what should happen there without it is for a person to decide", s.line(n))
		}
		last = n
	}
	return last, nil
}

func (s *source) previous(block, n ts.Node) ts.Node {
	p := ts.None
	for c := range s.tree.Children(block) {
		if c == n {
			return p
		}
		if !s.is(c, "comment") {
			p = c
		}
	}
	return p
}

// skip puts the statements from first to last under a condition, one step further in.
func (s *source) skip(d dereference, first, last ts.Node, g *guard) ([]edit, error) {
	ind, err := s.indent(first)
	if err != nil {
		return nil, err
	}
	nl, unit := s.newline(), s.unit()
	from, to := s.lineStart(s.tree.Start(first)), s.tree.Stop(last)
	for _, str := range s.all(first, "string") {
		if strings.Contains(s.text(str), "\n") {
			return nil, errors.New("the statement holds a text over several lines, which moving it would change")
		}
	}
	head := ind + "if " + s.condition(d, g) + ":" + nl + g.lines(ind+unit, unit, nl) + ind + "else:" + nl
	edits := []edit{{from, from, head + unit}}
	for at := from; ; {
		k := strings.IndexByte(string(s.src[at:to]), '\n')
		if k < 0 {
			break
		}
		at += k + 1
		if at < to && s.src[at] != '\n' && s.src[at] != '\r' {
			edits = append(edits, edit{at, at, unit})
		}
	}
	return edits, nil
}

// leaveEarly takes the way out that the function takes for other missing values: the one literal that its
// guards return.
func (s *source) leaveEarly(d dereference, st ts.Node, g *guard) (noneFix, error) {
	undecided := errors.New("what the function should answer without the value is not evident from its code; a person has to decide")
	if s.generator(d.function) {
		return noneFix{}, undecided
	}
	var values []string
	for _, c := range s.own(d.function, "if_statement") {
		if c >= st || !s.missing(s.child(c, "condition")) {
			continue
		}
		body := s.children(s.child(c, "consequence"))
		if len(body) != 1 || !s.is(body[0], "return_statement") {
			continue
		}
		v := s.children(body[0])
		if len(v) == 0 {
			values = append(values, "")
		} else if len(v) == 1 && s.literal(v[0]) && s.text(v[0]) != "True" {
			values = append(values, " "+s.text(v[0]))
		}
	}
	slices.Sort(values)
	if values = slices.Compact(values); len(values) != 1 {
		return noneFix{}, undecided
	}
	if s.enclosing(st, "for_statement", "while_statement") != ts.None && s.inside(s.enclosing(st, "for_statement", "while_statement"), d.function) {
		return noneFix{}, undecided // one element without the value does not end the whole
	}
	ind, err := s.indent(st)
	if err != nil {
		return noneFix{}, err
	}
	nl, unit := s.newline(), s.unit()
	text := ind + "if " + s.condition(d, g) + ":" + nl
	text += g.lines(ind+unit, unit, nl)
	text += ind + unit + "return" + values[0] + nl
	at := s.lineStart(s.tree.Start(st))
	result := strings.TrimSpace(values[0])
	if result == "" {
		result = "None"
	}
	return noneFix{edits: []edit{{at, at, text}}, result: result,
		summary: fmt.Sprintf("With the flag on, %s returns %s when the value is None, as it does for other missing values.", s.qualified(d.function), result)}, nil
}

// missing reports conditions that ask whether something is absent.
func (s *source) missing(c ts.Node) bool {
	switch s.kind(c) {
	case "not_operator":
		return s.pure(s.child(c, "argument"))
	case "comparison_operator":
		t := strings.Join(strings.Fields(s.text(c)), " ")
		return strings.HasSuffix(t, " is None") || strings.HasSuffix(t, " == None") || strings.HasSuffix(t, " == 0")
	case "boolean_operator":
		return s.text(s.child(c, "operator")) == "or" && s.missing(s.child(c, "left")) && s.missing(s.child(c, "right"))
	case "parenthesized_expression":
		return s.missing(s.tree.First(c))
	}
	return false
}
