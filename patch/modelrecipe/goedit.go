package modelrecipe

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	maxFunction = 110 // lines; the copy counts as added, and a reviewer has to read it
	maxChanged  = 60  // lines of the body that may differ
	maxSource   = 1 << 20
)

// goFunc is the one Go function that a model may change.
type goFunc struct {
	path string
	src  []byte
	fset *token.FileSet
	file *ast.File
	decl *ast.FuncDecl
}

func parseGo(src []byte) (*token.FileSet, *ast.File, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", src, parser.ParseComments)
	return fset, f, err
}

// findGo finds the function at a line of a file.
func findGo(base fs.FS, name string, line int) (*goFunc, error) {
	if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, ".pb.go") {
		return nil, fmt.Errorf("%s is a test or generated", name)
	}
	info, err := fs.Lstat(base, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSource {
		return nil, fmt.Errorf("%s is no plain source file of a readable size", name)
	}
	src, err := fs.ReadFile(base, name)
	if err != nil {
		return nil, err
	}
	fset, file, err := parseGo(src)
	if err != nil {
		return nil, fmt.Errorf("%s does not parse", name)
	}
	g := &goFunc{path: name, src: src, fset: fset, file: file}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if ok && f.Body != nil && g.line(f.Pos()) <= line && line <= g.line(f.End()) {
			g.decl = f
		}
	}
	switch {
	case g.decl == nil:
		return nil, fmt.Errorf("line %d of %s is in no function", line, name)
	case g.line(g.decl.End())-g.line(g.decl.Pos()) > maxFunction:
		return nil, fmt.Errorf("%s is longer than %d lines, too long to be copied beside itself", g.key(), maxFunction)
	case strings.ContainsFunc(g.text(g.decl), hidden):
		return nil, fmt.Errorf("%s holds characters that a reader cannot see", g.key())
	}
	return g, nil
}

func (g *goFunc) line(p token.Pos) int   { return g.fset.Position(p).Line }
func (g *goFunc) offset(p token.Pos) int { return g.fset.Position(p).Offset }
func (g *goFunc) text(n ast.Node) string { return string(g.src[g.offset(n.Pos()):g.offset(n.End())]) }
func (g *goFunc) body() stretch {
	return stretch{g.offset(g.decl.Body.Lbrace) + 1, g.offset(g.decl.Body.Rbrace)}
}
func (g *goFunc) key() string             { return funcKey(g.decl) }
func importPath(s *ast.ImportSpec) string { p, _ := strconv.Unquote(s.Path.Value); return p }

// funcKey is "Type.Method" or "function".
func funcKey(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
			continue
		case *ast.IndexExpr:
			t = x.X
			continue
		case *ast.IndexListExpr:
			t = x.X
			continue
		case *ast.Ident:
			return x.Name + "." + d.Name.Name
		}
		return d.Name.Name
	}
}

// harmless are packages of the standard library that a change may import: they compute, and reach nothing outside.
var harmless = []string{"bytes", "cmp", "container/heap", "container/list", "context", "encoding/base64", "encoding/binary", "encoding/hex", "encoding/json",
	"errors", "fmt", "hash/fnv", "io", "iter", "maps", "math", "math/bits", "math/rand", "math/rand/v2", "net/url", "regexp", "slices", "sort", "strconv", "strings",
	"sync", "sync/atomic", "time", "unicode", "unicode/utf8"}

// goChange is a change that was found fit to be tried.
type goChange struct {
	body    string
	imports []string
	added   int // lines of the body that are new
	deleted int
}

// check holds a changed file to what a change of one function's body may be. An error is worded for the model too.
func (g *goFunc) check(changed []byte, wanted []string) (*goChange, error) {
	fset, file, err := parseGo(changed)
	if err != nil {
		return nil, fmt.Errorf("the file does not parse after the edits: %w", err)
	}
	n := &goFunc{path: g.path, src: changed, fset: fset, file: file}
	if err := g.sameOutside(n); err != nil {
		return nil, err
	}
	imports, err := g.imports(n, wanted)
	if err != nil {
		return nil, err
	}
	for _, f := range []func(*goFunc) error{g.keepsChecks, g.newCalls(imports), g.newWords, g.newStatements} {
		if err := f(n); err != nil {
			return nil, err
		}
	}
	out := &goChange{body: n.text(n.decl.Body), imports: imports}
	out.added, out.deleted = lineChanges(g.text(g.decl.Body), out.body)
	if out.added+out.deleted > maxChanged {
		return nil, fmt.Errorf("%d lines change, more than %d", out.added+out.deleted, maxChanged)
	}
	if strings.Join(strings.Fields(g.text(g.decl.Body)), " ") == strings.Join(strings.Fields(out.body), " ") {
		return nil, errors.New("nothing but white space changes")
	}
	return out, nil
}

// sameOutside finds the function in the changed file and makes sure that nothing else of the file is different: the
// edits were inside the body, but braces and comments in them could move where it ends.
func (g *goFunc) sameOutside(n *goFunc) error {
	if len(g.file.Decls) != len(n.file.Decls) {
		return errors.New("the edits add or remove declarations; only the body of the function may change")
	}
	for i, d := range g.file.Decls {
		e, ok := n.file.Decls[i].(*ast.FuncDecl)
		if d == ast.Decl(g.decl) {
			if !ok || e.Body == nil || e.Name.Name != g.decl.Name.Name {
				return errors.New("the edits change more than the body of the function")
			}
			n.decl = e
			if string(g.src[g.offset(d.Pos()):g.offset(g.decl.Body.Lbrace)]) != string(n.src[n.offset(e.Pos()):n.offset(e.Body.Lbrace)]) {
				return errors.New("the edits change the signature of the function")
			}
			continue
		}
		if g.text(d) != n.text(n.file.Decls[i]) {
			return errors.New("the edits change more than the body of the function")
		}
	}
	if n.decl == nil {
		return errors.New("the function is gone after the edits")
	}
	outside := func(f *goFunc) string {
		return string(f.src[:f.offset(f.decl.Body.Lbrace)]) + string(f.src[f.offset(f.decl.Body.End()):])
	}
	if outside(g) != outside(n) {
		return errors.New("the edits change more than the body of the function")
	}
	return nil
}

// imports lists what the new body needs and the file does not import: named by the answer, or plainly meant.
func (g *goFunc) imports(n *goFunc, wanted []string) ([]string, error) {
	have := map[string]string{}
	for _, s := range g.file.Imports {
		name := path.Base(importPath(s))
		if s.Name != nil {
			name = s.Name.Name
		}
		have[name] = importPath(s)
	}
	var out []string
	for _, p := range wanted {
		if slices.Contains(out, p) || have[path.Base(p)] == p {
			continue
		}
		if !slices.Contains(harmless, p) {
			return nil, fmt.Errorf("it imports %q; only what the file imports already and plain packages of the standard library may be used", shorten(p))
		}
		out = append(out, p)
	}
	for _, id := range unresolved(n.decl.Body) {
		for _, p := range harmless {
			if importName(p) == id && have[id] == "" && !slices.ContainsFunc(out, func(q string) bool { return importName(q) == id }) && !g.declares(id) {
				out = append(out, p)
			}
		}
	}
	out = slices.DeleteFunc(out, func(p string) bool { // an import that nothing uses does not compile
		return !slices.Contains(unresolved(n.decl.Body), importName(p))
	})
	slices.Sort(out)
	return out, nil
}

func importName(p string) string {
	if regexp.MustCompile(`^v[0-9]+$`).MatchString(path.Base(p)) {
		return path.Base(path.Dir(p))
	}
	return path.Base(p)
}

// declares says whether the file declares a name at its top level.
func (g *goFunc) declares(name string) bool {
	return g.file.Scope != nil && g.file.Scope.Lookup(name) != nil
}

// unresolved are the names that stand before a dot and are not declared in the body.
func unresolved(body *ast.BlockStmt) []string {
	var out []string
	ast.Inspect(body, func(x ast.Node) bool {
		if s, ok := x.(*ast.SelectorExpr); ok {
			if id, ok := s.X.(*ast.Ident); ok && id.Obj == nil && !slices.Contains(out, id.Name) {
				out = append(out, id.Name)
			}
		}
		return true
	})
	return out
}

// keepsChecks makes sure that whatever the old body refuses the new one refuses too: each condition under which it returns
// must be there as often as before, alone or as one of several alternatives.
func (g *goFunc) keepsChecks(n *goFunc) error {
	after := n.exits()
	for cond, times := range g.exits() {
		if after[cond] < times {
			return fmt.Errorf("the check `if %s`, after which the function returns, is gone; checks must stay", shorten(cond))
		}
	}
	return nil
}

// exits counts the conditions of if statements whose body leaves the function, each alternative by itself.
func (g *goFunc) exits() map[string]int {
	out := map[string]int{}
	var alternatives func(e ast.Expr)
	alternatives = func(e ast.Expr) {
		if p, ok := e.(*ast.ParenExpr); ok {
			alternatives(p.X)
			return
		}
		if b, ok := e.(*ast.BinaryExpr); ok && b.Op == token.LOR {
			alternatives(b.X)
			alternatives(b.Y)
			return
		}
		out[strings.Join(strings.Fields(g.text(e)), " ")]++
	}
	ast.Inspect(g.decl.Body, func(x ast.Node) bool {
		if s, ok := x.(*ast.IfStmt); ok && leaves(s.Body) {
			alternatives(s.Cond)
		}
		return true
	})
	return out
}

func leaves(b *ast.BlockStmt) bool {
	if len(b.List) == 0 {
		return false
	}
	switch s := b.List[len(b.List)-1].(type) {
	case *ast.ReturnStmt:
		return true
	case *ast.ExprStmt:
		c, ok := s.X.(*ast.CallExpr)
		id, isName := func() (*ast.Ident, bool) {
			if !ok {
				return nil, false
			}
			id, is := c.Fun.(*ast.Ident)
			return id, is
		}()
		return isName && id.Name == "panic"
	}
	return false
}

// newCalls refuses members of packages that reach outside unless the file uses them already.
func (g *goFunc) newCalls(added []string) func(*goFunc) error {
	return func(n *goFunc) error {
		paths := map[string]string{}
		for _, s := range g.file.Imports {
			name := importName(importPath(s))
			if s.Name != nil {
				name = s.Name.Name
			}
			paths[name] = importPath(s)
		}
		for _, p := range added {
			paths[importName(p)] = p
		}
		used := g.members(g.file)
		bases := map[string]bool{}
		for m := range used {
			name, _, _ := strings.Cut(m, ".")
			bases[name] = true
		}
		// The guard and its telemetry bring imports of their own, which are not for the change to use.
		for _, name := range unresolved(n.decl.Body) {
			if paths[name] == "" && !bases[name] {
				return fmt.Errorf("it uses something of %s, which the file does not know", name)
			}
		}
		for m := range n.members(n.decl.Body) {
			name, member, _ := strings.Cut(m, ".")
			p, ok := paths[name]
			if !ok || slices.Contains(harmless, p) || used[m] {
				continue
			}
			return fmt.Errorf("it uses %s.%s, which the file does not use yet; nothing new may be reached", p, member)
		}
		called := methods(g.file)
		for m := range methods(n.decl.Body) {
			if slices.Contains(reaching, m) && !called[m] {
				return fmt.Errorf("it calls %s of something, which the file does not do yet; nothing new may be reached", m)
			}
		}
		return nil
	}
}

// reaching are names of methods that reach outside of the process, whatever they are methods of.
var reaching = []string{"Get", "Head", "Post", "PostForm", "Do", "RoundTrip", "Dial", "DialContext", "Listen", "Serve", "Exec", "ExecContext", "Query", "QueryContext",
	"QueryRow", "QueryRowContext", "Begin", "BeginTx", "Remove", "RemoveAll", "WriteFile", "Create", "Open", "OpenFile", "Rename", "Chmod", "Run", "Start", "Output", "CombinedOutput",
	"Kill", "Signal", "Setenv", "Send", "Publish"}

// methods are the names of what is called by a name after a dot.
func methods(of ast.Node) map[string]bool {
	out := map[string]bool{}
	ast.Inspect(of, func(x ast.Node) bool {
		if c, ok := x.(*ast.CallExpr); ok {
			if s, ok := c.Fun.(*ast.SelectorExpr); ok {
				out[s.Sel.Name] = true
			}
		}
		if s, ok := x.(*ast.SelectorExpr); ok && slices.Contains(reaching, s.Sel.Name) {
			out[s.Sel.Name] = true // a method taken as a value is as good as called
		}
		return true
	})
	return out
}

// members are the names after a dot with the name before it, where that is not a variable of the function.
func (g *goFunc) members(of ast.Node) map[string]bool {
	out := map[string]bool{}
	ast.Inspect(of, func(x ast.Node) bool {
		if s, ok := x.(*ast.SelectorExpr); ok {
			if id, ok := s.X.(*ast.Ident); ok {
				out[id.Name+"."+s.Sel.Name] = true
			}
		}
		return true
	})
	return out
}

var (
	place     = regexp.MustCompile(`(?i)://|^//|\bwww\.|\b\d{1,3}(\.\d{1,3}){3}\b|\[[0-9a-f:]*:[0-9a-f:]*\]|\b[a-z0-9-]+\.(com|net|org|io|dev|sh|xyz|info|ru|cn|app|me|cloud|example|onion|internal|local|test|invalid)\b|^[a-z0-9.-]+:\d{2,5}$`)
	statement = regexp.MustCompile(`(?i)\b(drop|truncate|alter|delete|insert|update|grant|revoke|create)\s+(table|database|from|into|user|role|index|all|[a-z_."]+\s+set)\b`)
	directive = regexp.MustCompile(`^(//go:|//line |/\*line |//export |// \+build|//nolint|// nolint)`)
)

// newWords refuses new literals that name a place in a network or change data, and comments that compilers and linters obey.
func (g *goFunc) newWords(n *goFunc) error {
	known := map[string]bool{}
	literals := func(of ast.Node, do func(string) error) error {
		var err error
		ast.Inspect(of, func(x ast.Node) bool {
			if l, ok := x.(*ast.BasicLit); ok && l.Kind == token.STRING && err == nil {
				s, unquoteErr := strconv.Unquote(l.Value)
				if unquoteErr == nil {
					err = do(s)
				}
			}
			return true
		})
		return err
	}
	_ = literals(g.file, func(s string) error { known[s] = true; return nil })
	err := literals(n.decl.Body, func(s string) error {
		switch {
		case known[s]:
			return nil
		case strings.ContainsFunc(s, hidden):
			return errors.New("a new text holds characters that a reader cannot see")
		case place.MatchString(s):
			return fmt.Errorf("the new text %q names a place in a network", shorten(s))
		case statement.MatchString(s):
			return fmt.Errorf("the new text %q changes data", shorten(s))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, group := range n.file.Comments {
		if group.Pos() < n.decl.Body.Lbrace || group.End() > n.decl.Body.Rbrace {
			continue
		}
		for _, c := range group.List {
			if directive.MatchString(c.Text) && !bytes.Contains(g.src, []byte(c.Text)) {
				return errors.New("a comment in it is a directive to the compiler or to a linter")
			}
			if place.MatchString(c.Text) && !bytes.Contains(g.src, []byte(c.Text)) {
				return errors.New("a comment in it names a place in a network")
			}
		}
	}
	return nil
}

// newStatements refuses what a small change does not need: goroutines, goto, panics, recovering from them, loops without an end.
func (g *goFunc) newStatements(n *goFunc) error {
	before, after := g.counts(), n.counts()
	for _, what := range []string{"a goroutine", "a goto", "a panic", "a recover", "a loop without an end"} {
		if after[what] > before[what] {
			return fmt.Errorf("it adds %s, which a small change does not need", what)
		}
	}
	return nil
}

func (g *goFunc) counts() map[string]int {
	out := map[string]int{}
	ast.Inspect(g.decl.Body, func(x ast.Node) bool {
		switch x := x.(type) {
		case *ast.GoStmt:
			out["a goroutine"]++
		case *ast.BranchStmt:
			if x.Tok == token.GOTO {
				out["a goto"]++
			}
		case *ast.ForStmt:
			if x.Cond == nil && x.Init == nil && x.Post == nil && !breaks(x.Body) {
				out["a loop without an end"]++
			}
		case *ast.CallExpr:
			if id, ok := x.Fun.(*ast.Ident); ok && (id.Name == "panic" || id.Name == "recover") {
				out["a "+id.Name]++
			}
		}
		return true
	})
	return out
}

func breaks(b *ast.BlockStmt) bool {
	found := false
	ast.Inspect(b, func(x ast.Node) bool {
		switch x := x.(type) {
		case *ast.ReturnStmt:
			found = true
		case *ast.BranchStmt:
			found = found || x.Tok == token.BREAK || x.Tok == token.GOTO
		case *ast.FuncLit:
			return false
		}
		return true
	})
	return found
}

// shorten bounds a text for a message.
func shorten(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "..."
	}
	return s
}

// lineChanges counts the lines that one text has and the other has not, as sets with multiplicity.
func lineChanges(old, changed string) (added, deleted int) {
	n := map[string]int{}
	for l := range strings.Lines(old) {
		n[strings.TrimSpace(l)]++
	}
	for l := range strings.Lines(changed) {
		if k := strings.TrimSpace(l); n[k] > 0 {
			n[k]--
		} else if k != "" {
			added++
		}
	}
	for k, v := range n {
		if k != "" {
			deleted += v
		}
	}
	return added, deleted
}
