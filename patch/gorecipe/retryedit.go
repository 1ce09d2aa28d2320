package gorecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"math/bits"
	"strconv"
	"strings"
)

// retryEdit writes one patch.
type retryEdit struct {
	loop      *retryLoop
	backoff   *backoff
	guard     guard
	r         *rewrite
	ctx       string // expression for the context in scope, "" if none
	helper    string
	aborts    bool // the helper returns an error when the context ends
	carry     string
	telemetry string
}

func (e *retryEdit) edit() ([]byte, error) {
	l, r, f := e.loop, e.r, e.loop.fn
	e.helper = f.file.pkg.freshName(f, lower(f.decl.Name.Name)+"Backoff")

	start := scope{f, l.body.Lbrace + 1}
	inPlace := l.pause != nil
	s := start
	if inPlace {
		s = scope{f, l.pause.Pos()}
		// A context made inside the loop may be spent by the time of the pause.
		if c := s.contextExpr(); c != "" && c == start.contextExpr() && !sameDeclaration(s, start, c) {
			inPlace, s = false, start
		}
	}
	e.ctx = s.contextExpr()
	zeros, returnsError := s.zeros(r)
	e.carry = l.carrier(s.pos)
	e.aborts = e.ctx != "" && (returnsError || e.carry != "")
	enabled, decl := e.guard.enabled(r, e.ctx, e.helper+"Enabled")

	retry, count := e.retryNumber(inPlace)
	wait := e.waitStmt(retry, zeros)
	switch {
	case inPlace:
		if count != "" {
			wait = count + "++\n" + wait
		}
		r.wrap(l.pause, "if "+enabled+" {\n"+indent(wait, "\t")+"} else {\n", "}\n")
	default:
		first := fmt.Sprintf("%s > %d && ", l.counterName(count), l.firstValue(count))
		text := "if " + first + enabled + " {\n" + indent(wait, "\t") + "}\n"
		if count != "" {
			text += count + "++\n"
		}
		r.into(l.body, text, r.indentOf(l.stmt)+"\t")
		if l.pause != nil {
			r.wrap(l.pause, "if "+not(enabled)+" {\n", "}\n")
		}
	}
	if count != "" {
		r.before(l.stmt, count+" := 0\n")
	}
	r.after(f.decl, e.helperText()+spaced(decl))
	return r.bytes()
}

func spaced(decl string) string {
	if decl == "" {
		return ""
	}
	return "\n" + decl
}

// sameDeclaration says whether a name means the same variable at two places.
func sameDeclaration(a, b scope, expr string) bool {
	name, _, _ := strings.Cut(expr, ".")
	x, y := a.declared(name), b.declared(name)
	return x != nil && y != nil && x.pos == y.pos
}

// retryNumber is the expression for the number of the retry that is about to be waited for, from 1, and the
// name of a counter to add where the loop has none.
func (e *retryEdit) retryNumber(inPlace bool) (expr, count string) {
	l := e.loop
	if l.bare {
		l.counter, l.start = e.loop.fn.file.pkg.freshName(l.fn, "attempt"), 0
		at := l.fn.file.offset(l.stmt.(*ast.RangeStmt).Range)
		e.r.edits = append(e.r.edits, span{at, at, l.counter + " := "})
	}
	if l.counter == "" {
		count = l.fn.file.pkg.freshName(l.fn, "retry")
		return count, count
	}
	offset := -l.start // before the call: attempts done so far
	if inPlace && (!l.pauseFirst || !l.guardedPause()) {
		offset++ // after the call, its attempt is done too
	}
	name := l.counter
	if s, ok := l.stmt.(*ast.RangeStmt); ok && !(scope{l.fn, s.X.Pos()}).typeOf(s.X).isBasic("int") {
		name = "int(" + name + ")"
	}
	switch {
	case offset > 0:
		return name + "+" + strconv.Itoa(offset), ""
	case offset < 0:
		return name + strconv.Itoa(offset), ""
	}
	return name, ""
}

// guardedPause says whether the pause stands under a condition on the counter, "if attempt > 0".
func (l *retryLoop) guardedPause() bool {
	hit := false
	inspectShallow(l.body, func(n ast.Node) bool {
		if i, ok := n.(*ast.IfStmt); ok && inNode(l.pause, i.Body) && mentions(i.Cond, l.counter) {
			hit = true
		}
		return true
	})
	return hit
}

func (l *retryLoop) counterName(count string) string {
	if count != "" {
		return count
	}
	return l.counter
}

func (l *retryLoop) firstValue(count string) int {
	if count != "" {
		return 0
	}
	return l.start
}

func (e *retryEdit) waitStmt(retry, zeros string) string {
	args := retry
	if e.ctx != "" {
		args = e.ctx + ", " + retry
	}
	if !e.aborts {
		return fmt.Sprintf("%s(%s)\n", e.helper, args)
	}
	switch e.carry {
	case "":
		return fmt.Sprintf("if err := %s(%s); err != nil {\n\treturn %serr\n}\n", e.helper, args, zeros)
	case "err":
		return fmt.Sprintf("if err = %s(%s); err != nil {\n\tbreak\n}\n", e.helper, args)
	}
	return fmt.Sprintf("if err := %s(%s); err != nil {\n\t%s = err\n\tbreak\n}\n", e.helper, args, e.carry)
}

// carrier is the variable in which the loop keeps its last error for what follows it: an interrupted wait
// then ends as a failed attempt does, wrapped in the same words. "" where there is none, or where a
// break would leave something else than the loop.
func (l *retryLoop) carrier(at token.Pos) string {
	if f, ok := l.stmt.(*ast.ForStmt); ok && f.Cond == nil {
		return ""
	}
	name := ""
	blocked := false
	inspectShallow(l.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt, *ast.ForStmt, *ast.RangeStmt:
			blocked = blocked || n.Pos() <= at && at < n.End()
		case *ast.AssignStmt:
			for _, lhs := range n.Lhs {
				id, ok := lhs.(*ast.Ident)
				if !ok || n.Tok != token.ASSIGN || name != "" || !l.usedAfter(id.Name) {
					continue
				}
				outer := scope{l.fn, l.stmt.Pos()}.declared(id.Name)
				here := scope{l.fn, at}.declared(id.Name)
				if outer != nil && here != nil && outer.pos == here.pos && (scope{l.fn, l.stmt.Pos()}).ident(id.Name, 0).isError() {
					name = id.Name
				}
			}
		}
		return true
	})
	if blocked || !l.failsAfter() {
		return ""
	}
	return name
}

// failsAfter says whether what follows the loop returns nothing but an error.
func (l *retryLoop) failsAfter() bool {
	var first *ast.ReturnStmt
	inspectShallow(l.fn.decl.Body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok && first == nil && r.Pos() > l.stmt.End() {
			first = r
		}
		return true
	})
	if first == nil || len(first.Results) == 0 {
		return false
	}
	s := scope{l.fn, first.Pos()}
	for _, e := range first.Results[:len(first.Results)-1] {
		if !s.zeroLike(e) {
			return false
		}
	}
	return true
}

// usedAfter says whether a name is read behind the loop.
func (l *retryLoop) usedAfter(name string) bool {
	hit := false
	ast.Inspect(l.fn.decl.Body, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		hit = hit || ok && id.Name == name && id.Pos() > l.stmt.End()
		return true
	})
	return hit
}

// helperText is the function that waits.
func (e *retryEdit) helperText() string {
	r := e.r
	tm := r.use("time")
	var b strings.Builder
	fmt.Fprintf(&b, "// %s waits before a retry, counted from 1. The wait doubles from retry to retry, and half\n// of it is random so that callers do not come back in step to what is overloaded.\n", e.helper)
	params, result := "retry int", ""
	if e.ctx != "" {
		params = "ctx " + r.use("context") + ".Context, retry int"
	}
	if e.aborts {
		result = " error"
	}
	fmt.Fprintf(&b, "func %s(%s)%s {\n", e.helper, params, result)
	doublings := bits.Len(uint(e.backoff.Limit/e.backoff.Base)) - 1
	if doublings > 0 {
		fmt.Fprintf(&b, "\tconst base, limit = %s, %s\n\tdelay := limit\n\tif retry <= %d {\n\t\tdelay = base << (retry - 1)\n\t}\n",
			literal(e.backoff.Base, tm), literal(e.backoff.Limit, tm), doublings)
	} else {
		fmt.Fprintf(&b, "\tdelay := %s\n", literal(e.backoff.Base, tm))
	}
	b.WriteString("\tdelay = delay/2 + " + e.random("delay/2") + "\n")
	ctx := ""
	if e.ctx != "" {
		ctx = "ctx"
	}
	stmt, telemetry := attribute(r, ctx, "waiting before a retry", "remediator.retry.delay_ms", "Int64", "delay.Milliseconds()")
	e.telemetry = telemetry
	fmt.Fprintf(&b, "\t%s\n", stmt)
	switch {
	case e.ctx == "":
		fmt.Fprintf(&b, "\t%s.Sleep(delay)\n", tm)
	case e.aborts:
		fmt.Fprintf(&b, "\ttimer := %s.NewTimer(delay)\n\tdefer timer.Stop()\n\tselect {\n\tcase <-ctx.Done():\n\t\treturn ctx.Err()\n\tcase <-timer.C:\n\t\treturn nil\n\t}\n", tm)
	default:
		fmt.Fprintf(&b, "\ttimer := %s.NewTimer(delay)\n\tdefer timer.Stop()\n\tselect {\n\tcase <-ctx.Done():\n\tcase <-timer.C:\n\t}\n", tm)
	}
	b.WriteString("}\n")
	return b.String()
}

// random is an expression for a random duration below d, by the generator the module's Go version has.
func (e *retryEdit) random(d string) string {
	tm := e.r.use("time")
	if name, ok := e.r.file.imported("math/rand"); ok {
		return fmt.Sprintf("%s.Duration(%s.Int63n(int64(%s)))", tm, name, d)
	}
	if m := e.r.file.pkg.module; m != nil && m.minor >= 22 {
		return fmt.Sprintf("%s.N(%s)", e.r.use("math/rand/v2"), d)
	}
	return fmt.Sprintf("%s.Duration(%s.Int63n(int64(%s)))", tm, e.r.use("math/rand"), d)
}
