package extract

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"strconv"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// golang reads Go. A file with syntax errors yields what the parser could make of it.
func golang(path string, src []byte) *facts.File {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	c := newCollector("go")
	if file == nil {
		c.file.Broken = true
		return c.file
	}
	g := &goFile{collector: c, lines: fset.File(file.FileStart), fn: facts.None}
	c.file.Broken = err != nil
	c.file.Package = file.Name.Name
	c.file.Test = strings.HasSuffix(path, "_test.go")
	for _, spec := range file.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		i := facts.Import{Path: target}
		if spec.Name != nil {
			i.Name = spec.Name.Name
		}
		c.file.Imports = append(c.file.Imports, i)
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			g.function(d)
		case *ast.GenDecl:
			g.declaration(d, true)
		}
	}
	return c.finish()
}

type goFile struct {
	*collector
	lines *token.File
	fn    int32 // the function that is being read
}

func (g *goFile) line(p token.Pos) int32 {
	if !p.IsValid() || g.lines == nil {
		return 0
	}
	return int32(g.lines.Line(p))
}

func (g *goFile) function(d *ast.FuncDecl) {
	s := facts.Symbol{
		Name: d.Name.Name, Kind: facts.Function, Exported: d.Name.IsExported(),
		From: g.line(d.Pos()), To: g.line(d.End()),
	}
	if d.Recv != nil && len(d.Recv.List) > 0 {
		if r := goTypeName(d.Recv.List[0].Type); r != "" {
			s.Name, s.Kind = r+"."+s.Name, facts.Method
		}
	}
	if g.file.Test {
		s.Test = goTest(d, s)
	}
	g.fn = g.symbol(s)
	if d.Body != nil {
		g.walk(d.Body)
	}
	g.fn = facts.None
}

// goTest says whether a function is a test: Test, Benchmark, Fuzz and Example as the go tool knows
// them, and methods of testify suites.
func goTest(d *ast.FuncDecl, s facts.Symbol) string {
	for _, prefix := range []string{"Test", "Benchmark", "Fuzz", "Example"} {
		rest, ok := strings.CutPrefix(d.Name.Name, prefix)
		if !ok || rest != "" && rest[0] >= 'a' && rest[0] <= 'z' {
			continue
		}
		if s.Kind == facts.Method {
			if prefix == "Test" {
				return "testify"
			}
			return ""
		}
		if d.Name.Name == "TestMain" {
			return ""
		}
		return "go test"
	}
	return ""
}

// goTypeName is the name of a receiver's type without pointer and type parameters.
func goTypeName(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		case *ast.SelectorExpr:
			return x.Sel.Name
		default:
			return ""
		}
	}
}

func (g *goFile) declaration(d *ast.GenDecl, top bool) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if top {
				g.typeSpec(spec)
			}
		case *ast.ValueSpec:
			if spec.Type != nil {
				g.walk(spec.Type) // [len(a)]byte
			}
			for i, name := range spec.Names {
				if top {
					kind := facts.Variable
					if d.Tok == token.CONST {
						kind = facts.Constant
					}
					g.symbol(facts.Symbol{
						Name: name.Name, Kind: kind, Exported: name.IsExported(),
						From: g.line(name.Pos()), To: g.line(spec.End()),
					})
				}
				if i < len(spec.Values) {
					g.assign(name.Name, g.value(spec.Values[i]), g.fn, top)
				}
			}
			if len(spec.Names) < len(spec.Values) {
				for _, v := range spec.Values[len(spec.Names):] {
					g.value(v)
				}
			}
		}
	}
}

func (g *goFile) typeSpec(spec *ast.TypeSpec) {
	s := facts.Symbol{
		Name: spec.Name.Name, Kind: facts.Type, Exported: spec.Name.IsExported(),
		From: g.line(spec.Pos()), To: g.line(spec.End()),
	}
	switch t := spec.Type.(type) {
	case *ast.InterfaceType:
		s.Kind = facts.Interface
	case *ast.StructType:
		s.Kind = facts.Class
		for _, f := range t.Fields.List {
			if len(f.Names) == 0 {
				if base := goTypeName(f.Type); base != "" {
					s.Bases = append(s.Bases, base)
				}
			}
		}
	}
	g.symbol(s)
	g.walk(spec.Type)
}

// walk visits everything below a node once; expressions that matter go through value.
func (g *goFile) walk(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			g.value(n)
			return false
		case *ast.BasicLit, *ast.BinaryExpr:
			g.value(n.(ast.Expr))
			return false
		case *ast.AssignStmt:
			g.assignment(n)
			return false
		case *ast.GenDecl:
			g.declaration(n, false)
			return false
		}
		return true
	})
}

func (g *goFile) assignment(n *ast.AssignStmt) {
	for i, right := range n.Rhs {
		v := g.value(right)
		if i < len(n.Lhs) {
			if name := goName(n.Lhs[i]); name != "" {
				g.assign(name, v, g.fn, false)
			}
		}
	}
	for _, left := range n.Lhs {
		if _, plain := left.(*ast.Ident); !plain {
			g.walk(left)
		}
	}
}

// checkGo reports the first syntax error of a Go file.
func checkGo(path string, src []byte) *SyntaxError {
	_, err := parser.ParseFile(token.NewFileSet(), path, src, parser.SkipObjectResolution)
	if err == nil {
		return nil
	}
	if errs, ok := err.(scanner.ErrorList); ok && len(errs) > 0 {
		return &SyntaxError{Path: path, Line: errs[0].Pos.Line, Column: errs[0].Pos.Column, Message: errs[0].Msg}
	}
	return &SyntaxError{Path: path, Line: 1, Column: 1, Message: err.Error()}
}
