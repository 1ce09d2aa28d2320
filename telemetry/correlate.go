package telemetry

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"sort"
	"time"
)

// Tie says how a log record was tied to a span.
type Tie uint8

// The ways, surest first. ByKey is a correlation id that the record shares with the trace. ByTime is a guess: the
// record's service was busy with that span when it wrote the record.
const (
	Untied Tie = iota
	BySpan
	ByTrace
	ByKey
	ByTime
)

// Known says that the record's trace is known and not guessed.
func (t Tie) Known() bool { return t == BySpan || t == ByTrace || t == ByKey }

// LogLink ties one log record to a span of a trace.
type LogLink struct {
	Trace int32 // index into the traces, -1 when untied
	Span  int32 // index into the trace's spans, -1 when only the trace is known
	Tie   Tie
}

// Correlate ties log records to spans: by trace and span id; by trace id alone, to the span
// of the record's service that was open at the time; else by a correlation id, which is one of the keys or
// which the data shows to be one (correlation.go); else by service and time, to the span of
// the service that was open within the bucket around the record, the shortest where several
// were. The result is parallel to the logs.
func Correlate(logs []Log, traces []Trace, bucket time.Duration, keys ...string) []LogLink {
	f := newTraceFinder(logs, traces)
	out := make([]LogLink, len(logs))
	untied := make([]bool, len(logs))
	inParts(len(logs), func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = LogLink{Trace: -1, Span: -1}
			if t, ok := f.find(logs[i].Trace); ok {
				out[i] = f.inTrace(&logs[i], t, ByTrace)
			} else {
				untied[i] = true
			}
		}
	})
	if len(traces) == 0 || !slices.Contains(untied, true) {
		return out
	}
	keyed := findCorrelation(logs, traces, f, untied, keys)
	var times *openSpans
	if bucket > 0 {
		times = newOpenSpans(logs, untied, traces)
	}
	keyed.tie(logs, f, untied, out, times)
	if times == nil {
		return out
	}
	inParts(len(logs), func(from, to int) {
		for i := from; i < to; i++ {
			if !untied[i] {
				continue
			}
			if t, s, ok := times.at(logs[i].Resource.Service, logs[i].Time, int64(bucket)); ok {
				out[i] = LogLink{Trace: t, Span: s, Tie: ByTime}
			}
		}
	})
	return out
}

// traceFinder finds traces by id, and spans in them.
type traceFinder struct {
	traces []Trace
	byID   map[TraceID]int32
	byLow  map[uint64]int32 // by the lower half of the id, -1 where several share it; nil when nobody asks for it
	large  map[int32]*largeTrace
}

func newTraceFinder(logs []Log, traces []Trace) *traceFinder {
	f := &traceFinder{traces: traces, byID: make(map[TraceID]int32, len(traces)), large: map[int32]*largeTrace{}}
	for i := range traces {
		f.byID[traces[i].ID] = int32(i) // bounded by Limits.Spans
		if len(traces[i].Spans) > scanned {
			f.large[int32(i)] = newLargeTrace(&traces[i]) // bounded
		}
	}
	for i := range logs {
		if t := &logs[i].Trace; !t.IsZero() && highHalf(t) == 0 {
			if _, ok := f.byID[*t]; !ok {
				f.indexLow()
				break
			}
		}
	}
	return f
}

// indexLow prepares for ids of 64 bits, which is all that loggers know of a trace where B3 or Datadog carries it.
func (f *traceFinder) indexLow() {
	f.byLow = make(map[uint64]int32, len(f.traces))
	for i := range f.traces {
		low := binary.BigEndian.Uint64(f.traces[i].ID[8:])
		if _, taken := f.byLow[low]; taken {
			f.byLow[low] = -1
		} else {
			f.byLow[low] = int32(i) // bounded by Limits.Spans
		}
	}
}

func highHalf(t *TraceID) uint64 { return binary.BigEndian.Uint64(t[:8]) }

func (f *traceFinder) find(id TraceID) (int32, bool) {
	if id.IsZero() {
		return 0, false
	}
	if t, ok := f.byID[id]; ok {
		return t, true
	}
	if f.byLow == nil || highHalf(&id) != 0 {
		return 0, false
	}
	t, ok := f.byLow[binary.BigEndian.Uint64(id[8:])]
	return t, ok && t >= 0
}

// inTrace finds the record's span in its trace, which was found as tie says.
func (f *traceFinder) inTrace(l *Log, t int32, tie Tie) LogLink {
	var link LogLink
	if large := f.large[t]; large != nil {
		link = large.find(l, &f.traces[t], t)
	} else {
		link = inTrace(l, &f.traces[t], t)
	}
	if link.Tie == ByTrace {
		link.Tie = tie
	}
	return link
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

// scanned is the size up to which a trace is looked through for each of its records.
const scanned = 512

// largeTrace finds spans of a trace that is too large for that.
type largeTrace struct {
	byID      map[SpanID]int32
	byService map[string][]int32 // by start
}

func newLargeTrace(t *Trace) *largeTrace {
	g := &largeTrace{byID: make(map[SpanID]int32, len(t.Spans)), byService: map[string][]int32{}}
	for i, s := range t.Spans {
		if _, taken := g.byID[s.ID]; !taken {
			g.byID[s.ID] = int32(i) // bounded
		}
		g.byService[s.Resource.Service] = append(g.byService[s.Resource.Service], int32(i)) // bounded
	}
	return g
}

// find is inTrace, but of the spans of the record's service only the last before the record are
// looked at: the shortest that is open began late.
func (g *largeTrace) find(l *Log, t *Trace, index int32) LogLink {
	if i, ok := g.byID[l.Span]; ok && !l.Span.IsZero() {
		return LogLink{Trace: index, Span: i, Tie: BySpan}
	}
	link := LogLink{Trace: index, Span: -1, Tie: ByTrace}
	own := g.byService[l.Resource.Service]
	i := sort.Search(len(own), func(i int) bool { return t.Spans[own[i]].Start > l.Time })
	for n := 0; i > 0 && n < scanned; n++ {
		i--
		s := t.Spans[own[i]]
		if l.Time <= s.End() && (link.Span < 0 || s.Duration <= t.Spans[link.Span].Duration) {
			link.Span = own[i]
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

// newOpenSpans prepares for the services of the untied records.
func newOpenSpans(logs []Log, untied []bool, traces []Trace) *openSpans {
	o := &openSpans{byService: map[string][]spanRef{}}
	wanted, last := map[string]bool{}, (*Resource)(nil)
	for i := range logs {
		if r := logs[i].Resource; untied[i] && r != last {
			last = r
			wanted[r.Service] = true
		}
	}
	lists := map[string]*[]spanRef{}
	byResource := map[*Resource]*[]spanRef{} // nil where nobody asks
	var from *Resource
	var list *[]spanRef
	listOf := func(r *Resource) *[]spanRef {
		if r == from {
			return list
		}
		from = r
		known := false
		if list, known = byResource[r]; !known {
			if list = lists[r.Service]; list == nil && wanted[r.Service] {
				list = &[]spanRef{}
				lists[r.Service] = list
			}
			byResource[r] = list
		}
		return list
	}
	// How long the lists become shows in a part of the traces well enough to make room for them once. Requests that take turns
	// do so by small numbers: a prime meets them all.
	const part = 17
	sizes := map[*[]spanRef]int{}
	for t := 0; t < len(traces); t += part {
		for _, s := range traces[t].Spans {
			sizes[listOf(s.Resource)] += part
		}
	}
	for list, n := range sizes {
		if list != nil {
			*list = make([]spanRef, 0, min(n+n/part, maxRoom))
		}
	}
	for t := range traces {
		for i, s := range traces[t].Spans {
			if list := listOf(s.Resource); list != nil {
				*list = append(*list, spanRef{s.Start, s.End(), int32(t), int32(i)}) // bounded
			}
		}
	}
	for service, list := range lists {
		o.byService[service] = *list
	}
	services := slices.Sorted(maps.Keys(o.byService))
	eachPart(len(services), min(len(services), partsOf(len(logs), partSize)), func(_, from, to int) {
		for _, service := range services[from:to] {
			slices.SortFunc(o.byService[service], compareRefs)
		}
	})
	return o
}

func compareRefs(a, b spanRef) int {
	switch {
	case a.start != b.start:
		return cmp.Compare(a.start, b.start)
	case a.trace != b.trace:
		return cmp.Compare(a.trace, b.trace)
	}
	return cmp.Compare(a.span, b.span)
}

// maxRoom bounds the guess of how many spans a service has: one huge trace says little of the others.
const maxRoom = 1 << 20

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
