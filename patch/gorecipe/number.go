package gorecipe

import (
	"go/ast"
	"go/constant"
	"go/token"
	"time"
)

// number evaluates a constant integer expression of a function, 0 where it is none.
func (f *fn) number(e ast.Expr) int {
	v := eval(scope{f, e.Pos()}, e, 0)
	if v == nil || v.Kind() != constant.Int {
		return 0
	}
	n, ok := constant.Int64Val(v)
	if !ok || n < 0 || n > 1<<40 {
		return 0
	}
	return int(n)
}

// duration evaluates a constant time.Duration, 0 where it is none.
func (f *fn) duration(e ast.Expr) time.Duration {
	if e == nil {
		return 0
	}
	v := eval(scope{f, e.Pos()}, e, 0)
	if v == nil {
		return 0
	}
	n, ok := constant.Int64Val(constant.ToInt(v))
	if !ok || n < 0 {
		return 0
	}
	return time.Duration(n)
}

var timeUnits = map[string]time.Duration{
	"Nanosecond": time.Nanosecond, "Microsecond": time.Microsecond, "Millisecond": time.Millisecond,
	"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour,
}

// eval computes literals, constants and locals that are never changed; nil for anything else.
func eval(s scope, e ast.Expr, depth int) constant.Value {
	if depth > 12 {
		return nil
	}
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.INT || e.Kind == token.FLOAT {
			return constant.MakeFromLiteral(e.Value, e.Kind, 0)
		}
	case *ast.ParenExpr:
		return eval(s, e.X, depth+1)
	case *ast.Ident:
		if d := s.declared(e.Name); d != nil {
			if d.param || d.elem || d.value == nil || reassignedLater(s.fn, e.Name) {
				return nil
			}
			return eval(scope{s.fn, d.value.Pos()}, d.value, depth+1)
		}
		return s.pkg().constant(e.Name, depth+1)
	case *ast.SelectorExpr:
		p, ok := s.imported(e.X)
		if !ok {
			return nil
		}
		if u, ok := timeUnits[e.Sel.Name]; ok && p == "time" {
			return constant.MakeInt64(int64(u))
		}
		if q := s.pkg().tree.imported(s.pkg(), p); q != nil {
			return q.constant(e.Sel.Name, depth+1)
		}
	case *ast.CallExpr:
		if name := callName(e); len(e.Args) == 1 && (name == "Duration" || name == "int" || name == "int64") {
			return eval(s, e.Args[0], depth+1)
		}
	case *ast.BinaryExpr:
		x, y := eval(s, e.X, depth+1), eval(s, e.Y, depth+1)
		if x == nil || y == nil {
			return nil
		}
		switch e.Op {
		case token.ADD, token.SUB, token.MUL:
			return constant.BinaryOp(x, e.Op, y)
		case token.QUO:
			if constant.Sign(y) != 0 {
				return constant.BinaryOp(x, token.QUO, y)
			}
		}
	}
	return nil
}

// constant evaluates a package-level constant.
func (p *pkg) constant(name string, depth int) constant.Value {
	for _, f := range p.files {
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				s := s.(*ast.ValueSpec)
				for i, n := range s.Names {
					if n.Name == name && i < len(s.Values) {
						in := &fn{file: f, decl: &ast.FuncDecl{Name: ast.NewIdent("_"), Type: &ast.FuncType{}}}
						return eval(scope{in, s.Values[i].Pos()}, s.Values[i], depth)
					}
				}
			}
		}
	}
	return nil
}

// reassignedLater says whether a local is assigned again after its declaration.
func reassignedLater(f *fn, name string) bool {
	hit := false
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, lhs := range n.Lhs {
					if id, ok := lhs.(*ast.Ident); ok && id.Name == name {
						hit = true
					}
				}
			}
		case *ast.IncDecStmt:
			hit = hit || typeName(n.X) == name
		}
		return true
	})
	return hit
}
