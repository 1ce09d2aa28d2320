package gorecipe

import (
	"go/ast"
	"go/token"
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
	if t := s.file().typ(e.Fun); t.kind != unknown { // a conversion
		return []typ{t}
	}
	return nil
}

// knownCall is the results of the functions of other packages that outgoing calls are made with.
func knownCall(path, name string) []typ {
	err := predeclared("error")
	switch path + "." + name {
	case "net/http.NewRequest", "net/http.NewRequestWithContext":
		return []typ{ptr(external("net/http", "Request")), err}
	case "net/http.Get", "net/http.Post", "net/http.PostForm", "net/http.Head":
		return []typ{ptr(external("net/http", "Response")), err}
	case "database/sql.Open":
		return []typ{ptr(external("database/sql", "DB")), err}
	case "context.Background", "context.TODO", "context.WithValue", "context.WithoutCancel":
		return []typ{external("context", "Context")}
	case "context.WithTimeout", "context.WithCancel", "context.WithDeadline":
		return []typ{external("context", "Context"), external("context", "CancelFunc")}
	case "errors.New", "fmt.Errorf":
		return []typ{err}
	case "fmt.Sprintf", "fmt.Sprint":
		return []typ{predeclared("string")}
	case "time.Now":
		return []typ{external("time", "Time")}
	}
	return nil
}

func knownMethod(t typ, name string) []typ {
	err := predeclared("error")
	response := []typ{ptr(external("net/http", "Response")), err}
	if t.kind == pointer {
		t = *t.elem
	}
	switch t.path + "." + t.name + "." + name {
	case "net/http.Client.Do", "net/http.Client.Get", "net/http.Client.Post", "net/http.Client.PostForm", "net/http.Client.Head", "net/http.RoundTripper.RoundTrip":
		return response
	case "net/http.Request.Context":
		return []typ{external("context", "Context")}
	case "net/http.Request.WithContext", "net/http.Request.Clone":
		return []typ{ptr(external("net/http", "Request"))}
	case "go.opentelemetry.io/otel/trace.Tracer.Start":
		return []typ{external("context", "Context"), external("go.opentelemetry.io/otel/trace", "Span")}
	case "database/sql.DB.QueryContext", "database/sql.DB.Query", "database/sql.Tx.QueryContext", "database/sql.Tx.Query", "database/sql.Conn.QueryContext", "database/sql.Stmt.QueryContext", "database/sql.Stmt.Query":
		return []typ{ptr(external("database/sql", "Rows")), err}
	case "database/sql.DB.Conn":
		return []typ{ptr(external("database/sql", "Conn")), err}
	case "database/sql.DB.BeginTx", "database/sql.DB.Begin":
		return []typ{ptr(external("database/sql", "Tx")), err}
	}
	return nil
}

func knownField(t typ, name string) typ {
	if t.kind == pointer {
		t = *t.elem
	}
	switch t.path + "." + t.name + "." + name {
	case "net/http.Response.StatusCode":
		return predeclared("int")
	case "net/http.Request.URL":
		return ptr(external("net/url", "URL"))
	case "net/http.Response.Request":
		return ptr(external("net/http", "Request"))
	case "net/http.Response.Body", "net/http.Request.Body":
		return external("io", "ReadCloser")
	}
	return typ{}
}

// structFields are the fields of a struct type.
func structFields(t typ) *ast.FieldList { return t.expr.(*ast.StructType).Fields }
