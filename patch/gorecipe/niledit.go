package gorecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"strconv"
	"strings"

	"github.com/remediator/remediator/patch"
)

// nilEdit writes one patch.
type nilEdit struct {
	site      *nilSite
	guard     guard
	r         *rewrite
	telemetry string
}

func (e *nilEdit) edit() ([]byte, error) {
	s, r := e.site, e.r
	here := scope{s.fn, s.stmt.Pos()}
	helper := s.fn.file.pkg.freshName(s.fn, lower(s.fn.decl.Name.Name)+"NilGuardEnabled")
	enabled, decl := e.guard.enabled(r, here.contextExpr(), helper)
	if decl != "" {
		r.after(s.fn.decl, decl)
	}
	var checks []string
	for _, x := range s.guarded {
		checks = append(checks, s.fn.file.text(x)+" == nil")
	}
	cond := strings.Join(checks, " || ")
	if len(checks) > 1 {
		cond = "(" + cond + ")"
	}
	cond += " && " + enabled
	note, telemetry := attribute(r, here.contextExpr(), "missing value", "remediator.nil_guard", "String", strconv.Quote(s.names()))
	e.telemetry = telemetry
	switch s.how {
	case actionSkip:
		r.wrap(s.stmt, "if "+cond+" {\n\t"+note+"\n} else {\n", "}\n")
	case actionDefine:
		a := s.stmt.(*ast.AssignStmt)
		r.before(s.stmt, "var "+s.target+"\n")
		r.edits = append(r.edits, span{s.fn.file.offset(a.TokPos), s.fn.file.offset(a.TokPos) + 2, "="})
		start := r.lineStart(s.fn.file.offset(a.Pos()))
		in := r.indentOf(a)
		r.edits = append(r.edits, span{start, s.fn.file.offset(a.Pos()), indent("if "+cond+" {\n\t"+note+"\n} else {\n", in) + in + "\t"})
		end := s.fn.file.offset(a.End())
		r.edits = append(r.edits, span{end, end, "\n" + in + "}"})
	case actionReturn:
		r.before(s.stmt, fmt.Sprintf("if %s {\n\t%s\n\treturn %s%s\n}\n", cond, note, s.zeros, e.failure()))
	case actionHTTP:
		h := r.use("net/http")
		r.before(s.stmt, fmt.Sprintf("if %s {\n\t%s\n\t%s.Error(%s, %s.StatusText(%s.StatusInternalServerError), %s.StatusInternalServerError)\n\treturn\n}\n",
			cond, note, h, s.writer(), h, h, h))
	}
	return r.bytes()
}

// failure is the error that the function returns, made as the file makes errors.
func (e *nilEdit) failure() string {
	text := strconv.Quote(snakeWords(e.site.fn.decl.Name.Name) + ": " + e.site.names() + " is missing")
	if _, ok := e.r.file.imported("errors"); !ok {
		if _, ok := e.r.file.imported("fmt"); ok {
			return e.r.use("fmt") + ".Errorf(" + text + ")"
		}
	}
	return e.r.use("errors") + ".New(" + text + ")"
}

func snakeWords(name string) string { return strings.ReplaceAll(snake(name), "_", " ") }

// test adds a test that calls the function with the value missing.
func (e *nilEdit) test(p *patch.Patch) error {
	f := e.site.fn
	name := f.file.pkg.freshTest("Test" + upper(f.recv()) + upper(f.decl.Name.Name) + "SurvivesNil")
	t := newTestText(f.file.pkg)
	s := newSynth(t)
	s.database, s.elements, s.nilResults = true, true, true
	e.conditions(s)
	call, ok := s.call(f)
	if !ok || !s.nilMade {
		p.Risks = append(p.Risks, fmt.Sprintf("No test could be generated: no call that makes %s nil can be made up from the types.", e.site.names()))
		return nil
	}
	all := strings.Join(s.setup, "\n") + call
	var run strings.Builder
	if strings.Contains(all, "arrive") {
		fmt.Fprintf(&run, "arrive := func(%s.Context) error { return nil }\n", t.use("context"))
	}
	if strings.Contains(all, "server.") {
		h := t.use("net/http")
		fmt.Fprintf(&run, "server := %s.NewServer(%s.HandlerFunc(func(w %s.ResponseWriter, _ *%s.Request) {\n\tw.Header().Set(\"Content-Type\", \"application/json\")\n\t_, _ = %s.WriteString(w, \"{}\")\n}))\ndefer server.Close()\n", t.use("net/http/httptest"), h, h, h, t.use("io"))
	}
	if strings.Contains(all, "ctx") {
		fmt.Fprintf(&run, "ctx := %s.Background()\n", t.use("context"))
	}
	for _, line := range s.setup {
		run.WriteString(line + "\n")
	}
	run.WriteString(discard(t, f, call) + "\nreturn nil\n")
	t.body = fmt.Sprintf(`// %[1]s calls %[2]s without %[3]s.
func %[1]s(t *%[4]s.T) {
	run := func(t *testing.T) (panicked any) {
		t.Helper()
		defer func() { panicked = recover() }()
%[5]s	}

	t.Run("flag on", func(t *testing.T) {
%[6]s		if p := run(t); p != nil {
			t.Errorf("panicked: %%v", p)
		}
	})
	t.Run("flag off", func(t *testing.T) {
%[7]s		if run(t) == nil {
			t.Error("did not panic although the flag is off")
		}
	})
}
`, name, f.key(), e.site.names(), t.use("testing"), indent(run.String(), "\t\t"), indent(e.guard.setFlag(t, true), "\t\t"), indent(e.guard.setFlag(t, false), "\t\t"))
	src, err := t.bytes()
	if err != nil {
		return err
	}
	file := freshFile(f.file, "nil_guard")
	p.Files = append(p.Files, patch.FileEdit{Path: file, Kind: patch.TestFile, New: src})
	p.Tests = append(p.Tests, patch.Test{File: file, Name: name, Command: testCommand(f.file.pkg, name), Behavioural: true,
		Checks: fmt.Sprintf("%s does not panic without %s with the flag on, and does with it off", f.key(), e.site.names())})
	return nil
}

// conditions fixes what the made-up arguments have to fulfil on the way to the statement, as far as the
// conditions around it are comparisons of fields or parameters with constants, and leaves the guarded value nil.
func (e *nilEdit) conditions(s *synth) {
	f := e.site.fn
	last := e.site.guarded[len(e.site.guarded)-1]
	here := scope{f, last.Pos()}
	e.leaveNil(s, here, last, 0)
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		if n == nil || !inNode(e.site.stmt, n) {
			return false
		}
		switch n := n.(type) {
		case *ast.IfStmt:
			if inNode(e.site.stmt, n.Body) {
				e.assume(s, n.Cond, true)
			}
		case *ast.SwitchStmt:
			for _, c := range n.Body.List {
				c := c.(*ast.CaseClause)
				if !inNode(e.site.stmt, c) || len(c.List) == 0 {
					continue
				}
				if n.Tag != nil {
					e.fix(s, n.Tag, f.file.text(c.List[0]))
				} else {
					e.assume(s, c.List[0], true)
				}
			}
		}
		return true
	})
}

// leaveNil arranges for an expression to be nil: a field that is left out, a parameter that is nil, a key that is not
// there, a stub that returns nothing.
func (e *nilEdit) leaveNil(s *synth, here scope, x ast.Expr, depth int) {
	if depth > 6 {
		return
	}
	switch x := x.(type) {
	case *ast.SelectorExpr:
		t := here.typeOf(x.X)
		if t.kind == pointer {
			t = *t.elem
		}
		if t.kind == named {
			s.nilAt, s.nilMade = t.name+"."+x.Sel.Name, true
		}
	case *ast.IndexExpr:
		s.nilMade = here.typeOf(x.X).under(here.pkg()).kind == mapping
		s.missing = true
	case *ast.Ident:
		d := here.declared(x.Name)
		switch {
		case d == nil:
		case d.param:
			s.params[x.Name], s.nilMade = "nil", true
		case d.elem:
			s.nilElement, s.nilMade = true, true
		case d.value != nil:
			if c, ok := d.value.(*ast.CallExpr); ok {
				s.nilMade = callee(here.fn, c) == nil // a stub; what the repository's own code returns is not ours to say
				return
			}
			e.leaveNil(s, scope{here.fn, d.value.Pos()}, d.value, depth+1)
		}
	}
}

// assume makes a condition hold.
func (e *nilEdit) assume(s *synth, cond ast.Expr, holds bool) {
	f := e.site.fn
	switch c := cond.(type) {
	case *ast.ParenExpr:
		e.assume(s, c.X, holds)
	case *ast.UnaryExpr:
		if c.Op == token.NOT {
			e.assume(s, c.X, !holds)
		}
	case *ast.Ident, *ast.SelectorExpr:
		e.fix(s, c, strconv.FormatBool(holds))
	case *ast.BinaryExpr:
		switch {
		case c.Op == token.LAND && holds:
			e.assume(s, c.X, true)
			e.assume(s, c.Y, true)
		case c.Op == token.EQL && holds && !isNil(c.Y):
			e.fix(s, c.X, f.file.text(c.Y))
		case (c.Op == token.GTR || c.Op == token.GEQ) && holds:
			if n := f.number(c.Y); n > 0 {
				e.fix(s, c.X, strconv.Itoa(n+1))
			}
		}
	}
}

// fix gives a field or parameter a value.
func (e *nilEdit) fix(s *synth, x ast.Expr, value string) {
	here := scope{e.site.fn, e.site.stmt.Pos()}
	if strings.ContainsAny(value, ".(") && value[0] != '"' {
		return // a name of another package, which the test would have to import
	}
	switch x := x.(type) {
	case *ast.Ident:
		if d := here.declared(x.Name); d != nil && d.param {
			s.params[x.Name] = value
		}
	case *ast.SelectorExpr:
		t := here.typeOf(x.X)
		if t.kind == pointer {
			t = *t.elem
		}
		if t.kind == named {
			s.fields[t.name+"."+x.Sel.Name] = value
		}
	}
}
