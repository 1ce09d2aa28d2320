package gorecipe

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/remediator/remediator/codeindex"
)

// Bounds on what is read of a repository: generated giants hold nothing to mend by hand.
const (
	maxSource   = 1 << 20
	maxPackage  = 400  // files of one directory
	maxPackages = 3000 // directories searched for callers
)

// tree is the repository as the recipes read it: packages parsed when first asked for.
type tree struct {
	base     fs.FS
	packages map[string]*pkg
	modules  map[string]*module
	leaving  map[*ast.FuncDecl]bool // see leaves
}

func newTree(base fs.FS) *tree {
	return &tree{base: base, packages: map[string]*pkg{}, modules: map[string]*module{}, leaving: map[*ast.FuncDecl]bool{}}
}

// module is one go.mod.
type module struct {
	dir      string // "." at the root
	path     string
	minor    int // of the go directive: 24 for "go 1.24.1"
	requires []string
}

// has says whether the module requires the module that holds the package.
func (m *module) has(importPath string) bool {
	return m != nil && slices.ContainsFunc(m.requires, func(r string) bool {
		return importPath == r || strings.HasPrefix(importPath, r+"/")
	})
}

// file is one parsed source.
type file struct {
	pkg     *pkg
	path    string
	src     []byte
	fset    *token.FileSet
	ast     *ast.File
	imports map[string]string // local name -> import path
}

// fn is one function declaration.
type fn struct {
	file *file
	decl *ast.FuncDecl
	// What is asked of a function again and again, found once.
	locals  map[string][]scopedLocal
	calling []*ast.CallExpr
	entered map[*ast.CallExpr]*fn // see callee
}

// recv is the name of the receiver's type, "" of a function.
func (f *fn) recv() string {
	if f.decl.Recv == nil || len(f.decl.Recv.List) == 0 {
		return ""
	}
	return typeName(f.decl.Recv.List[0].Type)
}

// key is "Type.Method" or "function".
func (f *fn) key() string {
	if r := f.recv(); r != "" {
		return r + "." + f.decl.Name.Name
	}
	return f.decl.Name.Name
}

// typeName is the name of a type expression without pointer and type arguments.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ParenExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// pkg returns the package in a directory, nil when there is none that parses.
func (t *tree) pkg(dir string) *pkg {
	if p, ok := t.packages[dir]; ok {
		return p
	}
	t.packages[dir] = nil
	p := t.load(dir)
	t.packages[dir] = p
	return p
}

func (t *tree) load(dir string) *pkg {
	entries, err := fs.ReadDir(t.base, dir)
	if err != nil || len(entries) > maxPackage {
		return nil
	}
	p := &pkg{tree: t, dir: dir, module: t.module(dir), external: true}
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() || path.Ext(name) != ".go" || name[0] == '_' || name[0] == '.' {
			continue
		}
		src := t.read(path.Join(dir, name))
		if src == nil {
			continue
		}
		if strings.HasSuffix(name, "_test.go") {
			p.tests = append(p.tests, name)
			if f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.PackageClauseOnly); err == nil && !strings.HasSuffix(f.Name.Name, "_test") {
				p.external = false
			}
			continue
		}
		f, err := parse(path.Join(dir, name), src)
		if err != nil || ignored(f) {
			continue
		}
		f.pkg = p
		if p.name == "" {
			p.name = f.ast.Name.Name
		}
		if f.ast.Name.Name == p.name {
			p.files = append(p.files, f)
		}
	}
	if len(p.files) == 0 {
		return nil
	}
	p.external = p.external && len(p.tests) > 0
	if m := p.module; m != nil {
		p.path = m.path
		if rel := strings.TrimPrefix(strings.TrimPrefix(dir, m.dir), "/"); m.dir == "." && dir != "." {
			p.path += "/" + dir
		} else if m.dir != "." && rel != "" {
			p.path += "/" + rel
		}
	}
	return p
}

func (t *tree) read(name string) []byte {
	info, err := fs.Lstat(t.base, name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSource {
		return nil
	}
	src, err := fs.ReadFile(t.base, name)
	if err != nil {
		return nil
	}
	return src
}

func parse(name string, src []byte) (*file, error) {
	f := &file{path: name, src: src, fset: token.NewFileSet(), imports: map[string]string{}}
	var err error
	f.ast, err = parser.ParseFile(f.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := importName(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name != "_" && name != "." {
			f.imports[name] = p
		}
	}
	return f, nil
}

// importName guesses the package's name from its import path as the go command's users do: the last
// element that is no major version, without "go-" and ".go".
func importName(p string) string {
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" && strings.Contains(p, "/") {
		base = path.Base(path.Dir(p))
	}
	if i := strings.Index(base, ".v"); i > 0 {
		base = base[:i]
	}
	base = strings.TrimSuffix(strings.TrimPrefix(base, "go-"), ".go")
	return strings.ReplaceAll(base, "-", "")
}

// ignored says that a file is not part of an ordinary build ("//go:build ignore" and the like) or that it
// is generated and not for editing.
func ignored(f *file) bool {
	if ast.IsGenerated(f.ast) {
		return false // still read for its types; editable says no
	}
	for _, c := range f.ast.Comments {
		if c.Pos() > f.ast.Package {
			break
		}
		for _, l := range c.List {
			if l.Text == "//go:build ignore" {
				return true
			}
		}
	}
	return false
}

// editable says whether a person would edit this file by hand.
func (f *file) editable() bool {
	return !ast.IsGenerated(f.ast) && !strings.Contains("/"+f.path, "/vendor/")
}

// module is the innermost go.mod above a directory.
func (t *tree) module(dir string) *module {
	if m, ok := t.modules[dir]; ok {
		return m
	}
	var m *module
	if src := t.read(path.Join(dir, "go.mod")); src != nil {
		if f, err := modfile.ParseLax("go.mod", src, nil); err == nil && f.Module != nil {
			m = &module{dir: dir, path: f.Module.Mod.Path}
			if f.Go != nil {
				if _, minor, ok := strings.Cut(f.Go.Version, "."); ok {
					minor, _, _ = strings.Cut(minor, ".")
					if i := strings.IndexFunc(minor, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
						minor = minor[:i] // "26rc1"
					}
					m.minor, _ = strconv.Atoi(minor)
				}
			}
			for _, r := range f.Require {
				m.requires = append(m.requires, r.Mod.Path)
			}
		}
	} else if dir != "." {
		m = t.module(path.Dir(dir))
	}
	t.modules[dir] = m
	return m
}

// imported is the package of the repository that an import path names, as seen from p.
func (t *tree) imported(p *pkg, importPath string) *pkg {
	if importPath == p.path {
		return p
	}
	if m := p.module; m != nil {
		if rel, ok := strings.CutPrefix(importPath, m.path); ok && (rel == "" || rel[0] == '/') {
			return t.pkg(path.Join(m.dir, rel))
		}
	}
	return nil
}

// located is the function that a location points to, nil when it is not Go or not found.
func (t *tree) located(l codeindex.Location) *fn {
	if path.Ext(l.File) != ".go" || !fs.ValidPath(l.File) {
		return nil
	}
	p := t.pkg(path.Dir(l.File))
	if p == nil {
		return nil
	}
	var named *fn
	for _, f := range p.funcs() {
		if f.file.path != l.File {
			continue
		}
		from, to := f.lines()
		if from <= l.Line && l.Line <= to {
			return f
		}
		if l.Function == f.key() || l.Function == f.decl.Name.Name {
			named = f
		}
	}
	return named
}

func (f *fn) lines() (from, to int) {
	return f.file.line(f.decl.Pos()), f.file.line(f.decl.End())
}

func (f *file) line(p token.Pos) int   { return f.fset.Position(p).Line }
func (f *file) offset(p token.Pos) int { return f.fset.Position(p).Offset }

// text is the source of a node.
func (f *file) text(n ast.Node) string {
	return string(f.src[f.offset(n.Pos()):f.offset(n.End())])
}
