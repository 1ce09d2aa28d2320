package gorecipe

import (
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

var (
	pausing = regexp.MustCompile(`(?i)^(sleep|pause|wait|delay|after|newtimer)|(sleep|pause|delay)$`)
	backing = regexp.MustCompile(`(?i)(back_?off|jitter|retryer|next_?(interval|delay))`)
)

// findPause looks for what waits between attempts. A pause that grows already, or one whose length is
// nobody's constant, is a reason to leave the loop alone.
func (l *retryLoop) findPause() string {
	if backing.MatchString(l.fn.recv()) {
		return "the loop is part of " + l.fn.recv() + ", which backs off already"
	}
	grown := ""
	var duration ast.Expr
	var at ast.Node
	inspectShallow(l.body, func(n ast.Node) bool {
		if grown != "" {
			return false
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := callName(call)
		if backing.MatchString(l.fn.file.text(call.Fun)) {
			grown = "the loop backs off already (" + name + ")"
			return false
		}
		if !pausing.MatchString(name) || call == l.call || at != nil {
			return true
		}
		d := durationArg(l.fn, call)
		if d == nil {
			if l.pausesInside(call) == "" {
				return true
			}
			if l.pausesInside(call) == "grows" {
				grown = "the loop waits longer with each attempt already (" + name + ")"
				return false
			}
		}
		if d != nil && l.varies(d) {
			grown = "the loop waits longer with each attempt already (" + l.fn.file.text(d) + ")"
			return false
		}
		duration, at = d, call
		return true
	})
	if grown != "" || at == nil {
		return grown
	}
	stmt := l.statementOf(at)
	if sel, ok := stmt.(*ast.SelectStmt); ok && !purePause(sel) {
		return "the loop waits for something else besides time between attempts"
	}
	if _, ok := stmt.(*ast.IfStmt); !ok && stmt != nil {
		if d, ok := stmt.(*ast.AssignStmt); ok && d.Tok == token.DEFINE {
			return "the loop waits on a timer of its own between attempts"
		}
	}
	if stmt == nil {
		return "the loop waits in a way that cannot be replaced in place"
	}
	l.pause, l.pauseFor = stmt, duration
	l.pauseFirst = stmt.Pos() < l.call.Pos()
	return ""
}

// durationArg is the length of a pause: the argument that is a time.Duration.
func durationArg(f *fn, call *ast.CallExpr) ast.Expr {
	s := scope{f, call.Pos()}
	name := callName(call)
	if len(call.Args) == 1 && (name == "Sleep" || name == "After" || name == "NewTimer") {
		return call.Args[0]
	}
	for _, a := range call.Args {
		if s.typeOf(a).is("time", "Duration") {
			return a
		}
	}
	return nil
}

// pausesInside looks into a function of the repository that is called for a pause: "" when it does not
// wait, "grows" when what it waits depends on its arguments, "constant" otherwise.
func (l *retryLoop) pausesInside(call *ast.CallExpr) string {
	f := callee(l.fn, call)
	if f == nil {
		return ""
	}
	kind := ""
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := c.Fun.(*ast.SelectorExpr); ok {
			if p, ok := (scope{f, c.Pos()}).imported(sel.X); ok && p == "time" && (sel.Sel.Name == "Sleep" || sel.Sel.Name == "After" || sel.Sel.Name == "NewTimer") {
				if kind == "" {
					kind = "constant"
				}
				for _, p := range f.file.params(f.decl.Type.Params) {
					if p.typ.isInteger() || p.typ.kind == unknown {
						kind = "grows"
					}
				}
			}
		}
		return true
	})
	return kind
}

// varies says whether a duration changes from attempt to attempt: it uses the counter, randomness, or a
// variable that the loop assigns.
func (l *retryLoop) varies(d ast.Expr) bool {
	varying := false
	var names []string
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			names = append(names, n.Name)
		case *ast.CallExpr:
			if name := callName(n); name != "Duration" && !strings.HasPrefix(name, "Parse") {
				if f := callee(l.fn, n); f == nil || len(n.Args) > 0 {
					varying = true
				}
			}
		case *ast.BinaryExpr:
			if n.Op == token.SHL {
				varying = true
			}
		}
		return true
	})
	assigned := func(n ast.Node) bool {
		hit := false
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, lhs := range n.Lhs {
					for _, name := range names {
						if typeName(lhs) == name {
							hit = true
						}
					}
				}
			case *ast.IncDecStmt:
				for _, name := range names {
					if typeName(n.X) == name {
						hit = true
					}
				}
			}
			return true
		})
		return hit
	}
	switch s := l.stmt.(type) {
	case *ast.ForStmt:
		if s.Init != nil && assigned(s.Init) || s.Post != nil && assigned(s.Post) {
			return true
		}
	case *ast.RangeStmt:
		if k := typeName(s.Key); k != "" && k != "_" && mentions(d, k) {
			return true
		}
	}
	return varying || assigned(l.body)
}

// purePause says that a select only waits: for time and for the caller to give up.
func purePause(s *ast.SelectStmt) bool {
	for _, c := range s.Body.List {
		c := c.(*ast.CommClause)
		if c.Comm == nil {
			return false
		}
		e, ok := c.Comm.(*ast.ExprStmt)
		if !ok {
			return false
		}
		u, ok := e.X.(*ast.UnaryExpr)
		if !ok || u.Op != token.ARROW {
			return false
		}
		call, ok := u.X.(*ast.CallExpr)
		if !ok || callName(call) != "Done" && callName(call) != "After" {
			return false
		}
	}
	return true
}

// statementOf is the statement of a block in the loop that holds n: the one to wrap.
func (l *retryLoop) statementOf(n ast.Node) ast.Stmt {
	var found ast.Stmt
	var visit func(list []ast.Stmt)
	visit = func(list []ast.Stmt) {
		for _, s := range list {
			if n.Pos() < s.Pos() || n.End() > s.End() {
				continue
			}
			found = s
			switch s := s.(type) {
			case *ast.IfStmt:
				if inNode(n, s.Body) {
					visit(s.Body.List)
				} else if b, ok := s.Else.(*ast.BlockStmt); ok && inNode(n, b) {
					visit(b.List)
				}
			case *ast.BlockStmt:
				visit(s.List)
			case *ast.SwitchStmt:
				for _, c := range s.Body.List {
					if inNode(n, c) {
						visit(c.(*ast.CaseClause).Body)
					}
				}
			}
		}
	}
	visit(l.body.List)
	return found
}

func inNode(n, outer ast.Node) bool {
	return outer != nil && outer.Pos() <= n.Pos() && n.End() <= outer.End()
}

// count finds the loop's counter and bound.
func (l *retryLoop) count() {
	switch s := l.stmt.(type) {
	case *ast.RangeStmt:
		l.bound = l.fn.number(s.X)
		if name := typeName(s.Key); name != "" && name != "_" {
			l.counter = name
		} else if s.Key == nil {
			l.bare = true
		}
	case *ast.ForStmt:
		l.countFor(s)
	}
}

func (l *retryLoop) countFor(s *ast.ForStmt) {
	init, ok := s.Init.(*ast.AssignStmt)
	post, isInc := s.Post.(*ast.IncDecStmt)
	if !ok || !isInc || post.Tok != token.INC || len(init.Lhs) != 1 || typeName(post.X) != typeName(init.Lhs[0]) || init.Tok != token.DEFINE {
		l.boundInside("", 0)
		return
	}
	name := typeName(init.Lhs[0])
	lit, ok := init.Rhs[0].(*ast.BasicLit)
	if !ok || lit.Value != "0" && lit.Value != "1" || reassigned(l.body, name) {
		return
	}
	l.counter, l.start = name, int(lit.Value[0]-'0')
	ast.Inspect(orNil(s.Cond), func(n ast.Node) bool {
		b, ok := n.(*ast.BinaryExpr)
		if !ok || typeName(b.X) != name {
			return true
		}
		if n := l.fn.number(b.Y); n > 0 {
			switch b.Op {
			case token.LSS:
				l.bound = n - l.start
			case token.LEQ:
				l.bound = n - l.start + 1
			}
		}
		return true
	})
	if s.Cond == nil {
		l.boundInside(name, l.start)
	}
}

// boundInside reads the bound off a condition in the body: "if attempt >= max { return }".
func (l *retryLoop) boundInside(name string, start int) {
	inspectShallow(l.body, func(n ast.Node) bool {
		i, ok := n.(*ast.IfStmt)
		if !ok || l.bound > 0 {
			return true
		}
		b, ok := i.Cond.(*ast.BinaryExpr)
		if !ok || name == "" || typeName(b.X) != name {
			return true
		}
		if n := l.fn.number(b.Y); n > 0 {
			switch b.Op {
			case token.GEQ, token.EQL:
				l.bound = n - start + 1
			case token.GTR:
				l.bound = n - start + 2
			}
		}
		return true
	})
}

func orNil(e ast.Expr) ast.Node {
	if e == nil {
		return &ast.BlockStmt{}
	}
	return e
}

// reassigned says whether a body changes a variable by hand.
func reassigned(body ast.Node, name string) bool {
	hit := false
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, lhs := range n.Lhs {
				if id, ok := lhs.(*ast.Ident); ok && id.Name == name {
					hit = true
				}
			}
		case *ast.IncDecStmt:
			if typeName(n.X) == name {
				hit = true
			}
		}
		return true
	})
	return hit
}
