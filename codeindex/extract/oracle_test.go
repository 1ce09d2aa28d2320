//go:build cgo

package extract

import (
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/remediator/remediator/codeindex/facts"
	"github.com/remediator/remediator/codeindex/treesitter"
)

// The witness: what tree-sitter's Go grammar says of a file, found without any of the front end.
func witness(t *treesitter.Tree) (functions, calls, texts []string) {
	for n := treesitter.Node(0); int(n) < t.Len(); n++ {
		switch t.Kind(n) {
		case "function_declaration", "method_declaration":
			name := t.Text(t.Child(n, "name"))
			if r := t.Child(n, "receiver"); r != treesitter.None {
				for c := r; c < t.End(r); c++ {
					if t.Kind(c) == "type_identifier" {
						name = t.Text(c) + "." + name
						break
					}
				}
			}
			functions = append(functions, fmt.Sprintf("%s %d-%d", name, t.Line(n), t.LastLine(n)))
		case "call_expression":
			f := t.Child(n, "function")
			plain := true
			for c := f; c < t.End(f); c++ {
				switch t.Kind(c) {
				case "identifier", "field_identifier", "selector_expression":
				default:
					plain = false
				}
			}
			if plain && !strings.ContainsAny(t.Text(f), "\n\t ") {
				calls = append(calls, fmt.Sprintf("%s %d", t.Text(f), t.Line(n)))
			}
		case "interpreted_string_literal", "raw_string_literal":
			texts = append(texts, fmt.Sprintf("%d", t.Line(n)))
		}
	}
	return functions, calls, texts
}

// Both readers of Go must agree on functions and calls over a body of code that neither was written
// for. Only files that the older grammar accepts are compared.
func TestGoReadersAgree(t *testing.T) {
	var files []string
	for _, dir := range []string{"net/http", "encoding/json", "go/types", "database/sql", "log/slog", "text/template"} {
		found, _ := filepath.Glob(filepath.Join(build.Default.GOROOT, "src", dir, "*.go"))
		files = append(files, found...)
	}
	if len(files) < 100 {
		t.Skipf("only %d files of the standard library at %s", len(files), build.Default.GOROOT)
	}
	var p treesitter.Parser
	compared, functions, calls := 0, 0, 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := p.Parse(treesitter.Go, src)
		if err != nil {
			t.Fatal(err)
		}
		if tree.FirstError() != nil {
			continue
		}
		compared++
		wantFunctions, wantCalls, _ := witness(tree)
		f := golang(file, src)
		if f.Broken {
			t.Errorf("%s: go/parser finds errors where tree-sitter finds none", file)
		}
		var gotFunctions, gotCalls []string
		for _, s := range f.Symbols {
			if s.Kind.Callable() {
				gotFunctions = append(gotFunctions, fmt.Sprintf("%s %d-%d", s.Name, s.From, s.To))
			}
		}
		for _, c := range f.Calls {
			if c.Callee != "" && !strings.ContainsAny(c.Callee, `()"`) && c.Callee[0] != '.' {
				gotCalls = append(gotCalls, c.Callee+" "+strconv.Itoa(int(c.Line)))
			}
		}
		slices.Sort(wantCalls)
		slices.Sort(gotCalls)
		functions += len(gotFunctions)
		calls += len(wantCalls)
		if !slices.Equal(gotFunctions, wantFunctions) {
			t.Errorf("%s: functions differ:\n%v\n%v", file, without(gotFunctions, wantFunctions), without(wantFunctions, gotFunctions))
		}
		// Conversions look like calls to go/parser; instantiations to neither the same way.
		if missing := without(wantCalls, gotCalls); len(missing) > 0 {
			t.Errorf("%s: calls that only the witness sees: %v", filepath.Base(file), missing[:min(5, len(missing))])
		}
	}
	t.Logf("%d files, %d functions, %d calls", compared, functions, calls)
	if compared < 80 {
		t.Errorf("only %d of %d files could be compared", compared, len(files))
	}
}

func without(a, b []string) []string {
	have := map[string]bool{}
	for _, s := range b {
		have[s] = true
	}
	var out []string
	for _, s := range a {
		if !have[s] {
			out = append(out, s)
		}
	}
	return out
}

var fuzzPrelude = map[string][]string{
	"a.go": {
		"package a\nfunc (s *S[T]) F(ctx context.Context) { ctx, sp := tracer.Start(ctx, \"a\"+b); defer sp.End(); r.Route(\"/x\", func(r R) { r.Get(`/y`, h) }) }\n",
		"package a\nconst x = \"SELECT a FROM b\"\nvar f = func() { log.Printf(\"%[1]*d\", 1) }\n",
		"package",
	},
	"a.py": {
		"@app.route('/x', methods=['POST'])\ndef f(a, *b, c=1):\n    with tracer.start_as_current_span(f'{a!r:>3}'):\n        log.info('x %s' 'y', a)\n",
		"class A(B):\n    x = 'a' % (1,)\n    def test_a(self): self.y = \"{}\".format(1)\n", "def (", "x = [i for i in f'{'\n",
	},
	"a.js": {
		"app.get('/x', async (q, r) => { await fetch(`${u}/y`, {method: 'POST'}) })\n", "module.exports = {a, b: () => 1, c() {}}\n", "class A { #x = 1; static async *f() {} }\n", "`${",
	},
	"a.tsx": {
		"@C('x') export class A { @Get(':id') f(@P() a: string): X { return <a b={c}>{d}</a> } }\n", "export const f = async <T,>(x: T) => x as any;\n", "const {a, b: [c]} = require('x')\n",
	},
	"a.java": {
		"package a; @RestController class A { @GetMapping(\"/x\") void f() { log.info(\"a {}\", b); new T() { void g() {} }; } }\n", "interface A { default void f() { c.get().uri(\"/x\").retrieve(); } }\n", "enum A { B { void f() {} }; }\n", "class",
	},
}

// fuzz checks what must hold for any input: no panic, positions within the file, facts that survive
// their encoding.
func fuzz(f *testing.F, name string) {
	for _, src := range fuzzPrelude[name] {
		f.Add([]byte(src))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<14 {
			return
		}
		var e Extractor
		file, err := e.Extract(name, src)
		if err != nil {
			return
		}
		check(t, file, src)
		_, _ = e.Public(name, src)
		_ = e.Check(name, src)
	})
}

func check(t interface{ Fatalf(string, ...any) }, file *facts.File, src []byte) {
	lines := int32(strings.Count(string(src), "\n") + 1)
	for _, s := range file.Symbols {
		if s.From < 1 || s.To < s.From || s.To > lines {
			t.Fatalf("symbol %+v in a file of %d lines", s, lines)
		}
	}
	for _, c := range file.Calls {
		if c.Func < facts.None || int(c.Func) >= len(file.Symbols) || c.Line < 1 || c.Line > lines {
			t.Fatalf("call %+v in a file of %d lines", c, lines)
		}
	}
	for _, s := range file.Sites {
		if s.Func < facts.None || int(s.Func) >= len(file.Symbols) || s.Line < 1 || s.Line > lines {
			t.Fatalf("site %+v in a file of %d lines and %d symbols", s, lines, len(file.Symbols))
		}
	}
	if _, err := facts.Decode(file.Encode(nil)); err != nil {
		t.Fatalf("facts do not survive: %v", err)
	}
}

func FuzzExtractGo(f *testing.F)         { fuzz(f, "a.go") }
func FuzzExtractPython(f *testing.F)     { fuzz(f, "a.py") }
func FuzzExtractJavaScript(f *testing.F) { fuzz(f, "a.js") }
func FuzzExtractTypeScript(f *testing.F) { fuzz(f, "a.tsx") }
func FuzzExtractJava(f *testing.F)       { fuzz(f, "a.java") }
