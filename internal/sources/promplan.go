package sources

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// interests are the metrics worth having, the most telling first: how many requests fail and how long they take,
// then what resources they were short of. The names are those that the semantic conventions of OpenTelemetry have in
// Prometheus (https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/), those of the client
// libraries and of service meshes, and those of cAdvisor, kube-state-metrics and the node exporter.
var interests = []*regexp.Regexp{
	regexp.MustCompile(`^up$|^(http|rpc|grpc|faas|graphql)_(server|client)_|^(http|grpc|rpc)_request|^(traces_spanmetrics_|calls_total|duration_(milli)?seconds_)|^istio_requests?_|^envoy_cluster_upstream_rq|_request(s)?_(total|duration|latency|failed|errors)|_(errors?|failures?|exceptions?|retries|timeouts)(_total)?$`),
	regexp.MustCompile(`^(db|hikaricp|jdbc|sql|pgbouncer|redis|mongodb|pg_stat|mysql_global_status)_|connection(s)?_|_pool_|^(messaging|kafka|rabbitmq|nats|sqs|amqp|celery|sidekiq)_|queue|backlog|consumer_?lag|circuit_?breaker|rate_?limit`),
	regexp.MustCompile(`^container_(cpu_usage_seconds_total|cpu_cfs_(throttled_)?periods_total|cpu_cfs_throttled_seconds_total|memory_(working_set_bytes|usage_bytes|rss|failcnt)|spec_memory_limit_bytes|oom_events_total|network_(receive|transmit)_(bytes|errors|packets_dropped)_total|fs_(reads|writes)_(bytes_)?total|threads)$|^kube_pod_container_status_(restarts_total|ready|last_terminated_reason)$|^kube_(deployment|statefulset|daemonset)_status_|^kube_horizontalpodautoscaler_`),
	regexp.MustCompile(`^(process|go|jvm|nodejs|python|ruby|dotnet|k8s)_|^(system|node)_(cpu|memory|disk|filesystem|network|load|pressure|vmstat)`),
	regexp.MustCompile(`.`),
}

// noise is what monitoring says about itself.
var noise = regexp.MustCompile(`^(ALERTS|ALERTS_FOR_STATE|scrape_|prometheus_|promhttp_|alertmanager_|net_conntrack_|loki_|cortex_|tempo_|go_info$|.*_created$|target_info$|go_memstats_(mspan|mcache|buck|other|lookups|gc_sys)|go_sched_|go_gc_(cycles|heap_goal))`)

// scrapeInterval is Prometheus' usual interval, where a series does not tell its own.
const scrapeInterval = 15 * time.Second

// promBatch is one request: metrics that are asked for together.
type promBatch struct {
	names    []string
	interval time.Duration // between two samples
	series   int
	sum      bool // by service, since there are too many series
}

// named is a selector of several metrics.
func (p *Prometheus) named(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = regexp.QuoteMeta(n)
	}
	s := fmt.Sprintf("{__name__=~%q", strings.Join(quoted, "|"))
	if p.o.Match != "" {
		s += "," + p.o.Match
	}
	return s + "}"
}

// plan says in which requests the metrics are fetched: by interest, as far as the limit of series allows.
func (f *promFetch) plan(ctx context.Context, names []string) ([]promBatch, error) {
	names = slices.DeleteFunc(slices.Clone(names), noise.MatchString)
	own := map[string]bool{}
	for _, s := range f.q.selectors() {
		own[s.Metric] = true
		for _, suffix := range []string{"_bucket", "_sum", "_count"} { // the rest of the histogram
			if base, ok := strings.CutSuffix(s.Metric, suffix); ok {
				own[base+"_bucket"], own[base+"_sum"], own[base+"_count"] = true, true, true
			}
		}
	}
	rank := func(name string) int {
		if own[name] {
			return -1
		}
		return slices.IndexFunc(interests, func(r *regexp.Regexp) bool { return r.MatchString(name) })
	}
	ranks := make(map[string]int, len(names))
	for _, n := range names {
		// The parts of a histogram go together, and after its name.
		base := n
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			base = strings.TrimSuffix(base, suffix)
		}
		ranks[n] = rank(n)
		if r := rank(base); !own[n] && r >= 0 && r < ranks[n] {
			ranks[n] = r
		}
	}
	slices.SortStableFunc(names, func(a, b string) int {
		if ranks[a] != ranks[b] {
			return ranks[a] - ranks[b]
		}
		return strings.Compare(a, b)
	})
	var out []promBatch
	var skipped []string
	for chunk := range slices.Chunk(names, batchNames) {
		if f.left <= 0 || ctx.Err() != nil {
			skipped = append(skipped, chunk...)
			continue
		}
		counts, intervals, err := f.size(ctx, chunk)
		if err != nil {
			f.partial("%s and %d more metrics: %v", chunk[0], len(chunk)-1, f.p.said(err))
			continue
		}
		for _, n := range chunk {
			b := promBatch{names: []string{n}, interval: intervals[n], series: counts[n]}
			if b.series > wideMetric {
				f.partial("%s has %d series and is summed by service; narrow sources.metrics.match to see more of it", n, b.series)
				b.sum, b.series = true, wideSeries
			}
			switch {
			case b.series == 0:
				continue
			case b.series > f.left:
				skipped = append(skipped, n)
				continue
			}
			f.left -= b.series
			out = append(out, b)
		}
	}
	if len(skipped) > 0 {
		f.partial("%d metrics are left out, %s among them: the limit of %d series is reached; raise sources.metrics.limit or narrow sources.metrics.match",
			len(skipped), skipped[0], f.p.o.Series)
	}
	return merge(out), nil
}

// merge puts metrics of one interval into one request. The parts of a histogram stay together.
func merge(all []promBatch) []promBatch {
	slices.SortStableFunc(all, func(a, b promBatch) int {
		return strings.Compare(family(a.names[0]), family(b.names[0]))
	})
	var out []promBatch
	open := map[time.Duration]int{} // by interval
	last := map[string]int{}        // by family
	for _, b := range all {
		at, ok := last[family(b.names[0])]
		if !ok || out[at].interval != b.interval || out[at].sum != b.sum {
			at, ok = open[b.interval]
			ok = ok && !b.sum && out[at].series+b.series <= batchSeries && len(out[at].names) < batchNames
		}
		if ok {
			out[at].names = append(out[at].names, b.names...)
			out[at].series += b.series
		} else {
			at = len(out)
			out = append(out, b)
			if !b.sum {
				open[b.interval] = at
			}
		}
		last[family(b.names[0])] = at
	}
	return out
}

// family is the name of a histogram or summary by the name of one of its parts.
func family(name string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok {
			return base
		}
	}
	return name
}

// size says how many series each metric has, and how far its samples are apart.
func (f *promFetch) size(ctx context.Context, names []string) (map[string]int, map[string]time.Duration, error) {
	length := f.q.Window.To.Sub(f.q.Window.From)
	counts, intervals := map[string]int{}, map[string]time.Duration{}
	// At the end and in the middle: what vanished in the window matters most.
	for _, at := range []time.Time{f.q.Window.To.Add(-time.Millisecond), f.q.Window.From.Add(length / 2)} {
		m, err := f.vector(ctx, fmt.Sprintf("count by (__name__) (%s)", f.p.named(names)), at)
		if err != nil {
			return nil, nil, err
		}
		for name, n := range m {
			counts[name] = max(counts[name], int(n))
		}
	}
	if len(counts) == 0 {
		return counts, intervals, nil
	}
	// Functions over ranges drop the metric's name, so each metric is asked for by itself, all in one expression.
	span := min(length, 10*time.Minute).Truncate(time.Second)
	var each []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		match := fmt.Sprintf("{__name__=%q", name)
		if f.p.o.Match != "" {
			match += "," + f.p.o.Match
		}
		each = append(each, fmt.Sprintf(`label_replace(max(count_over_time(%s}[%s])),"metric",%q,"","")`, match, promDuration(span), strings.ReplaceAll(name, "$", "$$")))
	}
	m, err := f.vector(ctx, strings.Join(each, " or "), f.q.Window.To.Add(-time.Millisecond))
	if err != nil {
		f.partial("the resolution of %s and %d more metrics is guessed: %v", names[0], len(names)-1, f.p.said(err))
		m = nil
	}
	for name := range counts {
		intervals[name] = scrapeInterval
		if n := m[name]; n >= 2 {
			intervals[name] = max((span / time.Duration(n)).Round(time.Second), time.Second)
		}
	}
	return counts, intervals, nil
}

// vector asks for a number of each metric, by the name it carries.
func (f *promFetch) vector(ctx context.Context, expr string, at time.Time) (map[string]float64, error) {
	f.asked++
	v, warnings, _, err := f.p.api.Query(ctx, expr, at)
	f.warn(warnings)
	if err != nil {
		f.failed++
		return nil, err
	}
	m, ok := v.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("the answer to a query is no vector")
	}
	out := map[string]float64{}
	for _, s := range m {
		name := string(s.Metric[model.MetricNameLabel]) + string(s.Metric["metric"])
		if n := float64(s.Value); n >= 1 && n < 1e9 {
			out[name] = n
		}
	}
	return out, nil
}

func promDuration(d time.Duration) string { return fmt.Sprintf("%ds", max(1, int(d/time.Second))) }

// batch fetches one request's metrics.
func (f *promFetch) batch(ctx context.Context, b promBatch) error {
	expr := f.p.named(b.names)
	step := f.step(b.interval)
	if b.sum {
		return f.wide(ctx, b.names[0], expr, b.interval)
	}
	f.asked++
	v, warnings, _, err := f.p.api.QueryRange(ctx, expr, f.rangeOf(step))
	f.warn(warnings)
	if err != nil {
		f.failed++
		return err
	}
	m, err := matrix(v)
	if err != nil {
		return err
	}
	for _, n := range b.names {
		f.done[n] = true
	}
	return f.hand(m, f.shape)
}

// wide brings a metric of too many series by service: levels added up, counters as rates, histograms as quantiles.
func (f *promFetch) wide(ctx context.Context, name, selector string, interval time.Duration) error {
	// Four samples are what a rate needs to survive a scrape that failed.
	rate := fmt.Sprintf("rate(%s[%s])", selector, promDuration(max(4*interval, f.step(interval))))
	by := strings.Join(append(slices.Clone(f.p.o.ServiceLabels), "namespace"), ",")
	if !strings.HasSuffix(name, "_bucket") {
		inner := selector
		if f.shape(name) != shapeGauge {
			inner = rate
		}
		_, err := f.expression(ctx, name, fmt.Sprintf("sum by (%s) (%s)", by, inner), wideSeries)
		return err
	}
	f.done[name] = true
	for _, q := range []string{"0.5", "0.95", "0.99"} {
		expr := fmt.Sprintf(`label_replace(histogram_quantile(%s, sum by (%s,le) (%s)),"quantile",%q,"","")`, q, by, rate, q)
		if _, err := f.expression(ctx, family(name)+"_quantile", expr, wideSeries); err != nil {
			return err
		}
	}
	return nil
}

// shape says how the samples of a metric are to be read: by its metadata, else by its name.
func (f *promFetch) shape(name string) metricShape {
	kind := func(n string) promv1.MetricType {
		if m := f.metadata[n]; len(m) > 0 {
			return m[0].Type
		}
		return ""
	}
	if base := family(name); base != name && (kind(base) == promv1.MetricTypeHistogram || kind(base) == "" && strings.HasSuffix(name, "_bucket")) {
		return shapeHistogram
	}
	switch kind(name) {
	case promv1.MetricTypeCounter:
		return shapeCounter
	case promv1.MetricTypeGauge:
		return shapeGauge
	}
	switch base := family(name); {
	case strings.HasSuffix(name, "_total"), base != name && kind(base) == promv1.MetricTypeSummary:
		return shapeCounter
	case strings.HasSuffix(name, "_sum"), strings.HasSuffix(name, "_count"):
		if f.done[base+"_bucket"] {
			return shapeHistogram
		}
		return shapeCounter
	}
	return shapeGauge
}

// selectors are those of all the alert's expressions.
func (q Query) selectors() []Selector {
	var out []Selector
	for _, expr := range q.Exprs {
		out = append(out, Selectors(expr)...)
	}
	return out
}
