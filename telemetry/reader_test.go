package telemetry

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// base is the time all test telemetry starts at.
const base = int64(1_700_000_000_000_000_000)

// traceData writes OTLP for tests.
type traceData struct{ td ptrace.Traces }

func newTraceData() *traceData { return &traceData{ptrace.NewTraces()} }

// span adds a span of a service; times are offsets from base.
func (d *traceData) span(service string, trace, id, parent byte, name string, start, length time.Duration, attrs map[string]any) ptrace.Span {
	rs := d.td.ResourceSpans().AppendEmpty()
	if service != "" {
		rs.Resource().Attributes().PutStr("service.name", service)
	}
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetTraceID(pcommon.TraceID{15: trace})
	s.SetSpanID(pcommon.SpanID{7: id})
	if parent != 0 {
		s.SetParentSpanID(pcommon.SpanID{7: parent})
	}
	s.SetName(name)
	s.SetStartTimestamp(pcommon.Timestamp(base + int64(start)))
	s.SetEndTimestamp(pcommon.Timestamp(base + int64(start+length)))
	if err := s.Attributes().FromRaw(attrs); err != nil {
		panic(err)
	}
	return s
}

func (d *traceData) dataset(t *testing.T) Dataset {
	t.Helper()
	r := NewReader(Options{})
	r.AddTraces(d.td)
	return r.Dataset()
}

func noteCount(ds Dataset, code string) int {
	for _, n := range ds.Notes {
		if n.Code == code {
			if n.Text == "" {
				panic("note without text: " + code)
			}
			return n.Count
		}
	}
	return 0
}

func TestAttributesGetTheirCurrentNames(t *testing.T) {
	tests := []struct {
		name string
		kind ptrace.SpanKind
		in   map[string]any
		want map[string]string
	}{
		{"http server", ptrace.SpanKindServer,
			map[string]any{"http.method": "GET", "http.status_code": 200, "http.target": "/a/7?x=1", "net.peer.name": "10.0.0.9", "net.host.name": "shop"},
			map[string]string{AttrHTTPMethod: "GET", AttrHTTPStatus: "200", AttrURLPath: "/a/7", AttrURLQuery: "x=1", AttrClientAddress: "10.0.0.9", AttrServerAddress: "shop"}},
		{"http client", ptrace.SpanKindClient,
			map[string]any{"http.url": "http://bank:80/pay", "net.peer.name": "bank", "net.peer.port": 80},
			map[string]string{AttrURLFull: "http://bank:80/pay", AttrServerAddress: "bank", AttrServerPort: "80"}},
		{"rpc", ptrace.SpanKindClient,
			map[string]any{"rpc.system": "grpc", "rpc.grpc.status_code": 14, "rpc.service": "a.B"},
			map[string]string{AttrRPCSystem: "grpc", AttrRPCStatus: "UNAVAILABLE", AttrRPCService: "a.B"}},
		{"database", ptrace.SpanKindClient,
			map[string]any{"db.system": "mysql", "db.statement": "SELECT 1", "db.name": "shop", "db.sql.table": "t"},
			map[string]string{AttrDBSystem: "mysql", AttrDBQuery: "SELECT 1", AttrDBNamespace: "shop", AttrDBCollection: "t"}},
		{"messaging", ptrace.SpanKindProducer,
			map[string]any{"messaging.destination": "orders", "messaging.operation": "publish", "messaging.kafka.consumer.group": "g"},
			map[string]string{AttrMsgDestination: "orders", AttrMsgOperation: "send", AttrMsgGroup: "g"}},
		{"code", ptrace.SpanKindInternal,
			map[string]any{"code.filepath": "a/b.go", "code.lineno": 12, "code.function": "F", "code.namespace": "a.b"},
			map[string]string{AttrCodeFile: "a/b.go", AttrCodeLine: "12", AttrCodeFunction: "F", AttrCodeNamespace: "a.b"}},
		{"current name wins over the old one", ptrace.SpanKindServer,
			map[string]any{"http.method": "OLD", "http.request.method": "NEW"},
			map[string]string{AttrHTTPMethod: "NEW"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTraceData()
			d.span("s", 1, 1, 0, "n", 0, time.Second, tt.in).SetKind(tt.kind)
			s := d.dataset(t).Spans[0]
			for k, v := range tt.want {
				if got := s.Attrs.Get(k); got != v {
					t.Errorf("%s = %q, want %q (all: %v)", k, got, v, s.Attrs)
				}
			}
			for i := 1; i < len(s.Attrs); i++ {
				if s.Attrs[i-1].Key >= s.Attrs[i].Key {
					t.Errorf("attributes are not sorted: %v", s.Attrs)
				}
			}
			for _, a := range s.Attrs {
				if strings.Contains(a.Key, "\x00") {
					t.Errorf("mark left in key %q", a.Key)
				}
				if _, old := aliases[a.Key]; old && aliases[a.Key] != a.Key {
					t.Errorf("old name %q left", a.Key)
				}
			}
		})
	}
}

func TestAliasTableLeadsToCurrentNamesOnly(t *testing.T) {
	for from, to := range aliases {
		if next, ok := aliases[to]; ok && next != to {
			t.Errorf("%q leads to %q, which is itself renamed to %q", from, to, next)
		}
	}
}

func TestKindAndStatusAreInferredAndMarked(t *testing.T) {
	d := newTraceData()
	d.span("edge", 1, 1, 0, "in", 0, time.Second, nil)
	d.span("edge", 1, 2, 1, "call", 0, time.Second, nil)
	d.span("back", 1, 3, 2, "work", 0, time.Second, map[string]any{"http.status_code": 503})
	d.span("back", 1, 4, 3, "q", 0, time.Second, map[string]any{"db.system": "redis", "error": true})
	d.span("back", 1, 5, 3, "nf", 0, time.Second, map[string]any{"http.status_code": 404})
	ds := d.dataset(t)
	got := map[string]Span{}
	for _, s := range ds.Spans {
		got[s.Name] = s
	}
	for name, want := range map[string]struct {
		kind   Kind
		status StatusCode
	}{"call": {KindClient, StatusUnset}, "work": {KindServer, StatusError}, "q": {KindClient, StatusError}, "nf": {KindUnspecified, StatusUnset}} {
		s := got[name]
		if s.Kind != want.kind || s.Status != want.status {
			t.Errorf("%s: kind %v status %v, want %v %v", name, s.Kind, s.Status, want.kind, want.status)
		}
		if s.KindInferred != (want.kind != KindUnspecified) || s.StatusInferred != (want.status != StatusUnset) {
			t.Errorf("%s: inferred marks are %v %v", name, s.KindInferred, s.StatusInferred)
		}
	}
	if noteCount(ds, NoteKindInferred) != 3 || noteCount(ds, NoteStatusInferred) != 2 {
		t.Errorf("notes: %v", ds.Notes)
	}
}

func TestRepeatedSpansAreDroppedAndSaid(t *testing.T) {
	d := newTraceData()
	d.span("a", 1, 1, 0, "n", 0, time.Second, nil)
	d.span("a", 1, 1, 0, "n", 0, time.Second, nil)
	d.span("a", 1, 1, 0, "other", time.Millisecond, time.Second, nil)
	ds := d.dataset(t)
	if len(ds.Spans) != 2 || noteCount(ds, NoteDuplicateSpan) != 1 || noteCount(ds, NoteDuplicateID) != 1 {
		t.Errorf("%d spans, notes %v", len(ds.Spans), ds.Notes)
	}
}

func TestImpossibleTimesAreLeftOutAndSaid(t *testing.T) {
	d := newTraceData()
	d.span("a", 1, 1, 0, "good", 0, time.Second, nil)
	d.span("a", 1, 2, 0, "good", 0, time.Second, nil)
	d.span("a", 1, 3, 0, "next year", 365*24*time.Hour, time.Second, nil)
	d.span("a", 1, 4, 0, "max", 0, time.Second, nil).SetEndTimestamp(pcommon.Timestamp(1<<64 - 1))
	d.span("a", 1, 5, 0, "zero", 0, 0, nil).SetStartTimestamp(0)
	d.span("a", 1, 6, 0, "backwards", time.Second, -time.Second, nil)
	ds := d.dataset(t)
	if len(ds.Spans) != 3 {
		t.Fatalf("kept %d spans, want 3", len(ds.Spans))
	}
	if noteCount(ds, NoteTimeOutOfRange) != 2 || noteCount(ds, NoteFarFromWindow) != 1 || noteCount(ds, NoteNegativeDuration) != 1 {
		t.Errorf("notes: %v", ds.Notes)
	}
}

func TestLongValuesAreCutBetweenCharacters(t *testing.T) {
	d := newTraceData()
	d.span("a", 1, 1, 0, "n", 0, time.Second, map[string]any{"x": strings.Repeat("ä", 64<<10)})
	ds := d.dataset(t)
	v := ds.Spans[0].Attrs.Get("x")
	if len(v) > 9<<10 || !strings.HasSuffix(v, "bytes)") || strings.ContainsRune(v, '\uFFFD') {
		t.Errorf("cut to %d bytes ending in %q", len(v), v[max(0, len(v)-20):])
	}
	if noteCount(ds, NoteCut) == 0 {
		t.Error("nothing said about the cut")
	}
}

func TestReadLinesSkipsWhatIsMalformed(t *testing.T) {
	good := `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"n","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000"}]}]}]}`
	t.Run("some", func(t *testing.T) {
		r := NewReader(Options{Limits: Limits{Line: 1 << 10}})
		in := "{broken\n" + good + "\n\n7\n" + `{"resourceSpans":"` + strings.Repeat("x", 2<<10) + "\"}\n"
		if err := r.Read(strings.NewReader(in), Traces); err != nil {
			t.Fatal(err)
		}
		ds := r.Dataset()
		if len(ds.Spans) != 1 || noteCount(ds, NoteMalformedLine) != 2 || noteCount(ds, NoteLongLine) != 1 {
			t.Errorf("%d spans, notes %v", len(ds.Spans), ds.Notes)
		}
	})
	t.Run("all", func(t *testing.T) {
		r := NewReader(Options{})
		err := r.Read(strings.NewReader("nonsense\nmore\n"), Traces)
		if err == nil || !strings.Contains(err.Error(), "file exporter") {
			t.Errorf("error %v does not offer the next step", err)
		}
	})
	t.Run("none", func(t *testing.T) {
		if err := NewReader(Options{}).Read(strings.NewReader("\n"), Logs); err != nil {
			t.Error(err)
		}
	})
	t.Run("unknown signal", func(t *testing.T) {
		if err := NewReader(Options{}).Read(strings.NewReader(good), "profiles"); err == nil {
			t.Error("no error")
		}
	})
}

func TestLogsAndMetrics(t *testing.T) {
	r := NewReader(Options{})
	logs := `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeLogs":[{"scope":{"name":"lg"},"logRecords":[` +
		`{"timeUnixNano":"1700000001000000000","severityText":"error","body":{"kvlistValue":{"values":[{"key":"msg","value":{"stringValue":"boom"}}]}},"attributes":[{"key":"code.lineno","value":{"intValue":"7"}}]},` +
		`{"observedTimeUnixNano":"1700000000000000000","severityNumber":9,"body":{"stringValue":"first"}}]}]}]}`
	if err := r.Read(strings.NewReader(logs), Logs); err != nil {
		t.Fatal(err)
	}
	metrics := `{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeMetrics":[{"metrics":[` +
		`{"name":"g","gauge":{"dataPoints":[{"timeUnixNano":"1700000001000000000","asDouble":2},{"timeUnixNano":"1700000000000000000","asInt":"1"}]}},` +
		`{"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"timeUnixNano":"1700000001000000000","count":"3","sum":6,"explicitBounds":[1],"bucketCounts":["1","2"]}]}}]}]}]}`
	if err := r.Read(strings.NewReader(metrics), Metrics); err != nil {
		t.Fatal(err)
	}
	ds := r.Dataset()
	if len(ds.Logs) != 2 || ds.Logs[0].Body != "first" || ds.Logs[1].Body != "boom" || ds.Logs[1].Severity != 17 || ds.Logs[1].Attrs.Get(AttrCodeLine) != "7" {
		t.Errorf("logs: %+v", ds.Logs)
	}
	if len(ds.Metrics) != 2 || len(ds.Metrics[0].Points) != 2 || ds.Metrics[0].Points[0].Value != 1 {
		t.Fatalf("metrics: %+v", ds.Metrics)
	}
	if h := ds.Metrics[1]; h.Kind != Histogram || h.Points[0].Count != 3 || !h.Points[0].Cumulative || h.Points[0].Buckets[1] != 2 {
		t.Errorf("histogram: %+v", h)
	}
	if ds.Logs[0].Resource != ds.Logs[1].Resource || ds.Logs[0].Resource != ds.Metrics[0].Resource {
		t.Error("equal resources are not shared")
	}
}

func TestCommitComesFromRevisionOrVersion(t *testing.T) {
	for version, want := range map[string]string{"559e94c": "559e94c", "v1.2.3": "", "20240131": "", "deadbeef": "", "559e94ce37a7b4b6053149c40ba8a5bc9113ca6e": "559e94ce37a7b4b6053149c40ba8a5bc9113ca6e"} {
		d := newTraceData()
		d.span("s", 1, 1, 0, "n", 0, 1, nil)
		d.td.ResourceSpans().At(0).Resource().Attributes().PutStr("service.version", version)
		if got := d.dataset(t).Spans[0].Resource.Commit; got != want {
			t.Errorf("version %q: commit %q, want %q", version, got, want)
		}
	}
}
