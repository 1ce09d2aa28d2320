package simulate

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// logs writes the log records, each service in its own manner.
func (x *run) logs() plog.Logs {
	ld := plog.NewLogs()
	byPod := map[*pod]plog.LogRecordSlice{}
	for i := range x.rec.logs {
		l := &x.rec.logs[i]
		out, ok := byPod[l.pod]
		if !ok {
			rl := ld.ResourceLogs().AppendEmpty()
			l.pod.describe(rl.Resource().Attributes())
			out = rl.ScopeLogs().AppendEmpty().LogRecords()
			byPod[l.pod] = out
		}
		x.writeLog(out.AppendEmpty(), l)
	}
	x.events(ld)
	return ld
}

// events are what Kubernetes says of pods, collected as logs by some.
func (x *run) events(ld plog.Logs) {
	if len(x.notes) == 0 || x.sys.metrics == gaugeMetrics {
		return
	}
	rl := ld.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "kubernetes-events")
	out := rl.ScopeLogs().AppendEmpty().LogRecords()
	sort.SliceStable(x.notes, func(a, b int) bool { return x.notes[a].at < x.notes[b].at })
	for _, n := range x.notes {
		r := out.AppendEmpty()
		r.SetTimestamp(pcommon.Timestamp(n.at)) // in range
		r.Body().SetStr(n.reason + ": " + n.text)
		r.SetSeverityText("Normal")
		r.SetSeverityNumber(plog.SeverityNumberInfo)
		if n.reason != "Started" {
			r.SetSeverityText("Warning")
			r.SetSeverityNumber(plog.SeverityNumberWarn)
		}
		r.Attributes().PutStr("k8s.pod.name", n.pod.id)
		r.Attributes().PutStr("k8s.event.reason", n.reason)
	}
}

func (x *run) writeLog(out plog.LogRecord, l *logLine) {
	h := &l.pod.svc.habits
	out.SetTimestamp(pcommon.Timestamp(l.at + int64(h.skew*1e9))) // in range
	severity, text := l.text()
	out.SetSeverityNumber(severity)
	out.SetSeverityText(severityText(severity, l.pod.svc.lang))
	attrs := out.Attributes()
	if l.rq != nil && l.span != nil {
		switch h.logIDs {
		case logSpanIDs:
			out.SetTraceID(l.span.trace())
			out.SetSpanID(l.span.inner())
		case logTraceIDs:
			out.SetTraceID(l.span.trace())
		case logRequestID:
			attrs.PutStr("x-request-id", fmt.Sprintf("%x-%x", l.rq.trace[:4], l.rq.trace[4:8]))
		}
	}
	logger := l.op.class
	if l.pod.svc.lang == java {
		logger = x.sys.prefix + "." + strings.ToLower(l.pod.svc.noun) + "." + l.op.class
	} else if l.pod.svc.lang == python {
		logger = strings.TrimSuffix(l.op.file[strings.LastIndexByte(l.op.file, '/')+1:], ".py")
	}
	if l.pod.svc.lang == java || l.pod.svc.lang == python {
		attrs.PutStr("logger.name", logger)
	}
	if h.logCode {
		attrs.PutStr("code.filepath", l.op.file)
		attrs.PutInt("code.lineno", int64(l.codeLine()))
		attrs.PutStr("code.function", l.op.fn)
	}
	stack := ""
	if l.kind == logFailed && l.f != nil {
		typ, msg := l.f.words(l.pod.svc.lang)
		if l.f.kind == failException || l.f.origin == l.op || l.pod.svc.lang == java || l.pod.svc.lang == python {
			stack = l.f.stack(x.sys, l.op)
			if l.pod.svc.lang != golang || l.f.kind == failException {
				if h.logBody {
					attrs.PutStr("exception.type", typ)
					attrs.PutStr("exception.message", msg)
					attrs.PutStr("exception.stacktrace", stack)
				} else {
					text += "\n" + stack
				}
			}
		}
	}
	if !h.logBody {
		out.Body().SetStr(text)
		return
	}
	body := out.Body().SetEmptyMap()
	body.PutStr("message", text)
	body.PutStr("service", l.pod.svc.name)
	if l.rq != nil {
		body.PutInt("user", int64(l.rq.user))
	}
}

func (l *logLine) codeLine() int {
	if l.kind == logFailed && l.f != nil && l.f.origin == l.op && l.f.line > 0 {
		return l.f.line
	}
	if l.step != nil && l.step.line > 0 {
		return l.step.line + 2
	}
	return l.op.line + 2 + int(l.kind)
}

func severityText(n plog.SeverityNumber, lang language) string {
	switch {
	case n >= plog.SeverityNumberError:
		return "ERROR"
	case n >= plog.SeverityNumberWarn && lang == python:
		return "WARNING"
	case n >= plog.SeverityNumberWarn:
		return "WARN"
	}
	return "INFO"
}

// text is the message. The wording differs from handler to handler and not from record to record.
func (l *logLine) text() (plog.SeverityNumber, string) {
	op := l.op
	thing := strings.ReplaceAll(snake(op.thing), "_", " ")
	form := op.line % 3
	reason := ""
	if l.f != nil {
		typ, msg := l.f.words(l.pod.svc.lang)
		reason = msg
		if l.pod.svc.lang == java || l.pod.svc.lang == python {
			reason = typ + ": " + msg
		}
	}
	entity := 0
	tenant := ""
	if l.rq != nil {
		entity, tenant = l.rq.entity, l.rq.tenant
	}
	ms := float64(l.took) / float64(time.Millisecond)
	switch l.kind {
	case logFailed:
		return plog.SeverityNumberError, [...]string{
			fmt.Sprintf("%s failed for %s %d: %s", op.name, thing, entity, reason),
			fmt.Sprintf("could not %s %s id=%d tenant=%s: %s", op.verb, thing, entity, tenant, reason),
			fmt.Sprintf("unhandled error in %s: %s", op.fn, reason)}[form]
	case logCallFailed:
		return plog.SeverityNumberWarn, [...]string{
			fmt.Sprintf("request to %s failed: %s", l.step.peer(), reason),
			fmt.Sprintf("%s: upstream %s error: %s", op.fn, l.step.peer(), reason),
			fmt.Sprintf("error calling %s for %s %d: %s", l.step.peer(), thing, entity, reason)}[form]
	case logFallback:
		return plog.SeverityNumberWarn, [...]string{
			fmt.Sprintf("%s not available, using default for %s %d: %s", l.step.peer(), thing, entity, reason),
			fmt.Sprintf("falling back to cached %s: %s", thing, reason),
			fmt.Sprintf("%s degraded: %s: %s", op.fn, l.step.peer(), reason)}[form]
	case logChronic:
		return plog.SeverityNumberWarn, [...]string{
			"deprecated configuration key 'legacy.mode' is set and will be ignored in the next release",
			fmt.Sprintf("slow consumer of audit stream detected, buffered %d events", entity%700),
			fmt.Sprintf("could not refresh exchange of feature metadata, keeping the last one (age %ds)", entity%3000),
			fmt.Sprintf("token of user %d expires soon", entity),
			"retrying statsd flush: buffer full"}[(l.pod.svc.habits.chronic-1)%5]
	case logStarted:
		return plog.SeverityNumberInfo, [...]string{
			fmt.Sprintf("Started %s %s in %.3f seconds", l.pod.svc.name, l.pod.version, 1.5+float64(op.line)/50),
			fmt.Sprintf("listening on :8080 version=%s", l.pod.version),
			fmt.Sprintf("server ready, build %s", l.pod.version)}[form]
	case logStep:
		return plog.SeverityNumberInfo, [...]string{
			fmt.Sprintf("%s %s %d", op.verb, thing, entity),
			fmt.Sprintf("loaded %s %d for tenant %s", thing, entity, tenant),
			fmt.Sprintf("%s done for %d", op.fn, entity)}[form]
	}
	return plog.SeverityNumberInfo, [...]string{
		fmt.Sprintf("%s %s %d %.1fms", op.method, strings.NewReplacer("{id}", fmt.Sprint(entity), ":id", fmt.Sprint(entity)).Replace(op.route), l.o, ms),
		fmt.Sprintf("handled %s status=%d duration_ms=%.2f user=%d", op.name, l.o, ms, l.user()),
		fmt.Sprintf("access method=%s route=%s status=%d took=%.1fms", op.method, op.route, l.o, ms)}[form]
}

func (l *logLine) user() int {
	if l.rq == nil {
		return 0
	}
	return l.rq.user
}

// peer is the name of whom a step asks.
func (st *step) peer() string {
	switch {
	case st.op != nil:
		return st.op.svc.name
	case st.store != nil:
		return st.store.name
	case st.party != nil:
		return st.party.host
	case st.queue != nil:
		return st.queue.name
	}
	return "itself"
}
