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

// declared is the innermost declaration of a name that is in force at the scope's position, nil when the
// function declares none.
func (s scope) declared(name string) *local {
	if s.fn.decl.Body == nil {
		return nil
	}
	var found *local
	var size token.Pos
	consider := func(l local, block ast.Node) {
		if l.pos >= s.pos || s.pos > block.End() || s.pos < block.Pos() {
			return
		}
		n := block.End() - block.Pos()
		if found == nil || n < size || n == size && l.pos > found.pos {
			found, size = &l, n
		}
	}
	list := func(fields *ast.FieldList, block ast.Node) {
		if fields == nil {
			return
		}
		for _, f := range fields.List {
			for _, n := range f.Names {
				if n.Name == name {
					consider(local{pos: n.Pos(), typ: f.Type, param: true}, block)
				}
			}
		}
	}
	list(s.fn.decl.Recv, s.fn.decl)
	list(s.fn.decl.Type.Params, s.fn.decl)
	list(s.fn.decl.Type.Results, s.fn.decl)
	var blocks []ast.Node
	ast.Inspect(s.fn.decl.Body, func(n ast.Node) bool {
		if n == nil {
			blocks = blocks[:len(blocks)-1]
			return true
		}
		block := ast.Node(s.fn.decl.Body)
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
					if id, ok := l.(*ast.Ident); ok && id.Name == name {
						d := local{pos: n.End(), index: i}
						if len(n.Rhs) == len(n.Lhs) {
							d.value, d.index = n.Rhs[i], 0
						} else if len(n.Rhs) == 1 {
							d.value = n.Rhs[0]
						}
						consider(d, block)
					}
				}
			}
		case *ast.ValueSpec:
			for i, id := range n.Names {
				if id.Name == name {
					d := local{pos: n.End(), typ: n.Type, index: i}
					if len(n.Values) == len(n.Names) {
						d.value, d.index = n.Values[i], 0
					} else if len(n.Values) == 1 {
						d.value = n.Values[0]
					}
					consider(d, block)
				}
			}
		case *ast.RangeStmt:
			for i, e := range []ast.Expr{n.Key, n.Value} {
				if id, ok := e.(*ast.Ident); ok && id.Name == name && n.Tok == token.DEFINE {
					consider(local{pos: n.X.End(), value: n.X, index: i, elem: true}, n)
				}
			}
		}
		blocks = append(blocks, n)
		return true
	})
	return found
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
