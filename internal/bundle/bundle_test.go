package bundle

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

const traceLine = `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"n","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000"}]}]}]}` + "\n"

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func gz(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zst(t *testing.T, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

func TestLoadReadsPlainAndCompressedFiles(t *testing.T) {
	for ending, pack := range map[string]func(*testing.T, []byte) []byte{
		"": func(_ *testing.T, b []byte) []byte { return b }, ".gz": gz, ".zst": zst,
	} {
		t.Run("jsonl"+ending, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "alert.json", []byte(`{"version":"4"}`))
			write(t, dir, "incident/traces.jsonl"+ending, pack(t, []byte(traceLine)))
			write(t, dir, "context/changes.json", []byte(`[{"sha":"b","time":"2026-01-02T00:00:00Z"},{"sha":"a","time":"2026-01-01T00:00:00Z","files":[{"path":"x.go","patch":"@@"}]}]`))
			b, err := Load(dir, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Evidence.Incident.Spans) != 1 || string(b.Alert) != `{"version":"4"}` {
				t.Errorf("%d spans, alert %s", len(b.Evidence.Incident.Spans), b.Alert)
			}
			if len(b.Evidence.Changes) != 2 || b.Evidence.Changes[0].SHA != "a" || b.Evidence.Changes[0].Files[0].Path != "x.go" {
				t.Errorf("changes %+v", b.Evidence.Changes)
			}
			want := []string{"incident/logs", "incident/metrics", "baseline/traces", "baseline/logs", "baseline/metrics", "context/deploys", "context/flags"}
			if !slices.Equal(b.Evidence.Missing, want) {
				t.Errorf("missing %v, want %v", b.Evidence.Missing, want)
			}
		})
	}
}

func TestLoadErrorsOfferTheNextStep(t *testing.T) {
	tests := map[string]struct {
		fill func(t *testing.T, dir string)
		want string
	}{
		"no telemetry": {func(t *testing.T, dir string) { write(t, dir, "alert.json", []byte("{}")) }, "file exporter"},
		"empty files":  {func(t *testing.T, dir string) { write(t, dir, "incident/traces.jsonl", nil) }, "file exporter"},
		"nonsense":     {func(t *testing.T, dir string) { write(t, dir, "incident/traces.jsonl", []byte("x\ny\n")) }, "one JSON object per line"},
		"not gzip":     {func(t *testing.T, dir string) { write(t, dir, "incident/traces.jsonl.gz", []byte("plain")) }, "not gzip"},
		"bad changes": {func(t *testing.T, dir string) {
			write(t, dir, "incident/traces.jsonl", []byte(traceLine))
			write(t, dir, "context/changes.json", []byte("{}"))
		}, "context/changes.json"},
		"large alert": {func(t *testing.T, dir string) { write(t, dir, "alert.json", make([]byte, 2<<10)) }, "larger than"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tt.fill(t, dir)
			_, err := Load(dir, Limits{Alert: 1 << 10})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none"), Limits{}); err == nil || !strings.Contains(err.Error(), "alert.json") {
		t.Errorf("missing directory: %v", err)
	}
	file := filepath.Join(t.TempDir(), "bundle.tar")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, Limits{}); err == nil || !strings.Contains(err.Error(), "has to be unpacked") {
		t.Errorf("a file in place of the directory: %v", err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := exec.Command("mkfifo", pipe).Run(); err != nil {
		t.Skip("no named pipes here:", err)
	}
	if _, err := Load(pipe, Limits{}); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a pipe in place of the directory: %v", err)
	}
}

func TestDecompressionBombsAreStopped(t *testing.T) {
	bomb := bytes.Repeat([]byte("\n"), 8<<20)
	for ending, pack := range map[string]func(*testing.T, []byte) []byte{".gz": gz, ".zst": zst} {
		dir := t.TempDir()
		write(t, dir, "incident/traces.jsonl"+ending, pack(t, bomb))
		_, err := Load(dir, Limits{Telemetry: 1 << 20})
		if err == nil || !strings.Contains(err.Error(), "more data than allowed") {
			t.Errorf("%s: %v", ending, err)
		}
	}
}

// A few kilobytes may not keep the reader busy up to the limit of all telemetry.
func TestFilesThatUnpackBeyondAllTelemetryAreRefused(t *testing.T) {
	bomb := bytes.Repeat([]byte("\n"), smallBytes+1<<20)
	for ending, pack := range map[string]func(*testing.T, []byte) []byte{".gz": gz, ".zst": zst} {
		dir := t.TempDir()
		write(t, dir, "incident/traces.jsonl"+ending, pack(t, bomb))
		if _, err := Load(dir, Limits{}); err == nil || !strings.Contains(err.Error(), "unpacks to more than") {
			t.Errorf("%s: %v", ending, err)
		}
		write(t, dir, "incident/traces.jsonl"+ending, pack(t, append(bytes.Repeat([]byte("\n"), smallBytes/2), traceLine...)))
		if _, err := Load(dir, Limits{}); err != nil {
			t.Errorf("%s: a small file: %v", ending, err)
		}
	}
}

func TestAFileOfExactlyTheLimitIsRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "incident/traces.jsonl.gz", gz(t, []byte(traceLine)))
	if _, err := Load(dir, Limits{Telemetry: int64(len(traceLine))}); err != nil {
		t.Error(err)
	}
}

func TestLinksAreRefused(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, "traces.jsonl", []byte(traceLine))
	for name, link := range map[string]string{"file": "incident/traces.jsonl", "directory": "incident"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			target := outside
			if name == "file" {
				target = filepath.Join(outside, "traces.jsonl")
				if err := os.Mkdir(filepath.Join(dir, "incident"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink(target, filepath.Join(dir, filepath.FromSlash(link))); err != nil {
				t.Skip(err)
			}
			if _, err := Load(dir, Limits{}); err == nil || !strings.Contains(err.Error(), "link") {
				t.Errorf("followed: %v", err)
			}
		})
	}
}

// The answer beside the question is a trap: reading it must be impossible, not merely unused.
func TestTruthIsNeverRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "incident/traces.jsonl", []byte(traceLine))
	if err := os.Mkdir(filepath.Join(dir, "truth.json"), 0o000); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, Limits{}); err != nil {
		t.Errorf("loading stumbled over truth.json: %v", err)
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range sources {
		if strings.HasSuffix(f, "_test.go") || f == "doc.go" {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(src, []byte("truth")) {
			t.Errorf("%s mentions the answer file", f)
		}
	}
}

func TestFilesThatHoldNothingUsableAreNamed(t *testing.T) {
	empty, misnamed, wrong := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, empty, "incident/traces.jsonl", nil)
	write(t, misnamed, "incident/jae\x1bger.json", []byte(traceLine))
	write(t, wrong, "incident/traces.jsonl", []byte(strings.ReplaceAll(traceLine, `"endTimeUnixNano":"17`, `"endTimeUnixNano":"93`)))
	for dir, want := range map[string]string{empty: "traces.jsonl", misnamed: `jae\x1bger.json`, wrong: "(1)"} {
		_, err := Load(dir, Limits{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "name files traces") {
			t.Errorf("error %v, want one with %q and the next step", err, want)
		}
	}
}

func TestFilesThatAreCutShortSaySo(t *testing.T) {
	dir := t.TempDir()
	whole := gz(t, []byte(strings.Repeat(traceLine, 100)))
	write(t, dir, "incident/traces.jsonl.gz", whole[:len(whole)/2])
	if _, err := Load(dir, Limits{}); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("error %v, want one that says the file is cut short", err)
	}
}
