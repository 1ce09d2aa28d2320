package gorecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// A stub stands for what the code under test calls where that is an interface or a function value rather than an
// HTTP server. It asks the test's arrive function, which counts calls and says whether this one fails.

// stub declares a type that implements an interface and returns a value of it.
func (s *synth) stub(t, u typ) (string, bool) {
	if v, ok := s.doer(u); ok {
		return v, true
	}
	key := t.path + "." + t.name
	if v, ok := s.stubs[key]; ok {
		return v, true
	}
	name := s.pkg.freshDecl("remediator" + upper(t.name) + "Stub")
	var b strings.Builder
	fmt.Fprintf(&b, "// %s stands for a dependency; arrive decides how a call ends.\ntype %s struct {\n\tarrive func(%s.Context) error\n}\n", name, name, s.t.use("context"))
	answers := false
	methods, ok := s.methods(u, 0)
	if !ok || len(methods) == 0 {
		return "", false
	}
	for _, m := range methods {
		sig, body, answering, ok := s.stubFunc(m.typ, "s.arrive")
		if !ok {
			return "", false
		}
		answers = answers || answering
		recv := "s"
		if !answering {
			recv = ""
		}
		fmt.Fprintf(&b, "\nfunc (%s %s) %s%s {\n%s}\n", recv, name, m.name, sig, body)
	}
	v := name + "{arrive}"
	s.t.decls = append(s.t.decls, strings.ReplaceAll(b.String(), "func ( ", "func ("))
	s.stubs[key] = v
	s.stubbed = s.stubbed || answers
	return v, true
}

// doer recognises interfaces that an *http.Client implements.
func (s *synth) doer(u typ) (string, bool) {
	list := u.expr.(*ast.InterfaceType).Methods.List
	if len(list) == 0 {
		return "nil", true
	}
	for _, m := range list {
		if len(m.Names) != 1 || m.Names[0].Name != "Do" && m.Names[0].Name != "Get" && m.Names[0].Name != "CloseIdleConnections" {
			return "", false
		}
		ft, ok := m.Type.(*ast.FuncType)
		if !ok {
			return "", false
		}
		if r := u.in.params(ft.Results); len(r) > 0 && !r[0].typ.isPtr("net/http", "Response") {
			return "", false
		}
	}
	return "server.Client()", true
}

// methods lists the methods of an interface, embedded ones of the repository included.
func (s *synth) methods(u typ, depth int) ([]param, bool) {
	var out []param
	for _, m := range u.expr.(*ast.InterfaceType).Methods.List {
		if ft, ok := m.Type.(*ast.FuncType); ok && len(m.Names) == 1 {
			if !m.Names[0].IsExported() && u.in.pkg != s.pkg {
				return nil, false
			}
			out = append(out, param{name: m.Names[0].Name, typ: typ{kind: function, expr: ft, in: u.in}})
			continue
		}
		e := u.in.typ(m.Type).under(s.pkg)
		if e.kind != iface || depth > 3 {
			return nil, false
		}
		more, ok := s.methods(e, depth+1)
		if !ok {
			return nil, false
		}
		out = append(out, more...)
	}
	return out, true
}

// stubFunc writes the signature and body of a function that asks arrive and returns zero values beside
// its error.
func (s *synth) stubFunc(t typ, arrive string) (sig, body string, answers, ok bool) {
	ft := t.expr.(*ast.FuncType)
	var in []string
	ctx := s.t.use("context") + ".Background()"
	for i, p := range t.in.params(ft.Params) {
		text, ok := s.typeText(p.typ)
		if !ok {
			return "", "", false, false
		}
		if p.variadic {
			text = "..." + strings.TrimPrefix(text, "[]")
		}
		name := "_"
		if p.typ.isContext() && i == 0 {
			name, ctx = "ctx", "ctx"
		}
		in = append(in, name+" "+text)
	}
	results := t.in.params(ft.Results)
	var outs, returns []string
	for i, p := range results {
		text, ok := s.typeText(p.typ)
		if !ok {
			return "", "", false, false
		}
		outs = append(outs, text)
		if i == len(results)-1 && p.typ.isError() {
			answers = true
			returns = append(returns, fmt.Sprintf("%s(%s)", arrive, ctx))
			continue
		}
		z, ok := s.zeroText(p.typ, text)
		if !ok {
			return "", "", false, false
		}
		returns = append(returns, z)
	}
	if !answers && ctx == "ctx" {
		in[0] = strings.Replace(in[0], "ctx ", "_ ", 1)
	}
	sig = "(" + strings.Join(in, ", ") + ")"
	switch len(outs) {
	case 0:
	case 1:
		sig += " " + outs[0]
	default:
		sig += " (" + strings.Join(outs, ", ") + ")"
	}
	if len(returns) > 0 {
		body = "\treturn " + strings.Join(returns, ", ") + "\n"
	}
	return sig, body, answers, true
}

// function makes a function literal that asks arrive.
func (s *synth) function(t typ) (string, bool) {
	sig, body, answers, ok := s.stubFunc(t, "arrive")
	if !ok {
		return "", false
	}
	s.stubbed = s.stubbed || answers
	return "func" + sig + " {\n" + body + "}", true
}

// typeText writes a type in the test file. A type parameter of a generic function becomes int.
func (s *synth) typeText(t typ) (string, bool) {
	switch t.kind {
	case basic:
		return t.name, true
	case named:
		if s.pkg.tree.imported(s.pkg, t.path) != nil {
			r := s.ref(t)
			return r, r != ""
		}
		if t.path == "" || !token.IsExported(t.name) {
			return "", false
		}
		return s.t.use(t.path) + "." + t.name, true
	case pointer, slice, channel:
		e, ok := s.typeText(*t.elem)
		return map[kind]string{pointer: "*", slice: "[]", channel: "chan "}[t.kind] + e, ok
	case mapping:
		k, ok1 := s.typeText(*t.key)
		e, ok2 := s.typeText(*t.elem)
		return "map[" + k + "]" + e, ok1 && ok2
	case function:
		sig, _, _, ok := s.stubFunc(t, "")
		return "func" + sig, ok
	case iface:
		if len(t.expr.(*ast.InterfaceType).Methods.List) == 0 {
			return "any", true
		}
	case unknown:
		if s.typeParams[t.name] { // inferred from here
			return "int", true
		}
	}
	return "", false
}

// zeroText is the zero value of a type whose text is given.
func (s *synth) zeroText(t typ, text string) (string, bool) {
	u := t.under(s.pkg)
	switch u.kind {
	case pointer:
		if h := s.t.imports["net/http"]; u.elem.is("net/http", "Response") && h != "" {
			return fmt.Sprintf("&%s.Response{StatusCode: %s.StatusOK, Body: %s.NoBody}", h, h, h), true
		}
		if s.nilResults {
			return "nil", true
		}
		// A caller may look into what it gets beside a nil error.
		if e := u.elem.under(s.pkg); e.kind == strukt && strings.HasPrefix(text, "*") {
			return "&" + text[1:] + "{}", true
		}
		return "nil", true
	case slice, mapping, channel, function, iface:
		return "nil", true
	case basic:
		switch {
		case u.name == "string":
			return `""`, true
		case u.name == "bool":
			return "false", true
		case u.name == "error" || u.name == "any":
			return "nil", true
		}
		return "0", true
	case unknown:
		if s.typeParams[t.name] {
			return "0", true
		}
	case strukt:
		return text + "{}", true
	case named: // of another module: new(T) works for structs, interfaces and basics alike
		return "*new(" + text + ")", true
	}
	return "", false
}

func upper(name string) string {
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}
