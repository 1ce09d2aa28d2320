//go:build cgo

package treesitter

import (
	"os"
	"testing"
	"fmt"
	"strings"
)
func dump(t *Tree, n Node, d int, b *strings.Builder) {
	txt := t.Text(n)
	if len(txt) > 50 { txt = txt[:50] }
	fmt.Fprintf(b, "%s%s:%s %d-%d %q\n", strings.Repeat("  ", d), t.Field(n), t.Kind(n), t.Line(n), t.LastLine(n), txt)
	for c := range t.Children(n) { dump(t, c, d+1, b) }
}
func TestDump(t *testing.T) {
	f := os.Getenv("DUMP")
	if f == "" { t.Skip() }
	src, _ := os.ReadFile(f)
	g := map[string]Grammar{"go": Go, "py": Python, "js": JavaScript, "ts": TypeScript, "tsx": TSX, "java": Java}[f[strings.LastIndex(f, ".")+1:]]
	var p Parser
	tr, err := p.Parse(g, src)
	if err != nil { t.Fatal(err) }
	var b strings.Builder
	dump(tr, tr.Root(), 0, &b)
	fmt.Println(b.String(), tr.FirstError())
}
