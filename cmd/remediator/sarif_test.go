package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sarifResults reads a log as code scanning would.
func sarifResults(t *testing.T, text string) []map[string]any {
	t.Helper()
	var log struct {
		Version string
		Runs    []struct {
			Tool    struct{ Driver struct{ Name string } }
			Results []map[string]any
		}
	}
	if err := json.Unmarshal([]byte(text), &log); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name != "remediator" || log.Runs[0].Results == nil {
		t.Fatalf("not a log with one run:\n%s", text)
	}
	return log.Runs[0].Results
}

func TestPolicyCheckAsSARIF(t *testing.T) {
	dir := t.TempDir()
	diff := filepath.Join(dir, "x.diff")
	text := "diff --git a/.github/workflows/ci x.yml b/.github/workflows/ci x.yml\nnew file mode 100644\nindex 0000000..1269488\n--- /dev/null\n+++ b/.github/workflows/ci x.yml\n@@ -0,0 +1 @@\n+data\n"
	if err := os.WriteFile(diff, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, problem := remediatorCommand(t, "policy", "check", "--diff", diff, "--repo", dir, "--format", "sarif")
	if code != exitNo {
		t.Fatalf("exit code %d\n%s", code, problem)
	}
	located := false
	for _, r := range sarifResults(t, out) {
		located = located || strings.Contains(out, `"uri": ".github/workflows/ci%20x.yml"`)
		if r["ruleId"] == "" || r["level"] == nil {
			t.Errorf("result %v", r)
		}
	}
	if !located {
		t.Errorf("no result names the file:\n%s", out)
	}
}

func TestLocalizeAsSARIF(t *testing.T) {
	code, out, problem := remediatorCommand(t, "localize", "--incident", filepath.Join("..", "..", "testdata", "incidents", "retry-storm"), "--format", "sarif")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s", code, problem)
	}
	results := sarifResults(t, out)
	if len(results) == 0 || !strings.Contains(results[0]["message"].(map[string]any)["text"].(string), "payments") {
		t.Errorf("results %v", results)
	}
}
