package bundle

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"
)

func fetchedBundle(t *testing.T, summary any) string {
	t.Helper()
	dir := t.TempDir()
	w, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	ld := plog.NewLogs()
	r := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.Body().SetStr("x")
	r.SetTimestamp(1_700_000_000_000_000_000)
	if err := w.Logs("incident", ld); err != nil {
		t.Fatal(err)
	}
	if err := w.Fetched(summary); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatWasFetchedInPartIsNamed(t *testing.T) {
	type report map[string]any
	dir := fetchedBundle(t, map[string]any{"reports": []report{
		{"source": "loki at x", "window": "incident", "partial": []string{"half"}},
		{"source": "loki at x", "window": "incident", "partial": []string{"another half"}},
		{"source": "prometheus at y", "window": "baseline", "error": "down"}, // there is none of it, which is said already
		{"source": "tempo at z", "window": "incident"},
		{"source": "loki at x", "window": "../../etc", "partial": []string{"x"}},
	}})
	b, err := Load(dir, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, m := range b.Evidence.Missing {
		if strings.HasPrefix(m, "a part of ") {
			parts = append(parts, m)
		}
	}
	if !slices.Equal(parts, []string{"a part of incident/logs"}) || !slices.Contains(b.Evidence.Missing, "baseline/metrics") {
		t.Errorf("missing is %q", b.Evidence.Missing)
	}
	if err := os.WriteFile(filepath.Join(dir, "context", "fetch.json"), []byte("[1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, Limits{}); err == nil || !strings.Contains(err.Error(), "context/fetch.json") {
		t.Errorf("a broken summary: %v", err)
	}
}
