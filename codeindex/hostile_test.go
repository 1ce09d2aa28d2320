//go:build cgo

package codeindex

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remediator/remediator/codeindex/facts"
	"pgregory.net/rapid"
)

// Files that an attacker may put into a repository. Each must neither stop the index nor keep the good
// file beside it from being found.
func TestHostileFilesStopNothing(t *testing.T) {
	deep := func(open, close string, n int) string {
		return strings.Repeat(open, n) + "1" + strings.Repeat(close, n)
	}
	long := strings.Repeat("x", 300_000)
	for name, files := range map[string]map[string]string{
		"deep parentheses": {
			"a.js": "x = " + deep("(", ")", 50_000), "a.py": "x = " + deep("(", ")", 50_000), "A.java": "class A { int x = " + deep("(", ")", 50_000) + "; }",
			"a.go": "package a\nvar x = " + deep("(", ")", 50_000),
		},
		"deep lists":   {"a.py": "x = " + deep("[", "]", 30_000), "a.js": "x = " + deep("[", "]", 30_000), "a.go": "package a\nvar x = " + deep("[]any{", "}", 20_000)},
		"deep objects": {"a.js": "x = " + deep("{a:", "}", 30_000), "a.ts": "type X = " + deep("{a:", "}", 30_000)},
		"deep calls":   {"a.js": deep("f(", ")", 20_000), "a.py": deep("f(", ")", 20_000), "A.java": "class A { void f() { " + deep("f(", ")", 20_000) + "; } }", "a.go": "package a\nfunc f() { " + deep("f(", ")", 20_000) + " }"},
		"long chain":   {"a.js": "x" + strings.Repeat(".f()", 20_000), "a.py": "x" + strings.Repeat(".f()", 20_000), "A.java": "class A { void f() { x" + strings.Repeat(".f()", 20_000) + "; } }", "a.go": "package a\nfunc f() { x" + strings.Repeat(".f()", 20_000) + " }"},
		"long sum":     {"a.js": "x = ''" + strings.Repeat("+'a'", 20_000), "a.py": "x = ''" + strings.Repeat("+'a'", 20_000), "A.java": "class A { String x = \"\"" + strings.Repeat("+\"a\"", 20_000) + "; }", "a.go": "package a\nvar x = \"\"" + strings.Repeat("+\"a\"", 20_000)},
		"long literal": {"a.js": "log.info('" + long + "')", "a.py": "log.info('" + long + "')", "A.java": "class A { void f() { log.info(\"" + long + "\"); } }", "a.go": "package a\nfunc f() { slog.Info(\"" + long + "\") }"},
		"long name":    {"a.js": "function " + long + "() {}", "a.py": "def " + long + "(): pass", "a.go": "package a\nfunc " + long + "() {}"},
		"one line":     {"a.js": strings.Repeat("f();", 100_000), "a.py": strings.Repeat("f();", 100_000)},
		"not UTF-8":    {"a.js": "x = '\xff\xfe'; log.info('\xc3\x28')", "a.py": "x = '\xff'\nlog.info('\xc3\x28')\n", "a.go": "package a\nvar x = \"\xff\"\n", "A.java": "class A { String x = \"\xff\"; }"},
		"NUL":          {"a.js": "x = 'a\x00b'\x00", "a.py": "x = 'a\x00b'\x00", "a.go": "package a\x00", "A.java": "class\x00A {}"},
		"marks":        {"a.py": "tracer.start_span('\x01A\x02')\nA = '\x01A\x02'\n", "a.go": "package a\nfunc f() { tracer.Start(ctx, \"\x01A\x02\") }"},
		"binary":       {"a.js": "\x7fELF\x02\x01\x01\x00" + strings.Repeat("\x00\xff\x13", 1000), "A.java": "\xca\xfe\xba\xbe\x00\x00\x004"},
		"empty":        {"a.js": "", "a.py": "\n\n", "a.go": "", "A.java": " ", "b.ts": "\ufeff"},
		"unclosed":     {"a.js": "`${", "b.js": "function f(", "a.py": "def f(", "b.py": "'''", "a.go": "package a\nfunc f() { `", "A.java": "class A { void f() { \"", "a.ts": "class A<"},
		"odd names":    {"a b.go": "package a", "ü.py": "", "a\nb.js": "", "-rf.go": "package a", "%s.py": "", "a..b/c.go": "package c"},
	} {
		t.Run(name, func(t *testing.T) {
			files["zz/good.py"] = "def good():\n    tracer.start_span('the good one')\n"
			start := time.Now()
			x := build(t, tree(files), Options{ParseLimit: 20 * time.Second})
			if took := time.Since(start); took > time.Minute {
				t.Errorf("took %v", took)
			}
			source, records := 0, 0
			for _, src := range files {
				source += len(src)
			}
			for _, e := range x.entries {
				records += len(e.record)
			}
			if records > 40*source+10_000 {
				t.Errorf("%d bytes of source became %d bytes of facts", source, records)
			}
			got := x.Locate(WeightedQuery{Query: Query{Span: "the good one"}})
			if len(got) == 0 || got[0].Function != "good" {
				t.Errorf("the good file is lost: %s", show(got))
			}
			for _, file := range x.Files() {
				lines := strings.Count(files[file], "\n") + 1
				for _, s := range x.Symbols(file) {
					if s.From < 1 || s.To > lines || s.From > s.To {
						t.Fatalf("%s: %d-%d of %d lines", file, s.From, s.To, lines)
					}
				}
			}
			for kind := facts.Span; kind <= facts.Logger; kind++ {
				for _, s := range x.Sites(kind) {
					if strings.ContainsAny(s.Text, facts.RefOpen+facts.RefClose) {
						t.Errorf("%s:%d: a mark is left in %q", s.File, s.Line, s.Text[:min(len(s.Text), 60)])
					}
				}
			}
		})
	}
}

// The same program with other line ends and a byte order mark is the same program.
func TestLineEndsAndMarksChangeNothing(t *testing.T) {
	for _, name := range []string{"python", "script", "java", "go-nethttp", "py-fastapi", "js-express", "java-spring", "go-chi"} {
		fsys, _, expectations := readFixture(t, "testdata/"+name+".txtar")
		plain := build(t, fsys, Options{})
		for what, change := range map[string]func([]byte) []byte{
			"CRLF": func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "\n", "\r\n")) },
			"BOM":  func(b []byte) []byte { return append([]byte("\ufeff"), b...) },
		} {
			other := fstest.MapFS{}
			for file, f := range fsys.(fstest.MapFS) {
				other[file] = &fstest.MapFile{Data: change(f.Data)}
			}
			x := build(t, other, Options{})
			for _, e := range expectations {
				q := WeightedQuery{Query: e.query}
				a, b := plain.Locate(q), x.Locate(q)
				if len(a) > 0 && (len(b) == 0 || a[0].File != b[0].File || a[0].Function != b[0].Function || a[0].Line != b[0].Line) {
					t.Errorf("%s with %s: %s\nwas %s\nis %s", name, what, e.line, show(a), show(b))
				}
			}
		}
	}
}

func TestImportsInACircleEnd(t *testing.T) {
	x := build(t, tree(map[string]string{
		"a.py":    "from b import B\nA = B + '.a'\ntracer.start_span(A)\ndef f():\n    g()\n",
		"b.py":    "from a import A\nfrom a import f\nB = A + '.b'\ntracer.start_span(B)\ndef g():\n    f()\n",
		"c.js":    "import { D } from './d';\nexport const C = D + 'c';\ntracer.startSpan(C);\n",
		"d.js":    "import { C } from './c';\nexport const D = C + 'd';\ntracer.startSpan(D);\n",
		"E.java":  "class E { static final String X = F.X + \"e\"; void f() { tracer.spanBuilder(X); new F().f(); } }",
		"F.java":  "class F { static final String X = E.X + \"f\"; void f() { tracer.spanBuilder(X); new E().f(); } }",
		"urls.py": "from django.urls import include, path\nurlpatterns = [path('x/', include('urls')), path('y/', views.y)]\n",
	}), Options{})
	for _, q := range []Query{{Span: "a.b.a"}, {Span: "cd"}, {Function: "f"}, {Route: "/x/y/"}, {Route: "/x/x/x/y/"}} {
		for _, l := range x.Locate(WeightedQuery{Query: q}) {
			if l.Confidence > 0.99 || len(l.Reason) > 5000 {
				t.Errorf("%+v: %+v", q, l)
			}
		}
	}
	for _, s := range x.Sites(facts.Span) {
		if len(s.Text) > 20_000 {
			t.Errorf("a circle of constants grew to %d bytes", len(s.Text))
		}
	}
}

// Constants that double each other would fill the memory, were they not bounded.
func TestConstantsThatDoubleStayBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("C0 = 'ab'\n")
	for i := range 60 {
		fmt.Fprintf(&b, "C%d = f'{C%d}{C%d}'\n", i+1, i, i)
	}
	b.WriteString("def f():\n    tracer.start_span(C60)\n")
	files := map[string]string{"a.py": b.String()}
	for i := range 30 {
		files[fmt.Sprintf("p%d.py", i)] = fmt.Sprintf("from p%d import X%d\nX%d = f'{X%d}{X%d}'\ntracer.start_span(X%d)\n", i+1, i+1, i, i+1, i+1, i)
	}
	x := build(t, tree(files), Options{})
	for _, s := range x.Sites(facts.Span) {
		if len(s.Text) > 64<<10 {
			t.Errorf("%s: a span's name of %d bytes", s.File, len(s.Text))
		}
	}
}

func TestHostileLeadsEnd(t *testing.T) {
	x := fixture(t, "python")
	long := strings.Repeat("a", 1<<20)
	for _, q := range []Query{
		{Span: long}, {Log: long}, {Log: strings.Repeat("<*> ", 50_000)}, {Log: strings.Repeat("order ", 50_000)}, {Statement: "SELECT " + long + " FROM b"},
		{Statement: strings.Repeat("'", 100_000)}, {Route: "/" + strings.Repeat("{", 100_000)}, {Route: strings.Repeat("/a", 100_000)},
		{File: strings.Repeat("../", 100_000) + "app/payments.py", Line: 17}, {File: "/", Line: 1}, {File: "..", Line: 1}, {File: "\x00", Line: 1},
		{Function: strings.Repeat("(", 100_000)}, {Function: strings.Repeat(".", 100_000)}, {Function: "]["}, {Function: ")("}, {Function: strings.Repeat("func1.", 10_000)},
		{Namespace: strings.Repeat("a.", 100_000) + "B"}, {Namespace: strings.Repeat("$", 1000), Function: "<init>"}, {Peer: ":::", Route: "::"}, {Peer: long},
		{Span: "POST " + strings.Repeat("/", 100_000)}, {Span: strings.Repeat(" ", 100_000)}, {Span: "a/" + long}, {Span: "/a/"}, {Span: "SELECT " + long},
		{File: "app/payments.py", Line: 1 << 40}, {File: "app/payments.py", Line: -5}, {Paths: []string{"[", "**/**/**", ""}, Span: "charge card"},
	} {
		start := time.Now()
		got := x.Locate(WeightedQuery{Query: q})
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%.60q took %v", fmt.Sprintf("%+v", q), took)
		}
		for _, l := range got {
			if l.Line < l.From || l.Line > l.To || l.Confidence <= 0 || l.Confidence > 0.99 || len(l.Reason) > 10_000 {
				t.Errorf("%.60q: unsound %.300s", fmt.Sprintf("%+v", q), fmt.Sprintf("%+v", l))
			}
		}
	}
}

// faulty fails to open, or to list, what it is told to.
type faulty struct {
	fstest.MapFS
	open, list map[string]error
}

func (f faulty) Open(name string) (fs.File, error) {
	if err := f.open[name]; err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f.MapFS.Open(name)
}

func (f faulty) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.list[name]; err != nil {
		return nil, err
	}
	return f.MapFS.ReadDir(name)
}

func TestFilesThatCannotBeReadAreProblems(t *testing.T) {
	fsys := faulty{
		MapFS: tree(map[string]string{"a.go": "package a\nfunc A() {}", "b.go": "package a", "c/d.go": "package c"}),
		open:  map[string]error{"b.go": fs.ErrPermission}, list: map[string]error{"c": fs.ErrPermission},
	}
	x := build(t, fsys, Options{})
	if got := x.Files(); !reflect.DeepEqual(got, []string{"a.go"}) {
		t.Errorf("files %v", got)
	}
	if p := x.Problems(); len(p) != 1 || p[0].Path != "b.go" || !strings.Contains(p[0].Message, "permission") {
		t.Errorf("problems %v", p)
	}
	fsys.open["a.go"] = fs.ErrPermission
	if _, err := Build(context.Background(), fsys, Options{}); err == nil || !strings.Contains(err.Error(), "check permissions") {
		t.Errorf("nothing can be read: %v", err)
	}
}

func TestPipesAndLinksInATreeAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.go"), "package a\n\nfunc A() { tracer.Start(ctx, \"here\") }\n")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.go"), 0o600); err != nil {
		t.Skipf("no pipes here: %v", err)
	}
	if err := os.Symlink("a.go", filepath.Join(dir, "link.go")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	x, err := Build(ctx, os.DirFS(dir), Options{})
	if err != nil || !reflect.DeepEqual(x.Files(), []string{"a.go"}) {
		t.Fatalf("%v, %v", x, err)
	}
	got, err := Find(ctx, os.DirFS(dir), Query{Span: "here"}, Options{})
	if err != nil || len(got) != 1 || got[0].Function != "A" {
		t.Errorf("%s, %v", show(got), err)
	}
	// A link that takes a file's place between listing and reading is refused.
	r := newReads(os.DirFS(dir), 1<<20)
	if _, err := r.read("link.go"); err == nil {
		t.Error("a link was followed")
	}
	// A pipe in that place does not block.
	if b, err := r.read("pipe.go"); len(b) > 0 {
		t.Errorf("read %q, %v from a pipe", b, err)
	}
}

// Reading past package os gives what package os gives.
func TestRawReadsAreTheSame(t *testing.T) {
	dir := t.TempDir()
	sizes := []int{0, 1, 4095, 4096, 64<<10 - 1, 64 << 10, 64<<10 + 1, 200_000, 1 << 20}
	for i, n := range sizes {
		write(t, filepath.Join(dir, "d", fmt.Sprint(i)), strings.Repeat("0123456789", n/10+1)[:n])
	}
	fsys := os.DirFS(dir)
	if directory(fsys) != dir {
		t.Fatalf("the directory of an os.DirFS is %q, want %q", directory(fsys), dir)
	}
	if directory(fstest.MapFS{}) != "" || directory(nil) != "" {
		t.Error("other file systems have no directory")
	}
	raw, plain, hasty := newReads(fsys, 300_000), newReads(fsys, 300_000), newReads(fsys, 300_000)
	plain.root, hasty.hasty = "", true
	rapid.Check(t, func(t *rapid.T) {
		name := fmt.Sprintf("d/%d", rapid.IntRange(0, len(sizes)).Draw(t, "file")) // one more than there are
		want, wantErr := plain.read(name)
		for _, r := range []*reads{&raw, &hasty} {
			got, err := r.read(name)
			if string(got) != string(want) || (err == nil) != (wantErr == nil) || errors.Is(err, fs.ErrNotExist) != errors.Is(wantErr, fs.ErrNotExist) {
				t.Fatalf("%s: %d bytes, %v; want %d bytes, %v", name, len(got), err, len(want), wantErr)
			}
		}
	})
	if _, err := raw.read("../" + filepath.Base(dir) + "/d/1"); err == nil {
		t.Error("a path left the directory")
	}
}
