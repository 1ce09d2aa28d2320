package replay

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/remediator/remediator/telemetry"
)

func traces(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "desk")
	ss := rs.ScopeSpans().AppendEmpty()
	for i := range n {
		s := ss.Spans().AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1})
		s.SetSpanID(pcommon.SpanID{byte(i >> 8), byte(i), 1})
		s.SetParentSpanID(pcommon.SpanID{9, 9, 9})
		s.SetName("work")
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Unix(1767323045, int64(i))))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Unix(1767323045, int64(i+1000))))
	}
	return td
}

func post(h http.Handler, path, contentType, encoding string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

func TestReceiverTakesEveryForm(t *testing.T) {
	req := ptraceotlp.NewExportRequestFromTraces(traces(3))
	proto, err := req.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	text, err := req.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, contentType, encoding string
		body                        []byte
	}{
		{"protobuf", "application/x-protobuf", "", proto}, {"json", "application/json; charset=utf-8", "", text},
		{"gzip protobuf", "application/x-protobuf", "gzip", gzipped(proto)}, {"gzip json", "application/json", "gzip", gzipped(text)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Receiver{}
			if w := post(r, "/v1/traces", tt.contentType, tt.encoding, tt.body); w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			spans := r.Spans()
			if len(spans) != 3 || spans[0].Resource.Service != "desk" || spans[0].Name != "work" || spans[0].Duration != 1000 {
				t.Fatalf("%+v", spans)
			}
			if !r.settled(telemetry.TraceID{1}, telemetry.SpanID{9, 9, 9}, 0) || r.settled(telemetry.TraceID{1}, telemetry.SpanID{8}, 0) || r.settled(telemetry.TraceID{1}, telemetry.SpanID{9, 9, 9}, time.Hour) {
				t.Error("settled does not follow parent and quiet")
			}
			r.Reset()
			if n, _, _, _ := r.Received(); n != 0 || len(r.Spans()) != 0 {
				t.Error("reset keeps spans")
			}
		})
	}
}

func TestReceiverCountsLogsAndMetrics(t *testing.T) {
	ld := plog.NewLogs()
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	logs, err := plogotlp.NewExportRequestFromLogs(ld).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	md := pmetric.NewMetrics()
	md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty().SetEmptyGauge().DataPoints().AppendEmpty()
	metrics, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	r := &Receiver{}
	if w := post(r, "/v1/logs", "application/x-protobuf", "", logs); w.Code != http.StatusOK {
		t.Error(w.Code)
	}
	if w := post(r, "/v1/metrics/", "application/json", "", metrics); w.Code != http.StatusOK {
		t.Error(w.Code)
	}
	if spans, dropped, l, m := r.Received(); spans != 0 || dropped != 0 || l != 1 || m != 1 {
		t.Errorf("%d spans, %d logs, %d points", spans, l, m)
	}
}

func TestReceiverRefuses(t *testing.T) {
	bomb := gzipped(make([]byte, 4<<20))
	tests := []struct {
		name, path, contentType, encoding string
		body                              []byte
		want                              int
	}{
		{"other path", "/v1/profiles", "application/json", "", []byte(`{}`), http.StatusNotFound},
		{"other type", "/v1/traces", "text/plain", "", nil, http.StatusUnsupportedMediaType},
		{"other encoding", "/v1/traces", "application/json", "zstd", nil, http.StatusBadRequest},
		{"not gzip", "/v1/traces", "application/json", "gzip", []byte("x"), http.StatusBadRequest},
		{"gzip bomb", "/v1/traces", "application/json", "gzip", bomb, http.StatusRequestEntityTooLarge},
		{"too large", "/v1/traces", "application/json", "", make([]byte, 2<<20), http.StatusRequestEntityTooLarge},
		{"malformed json", "/v1/traces", "application/json", "", []byte(`{"resourceSpans":7}`), http.StatusBadRequest},
		{"malformed protobuf", "/v1/traces", "application/x-protobuf", "", []byte{0xff, 0xff, 0xff}, http.StatusBadRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &Receiver{MaxPayload: 1 << 20}
			if w := post(r, tt.path, tt.contentType, tt.encoding, tt.body); w.Code != tt.want {
				t.Errorf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
			}
			if n, _, _, _ := r.Received(); n != 0 {
				t.Errorf("%d spans kept", n)
			}
		})
	}
	w := httptest.NewRecorder()
	(&Receiver{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/traces", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
		t.Error(w.Code)
	}
}

func TestReceiverBoundsSpans(t *testing.T) {
	r := &Receiver{MaxSpans: 5}
	body, err := ptraceotlp.NewExportRequestFromTraces(traces(4)).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	post(r, "/v1/traces", "application/x-protobuf", "", body)
	w := post(r, "/v1/traces", "application/x-protobuf", "", body)
	resp := ptraceotlp.NewExportResponse()
	if err := resp.UnmarshalProto(w.Body.Bytes()); err != nil || resp.PartialSuccess().RejectedSpans() != 4 {
		t.Errorf("%v, %d rejected", err, resp.PartialSuccess().RejectedSpans())
	}
	if spans, dropped, _, _ := r.Received(); spans != 4 || dropped != 4 {
		t.Errorf("%d spans, %d dropped", spans, dropped)
	}
}

func FuzzReceiver(f *testing.F) {
	req := ptraceotlp.NewExportRequestFromTraces(traces(2))
	proto, _ := req.MarshalProto()
	text, _ := req.MarshalJSON()
	f.Add(proto, false)
	f.Add(text, true)
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"zz","startTimeUnixNano":"-1"}]}]}]}`), true)
	f.Fuzz(func(t *testing.T, body []byte, asJSON bool) {
		contentType := "application/x-protobuf"
		if asJSON {
			contentType = "application/json"
		}
		for _, path := range []string{"/v1/traces", "/v1/logs", "/v1/metrics"} {
			r := &Receiver{MaxSpans: 1000}
			w := post(r, path, contentType, "", body)
			if w.Code >= 500 {
				t.Fatalf("%s answers %d", path, w.Code)
			}
			for _, s := range groupByTrace(r.Spans()) {
				treeOf(s.exchange("", telemetry.SpanID{}), NewRedactor())
			}
		}
	})
}
