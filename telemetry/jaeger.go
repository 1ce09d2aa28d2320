package telemetry

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// jaegerSpan is a span of Jaeger's JSON: of its query API and user interface, with the processes beside the spans, or
// of its storage in Elasticsearch, with the process in the span and tags as an object.
type jaegerSpan struct {
	TraceID       string                     `json:"traceID"`
	SpanID        string                     `json:"spanID"`
	ParentSpanID  string                     `json:"parentSpanID"`
	OperationName string                     `json:"operationName"`
	References    []jaegerReference          `json:"references"`
	StartTime     json.Number                `json:"startTime"` // microseconds
	Duration      json.Number                `json:"duration"`
	Tags          []jaegerTag                `json:"tags"`
	Tag           map[string]json.RawMessage `json:"tag"`
	Logs          []struct {
		Timestamp json.Number `json:"timestamp"`
		Fields    []jaegerTag `json:"fields"`
	} `json:"logs"`
	ProcessID string         `json:"processID"`
	Process   *jaegerProcess `json:"process"`
	Warnings  []string       `json:"warnings"`
}

type jaegerReference struct {
	RefType string `json:"refType"`
	TraceID string `json:"traceID"`
	SpanID  string `json:"spanID"`
}

type jaegerTag struct {
	Key   string          `json:"key"`
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

type jaegerProcess struct {
	ServiceName string                     `json:"serviceName"`
	Tags        []jaegerTag                `json:"tags"`
	Tag         map[string]json.RawMessage `json:"tag"`
}

// jaegerTrace adds one element of "data".
func (d *decoder) jaegerTrace(f shape) error {
	processes := map[string]*jaegerProcess{}
	if isObject(f["processes"]) {
		err := eachField(f["processes"], func(key, value []byte) error {
			p := &jaegerProcess{}
			if err := json.Unmarshal(value, p); err != nil {
				d.notes.add(NoteMalformedSpan, 1)
			}
			processes[string(key)] = p
			return nil
		})
		if err != nil {
			return err
		}
	}
	var spans [][]byte
	if err := eachElement(f["spans"], func(v []byte) error {
		spans = append(spans, v)
		return nil
	}); err != nil {
		return err
	}
	return d.jaegerSpans(spans, processes)
}

// jaegerSpans adds spans of one document. Those that make no sense are counted and left out.
func (d *decoder) jaegerSpans(raw [][]byte, processes map[string]*jaegerProcess) error {
	f := newForeign(d.notes)
	bad := 0
	for _, v := range raw {
		var s jaegerSpan
		if err := json.Unmarshal(v, &s); err != nil {
			bad++
			continue
		}
		process, key := s.Process, "\x00"
		if process != nil {
			// Two spans with one description are of one process.
			if b, err := json.Marshal(process); err == nil {
				key += string(b)
			}
		} else if process = processes[s.ProcessID]; process != nil {
			key = s.ProcessID
		} else {
			process = &jaegerProcess{}
		}
		f.jaegerSpan(&s, key, process)
	}
	if bad > 0 && bad == len(raw) {
		return errors.New("no span of the Jaeger document could be decoded")
	}
	d.notes.add(NoteMalformedSpan, bad)
	d.sink.AddTraces(f.finish())
	return nil
}

// jaegerSpan converts a span as Jaeger's own translation to OTLP does (OpenTelemetry specification, "Jaeger" under
// trace SDK exporters, read backwards).
func (f *foreign) jaegerSpan(in *jaegerSpan, key string, process *jaegerProcess) {
	attrs := pcommon.NewMap()
	putTags(attrs, in.Tags, in.Tag)
	take := func(key string) string {
		v, ok := attrs.Get(key)
		if !ok {
			return ""
		}
		text := v.AsString()
		attrs.Remove(key)
		return text
	}
	scope := take("otel.library.name")
	if s := take("otel.scope.name"); s != "" {
		scope = s
	}
	out := f.span(key, scope, func(m pcommon.Map) {
		if process.ServiceName != "" {
			m.PutStr("service.name", process.ServiceName)
		}
		putTags(m, process.Tags, process.Tag)
	})
	out.SetTraceID(f.traceID(in.TraceID))
	out.SetSpanID(f.spanID(in.SpanID))
	out.SetName(in.OperationName)
	out.SetKind(openTracingKind(take("span.kind")))
	switch strings.ToUpper(take("otel.status_code")) {
	case "OK":
		out.Status().SetCode(ptrace.StatusCodeOk)
	case "ERROR":
		out.Status().SetCode(ptrace.StatusCodeError)
	}
	out.Status().SetMessage(take("otel.status_description"))
	if v, ok := attrs.Get("error"); ok && v.AsString() == "true" {
		out.Status().SetCode(ptrace.StatusCodeError)
	}
	f.jaegerParent(in, out, attrs)
	if len(in.Warnings) > 0 {
		attrs.PutStr("jaeger.warnings", strings.Join(in.Warnings[:min(len(in.Warnings), 20)], "; "))
	}
	attrs.MoveTo(out.Attributes())
	t := foreignSpan{span: out, start: f.time(in.StartTime), end: length(in.Duration)}
	for _, l := range in.Logs {
		ev := out.Events().AppendEmpty()
		putTags(ev.Attributes(), l.Fields, nil)
		if name, ok := ev.Attributes().Get("event"); ok {
			ev.SetName(name.AsString())
			ev.Attributes().Remove("event")
		}
		t.events = append(t.events, f.time(l.Timestamp))
	}
	f.spans = append(f.spans, t)
}

// jaegerParent finds the parent among the references: the first it is a child of, else the first it follows from, for which the
// caller did not wait. The others become links.
func (f *foreign) jaegerParent(in *jaegerSpan, out ptrace.Span, attrs pcommon.Map) {
	parent := -1
	for i, r := range in.References {
		if r.TraceID != "" && r.TraceID != in.TraceID {
			continue
		}
		if r.RefType == "CHILD_OF" {
			parent = i
			break
		}
		if parent < 0 {
			parent = i
		}
	}
	for i, r := range in.References {
		if i == parent {
			out.SetParentSpanID(f.spanID(r.SpanID))
			if r.RefType == "FOLLOWS_FROM" {
				attrs.PutStr(AttrRefType, RefFollowsFrom)
			}
			continue
		}
		l := out.Links().AppendEmpty()
		l.SetTraceID(f.traceID(r.TraceID))
		l.SetSpanID(f.spanID(r.SpanID))
	}
	if parent < 0 && in.ParentSpanID != "" && strings.Trim(in.ParentSpanID, "0") != "" {
		out.SetParentSpanID(f.spanID(in.ParentSpanID))
	}
}

// openTracingKind reads the tag span.kind.
func openTracingKind(s string) ptrace.SpanKind {
	switch strings.ToLower(s) {
	case "server":
		return ptrace.SpanKindServer
	case "client":
		return ptrace.SpanKindClient
	case "producer":
		return ptrace.SpanKindProducer
	case "consumer":
		return ptrace.SpanKindConsumer
	case "internal", "local":
		return ptrace.SpanKindInternal
	}
	return ptrace.SpanKindUnspecified
}

// putTags adds tags as attributes. Elasticsearch keeps them as an object, whose keys have @ for dots.
func putTags(m pcommon.Map, tags []jaegerTag, object map[string]json.RawMessage) {
	for _, t := range tags {
		raw := t.Value
		if len(raw) > 1 && raw[0] == '"' && (t.Type == "int64" || t.Type == "float64" || t.Type == "bool") {
			raw = raw[1 : len(raw)-1] // storage keeps the values of all types as text
		}
		putJSON(m, t.Key, raw)
	}
	for _, k := range slices.Sorted(maps.Keys(object)) {
		putJSON(m, strings.ReplaceAll(k, "@", "."), object[k])
	}
}
