package localize

import (
	"fmt"
	"math"
	"slices"
)

// gapShift is how much longer the calls of one edge spend outside the callee than they did.
type gapShift struct {
	edge      edgeKey
	cur, base float64 // 90th percentile, seconds
	delta     float64 // Cliff's delta of the gaps
}

// slowed says that an edge's calls got slower outside the callee, clearly and by an amount
// that matters.
func (g *gapShift) slowed(k *networkConstants) bool {
	return g.delta > k.delta && g.cur-g.base > k.seconds && g.cur > k.ratio*g.base
}

// gapShifts compares caller's with callee's view of each call in both windows.
func (a *analysis) gapShifts() []gapShift {
	var out []gapShift
	for k, c := range a.graph.calls {
		b := a.graphBase.calls[k]
		if b == nil || float64(min(len(c.gap), len(b.gap))) < a.k.network.calls {
			continue
		}
		cur, base := c.gap, b.gap // sorted
		out = append(out, gapShift{edge: k, cur: quantile(cur, 0.9), base: quantile(base, 0.9), delta: cliff(cur, base)})
	}
	slices.SortFunc(out, func(x, y gapShift) int {
		if x.edge.from != y.edge.from {
			return compareStrings(x.edge.from, y.edge.from)
		}
		return compareStrings(x.edge.to, y.edge.to)
	})
	return out
}

// findNetwork looks for the node whose connections all got slower while the other connections
// of its neighbours did not: the common end of what is slow. A slow network, a starved process
// that accepts late or a full accept queue all look like this.
func (a *analysis) findNetwork() {
	shifts := a.gapShifts()
	type side struct{ slow, all float64 } // calls
	type tally struct {
		in, out           side
		addedIn, addedOut float64 // seconds that its connections lost, all calls together
		edges             float64
	}
	nodes := map[string]*tally{}
	total := 0.0
	get := func(n string) *tally {
		if nodes[n] == nil {
			nodes[n] = &tally{}
		}
		return nodes[n]
	}
	for i := range shifts {
		g := &shifts[i]
		calls := a.graph.calls[g.edge].count()
		from, to := get(g.edge.from), get(g.edge.to)
		from.out.all += calls
		to.in.all += calls
		if !g.slowed(&a.k.network) {
			continue
		}
		from.out.slow += calls
		to.in.slow += calls
		added := (g.cur - g.base) * calls
		from.addedOut += added
		to.addedIn += added
		from.edges++
		to.edges++
		total += added
	}
	if total == 0 {
		return
	}
	names := make([]string, 0, len(nodes))
	for n := range nodes {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		t := nodes[n]
		if t.edges == 0 {
			continue
		}
		// Recall: which share of the time lost between services it explains; precision: which
		// share of the calls into it, out of it, or both, is slow.
		recall := (t.addedIn + t.addedOut) / total
		fit := max(t.addedIn/total*t.in.slow/max(t.in.all, 1), t.addedOut/total*t.out.slow/max(t.out.all, 1),
			recall*(t.in.slow+t.out.slow)/(t.in.all+t.out.all))
		a.networkFit[n] = fit
		a.board.add(n, Reason{Signal: "network",
			Text: fmt.Sprintf("%.0f of its connections spend more time outside the callee, %s of all time lost between services; %s of the calls into it are slow, %s of those out of it",
				t.edges, percent(recall), percent(t.in.slow/max(t.in.all, 1)), percent(t.out.slow/max(t.out.all, 1))),
			Value: t.addedIn + t.addedOut, Weight: a.k.weight.network * fit * a.k.network.sure.of(a.gapEvidence(shifts))})
	}
}

// gapEvidence is the largest z score of a slowed connection (Mann and Whitney's test, of which
// Cliff's delta is the effect size).
func (a *analysis) gapEvidence(shifts []gapShift) float64 {
	best := 0.0
	for i := range shifts {
		g := &shifts[i]
		if !g.slowed(&a.k.network) {
			continue
		}
		n, m := float64(len(a.graph.calls[g.edge].gap)), float64(len(a.graphBase.calls[g.edge].gap))
		best = max(best, g.delta*math.Sqrt(3*n*m/(n+m+1)))
	}
	return best
}

// slowerEnd picks the end of a slow call's edge that explains its slowness better. Where the
// network tells neither, it is the callee; but a caller that waits without bound for a callee
// whose own spans are quick is where it can be mended.
func (a *analysis) slowerEnd(op int32, callee string) string {
	from := a.ops.list[op].service
	if c := a.answers[edgeKey{from, callee}]; c != nil && c.unanswered > 0 && c.unanswered/c.calls > c.unansweredBase/max(c.callsBase, 1)+a.k.errors.least && a.owedByCallee(edgeKey{from, callee}, a.ops.list[op].peer) {
		return callee
	}
	switch f, t := a.networkFit[from], a.networkFit[callee]; {
	case f > t:
		return from
	case f == t && a.unbounded[op]:
		return from
	}
	return callee
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
