package otlp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/remediator/remediator/telemetry"
)

func TestReceiverTakesEveryForm(t *testing.T) {
	for signal, data := range map[telemetry.Signal]any{telemetry.Traces: someTraces(7, noon), telemetry.Logs: someLogs(7, noon), telemetry.Metrics: someMetrics(7, noon)} {
		proto, json := request(t, data)
		for _, tt := range []struct {
			contentType, encoding string
			body                  []byte
		}{
			{typeProto, "", proto}, {typeProto, "gzip", gzipped(proto)}, {typeProto, "zstd", zstded(proto)}, {typeProto, "identity", proto},
			{typeJSON, "", json}, {typeJSON + "; charset=utf-8", "gzip", gzipped(json)}, {typeJSON, "zstd", zstded(json)},
		} {
			t.Run(fmt.Sprint(signal, tt.contentType, tt.encoding), func(t *testing.T) {
				ring := newRing(fixed(noon))
				w := &watched{}
				r := newReceiver(t, ring, func(o *Options) { o.Watch = w })
				got := post(r, "/v1/"+string(signal), tt.contentType, tt.encoding, tt.body)
				if got.Code != http.StatusOK || !strings.HasPrefix(tt.contentType, got.Header().Get("Content-Type")) {
					t.Fatalf("%d %s %s", got.Code, got.Header().Get("Content-Type"), got.Body)
				}
				if items, payloads, _ := stored(t, ring, signal); items != 7 || payloads != 1 || w.received[string(signal)] != 7 || w.payloads != 1 {
					t.Errorf("%d items in %d payloads, watched %+v", items, payloads, w)
				}
			})
		}
	}
}

// TestImpossibleTimesAreLeftOut: the sender learns how many, and the rest is kept.
func TestImpossibleTimesAreLeftOut(t *testing.T) {
	ring := newRing(fixed(noon))
	w := &watched{}
	r := newReceiver(t, ring, func(o *Options) { o.Watch = w; o.Keep = time.Hour })
	td, ld, md := someTraces(6, noon), someLogs(6, noon), someMetrics(6, noon)
	spans, records, points := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans(), ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords(), md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints()
	for i, at := range []pcommon.Timestamp{0, 1, pcommon.NewTimestampFromTime(noon.Add(-61 * time.Minute)), pcommon.NewTimestampFromTime(noon.Add(11 * time.Minute)), 1<<64 - 1} {
		spans.At(i).SetStartTimestamp(at)
		spans.At(i).SetEndTimestamp(at)
		records.At(i).SetTimestamp(at)
		points.At(i).SetTimestamp(at)
	}
	for _, tt := range []struct {
		signal telemetry.Signal
		data   any
		want   int // left out
	}{{telemetry.Traces, td, 5}, {telemetry.Logs, ld, 4 /* without any time it was observed now */}, {telemetry.Metrics, md, 5}} {
		proto, _ := request(t, tt.data)
		got := post(r, "/v1/"+string(tt.signal), typeProto, "", proto)
		rejected, why := rejectedBy(t, tt.signal, got.Body.Bytes())
		if got.Code != http.StatusOK || rejected != tt.want || why == "" {
			t.Errorf("%s: %d, %d rejected: %s", tt.signal, got.Code, rejected, why)
		}
		if items, _, _ := stored(t, ring, tt.signal); items != 6-tt.want {
			t.Errorf("%s: %d kept", tt.signal, items)
		}
	}
	if w.left[ReasonTime] != 14 {
		t.Errorf("%+v", w.left)
	}
}

func rejectedBy(t *testing.T, signal telemetry.Signal, body []byte) (int, string) {
	t.Helper()
	switch signal {
	case telemetry.Traces:
		r := ptraceotlp.NewExportResponse()
		if err := r.UnmarshalProto(body); err != nil {
			t.Fatal(err)
		}
		return int(r.PartialSuccess().RejectedSpans()), r.PartialSuccess().ErrorMessage()
	case telemetry.Logs:
		r := plogotlp.NewExportResponse()
		if err := r.UnmarshalProto(body); err != nil {
			t.Fatal(err)
		}
		return int(r.PartialSuccess().RejectedLogRecords()), r.PartialSuccess().ErrorMessage()
	case telemetry.Metrics:
		r := pmetricotlp.NewExportResponse()
		if err := r.UnmarshalProto(body); err != nil {
			t.Fatal(err)
		}
		return int(r.PartialSuccess().RejectedDataPoints()), r.PartialSuccess().ErrorMessage()
	}
	return 0, ""
}

// TestLargeExportsAreSplit: nothing is lost, every payload is small enough, and what is too large alone is said.
func TestLargeExportsAreSplit(t *testing.T) {
	noise := func(n int) string {
		b := make([]byte, n/2)
		_, _ = rand.Read(b)
		return fmt.Sprintf("%x", b)
	}
	td, ld, md := someTraces(400, noon), someLogs(400, noon), someMetrics(400, noon)
	for i := range 400 {
		td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(i).Attributes().PutStr("noise", noise(16_000))
		ld.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(i).Body().SetStr(noise(16_000))
		md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).Gauge().DataPoints().At(i).Attributes().PutStr("noise", noise(16_000))
	}
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(7).Attributes().PutStr("noise", noise(1_200_000))
	for signal, data := range map[telemetry.Signal]any{telemetry.Traces: td, telemetry.Logs: ld, telemetry.Metrics: md} {
		ring := newRing(fixed(noon))
		r := newReceiver(t, ring, nil)
		proto, json := request(t, data)
		want := 400
		if signal == telemetry.Traces {
			want--
		}
		for form, body := range map[string][]byte{typeProto: proto, typeJSON: json} {
			got := post(r, "/v1/"+string(signal), form, "", body)
			if got.Code != http.StatusOK {
				t.Fatalf("%s: %d %s", signal, got.Code, got.Body)
			}
			if form == typeProto {
				if rejected, _ := rejectedBy(t, signal, got.Body.Bytes()); rejected != 400-want {
					t.Errorf("%s: %d rejected", signal, rejected)
				}
			}
		}
		items, payloads, all := stored(t, ring, signal)
		if items != 2*want || payloads < 14 || payloads > 40 {
			t.Errorf("%s: %d items in %d payloads", signal, items, payloads)
		}
		if signal == telemetry.Traces {
			seen := map[pcommon.SpanID]int{}
			for _, e := range all {
				for _, rs := range e.(*traceExport).ResourceSpans().All() {
					if text(rs.Resource().Attributes(), "service.name") != "desk" {
						t.Error("a part without its resource")
					}
					for _, ss := range rs.ScopeSpans().All() {
						if ss.Scope().Name() != "desk/http" {
							t.Error("a part without its scope")
						}
						for _, s := range ss.Spans().All() {
							seen[s.SpanID()]++
						}
					}
				}
			}
			if len(seen) != want {
				t.Errorf("%d different spans", len(seen))
			}
		}
	}
}

// gated is a log that waits until it is let go, and counts.
type gated struct {
	*Ring
	gate    chan struct{}
	begun   chan struct{}
	mu      sync.Mutex
	appends int
	fail    error
}

func (g *gated) Append(ctx context.Context, signal string, from, to time.Time, payload []byte) error {
	g.mu.Lock()
	g.appends++
	fail := g.fail
	g.mu.Unlock()
	select {
	case g.begun <- struct{}{}:
	default:
	}
	select {
	case <-g.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	if fail != nil {
		return fail
	}
	return g.Ring.Append(ctx, signal, from, to, payload)
}

// TestFloodOfSmallRequestsSharesWrites: what comes while the log is busy goes in one write, and nobody is answered before.
func TestFloodOfSmallRequestsSharesWrites(t *testing.T) {
	log := &gated{Ring: newRing(fixed(noon)), gate: make(chan struct{}), begun: make(chan struct{}, 100)}
	r := newReceiver(t, log, nil)
	answered := make(chan int, 500)
	send := func(i int) {
		body, _ := request(t, someTraces(1, noon.Add(time.Duration(i)*time.Millisecond)))
		answered <- post(r, "/v1/traces", typeProto, "", body).Code
	}
	for i := range writers { // these occupy the log
		go send(i)
		<-log.begun
	}
	for i := range 400 {
		go send(i)
	}
	b := r.batch[telemetry.Traces]
	await(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.waiting) == 400 })
	select {
	case <-answered:
		t.Fatal("answered before it was stored")
	default:
	}
	close(log.gate)
	for range 400 + writers {
		if code := <-answered; code != http.StatusOK {
			t.Fatal(code)
		}
	}
	items, payloads, _ := stored(t, log, telemetry.Traces)
	if items != 400+writers || payloads > writers+2 || log.appends != payloads {
		t.Errorf("%d items in %d payloads, %d writes", items, payloads, log.appends)
	}
}

func await(t testing.TB, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("did not happen")
		}
	}
}

// TestStragglersDoNotStretchPayloads: what belongs to other times goes in payloads of its own.
func TestStragglersDoNotStretchPayloads(t *testing.T) {
	b := &batcher{}
	at := func(d time.Duration) uint64 { return nanos(noon.Add(d)) }
	for _, d := range []time.Duration{0, time.Minute, -time.Hour, -59 * time.Minute, 0} {
		b.waiting = append(b.waiting, &write{piece: piece{raw: make([]byte, 10), from: at(d), to: at(d)}})
	}
	b.waiting = append(b.waiting, &write{piece: piece{raw: make([]byte, pieceSize), from: at(0), to: at(0)}})
	var sizes []int
	for len(b.waiting) > 0 {
		sizes = append(sizes, len(b.take()))
	}
	if fmt.Sprint(sizes) != "[2 2 1 1]" {
		t.Error(sizes)
	}
}

// TestLogThatFailsIsNoSuccess: a sender is only told that its telemetry is kept when it is.
func TestLogThatFailsIsNoSuccess(t *testing.T) {
	log := &gated{Ring: newRing(fixed(noon)), gate: make(chan struct{}), fail: errors.New("no quorum")}
	close(log.gate)
	w := &watched{}
	r := newReceiver(t, log, func(o *Options) { o.Watch = w })
	body, _ := request(t, someTraces(3, noon))
	got := post(r, "/v1/traces", typeProto, "", body)
	if got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" || w.refusals(ReasonUnavailable) != 1 || len(w.received) != 0 {
		t.Errorf("%d %v %+v", got.Code, got.Header(), w)
	}
	if strings.Contains(got.Body.String(), "quorum") {
		t.Error("the answer tells of the inside")
	}
	log.mu.Lock()
	log.fail = nil
	log.mu.Unlock()
	if got := post(r, "/v1/traces", typeProto, "", body); got.Code != http.StatusOK {
		t.Error(got.Code)
	}
}

// TestCancelledClient: a sender that goes away costs nothing more, and what it sent may still be kept.
func TestCancelledClient(t *testing.T) {
	log := &gated{Ring: newRing(fixed(noon)), gate: make(chan struct{}), begun: make(chan struct{}, 1)}
	r := newReceiver(t, log, nil)
	body, _ := request(t, someTraces(3, noon))
	ctx, cancel := context.WithCancel(context.Background())
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/traces", strings.NewReader(string(body)))
	req.Header.Set("Content-Type", typeProto)
	done := make(chan struct{})
	go func() { r.Handler().ServeHTTP(httptest.NewRecorder(), req); close(done) }()
	<-log.begun
	cancel()
	<-done
	if r.budget.bytes.Load() != 0 || r.budget.requests.Load() != 0 {
		t.Error("its share was not given back")
	}
	close(log.gate)
	r.batch[telemetry.Traces].drain()
	if items, _, _ := stored(t, log, telemetry.Traces); items != 3 {
		t.Errorf("%d kept", items)
	}
}

// TestEmptyExports are answered and leave nothing.
func TestEmptyExports(t *testing.T) {
	ring := newRing(fixed(noon))
	r := newReceiver(t, ring, nil)
	ld := plog.NewLogs()
	ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	bare, _ := request(t, ld)
	for _, body := range [][]byte{nil, bare} {
		if got := post(r, "/v1/logs", typeProto, "", body); got.Code != http.StatusOK {
			t.Error(got.Code, got.Body)
		}
	}
	if got := post(r, "/v1/logs", typeJSON, "", []byte("{}")); got.Code != http.StatusOK {
		t.Error(got.Code, got.Body)
	}
	if n, _, _ := ring.Usage(context.Background()); n != 0 {
		t.Errorf("%d bytes", n)
	}
}
