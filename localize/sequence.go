package localize

import (
	"fmt"
	"math"
	"slices"

	"github.com/remediator/remediator/telemetry"
)

// Healthy work writes its log events in an order. findSequence learns from the healthy
// window which event follows which in one span (after Nezha, Yu et al., ESEC/FSE 2023, which
// compares the support of event pairs between windows) and finds, in each trace of the
// incident, the step that left that order first in time. A fault breaks the order where it is,
// and only later where its consequences arrive: a callee's step ends before its caller's does.
// So the first break of a trace points to the code between two log statements.

// step is one event of a sequence.
type step struct {
	event int32
	time  int64
}

// sequence is the events of one span, or of one service in one trace.
type sequence struct {
	trace   int32
	service string
	end     int64 // when the span ended, else the last event
	steps   []step
}

const endOfSequence = int32(-1)

// sequences groups the log events of a window.
func sequences(w *window, events []int32) []sequence {
	type key struct {
		trace, span int32
		service     string
	}
	index := map[key]int{}
	var out []sequence
	for i := range w.ds.Logs {
		link := w.links[i]
		if link.Tie != telemetry.BySpan && link.Tie != telemetry.ByTrace {
			continue
		}
		r := &w.ds.Logs[i]
		k := key{link.Trace, link.Span, r.Resource.Service}
		at, ok := index[k]
		if !ok {
			at = len(out)
			index[k] = at
			s := sequence{trace: link.Trace, service: r.Resource.Service}
			if link.Span >= 0 {
				s.end = w.traces[link.Trace].Spans[link.Span].End()
			}
			out = append(out, s)
		}
		s := &out[at]
		s.steps = append(s.steps, step{events[i], r.Time})
		s.end = max(s.end, r.Time)
	}
	return out
}

// successors counts what follows each event.
type successors map[int32]map[int32]float64

func learn(seqs []sequence) successors {
	m := successors{}
	for i := range seqs {
		steps := seqs[i].steps
		for j := range steps {
			next := endOfSequence
			if j+1 < len(steps) {
				next = steps[j+1].event
			}
			n := m[steps[j].event]
			if n == nil {
				n = map[int32]float64{}
				m[steps[j].event] = n
			}
			n[next]++
		}
	}
	return m
}

// learned is how often an event must have been seen healthy before its successors are known.
const learned = 15

// unusual says that next is practically never what follows event, and what follows instead.
func (m successors) unusual(event, next int32) (expected int32, share float64, ok bool) {
	n := m[event]
	total := 0.0
	for _, c := range n {
		total += c
	}
	if total < learned || n[next] > 0.01*total {
		return 0, 0, false
	}
	best := -1.0
	for e, c := range n {
		if c > best || c == best && e < expected {
			best, expected = c, e
		}
	}
	return expected, best / total, true
}

// breakPoint is where a trace left the healthy order first.
type breakPoint struct {
	service         string
	after, expected int32
}

// breaks finds the first break of each trace.
func breaks(seqs []sequence, m successors) map[int32]breakPoint {
	out := map[int32]breakPoint{}
	when := map[int32]int64{}
	for i := range seqs {
		s := &seqs[i]
		for j := range s.steps {
			next, at := endOfSequence, s.end
			if j+1 < len(s.steps) {
				next, at = s.steps[j+1].event, s.steps[j+1].time
			}
			expected, _, odd := m.unusual(s.steps[j].event, next)
			if !odd {
				continue
			}
			if t, seen := when[s.trace]; !seen || at < t {
				when[s.trace] = at
				out[s.trace] = breakPoint{s.service, s.steps[j].event, expected}
			}
			break
		}
	}
	return out
}

// findSequence adds the breaks as evidence.
func (a *analysis) findSequence() {
	base, cur := sequences(a.base, a.events.base), sequences(a.cur, a.events.cur)
	if len(base) == 0 || len(cur) == 0 {
		return
	}
	// How often healthy traces break the order is measured on one half against the other.
	half := a.base.from + (a.base.to-a.base.from)/2
	var early, late []sequence
	for i := range base {
		if a.base.traces[base[i].trace].Start() < half {
			early = append(early, base[i])
		} else {
			late = append(late, base[i])
		}
	}
	healthyBreaks := float64(len(breaks(late, learn(early))))
	healthy := tracesOf(late)
	broken := breaks(cur, learn(base))
	n := tracesOf(cur)
	z := zProportions(float64(len(broken)), n, healthyBreaks, healthy)
	share := float64(len(broken)) / max(n, 1)
	if z < 3 || share < 2*(healthyBreaks+1)/(healthy+2) {
		return
	}
	a.divergence = z
	votes := map[breakPoint]float64{}
	for t, b := range broken {
		votes[b]++
		a.cur.outcomes[t].diverged = true
		a.breakTimes = append(a.breakTimes, a.cur.traces[t].Start())
	}
	points := make([]breakPoint, 0, len(votes))
	for p := range votes {
		points = append(points, p)
	}
	slices.SortFunc(points, func(x, y breakPoint) int {
		if votes[x] != votes[y] {
			return int(math.Copysign(1, votes[y]-votes[x]))
		}
		if x.service != y.service {
			return compareStrings(x.service, y.service)
		}
		if x.after != y.after {
			return int(x.after - y.after)
		}
		return int(x.expected - y.expected)
	})
	total := float64(len(broken))
	perService := map[string]float64{}
	for _, p := range points {
		perService[p.service] += votes[p]
	}
	for rank, p := range points {
		part := votes[p] / total
		if part < 0.02 || rank >= 12 {
			break
		}
		after := &a.events.list[p.after]
		follow := "the end"
		if p.expected != endOfSequence {
			follow = a.events.name(p.expected)
		}
		a.board.add(p.service, Reason{Signal: "sequence",
			Text: fmt.Sprintf("%.0f of %.0f traces that left the healthy order of log events left it first after %s, where %s used to follow",
				votes[p], total, a.events.name(p.after), follow),
			Value: share, Baseline: healthyBreaks / max(healthy, 1),
			Weight: weightSequence * math.Sqrt(perService[p.service]/total) * ramp(z, 2, 6) * math.Sqrt(votes[p]/perService[p.service])})
		c := a.board.of(p.service)
		h := Hint{Kind: HintLog, Namespace: after.namespace, File: after.file, Line: after.line, Function: after.function,
			Text: after.text(a.events.miner), Weight: clamp01(0.9 * math.Sqrt(part))}
		if after.place() != "" {
			h.Kind = HintCode
		}
		c.hints = append(c.hints, h)
		if p.expected != endOfSequence {
			e := &a.events.list[p.expected]
			h := Hint{Kind: HintLog, Namespace: e.namespace, File: e.file, Line: e.line, Function: e.function,
				Text: e.text(a.events.miner), Weight: clamp01(0.8 * math.Sqrt(part))}
			if e.place() != "" {
				h.Kind = HintCode
			}
			c.hints = append(c.hints, h)
		}
	}
}

// name is an event's place, else its words.
func (l *eventLog) name(id int32) string {
	e := &l.list[id]
	if p := e.place(); p != "" {
		return p
	}
	return fmt.Sprintf("%q", shorten(e.text(l.miner), 80))
}

func tracesOf(seqs []sequence) float64 {
	seen := map[int32]bool{}
	for i := range seqs {
		seen[seqs[i].trace] = true
	}
	return float64(len(seen))
}
