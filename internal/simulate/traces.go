package simulate

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// traces writes the spans as the instrumentation of each service would have.
func (x *run) traces() ptrace.Traces {
	td := ptrace.NewTraces()
	byPod := map[*pod]ptrace.SpanSlice{}
	for _, s := range x.rec.spans {
		if s.hidden() {
			continue
		}
		out, ok := byPod[s.pod]
		if !ok {
			rs := td.ResourceSpans().AppendEmpty()
			s.pod.describe(rs.Resource().Attributes())
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName(scopeName(s.pod.svc.lang))
			out = ss.Spans()
			byPod[s.pod] = out
		}
		x.write(out.AppendEmpty(), s)
		if s.kind == kindServer && s.pod.svc.habits.internal {
			x.writeInternal(out.AppendEmpty(), s)
		}
	}
	return td
}

func scopeName(l language) string {
	return [...]string{"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp", "io.opentelemetry.tomcat-10.0",
		"opentelemetry.instrumentation.flask", "@opentelemetry/instrumentation-http"}[l]
}

// hidden says whether the service's instrumentation does not see the span.
func (s *span) hidden() bool {
	svc := s.pod.svc
	switch {
	case svc.silent:
		return true
	case s.kind == kindClient && s.step != nil && s.step.store != nil:
		return !svc.habits.dbSpans
	case s.kind == kindClient && s.step != nil && s.step.party == nil:
		return !svc.habits.clientSpans
	}
	return false
}

// describe writes who a pod is.
func (p *pod) describe(to pcommon.Map) {
	to.PutStr("service.name", p.svc.name)
	to.PutStr("telemetry.sdk.language", p.svc.lang.String())
	if p.svc.habits.versioned {
		to.PutStr("service.version", p.version)
	}
	if p.svc.habits.commit {
		to.PutStr("vcs.ref.head.revision", p.sha)
	}
	to.PutStr(p.svc.habits.pod, p.id)
	if p.svc.habits.pod == "k8s.pod.name" {
		to.PutStr("k8s.node.name", p.node)
		to.PutStr("cloud.availability_zone", p.zone)
	}
}

// inner is the id of the span that a handler's calls belong to: the one around its function where there is one.
func (s *span) inner() pcommon.SpanID {
	if s.kind == kindServer && s.pod.svc.habits.internal {
		return spanID(s.id ^ innerBits)
	}
	return spanID(s.id)
}

// innerBits tell the id of the span around a handler's function from that of its server span.
const innerBits = 0x5a5a5a5a5a5a5a5a

func spanID(n uint64) (id pcommon.SpanID) {
	for i := range 8 {
		id[i] = byte(n >> (8 * i)) // the low byte of each shift
	}
	return id
}

func (x *run) write(out ptrace.Span, s *span) {
	h := &s.pod.svc.habits
	skew := int64(h.skew * 1e9)
	out.SetTraceID(s.trace())
	out.SetSpanID(spanID(s.id))
	parent := s.parent
	for parent != nil && parent.hidden() {
		parent = parent.parent
	}
	switch {
	case s.kind == kindConsumer && parent != nil && h.linked:
		l := out.Links().AppendEmpty()
		l.SetTraceID(parent.trace())
		l.SetSpanID(parent.inner())
	case parent != nil:
		out.SetParentSpanID(parent.inner())
	}
	out.SetStartTimestamp(pcommon.Timestamp(s.start + skew)) // in range
	out.SetEndTimestamp(pcommon.Timestamp(s.end + skew))     // in range
	if h.kinds {
		out.SetKind(ptrace.SpanKind(s.kind)) // numbered alike
	}
	x.attributes(out, s, h)
	x.status(out, s, h)
}

// trace is the id of the trace that the span is written into.
func (s *span) trace() pcommon.TraceID {
	if id, ok := s.otherTrace(); ok {
		return id
	}
	return s.rq.trace
}

// otherTrace is the trace of what a linked consumer does.
func (s *span) otherTrace() ([16]byte, bool) {
	for ; s != nil; s = s.parent {
		if s.kind == kindConsumer && s.pod.svc.habits.linked && s.parent != nil {
			trace := s.rq.trace
			trace[15] ^= byte(s.id)
			trace[14] ^= byte(s.id >> 8)
			return trace, true
		}
	}
	return [16]byte{}, false
}

func (x *run) writeInternal(out ptrace.Span, s *span) {
	out.SetTraceID(s.trace())
	out.SetSpanID(s.inner())
	out.SetParentSpanID(spanID(s.id))
	skew := int64(s.pod.svc.habits.skew * 1e9)
	out.SetStartTimestamp(pcommon.Timestamp(s.start + skew + 40_000)) // in range
	out.SetEndTimestamp(pcommon.Timestamp(max(s.start+40_001, s.end-20_000) + skew))
	out.SetKind(ptrace.SpanKindInternal)
	out.SetName(s.op.class + "." + s.op.fn)
	if s.op.class == "" {
		out.SetName(s.op.fn)
	}
	if s.pod.svc.habits.codeOnSpan {
		out.Attributes().PutStr("code.filepath", s.op.file)
		out.Attributes().PutStr("code.function", s.op.fn)
		out.Attributes().PutInt("code.lineno", int64(s.op.line))
	}
}
