package sources

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

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
