package localize

import "github.com/remediator/remediator/telemetry"

// eachRequest visits the requests of a window: the root of each trace, and what a message set off within
// a trace, which nobody waits for and which fails by itself.
func (a *analysis) eachRequest(w *window, visit func(t, root int)) {
	for t := range w.traces {
		visit(t, w.outcomes[t].root)
	}
	for i := range w.async {
		visit(int(w.async[i].trace), w.async[i].root)
	}
}

// asyncRec is the handling of a message within the trace of its sender.
type asyncRec struct {
	trace int32
	traceRec
}

// findAsync lists the spans that take up a message, and walks their critical paths: the path of the
// trace's root does not wait for them.
func (w *window) findAsync() {
	var path pathFinder
	for t := range w.traces {
		tr, recs := &w.traces[t], w.recs[t]
		for i, s := range tr.Spans {
			if recs[i].facts.kind() != telemetry.KindConsumer || i == w.outcomes[t].root {
				continue
			}
			if p := tr.Parent(i); p >= 0 && tr.Spans[p].Kind == telemetry.KindConsumer {
				continue // a part of taking up the same message
			}
			path.walk(tr, i, recs)
			w.async = append(w.async, asyncRec{int32(t), traceRec{root: i, op: recs[i].op, duration: s.Duration.Seconds(), failed: recs[i].outcome == failed}})
		}
	}
}

// eachOutcome visits how the requests of a window ended.
func (w *window) eachOutcome(visit func(o *traceRec)) {
	for i := range w.outcomes {
		visit(&w.outcomes[i])
	}
	for i := range w.async {
		visit(&w.async[i].traceRec)
	}
}

// showing lists the requests of an operation that went badly, or all of them.
func (w *window) showing(op int32, all bool) []*asyncRec {
	var out []*asyncRec
	for t := range w.outcomes {
		if o := &w.outcomes[t]; o.op == op && (all || o.bad()) {
			out = append(out, &asyncRec{int32(t), *o})
		}
	}
	for i := range w.async {
		if o := &w.async[i]; o.op == op && (all || o.bad()) {
			out = append(out, o)
		}
	}
	return out
}

// below visits the spans that one request is made of: those below its root, without what a message set
// off.
func below(tr *telemetry.Trace, root int, visit func(i int)) {
	stack := []int{root}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		visit(i)
		for _, c := range tr.Children(i) {
			if tr.Spans[c].Kind != telemetry.KindConsumer || tr.Spans[i].Kind == telemetry.KindConsumer {
				stack = append(stack, c)
			}
		}
	}
}
