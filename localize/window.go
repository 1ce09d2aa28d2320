package localize

import (
	"math"
	"slices"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// spanRec is what is concluded about one span.
type spanRec struct {
	op      int32
	outcome outcome
	facts   facts
	origin  bool  // failed, and no failure below explains it
	holds   bool  // a failure lies below, see failedBelow
	path    int64 // nanoseconds on the trace's critical path
}

// traceRec is what is concluded about one trace.
type traceRec struct {
	root     int   // index of the root that stands for the trace
	op       int32 // of the root
	duration float64
	failed   bool // the root failed
	slow     bool // beyond the healthy tail of its operation
	diverged bool // its log events left the healthy order, see sequence.go
}

func (t *traceRec) bad() bool { return t.failed || t.slow }

// window is one dataset with what was concluded about its spans.
type window struct {
	ds        *telemetry.Dataset
	traces    []telemetry.Trace
	recs      [][]spanRec // parallel to traces and their spans
	outcomes  []traceRec  // parallel to traces
	async     []asyncRec  // messages taken up within traces, see async.go
	links     []telemetry.LogLink
	keyed     *keyed                // until the operations have their numbers
	processes []*telemetry.Resource // that sent spans
	linked    bool                  // a receipt links to other spans
	named     []string              // see services
	from, to  int64                 // first and last record, Unix nanoseconds
}

// logBucket is how near in time a log record without ids must be to a span of its service.
const logBucket = 2 * time.Second

func newWindow(ds *telemetry.Dataset, ops *operations) *window {
	w := &window{ds: ds}
	w.arrange()
	w.number(ops)
	return w
}

// arrange concludes what does not depend on the names of operations.
func (w *window) arrange() {
	ds := w.ds
	w.traces = telemetry.GroupTraces(ds.Spans)
	w.recs = make([][]spanRec, len(w.traces))
	w.outcomes = make([]traceRec, len(w.traces))
	all := make([]spanRec, len(ds.Spans))
	w.keyed = newKeyed()
	var path pathFinder
	w.linked = false
	for t := range w.traces {
		tr := &w.traces[t]
		recs := all[:len(tr.Spans):len(tr.Spans)]
		all = all[len(tr.Spans):]
		w.recs[t] = recs
		for i, s := range tr.Spans {
			n := noted(s.Attrs)
			recs[i].outcome = judgeBy(s, telemetry.HTTPStatusOf(n.status), n.rpc)
			recs[i].facts = n.facts(tr, i)
			recs[i].op = w.keyed.number(n.key(s))
			w.linked = w.linked || len(s.Links) > 0 && recs[i].facts.is(receipt)
		}
		findOrigins(tr, recs)
		root := mainRoot(tr)
		w.outcomes[t] = traceRec{root: root, duration: tr.Spans[root].Duration.Seconds(),
			failed: recs[root].outcome == failed || entryFailed(tr, recs, root)}
		path.walk(tr, root, recs)
	}
	w.links = telemetry.Correlate(ds.Logs, w.traces, logBucket, ds.CorrelationKeys...)
	w.from, w.to = span(ds)
	w.processes = resourcesOf(ds)
}

// number names the operations. The numbers of the second window follow those of the first.
func (w *window) number(ops *operations) {
	known := make([]int32, len(w.keyed.keys)) // numbers of keys, and one more
	for t := range w.traces {
		tr, recs := &w.traces[t], w.recs[t]
		for i, s := range tr.Spans {
			k := recs[i].op
			switch {
			case k < 0:
				recs[i].op = ops.of(s)
			case known[k] > 0:
				recs[i].op = known[k] - 1
			default:
				recs[i].op = ops.keyed(s, w.keyed.keys[k])
				known[k] = recs[i].op + 1
			}
		}
		ops.nameCalls(tr, recs)
		w.outcomes[t].op = requestClass(tr, recs, w.outcomes[t].root, ops)
	}
	w.keyed = nil
}

// findOrigins marks failed spans that no failure below explains: where the failure began, as
// far as the trace shows. Steps within a service that say nothing of their outcome do not hide
// what failed inside them.
func findOrigins(tr *telemetry.Trace, recs []spanRec) {
	order := tr.Order()
	for n := len(order) - 1; n >= 0; n-- { // children before parents
		i := order[n]
		for _, c := range tr.Children(i) {
			if recs[c].outcome == failed || recs[c].holds && silent(tr, recs, c) {
				recs[i].holds = true
				break
			}
		}
		recs[i].origin = recs[i].outcome == failed && !recs[i].holds
	}
}

// silent says that a span is a step within its service whose status was never set.
func silent(tr *telemetry.Trace, recs []spanRec, i int) bool {
	s := tr.Spans[i]
	return recs[i].outcome == fine && s.Status == telemetry.StatusUnset && (s.Kind == telemetry.KindInternal || s.Kind == telemetry.KindUnspecified)
}

// startsIn says that all of a trace lies after a time; most do, and then no span has to be asked.
func startsIn(tr *telemetry.Trace, from int64) bool { return tr.Start() >= from }

// failedBelow lists the failed spans next below span i, looking through silent steps.
func failedBelow(tr *telemetry.Trace, recs []spanRec, i int) []int {
	var out []int
	stack := []int{i}
	for len(stack) > 0 {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, c := range tr.Children(at) {
			switch {
			case recs[c].outcome == failed:
				out = append(out, c)
			case recs[c].holds && silent(tr, recs, c):
				stack = append(stack, c)
			}
		}
	}
	return out
}

// entryFailed says that the root is no request of its own (a client, a load generator, a
// browser) and a request it made failed where it entered the system.
func entryFailed(tr *telemetry.Trace, recs []spanRec, root int) bool {
	if tr.Spans[root].Kind.Incoming() {
		return false
	}
	for _, i := range tr.Children(root) {
		if recs[i].outcome == failed && (tr.Spans[i].Kind.Incoming() || tr.Spans[i].Resource.Service != tr.Spans[root].Resource.Service) {
			return true
		}
	}
	return false
}

// mainRoot is the root that stands for the trace: the longest of those that name no parent, or
// of all roots when the true one is missing.
func mainRoot(tr *telemetry.Trace) int {
	best := -1
	for _, r := range tr.Roots {
		if best < 0 {
			best = r
			continue
		}
		a, b := tr.Spans[r], tr.Spans[best]
		if a.Parent.IsZero() != b.Parent.IsZero() {
			if a.Parent.IsZero() {
				best = r
			}
			continue
		}
		if a.Duration > b.Duration {
			best = r
		}
	}
	return max(best, 0)
}

// span is the time the records cover.
func span(ds *telemetry.Dataset) (from, to int64) {
	from, to = math.MaxInt64, math.MinInt64
	see := func(a, b int64) { from, to = min(from, a), max(to, b) }
	if n := len(ds.Spans); n > 0 {
		see(ds.Spans[0].Start, ds.Spans[n-1].Start)
	}
	if n := len(ds.Logs); n > 0 {
		see(ds.Logs[0].Time, ds.Logs[n-1].Time)
	}
	if from > to { // metrics only
		for i := range ds.Metrics {
			if p := ds.Metrics[i].Points; len(p) > 0 {
				see(p[0].Time, p[len(p)-1].Time)
			}
		}
	}
	if from > to {
		return 0, 0
	}
	return from, to
}

// seconds is the length of the window, at least one.
func (w *window) seconds() float64 {
	length := w.to - w.from
	if length < 0 && w.to > w.from {
		length = math.MaxInt64 // clocks at both ends of time
	}
	return max(float64(length)/1e9, 1)
}

func (w *window) empty() bool {
	return len(w.ds.Spans) == 0 && len(w.ds.Logs) == 0 && len(w.ds.Metrics) == 0
}

// latencies collects the durations of traces by root operation, sorted.
func (w *window) latencies() map[int32][]float64 {
	out := map[int32][]float64{}
	for i := range w.outcomes {
		o := &w.outcomes[i]
		out[o.op] = append(out[o.op], o.duration)
	}
	for i := range w.async {
		o := &w.async[i]
		out[o.op] = append(out[o.op], o.duration)
	}
	for _, v := range out {
		slices.Sort(v)
	}
	return out
}

// markSlow marks the traces that lie beyond the healthy tail of their root operation. With
// enough healthy samples the tail is their 99th percentile, so that one in a hundred healthy
// traces counts as slow and the share can be tested; with few it is half as much again as
// the longest seen.
func markSlow(w *window, healthy map[int32][]float64, k *windowConstants) {
	limits := map[int32]float64{}
	mark := func(o *traceRec) {
		v := healthy[o.op]
		if len(v) == 0 {
			return
		}
		limit, ok := limits[o.op]
		if ok {
			o.slow = o.duration > limit
			return
		}
		limit = k.few * v[len(v)-1]
		if float64(len(v)) >= k.enough {
			limit = quantile(v, 1-k.tail)
		}
		limits[o.op] = limit
		o.slow = o.duration > limit
	}
	for i := range w.outcomes {
		mark(&w.outcomes[i])
	}
	for i := range w.async {
		mark(&w.async[i].traceRec)
	}
}
