package gorecipe

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// rewrite collects byte-range edits of one file, so that every line that is not edited stays as it
// was, comments and all.
type rewrite struct {
	file    *file
	fn      *fn // the function that is changed; imports must not be hidden by its names
	edits   []span
	imports map[string]string // path -> local name, of those to add
}

type span struct {
	from, to int
	text     string
}

func newRewrite(f *fn) *rewrite {
	return &rewrite{file: f.file, fn: f, imports: map[string]string{}}
}

// replace swaps the bytes of a node for text.
func (r *rewrite) replace(n ast.Node, text string) {
	r.edits = append(r.edits, span{r.file.offset(n.Pos()), r.file.offset(n.End()), text})
}

// before inserts lines above the line that n starts on, indented as that line; comments
// that belong to n stay with it.
func (r *rewrite) before(n ast.Node, lines string) {
	at := r.lineStart(r.leading(n))
	r.edits = append(r.edits, span{at, at, indent(lines, r.indentOf(n))})
}

// leading is the start of n or of the comment group that ends on the line above it.
func (r *rewrite) leading(n ast.Node) int {
	line := r.file.line(n.Pos())
	for _, g := range r.file.ast.Comments {
		if r.file.line(g.End()) == line-1 && r.ownLine(g) {
			return r.file.offset(g.Pos())
		}
	}
	return r.file.offset(n.Pos())
}

func (r *rewrite) ownLine(g *ast.CommentGroup) bool {
	at := r.file.offset(g.Pos())
	return len(bytes.TrimSpace(r.file.src[r.lineStart(at):at])) == 0
}

// into inserts lines as the first of a block.
func (r *rewrite) into(b *ast.BlockStmt, lines string, depth string) {
	at := r.file.offset(b.Lbrace) + 1
	if end := bytes.IndexByte(r.file.src[at:], '\n'); end >= 0 && r.file.line(b.Lbrace) != r.file.line(b.Rbrace) {
		at += end + 1
		r.edits = append(r.edits, span{at, at, indent(lines, depth)})
		return
	}
	r.edits = append(r.edits, span{at, at, "\n" + indent(lines, depth)}) // a block on one line; gofmt breaks it
}

// after inserts text after the line that n ends on, with a blank line between.
func (r *rewrite) after(n ast.Node, text string) {
	at := r.file.offset(n.End())
	if end := bytes.IndexByte(r.file.src[at:], '\n'); end >= 0 {
		at += end + 1
	} else {
		at, text = len(r.file.src), "\n"+text
	}
	r.edits = append(r.edits, span{at, at, "\n" + text})
}

// wrap puts a statement into a block: head above it, tail below, its own lines one tab deeper.
func (r *rewrite) wrap(n ast.Node, head, tail string) {
	in := r.indentOf(n)
	from := r.lineStart(r.file.offset(n.Pos()))
	to := r.file.offset(n.End())
	if end := bytes.IndexByte(r.file.src[to:], '\n'); end >= 0 {
		to += end + 1
	} else {
		to = len(r.file.src)
	}
	body := string(r.file.src[from:to])
	r.edits = append(r.edits, span{from, to, indent(head, in) + indentMore(body, r.rawLines(n, from)) + indent(tail, in)})
}

// rawLines are the lines, counted from the one at from, that continue a raw string and must not be indented.
func (r *rewrite) rawLines(n ast.Node, from int) map[int]bool {
	out := map[int]bool{}
	first := bytes.Count(r.file.src[:from], []byte("\n")) + 1
	ast.Inspect(n, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && l.Value[0] == '`' {
			for k := r.file.line(l.Pos()) + 1; k <= r.file.line(l.End()); k++ {
				out[k-first] = true
			}
		}
		return true
	})
	return out
}

func (r *rewrite) lineStart(offset int) int {
	return bytes.LastIndexByte(r.file.src[:offset], '\n') + 1
}

// indentOf is the white space that the line of n starts with.
func (r *rewrite) indentOf(n ast.Node) string {
	start := r.lineStart(r.file.offset(n.Pos()))
	end := start
	for end < len(r.file.src) && (r.file.src[end] == '\t' || r.file.src[end] == ' ') {
		end++
	}
	return string(r.file.src[start:end])
}

func indent(lines, prefix string) string {
	var b strings.Builder
	for l := range strings.Lines(lines) {
		if strings.TrimSpace(l) != "" {
			b.WriteString(prefix)
		}
		b.WriteString(l)
	}
	if !strings.HasSuffix(lines, "\n") && lines != "" {
		b.WriteByte('\n')
	}
	return b.String()
}

func indentMore(body string, raw map[int]bool) string {
	var b strings.Builder
	i := 0
	for l := range strings.Lines(body) {
		if strings.TrimSpace(l) != "" && !raw[i] {
			b.WriteByte('\t')
		}
		b.WriteString(l)
		i++
	}
	return b.String()
}

// use makes sure that a package is imported and returns the name it has in the file.
func (r *rewrite) use(path string) string {
	for _, name := range sortedKeys(r.file.imports) {
		if r.file.imports[name] == path && !r.fn.hides(name) {
			return name
		}
	}
	if name, ok := r.imports[path]; ok {
		return name
	}
	name := importName(path)
	taken := func(n string) bool {
		if _, ok := r.file.imports[n]; ok || r.file.pkg.declares(n) || r.fn.hides(n) {
			return true
		}
		for _, other := range r.imports {
			if other == n {
				return true
			}
		}
		return false
	}
	for _, alias := range []string{name, "std" + name, "remediator" + name} {
		if !taken(alias) {
			r.imports[path] = alias
			return alias
		}
	}
	return name
}

// imported says whether the file imports the package already, and under which name.
func (f *file) imported(path string) (string, bool) {
	for name, p := range f.imports {
		if p == path {
			return name, true
		}
	}
	return "", false
}

// bytes is the file after all edits. What gofmt left alone before it leaves alone again.
func (r *rewrite) bytes() ([]byte, error) {
	paths := make([]string, 0, len(r.imports))
	for p := range r.imports {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	r.addImports(paths)
	slices.SortStableFunc(r.edits, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	var out []byte
	at := 0
	for _, e := range r.edits {
		if e.from < at {
			return nil, fmt.Errorf("two edits of %s overlap", r.file.path)
		}
		out = append(append(out, r.file.src[at:e.from]...), e.text...)
		at = e.to
	}
	out = append(out, r.file.src[at:]...)
	formatted, err := format.Source(out)
	if err != nil {
		return nil, fmt.Errorf("%s does not parse after the edit: %w", r.file.path, err)
	}
	if before, err := format.Source(r.file.src); err == nil && bytes.Equal(before, r.file.src) {
		return formatted, nil
	}
	return out, nil
}

// addImports puts import lines into the group they belong to, in order.
func (r *rewrite) addImports(paths []string) {
	var block *ast.GenDecl
	var single *ast.GenDecl
	for _, d := range r.file.ast.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			if g.Lparen.IsValid() && block == nil {
				block = g
			} else if single == nil {
				single = g
			}
		}
	}
	lines := make([]string, len(paths))
	for i, p := range paths {
		lines[i] = strconv.Quote(p)
		if name := r.imports[p]; name != importName(p) {
			lines[i] = name + " " + lines[i]
		}
	}
	switch {
	case len(paths) == 0:
	case block != nil && len(block.Specs) > 0:
		r.addToBlock(block, paths, lines)
	case single != nil:
		old := strings.TrimSpace(strings.TrimPrefix(r.file.text(single), "import"))
		spec := single.Specs[0].(*ast.ImportSpec)
		oldPath, _ := strconv.Unquote(spec.Path.Value)
		text := map[string]string{oldPath: old}
		all := append(slices.Clone(paths), oldPath)
		for i, p := range paths {
			text[p] = lines[i]
		}
		r.replace(single, "import (\n"+grouped(all, text)+")")
	default:
		text := map[string]string{}
		for i, p := range paths {
			text[p] = lines[i]
		}
		at := r.file.offset(r.file.ast.Name.End())
		r.edits = append(r.edits, span{at, at, "\n\nimport (\n" + grouped(paths, text) + ")"})
	}
}

// grouped lists imports with the standard library first.
func grouped(paths []string, text map[string]string) string {
	slices.Sort(paths)
	var std, other strings.Builder
	for _, p := range paths {
		b := &other
		if standard(p) {
			b = &std
		}
		b.WriteString("\t" + text[p] + "\n")
	}
	if std.Len() > 0 && other.Len() > 0 {
		std.WriteString("\n")
	}
	return std.String() + other.String()
}

func (r *rewrite) addToBlock(block *ast.GenDecl, paths, lines []string) {
	for i, p := range paths {
		// The specs of one sort lie together in well-kept files; a new one goes before the first that sorts
		// after it, or behind the last of its sort.
		var before, last *ast.ImportSpec
		for _, s := range block.Specs {
			spec := s.(*ast.ImportSpec)
			sp, _ := strconv.Unquote(spec.Path.Value)
			if kin(sp) != kin(p) {
				continue
			}
			if sp > p && before == nil && (last == nil || r.file.line(spec.Pos()) == r.file.line(last.End())+1) {
				before = spec
			}
			if before == nil {
				last = spec
			}
		}
		switch {
		case before != nil:
			at := r.lineStart(r.leading(before))
			r.edits = append(r.edits, span{at, at, "\t" + lines[i] + "\n"})
		case last != nil:
			at := r.file.offset(last.End())
			if end := bytes.IndexByte(r.file.src[at:], '\n'); end >= 0 {
				at += end + 1
			}
			r.edits = append(r.edits, span{at, at, "\t" + lines[i] + "\n"})
		case standard(p):
			at := r.lineStart(r.leading(block.Specs[0]))
			blank := "\n"
			if i+1 < len(paths) && standard(paths[i+1]) {
				blank = ""
			}
			r.edits = append(r.edits, span{at, at, "\t" + lines[i] + "\n" + blank})
		case r.own(block) != nil: // other modules come before one's own
			blank := "\n"
			if i+1 < len(paths) && kin(paths[i+1]) == kin(p) {
				blank = ""
			}
			at := r.lineStart(r.leading(r.own(block)))
			r.edits = append(r.edits, span{at, at, "\t" + lines[i] + "\n" + blank})
		default:
			blank := "\n"
			if i > 0 && !standard(paths[i-1]) {
				blank = ""
			}
			at := r.lineStart(r.file.offset(block.Rparen))
			r.edits = append(r.edits, span{at, at, blank + "\t" + lines[i] + "\n"})
		}
	}
}

// own is the first import of the file's own module, where those stand in a group of their own.
func (r *rewrite) own(block *ast.GenDecl) *ast.ImportSpec {
	m := r.file.pkg.module
	if m == nil {
		return nil
	}
	for i, s := range block.Specs {
		spec := s.(*ast.ImportSpec)
		p, _ := strconv.Unquote(spec.Path.Value)
		if p == m.path || strings.HasPrefix(p, m.path+"/") {
			if i > 0 && r.file.line(block.Specs[i-1].End())+1 == r.file.line(spec.Pos()) {
				return nil
			}
			return spec
		}
	}
	return nil
}

// standard says whether an import path is of the standard library.
func standard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}

// kin sorts import paths into the groups people keep: the standard library, and others by their
// host and owner.
func kin(p string) string {
	if standard(p) {
		return ""
	}
	host, rest, _ := strings.Cut(p, "/")
	owner, _, _ := strings.Cut(rest, "/")
	if host == "github.com" || host == "gitlab.com" {
		return "third"
	}
	if strings.HasPrefix(host, "go.") || strings.HasPrefix(host, "google.") || strings.HasPrefix(host, "golang.") || host == "gopkg.in" || host == "k8s.io" {
		return "third"
	}
	return host + "/" + owner
}
