//go:build cgo && unix

package codeindex

import (
	"context"
	"fmt"
	gobuild "go/build"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	sitter "github.com/smacker/go-tree-sitter"
	"github.com/smacker/go-tree-sitter/golang"
	"github.com/smacker/go-tree-sitter/java"
	"github.com/smacker/go-tree-sitter/javascript"
	"github.com/smacker/go-tree-sitter/python"
	"github.com/smacker/go-tree-sitter/typescript/typescript"

	"github.com/remediator/remediator/codeindex/extract"
	"github.com/remediator/remediator/codeindex/facts"
	"github.com/remediator/remediator/codeindex/treesitter"
)

// generated writes a repository of n files in four languages, about 4 KB each, with a service per
// hundred files.
func generated(b *testing.B, n int) string {
	b.Helper()
	dir := b.TempDir()
	for i := range n {
		name, src := generatedFile(i)
		file := filepath.Join(dir, filepath.FromSlash(name))
		if i%100 < 4 {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(file, []byte(src), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func generatedFile(i int) (name, src string) {
	var s strings.Builder
	dir := fmt.Sprintf("services/s%03d", i/100)
	switch i % 4 {
	case 0:
		fmt.Fprintf(&s, "package s\n\nimport \"context\"\n\ntype Client%d struct{ tracer Tracer }\n", i)
		for j := range 14 {
			fmt.Fprintf(&s, "\nfunc (c *Client%d) Call%d_%d(ctx context.Context, id string) error {\n\tctx, span := c.tracer.Start(ctx, \"operation %d %d\")\n\tdefer span.End()\n\tif err := c.send(ctx, \"/path/%d/\"+id); err != nil {\n\t\treturn fmt.Errorf(\"call %d of %%s: %%w\", id, err)\n\t}\n\treturn nil\n}\n", i, i, j, i, j, j, j)
		}
		return fmt.Sprintf("%s/go/f%d.go", dir, i), s.String()
	case 1:
		s.WriteString("import logging\nlog = logging.getLogger(__name__)\n\n")
		for j := range 20 {
			fmt.Fprintf(&s, "def call_%d_%d(order, amount=1):\n    with tracer.start_as_current_span(\"operation %d %d\"):\n        log.info(\"call %d for %%s\", order)\n        return client.post(f\"{BASE}/path/%d\", json={\"order\": order})\n\n", i, j, i, j, j, j)
		}
		return fmt.Sprintf("%s/py/f%d.py", dir, i), s.String()
	case 2:
		s.WriteString("import { trace } from '@opentelemetry/api';\n")
		for j := range 16 {
			fmt.Fprintf(&s, "export async function call_%d_%d(order: string, amount = 1): Promise<void> {\n  return tracer.startActiveSpan('operation %d %d', async (span) => {\n    logger.info({ order }, 'call %d');\n    await fetch(`${BASE}/path/%d`, { method: 'POST' });\n    span.end();\n  });\n}\n", i, j, i, j, j, j)
		}
		return fmt.Sprintf("%s/ts/f%d.ts", dir, i), s.String()
	}
	fmt.Fprintf(&s, "package s;\n\n@RestController\n@RequestMapping(\"/s%d\")\npublic class C%d {\n", i, i)
	for j := range 14 {
		fmt.Fprintf(&s, "    @PostMapping(\"/path%d\")\n    public Order call%d(@RequestBody Order order) {\n        Span span = tracer.spanBuilder(\"operation %d %d\").startSpan();\n        log.info(\"call %d for {}\", order);\n        return rest.postForObject(base + \"/path/%d\", order, Order.class);\n    }\n\n", j, j, i, j, j, j)
	}
	s.WriteString("}\n")
	return fmt.Sprintf("%s/java/C%d.java", dir, i), s.String()
}

// sources are real files of a language from this machine, or generated ones where it has none.
func sources(b *testing.B, pattern ...string) (names []string, contents [][]byte, size int64) {
	b.Helper()
	for _, p := range pattern {
		found, _ := filepath.Glob(p)
		for _, file := range found {
			if src, err := os.ReadFile(file); err == nil && len(src) < 1<<20 && size < 8<<20 {
				names, contents, size = append(names, file), append(contents, src), size+int64(len(src))
			}
		}
	}
	return names, contents, size
}

func benchmarkLanguage(b *testing.B, grammar treesitter.Grammar, kind int, patterns ...string) {
	names, contents, size := sources(b, patterns...)
	if size < 200<<10 {
		names, contents, size = nil, nil, 0
		for i := kind; i < 800; i += 4 {
			name, src := generatedFile(i)
			names, contents, size = append(names, name), append(contents, []byte(src)), size+int64(len(src))
		}
	}
	p := rawParser(grammar)
	var e extract.Extractor
	var raw, full time.Duration
	b.SetBytes(size)
	for b.Loop() {
		// Side by side, so that a busy machine slows both.
		for i := range contents {
			start := time.Now()
			tree, err := p.ParseCtx(context.Background(), nil, contents[i])
			if err != nil {
				b.Fatal(err)
			}
			tree.Close()
			mid := time.Now()
			f, err := e.Extract(names[i], contents[i])
			if err != nil {
				b.Fatal(err)
			}
			f.Encode(nil)
			raw, full = raw+mid.Sub(start), full+time.Since(mid)
		}
	}
	b.ReportMetric(float64(raw)/float64(full), "of-parse-rate")
	b.ReportMetric(float64(size)*float64(b.N)/1e6/full.Seconds(), "MB/s-extracted")
	b.ReportMetric(float64(size)*float64(b.N)/1e6/raw.Seconds(), "MB/s-parsed")
}

// rawParser is tree-sitter as its library offers it, without anything of ours.
func rawParser(g treesitter.Grammar) *sitter.Parser {
	p := sitter.NewParser()
	p.SetLanguage(map[treesitter.Grammar]*sitter.Language{
		treesitter.Go: golang.GetLanguage(), treesitter.Python: python.GetLanguage(), treesitter.JavaScript: javascript.GetLanguage(),
		treesitter.TypeScript: typescript.GetLanguage(), treesitter.Java: java.GetLanguage(),
	}[g])
	return p
}

// The rate of reading, parsing and extracting in relation to tree-sitter's parsing alone.
func BenchmarkExtract(b *testing.B) {
	b.Run("go", func(b *testing.B) {
		benchmarkLanguage(b, treesitter.Go, 0, filepath.Join(gobuild.Default.GOROOT, "src/net/http/*.go"))
	})
	b.Run("python", func(b *testing.B) {
		benchmarkLanguage(b, treesitter.Python, 1, "/usr/lib/python3*/*.py", "/usr/lib/python3*/*/*.py")
	})
	b.Run("typescript", func(b *testing.B) { benchmarkLanguage(b, treesitter.TypeScript, 2) })
	b.Run("javascript", func(b *testing.B) {
		benchmarkLanguage(b, treesitter.JavaScript, 2, "/usr/lib/node_modules/npm/lib/*/*.js", "/usr/lib/node_modules/npm/node_modules/*/lib/*.js")
	})
	b.Run("java", func(b *testing.B) { benchmarkLanguage(b, treesitter.Java, 3) })
}

func BenchmarkRefresh10000(b *testing.B) {
	dir := generated(b, 10000)
	fsys := os.DirFS(dir)
	cache := b.TempDir()
	x, err := Build(context.Background(), fsys, Options{Cache: cache})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			refresh(b, fsys, Options{Previous: x}, 0)
		}
	})
	b.Run("unchanged-from-disk", func(b *testing.B) {
		for b.Loop() {
			refresh(b, fsys, Options{Cache: cache}, 0)
		}
	})
	b.Run("one-changed", func(b *testing.B) {
		name, src := generatedFile(4)
		n := 0
		for b.Loop() {
			b.StopTimer()
			n++
			if err := os.WriteFile(filepath.Join(dir, name), []byte(src+strings.Repeat("\n// more", n)), 0o644); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			refresh(b, fsys, Options{Previous: x}, 1)
		}
	})
	b.Run("locate", func(b *testing.B) {
		x.Locate(WeightedQuery{Query: Query{Span: "operation 4001 7"}}) // the first decodes the facts
		for b.Loop() {
			got := x.Locate(WeightedQuery{Query: Query{Span: "operation 4001 7"}}, WeightedQuery{Query: Query{Log: "call 7 for order-1"}})
			if len(got) == 0 || got[0].Function != "call_4001_7" {
				b.Fatalf("got %s", show(got))
			}
		}
	})
	b.Run("locate-first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			fresh, err := Build(context.Background(), fsys, Options{Cache: cache})
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if got := fresh.Locate(WeightedQuery{Query: Query{Span: "operation 4001 7"}}); len(got) == 0 {
				b.Fatal("nothing")
			}
		}
	})
	var records int
	for _, e := range x.entries {
		records += len(e.record)
	}
	b.Logf("%d files, %.1f MB of facts, %d spans", len(x.entries), float64(records)/1e6, len(x.Sites(facts.Span)))
}

func refresh(b *testing.B, fsys fs.FS, o Options, parsed int) {
	x, err := Build(context.Background(), fsys, o)
	if err != nil {
		b.Fatal(err)
	}
	if x.Stats.Parsed > parsed || x.Stats.Files != 10000 {
		b.Fatalf("%+v", x.Stats)
	}
}

// The first answer on a large tree without any index.
func BenchmarkFind100000(b *testing.B) {
	if testing.Short() {
		b.Skip("writes 400 MB")
	}
	fsys := os.DirFS(generated(b, 100000))
	var spent time.Duration
	for b.Loop() {
		before := cpuTime(b)
		got, err := Find(context.Background(), fsys, Query{Span: "operation 40001 7"}, Options{})
		spent += cpuTime(b) - before
		if err != nil {
			b.Fatal(err)
		}
		if len(got) == 0 || got[0].Function != "call_40001_7" {
			b.Fatalf("got %s", show(got))
		}
	}
	b.ReportMetric(float64(spent.Milliseconds())/float64(b.N), "cpu-ms/op")
}

// cpuTime is what the process has spent on all processors: on a machine that others use as well, wall
// time says more about them.
func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
