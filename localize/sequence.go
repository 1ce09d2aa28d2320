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
		trace, span, service int32
		lost                 telemetry.SpanID // the record's span, where the trace lacks it: its steps are none of another span's
	}
	index := make(map[key]int, len(w.ds.Logs)/2)
	var out []sequence
	services := newServiceNumbers()
	for i := range w.ds.Logs {
		link := w.links[i]
		if !link.Tie.Known() {
			continue
		}
		r := &w.ds.Logs[i]
		k := key{trace: link.Trace, span: link.Span, service: services.of(r.Resource)}
		if link.Tie == telemetry.ByTrace && !r.Span.IsZero() {
			k.span, k.lost = -1, r.Span
		}
		at, ok := index[k]
		if !ok {
			at = len(out)
			index[k] = at
			s := sequence{trace: link.Trace, service: r.Resource.Service}
			if k.span >= 0 {
				s.end = w.traces[k.trace].Spans[k.span].End()
			}
			out = append(out, s)
		}
		s := &out[at]
		s.steps = append(s.steps, step{events[i], r.Time})
		s.end = max(s.end, r.Time)
	}
	return out
}

// successors counts the requests in which one event follows another.
type successors struct {
	next map[int32]map[int32]float64
	// kinds counts the requests of each kind that come by an event.
	kinds map[kindEvent]float64
}

type kindEvent struct{ kind, event int32 }

// byTrace is the order of the sequences by trace.
func byTrace(seqs []sequence) []int {
	traces := int32(0)
	for i := range seqs {
		traces = max(traces, seqs[i].trace+1)
	}
	next := make([]int, traces+1)
	for i := range seqs {
		next[seqs[i].trace+1]++
	}
	for t := range traces {
		next[t+1] += next[t]
	}
	order := make([]int, len(seqs))
	for i := range seqs {
		order[next[seqs[i].trace]] = i
		next[seqs[i].trace]++
	}
	return order
}

// serviceNumbers numbers services, by what sent the telemetry.
type serviceNumbers struct {
	byName     map[string]int32
	byResource map[*telemetry.Resource]int32
}

func newServiceNumbers() *serviceNumbers {
	return &serviceNumbers{byName: map[string]int32{}, byResource: map[*telemetry.Resource]int32{}}
}

func (n *serviceNumbers) of(r *telemetry.Resource) int32 {
	id, ok := n.byResource[r]
	if !ok {
		if id, ok = n.byName[r.Service]; !ok {
			id = int32(len(n.byName)) // bounded by the reader's limits
			n.byName[r.Service] = id
		}
		n.byResource[r] = id
	}
	return id
}

// learn counts each step once per request: what a request does again and again, it does for one reason.
func learn(w *window, seqs []sequence) successors {
	m := successors{next: map[int32]map[int32]float64{}, kinds: map[kindEvent]float64{}}
	var steps handful[stepKey, bool]
	var events handful[int32, bool]
	trace := int32(-1)
	for _, i := range byTrace(seqs) {
		s := &seqs[i]
		if s.trace != trace {
			trace = s.trace
			steps.empty()
			events.empty()
		}
		for j := range s.steps {
			next, event := endOfSequence, s.steps[j].event
			if j+1 < len(s.steps) {
				next = s.steps[j+1].event
			}
			if events.get(event) == nil {
				events.add(event, true)
				m.kinds[kindEvent{w.outcomes[s.trace].op, event}]++
			}
			if k := (stepKey{event, next}); steps.get(k) != nil {
				continue
			} else {
				steps.add(k, true)
			}
			n := m.next[event]
			if n == nil {
				n = map[int32]float64{}
				m.next[event] = n
			}
			n[next]++
		}
	}
	return m
}

// stepKey is one event followed by another.
type stepKey struct{ event, next int32 }

// odd is a step that was not taken when healthy, and the one it displaced.
type odd struct {
	expected int32
	z        float64
}

// oddSteps compares what follows each event in both windows. All steps from an event that
// healthy requests hardly ever take are judged together: one fault may end in several ways.
func (l *eventLog) oddSteps(cur, base successors) map[stepKey]odd {
	out := map[stepKey]odd{}
	for event, next := range cur.next {
		b := base.next[event]
		nb, nc := total(b), total(next)
		if nb < l.k.sequence.learned {
			continue
		}
		// What was displaced is what lost the largest share.
		expected, lost := endOfSequence, 0.0
		for y, n := range b {
			if d := n/nb - next[y]/nc; d > lost || d == lost && y < expected {
				lost, expected = d, y
			}
		}
		novel, novelBase := 0.0, 0.0
		for x, k := range next {
			if l.isOdd(b, nb, x, expected) {
				novel += k
				novelBase += b[x]
			}
		}
		z := zProportions(novel, nc, novelBase, nb)
		if novel < l.k.sequence.broken || z < l.k.sequence.odd {
			continue
		}
		for x := range next {
			if l.isOdd(b, nb, x, expected) {
				out[stepKey{event, x}] = odd{expected, z}
			}
		}
	}
	return out
}

// isOdd says that a step to x is none that healthy requests take. A branch that some of them take is
// an ordinary one: that more take it says that the requests changed. Work that goes on where
// it used to end, without a warning, is more work and not a break.
func (l *eventLog) isOdd(b map[int32]float64, nb float64, x, expected int32) bool {
	if b[x]/nb > l.k.sequence.rare {
		return false
	}
	return expected != endOfSequence || x == endOfSequence || l.list[x].severity >= warning
}

func total(m map[int32]float64) float64 {
	sum := 0.0
	for _, n := range m {
		sum += n
	}
	return sum
}

// breakPoint is where a trace left the healthy order first.
type breakPoint struct {
	service         string
	after, expected int32
}

// breaks finds the first odd step of each trace.
func (a *analysis) breaks(w *window, seqs []sequence, steps map[stepKey]odd, base successors) map[int32]breakPoint {
	out := map[int32]breakPoint{}
	when := map[int32]int64{}
	if len(steps) == 0 {
		return out
	}
	for i := range seqs {
		s := &seqs[i]
		for j := range s.steps {
			next, at := endOfSequence, s.end
			if j+1 < len(s.steps) {
				next, at = s.steps[j+1].event, s.steps[j+1].time
			}
			o, isOdd := steps[stepKey{s.steps[j].event, next}]
			if !isOdd || base.kinds[kindEvent{w.outcomes[s.trace].op, s.steps[j].event}] < a.k.sequence.learned {
				continue // or requests of this kind were never seen there
			}
			if t, seen := when[s.trace]; !seen || at < t {
				when[s.trace] = at
				out[s.trace] = breakPoint{s.service, s.steps[j].event, o.expected}
			}
			break
		}
	}
	return out
}

// findSequence adds the breaks as evidence.
func (a *analysis) findSequence() {
	cur, base := both(a, func(w *window) []sequence {
		if w == a.base {
			return sequences(w, a.events.base)
		}
		return sequences(w, a.events.cur)
	})
	if len(base) == 0 || len(cur) == 0 {
		return
	}
	learned, known := both(a, func(w *window) successors {
		if w == a.base {
			return learn(w, base)
		}
		return learn(w, cur)
	})
	steps := a.events.oddSteps(learned, known)
	broken := a.breaks(a.cur, cur, steps, known)
	n := tracesOf(cur)
	if float64(len(broken)) < a.k.sequence.broken {
		return
	}
	z := 0.0
	for _, o := range steps {
		z = max(z, o.z)
	}
	healthy := tracesOf(base)
	healthyBreaks := float64(len(a.breaks(a.base, base, steps, known)))
	share := float64(len(broken)) / max(n, 1)
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
	most := votes[points[0]]
	for rank, p := range points {
		part := votes[p] / total
		if part < a.k.sequence.least || rank >= 12 {
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
			Weight: a.k.weight.sequence * math.Sqrt(perService[p.service]/total) * a.oddity(z) * math.Sqrt(votes[p]/perService[p.service])})
		c := a.board.of(p.service)
		h := Hint{Kind: HintLog, Namespace: after.namespace, File: after.file, Line: after.line, Function: after.function,
			Text: after.text(a.events.miner), Weight: 0.95 * math.Sqrt(votes[p]/most)}
		if after.place() != "" {
			h.Kind = HintCode
		}
		c.hints = append(c.hints, h)
		if p.expected != endOfSequence {
			e := &a.events.list[p.expected]
			h := Hint{Kind: HintLog, Namespace: e.namespace, File: e.file, Line: e.line, Function: e.function,
				Text: e.text(a.events.miner), Weight: 0.85 * math.Sqrt(votes[p]/most)}
			if e.place() != "" {
				h.Kind = HintCode
			}
			c.hints = append(c.hints, h)
		}
	}
}

// oddity is how sure a z score makes it that an event lost its order.
func (a *analysis) oddity(z float64) float64 {
	k := &a.k.sequence
	return ramp(z, k.odd-k.band, k.odd+k.band)
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
	n, last := 0.0, int32(-1)
	for _, i := range byTrace(seqs) {
		if seqs[i].trace != last {
			last = seqs[i].trace
			n++
		}
	}
	return n
}
