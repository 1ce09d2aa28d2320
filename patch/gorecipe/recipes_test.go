package gorecipe

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// checkRecipes runs every recipe over one source with every pattern: none may panic, and what they draft must
// be a patch.
func checkRecipes(t *testing.T, src string, line int) {
	t.Helper()
	in := &patch.Input{
		Base: fstest.MapFS{"go.mod": {Data: []byte("module example.com/p\n\ngo 1.22\n")}, "p.go": {Data: []byte(src)}},
		Suspects: []localize.Suspect{{Service: "svc", Patterns: []localize.Pattern{
			{Kind: localize.PatternRetryBurst, Values: map[string]float64{"outage_max_seconds": 0.5, "attempts": 3}},
			{Kind: localize.PatternUnboundedCall, Values: map[string]float64{"p99_baseline_seconds": 0.05, "max_seconds": 50}},
			{Kind: localize.PatternPoolWait, Values: map[string]float64{"max": 1, "demand_per_second": 50, "use_p95_seconds": 0.2}},
			{Kind: localize.PatternException, Text: "invalid memory address or nil pointer dereference"},
		}}},
		Locations: [][]codeindex.Location{{{File: "p.go", Line: line, Function: "f"}, {File: "p.go", Function: "f"}}},
		Allowed:   patch.Rungs(),
	}
	plan := patch.Ladder(in, Recipes())
	for _, l := range plan.Left {
		if strings.Contains(l.Why, "the recipe failed") {
			t.Fatalf("%s: %s\n%s", l.Recipe, l.Why, src)
		}
	}
	for _, o := range plan.Options {
		if _, err := patch.Draft(in, o, Recipes()); err != nil && strings.Contains(err.Error(), "the recipe failed") {
			t.Fatalf("%s: %v\n%s", o.ID, err, src)
		}
	}
}

func TestRecipesBearHostileSources(t *testing.T) {
	for name, src := range map[string]string{
		"embeds itself":        "package p\n\ntype A struct{ *A }\n\nfunc f() error {\n\tvar z A\n\treturn z.q()\n}\n",
		"interface of itself":  "package p\n\ntype I interface{ I }\n\nfunc f(i I) error {\n\tfor {\n\t\tif err := i.X(); err == nil {\n\t\t\treturn nil\n\t\t}\n\t}\n}\n",
		"alias of itself":      "package p\n\ntype A B\ntype B A\n\nfunc f(a A) error { return a.x.y }\n",
		"constant of itself":   "package p\n\nconst a = b\nconst b = a\n\nfunc f() error {\n\tfor i := 0; i < a; i++ {\n\t}\n\treturn nil\n}\n",
		"variable of itself":   "package p\n\nvar a = b()\nvar b = func() int { return a }\n\nfunc f() error { return a.b }\n",
		"calls itself":         "package p\n\nimport \"context\"\n\nfunc f(ctx context.Context) error {\n\tfor {\n\t\tif err := f(ctx); err == nil {\n\t\t\treturn nil\n\t\t}\n\t}\n}\n",
		"constructs itself":    "package p\n\ntype T struct{ t *T }\n\nfunc NewT(t *T) *T { return t }\n\nfunc (t *T) f() error { return nil }\n",
		"does not parse":       "package p\n\nfunc f( {\n",
		"nothing in it":        "",
		"no body":              "package p\n\nfunc f() error\n",
		"one line":             "package p; import \"net/http\"; func f(u string) error { _, err := http.Get(u); return err }\n",
		"windows line ends":    "package p\r\n\r\nimport \"net/http\"\r\n\r\nfunc f(u string) error {\r\n\t_, err := http.Get(u)\r\n\treturn err\r\n}\r\n",
		"no newline at end":    "package p\n\nimport \"net/http\"\n\nfunc f(u string) error {\n\t_, err := http.Get(u)\n\treturn err\n}",
		"names hide imports":   "package p\n\nimport \"net/http\"\n\nfunc f(os, time, context, slog string) error {\n\t_, err := http.Get(os)\n\treturn err\n}\n",
		"package hides them":   "package p\n\nimport \"net/http\"\n\nfunc os() {}\n\ntype time int\n\nfunc f(u string) error {\n\t_, err := http.Get(u)\n\treturn err\n}\n",
		"dot and blank":        "package p\n\nimport (\n\t. \"net/http\"\n\t_ \"embed\"\n)\n\nfunc f(u string) error {\n\t_, err := Get(u)\n\treturn err\n}\n",
		"deep selectors":       "package p\n\nfunc f() error {\n\treturn a" + strings.Repeat(".a", 500) + "\n}\n",
		"deep parentheses":     "package p\n\nfunc f() error {\n\treturn " + strings.Repeat("(", 500) + "a" + strings.Repeat(")", 500) + "\n}\n",
		"hostile go directive": "package p\n\nfunc f() error { return nil }\n",
	} {
		t.Run(name, func(t *testing.T) {
			for line := range 14 {
				checkRecipes(t, src, line)
			}
		})
	}
}

// TestUntouchedLinesStay shows that a draft adds or replaces lines and leaves every other byte alone, in a
// file that gofmt would change.
func TestUntouchedLinesStay(t *testing.T) {
	src := "package p\n\nimport   \"net/http\"\n\nvar   odd  =  1 // as it was\n\nfunc f(u string) error {\n\tresp, err := http.Get(u)\n\tif err!=nil { return err }\n\treturn resp.Body.Close()\n}\n"
	in := &patch.Input{
		Base:      fstest.MapFS{"p.go": {Data: []byte(src)}},
		Suspects:  []localize.Suspect{{Patterns: []localize.Pattern{{Kind: localize.PatternUnboundedCall, Values: map[string]float64{"p99_baseline_seconds": 0.05, "max_seconds": 50}}}}},
		Locations: [][]codeindex.Location{{{File: "p.go", Function: "f"}}},
		Allowed:   patch.Rungs(),
	}
	plan := patch.Ladder(in, Recipes())
	if len(plan.Options) != 1 {
		t.Fatalf("plan %+v", plan)
	}
	p, err := patch.Draft(in, plan.Options[0], Recipes())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(src) {
		if strings.Contains(line, "import") || strings.Contains(line, "http.Get") {
			continue
		}
		if !strings.Contains(string(p.Files[0].New), line) {
			t.Errorf("the line %q changed:\n%s", line, p.Files[0].New)
		}
	}
}
