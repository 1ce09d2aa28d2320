package telemetry

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// sample is a trace of two services whose first span failed.
func sample() *traceData {
	d := newTraceData()
	d.span("front", 1, 1, 0, "GET /", 0, time.Second, map[string]any{"http.method": "GET", "http.status_code": int64(500)}).SetKind(ptrace.SpanKindServer)
	d.span("back", 1, 2, 1, "work", 100*time.Millisecond, time.Second/2, nil).SetKind(ptrace.SpanKindServer)
	return d
}

func asJSON(t *testing.T, td ptrace.Traces) []byte {
	t.Helper()
	var m ptrace.JSONMarshaler
	b, err := m.MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asProto(t *testing.T, td ptrace.Traces) []byte {
	t.Helper()
	var m ptrace.ProtoMarshaler
	b, err := m.MarshalTraces(td)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pretty(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func fixed(messages ...[]byte) (out []byte) {
	for _, m := range messages {
		out = binary.BigEndian.AppendUint32(out, uint32(len(m)))
		out = append(out, m...)
	}
	return out
}

func varint(messages ...[]byte) (out []byte) {
	for _, m := range messages {
		out = binary.AppendUvarint(out, uint64(len(m)))
		out = append(out, m...)
	}
	return out
}

func packed(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(b, nil)
}

func readAll(t *testing.T, data []byte, signal Signal) Dataset {
	t.Helper()
	r := NewReader(Options{})
	if err := r.Read(bytes.NewReader(data), signal); err != nil {
		t.Fatal(err)
	}
	return r.Dataset()
}

// brief is what every format must agree on.
func brief(ds Dataset) string {
	var b strings.Builder
	for _, s := range ds.Spans {
		fmt.Fprintf(&b, "%s %s %s %s %s %d %d %d\n", s.Trace, s.ID, s.Parent, s.Resource.Service, s.Name, s.Kind, s.Start-base, s.Duration)
	}
	return b.String()
}

const jaegerForm = `{"data":[{"traceID":"1","spans":[
 {"traceID":"1","spanID":"1","operationName":"GET /","references":[],"startTime":1700000000000000,"duration":1000000,"processID":"p1",
  "tags":[{"key":"span.kind","type":"string","value":"server"},{"key":"http.method","type":"string","value":"GET"},{"key":"http.status_code","type":"int64","value":500},{"key":"error","type":"bool","value":true},{"key":"sampler.type","type":"string","value":"const"}],
  "logs":[{"timestamp":1700000000500000,"fields":[{"key":"event","type":"string","value":"error"},{"key":"message","type":"string","value":"boom"}]}]},
 {"traceID":"1","spanID":"2","operationName":"work","references":[{"refType":"CHILD_OF","traceID":"1","spanID":"1"},{"refType":"FOLLOWS_FROM","traceID":"9","spanID":"8"}],"startTime":1700000000100000,"duration":500000,"processID":"p2",
  "tags":[{"key":"span.kind","type":"string","value":"server"}]}],
 "processes":{"p1":{"serviceName":"front","tags":[{"key":"hostname","type":"string","value":"h1"}]},"p2":{"serviceName":"back","tags":[]}}}],"total":0,"errors":null}`

const zipkinForm = `[{"traceId":"0000000000000001","id":"0000000000000001","name":"GET /","kind":"SERVER","timestamp":1700000000000000,"duration":1000000,"localEndpoint":{"serviceName":"front","ipv4":"10.0.0.1"},"tags":{"http.method":"GET","http.status_code":"500","error":"boom"},"annotations":[{"timestamp":1700000000200000,"value":"halfway"}]},
{"traceId":"0000000000000001","parentId":"0000000000000001","id":"0000000000000002","name":"work","kind":"SERVER","timestamp":1700000000100000,"duration":500000,"localEndpoint":{"serviceName":"back"},"remoteEndpoint":{"serviceName":"front","port":80}}]`

// elasticForm is two documents of Jaeger's index, as a search hands them out.
const elasticForm = `{"hits":{"total":2,"hits":[
{"_source":{"traceID":"1","spanID":"1","operationName":"GET /","references":[],"startTime":1700000000000000,"startTimeMillis":1700000000000,"duration":1000000,"tags":[{"key":"span.kind","type":"string","value":"server"},{"key":"http.status_code","type":"int64","value":"500"}],"tag":{"http@method":"GET"},"process":{"serviceName":"front","tags":[]}}},
{"_source":{"traceID":"1","spanID":"2","parentSpanID":"1","operationName":"work","startTime":1700000000100000,"duration":500000,"tags":[{"key":"span.kind","type":"string","value":"server"}],"process":{"serviceName":"back","tags":[]}}}]}}`

func TestEveryFormatIsReadByContent(t *testing.T) {
	td := sample().td
	line, proto := asJSON(t, td), asProto(t, td)
	want := brief(readAll(t, append(slices.Clone(line), '\n'), Traces))
	if strings.Count(want, "\n") != 2 {
		t.Fatalf("the sample itself: %q", want)
	}
	compact := func(s string) string {
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(s)); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	var jaeger struct{ Data []json.RawMessage }
	if err := json.Unmarshal([]byte(jaegerForm), &jaeger); err != nil {
		t.Fatal(err)
	}
	var zipkin []json.RawMessage
	if err := json.Unmarshal([]byte(zipkinForm), &zipkin); err != nil {
		t.Fatal(err)
	}
	tempo := strings.NewReplacer(`"resourceSpans"`, `"batches"`, `"scopeSpans"`, `"instrumentationLibrarySpans"`,
		"00000000000000000000000000000001", "AAAAAAAAAAAAAAAAAAAAAQ==", "0000000000000001", "AAAAAAAAAAE=", "0000000000000002", "AAAAAAAAAAI=").Replace(string(line))
	for name, data := range map[string][]byte{
		"OTLP line without its end":                      line,
		"OTLP behind a byte order mark":                  append([]byte("\ufeff"), line...),
		"OTLP pretty-printed":                            pretty(t, line),
		"OTLP list":                                      []byte("[" + string(line) + "]"),
		"OTLP list of lines":                             []byte("[\n" + string(line) + ",\n" + string(line) + "\n]\n"),
		"OTLP pretty-printed list":                       pretty(t, []byte("["+string(line)+"]")),
		"OTLP documents in a row":                        append(pretty(t, line), pretty(t, line)...),
		"OTLP without indentation":                       []byte(strings.Replace(string(line), `[{"resource"`, "[\n{\"resource\"", 1)),
		"OTLP protobuf":                                  proto,
		"OTLP protobuf, four bytes of length":            fixed(proto, proto),
		"OTLP protobuf, lengths as varints":              varint(proto, proto),
		"OTLP protobuf, compressed by message":           fixed(packed(t, proto), packed(t, proto)),
		"OTLP/JSON, compressed by message":               fixed(packed(t, line)),
		"Jaeger API":                                     []byte(jaegerForm),
		"Jaeger API on one line":                         []byte(compact(jaegerForm)),
		"Jaeger trace":                                   pretty(t, jaeger.Data[0]),
		"Jaeger traces by line":                          []byte(compact(string(jaeger.Data[0])) + "\n" + compact(string(jaeger.Data[0])) + "\n"),
		"Jaeger in Elasticsearch":                        []byte(elasticForm),
		"Jaeger API v3":                                  []byte(`{"result":` + string(line) + "}\n"),
		"Zipkin":                                         []byte(zipkinForm),
		"Zipkin on one line":                             []byte(compact(zipkinForm)),
		"Zipkin by trace":                                []byte("[" + zipkinForm + "]"),
		"Zipkin by line":                                 []byte(compact(string(zipkin[0])) + "\n" + compact(string(zipkin[1]))),
		"Tempo, ids in base64, scopes by their old name": []byte(tempo),
		"Tempo API v2":                                   []byte(`{"trace":` + string(line) + `}`),
	} {
		t.Run(name, func(t *testing.T) {
			if got := brief(readAll(t, data, Traces)); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func TestOtherSignalsAreReadByContent(t *testing.T) {
	ld := plog.NewLogs()
	rec := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	rec.SetTimestamp(1_700_000_000_000_000_000)
	rec.Body().SetStr("hello")
	var jm plog.JSONMarshaler
	line, err := jm.MarshalLogs(ld)
	if err != nil {
		t.Fatal(err)
	}
	var pm plog.ProtoMarshaler
	proto, err := pm.MarshalLogs(ld)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"line": line, "pretty": pretty(t, line), "proto": proto, "framed": fixed(proto)} {
		if ds := readAll(t, data, Logs); len(ds.Logs) != 1 || ds.Logs[0].Body != "hello" {
			t.Errorf("%s: %v", name, ds.Logs)
		}
	}
	// JSON says itself what it holds, whatever its file is called.
	if ds := readAll(t, line, Traces); len(ds.Logs) != 1 {
		t.Error("logs among the traces are lost")
	}
}

func TestDocumentsThatEndTooEarlyAreRescued(t *testing.T) {
	d := newTraceData()
	for i := range byte(50) {
		d.span("a", 1, i+1, 0, "n", 0, time.Second, map[string]any{"k": "v"})
	}
	line := asJSON(t, d.td)
	for name, data := range map[string][]byte{"pretty": pretty(t, line), "line": line, "jaeger": []byte(jaegerForm)} {
		ds := readAll(t, data[:len(data)*2/3], Traces)
		if len(ds.Spans) == 0 || noteCount(ds, NoteCutDocument) != 1 {
			t.Errorf("%s: %d spans, notes %v", name, len(ds.Spans), ds.Notes)
		}
	}
	td := sample().td
	proto := asProto(t, td)
	ds := readAll(t, fixed(proto, proto)[:len(proto)+20], Traces)
	if len(ds.Spans) != 2 || noteCount(ds, NoteMalformedLine) != 1 {
		t.Errorf("framed: %d spans, %v", len(ds.Spans), ds.Notes)
	}
}

func TestWhatIsNoTelemetryIsRefused(t *testing.T) {
	for name, data := range map[string]string{
		"other object":      `{"hello":"world"}`,
		"other list":        `[1,2]`,
		"binary":            "\x00\x01\x02\x03\x04\x05\x06\x07\xff\xfe",
		"server's error":    `{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}`,
		"error of API v3":   `{"error":{"grpcCode":5,"message":"not found"}}`,
		"proto of nothing":  "\x12\x02\x08\x01",
		"length of 4 GiB":   "\xff\xff\xff\xff{",
		"text":              "GET / 200\nGET / 500\n",
		"broken JSON":       `{"resourceSpans":[{]}`,
		"Jaeger of no span": `{"data":[{"traceID":"1","spans":[7]}]}`,
	} {
		r := NewReader(Options{})
		if err := r.Read(strings.NewReader(data), Traces); err == nil {
			t.Errorf("%s: read without a word: %+v", name, r.Dataset().Notes)
		} else if !strings.Contains(err.Error(), "file exporter") {
			t.Errorf("%s: %v offers no next step", name, err)
		}
	}
}

func TestDocumentsAreBounded(t *testing.T) {
	big := pretty(t, asJSON(t, manySpans(1000)))
	r := NewReader(Options{Limits: Limits{Line: 1 << 10, Document: 1 << 10}})
	if err := r.Read(bytes.NewReader(big), Traces); err == nil || !strings.Contains(err.Error(), "longer than 1024 bytes") {
		t.Errorf("error %v", err)
	}
	r = NewReader(Options{Limits: Limits{Document: 1 << 10}})
	if err := r.Read(bytes.NewReader(asProto(t, manySpans(1000))), Traces); err == nil {
		t.Error("a message beyond the limit was read")
	}
	// A small frame that becomes a large message.
	r = NewReader(Options{Limits: Limits{Document: 64 << 10}})
	if err := r.Read(bytes.NewReader(fixed(packed(t, make([]byte, 32<<20)))), Traces); err == nil {
		t.Error("a bomb went off")
	}
}

// corpus lists the documents of a public corpus, which lies beside the repository where it is there at all.
func corpus(t *testing.T, name string) []string {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "corpora", name)
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "corpus.json" })
	if len(files) == 0 {
		t.Skipf("SKIPPED: no documents under %s, reading them not tested", dir)
	}
	return files
}

func readFile(t *testing.T, file string) Dataset {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return readAll(t, data, Traces)
}

func TestEveryDocumentOfTheCorporaIsRead(t *testing.T) {
	for _, c := range []string{"crisp", "jaeger-traces"} {
		t.Run(c, func(t *testing.T) {
			for _, file := range corpus(t, c) {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				// Each span says its operation or name once, nothing else in these documents does.
				want := bytes.Count(data, []byte(`"operationName"`)) + bytes.Count(data, []byte(`"startTimeUnixNano"`))
				ds := readAll(t, data, Traces)
				if len(ds.Spans) != want || want == 0 {
					t.Errorf("%s: %d of %d spans, notes %v", file, len(ds.Spans), want, ds.Notes)
				}
				for _, code := range []string{NoteMalformedLine, NoteMalformedSpan, NoteTimeOutOfRange, NoteNoID, NoteNoService} {
					if n := noteCount(ds, code); n > 0 {
						t.Errorf("%s: %s %d times", file, code, n)
					}
				}
				for _, s := range ds.Spans {
					if s.Name == "" || s.Resource.Service == UnknownService {
						t.Errorf("%s: span %+v", file, s)
					}
				}
			}
		})
	}
}
