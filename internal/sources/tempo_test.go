package sources

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"
)

// tempoStub stands in for Tempo, after its "Tempo HTTP API" (grafana.com/docs/tempo/latest/api_docs) and the messages of
// pkg/tempopb. It refuses every parameter, query and header that is not in them.
type tempoStub struct {
	t       testing.TB
	traces  []ptrace.Traces
	tenant  string
	query   string // that searches have to carry besides
	old     bool   // neither API v2 nor tag values v2, as before 2.7
	json    bool   // answers JSON whatever is accepted
	most    int    // max_result_limit
	partial string // message with which every trace is marked as partial

	index traceIndex

	mu       sync.Mutex
	searches []string
}

var tempoConditions = regexp.MustCompile(`^\{ resource\.service\.name = ("(?:[^"\\]|\\.)*")( && status = error)?(?: && traceDuration > ([0-9]+)ms)? \}$`)

var tempoIDs = regexp.MustCompile(`"(traceId|spanId|parentSpanId)":"([0-9a-f]+)"`)

func (s *tempoStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Scope-OrgID") != s.tenant {
		http.Error(w, "no org id", http.StatusUnauthorized)
		return
	}
	q := r.URL.Query()
	for name := range q {
		if !slices.Contains([]string{"start", "end", "q", "limit", "spss"}, name) {
			s.t.Errorf("parameter %s is not documented", name)
		}
	}
	start, err1 := strconv.ParseInt(q.Get("start"), 10, 64)
	end, err2 := strconv.ParseInt(q.Get("end"), 10, 64)
	if q.Has("start") != q.Has("end") || q.Has("start") && (err1 != nil || err2 != nil || start <= 0 || end <= start) {
		http.Error(w, "invalid start or end", http.StatusBadRequest)
		return
	}
	if end-start > 168*3600 {
		http.Error(w, fmt.Sprintf("range specified by start and end exceeds 168h0m0s. received start=%d end=%d", start, end), http.StatusBadRequest)
		return
	}
	from, to := time.Unix(start, 0), time.Unix(end, 0)
	switch {
	case r.URL.Path == "/api/v2/search/tag/resource.service.name/values" && !s.old:
		var values []map[string]string
		for _, name := range s.services() {
			values = append(values, map[string]string{"type": "string", "value": name})
		}
		writeJSON(w, map[string]any{"tagValues": values, "metrics": map[string]string{"inspectedBytes": "431380"}})
	case r.URL.Path == "/api/search/tag/service.name/values":
		writeJSON(w, map[string]any{"tagValues": s.services()})
	case r.URL.Path == "/api/search":
		s.search(w, r, from, to)
	case strings.HasPrefix(r.URL.Path, "/api/v2/traces/") && !s.old:
		s.trace(w, r, strings.TrimPrefix(r.URL.Path, "/api/v2/traces/"), from, to, true)
	case strings.HasPrefix(r.URL.Path, "/api/traces/"):
		s.trace(w, r, strings.TrimPrefix(r.URL.Path, "/api/traces/"), from, to, false)
	default:
		http.NotFound(w, r)
	}
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (s *tempoStub) services() []string { return s.index.of(s.traces).services }

func (s *tempoStub) search(w http.ResponseWriter, r *http.Request, from, to time.Time) {
	q := r.URL.Query()
	s.mu.Lock()
	s.searches = append(s.searches, r.URL.RawQuery)
	s.mu.Unlock()
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit <= 0 {
		http.Error(w, "invalid limit: must be a positive number", http.StatusBadRequest)
		return
	}
	if s.most > 0 && limit > s.most {
		http.Error(w, fmt.Sprintf("limit %d exceeds max limit %d", limit, s.most), http.StatusBadRequest)
		return
	}
	query := q.Get("q")
	if s.query != "" {
		query, _ = strings.CutSuffix(query, ") && ("+s.query+")")
		query, _ = strings.CutPrefix(query, "(")
	}
	m := tempoConditions.FindStringSubmatch(query)
	if m == nil {
		http.Error(w, "invalid TraceQL query: parse error: "+query, http.StatusBadRequest)
		return
	}
	service, err := strconv.Unquote(m[1])
	if err != nil {
		http.Error(w, "invalid TraceQL query: parse error at string", http.StatusBadRequest)
		return
	}
	slower, _ := strconv.Atoi(m[3])
	found := []any{}
	for _, known := range s.index.of(s.traces).all {
		took := known.last.Sub(known.first)
		if known.last.Before(from) || known.first.After(to) || took <= time.Duration(slower)*time.Millisecond && slower > 0 ||
			!slices.ContainsFunc(known.spans, func(span indexedSpan) bool { return span.service == service && (m[2] == "" || span.failing) }) {
			continue
		}
		if found = append(found, map[string]any{
			"traceID": strings.TrimLeft(known.id.String(), "0"), "rootServiceName": "root", "rootTraceName": "op",
			"startTimeUnixNano": strconv.FormatInt(known.first.UnixNano(), 10), "durationMs": took.Milliseconds(),
			"spanSets": []any{map[string]any{"spans": []any{}, "matched": 1}},
		}); len(found) == limit {
			break
		}
	}
	writeJSON(w, map[string]any{"traces": found, "metrics": map[string]any{"inspectedTraces": 3100, "inspectedBytes": "3811736", "completedJobs": 3, "totalJobs": 3}})
}

func (s *tempoStub) trace(w http.ResponseWriter, r *http.Request, id string, from, to time.Time, v2 bool) {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != 16 {
		http.Error(w, "trace IDs can only contain hex characters", http.StatusBadRequest)
		return
	}
	if known := s.index.of(s.traces).byID[id]; known != nil && (!r.URL.Query().Has("start") || !known.first.Before(from) && !known.first.After(to)) {
		if r.Header.Get("Accept") == "application/protobuf" && !s.json {
			_, _ = w.Write(tempoProto(known.data, v2, s.partial))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(tempoJSON(known.data, v2, s.partial))
		return
	}
	http.Error(w, "trace not found", http.StatusNotFound)
}

// tempoProto is a tempopb.TraceByIDResponse, or the trace in it.
func tempoProto(td ptrace.Traces, v2 bool, partial string) []byte {
	var m ptrace.ProtoMarshaler
	trace, err := m.MarshalTraces(td)
	if err != nil {
		panic(err)
	}
	if !v2 {
		return trace
	}
	out := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), trace)
	out = protowire.AppendBytes(protowire.AppendTag(out, 2, protowire.BytesType), nil)
	if partial != "" {
		out = protowire.AppendVarint(protowire.AppendTag(out, 3, protowire.VarintType), 1)
		out = protowire.AppendString(protowire.AppendTag(out, 4, protowire.BytesType), partial)
	}
	return out
}

// tempoJSON is the same as JSON, which is protobuf's own: ids in base64, enumerations by name.
func tempoJSON(td ptrace.Traces, v2 bool, partial string) []byte {
	var m ptrace.JSONMarshaler
	text, err := m.MarshalTraces(td)
	if err != nil {
		panic(err)
	}
	text = tempoIDs.ReplaceAllFunc(text, func(m []byte) []byte {
		parts := bytes.Split(m, []byte(`"`))
		raw, _ := hex.DecodeString(string(parts[3]))
		return []byte(`"` + string(parts[1]) + `":"` + base64.StdEncoding.EncodeToString(raw) + `"`)
	})
	text = bytes.ReplaceAll(text, []byte(`"status":{"code":2}`), []byte(`"status":{"code":"STATUS_CODE_ERROR"}`))
	if !v2 {
		return bytes.Replace(text, []byte(`"resourceSpans"`), []byte(`"batches"`), 1)
	}
	beside := `"metrics":{}`
	if partial != "" {
		beside += `,"status":"PARTIAL","message":` + strconv.Quote(partial)
	}
	return []byte(`{"trace":` + string(text) + `,` + beside + `}`)
}

func tempoOf(t testing.TB, h http.Handler, limits TraceLimits, query string) *Tempo {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return NewTempo(testClient(t, "tempo", server.URL), limits, query)
}

func TestTempoBringsASmallWindowWhole(t *testing.T) {
	within := anHour(100)
	outside := []ptrace.Traces{madeTrace(1000, testNoon.Add(-2*time.Minute), true, "front"), madeTrace(1001, testNoon.Add(time.Hour), true, "front")}
	for name, stub := range map[string]*tempoStub{
		"protobuf": {}, "JSON": {json: true}, "old": {old: true}, "old JSON": {old: true, json: true}, "tenant": {tenant: "team-a"},
		"small limit": {most: 2}, "query": {query: `{ resource.deployment.environment = "prod" } | count() > 2`},
	} {
		t.Run(name, func(t *testing.T) {
			stub.t, stub.traces = t, slices.Concat(outside, within)
			tempo := tempoOf(t, stub, TraceLimits{}, stub.query)
			tempo.c.o.Tenant = stub.tenant
			var kept keptTraces
			report, err := tempo.Fetch(t.Context(), Query{Name: "incident", Window: hourFrom(testNoon)}, &kept)
			if err != nil {
				t.Fatal(err)
			}
			if want := len(within); len(kept.traces) != want && (stub.most == 0 || len(kept.traces) < want*3/4) || kept.window != "incident" {
				t.Errorf("%d traces: %+v", len(kept.traces), report)
			}
			if kept.failing() < 5 && stub.most == 0 {
				t.Errorf("%d failing traces", kept.failing())
			}
			for id, spans := range kept.traces {
				if at := spans[0].StartTimestamp().AsTime(); at.Before(testNoon) || !at.Before(testNoon.Add(time.Hour)) || len(spans) > 3 {
					t.Errorf("trace %s of %v has %d spans", id, at, len(spans))
				}
			}
		})
	}
}

func TestTempoSamplesALargeWindowFairly(t *testing.T) {
	traces := anHour(1800)
	for i, td := range traces { // a few slow ones
		if i%100 == 50 {
			s := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
			s.SetEndTimestamp(s.EndTimestamp() + pcommon.Timestamp(5*time.Second))
		}
	}
	stub := &tempoStub{t: t, traces: traces}
	var kept keptTraces
	report, err := tempoOf(t, stub, TraceLimits{Traces: 150}, "").Fetch(t.Context(), Query{Window: hourFrom(testNoon)}, &kept)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept.traces) != 150 || kept.failing() < 60 || len(report.Partial) == 0 {
		t.Errorf("%d traces, %d failing: %q", len(kept.traces), kept.failing(), report.Partial)
	}
	perPart, slow := map[int]int{}, 0
	for _, spans := range kept.traces {
		perPart[int(spans[0].StartTimestamp().AsTime().Sub(testNoon)/(10*time.Minute))]++
		for _, s := range spans {
			if s.EndTimestamp().AsTime().Sub(s.StartTimestamp().AsTime()) > 2*time.Second {
				slow++
			}
		}
	}
	for part := range 6 {
		if perPart[part] < 8 {
			t.Errorf("%d traces of the ten minutes %d: %v", perPart[part], part, perPart)
		}
	}
	if slow < 6 {
		t.Errorf("%d slow traces", slow)
	}
}

func TestTempoSaysWhatIsPartial(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		stub := &tempoStub{t: t, traces: anHour(5), partial: "Trace exceeds maximum size of 5000 bytes, a partial trace is returned", json: asJSON}
		unknown := pcommon.TraceID{9, 15: 9}.String()
		var kept keptTraces
		report, err := tempoOf(t, stub, TraceLimits{}, "").Fetch(t.Context(), Query{Window: hourFrom(testNoon), TraceIDs: []string{unknown, "x/y"}}, &kept)
		said := strings.Join(report.Partial, "\n")
		for _, want := range []string{"the server sent only a part: Trace exceeds", "1 traces are not stored", `"x/y" is no trace id`} {
			if err != nil || !strings.Contains(said, want) {
				t.Errorf("%q is not said in\n%s (%v)", want, said, err)
			}
		}
		if len(kept.traces) != 5 {
			t.Errorf("%d traces", len(kept.traces))
		}
	}
}

func TestTempoLimitsAreKept(t *testing.T) {
	stub := &tempoStub{t: t, traces: anHour(300)}
	for name, limits := range map[string]TraceLimits{
		"traces": {Traces: 7}, "spans": {Spans: 31}, "bytes": {Bytes: 2000}, "requests": {Requests: 9}, "services": {Services: 1},
	} {
		t.Run(name, func(t *testing.T) {
			stub.searches = nil
			var kept keptTraces
			report, err := tempoOf(t, stub, limits, "").Fetch(t.Context(), Query{Window: hourFrom(testNoon)}, &kept)
			if err != nil || len(report.Partial) == 0 {
				t.Fatalf("%+v %v", report, err)
			}
			limits = limits.withDefaults()
			if len(kept.traces) > limits.Traces || report.Spans > limits.Spans || len(stub.searches) > limits.Requests {
				t.Errorf("%d traces, %d spans, %d searches", len(kept.traces), report.Spans, len(stub.searches))
			}
		})
	}
}

// Names of services are data: quotes and backslashes in them do not end the string of a query.
func TestTempoQuotesNames(t *testing.T) {
	stub := &tempoStub{t: t, traces: []ptrace.Traces{madeTrace(1, testNoon.Add(time.Minute), false, `a" } || { true`), madeTrace(2, testNoon.Add(time.Minute), true, `b\`)}}
	var kept keptTraces
	report, err := tempoOf(t, stub, TraceLimits{}, "").Fetch(t.Context(), Query{Window: hourFrom(testNoon)}, &kept)
	if err != nil || len(kept.traces) != 2 || len(report.Partial) != 0 {
		t.Errorf("%d traces, %q, %v", len(kept.traces), report.Partial, err)
	}
}

func TestTempoFaults(t *testing.T) {
	good := &tempoStub{t: t, traces: anHour(60)}
	answer := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, body) }
	}
	refuse := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Error(w, body, code) }
	}
	deep := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), []byte{})
	for range 300 {
		deep = protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), deep)
	}
	for name, c := range map[string]struct {
		values, search, trace http.HandlerFunc
		fails                 bool
		want                  string
	}{
		"values are refused":     {values: refuse(401, "no org id"), fails: true, want: "401"},
		"values on a login page": {values: answer("<html>log in</html>"), fails: true, want: "a page instead of JSON"},
		"no service":             {values: answer(`{"tagValues":[]}`), want: "knows no service"},
		"search 500":             {search: refuse(500, "boom"), fails: true, want: "boom"},
		"search 400":             {search: refuse(400, "range specified by start and end exceeds 1h0m0s"), fails: true, want: "exceeds 1h0m0s"},
		"search page":            {search: answer("<html>log in</html>"), fails: true, want: "a page instead of JSON"},
		"search JSON":            {search: answer(`{"traces":[{"traceID":12}]}`), fails: true, want: "not the expected JSON"},
		"search ids":             {search: answer(`{"traces":[{"traceID":"../../x"}]}`), want: `"../../x" is no trace id`},
		"search unfinished":      {search: answer(`{"metrics":{"completedJobs":3,"totalJobs":9}}`), want: "looked at 3 of 9 parts"},
		"trace 500":              {trace: refuse(500, "boom"), fails: true, want: "boom"},
		"trace too large":        {trace: refuse(422, "trace exceeds max size (max bytes: 5000000)"), fails: true, want: "trace exceeds max size"},
		"trace page":             {trace: answer("<html>log in</html>"), fails: true, want: "a page instead of JSON"},
		"trace wrong JSON":       {trace: answer(`{"status":"success","data":[]}`), want: "not stored"},
		"trace other JSON":       {trace: answer(`{"result":"x"}`), fails: true, want: "not the expected JSON"},
		"trace garbage":          {trace: answer("\xff\xff\xff\xff"), fails: true, want: "what is no trace"},
		"trace half":             {trace: answer("\x0a\x7f\x0a"), fails: true, want: "what is no trace"},
		"trace deep":             {trace: answer(string(deep)), fails: true, want: "nested too deeply"},
		"trace empty":            {trace: answer(""), want: "not stored"},
		"trace empty JSON":       {trace: answer(`{"trace":{},"metrics":{}}`), want: "not stored"},
	} {
		t.Run(name, func(t *testing.T) {
			var kept keptTraces
			report, err := tempoOf(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case c.values != nil && strings.HasSuffix(r.URL.Path, "/values"):
					c.values(w, r)
				case c.search != nil && r.URL.Path == "/api/search":
					c.search(w, r)
				case c.trace != nil && strings.Contains(r.URL.Path, "/traces/"):
					c.trace(w, r)
				default:
					good.ServeHTTP(w, r)
				}
			}), TraceLimits{Requests: 60}, "").Fetch(t.Context(), Query{Window: hourFrom(testNoon)}, &kept)
			said := strings.Join(report.Partial, "\n")
			if err != nil {
				said = err.Error()
			}
			if (err != nil) != c.fails || !strings.Contains(said, c.want) || len(report.Partial) > maxRemarks {
				t.Errorf("%q is not said in\n%s\n(%v)", c.want, said, err)
			}
			if err == nil && len(report.Partial) == 0 {
				t.Error("nothing is said")
			}
		})
	}
}

func FuzzDecodeTempo(f *testing.F) {
	td := madeTrace(1, testNoon, true, "a", "b")
	for _, v2 := range []bool{false, true} {
		f.Add(tempoProto(td, v2, "part"), v2)
		f.Add(tempoJSON(td, v2, "part"), v2)
	}
	f.Add([]byte{0x0a, 0x7f, 0x0a}, true)
	f.Add([]byte(`{"trace":{},"status":"PARTIAL"}`), true)
	f.Fuzz(func(t *testing.T, body []byte, v2 bool) {
		td, said, err := decodeTempo(body, v2)
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
