package telemetry

import (
	"encoding/json"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

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
	lane
	opts      Options
	resources map[string]*Resource
	spans     spanStore
	logs      []Log
	series    map[string]*Series
	keys      []string // of series, in order of arrival
	points    int
	profiles  []Profile
	wire      wire
}

// NewReader returns an empty Reader.
func NewReader(opts Options) *Reader {
	return &Reader{
		lane:      newLane(opts.Limits.withDefaults()),
		opts:      opts,
		resources: map[string]*Resource{},
		series:    map[string]*Series{},
	}
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
		raw := rawOf(body)
		l.Body = r.text(&raw, r.limits.Value)
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
