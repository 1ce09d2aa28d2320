package bundle

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/localize"
)

var written1 = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func oneSpan(n byte) ptrace.Traces {
	td := ptrace.NewTraces()
	s := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetTraceID(pcommon.TraceID{n})
	s.SetSpanID(pcommon.SpanID{n})
	s.SetName("line\nbreak")
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(written1))
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(written1.Add(time.Second)))
	return td
}

// TestWriterWritesWhatLoadReads: and what was not written is missing.
func TestWriterWritesWhatLoadReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "case")
	w, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	ld := plog.NewLogs()
	r := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	r.SetTimestamp(pcommon.NewTimestampFromTime(written1))
	r.Body().SetStr("hello")
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("load")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(written1))
	p.SetDoubleValue(0.5)
	for _, err := range []error{
		w.Alert([]byte(`{"status":"firing"}`)), w.Traces("incident", oneSpan(1)), w.Traces("incident", oneSpan(2)), w.Logs("incident", ld), w.Metrics("baseline", md),
		w.Context([]localize.Change{{SHA: "abc", Time: written1}}, nil, nil), w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := Load(dir, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ev := b.Evidence
	if string(b.Alert) != `{"status":"firing"}` || len(ev.Incident.Spans) != 2 || ev.Incident.Spans[0].Name != "line\nbreak" || len(ev.Incident.Logs) != 1 || len(ev.Baseline.Metrics) != 1 || len(ev.Changes) != 1 {
		t.Errorf("%s %+v", b.Alert, ev)
	}
	if len(ev.Missing) != 5 { // incident/metrics, baseline/traces, baseline/logs, context/deploys, context/flags
		t.Error(ev.Missing)
	}
	if err := w.Alert(nil); err == nil {
		t.Error("written after the end")
	}
}

// TestWriterOverwritesNothing: neither a file that is there nor, through a link, one elsewhere.
func TestWriterOverwritesNothing(t *testing.T) {
	for name, prepare := range map[string]func(dir, outside string) error{
		"a file": func(dir, _ string) error {
			return os.WriteFile(filepath.Join(dir, "alert.json"), []byte("mine"), 0o600)
		},
		"a link": func(dir, outside string) error { return os.Symlink(outside, filepath.Join(dir, "alert.json")) },
		"a link as its directory": func(dir, outside string) error {
			return os.Symlink(filepath.Dir(outside), filepath.Join(dir, "incident"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "traces.jsonl.zst")
			if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := prepare(dir, outside); err != nil {
				t.Fatal(err)
			}
			w, err := Create(dir)
			if err != nil {
				t.Fatal(err)
			}
			first := w.Alert([]byte("theirs"))
			second := w.Traces("incident", oneSpan(1))
			if first == nil && second == nil {
				t.Error("no error")
			}
			if w.Close() == nil {
				t.Error("the end says nothing of it")
			}
			for _, path := range []string{outside, filepath.Join(dir, "alert.json")} {
				if data, err := os.ReadFile(path); err == nil && string(data) != "mine" && name != "a link as its directory" {
					t.Errorf("%s holds %q", path, data)
				}
			}
			if data, _ := os.ReadFile(outside); string(data) != "mine" {
				t.Errorf("outside holds %q", data)
			}
		})
	}
}
