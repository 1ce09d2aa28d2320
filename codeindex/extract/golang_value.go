package extract

import (
	"go/ast"
	"go/token"
	"strconv"
)

// goName is an identifier or a dotted name, "" for anything else.
func goName(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.Ident:
		return x.Name
	case *ast.SelectorExpr:
		if base := goName(x.X); base != "" {
			return base + "." + x.Sel.Name
		}
	case *ast.ParenExpr:
		return goName(x.X)
	case *ast.StarExpr:
		return goName(x.X)
	}
	return ""
}

func (g *goFile) value(e ast.Expr) value {
	var v value
	switch x := e.(type) {
	// The position of a chain or sum is that of its first link, which lies as deep as the chain is long;
	// asking every link for it takes the square of that. So these cases come without asking.
	case *ast.CallExpr:
		return g.call(x)
	case *ast.BinaryExpr:
		left, right := g.value(x.X), g.value(x.Y)
		v.line = left.line
		if x.Op != token.ADD || left.kind != textual && right.kind != textual {
			return v
		}
		v.kind, v.text = textual, concat(left.orHole(), right.orHole())
		g.text(v.text, v.line, g.fn)
		return v
	case *ast.SelectorExpr:
		if name := goName(x); name != "" {
			return value{kind: named, text: name, line: g.line(x.Pos())}
		}
		v.line = g.line(x.Sel.Pos())
		base := x.X
		for s, ok := base.(*ast.SelectorExpr); ok; s, ok = base.(*ast.SelectorExpr) {
			base = s.X
		}
		g.walk(base)
		return v
	}
	v.line = g.line(e.Pos())
	switch x := e.(type) {
	case *ast.BasicLit:
		if x.Kind != token.STRING {
			return v
		}
		if s, err := strconv.Unquote(x.Value); err == nil {
			v.kind, v.text = textual, clean(s)
			g.text(v.text, v.line, g.fn)
		}
	case *ast.Ident:
		v.kind, v.text = named, x.Name
	case *ast.ParenExpr:
		return g.value(x.X)
	case *ast.UnaryExpr:
		if x.Op == token.AND {
			return g.value(x.X)
		}
		g.walk(x.X)
	case *ast.FuncLit:
		v.kind, v.to = lambda, g.line(x.End())
		g.walk(x.Body)
	case *ast.CompositeLit:
		v.kind, v.text = list, goTypeName(x.Type)
		if x.Type != nil {
			g.walk(x.Type) // [len(a)]byte{}
		}
		for _, el := range x.Elts {
			pair, ok := el.(*ast.KeyValueExpr)
			if !ok {
				v.elems = append(v.elems, g.value(el))
				continue
			}
			field := g.value(pair.Value)
			if name := goName(pair.Key); name != "" {
				field.key, v.kind = name, object
			} else if k := g.value(pair.Key); k.kind == textual {
				field.key, v.kind = k.text, object
			}
			v.elems = append(v.elems, field)
		}
	default:
		g.walk(e) // an expression without a meaning of its own here
	}
	return v
}

func (g *goFile) call(x *ast.CallExpr) value {
	made := &call{fn: g.fn, to: g.line(x.End())}
	v := value{kind: called, call: made}
	fun := x.Fun
	switch f := fun.(type) {
	case *ast.IndexExpr: // an instantiated generic function
		fun = f.X
	case *ast.IndexListExpr:
		fun = f.X
	}
	g.record(made)
	switch f := fun.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		if made.callee = goName(fun); made.callee != "" {
			made.line = g.line(fun.Pos())
		} else {
			s := f.(*ast.SelectorExpr)
			// The line of a method in a chain is where its name stands.
			made.line = g.line(s.Sel.Pos())
			switch base := g.value(s.X); base.kind {
			case called:
				made.on = base.call
				made.callee = base.call.chained() + s.Sel.Name
			case textual:
				made.callee = `"".` + s.Sel.Name
			default:
				made.callee = "." + s.Sel.Name
			}
		}
	case *ast.FuncLit:
		made.line = g.line(f.Pos())
		g.walk(f.Body)
	default:
		made.line = g.line(x.Lparen)
		g.walk(fun)
	}
	v.line = made.line
	for _, a := range x.Args {
		made.args = append(made.args, g.value(a))
	}
	v.text = made.callee
	if t, ok := g.conversion(made); ok {
		v.kind, v.text = textual, t
		g.text(t, v.line, g.fn)
	} else if t, ok := formatted(made); ok {
		v.kind, v.text = textual, t
		g.text(t, v.line, g.fn)
	}
	return v
}

// conversion sees through string(x) and through types with a text, such as attribute.Key("x").
func (g *goFile) conversion(x *call) (string, bool) {
	if x.callee == "string" && len(x.args) == 1 {
		return x.args[0].template()
	}
	return "", false
}
