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
//
//nolint:gochecknoglobals // read-only table
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

// metricShift is a series that left its healthy range.
type metricShift struct {
	service, name, label string
	class                metricClass
	strength             float64 // 0..1
	deviation            float64 // in healthy standard deviations
	cur, base            float64 // medians
	at                   int64   // when it moved
	unit                 string
}

// sample is one value of a series at a time.
type sample struct {
	t int64
	v float64
}

// values turns the points of a series into comparable values: gauges as they are, cumulative
// sums as rates per second, histograms as means.
func values(s *telemetry.Series) []sample {
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
			if p.Start > last.Start && last.Start != 0 || p.Time <= last.Time {
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
	return out
}

// seriesKey is what a series is the same by in both windows. Instances of a service are
// compared with instances of the service: pods change their names between windows.
func seriesKey(s *telemetry.Series) string {
	var b strings.Builder
	b.WriteString(s.Resource.Service)
	b.WriteByte(0)
	b.WriteString(s.Name)
	for _, a := range s.Attrs {
		b.WriteByte(0)
		b.WriteString(a.Key)
		b.WriteByte('=')
		b.WriteString(a.Value)
	}
	return b.String()
}

// findShifts lists the series that moved out of their healthy range, strongest first. The test
// is robust: distance of medians in units of the healthy MAD (Iglewicz and Hoaglin, How to
// Detect and Handle Outliers, 1993, call 3.5 an outlier), and Cliff's delta, since neither cares
// for the shape of the distribution. Within the incident only what follows its level shift
// counts, because windows begin before the fault does.
func (a *analysis) findShifts() []metricShift {
	healthy := map[string][]float64{}
	for i := range a.base.ds.Metrics {
		s := &a.base.ds.Metrics[i]
		k := seriesKey(s)
		for _, v := range values(s) {
			healthy[k] = append(healthy[k], v.v)
		}
	}
	restless := restlessness(a.base.ds)
	var out []metricShift
	for i := range a.cur.ds.Metrics {
		s := &a.cur.ds.Metrics[i]
		base := healthy[seriesKey(s)]
		if sh, ok := shiftOf(s, base, restless[classify(s.Name)]); ok {
			out = append(out, sh)
		}
	}
	slices.SortFunc(out, func(x, y metricShift) int {
		if x.strength != y.strength {
			return int(math.Copysign(1, y.strength-x.strength))
		}
		if x.deviation != y.deviation {
			return int(math.Copysign(1, y.deviation-x.deviation))
		}
		if c := strings.Compare(x.service, y.service); c != 0 {
			return c
		}
		return strings.Compare(x.label, y.label)
	})
	return out
}

// fewHealthy is how many healthy values a series needs before it can be said to have moved.
const fewHealthy = 4

// outlier and extreme are the deviations between which a shift grows from nothing to full
// strength: 3.5 is Iglewicz and Hoaglin's bound.
const (
	outlier = 3.5
	extreme = 12
)

// restlessness is how far series of each class move by themselves: the deviation that only
// one in fifty exceeds when the later half of the healthy window is judged by the earlier. A
// system whose healthy series jump needs larger jumps to be called ill.
func restlessness(ds *telemetry.Dataset) map[metricClass]float64 {
	moved := map[metricClass][]float64{}
	for i := range ds.Metrics {
		s := &ds.Metrics[i]
		vals := values(s)
		if len(vals) < 2*fewHealthy {
			continue
		}
		early := make([]float64, 0, len(vals))
		late := *s
		late.Kind, late.Points = telemetry.Gauge, nil
		for j, v := range vals {
			if j < len(vals)/2 {
				early = append(early, v.v)
			} else {
				late.Points = append(late.Points, telemetry.Point{Time: v.t, Value: v.v})
			}
		}
		class := classify(s.Name)
		sh, _ := shiftOf(&late, early, 0)
		moved[class] = append(moved[class], sh.deviation)
	}
	out := map[metricClass]float64{}
	for c, v := range moved {
		if len(v) >= enough {
			out[c] = quantile(sorted(v), 0.98)
		}
	}
	return out
}

// shiftOf compares one series with its healthy values. restless is how far such series move
// by themselves.
func shiftOf(s *telemetry.Series, base []float64, restless float64) (metricShift, bool) {
	vals := values(s)
	if len(base) < fewHealthy || len(vals) == 0 {
		return metricShift{}, false
	}
	v := make([]float64, len(vals))
	for i := range vals {
		v[i] = vals[i].v
	}
	at := 0
	post := v
	if k := levelShift(v); k > 0 {
		// Whichever side of the break is further from healthy is the incident's, if it is the later one.
		if math.Abs(median(v[k:])-median(base)) > math.Abs(median(v[:k])-median(base)) {
			at, post = k, v[k:]
		}
	}
	mb, mc := median(base), median(post)
	sb := sorted(base)
	// A series that hardly moves when healthy must still move by a tenth to count.
	scale := max(mad(base), (quantile(sb, 0.95)-quantile(sb, 0.05))/3.3, 0.1*math.Abs(mb), 1e-9)
	if mb == 0 && scale == 1e-9 {
		scale = max(sb[len(sb)-1], 0.05*math.Abs(mc), 1e-9)
	}
	dev := math.Abs(mc-mb) / scale
	delta := math.Abs(cliff(post, base))
	floor := max(outlier, 1.3*restless)
	strength := ramp(dev, floor, floor*extreme/outlier) * ramp(delta, 0.6, 0.95) * saturation(s, mc, mb)
	if len(post) == 1 {
		strength *= 0.6
	}
	if strength <= 0 {
		return metricShift{deviation: dev * ramp(delta, 0.6, 0.95)}, false
	}
	label := s.Name
	for _, x := range s.Attrs {
		label += " " + x.Key + "=" + x.Value
	}
	return metricShift{service: s.Resource.Service, name: s.Name, label: label, class: classify(s.Name), strength: strength,
		deviation: dev, cur: mc, base: mb, at: vals[at].t, unit: s.Unit}, true
}

// saturation weakens shifts of a share of a limit that stays far below it: a pod that goes from
// one to two hundredths of its CPU is busier, not short of it (Gregg, The USE Method: what
// counts of a resource is saturation).
func saturation(s *telemetry.Series, cur, base float64) float64 {
	if classify(s.Name) != classResource {
		return 1
	}
	words := nameWords(s.Name)
	share := slices.Contains(words, "utilization") || slices.Contains(words, "ratio") || slices.Contains(words, "pct") || slices.Contains(words, "percent")
	switch {
	case slices.Contains(words, "hit"): // the lower the worse
		return 1
	case share && cur <= 1.5:
		return ramp(max(cur, base), 0.3, 0.8)
	case share:
		return ramp(max(cur, base), 30, 80)
	case slices.Contains(words, "cpu"), slices.Contains(words, "network"), slices.Contains(words, "syscalls"), slices.Contains(words, "io"), slices.Contains(words, "retransmits"):
		return 0.3 // without a limit to hold them against they follow the load
	case slices.Contains(words, "memory"), slices.Contains(words, "mem"), slices.Contains(words, "heap"):
		return 0.5
	}
	return 1
}

// findMetrics weighs the shifts. A resource that left its range is near its cause; latency and
// errors of a service are also moved by what it calls.
func (a *analysis) findMetrics() {
	weights := map[metricClass]float64{classResource: weightResource, classError: 1.2 * weightMetric, classLatency: 0.6 * weightMetric,
		classRefusal: 0.6 * weightMetric, classDemand: 0.3 * weightMetric, classOther: 0.6 * weightMetric}
	said := map[string]int{}
	traced, touched := a.tracedServices()
	for _, s := range a.shifts {
		key := fmt.Sprintf("%s/%d", s.service, s.class)
		if said[key]++; said[key] > 3 {
			continue
		}
		w := weights[s.class] * s.strength
		switch {
		case traced && !touched[s.service]:
			w *= 0.25 // no request that was traced went there
		case traced && (s.class == classLatency || s.class == classError):
			w *= 0.4 // its spans tell the same, and more exactly
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
	for i := range a.ev.Incident.Spans {
		touched[a.ev.Incident.Spans[i].Resource.Service] = true
	}
	return len(a.cur.traces) >= 2*enough && len(a.base.traces) >= enough, touched
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
