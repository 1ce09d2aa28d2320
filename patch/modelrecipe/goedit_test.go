package modelrecipe

import (
	"strings"
	"testing"
	"testing/fstest"
)

// revise applies one replacement to the body of f and checks it.
func revise(t *testing.T, source, old, text string, imports ...string) (*goChange, error) {
	t.Helper()
	i := strings.Index(source, "func f")
	g, err := findGo(fstest.MapFS{"a.go": {Data: []byte(source)}}, "a.go", 1+strings.Count(source[:i], "\n"))
	if err != nil {
		t.Fatal(err)
	}
	changed, err := apply(g.src, "a.go", g.body(), []edit{{"a.go", old, text}})
	if err != nil {
		t.Fatal(err)
	}
	return g.check(changed, imports)
}

func TestChangesThatAreFitToBeTried(t *testing.T) {
	for _, test := range []struct{ name, source, old, text, imports string }{
		{"an import that is plainly meant", "package a\n\nfunc f() {\n\t_ = 1\n}\n", "_ = 1", "time.Sleep(1)", "time"},
		{"a check is added", "package a\n\nfunc f(p *int) int {\n\treturn *p\n}\n", "return *p", "if p == nil {\n\t\treturn 0\n\t}\n\treturn *p", ""},
		{"a check is widened", "package a\n\nfunc f(p, q *int) int {\n\tif p == nil {\n\t\treturn 0\n\t}\n\treturn *p + *q\n}\n", "p == nil", "p == nil || q == nil", ""},
		{"what the file uses already", "package a\n\nimport \"net/http\"\n\nvar c = http.DefaultClient\n\nfunc f() {\n\t_ = 1\n}\n", "_ = 1", "_ = http.DefaultClient", ""},
		{"a local variable like a package", "package a\n\nfunc f(b interface{ Len() int }) {\n\t_ = 1\n}\n", "_ = 1", "strings := b\n\t_ = strings.Len()", ""},
		{"an import that is named and not used", "package a\n\nfunc f() {\n\t_ = 1\n}\n", "_ = 1", "_ = 2", ""},
		{"math/rand/v2", "package a\n\nfunc f() {\n\t_ = 1\n}\n", "_ = 1", "_ = rand.N(5)", "math/rand/v2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var named []string
			if test.imports == "math/rand/v2" {
				named = []string{test.imports}
			} else if strings.Contains(test.name, "not used") {
				named = []string{"sort"}
			}
			c, err := revise(t, test.source, test.old, test.text, named...)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(c.imports, " "); got != test.imports {
				t.Errorf("imports %q, want %q", got, test.imports)
			}
		})
	}
}

func TestChangesThatAreNot(t *testing.T) {
	for _, test := range []struct{ name, source, old, text, want string }{
		{"too many lines", "package a\n\nfunc f() {\n\t_ = 1\n}\n", "_ = 1", strings.Repeat("_ = 2\n", 70), "more than 60"},
		{"what the guard imports", "package a\n\nfunc f() {\n\t_ = 1\n}\n", "_ = 1", "slog.Info(\"x\")", "does not know"},
		{"an exit twice, now once", "package a\n\nfunc f(err error) {\n\tif err != nil {\n\t\treturn\n\t}\n\tprintln()\n\tif err != nil {\n\t\treturn\n\t}\n}\n", "println()\n\tif err != nil {\n\t\treturn\n\t}", "println()", "checks must stay"},
		{"a closure that dials", "package a\n\nimport \"net\"\n\nvar d net.Dialer\n\nfunc f() {\n\t_ = 1\n}\n", "_ = 1", "g := func() { _, _ = d.Dial(\"tcp\", \"\") }\n\tg()", "calls Dial"},
		{"an embedded directive", "package a\n\nfunc f() {\n\t_ = 1\n}\n", "_ = 1", "/*line evil.go:1*/ _ = 1\n\t_ = 2", "directive"},
		{"a string made of parts", "package a\n\nfunc f() {\n\t_ = 1\n}\n", "_ = 1", "_ = \"http\" + \"://evil.example\"", "names a place"},
		{"goto", "package a\n\nfunc f() {\n\t_ = 1\n}\n", "_ = 1", "x:\n\t_ = 1\n\tgoto x", "a goto"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := revise(t, test.source, test.old, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}
