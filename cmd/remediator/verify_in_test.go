package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerifyInARepository checks a case as CI finds it: without its clone, beside a checkout that holds the commit.
func TestVerifyInARepository(t *testing.T) {
	out := filepath.Join(t.TempDir(), "case")
	if code, _, problem := remediatorCommand(t, "demo", "--out", out); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, problem)
	}
	c := loadCase(t, out)
	repo := filepath.Join(t.TempDir(), "repository.git")
	if code, _, problem := remediatorCommand(t, "verify", "--repo", filepath.Join(out, "repository.git"), out); code != exitInput || !strings.Contains(problem, "leave out --repo") {
		t.Errorf("a case with its clone: exit code %d\n%s", code, problem)
	}
	if err := os.Rename(filepath.Join(out, "repository.git"), repo); err != nil {
		t.Fatal(err)
	}
	// What the service lays beside the evidence when a person approved.
	if err := os.WriteFile(filepath.Join(out, approvalFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(more ...string) (int, string) {
		code, said, problem := remediatorCommand(t, append([]string{"verify", "--repo", repo}, append(more, out)...)...)
		return code, said + problem
	}
	if code, said := verify("--commit", c.Commit.SHA); code != exitOK || strings.Contains(said, "BROKEN") {
		t.Errorf("exit code %d\n%s", code, said)
	}
	if code, said := verify("--commit", c.Commit.Parent); code != exitNo || !strings.Contains(said, "BROKEN  statement") {
		t.Errorf("another head: exit code %d\n%s", code, said)
	}
	empty := t.TempDir()
	if code, _, _ := remediatorCommand(t, "verify", "--repo", empty, out); code != exitInput {
		t.Errorf("a directory that is no repository: exit code %d", code)
	}
	if err := os.WriteFile(filepath.Join(out, "extra.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := verify(); code != exitNo || !strings.Contains(said, "not signed: extra.txt") {
		t.Errorf("a file that nobody signed: exit code %d\n%s", code, said)
	}
}
