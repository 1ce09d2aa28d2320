package otlp

import (
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// traceExport is an export of spans.
type traceExport struct{ ptrace.Traces }

func (t *traceExport) items() int { return t.SpanCount() }

func (t *traceExport) sift(b bounds) (s sifted) {
	for _, rs := range t.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			ss.Spans().RemoveIf(func(span ptrace.Span) bool {
				start, end := span.StartTimestamp(), span.EndTimestamp()
				if end == 0 {
					end = start
				}
				if !b.holds(end) {
					s.rejected++
					return true
				}
				s.see(min(max(uint64(start), b.oldest), uint64(end)), uint64(end))
				return false
			})
		}
	}
	s.amended = s.rejected > 0
	return s
}

func (t *traceExport) proto() ([]byte, error) {
	return ptraceotlp.NewExportRequestFromTraces(t.Traces).MarshalProto()
}

func (t *traceExport) size() int {
	var m ptrace.ProtoMarshaler
	return m.TracesSize(t.Traces)
}

func (t *traceExport) fixed() int {
	if t.ResourceSpans().Len() != 1 {
		return 0
	}
	bare := &traceExport{ptrace.NewTraces()}
	from, to := t.ResourceSpans().At(0), bare.ResourceSpans().AppendEmpty()
	from.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(from.SchemaUrl())
	if from.ScopeSpans().Len() == 1 {
		copyScopeSpans(from.ScopeSpans().At(0), to.ScopeSpans().AppendEmpty())
	}
	return bare.size()
}

func (t *traceExport) halve() (export, bool) {
	half := ptrace.NewTraces()
	all := t.ResourceSpans()
	if n := all.Len(); n > 1 {
		second := secondHalf(n)
		all.RemoveIf(func(rs ptrace.ResourceSpans) bool {
			if !second() {
				return false
			}
			rs.MoveTo(half.ResourceSpans().AppendEmpty())
			return true
		})
		return &traceExport{half}, true
	}
	if all.Len() == 0 {
		return nil, false
	}
	from, to := all.At(0), half.ResourceSpans().AppendEmpty()
	from.Resource().CopyTo(to.Resource())
	to.SetSchemaUrl(from.SchemaUrl())
	if n := from.ScopeSpans().Len(); n > 1 {
		second := secondHalf(n)
		from.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			if !second() {
				return false
			}
			ss.MoveTo(to.ScopeSpans().AppendEmpty())
			return true
		})
		return &traceExport{half}, true
	}
	if from.ScopeSpans().Len() == 0 {
		return nil, false
	}
	one, other := from.ScopeSpans().At(0), to.ScopeSpans().AppendEmpty()
	copyScopeSpans(one, other)
	n := one.Spans().Len()
	if n < 2 {
		return nil, false
	}
	second := secondHalf(n)
	one.Spans().RemoveIf(func(s ptrace.Span) bool {
		if !second() {
			return false
		}
		s.MoveTo(other.Spans().AppendEmpty())
		return true
	})
	return &traceExport{half}, true
}

// copyScopeSpans copies all but the spans.
func copyScopeSpans(from, to ptrace.ScopeSpans) {
	from.Scope().CopyTo(to.Scope())
	to.SetSchemaUrl(from.SchemaUrl())
}

func (t *traceExport) answer(asJSON bool, rejected int, why string) ([]byte, error) {
	r := ptraceotlp.NewExportResponse()
	if rejected > 0 {
		r.PartialSuccess().SetRejectedSpans(int64(rejected))
		r.PartialSuccess().SetErrorMessage(why)
	}
	if asJSON {
		return r.MarshalJSON()
	}
	return r.MarshalProto()
}
