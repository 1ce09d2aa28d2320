package gorecipe

import (
	"go/ast"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const inferSource = `package p

import (
	"context"
	"database/sql"
	"net/http"
	"time"

	"example.com/m/other"
)

const attempts = 2 + 2

const pause = 3 * time.Second / 2

var shared = &http.Client{}

type inner struct{ N int }

type embedded struct {
	inner
	M map[string]*inner
}

type store interface {
	Find(id string) (*inner, error)
}

type T struct {
	embedded
	db    *sql.DB
	peers []other.Peer
	store store
	wait  time.Duration
}

func make2() (a *T, err error) { return nil, nil }

func (t *T) f(ctx context.Context, names ...string) (out []int, err error) {
	x, err2 := make2()
	m := t.M["a"]
	deep := x.M["a"].N
	rows, err := t.db.QueryContext(ctx, "")
	resp, _ := shared.Get("")
	found, _ := t.store.Find("")
	limit := 3
	for i, name := range names {
		_, _ = i, name
	}
	for key, value := range t.M {
		_, _ = key, value
	}
	g := func(w http.ResponseWriter) { _ = w }
	q := other.New()
	local := 250 * time.Millisecond
	changed := 1
	changed++
	if x := 1; x > 0 {
		_ = x
	}
	_, _, _, _, _, _, _, _, _, _, _, _ = err2, m, deep, rows, resp, found, limit, g, q, local, changed, out
	return
}
`

func inferred(t *testing.T) (scope, func(string) ast.Expr) {
	t.Helper()
	tr := newTree(fstest.MapFS{
		"go.mod":         {Data: []byte("module example.com/m\n\ngo 1.23rc1\n\nrequire go.opentelemetry.io/otel/trace v1.0.0\n")},
		"p/p.go":         {Data: []byte(inferSource)},
		"other/other.go": {Data: []byte("package other\n\ntype Peer struct{ Name string }\n\nfunc New() *Peer { return nil }\n\nconst Limit = 7\n")},
	})
	p := tr.pkg("p")
	if p == nil {
		t.Fatal("the source does not parse")
	}
	f := p.function("T", "f")
	last := f.decl.Body.List[len(f.decl.Body.List)-1]
	return scope{f, last.Pos()}, func(src string) ast.Expr {
		e, err := parse("e.go", []byte("package p\n\nvar _ = "+src+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		return e.ast.Decls[0].(*ast.GenDecl).Specs[0].(*ast.ValueSpec).Values[0]
	}
}

func show(t typ) string {
	switch t.kind {
	case basic:
		return t.name
	case named:
		return t.path + "." + t.name
	case pointer:
		return "*" + show(*t.elem)
	case slice:
		return "[]" + show(*t.elem)
	case mapping:
		return "map[" + show(*t.key) + "]" + show(*t.elem)
	case function:
		return "func"
	}
	return "?"
}

func TestTypeOf(t *testing.T) {
	s, expr := inferred(t)
	for src, want := range map[string]string{
		"t":                    "*example.com/m/p.T",
		"t.M":                  "map[string]*example.com/m/p.inner",
		"t.inner":              "example.com/m/p.inner",
		"t.N":                  "int",
		"x":                    "*example.com/m/p.T",
		"x.embedded.M":         "map[string]*example.com/m/p.inner",
		"m":                    "*example.com/m/p.inner",
		"deep":                 "int",
		"rows":                 "*database/sql.Rows",
		"resp":                 "*net/http.Response",
		"resp.StatusCode":      "int",
		"found":                "*example.com/m/p.inner",
		"err2":                 "error",
		"names":                "[]string",
		"t.peers[0]":           "example.com/m/other.Peer",
		"t.peers[0].Name":      "string",
		"q":                    "*example.com/m/other.Peer",
		"q.Name":               "string",
		"g":                    "func",
		"shared":               "*net/http.Client",
		"http.DefaultClient":   "*net/http.Client",
		"t.wait":               "time.Duration",
		"local":                "time.Duration",
		"&q":                   "**example.com/m/other.Peer",
		"*q":                   "example.com/m/other.Peer",
		"len(names)":           "int",
		"[]byte(\"\")":         "[]byte",
		"x == nil":             "bool",
		"new(T)":               "*example.com/m/p.T",
		"T{}":                  "example.com/m/p.T",
		"any(x).(*T)":          "*example.com/m/p.T",
		"context.Background()": "context.Context",
		"name":                 "?", // of the loop above, not in force here
		"t.nothing":            "?",
		"other.Nothing()":      "?",
		"unheard":              "?",
	} {
		if got := show(s.typeOf(expr(src))); got != want {
			t.Errorf("%s is %s, want %s", src, got, want)
		}
	}
}

func TestNilable(t *testing.T) {
	s, expr := inferred(t)
	for src, want := range map[string]bool{"x": true, "t.M": true, "t.store": true, "err2": true, "names": true, "g": true,
		"t.inner": false, "deep": false, "t.wait": false, "unheard": false, "t.peers[0]": false} {
		if got := s.typeOf(expr(src)).nilable(s.pkg()); got != want {
			t.Errorf("%s may be nil: %t, want %t", src, got, want)
		}
	}
}

func TestConstants(t *testing.T) {
	s, expr := inferred(t)
	for src, want := range map[string]int{"attempts": 4, "limit": 3, "limit + 1": 4, "other.Limit": 7, "int(attempts)": 4, "changed": 0, "len(names)": 0, "t.N": 0, "1 / 0": 0, "-1": 0, "99999999999999999999": 0} {
		v := eval(s, expr(src), 0)
		got := 0
		if v != nil {
			got = (&fn{file: s.fn.file, decl: s.fn.decl}).number(relocate(expr(src), s))
		}
		if got != want {
			t.Errorf("%s is %d, want %d", src, got, want)
		}
	}
	for src, want := range map[string]time.Duration{"pause": 1500 * time.Millisecond, "local": 250 * time.Millisecond, "2 * time.Minute": 2 * time.Minute, "time.Duration(limit) * time.Second": 3 * time.Second, "t.wait": 0} {
		if got := s.fn.duration(relocate(expr(src), s)); got != want {
			t.Errorf("%s is %s, want %s", src, got, want)
		}
	}
}

// relocate moves an expression to the scope's position, where its names mean what they mean there.
func relocate(e ast.Expr, s scope) ast.Expr { return &ast.ParenExpr{Lparen: s.pos, X: e} }

func TestModule(t *testing.T) {
	s, _ := inferred(t)
	m := s.pkg().module
	if m.path != "example.com/m" || m.minor != 23 || !m.has("go.opentelemetry.io/otel/trace/noop") || m.has("go.opentelemetry.io/otel") {
		t.Errorf("%+v", m)
	}
	if c := s.contextExpr(); c != "ctx" {
		t.Errorf("context %q", c)
	}
}

func TestImports(t *testing.T) {
	tests := []struct{ name, head, want string }{
		{"into its group", "import (\n\t\"context\"\n\t\"time\"\n\n\t\"github.com/a/b\"\n)", "import (\n\t\"context\"\n\t\"os\"\n\t\"time\"\n\n\t\"github.com/a/b\"\n\t\"go.opentelemetry.io/otel/trace\"\n)"},
		{"single", "import \"time\"", "import (\n\t\"os\"\n\t\"time\"\n\n\t\"go.opentelemetry.io/otel/trace\"\n)"},
		{"single with a name", "import clock \"time\"", "import (\n\t\"os\"\n\tclock \"time\"\n\n\t\"go.opentelemetry.io/otel/trace\"\n)"},
		{"none", "", "import (\n\t\"os\"\n\n\t\"go.opentelemetry.io/otel/trace\"\n)"},
		{"no standard group", "import (\n\t\"github.com/a/b\"\n)", "import (\n\t\"os\"\n\n\t\"github.com/a/b\"\n\t\"go.opentelemetry.io/otel/trace\"\n)"},
		{"before one's own", "import (\n\t\"time\"\n\n\t\"example.com/m/x\"\n)", "import (\n\t\"os\"\n\t\"time\"\n\n\t\"go.opentelemetry.io/otel/trace\"\n\n\t\"example.com/m/x\"\n)"},
		{"a comment stays with its import", "import (\n\t// The clock.\n\t\"time\"\n)", "import (\n\t\"os\"\n\t// The clock.\n\t\"time\"\n\n\t\"go.opentelemetry.io/otel/trace\"\n)"},
		{"there already", "import (\n\tsys \"os\"\n\n\t\"go.opentelemetry.io/otel/trace\"\n)", "import (\n\tsys \"os\"\n\n\t\"go.opentelemetry.io/otel/trace\"\n)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := strings.Replace("package p\n\n"+tt.head+"\n\nfunc f() {}\n", "\n\n\n", "\n", 1)
			tr := newTree(fstest.MapFS{"go.mod": {Data: []byte("module example.com/m\n\ngo 1.22\n")}, "p.go": {Data: []byte(src)}})
			r := newRewrite(tr.pkg(".").function("", "f"))
			r.use("go.opentelemetry.io/otel/trace")
			r.use("os")
			got, err := r.bytes()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(got), tt.want+"\n") {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
