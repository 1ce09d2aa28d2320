package replay

import (
	"encoding/binary"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/remediator/remediator/telemetry"
)

// nestedProto is an export with one span whose one attribute is an array in an array and so on. It is written from
// the inside out, since each length has to be known before what stands around it.
func nestedProto(levels int) []byte {
	var back []byte // reversed
	prepend := func(b []byte) {
		for i := len(b) - 1; i >= 0; i-- {
			back = append(back, b[i])
		}
	}
	wrap := func(field byte) {
		prepend(append([]byte{field<<3 | 2}, binary.AppendUvarint(nil, uint64(len(back)))...))
	}
	for range levels {
		wrap(1) // ArrayValue.values
		wrap(5) // AnyValue.array_value
	}
	wrap(2) // KeyValue.value
	prepend([]byte{1<<3 | 2, 1, 'k'})
	wrap(9)                              // Span.attributes
	for _, field := range []byte{8, 7} { // end and start
		prepend(binary.LittleEndian.AppendUint64([]byte{field<<3 | 1}, 1767323045_000000000))
	}
	prepend(append([]byte{2<<3 | 2, 8}, "12345678"...))
	prepend(append([]byte{1<<3 | 2, 16}, "0123456789abcdef"...))
	wrap(2) // ScopeSpans.spans
	wrap(2) // ResourceSpans.scope_spans
	wrap(1) // ExportTraceServiceRequest.resource_spans
	out := make([]byte, len(back))
	for i, b := range back {
		out[len(out)-1-i] = b
	}
	return out
}

func nestedJSON(levels int) []byte {
	return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","startTimeUnixNano":"1767323045000000000","endTimeUnixNano":"1767323045000000001","attributes":[{"key":"k","value":` +
		strings.Repeat(`{"arrayValue":{"values":[`, levels) + `{"intValue":"7"}` + strings.Repeat(`]}}`, levels) + `}]}]}]}]}`)
}

// A stack that overflows cannot be recovered from: before there was a bound, a hundredth of what a service under test may
// send ended the process that tests it.
func TestReceiverSurvivesNesting(t *testing.T) {
	for _, tt := range []struct {
		levels int
		want   int
	}{{0, http.StatusOK}, {1, http.StatusOK}, {20, http.StatusOK}, {60, http.StatusBadRequest}, {10_000, http.StatusBadRequest}, {1_000_000, http.StatusBadRequest}} {
		for contentType, body := range map[string][]byte{"application/x-protobuf": nestedProto(tt.levels), "application/json": nestedJSON(min(tt.levels, 400_000))} {
			for _, encoding := range []string{"", "gzip"} {
				if encoding == "gzip" {
					body = gzipped(body)
				}
				r := &Receiver{}
				w := post(r, "/v1/traces", contentType, encoding, body)
				if contentType == "application/json" && tt.levels == 60 {
					continue // JSON is counted in brackets, of which a level has three
				}
				if w.Code != tt.want {
					t.Errorf("%d levels as %s %s: %d %s", tt.levels, contentType, encoding, w.Code, clip(w.Body.String(), 100))
				}
				if want := 1; tt.want == http.StatusOK && len(r.Spans()) != want {
					t.Errorf("%d levels as %s: %d spans", tt.levels, contentType, len(r.Spans()))
				}
			}
		}
	}
}

func TestProtobufThatMakesNoSenseIsLeftToTheDecoder(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": nil, "tag cut off": {0x80}, "field zero": {0x02, 0x00}, "varint cut off": {0x08, 0x80}, "length cut off": {0x0a, 0x80}, "longer than the rest": {0x0a, 0x05, 0x00}, "huge length": {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"64 bits cut off": {0x09, 1, 2}, "32 bits cut off": {0x0d, 1, 2}, "a group": {0x0b, 0x0c}, "wire type 7": {0x0f}, "overlong tag": {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	} {
		if w := post(&Receiver{}, "/v1/traces", "application/x-protobuf", "", data); w.Code >= 500 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestReceiverTakesHostileSpans(t *testing.T) {
	tests := []struct {
		name string
		edit func(s ptrace.Span)
	}{
		{"no ids", func(s ptrace.Span) {
			s.SetTraceID(pcommon.TraceID{})
			s.SetSpanID(pcommon.SpanID{})
		}},
		{"its own parent", func(s ptrace.Span) { s.SetParentSpanID(s.SpanID()) }},
		{"ends before it starts", func(s ptrace.Span) { s.SetEndTimestamp(1) }},
		{"the end of time", func(s ptrace.Span) {
			s.SetStartTimestamp(1<<64 - 1)
			s.SetEndTimestamp(1<<64 - 1)
		}},
		{"a long name", func(s ptrace.Span) { s.SetName(strings.Repeat("GET /x/", 100_000)) }},
		{"a name that is no text", func(s ptrace.Span) { s.SetName("\xff\xfe\x00") }},
		{"separators in the name", func(s ptrace.Span) { s.SetName("a|b > c|d\x00") }},
		{"an unknown kind", func(s ptrace.Span) { s.SetKind(ptrace.SpanKind(77)) }},
		{"an unknown status", func(s ptrace.Span) { s.Status().SetCode(ptrace.StatusCode(9)) }},
		{"many attributes", func(s ptrace.Span) {
			for i := range 5000 {
				s.Attributes().PutStr(strings.Repeat("k", i%50), strings.Repeat("v", i%100))
			}
		}},
		{"many events", func(s ptrace.Span) {
			for range 5000 {
				e := s.Events().AppendEmpty()
				e.SetName("exception")
				e.Attributes().PutStr("exception.type", "E")
			}
		}},
		{"many links", func(s ptrace.Span) {
			for range 5000 {
				s.Links().AppendEmpty()
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			td := traces(2)
			tt.edit(td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(1))
			body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
			if err != nil {
				t.Fatal(err)
			}
			r := &Receiver{}
			if w := post(r, "/v1/traces", "application/x-protobuf", "", body); w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			classes := 0
			for _, trace := range groupByTrace(r.Spans()) {
				tree := treeOf(trace.exchange("", telemetry.SpanID{9, 9, 9}), NewRedactor())
				classes += len(tree.Tree)
				for _, c := range tree.Tree {
					if c.Signature == "" || c.Count.Min != c.Count.Max || c.Count.Max == 0 || len(c.Signature) > 100_000 {
						t.Errorf("class %.200s %+v", c.Signature, c.Count)
					}
				}
			}
			if classes == 0 {
				t.Error("the good span is lost too")
			}
		})
	}
}

func TestReceiverIsSafeForManySenders(t *testing.T) {
	r := &Receiver{MaxSpans: 60}
	body, err := ptraceotlp.NewExportRequestFromTraces(traces(5)).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			post(r, "/v1/traces", "application/x-protobuf", "", body)
			r.Spans()
			r.settled(telemetry.TraceID{1}, telemetry.SpanID{9, 9, 9}, 0)
		})
	}
	wg.Wait()
	if kept, dropped, _, _ := r.Received(); kept != 60 || dropped != 40 {
		t.Errorf("%d kept, %d dropped", kept, dropped)
	}
}
