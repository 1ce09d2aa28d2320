package extract

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"slices"
	"strings"

	"github.com/remediator/remediator/codeindex/treesitter"
)

// Declaration is one public declaration of a file. Signatures leave out what callers do not see:
// bodies, white space, names of Go and Java parameters.
type Declaration struct {
	Symbol    string // "Client.Charge"
	Kind      string // "function", "method", "type", "field", "constant", "variable"
	Signature string
	Line      int
}

// Public lists the public declarations of a file in their order. A file with syntax errors is an
// error: it must not look as if declarations had been removed.
func (e *Extractor) Public(name string, src []byte) ([]Declaration, error) {
	if err := e.Check(name, src); err != nil {
		return nil, err
	}
	language := Language(name)
	if language == "go" {
		return publicGo(name, src)
	}
	t, err := e.whole.Parse(grammar(name, language), src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	d := &declarer{t: t}
	switch language {
	case "python":
		d.python()
	case "java":
		d.javaTypes(t.Root(), "", false)
	default:
		d.script()
	}
	// Names and signatures share memory with the source; what is handed out does not.
	for i := range d.out {
		d.out[i].Symbol, d.out[i].Signature = strings.Clone(d.out[i].Symbol), strings.Clone(d.out[i].Signature)
	}
	return d.out, nil
}

func publicGo(name string, src []byte) ([]Declaration, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	g := &goPublic{fset: fset}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			g.function(d)
		case *ast.GenDecl:
			g.declaration(d)
		}
	}
	return g.out, nil
}

type goPublic struct {
	fset *token.FileSet
	out  []Declaration
}

func (g *goPublic) add(symbol, kind, signature string, at token.Pos) {
	g.out = append(g.out, Declaration{symbol, kind, signature, g.fset.Position(at).Line})
}

func (g *goPublic) print(n any) string {
	var b strings.Builder
	if err := (&printer.Config{}).Fprint(&b, g.fset, n); err != nil {
		return "?"
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (g *goPublic) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	symbol, kind, receiver := d.Name.Name, "function", ""
	if d.Recv != nil && len(d.Recv.List) > 0 {
		t := goTypeName(d.Recv.List[0].Type)
		if !ast.IsExported(t) {
			return
		}
		symbol, kind = t+"."+symbol, "method"
		if _, pointer := d.Recv.List[0].Type.(*ast.StarExpr); pointer {
			receiver = "(*) "
		}
	}
	g.add(symbol, kind, receiver+g.signature(d.Type), d.Pos())
}

// signature is a function's type without the names of parameters.
func (g *goPublic) signature(t *ast.FuncType) string {
	s := "func"
	if t.TypeParams != nil {
		s += "[" + g.fields(t.TypeParams, true) + "]"
	}
	s += "(" + g.fields(t.Params, false) + ")"
	if t.Results != nil {
		s += " (" + g.fields(t.Results, false) + ")"
	}
	return s
}

func (g *goPublic) fields(list *ast.FieldList, names bool) string {
	var parts []string
	for _, f := range list.List {
		t := g.print(f.Type)
		for i := range max(1, len(f.Names)) {
			if names && i < len(f.Names) {
				parts = append(parts, f.Names[i].Name+" "+t)
			} else {
				parts = append(parts, t)
			}
		}
	}
	return strings.Join(parts, ", ")
}

func (g *goPublic) declaration(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() {
				g.typeSpec(spec)
			}
		case *ast.ValueSpec:
			kind := "variable"
			if d.Tok == token.CONST {
				kind = "constant"
			}
			for i, name := range spec.Names {
				if !name.IsExported() {
					continue
				}
				signature := kind
				if spec.Type != nil {
					signature += " " + g.print(spec.Type)
				} else if kind == "constant" && i < len(spec.Values) {
					signature += " = " + g.print(spec.Values[i])
				}
				g.add(name.Name, kind, signature, name.Pos())
			}
		}
	}
}

func (g *goPublic) typeSpec(spec *ast.TypeSpec) {
	name := spec.Name.Name
	head := "type"
	if spec.TypeParams != nil {
		head += "[" + g.fields(spec.TypeParams, true) + "]"
	}
	if spec.Assign.IsValid() {
		head += " ="
	}
	switch t := spec.Type.(type) {
	case *ast.StructType:
		g.add(name, "type", head+" struct", spec.Pos())
		for _, f := range t.Fields.List {
			signature := g.print(f.Type)
			if f.Tag != nil {
				signature += " " + f.Tag.Value
			}
			for _, n := range f.Names {
				if n.IsExported() {
					g.add(name+"."+n.Name, "field", signature, n.Pos())
				}
			}
			if base := goTypeName(f.Type); len(f.Names) == 0 && ast.IsExported(base) {
				g.add(name+"."+base, "field", "embedded "+signature, f.Pos())
			}
		}
	case *ast.InterfaceType:
		// Every method belongs to the type: one more breaks whoever implements it.
		var methods []string
		for _, m := range t.Methods.List {
			if ft, ok := m.Type.(*ast.FuncType); ok && len(m.Names) > 0 {
				methods = append(methods, m.Names[0].Name+strings.TrimPrefix(g.signature(ft), "func"))
			} else {
				methods = append(methods, g.print(m.Type))
			}
		}
		slices.Sort(methods)
		g.add(name, "type", head+" interface{"+strings.Join(methods, "; ")+"}", spec.Pos())
	case *ast.FuncType:
		g.add(name, "type", head+" "+g.signature(t), spec.Pos())
	default:
		g.add(name, "type", head+" "+g.print(spec.Type), spec.Pos())
	}
}

// declarer lists the public declarations of the languages that tree-sitter reads.
type declarer struct {
	t   *treesitter.Tree
	out []Declaration
}

func (d *declarer) add(symbol, kind, signature string, n treesitter.Node) {
	d.out = append(d.out, Declaration{symbol, kind, signature, d.t.Line(n)})
}

// squeeze removes white space that carries no meaning.
func squeeze(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.NewReplacer("( ", "(", " )", ")", " ,", ",", ",)", ")", " :", ":").Replace(s)
}
