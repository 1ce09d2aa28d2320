package sources

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"
)

var testNoon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// hourFrom is the hour that tests ask for.
func hourFrom(t time.Time) Window { return Window{t, t.Add(time.Hour)} }

// keptTraces is a Sink that keeps spans by trace.
type keptTraces struct {
	traces map[pcommon.TraceID][]ptrace.Span
	window string
	most   int // spans handed over at once
	err    error
}

func (k *keptTraces) Traces(window string, td ptrace.Traces) error {
	if k.traces == nil {
		k.traces = map[pcommon.TraceID][]ptrace.Span{}
	}
	k.window, k.most = window, max(k.most, td.SpanCount())
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				k.traces[s.TraceID()] = append(k.traces[s.TraceID()], s)
			}
		}
	}
	return k.err
}
func (k *keptTraces) Logs(string, plog.Logs) error          { return nil }
func (k *keptTraces) Metrics(string, pmetric.Metrics) error { return nil }

func (k *keptTraces) failing() int {
	n := 0
	for _, spans := range k.traces {
		if slices.ContainsFunc(spans, func(s ptrace.Span) bool { return s.Status().Code() == ptrace.StatusCodeError }) {
			n++
		}
	}
	return n
}

// madeTrace is a trace of a few services, one span each, the caller first.
func madeTrace(n int, at time.Time, failing bool, services ...string) ptrace.Traces {
	td := ptrace.NewTraces()
	var parent pcommon.SpanID
	for i, service := range services {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutStr("service.name", service)
		s := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1, byte(n >> 16), byte(n >> 8), byte(n), 15: 1})
		s.SetSpanID(pcommon.SpanID{byte(i + 1), 7: 1})
		s.SetParentSpanID(parent)
		parent = s.SpanID()
		s.SetName("op")
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Duration(i) * time.Millisecond)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Second)))
		if failing {
			s.Status().SetCode(ptrace.StatusCodeError)
		}
	}
	return td
}

// jaegerStub stands in for a query service that keeps its traces in memory, as Jaeger 1.76 and later do: it answers with the
// newest traces first, never with more than were asked for, and refuses what the real one refuses.
type jaegerStub struct {
	traces []ptrace.Traces // oldest first
	old    bool            // no API v3: its paths lead to the page of the user interface
	// filters says which searches for failing traces work: "attributes", "tags".
	filters []string
	// maxDepth is the most that may be asked for.
	maxDepth int

	index traceIndex

	mu       sync.Mutex
	requests []string
}

func (j *jaegerStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	j.mu.Lock()
	j.requests = append(j.requests, r.URL.RequestURI())
	j.mu.Unlock()
	q := r.URL.Query()
	switch {
	case j.old && strings.HasPrefix(r.URL.Path, "/api/v3/"):
		fmt.Fprint(w, "<!doctype html><html><title>Jaeger UI</title></html>")
	case r.URL.Path == "/api/v3/services":
		_ = json.NewEncoder(w).Encode(map[string]any{"services": j.services()})
	case r.URL.Path == "/api/services":
		_ = json.NewEncoder(w).Encode(map[string]any{"data": j.services(), "total": len(j.services())})
	case r.URL.Path == "/api/v3/traces":
		from, err1 := time.Parse(time.RFC3339Nano, q.Get("query.start_time_min"))
		to, err2 := time.Parse(time.RFC3339Nano, q.Get("query.start_time_max"))
		limit, err3 := strconv.Atoi(q.Get("query.num_traces"))
		if err1 != nil || err2 != nil || err3 != nil {
			http.Error(w, `{"error":{"httpCode":400,"message":"malformed parameter"}}`, http.StatusBadRequest)
			return
		}
		var tags map[string]string
		if a := q.Get("query.attributes"); a != "" && slices.Contains(j.filters, "attributes") {
			if err := json.Unmarshal([]byte(a), &tags); err != nil {
				http.Error(w, `{"error":{"httpCode":400,"message":"malformed parameter"}}`, http.StatusBadRequest)
				return
			}
		}
		found, ok := j.find(q.Get("query.service_name"), from, to, limit, tags["error"] == "true")
		if !ok {
			http.Error(w, `{"error":{"httpCode":500,"message":"search depth must be greater than 0 and less than max traces"}}`, http.StatusInternalServerError)
			return
		}
		writeV3(w, found)
	case strings.HasPrefix(r.URL.Path, "/api/v3/traces/"):
		writeV3(w, j.byID(strings.TrimPrefix(r.URL.Path, "/api/v3/traces/")))
	case r.URL.Path == "/api/traces":
		from, err1 := strconv.ParseInt(q.Get("start"), 10, 64)
		to, err2 := strconv.ParseInt(q.Get("end"), 10, 64)
		limit, err3 := strconv.Atoi(q.Get("limit"))
		var tags map[string]string
		var err4 error
		if a := q.Get("tags"); a != "" {
			err4 = json.Unmarshal([]byte(a), &tags)
		}
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil || q.Get("service") == "" {
			http.Error(w, `{"data":null,"errors":[{"code":400,"msg":"parameter 'service' is required"}]}`, http.StatusBadRequest)
			return
		}
		failing := tags["error"] == "true"
		if failing && !slices.Contains(j.filters, "tags") {
			writeV1(w, nil)
			return
		}
		found, _ := j.find(q.Get("service"), time.UnixMicro(from), time.UnixMicro(to), limit, failing)
		writeV1(w, found)
	case strings.HasPrefix(r.URL.Path, "/api/traces/"):
		found := j.byID(strings.TrimPrefix(r.URL.Path, "/api/traces/"))
		if len(found) == 0 {
			http.Error(w, `{"data":null,"total":0,"errors":[{"code":404,"msg":"trace not found"}]}`, http.StatusNotFound)
			return
		}
		writeV1(w, found)
	default:
		http.NotFound(w, r)
	}
}

func eachSpan(td ptrace.Traces, use func(service string, s ptrace.Span)) {
	for _, rs := range td.ResourceSpans().All() {
		service, _ := rs.Resource().Attributes().Get("service.name")
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				use(service.Str(), s)
			}
		}
	}
}

func (j *jaegerStub) services() []string { return j.index.of(j.traces).services }

func (j *jaegerStub) find(service string, from, to time.Time, limit int, failing bool) ([]ptrace.Traces, bool) {
	if limit <= 0 || j.maxDepth > 0 && limit > j.maxDepth {
		return nil, false
	}
	var out []ptrace.Traces
	for _, known := range slices.Backward(j.index.of(j.traces).all) {
		if len(out) == limit {
			break
		}
		if slices.ContainsFunc(known.spans, func(s indexedSpan) bool {
			return s.service == service && !s.at.Before(from) && !s.at.After(to) && (!failing || s.failing)
		}) {
			out = append(out, known.data)
		}
	}
	return out, true
}

func (j *jaegerStub) byID(id string) []ptrace.Traces {
	if known := j.index.of(j.traces).byID[id]; known != nil {
		return []ptrace.Traces{known.data}
	}
	return nil
}

// traceIndex is what stand-ins search by, so that many requests cost little. It is made at the first request.
type traceIndex struct {
	once     sync.Once
	services []string
	all      []*indexedTrace
	byID     map[string]*indexedTrace
}

type indexedTrace struct {
	data        ptrace.Traces
	id          pcommon.TraceID
	first, last time.Time // start and end
	spans       []indexedSpan
}

type indexedSpan struct {
	service string
	at      time.Time
	failing bool
}

func (x *traceIndex) of(traces []ptrace.Traces) *traceIndex {
	x.once.Do(func() {
		x.byID = map[string]*indexedTrace{}
		for _, td := range traces {
			known := &indexedTrace{data: td}
			eachSpan(td, func(service string, s ptrace.Span) {
				at, end := s.StartTimestamp().AsTime(), s.EndTimestamp().AsTime()
				if known.id = s.TraceID(); known.first.IsZero() || at.Before(known.first) {
					known.first = at
				}
				known.last = later(known.last, end)
				known.spans = append(known.spans, indexedSpan{service, at, s.Status().Code() == ptrace.StatusCodeError})
				if !slices.Contains(x.services, service) {
					x.services = append(x.services, service)
				}
			})
			x.all = append(x.all, known)
			if id := known.id.String(); x.byID[id] == nil {
				x.byID[id] = known
			}
		}
	})
	return x
}

func writeV3(w http.ResponseWriter, found []ptrace.Traces) {
	if len(found) == 0 {
		http.Error(w, `{"error":{"httpCode":404,"message":"No traces found"}}`, http.StatusNotFound)
		return
	}
	var m ptrace.JSONMarshaler
	fmt.Fprint(w, `{"result":{"resourceSpans":[`)
	for i, td := range found {
		text, err := m.MarshalTraces(td)
		if err != nil {
			panic(err)
		}
		if i > 0 {
			fmt.Fprint(w, ",")
		}
		_, _ = w.Write(text[len(`{"resourceSpans":[`) : len(text)-len(`]}`)])
	}
	fmt.Fprint(w, `]}}`)
}

func writeV1(w http.ResponseWriter, found []ptrace.Traces) {
	data := []any{}
	for _, td := range found {
		var spans []any
		processes := map[string]any{}
		id := ""
		eachSpan(td, func(service string, s ptrace.Span) {
			id = s.TraceID().String()
			processes[service] = map[string]any{"serviceName": service}
			one := map[string]any{"traceID": id, "spanID": s.SpanID().String(), "operationName": s.Name(), "processID": service,
				"startTime": s.StartTimestamp().AsTime().UnixMicro(), "duration": s.EndTimestamp().AsTime().Sub(s.StartTimestamp().AsTime()).Microseconds()}
			if !s.ParentSpanID().IsEmpty() {
				one["references"] = []any{map[string]any{"refType": "CHILD_OF", "traceID": id, "spanID": s.ParentSpanID().String()}}
			}
			if s.Status().Code() == ptrace.StatusCodeError {
				one["tags"] = []any{map[string]any{"key": "error", "type": "bool", "value": true}, map[string]any{"key": "otel.status_code", "type": "string", "value": "ERROR"}}
			}
			spans = append(spans, one)
		})
		data = append(data, map[string]any{"traceID": id, "spans": spans, "processes": processes})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data, "total": 0, "errors": nil})
}

func jaegerOf(t testing.TB, h http.Handler, limits TraceLimits) *Jaeger {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	j := NewJaeger(testClient(t, "jaeger", server.URL), limits)
	j.c.o.MaxBody = 1 << 20
	return j
}

// testClient does not wait between attempts.
func testClient(t testing.TB, kind, url string) *Client {
	t.Helper()
	c, err := NewClient(ClientOptions{Kind: kind, URL: url, Attempts: 2, Timeout: 20 * time.Second, MaxBody: 8 << 20,
		Sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Traces that began within an hour, one a second, every twentieth of them failing.
func anHour(n int) []ptrace.Traces {
	var out []ptrace.Traces
	for i := range n {
		services := []string{"front", "cart"}
		if i%3 == 0 {
			services = []string{"front", "pay", "bank"}
		}
		out = append(out, madeTrace(i, testNoon.Add(time.Hour/time.Duration(n)*time.Duration(i)), i%20 == 7, services...))
	}
	return out
}

// Whatever a server can do, a small window is had whole, each trace once and none from outside of it.
func TestJaegerBringsASmallWindowWhole(t *testing.T) {
	within := anHour(200)
	outside := []ptrace.Traces{
		madeTrace(1000, testNoon.Add(-time.Minute), true, "front"),
		madeTrace(1001, testNoon.Add(time.Hour), true, "front"), // the end is not included
	}
	for name, stub := range map[string]*jaegerStub{
		"attributes": {filters: []string{"attributes"}}, "tags": {filters: []string{"tags"}},
		"no filter": {}, "old": {old: true, filters: []string{"tags"}}, "old without filter": {old: true},
	} {
		t.Run(name, func(t *testing.T) {
			stub.traces = slices.Concat(outside[:1], within, outside[1:])
			var kept keptTraces
			report, err := jaegerOf(t, stub, TraceLimits{}).Fetch(t.Context(), Query{Name: "incident", Window: hourFrom(testNoon)}, &kept)
			if err != nil {
				t.Fatal(err)
			}
			if len(kept.traces) != len(within) || kept.failing() != 10 || kept.window != "incident" {
				t.Errorf("%d traces, %d failing: %+v", len(kept.traces), kept.failing(), report)
			}
			spans := 0
			for _, td := range within {
				spans += td.SpanCount()
			}
			if report.Spans != spans {
				t.Errorf("%d spans of %d", report.Spans, spans)
			}
			for id, list := range kept.traces {
				if len(list) > 3 {
					t.Errorf("trace %s came more than once: %d spans", id, len(list))
				}
			}
		})
	}
}

// Of more than the limits allow, failing traces are preferred, the rest is from all over the window, and the report says so.
func TestJaegerSamplesALargeWindowFairly(t *testing.T) {
	for name, filters := range map[string][]string{"attributes": {"attributes"}, "tags": {"tags"}, "no filter": nil} {
		t.Run(name, func(t *testing.T) {
			stub := &jaegerStub{traces: anHour(1800), filters: filters}
			var kept keptTraces
			report, err := jaegerOf(t, stub, TraceLimits{Traces: 150}).Fetch(t.Context(), Query{Name: "baseline", Window: hourFrom(testNoon)}, &kept)
			if err != nil {
				t.Fatal(err)
			}
			failing := kept.failing()
			if len(kept.traces) > 150 || len(kept.traces) < 120 || len(report.Partial) == 0 {
				t.Errorf("%d traces: %q", len(kept.traces), report.Partial)
			}
			// 90 of the 1800 failed; with a search for them almost as many as their share allows are had.
			if want := map[bool]int{true: 60, false: 5}[filters != nil]; failing < want {
				t.Errorf("%d failing traces, want %d", failing, want)
			}
			perPart := map[int]int{}
			for _, spans := range kept.traces {
				perPart[int(spans[0].StartTimestamp().AsTime().Sub(testNoon)/(10*time.Minute))]++
			}
			for part := range 6 {
				if perPart[part] < 10 {
					t.Errorf("%d traces of the ten minutes %d: %v", perPart[part], part, perPart)
				}
			}
			if len(stub.requests) > 410 {
				t.Errorf("%d requests", len(stub.requests))
			}
		})
	}
}

func TestJaegerFetchesTracesThatExemplarsName(t *testing.T) {
	stub := &jaegerStub{traces: anHour(600), filters: []string{"attributes"}}
	wanted := stub.traces[234].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID()
	var kept keptTraces
	report, err := jaegerOf(t, stub, TraceLimits{Traces: 60}).Fetch(t.Context(), Query{Window: hourFrom(testNoon),
		TraceIDs: []string{wanted.String(), wanted.String(), "ffff", "no id", "../services"}}, &kept)
	if err != nil {
		t.Fatal(err)
	}
	if kept.traces[wanted] == nil {
		t.Error("the trace is missing")
	}
	said := strings.Join(report.Partial, "\n")
	for _, want := range []string{"1 traces that exemplars or log records name are not stored", `"no id" is no trace id`, `"../services" is no trace id`} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said in\n%s", want, said)
		}
	}
}

// Preferred services are asked first, and for services that there are too many of that is said.
func TestJaegerPrefersServices(t *testing.T) {
	stub := &jaegerStub{filters: []string{"attributes"}}
	for i := range 30 {
		stub.traces = append(stub.traces, madeTrace(i, testNoon.Add(time.Minute), false, fmt.Sprintf("s%02d", i)))
	}
	var kept keptTraces
	report, err := jaegerOf(t, stub, TraceLimits{Services: 3}).Fetch(t.Context(), Query{Window: hourFrom(testNoon), Services: []string{"s29", "gone"}}, &kept)
	if err != nil || len(kept.traces) != 2 || !strings.Contains(strings.Join(report.Partial, ""), "28 services are left out") {
		t.Errorf("%d traces, %q, %v", len(kept.traces), report.Partial, err)
	}
}

func TestJaegerLimitsAreKept(t *testing.T) {
	stub := &jaegerStub{traces: anHour(500), filters: []string{"attributes"}}
	for name, limits := range map[string]TraceLimits{
		"traces": {Traces: 7}, "spans": {Spans: 31}, "bytes": {Bytes: 20_000}, "requests": {Requests: 9},
	} {
		t.Run(name, func(t *testing.T) {
			stub.requests = nil
			var kept keptTraces
			report, err := jaegerOf(t, stub, limits).Fetch(t.Context(), Query{Window: hourFrom(testNoon)}, &kept)
			if err != nil || len(report.Partial) == 0 {
				t.Fatalf("%+v %v", report, err)
			}
			limits = limits.withDefaults()
			if len(kept.traces) > limits.Traces || report.Spans > limits.Spans || len(stub.requests) > limits.Requests+1 {
				t.Errorf("%d traces, %d spans, %d requests", len(kept.traces), report.Spans, len(stub.requests))
			}
		})
	}
}

// A trace of several times what a Sink is handed at once is had whole where the limits allow it, in pieces that a Sink
// can take, and left out and spoken of where they do not.
func TestJaegerLargeTrace(t *testing.T) {
	const many = 4*sinkSpans + 1
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "front")
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for i := range many {
		s := spans.AppendEmpty()
		s.SetTraceID(pcommon.TraceID{1})
		s.SetSpanID(pcommon.SpanID{1, byte(i >> 16), byte(i >> 8), byte(i)})
		s.SetName("op")
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(testNoon.Add(time.Minute)))
	}
	rec := httptest.NewRecorder()
	writeV3(rec, []ptrace.Traces{td, madeTrace(9, testNoon.Add(time.Minute), false, "front")})
	stub := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, _ := time.Parse(time.RFC3339Nano, r.URL.Query().Get("query.start_time_min"))
		switch {
		case strings.HasSuffix(r.URL.Path, "/services"):
			fmt.Fprint(w, `{"services":["front"]}`)
		case from.Equal(testNoon) && r.URL.Query().Get("query.attributes") == "":
			_, _ = w.Write(rec.Body.Bytes())
		default:
			writeV3(w, nil)
		}
	})
	j := jaegerOf(t, stub, TraceLimits{})
	j.c.o.MaxBody = 8 << 20
	var kept keptTraces
	report, err := j.Fetch(t.Context(), Query{Window: hourFrom(testNoon)}, &kept)
	if err != nil || report.Spans != many+1 || len(kept.traces) != 2 || kept.most > 2*sinkSpans {
		t.Errorf("%d spans, %d traces, %d at once, %v", report.Spans, len(kept.traces), kept.most, err)
	}
	for name, change := range map[string]func(*Jaeger){
		"limit on spans": func(j *Jaeger) { j.limits.Spans = many / 2 },
		"too large":      func(j *Jaeger) { j.c.o.MaxBody = 1 << 19 },
	} {
		t.Run(name, func(t *testing.T) {
			j := jaegerOf(t, stub, TraceLimits{})
			j.c.o.MaxBody = 8 << 20
			change(j)
			var kept keptTraces
			report, err := j.Fetch(t.Context(), Query{Window: hourFrom(testNoon)}, &kept)
			if err != nil && report.Spans > 0 || len(kept.traces) > 1 {
				t.Fatalf("%d traces, %v", len(kept.traces), err)
			}
			if said := strings.Join(report.Partial, "\n"); !strings.Contains(said, name) {
				t.Errorf("the report says %q (%v)", said, err)
			}
		})
	}
}

func TestJaegerFaults(t *testing.T) {
	good := &jaegerStub{traces: anHour(100), filters: []string{"attributes"}}
	deep := `{"result":{"resourceSpans":` + strings.Repeat(`[{"a":`, 5000) + "1" + strings.Repeat("}]", 5000) + "}}"
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, body) }
	}
	cut := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		fmt.Fprint(w, `{"result":{"resourceSpans":[`)
	}
	for name, c := range map[string]struct {
		services, traces http.HandlerFunc
		fails            bool
		want             string
	}{
		"services are refused":     {services: func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusUnauthorized) }, fails: true, want: "401"},
		"services on a login page": {services: answer("<html>log in</html>"), fails: true, want: "a page instead of JSON"},
		"services are missing":     {services: answer(`{"status":"success"}`), fails: true, want: "without a list of services"},
		"no service":               {services: answer(`{"services":[]}`), want: "knows no service"},
		"500":                      {traces: func(w http.ResponseWriter, r *http.Request) { http.Error(w, "boom", 500) }, fails: true, want: "boom"},
		"503 for good":             {traces: func(w http.ResponseWriter, r *http.Request) { http.Error(w, "boom", http.StatusServiceUnavailable) }, fails: true, want: "tried 2 times"},
		"cut off":                  {traces: cut, fails: true, want: "EOF"},
		"login page":               {traces: answer("<html>log in</html>"), fails: true, want: "a page instead of JSON"},
		"wrong JSON":               {traces: answer(`{"status":"success","data":{"result":[]}}`), fails: true, want: "not the expected JSON"},
		"half JSON":                {traces: answer(`{"result":{"resourceSpans":[{`), fails: true, want: "not the expected JSON"},
		"nothing":                  {traces: answer(""), fails: true, want: "with nothing"},
		"deep nesting":             {traces: answer(deep), fails: true, want: "nested too deeply"},
		"an error within":          {traces: answer(`{"error":{"message":"storage is down"}}`), fails: true, want: "storage is down"},
		"an error in the stream":   {traces: answer(`{"result":{"resourceSpans":[]}}` + "\n" + `{"error":{"message":"storage went down"}}`), want: "storage went down"},
		"huge":                     {traces: func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(bytes.Repeat([]byte(" "), 9<<17)) }, want: "more traces than were asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			var kept keptTraces
			report, err := jaegerOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case c.services != nil && strings.Contains(r.URL.Path, "services"):
					c.services(w, r)
				case c.traces != nil && strings.Contains(r.URL.Path, "traces"):
					c.traces(w, r)
				default:
					good.ServeHTTP(w, r)
				}
			}), TraceLimits{Requests: 60}).Fetch(t.Context(), Query{Window: hourFrom(testNoon)}, &kept)
			if (err != nil) != c.fails {
				t.Fatalf("error is %v; %q", err, report.Partial)
			}
			said := strings.Join(report.Partial, "\n")
			if err != nil {
				said = err.Error()
			}
			if !strings.Contains(said, c.want) {
				t.Errorf("%q is not said in\n%s", c.want, said)
			}
			if len(report.Partial) > maxRemarks {
				t.Errorf("%d remarks", len(report.Partial))
			}
		})
	}
}

// A server that stops answering in the middle costs what it did not bring, not what it did.
func TestJaegerKeepsWhatItHadWhenTheServerFails(t *testing.T) {
	good := &jaegerStub{traces: anHour(300), filters: []string{"attributes"}}
	var served atomic.Int64
	var kept keptTraces
	report, err := jaegerOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if served.Add(1) > 20 {
			http.Error(w, "out of memory", http.StatusInternalServerError)
			return
		}
		good.ServeHTTP(w, r)
	}), TraceLimits{}).Fetch(t.Context(), Query{Window: hourFrom(testNoon)}, &kept)
	if err != nil || len(kept.traces) == 0 || !strings.Contains(strings.Join(report.Partial, "\n"), "out of memory") || served.Load() > 30 {
		t.Errorf("%d traces after %d requests: %q (%v)", len(kept.traces), served.Load(), report.Partial, err)
	}
}

func TestJaegerStopsWithItsContext(t *testing.T) {
	good := &jaegerStub{traces: anHour(300), filters: []string{"attributes"}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var served atomic.Int64 // requests that nobody waits for any more may still be answered
	var kept keptTraces
	report, err := jaegerOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		good.ServeHTTP(w, r)
		if served.Add(1) == 15 {
			cancel()
		}
	}), TraceLimits{}).Fetch(ctx, Query{Window: hourFrom(testNoon)}, &kept)
	if n := served.Load(); err != nil || !strings.Contains(strings.Join(report.Partial, "\n"), "stopped before all was asked for") || n > 20 {
		t.Errorf("%d traces after %d requests: %q (%v)", len(kept.traces), n, report.Partial, err)
	}
}

func TestJaegerPassesOnWhatTheSinkSays(t *testing.T) {
	kept := keptTraces{err: fmt.Errorf("disk full")}
	_, err := jaegerOf(t, &jaegerStub{traces: anHour(50)}, TraceLimits{}).Fetch(t.Context(), Query{Window: hourFrom(testNoon)}, &kept)
	if err == nil || err.Error() != "disk full" {
		t.Errorf("error is %v", err)
	}
}

// The parts of a plan cover the window without a gap for every service, within half the limits.
func TestPlanCoversTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Window{testNoon, testNoon.Add(time.Duration(rapid.Int64Range(1, int64(48*time.Hour)).Draw(t, "length")))}
		limits := TraceLimits{Traces: rapid.IntRange(1, 5000).Draw(t, "traces"), Requests: rapid.IntRange(1, 1000).Draw(t, "requests")}.withDefaults()
		var services []string
		for i := range rapid.IntRange(1, 50).Draw(t, "services") {
			services = append(services, fmt.Sprint(i))
		}
		plan := planTraceQueries(services, w, limits, true)
		for _, s := range services {
			var parts []traceQuery
			for _, q := range plan {
				if q.service == s {
					parts = append(parts, q)
				}
			}
			slices.SortFunc(parts, func(a, b traceQuery) int { return a.from.Compare(b.from) })
			at := w.From
			for _, q := range parts {
				if !q.from.Equal(at) || !q.to.After(q.from) || q.limit < 1 || q.limit > mostPerQuery {
					t.Fatalf("part %v of %v begins at %v", q, w, at)
				}
				at = q.to
			}
			if !at.Equal(w.To) {
				t.Fatalf("parts end at %v of %v", at, w)
			}
		}
	})
}

func TestSpreadIsAPermutationThatCoversEarly(t *testing.T) {
	for n := range 40 {
		order := spread(n)
		sorted := slices.Sorted(slices.Values(order))
		for i := range n {
			if len(sorted) != n || sorted[i] != i {
				t.Fatalf("spread(%d) is %v", n, order)
			}
		}
	}
	if got := fmt.Sprint(spread(8)); got != "[0 4 2 6 1 5 3 7]" {
		t.Errorf("spread(8) is %s", got)
	}
}

// Splitting and joining loses no span and keeps resource and scope.
func TestSplitTracesKeepsEverySpan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		td := ptrace.NewTraces()
		want := map[string]int{}
		for range rapid.IntRange(0, 4).Draw(t, "resources") {
			rs := td.ResourceSpans().AppendEmpty()
			service := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "service")
			rs.Resource().Attributes().PutStr("service.name", service)
			for range rapid.IntRange(0, 2).Draw(t, "scopes") {
				ss := rs.ScopeSpans().AppendEmpty()
				ss.Scope().SetName(rapid.SampledFrom([]string{"x", "y"}).Draw(t, "scope"))
				for range rapid.IntRange(0, 6).Draw(t, "spans") {
					s := ss.Spans().AppendEmpty()
					s.SetTraceID(pcommon.TraceID{byte(rapid.IntRange(1, 3).Draw(t, "trace"))})
					want[service+ss.Scope().Name()+s.TraceID().String()]++
				}
			}
		}
		got := map[string]int{}
		seen := map[pcommon.TraceID]bool{}
		for _, one := range splitTraces(td) {
			if seen[one.id] {
				t.Fatalf("trace %s comes twice", one.id)
			}
			seen[one.id] = true
			for _, rs := range one.data.ResourceSpans().All() {
				service, _ := rs.Resource().Attributes().Get("service.name")
				for _, ss := range rs.ScopeSpans().All() {
					for _, s := range ss.Spans().All() {
						if s.TraceID() != one.id {
							t.Fatalf("a span of %s lies in %s", s.TraceID(), one.id)
						}
						got[service.Str()+ss.Scope().Name()+s.TraceID().String()]++
					}
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func FuzzDecodeJaeger(f *testing.F) {
	var m ptrace.JSONMarshaler
	text, _ := m.MarshalTraces(madeTrace(1, testNoon, true, "a", "b"))
	f.Add([]byte(`{"result":` + string(text) + "}\n{\"error\":{\"message\":\"x\"}}"))
	rec := httptest.NewRecorder()
	writeV1(rec, []ptrace.Traces{madeTrace(1, testNoon, true, "a", "b")})
	f.Add(rec.Body.Bytes())
	f.Add([]byte(`{"data":null,"errors":[{"code":500,"msg":"x"}]}`))
	f.Add([]byte(`[[[[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		td, said, err := decodeJaeger(body)
		if err == nil && td.SpanCount() > len(body) {
			t.Errorf("%d spans of %d bytes", td.SpanCount(), len(body))
		}
		for _, s := range said {
			if len(s) > 4*excerpt {
				t.Errorf("a remark of %d bytes", len(s))
			}
		}
	})
}
