package sources

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// live skips a test that needs servers which take minutes to build.
func live(t *testing.T) {
	t.Helper()
	if os.Getenv("REMEDIATOR_LIVE") == "" {
		t.Skip("REMEDIATOR_LIVE is not set: `make test-live` builds the servers first, which takes minutes")
	}
}

// countedIDs makes ids that are the same in every run.
type countedIDs struct{ traces, spans uint64 }

func (c *countedIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	c.traces++
	var id trace.TraceID
	binary.BigEndian.PutUint64(id[:], 0xabcdef0000000000+c.traces)
	binary.BigEndian.PutUint64(id[8:], c.traces)
	return id, c.NewSpanID(ctx, id)
}

func (c *countedIDs) NewSpanID(context.Context, trace.TraceID) trace.SpanID {
	c.spans++
	var id trace.SpanID
	binary.BigEndian.PutUint64(id[:], 0x0100000000000000+c.spans)
	return id
}

// sdkSpans makes traces of two services with OpenTelemetry's SDK, a minute apart, every fourth of them failing, with
// everything a span may carry. It hands them to the exporter, where there is one, and returns them as the SDK sees them.
func sdkSpans(t *testing.T, traces int, exporter sdktrace.SpanExporter) []sdktrace.ReadOnlySpan {
	t.Helper()
	ctx := context.Background()
	seen := tracetest.NewSpanRecorder()
	ids := &countedIDs{}
	var providers []*sdktrace.TracerProvider
	tracer := func(service string) trace.Tracer {
		opts := []sdktrace.TracerProviderOption{
			sdktrace.WithSpanProcessor(seen), sdktrace.WithIDGenerator(ids), sdktrace.WithResource(resource.NewSchemaless(
				attribute.String("service.name", service), attribute.String("service.version", "1.2.3"), attribute.Int("process.pid", 42))),
		}
		if exporter != nil {
			opts = append(opts, sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(1<<20)))
		}
		p := sdktrace.NewTracerProvider(opts...)
		t.Cleanup(func() { _ = p.Shutdown(ctx) })
		providers = append(providers, p)
		return p.Tracer("shop/"+service, trace.WithInstrumentationVersion("0.9.0"))
	}
	front, cart := tracer("front"), tracer("cart")
	var before trace.SpanContext
	for i := range traces {
		at := testNoon.Add(time.Duration(i)*time.Minute + 123456789)
		when := func(d time.Duration) trace.SpanEventOption { return trace.WithTimestamp(at.Add(d)) }
		kind := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer), when(0), trace.WithAttributes(
			attribute.String("http.route", "/cart/{id}"), attribute.String("quoted", "a \"b\" \\ <c> é \n"), attribute.Int("http.response.status_code", 200),
			attribute.Float64("ratio", 0.25), attribute.Bool("cached", i%2 == 0), attribute.StringSlice("tags", []string{"x", "y"}), attribute.Int64("large", 1<<60))}
		if before.IsValid() {
			kind = append(kind, trace.WithLinks(trace.Link{SpanContext: before, Attributes: []attribute.KeyValue{attribute.String("why", "before")}}))
		}
		c1, root := front.Start(ctx, "GET /cart/{id}", kind...)
		c2, call := front.Start(c1, "cart.Get", trace.WithSpanKind(trace.SpanKindClient), when(time.Millisecond))
		_, served := cart.Start(c2, "cart.Get", trace.WithSpanKind(trace.SpanKindServer), when(2*time.Millisecond+7))
		served.AddEvent("cache miss", when(3*time.Millisecond), trace.WithAttributes(attribute.String("key", "k1")))
		if i%4 == 3 {
			served.RecordError(errors.New("no such cart"), when(4*time.Millisecond))
			served.SetStatus(codes.Error, "no such cart")
			call.SetStatus(codes.Error, "rpc failed")
		} else if i%4 == 2 {
			served.SetStatus(codes.Ok, "")
		}
		served.End(when(5 * time.Millisecond))
		call.End(when(6 * time.Millisecond))
		root.End(when(7 * time.Millisecond))
		before = root.SpanContext()
	}
	for _, p := range providers {
		if err := p.ForceFlush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return seen.Ended()
}

// keptAll is a Sink that keeps what it is handed.
type keptAll struct {
	keptTraces
	all ptrace.Traces
}

func (k *keptAll) Traces(window string, td ptrace.Traces) error {
	c := ptrace.NewTraces()
	td.CopyTo(c)
	c.ResourceSpans().MoveAndAppendTo(k.all.ResourceSpans())
	return k.keptTraces.Traces(window, td)
}

// spanText is a span in full, times to the unit given, so that two can be compared.
func spanText(resource, scope, name, id, parent, kind, status, message string, start, end time.Time, attrs, events, links []string, unit time.Duration) string {
	slices.Sort(attrs)
	return fmt.Sprintf("%s | %s | %s | %s<%s | %s | %s %q | %s +%v | %v | events %v | links %v", resource, scope, name, id, parent, kind, status, message,
		start.UTC().Truncate(unit).Format(time.RFC3339Nano), end.Sub(start).Truncate(unit), attrs, events, links)
}

func sdkText(s sdktrace.ReadOnlySpan, unit time.Duration, whole bool) string {
	attrs := func(list []attribute.KeyValue) (out []string) {
		for _, a := range list {
			kind := strings.ToLower(a.Value.Type().String())
			if !whole && kind == "stringslice" {
				kind = "string"
			}
			out = append(out, fmt.Sprintf("%s=%s(%s)", a.Key, a.Value.String(), kind))
		}
		slices.Sort(out)
		return out
	}
	var events, links []string
	for _, e := range s.Events() {
		events = append(events, fmt.Sprint(e.Name, e.Time.UTC().Truncate(unit).Format(time.RFC3339Nano), attrs(e.Attributes)))
	}
	for _, l := range s.Links() {
		text := fmt.Sprint(l.SpanContext.TraceID(), l.SpanContext.SpanID())
		if whole {
			text += fmt.Sprint(attrs(l.Attributes))
		}
		links = append(links, text)
	}
	parent := ""
	if s.Parent().SpanID().IsValid() {
		parent = s.Parent().SpanID().String()
	}
	return spanText(fmt.Sprint(attrs(s.Resource().Attributes())), s.InstrumentationScope().Name, s.Name(), s.SpanContext().TraceID().String()+s.SpanContext().SpanID().String(), parent,
		strings.ToLower(s.SpanKind().String()), strings.ToLower(s.Status().Code.String()), s.Status().Description, s.StartTime(), s.EndTime(), attrs(s.Attributes()), events, links, unit)
}

func pdataTexts(td ptrace.Traces, unit time.Duration, whole bool) []string {
	attrs := func(m pcommon.Map) (out []string) {
		for k, v := range m.All() {
			if k == "otel.scope.version" || k == "error" {
				continue // which the older API has no other place for
			}
			kind := map[pcommon.ValueType]string{pcommon.ValueTypeStr: "string", pcommon.ValueTypeInt: "int64", pcommon.ValueTypeDouble: "float64",
				pcommon.ValueTypeBool: "bool", pcommon.ValueTypeSlice: "stringslice"}[v.Type()]
			out = append(out, fmt.Sprintf("%s=%s(%s)", k, v.AsString(), kind))
		}
		slices.Sort(out)
		return out
	}
	var texts []string
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				var events, links []string
				for _, e := range s.Events().All() {
					events = append(events, fmt.Sprint(e.Name(), e.Timestamp().AsTime().Truncate(unit).Format(time.RFC3339Nano), attrs(e.Attributes())))
				}
				for _, l := range s.Links().All() {
					text := fmt.Sprint(l.TraceID(), l.SpanID())
					if whole {
						text += fmt.Sprint(attrs(l.Attributes()))
					}
					links = append(links, text)
				}
				texts = append(texts, spanText(fmt.Sprint(attrs(rs.Resource().Attributes())), ss.Scope().Name(), s.Name(), s.TraceID().String()+s.SpanID().String(), s.ParentSpanID().String(),
					strings.ToLower(s.Kind().String()), strings.ToLower(s.Status().Code().String()), s.Status().Message(), s.StartTimestamp().AsTime(), s.EndTimestamp().AsTime(), attrs(s.Attributes()), events, links, unit))
			}
		}
	}
	slices.Sort(texts)
	return texts
}

// sameSpans says where what was fetched is not what was sent.
func sameSpans(t *testing.T, sent []sdktrace.ReadOnlySpan, got ptrace.Traces, unit time.Duration, whole bool) {
	t.Helper()
	var want []string
	for _, s := range sent {
		want = append(want, sdkText(s, unit, whole))
	}
	slices.Sort(want)
	have := pdataTexts(got, unit, whole)
	if len(have) != len(want) {
		t.Errorf("%d spans of %d were fetched", len(have), len(want))
	}
	for i := range min(len(have), len(want)) {
		if have[i] != want[i] {
			t.Errorf("span %d is\n%s, sent was\n%s", i, have[i], want[i])
			return
		}
	}
}

// startJaeger runs Jaeger with its storage in memory until the test ends.
func startJaeger(t *testing.T) (query, otlp string) {
	t.Helper()
	var out bytes.Buffer
	build := exec.Command("./install-jaeger")
	build.Stdout, build.Stderr = &out, os.Stderr
	if err := build.Run(); err != nil {
		t.Fatalf("building jaeger: %v", err)
	}
	ports := unusedPorts(t, 3)
	query, otlp = fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[2])
	conf := filepath.Join(t.TempDir(), "jaeger.yaml")
	text := fmt.Sprintf(`service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}
  telemetry: {metrics: {level: none}, logs: {level: warn}}
extensions:
  jaeger_query:
    storage: {traces: memory}
    http: {endpoint: "127.0.0.1:%d"}
    grpc: {endpoint: "127.0.0.1:%d"}
  jaeger_storage: {backends: {memory: {memory: {max_traces: 5000}}}}
receivers: {otlp: {protocols: {http: {endpoint: "%s"}}}}
exporters: {jaeger_storage_exporter: {trace_storage: memory}}
`, ports[0], ports[1], otlp)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(strings.TrimSpace(out.String()), "--config", conf)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("jaeger:\n%s", log.Bytes()[max(0, log.Len()-4000):])
		}
	})
	eventually(t, "jaeger answers", func() bool {
		resp, err := (&http.Client{Timeout: 2 * time.Second}).Get(query + "/api/v3/services")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode == http.StatusOK
	})
	return query, otlp
}

// unusedPorts are ports of this machine that nobody listens on.
func unusedPorts(t *testing.T, n int) []int {
	t.Helper()
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all at the end, so that they differ
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

// eventually waits until it is so, for a minute at most.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within a minute: %s", what)
		case <-tick.C:
		}
	}
}

// otlpTo exports to a server by OTLP over HTTP.
func otlpTo(t *testing.T, endpoint string) sdktrace.SpanExporter {
	t.Helper()
	e, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpoint(endpoint), otlptracehttp.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// noV3 hides API v3, as servers do that have none: the user interface answers in its place.
func noV3(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, "/api/v3/") {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("<!doctype html>")), Request: r}, nil
		}
		return next.RoundTrip(r)
	})
}

const recordedTraces = 4

// What the SDK sent to a real Jaeger comes back equal, by both of its APIs. API v3 keeps it whole; the older one counts
// microseconds, knows no lists and keeps no attributes of links.
func TestLiveJaegerBringsBackWhatWasSent(t *testing.T) {
	live(t)
	query, otlp := startJaeger(t)
	sent := sdkSpans(t, recordedTraces, otlpTo(t, otlp))
	for _, old := range []bool{false, true} {
		rec := &recorder{next: http.DefaultTransport}
		var transport http.RoundTripper = rec
		unit, name := time.Nanosecond, "jaeger-v3.jsonl"
		if old {
			transport, unit, name = noV3(rec), time.Microsecond, "jaeger-v1.jsonl"
		}
		eventually(t, "all spans are stored", func() bool {
			rec.kept = nil
			return jaegerFetch(t, query, transport).all.SpanCount() == len(sent)
		})
		kept := jaegerFetch(t, query, transport)
		sameSpans(t, sent, kept.all, unit, !old)
		rec.kept = slices.CompactFunc(rec.kept, func(a, b exchange) bool { return a.Request == b.Request })
		rec.save(t, name, func(s string) string { return s })
	}
}

func jaegerFetch(t *testing.T, url string, transport http.RoundTripper) *keptAll {
	t.Helper()
	c, err := NewClient(ClientOptions{Kind: "jaeger", URL: url, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	kept := &keptAll{all: ptrace.NewTraces()}
	report, err := NewJaeger(c, TraceLimits{}).Fetch(t.Context(), Query{Name: "incident", Window: Window{testNoon, testNoon.Add(10 * time.Minute)},
		TraceIDs: []string{"abcdef00000000020000000000000002"}}, kept)
	if err != nil || len(report.Partial) != 0 {
		t.Errorf("%v; %q", err, report.Partial)
	}
	return kept
}

// The exchanges of the test above, without the server.
func TestRecordedJaegerBringsBackWhatWasSent(t *testing.T) {
	sent := sdkSpans(t, recordedTraces, nil)
	sameSpans(t, sent, jaegerFetch(t, "http://jaeger:16686", replayed(t, "jaeger-v3.jsonl")).all, time.Nanosecond, true)
	sameSpans(t, sent, jaegerFetch(t, "http://jaeger:16686", noV3(replayed(t, "jaeger-v1.jsonl"))).all, time.Microsecond, false)
}

// Of many traces in a real server the limits are kept, failing ones are preferred, and the sample is from all over.
func TestLiveJaegerSamples(t *testing.T) {
	live(t)
	query, otlp := startJaeger(t)
	const traces = 1200 // a minute apart: twenty hours
	sent := sdkSpans(t, traces, otlpTo(t, otlp))
	c := testClient(t, "jaeger", query)
	eventually(t, "all spans are stored", func() bool {
		var v struct {
			Result struct{ ResourceSpans []any }
		}
		err := c.GetJSON(t.Context(), "/api/v3/traces/"+sent[len(sent)-1].SpanContext().TraceID().String(), nil, &v)
		return err == nil && len(v.Result.ResourceSpans) == 2
	})
	var kept keptTraces
	report, err := NewJaeger(c, TraceLimits{Traces: 200}).Fetch(t.Context(), Query{Window: Window{testNoon, testNoon.Add(traces * time.Minute)}}, &kept)
	if err != nil || len(kept.traces) > 200 || len(kept.traces) < 150 || len(report.Partial) == 0 {
		t.Fatalf("%d traces: %q (%v)", len(kept.traces), report.Partial, err)
	}
	perPart := map[int]int{}
	for _, spans := range kept.traces {
		perPart[int(spans[0].StartTimestamp().AsTime().Sub(testNoon)/(5*time.Hour))]++
	}
	if kept.failing() < 40 || len(perPart) != 4 || slices.Min([]int{perPart[0], perPart[1], perPart[2], perPart[3]}) < 20 {
		t.Errorf("%d failing of %d traces, by five hours: %v", kept.failing(), len(kept.traces), perPart)
	}
	t.Logf("%d failing of %d traces, by five hours: %v; %q", kept.failing(), len(kept.traces), perPart, report.Partial)
}
