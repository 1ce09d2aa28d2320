package localize

import "github.com/remediator/remediator/telemetry"

// Templates groups log messages into templates exactly as the ranking does, for who wants only that.
type Templates struct{ miner *miner }

// NewTemplates makes an empty grouping.
func NewTemplates() *Templates { return &Templates{newMiner()} }

// Add returns the number of the message's template.
func (t *Templates) Add(message string) int32 { return t.miner.add("", message) }

// Text is a template in words; what varies is <*>.
func (t *Templates) Text(id int32) string { return t.miner.text(id) }

// TracePath is the critical path of one trace.
type TracePath struct {
	Trace    telemetry.TraceID
	Root     *telemetry.Span // stands for the trace
	Broken   bool            // spans are missing
	Segments []PathSegment   // by time, from the root's start; of a very long path the longest
}

// CriticalPaths finds the critical path of every trace of a window, exactly as the ranking does.
func CriticalPaths(ds *telemetry.Dataset) []TracePath {
	ops := newOperations()
	w := newWindow(ds, ops)
	out := make([]TracePath, len(w.traces))
	for t := range w.traces {
		tr := &w.traces[t]
		out[t] = TracePath{Trace: tr.ID, Root: tr.Spans[w.outcomes[t].root], Broken: tr.Broken, Segments: criticalPath(w, ops, t)}
	}
	return out
}
