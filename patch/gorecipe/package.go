package gorecipe

import (
	"go/ast"
	"go/token"
)

// pkg is one directory of Go files, tests apart.
type pkg struct {
	tree   *tree
	dir    string
	name   string
	path   string // import path, "" outside a module
	module *module
	files  []*file
	tests  []string // names of the test files
	// external says that every test of the package is in package name_test.
	external bool
	all      []*fn          // see funcs
	byKey    map[string]*fn // receiver's type, a dot, and the name
	names    map[string]bool
}

// funcs lists the package's functions in the order of files and lines.
func (p *pkg) funcs() []*fn {
	if p.byKey != nil {
		return p.all
	}
	p.byKey = map[string]*fn{}
	for _, f := range p.files {
		for _, d := range f.ast.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil {
				g := &fn{file: f, decl: d}
				p.all = append(p.all, g)
				if key := g.recv() + "." + d.Name.Name; p.byKey[key] == nil {
					p.byKey[key] = g
				}
			}
		}
	}
	return p.all
}

// function finds a function, or a method of a receiver's type.
func (p *pkg) function(recv, name string) *fn {
	p.funcs()
	return p.byKey[recv+"."+name]
}

// typeSpec finds a type declared in the package.
func (p *pkg) typeSpec(name string) (*ast.TypeSpec, *file) {
	for _, f := range p.files {
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				if s := s.(*ast.TypeSpec); s.Name.Name == name {
					return s, f
				}
			}
		}
	}
	return nil, nil
}

// declares says whether the package declares a name at its top level.
func (p *pkg) declares(name string) bool {
	if p.names != nil {
		return p.names[name]
	}
	p.names = map[string]bool{}
	for _, f := range p.files {
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					p.names[d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						p.names[s.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range s.Names {
							p.names[n.Name] = true
						}
					}
				}
			}
		}
	}
	return p.names[name]
}

// value finds the initial value of a package-level constant or variable.
func (p *pkg) value(name string) (typ ast.Expr, value ast.Expr, in *file) {
	for _, f := range p.files {
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST && g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				s := s.(*ast.ValueSpec)
				for i, n := range s.Names {
					if n.Name != name {
						continue
					}
					if i < len(s.Values) {
						value = s.Values[i]
					}
					return s.Type, value, f
				}
			}
		}
	}
	return nil, nil, nil
}
