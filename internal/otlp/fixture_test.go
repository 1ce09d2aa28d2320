package otlp

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/remediator/remediator/telemetry"
)

// noon is when tests happen that have a clock of their own.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func fixed(at time.Time) func() time.Time { return func() time.Time { return at } }

// watched counts what a receiver says of itself.
type watched struct {
	mu       sync.Mutex
	received map[string]int // by signal
	refused  map[string]int // by reason: requests
	left     map[string]int // by reason: items
	payloads int
}

func (w *watched) Received(signal, _ string, items int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.received == nil {
		w.received = map[string]int{}
	}
	w.received[signal] += items
}

func (w *watched) Refused(_, _, reason string, items int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused == nil {
		w.refused, w.left = map[string]int{}, map[string]int{}
	}
	if items == 0 {
		w.refused[reason]++
	}
	w.left[reason] += items
}

func (w *watched) Stored(string, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.payloads++
}

func (w *watched) refusals(reason string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused[reason]
}

func newRing(now func() time.Time) *Ring { return NewRing(256<<20, 3*time.Hour, now) }

func newReceiver(t testing.TB, log Log, edit func(*Options)) *Receiver {
	t.Helper()
	o := Options{Now: fixed(noon)}
	if edit != nil {
		edit(&o)
	}
	r, err := NewReceiver(log, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// running is a receiver that listens.
type running struct {
	grpc, http string // addresses
	stop       func() error
}

func serve(t testing.TB, r *Receiver) running {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	g, h := listen(), listen()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, g, h) }()
	var once sync.Once
	var err error
	stop := func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return running{g.Addr().String(), h.Addr().String(), stop}
}

func post(r *Receiver, path, contentType, encoding string, body []byte) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	req.Header.Set("Content-Type", contentType)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	return w
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

func zstded(data []byte) []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(data, nil)
}

// spanAt adds a span to an export.
func spanAt(td ptrace.Traces, service string, trace, span, parent uint64, at time.Time, d time.Duration) ptrace.Span {
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", service)
	s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetTraceID(traceID(trace))
	s.SetSpanID(spanID(span))
	if parent != 0 {
		s.SetParentSpanID(spanID(parent))
	}
	s.SetName("GET /" + service)
	s.SetKind(ptrace.SpanKindServer)
	s.SetStartTimestamp(pcommon.NewTimestampFromTime(at))
	s.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(d)))
	return s
}

func traceID(n uint64) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[8:], n)
	id[0] = 1
	return id
}

func spanID(n uint64) (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}

// someTraces are n spans of one resource.
func someTraces(n int, at time.Time) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "desk")
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("desk/http")
	for i := range n {
		s := ss.Spans().AppendEmpty()
		s.SetTraceID(traceID(uint64(i/4 + 1)))
		s.SetSpanID(spanID(uint64(i + 1)))
		s.SetName("work")
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i) * time.Microsecond)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i)*time.Microsecond + time.Millisecond)))
		s.Attributes().PutStr("http.route", "/desk/{id}")
	}
	return td
}

func someLogs(n int, at time.Time) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "desk")
	sl := rl.ScopeLogs().AppendEmpty()
	for i := range n {
		r := sl.LogRecords().AppendEmpty()
		r.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i) * time.Microsecond)))
		r.SetSeverityNumber(plog.SeverityNumberInfo)
		r.Body().SetStr("handled")
	}
	return ld
}

func someMetrics(n int, at time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "desk")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("desk.load")
	for i := range n {
		p := m.SetEmptyGauge
		if i > 0 {
			p = m.Gauge
		}
		dp := p().DataPoints().AppendEmpty()
		dp.SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i) * time.Microsecond)))
		dp.SetDoubleValue(float64(i))
		dp.Attributes().PutInt("n", int64(i))
	}
	return md
}

// request is the protobuf and the JSON form of an export.
func request(t testing.TB, data any) (proto, json []byte) {
	t.Helper()
	var r interface {
		MarshalProto() ([]byte, error)
		MarshalJSON() ([]byte, error)
	}
	switch d := data.(type) {
	case ptrace.Traces:
		r = ptraceotlp.NewExportRequestFromTraces(d)
	case plog.Logs:
		r = plogotlp.NewExportRequestFromLogs(d)
	case pmetric.Metrics:
		r = pmetricotlp.NewExportRequestFromMetrics(d)
	default:
		t.Fatalf("%T", data)
	}
	proto, err := r.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	if json, err = r.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
	return proto, json
}

// stored is what a log holds of a signal.
func stored(t testing.TB, log Log, signal telemetry.Signal) (items, payloads int, all []export) {
	t.Helper()
	pack, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	err = log.Range(context.Background(), string(signal), noon.Add(-1000*time.Hour), time.Now().Add(1000*time.Hour), func(payload []byte) error {
		if len(payload) >= MaxPayload {
			t.Errorf("a payload of %d bytes", len(payload))
		}
		e, err := pack.unpack(signal, payload)
		if err != nil {
			return err
		}
		payloads++
		items += e.items()
		all = append(all, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return items, payloads, all
}
