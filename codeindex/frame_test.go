package codeindex

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// polyglot is one repository with a function of the same role in every language, and namesakes of
// every file elsewhere.
func polyglot(t *testing.T) *Index {
	t.Helper()
	return build(t, tree(map[string]string{
		"services/pay/internal/bank/client.go":                      "package bank\n\ntype Client struct{}\n\nfunc (c *Client) Charge() error {\n\tgo func() {\n\t\tprintln()\n\t}()\n\treturn nil\n}\n\nfunc Map[T any](t T) T {\n\treturn t\n}\n",
		"services/stock/client.go":                                  "package main\n\ntype Client struct{}\n\nfunc (c *Client) Charge() error {\n\n\n\treturn nil\n}\n",
		"services/ship/ship/bank/client.py":                         "class Client:\n    def charge(self):\n        def attempt():\n            return 1\n        return attempt()\n\n    @property\n    def rate(self):\n        return [x for x in (1, 2)]\n\n\ncharge_all = lambda c: c.charge()\n",
		"services/mail/client.py":                                   "class Client:\n\n    def charge(self):\n        return 1\n",
		"web/src/bank/client.ts":                                    "export class Client {\n  async charge(): Promise<void> {\n    await [1].map(async (x) => {\n      throw new Error('x');\n    });\n  }\n}\nexport const retry = async () => {\n  return 1;\n};\n",
		"web/admin/client.ts":                                       "export class Client {\n\n\n  async charge() {\n    return 1;\n  }\n}\n",
		"jvm/src/main/java/com/acme/pay/bank/Client.java":           "package com.acme.pay.bank;\n\npublic class Client {\n    public Client() {}\n\n    public void charge() {\n        run(() -> {\n            throw new IllegalStateException(\"x\");\n        });\n    }\n\n    static class Inner {\n        void go() {\n        }\n    }\n}\n",
		"jvm/src/main/java/com/acme/mail/Client.java":               "package com.acme.mail;\n\npublic class Client {\n    public void charge() {\n\n\n\n    }\n}\n",
		"jvm/src/test/java/com/acme/pay/bank/ClientTest.java":       "package com.acme.pay.bank;\n\nclass ClientTest {\n    @Test void charge() { }\n}\n",
		"services/pay/internal/bank/client_test.go":                 "package bank\n\nfunc TestCharge(t *testing.T) {\n}\n",
		"services/pay/internal/bank/very/deep/below/path/client.go": "package path\n\nfunc Other() {\n}\n",
	}), Options{})
}

func TestFramesOfEveryRuntime(t *testing.T) {
	x := polyglot(t)
	const goFile, pyFile, tsFile, javaFile = "services/pay/internal/bank/client.go", "services/ship/ship/bank/client.py", "web/src/bank/client.ts", "jvm/src/main/java/com/acme/pay/bank/Client.java"
	for _, c := range []struct {
		name     string
		q        Query
		file, fn string
		line     int
	}{
		{"Go, built in a container", Query{File: "/go/src/app/services/pay/internal/bank/client.go", Line: 9, Function: "example.com/shop/services/pay/internal/bank.(*Client).Charge"}, goFile, "Client.Charge", 9},
		{"Go, trimmed", Query{File: "example.com/shop/services/pay/internal/bank/client.go", Line: 9}, goFile, "Client.Charge", 9},
		{"Go, module root in between", Query{File: "/build/pay/internal/bank/client.go", Line: 9}, goFile, "Client.Charge", 9},
		{"Go, closure", Query{File: "/src/internal/bank/client.go", Line: 7, Function: "shop/internal/bank.(*Client).Charge.func1"}, goFile, "Client.Charge", 7},
		{"Go, deferred wrapper", Query{Function: "example.com/services/pay/internal/bank.(*Client).Charge.gowrap1"}, goFile, "Client.Charge", 5},
		{"Go, nested closure", Query{Function: "example.com/services/pay/internal/bank.(*Client).Charge.func1.2"}, goFile, "Client.Charge", 5},
		{"Go, generic", Query{Function: "example.com/services/pay/internal/bank.Map[...]"}, goFile, "Map", 12},
		{"Go, method value", Query{Function: "example.com/services/pay/internal/bank.(*Client).Charge-fm"}, goFile, "Client.Charge", 5},
		{"Go, Windows", Query{File: `C:\work\services\pay\internal\bank\client.go`, Line: 9}, goFile, "Client.Charge", 9},
		{"Go, main package by path", Query{File: "/app/services/stock/client.go", Line: 8, Function: "main.(*Client).Charge"}, "services/stock/client.go", "Client.Charge", 8},
		{"Go, line is stale", Query{File: "/app/internal/bank/client.go", Line: 400, Function: "shop/internal/bank.(*Client).Charge"}, goFile, "Client.Charge", 5},
		{"Python, installed", Query{File: "/usr/local/lib/python3.12/site-packages/ship/bank/client.py", Line: 5, Function: "charge"}, pyFile, "Client.charge", 5},
		{"Python, qualified", Query{File: "/app/ship/bank/client.py", Line: 4, Function: "Client.charge.<locals>.attempt"}, pyFile, "Client.charge.attempt", 4},
		{"Python, comprehension", Query{File: "/app/ship/bank/client.py", Line: 9, Function: "<listcomp>"}, pyFile, "Client.rate", 9},
		{"Python, module in namespace", Query{Namespace: "ship.bank.client", Function: "Client.charge"}, pyFile, "Client.charge", 2},
		{"Python, relative", Query{File: "./ship/bank/client.py", Line: 5}, pyFile, "Client.charge", 5},
		{"Node, deployed", Query{File: "/usr/src/app/src/bank/client.ts", Line: 3, Function: "Client.charge"}, tsFile, "Client.charge", 3},
		{"Node, URL", Query{File: "file:///usr/src/app/src/bank/client.ts", Line: 4, Function: "async Promise.all (index 0)"}, tsFile, "Client.charge", 4},
		{"Node, webpack", Query{File: "webpack:///./src/bank/client.ts", Line: 9, Function: "retry"}, tsFile, "retry", 9},
		{"Node, webpack with a name", Query{File: "webpack://shop/./src/bank/client.ts", Line: 9}, tsFile, "retry", 9},
		{"Node, anonymous", Query{File: "/app/src/bank/client.ts", Line: 4, Function: "<anonymous>"}, tsFile, "Client.charge", 4},
		{"Java", Query{File: "Client.java", Line: 7, Function: "com.acme.pay.bank.Client.charge"}, javaFile, "Client.charge", 7},
		{"Java, namespace apart", Query{File: "Client.java", Line: 7, Namespace: "com.acme.pay.bank.Client", Function: "charge"}, javaFile, "Client.charge", 7},
		{"Java, lambda", Query{File: "Client.java", Line: 8, Function: "com.acme.pay.bank.Client.lambda$charge$0"}, javaFile, "Client.charge", 8},
		{"Java, inner class", Query{File: "Client.java", Line: 13, Function: "com.acme.pay.bank.Client$Inner.go"}, javaFile, "Client.Inner.go", 13},
		{"Java, constructor", Query{File: "Client.java", Line: 4, Function: "com.acme.pay.bank.Client.<init>"}, javaFile, "Client.Client", 4},
		{"Java, other package", Query{File: "Client.java", Line: 5, Function: "com.acme.mail.Client.charge"}, "jvm/src/main/java/com/acme/mail/Client.java", "Client.charge", 5},
		{"Java, abbreviated logger", Query{Namespace: "c.a.p.b.Client", Function: "charge"}, javaFile, "Client.charge", 6},
		{"Java, half abbreviated", Query{Namespace: "c.acme.pay.b.Client", Function: "charge"}, javaFile, "Client.charge", 6},
		{"Java, loader in front", Query{File: "Client.java", Line: 7, Function: "app//com.acme.pay.bank.Client.charge"}, javaFile, "Client.charge", 7},
	} {
		got := x.Locate(WeightedQuery{Query: c.q})
		if len(got) == 0 || got[0].File != c.file || got[0].Function != c.fn || got[0].Line != c.line {
			t.Errorf("%s: want %s:%d %s, got %s", c.name, c.file, c.line, c.fn, show(got))
		}
	}
}

// A frame of code that is not in the repository must not be pinned to a namesake.
func TestFramesOfLibrariesLeadNowhereSure(t *testing.T) {
	x := polyglot(t)
	for _, q := range []Query{
		{File: "/usr/local/go/src/net/http/server.go", Line: 2141, Function: "net/http.(*conn).serve"},
		{File: "/go/pkg/mod/github.com/x/y@v1.2.3/round.go", Line: 5, Function: "github.com/x/y.(*T).Round"},
		{File: "HttpServlet.java", Line: 7, Function: "javax.servlet.http.HttpServlet.service"},
		{File: "node:internal/process/task_queues", Line: 95, Function: "process.processTicksAndRejections"},
		{File: "/usr/lib/python3.12/asyncio/base_events.py", Line: 5, Function: "run_forever"},
		{Function: "java.lang.Thread.run"},
		{Namespace: "org.other.Client", Function: "charge"},
	} {
		for _, l := range x.Locate(WeightedQuery{Query: q}) {
			if l.Confidence > 0.5 {
				t.Errorf("%+v is taken for %+v", q, l)
			}
		}
	}
}

// Wherever a build put the repository, a frame leads back to the line.
func TestFramesSurviveAnyBuildDirectory(t *testing.T) {
	x := polyglot(t)
	part := rapid.StringMatching(`[a-z][a-z0-9_.@-]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		file := rapid.SampledFrom(x.Files()).Draw(t, "file")
		var functions []Symbol
		for _, s := range x.Symbols(file) {
			if s.Kind == "function" || s.Kind == "method" {
				functions = append(functions, s)
			}
		}
		want := rapid.SampledFrom(functions).Draw(t, "function")
		line := rapid.IntRange(want.From, want.To).Draw(t, "line")
		inner, _ := x.Function(file, line)
		frame := "/" + strings.Join(append(rapid.SliceOfN(part, 0, 5).Draw(t, "build"), file), "/")
		if rapid.Bool().Draw(t, "windows") {
			frame = "D:" + strings.ReplaceAll(frame, "/", `\`)
		}
		got := x.Locate(WeightedQuery{Query: Query{File: frame, Line: line}})
		if len(got) == 0 || got[0].File != file || got[0].Function != inner.Name || got[0].Line != line || got[0].Confidence < 0.9 && !strings.Contains(file, "est") {
			t.Fatalf("%s:%d: %s", frame, line, show(got))
		}
	})
}

// Every way of shortening a Java package means the package; another one never does.
func TestShortenedPackagesFit(t *testing.T) {
	word := rapid.StringMatching(`[a-z]{2,8}`)
	rapid.Check(t, func(t *rapid.T) {
		pkg := rapid.SliceOfN(word, 1, 6).Draw(t, "package")
		short := make([]string, len(pkg))
		for i, p := range pkg {
			short[i] = p[:rapid.IntRange(1, len(p)).Draw(t, "cut")]
		}
		full := strings.Join(pkg, ".")
		if got := namespaceFits(strings.Join(short, ".")+".Client", full, "Client"); got < 0.9 {
			t.Fatalf("%v of %s: %v", short, full, got)
		}
		if got := namespaceFits(strings.Join(short, ".")+".Other", full, "Client"); got != 0 {
			t.Fatalf("another class: %v", got)
		}
		at := rapid.IntRange(0, len(pkg)-1).Draw(t, "at")
		wrong := append([]string(nil), short...)
		wrong[at] = "0" + wrong[at]
		if got := namespaceFits(strings.Join(wrong, ".")+".Client", full, "Client"); got != 0 {
			t.Fatalf("%v of %s: %v", wrong, full, got)
		}
	})
}

// What a registered route matches when its parameters are filled in, in every spelling.
func TestFilledRoutesMatch(t *testing.T) {
	spellings := []string{"{%s}", ":%s", "<int:%s>", "<%s>", "{%s:[0-9]+}", "(?P<%s>[0-9]+)", "{%s:int}"}
	word := rapid.StringMatching(`[a-z]{3,8}`)
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(word, 1, 5).Draw(t, "words")
		spelling := rapid.SampledFrom(spellings).Draw(t, "spelling")
		var registered, concrete, template []string
		for i, w := range words {
			registered, concrete, template = append(registered, w), append(concrete, w), append(template, w)
			if rapid.Bool().Draw(t, "parameter") {
				registered = append(registered, fmt.Sprintf(spelling, "p"+fmt.Sprint(i)))
				concrete = append(concrete, fmt.Sprint(rapid.IntRange(0, 99999).Draw(t, "value")))
				template = append(template, "{x}")
			}
		}
		r := "/" + strings.Join(registered, "/")
		for _, seen := range []string{"/" + strings.Join(concrete, "/"), "/" + strings.Join(template, "/"), "http://h:1/" + strings.Join(concrete, "/") + "/?a=b"} {
			if got, _ := sameRoute(r, seen); got < 0.7 {
				t.Fatalf("sameRoute(%q, %q) = %v", r, seen, got)
			}
		}
		if got, _ := sameRoute(r, "/"+strings.Join(concrete, "/")+"/more"); got > 0.65 {
			t.Fatalf("a longer path matches %q: %v", r, got)
		}
		if got, _ := sameRoute(r, "/zz"+strings.Join(concrete, "/")); got > 0.65 {
			t.Fatalf("another first word matches %q: %v", r, got)
		}
	})
}

func TestRoutesThatTakeTheRest(t *testing.T) {
	for _, c := range []struct {
		registered, seen string
		low, high        float64
	}{
		{"/files/{rest...}", "/files/a/b/c", 0.7, 0.9}, {"/files/*path", "/files/a", 0.7, 0.9}, {"/files/<path:p>", "/files/a/b", 0.7, 0.9},
		{"/files/{p:path}", "/files/a/b", 0.7, 0.9}, {"/files/{p:.*}", "/files/a/b", 0.7, 0.9}, {"/files/**", "/files/a/b", 0.7, 0.9},
		{"/files/{*p}", "/files/a/b", 0.7, 0.9}, {"/files/{rest...}", "/files/{rest...}", 1, 1}, {"/files/{rest...}", "/other/a", 0, 0},
		{"/{rest...}", "/a/b", 0, 0}, {"/files/{id}", "/files/a/b", 0, 0}, {"/files/{$}", "/files", 1, 1},
	} {
		if got, _ := sameRoute(c.registered, c.seen); got < c.low || got > c.high {
			t.Errorf("sameRoute(%q, %q) = %v, want %v to %v", c.registered, c.seen, got, c.low, c.high)
		}
	}
}

// MatchPath agrees with the slow definition of its patterns.
func TestGlobsAgreeWithTheirDefinition(t *testing.T) {
	var slow func(p, n []string) bool
	slow = func(p, n []string) bool {
		if len(p) == 0 {
			return len(n) == 0
		}
		if p[0] == "**" {
			return slow(p[1:], n) || len(n) > 0 && slow(p, n[1:])
		}
		if len(n) == 0 {
			return false
		}
		ok, _ := path.Match(p[0], n[0])
		return ok && slow(p[1:], n[1:])
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*", "**", "?", "a*", "*.go"}), 1, 6).Draw(t, "pattern")
		n := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab", "x.go", "aa"}), 1, 6).Draw(t, "name")
		pattern, name := strings.Join(p, "/"), strings.Join(n, "/")
		want := slow(p, n)
		if !strings.ContainsAny(p[len(p)-1], "*?") { // a pattern without a wildcard at its end owns what is below
			want = want || slow(append(append([]string(nil), p...), "**"), n)
		}
		if got := MatchPath(pattern, name); got != want {
			t.Fatalf("MatchPath(%q, %q) = %v", pattern, name, got)
		}
	})
}
