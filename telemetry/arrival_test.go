package telemetry

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// records are log records of one process, each as time after base and text.
func records(order []int, list ...string) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "a")
	lines := rl.ScopeLogs().AppendEmpty().LogRecords()
	for _, i := range order {
		at, text, _ := strings.Cut(list[i], " ")
		text, colour, _ := strings.Cut(text, "#")
		d, err := time.ParseDuration(at)
		if err != nil {
			panic(err)
		}
		l := lines.AppendEmpty()
		l.SetTimestamp(pcommon.Timestamp(base + int64(d)))
		l.Body().SetStr(text)
		if colour != "" {
			l.Attributes().PutStr("colour", colour)
		}
	}
	return ld
}

func TestLogRecordsInAnyOrderAreTheSame(t *testing.T) {
	list := []string{"2ms b", "1ms a#red", "1ms a#blue", "1ms a"}
	var want []Log
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}} {
		r := NewReader(Options{})
		r.AddLogs(records(order, list...))
		got := r.Dataset().Logs
		if want == nil {
			want = got
		}
		if len(got) != len(list) || !reflect.DeepEqual(got, want) {
			t.Errorf("order %v: %+v, want %+v", order, got, want)
		}
	}
}

// An exporter that got no answer sends the batch again. What a coarse clock puts into one moment may be two events.
func TestLogRecordsDeliveredTwiceAreKeptOnce(t *testing.T) {
	r := NewReader(Options{})
	list := []string{"1000001ns a", "1000001ns a#red", "1ms coarse"}
	r.AddLogs(records([]int{0, 1, 2, 0, 1, 2, 0}, list...))
	ds := r.Dataset()
	if len(ds.Logs) != 4 || noteCount(ds, NoteDuplicateLog) != 3 {
		t.Errorf("%d records, %d duplicates noted, want 4 and 3: %+v", len(ds.Logs), noteCount(ds, NoteDuplicateLog), ds.Logs)
	}
}

func TestMetricPointsDeliveredTwiceAreKeptOnce(t *testing.T) {
	values := []float64{3, 1, 2, 3, 1}
	series := func(order []int) []Point {
		r := NewReader(Options{})
		for _, i := range order {
			md := pmetric.NewMetrics()
			rm := md.ResourceMetrics().AppendEmpty()
			rm.Resource().Attributes().PutStr("service.name", "a")
			m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
			m.SetName("cpu")
			p := m.SetEmptyGauge().DataPoints().AppendEmpty()
			p.SetTimestamp(pcommon.Timestamp(base + int64(i)*int64(time.Second)))
			p.SetDoubleValue(values[i])
			r.AddMetrics(md)
		}
		return r.Dataset().Metrics[0].Points
	}
	want := series([]int{0, 1, 2, 3, 4})
	if len(want) != len(values) {
		t.Fatalf("%d points, want %d", len(want), len(values))
	}
	if got := series([]int{4, 2, 2, 0, 1, 4, 3, 0}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestEventsComeBackFromZipkinsAnnotations(t *testing.T) {
	span := func(annotation string) string {
		return `[{"traceId":"1","id":"1","name":"n","timestamp":1700000000000000,"duration":10,"localEndpoint":{"serviceName":"a"},"annotations":[{"timestamp":1700000000000001,"value":` + annotation + `}]}]`
	}
	for name, tt := range map[string]struct {
		annotation, event, key, value string
	}{
		"collector":     {`"exception|{\"exception.type\":\"Boom\",\"n\":1}|0"`, "exception", "exception.type", "Boom"},
		"specification": {`"\"exception\": { \"exception.type\" : \"Boom\" }"`, "exception", "exception.type", "Boom"},
		"plain":         {`"cache miss"`, "cache miss", "", ""},
		"no object":     {`"parse|{oops}|0"`, "parse|{oops}|0", "", ""},
		"a sentence":    {`"got: {nothing"`, "got: {nothing", "", ""},
	} {
		r := NewReader(Options{})
		if err := r.Read(strings.NewReader(span(tt.annotation)), Traces); err != nil {
			t.Fatal(name, err)
		}
		e := r.Dataset().Spans[0].Events[0]
		if e.Name != tt.event || e.Attrs.Get(tt.key) != tt.value {
			t.Errorf("%s: event %q %v, want %q with %s=%s", name, e.Name, e.Attrs, tt.event, tt.key, tt.value)
		}
	}
}

func TestLinksComeBackFromZipkinsTags(t *testing.T) {
	const document = `[{"traceId":"1","id":"2","name":"n","timestamp":1700000000000000,"duration":10,"localEndpoint":{"serviceName":"a"},"tags":{` +
		`"otlp.link.0":"0000000000000000000000000000000a|000000000000000b||{}|0","otlp.link.1":"nonsense"}}]`
	r := NewReader(Options{})
	if err := r.Read(strings.NewReader(document), Traces); err != nil {
		t.Fatal(err)
	}
	s := r.Dataset().Spans[0]
	if want := []Link{{Trace: TraceID{15: 10}, Span: SpanID{7: 11}}}; !reflect.DeepEqual(s.Links, want) || s.Attrs.Get("otlp.link.1") != "nonsense" {
		t.Errorf("links %v, attributes %v, want %v", s.Links, s.Attrs, want)
	}
}

// A leaf that calls a system without telemetry has no callee's span that would show what it is.
func TestASpanThatSaysWhomItAskedIsAClient(t *testing.T) {
	for name, tt := range map[string]struct {
		attrs map[string]any
		want  Kind
	}{
		"address":   {map[string]any{"http.request.method": "POST", "server.address": "bank"}, KindClient},
		"old url":   {map[string]any{"http.method": "POST", "http.url": "http://bank/x"}, KindClient},
		"peer":      {map[string]any{"peer.service": "bank"}, KindClient},
		"procedure": {map[string]any{"rpc.system": "grpc", "rpc.method": "Pay", "server.address": "bank"}, KindClient},
		"a handler": {map[string]any{"http.request.method": "POST", "http.route": "/x", "server.address": "here"}, KindServer},
		"a step":    {map[string]any{"amount": 3}, KindUnspecified},
	} {
		d := newTraceData()
		d.span("shop", 1, 1, 0, "root", 0, time.Second, nil)
		d.span("shop", 1, 2, 1, "step", 1, time.Millisecond, tt.attrs)
		for _, s := range d.dataset(t).Spans {
			if s.Name == "step" && (s.Kind != tt.want || s.KindInferred != (tt.want != KindUnspecified)) {
				t.Errorf("%s: kind %v, inferred %v, want %v", name, s.Kind, s.KindInferred, tt.want)
			}
		}
	}
}
