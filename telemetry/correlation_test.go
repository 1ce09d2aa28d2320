package telemetry

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"pgregory.net/rapid"
)

// requests makes n traces a second apart, each of a span at a and one at b below it, 300 ms long; attrs gives the first
// span's attributes.
func requests(n int, attrs func(i int) Attrs) []Span {
	a, b := &Resource{Service: "a"}, &Resource{Service: "b"}
	var out []Span
	for i := range n {
		var t TraceID
		binary.BigEndian.PutUint64(t[:8], 7)
		binary.BigEndian.PutUint64(t[8:], uint64(i)+1)
		at := base + int64(i)*int64(time.Second)
		s := Span{Trace: t, ID: SpanID{1}, Resource: a, Name: "in", Start: at, Duration: 300 * time.Millisecond}
		if attrs != nil {
			s.Attrs = attrs(i)
		}
		out = append(out, s, Span{Trace: t, ID: SpanID{2}, Parent: SpanID{1}, Resource: b, Name: "in", Start: at + 1e8, Duration: 100 * time.Millisecond})
	}
	return out
}

func logAt(service string, at time.Duration, body string, kv ...string) Log {
	l := Log{Time: base + int64(at), Resource: &Resource{Service: service}, Body: body}
	for i := 0; i < len(kv); i += 2 {
		l.Attrs = append(l.Attrs, Attr{kv[i], kv[i+1]})
	}
	l.Attrs = sortAttrs(l.Attrs)
	return l
}

func requestID(i int) string { return fmt.Sprintf("req-%08x", i*2654435761) }

func ties(links []LogLink) (counts [ByTime + 1]int) {
	for _, l := range links {
		counts[l.Tie]++
	}
	return counts
}

// wrongTies counts records that were tied to a trace other than their number's.
func wrongTies(links []LogLink, traceOf func(i int) int) (wrong int) {
	for i, l := range links {
		if l.Tie.Known() && int(l.Trace) != traceOf(i) {
			wrong++
		}
	}
	return wrong
}

func TestACorrelationIDThatSpansCarryIsFound(t *testing.T) {
	spans := requests(50, func(i int) Attrs { return Attrs{{"http.request.header.x-request-id", `["` + requestID(i) + `"]`}} })
	var logs []Log
	for i := range 50 {
		// Written long after the request, so that time alone would lead to another trace.
		at := time.Duration(i)*time.Second + 2500*time.Millisecond
		logs = append(logs, logAt("b", at, fmt.Sprintf("charged 12.50 request_id=%s user=u-%06d", requestID(i), i%3)))
	}
	links := Correlate(logs, GroupTraces(spans), 2*time.Second)
	if n := ties(links); n[ByKey] != 50 || wrongTies(links, func(i int) int { return i }) != 0 {
		t.Errorf("ties %v", n)
	}
}

func TestACorrelationIDThatRecordsWithATraceCarryIsFound(t *testing.T) {
	spans := requests(30, nil)
	var logs []Log
	for i := range 30 {
		at := time.Duration(i) * time.Second
		l := logAt("a", at, "accepted", "correlationId", requestID(i))
		l.Trace = spans[2*i].Trace
		logs = append(logs, l, logAt("c", at+700*time.Millisecond, "billed", "correlation_id", requestID(i), "user.name", fmt.Sprintf("user-%d", i%4)))
	}
	links := Correlate(logs, GroupTraces(spans), 0)
	if n := ties(links); n[ByTrace] != 30 || n[ByKey] != 30 || wrongTies(links, func(i int) int { return i / 2 }) != 0 {
		t.Errorf("ties %v", n)
	}
}

// Two services log one id; no span and no record with a trace has it. Their times together leave one trace.
func TestACorrelationIDOfRecordsAloneIsTiedByTheirTimes(t *testing.T) {
	var spans []Span
	spans = append(spans, requests(40, nil)...)
	var logs []Log
	for i := range 40 {
		at := time.Duration(i) * time.Second
		logs = append(logs, logAt("a", at+50*time.Millisecond, "begin", "rid", requestID(i)), logAt("b", at+150*time.Millisecond, "work", "rid", requestID(i)),
			logAt("b", at+600*time.Millisecond, "late", "rid", requestID(i)))
	}
	links := Correlate(logs, GroupTraces(spans), 200*time.Millisecond)
	if n := ties(links); n[ByKey] != 120 || wrongTies(links, func(i int) int { return i / 3 }) != 0 {
		t.Errorf("ties %v", n)
	}
}

// What names a user, a shop or a kind of thing is no correlation id, however often it joins services.
func TestWhatComesAgainIsNoCorrelationID(t *testing.T) {
	for name, value := range map[string]func(i int) string{
		"user": func(i int) string { return fmt.Sprintf("user-%04d", i%7) },
		"one":  func(int) string { return "tenant-0001" },
		"time": func(i int) string { return fmt.Sprintf("2026-01-01T10:00:%02d", i%60) },
	} {
		spans := requests(60, func(i int) Attrs { return Attrs{{"subject", value(i)}} })
		var logs []Log
		for i := range 60 {
			at := time.Duration(i)*time.Second + 10*time.Minute
			logs = append(logs, logAt("a", at, "x", "subject", value(i)), logAt("b", at, "y", "subject", value(i)))
		}
		if n := ties(Correlate(logs, GroupTraces(spans), 0)); n[ByKey] != 0 {
			t.Errorf("%s: ties %v", name, n)
		}
	}
}

func TestAConfiguredKeyIsTakenUnlessItsValueIsAmbiguous(t *testing.T) {
	spans := requests(2, func(i int) Attrs { return Attrs{{"order", "order-1"}, {"x-batch", fmt.Sprintf("batch-%d", i)}} })
	logs := []Log{logAt("c", time.Hour, "x", "batch", "batch-1"), logAt("c", time.Hour, "y", "order", "order-1")}
	traces := GroupTraces(spans)
	if n := ties(Correlate(logs, traces, 0)); n[ByKey] != 0 {
		t.Errorf("one record proves nothing: %v", n)
	}
	links := Correlate(logs, traces, 0, "X-Batch", "order", "")
	if links[0] != (LogLink{Trace: 1, Span: -1, Tie: ByKey}) || links[1].Tie != Untied {
		t.Errorf("%+v", links)
	}
}

func TestCorrelationIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		spans := requests(n, func(i int) Attrs { return Attrs{{"k1", requestID(i)}, {"k2", requestID(i / 2)}} })
		var logs []Log
		for i := range rapid.IntRange(0, 60).Draw(t, "logs") {
			v := requestID(rapid.IntRange(0, 30).Draw(t, "value"))
			key := rapid.SampledFrom([]string{"k1", "k2", "k3"}).Draw(t, "key")
			logs = append(logs, logAt(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "service"), time.Duration(i)*100*time.Millisecond, "", key, v))
		}
		traces := GroupTraces(spans)
		first, second := Correlate(logs, traces, time.Second), Correlate(logs, traces, time.Second)
		for i := range first {
			if first[i] != second[i] {
				t.Fatalf("%d: %+v and %+v", i, first[i], second[i])
			}
			if l := first[i]; (l.Tie == Untied) != (l.Trace < 0) || int(l.Trace) >= len(traces) {
				t.Fatalf("%+v", l)
			}
		}
	})
}

func TestIDsInTextAndAttributesAreIDs(t *testing.T) {
	const trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	low := binary.BigEndian.Uint64(func() []byte { b, _ := hex.DecodeString(trace[16:]); return b }())
	spanNumber := binary.BigEndian.Uint64(func() []byte { b, _ := hex.DecodeString(span); return b }())
	for name, fill := range map[string]func(l plog.LogRecord){
		"plain":     func(l plog.LogRecord) { l.Body().SetStr("done trace_id=" + trace + " span_id=" + span) },
		"camel":     func(l plog.LogRecord) { l.Body().SetStr(`done traceId: "` + trace + `", spanId: "` + span + `".`) },
		"json text": func(l plog.LogRecord) { l.Body().SetStr(`{"x":1,"traceId":"` + trace + `","spanId":"` + span + `"}`) },
		"json message": func(l plog.LogRecord) {
			l.Body().SetStr(`{"msg":"hi","trace.id":"` + trace + `","span.id":"` + span + `"}`)
		},
		"attributes":  func(l plog.LogRecord) { l.Attributes().PutStr("TraceID", trace); l.Attributes().PutStr("SpanId", span) },
		"traceparent": func(l plog.LogRecord) { l.Attributes().PutStr("traceparent", "00-"+trace+"-"+span+"-01") },
		"b3":          func(l plog.LogRecord) { l.Attributes().PutStr("b3", trace+"-"+span+"-1") },
		"b3 headers":  func(l plog.LogRecord) { l.Body().SetStr("X-B3-TraceId: " + trace + " X-B3-SpanId: " + span) },
		"jaeger":      func(l plog.LogRecord) { l.Attributes().PutStr("uber-trace-id", trace+":"+span+":0:1") },
		"sleuth":      func(l plog.LogRecord) { l.Body().SetStr("INFO [orders," + trace + "," + span + ",true] 1 --- done") },
		"body map": func(l plog.LogRecord) {
			m := l.Body().SetEmptyMap()
			m.PutStr("message", "hi")
			m.PutStr("trace_id", trace)
			m.PutStr("span_id", span)
		},
		"datadog": func(l plog.LogRecord) {
			l.Body().SetStr(fmt.Sprintf("done dd.trace_id=%d dd.span_id=%d", low, spanNumber))
		},
		"google": func(l plog.LogRecord) {
			l.Attributes().PutStr("logging.googleapis.com/trace", "projects/p/traces/"+trace)
			l.Attributes().PutStr("logging.googleapis.com/spanId", span)
		},
		"amazon": func(l plog.LogRecord) {
			l.Attributes().PutStr("X-Amzn-Trace-Id", "Root=1-"+trace[:8]+"-"+trace[8:]+";Sampled=1")
			l.Attributes().PutStr("span_id", span)
		},
	} {
		ld := plog.NewLogs()
		rec := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		rec.SetTimestamp(1_700_000_000_000_000_000)
		fill(rec)
		r := NewReader(Options{})
		r.AddLogs(ld)
		ds := r.Dataset()
		var id TraceID
		if _, err := hex.Decode(id[:], []byte(trace)); err != nil {
			t.Fatal(err)
		}
		s := Span{Trace: id, Resource: &Resource{Service: "x"}, Start: base}
		if _, err := hex.Decode(s.ID[:], []byte(span)); err != nil {
			t.Fatal(err)
		}
		links := Correlate(ds.Logs, GroupTraces([]Span{s}), 0)
		if links[0].Tie != BySpan || !ds.Logs[0].IDsInferred || noteCount(ds, NoteTextID) != 1 {
			t.Errorf("%s: %+v of %+v", name, links[0], ds.Logs[0])
		}
	}
}

func TestWhatIsNoIDIsNotTaken(t *testing.T) {
	for _, body := range []string{"trace_id=none", "trace: enabled", "traceId=00000000000000000000000000000000", "trace_id=", "race=1234567890123456",
		"[a,b]", "[a,4bf92f3577b34da6a3ce929d0e0e4736]", "trace_id=4bf92f3577b34da6a3ce929d0e0e473", "dd.trace_id=99999999999999999999999"} {
		if trace, _ := idsOf(&Log{Body: body}); !trace.IsZero() {
			t.Errorf("%q: %s", body, trace)
		}
	}
	l := Log{Attrs: Attrs{{"span_id", "00f067aa0ba902b7"}}}
	if _, span := idsOf(&l); !span.IsZero() {
		t.Error("a span without its trace is none")
	}
}

func TestStructuredBodiesKeepTheirFields(t *testing.T) {
	ld := plog.NewLogs()
	rec := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	rec.SetTimestamp(1_700_000_000_000_000_000)
	rec.Body().SetStr(`{"message":"it broke","level":"error","request_id":"r-1","count":3,"big":9007199254740993,"stack_trace":"at x"}`)
	r := NewReader(Options{})
	r.AddLogs(ld)
	l := r.Dataset().Logs[0]
	if l.Body != "it broke" || l.Severity != 17 || l.Attrs.Get("request_id") != "r-1" || l.Attrs.Get("count") != "3" ||
		l.Attrs.Get("big") != "9007199254740993" || l.Attrs.Get(AttrExceptionStack) != "at x" {
		t.Errorf("%+v", l)
	}
}

func FuzzCorrelate(f *testing.F) {
	f.Add("done trace_id=4bf92f3577b34da6a3ce929d0e0e4736 rid=abc123", "rid", "abc123")
	f.Add("[a,4bf92f3577b34da6,00f067aa0ba902b7]", "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add(`{"a":"b=c:d","traceId":"`, "uber-trace-id", ":::")
	f.Fuzz(func(t *testing.T, body, key, value string) {
		spans := requests(3, func(i int) Attrs { return Attrs{{key, value + fmt.Sprint(i)}} })
		var logs []Log
		for i := range 6 {
			l := logAt("a", time.Duration(i)*time.Second, body, key, value+fmt.Sprint(i/2))
			l.Trace, l.Span = idsOf(&l)
			logs = append(logs, l)
		}
		traces := GroupTraces(spans)
		for _, l := range Correlate(logs, traces, time.Second, key) {
			if int(l.Trace) >= len(traces) || l.Trace >= 0 && int(l.Span) >= len(traces[l.Trace].Spans) {
				t.Fatalf("%+v", l)
			}
		}
	})
}
