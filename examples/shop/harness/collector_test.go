package main

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

var noon = time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)

func export(t *testing.T, c *collector, path string, text []byte, zipped bool) int {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(text))
	if zipped {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(text)
		_ = w.Close()
		r = httptest.NewRequest(http.MethodPost, path, &packed)
		r.Header.Set("Content-Encoding", "gzip")
	}
	rec := httptest.NewRecorder()
	c.ServeHTTP(rec, r)
	return rec.Code
}

// spans exports spans of one trace that start at the given times.
func spans(t *testing.T, c *collector, trace byte, starts ...time.Time) {
	t.Helper()
	td := ptrace.NewTraces()
	ss := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	for i, at := range starts {
		s := ss.Spans().AppendEmpty()
		s.SetTraceID(pcommon.TraceID{trace})
		s.SetSpanID(pcommon.SpanID{trace, byte(i)})
		s.SetName("in /tmp/work/x")
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
	}
	text, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	if code := export(t, c, "/v1/traces", text, trace%2 == 0); code != http.StatusOK {
		t.Fatalf("export = %d", code)
	}
}

func lines(t *testing.T, packed []byte) []string {
	t.Helper()
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	text, err := d.DecodeAll(packed, nil)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func same(text []byte) []byte { return text }

func TestWindowsKeepTracesWhole(t *testing.T) {
	c := &collector{}
	spans(t, c, 1, noon.Add(-time.Second), noon.Add(time.Second)) // began before
	spans(t, c, 2, noon.Add(time.Second), noon.Add(time.Minute))  // began inside, ends outside
	spans(t, c, 3, noon.Add(10*time.Second))                      // the end is excluded
	files, err := c.files(window{noon, noon.Add(10 * time.Second)}, same)
	if err != nil {
		t.Fatal(err)
	}
	got := lines(t, files["traces.jsonl.zst"])
	if len(got) != 1 {
		t.Fatalf("%d lines, want that of the one trace", len(got))
	}
	kept, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces([]byte(got[0]))
	if err != nil {
		t.Fatal(err)
	}
	if kept.SpanCount() != 2 || kept.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID() != (pcommon.TraceID{2}) {
		t.Errorf("kept %s", got[0])
	}
	if files["logs.jsonl.zst"] != nil || files["metrics.jsonl.zst"] != nil {
		t.Error("files for signals of which nothing was received")
	}
}

func TestLogsAndMetricsByTime(t *testing.T) {
	c := &collector{}
	spans(t, c, 1, noon)
	for i, at := range []time.Time{noon.Add(-time.Second), noon, noon.Add(time.Hour)} {
		ld := plog.NewLogs()
		record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		record.Body().SetStr("record")
		if i == 1 {
			record.SetObservedTimestamp(pcommon.NewTimestampFromTime(at)) // some senders set this one only
		} else {
			record.SetTimestamp(pcommon.NewTimestampFromTime(at))
		}
		text, err := plogotlp.NewExportRequestFromLogs(ld).MarshalProto()
		if err != nil {
			t.Fatal(err)
		}
		export(t, c, "/v1/logs", text, false)

		md := pmetric.NewMetrics()
		m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
		m.SetName("requests")
		m.SetEmptySum().DataPoints().AppendEmpty().SetTimestamp(pcommon.NewTimestampFromTime(at))
		if text, err = pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto(); err != nil {
			t.Fatal(err)
		}
		export(t, c, "/v1/metrics", text, false)
	}
	files, err := c.files(window{noon, noon.Add(time.Minute)}, same)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"logs.jsonl.zst", "metrics.jsonl.zst"} {
		if got := lines(t, files[name]); len(got) != 1 {
			t.Errorf("%s has %d lines, want one", name, len(got))
		}
	}
}

func TestCollectorRefuses(t *testing.T) {
	c := &collector{}
	for path, text := range map[string]string{"/v1/traces": "\xff\xff", "/v1/logs": "\xff\xff", "/v1/metrics": "\xff\xff", "/v1/profiles": ""} {
		if code := export(t, c, path, []byte(text), false); code != http.StatusBadRequest {
			t.Errorf("%s: %d, want 400", path, code)
		}
	}
	if _, err := c.files(window{noon, noon.Add(time.Hour)}, same); err == nil {
		t.Error("a window without spans was accepted")
	}
}

func TestMachineFree(t *testing.T) {
	c := &collector{}
	spans(t, c, 1, noon)
	files, err := c.files(window{noon, noon.Add(time.Second)}, machineFree("/tmp/work", []string{"/tmp/py"}, build{dir: "/tmp/work/x"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := lines(t, files["traces.jsonl.zst"])[0]; strings.Contains(got, "/tmp/work") || !strings.Contains(got, "in /srv/shop") {
		t.Errorf("recorded %s", got)
	}
}
