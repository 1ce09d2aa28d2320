package gorecipe

import (
	"fmt"
	"go/ast"
	"strings"
	"time"

	"github.com/remediator/remediator/patch"
)

// test adds the generated test to the patch: one that calls the function where it can be called, one of the
// helper otherwise.
func (e *retryEdit) test(p *patch.Patch) error {
	f := e.loop.fn
	t := newTestText(f.file.pkg)
	name := f.file.pkg.freshTest("Test" + upper(f.recv()) + upper(f.decl.Name.Name) + "BacksOff")
	checks := ""
	behavioural := false
	for _, target := range append([]*fn{f}, callers(f)...) {
		if body, what, ok := e.behaviouralTest(t, name, target); ok {
			t.body, checks, behavioural = body, what, true
			break
		}
		t = newTestText(f.file.pkg)
	}
	if !behavioural {
		t.body, checks = e.helperTest(t, name)
	}
	src, err := t.bytes()
	if err != nil {
		return err
	}
	file := freshFile(f.file, "backoff")
	p.Files = append(p.Files, patch.FileEdit{Path: file, Kind: patch.TestFile, New: src})
	p.Tests = append(p.Tests, patch.Test{File: file, Name: name, Command: testCommand(f.file.pkg, name), Behavioural: behavioural, Checks: checks})
	return nil
}

const (
	// testBudget bounds how long the waits inside one generated test may take together.
	testBudget = 1600 * time.Millisecond
	// testWindow is how long a test looks at a loop whose first wait is longer than that.
	testWindow = 400 * time.Millisecond
)

func (e *retryEdit) behaviouralTest(t *testText, name string, target *fn) (body, checks string, ok bool) {
	s := newSynth(t)
	s.bounds = e.loop.boundNames()
	call, ok := s.call(target)
	if !ok || !s.server && !s.stubbed {
		return "", "", false
	}
	b := e.backoff
	failures := min(2, b.Retries)
	for failures > 1 && b.wait(1)+b.wait(2) > testBudget {
		failures--
	}
	windowed := b.wait(1) > testBudget
	all := strings.Join(s.setup, "\n") + call
	if windowed && (!strings.Contains(all, "ctx") || b.wait(1)/2 <= testWindow) {
		return "", "", false
	}
	tm, ctxp := t.use("time"), t.use("context")
	sync := t.use("sync")

	var run strings.Builder
	fmt.Fprintf(&run, "\tvar mu %s.Mutex\n\tvar arrivals []%s.Time\n", sync, tm)
	fmt.Fprintf(&run, "\tfailing := func() bool {\n\t\tmu.Lock()\n\t\tdefer mu.Unlock()\n\t\tarrivals = append(arrivals, %s.Now())\n\t\treturn len(arrivals) <= failures\n\t}\n", tm)
	stubs := strings.Contains(all, "arrive")
	if stubs {
		if s.server {
			fmt.Fprintf(&run, "\tarrive := func(%s.Context) error { return nil }\n", ctxp)
		} else {
			fmt.Fprintf(&run, "\tarrive := func(%s.Context) error {\n\t\tif failing() {\n\t\t\treturn %s.New(\"overloaded\")\n\t\t}\n\t\treturn nil\n\t}\n", ctxp, t.use("errors"))
		}
	}
	if strings.Contains(all, "server.") {
		run.WriteString(indent(e.serverText(t), "\t"))
	}
	if strings.Contains(all, "ctx") {
		limit := "20*" + tm + ".Second"
		if windowed {
			limit = literal(testWindow, tm)
		}
		fmt.Fprintf(&run, "\tctx, cancel := %s.WithTimeout(%s.Background(), %s)\n\tdefer cancel()\n", ctxp, ctxp, limit)
	}
	for _, line := range s.setup {
		run.WriteString(indent(line, "\t"))
	}
	fmt.Fprintf(&run, "\t%s\n\tmu.Lock()\n\tdefer mu.Unlock()\n\treturn arrivals\n", discard(t, target, call))

	var out strings.Builder
	fmt.Fprintf(&out, "// %s lets the first attempts of %s fail and looks at when the next ones come.\n", name, target.key())
	fmt.Fprintf(&out, "func %s(t *%s.T) {\n", name, t.use("testing"))
	if windowed {
		fmt.Fprintf(&out, "\tconst failures = 1 << 30\n")
	} else {
		fmt.Fprintf(&out, "\tconst failures = %d\n", failures)
	}
	fmt.Fprintf(&out, "\trun := func(t *testing.T) []%s.Time {\n\t\tt.Helper()\n%s\t}\n", tm, indent(run.String(), "\t"))
	if windowed {
		e.windowedCases(&out, t)
		return out.String(), fmt.Sprintf("with the flag on no second attempt comes within %s of a failed one, with it off one does", testWindow), true
	}
	e.spacedCases(&out, t, failures)
	out.WriteString("}\n")
	return out.String(), fmt.Sprintf("with the flag on the attempts of %s keep growing distances of at least %s, with it off they do not", target.key(), e.least(failures)), true
}

// discard calls the function for its effect.
func discard(t *testText, f *fn, call string) string {
	results := f.file.params(f.decl.Type.Results)
	for i, r := range results {
		if r.typ.isPtr("net/http", "Response") {
			names := make([]string, len(results))
			for k := range names {
				names[k] = "_"
			}
			names[i] = "resp"
			return fmt.Sprintf("%s := %s\n\tif resp != nil {\n\t\tresp.Body.Close()\n\t}", strings.Join(names, ", "), call)
		}
	}
	if len(results) == 0 {
		return call
	}
	return strings.TrimSuffix(strings.Repeat("_, ", len(results)), ", ") + " = " + call
}

func (e *retryEdit) least(failures int) string {
	var parts []string
	for k := 1; k <= failures; k++ {
		parts = append(parts, (e.backoff.wait(k) / 2).String())
	}
	return strings.Join(parts, " and ")
}

func (e *retryEdit) spacedCases(out *strings.Builder, t *testText, failures int) {
	tm := t.use("time")
	var least []string
	for k := 1; k <= failures; k++ {
		least = append(least, literal(e.backoff.wait(k)/2, tm))
	}
	fmt.Fprintf(out, "\tleast := []%s.Duration{%s}\n", tm, strings.Join(least, ", "))
	fmt.Fprintf(out, `
	t.Run("flag on", func(t *testing.T) {
%s		arrivals := run(t)
		if len(arrivals) <= failures {
			t.Fatalf("%%d attempts, want more than %%d", len(arrivals), failures)
		}
		for i, want := range least {
			if gap := arrivals[i+1].Sub(arrivals[i]); gap < want {
				t.Errorf("attempt %%d came %%s after the one before, want at least %%s", i+2, gap, want)
			}
		}
	})
	t.Run("flag off", func(t *testing.T) {
%s		// A busy machine may delay one run, not all of them.
		for try := 0; try < 5; try++ {
			arrivals := run(t)
			if len(arrivals) <= failures {
				t.Fatalf("%%d attempts, want more than %%d", len(arrivals), failures)
			}
			if arrivals[1].Sub(arrivals[0]) < least[0] {
				return
			}
		}
		t.Error("the attempts are spread out although the flag is off")
	})
`, indent(e.guard.setFlag(t, true), "\t\t"), indent(e.guard.setFlag(t, false), "\t\t"))
}

func (e *retryEdit) windowedCases(out *strings.Builder, t *testText) {
	fmt.Fprintf(out, `
	t.Run("flag on", func(t *testing.T) {
%s		if arrivals := run(t); len(arrivals) != 1 {
			t.Errorf("%%d attempts before the first wait can be over, want 1", len(arrivals))
		}
	})
	t.Run("flag off", func(t *testing.T) {
%s		// A busy machine may delay one run, not all of them.
		for try := 0; try < 5; try++ {
			if arrivals := run(t); len(arrivals) > 1 {
				return
			}
		}
		t.Error("the attempts are spread out although the flag is off")
	})
}
`, indent(e.guard.setFlag(t, true), "\t\t"), indent(e.guard.setFlag(t, false), "\t\t"))
}

// serverText starts the server that sheds load: with the status that the loop repeats for, or, where
// nobody looks at a status, by closing the connection.
func (e *retryEdit) serverText(t *testText) string {
	h := t.use("net/http")
	fail := fmt.Sprintf("panic(%s.ErrAbortHandler) // closes the connection without an answer", h)
	if status := shedding(e.loop.fn); status != "" {
		fail = fmt.Sprintf("w.WriteHeader(%s.%s)\n\t\treturn", h, status)
	}
	return fmt.Sprintf(`server := %s.NewServer(%s.HandlerFunc(func(w %s.ResponseWriter, _ *%s.Request) {
	if failing() {
		%s
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = %s.WriteString(w, "{}")
}))
defer server.Close()
`, t.use("net/http/httptest"), h, h, h, fail, t.use("io"))
}

// shedding is the constant for the status with which an overloaded server is tried again, "" where the code does
// not look at the status at all.
func shedding(f *fn) string {
	seen := map[*ast.FuncDecl]bool{}
	looks, unavailable, tooMany := false, false, false
	var visit func(f *fn, depth int)
	visit = func(f *fn, depth int) {
		if f == nil || depth > 5 || seen[f.decl] {
			return
		}
		seen[f.decl] = true
		text := f.file.text(f.decl)
		looks = looks || strings.Contains(text, "StatusCode")
		for _, word := range []string{"503", "500", "StatusServiceUnavailable", "StatusInternalServerError", "/100", "/ 100", "StatusOK", "StatusCreated", "StatusBadRequest", "200", "400", "399", "499"} {
			unavailable = unavailable || strings.Contains(text, word)
		}
		tooMany = tooMany || strings.Contains(text, "StatusTooManyRequests") || strings.Contains(text, "429")
		for _, c := range calls(f) {
			visit(callee(f, c), depth+1)
		}
	}
	visit(f, 0)
	switch {
	case !looks:
		return ""
	case tooMany && !unavailable:
		return "StatusTooManyRequests"
	}
	return "StatusServiceUnavailable"
}

// helperTest checks the wait alone; it does not compile without the change.
func (e *retryEdit) helperTest(t *testText, name string) (body, checks string) {
	tm := t.use("time")
	tt := t.use("testing")
	b := e.backoff
	least := b.wait(1) / 2
	if e.ctx == "" || !e.aborts {
		args := "1"
		if e.ctx != "" {
			args = t.use("context") + ".Background(), 1"
		}
		return fmt.Sprintf(`// %s checks that the wait before a retry takes its time.
func %s(t *%s.T) {
	begin := %s.Now()
	%s(%s)
	if waited := %s.Since(begin); waited < %s {
		t.Errorf("waited %%s, want at least %s", waited)
	}
}
`, name, name, tt, tm, e.helper, args, tm, literal(least, tm), least), "the wait before the first retry takes at least " + least.String()
	}
	ctxp := t.use("context")
	return fmt.Sprintf(`// %[1]s checks that the wait before a retry takes its time and ends with its caller.
func %[1]s(t *%[2]s.T) {
	ctx, cancel := %[3]s.WithTimeout(%[3]s.Background(), %[4]s)
	defer cancel()
	if err := %[5]s(ctx, 1); err == nil {
		t.Error("the wait was over before its shortest time")
	}
	done, stop := %[3]s.WithCancel(%[3]s.Background())
	stop()
	if err := %[5]s(done, %[6]d); err == nil {
		t.Error("the wait went on although its caller had gone")
	}
}
`, name, tt, ctxp, literal(least/2, tm), e.helper, b.Retries), fmt.Sprintf("the wait before the first retry takes more than %s and ends with its caller", least/2)
}

// boundNames are the names in the expression that bounds the attempts.
func (l *retryLoop) boundNames() map[string]bool {
	out := map[string]bool{}
	add := func(e ast.Expr) {
		if e == nil {
			return
		}
		if id := typeName(e); id != "" && id != l.counter {
			out[id] = true
		}
	}
	switch s := l.stmt.(type) {
	case *ast.RangeStmt:
		add(s.X)
	case *ast.ForStmt:
		if b, ok := s.Cond.(*ast.BinaryExpr); ok {
			add(b.X)
			add(b.Y)
		}
	}
	return out
}
