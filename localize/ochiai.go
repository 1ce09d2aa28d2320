package localize

import (
	"fmt"
	"math"
	"slices"
)

// findOchiai ranks operations by how well "something was wrong there" agrees with "the trace
// was bad": Ochiai's coefficient, failing∧anomalous / √(failing · anomalous), the best of the
// spectrum formulas in practice (Abreu, Zoeteweij, van Gemund, On the Accuracy of
// Spectrum-based Fault Localization, 2007). Passing traces of both windows count. An operation
// is anomalous in a trace where a failure began at it or where it held the trace up longer
// than 99 of 100 healthy times. Options.Spectrum puts a relative of Ochiai's coefficient in its place.
func (a *analysis) findOchiai() {
	limits := make([]float64, len(a.ops.list))
	for op := range limits {
		limits[op] = math.Inf(1)
	}
	healthy := func(part int) { // of two
		times := make([][]float64, len(a.ops.list))
		for t := range a.base.recs {
			for i := range a.base.recs[t] {
				if r := &a.base.recs[t][i]; int(r.op)%2 == part {
					times[r.op] = append(times[r.op], float64(r.path))
				}
			}
		}
		for op, v := range times {
			if float64(len(v)) >= a.k.window.enough && int(op)%2 == part {
				slices.Sort(v)
				limits[op] = a.k.spectrum.beyond * quantile(v, 1-a.k.window.tail)
			}
		}
	}
	beside(func() { healthy(0) }, func() { healthy(1) })
	goodTraces := float64(len(a.base.recs) + len(a.cur.recs))
	badHit, goodHit := map[int32]float64{}, map[int32]float64{}
	type hits struct {
		bad       float64 // traces
		inBad, in []float64
	}
	cur, base := both(a, func(w *window) hits {
		h := hits{inBad: make([]float64, len(a.ops.list)), in: make([]float64, len(a.ops.list))}
		var hit handful[int32, bool]
		for t := range w.recs {
			hit.empty()
			for i := range w.recs[t] {
				r := &w.recs[t][i]
				if (r.origin || float64(r.path) > limits[r.op]) && hit.get(r.op) == nil {
					hit.add(r.op, true)
				}
			}
			bad := w == a.cur && w.outcomes[t].bad()
			if bad {
				h.bad++
			}
			for _, op := range hit.keys {
				if bad {
					h.inBad[op]++
				} else {
					h.in[op]++
				}
			}
		}
		return h
	})
	badTraces := cur.bad
	for op := range a.ops.list {
		if n := cur.inBad[op]; n > 0 {
			badHit[int32(op)] = n // an operation's number
		}
		goodHit[int32(op)] = cur.in[op] + base.in[op] // whole numbers
	}
	if badTraces < a.k.spectrum.traces {
		return
	}
	goodTraces -= badTraces
	formula := spectrumOf(a.opt.Spectrum)
	ops := make([]int32, 0, len(badHit))
	for op := range badHit {
		ops = append(ops, op)
	}
	slices.Sort(ops)
	sure := a.k.latency.sure.of(a.worst)
	for _, id := range ops {
		score := formula.of(spectrum{badHit[id], goodHit[id], badTraces, goodTraces})
		if score < a.k.spectrum.least {
			continue
		}
		op := &a.ops.list[id]
		service := op.service
		if c := a.callee(id); c != "" {
			service = a.slowerEnd(id, c)
		}
		a.board.addOp(service, op.name, op.peer, id, Reason{Signal: "ochiai",
			Text: fmt.Sprintf("%s was abnormal in %.0f of %.0f bad traces and in %.0f good ones (%s %.2f)",
				label(op), badHit[id], badTraces, goodHit[id], formula.Title, score),
			Value: score, Weight: a.k.weight.ochiai * score * sure})
	}
}
