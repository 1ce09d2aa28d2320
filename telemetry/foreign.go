package telemetry

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// foreign is what the formats other than OTLP have in common: ids of any length, times in microseconds, spans that
// name their process.
type foreign struct {
	notes  noteCounts
	td     ptrace.Traces
	groups map[string]ptrace.ScopeSpans
	times  []*int64 // of everything, in nanoseconds, so that all can be moved together
	spans  []foreignSpan
}

// foreignSpan is a span whose times are still to be written.
type foreignSpan struct {
	span       ptrace.Span
	start, end *int64
	events     []*int64
}

func newForeign(notes noteCounts) *foreign {
	return &foreign{notes: notes, td: ptrace.NewTraces(), groups: map[string]ptrace.ScopeSpans{}}
}

// span makes a span of a process, which describe describes when it is seen first.
func (f *foreign) span(process, scope string, describe func(pcommon.Map)) ptrace.Span {
	key := process + "\x00" + scope
	ss, ok := f.groups[key]
	if !ok {
		rs := f.td.ResourceSpans().AppendEmpty()
		describe(rs.Resource().Attributes())
		ss = rs.ScopeSpans().AppendEmpty()
		ss.Scope().SetName(scope)
		f.groups[key] = ss
	}
	return ss.Spans().AppendEmpty()
}

// time keeps a time of microseconds for finish; what is absent or beyond any clock is 0.
func (f *foreign) time(us json.Number) *int64 {
	t := new(int64)
	if n, ok := micros(us); ok {
		*t = n
		f.times = append(f.times, t)
	}
	return t
}

// length reads a duration of microseconds. One that no clock can have measured ends its span where no time is plausible.
func length(us json.Number) *int64 {
	out := new(int64)
	if n, ok := micros(us); ok {
		*out = n
	} else if us != "" {
		*out = math.MaxInt64 / 2
	}
	return out
}

// finish writes the times. A document whose every time lies before 1990 counts from an origin of its own, as made-up and
// anonymised traces do: it is moved to where times begin to be plausible.
func (f *foreign) finish() ptrace.Traces {
	relative := len(f.times) > 0
	for _, t := range f.times {
		relative = relative && *t >= 0 && *t < minTime
	}
	if relative {
		f.notes.add(NoteRelativeTime, len(f.spans))
		for _, t := range f.times {
			*t += minTime
		}
	}
	for _, s := range f.spans {
		s.span.SetStartTimestamp(timestamp(*s.start))
		s.span.SetEndTimestamp(timestamp(*s.start + *s.end)) // end holds the duration until here
		for i, t := range s.events {
			s.span.Events().At(i).SetTimestamp(timestamp(*t))
		}
	}
	return f.td
}

// timestamp writes a time; one before 1970 becomes absent, and so implausible.
func timestamp(t int64) pcommon.Timestamp { return pcommon.Timestamp(max(t, 0)) } // not negative

// micros reads a number of microseconds as nanoseconds.
func micros(n json.Number) (int64, bool) {
	us, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(string(n), 64)
		if err != nil || math.IsNaN(f) || math.Abs(f) > math.MaxInt64/4000 {
			return 0, false
		}
		return int64(f * 1000), true // in range
	}
	if us > math.MaxInt64/4000 || us < -math.MaxInt64/4000 {
		return 0, false
	}
	return us * 1000, true
}

// traceID reads an id of up to 32 hexadecimal digits. Whatever else a sender calls an id is replaced by a hash of it.
func (f *foreign) traceID(s string) (id pcommon.TraceID) {
	f.id(id[:], s)
	return id
}

// spanID reads an id of up to 16 hexadecimal digits.
func (f *foreign) spanID(s string) (id pcommon.SpanID) {
	f.id(id[:], s)
	return id
}

func (f *foreign) id(into []byte, s string) {
	s = strings.TrimSpace(s)
	if s == "" {
		return
	}
	if n := 2*len(into) - len(s); n >= 0 {
		if _, err := hex.Decode(into, []byte(strings.Repeat("0", n)+s)); err == nil {
			return
		}
	}
	sum := sha256.Sum256([]byte(s))
	copy(into, sum[:])
	f.notes.add(NoteForeignID, 1)
}

// putJSON adds a JSON value as an attribute.
func putJSON(m pcommon.Map, key string, raw []byte) {
	raw = bytes.TrimSpace(raw)
	if key == "" || len(raw) == 0 {
		return
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			m.PutStr(key, s)
		}
	case 't', 'f':
		m.PutBool(key, raw[0] == 't')
	case 'n':
	case '{', '[':
		m.PutStr(key, string(raw))
	default:
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			m.PutInt(key, n)
		} else if f, err := strconv.ParseFloat(string(raw), 64); err == nil {
			m.PutDouble(key, f)
		}
	}
}
