package sources

import (
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// metricShape is how the samples of a series become points of OTLP.
type metricShape uint8

const (
	shapeGauge     metricShape = iota
	shapeCounter               // monotonic, cumulative
	shapeHistogram             // a part of a classic histogram: its buckets, its sum or its count
)

// sinkPoints is how many points a Sink is handed at once, so that no line of a bundle grows without bound: each repeats
// its attributes.
const sinkPoints = 20_000

// hand turns series into OTLP, by the processes that they are of, and passes them on.
func (f *promFetch) hand(m model.Matrix, shape func(name string) metricShape) error {
	histograms := map[string]*classic{}
	var order []string
	b := newPromBuilder(f.p, f.resource)
	pass := func() error {
		n := b.md.DataPointCount()
		if n == 0 {
			return nil
		}
		md := b.md
		b = newPromBuilder(f.p, f.resource)
		f.report.Points += n
		return f.to.Metrics(f.q.Name, md)
	}
	for _, s := range m {
		name := string(s.Metric[model.MetricNameLabel])
		switch {
		case len(s.Histograms) > 0:
			b.native(name, s)
		case shape(name) == shapeHistogram:
			order = part(histograms, order, name, s)
		default:
			b.numbers(name, s, shape(name) == shapeCounter)
		}
		if b.added >= sinkPoints {
			if err := pass(); err != nil {
				return err
			}
		}
	}
	for _, key := range order {
		b.classic(histograms[key])
		if b.added >= sinkPoints {
			if err := pass(); err != nil {
				return err
			}
		}
	}
	return pass()
}

// promBuilder makes one OTLP export of an answer.
type promBuilder struct {
	p         *Prometheus
	targets   promTargets
	md        pmetric.Metrics
	resources map[string]pmetric.ScopeMetrics
	metrics   map[string]pmetric.Metric
	added     int // points, about
}

func newPromBuilder(p *Prometheus, targets promTargets) *promBuilder {
	return &promBuilder{p: p, targets: targets, resources: map[string]pmetric.ScopeMetrics{}, metrics: map[string]pmetric.Metric{}, md: pmetric.NewMetrics()}
}

// resourceLabels are labels that say which process a series is of, and their names in OpenTelemetry.
var resourceLabels = map[string]string{
	"exported_instance": "service.instance.id", "instance": "service.instance.id", "service_instance_id": "service.instance.id",
	"namespace": "k8s.namespace.name", "k8s_namespace_name": "k8s.namespace.name", "service_namespace": "service.namespace",
	"pod": "k8s.pod.name", "k8s_pod_name": "k8s.pod.name", "kubernetes_pod_name": "k8s.pod.name", "pod_name": "k8s.pod.name",
	"container": "k8s.container.name", "k8s_container_name": "k8s.container.name",
	"node": "k8s.node.name", "k8s_node_name": "k8s.node.name", "cluster": "k8s.cluster.name", "k8s_cluster_name": "k8s.cluster.name",
	"deployment": "k8s.deployment.name", "k8s_deployment_name": "k8s.deployment.name",
	"version": "service.version", "service_version": "service.version", "app_kubernetes_io_version": "service.version",
	"deployment_environment": "deployment.environment.name", "deployment_environment_name": "deployment.environment.name",
}

// replica is the end of a pod's name that its ReplicaSet, and the pod itself, add to the name of the workload: hashes of
// an alphabet without vowels (k8s.io/apimachinery/pkg/util/rand), or the number of a StatefulSet's pod.
var replica = regexp.MustCompile(`(-[bcdfghjklmnpqrstvwxz2456789]{6,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}$|-[0-9]{1,4}$`)

// service names the service of a series. Series about containers and workloads are scraped from what watches them, whose
// job and service they carry, so that their workload says more.
func (p *Prometheus) service(name string, labels model.Metric) string {
	if strings.HasPrefix(name, "container_") || strings.HasPrefix(name, "kube_") || strings.HasPrefix(name, "k8s_") {
		for _, l := range []model.LabelName{"label_app_kubernetes_io_name", "label_app", "deployment", "statefulset", "daemonset", "k8s_deployment_name"} {
			if v := labels[l]; v != "" {
				return string(v)
			}
		}
		for _, l := range []model.LabelName{"pod", "k8s_pod_name", "pod_name"} {
			if v := labels[l]; v != "" {
				return replica.ReplaceAllString(string(v), "")
			}
		}
		if v := labels["container"]; v != "" && v != "POD" {
			return string(v)
		}
	}
	return serviceOf(p.o.ServiceLabels, func(l string) string {
		if own := labels["exported_job"]; l == "job" && own != "" {
			return string(own) // job is whoever passed the series on
		}
		return string(labels[model.LabelName(l)])
	})
}

// serviceOf is the value of the first label that is there. The job of an OpenTelemetry service is namespace/name.
func serviceOf(labels []string, value func(string) string) string {
	for _, l := range labels {
		if v := value(l); v != "" && v != "unknown_service" {
			if l == "job" {
				v = v[strings.LastIndexByte(v, '/')+1:]
			}
			return clip(v, 200)
		}
	}
	return ""
}

// metric finds or makes the metric of a series, with the attributes that are not the process's.
func (b *promBuilder) metric(name string, labels model.Metric, make func(pmetric.Metric)) (pmetric.Metric, pcommon.Map) {
	resource, attrs := pcommon.NewMap(), pcommon.NewMap()
	labels = b.targets.join(labels)
	service := b.p.service(name, labels)
	if service != "" {
		resource.PutStr("service.name", service)
	}
	var key strings.Builder
	key.WriteString(service)
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		v := clip(string(labels[l]), 1000)
		target := resourceLabels[string(l)]
		switch {
		case l == model.MetricNameLabel || v == "":
		case target != "":
			if _, there := resource.Get(target); !there {
				resource.PutStr(target, v)
				key.WriteString("\x00" + target + "\x00" + v)
			}
		case l == "exported_job", slices.Contains(b.p.o.ServiceLabels, string(l)):
			// Said by service.name; a job that is not the service stays with the process.
			if v != service {
				resource.PutStr(string(l), v)
				key.WriteString("\x00" + string(l) + "\x00" + v)
			}
		default:
			attrs.PutStr(string(l), v)
		}
	}
	sm, ok := b.resources[key.String()]
	if !ok {
		rm := b.md.ResourceMetrics().AppendEmpty()
		resource.CopyTo(rm.Resource().Attributes())
		sm = rm.ScopeMetrics().AppendEmpty()
		sm.Scope().SetName("prometheus")
		b.resources[key.String()] = sm
	}
	key.WriteString("\x00\x00" + name)
	m, ok := b.metrics[key.String()]
	if !ok {
		m = sm.Metrics().AppendEmpty()
		m.SetName(name)
		if unit := unitOf(name); unit != "" {
			m.SetUnit(unit)
		}
		make(m)
		b.metrics[key.String()] = m
	}
	return m, attrs
}

// unitOf is the unit that a name ends in, as Prometheus' naming has it, in UCUM.
func unitOf(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(name, "_total"), "_quantile")
	for suffix, unit := range map[string]string{"_milliseconds": "ms", "_seconds": "s", "_bytes": "By", "_ratio": "1", "_celsius": "Cel", "_percent": "%"} {
		if strings.HasSuffix(name, suffix) {
			return unit
		}
	}
	return ""
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// numbers hands on gauges and counters. A counter that falls was restarted; its start says so from there on.
func (b *promBuilder) numbers(name string, s *model.SampleStream, counter bool) {
	var points pmetric.NumberDataPointSlice
	m, attrs := b.metric(name, s.Metric, func(m pmetric.Metric) {
		if counter {
			sum := m.SetEmptySum()
			sum.SetIsMonotonic(true)
			sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
			return
		}
		m.SetEmptyGauge()
	})
	if m.Type() == pmetric.MetricTypeSum {
		points = m.Sum().DataPoints()
	} else if m.Type() == pmetric.MetricTypeGauge {
		points = m.Gauge().DataPoints()
	} else {
		return // of another kind under the same name: the first stays
	}
	b.added += len(s.Values)
	start, last := pcommon.Timestamp(0), math.Inf(-1)
	for i, v := range s.Values {
		value := float64(v.Value)
		if !finite(value) {
			continue
		}
		at := timestamp(v.Timestamp)
		if i == 0 {
			start = at
		} else if value < last {
			start = timestamp(s.Values[i-1].Timestamp) + 1
		}
		last = value
		p := points.AppendEmpty()
		p.SetTimestamp(at)
		if m.Type() == pmetric.MetricTypeSum {
			p.SetStartTimestamp(start)
		}
		p.SetDoubleValue(value)
		attrs.CopyTo(p.Attributes())
	}
}

func timestamp(t model.Time) pcommon.Timestamp {
	if t < 0 || t > math.MaxInt64/1_000_000 {
		return 0
	}
	return pcommon.Timestamp(t) * 1_000_000
}

// classic is one histogram whose parts came as series of their own.
type classic struct {
	name    string
	labels  model.Metric
	buckets []bucket
	sum     map[model.Time]float64
	count   map[model.Time]float64
}

type bucket struct {
	bound  float64
	values map[model.Time]float64
}

// maxBuckets bounds what one histogram may have.
const maxBuckets = 500

// part keeps a part of a histogram until all of them are there, and their order.
func part(histograms map[string]*classic, order []string, name string, s *model.SampleStream) []string {
	labels := s.Metric.Clone()
	delete(labels, model.BucketLabel)
	labels[model.MetricNameLabel] = model.LabelValue(family(name))
	key := labels.String()
	h := histograms[key]
	if h == nil {
		h = &classic{name: family(name), labels: labels}
		histograms[key] = h
		order = append(order, key)
	}
	values := make(map[model.Time]float64, len(s.Values))
	for _, v := range s.Values {
		if finite(float64(v.Value)) {
			values[v.Timestamp] = float64(v.Value)
		}
	}
	switch {
	case strings.HasSuffix(name, "_sum"):
		h.sum = values
	case strings.HasSuffix(name, "_count"):
		h.count = values
	case len(h.buckets) < maxBuckets:
		bound, err := strconv.ParseFloat(string(s.Metric[model.BucketLabel]), 64)
		if err == nil && !math.IsNaN(bound) {
			h.buckets = append(h.buckets, bucket{bound, values})
		}
	}
	return order
}

// classic hands on a histogram. Where its buckets are incomplete at a time, the count and the sum are told alone.
func (b *promBuilder) classic(h *classic) {
	m, attrs := b.metric(h.name, h.labels, func(m pmetric.Metric) {
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	})
	if m.Type() != pmetric.MetricTypeHistogram {
		return
	}
	slices.SortFunc(h.buckets, func(a, b bucket) int {
		switch {
		case a.bound < b.bound:
			return -1
		case a.bound > b.bound:
			return 1
		}
		return 0
	})
	h.buckets = slices.CompactFunc(h.buckets, func(a, b bucket) bool { return a.bound == b.bound })
	times := map[model.Time]bool{}
	for t := range h.sum {
		times[t] = true
	}
	for t := range h.count {
		times[t] = true
	}
	if n := len(h.buckets); n > 0 && math.IsInf(h.buckets[n-1].bound, 1) {
		if h.count == nil {
			h.count = h.buckets[n-1].values
		}
		h.buckets = h.buckets[:n-1]
		for t := range h.count {
			times[t] = true
		}
	}
	if h.count == nil {
		return // neither a count nor all buckets: nothing can be said
	}
	b.added += len(times)
	var start, before model.Time
	last := math.Inf(-1)
	first := true
	for _, t := range slices.Sorted(maps.Keys(times)) {
		count, ok := h.count[t]
		if !ok || count < 0 || count >= math.MaxUint64 {
			continue
		}
		switch {
		case first:
			start, first = t, false
		case count < last:
			start = before + 1
		}
		before, last = t, count
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetTimestamp(timestamp(t))
		p.SetStartTimestamp(timestamp(start))
		p.SetCount(uint64(count))
		if sum, ok := h.sum[t]; ok {
			p.SetSum(sum)
		}
		attrs.CopyTo(p.Attributes())
		h.fill(p, t, count)
	}
}

// fill puts the buckets of a time into a point; they are cumulative over bounds in Prometheus and each by itself in OTLP.
func (h *classic) fill(p pmetric.HistogramDataPoint, t model.Time, count float64) {
	if len(h.buckets) == 0 {
		return
	}
	bounds, counts := make([]float64, 0, len(h.buckets)), make([]uint64, 0, len(h.buckets)+1)
	below := 0.0
	for _, b := range h.buckets {
		v, ok := b.values[t]
		if !ok || v < below || v > count || math.IsInf(b.bound, 0) {
			return
		}
		bounds, counts = append(bounds, b.bound), append(counts, uint64(v)-uint64(below))
		below = v
	}
	p.ExplicitBounds().FromRaw(bounds)
	p.BucketCounts().FromRaw(append(counts, uint64(count)-uint64(below)))
}

// native hands on a native histogram, whose buckets come with their boundaries.
func (b *promBuilder) native(name string, s *model.SampleStream) {
	m, attrs := b.metric(name, s.Metric, func(m pmetric.Metric) {
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	})
	if m.Type() != pmetric.MetricTypeHistogram {
		return
	}
	b.added += len(s.Histograms)
	start, last := model.Time(0), math.Inf(-1)
	for i, pair := range s.Histograms {
		h := pair.Histogram
		if h == nil || !finite(float64(h.Count)) || h.Count < 0 || float64(h.Count) >= math.MaxUint64 || !finite(float64(h.Sum)) || len(h.Buckets) > maxBuckets {
			continue
		}
		if math.IsInf(last, -1) {
			start = pair.Timestamp
		} else if float64(h.Count) < last {
			start = s.Histograms[i-1].Timestamp + 1
		}
		last = float64(h.Count)
		p := m.Histogram().DataPoints().AppendEmpty()
		p.SetTimestamp(timestamp(pair.Timestamp))
		p.SetStartTimestamp(timestamp(start))
		p.SetCount(uint64(h.Count))
		p.SetSum(float64(h.Sum))
		attrs.CopyTo(p.Attributes())
		bounds, counts, rest := []float64{}, []uint64{}, uint64(h.Count)
		for _, bk := range h.Buckets {
			if bk == nil || !finite(float64(bk.Lower)) || !finite(float64(bk.Upper)) || !(bk.Count >= 0) || uint64(bk.Count) > rest || bk.Lower > bk.Upper ||
				len(bounds) > 0 && float64(bk.Lower) < bounds[len(bounds)-1] {
				bounds = nil
				break
			}
			if len(bounds) == 0 || float64(bk.Lower) > bounds[len(bounds)-1] {
				bounds, counts = append(bounds, float64(bk.Lower)), append(counts, 0)
			}
			if bk.Upper > bk.Lower {
				bounds, counts = append(bounds, float64(bk.Upper)), append(counts, 0)
			}
			counts[len(counts)-1] += uint64(bk.Count)
			rest -= uint64(bk.Count)
		}
		if len(bounds) > 0 {
			p.ExplicitBounds().FromRaw(bounds)
			p.BucketCounts().FromRaw(append(counts, rest))
		}
	}
}
