package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// spanCalls are the functions that start or name a span, with the position of the name among the
// positional arguments: OpenTelemetry, OpenTracing, OpenCensus, Datadog, Micrometer, Sentry.
var spanCalls = map[string]int{
	"Start": 1, // tracer.Start(ctx, name); only on a tracer, see spans
	"start": 0,

	"StartSpan": 0, "startSpan": 0, "start_span": 0,
	"startActiveSpan": 0, "start_active_span": 0, "start_as_current_span": 0,
	"StartSpanFromContext": 1, "StartSpanWithContext": 1, "StartSpanWithRemoteParent": 1,
	"spanBuilder": 0, "buildSpan": 0, "withSpan": 0,
	"SetName": 0, "updateName": 0, "update_name": 0,
	"SetOperationName": 0, "setOperationName": 0, "set_operation_name": 0,
}

// spanMarks are annotations and decorators that make a span of a function, with the keys that may
// carry its name.
var spanMarks = map[string][]string{
	"WithSpan": {"value"}, "SpanAttribute": nil, "NewSpan": {"value", "name"}, "ContinueSpan": nil,
	"Observed": {"name", "contextualName"}, "Timed": nil, "Traced": {"operationName", "value"},
	"Trace": {"operationName"}, "Span": {"name", "value"},
	"start_as_current_span": {"name"}, "start_span": {"name"}, "traced": {"name"}, "wrap": {"name"}, "instrument": {"name", "span_name"},
}

// spans recognises a call that starts or names a span.
func (c *collector) spans(x *call) {
	name := last(x.callee)
	receiver := strings.ToLower(front(x.callee))
	at, known := spanCalls[name]
	switch {
	case name == "Start":
		known = len(x.args) >= 2 && (strings.Contains(receiver, "trace") || strings.HasSuffix(receiver, "tr") || c.opens(x, "Tracer"))
		if known && strings.HasSuffix(x.callee, "trace.Start") {
			known = false // runtime/trace
		}
	case name == "start":
		known = strings.Contains(receiver, "tracer") || strings.Contains(receiver, "span")
	case name == "SetName" || name == "updateName" || name == "update_name":
		known = strings.Contains(receiver, "span") || strings.HasSuffix(receiver, "sp")
	case name == "StartSpan" || name == "startSpan" || name == "start_span":
		// Receivers differ: trace.StartSpan(ctx, name), tracer.StartSpan(name).
		if a, ok := x.arg(0); ok && a.kind != textual && len(x.args) > 1 {
			if b, ok := x.arg(1); ok && (b.kind == textual || b.kind == named && c.file.Language == "go") {
				at = 1
			}
		}
	case name == "NewHandler" && strings.Contains(receiver, "otelhttp"), name == "WithRouteTag" && strings.Contains(receiver, "otelhttp"):
		at, known = 1, true
		if name == "WithRouteTag" {
			at = 0
		}
	case name == "NewMiddleware" && strings.Contains(receiver, "otelhttp"):
		at, known = 0, true
	case !known && spanHelper(name):
		// A helper of the program's own: the first text among its arguments is the name.
		for i := range x.args {
			if a, ok := x.arg(i); ok && a.kind == textual {
				at, known = i, true
				break
			}
		}
	}
	if !known {
		return
	}
	if a, ok := x.key("name"); ok {
		if t, ok := a.template(); ok {
			c.addSpan(x, t)
		}
		return
	}
	t, ok := x.literal(at)
	if !ok && len(x.args) > 0 {
		t, ok = x.literal(0)
	}
	if ok {
		c.addSpan(x, t)
	}
}

func (c *collector) addSpan(x *call, text string) {
	if text == facts.Hole {
		return
	}
	if c.spanned == nil {
		c.spanned = map[*call]bool{}
	}
	c.spanned[x] = true
	s := facts.Site{Kind: facts.Span, Text: text, Line: x.line, Func: x.fn, Via: shorten(x.callee)}
	if name := last(x.callee); name == "NewHandler" || name == "WithRouteTag" {
		h, _ := x.arg(0)
		if name == "WithRouteTag" {
			h, _ = x.arg(1)
		}
		s.Handler = handlerName(h)
		s.HandlerFrom, s.HandlerTo = handlerLines(h)
	}
	c.site(s)
}

// opens says whether the receiver of a call was made by a function of the given name in this file.
func (c *collector) opens(x *call, maker string) bool {
	if x.on != nil {
		return last(x.on.callee) == maker
	}
	for _, m := range c.makers(front(x.callee)) {
		if last(m) == maker {
			return true
		}
	}
	return false
}

// makers are the functions whose results are bound to a name in this file.
func (c *collector) makers(name string) []string {
	if c.made == nil {
		c.made = map[string][]string{}
		for _, b := range c.binds {
			if b.value.kind == called {
				target := last(b.target)
				if list := c.made[target]; len(list) < 8 {
					c.made[target] = append(list, b.value.call.callee)
				}
			}
		}
	}
	return c.made[last(name)]
}

// spanHelper recognises a name such as startChildSpan, with_span, newSpan, traceCall.
func spanHelper(name string) bool {
	lower := strings.ToLower(name)
	if strings.HasPrefix(lower, "end") || strings.HasPrefix(lower, "get") || strings.HasSuffix(lower, "spanfromcontext") {
		return strings.HasPrefix(lower, "start")
	}
	if !strings.Contains(lower, "span") {
		return false
	}
	for _, verb := range []string{"start", "new", "with", "begin", "create", "open", "in", "run", "trace"} {
		if strings.HasPrefix(lower, verb) {
			return true
		}
	}
	return false
}

// spanMark recognises an annotation or decorator that wraps a function in a span.
func (c *collector) spanMark(m mark) {
	keys, ok := spanMarks[last(m.name)]
	if !ok || keys == nil || m.symbol < 0 || c.spanned[m.call] {
		return
	}
	if last(m.name) == "wrap" && !strings.Contains(strings.ToLower(m.name), "trac") {
		return
	}
	text := ""
	for _, k := range keys {
		if v, ok := lookup(m.args, k); ok {
			if t, ok := v.template(); ok {
				text = t
				break
			}
		}
	}
	if text == "" && len(m.args) > 0 && m.args[0].key == "" {
		text, _ = m.args[0].template()
	}
	if text == "" {
		// Without a name the span is called Class.method, as the Java agent does.
		text = c.name(m.symbol)
	}
	line := m.line
	c.site(facts.Site{Kind: facts.Span, Text: text, Line: line, Func: m.symbol, Via: "@" + last(m.name)})
}

// shorten keeps the telling end of a chain of calls.
func shorten(callee string) string {
	if i := strings.LastIndexByte(callee, '.'); i > 0 {
		if j := strings.LastIndexByte(callee[:i], '.'); j >= 0 {
			return callee[j+1:]
		}
	}
	return callee
}
