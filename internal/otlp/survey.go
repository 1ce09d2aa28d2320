package otlp

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/telemetry"
)

const (
	// tail is how long before and after the times in question traces are followed to where they begin and end.
	tail = time.Minute
	// maxOperations bounds the operations that are told apart when slow traces are looked for.
	maxOperations = 10_000
)

// journey is what a survey keeps of one trace.
type journey struct {
	start, end int64 // Unix nanoseconds, of its first and last span
	spans      int
	failed     bool
	operation  int32 // of its entry: the longest span that has no parent, else its first
	entry      int64 // duration of the entry
	root       bool  // the entry has no parent
}

// survey is a first look at the traces of a time: no attributes, only where they begin, end, and how they fared.
type survey struct {
	from, to   time.Time
	journeys   map[pcommon.TraceID]*journey
	operations map[string]int32
	oneIn      uint64    // of so many traces one is looked at
	logs       []outcome // of log records, when there are too few traces to tell
	thinned    int       // spans left out
}

// outcome is an event and whether it was a bad one.
type outcome struct {
	at  int64
	bad bool
}

// survey looks at the traces between two times.
func (w *Window) survey(ctx context.Context, from, to time.Time) (*survey, error) {
	s := &survey{from: from, to: to, journeys: map[pcommon.TraceID]*journey{}, operations: map[string]int32{}, oneIn: 1}
	err := w.each(ctx, telemetry.Traces, from.Add(-tail), to.Add(tail), func(e export) error {
		if t, ok := e.(*traceExport); ok {
			for _, rs := range t.ResourceSpans().All() {
				service := text(rs.Resource().Attributes(), "service.name")
				for _, ss := range rs.ScopeSpans().All() {
					for _, span := range ss.Spans().All() {
						s.see(service, span)
					}
				}
			}
		}
		for len(s.journeys) > w.o.MaxTraces {
			s.thin()
		}
		return nil
	})
	if err != nil || len(s.journeys) >= enough {
		return s, err
	}
	err = w.each(ctx, telemetry.Logs, from, to, func(e export) error {
		if l, ok := e.(*logExport); ok {
			for _, rl := range l.ResourceLogs().All() {
				for _, sl := range rl.ScopeLogs().All() {
					for _, r := range sl.LogRecords().All() {
						at := r.Timestamp()
						if at == 0 {
							at = r.ObservedTimestamp()
						}
						if len(s.logs) < w.o.MaxTraces {
							s.logs = append(s.logs, outcome{int64(at), r.SeverityNumber() >= 17}) // checked when it came
						}
					}
				}
			}
		}
		return nil
	})
	return s, err
}

func text(attrs pcommon.Map, key string) string {
	v, ok := attrs.Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}

// see adds one span.
func (s *survey) see(service string, span ptrace.Span) {
	id := span.TraceID()
	if id.IsEmpty() || !s.looksAt(id) {
		return
	}
	start, end := int64(span.StartTimestamp()), int64(span.EndTimestamp()) // checked when it came
	end = max(start, end)
	j := s.journeys[id]
	if j == nil {
		j = &journey{start: start, end: end, entry: -1}
		s.journeys[id] = j
	}
	j.start, j.end = min(j.start, start), max(j.end, end)
	j.spans++
	root := span.ParentSpanID().IsEmpty()
	if root && !j.root || root == j.root && end-start > j.entry {
		j.root, j.entry, j.operation = root, end-start, s.operation(service, span.Name())
	}
	if root || span.Kind() == ptrace.SpanKindServer || span.Kind() == ptrace.SpanKindConsumer {
		j.failed = j.failed || failed(span)
	}
}

// failed says whether a span that somebody waits for reports an error. Senders of old conventions set no
// status, only the code of the response.
func failed(span ptrace.Span) bool {
	switch span.Status().Code() {
	case ptrace.StatusCodeError:
		return true
	case ptrace.StatusCodeOk:
		return false
	case ptrace.StatusCodeUnset:
	}
	for _, key := range [...]string{"http.response.status_code", "http.status_code"} {
		if v, ok := span.Attributes().Get(key); ok {
			return v.Type() == pcommon.ValueTypeInt && v.Int() >= 500
		}
	}
	return false
}

func (s *survey) operation(service, name string) int32 {
	key := service + "\x00" + name
	op, ok := s.operations[key]
	if !ok {
		if len(s.operations) >= maxOperations {
			return -1
		}
		op = int32(len(s.operations)) // bounded
		s.operations[key] = op
	}
	return op
}

// looksAt says whether a trace is among those that are looked at. It depends on the id alone, so
// that all spans of a trace share one fate.
func (s *survey) looksAt(id pcommon.TraceID) bool { return s.oneIn == 1 || hash(id)%s.oneIn == 0 }

func hash(id pcommon.TraceID) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(id[:])
	return h.Sum64()
}

// thin forgets half of the traces.
func (s *survey) thin() {
	s.oneIn *= 2
	for id, j := range s.journeys {
		if !s.looksAt(id) {
			s.thinned += j.spans
			delete(s.journeys, id)
		}
	}
}

// plan is which times are drawn.
type plan struct {
	from, to         time.Time // of the incident
	healthy, guarded time.Time // the baseline begins and ends
	alert            time.Time
	onset            time.Time // zero when it was not found
	short            string    // says that the baseline is shorter than it should be
	keepOneIn        uint64
}

// String says what was drawn and why.
func (p *plan) String() string {
	const clock = "2006-01-02T15:04:05Z"
	began := "when the symptom began was not found, so the incident is drawn from a fixed time before the alert"
	if !p.onset.IsZero() {
		began = fmt.Sprintf("the symptom began at %s, %s before the alert", p.onset.UTC().Format(clock), p.alert.Sub(p.onset).Round(time.Second))
	}
	return fmt.Sprintf("incident %s to %s, baseline %s to %s; %s", p.from.UTC().Format(clock), p.to.UTC().Format(clock), p.healthy.UTC().Format(clock), p.guarded.UTC().Format(clock), began)
}

const (
	// lead is drawn before the onset, so that the incident shows how it began.
	lead = 30 * time.Second
	// lag is how long before the alert the incident is taken to begin when nothing shows it: alerts look at
	// five minutes as a rule.
	lag = 5 * time.Minute
	// guard lies between the baseline and the incident.
	guard = time.Minute
	// shortest is the least length of a baseline: below it, an operation a second has too few samples for a
	// tail.
	shortest = 5 * time.Minute
	// healthier is by how much smaller the share of bad requests of an earlier stretch has to be for it to be
	// taken as the baseline.
	healthier = 0.01
)

// plan chooses the windows around an alert.
func (s *survey) plan(alert, end time.Time, before time.Duration) *plan {
	p := &plan{alert: alert, to: end, keepOneIn: s.oneIn}
	floor := alert.Add(-before)
	outcomes := s.outcomes()
	known := before
	p.from = alert.Add(-min(lag, before/3))
	if at, ok := onset(outcomes, floor.UnixNano(), end.UnixNano()); ok {
		p.onset = earliest(time.Unix(0, at), alert)
		// Where little is known of the time before, as after a first start, margins of a minute would leave no
		// baseline: they take a share of what is known.
		known = min(before, p.onset.Sub(time.Unix(0, outcomes[0].at)))
		p.from = p.onset.Add(-min(lead, known/10))
	}
	if p.from.Before(floor) {
		p.from = floor
	}
	length := max(p.to.Sub(p.from), shortest)
	last := p.from.Add(-min(guard, known/10))
	p.guarded, p.healthy = last, last.Add(-length)
	best := badShare(outcomes, p.healthy, p.guarded)
	for until := last.Add(-length / 4); !until.Add(-length).Before(floor); until = until.Add(-length / 4) {
		if share := badShare(outcomes, until.Add(-length), until); share >= 0 && share < best-healthier {
			p.guarded, p.healthy, best = until, until.Add(-length), share
		}
	}
	if p.healthy.Before(floor) {
		p.healthy = floor
	}
	if p.guarded.Before(p.healthy) {
		p.guarded = p.healthy
	}
	if got := p.guarded.Sub(p.healthy); got < length/2 {
		p.short = fmt.Sprintf("the baseline is %s long and should be %s; draw from further before the alert", got.Round(time.Second), length.Round(time.Second))
	}
	return p
}

// outcomes are the traces as events in the order of time, or the log records where there are too few traces.
func (s *survey) outcomes() []outcome {
	out := s.logs
	if len(s.journeys) >= enough {
		slow := s.slow()
		out = make([]outcome, 0, len(s.journeys))
		for _, j := range s.journeys {
			out = append(out, outcome{j.start, j.failed || j.entry > slow[j.operation]})
		}
	}
	slices.SortFunc(out, func(a, b outcome) int {
		// The order of events of one time makes no difference to any count.
		return cmp.Compare(a.at, b.at)
	})
	return out
}

// badShare is the share of bad events between two times, -1 when there are too few to tell.
func badShare(events []outcome, from, to time.Time) float64 {
	first, _ := slices.BinarySearchFunc(events, from.UnixNano(), func(e outcome, at int64) int { return cmp.Compare(e.at, at) })
	n, bad := 0, 0
	for _, e := range events[first:] {
		if e.at > to.UnixNano() {
			break
		}
		n++
		if e.bad {
			bad++
		}
	}
	if n < enough {
		return -1
	}
	return float64(bad) / float64(n)
}

// side says to which window a trace belongs.
func (p *plan) side(j *journey) string {
	from, to, healthy, guarded := p.from.UnixNano(), p.to.UnixNano(), p.healthy.UnixNano(), p.guarded.UnixNano()
	switch {
	case j.start > to:
		return ""
	case j.start >= from, j.start > guarded && j.end >= from:
		return incidentWindow
	case j.start >= healthy && j.start <= guarded:
		return baselineWindow
	}
	return ""
}

// moments says to which window something belongs that has only a time.
func (p *plan) moment(at int64) string {
	switch {
	case at >= p.from.UnixNano() && at <= p.to.UnixNano():
		return incidentWindow
	case at >= p.healthy.UnixNano() && at <= p.guarded.UnixNano():
		return baselineWindow
	}
	return ""
}
