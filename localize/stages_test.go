package localize

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// source is what the functions of this package call and read, by their own code.
type source struct {
	calls map[*types.Func][]*types.Func
	reads map[*types.Func][]string // "type.field"
	named map[string]*types.Func   // by "(*analysis).findErrors"
}

// exportData finds what the compiler wrote of each package that this one uses.
func exportData(t *testing.T) importer.Lookup {
	list := exec.Command("go", "list", "-deps", "-export", "-f", "{{.ImportPath}}\t{{.Export}}", ".")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[path] = file
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

func readSource(t *testing.T) *source {
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", exportData(t))}
	pkg, err := conf.Check("localize", fset, files, info)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{calls: map[*types.Func][]*types.Func{}, reads: map[*types.Func][]string{}, named: map[string]*types.Func{}}
	for _, f := range files {
		for _, d := range f.Decls {
			decl, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			fn := info.Defs[decl.Name].(*types.Func)
			name := fn.Name()
			if recv := fn.Signature().Recv(); recv != nil {
				name = fmt.Sprintf("(%s).%s", types.TypeString(recv.Type(), func(*types.Package) string { return "" }), name)
			}
			s.named[name] = fn
			ast.Inspect(decl, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					if used, ok := info.Uses[n].(*types.Func); ok && used.Pkg() == pkg {
						s.calls[fn] = append(s.calls[fn], used.Origin())
					}
				case *ast.SelectorExpr:
					sel := info.Selections[n]
					if sel == nil || sel.Kind() != types.FieldVal {
						break
					}
					// A field of an embedded struct is one of the struct that has it.
					at := sel.Recv()
					for _, i := range sel.Index() {
						if p, ok := at.Underlying().(*types.Pointer); ok {
							at = p.Elem()
						}
						field := at.Underlying().(*types.Struct).Field(i)
						if named, ok := types.Unalias(at).(*types.Named); ok {
							s.reads[fn] = append(s.reads[fn], named.Obj().Name()+"."+field.Name())
						}
						at = field.Type()
					}
				}
				return true
			})
		}
	}
	return s
}

// under lists what a function and all that it calls read.
func (s *source) under(fn *types.Func, without map[*types.Func]bool) map[string]bool {
	out, seen := map[string]bool{}, map[*types.Func]bool{}
	var visit func(*types.Func)
	visit = func(f *types.Func) {
		if seen[f] || without[f] {
			return
		}
		seen[f] = true
		for _, r := range s.reads[f] {
			out[r] = true
		}
		for _, c := range s.calls[f] {
			visit(c)
		}
	}
	visit(fn)
	return out
}

func (s *source) of(t *testing.T, st stage) *types.Func {
	full := runtime.FuncForPC(reflect.ValueOf(st.do).Pointer()).Name()
	name := full[strings.LastIndex(full, "localize.")+len("localize."):]
	if s.named[name] == nil {
		t.Fatalf("stage %s is %s, which the source does not have", st.name, name)
	}
	return s.named[name]
}

// fieldsOf are the fields that hold each constant, as "type.field".
func fieldsOf() map[string]string {
	c := &constants{}
	holder := map[uintptr]string{}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		group := v.Field(i)
		for n := range group.NumField() {
			holder[group.Field(n).Addr().Pointer()] = group.Type().Name() + "." + group.Type().Field(n).Name
		}
	}
	out := map[string]string{}
	for _, e := range tableOf(c) {
		out[e.name] = holder[reflect.ValueOf(e.fields[0]).Pointer()]
	}
	return out
}

// What a Study leaves out is what nobody reads: the table of first readers is that of the source.
func TestStudiesKnowWhoReadsWhatFirst(t *testing.T) {
	s := readSource(t)
	apart := map[*types.Func]bool{}
	for _, st := range stages() {
		if st.within {
			apart[s.of(t, st)] = true
		}
	}
	fields := fieldsOf()
	for _, name := range []string{"Threshold", "Suspects", "Calibration", "Spectrum"} {
		fields["Options."+name] = "Options." + name
	}
	writers := map[*types.Func]bool{}
	for _, name := range []string{"(*board).add", "(*board).addOp", "(*board).of"} {
		if s.named[name] == nil {
			t.Fatalf("%s is gone", name)
		}
		writers[s.named[name]] = true
	}
	first := map[string]string{}
	board := ""
	for _, st := range stages() {
		without := map[*types.Func]bool{}
		if !st.within {
			without = apart
		}
		reads := s.under(s.of(t, st), without)
		for name, field := range fields {
			if reads[field] && first[name] == "" {
				first[name] = st.name
			}
		}
		content := s.under(s.of(t, st), writers)
		if board == "" && (content["board.cases"] || content["board.log"] || content["serviceCase.reasons"] || content["serviceCase.ops"] || content["opCase.weight"]) {
			board = st.name
		}
	}
	if board != boardReader {
		t.Errorf("stage %s is the first to read the board; write that into boardReader instead of %s", board, boardReader)
	}
	order := map[string]int{}
	for i, st := range stages() {
		order[st.name] = i
	}
	listed, late := map[string]string{}, false
	for at, names := range firstReaders() {
		if _, ok := order[at]; !ok {
			t.Errorf("there is no stage %s", at)
		}
		for _, name := range names {
			listed[name] = at
			if reader, ok := first[name]; ok && order[reader] < order[at] {
				t.Errorf("stage %s reads %s, which readers.go says nothing reads before %s", reader, name, at)
				late = true
			}
		}
	}
	if late {
		t.Error("write the list anew: go test ./localize -run KnowWhoReads -args -update")
	}
	if *update {
		writeReaders(t, first)
	}
}

var update = flag.Bool("update", false, "write readers.go anew")

func writeReaders(t *testing.T, first map[string]string) {
	var b bytes.Buffer
	b.WriteString(readersHead)
	for _, st := range stages() {
		var names []string
		for name, at := range first {
			if at == st.name {
				names = append(names, fmt.Sprintf("%q", name))
			}
		}
		if slices.Sort(names); len(names) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\t\t%q: {", st.name)
		for i, name := range names {
			if i%5 == 0 {
				b.WriteString("\n\t\t\t")
			}
			b.WriteString(name + ", ")
		}
		b.WriteString("\n\t\t},\n")
	}
	b.WriteString("\t}\n}\n")
	text, err := format.Source(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("readers.go", text, 0o644); err != nil {
		t.Fatal(err)
	}
}

const readersHead = `package localize

// firstReaders lists by stage the constants, and the options, that nothing reads before it. What is not listed may be
// read from the beginning. A test holds the list against the source; with -update it writes it anew.
func firstReaders() map[string][]string {
	return map[string][]string{
`
