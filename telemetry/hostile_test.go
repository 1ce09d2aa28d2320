package telemetry

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// numbered writes n spans of one trace; parent gives each span's parent by number, 0 for none.
func numbered(n int, parent func(i int) int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "s")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	spans.EnsureCapacity(n)
	id := func(i int) pcommon.SpanID {
		return pcommon.SpanID{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24), 0, 0, 0, 1}
	}
	for i := 1; i <= n; i++ {
		s := spans.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{15: 1})
		s.SetSpanID(id(i))
		if p := parent(i); p > 0 {
			s.SetParentSpanID(id(p))
		}
		s.SetName("n")
		s.SetStartTimestamp(pcommon.Timestamp(base + int64(i)))
		s.SetEndTimestamp(pcommon.Timestamp(base + int64(2*n)))
	}
	return td
}

func TestLargeTracesOfEveryShape(t *testing.T) {
	const n = 30_000 // of a million spans "remediator bench" tells
	for name, parent := range map[string]func(i int) int{
		"one parent":  func(i int) int { return min(i-1, 1) },
		"one chain":   func(i int) int { return i - 1 },
		"one cycle":   func(i int) int { return (i+n-2)%n + 1 },
		"itself":      func(i int) int { return i },
		"no relation": func(int) int { return n + 7 },
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(Options{})
			r.AddTraces(numbered(n, parent))
			ds := r.Dataset()
			traces := GroupTraces(ds.Spans)
			if len(traces) != 1 || len(traces[0].Order()) != n {
				t.Fatalf("%d traces, %d of %d spans in order", len(traces), len(traces[0].Order()), n)
			}
			tr := &traces[0]
			want := map[string][3]bool{"one cycle": {false, false, true}, "itself": {false, false, true}, "no relation": {true, true, false}}[name]
			if got := [3]bool{tr.Broken, tr.Headless, tr.Cyclic}; got != want {
				t.Errorf("broken, headless, cyclic: %v, want %v", got, want)
			}
			logs := make([]Log, 1000)
			for i := range logs {
				logs[i] = Log{Time: base + int64(i), Resource: &Resource{Service: "s"}, Trace: tr.ID, Span: tr.Spans[n-1-i].ID}
			}
			for i, l := range Correlate(logs, traces, time.Second) {
				if l.Tie != BySpan || l.Span != int32(n-1-i) {
					t.Fatalf("record %d: %+v", i, l)
				}
			}
		})
	}
}

// TestEverySpanIsKeptOrSaid: of hostile spans each is in the dataset or in a note.
func TestEverySpanIsKeptOrSaid(t *testing.T) {
	d := newTraceData()
	for i, c := range []struct {
		start, end uint64
		note       string
	}{
		{0, 0, NoteTimeOutOfRange},
		{1, 2, NoteTimeOutOfRange},
		{math.MaxUint64, math.MaxUint64, NoteTimeOutOfRange},
		{math.MaxInt64, math.MaxInt64, NoteTimeOutOfRange},
		{uint64(base), math.MaxUint64, NoteTimeOutOfRange},
		{uint64(base), maxTime, NoteTimeOutOfRange}, // lasts for decades
		{uint64(base) + 1e9, uint64(base), NoteNegativeDuration},
		{uint64(base), 0, NoteUnfinished},
		{uint64(base), uint64(base) + 1, ""},
	} {
		one := newTraceData()
		for _, data := range []*traceData{one, d} {
			s := data.span("s", 1, byte(i+1), 0, "n", 0, 0, nil)
			s.SetStartTimestamp(pcommon.Timestamp(c.start))
			s.SetEndTimestamp(pcommon.Timestamp(c.end))
		}
		ds := one.dataset(t)
		if c.note != "" && noteCount(ds, c.note) != 1 {
			t.Errorf("%d..%d: no note %q in %v", c.start, c.end, c.note, ds.Notes)
		}
		if dropped := c.note == NoteTimeOutOfRange; len(ds.Spans) != 1 && !dropped || len(ds.Spans) != 0 && dropped {
			t.Errorf("%d..%d: %d spans", c.start, c.end, len(ds.Spans))
		}
	}
	if ds := d.dataset(t); len(ds.Spans) != 3 || noteCount(ds, NoteTimeOutOfRange) != 6 {
		t.Errorf("%d spans, notes %v", len(ds.Spans), ds.Notes)
	}
}

func TestHugeAndBrokenTexts(t *testing.T) {
	d := newTraceData()
	s := d.span("s\xff", 1, 1, 0, "na\xc3\x28me"+strings.Repeat("n", 64<<10), 0, time.Second, map[string]any{"big": strings.Repeat("ü", 32<<10), "bad\xfe": "v\xff"})
	s.Status().SetMessage("\xed\xa0\x80")
	ds := d.dataset(t)
	got := ds.Spans[0]
	for _, text := range []string{got.Name, got.Message, got.Resource.Service, got.Attrs.Get("big")} {
		if strings.ToValidUTF8(text, "") != text || len(text) > 9<<10 {
			t.Errorf("%d bytes, valid %v", len(text), strings.ToValidUTF8(text, "") == text)
		}
	}
	for _, a := range got.Attrs {
		if strings.ToValidUTF8(a.Key+a.Value, "") != a.Key+a.Value {
			t.Errorf("%q", a)
		}
	}
	if noteCount(ds, NoteInvalidText) < 4 || noteCount(ds, NoteCut) < 2 {
		t.Errorf("notes %v", ds.Notes)
	}
}

// TestHostileDocuments: each is refused or read, bounded, and said.
func TestHostileDocuments(t *testing.T) {
	deep := strings.Repeat(`{"data":[`, 100_000)
	span := `{"traceID":"1","spanID":"%d","operationName":"o","startTime":%s,"duration":%s,"processID":"p","tags":%s}`
	jaeger := func(start, duration, tags string) string {
		return `{"traceID":"1","spans":[` + fmt.Sprintf(span, 1, start, duration, tags) + `],"processes":{"p":{"serviceName":"s"}}}`
	}
	for name, c := range map[string]struct {
		in    string
		spans int
		note  string // "" where an error says it
	}{
		"deep":              {deep, 0, ""},
		"deep list":         {strings.Repeat("[", 1_000_000), 0, ""},
		"deep tag":          {jaeger("1700000000000000", "1", `[{"key":"k","value":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+`}]`), 0, ""},
		"huge number":       {jaeger("1e400", "1", "[]"), 0, NoteTimeOutOfRange},
		"long number":       {jaeger(strings.Repeat("9", 10_000), "1", "[]"), 0, NoteTimeOutOfRange},
		"negative time":     {jaeger("-5", "1", "[]"), 0, NoteTimeOutOfRange},
		"negative duration": {jaeger("1700000000000000", "-7", "[]"), 1, NoteNegativeDuration},
		"far future":        {jaeger("99999999999999999", "1", "[]"), 0, NoteTimeOutOfRange},
		"huge duration":     {jaeger("1700000000000000", "9e15", "[]"), 0, NoteTimeOutOfRange},
		"words for numbers": {jaeger(`"soon"`, "1", "[]"), 0, ""},
		"other types":       {`{"traceID":"1","spans":[{"traceID":7},` + fmt.Sprintf(span, 1, "1700000000000000", "1", "[]") + `],"processes":{}}`, 1, NoteMalformedSpan},
		"no ids":            {`[{"traceId":"","id":"","timestamp":1700000000000000}]`, 0, NoteNoID},
		"strange ids":       {`[{"traceId":"not hex at all","id":"` + strings.Repeat("f", 40) + `","timestamp":1700000000000000}]`, 1, NoteForeignID},
		"own parent":        {`[{"traceId":"1","id":"2","parentId":"2","timestamp":1700000000000000}]`, 1, NoteSpanCycle},
		"many tags":         {jaeger("1700000000000000", "1", "["+strings.Repeat(`{"key":"k","value":1},`, 5000)+`{"key":"z","value":2}]`), 1, ""},
		"zipkin v1":         {`[{"traceId":"1","name":"x","binaryAnnotations":[]}]`, 0, ""},
	} {
		r := NewReader(Options{})
		err := r.Read(strings.NewReader(c.in), Traces)
		ds := r.Dataset()
		if len(ds.Spans) != c.spans {
			t.Errorf("%s: %d spans, %v", name, len(ds.Spans), ds.Notes)
		}
		if c.note != "" && noteCount(ds, c.note) == 0 || c.note == "" && c.spans == 0 && err == nil {
			t.Errorf("%s: not a word: %v, %v", name, err, ds.Notes)
		}
	}
}

// FuzzRead: whatever the bytes and however they are framed, what comes out keeps the promises of a dataset.
func FuzzRead(f *testing.F) {
	td := sample().td
	var pm ptrace.ProtoMarshaler
	proto, err := pm.MarshalTraces(td)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{proto, fixed(proto, proto), varint(proto, proto), []byte(jaegerForm), []byte(zipkinForm), []byte(elasticForm),
		[]byte(`{"result":{"resourceSpans":[]}}`), []byte("[\n{\"traceId\":\"1\",\n\"id\":\"2\"}"), []byte(`{"batches":[{"instrumentationLibrarySpans":[{"spans":[{"traceId":"AAAAAAAAAAAAAAAAAAAAAQ=="}]}]}]}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, signal := range []Signal{Traces, Logs, Metrics} {
			r := NewReader(Options{Limits: Limits{Spans: 1000, Logs: 1000, Points: 1000, Value: 100, Document: 1 << 20}})
			err := r.Read(bytes.NewReader(data), signal)
			ds := r.Dataset()
			if err != nil && len(ds.Spans) > 0 && signal != Traces {
				t.Fatalf("spans in spite of %v", err)
			}
			for _, s := range ds.Spans {
				if s.Resource == nil || s.Duration < 0 || s.Trace.IsZero() || s.ID.IsZero() || s.Start < minTime-int64(farAway) {
					t.Fatalf("%+v", s)
				}
			}
			for _, tr := range GroupTraces(ds.Spans) {
				if len(tr.Order()) != len(tr.Spans) {
					t.Fatalf("%d of %d spans ordered", len(tr.Order()), len(tr.Spans))
				}
			}
		}
		if td, _, err := DecodeTraces(data); err == nil {
			_ = td.SpanCount()
		}
	})
}

func FuzzJaeger(f *testing.F) {
	f.Add([]byte(jaegerForm))
	f.Add([]byte(elasticForm))
	f.Add([]byte(`{"traceID":"A","spanID":"B","startTime":0,"references":[{"refType":"FOLLOWS_FROM","traceID":"A","spanID":"B"}]}`))
	fuzzDocument(f)
}

func FuzzZipkin(f *testing.F) {
	f.Add([]byte(zipkinForm))
	f.Add([]byte(`{"traceId":"1","id":"2","annotations":[{"timestamp":1.5e15,"value":"sr"}],"tags":{"error":""},"localEndpoint":{"port":-1}}`))
	fuzzDocument(f)
}

// fuzzDocument decodes single documents: no panic, no span without an id, nothing twice.
func fuzzDocument(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		td, _, err := DecodeTraces(data)
		if err != nil {
			return
		}
		r := NewReader(Options{})
		n := td.SpanCount()
		r.AddTraces(td)
		ds := r.Dataset()
		said := 0
		for _, note := range ds.Notes {
			switch note.Code {
			case NoteNoID, NoteTimeOutOfRange, NoteFarFromWindow, NoteDuplicateSpan:
				said += note.Count
			}
		}
		if len(ds.Spans)+said != n {
			t.Fatalf("%d spans and %d said of %d", len(ds.Spans), said, n)
		}
	})
}
