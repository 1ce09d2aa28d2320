package gorecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"

	"github.com/remediator/remediator/patch"
)

// findNil looks at the located lines, best first, for a value that may be nil and a safe way round it.
func findNil(in *patch.Input, i int) (*nilSite, string) {
	t := newTree(in.Base)
	why := "no line of a Go function is known at which the panic happened"
	for n, l := range locations(in, i) {
		if n >= 5 || l.Line == 0 {
			continue
		}
		f := t.located(l)
		if f == nil || !f.file.editable() {
			continue
		}
		if from, to := f.lines(); l.Line < from || l.Line > to {
			continue
		}
		s, reason := nilAt(f, l.Line)
		if s != nil {
			return s, ""
		}
		if n == 0 || why == "" {
			why = reason
		}
	}
	return nil, why
}

// nilAt finds what to guard at a line of a function.
func nilAt(f *fn, line int) (*nilSite, string) {
	var exprs []ast.Expr
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		var x ast.Expr
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if f.file.line(n.Sel.Pos()) == line && (scope{f, n.Pos()}).derefs(n) {
				x = n.X
			}
		case *ast.StarExpr:
			if f.file.line(n.Pos()) == line && (scope{f, n.Pos()}).typeOf(n.X).kind == pointer {
				x = n.X
			}
		case *ast.AssignStmt:
			for _, lhs := range n.Lhs {
				ix, ok := lhs.(*ast.IndexExpr)
				if ok && f.file.line(ix.Pos()) == line && (scope{f, n.Pos()}).typeOf(ix.X).under(f.file.pkg).kind == mapping {
					x = ix.X
				}
			}
		}
		if x != nil && !slices.ContainsFunc(exprs, func(e ast.Expr) bool { return f.file.text(e) == f.file.text(x) }) {
			exprs = append(exprs, x)
		}
		return true
	})
	slices.SortFunc(exprs, func(a, b ast.Expr) int { return len(f.file.text(a)) - len(f.file.text(b)) })
	reason := fmt.Sprintf("%s: nothing at line %d can be seen to be nil", f.key(), line)
	s := &nilSite{fn: f, line: line}
	for _, e := range exprs {
		ok, why := f.mayBeNil(e, line)
		if why != "" {
			reason = f.key() + ": " + why
		}
		if ok {
			s.guarded = append(s.guarded, e)
		}
	}
	if len(s.guarded) == 0 {
		return nil, reason
	}
	// Where the code says of some that they may be missing, those are what was missing.
	if slices.ContainsFunc(s.guarded, s.optional) {
		s.guarded = slices.DeleteFunc(s.guarded, func(e ast.Expr) bool { return !s.optional(e) })
	}
	if len(s.guarded) > 3 {
		return nil, fmt.Sprintf("%s: %d values at line %d may be nil; which of them it was is not known", f.key(), len(s.guarded), line)
	}
	return s.choose()
}

// derefs says whether a selector panics when what it selects from is nil: a field behind a pointer, or a method
// of an interface.
func (s scope) derefs(e *ast.SelectorExpr) bool {
	if _, imported := s.imported(e.X); imported {
		return false
	}
	t := s.typeOf(e.X)
	u := t.under(s.pkg())
	if u.kind == iface {
		return true
	}
	if u.kind != pointer {
		return false
	}
	if _, field := t.field(s.pkg(), e.Sel.Name); field != nil {
		return true
	}
	_, _, m := t.method(s.pkg(), e.Sel.Name)
	return m != nil && m.decl.Recv.List[0].Type != nil && m.file.typ(m.decl.Recv.List[0].Type).kind != pointer
}

// mayBeNil says whether an expression can be compared with nil before the statement and is not known to be
// something else.
func (f *fn) mayBeNil(e ast.Expr, line int) (bool, string) {
	s := scope{f, e.Pos()}
	text := f.file.text(e)
	if !pure(e) {
		return false, text + " is a call; its result would have to be taken apart first"
	}
	if id, ok := e.(*ast.Ident); ok {
		if f.decl.Recv != nil && len(f.decl.Recv.List[0].Names) > 0 && id.Name == f.decl.Recv.List[0].Names[0].Name {
			return false, ""
		}
		d := s.declared(id.Name)
		if d == nil {
			return false, ""
		}
		if d.value != nil && fresh(d.value) {
			return false, ""
		}
	}
	t := s.typeOf(e)
	for _, p := range []string{"context", "net/http", "log/slog", "go.opentelemetry.io/otel/trace"} {
		if t.path == p || t.kind == pointer && t.elem.path == p {
			return false, ""
		}
	}
	if !t.nilable(f.file.pkg) {
		return false, ""
	}
	if f.checked(text, e) {
		return false, text + " is checked for nil already"
	}
	if f.survived(text, e) {
		return false, ""
	}
	return true, ""
}

// survived says whether the expression was looked into on the way to here already, so that it cannot be nil.
func (f *fn) survived(text string, at ast.Expr) bool {
	stmt := f.statementOf(at)
	hit := false
	look := func(n ast.Node) {
		if n == nil {
			return
		}
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncLit:
				return false
			case *ast.BinaryExpr:
				return n.Op != token.LAND && n.Op != token.LOR
			case *ast.SelectorExpr:
				hit = hit || f.file.text(n.X) == text && (scope{f, n.Pos()}).derefs(n)
			}
			return true
		})
	}
	before := func(list []ast.Stmt) {
		for _, s := range list {
			if s.End() > at.Pos() {
				return
			}
			switch s := s.(type) {
			case *ast.IfStmt:
				if s.Init != nil {
					look(s.Init)
				}
				look(s.Cond)
			case *ast.RangeStmt:
				look(s.X)
			case *ast.AssignStmt:
				if slices.ContainsFunc(s.Lhs, func(l ast.Expr) bool { return f.file.text(l) == text || f.file.text(l) == root(at) }) {
					hit = false // another value since
					continue
				}
				look(s)
			case *ast.ExprStmt, *ast.ReturnStmt, *ast.DeclStmt:
				look(s)
			}
		}
	}
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		if n == nil || stmt == nil || !inNode(stmt, n) {
			return false
		}
		switch n := n.(type) {
		case *ast.BlockStmt:
			before(n.List)
		case *ast.CaseClause:
			before(n.Body)
		}
		return true
	})
	return hit
}

// pure says whether an expression may be evaluated once more.
func pure(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return true
	case *ast.SelectorExpr:
		return pure(e.X)
	case *ast.ParenExpr:
		return pure(e.X)
	case *ast.StarExpr:
		return pure(e.X)
	case *ast.IndexExpr:
		_, lit := e.Index.(*ast.BasicLit)
		return pure(e.X) && (lit || pure(e.Index))
	}
	return false
}

// fresh says whether a value was just made and cannot be nil.
func fresh(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.UnaryExpr:
		return e.Op == token.AND
	case *ast.CompositeLit:
		return true
	case *ast.CallExpr:
		n := callName(e)
		return n == "new" || n == "make" || constructor.MatchString(n)
	}
	return false
}

// checked says whether the code looks for nil before it comes to the expression: an enclosing "if x != nil", an
// earlier "if x == nil" that leaves, or a condition of the same statement.
func (f *fn) checked(text string, at ast.Expr) bool {
	hit := false
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		b, ok := n.(*ast.BinaryExpr)
		if ok && (b.Op == token.EQL || b.Op == token.NEQ) && isNil(b.Y) && f.file.text(b.X) == text && b.Pos() < at.Pos() {
			hit = true
		}
		return true
	})
	return hit
}

// choose picks the statement and the way round it.
func (s *nilSite) choose() (*nilSite, string) {
	f := s.fn
	last := s.guarded[len(s.guarded)-1]
	s.stmt = f.statementOf(last)
	if s.stmt == nil {
		return nil, fmt.Sprintf("%s: %s stands where nothing can be put before it", f.key(), s.names())
	}
	for _, e := range s.guarded {
		if !s.certain(e) {
			return nil, fmt.Sprintf("%s: %s is looked at in some cases only; a guard before the statement would act in others too", f.key(), f.file.text(e))
		}
		if d := (scope{f, e.Pos()}).declared(root(e)); d != nil && d.pos > s.stmt.Pos() {
			return nil, fmt.Sprintf("%s: %s is made in the statement itself", f.key(), f.file.text(e))
		}
	}
	here := scope{f, s.stmt.Pos()}
	optional := !slices.ContainsFunc(s.guarded, func(e ast.Expr) bool { return !s.optional(e) }) && !guards.MatchString(f.file.text(s.stmt))
	switch st := s.stmt.(type) {
	case *ast.ExprStmt:
		if optional || observes(f.file.text(st)) {
			s.how = actionSkip
			return s, ""
		}
	case *ast.AssignStmt:
		if st.Tok != token.DEFINE && optional {
			s.how = actionSkip
			return s, ""
		}
		if st.Tok == token.DEFINE && optional && len(st.Lhs) == 1 && len(st.Rhs) == 1 {
			if t := here.typeOf(st.Rhs[0]); t.kind == basic && t.name != "any" && t.name != "error" {
				s.how, s.target = actionDefine, f.file.text(st.Lhs[0])+" "+t.name
				return s, ""
			}
		}
	}
	if zeros, ok := here.zeros(nil); ok {
		s.how, s.zeros = actionReturn, zeros
		return s, ""
	}
	if s.answersErrors() {
		s.how = actionHTTP
		return s, ""
	}
	return nil, fmt.Sprintf("%s: nothing in the code shows what to do when %s is nil: the function returns no error, and nothing says that the value is optional", f.key(), s.names())
}

// guards tells statements that decide what is let through; one of those is never left out.
var guards = regexp.MustCompile(`(?i)(valid|verif|auth|check|allow|permit|permission|sanit|limit|quota|deny|block|max|policy|token|secret)`)

// root is the identifier that a pure expression starts with.
func root(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return root(e.X)
	case *ast.ParenExpr:
		return root(e.X)
	case *ast.StarExpr:
		return root(e.X)
	case *ast.IndexExpr:
		return root(e.X)
	}
	return ""
}

// certain says whether the statement evaluates the expression whenever it runs: not behind && or ||, in a
// closure, a branch or a loop.
func (s *nilSite) certain(e ast.Expr) bool {
	ok := true
	ast.Inspect(s.stmt, func(n ast.Node) bool {
		if n == nil || !inNode(e, n) {
			return false
		}
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if (n.Op == token.LAND || n.Op == token.LOR) && inNode(e, n.Y) {
				ok = false
			}
		case *ast.FuncLit, *ast.ForStmt, *ast.CaseClause, *ast.CommClause:
			ok = false
		case *ast.RangeStmt:
			ok = ok && inNode(e, n.X)
		case *ast.IfStmt:
			if n != s.stmt {
				ok = false
			}
		}
		return true
	})
	return ok
}

var optionalWords = regexp.MustCompile(`(?i)\b(optional|nil|may be (absent|missing|empty)|if any|if present|unless)\b`)

// optional says whether the code shows that it is normal for the expression to be nil: the field is omitted from
// JSON when empty, its comment says so, or other code asks. For a variable: it comes from a map.
func (s *nilSite) optional(e ast.Expr) bool {
	here := scope{s.fn, e.Pos()}
	switch e := e.(type) {
	case *ast.SelectorExpr:
		_, field := here.typeOf(e.X).field(s.fn.file.pkg, e.Sel.Name)
		if field == nil {
			return false
		}
		if field.Tag != nil && strings.Contains(field.Tag.Value, "omitempty") {
			return true
		}
		for _, g := range []*ast.CommentGroup{field.Doc, field.Comment} {
			if g != nil && optionalWords.MatchString(g.Text()) {
				return true
			}
		}
		return s.fn.file.pkg.asksForNil(e.Sel.Name)
	case *ast.Ident:
		d := here.declared(e.Name)
		if d == nil || d.value == nil || d.elem {
			return false
		}
		if sel, ok := d.value.(*ast.SelectorExpr); ok {
			return s.optional(sel)
		}
	}
	return false
}

// asksForNil says whether code of the package compares a field of this name with nil.
func (p *pkg) asksForNil(field string) bool {
	hit := false
	for _, f := range p.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			b, ok := n.(*ast.BinaryExpr)
			if ok && (b.Op == token.EQL || b.Op == token.NEQ) && isNil(b.Y) {
				if sel, ok := b.X.(*ast.SelectorExpr); ok && sel.Sel.Name == field {
					hit = true
				}
			}
			return true
		})
	}
	return hit
}

// observes says whether a statement only logs or records.
func observes(text string) bool {
	first, _, _ := strings.Cut(text, "(")
	return regexp.MustCompile(`(?i)(^|\.)(log|logger|slog|span|metrics?)\b.*\.(\w+)$|\.(SetAttributes|AddEvent|Printf|Println|Debug\w*|Info\w*|Warn\w*)$`).MatchString(first)
}

// answersErrors says whether the function is an HTTP handler that answers failures with http.Error.
func (s *nilSite) answersErrors() bool {
	ft, body := scope{s.fn, s.stmt.Pos()}.enclosing()
	if len(s.fn.file.params(ft.Results)) > 0 || s.writer() == "" {
		return false
	}
	hit := false
	ast.Inspect(body, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok && len(c.Args) == 3 {
			if sel, ok := c.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Error" {
				p, imported := scope{s.fn, c.Pos()}.imported(sel.X)
				hit = hit || imported && p == "net/http"
			}
		}
		return true
	})
	return hit
}

// writer is the name of the http.ResponseWriter.
func (s *nilSite) writer() string {
	ft, _ := scope{s.fn, s.stmt.Pos()}.enclosing()
	for _, p := range s.fn.file.params(ft.Params) {
		if p.typ.is("net/http", "ResponseWriter") {
			return p.name
		}
	}
	return ""
}
