package gorecipe

import (
	"go/ast"
	"go/token"
	"strings"
)

// scope infers the types of expressions inside a function at a position.
type scope struct {
	fn  *fn
	pos token.Pos
}

func (s scope) file() *file { return s.fn.file }
func (s scope) pkg() *pkg   { return s.fn.file.pkg }

// typeOf is the type of an expression, kind unknown where syntax does not tell.
func (s scope) typeOf(e ast.Expr) typ {
	ts := s.typesOf(e, 0)
	if len(ts) == 0 {
		return typ{}
	}
	return ts[0]
}

// typesOf is the types of an expression, several of a call with several results.
func (s scope) typesOf(e ast.Expr, depth int) []typ {
	if depth > 12 {
		return nil
	}
	one := func(t typ) []typ { return []typ{t} }
	first := func(e ast.Expr) typ {
		if ts := s.typesOf(e, depth+1); len(ts) > 0 {
			return ts[0]
		}
		return typ{}
	}
	switch e := e.(type) {
	case *ast.Ident:
		return one(s.ident(e.Name, depth))
	case *ast.ParenExpr:
		return s.typesOf(e.X, depth+1)
	case *ast.BasicLit:
		switch e.Kind {
		case token.INT:
			return one(predeclared("int"))
		case token.FLOAT:
			return one(predeclared("float64"))
		case token.STRING:
			return one(predeclared("string"))
		}
	case *ast.StarExpr:
		if t := first(e.X); t.kind == pointer {
			return one(*t.elem)
		}
	case *ast.UnaryExpr:
		if e.Op == token.AND {
			return one(ptr(first(e.X)))
		}
		if t := first(e.X); e.Op == token.ARROW && t.under(s.pkg()).kind == channel {
			return []typ{*t.under(s.pkg()).elem, predeclared("bool")}
		} else if e.Op != token.ARROW {
			return one(t)
		}
	case *ast.BinaryExpr:
		switch e.Op {
		case token.EQL, token.NEQ, token.LSS, token.GTR, token.LEQ, token.GEQ, token.LAND, token.LOR:
			return one(predeclared("bool"))
		}
		if t := first(e.X); t.kind != basic {
			return one(t)
		}
		return one(first(e.Y))
	case *ast.CompositeLit:
		if e.Type != nil {
			return one(s.file().typ(e.Type))
		}
	case *ast.FuncLit:
		return one(s.file().typ(e.Type))
	case *ast.TypeAssertExpr:
		if e.Type != nil {
			return []typ{s.file().typ(e.Type), predeclared("bool")}
		}
	case *ast.IndexExpr:
		t := first(e.X).under(s.pkg())
		switch t.kind {
		case mapping:
			return []typ{*t.elem, predeclared("bool")}
		case slice, array:
			return one(*t.elem)
		}
	case *ast.SliceExpr:
		return one(first(e.X))
	case *ast.SelectorExpr:
		return one(s.selector(e, depth))
	case *ast.CallExpr:
		return s.call(e, depth)
	}
	return nil
}

func (s scope) selector(e *ast.SelectorExpr, depth int) typ {
	if p, ok := s.imported(e.X); ok {
		if q := s.pkg().tree.imported(s.pkg(), p); q != nil {
			return q.global(e.Sel.Name)
		}
		if p == "net/http" && e.Sel.Name == "DefaultClient" {
			return ptr(external(p, "Client"))
		}
		if p == "time" && strings.Contains("|Nanosecond|Microsecond|Millisecond|Second|Minute|Hour|", "|"+e.Sel.Name+"|") {
			return external("time", "Duration")
		}
		return typ{}
	}
	ts := s.typesOf(e.X, depth+1)
	if len(ts) == 0 {
		return typ{}
	}
	if t, field := ts[0].field(s.pkg(), e.Sel.Name); field != nil {
		return t
	}
	if ft, in, _ := ts[0].method(s.pkg(), e.Sel.Name); ft != nil {
		return typ{kind: function, expr: ft, in: in}
	}
	return knownField(ts[0], e.Sel.Name)
}

// imported is the import path that an identifier stands for, unless something local hides it.
func (s scope) imported(e ast.Expr) (string, bool) {
	x, ok := e.(*ast.Ident)
	if !ok {
		return "", false
	}
	p, ok := s.file().imports[x.Name]
	if !ok {
		return "", false
	}
	if d := s.declared(x.Name); d != nil {
		return "", false
	}
	return p, true
}

// global is the type of a package-level name.
func (p *pkg) global(name string) typ {
	if t, v, f := p.value(name); f != nil {
		if t != nil {
			return f.typ(t)
		}
		if v != nil {
			return (scope{fn: &fn{file: f, decl: &ast.FuncDecl{Name: ast.NewIdent("init"), Type: &ast.FuncType{}}}}).typeOf(v)
		}
	}
	if f := p.function("", name); f != nil {
		return typ{kind: function, expr: f.decl.Type, in: f.file}
	}
	return typ{}
}

func (s scope) call(e *ast.CallExpr, depth int) []typ {
	if id, ok := e.Fun.(*ast.Ident); ok && !s.pkg().declares(id.Name) && s.declared(id.Name) == nil {
		switch id.Name {
		case "new":
			if len(e.Args) == 1 {
				return []typ{ptr(s.file().typ(e.Args[0]))}
			}
		case "make":
			if len(e.Args) > 0 {
				return []typ{s.file().typ(e.Args[0])}
			}
		case "len", "cap":
			return []typ{predeclared("int")}
		case "append", "min", "max":
			if len(e.Args) > 0 {
				return s.typesOf(e.Args[0], depth+1)
			}
		}
		if t := predeclared(id.Name); strings.Contains(basics, "|"+id.Name+"|") {
			return []typ{t}
		}
	}
	if sel, ok := e.Fun.(*ast.SelectorExpr); ok {
		if p, ok := s.imported(sel.X); ok && s.pkg().tree.imported(s.pkg(), p) == nil {
			return knownCall(p, sel.Sel.Name)
		}
		if ts := s.typesOf(sel.X, depth+1); len(ts) > 0 {
			if r := knownMethod(ts[0], sel.Sel.Name); r != nil {
				return r
			}
		}
	}
	ts := s.typesOf(e.Fun, depth+1)
	if len(ts) > 0 {
		if t := ts[0].under(s.pkg()); t.kind == function {
			var out []typ
			for _, p := range t.in.params(t.expr.(*ast.FuncType).Results) {
				out = append(out, p.typ)
			}
			return out
		}
	}
	t := s.file().typ(e.Fun) // perhaps a conversion
	if t.kind == named {
		if p := s.pkg().tree.imported(s.pkg(), t.path); p != nil {
			if spec, _ := p.typeSpec(t.name); spec == nil {
				return nil // a function that is not there
			}
		}
	}
	if t.kind == unknown {
		return nil
	}
	return []typ{t}
}
