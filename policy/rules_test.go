package policy

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// Runs the Rego tests with OPA's own tester, under the same restrictions as decisions.
func TestRego(t *testing.T) {
	b, err := defaultBundle()
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(embedded, "*_test.rego")
	if err != nil || len(names) == 0 {
		t.Fatalf("no Rego tests were found (%v)", err)
	}
	for _, name := range names {
		text, err := embedded.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.add(name, string(text)); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	store := inmem.New()
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Abort(ctx, txn)
	coverage := cover.New()
	run := func(runner *tester.Runner) []*tester.Result {
		t.Helper()
		results, err := runner.SetCompiler(ast.NewCompiler().WithCapabilities(capabilities())).SetStore(store).
			SetModules(b.modules).SetTimeout(time.Minute).RaiseBuiltinErrors(true).RunTests(ctx, txn)
		if err != nil {
			t.Fatal(err)
		}
		var out []*tester.Result
		for r := range results {
			out = append(out, r)
		}
		return out
	}
	passed := map[string]bool{}
	for _, r := range run(tester.NewRunner()) {
		if !r.Pass() {
			t.Errorf("%s: %v", r.Name, r)
			continue
		}
		passed[r.Name] = true
	}
	run(tester.NewRunner().SetCoverageQueryTracer(coverage))
	report := coverage.Report(b.modules)
	for name, file := range report.Files {
		if strings.HasPrefix(name, "default/") && len(file.NotCovered) > 0 {
			t.Errorf("%s: lines %v are never reached by a test", name, file.NotCovered)
		}
	}
	d := decide(t, engine(t, Options{}), good())
	for _, rule := range d.Rules {
		prefix := "test_" + strings.ReplaceAll(rule, ".", "_")
		tested := false
		for name := range passed {
			tested = tested || name == prefix || strings.HasPrefix(name, prefix+"_")
		}
		if !tested {
			t.Errorf("rule %s has no test that passes; write %s_...", rule, prefix)
		}
	}
}

// A rule's name in its findings must be one that its package declares; otherwise it could not
// be found in the list of rules.
func TestEveryFindingIsOfADeclaredRule(t *testing.T) {
	b, err := defaultBundle()
	if err != nil {
		t.Fatal(err)
	}
	d := decide(t, engine(t, Options{}), good())
	declared := map[string]bool{}
	for _, name := range d.Rules {
		declared[name] = true
	}
	for name, m := range b.modules {
		ast.WalkTerms(m, func(term *ast.Term) bool {
			object, ok := term.Value.(ast.Object)
			if !ok {
				return false
			}
			if rule := object.Get(ast.StringTerm("rule")); rule != nil {
				if text, ok := rule.Value.(ast.String); ok && !declared[string(text)] {
					t.Errorf("%s: finding of rule %q, which is not declared", name, string(text))
				}
			}
			return false
		})
	}
}
