package otlp

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// fill reads what a plan wants.
func (w *Window) fill(ctx context.Context, s *survey, p *plan, sink Sink) (localize.Evidence, error) {
	s.fit(p, w.o.Limits.Spans)
	readers := map[string]*telemetry.Reader{}
	seen := map[string]bool{} // window/signal
	for _, name := range []string{incidentWindow, baselineWindow} {
		readers[name] = telemetry.NewReader(telemetry.Options{Limits: w.o.Limits})
	}
	from, to := p.healthy.Add(-tail), p.to.Add(tail)
	for _, signal := range []telemetry.Signal{telemetry.Traces, telemetry.Logs, telemetry.Metrics} {
		err := w.each(ctx, signal, from, to, func(e export) error {
			for _, name := range []string{incidentWindow, baselineWindow} {
				part := s.part(e, p, name)
				if part == nil {
					continue
				}
				seen[name+"/"+string(signal)] = true
				if sink != nil {
					if err := part.into(sink, name); err != nil {
						return err
					}
				}
				part.add(readers[name])
			}
			return nil
		})
		if err != nil {
			return localize.Evidence{}, err
		}
	}
	ev := localize.Evidence{Incident: readers[incidentWindow].Dataset(), Baseline: readers[baselineWindow].Dataset()}
	for _, name := range []string{incidentWindow, baselineWindow} {
		for _, signal := range []telemetry.Signal{telemetry.Traces, telemetry.Logs, telemetry.Metrics} {
			if part := name + "/" + string(signal); !seen[part] {
				ev.Missing = append(ev.Missing, part)
			}
		}
	}
	return ev, nil
}

// fit raises the share of traces that are left out until both windows hold at most limit spans. The share is
// the same for both, since one is compared with the other.
func (s *survey) fit(p *plan, limit int) {
	for {
		count := map[string]int{}
		for _, j := range s.journeys {
			count[p.side(j)] += j.spans
		}
		if max(count[incidentWindow], count[baselineWindow]) <= limit {
			p.keepOneIn = s.oneIn
			return
		}
		s.thin()
	}
}

// drawn is what one payload adds to a window.
type drawn interface {
	into(sink Sink, window string) error
	add(r *telemetry.Reader)
}

type drawnTraces struct{ ptrace.Traces }

func (d drawnTraces) into(s Sink, window string) error { return s.Traces(window, d.Traces) }
func (d drawnTraces) add(r *telemetry.Reader)          { r.AddTraces(d.Traces) }

type drawnLogs struct{ plog.Logs }

func (d drawnLogs) into(s Sink, window string) error { return s.Logs(window, d.Logs) }
func (d drawnLogs) add(r *telemetry.Reader)          { r.AddLogs(d.Logs) }

type drawnMetrics struct{ pmetric.Metrics }

func (d drawnMetrics) into(s Sink, window string) error { return s.Metrics(window, d.Metrics) }
func (d drawnMetrics) add(r *telemetry.Reader)          { r.AddMetrics(d.Metrics) }

// part is what of an export belongs to a window; nil when nothing does. The export is left as it is.
func (s *survey) part(e export, p *plan, window string) drawn {
	switch e := e.(type) {
	case *traceExport:
		switch mine, others := s.count(e, p, window); {
		case mine == 0:
			return nil
		case others == 0:
			return drawnTraces{e.Traces} // as nearly every payload is
		}
		td := ptrace.NewTraces()
		for _, rs := range e.ResourceSpans().All() {
			var into ptrace.ResourceSpans
			fresh := true
			for _, ss := range rs.ScopeSpans().All() {
				var spans ptrace.SpanSlice
				first := true
				for _, span := range ss.Spans().All() {
					if j := s.journeys[span.TraceID()]; j == nil || p.side(j) != window {
						continue
					}
					if fresh {
						into, fresh = td.ResourceSpans().AppendEmpty(), false
						rs.Resource().CopyTo(into.Resource())
						into.SetSchemaUrl(rs.SchemaUrl())
					}
					if first {
						scope := into.ScopeSpans().AppendEmpty()
						copyScopeSpans(ss, scope)
						spans, first = scope.Spans(), false
					}
					span.CopyTo(spans.AppendEmpty())
				}
			}
		}
		return drawnTraces{td}
	case *logExport:
		ld := plog.NewLogs()
		e.CopyTo(ld)
		ld.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
			rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
				sl.LogRecords().RemoveIf(func(r plog.LogRecord) bool { return s.home(r, p) != window })
				return sl.LogRecords().Len() == 0
			})
			return rl.ScopeLogs().Len() == 0
		})
		if ld.ResourceLogs().Len() == 0 {
			return nil
		}
		return drawnLogs{ld}
	case *metricExport:
		md := pmetric.NewMetrics()
		e.CopyTo(md)
		md.ResourceMetrics().RemoveIf(func(rm pmetric.ResourceMetrics) bool {
			rm.ScopeMetrics().RemoveIf(func(sm pmetric.ScopeMetrics) bool {
				sm.Metrics().RemoveIf(func(m pmetric.Metric) bool {
					removePoints(m, func(at pcommon.Timestamp) bool { return p.moment(int64(at)) != window }) // checked when it came
					return points(m) == 0
				})
				return sm.Metrics().Len() == 0
			})
			return rm.ScopeMetrics().Len() == 0
		})
		if md.ResourceMetrics().Len() == 0 {
			return nil
		}
		return drawnMetrics{md}
	}
	return nil
}

// count is how many spans belong to a window, and how many do not.
func (s *survey) count(e *traceExport, p *plan, window string) (mine, others int) {
	for _, rs := range e.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				if j := s.journeys[span.TraceID()]; j != nil && p.side(j) == window {
					mine++
				} else {
					others++
				}
			}
		}
	}
	return mine, others
}

// home is the window of a record: that of its trace, else that of its time.
func (s *survey) home(r plog.LogRecord, p *plan) string {
	at := r.Timestamp()
	if at == 0 {
		at = r.ObservedTimestamp()
	}
	if j := s.journeys[r.TraceID()]; j != nil && !r.TraceID().IsEmpty() {
		// Not further than a trace is followed: whoever writes the id of a trace hours later means another time.
		if d := time.Duration(int64(at) - j.end); d < tail { // checked when it came
			return p.side(j)
		}
	}
	return p.moment(int64(at)) // checked when it came
}
