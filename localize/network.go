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
func (g *gapShift) slowed() bool {
	return g.delta > 0.33 && g.cur-g.base > 0.003 && g.cur > 1.5*g.base
}

// gapShifts compares caller's with callee's view of each call in both windows.
func (a *analysis) gapShifts() []gapShift {
	var out []gapShift
	for k, c := range a.graph.calls {
		b := a.graphBase.calls[k]
		if b == nil || len(c.gap) < 5 || len(b.gap) < 5 {
			continue
		}
		cur, base := sorted(c.gap), sorted(b.gap)
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
	type tally struct{ slow, all, added float64 }
	nodes := map[string]*tally{}
	slow := 0.0
	get := func(n string) *tally {
		if nodes[n] == nil {
			nodes[n] = &tally{}
		}
		return nodes[n]
	}
	for i := range shifts {
		g := &shifts[i]
		for _, n := range []string{g.edge.from, g.edge.to} {
			t := get(n)
			t.all++
			if g.slowed() {
				t.slow++
				t.added += g.cur - g.base
			}
		}
		if g.slowed() {
			slow++
		}
	}
	if slow == 0 {
		return
	}
	names := make([]string, 0, len(nodes))
	for n := range nodes {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		t := nodes[n]
		if t.slow == 0 {
			continue
		}
		// Precision: which share of its edges is slow; recall: which share of the slow edges it explains.
		precision, recall := t.slow/t.all, t.slow/slow
		fit := 2 * precision * recall / (precision + recall)
		a.networkFit[n] = fit
		a.board.add(n, Reason{Signal: "network",
			Text: fmt.Sprintf("%.0f of its %.0f connections spend more time outside the callee, %s more at the 90th percentile on average; they are %s of all that do",
				t.slow, t.all, seconds(t.added/t.slow), percent(recall)),
			Value: t.added / t.slow, Weight: weightNetwork * fit * fit * (1 - math.Exp(-t.slow/2))})
	}
}

// slowerEnd picks the end of an edge that explains its slowness better; the callee when both
// explain it equally.
func (a *analysis) slowerEnd(from, to string) string {
	if a.networkFit[from] > a.networkFit[to] {
		return from
	}
	return to
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
