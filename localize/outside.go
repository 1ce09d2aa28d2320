package localize

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// demandSurge recognises that more is asked of the system than before: requests rose at its edge and
// everywhere behind it by a similar factor, before it broke. A service that merely multiplies its
// calls raises the demand behind it only.
func (a *analysis) demandSurge([]ranked) verdict {
	callees := map[string]bool{}
	for _, g := range []*traffic{a.graph, a.graphBase} {
		for k := range g.calls {
			if k.from != k.to {
				callees[k.to] = true
			}
		}
	}
	services := map[string]bool{}
	edgeRise := 0.0
	for _, s := range a.shifts {
		if s.class == classDemand && isIncoming(s.name) && s.base > 0 && s.strength > a.k.onset.strong {
			f := s.cur / s.base
			if f > a.k.outside.surgeService {
				services[s.service] = true
			}
			if !callees[s.service] {
				edgeRise = max(edgeRise, f)
			}
		}
	}
	// Requests in the traces tell the same, unless traces are sampled to a fixed rate.
	factor, sudden := a.edgeDemand()
	edgeRise = max(edgeRise, factor)
	for _, s := range a.services {
		now, then := a.graph.members[s], a.graphBase.members[s]
		if now != nil && then != nil && then.n >= a.k.window.enough && now.n/a.cur.seconds() > a.k.outside.surgeService*then.n/a.base.seconds() {
			services[s] = true
		}
	}
	if sudden {
		return verdict{cause: CauseExternal, firm: true, outside: a.k.outside.surgeStep.of(math.Log(factor)),
			why: []string{fmt.Sprintf("from when it began %.1f times the healthy requests arrive at the edge, of most kinds at once: the system is asked for more than it can do", factor)}}
	}
	if edgeRise < a.k.outside.surge || len(services) == 0 {
		return verdict{}
	}
	return verdict{cause: CauseExternal, outside: a.k.outside.surgeSure.of(math.Log(edgeRise)) * a.k.outside.surgeServices.of(float64(len(services))),
		why: []string{fmt.Sprintf("%.1f times the healthy requests arrive at the edge, and %d services see the surge: the system is asked for more than it can do", edgeRise, len(services))}}
}

// isIncoming says that a metric of demand counts what a service is asked for, and not what it asks of others, how often
// it tries, or how well it does.
func isIncoming(name string) bool {
	n := strings.ToLower(name)
	return !slices.ContainsFunc([]string{"success", "outbound", "outgoing", "client", "upstream", "egress", "attempt", "retr", "per_request", "per.request"}, func(w string) bool { return strings.Contains(n, w) })
}

// edgeDemand is by which factor requests from outside are more frequent than when healthy, over all operations at the
// edge. sudden says that they became so within the incident's window, when users began to notice, and most kinds of them
// together: neither another time of day nor one caller explains that.
func (a *analysis) edgeDemand() (factor float64, sudden bool) {
	if len(a.base.traces) < 50 || len(a.cur.traces) < 50 {
		return 0, false
	}
	factor = (float64(len(a.cur.traces)) / a.cur.seconds()) / (float64(len(a.base.traces)) / a.base.seconds())
	begin := a.onset - int64(a.onsetSlack())
	before, after := max(float64(begin-a.cur.from)/1e9, 0), max(float64(a.cur.to-a.onset)/1e9, 0)
	if before < 20 || after < 20 {
		return factor, false
	}
	type rate struct{ then, now float64 }
	rates := map[int32]rate{}
	var total rate
	for t := range a.cur.outcomes {
		r := rates[a.cur.outcomes[t].op]
		switch start := a.cur.traces[t].Start(); {
		case start < begin:
			r.then++
			total.then++
		case start >= a.onset:
			r.now++
			total.now++
		}
		rates[a.cur.outcomes[t].op] = r
	}
	if total.then < a.k.window.enough {
		return factor, false
	}
	healthy := float64(len(a.base.traces)) / a.base.seconds()
	step := min(total.now/after/healthy, (total.now/after)/(total.then/before))
	rose := 0.0
	for _, r := range rates {
		if r.now/after > a.k.outside.surgeService*r.then/before {
			rose += r.then
		}
	}
	if rose <= 0.5*total.then {
		return factor, false
	}
	return step, true
}

// poisonRecord recognises one bad input that fails again and again: the same identifiers in all
// occurrences of the new error, which is about the input.
func (a *analysis) poisonRecord([]ranked) verdict {
	type tally struct {
		n        float64
		distinct map[string]bool
	}
	total := 0.0
	best := verdict{}
	groups := map[int32]*tally{}
	var keys []int32
	for i := range a.cur.ds.Logs {
		id := a.events.cur[i]
		e := &a.events.list[id]
		if e.severity < errorLevel || len(e.base) > 0 {
			continue
		}
		total++
		if !isInputFault(a.cur.ds.Logs[i].Body) {
			continue
		}
		g := groups[id]
		if g == nil {
			g = &tally{distinct: map[string]bool{}}
			groups[id] = g
			keys = append(keys, id)
		}
		g.n++
		if len(g.distinct) < 64 {
			g.distinct[a.cur.ds.Logs[i].Body] = true
		}
	}
	for _, id := range keys {
		g := groups[id]
		if g.n < a.k.outside.poisonTimes || len(g.distinct) > 2 || !hasIdentifier(a.events.list[id].sample.Body) {
			continue
		}
		share := g.n / total
		v := verdict{cause: CauseExternal, firm: true, outside: a.k.outside.poison.of(share), why: []string{fmt.Sprintf(
			"the same input fails %.0f times: %q; the code refuses it correctly, the input has to go", g.n, shorten(a.events.list[id].sample.Body, 160))}}
		if v.outside > best.outside {
			best = v
		}
	}
	return best
}

func isInputFault(body string) bool {
	t := strings.ToLower(shorten(body, 1000))
	for _, w := range []string{"validation", "invalid", "malformed", "out of range", "cannot parse", "corrupt", "unparsable", "poison", "schema mismatch", "bad record", "deserializ"} {
		if strings.Contains(t, w) {
			return true
		}
	}
	return false
}

// hasIdentifier says that a message names the one thing it is about.
func hasIdentifier(body string) bool {
	return slices.ContainsFunc(tokenize(body), func(t string) bool {
		k, _, ok := strings.Cut(t, "=")
		if !ok {
			k, _, ok = strings.Cut(t, ":")
		}
		k = strings.ToLower(k)
		return ok && strings.Contains(t, wildcard) && (strings.Contains(k, "id") || strings.Contains(k, "offset") || strings.Contains(k, "key") || strings.Contains(k, "record") || strings.Contains(k, "message"))
	})
}

// peerFault recognises an outside peer whose own behaviour changed: it fails on first attempts or
// takes longer, while the caller handles it as before.
func (a *analysis) peerFault(suspects []ranked) verdict {
	if len(suspects) == 0 {
		return verdict{}
	}
	if len(a.base.traces) == 0 {
		return a.peerUnknown(suspects[0].service)
	}
	top := suspects[0].service
	best := verdict{}
	keys := map[edgeKey]float64{}
	for k, v := range a.peerFailed {
		keys[k] += v
	}
	for k, v := range a.peerSlowed {
		keys[k] = max(keys[k], v)
	}
	for _, k := range sortedEdges(keys) {
		if k.from != top || a.isService(k.to) {
			continue
		}
		share := keys[k] * (1 - a.handling[k])
		if a.k.outside.peer.of(share) <= 0 {
			continue // too little to say anything
		}
		cause := CauseExternal
		what := "an outside peer"
		kind := a.graph.kinds[k.to]
		if (kind == nodeDatabase || kind == nodeCache) && hasPattern(suspects[0].pattern, PatternPoolWait) {
			continue // what is waited for is a connection, not the database
		}
		if a.shorterDeadline(k) {
			continue
		}
		if (kind == nodeDatabase || kind == nodeCache) && a.spares(k.to) {
			continue
		}
		if kind == nodeDatabase || kind == nodeCache || kind == nodeQueue {
			cause, what = CauseResource, "its "+kind
		}
		v := verdict{cause: cause, outside: a.k.outside.peer.of(share), why: []string{fmt.Sprintf(
			"%s, %s, itself behaves differently than when healthy (%s of what went wrong), and %s handles it as before", k.to, what, percent(clamp01(share)), k.from)}}
		if v.outside > best.outside {
			best = v
		}
	}
	return best
}

// peerUnknown recognises that what fails are the calls of an outside peer, which no healthy traces tell from calls that are wrong.
// Stores are left out: what they refuse is mostly the statement that was sent.
func (a *analysis) peerUnknown(top string) verdict {
	best := verdict{}
	for _, k := range sortedEdges(a.peerFailed) {
		kind := a.graph.kinds[k.to]
		if k.from != top || k.to == "" || a.isService(k.to) || kind == nodeDatabase || kind == nodeCache || kind == nodeQueue {
			continue
		}
		v := verdict{cause: CauseUnclear, outside: a.k.outside.peer.of(a.peerFailed[k]), why: []string{fmt.Sprintf(
			"%s of what went wrong began at calls of %s, which sends no telemetry of its own, and there are no healthy traces to show how %s coped with it before", percent(clamp01(a.peerFailed[k])), k.to, top)}}
		if v.outside > best.outside {
			best = v
		}
	}
	return best
}

// shorterDeadline says that the caller gives up on calls that have not yet lasted as long as
// healthy ones did: it is the caller's patience that changed.
func (a *analysis) shorterDeadline(k edgeKey) bool {
	var given, healthy []float64
	failures := 0.0
	for _, w := range []*window{a.base, a.cur} {
		for t := range w.recs {
			for i := range w.recs[t] {
				r, s := &w.recs[t][i], w.traces[t].Spans[i]
				if op := &a.ops.list[r.op]; op.service != k.from || op.peer != k.to {
					continue
				}
				switch {
				case w == a.base && r.outcome == fine:
					healthy = append(healthy, s.Duration.Seconds())
				case w == a.cur && r.outcome == failed:
					failures++
					if gaveUp(s) || s.HTTPStatus() == 0 {
						given = append(given, s.Duration.Seconds())
					}
				}
			}
		}
	}
	if len(given) < 3 || float64(len(healthy)) < a.k.window.enough || float64(len(given)) < 0.5*failures {
		return false
	}
	slices.Sort(given)
	slices.Sort(healthy)
	// The calls given up on all ended at about one moment, and healthy ones lasted longer.
	sameMoment := quantile(given, 0.9) < 1.3*quantile(given, 0.1)
	return sameMoment && quantile(healthy, 0.98) > a.k.outside.patience*quantile(given, 0.5)
}

func (a *analysis) isService(name string) bool {
	_, ok := slices.BinarySearch(a.services, name)
	return ok
}

func sortedEdges(m map[edgeKey]float64) []edgeKey {
	out := make([]edgeKey, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, func(x, y edgeKey) int {
		if x.from != y.from {
			return compareStrings(x.from, y.from)
		}
		return compareStrings(x.to, y.to)
	})
	return out
}
