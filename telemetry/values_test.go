package telemetry

import (
	"math"
	"strings"
	"testing"
	"time"
	"unsafe"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"
)

func TestAttributeValuesBecomeText(t *testing.T) {
	d := newTraceData()
	s := d.span("s", 1, 1, 0, "n", 0, 1, map[string]any{
		"str": "x", "int": int64(-7), "float": 0.25, "whole": 3.0, "yes": true, "no": false,
		"list": []any{"a", int64(1)}, "map": map[string]any{"k": "v"}, "bytes": []byte{1, 2}, "empty": nil,
	})
	s.Attributes().PutStr("", "nameless")
	got := d.dataset(t).Spans[0].Attrs
	for k, want := range map[string]string{"str": "x", "int": "-7", "float": "0.25", "whole": "3", "yes": "true", "no": "false",
		"list": `["a",1]`, "map": `{"k":"v"}`, "bytes": "AQI=", "empty": ""} {
		v, ok := got.Lookup(k)
		if !ok || v != want {
			t.Errorf("%s = %q %v, want %q", k, v, ok, want)
		}
	}
	if len(got) != 10 {
		t.Errorf("%d attributes: %v", len(got), got)
	}
}

func TestAttrs(t *testing.T) {
	a := Attrs{{"a", "1"}, {"b", ""}, {"n", "42"}}
	if a.Get("a") != "1" || a.Get("x") != "" {
		t.Error("Get")
	}
	if _, ok := a.Lookup("b"); !ok {
		t.Error("an empty value is there all the same")
	}
	if a.First("x", "b", "n", "a") != "42" {
		t.Error("First skips what is empty")
	}
	if n, ok := a.Int("n"); !ok || n != 42 {
		t.Error("Int")
	}
	if _, ok := a.Int("b"); ok {
		t.Error("an empty value is no number")
	}
	if _, ok := a.Int("x"); ok {
		t.Error("an absent value is no number")
	}
}

// Lookup finds every key of any set, small or large, and no other.
func TestLookupProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOf(rapid.StringMatching(`[a-e]{1,4}`), rapid.String()).Draw(t, "attrs")
		var a Attrs
		for k, v := range m {
			a = append(a, Attr{k, v})
		}
		a = sortAttrs(a)
		if len(a) != len(m) {
			t.Fatalf("%d of %d attributes left", len(a), len(m))
		}
		for k, v := range m {
			if got, ok := a.Lookup(k); !ok || got != v {
				t.Fatalf("%q: %q %v", k, got, ok)
			}
		}
		if _, ok := a.Lookup("zz"); ok {
			t.Fatal("found what is not there")
		}
	})
}

func TestSortAttrsKeepsTheFirstOfEqualKeys(t *testing.T) {
	for _, n := range []int{3, 60} {
		var a Attrs
		for i := range n {
			a = append(a, Attr{"k", strings.Repeat("x", i)})
		}
		if out := sortAttrs(a); len(out) != 1 || out[0].Value != "" {
			t.Errorf("%d: %v", n, out)
		}
	}
}

func TestTooManyAttributesAreCut(t *testing.T) {
	d := newTraceData()
	s := d.span("s", 1, 1, 0, "n", 0, 1, nil)
	for i := range 1000 {
		s.Attributes().PutInt(strings.Repeat("k", i%50+1)+string(rune('a'+i/50)), int64(i))
	}
	ds := d.dataset(t)
	if n := len(ds.Spans[0].Attrs); n > 130 {
		t.Errorf("%d attributes kept", n)
	}
	if noteCount(ds, NoteCut) == 0 {
		t.Error("nothing said")
	}
}

func TestTooManyEventsAndSpansAreCut(t *testing.T) {
	d := newTraceData()
	s := d.span("s", 1, 1, 0, "n", 0, 1, nil)
	for range 500 {
		s.Events().AppendEmpty().SetName("e")
		s.Links().AppendEmpty()
	}
	for i := range byte(20) {
		d.span("s", 2, i+1, 0, "n", 0, 1, nil)
	}
	r := NewReader(Options{Limits: Limits{Spans: 10}})
	r.AddTraces(d.td)
	ds := r.Dataset()
	if len(ds.Spans) != 10 || noteCount(ds, NoteLimit) != 11 {
		t.Errorf("%d spans, %v", len(ds.Spans), ds.Notes)
	}
	for _, s := range ds.Spans {
		if len(s.Events) > 128 || len(s.Links) > 128 {
			t.Errorf("%d events, %d links", len(s.Events), len(s.Links))
		}
	}
}

func TestEventsOfOpenTracingBecomeExceptions(t *testing.T) {
	tests := []struct {
		name  string
		event string
		attrs map[string]any
		want  bool
		msg   string
	}{
		{"exception", "exception", map[string]any{"exception.message": "m"}, true, "m"},
		{"error event with stack", "log", map[string]any{"event": "error", "message": "boom", "stack": "x"}, true, "boom"},
		{"error.object", "log", map[string]any{"error.object": "IOError", "message": "boom"}, true, "boom"},
		{"named error", "error", map[string]any{"error.msg": "boom"}, true, "boom"},
		{"ordinary", "cache miss", map[string]any{"message": "m"}, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newTraceData()
			e := d.span("s", 1, 1, 0, "n", 0, 1, nil).Events().AppendEmpty()
			e.SetName(tt.event)
			if err := e.Attributes().FromRaw(tt.attrs); err != nil {
				t.Fatal(err)
			}
			x := d.dataset(t).Spans[0].Exception()
			if (x != nil) != tt.want {
				t.Fatalf("exception %v", x)
			}
			if x != nil && x.Attrs.Get(AttrExceptionMsg) != tt.msg {
				t.Errorf("message %q in %v", x.Attrs.Get(AttrExceptionMsg), x.Attrs)
			}
		})
	}
}

func TestKindsOfAttributes(t *testing.T) {
	tests := []struct {
		attrs map[string]any
		want  Kind
	}{
		{map[string]any{"span.kind": "client"}, KindClient}, {map[string]any{"span.kind": "SERVER"}, KindServer},
		{map[string]any{"span.kind": "producer"}, KindProducer}, {map[string]any{"span.kind": "consumer"}, KindConsumer},
		{map[string]any{"span.kind": "local"}, KindInternal}, {map[string]any{"db.statement": "SELECT 1"}, KindClient},
		{map[string]any{"messaging.operation": "publish"}, KindProducer}, {map[string]any{"messaging.operation": "process"}, KindConsumer},
		{map[string]any{"http.route": "/x", "http.method": "GET"}, KindServer}, {nil, KindUnspecified},
	}
	for _, tt := range tests {
		d := newTraceData()
		d.span("s", 1, 1, 0, "n", 0, 1, tt.attrs)
		s := d.dataset(t).Spans[0]
		if s.Kind != tt.want || s.KindInferred != (tt.want != KindUnspecified) {
			t.Errorf("%v: %v inferred %v, want %v", tt.attrs, s.Kind, s.KindInferred, tt.want)
		}
	}
}

func TestStatusOfAttributes(t *testing.T) {
	tests := []struct {
		attrs map[string]any
		want  StatusCode
	}{
		{map[string]any{"otel.status_code": "ERROR"}, StatusError}, {map[string]any{"otel.status_code": "ok"}, StatusOK},
		{map[string]any{"error": "true"}, StatusError}, {map[string]any{"error": "false"}, StatusUnset},
		{map[string]any{"http.status_code": 500}, StatusError}, {map[string]any{"http.status_code": 499}, StatusUnset},
		{map[string]any{"rpc.grpc.status_code": 4}, StatusError}, {map[string]any{"rpc.grpc.status_code": 5}, StatusUnset},
		{map[string]any{"grpc.status_code": "unavailable"}, StatusError}, {nil, StatusUnset},
	}
	for _, tt := range tests {
		d := newTraceData()
		d.span("s", 1, 1, 0, "n", 0, 1, tt.attrs)
		s := d.dataset(t).Spans[0]
		if s.Status != tt.want || s.StatusInferred != (tt.want != StatusUnset) {
			t.Errorf("%v: %v inferred %v, want %v", tt.attrs, s.Status, s.StatusInferred, tt.want)
		}
	}
	d := newTraceData()
	d.span("s", 1, 1, 0, "n", 0, 1, map[string]any{"http.status_code": 500}).Status().SetCode(ptrace.StatusCodeOk)
	if s := d.dataset(t).Spans[0]; s.Status != StatusOK || s.StatusInferred {
		t.Errorf("what the sender said was overruled: %v", s.Status)
	}
}

func TestEscapedExceptionsAreErrors(t *testing.T) {
	for escaped, want := range map[bool]StatusCode{true: StatusError, false: StatusUnset} {
		d := newTraceData()
		e := d.span("s", 1, 1, 0, "n", 0, 1, nil).Events().AppendEmpty()
		e.SetName("exception")
		e.Attributes().PutBool("exception.escaped", escaped)
		if s := d.dataset(t).Spans[0]; s.Status != want {
			t.Errorf("escaped %v: status %v", escaped, s.Status)
		}
	}
}

func metricsOf(fill func(m pmetric.MetricSlice)) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "s")
	fill(rm.ScopeMetrics().AppendEmpty().Metrics())
	return md
}

const now = pcommon.Timestamp(base)

func TestKindsOfMetrics(t *testing.T) {
	md := metricsOf(func(ms pmetric.MetricSlice) {
		up := ms.AppendEmpty()
		up.SetName("level")
		sum := up.SetEmptySum()
		sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		p := sum.DataPoints().AppendEmpty()
		p.SetTimestamp(now)
		p.SetIntValue(7)

		count := ms.AppendEmpty()
		count.SetName("count")
		c := count.SetEmptySum()
		c.SetIsMonotonic(true)
		c.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		p = c.DataPoints().AppendEmpty()
		p.SetTimestamp(now)
		p.SetStartTimestamp(now - 1)
		p.SetIntValue(9)

		summary := ms.AppendEmpty()
		summary.SetName("summary")
		sp := summary.SetEmptySummary().DataPoints().AppendEmpty()
		sp.SetTimestamp(now)
		q := sp.QuantileValues().AppendEmpty()
		q.SetQuantile(0.5)
		q.SetValue(3)

		exp := ms.AppendEmpty()
		exp.SetName("exp")
		ep := exp.SetEmptyExponentialHistogram().DataPoints().AppendEmpty()
		ep.SetTimestamp(now)
		ep.SetScale(0)
		ep.SetZeroCount(2)
		ep.SetCount(5)
		ep.Positive().SetOffset(1)
		ep.Positive().BucketCounts().FromRaw([]uint64{1, 2})

		bad := ms.AppendEmpty()
		bad.SetName("bad")
		for _, v := range []float64{math.NaN(), math.Inf(1)} {
			bp := bad.SetEmptyGauge().DataPoints().AppendEmpty()
			bp.SetTimestamp(now)
			bp.SetDoubleValue(v)
		}
	})
	r := NewReader(Options{})
	r.AddMetrics(md)
	byName := map[string]Series{}
	for _, s := range r.Dataset().Metrics {
		byName[s.Name] = s
	}
	if s := byName["level"]; s.Kind != Gauge || s.Points[0].Cumulative || s.Points[0].Value != 7 {
		t.Errorf("an up-down counter is a level: %+v", s)
	}
	if s := byName["count"]; s.Kind != Sum || !s.Points[0].Cumulative || s.Points[0].Start == 0 {
		t.Errorf("counter: %+v", s)
	}
	if s := byName["summary"]; s.Kind != Gauge || s.Attrs.Get("quantile") != "0.5" || s.Points[0].Value != 3 {
		t.Errorf("summary: %+v", s)
	}
	s := byName["exp"]
	if s.Kind != Histogram || len(s.Points[0].Buckets) != len(s.Points[0].Bounds)+1 {
		t.Fatalf("exponential histogram: %+v", s)
	}
	// Scale 0 is base 2; offset 1 begins at 2: (2,4] and (4,8].
	for i, want := range []float64{2, 4, 8} {
		if math.Abs(s.Points[0].Bounds[i]-want) > 1e-9 {
			t.Errorf("bounds %v", s.Points[0].Bounds)
		}
	}
	if _, ok := byName["bad"]; ok {
		t.Error("what is no number was kept")
	}
}

func TestSeriesAreJoinedAcrossPayloads(t *testing.T) {
	r := NewReader(Options{Limits: Limits{Points: 3}})
	for i := range 5 {
		r.AddMetrics(metricsOf(func(ms pmetric.MetricSlice) {
			m := ms.AppendEmpty()
			m.SetName("g")
			p := m.SetEmptyGauge().DataPoints().AppendEmpty()
			p.SetTimestamp(now - pcommon.Timestamp(i))
			p.SetDoubleValue(float64(i))
		}))
	}
	ds := r.Dataset()
	if len(ds.Metrics) != 1 || len(ds.Metrics[0].Points) != 3 || ds.Metrics[0].Points[0].Value != 2 {
		t.Errorf("%+v", ds.Metrics)
	}
	if noteCount(ds, NoteLimit) != 2 {
		t.Errorf("%v", ds.Notes)
	}
}

func TestSeverityOfText(t *testing.T) {
	for text, want := range map[string]int{"ERROR": 17, "warning": 13, " Info ": 9, "debug": 5, "CRITICAL": 21, "panic": 21, "odd": 0, "TRACE": 1} {
		lr := plog.NewLogRecord()
		lr.SetSeverityText(text)
		if got := severity(lr); got != want {
			t.Errorf("severity(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestLogLimitsAndTimes(t *testing.T) {
	ld := plog.NewLogs()
	records := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for i := range 5 {
		lr := records.AppendEmpty()
		lr.SetTimestamp(now + pcommon.Timestamp(i))
		lr.Body().SetStr(strings.Repeat("x", 20<<10))
	}
	records.AppendEmpty() // no time at all
	far := records.AppendEmpty()
	far.SetTimestamp(now + pcommon.Timestamp(30*24*time.Hour))
	r := NewReader(Options{Limits: Limits{Logs: 6}})
	r.AddLogs(ld)
	ds := r.Dataset()
	if len(ds.Logs) != 5 || noteCount(ds, NoteTimeOutOfRange) != 1 || noteCount(ds, NoteFarFromWindow) != 1 || noteCount(ds, NoteNoService) != 1 {
		t.Errorf("%d logs, %v", len(ds.Logs), ds.Notes)
	}
	if len(ds.Logs[0].Body) > 9<<10 || ds.Logs[0].Resource.Service != UnknownService {
		t.Errorf("body of %d bytes from %s", len(ds.Logs[0].Body), ds.Logs[0].Resource.Service)
	}
}

func TestCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		n := rapid.IntRange(0, 50).Draw(t, "n")
		out, was := cut(s, n)
		if was != (len(s) > n) {
			t.Fatalf("cut %v of %d bytes at %d", was, len(s), n)
		}
		if !was && out != s {
			t.Fatalf("%q became %q", s, out)
		}
		if was && !strings.HasPrefix(s, out[:strings.Index(out, "…(+")]) {
			t.Fatalf("%q is not cut from %q", out, s)
		}
	})
}

func TestInternerIsBounded(t *testing.T) {
	in := newInterner()
	often := strings.Clone("GET")
	in.str(often)
	in.str(often)
	long := strings.Repeat("x", internLength+1)
	if in.str(long) != long {
		t.Error("a long string is another")
	}
	for i := range internSize + 100 {
		in.str(string(rune(i%0x10000)) + string(rune(i/0x10000)) + "k")
	}
	if len(in.slots) != internSlots {
		t.Errorf("room for %d strings", len(in.slots))
	}
	in.str(often)
	if got := in.str(strings.Clone("GET")); unsafe.StringData(got) != unsafe.StringData(often) {
		t.Error("a string that comes again has several copies")
	}
	in.borrowed = true
	if got := in.str(long); unsafe.StringData(got) == unsafe.StringData(long) {
		t.Error("a borrowed string is kept")
	}
}

func TestRequestFacts(t *testing.T) {
	s := Span{Attrs: Attrs{{AttrHTTPStatus, "204"}}, Start: 5, Duration: 7}
	if s.HTTPStatus() != 204 || s.End() != 12 || s.RPCStatus() != "" {
		t.Error("facts of a request")
	}
	for _, v := range []string{"", "abc", "99", "1000", "-1"} {
		if (&Span{Attrs: Attrs{{AttrHTTPStatus, v}}}).HTTPStatus() != 0 {
			t.Errorf("%q is no status", v)
		}
	}
	for kind, want := range map[Kind][2]bool{KindServer: {true, false}, KindConsumer: {true, false}, KindClient: {false, true}, KindProducer: {false, true}, KindInternal: {}} {
		if kind.Incoming() != want[0] || kind.Outgoing() != want[1] {
			t.Errorf("%v", kind)
		}
	}
}

func TestHosts(t *testing.T) {
	for u, want := range map[string]string{
		"http://a.example/x": "a.example", "https://u:p@b:8443/y?z": "b", "grpc://[::1]:50": "[::1]", "/relative": "", "http://c": "c",
	} {
		if got := hostOf(u); got != want {
			t.Errorf("hostOf(%q) = %q, want %q", u, got, want)
		}
	}
	for in, want := range map[[2]string]string{
		{"bank", "80"}: "bank", {"localhost", "8080"}: "localhost:8080", {"127.0.0.1", "9"}: "127.0.0.1:9", {"bank:81", ""}: "bank", {"localhost:5", ""}: "localhost:5",
	} {
		if got := hostName(in[0], in[1]); got != want {
			t.Errorf("hostName(%v) = %q, want %q", in, got, want)
		}
	}
}

func TestTheDatasetIsDeterministic(t *testing.T) {
	build := func(order []byte) Dataset {
		d := newTraceData()
		for _, i := range order {
			d.span("s", i%3+1, i+1, 0, "n", time.Duration(i%2), time.Second, nil)
		}
		return d.dataset(t)
	}
	a, b := build([]byte{0, 1, 2, 3, 4, 5}), build([]byte{5, 3, 1, 4, 2, 0})
	for i := range a.Spans {
		if a.Spans[i].ID != b.Spans[i].ID {
			t.Fatalf("span %d differs by order of arrival", i)
		}
	}
}
