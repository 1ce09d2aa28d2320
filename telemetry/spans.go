package telemetry

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// AddTraces takes over the spans of td, which is not kept.
func (r *Reader) AddTraces(td ptrace.Traces) {
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
	if r.spans.n >= r.limits.Spans {
		r.notes.add(NoteLimit, 1)
		return
	}
	var s Span
	if !r.begin(&s, &spanHead{
		trace: TraceID(in.TraceID()), id: SpanID(in.SpanID()), parent: SpanID(in.ParentSpanID()),
		name: in.Name(), message: in.Status().Message(), kind: int32(in.Kind()), status: int32(in.Status().Code()),
		start: uint64(in.StartTimestamp()), end: uint64(in.EndTimestamp()),
	}) {
		return
	}
	s.Resource, s.Scope = res, scope
	s.Attrs = r.attrs(in.Attributes(), s.Kind.Incoming())
	if n := min(in.Events().Len(), r.limits.Events); n > 0 {
		s.Events = make([]Event, 0, n)
		for i := range n {
			e := in.Events().At(i)
			s.Events = append(s.Events, r.newEvent(e.Name(), uint64(e.Timestamp()), r.attrs(e.Attributes(), false)))
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
	s.conclude()
	r.spans.add(s)
}

// spanHead is what a span says of itself besides attributes, events and links.
type spanHead struct {
	trace         TraceID
	id, parent    SpanID
	name, message string
	kind, status  int32
	start, end    uint64
}

// begin makes a span of what it says of itself, and notes it where it is to be left out.
func (l *lane) begin(out *Span, in *spanHead) bool {
	if in.trace.IsZero() || in.id.IsZero() {
		l.notes.add(NoteNoID, 1)
		return false
	}
	if !plausible(in.start) || (in.end != 0 && !plausible(in.end)) {
		l.notes.add(NoteTimeOutOfRange, 1)
		return false
	}
	d := time.Duration(in.end) - time.Duration(in.start) // both are in range
	if d < 0 {
		if in.end == 0 {
			l.notes.add(NoteUnfinished, 1)
		} else {
			l.notes.add(NoteNegativeDuration, 1)
		}
		d = 0
	}
	if d > maxDuration {
		l.notes.add(NoteTimeOutOfRange, 1)
		return false
	}
	*out = Span{
		Trace: in.trace, ID: in.id, Parent: in.parent,
		Name:     l.strings.str(l.cut(in.name, l.limits.Value)),
		Message:  l.strings.str(l.cut(in.message, l.limits.Value)),
		Start:    int64(in.start), // in range
		Duration: d,
	}
	if in.kind >= int32(KindInternal) && in.kind <= int32(KindConsumer) {
		out.Kind = Kind(in.kind)
	}
	if in.status == int32(StatusOK) || in.status == int32(StatusError) {
		out.Status = StatusCode(in.status)
	}
	return true
}

// conclude concludes what a span's own attributes show.
func (s *Span) conclude() {
	if e, ok := exceptionOf(s); ok {
		s.Events = append(s.Events, e)
	}
	inferFromAttrs(s)
}

// exceptionOf is the exception that a span carries in its attributes, as OpenTracing's tags and some agents have it, where no event says
// as much.
func exceptionOf(s *Span) (Event, bool) {
	e := Event{Name: EventException, Time: s.End()}
	for _, a := range s.Attrs {
		switch a.Key {
		case AttrExceptionType, AttrExceptionMsg, AttrExceptionStack, AttrExceptionEsc:
			e.Attrs = append(e.Attrs, a)
		}
	}
	return e, e.Attrs.First(AttrExceptionType, AttrExceptionStack) != "" && s.Exception() == nil
}

// newEvent makes a span event. OpenTracing wrote exceptions as events named or marked
// "error"; they become exceptions.
func (l *lane) newEvent(name string, at uint64, attrs Attrs) Event {
	e := Event{Name: l.strings.str(l.cut(name, l.limits.Value)), Attrs: attrs}
	if plausible(at) {
		e.Time = int64(at) // in range
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
