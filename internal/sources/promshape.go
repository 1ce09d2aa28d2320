package sources

import (
	"maps"
	"math"
	"regexp"
	"slices"
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
