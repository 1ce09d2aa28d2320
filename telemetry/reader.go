package telemetry

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/telemetry/nesting"
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
	profiles  []Profile
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
	d := time.Duration(end) - time.Duration(start) // both are in range
	if d < 0 {
		if end == 0 {
			r.notes.add(NoteUnfinished, 1)
		} else {
			r.notes.add(NoteNegativeDuration, 1)
		}
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
		Start:    int64(start), // in range
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
	if e, ok := exceptionOf(&s); ok {
		s.Events = append(s.Events, e)
	}
	inferFromAttrs(&s)
	r.spans = append(r.spans, s)
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

// event converts a span event. OpenTracing wrote exceptions as events named or marked
// "error"; they become exceptions.
func (r *Reader) event(in ptrace.SpanEvent) Event {
	e := Event{Name: r.strings.str(r.cut(in.Name(), r.limits.Value)), Attrs: r.attrs(in.Attributes(), false)}
	if t := uint64(in.Timestamp()); plausible(t) {
		e.Time = int64(t) // in range
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
	body := in.Body()
	if fields, ok := jsonBody(body); ok {
		body = fields
	}
	structured := body.Type() == pcommon.ValueTypeMap
	if structured {
		spreadBody(body.Map(), in.Attributes(), r.limits.Attributes)
	}
	l := Log{
		Time:     int64(t), // in range
		Resource: res, Scope: scope,
		Severity: severity(in),
		Trace:    TraceID(in.TraceID()), Span: SpanID(in.SpanID()),
		Attrs: r.attrs(in.Attributes(), false),
	}
	if structured {
		l.Body = r.cut(bodyText(body.Map()), r.limits.Value)
	} else {
		l.Body = r.text("", body)
	}
	l.Body = r.strings.str(l.Body)
	if l.Severity == 0 {
		l.Severity = severityOf(l.Attrs.First("level", "severity", "log.level", "levelname", "lvl"))
	}
	if l.Trace.IsZero() {
		if trace, span := idsOf(&l); !trace.IsZero() {
			l.Trace, l.IDsInferred = trace, true
			if l.Span.IsZero() {
				l.Span = span
			}
		}
	}
	r.logs = append(r.logs, l)
}

// jsonBody reads a body that is the text of a JSON object with a message in it, as loggers write it and collectors pass it on.
func jsonBody(body pcommon.Value) (pcommon.Value, bool) {
	if body.Type() != pcommon.ValueTypeStr {
		return body, false
	}
	s := strings.TrimSpace(body.Str())
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' || len(s) > 64<<10 || nesting.JSON([]byte(s)) != nil {
		return body, false
	}
	v := pcommon.NewValueMap()
	if !json.Valid([]byte(s)) || eachField([]byte(s), func(key, value []byte) error {
		putJSON(v.Map(), string(key), value)
		return nil
	}) != nil {
		return body, false
	}
	for _, k := range messageKeys {
		if m, ok := v.Map().Get(k); ok && m.Type() == pcommon.ValueTypeStr {
			return v, true
		}
	}
	return body, false
}

// messageKeys are what loggers call the message of a structured record.
var messageKeys = [...]string{"message", "msg", "log", "event"}

func isMessageKey(key string) bool { return slices.Contains(messageKeys[:], key) }

// bodyText is the message of a structured body, or the whole body.
func bodyText(m pcommon.Map) string {
	for _, k := range messageKeys {
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
	return severityOf(in.SeverityText())
}

// severityOf is the number of a level's name.
func severityOf(text string) int {
	if text == "" {
		return 0
	}
	switch strings.ToUpper(strings.TrimSpace(text)) {
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
