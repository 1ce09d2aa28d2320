package simulate

import (
	"fmt"
	"strconv"
	"strings"

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

// attributes names the span and says what it was about.
func (x *run) attributes(out ptrace.Span, s *span, h *habits) {
	a := out.Attributes()
	modern := h.semconv == semconvNew
	put := func(old, current, value string) {
		if modern {
			old = current
		}
		a.PutStr(old, value)
	}
	st := s.step
	switch {
	case st != nil && st.store != nil && st.store.kind == redis:
		out.SetName("GET")
		put("db.system", "db.system.name", "redis")
		put("net.peer.name", "server.address", st.store.name)
	case st != nil && st.store != nil:
		text := st.statement()
		out.SetName(st.verb + " " + st.table)
		put("db.system", "db.system.name", st.store.kind.String())
		put("db.name", "db.namespace", st.store.db)
		put("db.statement", "db.query.text", text)
		put("db.operation", "db.operation.name", st.verb)
		put("db.sql.table", "db.collection.name", st.table)
		put("net.peer.name", "server.address", st.store.name)
	case st != nil && st.queue != nil:
		out.SetName(st.queue.name + " publish")
		a.PutStr("messaging.system", st.queue.system)
		put("messaging.destination", "messaging.destination.name", st.queue.name)
		put("messaging.operation", "messaging.operation.type", "publish")
	case s.kind == kindConsumer:
		q := x.queueOf(s.op)
		out.SetName(q.name + " process")
		a.PutStr("messaging.system", q.system)
		put("messaging.destination", "messaging.destination.name", q.name)
		put("messaging.operation", "messaging.operation.type", "process")
		a.PutStr("messaging.consumer.group.name", s.pod.svc.name)
	case st != nil && st.party != nil:
		put("http.method", "http.request.method", "POST")
		out.SetName("POST")
		put("http.url", "url.full", "https://"+st.party.host+st.party.path)
		put("net.peer.name", "server.address", st.party.host)
	case s.op.proto == overGRPC:
		service := "" + x.sys.org + "." + strings.ToLower(s.op.svc.noun) + ".v1." + s.op.svc.noun + "Service"
		out.SetName(service + "/" + s.op.name)
		a.PutStr("rpc.system", "grpc")
		a.PutStr("rpc.service", service)
		a.PutStr("rpc.method", s.op.name)
		a.PutInt("rpc.grpc.status_code", int64(grpcCode(s)))
		if s.kind == kindClient {
			put("net.peer.name", "server.address", s.op.svc.name)
		}
	default:
		x.httpAttributes(out, s, h, put)
	}
	if s.kind == kindClient && s.attempt > 0 && modern && st != nil && st.op != nil {
		a.PutInt("http.request.resend_count", int64(s.attempt))
	}
	if h.peer && s.kind == kindClient && s.op != nil && st != nil && st.op != nil {
		a.PutStr("peer.service", s.op.svc.name)
	}
	if s.status > 0 && (st == nil || st.store == nil && st.queue == nil) && s.kind != kindConsumer && (s.op == nil || s.op.proto == overHTTP) && answered(s) {
		code := int64(s.status)
		if modern {
			a.PutInt("http.response.status_code", code)
		} else {
			a.PutInt("http.status_code", code)
		}
	}
	if s.kind == kindServer && h.codeOnSpan && !h.internal {
		a.PutStr("code.function", s.op.fn)
		a.PutStr("code.namespace", s.op.class)
	}
	if s.parent == nil && s.op != nil {
		a.PutStr("tenant.id", s.rq.tenant)
	}
}

// answered says whether the other side answered at all, so that there was a status.
func answered(s *span) bool {
	if s.kind != kindClient || s.f == nil {
		return true
	}
	switch s.f.kind {
	case failTimeout, failRefused, failReset, failDNS, failTLS:
		return false
	}
	return true
}

func (x *run) httpAttributes(out ptrace.Span, s *span, h *habits, put func(old, current, value string)) {
	op := s.op
	path := strings.NewReplacer("{id}", strconv.Itoa(s.rq.entity), ":id", strconv.Itoa(s.rq.entity)).Replace(op.route)
	put("http.method", "http.request.method", op.method)
	if s.kind == kindClient {
		out.SetName(op.method)
		if h.semconv == semconvOld && op.svc.lang == java {
			out.SetName("HTTP " + op.method)
		}
		put("http.url", "url.full", "http://"+op.svc.name+":8080"+path)
		put("net.peer.name", "server.address", op.svc.name)
		return
	}
	put("http.target", "url.path", path)
	if h.route {
		out.SetName(op.method + " " + op.route)
		out.Attributes().PutStr("http.route", op.route)
		return
	}
	out.SetName(op.method + " " + path)
}

func (st *step) statement() string {
	switch st.verb {
	case "INSERT":
		return "INSERT INTO " + st.table + " (id, " + snake(st.whereColumn()) + ", updated_at) VALUES (?, ?, ?)"
	case "UPDATE":
		return "UPDATE " + st.table + " SET updated_at = ? WHERE " + st.whereColumn() + " = ?"
	}
	return "SELECT * FROM " + st.table + " WHERE " + st.whereColumn() + " = ?"
}

func (st *step) whereColumn() string {
	if st.where == "" {
		return "id"
	}
	return st.where
}

func (x *run) queueOf(op *operation) *queue {
	for _, q := range x.sys.queues {
		if q.consumer == op {
			return q
		}
	}
	return x.sys.queues[0]
}

func grpcCode(s *span) int {
	if s.status < 400 {
		return 0
	}
	if s.f != nil {
		switch s.f.kind {
		case failTimeout:
			return 4
		case failRefused, failReset, failDNS, failTLS, failBreaker, failOverload:
			return 14
		case failAbsent:
			return 5
		}
	}
	switch s.status {
	case 400:
		return 3
	case 404:
		return 5
	case 409:
		return 9
	case 429:
		return 8
	case 503:
		return 14
	case 504:
		return 4
	}
	return 13
}

// status marks a span that failed, and records the exception where that is the habit.
func (x *run) status(out ptrace.Span, s *span, h *habits) {
	if s.status < 400 {
		return
	}
	serverSide := s.kind == kindServer
	if serverSide && s.status < 500 {
		return // the caller's mistake
	}
	if h.statuses {
		out.Status().SetCode(ptrace.StatusCodeError)
	}
	if s.f == nil {
		return
	}
	lang := s.pod.svc.lang
	typ, msg := s.f.words(lang)
	if h.statuses && h.semconv == semconvOld {
		out.Status().SetMessage(msg)
	}
	if h.semconv == semconvNew {
		if answered(s) && s.f.kind == failStatus {
			out.Attributes().PutStr("error.type", strconv.Itoa(s.status))
		} else {
			out.Attributes().PutStr("error.type", typ)
		}
	}
	local := s.kind == kindServer || s.kind == kindConsumer
	if h.exceptions && (local && s.f.origin == s.op || !local && !answered(s) || local && lang == java) {
		e := out.Events().AppendEmpty()
		e.SetName("exception")
		e.SetTimestamp(pcommon.Timestamp(s.end)) // in range
		e.Attributes().PutStr("exception.type", typ)
		e.Attributes().PutStr("exception.message", msg)
		if local {
			e.Attributes().PutStr("exception.stacktrace", s.f.stack(x.sys, s.op))
		}
	}
	if s.kind == kindClient && s.f.kind == failTimeout && s.step != nil && h.semconv == semconvOld {
		out.Attributes().PutStr("error.message", fmt.Sprintf("no answer within %s", s.f.after))
	}
}
