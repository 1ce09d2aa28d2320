package localize

import (
	"math"
	"slices"
	"time"

	"github.com/remediator/remediator/incident"
)

// edgeOp is how one root operation fared in both windows.
type edgeOp struct {
	op                         int32
	n, fails, slows            float64 // incident
	nBase, failBase, slowsBase float64
	p95, p95Base               float64
	zFail, zSlow               float64
	k                          *symptomConstants
}

// strength is how convincingly and how widely the operation got worse.
func (e *edgeOp) strength() float64 {
	return max(e.failEvidence(), e.slowEvidence())
}

// failEvidence is the z score of the failures where the share rose by an amount that
// matters, else 0. Without a baseline any failing share counts as a rise from nothing.
func (e *edgeOp) failEvidence() float64 {
	rise := e.fails/max(e.n, 1) - e.failBase/max(e.nBase, 1)
	if rise < e.k.rise {
		return 0
	}
	return e.zFail
}

// slowEvidence is the z score of the slow traces where the tail rose by an amount that
// matters: by a fifth and by five milliseconds at least.
func (e *edgeOp) slowEvidence() float64 {
	if e.nBase == 0 || e.p95 < e.k.slower*e.p95Base || e.p95-e.p95Base < e.k.slowerSeconds {
		return 0
	}
	return e.zSlow
}

// edgeOps compares the root operations of both windows, worst first.
func edgeOps(a *analysis) []edgeOp {
	byOp := map[int32]*edgeOp{}
	get := func(op int32) *edgeOp {
		e := byOp[op]
		if e == nil {
			e = &edgeOp{op: op, k: &a.k.symptom}
			byOp[op] = e
		}
		return e
	}
	a.cur.eachOutcome(func(o *traceRec) {
		e := get(o.op)
		e.n++
		if o.failed {
			e.fails++
		}
		if o.slow {
			e.slows++
		}
	})
	a.base.eachOutcome(func(o *traceRec) {
		e := get(o.op)
		e.nBase++
		if o.failed {
			e.failBase++
		}
		if o.slow {
			e.slowsBase++
		}
	})
	cur, base := a.cur.latencies(), a.base.latencies()
	out := make([]edgeOp, 0, len(byOp))
	for op, e := range byOp {
		if e.n == 0 {
			continue
		}
		e.p95, e.p95Base = quantile(cur[op], 0.95), quantile(base[op], 0.95)
		if len(a.base.traces) == 0 {
			// Against nothing the plain question is whether failures are there at all.
			e.zFail = math.Sqrt(e.fails) * 2
		} else {
			// An operation that was not called in the healthy window is compared with two
			// flawless calls (Agresti and Caffo's prior alone).
			e.zFail = zProportions(e.fails, e.n, e.failBase, max(e.nBase, 2))
			if e.nBase > 0 {
				e.zSlow = zProportions(e.slows, e.n, e.slowsBase, e.nBase)
			}
		}
		out = append(out, *e)
	}
	slices.SortFunc(out, func(x, y edgeOp) int {
		if sx, sy := x.strength(), y.strength(); sx != sy {
			if sx > sy {
				return -1
			}
			return 1
		}
		if x.n != y.n {
			return int(y.n - x.n)
		}
		return int(x.op - y.op)
	})
	return out
}

// findSymptom names the root operation that got worse most; the alert's own service and
// operation come first where the alert names them and they did get worse.
func findSymptom(a *analysis, inc incident.Incident) Symptom {
	edges := edgeOps(a)
	if len(edges) == 0 {
		return Symptom{Kind: SymptomNone}
	}
	a.edges = len(edges)
	for i := range edges {
		a.worst = max(a.worst, edges[i].strength())
		a.worstSlow = max(a.worstSlow, edges[i].slowEvidence())
	}
	pick := 0
	for i := range edges {
		op := &a.ops.list[edges[i].op]
		named := inc.Service != "" && op.service == inc.Service || inc.Operation != "" && (op.name == inc.Operation || op.span == inc.Operation)
		if named && edges[i].strength() > 0 {
			pick = i
			break
		}
	}
	e := &edges[pick]
	op := &a.ops.list[e.op]
	s := Symptom{
		Service: op.service, Operation: op.name, Kind: SymptomNone,
		Errors:   Shift{e.failBase / max(e.nBase, 1), e.fails / max(e.n, 1)},
		P95:      Shift{e.p95Base, e.p95},
		Requests: Shift{e.nBase / a.base.seconds(), e.n / a.cur.seconds()},
		From:     time.Unix(0, a.cur.from).UTC(), To: time.Unix(0, a.cur.to).UTC(),
	}
	switch f, l := e.failEvidence(), e.slowEvidence(); {
	case f > 0 && f >= l:
		s.Kind = SymptomErrors
	case l > 0:
		s.Kind = SymptomLatency
	}
	s.Exemplars = exemplars(a, e.op, s.Kind)
	return s
}

// exemplars are the ids of the traces that show the symptom best, worst first.
func exemplars(a *analysis, op int32, kind SymptomKind) []string {
	all := a.cur.showing(op, kind == SymptomNone)
	slices.SortStableFunc(all, func(x, y *asyncRec) int {
		if kind == SymptomErrors && x.failed != y.failed {
			if x.failed {
				return -1
			}
			return 1
		}
		if x.duration != y.duration {
			if x.duration > y.duration {
				return -1
			}
			return 1
		}
		return slices.Compare(a.cur.traces[x.trace].ID[:], a.cur.traces[y.trace].ID[:])
	})
	var ids []string
	for _, o := range all {
		if id := a.cur.traces[o.trace].ID.String(); !slices.Contains(ids, id) && len(ids) < 5 {
			ids = append(ids, id)
		}
		if len(ids) == 5 {
			break
		}
	}
	return ids
}
