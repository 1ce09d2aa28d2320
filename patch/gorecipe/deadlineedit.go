package gorecipe

import (
	"fmt"
	"go/ast"
	"strings"
	"time"

	"github.com/remediator/remediator/patch"
)

// deadlineEdit writes one patch.
type deadlineEdit struct {
	site      *site
	deadline  time.Duration
	guard     guard
	r         *rewrite
	telemetry string
}

func (e *deadlineEdit) edit() ([]byte, error) {
	s, r := e.site, e.r
	here := scope{s.fn, s.stmt.Pos()}
	switch {
	case s.kind == siteRequest && !s.leaks:
		req := identName(s.call.Args[0])
		if d := here.declared(req); d == nil || d.pos > s.stmt.Pos() {
			return nil, fmt.Errorf("the request of %s is not in scope above the statement", s.callee())
		}
		e.request(here, req)
	case s.kind == siteRequest || s.kind == siteGet:
		e.client(here)
	default:
		e.context(here)
	}
	return r.bytes()
}

func (e *deadlineEdit) enabled(s scope) string {
	name := e.r.file.pkg.freshName(e.site.fn, lower(e.site.fn.decl.Name.Name)+"DeadlineEnabled")
	expr, decl := e.guard.enabled(e.r, s.contextExpr(), name)
	if decl != "" {
		e.r.after(e.site.fn.decl, decl)
	}
	return expr
}

// note is the statement that tells of the deadline in the service's telemetry.
func (e *deadlineEdit) note(ctx string) string {
	stmt, what := attribute(e.r, ctx, "calling with a deadline", "remediator.deadline_ms", "Int64", fmt.Sprint(e.deadline.Milliseconds()))
	e.telemetry = what
	return stmt
}

// request replaces the request's context by one with a deadline. It is cancelled when the function returns, which
// is after the body was read.
func (e *deadlineEdit) request(s scope, req string) {
	r := e.r
	ctx, cancel := r.fn.freshLocal("ctx", s), r.fn.freshLocal("cancel", s)
	r.before(e.site.stmt, fmt.Sprintf("if %s {\n\t%s, %s := %s.WithTimeout(%s.Context(), %s)\n\tdefer %s()\n\t%s\n\t%s = %s.WithContext(%s)\n}\n",
		e.enabled(s), ctx, cancel, r.use("context"), req, literal(e.deadline, r.use("time")), cancel, e.note(ctx), req, req, ctx))
}

// client sends through a copy of the client with a timeout, which covers reading the body wherever that
// happens.
func (e *deadlineEdit) client(s scope) {
	r := e.r
	h := r.use("net/http")
	ptrExpr, value, _ := e.site.client(h)
	name := r.file.pkg.freshName(r.fn, "client")
	bounded := r.file.pkg.freshName(r.fn, "bounded")
	r.before(e.site.stmt, fmt.Sprintf("%s := %s\nif %s {\n\t%s := %s\n\t%s.Timeout = %s\n\t%s\n\t%s = &%s\n}\n",
		name, ptrExpr, e.enabled(s), bounded, value, bounded, literal(e.deadline, r.use("time")), e.note(s.contextExpr()), name, bounded))
	r.replace(e.site.call.Fun.(*ast.SelectorExpr).X, name)
}

// context gives the call a context with a deadline: the one in scope when nothing uses it afterwards, a new one
// otherwise.
func (e *deadlineEdit) context(s scope) {
	r, site := e.r, e.site
	c, tm := r.use("context"), r.use("time")
	cancel := r.fn.freshLocal("cancel", s)
	name := ""
	if site.ctx != nil {
		name = identName(site.ctx)
	}
	head := ""
	if name == "" || site.fn.usedBehind(name, site.stmt) || s.declared(name) == nil {
		from := c + ".Background()"
		if site.ctx != nil {
			from = r.file.text(site.ctx)
		}
		name = r.file.pkg.freshName(r.fn, "callCtx")
		head = name + " := " + from + "\n"
		sel := site.call.Fun.(*ast.SelectorExpr)
		switch {
		case site.ctx != nil:
			r.replace(site.ctx, name)
		default: // Query is QueryContext with the background context
			r.replace(sel.Sel, sel.Sel.Name+"Context")
			at := r.file.offset(site.call.Lparen) + 1
			r.edits = append(r.edits, span{at, at, name + ", "})
		}
	}
	r.before(site.stmt, head+fmt.Sprintf("if %s {\n\tvar %s %s.CancelFunc\n\t%s, %s = %s.WithTimeout(%s, %s)\n\tdefer %s()\n\t%s\n}\n",
		e.enabled(s), cancel, c, name, cancel, c, name, literal(e.deadline, tm), cancel, e.note(name)))
}

// freshLocal is a name for a variable of a new inner block: an import or package name must not be hidden, other
// locals may.
func (f *fn) freshLocal(base string, s scope) string {
	if _, ok := f.file.imports[base]; ok || f.file.pkg.declares(base) {
		return f.file.pkg.freshName(f, base)
	}
	return base
}

// usedBehind says whether a name is read after a statement, other than by what the statement itself holds.
func (f *fn) usedBehind(name string, stmt ast.Stmt) bool {
	hit := false
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		hit = hit || ok && id.Name == name && id.Pos() > stmt.End()
		return true
	})
	return hit
}

// test adds a test in which nobody answers.
func (e *deadlineEdit) test(p *patch.Patch) error {
	f := e.site.fn
	name := f.file.pkg.freshTest("Test" + upper(f.recv()) + upper(f.decl.Name.Name) + "HasDeadline")
	for _, target := range append([]*fn{f}, callers(f)...) {
		t := newTestText(f.file.pkg)
		body, ok := e.testBody(t, name, target)
		if !ok {
			continue
		}
		t.body = body
		src, err := t.bytes()
		if err != nil {
			return err
		}
		file := freshFile(f.file, "deadline")
		p.Files = append(p.Files, patch.FileEdit{Path: file, Kind: patch.TestFile, New: src})
		p.Tests = append(p.Tests, patch.Test{File: file, Name: name, Command: testCommand(f.file.pkg, name), Behavioural: true,
			Checks: fmt.Sprintf("when nobody answers, %s returns after %s with the flag on and still waits with it off", target.key(), e.deadline)})
		return nil
	}
	p.Risks = append(p.Risks, fmt.Sprintf("No test could be generated: no call of %s can be made up from the types of its parameters.", f.key()))
	return nil
}

func (e *deadlineEdit) testBody(t *testText, name string, target *fn) (string, bool) {
	s := newSynth(t)
	s.database = e.site.kind == siteQuery || e.site.kind == siteContext
	call, ok := s.call(target)
	if !ok || !s.server && !s.stubbed {
		return "", false
	}
	tm, ctxp := t.use("time"), t.use("context")
	all := strings.Join(s.setup, "\n") + call
	var run strings.Builder
	run.WriteString("release := make(chan struct{})\n")
	if strings.Contains(all, "arrive") {
		fmt.Fprintf(&run, "arrive := func(ctx %s.Context) error {\n\tselect {\n\tcase <-ctx.Done():\n\t\treturn ctx.Err()\n\tcase <-release:\n\t\treturn nil\n\t}\n}\n", ctxp)
	}
	closeServer := ""
	if strings.Contains(all, "server.") {
		h := t.use("net/http")
		fmt.Fprintf(&run, "server := %s.NewServer(%s.HandlerFunc(func(_ %s.ResponseWriter, r *%s.Request) {\n\tselect {\n\tcase <-r.Context().Done():\n\tcase <-release:\n\t}\n}))\n", t.use("net/http/httptest"), h, h, h)
		closeServer = "\tserver.Close()\n"
	}
	if strings.Contains(all, "ctx") {
		fmt.Fprintf(&run, "ctx := %s.Background()\n", ctxp)
	}
	for _, line := range s.setup {
		run.WriteString(line + "\n")
	}
	fmt.Fprintf(&run, "done := make(chan struct{})\ngo func() {\n\tdefer close(done)\n\t%s\n}()\n", discard(t, target, call))
	fmt.Fprintf(&run, "t.Cleanup(func() {\n\tclose(release)\n\t<-done\n%s})\nreturn done\n", closeServer)

	limit := e.deadline + time.Second
	return fmt.Sprintf(`// %[1]s calls %[2]s while nobody answers.
func %[1]s(t *%[3]s.T) {
	start := func(t *testing.T) <-chan struct{} {
		t.Helper()
%[4]s	}

	t.Run("flag on", func(t *testing.T) {
%[5]s		select {
		case <-start(t):
		case <-%[6]s.After(%[7]s):
			t.Error("the call still waits after %[8]s")
		}
	})
	t.Run("flag off", func(t *testing.T) {
%[9]s		select {
		case <-start(t):
			t.Error("the call ended although nobody answered and the flag is off")
		case <-%[6]s.After(%[10]s):
		}
	})
}
`, name, target.key(), t.use("testing"), indent(run.String(), "\t\t"), indent(e.guard.setFlag(t, true), "\t\t"), tm, literal(limit, tm), limit,
		indent(e.guard.setFlag(t, false), "\t\t"), literal(e.deadline+100*time.Millisecond, tm)), true
}
