package gorecipe

import (
	"fmt"
	"strings"

	"github.com/remediator/remediator/patch"
)

// poolEdit writes one patch.
type poolEdit struct {
	site      *poolSite
	to        int
	guard     guard
	r         *rewrite
	helper    string
	telemetry string
}

func (e *poolEdit) edit() ([]byte, error) {
	s, r := e.site, e.r
	p := s.fn.file.pkg
	e.helper = p.freshName(s.fn, lower(s.fn.decl.Name.Name)+"PoolSize")
	enabled, decl := e.guard.enabled(r, "", e.helper+"Enabled")
	note, telemetry := attribute(r, "", "pool size", "remediator.pool_size", "Int64", fmt.Sprint(e.to))
	e.telemetry = telemetry
	r.replace(s.value, e.helper+"("+s.fn.file.text(s.value)+")")
	if s.also != nil {
		r.replace(s.also, e.helper+"("+s.fn.file.text(s.also)+")")
	}
	r.after(s.fn.decl, fmt.Sprintf(`// %[1]s is the size of a pool: size as it is written, or what the demand takes by
// Little's law.
func %[1]s(size %[2]s) %[2]s {
	if %[3]s {
		%[4]s
		return %[5]d
	}
	return size
}
`, e.helper, s.typ, enabled, note, e.to)+spaced(decl))
	return r.bytes()
}

// test adds a test of the pool that the function makes, or of the helper where none can be looked at.
func (e *poolEdit) test(p *patch.Patch) error {
	f := e.site.fn
	name := f.file.pkg.freshTest("Test" + upper(f.recv()) + upper(f.decl.Name.Name) + "PoolSize")
	t := newTestText(f.file.pkg)
	body, ok := e.poolTest(t, name)
	if !ok {
		t = newTestText(f.file.pkg)
		body = e.helperTest(t, name)
	}
	t.body = body
	src, err := t.bytes()
	if err != nil {
		return err
	}
	file := freshFile(f.file, "pool_size")
	p.Files = append(p.Files, patch.FileEdit{Path: file, Kind: patch.TestFile, New: src})
	p.Tests = append(p.Tests, patch.Test{File: file, Name: name, Command: testCommand(f.file.pkg, name), Behavioural: ok,
		Checks: fmt.Sprintf("the pool holds %d with the flag on and %s with it off", e.to, f.file.text(e.site.value))})
	return nil
}

// poolTest calls the function that makes the pool and looks at it.
func (e *poolEdit) poolTest(t *testText, name string) (string, bool) {
	f := e.site.fn
	text := f.file.text(f.decl)
	for _, connects := range []string{"Ping", "Exec", "Query", "Connect("} {
		if strings.Contains(text, connects) {
			return "", false
		}
	}
	if strings.Contains(text, "sql.Open(") && !e.driverAtHand() {
		return "", false
	}
	s := newSynth(t)
	s.database = true
	call, ok := s.call(f)
	if !ok {
		return "", false
	}
	results := f.file.params(f.decl.Type.Results)
	look := ""
	if len(results) > 0 {
		look = e.look(t, results[0].typ, "got", 0)
	}
	var run strings.Builder
	switch {
	case look != "" && len(results) == 1:
		fmt.Fprintf(&run, "got := %s\n", call)
	case look != "" && len(results) == 2 && results[1].typ.isError():
		fmt.Fprintf(&run, "got, err := %s\nif err != nil {\n\tt.Fatal(err)\n}\n", call)
	default:
		return "", false
	}
	all := strings.Join(s.setup, "\n") + call
	var setup strings.Builder
	if strings.Contains(all, "arrive") {
		fmt.Fprintf(&setup, "arrive := func(%s.Context) error { return nil }\n", t.use("context"))
	}
	if strings.Contains(all, "server.") {
		fmt.Fprintf(&setup, "server := %s.NewServer(%s.NotFoundHandler())\ndefer server.Close()\n", t.use("net/http/httptest"), t.use("net/http"))
	}
	if strings.Contains(all, "ctx") {
		fmt.Fprintf(&setup, "ctx := %s.Background()\n", t.use("context"))
	}
	for _, line := range s.setup {
		setup.WriteString(line + "\n")
	}
	return e.cases(t, name, fmt.Sprintf("size := func(t *testing.T) %s {\n\tt.Helper()\n%s\treturn %s\n}\n",
		e.site.typ, indent(setup.String()+run.String(), "\t"), look), "size(t)"), true
}

// look is an expression for the pool's size as seen from a value of a type, "" where it cannot be seen.
func (e *poolEdit) look(t *testText, v typ, expr string, depth int) string {
	p := e.site.fn.file.pkg
	switch e.site.what {
	case "SetMaxOpenConns":
		if v.isPtr("database/sql", "DB") {
			return expr + ".Stats().MaxOpenConnections"
		}
	case "MaxConnsPerHost":
		h := t.use("net/http")
		switch {
		case v.isPtr("net/http", "Transport"):
			return expr + ".MaxConnsPerHost"
		case v.isPtr("net/http", "Client"), v.is("net/http", "Client"):
			return expr + ".Transport.(*" + h + ".Transport).MaxConnsPerHost"
		case v.is("net/http", "RoundTripper"):
			return expr + ".(*" + h + ".Transport).MaxConnsPerHost"
		}
	}
	u := v
	if v.kind == pointer {
		u = *v.elem
	}
	if u.kind != named || u.path != p.path || depth > 1 {
		return ""
	}
	st := u.under(p)
	if st.kind != strukt {
		return ""
	}
	for _, field := range st.in.params(structFields(st)) {
		if field.name == "" {
			continue
		}
		if field.typ.kind == channel && field.name == e.site.what {
			return "cap(" + expr + "." + field.name + ")"
		}
		if x := e.look(t, field.typ, expr+"."+field.name, depth+1); x != "" {
			return x
		}
	}
	return ""
}

// driverAtHand says whether the package itself registers a database driver, so that a test of it can open one.
func (e *poolEdit) driverAtHand() bool {
	for _, f := range e.site.fn.file.pkg.files {
		for _, spec := range f.ast.Imports {
			if spec.Name != nil && spec.Name.Name == "_" {
				return true
			}
		}
	}
	return e.site.fn.file.pkg.contains("sql.Register(")
}

func (e *poolEdit) helperTest(t *testText, name string) string {
	return e.cases(t, name, fmt.Sprintf("size := func() %s { return %s(%s) }\n", e.site.typ, e.helper, e.site.fn.file.text(e.site.value)), "size()")
}

func (e *poolEdit) cases(t *testText, name, run, size string) string {
	return fmt.Sprintf(`// %[1]s looks at the size of the pool.
func %[1]s(t *%[2]s.T) {
%[3]s
	t.Run("flag on", func(t *testing.T) {
%[4]s		if got := %[5]s; got != %[6]d {
			t.Errorf("the pool holds %%d, want %[6]d", got)
		}
	})
	t.Run("flag off", func(t *testing.T) {
%[7]s		if got := %[5]s; got != %[8]s {
			t.Errorf("the pool holds %%d, want what it held before", got)
		}
	})
}
`, name, t.use("testing"), indent(run, "\t"), indent(e.guard.setFlag(t, true), "\t\t"), size, e.to, indent(e.guard.setFlag(t, false), "\t\t"), fmt.Sprint(e.site.fn.number(e.site.value)))
}
