package gorecipe

import (
	"bytes"
	"cmp"
	"go/ast"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/patch"
)

// callee is the function of the repository that a call enters, nil where syntax does not tell. A method
// of an interface is looked up by name and number of parameters among the packages at hand; it
// must be the only one.
func callee(f *fn, call *ast.CallExpr) *fn {
	if g, ok := f.entered[call]; ok {
		return g
	}
	g := findCallee(f, call)
	if f.entered == nil {
		f.entered = map[*ast.CallExpr]*fn{}
	}
	f.entered[call] = g
	return g
}

func findCallee(f *fn, call *ast.CallExpr) *fn {
	s := scope{f, call.Pos()}
	p := f.file.pkg
	switch fun := unparen(call.Fun).(type) {
	case *ast.Ident:
		if s.declared(fun.Name) != nil {
			return nil
		}
		return p.function("", fun.Name)
	case *ast.IndexExpr: // explicit type arguments
		if id, ok := fun.X.(*ast.Ident); ok {
			return p.function("", id.Name)
		}
	case *ast.SelectorExpr:
		if path, ok := s.imported(fun.X); ok {
			if q := p.tree.imported(p, path); q != nil {
				return q.function("", fun.Sel.Name)
			}
			return nil
		}
		t := s.typeOf(fun.X)
		ft, _, m := t.method(p, fun.Sel.Name)
		if m != nil {
			return m
		}
		if ft != nil {
			return implementation(p, fun.Sel.Name, len(call.Args))
		}
	}
	return nil
}

// implementation is the only method of a name that the package or one it imports declares.
func implementation(p *pkg, name string, args int) *fn {
	var found *fn
	n := 0
	for _, q := range append([]*pkg{p}, p.importedHere()...) {
		for _, f := range q.funcs() {
			if f.recv() != "" && f.decl.Name.Name == name && len(f.file.params(f.decl.Type.Params)) == args {
				found = f
				n++
			}
		}
	}
	if n != 1 {
		return nil
	}
	return found
}

// importedHere lists the packages of the repository that a package imports, by directory.
func (p *pkg) importedHere() []*pkg {
	seen := map[string]*pkg{}
	for _, f := range p.files {
		for _, path := range f.imports {
			if q := p.tree.imported(p, path); q != nil && q != p {
				seen[q.dir] = q
			}
		}
	}
	var out []*pkg
	for _, dir := range sortedKeys(seen) {
		out = append(out, seen[dir])
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// reached is a function at some distance from a place that telemetry points to.
type reached struct {
	fn       *fn
	distance int // calls away; callers count half more than callees
}

// around lists the functions near the located places: themselves, what they call (three calls deep), and
// who calls them in their package. Nearest first.
func (t *tree) around(locations []codeindex.Location) []reached {
	var out []reached
	seen := map[*ast.FuncDecl]bool{}
	add := func(f *fn, d int) bool {
		if f == nil || seen[f.decl] || len(out) > 400 {
			return false
		}
		seen[f.decl] = true
		out = append(out, reached{f, d})
		return true
	}
	for i, l := range locations {
		if i < 5 {
			add(t.located(l), 2*i)
		}
	}
	for i := 0; i < len(out); i++ {
		r := out[i]
		if r.distance > 16 {
			continue
		}
		for _, c := range calls(r.fn) {
			if depth := r.distance + 2; depth <= 16 {
				add(callee(r.fn, c), depth)
			}
		}
		if r.distance <= 8 {
			for _, c := range callers(r.fn) {
				add(c, r.distance+3)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b reached) int { return cmp.Compare(a.distance, b.distance) })
	return out
}

// calls lists the calls in a function, closures included, in order.
func calls(f *fn) []*ast.CallExpr {
	if f.calling != nil {
		return f.calling
	}
	out := []*ast.CallExpr{}
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			out = append(out, c)
		}
		return true
	})
	f.calling = out
	return out
}

// callers lists the functions of f's own package that call it by name.
func callers(f *fn) []*fn {
	var out []*fn
	for _, g := range f.file.pkg.funcs() {
		if g.decl == f.decl {
			continue
		}
		for _, c := range calls(g) {
			if callName(c) == f.decl.Name.Name && callee(g, c) != nil && callee(g, c).decl == f.decl {
				out = append(out, g)
				break
			}
		}
	}
	return out
}

// goPackages lists the directories with Go files that belong to a suspect's service, all of the
// repository where its paths are not known.
func (t *tree) goPackages(in *patch.Input, i int, near []codeindex.Location) []*pkg {
	globs := service(in, i).Paths
	var dirs []string
	n := 0
	_ = fs.WalkDir(t.base, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if d.IsDir() {
			if base := path.Base(p); p != "." && (base[0] == '.' || base[0] == '_' || base == "vendor" || base == "testdata" || base == "node_modules") {
				return fs.SkipDir
			}
			if n++; n > maxPackages {
				return fs.SkipAll
			}
			return nil
		}
		dir := path.Dir(p)
		if path.Ext(p) == ".go" && (len(dirs) == 0 || dirs[len(dirs)-1] != dir) && owned(globs, p) {
			dirs = append(dirs, dir)
		}
		return nil
	})
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	for _, l := range near { // what telemetry points to comes first
		dir := path.Dir(l.File)
		if k := slices.Index(dirs, dir); k > 0 {
			dirs = append([]string{dir}, slices.Delete(dirs, k, k+1)...)
		}
	}
	var out []*pkg
	for _, d := range dirs {
		if p := t.pkg(d); p != nil {
			out = append(out, p)
		}
	}
	return out
}

// owned says whether a path falls under one of the service's globs; "dir", "dir/*" and "dir/**" are all
// the directory and what is below.
func owned(globs []string, name string) bool {
	if len(globs) == 0 {
		return true
	}
	for _, g := range globs {
		g = strings.TrimPrefix(g, "./")
		if ok, _ := path.Match(g, name); ok {
			return true
		}
		dir := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(g, "**"), "*"), "/")
		if dir == "" || name == dir || strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}

// contains says whether any file of the package holds a text; cheaper than walking trees.
func (p *pkg) contains(text string) bool {
	for _, f := range p.files {
		if bytes.Contains(f.src, []byte(text)) {
			return true
		}
	}
	return false
}

// pattern finds a pattern of a suspect.
func pattern(in *patch.Input, i int, kind string) (p *patternView, ok bool) {
	for k := range in.Suspects[i].Patterns {
		if pt := &in.Suspects[i].Patterns[k]; string(pt.Kind) == kind {
			return &patternView{pt.Values, pt.Detail, pt.Text}, true
		}
	}
	return nil, false
}

// patternView reads a pattern's numbers, which come from outside: only finite, positive ones count.
type patternView struct {
	values map[string]float64
	detail map[string]string
	text   string
}

// value is the first of the named values that is there and sensible.
func (p *patternView) value(keys ...string) float64 {
	for _, k := range keys {
		if v := p.values[k]; v > 0 && v < 1e9 {
			return v
		}
	}
	return 0
}

// locations are the places a suspect points to.
func locations(in *patch.Input, i int) []codeindex.Location {
	if i < 0 || i >= len(in.Locations) {
		return nil
	}
	return in.Locations[i]
}
