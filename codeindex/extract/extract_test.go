//go:build cgo

package extract

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/remediator/remediator/codeindex/facts"
)

func extracted(t *testing.T, name, src string) *facts.File {
	t.Helper()
	var e Extractor
	f, err := e.Extract(name, []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	check(t, f, []byte(src))
	return f
}

func texts(f *facts.File, kind facts.SiteKind) []string {
	var out []string
	for _, s := range f.Sites {
		if s.Kind == kind {
			out = append(out, strings.TrimSpace(s.Method+" "+s.Text))
		}
	}
	return out
}

// What each way of writing a text becomes.
func TestTextsBecomeTemplates(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"a.go", `package a; func f() { tracer.Start(ctx, "a b") }`, "a b"},
		{"a.go", `package a; func f() { tracer.Start(ctx, fmt.Sprintf("a %-5.2f/%[1]s %d%%", x, y)) }`, "a <*>/<*> <*>%"},
		{"a.go", `package a; func f() { tracer.Start(ctx, "a "+x+" b") }`, "a \x01x\x02 b"},
		{"a.go", `package a; const n = "a"; func f() { tracer.Start(ctx, n+".b") }`, "a.b"},
		{"a.go", `package a; const n = "a"; const m = n + ".b"; func f() { tracer.Start(ctx, m) }`, "a.b"},
		{"a.go", `package a; func f() { name := "x " + g(); tracer.Start(ctx, name) }`, "x <*>"},
		{"a.go", `package a; func f() { tracer.Start(ctx, names.Charge) }`, "\x01names.Charge\x02"},
		{"a.py", `tracer.start_as_current_span("a" "b")`, "ab"},
		{"a.py", `tracer.start_as_current_span(f"a {f(x)!r:>10} b")`, "a <*> b"},
		{"a.py", `tracer.start_as_current_span("a %(n)s %d" % v)`, "a <*> <*>"},
		{"a.py", `tracer.start_as_current_span("a {} {n:>3}".format(1, n=2))`, "a <*> <*>"},
		{"a.py", "class A:\n  NAME = 'a'\n  def f(self):\n    tracer.start_span(self.NAME)\n", "a"},
		{"a.py", `tracer.start_as_current_span(name="a")`, "a"},
		{"a.js", "tracer.startSpan(`a ${f(x)} b`)", "a <*> b"},
		{"a.js", "const N = {charge: 'a'}; function f() { tracer.startSpan(N.charge) }", "a"},
		{"a.ts", "class A { private readonly n = 'a'; f() { tracer.startActiveSpan(this.n, (s) => 1) } }", "a"},
		{"a.java", `class A { void f() { tracer.spanBuilder("a " + g() + " b").startSpan(); } }`, "a <*> b"},
		{"a.java", `class A { static final String N = "a"; void f() { tracer.spanBuilder(N).startSpan(); } }`, "a"},
		{"a.java", `class A { void f() { tracer.spanBuilder(String.format("a %s", b)).startSpan(); } }`, "a <*>"},
		{"a.java", `class A { @WithSpan void f() { } }`, "A.f"},
		{"a.java", `class A { @WithSpan(value = "a") void f() { } }`, "a"},
	} {
		got := texts(extracted(t, c.name, c.src), facts.Span)
		if !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s\ngot %q, want %q", c.src, got, c.want)
		}
	}
}

func TestWhatIsNoSpanIsNotTakenForOne(t *testing.T) {
	for _, src := range []string{
		`package a; func f() { server.Start(ctx, "a") }`,
		`package a; func f() { cmd.Start() }`,
		`package a; func f() { trace.SpanFromContext(ctx) }`,
		`package a; func f() { user.SetName("a") }`,
	} {
		if got := texts(extracted(t, "a.go", src), facts.Span); len(got) > 0 {
			t.Errorf("%s: %q", src, got)
		}
	}
}

func TestLogStatements(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"a.go", `package a; func f() { slog.InfoContext(ctx, "a", "k", v) }`, "a"},
		{"a.go", `package a; func f() { s.logger.Error("a b", zap.Error(err)) }`, "a b"},
		{"a.go", `package a; func f() { log.Ctx(ctx).Warn().Int("n", 1).Msgf("a %d", 1) }`, "a <*>"},
		{"a.go", `package a; func f() { slog.LogAttrs(ctx, slog.LevelInfo, "a") }`, "a"},
		{"a.go", `package a; func f() error { return fmt.Errorf("a: %w", err) }`, "a: <*>"},
		{"a.go", `package a; func f() error { return status.Errorf(codes.Internal, "a %s", x) }`, "a <*>"},
		{"a.py", `logging.getLogger("x").warning("a %s", 1)`, "a <*>"},
		{"a.py", `self.logger.exception("a {}", 1)`, "a <*>"},
		{"a.py", `raise ValueError(f"a {x}")`, "a \x01x\x02"},
		{"a.js", `console.log("a %s", x)`, "a <*>"},
		{"a.js", `req.log.info({a: 1}, "a b")`, "a b"},
		{"a.js", `winston.error("a")`, "a"},
		{"a.js", "throw new PaymentError(`a ${x}`)", "a \x01x\x02"},
		{"a.java", `class A { void f() { LOGGER.warn("a {} b", x); } }`, "a <*> b"},
		{"a.java", `class A { void f() { log.atInfo().log("a {}", x); } }`, "a <*>"},
		{"a.java", `class A { void f() { throw new IllegalStateException("a " + x); } }`, "a \x01x\x02"},
	} {
		if got := texts(extracted(t, c.name, c.src), facts.Log); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%s\ngot %q, want %q", c.src, got, c.want)
		}
	}
}

func TestCallsAreNotTakenForRoutesNorRoutesForCalls(t *testing.T) {
	for _, c := range []struct{ name, src, route, call string }{
		{"a.js", `app.get("/a", h)`, "GET /a", ""},
		{"a.js", `axios.get("/a", config)`, "", "GET /a"},
		{"a.js", `app.get("env")`, "", ""},
		{"a.js", `cache.get("key", fallback)`, "", ""},
		{"a.go", `package a; func f() { r.Get("/a", h) }`, "GET /a", ""},
		{"a.go", `package a; func f() { http.Get(base + "/a") }`, "", "GET \x01base\x02/a"},
		{"a.go", `package a; func f() { r.Header.Get("Accept") }`, "", ""},
		{"a.py", `requests.post(f"{BASE}/a", timeout=1)`, "", "POST \x01BASE\x02/a"},
		{"a.py", `os.environ.get("A", "b")`, "", ""},
		// A map and a client look alike without types; the route decides when a lead is asked.
		{"a.java", `class A { void f() { map.get("/a"); } }`, "", "GET /a"},
	} {
		f := extracted(t, c.name, c.src)
		route, call := strings.Join(texts(f, facts.Route), "|"), strings.Join(texts(f, facts.Outgoing), "|")
		if route != c.route || call != c.call {
			t.Errorf("%s\nroute %q, want %q; call %q, want %q", c.src, route, c.route, call, c.call)
		}
	}
}

func TestStatementsAreToldFromSentences(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT id FROM orders WHERE id = $1":       true,
		"\n  select *\n  from orders\n":             true,
		"INSERT INTO orders (id) VALUES (?)":        true,
		"WITH x AS (SELECT 1) SELECT * FROM x":      true,
		"update orders set state = 1":               true,
		"SELECT pg_sleep(1)":                        true,
		"Select a plan from the list":               false,
		"select a plan":                             false,
		"update available":                          false,
		"deleted from the list":                     false,
		"Update the set with the given iterable":    false,
		"INSERT":                                    false,
		"withdraw AS SELECT, which is no statement": false,
	} {
		if got := isStatement(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestTestsAreKnownByTheirFramework(t *testing.T) {
	for _, c := range []struct{ name, src, symbol, style string }{
		{"a_test.go", "package a; func TestA(t *testing.T) {}", "TestA", "go test"},
		{"a_test.go", "package a; func Testify(t *testing.T) {}", "Testify", ""},
		{"a_test.go", "package a; func (s *Suite) TestA() {}", "Suite.TestA", "testify"},
		{"a.go", "package a; func TestA(t *testing.T) {}", "TestA", ""},
		{"test_a.py", "def test_a():\n  pass\n", "test_a", "pytest"},
		{"test_a.py", "class TestA:\n  def test_b(self):\n    pass\n", "TestA.test_b", "pytest"},
		{"tests.py", "class A(unittest.TestCase):\n  def test_b(self):\n    pass\n", "A.test_b", "unittest"},
		{"a.test.ts", "describe('A', () => { it('does b', async () => { f() }) })", "A does b", "jest"},
		{"ATest.java", "class ATest { @Test void b() {} }", "ATest.b", "junit"},
	} {
		f := extracted(t, c.name, c.src)
		found := false
		for _, s := range f.Symbols {
			if s.Name == c.symbol {
				found = true
				if s.Test != c.style {
					t.Errorf("%s: %s is a test of %q, want %q", c.name, c.symbol, s.Test, c.style)
				}
			}
		}
		if !found {
			t.Errorf("%s: no symbol %s in %+v", c.name, c.symbol, f.Symbols)
		}
	}
}

func TestGeneratedFilesAreMarked(t *testing.T) {
	f := extracted(t, "a.go", "// Code generated by stringer. DO NOT EDIT.\n\npackage a\n")
	if !f.Generated {
		t.Error("not marked")
	}
	if extracted(t, "a.go", "package a // DO NOT EDIT\n").Generated {
		t.Error("marked without reason")
	}
}

func TestBrokenFilesYieldWhatCanBeRead(t *testing.T) {
	for name, src := range map[string]string{
		"a.go":   "package a\nfunc Good() {}\nfunc bad( {\n",
		"a.py":   "def Good():\n  pass\ndef bad(:\n",
		"a.ts":   "function Good() {}\nfunction bad( {\n",
		"a.java": "class A { void Good() {} void bad( { }\n",
	} {
		f := extracted(t, name, src)
		if !f.Broken {
			t.Errorf("%s is not marked as broken", name)
		}
		ok := slices.ContainsFunc(f.Symbols, func(s facts.Symbol) bool { return last(s.Name) == "Good" })
		if !ok {
			t.Errorf("%s: the good function is lost: %+v", name, f.Symbols)
		}
	}
}

func TestCheckNamesTheLine(t *testing.T) {
	var e Extractor
	for name, src := range map[string]string{
		"a.go": "package a\n\nfunc f() { x := }\n", "a.py": "x = 1\n\ny = )\n", "a.js": "a()\n\nlet b = {;\n", "a.ts": "a()\n\nlet b: = 1;\n", "A.java": "class A {\n\nint x = ; }\n",
	} {
		err := e.Check(name, []byte(src))
		var bad *SyntaxError
		if !errors.As(err, &bad) || bad.Line != 3 || bad.Column < 1 || bad.Path != name {
			t.Errorf("%s: got %v, want an error in line 3", name, err)
		}
	}
	if err := e.Check("a.go", []byte("package a\n")); err != nil {
		t.Errorf("well-formed: %v", err)
	}
	if err := e.Check("a.rs", nil); err == nil || !strings.Contains(err.Error(), "no supported language") {
		t.Errorf("another language: %v", err)
	}
}

func TestHugeFilesStayWithinTheirBounds(t *testing.T) {
	var b strings.Builder
	b.WriteString("package a\nfunc f() {\n")
	for range maxCalls + 5000 {
		b.WriteString("slog.Info(\"abc\")\n")
	}
	b.WriteString("}\n")
	f := extracted(t, "a.go", b.String())
	if len(f.Calls) > maxCalls || len(f.Sites) > maxSites {
		t.Errorf("%d calls, %d sites", len(f.Calls), len(f.Sites))
	}
}

func TestNamesThatReferToThemselvesEnd(t *testing.T) {
	f := extracted(t, "a.py", "A = B + 'x'\nB = A + 'y'\ntracer.start_span(A)\n")
	if got := texts(f, facts.Span); len(got) != 1 || len(got[0]) > 2*maxText {
		t.Errorf("got %q", got)
	}
}
