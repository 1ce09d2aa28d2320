package telemetry

import (
	"fmt"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// manySpans makes traces of ten spans over five services.
func manySpans(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	const perTrace, services = 10, 5
	var slices [services]ptrace.SpanSlice
	for i := range services {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", fmt.Sprintf("svc-%d", i))
		slices[i] = rs.ScopeSpans().AppendEmpty().Spans()
	}
	for i := range n {
		trace, place := i/perTrace, i%perTrace
		s := slices[place*services/perTrace].AppendEmpty()
		s.SetTraceID(pcommon.TraceID{0: byte(trace), 1: byte(trace >> 8), 2: byte(trace >> 16), 15: 1})
		s.SetSpanID(pcommon.SpanID{0: byte(i), 1: byte(i >> 8), 2: byte(i >> 16), 7: 1})
		if place > 0 {
			p := i - 1
			s.SetParentSpanID(pcommon.SpanID{0: byte(p), 1: byte(p >> 8), 2: byte(p >> 16), 7: 1})
		}
		s.SetName("GET /things/{id}")
		s.SetKind(ptrace.SpanKindServer)
		start := base + int64(trace)*1_000_000 + int64(place)*1000
		s.SetStartTimestamp(pcommon.Timestamp(start))
		s.SetEndTimestamp(pcommon.Timestamp(start + 900_000 - int64(place)*2000))
		s.Attributes().PutStr("http.method", "GET")
		s.Attributes().PutStr("http.route", "/things/{id}")
		s.Attributes().PutInt("http.status_code", 200)
		s.Attributes().PutStr("net.peer.name", "10.1.2.3")
		s.Attributes().PutStr("http.user_agent", "test/1")
	}
	return td
}

func BenchmarkIngest(b *testing.B) {
	const n = 100_000
	td := manySpans(n)
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(Options{})
		r.AddTraces(td)
		if got := len(r.Dataset().Spans); got != n {
			b.Fatalf("%d spans", got)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
}

func BenchmarkIngestProto(b *testing.B) {
	const n = 100_000
	var m ptrace.ProtoMarshaler
	raw, err := m.MarshalTraces(manySpans(n))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var u ptrace.ProtoUnmarshaler
		td, err := u.UnmarshalTraces(raw)
		if err != nil {
			b.Fatal(err)
		}
		r := NewReader(Options{})
		r.AddTraces(td)
		r.Dataset()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
}

func BenchmarkSignature(b *testing.B) {
	r := NewReader(Options{})
	r.AddTraces(manySpans(10))
	s := r.Dataset().Spans[3]
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Signature()
	}
}

func BenchmarkGroupTraces(b *testing.B) {
	const n = 100_000
	r := NewReader(Options{})
	r.AddTraces(manySpans(n))
	spans := r.Dataset().Spans
	b.ReportAllocs()
	for b.Loop() {
		GroupTraces(spans)
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
}
