package policy

import (
	"context"
	"testing"
	"testing/fstest"
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
