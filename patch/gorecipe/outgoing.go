package gorecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"time"
)

// outgoing lists the outgoing calls of a function that no deadline bounds, and says of the others why
// they are left.
func outgoing(f *fn, deadline time.Duration) (sites []*site, why []string) {
	leave := func(c *ast.CallExpr, reason string) {
		why = append(why, fmt.Sprintf("%s: %s %s", f.key(), f.file.text(c.Fun), reason))
	}
	for _, c := range calls(f) {
		s := classify(f, c)
		if s == nil {
			continue
		}
		s.stmt = f.statementOf(c)
		switch {
		case s.stmt == nil:
			leave(c, "stands where nothing can be put before it")
		case f.inLoop(c):
			leave(c, "is inside a loop, where a deadline of one call and one of all are different things")
		case f.bounded(s):
			leave(c, "has a deadline already")
		case s.clientTimeout() > 0 && s.clientTimeout() <= 2*deadline:
			leave(c, fmt.Sprintf("is bounded by the client's timeout of %s", s.clientTimeout()))
		default:
			s.leaks = f.handsOn()
			if s.leaks && (s.kind == siteContext || s.kind == siteQuery || !(s.clientKnown())) {
				leave(c, "returns what is read later, after a deadline would have been cancelled")
				continue
			}
			sites = append(sites, s)
		}
	}
	return sites, why
}

// classify recognises an outgoing call by its form and the types of what it uses.
func classify(f *fn, c *ast.CallExpr) *site {
	s := scope{f, c.Pos()}
	sel, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	if p, ok := s.imported(sel.X); ok {
		switch {
		case p == "net/http" && knownCall(p, sel.Sel.Name) != nil && !strings.HasPrefix(sel.Sel.Name, "NewRequest"):
			return &site{fn: f, call: c, kind: siteGet}
		case len(c.Args) > 0 && s.typeOf(c.Args[0]).isContext():
			if g := callee(f, c); g != nil && g.recv() == "" && g.file.pkg != f.file.pkg && leaves(g, 0) {
				return &site{fn: f, call: c, kind: siteContext, ctx: c.Args[0]}
			}
		}
		return nil
	}
	t := s.typeOf(sel.X)
	base := t
	if t.kind == pointer {
		base = *t.elem
	}
	switch {
	case sel.Sel.Name == "Do" && len(c.Args) == 1 && s.typeOf(c.Args[0]).isPtr("net/http", "Request"):
		if _, isName := c.Args[0].(*ast.Ident); isName {
			return &site{fn: f, call: c, kind: siteRequest}
		}
	case base.is("net/http", "Client") && knownMethod(base, sel.Sel.Name) != nil && sel.Sel.Name != "Do":
		return &site{fn: f, call: c, kind: siteGet}
	case base.path == "database/sql" && base.kind == named:
		switch sel.Sel.Name {
		case "Query", "Exec", "QueryRow":
			return &site{fn: f, call: c, kind: siteQuery}
		case "QueryContext", "ExecContext", "QueryRowContext", "PingContext":
			return &site{fn: f, call: c, kind: siteContext, ctx: c.Args[0]}
		}
	case len(c.Args) > 0 && s.typeOf(c.Args[0]).isContext() && s.remote(t, sel.Sel.Name):
		return &site{fn: f, call: c, kind: siteContext, ctx: c.Args[0]}
	}
	return nil
}

// remote says whether a method with a context is one of another module's client, such as a generated RPC stub, or of
// an interface that stands for one.
func (s scope) remote(t typ, method string) bool {
	if t.kind == pointer {
		t = *t.elem
	}
	if t.kind != named {
		return false
	}
	if strings.HasPrefix(t.path, "go.opentelemetry.io/") || t.path == "log/slog" || t.path == "context" {
		return false
	}
	p := s.pkg().tree.imported(s.pkg(), t.path)
	if p == nil {
		return !standard(t.path)
	}
	if u := t.under(s.pkg()); u.kind != iface {
		return false
	}
	ft, _, _ := t.method(s.pkg(), method)
	return ft != nil && implementation(s.pkg(), method, ft.Params.NumFields()) == nil
}

// leaves says whether a function leads to an HTTP call without setting a deadline on the way.
func leaves(f *fn, depth int) bool {
	known := f.file.pkg.tree.leaving
	if out, ok := known[f.decl]; ok || depth > 4 {
		return out
	}
	known[f.decl] = false // for functions that call themselves
	out := false
	for _, c := range calls(f) {
		if callName(c) == "WithTimeout" || callName(c) == "WithDeadline" {
			return false
		}
		if s := classify(f, c); s != nil && s.kind != siteContext {
			out = true
		} else if g := callee(f, c); g != nil && g.decl != f.decl && leaves(g, depth+1) {
			out = true
		}
	}
	known[f.decl] = out
	return out
}

// statementOf is the statement of a block that holds n, above which lines can be put; nil in go, defer and
// loop headers.
func (f *fn) statementOf(n ast.Node) ast.Stmt {
	var found ast.Stmt
	consider := func(list []ast.Stmt) {
		for _, s := range list {
			if inNode(n, s) {
				found = s
			}
		}
	}
	ast.Inspect(f.decl.Body, func(m ast.Node) bool {
		if m == nil || !inNode(n, m) {
			return false
		}
		switch m := m.(type) {
		case *ast.BlockStmt:
			consider(m.List)
		case *ast.CaseClause:
			consider(m.Body)
		case *ast.CommClause:
			consider(m.Body)
		}
		return true
	})
	switch found.(type) {
	case *ast.GoStmt, *ast.DeferStmt, *ast.ForStmt, *ast.RangeStmt, *ast.LabeledStmt, *ast.SelectStmt:
		return nil
	}
	return found
}

// inLoop says whether a node lies in a loop of the innermost function around it.
func (f *fn) inLoop(n ast.Node) bool {
	hit := false
	ast.Inspect(f.decl.Body, func(m ast.Node) bool {
		if m == nil || !inNode(n, m) {
			return false
		}
		switch m.(type) {
		case *ast.FuncLit:
			hit = false
		case *ast.ForStmt, *ast.RangeStmt:
			hit = true
		}
		return true
	})
	return hit
}

// bounded says whether the function, or a caller in its package, sets a deadline before the call. A request is
// bounded by the context it was made with.
func (f *fn) bounded(s *site) bool {
	sets := func(g *fn, before token.Pos) bool {
		for _, c := range calls(g) {
			if n := callName(c); (n == "WithTimeout" || n == "WithDeadline") && (!before.IsValid() || c.Pos() < before) {
				return true
			}
		}
		return false
	}
	if sets(f, s.call.Pos()) {
		return true
	}
	for _, g := range callers(f) {
		if sets(g, token.NoPos) && f.takesContext() {
			return true
		}
	}
	return false
}

func (f *fn) takesContext() bool {
	return slices.ContainsFunc(f.file.params(f.decl.Type.Params), func(p param) bool { return p.typ.isContext() })
}

// handsOn says whether a function returns something that is read after it has returned: a response, rows, a
// stream.
func (f *fn) handsOn() bool {
	return slices.ContainsFunc(f.file.params(f.decl.Type.Results), func(p param) bool {
		t := p.typ
		if t.kind == pointer {
			t = *t.elem
		}
		switch t.path + "." + t.name {
		case "net/http.Response", "io.Reader", "io.ReadCloser", "database/sql.Rows", "database/sql.Row", "database/sql.Tx", "database/sql.Conn", "bufio.Reader", "bufio.Scanner":
			return true
		}
		return t.kind == channel || t.kind == named && (strings.HasSuffix(t.name, "Stream") || strings.HasSuffix(t.name, "Client") && !standard(t.path))
	})
}

// clientKnown says whether the call goes through an http.Client that can be copied.
func (s *site) clientKnown() bool {
	if s.kind != siteRequest && s.kind != siteGet {
		return false
	}
	_, _, ok := s.client("")
	return ok
}

// client is an expression for a pointer to the call's http.Client and one for its value.
func (s *site) client(http string) (pointerExpr, valueExpr string, ok bool) {
	x := s.call.Fun.(*ast.SelectorExpr).X
	sc := scope{s.fn, s.call.Pos()}
	if p, imported := sc.imported(x); imported && p == "net/http" {
		return http + ".DefaultClient", "*" + http + ".DefaultClient", true
	}
	text := s.fn.file.text(x)
	t := sc.typeOf(x)
	switch {
	case t.isPtr("net/http", "Client"):
		return text, "*" + text, true
	case t.is("net/http", "Client"):
		return "&" + text, text, true
	}
	return "", "", false
}

// clientTimeout is the timeout that an http.Client literal of the package has, 0 if none has one.
func (s *site) clientTimeout() (d time.Duration) {
	if s.kind != siteRequest && s.kind != siteGet {
		return 0
	}
	for _, f := range s.fn.file.pkg.funcs() {
		ast.Inspect(f.decl.Body, func(n ast.Node) bool {
			l, ok := n.(*ast.CompositeLit)
			if !ok || l.Type == nil || !f.file.typ(l.Type).is("net/http", "Client") {
				return true
			}
			for _, e := range l.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok && identName(kv.Key) == "Timeout" {
					d = max(d, f.duration(kv.Value))
				}
			}
			return true
		})
	}
	return d
}
