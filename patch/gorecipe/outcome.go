package gorecipe

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// outcome is a set of what may be known of the call on a way through the body.
type outcome uint8

const (
	undecided outcome = 1 << iota
	failed
	succeeded
)

// walker follows the ways through a loop's body.
type walker struct {
	file  *file
	back  outcome // at continue statements
	depth int     // inside inner loops, switches and selects, where break means something else
	inner int     // inside inner loops, where continue does too
}

// block walks statements from a state and returns the state in which they fall through; 0 when they
// never do.
func (w *walker) block(list []ast.Stmt, in outcome) outcome {
	for _, s := range list {
		if in == 0 {
			return 0
		}
		in = w.stmt(s, in)
	}
	return in
}

func (w *walker) stmt(s ast.Stmt, in outcome) outcome {
	switch s := s.(type) {
	case *ast.ReturnStmt:
		return 0
	case *ast.BranchStmt:
		switch s.Tok {
		case token.CONTINUE:
			if w.inner == 0 || s.Label != nil {
				w.back |= in
			}
			return 0
		case token.BREAK:
			if w.depth == 0 || s.Label != nil {
				return 0
			}
			return in // leaves the switch only; the caller adds it to the ways that go on
		case token.GOTO:
			w.back |= in | undecided // beyond this analysis
			return 0
		}
	case *ast.BlockStmt:
		return w.block(s.List, in)
	case *ast.LabeledStmt:
		return w.stmt(s.Stmt, in)
	case *ast.IfStmt:
		if s.Init != nil {
			in = w.stmt(s.Init, in)
		}
		yes, no := w.cond(s.Cond, in)
		out := w.block(s.Body.List, yes)
		if s.Else != nil {
			return out | w.stmt(s.Else, no)
		}
		return out | no
	case *ast.SwitchStmt:
		return w.cases(s, in)
	case *ast.TypeSwitchStmt:
		return w.clauses(s.Body, in)
	case *ast.SelectStmt:
		return w.clauses(s.Body, in)
	case *ast.ForStmt:
		w.depth, w.inner = w.depth+1, w.inner+1
		out := w.block(s.Body.List, in)
		w.depth, w.inner = w.depth-1, w.inner-1
		return out | in
	case *ast.RangeStmt:
		w.depth, w.inner = w.depth+1, w.inner+1
		out := w.block(s.Body.List, in)
		w.depth, w.inner = w.depth-1, w.inner-1
		return out | in
	case *ast.ExprStmt:
		if call, ok := s.X.(*ast.CallExpr); ok {
			if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" {
				return 0
			}
			if sel, ok := call.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Fatal" || sel.Sel.Name == "Fatalf" || sel.Sel.Name == "Exit") {
				return 0
			}
		}
	}
	return in
}

// cases walks a switch: without a tag its cases are an if chain, with the status as tag they tell success
// and failure apart.
func (w *walker) cases(s *ast.SwitchStmt, in outcome) outcome {
	if s.Init != nil {
		in = w.stmt(s.Init, in)
	}
	w.depth++
	defer func() { w.depth-- }()
	var out outcome
	rest, hasDefault := in, false
	status := s.Tag != nil && isStatus(s.Tag)
	var deflt *ast.CaseClause
	for _, c := range s.Body.List {
		c := c.(*ast.CaseClause)
		if c.List == nil {
			deflt, hasDefault = c, true
			continue
		}
		var yes outcome
		for _, e := range c.List {
			switch {
			case s.Tag == nil:
				var y outcome
				y, rest = w.cond(e, rest)
				yes |= y
			case status:
				if bad, known := badStatus(e); known && bad {
					yes |= failed
				} else if known {
					yes |= succeeded
				} else {
					yes |= in
				}
			default:
				yes |= in
			}
		}
		out |= w.block(c.Body, yes)
	}
	if hasDefault {
		return out | w.block(deflt.Body, rest)
	}
	return out | rest
}

func (w *walker) clauses(body *ast.BlockStmt, in outcome) outcome {
	w.depth++
	defer func() { w.depth-- }()
	var out outcome
	for _, c := range body.List {
		switch c := c.(type) {
		case *ast.CaseClause:
			out |= w.block(c.Body, in)
		case *ast.CommClause:
			out |= w.block(c.Body, in)
		}
	}
	return out | in
}

var (
	errorName = regexp.MustCompile(`^[a-zA-Z]*[eE]rr(or)?[0-9]*$`)
	retryName = regexp.MustCompile(`(?i)(retr(y|iable|yable)|transient|temporary|unavailable|overloaded|throttled|5xx|serverError|shouldTryAgain)`)
	stopName  = regexp.MustCompile(`(?i)(permanent|fatal|terminal|nonRetr|notRetr|unrecoverable)`)
)

// cond splits a state by a condition: the states in which it holds and in which it does not.
func (w *walker) cond(e ast.Expr, in outcome) (yes, no outcome) {
	if in == 0 {
		return 0, 0
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return w.cond(e.X, in)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			no, yes = w.cond(e.X, in)
			return yes, no
		}
	case *ast.CallExpr:
		name := callName(e)
		switch {
		case stopName.MatchString(name):
			return in, in
		case retryName.MatchString(name), name == "Is" || name == "As":
			// Only a failure is asked whether it can be tried again.
			rest := in
			if in == undecided && name != "Is" && name != "As" {
				rest = undecided | succeeded
			}
			return failed, rest
		}
	case *ast.BinaryExpr:
		switch e.Op {
		case token.LAND:
			y1, n1 := w.cond(e.X, in)
			y2, n2 := w.cond(e.Y, y1)
			return y2, n1 | n2
		case token.LOR:
			y1, n1 := w.cond(e.X, in)
			y2, n2 := w.cond(e.Y, n1)
			return y1 | y2, n2
		case token.EQL, token.NEQ:
			if isNil(e.Y) || isNil(e.X) {
				x := e.X
				if isNil(x) {
					x = e.Y
				}
				yes, no = w.nilness(x, in)
				if e.Op == token.NEQ {
					yes, no = no, yes
				}
				return yes, no
			}
		}
		if bad, known := statusCond(e); known {
			if bad {
				return failed, keepFailed(in)
			}
			return keepFailed(in), failed
		}
	}
	return in, in
}

// keepFailed is what is known after a good status: success, unless the call had failed before.
func keepFailed(in outcome) outcome {
	if in == failed {
		return failed
	}
	return succeeded
}

// nilness splits by x == nil: of an error it means success, of an answer that there is none.
func (w *walker) nilness(x ast.Expr, in outcome) (yes, no outcome) {
	name := ""
	switch x := x.(type) {
	case *ast.Ident:
		name = x.Name
	case *ast.SelectorExpr:
		name = x.Sel.Name
	case *ast.CallExpr:
		if sel, ok := x.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Err" {
			return in, in // ctx.Err() says nothing of the call
		}
		return keepFailed(in), failed // if fn() == nil
	}
	if errorName.MatchString(name) {
		return keepFailed(in), failed
	}
	lowerName := strings.ToLower(name)
	if strings.Contains(lowerName, "resp") || strings.Contains(lowerName, "res") || strings.Contains(lowerName, "conn") {
		return failed, in
	}
	return in, in
}
