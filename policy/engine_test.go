package policy

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pgregory.net/rapid"
)

func engine(t testing.TB, o Options) *Engine {
	t.Helper()
	e, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// good is a code change that no rule objects to.
func good() Facts {
	return Facts{
		Rung: "code", Recipe: "go-retry-backoff@1", Service: "billing", Paths: []string{"services/billing/**"},
		Files: []File{
			{Path: "services/billing/client.go", Kind: "source", Status: "modified", Added: 20, Deleted: 3},
			{Path: "services/billing/client_retry_test.go", Kind: "test", Status: "added", Added: 60},
		},
		Flag:  &Flag{Name: "billing-retry", Provider: "env"},
		Tests: 1, Telemetry: []string{"retry.count"}, Confidence: 0.9,
	}
}

func decide(t testing.TB, e *Engine, f Facts) Decision {
	t.Helper()
	d, err := e.Decide(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDecideAllowsAGoodPatchAndNamesEveryRule(t *testing.T) {
	d := decide(t, engine(t, Options{}), good())
	if d.Outcome != Allow || len(d.Findings) != 0 {
		t.Errorf("decision is %+v", d)
	}
	if len(d.Rules) < 20 || len(d.Bundle) != 64 {
		t.Errorf("rules are %v, bundle %q", d.Rules, d.Bundle)
	}
}

func TestDecideExplainsWithValueAndLimit(t *testing.T) {
	f := good()
	f.Files[0].Added = 500
	f.Confidence = 0.2
	d := decide(t, engine(t, Options{Thresholds: map[string]float64{"size.lines": 80}}), f)
	if d.Outcome != Deny || len(d.Findings) != 2 {
		t.Fatalf("decision is %+v", d)
	}
	first := d.Findings[0]
	if first.Rule != "size.lines" || first.Effect != Deny || first.Value != 503.0 || first.Limit != 80.0 ||
		first.Message != "503 lines change outside tests, the limit is 80" {
		t.Errorf("finding is %+v", first)
	}
	if d.Findings[1].Rule != "confidence.low" || d.Findings[1].Effect != Hold {
		t.Errorf("second finding is %+v", d.Findings[1])
	}
}

func TestUserRulesAddAndNeverRemove(t *testing.T) {
	user := fstest.MapFS{"own.rego": {Data: []byte(`package remediator.user.own
hold contains {"rule": "friday", "message": "no changes to client.go", "path": f.path} if {
	some f in input.files
	endswith(f.path, "client.go")
}
deny contains "plain text" if input.service == "payroll"
`)}}
	e := engine(t, Options{Bundle: user})
	d := decide(t, e, good())
	if d.Outcome != Hold || len(d.Findings) != 1 || d.Findings[0].Rule != "user.own.friday" || d.Findings[0].Path == "" {
		t.Errorf("decision is %+v", d)
	}
	f := good()
	f.Service = "payroll"
	if d := decide(t, e, f); d.Outcome != Deny || d.Findings[0].Message != "plain text" {
		t.Errorf("decision is %+v", d)
	}
	if e.Digest() == engine(t, Options{}).Digest() {
		t.Error("the digest does not cover the repository's rules")
	}
}

func TestNewRefusesRulesThatCouldNotObject(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"another package":   {"package remediator.rules.size\ndeny contains 1 if false", "rules of a repository live in package remediator.user.NAME"},
		"the root":          {"package remediator\nfindings contains 1 if false", "package remediator.user.NAME"},
		"a deeper package":  {"package remediator.user.a.b\ndeny contains 1 if true", "package remediator.user.NAME"},
		"no objection":      {"package remediator.user.a\nallow if true", "neither a deny nor a hold"},
		"deny is no set":    {"package remediator.user.a\ndeny := \"no\" if true", "deny has to be a set"},
		"deny is an object": {"package remediator.user.a\ndeny[\"a\"] := 1 if true", "deny has to be a set"},
		"syntax":            {"package remediator.user.a\ndeny contains", "rego_parse_error"},
		"empty":             {"", "policy: "},
		"network":           {"package remediator.user.a\ndeny contains x if x := http.send({\"url\": \"http://x\", \"method\": \"get\"})", "undefined function http.send"},
		"environment":       {"package remediator.user.a\ndeny contains x if x := opa.runtime().env", "undefined function opa.runtime"},
		"clock":             {"package remediator.user.a\ndeny contains x if x := time.now_ns()", "undefined function time.now_ns"},
		"randomness":        {"package remediator.user.a\ndeny contains x if x := rand.intn(\"a\", 3)", "undefined function rand.intn"},
		"name service":      {"package remediator.user.a\ndeny contains x if x := net.lookup_ip_addr(\"a\")", "undefined function net.lookup_ip_addr"},
		"recursion":         {"package remediator.user.a\ndeny contains x if some x in data.remediator.findings", "recursive"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(context.Background(), Options{Bundle: fstest.MapFS{"x.rego": {Data: []byte(c.text)}}})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %q in it", err, c.want)
			}
		})
	}
	if _, err := New(context.Background(), Options{Bundle: fstest.MapFS{"a.txt": {}}}); err == nil || !strings.Contains(err.Error(), "holds no .rego file") {
		t.Errorf("a bundle without rules gives %v", err)
	}
	link := fstest.MapFS{"x.rego": {Data: []byte("y"), Mode: fs.ModeSymlink}}
	if _, err := New(context.Background(), Options{Bundle: link}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a link gives %v", err)
	}
	large := fstest.MapFS{"x.rego": {Data: []byte(strings.Repeat("#", maxUserBytes+1))}}
	if _, err := New(context.Background(), Options{Bundle: large}); err == nil || !strings.Contains(err.Error(), "are more than") {
		t.Errorf("a large bundle gives %v", err)
	}
}

func TestThresholdsAreCheckedAndPartOfTheDigest(t *testing.T) {
	for name, v := range map[string]float64{"size.linez": 1, "size.lines": -1, "size.files": math.NaN(), "confidence.low": math.Inf(1)} {
		if _, err := New(context.Background(), Options{Thresholds: map[string]float64{name: v}}); err == nil {
			t.Errorf("threshold %s = %v was accepted", name, v)
		}
	}
	a, b := engine(t, Options{}), engine(t, Options{Thresholds: map[string]float64{"size.lines": 1}})
	c := engine(t, Options{Protected: []string{"golden"}})
	if a.Digest() == b.Digest() || a.Digest() == c.Digest() || a.Digest() != engine(t, Options{}).Digest() {
		t.Error("the digest does not tell rules apart")
	}
}

func TestProtectedPathsOfTheConfiguration(t *testing.T) {
	f := good()
	f.Files[0].Path = "services/billing/golden/a.json"
	d := decide(t, engine(t, Options{Protected: []string{"./services/billing/golden/"}}), f)
	if d.Outcome != Deny || d.Findings[0].Rule != "banned.protected" {
		t.Errorf("decision is %+v", d)
	}
}

func TestDecideEndsWithinItsTime(t *testing.T) {
	user := fstest.MapFS{"x.rego": {Data: []byte(`package remediator.user.slow
deny contains "never" if {
	some i in numbers.range(1, 100000)
	some j in numbers.range(1, 100000)
	i * j == -1
}`)}}
	e := engine(t, Options{Bundle: user, Timeout: 50 * time.Millisecond})
	start := time.Now()
	_, err := e.Decide(context.Background(), good())
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 10*time.Second {
		t.Errorf("after %v the error is %v", time.Since(start), err)
	}
}

func TestARuleThatFailsIsAnErrorAndNeverSilence(t *testing.T) {
	user := fstest.MapFS{"x.rego": {Data: []byte("package remediator.user.broken\ndeny contains \"x\" if to_number(input.service) > 1\n")}}
	if _, err := engine(t, Options{Bundle: user}).Decide(context.Background(), good()); err == nil {
		t.Error("a rule that could not be evaluated was passed over")
	}
}

func TestDecideIsDeterministicAndTakesAnyFacts(t *testing.T) {
	e := engine(t, Options{})
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "code", "revert", "a/b.go", "source", "test", "modified", "services/**", "[", "**"}))
		number := rapid.IntRange(-10, 1000)
		f := Facts{
			Rung: text.Draw(t, "rung"), Service: text.Draw(t, "service"), Paths: rapid.SliceOfN(rapid.SampledFrom([]string{".", "a", "services/**", "**/x.go", ""}), 0, 3).Draw(t, "paths"),
			Tests: number.Draw(t, "tests"), Confidence: rapid.Float64Range(0, 1).Draw(t, "confidence"),
		}
		for range rapid.IntRange(0, 4).Draw(t, "files") {
			f.Files = append(f.Files, File{Path: text.Draw(t, "path"), OldPath: text.Draw(t, "old"), Kind: text.Draw(t, "kind"),
				Status: text.Draw(t, "status"), Added: number.Draw(t, "added"), Deleted: number.Draw(t, "deleted"), Mode: text.Draw(t, "mode")})
		}
		first, err := e.Decide(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		second, err := e.Decide(context.Background(), f)
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Fatalf("%+v, then %+v (%v)", first, second, err)
		}
		if (first.Outcome == Allow) != (len(first.Findings) == 0) {
			t.Fatalf("outcome %s with %d findings", first.Outcome, len(first.Findings))
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	e := engine(b, Options{})
	f := good()
	for range 6 {
		f.Files = append(f.Files, File{Path: "services/billing/more.go", Kind: "source", Status: "modified", Added: 3, Deleted: 2})
	}
	for b.Loop() {
		decide(b, e, f)
	}
}
