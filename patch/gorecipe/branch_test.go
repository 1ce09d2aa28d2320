package gorecipe

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// branching is a recipe whose change stands in the fixture, in branch.body.
type branching struct{}

func (branching) Name() string     { return "branching@1" }
func (branching) Rung() patch.Rung { return patch.Code }

func (branching) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	l := in.Locations[i][0]
	return []patch.Option{{ID: "branch", Title: "Revise " + l.Function, Why: "the fixture says so", Target: l.File + ":" + l.Function}}, nil
}

func (branching) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	body, err := fs.ReadFile(in.Base, "branch.body")
	if err != nil {
		return nil, err
	}
	imports, _ := fs.ReadFile(in.Base, "branch.imports") // most need none
	file, function, _ := strings.Cut(o.Target, ":")
	p, err := Branch{Suspect: o.Suspect, File: file, Function: function, Body: strings.TrimSpace(string(body)), Imports: strings.Fields(string(imports))}.Draft(in)
	if err != nil {
		return nil, err
	}
	p.Summary = []string{"as the fixture says"}
	return p, nil
}

func TestBranch(t *testing.T) { testRecipe(t, "branch", branching{}) }

func TestBranchLeavesAloneWhatItCannotSwitch(t *testing.T) {
	const module = "module example.com/m\n\ngo 1.24\n"
	for _, test := range []struct{ name, source, function, body, imports, want string }{
		{"a parameter without a name", "func f(_ int) {}", "f", "{}", "", "without a name"},
		{"a receiver without a name", "type T struct{}\n\nfunc (T) f() {}", "T.f", "{}", "", "without a name"},
		{"type parameters", "func f[T any](v T) T { return v }", "f", "{ return v }", "", "type parameters"},
		{"main", "func main() {}", "main", "{}", "", "runs once"},
		{"another function", "func f() {}", "g", "{}", "", "no function g"},
		{"a body that is none", "func f() {}", "f", "{ return ", "", "does not parse"},
		{"a body that ends early", "func f() {}", "f", "{}\nfunc g() {}", "", "does not parse"},
		{"a name that is taken", "var time = 1\n\nfunc f() {}", "f", "{}", "time", "taken there"},
		{"a parameter that cannot be made up", "import \"crypto/ecdh\"\n\nfunc f(k ecdh.Curve) { _ = k }", "f", "{ _ = k }", "", "no call of it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := &patch.Input{Base: fstest.MapFS{"go.mod": {Data: []byte(module)}, "a.go": {Data: []byte("package a\n\n" + test.source + "\n")}}, Suspects: []localize.Suspect{{Service: "s"}}}
			_, err := Branch{File: "a.go", Function: test.function, Body: test.body, Imports: strings.Fields(test.imports)}.Draft(in)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
