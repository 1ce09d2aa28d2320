package gorecipe

import (
	"go/ast"
	"strings"
)

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
