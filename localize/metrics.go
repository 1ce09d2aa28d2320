package localize

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// metricClass is what a metric is about, by the words of its name.
type metricClass uint8

const (
	classOther metricClass = iota
	classResource
	classDemand
	classLatency
	classError
	classRefusal
)

// classWords decide the class; the first class with a word in the name wins. The words are
// those of the OpenTelemetry and Prometheus naming conventions.
var classWords = []struct {
	class metricClass
	words []string
}{
	{classRefusal, []string{"4xx", "400", "401", "403", "404", "409", "422", "unauthorized", "forbidden", "rejected"}},
	{classError, []string{"error", "errors", "5xx", "500", "502", "503", "fail", "failed", "failure", "failures", "exception", "exceptions", "panic", "panics", "throttle", "throttled", "servfail", "timeouts", "dropped"}},
	{classResource, []string{"cpu", "memory", "mem", "heap", "gc", "disk", "fs", "filesystem", "network", "pool", "connection", "connections", "conns", "thread", "threads", "queue", "fd", "descriptors", "goroutines", "saturation", "utilization", "pending", "backlog", "oldest", "capacity", "buffer", "hit", "eviction", "evictions", "retransmits", "syscalls", "io", "swap", "lag"}},
	{classLatency, []string{"duration", "latency", "response", "p50", "p90", "p95", "p99", "quantile"}},
	{classDemand, []string{"request", "requests", "rps", "qps", "throughput", "calls", "queries", "ops", "rate", "sec", "success"}},
}

func classify(name string) metricClass {
	words := nameWords(name)
	for _, c := range classWords {
		for _, w := range words {
			if slices.Contains(c.words, w) {
				return c.class
			}
		}
	}
	return classOther
}

// nameWords splits an identifier into lower-case words: at punctuation, at case changes.
func nameWords(name string) []string {
	var out []string
	start := -1
	flush := func(end int) {
		if start >= 0 && end > start {
			out = append(out, strings.ToLower(name[start:end]))
		}
		start = -1
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80:
			if start < 0 {
				start = i
			}
		case c >= 'A' && c <= 'Z':
			lowerBefore := i > 0 && (name[i-1] >= 'a' && name[i-1] <= 'z' || name[i-1] >= '0' && name[i-1] <= '9')
			lowerAfter := i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z'
			upperBefore := i > 0 && name[i-1] >= 'A' && name[i-1] <= 'Z'
			if lowerBefore || upperBefore && lowerAfter {
				flush(i)
			}
			if start < 0 {
				start = i
			}
		default:
			flush(i)
		}
	}
	flush(len(name))
	return out
}

// sample is one value of a series at a time.
type sample struct {
	t int64
	v float64
}

// values turns the points of a series into comparable values: gauges as they are, cumulative
// sums as rates per second, histograms as means.
//
// A gauge whose name says that it counts (Prometheus' naming: _total, _count, _sum) and that never falls
// but to begin anew is a counter that lost its type on the way.
func values(s *telemetry.Series) []sample {
	if s.Kind == telemetry.Gauge && isCounter(s) {
		c := *s
		c.Kind, c.Points = telemetry.Sum, slices.Clone(s.Points)
		for i := range c.Points {
			c.Points[i].Cumulative, c.Points[i].Start = true, 0
		}
		s = &c
	}
	out := make([]sample, 0, len(s.Points))
	for i, p := range s.Points {
		switch {
		case s.Kind == telemetry.Gauge || s.Kind == telemetry.Sum && !p.Cumulative:
			out = append(out, sample{p.Time, p.Value})
		case s.Kind == telemetry.Histogram && !p.Cumulative:
			if p.Count > 0 {
				out = append(out, sample{p.Time, p.Value / float64(p.Count)})
			}
		case i == 0:
		default:
			last := s.Points[i-1]
			if p.Start > last.Start && last.Start != 0 || p.Time <= last.Time || last.Start == 0 && p.Value < 0.5*last.Value {
				continue // restarted
			}
			if s.Kind == telemetry.Histogram {
				if p.Count > last.Count && p.Value >= last.Value {
					out = append(out, sample{p.Time, (p.Value - last.Value) / float64(p.Count-last.Count)})
				}
			} else {
				out = append(out, sample{p.Time, (p.Value - last.Value) / (float64(p.Time-last.Time) / 1e9)})
			}
		}
	}
	// What is no number says nothing, and would make every sum that it is part of say nothing.
	return slices.DeleteFunc(out, func(x sample) bool { return math.IsNaN(x.v) || math.IsInf(x.v, 0) })
}

func isCounter(s *telemetry.Series) bool {
	if !strings.HasSuffix(s.Name, "_total") && !strings.HasSuffix(s.Name, "_count") && !strings.HasSuffix(s.Name, "_sum") {
		return false
	}
	falls := 0
	for i := 1; i < len(s.Points); i++ {
		if p := s.Points[i].Value; p < s.Points[i-1].Value {
			if falls++; p > 0.5*s.Points[i-1].Value {
				return false
			}
		}
	}
	return len(s.Points) >= 3 && falls*4 < len(s.Points)
}

// seriesKey is what a series is the same by in both windows. Instances of a service are
// compared with instances of the service: pods change their names between windows.
func seriesKey(s *telemetry.Series) string {
	var b strings.Builder
	b.WriteString(s.Resource.Service)
	b.WriteByte(0)
	b.WriteString(s.Name)
	for _, a := range s.Attrs {
		if slices.Contains(instanceLabels, a.Key) {
			continue
		}
		b.WriteByte(0)
		b.WriteString(a.Key)
		b.WriteByte('=')
		b.WriteString(a.Value)
	}
	return b.String()
}

// findMetrics weighs the shifts. A resource that left its range is near its cause; latency and
// errors of a service are also moved by what it calls.
func (a *analysis) findMetrics() {
	k := &a.k.metrics
	weights := map[metricClass]float64{classResource: a.k.weight.resource, classError: k.error * a.k.weight.metric, classLatency: k.latency * a.k.weight.metric,
		classRefusal: k.refusal * a.k.weight.metric, classDemand: k.demand * a.k.weight.metric, classOther: k.other * a.k.weight.metric}
	said := map[string]int{}
	traced, touched := a.tracedServices()
	// What others use and what never sends spans, a database, a broker, cannot be missed in the traces.
	users := a.usersOfSilent()
	for _, s := range a.shifts {
		key := fmt.Sprintf("%s/%d", s.service, s.class)
		if said[key]++; said[key] > 3 {
			continue
		}
		w := weights[s.class] * s.strength
		switch {
		case traced && !touched[s.service] && len(users[s.service]) == 0:
			w *= k.untouched // no request that was traced went there
		case traced && (s.class == classLatency || s.class == classError):
			w *= k.traced // its spans tell the same, and more exactly
		}
		a.board.add(s.service, Reason{Signal: signalOf(s.class),
			Text:  fmt.Sprintf("%s went from %.4g to %.4g %s, %.0f times its healthy spread", s.label, s.base, s.cur, s.unit, min(s.deviation, 999)),
			Value: s.cur, Baseline: s.base, Weight: w})
	}
}

// tracedServices says whether the incident has enough traces to show where requests go, and
// where they went.
func (a *analysis) tracedServices() (bool, map[string]bool) {
	touched := map[string]bool{}
	for _, r := range a.cur.processes {
		touched[r.Service] = true
	}
	return float64(len(a.cur.traces)) >= 2*a.k.window.enough && float64(len(a.base.traces)) >= a.k.window.enough, touched
}

func signalOf(c metricClass) string {
	switch c {
	case classResource:
		return "resource_metric"
	case classError:
		return "error_metric"
	case classLatency:
		return "latency_metric"
	}
	return "metric"
}
