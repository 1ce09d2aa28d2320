package codeindex

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/remediator/remediator/codeindex/facts"
	"pgregory.net/rapid"
)

func fixture(t *testing.T, name string) *Index {
	t.Helper()
	fsys, _, _ := readFixture(t, "testdata/"+name+".txtar")
	return build(t, fsys, Options{})
}

func TestFunctionAroundALine(t *testing.T) {
	x := fixture(t, "script")
	for _, c := range []struct {
		file string
		line int
		want string
	}{
		{"api/bank.ts", 12, "Bank.charge"}, {"api/orders.js", 8, `router.post("/:id")`}, {"nest/users.controller.ts", 10, "UsersController.findOne"}, {"api/orders.js", 1, ""},
	} {
		s, ok := x.Function(c.file, c.line)
		if s.Name != c.want || ok != (c.want != "") {
			t.Errorf("%s:%d: got %q, want %q", c.file, c.line, s.Name, c.want)
		}
	}
	if _, ok := x.Function("absent.go", 1); ok {
		t.Error("a function in a file that is not there")
	}
}

func TestCallersAndCallees(t *testing.T) {
	x := fixture(t, "go-nethttp")
	charge, ok := x.Lookup("services/orders/bank.go", "Bank.Charge")
	if !ok || charge.Receiver() != "Bank" || !charge.Exported {
		t.Fatalf("got %+v", charge)
	}
	callers := x.Callers(charge)
	if len(callers) != 1 || callers[0].Symbol.Name != "Server.pay" || callers[0].Callee != "s.bank.Charge" || callers[0].Line != 22 {
		t.Errorf("callers: %+v", callers)
	}
	pay, _ := x.Lookup("services/orders/api.go", "Server.pay")
	callees := x.Callees(pay)
	if len(callees) != 1 || callees[0].Symbol.Name != "Bank.Charge" {
		t.Errorf("callees: %+v", callees)
	}
	// context.Context, err.Error and the like are of no repository function.
	for _, c := range x.Callees(charge) {
		t.Errorf("callee out of nothing: %+v", c)
	}
}

func TestMethodsOfTheSameNameAreToldApartByWhatTheyAreCalledOn(t *testing.T) {
	x := build(t, tree(map[string]string{
		"a.go": "package a\n\ntype Bank struct{}\n\nfunc (b *Bank) Do() {}\n\ntype Stock struct{}\n\nfunc (s *Stock) Do() {}\n",
		"b.go": "package a\n\nfunc f(bank *Bank) { bank.Do() }\n\nfunc g(stockClient *Stock) { stockClient.Do() }\n",
		"c.py": "class Bank:\n    def Do(self):\n        self.help()\n    def help(self):\n        pass\n",
	}), Options{})
	bank, _ := x.Lookup("a.go", "Bank.Do")
	if got := x.Callers(bank); len(got) != 1 || got[0].Symbol.Name != "f" {
		t.Errorf("callers of Bank.Do: %+v", got)
	}
	stock, _ := x.Lookup("a.go", "Stock.Do")
	if got := x.Callers(stock); len(got) != 1 || got[0].Symbol.Name != "g" {
		t.Errorf("callers of Stock.Do: %+v", got)
	}
	help, _ := x.Lookup("c.py", "Bank.help")
	if got := x.Callers(help); len(got) != 1 || got[0].Confidence != 1 {
		t.Errorf("callers of self.help: %+v", got)
	}
}

func TestTestsOfARepository(t *testing.T) {
	x := build(t, tree(map[string]string{
		"a/a_test.go":      "package a\nfunc TestA(t *testing.T) {}\nfunc helper() {}\n",
		"py/test_b.py":     "def test_b():\n    pass\n",
		"js/c.test.js":     "test('c works', () => {})\n",
		"java/DTest.java":  "class DTest { @Test void d() {} }\n",
		"a/a.go":           "package a\nfunc A() {}\n",
		"py/test_class.py": "import unittest\nclass T(unittest.TestCase):\n    def test_e(self):\n        pass\n",
	}), Options{})
	var got []string
	for _, test := range x.Tests() {
		got = append(got, test.File+" "+test.Name+" "+test.Style)
	}
	want := []string{"a/a_test.go TestA go test", "java/DTest.java DTest.d junit", "js/c.test.js c works jest", "py/test_b.py test_b pytest", "py/test_class.py T.test_e unittest"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestSitesResolveConstantsOfOtherFiles(t *testing.T) {
	x := build(t, tree(map[string]string{
		"src/Routes.java": "package r; public class Routes { public static final String CHARGE = \"/charge\"; }",
		"src/C.java":      "package c; import r.Routes; @RestController class C { @PostMapping(Routes.CHARGE) void charge() {} }",
		"ops/names.py":    "CHARGE = 'charge card'\n",
		"ops/a.py":        "from ops.names import CHARGE\ndef f():\n    tracer.start_as_current_span(CHARGE)\n",
		"web/names.ts":    "export const SPANS = { charge: 'charge web' };\n",
		"web/a.ts":        "import { SPANS } from './names';\nexport function f() { tracer.startSpan(SPANS.charge); }\n",
	}), Options{})
	if got := x.Sites(facts.Route); len(got) != 1 || got[0].Text != "/charge" || got[0].Function != "C.charge" {
		t.Errorf("routes: %+v", got)
	}
	var spans []string
	for _, s := range x.Sites(facts.Span) {
		spans = append(spans, s.Text)
	}
	if !reflect.DeepEqual(spans, []string{"charge card", "charge web"}) {
		t.Errorf("spans: %q", spans)
	}
}

func TestConfidenceNamesWhatIsKnown(t *testing.T) {
	x := fixture(t, "go-nethttp")
	one := x.Locate(WeightedQuery{Query: Query{Span: "charge"}, Weight: 0.5})
	two := x.Locate(WeightedQuery{Query: Query{Span: "charge"}, Weight: 0.5}, WeightedQuery{Query: Query{Log: "bank said 500 for order 7"}, Weight: 0.5})
	if one[0].Function != "Bank.Charge" || two[0].Function != "Bank.Charge" {
		t.Fatalf("got %s and %s", show(one), show(two))
	}
	if !(one[0].Confidence < two[0].Confidence && two[0].Confidence < 1) {
		t.Errorf("two leads must be surer than one: %v, %v", one[0].Confidence, two[0].Confidence)
	}
	if !strings.Contains(two[0].Reason, "span name") || !strings.Contains(two[0].Reason, "log statement") {
		t.Errorf("the reason names not both: %q", two[0].Reason)
	}
	if got := x.Locate(); got != nil {
		t.Errorf("no lead: %v", got)
	}
	if got := x.Locate(WeightedQuery{Query: Query{Span: "nothing of the kind"}}); got != nil {
		t.Errorf("a lead that leads nowhere: %v", show(got))
	}
}

// Whatever the leads: sorted, unique, bounded, within the files.
func TestLocationsAreSoundForAnyLead(t *testing.T) {
	x := fixture(t, "python")
	texts := rapid.SampledFrom([]string{"", "charge", "charge card", "/orders/{id}", "POST /orders/1", "<*>", "order <*> rejected", "SELECT sku FROM stock", "app/payments.py", "Client.charge", "a.b.c", "\x01x\x02", "((", "....", "/", "bank", "Django"})
	rapid.Check(t, func(t *rapid.T) {
		var leads []WeightedQuery
		for range rapid.IntRange(1, 4).Draw(t, "n") {
			leads = append(leads, WeightedQuery{Weight: rapid.Float64Range(-1, 2).Draw(t, "weight"), Query: Query{
				Service: texts.Draw(t, "service"), File: texts.Draw(t, "file"), Line: rapid.IntRange(-1, 50).Draw(t, "line"), Function: texts.Draw(t, "function"),
				Namespace: texts.Draw(t, "namespace"), Span: texts.Draw(t, "span"), Route: texts.Draw(t, "route"), Log: texts.Draw(t, "log"),
				Statement: texts.Draw(t, "statement"), Peer: texts.Draw(t, "peer"),
			}})
		}
		got := x.Locate(leads...)
		seen := map[string]bool{}
		for i, l := range got {
			key := l.File + "|" + l.Function
			if l.Function == "" || seen[key] {
				if l.Function != "" {
					t.Fatalf("twice: %+v", l)
				}
			}
			seen[key] = true
			if l.Confidence < 0 || l.Confidence > 0.99 || l.Reason == "" || l.Line < l.From || l.Line > l.To || x.Symbols(l.File) == nil {
				t.Fatalf("unsound: %+v", l)
			}
			if i > 0 && l.Confidence > got[i-1].Confidence {
				t.Fatalf("not sorted: %v after %v", l.Confidence, got[i-1].Confidence)
			}
		}
	})
}

func TestPathsOfTheServiceComeFirst(t *testing.T) {
	x := build(t, tree(map[string]string{
		"services/orders/a.go":   "package main\nfunc a() { tracer.Start(ctx, \"call\") }\n",
		"services/payments/b.go": "package main\nfunc b() { tracer.Start(ctx, \"call\") }\n",
	}), Options{})
	for _, q := range []Query{{Span: "call", Paths: []string{"services/payments/**"}}, {Span: "call", Service: "shop-payments"}} {
		got := x.Locate(WeightedQuery{Query: q})
		if len(got) != 2 || got[0].Function != "b" || got[1].Confidence >= got[0].Confidence {
			t.Errorf("%+v: %s", q, show(got))
		}
	}
}

func TestTestsAreNotToBlame(t *testing.T) {
	x := build(t, tree(map[string]string{
		"a.go":      "package a\nfunc a() { tracer.Start(ctx, \"call\") }\n",
		"a_test.go": "package a\nfunc TestA(t *testing.T) { tracer.Start(ctx, \"call\") }\n",
	}), Options{})
	got := x.Locate(WeightedQuery{Query: Query{Span: "call"}})
	if len(got) != 2 || got[0].File != "a.go" || got[1].Confidence > 0.2 {
		t.Errorf("got %s", show(got))
	}
}

func TestMatchPath(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"services/payments/**", "services/payments/a/b.go", true},
		{"services/payments/**", "services/payments.go", false},
		{"services/payments", "services/payments/a.go", true},
		{"services/payments/", "services/payments/a.go", true},
		{"services/pay", "services/payments/a.go", false},
		{"./services/*/main.go", "services/x/main.go", true},
		{"services/*/main.go", "services/x/y/main.go", false},
		{"**/*.py", "a.py", true},
		{"**/*.py", "a/b/c.py", true},
		{"**/*.py", "a/b/c.go", false},
		{"a/**/b/**/c.go", "a/x/b/y/z/c.go", true},
		{"a/**/b/**/c.go", "a/x/y/c.go", false},
		{"", "anything", true},
		{"[", "a", false},
	} {
		if got := MatchPath(c.pattern, c.path); got != c.want {
			t.Errorf("MatchPath(%q, %q) = %v", c.pattern, c.path, got)
		}
	}
}

func TestEveryPathMatchesItselfAndItsParents(t *testing.T) {
	part := rapid.StringMatching(`[a-z]{1,5}`)
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(part, 1, 6).Draw(t, "parts")
		name := strings.Join(parts, "/")
		n := rapid.IntRange(1, len(parts)).Draw(t, "n")
		prefix := strings.Join(parts[:n], "/")
		if !MatchPath(name, name) || !MatchPath(prefix, name) || !MatchPath("**", name) || n < len(parts) && !MatchPath(prefix+"/**", name) {
			t.Fatalf("%s under %s", name, prefix)
		}
		if MatchPath(name+"x", name) {
			t.Fatalf("%s matches another name", name)
		}
	})
}

func TestFindAnswersAsTheIndexDoes(t *testing.T) {
	for _, name := range []string{"go-nethttp", "python", "script", "java"} {
		fsys, sources, expectations := readFixture(t, "testdata/"+name+".txtar")
		for _, e := range expectations {
			if !e.first {
				continue
			}
			switch {
			case e.query.Route == "/shop/carts/42/", e.query.Route == "/shop/carts/", e.query.Span == "reserve stock":
				continue // what another file says about prefixes and constants is not searched for
			}
			got, err := Find(context.Background(), fsys, e.query, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 || !e.fits(got[0], sources) {
				t.Errorf("%s: %s\ngot %s", name, e.line, show(got))
			}
		}
	}
}

func TestFindWithoutALeadSaysWhatToGive(t *testing.T) {
	fsys := tree(map[string]string{"a.go": "package a"})
	if _, err := Find(context.Background(), fsys, Query{}, Options{}); err == nil || !strings.Contains(err.Error(), "give a span name") {
		t.Errorf("got %v", err)
	}
	if _, err := Find(context.Background(), tree(nil), Query{Span: "x y"}, Options{}); err == nil {
		t.Error("an empty tree")
	}
}
