package gorecipe

import (
	"go/ast"
	"go/token"
)

// local is one declaration of a name inside a function.
type local struct {
	pos   token.Pos
	typ   ast.Expr // the declared type, or nil
	value ast.Expr // the value it is taken from, or nil
	index int      // which of the value's results
	elem  bool     // the value is ranged over; index 0 is the key, 1 the element
	param bool
}

// scopedLocal is a local with the node that it is in force in.
type scopedLocal struct {
	local
	block ast.Node
}

// declared is the innermost declaration of a name that is in force at the scope's position, nil when the
// function declares none.
func (s scope) declared(name string) *local {
	if s.fn.decl.Body == nil {
		return nil
	}
	if s.fn.locals == nil {
		s.fn.locals = s.fn.findLocals()
	}
	var found *local
	var size token.Pos
	for i := range s.fn.locals[name] {
		l := &s.fn.locals[name][i]
		if l.pos >= s.pos || s.pos > l.block.End() || s.pos < l.block.Pos() {
			continue
		}
		n := l.block.End() - l.block.Pos()
		if found == nil || n < size || n == size && l.pos > found.pos {
			found, size = &l.local, n
		}
	}
	return found
}

// findLocals lists what a function declares, by name.
func (f *fn) findLocals() map[string][]scopedLocal {
	out := map[string][]scopedLocal{}
	add := func(id *ast.Ident, l local, block ast.Node) {
		out[id.Name] = append(out[id.Name], scopedLocal{l, block})
	}
	list := func(fields *ast.FieldList, block ast.Node) {
		if fields == nil {
			return
		}
		for _, field := range fields.List {
			for _, n := range field.Names {
				add(n, local{pos: n.Pos(), typ: field.Type, param: true}, block)
			}
		}
	}
	list(f.decl.Recv, f.decl)
	list(f.decl.Type.Params, f.decl)
	list(f.decl.Type.Results, f.decl)
	var blocks []ast.Node
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		if n == nil {
			blocks = blocks[:len(blocks)-1]
			return true
		}
		block := ast.Node(f.decl.Body)
		for i := len(blocks) - 1; i >= 0; i-- {
			if scoped(blocks[i]) {
				block = blocks[i]
				break
			}
		}
		switch n := n.(type) {
		case *ast.FuncLit:
			list(n.Type.Params, n)
			list(n.Type.Results, n)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for i, l := range n.Lhs {
					if id, ok := l.(*ast.Ident); ok {
						d := local{pos: n.End(), index: i}
						d.take(n.Rhs, len(n.Lhs), i)
						add(id, d, block)
					}
				}
			}
		case *ast.ValueSpec:
			for i, id := range n.Names {
				d := local{pos: n.End(), typ: n.Type, index: i}
				d.take(n.Values, len(n.Names), i)
				add(id, d, block)
			}
		case *ast.RangeStmt:
			for i, e := range []ast.Expr{n.Key, n.Value} {
				if id, ok := e.(*ast.Ident); ok && n.Tok == token.DEFINE {
					add(id, local{pos: n.X.End(), value: n.X, index: i, elem: true}, n)
				}
			}
		}
		blocks = append(blocks, n)
		return true
	})
	return out
}

// take says where the i-th of n names gets its value from.
func (l *local) take(values []ast.Expr, n, i int) {
	switch len(values) {
	case n:
		l.value, l.index = values[i], 0
	case 1:
		l.value = values[0]
	}
}

// scoped says whether a node opens a scope for what is declared directly in it.
func scoped(n ast.Node) bool {
	switch n.(type) {
	case *ast.BlockStmt, *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.CaseClause, *ast.CommClause, *ast.FuncLit:
		return true
	}
	return false
}

// ident is the type of a name.
func (s scope) ident(name string, depth int) typ {
	if d := s.declared(name); d != nil {
		if d.typ != nil {
			return s.file().typ(d.typ)
		}
		if d.value == nil {
			return typ{}
		}
		ts := scope{s.fn, d.value.Pos()}.typesOf(d.value, depth+1)
		if d.elem {
			if len(ts) == 0 {
				return typ{}
			}
			t := ts[0].under(s.pkg())
			switch {
			case t.kind == mapping && d.index == 0:
				return *t.key
			case t.kind == basic && t.name == "string" && d.index == 1:
				return predeclared("rune")
			case t.kind == basic || d.index == 0 && t.kind != channel:
				return predeclared("int")
			case t.elem != nil:
				return *t.elem
			}
			return typ{}
		}
		if d.index < len(ts) {
			return ts[d.index]
		}
		return typ{}
	}
	switch name {
	case "true", "false":
		return predeclared("bool")
	}
	return s.pkg().global(name)
}

// contextExpr is an expression for a context.Context in force at the scope's position, "" when there
// is none.
func (s scope) contextExpr() string {
	candidates := []string{"ctx", "c", "parent", "parentCtx", "reqCtx", "cctx", "context", "r", "req", "request"}
	for _, list := range s.paramLists() {
		for _, f := range list.List {
			for _, n := range f.Names {
				candidates = append(candidates, n.Name)
			}
		}
	}
	request := ""
	for _, name := range candidates {
		d := s.declared(name)
		if d == nil {
			continue
		}
		t := s.ident(name, 0)
		if t.isContext() {
			return name
		}
		if d.param && t.isPtr("net/http", "Request") && request == "" {
			request = name + ".Context()"
		}
	}
	return request
}

func (s scope) paramLists() []*ast.FieldList {
	out := []*ast.FieldList{}
	ast.Inspect(s.fn.decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			if n.Pos() <= s.pos && s.pos <= n.End() {
				out = append([]*ast.FieldList{n.Type.Params}, out...)
			}
		case *ast.FuncDecl:
			out = append(out, n.Type.Params)
		}
		return true
	})
	return out
}

// enclosing is the innermost function type around the scope's position: that of a closure or of the
// declaration.
func (s scope) enclosing() (*ast.FuncType, *ast.BlockStmt) {
	ft, body := s.fn.decl.Type, s.fn.decl.Body
	ast.Inspect(s.fn.decl.Body, func(n ast.Node) bool {
		if l, ok := n.(*ast.FuncLit); ok && l.Body.Pos() < s.pos && s.pos < l.Body.End() {
			ft, body = l.Type, l.Body
		}
		return true
	})
	return ft, body
}

// names are all identifiers of a function, which a new one must not hide.
func (f *fn) names() map[string]bool {
	out := map[string]bool{}
	ast.Inspect(f.decl, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			out[id.Name] = true
		}
		return true
	})
	return out
}

// hides says whether a function declares a name of its own, a parameter or a variable.
func (f *fn) hides(name string) bool {
	hit := false
	ast.Inspect(f.decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, id := range n.Names {
				hit = hit || id.Name == name
			}
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				id, ok := l.(*ast.Ident)
				hit = hit || ok && n.Tok == token.DEFINE && id.Name == name
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				hit = hit || id.Name == name
			}
		case *ast.RangeStmt:
			hit = hit || n.Tok == token.DEFINE && (identName(n.Key) == name || identName(n.Value) == name)
		}
		return true
	})
	return hit
}

func identName(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
