package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remediator/remediator/examples/shop"
	"github.com/remediator/remediator/testdata/incidents"
)

// TestLocalizeInARepository: the bundle does not say what was changed, so the repository's history does, and suspects are
// pointed at its code.
func TestLocalizeInARepository(t *testing.T) {
	t.Parallel()
	const scenario = "n-plus-one"
	dir := t.TempDir()
	bundle, repo := filepath.Join(dir, "incident"), filepath.Join(dir, "shop")
	if err := os.CopyFS(bundle, incidents.Files); err != nil {
		t.Fatal(err)
	}
	bundle = filepath.Join(bundle, scenario)
	if err := os.RemoveAll(filepath.Join(bundle, "context")); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.BuildHistory(repo, scenario); err != nil {
		t.Fatal(err)
	}
	code, out, problem := remediatorCommand(t, "localize", "--incident", bundle, "--repo", repo, "--format", "json")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, problem)
	}
	var got located
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Suspects) == 0 || len(got.Code) != len(got.Suspects) {
		t.Fatalf("%d suspects, %d of them looked up in the code", len(got.Suspects), len(got.Code))
	}
	for i, s := range got.Code {
		if s.Service != got.Suspects[i].Service || s.Rank != i+1 {
			t.Errorf("suspect %d is %s, looked up was %s", i+1, got.Suspects[i].Service, s.Service)
		}
	}
	var truth struct{ File, Commit string }
	if raw, err := os.ReadFile(filepath.Join(bundle, "truth.json")); err != nil || json.Unmarshal(raw, &truth) != nil {
		t.Fatal(err)
	}
	first := got.Code[0]
	if first.File != truth.File || first.Line == 0 || first.Commit != truth.Commit {
		t.Errorf("at %s:%d, blamed %q of %+v; want %+v", first.File, first.Line, first.Commit, got.Changes, truth)
	}

	code, out, _ = remediatorCommand(t, "localize", "--incident", bundle, "--repo", repo, "--format", "sarif")
	if physical := sarifResults(t, out)[0]["locations"].([]any)[0].(map[string]any)["physicalLocation"]; code != 0 || physical == nil {
		t.Errorf("exit code %d, no file in the first result", code)
	}
	if code, _, problem := remediatorCommand(t, "localize", "--incident", bundle, "--repo", bundle); code != exitInput || !strings.Contains(problem, "--repo") {
		t.Errorf("a directory that is no repository: exit code %d, %s", code, problem)
	}
}
