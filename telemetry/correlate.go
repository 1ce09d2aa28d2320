package telemetry

import (
	"sort"
	"time"
)

// Tie says how a log record was tied to a span.
type Tie uint8

// The ways, surest first. ByTime is a guess: the record's service was busy with that span
// when it wrote the record.
const (
	Untied Tie = iota
	BySpan
	ByTrace
	ByTime
)

// LogLink ties one log record to a span of a trace.
type LogLink struct {
	Trace int32 // index into the traces, -1 when untied
	Span  int32 // index into the trace's spans, -1 when only the trace is known
	Tie   Tie
}

// Correlate ties log records to spans: by trace and span id; by trace id alone, to the span
// of the record's service that was open at the time; else by service and time, to the span of
// the service that was open within the bucket around the record, the shortest where several
// were. The result is parallel to the logs.
func Correlate(logs []Log, traces []Trace, bucket time.Duration) []LogLink {
	byID := make(map[TraceID]int32, len(traces))
	for i := range traces {
		byID[traces[i].ID] = int32(i) // bounded by Limits.Spans
	}
	var times *openSpans
	out := make([]LogLink, len(logs))
	for i := range logs {
		l := &logs[i]
		out[i] = LogLink{Trace: -1, Span: -1}
		if !l.Trace.IsZero() {
			if t, ok := byID[l.Trace]; ok {
				out[i] = inTrace(l, &traces[t], t)
				continue
			}
		}
		if bucket <= 0 {
			continue
		}
		if times == nil {
			times = newOpenSpans(traces)
		}
		if t, s, ok := times.at(l.Resource.Service, l.Time, int64(bucket)); ok {
			out[i] = LogLink{Trace: t, Span: s, Tie: ByTime}
		}
	}
	return out
}

// inTrace finds the record's span in its trace.
func inTrace(l *Log, t *Trace, index int32) LogLink {
	link := LogLink{Trace: index, Span: -1, Tie: ByTrace}
	var shortest time.Duration
	for i, s := range t.Spans {
		if !l.Span.IsZero() && s.ID == l.Span {
			return LogLink{Trace: index, Span: int32(i), Tie: BySpan} // bounded
		}
		if s.Resource.Service == l.Resource.Service && s.Start <= l.Time && l.Time <= s.End() &&
			(link.Span < 0 || s.Duration < shortest) {
			link.Span, shortest = int32(i), s.Duration // bounded
		}
	}
	return link
}

// openSpans answers which span of a service was open at a time.
type openSpans struct{ byService map[string][]spanRef }

type spanRef struct {
	start, end  int64
	trace, span int32
}

func newOpenSpans(traces []Trace) *openSpans {
	o := &openSpans{byService: map[string][]spanRef{}}
	for t := range traces {
		for i, s := range traces[t].Spans {
			refs := o.byService[s.Resource.Service]
			o.byService[s.Resource.Service] = append(refs, spanRef{s.Start, s.End(), int32(t), int32(i)}) // bounded
		}
	}
	for _, refs := range o.byService {
		sort.SliceStable(refs, func(a, b int) bool { return refs[a].start < refs[b].start })
	}
	return o
}

// lookBack bounds how many spans that started before a record are looked at.
const lookBack = 256

func (o *openSpans) at(service string, t, bucket int64) (trace, span int32, ok bool) {
	refs := o.byService[service]
	i := sort.Search(len(refs), func(i int) bool { return refs[i].start > t+bucket/2 })
	best := int64(-1)
	for n := 0; i > 0 && n < lookBack; n++ {
		i--
		r := refs[i]
		if r.end < t-bucket/2 {
			continue
		}
		// A span that holds the record beats one that is only near it.
		length := r.end - r.start
		if t < r.start || t > r.end {
			length += bucket + max(r.start-t, t-r.end)
		}
		if best < 0 || length < best {
			best, trace, span, ok = length, r.trace, r.span, true
		}
	}
	return trace, span, ok
}
