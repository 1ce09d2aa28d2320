package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/telemetry"
)

// jaegerDocument is a trace as Jaeger's user interface saves it.
const jaegerDocument = `{
  "data": [{"traceID": "2", "processes": {"p1": {"serviceName": "b"}},
    "spans": [{"traceID": "2", "spanID": "3", "operationName": "o", "startTime": 1700000000000000, "duration": 5, "processID": "p1"}]}]
}`

func protoOf(t *testing.T, line string) []byte {
	t.Helper()
	var u ptrace.JSONUnmarshaler
	td, err := u.UnmarshalTraces([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	var m ptrace.ProtoMarshaler
	b, err := m.MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOtherFormatsAndSeveralFilesAreRead(t *testing.T) {
	for _, name := range []string{"traces.json", "traces.pb", "traces.jsonl", "traces-2.json", "traces-from-b.pb.gz", "traces.json.zst"} {
		for form, data := range map[string][]byte{"otlp": []byte(traceLine), "proto": protoOf(t, traceLine), "jaeger": []byte(jaegerDocument)} {
			t.Run(name+" "+form, func(t *testing.T) {
				dir := t.TempDir()
				packed := data
				if strings.HasSuffix(name, ".gz") {
					packed = gz(t, data)
				} else if strings.HasSuffix(name, ".zst") {
					packed = zst(t, data)
				}
				write(t, dir, "incident/"+name, packed)
				b, err := Load(dir, Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if len(b.Evidence.Incident.Spans) != 1 || slices.Contains(b.Evidence.Missing, "incident/traces") {
					t.Errorf("%d spans, missing %v", len(b.Evidence.Incident.Spans), b.Evidence.Missing)
				}
			})
		}
	}
	dir := t.TempDir()
	write(t, dir, "incident/traces.jsonl", []byte(traceLine))
	write(t, dir, "incident/traces-ui.json", []byte(jaegerDocument))
	write(t, dir, "incident/notes.txt", []byte("mine"))
	write(t, dir, "incident/tracesother.json", []byte("mine too"))
	b, err := Load(dir, Limits{})
	if err != nil || len(b.Evidence.Incident.Spans) != 2 {
		t.Errorf("%d spans, %v", len(b.Evidence.Incident.Spans), err)
	}
}

func TestTheSameFileTwiceIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "incident/traces.jsonl", []byte(traceLine))
	write(t, dir, "incident/traces.jsonl.gz", gz(t, []byte(traceLine)))
	if _, err := Load(dir, Limits{}); err == nil || !strings.Contains(err.Error(), "keep one") {
		t.Errorf("error %v", err)
	}
}

func TestTheLimitHoldsForAllFilesOfASignal(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		write(t, dir, fmt.Sprintf("incident/traces-%d.jsonl", i), []byte(traceLine))
	}
	if _, err := Load(dir, Limits{Telemetry: int64(3 * len(traceLine))}); err != nil {
		t.Error(err)
	}
	if _, err := Load(dir, Limits{Telemetry: int64(3*len(traceLine)) - 1}); err == nil || !strings.Contains(err.Error(), "more data than allowed") {
		t.Errorf("error %v", err)
	}
}

func TestAWindowThatIsNoDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "incident", []byte("x"))
	if _, err := Load(dir, Limits{}); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("error %v", err)
	}
}

// A directory of documents as Jaeger has them is a bundle: each document of the public corpora loads.
func TestDocumentsOfTheCorporaAreBundles(t *testing.T) {
	for _, corpus := range []string{"crisp", "jaeger-traces"} {
		pattern := filepath.Join("..", "..", "..", "shared", "corpora", corpus, "*.json")
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Skipf("SKIPPED: nothing at %s, loading it not tested", pattern)
		}
		dir := t.TempDir()
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if name := filepath.Base(f); name != "corpus.json" {
				write(t, dir, "incident/traces-"+name, data)
			}
		}
		b, err := Load(dir, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if traces := telemetry.GroupTraces(b.Evidence.Incident.Spans); len(traces) == 0 {
			t.Errorf("%s: no traces, notes %v", corpus, b.Evidence.Incident.Notes)
		}
	}
}
