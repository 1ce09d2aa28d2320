package telemetry

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/telemetry/nesting"
)

// zipkinSpan is a span of Zipkin's API v2.
type zipkinSpan struct {
	TraceID        string                     `json:"traceId"`
	ID             string                     `json:"id"`
	ParentID       string                     `json:"parentId"`
	Name           string                     `json:"name"`
	Kind           string                     `json:"kind"`
	Timestamp      json.Number                `json:"timestamp"` // microseconds
	Duration       json.Number                `json:"duration"`
	LocalEndpoint  *zipkinEndpoint            `json:"localEndpoint"`
	RemoteEndpoint *zipkinEndpoint            `json:"remoteEndpoint"`
	Tags           map[string]json.RawMessage `json:"tags"`
	Annotations    []struct {
		Timestamp json.Number `json:"timestamp"`
		Value     string      `json:"value"`
	} `json:"annotations"`
}

type zipkinEndpoint struct {
	ServiceName string `json:"serviceName"`
	IPv4        string `json:"ipv4"`
	IPv6        string `json:"ipv6"`
	Port        int    `json:"port"`
}

// isZipkin says that an object is a span of Zipkin: it alone calls its ids traceId and id.
func isZipkin(object []byte) bool {
	id, trace := false, false
	err := eachField(object, func(key, value []byte) error {
		switch string(key) {
		case "id":
			id = value[0] == '"'
		case "traceId":
			trace = value[0] == '"'
		}
		return nil
	})
	return err == nil && id && trace
}

// zipkin adds the spans of one document. Those that make no sense are counted and left out.
func (d *decoder) zipkin(raw [][]byte) {
	f := newForeign(d.notes)
	for _, v := range raw {
		var s zipkinSpan
		if err := json.Unmarshal(v, &s); err != nil {
			d.notes.add(NoteMalformedSpan, 1)
			continue
		}
		f.zipkinSpan(&s)
	}
	d.sink.AddTraces(f.finish())
}

// zipkinSpan converts a span as the specification's Zipkin exporter does, read backwards.
func (f *foreign) zipkinSpan(in *zipkinSpan) {
	local := in.LocalEndpoint
	if local == nil {
		local = &zipkinEndpoint{}
	}
	scope := ""
	for _, k := range []string{"otel.scope.name", "otel.library.name"} {
		if raw, ok := in.Tags[k]; ok && json.Unmarshal(raw, &scope) == nil {
			break
		}
	}
	out := f.span(local.ServiceName+"\x00"+local.IPv4+local.IPv6, scope, func(m pcommon.Map) {
		if local.ServiceName != "" {
			m.PutStr("service.name", local.ServiceName)
		}
		if ip := cmp.Or(local.IPv4, local.IPv6); ip != "" {
			m.PutStr("host.ip", ip)
		}
	})
	out.SetTraceID(f.traceID(in.TraceID))
	out.SetSpanID(f.spanID(in.ID))
	if strings.Trim(in.ParentID, "0") != "" {
		out.SetParentSpanID(f.spanID(in.ParentID))
	}
	out.SetName(in.Name)
	out.SetKind(openTracingKind(in.Kind))
	attrs := out.Attributes()
	for _, k := range slices.Sorted(maps.Keys(in.Tags)) {
		switch k {
		case "otel.scope.name", "otel.library.name":
		case "error":
			// Zipkin's error tag is the message; that it is there says that the span failed.
			var message string
			if json.Unmarshal(in.Tags[k], &message) != nil || message == "false" {
				continue
			}
			out.Status().SetCode(ptrace.StatusCodeError)
			if message != "true" {
				out.Status().SetMessage(message)
			}
		case "otel.status_code":
			var code string
			if json.Unmarshal(in.Tags[k], &code) == nil && code == "OK" {
				out.Status().SetCode(ptrace.StatusCodeOk)
			} else if code == "ERROR" {
				out.Status().SetCode(ptrace.StatusCodeError)
			}
		default:
			if strings.HasPrefix(k, "otlp.link.") && f.link(in.Tags[k], out) {
				continue
			}
			putJSON(attrs, k, in.Tags[k])
		}
	}
	if r := in.RemoteEndpoint; r != nil {
		if r.ServiceName != "" {
			attrs.PutStr(AttrPeerService, r.ServiceName)
		}
		if ip := cmp.Or(r.IPv4, r.IPv6); ip != "" {
			attrs.PutStr("network.peer.address", ip)
		}
		if r.Port > 0 {
			attrs.PutStr("network.peer.port", strconv.Itoa(r.Port))
		}
	}
	t := foreignSpan{span: out, end: length(in.Duration)}
	for _, a := range in.Annotations {
		annotation(a.Value, out.Events().AppendEmpty())
		t.events = append(t.events, f.time(a.Timestamp))
	}
	if in.Timestamp == "" && len(t.events) > 0 {
		// A server that was handed its span's id leaves the time to the client; its own notes are dated.
		t.start = f.earliest(t.events)
	} else {
		t.start = f.time(in.Timestamp)
	}
	f.spans = append(f.spans, t)
}

// link reads a link back from the tag that OpenTelemetry's collector makes of it: trace|span|state|{attributes}|count.
func (f *foreign) link(tag []byte, out ptrace.Span) bool {
	var text string
	if json.Unmarshal(tag, &text) != nil {
		return false
	}
	parts := strings.SplitN(text, "|", 3)
	if len(parts) < 3 || len(parts[0]) != 32 || len(parts[1]) != 16 {
		return false
	}
	l := out.Links().AppendEmpty()
	l.SetTraceID(f.traceID(parts[0]))
	l.SetSpanID(f.spanID(parts[1]))
	return true
}

// annotation reads an event back from what became of it. Zipkin's have a text only, so exporters write the attributes into it:
// OpenTelemetry's specification as "name": {attributes}, its collector as name|{attributes}|count of those dropped.
func annotation(text string, into ptrace.SpanEvent) {
	into.SetName(text)
	name, attrs, ok := strings.Cut(text, "|{")
	if at := strings.LastIndexByte(attrs, '|'); ok && at >= 0 {
		attrs = attrs[:at]
	} else if name, attrs, ok = strings.Cut(text, ": {"); !ok {
		return
	}
	raw := []byte("{" + attrs)
	if nesting.JSON(raw) != nil || !json.Valid(raw) {
		return // it only looked like one
	}
	if n := len(name); n > 1 && name[0] == '"' && name[n-1] == '"' {
		name = name[1 : n-1]
	}
	if eachField(raw, func(key, value []byte) error {
		putJSON(into.Attributes(), string(key), value)
		return nil
	}) != nil {
		into.Attributes().Clear()
		return
	}
	into.SetName(name)
}

// earliest is the first of some times, as a time of its own.
func (f *foreign) earliest(times []*int64) *int64 {
	out := new(int64)
	for _, t := range times {
		if *t != 0 && (*out == 0 || *t < *out) {
			*out = *t
		}
	}
	if *out != 0 {
		f.times = append(f.times, out)
	}
	return out
}
