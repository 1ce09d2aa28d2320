package localize

import (
	"math"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// metricShift is a series that left its healthy range.
type metricShift struct {
	service, name, label string
	class                metricClass
	strength             float64 // 0..1
	deviation            float64 // in healthy standard deviations
	cur, base            float64 // medians
	at                   int64   // when it moved
	unit                 string
	share                float64 // of its limit, 0 where the series says none
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
	restless := restlessness(a.base.ds, a.k)
	var out []metricShift
	for i := range a.cur.ds.Metrics {
		s := &a.cur.ds.Metrics[i]
		base := healthy[seriesKey(s)]
		if isEventCount(s) {
			continue // see restarts.go
		}
		if sh, ok := shiftOf(s, base, restless[classify(s.Name)], &a.k.metrics); ok {
			sh.service = a.ownerOf(s)
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

// restlessness is how far series of each class move by themselves: the deviation that only
// one in fifty exceeds when the later half of the healthy window is judged by the earlier. A
// system whose healthy series jump needs larger jumps to be called ill.
func restlessness(ds *telemetry.Dataset, k *constants) map[metricClass]float64 {
	moved := map[metricClass][]float64{}
	for i := range ds.Metrics {
		s := &ds.Metrics[i]
		vals := values(s)
		if float64(len(vals)) < 2*k.metrics.fewHealthy {
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
		sh, _ := shiftOf(&late, early, 0, &k.metrics)
		moved[class] = append(moved[class], sh.deviation)
	}
	out := map[metricClass]float64{}
	for c, v := range moved {
		if float64(len(v)) >= k.window.enough {
			out[c] = quantile(sorted(v), 1-k.metrics.restlessTail)
		}
	}
	return out
}

// shiftOf compares one series with its healthy values. restless is how far such series move
// by themselves.
func shiftOf(s *telemetry.Series, base []float64, restless float64, k *metricConstants) (metricShift, bool) {
	vals := values(s)
	if float64(len(base)) < k.fewHealthy || len(vals) == 0 {
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
	scale := max(mad(base), (quantile(sb, 0.95)-quantile(sb, 0.05))/3.3, k.spread*math.Abs(mb), 1e-9)
	if mb == 0 && scale == 1e-9 {
		scale = max(sb[len(sb)-1], 0.05*math.Abs(mc), 1e-9)
	}
	dev := math.Abs(mc-mb) / scale
	delta := math.Abs(cliff(post, base))
	floor := max(k.outlier, k.restless*restless)
	strength := ramp(dev, floor, floor*k.extreme/k.outlier) * k.delta.of(delta) * saturation(s, mc, mb, k)
	if len(post) == 1 {
		strength *= k.single
	}
	if strength <= 0 {
		return metricShift{deviation: dev * k.delta.of(delta)}, false
	}
	label := s.Name
	for _, x := range s.Attrs {
		if slices.Contains(instanceLabels, x.Key) {
			continue
		}
		label += " " + x.Key + "=" + x.Value
	}
	return metricShift{service: s.Resource.Service, name: s.Name, label: label, class: classify(s.Name), strength: strength,
		deviation: dev, cur: mc, base: mb, at: vals[at].t, unit: s.Unit, share: shareOf(s, mc)}, true
}

// saturation weakens shifts of a share of a limit that stays far below it: a pod that goes from
// one to two hundredths of its CPU is busier, not short of it (Gregg, The USE Method: what
// counts of a resource is saturation).
func saturation(s *telemetry.Series, cur, base float64, k *metricConstants) float64 {
	if classify(s.Name) != classResource {
		return 1
	}
	words := nameWords(s.Name)
	share := isShare(words)
	switch {
	case slices.Contains(words, "hit"): // the lower the worse
		return 1
	case share && cur <= 1.5:
		return k.share.of(max(cur, base))
	case share:
		return k.percent.of(max(cur, base))
	case slices.Contains(words, "cpu"), slices.Contains(words, "network"), slices.Contains(words, "syscalls"), slices.Contains(words, "io"), slices.Contains(words, "retransmits"):
		return k.unlimited // without a limit to hold them against they follow the load
	case slices.Contains(words, "memory"), slices.Contains(words, "mem"), slices.Contains(words, "heap"):
		return k.memory
	}
	return 1
}

// isShare says that a series is a share of a limit, by the words of its name.
func isShare(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		return w == "utilization" || w == "ratio" || w == "pct" || w == "percent"
	})
}

// shareOf is which share of its limit a resource is at, 0..1 and beyond, 0 where the series does not say it.
func shareOf(s *telemetry.Series, v float64) float64 {
	words := nameWords(s.Name)
	switch {
	case classify(s.Name) != classResource || !isShare(words) || slices.Contains(words, "hit"):
		return 0
	case v > 1.5: // in percent
		return v / 100
	}
	return v
}
