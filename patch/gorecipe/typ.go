package gorecipe

import (
	"go/ast"
	"strings"
)

// typ is what is known of a type from the syntax tree alone: enough to decide whether a value may
// be nil and to make one up in a test. Imported packages outside the repository are names only, so
// that a recipe works without their sources. kind 0 means unknown.
type typ struct {
	kind      kind
	path      string // import path of a named type, "" for predeclared ones
	name      string
	elem, key *typ
	expr      ast.Expr // of function, interface and struct types
	in        *file    // where expr is written
}

type kind int

const (
	unknown  kind = iota
	basic         // predeclared: string, int, error, any ...
	named         // path.name
	pointer       // to elem
	slice         // of elem, variadic parameters too
	array         // of elem
	mapping       // key, elem
	channel       // of elem
	function      // expr is *ast.FuncType
	iface         // expr is *ast.InterfaceType
	strukt        // expr is *ast.StructType
)

func external(path, name string) typ { return typ{kind: named, path: path, name: name} }
func ptr(t typ) typ                  { return typ{kind: pointer, elem: &t} }
func predeclared(name string) typ    { return typ{kind: basic, name: name} }

var basics = "|bool|string|error|any|byte|rune|int|int8|int16|int32|int64|uint|uint8|uint16|uint32|uint64|uintptr|float32|float64|complex64|complex128|comparable|"

// is compares with a named type, "context.Context" by import path and name.
func (t typ) is(path, name string) bool { return t.kind == named && t.path == path && t.name == name }

func (t typ) isPtr(path, name string) bool { return t.kind == pointer && t.elem.is(path, name) }

func (t typ) isBasic(name string) bool { return t.kind == basic && t.name == name }

func (t typ) isError() bool { return t.isBasic("error") }

func (t typ) isContext() bool { return t.is("context", "Context") }

func (t typ) isInteger() bool {
	return t.kind == basic && (strings.HasPrefix(t.name, "int") || strings.HasPrefix(t.name, "uint") || t.name == "byte" || t.name == "rune")
}

// typ reads a type expression.
func (f *file) typ(e ast.Expr) typ {
	switch e := e.(type) {
	case *ast.Ident:
		if strings.Contains(basics, "|"+e.Name+"|") && !f.pkg.declares(e.Name) {
			return predeclared(e.Name)
		}
		if s, _ := f.pkg.typeSpec(e.Name); s != nil {
			return typ{kind: named, path: f.pkg.path, name: e.Name}
		}
		return typ{name: e.Name} // perhaps a type parameter
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok && f.imports[x.Name] != "" {
			return external(f.imports[x.Name], e.Sel.Name)
		}
	case *ast.ParenExpr:
		return f.typ(e.X)
	case *ast.StarExpr:
		return ptr(f.typ(e.X))
	case *ast.ArrayType:
		elem := f.typ(e.Elt)
		if e.Len != nil {
			return typ{kind: array, elem: &elem}
		}
		return typ{kind: slice, elem: &elem}
	case *ast.Ellipsis:
		elem := f.typ(e.Elt)
		return typ{kind: slice, elem: &elem}
	case *ast.MapType:
		key, elem := f.typ(e.Key), f.typ(e.Value)
		return typ{kind: mapping, key: &key, elem: &elem}
	case *ast.ChanType:
		elem := f.typ(e.Value)
		return typ{kind: channel, elem: &elem}
	case *ast.FuncType:
		return typ{kind: function, expr: e, in: f}
	case *ast.InterfaceType:
		return typ{kind: iface, expr: e, in: f}
	case *ast.StructType:
		return typ{kind: strukt, expr: e, in: f}
	case *ast.IndexExpr, *ast.IndexListExpr:
		return typ{} // generic types are beyond what syntax tells
	}
	return typ{}
}

// under is the type behind a name declared in the repository; other types are themselves.
func (t typ) under(from *pkg) typ {
	for range 8 {
		if t.kind != named {
			return t
		}
		p := from.tree.imported(from, t.path)
		if p == nil {
			return t
		}
		s, f := p.typeSpec(t.name)
		if s == nil || s.TypeParams != nil {
			return typ{}
		}
		t = f.typ(s.Type)
	}
	return t
}

// nilable says whether comparing with nil compiles. Unknown types are not.
func (t typ) nilable(from *pkg) bool {
	u := t.under(from)
	switch u.kind {
	case pointer, slice, mapping, channel, function, iface:
		return true
	case basic:
		return u.name == "error" || u.name == "any"
	}
	return false
}

// field finds a field of a struct type (or a pointer to one), embedded structs included.
func (t typ) field(from *pkg, name string) (typ, *ast.Field) {
	return t.fieldAt(from, name, 0)
}

func (t typ) fieldAt(from *pkg, name string, depth int) (typ, *ast.Field) {
	u := t.under(from)
	if u.kind == pointer {
		u = u.elem.under(from)
	}
	if u.kind != strukt || depth > 4 {
		return typ{}, nil
	}
	fields := u.expr.(*ast.StructType).Fields.List
	for _, f := range fields {
		for _, n := range f.Names {
			if n.Name == name {
				return u.in.typ(f.Type), f
			}
		}
		if len(f.Names) == 0 && typeName(f.Type) == name {
			return u.in.typ(f.Type), f
		}
	}
	for _, f := range fields {
		if len(f.Names) == 0 {
			if ft, field := u.in.typ(f.Type).fieldAt(from, name, depth+1); field != nil {
				return ft, field
			}
		}
	}
	return typ{}, nil
}

// method finds a method of a named type of the repository: its signature and, for concrete types,
// its declaration.
func (t typ) method(from *pkg, name string) (*ast.FuncType, *file, *fn) {
	return t.methodAt(from, name, 0)
}

func (t typ) methodAt(from *pkg, name string, depth int) (*ast.FuncType, *file, *fn) {
	if depth > 4 {
		return nil, nil, nil
	}
	if t.kind == pointer {
		t = *t.elem
	}
	if t.kind == named {
		p := from.tree.imported(from, t.path)
		if p == nil {
			return nil, nil, nil
		}
		if f := p.function(t.name, name); f != nil {
			return f.decl.Type, f.file, f
		}
	}
	u := t.under(from)
	switch u.kind {
	case iface:
		for _, m := range u.expr.(*ast.InterfaceType).Methods.List {
			ft, ok := m.Type.(*ast.FuncType)
			if ok && len(m.Names) == 1 && m.Names[0].Name == name {
				return ft, u.in, nil
			}
			if !ok {
				if ft, in, f := u.in.typ(m.Type).methodAt(from, name, depth+1); ft != nil {
					return ft, in, f
				}
			}
		}
	case strukt:
		for _, f := range u.expr.(*ast.StructType).Fields.List {
			if len(f.Names) == 0 {
				if ft, in, d := u.in.typ(f.Type).methodAt(from, name, depth+1); ft != nil {
					return ft, in, d
				}
			}
		}
	}
	return nil, nil, nil
}

// param is one parameter or result of a function.
type param struct {
	name     string
	typ      typ
	variadic bool
}

func (f *file) params(list *ast.FieldList) []param {
	if list == nil {
		return nil
	}
	var out []param
	for _, field := range list.List {
		_, variadic := field.Type.(*ast.Ellipsis)
		t := f.typ(field.Type)
		if len(field.Names) == 0 {
			out = append(out, param{typ: t, variadic: variadic})
		}
		for _, n := range field.Names {
			out = append(out, param{n.Name, t, variadic})
		}
	}
	return out
}

// structFields are the fields of a struct type.
func structFields(t typ) *ast.FieldList { return t.expr.(*ast.StructType).Fields }
