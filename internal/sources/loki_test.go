package sources

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"
)

// keptOutput is a Sink that keeps what it is handed.
type keptOutput struct {
	logs    map[string][]plog.Logs
	metrics map[string][]pmetric.Metrics
	traces  map[string]int
	err     error
}

func (k *keptOutput) Traces(window string, td ptrace.Traces) error {
	if k.traces == nil {
		k.traces = map[string]int{}
	}
	k.traces[window] += td.SpanCount()
	return k.err
}

func (k *keptOutput) Logs(window string, ld plog.Logs) error {
	if k.logs == nil {
		k.logs = map[string][]plog.Logs{}
	}
	k.logs[window] = append(k.logs[window], ld)
	return k.err
}

func (k *keptOutput) Metrics(window string, md pmetric.Metrics) error {
	if k.metrics == nil {
		k.metrics = map[string][]pmetric.Metrics{}
	}
	k.metrics[window] = append(k.metrics[window], md)
	return k.err
}

// bodies are the messages of a window, sorted.
func (k *keptOutput) bodies(window string) []string {
	var out []string
	for _, ld := range k.logs[window] {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, r := range sl.LogRecords().All() {
					out = append(out, r.Body().AsString())
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// lokiStub answers as Loki does: within [start, end), in the order asked for, at most limit records and never more than
// its own limit; it refuses windows that are too long.
type lokiStub struct {
	records  []lokiRecord
	most     int           // entries of one answer
	longest  time.Duration // of a query, 0 for any
	stats    bool
	requests int
	order    []int64 // times asked from
}

type lokiRecord struct {
	at       int64
	stream   string
	line     string
	metadata map[string]string
}

func (l *lokiStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(text string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, text) // as it is: Loki answers in plain text
	}
	switch r.URL.Path {
	case "/loki/api/v1/labels":
		fmt.Fprint(w, `{"status":"success","data":["namespace","service_name"]}`)
		return
	case "/loki/api/v1/index/stats":
		if !l.stats {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, `{"streams":3,"chunks":1,"bytes":1,"entries":%d}`, len(l.records))
		return
	}
	l.requests++
	q := r.URL.Query()
	from, _ := strconv.ParseInt(q.Get("start"), 10, 64)
	to, _ := strconv.ParseInt(q.Get("end"), 10, 64)
	limit, _ := strconv.Atoi(q.Get("limit"))
	l.order = append(l.order, from)
	if limit > l.most {
		refuse(fmt.Sprintf("max entries limit per query exceeded, limit > max_entries_limit_per_query (%d > %d)", limit, l.most))
		return
	}
	if l.longest > 0 && time.Duration(to-from) > l.longest {
		refuse(fmt.Sprintf("the query time range exceeds the limit (query length: %v, limit: %v)", time.Duration(to-from), l.longest))
		return
	}
	found := slices.DeleteFunc(slices.Clone(l.records), func(r lokiRecord) bool { return r.at < from || r.at >= to })
	slices.SortStableFunc(found, func(a, b lokiRecord) int {
		if q.Get("direction") == "backward" {
			return int(b.at - a.at)
		}
		return int(a.at - b.at)
	})
	found = found[:min(limit, len(found))]
	type stream struct {
		Stream map[string]string `json:"stream"`
		Values [][]any           `json:"values"`
	}
	by := map[string]*stream{}
	var streams []*stream
	for _, f := range found {
		s := by[f.stream]
		if s == nil {
			s = &stream{Stream: map[string]string{"service_name": f.stream, "namespace": "n"}}
			by[f.stream] = s
			streams = append(streams, s)
		}
		value := []any{strconv.FormatInt(f.at, 10), f.line}
		if r.Header.Get("X-Loki-Response-Encoding-Flags") == "categorize-labels" {
			value = append(value, map[string]any{"structuredMetadata": f.metadata, "parsed": map[string]string{}})
		}
		s.Values = append(s.Values, value)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "streams", "result": streams, "encodingFlags": []string{"categorize-labels"}}})
}

func lokiOf(t testing.TB, h http.Handler, o LokiOptions) *Loki {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return NewLoki(testClient(t, "loki", srv.URL), o)
}

// However many records share a time, whatever the server's limits are and in which order is read: every record comes
// once, as long as no more share one time than a page holds.
func TestLokiPagesLoseAndRepeatNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		stub := &lokiStub{most: rapid.IntRange(2, 30).Draw(rt, "most"), stats: rapid.Bool().Draw(rt, "stats")}
		if rapid.Bool().Draw(rt, "bounded") {
			stub.longest = time.Duration(rapid.IntRange(1, 60).Draw(rt, "longest")) * time.Minute
		}
		at := noon.UnixNano()
		var want []string
		for i := 0; i < rapid.IntRange(0, 120).Draw(rt, "records"); {
			same := rapid.IntRange(1, stub.most-1).Draw(rt, "same") // records of one time
			for range same {
				line := fmt.Sprintf("record %d", i)
				stub.records = append(stub.records, lokiRecord{at: at, stream: fmt.Sprintf("s%d", i%3), line: line})
				want = append(want, line)
				i++
			}
			at += int64(rapid.IntRange(1, 10_000).Draw(rt, "gap")) * int64(time.Millisecond)
		}
		slices.Sort(want)
		srv := httptest.NewServer(stub)
		defer srv.Close()
		l := NewLoki(testClient(t, "loki", srv.URL), LokiOptions{Limit: 10_000, Page: rapid.IntRange(stub.most/2+1, 100).Draw(rt, "page")})
		sink := &keptOutput{}
		w := Window{noon, noon.Add(time.Hour)}
		r, err := l.Fetch(context.Background(), Query{Name: "incident", Window: w}, sink)
		if err != nil {
			rt.Fatal(err)
		}
		got := sink.bodies("incident")
		for _, p := range r.Partial {
			if strings.Contains(p, "bear the time") {
				return // a page smaller than what shares a time: said
			}
		}
		if !slices.Equal(got, want) || r.Logs != len(want) {
			rt.Fatalf("got %d records of %d (%d told); partial %v", len(got), len(want), r.Logs, r.Partial)
		}
	})
}

func TestLokiOverItsLimitCoversTheWholeWindow(t *testing.T) {
	for _, stats := range []bool{true, false} {
		stub := &lokiStub{most: 500, stats: stats}
		for i := range 7200 { // two a second
			stub.records = append(stub.records, lokiRecord{at: noon.Add(time.Duration(i) * time.Second / 2).UnixNano(), stream: "a", line: strconv.Itoa(i)})
		}
		l := lokiOf(t, stub, LokiOptions{Limit: 1000})
		sink := &keptOutput{}
		r, err := l.Fetch(context.Background(), Query{Name: "incident", Window: Window{noon, noon.Add(time.Hour)}}, sink)
		if err != nil || r.Logs != 1000 {
			t.Fatalf("%d records, %v", r.Logs, err)
		}
		quarters := map[int]int{}
		for _, b := range sink.bodies("incident") {
			n, _ := strconv.Atoi(b)
			quarters[n/1800]++
		}
		if stats && (quarters[0] < 200 || quarters[1] < 200 || quarters[2] < 200 || quarters[3] < 200 || len(r.Partial) == 0) {
			t.Errorf("records by quarter of the window: %v; partial %v", quarters, r.Partial)
		}
		if !stats && (quarters[0] != 500 || quarters[3] != 500) {
			t.Errorf("without statistics, the two ends: %v", quarters)
		}
	}
}

func TestLokiSaysWhenTooManyShareOneTime(t *testing.T) {
	stub := &lokiStub{most: 10, stats: true}
	for i := range 50 {
		stub.records = append(stub.records, lokiRecord{at: noon.Add(time.Minute).UnixNano(), stream: "a", line: strconv.Itoa(i)})
	}
	stub.records = append(stub.records, lokiRecord{at: noon.Add(2 * time.Minute).UnixNano(), stream: "a", line: "after"})
	sink := &keptOutput{}
	r, err := lokiOf(t, stub, LokiOptions{}).Fetch(context.Background(), Query{Name: "incident", Window: Window{noon, noon.Add(time.Hour)}}, sink)
	if err != nil || !slices.Contains(sink.bodies("incident"), "after") || !strings.Contains(strings.Join(r.Partial, ";"), "bear the time") {
		t.Errorf("%d records, partial %v, %v", r.Logs, r.Partial, err)
	}
}

func TestLokiRecordsBecomeOTLP(t *testing.T) {
	const id, span = "0102030405060708090a0b0c0d0e0f10", "0102030405060708"
	for _, c := range []struct {
		name     string
		record   lokiRecord
		body     string
		severity plog.SeverityNumber
		trace    string
		attr     [2]string
	}{
		{"plain text", lokiRecord{line: "hello world"}, "hello world", 0, "", [2]string{}},
		{"detected level", lokiRecord{line: "it broke", metadata: map[string]string{"detected_level": "error"}}, "it broke", plog.SeverityNumberError, "", [2]string{}},
		{"OTLP metadata", lokiRecord{line: "x", metadata: map[string]string{"severity_number": "21", "trace_id": id, "span_id": span, "exception_type": "E"}}, "x", plog.SeverityNumberFatal, id, [2]string{"exception.type", "E"}},
		{"JSON", lokiRecord{line: `{"level":"warn","msg":"slow","traceId":"` + strings.ToUpper(id) + `","took":{"ms":12}}`}, "slow", plog.SeverityNumberWarn, id, [2]string{"took.ms", "12"}},
		{"logfmt", lokiRecord{line: `ts=1 level=ERROR msg="no \"luck\"" user=7`}, `no "luck"`, plog.SeverityNumberError, "", [2]string{"user", "7"}},
		{"text with a pair in it", lokiRecord{line: `the level=error was reached`}, "the level=error was reached", 0, "", [2]string{}},
		{"what the line says wins over what was detected", lokiRecord{line: `{"severity":"info","message":"error budget fine"}`, metadata: map[string]string{"detected_level": "error"}}, "error budget fine", plog.SeverityNumberInfo, "", [2]string{}},
		{"no trace of zeros", lokiRecord{line: "x", metadata: map[string]string{"trace_id": strings.Repeat("0", 32)}}, "x", 0, "", [2]string{}},
		{"broken JSON stays text", lokiRecord{line: `{"level":"error"`}, `{"level":"error"`, 0, "", [2]string{}},
		{"deep JSON stays text", lokiRecord{line: strings.Repeat(`{"a":`, 300)}, strings.Repeat(`{"a":`, 300), 0, "", [2]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.record.at, c.record.stream = noon.UnixNano(), "orders"
			sink := &keptOutput{}
			r, err := lokiOf(t, &lokiStub{records: []lokiRecord{c.record}, most: 100}, LokiOptions{}).
				Fetch(context.Background(), Query{Name: "incident", Window: Window{noon, noon.Add(time.Minute)}}, sink)
			if err != nil || r.Logs != 1 {
				t.Fatalf("%+v, %v", r, err)
			}
			rl := sink.logs["incident"][0].ResourceLogs().At(0)
			if v, _ := rl.Resource().Attributes().Get("service.name"); v.AsString() != "orders" {
				t.Errorf("the service is %q", v.AsString())
			}
			if v, _ := rl.Resource().Attributes().Get("k8s.namespace.name"); v.AsString() != "n" {
				t.Errorf("the namespace is %q", v.AsString())
			}
			got := rl.ScopeLogs().At(0).LogRecords().At(0)
			if got.Body().AsString() != c.body || got.SeverityNumber() != c.severity || got.Timestamp().AsTime() != noon {
				t.Errorf("the record is %q at %v of severity %v", got.Body().AsString(), got.Timestamp(), got.SeverityNumber())
			}
			if text := got.TraceID().String(); text != c.trace {
				t.Errorf("the trace is %q, want %q", text, c.trace)
			}
			if v, _ := got.Attributes().Get(c.attr[0]); c.attr[0] != "" && v.AsString() != c.attr[1] {
				t.Errorf("attributes are %v", got.Attributes().AsRaw())
			}
			if wantIDs := c.trace != "" && c.severity >= plog.SeverityNumberError; (len(r.TraceIDs) == 1) != wantIDs {
				t.Errorf("points to %v", r.TraceIDs)
			}
		})
	}
}

// Long lines come in several exports, none of which is too long for a line of a bundle.
func TestLokiHandsOnInPieces(t *testing.T) {
	stub := &lokiStub{most: 5000}
	for i := range 9 {
		stub.records = append(stub.records, lokiRecord{at: noon.Add(time.Duration(i) * time.Second).UnixNano(), stream: "a", line: strings.Repeat("x", 1<<19) + strconv.Itoa(i)})
	}
	srv := httptest.NewServer(stub)
	t.Cleanup(srv.Close)
	c := patient(t, srv.URL, nil, nil)
	sink := &keptOutput{}
	r, err := NewLoki(c, LokiOptions{}).Fetch(context.Background(), Query{Name: "incident", Window: Window{noon, noon.Add(time.Minute)}}, sink)
	if err != nil || r.Logs != 9 || len(sink.bodies("incident")) != 9 || len(sink.logs["incident"]) < 2 {
		t.Errorf("%d records in %d exports, %v", r.Logs, len(sink.logs["incident"]), err)
	}
	for _, ld := range sink.logs["incident"] {
		if v, _ := ld.ResourceLogs().At(0).Resource().Attributes().Get("service.name"); v.AsString() != "a" {
			t.Errorf("a piece is of %q", v.AsString())
		}
	}
}

func TestLokiFaults(t *testing.T) {
	for _, c := range []struct{ name, answer, want string }{
		{"metric answer", `{"status":"success","data":{"resultType":"matrix","result":[]}}`, "sources.logs.selector must not aggregate"},
		{"wrong JSON", `{"data":[`, "not the expected JSON"},
		{"a page", `<html>`, "a page instead of JSON"},
		{"a record without a line", `{"data":{"resultType":"streams","result":[{"stream":{},"values":[["1"]]}]}}`, "not the expected JSON"},
		{"a time that is none", `{"data":{"resultType":"streams","result":[{"stream":{},"values":[["x","y"]]}]}}`, "not the expected JSON"},
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, c.answer) })
		_, err := lokiOf(t, h, LokiOptions{Selector: `{a="b"}`}).Fetch(context.Background(), Query{Name: "incident", Window: Window{noon, noon.Add(time.Minute)}}, &keptOutput{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// A server that goes on answering with full pages of the same records, or of other times, ends too.
	for _, at := range []time.Time{noon, noon.Add(time.Hour)} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"data":{"resultType":"streams","result":[{"stream":{},"values":[["%d","x"],["%d","y"]]}]}}`, at.UnixNano(), at.UnixNano())
		})
		r, err := lokiOf(t, h, LokiOptions{Selector: `{a="b"}`, Page: 2}).Fetch(context.Background(), Query{Name: "incident", Window: Window{noon, noon.Add(time.Minute)}}, &keptOutput{})
		if err != nil || len(r.Partial) == 0 || r.Logs > 4 {
			t.Errorf("a server that repeats itself: %+v, %v", r, err)
		}
	}
}

func FuzzLokiAnswer(f *testing.F) {
	f.Add([]byte(`{"status":"success","data":{"resultType":"streams","result":[{"stream":{"service_name":"a","level":"error"},"values":[["1","{\"msg\":\"x\"}",{"structuredMetadata":{"trace_id":"0102030405060708090a0b0c0d0e0f10"}}],["2","a=b msg=c",{"k":"v"}]]}]}}`))
	f.Add([]byte(`{"data":{"resultType":"streams","result":[{"values":[["-9223372036854775808",""]]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a lokiAnswer
		if json.Unmarshal(data, &a) != nil {
			return
		}
		p, err := a.page()
		if err != nil {
			return
		}
		n := p.n
		for _, dir := range []direction{forward, backward} {
			p.last(dir)
			p.cut(max(1, p.n-1), dir)
		}
		sink := &keptOutput{}
		fetch := &lokiFetch{l: NewLoki(nil, LokiOptions{}), q: Query{Name: "incident"}, to: sink, ids: map[string]bool{}}
		if err := fetch.hand(p); err != nil || p.n > n || fetch.report.Logs != len(sink.bodies("incident")) {
			t.Errorf("%d records handed on of %d: %v", fetch.report.Logs, n, err)
		}
	})
}

func FuzzLogLine(f *testing.F) {
	for _, s := range []string{"", "plain", `{"msg":"a","b":{"c":{"d":{"e":1}}}}`, `level=info msg="a \" b"`, `a=`, `=b`, "msg=\"open", `{"level":7}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if got := parseLine(line); len(got.fields) > maxFields || line != "" && got.message == "" {
			t.Errorf("%q is %+v", line, got)
		}
	})
}
