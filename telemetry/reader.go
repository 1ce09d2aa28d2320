package telemetry

import (
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Options configure a Reader.
type Options struct {
	Limits Limits
	// KeepClocks leaves the clocks of processes as they are.
	KeepClocks bool
}

// Reader collects telemetry of one window and normalises it. It is not safe for
// concurrent use.
type Reader struct {
	opts      Options
	limits    Limits
	strings   *interner
	arena     attrArena
	resources map[string]*Resource
	spans     []Span
	logs      []Log
	series    map[string]*Series
	keys      []string // of series, in order of arrival
	points    int
	notes     noteCounts
}

// NewReader returns an empty Reader.
func NewReader(opts Options) *Reader {
	return &Reader{
		opts:      opts,
		limits:    opts.Limits.withDefaults(),
		strings:   newInterner(),
		resources: map[string]*Resource{},
		series:    map[string]*Series{},
		notes:     noteCounts{},
	}
}

// AddTraces takes over the spans of td, which is not kept.
func (r *Reader) AddTraces(td ptrace.Traces) {
	r.spans = slices.Grow(r.spans, min(td.SpanCount(), max(0, r.limits.Spans-len(r.spans))))
	for _, rs := range td.ResourceSpans().All() {
		res := r.resource(rs.Resource())
		for _, ss := range rs.ScopeSpans().All() {
			scope := r.strings.str(ss.Scope().Name())
			spans := ss.Spans()
			for i := range spans.Len() {
				r.addSpan(res, scope, spans.At(i))
			}
		}
	}
}

func (r *Reader) addSpan(res *Resource, scope string, in ptrace.Span) {
	if len(r.spans) >= r.limits.Spans {
		r.notes.add(NoteLimit, 1)
		return
	}
	trace, id := TraceID(in.TraceID()), SpanID(in.SpanID())
	if trace.IsZero() || id.IsZero() {
		r.notes.add(NoteNoID, 1)
		return
	}
	start, end := uint64(in.StartTimestamp()), uint64(in.EndTimestamp())
	if !plausible(start) || (end != 0 && !plausible(end)) {
		r.notes.add(NoteTimeOutOfRange, 1)
		return
	}
	d := time.Duration(end) - time.Duration(start) //nolint:gosec // both are in range
	if d < 0 {
		r.notes.add(NoteNegativeDuration, 1)
		d = 0
	}
	if d > maxDuration {
		r.notes.add(NoteTimeOutOfRange, 1)
		return
	}
	s := Span{
		Trace: trace, ID: id, Parent: SpanID(in.ParentSpanID()),
		Resource: res, Scope: scope,
		Name:     r.strings.str(r.cut(in.Name(), r.limits.Value)),
		Message:  r.strings.str(r.cut(in.Status().Message(), r.limits.Value)),
		Start:    int64(start), //nolint:gosec // in range
		Duration: d,
	}
	if k := in.Kind(); k >= ptrace.SpanKindInternal && k <= ptrace.SpanKindConsumer {
		s.Kind = Kind(k)
	}
	if c := in.Status().Code(); c == ptrace.StatusCodeOk || c == ptrace.StatusCodeError {
		s.Status = StatusCode(c)
	}
	s.Attrs = r.attrs(in.Attributes(), s.Kind.Incoming())
	if n := min(in.Events().Len(), r.limits.Events); n > 0 {
		s.Events = make([]Event, 0, n)
		for i := range n {
			s.Events = append(s.Events, r.event(in.Events().At(i)))
		}
		r.notes.add(NoteCut, in.Events().Len()-n)
	}
	if n := min(in.Links().Len(), r.limits.Events); n > 0 {
		s.Links = make([]Link, 0, n)
		for i := range n {
			l := in.Links().At(i)
			s.Links = append(s.Links, Link{Trace: TraceID(l.TraceID()), Span: SpanID(l.SpanID())})
		}
	}
	inferFromAttrs(&s)
	r.spans = append(r.spans, s)
}

// event converts a span event. OpenTracing wrote exceptions as events named or marked
// "error"; they become exceptions.
func (r *Reader) event(in ptrace.SpanEvent) Event {
	e := Event{Name: r.strings.str(r.cut(in.Name(), r.limits.Value)), Attrs: r.attrs(in.Attributes(), false)}
	if t := uint64(in.Timestamp()); plausible(t) {
		e.Time = int64(t) //nolint:gosec // in range
	}
	if e.Name != EventException {
		kind := e.Attrs.Get("event")
		if e.Attrs.First(AttrExceptionType, AttrExceptionStack) != "" || e.Name == "error" || kind == "error" {
			e.Name = EventException
			if _, ok := e.Attrs.Lookup(AttrExceptionMsg); !ok {
				if m := e.Attrs.First("message", "error.message"); m != "" {
					e.Attrs = sortAttrs(append(slices.Clip(e.Attrs), Attr{AttrExceptionMsg, m}))
				}
			}
		}
	}
	return e
}

// AddLogs takes over the records of ld, which is not kept.
func (r *Reader) AddLogs(ld plog.Logs) {
	for _, rl := range ld.ResourceLogs().All() {
		res := r.resource(rl.Resource())
		for _, sl := range rl.ScopeLogs().All() {
			scope := r.strings.str(sl.Scope().Name())
			for _, in := range sl.LogRecords().All() {
				r.addLog(res, scope, in)
			}
		}
	}
}

func (r *Reader) addLog(res *Resource, scope string, in plog.LogRecord) {
	if len(r.logs) >= r.limits.Logs {
		r.notes.add(NoteLimit, 1)
		return
	}
	t := uint64(in.Timestamp())
	if t == 0 {
		t = uint64(in.ObservedTimestamp())
	}
	if !plausible(t) {
		r.notes.add(NoteTimeOutOfRange, 1)
		return
	}
	l := Log{
		Time:     int64(t), //nolint:gosec // in range
		Resource: res, Scope: scope,
		Severity: severity(in),
		Trace:    TraceID(in.TraceID()), Span: SpanID(in.SpanID()),
		Attrs: r.attrs(in.Attributes(), false),
	}
	if b := in.Body(); b.Type() == pcommon.ValueTypeMap {
		l.Body = r.cut(bodyText(b.Map()), r.limits.Value)
	} else {
		l.Body = r.text("", b)
	}
	l.Body = r.strings.str(l.Body)
	r.logs = append(r.logs, l)
}

// bodyText is the message of a structured body, or the whole body.
func bodyText(m pcommon.Map) string {
	for _, k := range [...]string{"message", "msg", "log", "event"} {
		if v, ok := m.Get(k); ok && v.Type() == pcommon.ValueTypeStr {
			return v.Str()
		}
	}
	v := pcommon.NewValueMap()
	m.CopyTo(v.Map())
	return v.AsString()
}

// severity is the record's number, else concluded from its text.
func severity(in plog.LogRecord) int {
	if n := int(in.SeverityNumber()); n > 0 && n <= 24 {
		return n
	}
	switch strings.ToUpper(strings.TrimSpace(in.SeverityText())) {
	case "TRACE", "FINEST":
		return 1
	case "DEBUG", "FINE":
		return 5
	case "INFO", "INFORMATION", "NOTICE":
		return 9
	case "WARN", "WARNING":
		return 13
	case "ERROR", "ERR", "SEVERE":
		return 17
	case "FATAL", "CRITICAL", "CRIT", "PANIC", "ALERT", "EMERG", "EMERGENCY":
		return 21
	}
	return 0
}

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
	pt := Point{Time: int64(at), Value: v, Cumulative: cumulative} //nolint:gosec // in range
	if plausible(uint64(start)) {
		pt.Start = int64(start) //nolint:gosec // in range
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

// attrs converts, renames, bounds and sorts attributes.
func (r *Reader) attrs(in pcommon.Map, incoming bool) Attrs {
	n := in.Len()
	if n == 0 {
		return nil
	}
	out := r.arena.room(min(n, r.limits.Attributes) + 2)
	renamed := false
	add := func(k, v string, old bool) {
		if old {
			// A value under the current name wins over one under an older name.
			renamed = true
			k += "\x00"
		}
		out = append(out, Attr{k, v})
	}
	count := 0
	for k, v := range in.All() {
		if count++; count > r.limits.Attributes {
			r.notes.add(NoteCut, n-r.limits.Attributes)
			break
		}
		switch k {
		case "http.target": // path and query in one
			path, query, ok := strings.Cut(r.text(k, v), "?")
			add(AttrURLPath, r.strings.str(path), true)
			if ok {
				add(AttrURLQuery, query, true)
			}
			continue
		case "":
			continue
		}
		to := rename(k, incoming)
		if to == k {
			add(r.strings.str(r.cut(k, 256)), r.value(to, v), false)
			continue
		}
		add(to, r.value(to, v), true)
	}
	out = sortAttrs(out)
	if renamed {
		out = dropShadowed(out)
	}
	return r.arena.keep(out)
}

// dropShadowed removes the marks of renamed keys, and the renamed attributes whose current
// name is present as well. The mark sorts directly behind the plain key.
func dropShadowed(in Attrs) Attrs {
	out := in[:0]
	for _, a := range in {
		k := strings.TrimSuffix(a.Key, "\x00")
		if len(out) > 0 && out[len(out)-1].Key == k {
			continue
		}
		out = append(out, Attr{k, a.Value})
	}
	return out
}

// value is the text of a value, with codes written as their names.
func (r *Reader) value(key string, v pcommon.Value) string {
	if key == AttrRPCStatus {
		s := v.AsString()
		if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < len(grpcCodes) {
			return grpcCodes[n]
		}
		return r.strings.str(r.cut(strings.ToUpper(s), 64))
	}
	return r.text(key, v)
}

// text is the text of a value, bounded.
func (r *Reader) text(key string, v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		limit := r.limits.Value
		if key == AttrExceptionStack || key == AttrCodeStack || key == AttrDBQuery {
			limit = r.limits.Stack
		}
		return r.strings.str(r.cut(v.Str(), limit))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return "true"
		}
		return "false"
	case pcommon.ValueTypeInt:
		return r.strings.str(strconv.FormatInt(v.Int(), 10))
	case pcommon.ValueTypeDouble:
		return number(v.Double())
	case pcommon.ValueTypeBytes:
		return r.cut(base64.StdEncoding.EncodeToString(v.Bytes().AsRaw()), r.limits.Value)
	case pcommon.ValueTypeEmpty:
		return ""
	}
	return r.cut(v.AsString(), r.limits.Value)
}

func (r *Reader) cut(s string, n int) string {
	out, was := cut(s, n)
	if was {
		r.notes.add(NoteCut, 1)
	}
	return out
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
