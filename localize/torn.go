package localize

import "github.com/remediator/remediator/telemetry"

// torn says that spans are missing from the midst of a trace. One that lacks its beginning only is whole below it.
func torn(tr *telemetry.Trace) bool { return tr.Broken && !tr.Headless }

const (
	// tornHabit is how large a share of the callers must be missing from good requests, beside the share in failed ones, for the loss
	// to have nothing to do with the failure.
	tornHabit = 0.5
	// wholeLeast is how many whole failed requests tell where failures begin without the torn ones: fewer would be single events.
	wholeLeast = 5
)

// callers counts the spans of a trace that others name as their parent, and those of them that are missing.
func callers(tr *telemetry.Trace) (all, missing float64) {
	for i, s := range tr.Spans {
		if len(tr.Children(i)) > 0 {
			all++
		}
		if tr.Parent(i) < 0 && !s.Parent.IsZero() && !tr.Headless {
			missing++
		}
	}
	return all + missing, missing
}

// passTorn says that torn traces are to be passed over in asking where failures began. Exporters drop spans under load, whatever these
// say, and above a lost span a failure seems to begin where it was only passed on. Where good requests lack spans nearly as often
// as failed ones, the whole ones are asked alone. Where mostly the failed ones do, what is missing is the fault: a process that
// crashed sends nothing.
func (a *analysis) passTorn() bool {
	if !a.tornFailure() {
		return false
	}
	var good, goodLost, bad, badLost, whole float64
	for _, w := range []*window{a.cur, a.base} {
		for t := range w.outcomes {
			failed := w.outcomes[t].failed
			if failed && w == a.base {
				continue
			}
			all, lost := callers(&w.traces[t])
			switch {
			case !failed:
				good, goodLost = good+all, goodLost+lost
			case torn(&w.traces[t]):
				bad, badLost = bad+all, badLost+lost
			default:
				bad, whole = bad+all, whole+1
			}
		}
	}
	return badLost > 0 && good > 0 && whole >= wholeLeast && goodLost/good >= tornHabit*badLost/bad
}

// tornFailure is whether any failed request lacks spans, which is rare: where none does, nothing is to be counted.
func (a *analysis) tornFailure() bool {
	for t := range a.cur.outcomes {
		if a.cur.outcomes[t].failed && torn(&a.cur.traces[t]) {
			return true
		}
	}
	return false
}
