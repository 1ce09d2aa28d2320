package localize

import (
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

const (
	shaGuilty = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	shaMoved  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	shaDocs   = "cccccccccccccccccccccccccccccccccccccccc"
	shaLate   = "dddddddddddddddddddddddddddddddddddddddd"
	shaOther  = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
)

// someChanges are a culprit that lowers a deadline's guard, and four innocents: a refactoring of
// the same service in the same window, documentation, a commit that came too late, and one
// elsewhere.
func someChanges() []Change {
	return []Change{
		{SHA: shaOther, Time: base.Add(-30 * time.Minute), Service: "search", Message: "search: rank by age",
			Files: []ChangedFile{{Path: "search/rank.go", Patch: "@@ -1 +1 @@\n-\tsortByName(hits)\n+\tsortByAge(hits)\n"}}},
		{SHA: shaDocs, Time: base.Add(-20 * time.Minute), Service: "ledger", Message: "ledger: describe postings",
			Files: []ChangedFile{{Path: "ledger/README.md", Patch: "@@ -1 +1 @@\n-old\n+posting balance nil account\n"}}},
		{SHA: shaMoved, Time: base.Add(-10 * time.Minute), Service: "ledger", Message: "ledger: extract posting helper",
			Files: []ChangedFile{{Path: "ledger/post.go", Patch: "@@ -1,5 +1,8 @@ func Post(e Entry) error {\n-\tif e.Amount == 0 {\n-\t\treturn errEmpty\n-\t}\n-\treturn store.Put(e)\n+\treturn post(e)\n+}\n+\n+func post(e Entry) error {\n+\tif e.Amount == 0 {\n+\t\treturn errEmpty\n+\t}\n+\treturn store.Put(e)\n"}}},
		{SHA: shaGuilty, Time: base.Add(-5 * time.Minute), Service: "ledger", Message: "ledger: simplify posting of entries",
			Files: []ChangedFile{{Path: "ledger/account.go", Patch: "@@ -1,5 +1,2 @@ func accountOf(e Entry) string {\n-\tif e.Account == nil {\n-\t\treturn suspense\n-\t}\n \treturn e.Account.Name\n"}}},
		{SHA: shaLate, Time: base.Add(20 * time.Second), Service: "ledger", Message: "ledger: account nil pointer posting",
			Files: []ChangedFile{{Path: "ledger/account.go", Patch: "@@ -1 +1 @@\n-\tif e.Account == nil {\n-\t\treturn x\n-\t}\n"}}},
	}
}

func nilScenario() Evidence {
	cur, old := windows(300, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		if i > 50 && i%3 == 0 {
			l.fail, l.message = true, "panic: nil pointer dereference in posting of account"
			l.logs = []string{"ERROR panic: runtime error: invalid memory address or nil pointer dereference"}
		}
		return chain(l)
	})
	ev := evidence(cur, old)
	ev.Changes = someChanges()
	ev.Deploys = []Deploy{
		{Time: base.Add(-9 * time.Minute), Service: "ledger", SHA: shaMoved},
		{Time: base.Add(-2 * time.Minute), Service: "ledger", SHA: shaGuilty},
		{Time: base.Add(21 * time.Second), Service: "ledger", SHA: shaLate},
	}
	return ev
}

func TestTheCulpritIsToldFromItsInnocentNeighbours(t *testing.T) {
	r := Rank(incident.Incident{}, nilScenario(), Options{})
	if len(r.Changes) == 0 || r.Changes[0].SHA != shaGuilty {
		t.Fatalf("%s", says(r))
	}
	for _, c := range r.Changes[1:] {
		if c.SHA == shaDocs || c.SHA == shaLate || c.SHA == shaOther {
			t.Errorf("innocent %s is listed", c.SHA)
		}
		if c.Score >= r.Changes[0].Score {
			t.Errorf("%s scores as high as the culprit", c.SHA)
		}
	}
	if r.Suspects[0].Culprit != shaGuilty || r.Suspects[0].Service != "ledger" {
		t.Errorf("suspect %s culprit %s", r.Suspects[0].Service, r.Suspects[0].Culprit)
	}
	if r.Cause != CauseCode || r.Decision != Act {
		t.Errorf("%s %s", r.Cause, r.Decision)
	}
}

func TestWithoutTheCulpritNoChangeIsBlamed(t *testing.T) {
	ev := nilScenario()
	var innocent []Change
	for _, c := range ev.Changes {
		if c.SHA != shaGuilty {
			innocent = append(innocent, c)
		}
	}
	ev.Changes = innocent
	if r := Rank(incident.Incident{}, ev, Options{}); len(r.Changes) != 0 {
		t.Errorf("an innocent change is blamed:\n%s", says(r))
	}
}

func TestAConfigurationValueIsAConfigurationCause(t *testing.T) {
	ev := nilScenario()
	cur, old := windows(300, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		if i > 50 {
			l.self, l.fail, l.message = 300*ms, i%2 == 0, "timeout: deadline exceeded while posting"
			l.logs = []string{"ERROR posting timeout: deadline exceeded"}
		}
		return chain(l)
	})
	ev.Incident, ev.Baseline = cur, old
	ev.Changes = append(ev.Changes[:3:3], Change{SHA: shaGuilty, Time: base.Add(-5 * time.Minute), Service: "ledger", Message: "ledger: tune settings",
		Files: []ChangedFile{{Path: "ledger/config.yaml", Patch: "@@ -1,2 +1,2 @@\n-posting_timeout: 5s\n+posting_timeout: 50ms\n"}}})
	r := Rank(incident.Incident{}, ev, Options{})
	if r.Cause != CauseConfig || len(r.Changes) == 0 || r.Changes[0].SHA != shaGuilty {
		t.Errorf("%s", says(r))
	}
}

func TestAFlagThatAgreesWithTheFailingTracesIsTheCause(t *testing.T) {
	request := func(on bool) node {
		l := ledger(10 * ms)
		value := "off"
		if on {
			value, l.fail = "on", true
		}
		l.attrs = []string{"feature_flag.key", "double-entry", "feature_flag.result.variant", value}
		return chain(l)
	}
	cur, old := windows(300, func(*world, int) node { return request(false) }, func(_ *world, i int) node { return request(i > 60 && i%2 == 0) })
	ev := evidence(cur, old)
	ev.Flags = []FlagChange{{Time: base.Add(5 * time.Second), Flag: "double-entry", Service: "ledger", Change: "50%"}, {Time: base.Add(-2 * time.Hour), Flag: "dark-mode", Service: "edge", Change: "on"}}
	r := Rank(incident.Incident{}, ev, Options{})
	if r.Cause != CauseFlag || r.Decision != Act {
		t.Errorf("%s", says(r))
	}
}

func TestDigestTellsWhatAChangeDoes(t *testing.T) {
	patch := func(path, p string) *Change { return &Change{Files: []ChangedFile{{Path: path, Patch: p}}} }
	tests := map[string]struct {
		change   *Change
		min, max float64
		check    func(d diffFacts) bool
	}{
		"guard removed":     {patch("a/b.go", "@@ @@\n-\tif x == nil {\n-\t\treturn nil\n-\t}\n \treturn x.Y\n"), 0.3, 1, func(d diffFacts) bool { return d.guardsLost == 1 }},
		"moved to a helper": {patch("a/b.py", "@@ @@\n-    if not a:\n-        raise Empty()\n-    return store(a)\n+    return put(a)\n+\n+def put(a):\n+    if not a:\n+        raise Empty()\n+    return store(a)\n"), 0, 0.25, func(d diffFacts) bool { return d.guardsLost == 0 && d.kept > 0.9 }},
		"number changed": {patch("a/b.go", "@@ @@\n-const limit = 50\n+const limit = 10\n"), 0.4, 1, func(d diffFacts) bool {
			return len(d.values) == 1 && d.values[0].from == "50" && d.values[0].to == "10"
		}},
		"unit changed":        {patch("a/c.go", "@@ @@\n-\tTTL: 15 * time.Minute,\n+\tTTL: 15 * time.Second,\n"), 0.4, 1, func(d diffFacts) bool { return len(d.values) == 1 && d.largestRatio() > 4 }},
		"configuration value": {patch("app.yaml", "@@ @@\n-  level: info\n+  level: debug\n"), 0.3, 1, func(d diffFacts) bool { return d.class == pathConfig && len(d.values) == 1 }},
		"call in a loop":      {patch("a/d.go", "@@ @@\n-\tall := db.LoadAll(ids)\n+\tfor _, id := range ids {\n+\t\tx := db.Load(id)\n+\t}\n"), 0.4, 1, func(d diffFacts) bool { return d.loopCalls }},
		"comments only":       {patch("a/e.go", "@@ @@\n-// old\n+// new\n"), 0, 0.05, nil},
		"test only":           {patch("a/e_test.go", "@@ @@\n-\tx()\n+\ty()\n"), 0, 0.05, func(d diffFacts) bool { return d.class == pathInert }},
		"dependency":          {patch("go.mod", "@@ @@\n-\tx v1.0.0\n+\tx v1.0.1\n"), 0, 0.2, func(d diffFacts) bool { return d.dependency }},
		"paths alone":         {&Change{Files: []ChangedFile{{Path: "a/f.go"}}}, 0.1, 0.4, func(d diffFacts) bool { return !d.known }},
		"nothing":             {&Change{}, 0, 0.05, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := digest(tt.change)
			if r := d.risk(&newConstants(nil).risk); r < tt.min || r > tt.max {
				t.Errorf("risk %.2f, want %.2f to %.2f (%+v)", r, tt.min, tt.max, d)
			}
			if tt.check != nil && !tt.check(d) {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestClassifyPath(t *testing.T) {
	for p, want := range map[string]pathClass{
		"services/a/main.go": pathCode, "a/b.py": pathCode, "web/src/App.tsx": pathCode, "Dockerfile": pathCode,
		"config/app.yaml": pathConfig, ".env.production": pathConfig, "a/settings.toml": pathConfig,
		"db/migrations/0001_init.py": pathSchema, "x/up.sql": pathSchema,
		"README.md": pathInert, "docs/x.go": pathInert, "a/b_test.go": pathInert, "tests/test_a.py": pathInert, "a/x.spec.ts": pathInert,
		".github/workflows/ci.yml": pathInert, "go.sum": pathInert, "web/style.css": pathInert, "CODEOWNERS": pathInert, "src/FooTest.java": pathInert,
	} {
		if got := classifyPath(p); got != want {
			t.Errorf("classifyPath(%q) = %d, want %d", p, got, want)
		}
	}
}

func TestLeadingNumber(t *testing.T) {
	for s, want := range map[string]float64{"50": 50, "5s": 5, "50ms": 0.05, "15m": 900, "\"2h\"": 7200, "1.5": 1.5, "time.Minute": 60} {
		if got, ok := leadingNumber(s); !ok || got != want {
			t.Errorf("leadingNumber(%q) = %v %v, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "abc", "\"x\""} {
		if _, ok := leadingNumber(s); ok {
			t.Errorf("leadingNumber(%q) is a number", s)
		}
	}
}

func TestSameCommit(t *testing.T) {
	if !sameCommit(shaGuilty, shaGuilty[:8]) || sameCommit(shaGuilty, shaMoved) || sameCommit("", "") || sameCommit("aaa", shaGuilty) {
		t.Error("comparison of hashes is wrong")
	}
}

func FuzzDigest(f *testing.F) {
	f.Add("a/b.go", "@@ -1 +1 @@\n-\tif x == nil {\n+\tfor {\n")
	f.Add("x.yaml", "@@\n-a: 1\n+a: '2\n")
	f.Fuzz(func(t *testing.T, path, patch string) {
		d := digest(&Change{Files: []ChangedFile{{Path: path, Patch: patch}}})
		if r := d.risk(&newConstants(nil).risk); r < 0 || r > 1 {
			t.Fatalf("risk %v", r)
		}
		_ = d.doings()
	})
}
