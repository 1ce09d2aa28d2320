package localize

import (
	"fmt"
	"math"
	"slices"

	"github.com/remediator/remediator/telemetry"
)

// amplifyConstants judge callers that multiply their calls.
type amplifyConstants struct {
	weight, victim, ratio, load, part float64
	sure                              slope
}

func (c *amplifyConstants) list(t *table) {
	t.num(&c.weight, "amplified.weight", 3.5, "nats for a caller that multiplied its calls and with them a callee's load", "")
	t.num(&c.victim, "amplified.victim", 3.0, "nats against the callee", "")
	t.num(&c.ratio, "amplified.ratio", 1.8, "times the healthy calls per request", "")
	t.num(&c.load, "amplified.load", 1.5, "times the healthy load of the callee, per request of the caller", "")
	t.num(&c.part, "amplified.part", 0.6, "part of the callee's added load that comes from the caller", "")
	t.slope(&c.sure, "amplified.sure", 1.1, 1.8, "logarithm of the factor (ln 3 to ln 6)", "three attempts are what clients make by default when a callee is ill by itself")
}

// findAmplified looks for callers that make several times the calls per request that they made when
// healthy, and so load a callee that then fails or is slow. The callee shows the symptoms, but the
// caller is the cause: a retry storm, a loop (Bronson et al., Metastable Failures in Distributed
// Systems, HotOS 2021, on work amplification).
func (a *analysis) findAmplified() {
	k := &a.k.amplify
	type load struct{ cur, base float64 }
	loads := map[string]load{}
	for key, c := range a.answers {
		l := loads[key.to]
		loads[key.to] = load{l.cur + c.calls, l.base + c.callsBase}
	}
	requests := func(w *window, from int64) map[string]float64 {
		entered := map[*telemetry.Resource]float64{}
		for t := range w.traces {
			tr, recs := &w.traces[t], w.recs[t]
			whole := startsIn(tr, from)
			for i, s := range tr.Spans {
				if (recs[i].facts.is(crossing) || tr.Parent(i) < 0) && (whole || s.Start >= from) {
					entered[s.Resource]++
				}
			}
		}
		out := map[string]float64{}
		for r, n := range entered {
			out[r.Service] += n // whole numbers
		}
		return out
	}
	cur, base := both(a, func(w *window) map[string]float64 { return requests(w, a.since(w)) })
	keys := make([]edgeKey, 0, len(a.answers))
	for key := range a.answers {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compareEdges)
	for _, key := range keys {
		c := a.answers[key]
		n, nb := cur[key.from], base[key.from]
		if min(n, nb) < a.k.window.enough || c.callsBase < a.k.network.calls || c.calls < a.k.window.enough {
			continue
		}
		now, before := c.calls/n, c.callsBase/nb
		l := loads[key.to]
		// What the callee would be asked for if the caller asked as often per request as it did.
		usual := l.cur - c.calls + before*n
		if a.fanOut(a.graph, key) < k.ratio*max(1, a.fanOut(a.graphBase, key)) {
			continue // more requests make the call, but none repeats it
		}
		if now < k.ratio*before || l.cur < k.load*usual || c.calls-before*n < k.part*(l.cur-usual) {
			continue
		}
		sure := k.sure.of(math.Log(now / before))
		text := fmt.Sprintf("%s calls %s %.3g times per request, %.3g times when healthy, which makes %.3g times the load of it", key.from, key.to, now, before, l.cur/max(usual, 1))
		a.board.add(key.from, Reason{Signal: "amplified", Text: text, Value: now, Baseline: before, Weight: k.weight * sure})
		a.board.add(key.to, Reason{Signal: "amplified", Text: "its load is its caller's doing: " + text, Value: now, Baseline: before, Weight: -k.victim * sure})
	}
}

// fanOut is how many calls a request that makes any makes.
func (a *analysis) fanOut(g *traffic, key edgeKey) float64 {
	c := g.calls[key]
	if c == nil || c.requests == 0 {
		return 0
	}
	return c.count() / c.requests
}

func compareEdges(x, y edgeKey) int {
	if c := compareStrings(x.from, y.from); c != 0 {
		return c
	}
	return compareStrings(x.to, y.to)
}
