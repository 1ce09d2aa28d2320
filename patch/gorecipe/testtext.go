package gorecipe

import (
	"fmt"
	"go/format"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// testText collects the parts of a generated test file.
type testText struct {
	pkg     *pkg
	imports map[string]string
	decls   []string // stubs, above the test
	body    string
}

func newTestText(p *pkg) *testText {
	return &testText{pkg: p, imports: map[string]string{}}
}

// use imports a package and returns its name in the file.
func (t *testText) use(p string) string {
	if name, ok := t.imports[p]; ok {
		return name
	}
	name := importName(p)
	if q := t.pkg.tree.imported(t.pkg, p); q != nil {
		name = q.name
	}
	for taken := true; taken; {
		taken = t.pkg.declares(name)
		for _, other := range t.imports {
			taken = taken || other == name
		}
		if taken {
			name += "pkg"
		}
	}
	t.imports[p] = name
	return name
}

// bytes is the whole file, formatted.
func (t *testText) bytes() ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\n", t.pkg.name)
	all := strings.Join(t.decls, "\n") + t.body
	paths := slices.DeleteFunc(sortedKeys(t.imports), func(p string) bool {
		return !regexp.MustCompile(`\b` + t.imports[p] + `\.`).MatchString(all)
	})
	text := map[string]string{}
	for _, p := range paths {
		text[p] = fmt.Sprintf("%q", p)
		if t.imports[p] != importName(p) {
			text[p] = t.imports[p] + " " + text[p]
		}
	}
	if len(paths) == 1 {
		b.WriteString("import " + text[paths[0]] + "\n\n")
	} else if len(paths) > 1 {
		b.WriteString("import (\n" + grouped(paths, text) + ")\n\n")
	}
	for _, d := range t.decls {
		b.WriteString(d + "\n")
	}
	b.WriteString(t.body)
	out, err := format.Source([]byte(b.String()))
	if err != nil {
		return nil, fmt.Errorf("the generated test does not parse: %w", err)
	}
	return out, nil
}

// freshFile is a test file name next to the source that the package does not have yet.
func freshFile(f *file, what string) string {
	dir, base := path.Split(f.path)
	base = strings.TrimSuffix(base, ".go")
	for _, suffix := range []string{"_linux", "_darwin", "_windows", "_amd64", "_arm64", "_unix"} {
		base = strings.TrimSuffix(base, suffix) // would make the test conditional too
	}
	for i := 1; ; i++ {
		name := fmt.Sprintf("%s_%s_test.go", base, what)
		if i > 1 {
			name = fmt.Sprintf("%s_%s_%d_test.go", base, what, i)
		}
		if !slices.Contains(f.pkg.tests, name) {
			if _, err := fs.Stat(f.pkg.tree.base, dir+name); err != nil {
				return dir + name
			}
		}
	}
}

// freshTest is a test name that no test of the package has.
func (p *pkg) freshTest(base string) string {
	var all []byte
	for _, name := range p.tests {
		all = append(all, p.tree.read(path.Join(p.dir, name))...)
	}
	for i := 1; ; i++ {
		name := base
		if i > 1 {
			name = fmt.Sprintf("%s%d", base, i)
		}
		if !strings.Contains(string(all), "func "+name+"(") {
			return name
		}
	}
}

// freshDecl is a name for a declaration of the test file that neither the package nor its tests declare.
func (p *pkg) freshDecl(base string) string {
	var all strings.Builder
	for _, name := range p.tests {
		all.Write(p.tree.read(path.Join(p.dir, name)))
	}
	for i := 1; ; i++ {
		name := base
		if i > 1 {
			name = fmt.Sprintf("%s%d", base, i)
		}
		if !p.declares(name) && !strings.Contains(all.String(), " "+name+" ") && !strings.Contains(all.String(), " "+name+"(") {
			return name
		}
	}
}
