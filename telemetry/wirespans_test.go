package telemetry

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"

	"github.com/remediator/remediator/telemetry/nesting"
)

// byPdata is a Reader that nobody takes for one, so that pdata decodes what it is given.
type byPdata struct{ *Reader }

// bothWays reads exports of spans from their bytes directly and by pdata, and says how the outcomes differ.
func bothWays(limits Limits, exports ...[]byte) (direct *Reader, difference string) {
	direct = NewReader(Options{Limits: limits})
	through := NewReader(Options{Limits: limits})
	for i, data := range exports {
		one := (&decoder{sink: direct, notes: direct.notes, signal: Traces}).proto(data)
		two := (&decoder{sink: byPdata{through}, notes: through.notes, signal: Traces}).proto(data)
		if fmt.Sprint(one) != fmt.Sprint(two) {
			return direct, fmt.Sprintf("export %d: error %v, by pdata %v", i, one, two)
		}
	}
	if one, two := arrived(direct), arrived(through); !reflect.DeepEqual(one, two) {
		return direct, fmt.Sprintf("spans %+v, by pdata %+v", one, two)
	}
	if !reflect.DeepEqual(direct.resources, through.resources) {
		return direct, fmt.Sprintf("resources %+v, by pdata %+v", direct.resources, through.resources)
	}
	if !reflect.DeepEqual(direct.notes, through.notes) {
		return direct, fmt.Sprintf("notes %v, by pdata %v", direct.notes, through.notes)
	}
	return direct, ""
}

func arrived(r *Reader) (out []Span) {
	r.spans.each(func(s *Span) { out = append(out, *s) })
	return out
}

// oddTraces is an export that has something of everything.
func oddTraces(spans int) ptrace.Traces {
	td := ptrace.NewTraces()
	for _, service := range []string{"till", "", "till"} {
		rs := td.ResourceSpans().AppendEmpty()
		rs.SetSchemaUrl("https://opentelemetry.io/schemas/1.37.0")
		if service != "" {
			rs.Resource().Attributes().PutStr("service.name", service)
		}
		rs.Resource().Attributes().PutEmptySlice("process.command_args").AppendEmpty().SetStr("-v")
		ss := rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName("scope " + service)
		ss.Scope().SetVersion("1")
		ss.Scope().Attributes().PutStr("k", "v")
		for i := range spans {
			s := ss.Spans().AppendEmpty()
			if i != 3 {
				s.SetTraceID(pcommon.TraceID{1, byte(i)})
			}
			s.SetSpanID(pcommon.SpanID{2, byte(i)})
			s.SetParentSpanID(pcommon.SpanID{2, byte(i / 2)})
			s.TraceState().FromRaw("a=b")
			s.SetFlags(257)
			s.SetName("GET /a\xff" + strings.Repeat("é", i))
			s.SetKind(ptrace.SpanKind(i % 7))
			s.SetStartTimestamp(pcommon.Timestamp(base + int64(i)))
			s.SetEndTimestamp(pcommon.Timestamp(base + int64(i*i) - 5))
			switch i {
			case 4:
				s.SetEndTimestamp(0)
			case 5:
				s.SetStartTimestamp(1)
			case 6:
				s.SetEndTimestamp(maxTime)
			}
			s.Status().SetCode(ptrace.StatusCode(i % 4))
			s.Status().SetMessage(strings.Repeat("no ", i))
			a := s.Attributes()
			a.PutStr("http.target", "/a?b=c")
			a.PutInt("http.status_code", int64(200+100*(i%4)))
			a.PutStr("net.peer.name", "other")
			a.PutStr("db.system", []string{"mssql", "postgresql", ""}[i%3])
			a.PutDouble("rpc.grpc.status_code", float64(i))
			a.PutBool("error", i%2 == 0)
			a.PutDouble("ratio", math.Inf(1))
			a.PutEmptyBytes("raw").FromRaw([]byte{1, 2, byte(i)})
			a.PutEmptyMap("map").PutStr("k", "v")
			a.PutEmpty("nothing")
			a.PutStr("", "nameless")
			a.PutStr(strings.Repeat("k", 300), "long")
			a.PutStr("bad\xffkey", "bad\xffvalue")
			a.PutStr("exception.stacktrace", strings.Repeat("at x\n", 50))
			for e := range i {
				ev := s.Events().AppendEmpty()
				ev.SetName([]string{"exception", "error", "log"}[e%3])
				ev.SetTimestamp(pcommon.Timestamp(base * int64(e%2)))
				ev.Attributes().PutStr("message", "m")
				ev.Attributes().PutStr("exception.type", "T")
				ev.SetDroppedAttributesCount(3)
				l := s.Links().AppendEmpty()
				l.SetTraceID(pcommon.TraceID{9})
				l.SetSpanID(pcommon.SpanID{9})
				l.TraceState().FromRaw("c=d")
				l.Attributes().PutStr("k", "v")
				l.SetFlags(1)
			}
		}
	}
	return td
}

func marshalled(t testing.TB, td ptrace.Traces) []byte {
	t.Helper()
	var m ptrace.ProtoMarshaler
	data, err := m.MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tight are limits that everything runs into.
var tight = Limits{Value: 12, Stack: 40, Attributes: 5, Events: 2}

func TestSpansReadFromTheirBytesAreThoseOfPdata(t *testing.T) {
	odd, many := marshalled(t, oddTraces(12)), marshalled(t, manySpans(3*wireParts))
	for _, limits := range []Limits{{}, tight, {Spans: 30}, {Attributes: 9, Value: 90}} {
		direct, difference := bothWays(limits, odd, many, odd)
		if difference != "" {
			t.Fatalf("limits %+v: %.2000s", limits, difference)
		}
		if direct.spans.n == 0 {
			t.Fatal("no spans")
		}
	}
	r := NewReader(Options{})
	if !r.addWire(odd) || !r.addWire(many) {
		t.Error("plain exports are left to pdata")
	}
}

// Whatever is changed in an export, both ways have the same spans, notes and errors.
func TestChangedExportsAreReadAsPdataDoes(t *testing.T) {
	seed := marshalled(t, oddTraces(4))
	rapid.Check(t, func(t *rapid.T) {
		data := bytes.Clone(seed)
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			if len(data) == 0 {
				break
			}
			at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "change") {
			case 0:
				data[at] = rapid.Byte().Draw(t, "byte")
			case 1:
				data = append(data[:at:at], data[at+1:]...)
			case 2:
				data = data[:at+1]
			}
		}
		for _, limits := range []Limits{{}, tight} {
			if _, difference := bothWays(limits, seed, data); difference != "" {
				t.Fatalf("%.2000s", difference)
			}
		}
	})
}

// field writes a length-delimited field.
func field(number byte, content ...[]byte) []byte {
	body := bytes.Join(content, nil)
	out := protoHeader(len(body))
	out[0] = number<<3 | 2
	return append(out, body...)
}

func TestExportsThatPdataDecides(t *testing.T) {
	span := marshalled(t, manySpans(1))
	deep := []byte("x")
	for range nesting.Depth {
		deep = field(1, deep)
	}
	kv := func(value ...[]byte) []byte {
		return field(1, field(1, field(1, field(1, []byte("k")), field(2, value...))))
	}
	for name, data := range map[string][]byte{
		"a group":                      append(bytes.Clone(span), 0x0b, 0x0c),
		"an unknown field":             append(bytes.Clone(span), field(9, []byte("new"))...),
		"a field of another type":      append(bytes.Clone(span), 0x08, 0x01),
		"two resources":                field(1, field(1), field(1)),
		"nothing":                      {},
		"no spans":                     field(1),
		"an id of three bytes":         field(1, field(2, field(2, field(1, []byte("abc"))))),
		"a field number of zero":       {0x02, 0x00},
		"a length beyond the end":      {0x0a, 0x7f, 0x00},
		"a number without an end":      bytes.Repeat([]byte{0xff}, 12),
		"a text that is nested deeply": field(1, field(3, deep)),
		"a list that is nested deeply": kv(field(5, deep)),
		"two values of one attribute":  kv(field(1, []byte("a")), []byte{0x10, 0x02}),
		"an index into a dictionary":   kv([]byte{0x40, 0x02}),
		"thousands of empty spans":     field(1, field(2, bytes.Repeat(field(2), 20_000))),
		"thousands of empty resources": bytes.Repeat(field(1), 20_000),
	} {
		if _, difference := bothWays(Limits{}, span, data, span); difference != "" {
			t.Errorf("%s: %.2000s", name, difference)
		}
	}
}

func FuzzSpansFromBytes(f *testing.F) {
	f.Add(marshalled(f, oddTraces(2)))
	f.Add(marshalled(f, manySpans(3)))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, limits := range []Limits{{}, tight} {
			if _, difference := bothWays(limits, data, data); difference != "" {
				t.Fatalf("%.4000s", difference)
			}
		}
	})
}
