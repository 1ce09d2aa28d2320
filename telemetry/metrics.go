package telemetry

import (
	"math"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// AddMetrics takes over the points of md, which is not kept.
func (r *Reader) AddMetrics(md pmetric.Metrics) {
	for _, rm := range md.ResourceMetrics().All() {
		res := r.resource(rm.Resource())
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				r.addMetric(res, m)
			}
		}
	}
}

func (r *Reader) addMetric(res *Resource, m pmetric.Metric) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		r.addNumbers(res, m, Gauge, false, m.Gauge().DataPoints())
	case pmetric.MetricTypeSum:
		cumulative := m.Sum().AggregationTemporality() == pmetric.AggregationTemporalityCumulative
		if cumulative && !m.Sum().IsMonotonic() {
			// An up-down counter's running total is a level: connections in use, requests pending.
			r.addNumbers(res, m, Gauge, false, m.Sum().DataPoints())
			return
		}
		r.addNumbers(res, m, Sum, cumulative, m.Sum().DataPoints())
	case pmetric.MetricTypeHistogram:
		cumulative := m.Histogram().AggregationTemporality() == pmetric.AggregationTemporalityCumulative
		for _, p := range m.Histogram().DataPoints().All() {
			if pt, ok := r.point(p.StartTimestamp(), p.Timestamp(), p.Sum(), cumulative); ok {
				pt.Count = p.Count()
				pt.Bounds, pt.Buckets = p.ExplicitBounds().AsRaw(), p.BucketCounts().AsRaw()
				if len(pt.Buckets) != len(pt.Bounds)+1 {
					pt.Bounds, pt.Buckets = nil, nil
				}
				r.addPoint(res, m, Histogram, r.attrs(p.Attributes(), false), pt)
			}
		}
	case pmetric.MetricTypeExponentialHistogram:
		cumulative := m.ExponentialHistogram().AggregationTemporality() == pmetric.AggregationTemporalityCumulative
		for _, p := range m.ExponentialHistogram().DataPoints().All() {
			if pt, ok := r.point(p.StartTimestamp(), p.Timestamp(), p.Sum(), cumulative); ok {
				pt.Count = p.Count()
				pt.Bounds, pt.Buckets = explicitBuckets(p)
				r.addPoint(res, m, Histogram, r.attrs(p.Attributes(), false), pt)
			}
		}
	case pmetric.MetricTypeSummary:
		for _, p := range m.Summary().DataPoints().All() {
			attrs := r.attrs(p.Attributes(), false)
			for _, q := range p.QuantileValues().All() {
				if pt, ok := r.point(p.StartTimestamp(), p.Timestamp(), q.Value(), false); ok {
					with := sortAttrs(append(slices.Clip(attrs), Attr{"quantile", number(q.Quantile())}))
					r.addPoint(res, m, Gauge, with, pt)
				}
			}
		}
	}
}

// explicitBuckets writes the positive buckets of an exponential histogram with explicit
// bounds: bucket i covers (base^(offset+i), base^(offset+i+1)], base = 2^(2^-scale).
func explicitBuckets(p pmetric.ExponentialHistogramDataPoint) ([]float64, []uint64) {
	counts := p.Positive().BucketCounts().AsRaw()
	if len(counts) == 0 || len(counts) > 512 {
		return nil, nil
	}
	base := math.Exp2(math.Exp2(-float64(p.Scale())))
	bounds := make([]float64, 0, len(counts)+1)
	buckets := make([]uint64, 0, len(counts)+2)
	bounds = append(bounds, math.Pow(base, float64(p.Positive().Offset())))
	buckets = append(buckets, p.ZeroCount())
	for i, c := range counts {
		bounds = append(bounds, math.Pow(base, float64(p.Positive().Offset())+float64(i)+1))
		buckets = append(buckets, c)
	}
	return bounds, append(buckets, 0)
}

func (r *Reader) addNumbers(res *Resource, m pmetric.Metric, kind MetricKind, cumulative bool, points pmetric.NumberDataPointSlice) {
	for _, p := range points.All() {
		v := p.DoubleValue()
		if p.ValueType() == pmetric.NumberDataPointValueTypeInt {
			v = float64(p.IntValue())
		}
		if pt, ok := r.point(p.StartTimestamp(), p.Timestamp(), v, cumulative); ok {
			r.addPoint(res, m, kind, r.attrs(p.Attributes(), false), pt)
		}
	}
}

// point checks time and value of an observation.
func (r *Reader) point(start, at pcommon.Timestamp, v float64, cumulative bool) (Point, bool) {
	if !plausible(uint64(at)) {
		r.notes.add(NoteTimeOutOfRange, 1)
		return Point{}, false
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Point{}, false
	}
	pt := Point{Time: int64(at), Value: v, Cumulative: cumulative} // in range
	if plausible(uint64(start)) {
		pt.Start = int64(start) // in range
	}
	return pt, true
}

func (r *Reader) addPoint(res *Resource, m pmetric.Metric, kind MetricKind, attrs Attrs, pt Point) {
	if r.points >= r.limits.Points {
		r.notes.add(NoteLimit, 1)
		return
	}
	r.points++
	var b strings.Builder
	b.WriteString(m.Name())
	b.WriteByte(0)
	b.WriteString(m.Unit())
	for _, a := range attrs {
		b.WriteByte(0)
		b.WriteString(a.Key)
		b.WriteByte(0)
		b.WriteString(a.Value)
	}
	b.WriteByte(0)
	b.WriteString(res.Service)
	b.WriteByte(0)
	b.WriteString(res.Instance)
	key := b.String()
	s := r.series[key]
	if s == nil {
		s = &Series{
			Name: r.strings.str(r.cut(m.Name(), r.limits.Value)), Description: r.strings.str(r.cut(m.Description(), r.limits.Value)),
			Unit: r.strings.str(m.Unit()), Kind: kind, Resource: res, Attrs: attrs,
		}
		r.series[key] = s
		r.keys = append(r.keys, key)
	}
	s.Points = append(s.Points, pt)
}
