package simulate

import (
	"fmt"
	"strconv"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

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
