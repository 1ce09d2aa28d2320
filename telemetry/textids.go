package telemetry

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// bodyFields bounds how much of a record's text is searched for fields.
const (
	bodySearched  = 4 << 10
	bodyFieldsMax = 64
)

// idsOf finds the trace and the span that a record names in its attributes or in its text instead of in the fields that
// are there for it: W3C's traceparent, B3, Datadog's decimal ids, Jaeger's uber-trace-id, Sleuth's brackets, and plain
// trace_id= in any of its spellings.
func idsOf(l *Log) (trace TraceID, span SpanID) {
	see := func(key, value string) {
		if len(value) < 8 || len(value) > 256 {
			return
		}
		switch plainKey(key) {
		case "traceid", "b3traceid", "oteltraceid", "loggingtraceid":
			setTrace(&trace, value, false)
		case "ddtraceid":
			setTrace(&trace, value, true)
		case "spanid", "b3spanid", "otelspanid", "loggingspanid":
			setSpan(&span, value, false)
		case "ddspanid":
			setSpan(&span, value, true)
		case "traceparent": // version-trace-span-flags
			if p := strings.Split(value, "-"); len(p) >= 4 {
				setTrace(&trace, p[1], false)
				setSpan(&span, p[2], false)
			}
		case "b3": // trace-span[-sampled[-parent]]
			if p := strings.Split(value, "-"); len(p) >= 2 {
				setTrace(&trace, p[0], false)
				setSpan(&span, p[1], false)
			}
		case "ubertraceid": // trace:span:parent:flags
			if p := strings.Split(value, ":"); len(p) == 4 {
				setTrace(&trace, strings.Repeat("0", max(0, 16-len(p[0])))+p[0], false)
				setSpan(&span, strings.Repeat("0", max(0, 16-len(p[1])))+p[1], false)
			}
		case "logginggoogleapiscomtrace": // projects/name/traces/trace
			setTrace(&trace, value[strings.LastIndexByte(value, '/')+1:], false)
		case "logginggoogleapiscomspanid":
			setSpan(&span, value, false)
		case "amzntraceid": // Root=1-seconds-rest
			if _, root, ok := strings.Cut(value, "Root=1-"); ok {
				root, _, _ = strings.Cut(root, ";")
				setTrace(&trace, strings.Replace(root, "-", "", 1), false)
			}
		}
	}
	for _, a := range l.Attrs {
		see(a.Key, a.Value)
	}
	if trace.IsZero() {
		if strings.Contains(l.Body, "race") || strings.Contains(l.Body, "RACE") || strings.Contains(l.Body, "b3") {
			eachBodyField(l.Body, see)
		}
		if trace.IsZero() {
			sleuth(l.Body, &trace, &span)
		}
	}
	if trace.IsZero() {
		span = SpanID{}
	}
	return trace, span
}

// plainKey is a key in lower case without what its spellings differ by: separators, the x of private headers, the place
// in which instrumentation keeps headers.
func plainKey(key string) string {
	if len(key) > 96 {
		return ""
	}
	plain := true
	for i := 0; i < len(key) && plain; i++ {
		plain = key[i] >= 'a' && key[i] <= 'z'
	}
	if plain {
		return key
	}
	var buf [96]byte
	n := 0
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case c >= 'A' && c <= 'Z':
			buf[n] = c + 'a' - 'A'
			n++
		case c == '_' || c == '-' || c == '.' || c == '/' || c == ' ' || c == '@':
			if n == 1 && buf[0] == 'x' {
				n = 0
			}
			if n == 17 && string(buf[:n]) == "httprequestheader" || n == 18 && string(buf[:n]) == "httpresponseheader" {
				n = 0
			}
		default:
			buf[n] = c
			n++
		}
	}
	return string(buf[:n])
}

// setTrace reads a trace id: 32 or 16 hexadecimal digits, or Datadog's decimal number of 64 bits.
func setTrace(into *TraceID, s string, decimal bool) {
	if !into.IsZero() {
		return
	}
	switch {
	case len(s) == 32 && isHex(s):
		_, _ = hex.Decode(into[:], []byte(s)) // checked
	case len(s) == 16 && isHex(s) && !decimal:
		_, _ = hex.Decode(into[8:], []byte(s)) // checked
	case decimal || len(s) >= 17 && len(s) <= 20: // too long for 64 bits in hexadecimal
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			binary.BigEndian.PutUint64(into[8:], n)
		}
	}
}

func setSpan(into *SpanID, s string, decimal bool) {
	if !into.IsZero() {
		return
	}
	switch {
	case len(s) == 16 && isHex(s) && !decimal:
		_, _ = hex.Decode(into[:], []byte(s)) // checked
	case decimal || len(s) >= 17 && len(s) <= 20:
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			binary.BigEndian.PutUint64(into[:], n)
		}
	}
}

func isHex(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return s != ""
}

// sleuth reads ids from brackets as Spring Cloud Sleuth and Micrometer write them: [service,trace,span], or with a
// fourth part that says whether the span was exported.
func sleuth(body string, trace *TraceID, span *SpanID) {
	if len(body) > bodySearched {
		body = body[:bodySearched]
	}
	for from := 0; ; {
		open := strings.IndexByte(body[from:], '[')
		if open < 0 {
			return
		}
		from += open + 1
		end := strings.IndexByte(body[from:], ']')
		if end < 0 {
			return
		}
		if end > 160 {
			continue
		}
		parts := strings.Split(body[from:from+end], ",")
		if len(parts) < 2 || len(parts) > 4 {
			continue
		}
		for i := 0; i+1 < len(parts); i++ {
			t, s := strings.TrimSpace(parts[i]), strings.TrimSpace(parts[i+1])
			if (len(t) == 32 || len(t) == 16) && len(s) == 16 && isHex(t) && isHex(s) {
				setTrace(trace, t, false)
				setSpan(span, s, false)
				return
			}
		}
	}
}

// eachBodyField calls visit with every key=value, key: value and "key":"value" of a text.
func eachBodyField(body string, visit func(key, value string)) {
	if len(body) > bodySearched {
		body = body[:bodySearched]
	}
	found := 0
	for i := 1; i < len(body) && found < bodyFieldsMax; i++ {
		if body[i] != '=' && body[i] != ':' {
			continue
		}
		keyEnd := i
		if body[keyEnd-1] == '"' || body[keyEnd-1] == '\'' {
			keyEnd--
		}
		keyStart := keyEnd
		for keyStart > 0 && keyEnd-keyStart < 64 && isKeyByte(body[keyStart-1]) {
			keyStart--
		}
		if keyStart == keyEnd || body[keyStart] >= '0' && body[keyStart] <= '9' {
			continue
		}
		v := i + 1
		for v < len(body) && (body[v] == ' ' && body[i] == ':' || body[v] == '"' || body[v] == '\'') {
			v++
		}
		end := v
		for end < len(body) && end-v < 256 && isValueByte(body[end]) {
			end++
		}
		if end == v {
			continue
		}
		visit(body[keyStart:keyEnd], strings.TrimRight(body[v:end], ".:"))
		found++
	}
}

func isKeyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == '@'
}

func isValueByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c == '/' || c == ':' || c == '+' || c == '='
}

// spreadBody makes the fields of a structured body attributes of the record, where the record has none by that name. The message
// stays behind as the body.
func spreadBody(body, attrs pcommon.Map, limit int) {
	for k, v := range body.All() {
		if isMessageKey(k) && v.Type() == pcommon.ValueTypeStr {
			continue
		}
		if attrs.Len() >= limit {
			return
		}
		if _, taken := attrs.Get(k); !taken {
			v.CopyTo(attrs.PutEmpty(k))
		}
	}
}
