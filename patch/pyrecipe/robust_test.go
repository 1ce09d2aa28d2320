package pyrecipe

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// everything is a suspect that shows all shapes these recipes know.
func everything() localize.Suspect {
	return localize.Suspect{Service: "svc", Patterns: []localize.Pattern{
		{Kind: localize.PatternException, Detail: map[string]string{"message_template": "'NoneType' object has no attribute '<*>'", "frames": "[{]"}},
		{Kind: localize.PatternRetryBurst, Values: map[string]float64{"attempts": 4, "outage_max_seconds": 0.5}},
		{Kind: localize.PatternUnboundedCall, Values: map[string]float64{"p99_baseline_seconds": 0.1}},
		{Kind: localize.PatternPoolWait, Values: map[string]float64{"max": 2, "pending": 4}},
	}}
}

// FuzzRecipes offers hostile Python to every recipe: whatever is drafted parses, keeps what it does not
// change, and never panics.
func FuzzRecipes(f *testing.F) {
	f.Add("def f(a):\n    if not a:\n        return 0\n    return a.b.c\n", 4)
	f.Add("import requests\n\ndef f(u):\n    for _ in range(3):\n        try:\n            return requests.get(u)\n        except OSError:\n            pass\n", 6)
	f.Add("class A:\n\tasync def f(self):\n\t\tself.x += self.y.z\n\t\tself.y.go()\n", 3)
	f.Add("P = ThreadPoolExecutor(2)\ndef f(x): return x.a\n", 2)
	f.Add("def f(x):\r\n    y = x.get('a').get('b')\r\n    return y\r\n", 2)
	f.Add("def f():\n  while n<3:\n    n+=1\n    try: g()\n    except: pass\n", 3)
	f.Fuzz(func(t *testing.T, src string, line int) {
		in := &patch.Input{
			Base:      fstest.MapFS{"svc/a.py": {Data: []byte(src)}},
			Suspects:  []localize.Suspect{everything()},
			Locations: [][]codeindex.Location{{{File: "svc/a.py", Line: line}}},
			Allowed:   patch.Rungs(),
		}
		for _, r := range All() {
			options, left := r.Propose(in, 0)
			for _, l := range left {
				if l.Why == "" {
					t.Errorf("%s leaves without a reason", r.Name())
				}
			}
			for _, o := range options {
				o.Suspect = 0
				p, err := r.Draft(in, o)
				if err != nil {
					continue
				}
				for _, file := range p.Files {
					if _, err := parse(file.Path, file.New, file.Mode); err != nil {
						t.Fatalf("%s wrote %v:\n%s", r.Name(), err, file.New)
					}
				}
				for _, l := range strings.Split(src, "\n") {
					if strings.HasPrefix(l, "#") && !strings.Contains(string(p.Files[0].New), l) {
						t.Fatalf("%s lost the comment %q:\n%s", r.Name(), l, p.Files[0].New)
					}
				}
			}
		}
	})
}

func TestChooseBackoffCoversTheOutage(t *testing.T) {
	for _, c := range []struct {
		attempts int
		outage   float64
		budget   float64
		risk     bool
	}{
		{attempts: 4, outage: 0.6}, {attempts: 3, outage: 2}, {attempts: 6, outage: 1.3}, {attempts: 2, outage: 30, risk: true}, {attempts: 4, outage: 5, budget: 2, risk: true},
	} {
		b, err := chooseBackoff(localize.Pattern{Values: map[string]float64{"outage_max_seconds": c.outage, "budget_seconds": c.budget}}, c.attempts)
		if err != nil {
			t.Fatal(err)
		}
		gaps := float64(int(1)<<(c.attempts-1) - 1)
		if covers := b.base*gaps/2 >= c.outage*outageMargin-1e-9; covers == c.risk || (b.risk != "") != c.risk {
			t.Errorf("%+v: base %g covers %v, risk %q", c, b.base, covers, b.risk)
		}
		limit := c.budget
		if limit == 0 {
			limit = defaultBudget
		}
		if b.base*gaps > limit+1e-9 {
			t.Errorf("%+v: base %g takes longer than the caller waits", c, b.base)
		}
	}
	if _, err := chooseBackoff(localize.Pattern{}, 1); err == nil {
		t.Error("one attempt was spread")
	}
}

func TestDeadlineSeconds(t *testing.T) {
	for p99, want := range map[float64]float64{0.12: 0.4, 0.001: 0.25, 2: 6, 0: 0} {
		if got, why := deadlineSeconds(localize.Pattern{Values: map[string]float64{"p99_baseline_seconds": p99}}); got != want || why == "" {
			t.Errorf("p99 %g: deadline %g (%s), want %g", p99, got, why, want)
		}
	}
}

func TestImports(t *testing.T) {
	osNeed, trace, own := need{"os", ""}, need{"opentelemetry", "trace"}, need{".tracing", "trace"}
	for name, c := range map[string]struct {
		src   string
		needs []need
		want  string
	}{
		"between":           {"import json\nimport re\n\nx = 1\n", []need{osNeed}, "import json\nimport os\nimport re\n\nx = 1\n"},
		"before from":       {"from json import dumps\n\nx = 1\n", []need{osNeed}, "import os\nfrom json import dumps\n\nx = 1\n"},
		"there already":     {"import os, re\n", []need{osNeed}, "import os, re\n"},
		"group above":       {"import requests\n\nx = 1\n", []need{osNeed}, "import os\n\nimport requests\n\nx = 1\n"},
		"group below":       {"import json\n\nx = 1\n", []need{trace}, "import json\n\nfrom opentelemetry import trace\n\nx = 1\n"},
		"relative last":     {"import json\n\nfrom .a import b\n\nx = 1\n", []need{own, osNeed}, "import json\nimport os\n\nfrom .a import b\nfrom .tracing import trace\n\nx = 1\n"},
		"none, a function":  {"def f():\n    pass\n", []need{osNeed, trace}, "import os\n\nfrom opentelemetry import trace\n\n\ndef f():\n    pass\n"},
		"none, a docstring": {"\"\"\"Doc.\"\"\"\n\nx = 1\n", []need{osNeed}, "\"\"\"Doc.\"\"\"\n\nimport os\n\nx = 1\n"},
		"none, a shebang":   {"#!/usr/bin/env python3\nx = 1\n", []need{osNeed}, "#!/usr/bin/env python3\nimport os\n\nx = 1\n"},
		"carriage returns":  {"import json\r\nx = 1\r\n", []need{osNeed}, "import json\r\nimport os\r\nx = 1\r\n"},
		"no end of line":    {"import json", []need{osNeed}, "import json\nimport os\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := parse("a.py", []byte(c.src), 0o100644)
			if err != nil {
				t.Fatal(err)
			}
			edits, err := s.imports(c.needs...)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.rewrite(edits)
			if err != nil || string(got) != c.want {
				t.Errorf("%v:\n%q\nwant\n%q", err, got, c.want)
			}
		})
	}
	s, err := parse("a.py", []byte("os = 1\n"), 0o100644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.imports(osNeed); err == nil {
		t.Error("a name that means something else was imported over")
	}
}

func TestTestsAreNeverOverwritten(t *testing.T) {
	repo := fstest.MapFS{
		"a.py":                    {Data: []byte("def f(x):\n    if x is None:\n        return 0\n    return x.a.b\n")},
		"test_f_without_value.py": {Data: []byte("import a\n")},
	}
	in := &patch.Input{Base: repo, Suspects: []localize.Suspect{everything()}, Locations: [][]codeindex.Location{{{File: "a.py", Line: 4}}}, Allowed: patch.Rungs()}
	repo["a.py"].Data = []byte("def f(x):\n    if x is None:\n        return 0\n    x.p()\n    return x.a.b\n")
	in.Locations[0][0].Line = 5
	plan := patch.Ladder(in, []patch.Recipe{NewNoneGuard()})
	if len(plan.Options) != 1 {
		t.Fatalf("%+v", plan)
	}
	p, err := patch.Draft(in, plan.Options[0], All())
	if err != nil {
		t.Fatal(err)
	}
	if p.Tests[0].File != "test_f_without_value_2.py" {
		t.Errorf("the test goes to %s", p.Tests[0].File)
	}
}

func TestLargeFunctionsTakeNoLongTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("import requests\n\n\ndef f(a, url):\n    if a is None:\n        return 0\n")
	for range 380 {
		b.WriteString("    a.x.y(url.z, [q.w for q in a.s])\n")
	}
	b.WriteString("    requests.get(url)\n    return a.b.c\n")
	in := &patch.Input{
		Base:      fstest.MapFS{"svc/a.py": {Data: []byte(b.String())}},
		Suspects:  []localize.Suspect{everything()},
		Locations: [][]codeindex.Location{{{File: "svc/a.py", Line: 388}}},
		Allowed:   patch.Rungs(),
	}
	began := time.Now()
	drafted := 0
	for _, r := range All() {
		options, _ := r.Propose(in, 0)
		for _, o := range options {
			if _, err := r.Draft(in, o); err != nil {
				t.Error(err)
			}
			drafted++
		}
	}
	if drafted == 0 {
		t.Error("nothing was drafted")
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("a large function takes %s", took)
	}
}

func TestGuardIsOffByDefault(t *testing.T) {
	in := &patch.Input{Base: fstest.MapFS{"flags.json": {Data: []byte(`{"flags":{"a":{"state":"ENABLED","defaultVariant":"on"}}}`)}}, Suspects: []localize.Suspect{{Service: "svc"}}}
	s, err := parse("a.py", []byte("import os\n\n\ndef f():\n    pass\n"), 0o100644)
	if err != nil {
		t.Fatal(err)
	}
	g, err := newGuard(in, 0, s, s.functionAt(4), "x")
	if err != nil || g.on != `os.environ.get("REMEDIATOR_SVC_F_X") == "true"` || g.flag.Off["REMEDIATOR_SVC_F_X"] != "false" {
		t.Errorf("%v: %+v", err, g)
	}
	// OpenFeature only where this service's Python has it, and a file that a replay can turn the flag on in.
	in.Provider, in.FlagFile = "openfeature", "flags.json"
	if g, err := newGuard(in, 0, s, s.functionAt(4), "x"); err != nil || g.flag.Provider != "env" {
		t.Errorf("%v: %+v", err, g)
	}
	s, err = parse("a.py", []byte("from openfeature import api\n\nflags = api.get_client()\n\n\ndef f():\n    pass\n"), 0o100644)
	if err != nil {
		t.Fatal(err)
	}
	g, err = newGuard(in, 0, s, s.functionAt(6), "x")
	if err != nil || g.on != `flags.get_boolean_value("remediator-svc-f-x", False)` || len(g.files) != 1 || len(g.flag.Files) != 1 {
		t.Fatalf("%v: %+v", err, g)
	}
	if off, on := string(g.files[0].New), string(g.flag.Files[0].New); !strings.Contains(off, `"defaultVariant": "off"`) || !strings.Contains(on, `"defaultVariant": "on"`) {
		t.Errorf("off %s\non %s", off, on)
	}
	in.FlagFile = ""
	if g, err := newGuard(in, 0, s, s.functionAt(6), "x"); err != nil || g.flag.Provider != "env" {
		t.Errorf("%v: %+v", err, g)
	}
}
