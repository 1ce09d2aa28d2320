package otlp

import (
	"context"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// settle waits, for at most so long after end, until every service that was heard of shortly before end has sent a span of
// a later time: then what it had to say until end has most likely arrived too, since exporters send in
// order. It returns how many services had not when the wait was over.
func (w *Window) settle(ctx context.Context, end time.Time, wait time.Duration) (int, error) {
	until := end.Add(wait)
	pause := min(max(wait/10, 100*time.Millisecond), 2*time.Second)
	for {
		if wait <= 0 || !w.o.Now().Before(until) {
			return 0, nil
		}
		behind, err := w.behind(ctx, end)
		if err != nil || behind == 0 {
			return 0, err
		}
		left := until.Sub(w.o.Now())
		select {
		case <-w.o.After(min(pause, max(left, time.Millisecond))):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if !w.o.Now().Before(until) {
			return w.behind(ctx, end)
		}
	}
}

// behind counts the services that sent spans that ended shortly before a time and none that ended after it.
// It is 1 when nobody sent anything.
func (w *Window) behind(ctx context.Context, end time.Time) (int, error) {
	last := map[string]uint64{}
	from := end.Add(-tail)
	err := w.each(ctx, telemetry.Traces, from, end.Add(ahead), func(e export) error {
		if t, ok := e.(*traceExport); ok {
			for _, rs := range t.ResourceSpans().All() {
				service := text(rs.Resource().Attributes(), "service.name")
				for _, ss := range rs.ScopeSpans().All() {
					for _, span := range ss.Spans().All() {
						if at := uint64(span.EndTimestamp()); at >= nanos(from) {
							last[service] = max(last[service], at)
						}
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	behind := 0
	for _, at := range last {
		if at <= nanos(end) {
			behind++
		}
	}
	if len(last) == 0 {
		return 1, nil
	}
	return behind, nil
}
