package localize

import "github.com/remediator/remediator/telemetry"

// facts is what the passes over a window ask of each span, looked up once: a pass that reads facts alone stays within
// the records, where one that goes to the spans waits for memory at every step.
type facts uint8

const (
	kindBits  facts = 7 // telemetry.Kind
	statement facts = 1 << (iota + 2)
	receipt         // see receives
	threw           // it carries an exception
	crossing        // its parent is another service's
	troubled        // it has events, or failed
)

// factsOf looks at span i of a trace.
func factsOf(tr *telemetry.Trace, i int) facts {
	s := tr.Spans[i]
	f := facts(s.Kind) & kindBits
	if hasStatement(s) {
		f |= statement
	}
	if receives(s) {
		f |= receipt
	}
	if len(s.Events) > 0 || s.Status == telemetry.StatusError {
		f |= troubled
		if s.Exception() != nil {
			f |= threw
		}
	}
	if p := tr.Parent(i); p >= 0 && tr.Spans[p].Resource != s.Resource && tr.Spans[p].Resource.Service != s.Resource.Service {
		f |= crossing
	}
	return f
}

func (f facts) is(what facts) bool   { return f&what != 0 }
func (f facts) kind() telemetry.Kind { return telemetry.Kind(f & kindBits) }

// resourcesOf lists the processes that sent spans.
func resourcesOf(ds *telemetry.Dataset) []*telemetry.Resource {
	var out []*telemetry.Resource
	known, last := map[*telemetry.Resource]bool{}, (*telemetry.Resource)(nil)
	for i := range ds.Spans {
		if r := ds.Spans[i].Resource; r != last {
			if last = r; !known[r] {
				known[r] = true
				out = append(out, r)
			}
		}
	}
	return out
}
