package gorecipe

import (
	"go/ast"
	"regexp"
	"strings"
)

// A retry loop is one that comes round again only when its call has failed. The analysis walks
// the loop's body and keeps, for every way through it, what is known of the last call: nothing yet,
// that it failed, or that it succeeded. Pagination, polling, streams and accept loops come round after a success
// too, and so are told apart.

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
