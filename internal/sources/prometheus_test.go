package sources

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"pgregory.net/rapid"
)

// promStub answers Prometheus' API with canned results: those of the first rule whose pattern the query matches.
type promStub struct {
	names    []string
	rules    []promRule
	metadata string
	mu       sync.Mutex
	asked    []string // path and query
	steps    []string
}

type promRule struct {
	path, query string // patterns
	answer      string // data
	whole       string // the whole body in its place
	status      int
}

func (p *promStub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	query := r.Form.Get("query")
	p.mu.Lock()
	p.asked = append(p.asked, r.URL.Path+" "+query)
	if s := r.Form.Get("step"); s != "" {
		p.steps = append(p.steps, s)
	}
	p.mu.Unlock()
	for _, rule := range p.rules {
		if strings.HasSuffix(r.URL.Path, rule.path) && regexp.MustCompile(rule.query).MatchString(query) {
			if rule.status != 0 {
				w.WriteHeader(rule.status)
			}
			if rule.whole != "" {
				fmt.Fprint(w, rule.whole)
				return
			}
			fmt.Fprintf(w, `{"status":"success","data":%s}`, rule.answer)
			return
		}
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/label/__name__/values"):
		text, _ := json.Marshal(p.names)
		fmt.Fprintf(w, `{"status":"success","data":%s}`, text)
	case strings.HasSuffix(r.URL.Path, "/metadata"):
		fmt.Fprintf(w, `{"status":"success","data":{%s}}`, p.metadata)
	case strings.HasSuffix(r.URL.Path, "/query_range"):
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"matrix","result":[]}}`)
	case strings.HasSuffix(r.URL.Path, "/query"):
		fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	case strings.HasSuffix(r.URL.Path, "/rules"):
		fmt.Fprint(w, `{"status":"success","data":{"groups":[]}}`)
	default:
		fmt.Fprint(w, `{"status":"success","data":[]}`)
	}
}

func promOf(t testing.TB, h http.Handler, o PrometheusOptions) *Prometheus {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return NewPrometheus(testClient(t, "prometheus", srv.URL), o)
}

var promHour = Window{noon, noon.Add(time.Hour)}

// counted says that each name has so many series, a sample every 15 s.
func counted(series int, names ...string) []promRule {
	var count, every []string
	for _, n := range names {
		count = append(count, fmt.Sprintf(`{"metric":{"__name__":%q},"value":[1,"%d"]}`, n, series))
		every = append(every, fmt.Sprintf(`{"metric":{"metric":%q},"value":[1,"40"]}`, n))
	}
	return []promRule{
		{path: "/query", query: "^count by", answer: `{"resultType":"vector","result":[` + strings.Join(count, ",") + `]}`},
		{path: "/query", query: "count_over_time", answer: `{"resultType":"vector","result":[` + strings.Join(every, ",") + `]}`},
	}
}

func TestPrometheusMapsLabels(t *testing.T) {
	p := NewPrometheus(nil, PrometheusOptions{})
	for _, c := range []struct {
		name   string
		labels model.Metric
		want   string
	}{
		{"http_total", model.Metric{"job": "scrape", "service": "orders"}, "orders"},
		{"http_total", model.Metric{"job": "shop/orders"}, "orders"},
		{"http_total", model.Metric{"job": "a", "app": "b", "app_kubernetes_io_name": "c"}, "c"},
		{"http_total", model.Metric{"pod": "x"}, ""},
		{"container_cpu_usage_seconds_total", model.Metric{"job": "kubelet", "service": "kubelet", "pod": "orders-7d4b9c6f5-x2x9z", "container": "istio-proxy"}, "orders"},
		{"container_cpu_usage_seconds_total", model.Metric{"job": "kubelet", "pod": "db-0"}, "db"},
		{"container_cpu_usage_seconds_total", model.Metric{"job": "kubelet", "pod": "my-agent-bx7zq"}, "my-agent"},
		{"kube_deployment_status_replicas_unavailable", model.Metric{"job": "kube-state-metrics", "deployment": "orders"}, "orders"},
		{"container_threads", model.Metric{"job": "cadvisor", "container": "web"}, "web"},
		{"http_total", model.Metric{"service": "unknown_service", "job": "real"}, "real"},
	} {
		if got := p.service(c.name, c.labels); got != c.want {
			t.Errorf("%s%v is of %q, want %q", c.name, c.labels, got, c.want)
		}
	}
}

// handed runs series through the builder.
func handed(t *testing.T, shape metricShape, m model.Matrix) pmetric.MetricSlice {
	t.Helper()
	sink := &keptOutput{}
	f := &promFetch{p: NewPrometheus(nil, PrometheusOptions{}), q: Query{Name: "incident"}, to: sink}
	if err := f.hand(m, func(string) metricShape { return shape }); err != nil {
		t.Fatal(err)
	}
	if len(sink.metrics["incident"]) == 0 {
		return pmetric.NewMetricSlice()
	}
	md := sink.metrics["incident"][0]
	if n := md.ResourceMetrics().Len(); n != 1 {
		t.Fatalf("%d resources", n)
	}
	return md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics()
}

func samples(values ...float64) []model.SamplePair {
	var out []model.SamplePair
	for i, v := range values {
		out = append(out, model.SamplePair{Timestamp: model.TimeFromUnixNano(noon.Add(time.Duration(i) * 15 * time.Second).UnixNano()), Value: model.SampleValue(v)})
	}
	return out
}

// Many points come in several exports and all of them once.
func TestPrometheusHandsOnInPieces(t *testing.T) {
	sink := &keptOutput{}
	f := &promFetch{p: NewPrometheus(nil, PrometheusOptions{}), q: Query{Name: "incident"}, to: sink}
	var m model.Matrix
	for i := range 300 {
		m = append(m, &model.SampleStream{Metric: model.Metric{"__name__": "x", "job": "a", "i": model.LabelValue(fmt.Sprint(i))}, Values: samples(make([]float64, 300)...)})
	}
	if err := f.hand(m, func(string) metricShape { return shapeGauge }); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, md := range sink.metrics["incident"] {
		total += md.DataPointCount()
	}
	if total != 90_000 || f.report.Points != total || len(sink.metrics["incident"]) != 5 {
		t.Errorf("%d points in %d exports, %d told", total, len(sink.metrics["incident"]), f.report.Points)
	}
}

func TestCountersSayWhenTheyWereRestarted(t *testing.T) {
	ms := handed(t, shapeCounter, model.Matrix{{Metric: model.Metric{"__name__": "x_total", "job": "a", "code": "500"}, Values: samples(10, 12, 3, math.NaN(), 4)}})
	points := ms.At(0).Sum().DataPoints()
	if points.Len() != 4 || !ms.At(0).Sum().IsMonotonic() {
		t.Fatalf("%d points of %v", points.Len(), ms.At(0).Type())
	}
	if v, _ := points.At(0).Attributes().Get("code"); v.AsString() != "500" {
		t.Errorf("attributes are %v", points.At(0).Attributes().AsRaw())
	}
	for i, want := range []bool{false, true, false} { // restarted against the one before
		if got := points.At(i+1).StartTimestamp() > points.At(i).StartTimestamp(); got != want {
			t.Errorf("point %d restarted: %v", i+1, got)
		}
	}
}

// The buckets of a classic histogram, cumulative and in any order, become buckets of OTLP that add up to the count.
func TestClassicHistogramsAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(rt, "buckets")
		var m model.Matrix
		labels := func(name, le string) model.Metric {
			out := model.Metric{"__name__": model.LabelValue(name), "job": "a"}
			if le != "" {
				out["le"] = model.LabelValue(le)
			}
			return out
		}
		total, want := 0.0, []uint64{}
		for i := range n {
			c := rapid.IntRange(0, 50).Draw(rt, "count")
			total += float64(c)
			want = append(want, uint64(c))
			le := fmt.Sprint(float64(i+1) / 10)
			if i == n-1 {
				le = "+Inf"
			}
			m = append(m, &model.SampleStream{Metric: labels("h_bucket", le), Values: samples(total, total)})
		}
		m = append(m, &model.SampleStream{Metric: labels("h_sum", ""), Values: samples(7, 8)})
		if rapid.Bool().Draw(rt, "count series") {
			m = append(m, &model.SampleStream{Metric: labels("h_count", ""), Values: samples(total, total)})
		}
		m = rapid.Permutation(m).Draw(rt, "order")
		ms := handed(t, shapeHistogram, m)
		if ms.Len() != 1 || ms.At(0).Name() != "h" || ms.At(0).Histogram().DataPoints().Len() != 2 {
			rt.Fatalf("%d metrics", ms.Len())
		}
		p := ms.At(0).Histogram().DataPoints().At(1)
		if p.Count() != uint64(total) || p.Sum() != 8 {
			rt.Fatalf("count %d of %v, sum %v", p.Count(), total, p.Sum())
		}
		if n > 1 && !slices.Equal(p.BucketCounts().AsRaw(), want) {
			rt.Fatalf("buckets %v, want %v", p.BucketCounts().AsRaw(), want)
		}
	})
}

func TestNativeHistograms(t *testing.T) {
	bucket := func(lower, upper, count float64) *model.HistogramBucket {
		return &model.HistogramBucket{Lower: model.FloatString(lower), Upper: model.FloatString(upper), Count: model.FloatString(count)}
	}
	ms := handed(t, shapeGauge, model.Matrix{{Metric: model.Metric{"__name__": "h", "job": "a"}, Histograms: []model.SampleHistogramPair{
		{Timestamp: 1000, Histogram: &model.SampleHistogram{Count: 10, Sum: 3, Buckets: model.HistogramBuckets{bucket(0, 0, 2), bucket(0.5, 1, 5), bucket(1, 2, 3)}}},
		{Timestamp: 2000, Histogram: &model.SampleHistogram{Count: 4, Sum: 1, Buckets: model.HistogramBuckets{bucket(2, 1, 9)}}},
		{Timestamp: 3000, Histogram: nil},
	}}})
	points := ms.At(0).Histogram().DataPoints()
	if points.Len() != 2 {
		t.Fatalf("%d points", points.Len())
	}
	if p := points.At(0); !slices.Equal(p.ExplicitBounds().AsRaw(), []float64{0, 0.5, 1, 2}) || !slices.Equal(p.BucketCounts().AsRaw(), []uint64{2, 0, 5, 3, 0}) {
		t.Errorf("buckets %v of %v", p.BucketCounts().AsRaw(), p.ExplicitBounds().AsRaw())
	}
	if p := points.At(1); p.ExplicitBounds().Len() != 0 || p.Count() != 4 || p.StartTimestamp() != pcommon.Timestamp(1001_000_000) {
		t.Errorf("broken buckets give %v, start %v", p.ExplicitBounds().AsRaw(), p.StartTimestamp())
	}
}

// No range query asks for more points of a series than Prometheus answers, whatever the window and the interval are.
func TestResolutionKeepsToTheServersLimit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		length := time.Duration(rapid.Int64Range(int64(time.Second), int64(60*24*time.Hour)).Draw(rt, "length"))
		f := &promFetch{p: NewPrometheus(nil, PrometheusOptions{Points: rapid.IntRange(1, 50_000).Draw(rt, "points")}), q: Query{Window: Window{noon, noon.Add(length)}}}
		step := f.step(time.Duration(rapid.IntRange(0, 3600).Draw(rt, "interval")) * time.Second)
		r := f.rangeOf(step)
		if step <= 0 || r.End.Sub(r.Start)/step+1 > serverPoints {
			rt.Fatalf("%v in steps of %v", length, step)
		}
	})
}

func TestPrometheusFetchesByInterest(t *testing.T) {
	names := []string{"zzz_custom", "go_goroutines", "http_server_request_duration_seconds_bucket", "http_server_request_duration_seconds_count",
		"http_server_request_duration_seconds_sum", "prometheus_tsdb_head_series", "scrape_duration_seconds", "db_client_connections_usage", "own_thing"}
	stub := &promStub{names: names, rules: counted(10, names...)}
	p := promOf(t, stub, PrometheusOptions{Series: 55, Queries: map[string]string{"burn": "job:burn"}})
	r, err := p.Fetch(context.Background(), Query{Name: "incident", Window: promHour, Exprs: []string{"own_thing > 3", "other_thing"}}, &keptOutput{})
	if err != nil {
		t.Fatal(err)
	}
	asked := strings.Join(stub.asked, "\n")
	for _, want := range []string{"/query_range own_thing\n", "/query_range other_thing\n", "/query_range job:burn\n", "own_thing", "db_client_connections_usage", "http_server_request_duration_seconds_bucket"} {
		if !strings.Contains(asked, want) {
			t.Errorf("not asked for %q:\n%s", want, asked)
		}
	}
	ranges := strings.Join(slices.DeleteFunc(slices.Clone(stub.asked), func(s string) bool { return !strings.Contains(s, "/query_range") }), "\n")
	for _, not := range []string{"zzz_custom", "prometheus_tsdb", "scrape_duration", "go_goroutines"} {
		if strings.Contains(ranges, not) {
			t.Errorf("asked for %q beyond the limit:\n%s", not, ranges)
		}
	}
	if !strings.Contains(strings.Join(r.Partial, "\n"), "the limit of 55 series is reached") {
		t.Errorf("partial is %v", r.Partial)
	}
	for _, s := range stub.steps {
		if s != "12" && s != "15" { // an hour in 300 points, and the interval of samples
			t.Errorf("asked in steps of %s", s)
		}
	}
}

func TestPrometheusSumsWhatIsTooWide(t *testing.T) {
	names := []string{"rpc_server_duration_seconds_bucket", "requests_total"}
	stub := &promStub{names: names, rules: append(counted(5000, names...),
		promRule{path: "/query_range", query: "histogram_quantile\\(0.99", answer: `{"resultType":"matrix","result":[{"metric":{"service":"a","quantile":"0.99"},"values":[[1773144000,"0.5"]]}]}`})}
	sink := &keptOutput{}
	r, err := promOf(t, stub, PrometheusOptions{}).Fetch(context.Background(), Query{Name: "incident", Window: promHour}, sink)
	if err != nil {
		t.Fatal(err)
	}
	asked := strings.Join(stub.asked, "\n")
	if !strings.Contains(asked, `sum by (service_name,service,app_kubernetes_io_name,app,job,namespace) (rate({__name__=~"requests_total"}[60s]))`) || !strings.Contains(asked, ",le) (rate(") {
		t.Errorf("asked\n%s", asked)
	}
	if !strings.Contains(strings.Join(r.Partial, "\n"), "requests_total has 5000 series and is summed by service") || r.Points != 1 {
		t.Errorf("report %+v", r)
	}
	m := sink.metrics["incident"][0].ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	if m.Name() != "rpc_server_duration_seconds_quantile" || m.Unit() != "s" {
		t.Errorf("the quantile is %q in %q", m.Name(), m.Unit())
	}
}

func TestPrometheusExemplarsPointToTheWorstTraces(t *testing.T) {
	id := func(n int) string { return fmt.Sprintf("%032x", n) }
	stub := &promStub{names: []string{"h_seconds_bucket"}, rules: append(counted(2, "h_seconds_bucket"),
		promRule{path: "/query_range", query: "h_seconds", answer: `{"resultType":"matrix","result":[{"metric":{"__name__":"h_seconds_bucket","le":"+Inf","job":"a"},"values":[[1773144000,"5"]]}]}`},
		promRule{path: "/query_exemplars", answer: fmt.Sprintf(`[{"seriesLabels":{},"exemplars":[{"labels":{"trace_id":%q},"value":"0.1","timestamp":1},{"labels":{"traceID":%q},"value":"9","timestamp":1},
			{"labels":{"trace_id":"nonsense"},"value":"99","timestamp":1},{"labels":{"trace_id":%q},"value":"0.2","timestamp":1}]}]`, id(1), id(2), id(1))})}
	r, err := promOf(t, stub, PrometheusOptions{}).Fetch(context.Background(), Query{Name: "incident", Window: promHour}, &keptOutput{})
	if err != nil || !slices.Equal(r.TraceIDs, []string{id(2), id(1)}) {
		t.Errorf("points to %v, %v", r.TraceIDs, err)
	}
}

func TestPrometheusAlertsAreDisturbances(t *testing.T) {
	at := func(m int) int64 { return noon.Add(time.Duration(m) * time.Minute).Unix() }
	watchdog := make([]string, 0, 600)
	for m := range 600 {
		watchdog = append(watchdog, fmt.Sprintf(`[%d,"1"]`, at(m)))
	}
	stub := &promStub{rules: []promRule{{path: "/query_range", query: "ALERTS", answer: fmt.Sprintf(`{"resultType":"matrix","result":[
		{"metric":{"alertname":"Other","service":"b"},"values":[[%d,"1"],[%d,"1"],[%d,"1"]]},
		{"metric":{"alertname":"Own"},"values":[[%d,"1"]]},
		{"metric":{"alertname":"Watchdog"},"values":[%s]}]}`, at(10), at(11), at(100), at(50), strings.Join(watchdog, ","))}}}
	got, err := promOf(t, stub, PrometheusOptions{}).Alerts(context.Background(), Window{noon, noon.Add(10 * time.Hour)}, "Own", []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Disturbance{
		{From: noon.Add(9 * time.Minute), To: noon.Add(12 * time.Minute), What: "alert Other", Minor: true},
		{From: noon.Add(99 * time.Minute), To: noon.Add(101 * time.Minute), What: "alert Other", Minor: true},
		{From: noon.Add(49 * time.Minute), To: noon.Add(51 * time.Minute), What: "alert Own", Own: true},
	}
	for i := range got {
		got[i].From, got[i].To = got[i].From.UTC(), got[i].To.UTC()
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestPrometheusFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		rule promRule
		want string // of the error, or of what is partial
	}{
		{"a page", promRule{path: "/values", whole: "<html>"}, "a page instead of JSON"},
		{"another API", promRule{path: "/values", whole: `{"hello":"world"}`}, "not Prometheus' API"},
		{"success of the wrong kind", promRule{path: "/values", whole: `{"status":"success","data":{"a":1}}`}, "cannot unmarshal"},
		{"refused", promRule{path: "/values", whole: `{"status":"error","errorType":"execution","error":"query processing would load too many samples"}`, status: 422}, "would load too many samples"},
		{"an error with 200", promRule{path: "/values", whole: `{"status":"error","errorType":"internal","error":"no shards"}`}, "no shards"},
		{"warnings", promRule{path: "/values", whole: `{"status":"success","data":["up"],"warnings":["store b is down"]}`}, "warns: store b is down"},
		{"a scalar", promRule{path: "/query_range", answer: `{"resultType":"scalar","result":[1,"2"]}`}, "is a scalar"},
		{"no metadata", promRule{path: "/metadata", whole: "x", status: 500}, "guessed from their names"},
		{"deep nesting", promRule{path: "/query_range", answer: strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000)}, "nested too deeply"},
		{"unknown type", promRule{path: "/query_range", answer: `{"resultType":"surprise","result":[]}`}, "surprise"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stub := &promStub{names: []string{"up"}, rules: append([]promRule{c.rule}, counted(1, "up")...)}
			r, err := promOf(t, stub, PrometheusOptions{}).Fetch(context.Background(), Query{Name: "incident", Window: promHour, Exprs: []string{"up == 0"}}, &keptOutput{})
			said := strings.Join(r.Partial, "\n")
			if err != nil {
				said += err.Error()
			}
			if !strings.Contains(said, c.want) {
				t.Errorf("said %q, want %q", said, c.want)
			}
		})
	}
}

func FuzzPrometheusAnswer(f *testing.F) {
	f.Add([]byte(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"h_bucket","le":"0.1","job":"a"},"values":[[1,"5"],[2,"NaN"]]},{"metric":{"__name__":"h_count"},"values":[[1,"7"]]}]}}`))
	f.Add([]byte(`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"n"},"histograms":[[1,{"count":"3","sum":"1","buckets":[[0,"0","0.5","2"],[1,"0.5","+Inf","1"]]}]]}]}}`))
	f.Add([]byte(`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"x"},"value":[1,"1e400"]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		over := roundTripper(func(r *http.Request) (*http.Response, error) {
			rec := httptest.NewRecorder()
			_, _ = rec.Write(data)
			return rec.Result(), nil
		})
		c, err := NewClient(ClientOptions{Kind: "prometheus", URL: "http://x", Transport: over, Attempts: 1})
		if err != nil {
			t.Fatal(err)
		}
		p := NewPrometheus(c, PrometheusOptions{})
		fetch := &promFetch{p: p, q: Query{Name: "incident", Window: promHour}, to: &keptOutput{}, left: 100, done: map[string]bool{"h_bucket": true}}
		for _, b := range []promBatch{{names: []string{"x"}}, {names: []string{"h_bucket", "h_count", "h_sum"}}} {
			_ = fetch.batch(context.Background(), b)
		}
		_, _ = fetch.vector(context.Background(), "x", noon)
		_, _ = p.Alerts(context.Background(), promHour, "a", nil)
		fetch.exemplars(context.Background())
		_, _ = p.Expression(context.Background(), "a")
	})
}
