package otlp

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// metricExport is an export of metric points.
type metricExport struct{ pmetric.Metrics }

func (m *metricExport) items() int { return m.DataPointCount() }

func (m *metricExport) sift(b bounds) (s sifted) {
	for _, rm := range m.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				removePoints(metric, func(at pcommon.Timestamp) bool {
					if !b.holds(at) {
						s.rejected++
						return true
					}
					s.see(uint64(at), uint64(at))
					return false
				})
			}
		}
	}
	s.amended = s.rejected > 0
	return s
}

// removePoints removes the points of a metric for which drop, given their time, is true.
func removePoints(m pmetric.Metric, drop func(pcommon.Timestamp) bool) {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		m.Gauge().DataPoints().RemoveIf(func(p pmetric.NumberDataPoint) bool { return drop(p.Timestamp()) })
	case pmetric.MetricTypeSum:
		m.Sum().DataPoints().RemoveIf(func(p pmetric.NumberDataPoint) bool { return drop(p.Timestamp()) })
	case pmetric.MetricTypeHistogram:
		m.Histogram().DataPoints().RemoveIf(func(p pmetric.HistogramDataPoint) bool { return drop(p.Timestamp()) })
	case pmetric.MetricTypeExponentialHistogram:
		m.ExponentialHistogram().DataPoints().RemoveIf(func(p pmetric.ExponentialHistogramDataPoint) bool { return drop(p.Timestamp()) })
	case pmetric.MetricTypeSummary:
		m.Summary().DataPoints().RemoveIf(func(p pmetric.SummaryDataPoint) bool { return drop(p.Timestamp()) })
	case pmetric.MetricTypeEmpty:
	}
}

// points is how many points a metric has.
func points(m pmetric.Metric) int {
	switch m.Type() {
	case pmetric.MetricTypeGauge:
		return m.Gauge().DataPoints().Len()
	case pmetric.MetricTypeSum:
		return m.Sum().DataPoints().Len()
	case pmetric.MetricTypeHistogram:
		return m.Histogram().DataPoints().Len()
	case pmetric.MetricTypeExponentialHistogram:
		return m.ExponentialHistogram().DataPoints().Len()
	case pmetric.MetricTypeSummary:
		return m.Summary().DataPoints().Len()
	case pmetric.MetricTypeEmpty:
	}
	return 0
}

func (m *metricExport) proto() ([]byte, error) {
	return pmetricotlp.NewExportRequestFromMetrics(m.Metrics).MarshalProto()
}

func (m *metricExport) size() int {
	var p pmetric.ProtoMarshaler
	return p.MetricsSize(m.Metrics)
}

func (m *metricExport) fixed() int {
	if m.ResourceMetrics().Len() != 1 {
		return 0
	}
	bare := &metricExport{pmetric.NewMetrics()}
	from, to := m.ResourceMetrics().At(0), bare.ResourceMetrics().AppendEmpty()
	from.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(from.SchemaUrl())
	if from.ScopeMetrics().Len() == 1 {
		one, other := from.ScopeMetrics().At(0), to.ScopeMetrics().AppendEmpty()
		copyScopeMetrics(one, other)
		if one.Metrics().Len() == 1 {
			copyMetric(one.Metrics().At(0), other.Metrics().AppendEmpty(), func() bool { return true })
		}
	}
	return bare.size()
}

func (m *metricExport) halve() (export, bool) {
	half := pmetric.NewMetrics()
	all := m.ResourceMetrics()
	if n := all.Len(); n > 1 {
		second := secondHalf(n)
		all.RemoveIf(func(rm pmetric.ResourceMetrics) bool {
			if !second() {
				return false
			}
			rm.MoveTo(half.ResourceMetrics().AppendEmpty())
			return true
		})
		return &metricExport{half}, true
	}
	if all.Len() == 0 {
		return nil, false
	}
	from, to := all.At(0), half.ResourceMetrics().AppendEmpty()
	from.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(from.SchemaUrl())
	if n := from.ScopeMetrics().Len(); n > 1 {
		second := secondHalf(n)
		from.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
			if !second() {
				return false
			}
			sm.MoveTo(to.ScopeMetrics().AppendEmpty())
			return true
		})
		return &metricExport{half}, true
	}
	if from.ScopeMetrics().Len() == 0 {
		return nil, false
	}
	one, other := from.ScopeMetrics().At(0), to.ScopeMetrics().AppendEmpty()
	copyScopeMetrics(one, other)
	if n := one.Metrics().Len(); n > 1 {
		second := secondHalf(n)
		one.Metrics().RemoveIf(func(metric pmetric.Metric) bool {
			if !second() {
				return false
			}
			metric.MoveTo(other.Metrics().AppendEmpty())
			return true
		})
		return &metricExport{half}, true
	}
	if one.Metrics().Len() == 0 {
		return nil, false
	}
	metric := one.Metrics().At(0)
	n := points(metric)
	if n < 2 {
		return nil, false
	}
	first := secondHalf(n)
	copyMetric(metric, other.Metrics().AppendEmpty(), func() bool { return !first() })
	second := secondHalf(n)
	removePoints(metric, func(pcommon.Timestamp) bool { return second() })
	return &metricExport{half}, true
}

// copyScopeMetrics copies all but the metrics.
func copyScopeMetrics(from, to pmetric.ScopeMetrics) {
	from.Scope().CopyTo(to.Scope())
	to.SetSchemaUrl(from.SchemaUrl())
}

// copyMetric copies a metric without the points for which drop is true.
func copyMetric(from, to pmetric.Metric, drop func() bool) {
	from.CopyTo(to)
	removePoints(to, func(pcommon.Timestamp) bool { return drop() })
}

func (m *metricExport) answer(asJSON bool, rejected int, why string) ([]byte, error) {
	r := pmetricotlp.NewExportResponse()
	if rejected > 0 {
		r.PartialSuccess().SetRejectedDataPoints(int64(rejected))
		r.PartialSuccess().SetErrorMessage(why)
	}
	if asJSON {
		return r.MarshalJSON()
	}
	return r.MarshalProto()
}
