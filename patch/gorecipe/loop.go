package gorecipe

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
)

// A retry loop is one that comes round again only when its call has failed. The analysis walks
// the loop's body and keeps, for every way through it, what is known of the last call: nothing yet,
// that it failed, or that it succeeded. Pagination, polling, streams and accept loops come round after a success
// too, and so are told apart.

// outcome is a set of what may be known of the call on a way through the body.
type outcome uint8

const (
	undecided outcome = 1 << iota
	failed
	succeeded
)

// retryLoop is a loop that was recognised.
type retryLoop struct {
	fn   *fn
	stmt ast.Stmt // *ast.ForStmt or *ast.RangeStmt
	body *ast.BlockStmt
	call *ast.CallExpr // the call that is repeated
	// counter is the variable that counts attempts, "" if the loop has none that can be used.
	counter string
	start   int // its value in the first attempt
	// bound is the number of attempts, 0 where the source does not say.
	bound int
	// bare is set for "for range n", which counts without a name.
	bare bool
	// pause is the statement that waits between attempts the same time always, nil if none does.
	pause      ast.Stmt
	pauseFor   ast.Expr // its duration
	pauseFirst bool     // the pause comes before the call, for all attempts but the first
}

// findLoop judges every loop of a function. The reasons say why loops that repeat on failure are left alone.
func findLoop(f *fn) (loops []*retryLoop, why []string) {
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		var l *retryLoop
		switch n := n.(type) {
		case *ast.ForStmt:
			l = &retryLoop{fn: f, stmt: n, body: n.Body}
		case *ast.RangeStmt:
			if !countedRange(f, n) {
				return true
			}
			l = &retryLoop{fn: f, stmt: n, body: n.Body}
		default:
			return true
		}
		if ok, reason := l.judge(); ok {
			loops = append(loops, l)
		} else if reason != "" {
			why = append(why, f.key()+": "+reason)
		}
		return true
	})
	return loops, why
}

// countedRange says whether a range statement counts rather than walks over elements.
func countedRange(f *fn, n *ast.RangeStmt) bool {
	if n.Value != nil {
		return false
	}
	t := scope{f, n.X.Pos()}.typeOf(n.X).under(f.file.pkg)
	return t.isInteger()
}

// judge says whether the loop is a retry loop without growing pauses; the reason is given only where it
// is one but is to be left alone.
func (l *retryLoop) judge() (bool, string) {
	w := &walker{file: l.fn.file}
	out := w.block(l.body.List, undecided)
	back := out | w.back
	if f, ok := l.stmt.(*ast.ForStmt); ok && f.Cond != nil {
		back, _ = w.cond(f.Cond, back)
	}
	if back != failed {
		return false, ""
	}
	if l.call = l.repeatedCall(); l.call == nil || l.iterates() || !outward(l.fn, l.call, map[*ast.FuncDecl]bool{}) {
		return false, ""
	}
	if l.indexed() {
		return false, "the loop tries another target each time, which is a failover and no retry"
	}
	l.count()
	why := l.findPause()
	return why == "", why
}

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

// statusCond recognises comparisons of a status with a number or constant. bad says that the
// condition holds for failures.
func statusCond(e *ast.BinaryExpr) (bad, known bool) {
	if !isStatus(e.X) {
		return false, false
	}
	code, ok := statusValue(e.Y)
	if !ok {
		return false, false
	}
	if b, ok := unparen(e.X).(*ast.BinaryExpr); ok && b.Op == token.QUO { // resp.StatusCode/100 == 2
		code *= 100
	}
	switch e.Op {
	case token.EQL:
		return code >= 400 || code == 0, true
	case token.NEQ:
		if code >= 400 || code == 0 {
			return false, true
		}
		return true, true
	case token.GEQ, token.GTR:
		return true, code >= 299
	case token.LSS, token.LEQ:
		return false, code >= 299
	}
	return false, false
}

func unparen(e ast.Expr) ast.Expr {
	for {
		p, ok := e.(*ast.ParenExpr)
		if !ok {
			return e
		}
		e = p.X
	}
}

// isStatus says whether an expression is a response's status by its name.
func isStatus(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return isStatus(e.X)
	case *ast.BinaryExpr:
		return e.Op == token.QUO && isStatus(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name == "StatusCode" || e.Sel.Name == "Status"
	case *ast.CallExpr:
		n := callName(e)
		return n == "StatusCode" || n == "Code" || n == "Status"
	case *ast.Ident:
		n := strings.ToLower(e.Name)
		return n == "status" || n == "code" || n == "statuscode"
	}
	return false
}

// statusValue is the number of a status literal, http.StatusX or gRPC code (0 for success there counts as
// 200, every other as 500).
func statusValue(e ast.Expr) (int, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		n, err := strconv.Atoi(e.Value)
		return n, err == nil
	case *ast.SelectorExpr:
		x, _ := e.X.(*ast.Ident)
		if x != nil && x.Name == "codes" {
			if e.Sel.Name == "OK" {
				return 200, true
			}
			return 500, true
		}
		switch n := e.Sel.Name; n {
		case "StatusOK", "StatusCreated", "StatusAccepted", "StatusNoContent":
			return 200, true
		case "StatusMultipleChoices":
			return 300, true
		case "StatusBadRequest":
			return 400, true
		case "StatusInternalServerError":
			return 500, true
		case "StatusTooManyRequests":
			return 429, true
		case "StatusServiceUnavailable":
			return 503, true
		case "StatusBadGateway":
			return 502, true
		case "StatusGatewayTimeout":
			return 504, true
		case "StatusRequestTimeout":
			return 408, true
		}
	}
	return 0, false
}

func badStatus(e ast.Expr) (bad, known bool) {
	n, ok := statusValue(e)
	return n >= 400, ok
}

// callName is the last name of a call's function.
func callName(c *ast.CallExpr) string { return typeName(c.Fun) }

// repeatedCall is the call whose failure brings the loop round: the first in the body whose error (last
// result) is kept, outside of pauses and logging.
func (l *retryLoop) repeatedCall() *ast.CallExpr {
	var found *ast.CallExpr
	inspectShallow(l.body, func(n ast.Node) bool {
		if found != nil {
			return false
		}
		var rhs []ast.Expr
		var lhs []ast.Expr
		switch n := n.(type) {
		case *ast.AssignStmt:
			lhs, rhs = n.Lhs, n.Rhs
		case *ast.BinaryExpr:
			if isNil(n.Y) {
				if c, ok := n.X.(*ast.CallExpr); ok && callName(c) != "Err" {
					found = c
				}
			}
			return true
		default:
			return true
		}
		if len(rhs) != 1 {
			return true
		}
		call, ok := rhs[0].(*ast.CallExpr)
		if !ok || len(lhs) == 0 {
			return true
		}
		last := typeName(lhs[len(lhs)-1])
		if !errorName.MatchString(last) && !strings.HasPrefix(strings.ToLower(last), "resp") {
			return true
		}
		if pausing.MatchString(callName(call)) || stays(l.fn, call) {
			return true
		}
		found = call
		return true
	})
	return found
}

// iterates says whether the loop walks over what something yields, or reads until the end: what is skipped there
// is an element, not an attempt.
func (l *retryLoop) iterates() bool {
	if f, ok := l.stmt.(*ast.ForStmt); ok && f.Cond != nil {
		hit := false
		ast.Inspect(f.Cond, func(n ast.Node) bool {
			c, ok := n.(*ast.CallExpr)
			hit = hit || ok && iterator.MatchString(callName(c))
			return true
		})
		if hit {
			return true
		}
	}
	return mentions(l.body, "EOF")
}

var iterator = regexp.MustCompile(`(?i)^(next|scan|more|hasnext|hasmore)`)

// outward says whether a call may leave the process: through the network packages of the standard library, another
// module, an interface or a function value. What only computes or touches local files is not retried for load.
func outward(f *fn, call *ast.CallExpr, seen map[*ast.FuncDecl]bool) bool {
	if g := callee(f, call); g != nil {
		if seen[g.decl] {
			return false
		}
		seen[g.decl] = true
		for _, c := range calls(g) {
			if outward(g, c, seen) {
				return true
			}
		}
		return false
	}
	s := scope{f, call.Pos()}
	switch fun := unparen(call.Fun).(type) {
	case *ast.Ident:
		return s.declared(fun.Name) != nil // a function value
	case *ast.SelectorExpr:
		if p, ok := s.imported(fun.X); ok {
			return remotePackage(p) && !strings.HasPrefix(fun.Sel.Name, "New") && !strings.HasPrefix(fun.Sel.Name, "Status")
		}
		t := s.typeOf(fun.X)
		if t.kind == pointer {
			t = *t.elem
		}
		switch {
		case t.isError() || t.kind == basic:
			return false
		case t.kind == named && f.file.pkg.tree.imported(f.file.pkg, t.path) == nil:
			return remotePackage(t.path)
		}
		return true
	}
	return false
}

// remotePackage says whether calls into a package outside the repository may go over the network.
func remotePackage(p string) bool {
	switch {
	case p == "net/http", p == "net", p == "database/sql", p == "net/rpc", p == "net/smtp", p == "crypto/tls":
		return true
	case standard(p), strings.HasPrefix(p, "golang.org/x/sys"), strings.HasPrefix(p, "golang.org/x/text"),
		strings.HasPrefix(p, "go.opentelemetry.io/"), strings.Contains(p, "/zap"), strings.Contains(p, "/logrus"), strings.Contains(p, "/zerolog"), strings.Contains(p, "/klog"), strings.Contains(p, "/errors"):
		return false
	}
	return true
}

// stays says that a call cannot leave the process: it builds or parses something.
func stays(f *fn, call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	p, ok := scope{f, call.Pos()}.imported(sel.X)
	if !ok {
		return false
	}
	switch p {
	case "fmt", "errors", "strconv", "encoding/json", "strings", "bytes", "net/url", "time", "io":
		return true
	case "net/http":
		return strings.HasPrefix(sel.Sel.Name, "NewRequest")
	}
	return false
}

// inspectShallow walks a tree without entering function literals that are not called on the spot.
func inspectShallow(n ast.Node, visit func(ast.Node) bool) {
	ast.Inspect(n, func(m ast.Node) bool {
		if _, ok := m.(*ast.FuncLit); ok {
			return false
		}
		if m == nil {
			return true
		}
		return visit(m)
	})
}

// indexed says whether the counter picks the target of the attempt.
func (l *retryLoop) indexed() bool {
	var name string
	switch s := l.stmt.(type) {
	case *ast.RangeStmt:
		name = typeName(s.Key)
	case *ast.ForStmt:
		if a, ok := s.Init.(*ast.AssignStmt); ok && len(a.Lhs) == 1 {
			name = typeName(a.Lhs[0])
		}
	}
	found := false
	if name != "" && name != "_" {
		inspectShallow(l.body, func(n ast.Node) bool {
			if ix, ok := n.(*ast.IndexExpr); ok && mentions(ix.Index, name) {
				found = true
			}
			return true
		})
	}
	return found
}

// mentions says whether a tree uses a name.
func mentions(n ast.Node, name string) bool {
	found := false
	if n == nil {
		return false
	}
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == name {
			found = true
		}
		return true
	})
	return found
}
