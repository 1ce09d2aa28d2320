package localize

import (
	"fmt"
	"math"
	"slices"

	"github.com/remediator/remediator/telemetry"
)

// findRepeated looks for one parent issuing the same statement or call many times more than
// when healthy.
func (a *analysis) findRepeated() {
	tally := func(w *window) (perParent map[groupKey2][]float64) {
		perParent = map[groupKey2][]float64{}
		group := func(t, parent int, op int32, n int) {
			if parent < 0 {
				return
			}
			k := groupKey2{w.recs[t][parent].op, op}
			perParent[k] = append(perParent[k], float64(n))
		}
		var counts handful[int32, int]
		for t := range w.traces {
			tr, recs := &w.traces[t], w.recs[t]
			for p := range tr.Spans {
				counts.empty()
				for _, c := range tr.Children(p) {
					// A failed call that is made again is a retry, not a repetition.
					if recs[c].outcome == failed {
						continue
					}
					if n := counts.get(recs[c].op); n != nil {
						*n++
					} else {
						counts.add(recs[c].op, 1)
					}
				}
				for i, op := range counts.keys {
					group(t, p, op, counts.values[i])
				}
			}
		}
		return perParent
	}
	cur, base := both(a, tally)
	keys := make([]groupKey2, 0, len(cur))
	for k := range cur {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y groupKey2) int {
		if x.parent != y.parent {
			return int(x.parent - y.parent)
		}
		return int(x.op - y.op)
	})
	for _, k := range keys {
		n := sorted(cur[k])
		p90 := quantile(n, 0.9)
		if p90 < a.k.shape.repeated {
			continue
		}
		b := sorted(base[k])
		pb := quantile(b, 0.9)
		if len(b) > 0 && p90 < a.k.shape.repeatedRatio*pb {
			continue
		}
		if len(b) == 0 && len(a.base.traces) > 0 && p90 < a.k.shape.repeatedUnknown {
			continue
		}
		op, parent := &a.ops.list[k.op], &a.ops.list[k.parent]
		if op.service == parent.service && !op.kind.Outgoing() && !op.database {
			continue // inner steps, not calls
		}
		d := map[string]string{"parent": parent.name, "statement": firstNonEmpty(op.sample.Attrs.Get(telemetry.AttrDBQuery), op.name)}
		if op.peer != "" {
			d["peer"] = op.peer
		} else if op.service != parent.service {
			d["peer"] = op.service
		}
		text := fmt.Sprintf("%s runs %s %.0f times per request%s", parent.name, op.name, p90, a.whenHealthy(fmt.Sprintf("%.3g times", pb)))
		c := a.board.of(parent.service)
		c.pattern = append(c.pattern, Pattern{Kind: PatternRepeatedQuery, Text: text, Detail: d,
			Values: map[string]float64{"per_parent": p90, "baseline_per_parent": pb}})
		a.board.addOp(parent.service, parent.name, d["peer"], k.parent, Reason{Signal: "repeated", Text: text, Value: p90, Baseline: pb,
			Weight: 2 * a.k.weight.shape * a.k.shape.repeatedSure.of(math.Log(p90/max(pb, 1)))})
	}
}

type groupKey2 struct{ parent, op int32 }
