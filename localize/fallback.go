package localize

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// hiddenConstants say when a fault that callers cover up counts.
type hiddenConstants struct {
	weight, retry, stand           float64
	ratio, least, drop, usual, few float64
	z, presentShare                slope
}

func (c *hiddenConstants) list(t *table) {
	t.num(&c.weight, "hidden.weight", 3.0, "nats for the service behind all the failures that fallbacks and breakers hide", "")
	t.num(&c.retry, "hidden.retry", 0.5, "what a failure counts that a repetition made good", "")
	t.num(&c.stand, "hidden.stand_in", 0.25, "of these nats, what speaks against the caller that merely stands in for another", "")
	t.num(&c.ratio, "hidden.ratio", 1.5, "times its healthy share that a hidden failure must reach", "")
	t.num(&c.least, "hidden.least", 0.02, "share of the caller's work by which it must have risen", "")
	t.num(&c.drop, "hidden.drop", 0.5, "share of its healthy frequency below which a call counts as no longer made", "")
	t.num(&c.usual, "hidden.usual", 0.3, "share of its work in which a caller made a call before its absence says anything", "")
	t.num(&c.few, "hidden.few", 10, "pieces of work in each window that are enough to compare", "")
	t.slope(&c.z, "hidden.z", 3.5, 6, "z score of the rise", "over the hundreds of edges of a graph, 3.5 comes up by chance once in ten windows")
	t.slope(&c.presentShare, "present.hidden", 0.02, 0.1, "share of a caller's work whose failures are hidden and new", "")
}

// veil is a hidden fault of one kind on one edge.
type veil struct {
	edge   edgeKey
	kind   HiddenKind
	share  Shift
	excess float64 // pieces of work to which it happened beyond the healthy share
	sure   float64 // 0..1
	text   string
	// caller says that the caller's own patience or breaker changed, not the callee.
	caller bool
	at     []callAt
}

// findHidden looks for faults that the answers of callers do not show: what a failed call's caller answers well
// all the same, by a fallback or by calling again; what an open breaker no longer lets happen; what the
// caller does not wait for (Nygard, Release It!, 2018, chapters 4 and 5). A system may live with all of that for
// years; it counts by how much more of it there is than when healthy. What began behind the veil is followed
// to where it began, as the failures that users see are.
func (a *analysis) findHidden() {
	a.hidden = map[edgeKey][]Hidden{}
	if a.base.empty() {
		return
	}
	var veils []veil
	for _, k := range a.bothEdges() {
		c, b := a.graph.calls[k], a.graphBase.calls[k]
		if c == nil || b == nil {
			continue // what was never called before cannot be compared
		}
		veils = append(veils, a.coveredUp(k, &c.cover, &b.cover)...)
		if v, ok := a.abandonedCalls(k, c, b); ok {
			veils = append(veils, v)
		}
	}
	veils = append(veils, a.openBreakers()...)
	total := a.failures
	for i := range veils {
		if v := &veils[i]; v.kind != HiddenRetry && v.kind != HiddenDeadline {
			total += v.excess
		}
	}
	impatient := map[edgeKey]bool{}
	for i := range veils {
		v := &veils[i]
		a.hidden[v.edge] = append(a.hidden[v.edge], Hidden{Kind: v.kind, Text: v.text, Share: Shift{round6(v.share.Baseline), round6(v.share.Incident)}})
		if v.kind == HiddenDeadline && v.caller {
			impatient[v.edge] = true
		}
		if rise := v.share.Incident - v.share.Baseline; v.kind != HiddenRetry {
			a.veiled = max(a.veiled, v.sure*a.k.hidden.presentShare.of(rise))
		}
	}
	for i := range veils {
		v := &veils[i]
		v.caller = v.caller || impatient[v.edge]
		a.lift(v, total)
	}
}

// bothEdges lists the edges of both windows in order.
func (a *analysis) bothEdges() []edgeKey {
	seen := map[edgeKey]float64{}
	for _, g := range []*traffic{a.graph, a.graphBase} {
		for k := range g.calls {
			seen[k] = 1
		}
	}
	return sortedEdges(seen)
}

// coveredUp compares failures that the caller's answers do not show.
func (a *analysis) coveredUp(k edgeKey, c, b *cover) []veil {
	h := &a.k.hidden
	var out []veil
	if c.units < h.few || b.units < h.few {
		return nil
	}
	for _, x := range []struct {
		kind      HiddenKind
		cur, base float64
		at        []callAt
		text      string
	}{
		{HiddenFallback, c.fallen, b.fallen, c.fallenAt, "%s calls %s in vain and answers well all the same in %s of its work, %s when healthy: it has something to fall back on"},
		{HiddenRetry, c.repeated, b.repeated, c.repeatAt, "%s has to call %s again until it answers in %s of its work, %s when healthy"},
	} {
		s := Shift{x.base / b.units, x.cur / c.units}
		z := zProportions(x.cur, c.units, x.base, b.units)
		if sure := h.z.of(z); sure > 0 && s.Incident > h.ratio*s.Baseline && s.Incident-s.Baseline >= h.least {
			out = append(out, veil{edge: k, kind: x.kind, share: s, excess: x.cur - s.Baseline*c.units, sure: sure, at: x.at,
				text: fmt.Sprintf(x.text, k.from, k.to, percent(s.Incident), percent(s.Baseline))})
		}
	}
	return out
}

// abandonedCalls compares calls that were given up while the callee still worked at a good answer. Whose doing it is
// shows in how long the callee took: longer than it ever did, or no longer than when it was waited for.
func (a *analysis) abandonedCalls(k edgeKey, c, b *call) (veil, bool) {
	h := &a.k.hidden
	if c.n < h.few || b.n < h.few {
		return veil{}, false
	}
	s := Shift{b.cover.abandoned / b.n, c.cover.abandoned / c.n}
	sure := h.z.of(zProportions(c.cover.abandoned, c.n, b.cover.abandoned, b.n))
	if sure == 0 || s.Incident <= h.ratio*s.Baseline || s.Incident-s.Baseline < h.least {
		return veil{}, false
	}
	took, waited, healthy := median(c.cover.answers), median(c.cover.patience), quantile(b.durations, 0.95)
	v := veil{edge: k, kind: HiddenDeadline, share: s, excess: c.cover.abandoned - s.Baseline*c.n, sure: sure, caller: took <= h.ratio*healthy}
	v.text = fmt.Sprintf("%s gives up %s of its calls to %s after %s, %s when healthy, and %s answers well after %s",
		k.from, percent(s.Incident), k.to, seconds(waited), percent(s.Baseline), k.to, seconds(took))
	if v.caller {
		v.text += fmt.Sprintf("; such answers were waited for when healthy (95 of 100 took up to %s), so it is the patience that changed", seconds(healthy))
	} else {
		v.text += fmt.Sprintf(", where 95 of 100 calls took up to %s when healthy", seconds(healthy))
	}
	return v, true
}

// openBreakers looks for calls that are no longer made though the work that led to them goes on. Many causes
// end a call (a cache that is warm, a flag, a change of the mix); a breaker's is told by its refusals, or by the
// few calls it still lets through failing.
func (a *analysis) openBreakers() []veil {
	h := &a.k.hidden
	type sum struct{ curN, curMade, baseN, baseMade, tripped float64 }
	edges := map[edgeKey]*sum{}
	for _, op := range sortedOps(a.graphBase.work) { // sums depend on the order
		b, c := a.graphBase.work[op], a.graph.work[op]
		if c == nil || c.n < h.few || b.n < h.few {
			continue
		}
		for k, made := range b.made {
			if made < h.usual*b.n || c.made[k]/c.n >= h.drop*made/b.n {
				continue
			}
			s := edges[k]
			if s == nil {
				s = &sum{}
				edges[k] = s
			}
			s.baseN, s.baseMade, s.curN, s.curMade = s.baseN+b.n, s.baseMade+made, s.curN+c.n, s.curMade+c.made[k]
			s.tripped += max(c.tripped-b.tripped/b.n*c.n, 0)
		}
	}
	var out []veil
	for _, k := range a.bothEdges() {
		s := edges[k]
		if s == nil {
			continue
		}
		gone := Shift{1 - s.baseMade/s.baseN, 1 - s.curMade/s.curN}
		sure := h.z.of(zProportions(s.curN-s.curMade, s.curN, s.baseN-s.baseMade, s.baseN))
		missing := s.curN*s.baseMade/s.baseN - s.curMade
		proof := ""
		switch c, b := a.graph.calls[k], a.graphBase.calls[k]; {
		case s.tripped >= h.drop*missing:
			proof = "its breaker says that it refused to call"
		case c != nil && b != nil && zProportions(c.errors, c.n, b.errors, b.n) > h.z.from && c.ratio(c.errors) > h.ratio*b.ratio(b.errors):
			proof = fmt.Sprintf("%s of the calls that it still makes fail, %s when healthy", percent(c.ratio(c.errors)), percent(b.ratio(b.errors)))
		}
		if sure == 0 || proof == "" {
			continue
		}
		v := veil{edge: k, kind: HiddenBreaker, share: gone, excess: missing, sure: sure, text: fmt.Sprintf(
			"%s no longer calls %s in %s of the work in which it used to, and %s", k.from, k.to, percent(missing/max(missing+s.curMade, 1)), proof)}
		if c := a.graph.calls[k]; c != nil {
			v.at = append(slices.Clone(c.cover.fallenAt), c.cover.repeatAt...)
			// Nothing that is called fails: it is the caller that stopped, whatever its breaker took offence at.
			v.caller = c.errors == 0 && c.cover.abandoned == 0 && s.tripped == 0
		}
		out = append(out, v)
	}
	return out
}

// lift gives the reason for whoever is behind the veil.
func (a *analysis) lift(v *veil, total float64) {
	h := &a.k.hidden
	part := clamp01(v.excess / max(total, v.excess, 1))
	fresh := clamp01((v.share.Incident - v.share.Baseline) / max(v.share.Incident, 1e-9))
	weight := h.weight * math.Sqrt(part) * fresh * v.sure
	if v.kind == HiddenRetry {
		weight *= h.retry
	}
	reason := func(share float64) Reason {
		return Reason{Signal: "hidden", Text: v.text, Value: v.share.Incident, Baseline: v.share.Baseline, Weight: weight * math.Sqrt(share)}
	}
	if v.caller {
		a.board.add(v.edge.from, reason(1))
		return
	}
	votes := map[culprit]float64{}
	for _, at := range v.at {
		votes[a.behind(at, v.edge)]++
	}
	if len(votes) == 0 {
		votes[culprit{service: v.edge.to, op: -1}] = 1
	}
	list := make([]culprit, 0, len(votes))
	all := 0.0
	for c, n := range votes {
		list = append(list, c)
		all += n
	}
	slices.SortFunc(list, func(x, y culprit) int {
		return cmp.Or(cmp.Compare(votes[y], votes[x]), cmp.Compare(x.service, y.service), cmp.Compare(x.op, y.op))
	})
	for _, c := range list[:min(len(list), 5)] {
		share := votes[c] / all
		if c.op < 0 {
			if a.isService(c.service) {
				a.board.add(c.service, reason(share))
			} else {
				a.board.add(v.edge.from, reason(share))
			}
			continue
		}
		op := &a.ops.list[c.op]
		a.board.addOp(c.service, op.name, op.peer, c.op, reason(share))
		if !a.isService(c.peer) && c.peer != "" {
			a.peerFailed[edgeKey{op.service, op.peer}] += part * share * fresh
		}
	}
	if behind := list[0]; behind.service != v.edge.from && a.isService(behind.service) && v.kind != HiddenRetry {
		a.board.add(v.edge.from, Reason{Signal: "stands_in", Text: fmt.Sprintf("%s, and %s answers in its place", v.text, v.edge.from),
			Value: v.share.Incident, Baseline: v.share.Baseline, Weight: -h.stand * weight})
	}
}

// culprit is where a hidden failure began: an operation of a service, or a service that sends no spans about it.
type culprit struct {
	service string
	op      int32 // -1 when no span of it is there
	peer    string
}

// behind follows a failed call down to where its failure began.
func (a *analysis) behind(at callAt, edge edgeKey) culprit {
	tr, recs := &a.cur.traces[at.trace], a.cur.recs[at.trace]
	i := a.failureStart(tr, recs, at.span)
	if i < 0 {
		return culprit{service: edge.to, op: -1}
	}
	s := tr.Spans[i]
	if s.Kind.Outgoing() && !isAnswered(tr, recs, i) {
		to := a.places.called(s)
		if to.kind == nodeService && to.name != s.Resource.Service {
			return culprit{service: to.name, op: -1}
		}
		return culprit{service: s.Resource.Service, op: recs[i].op, peer: to.name}
	}
	if s.Resource.Service == edge.from && edge.to != edge.from && a.isService(edge.to) {
		return culprit{service: edge.to, op: -1} // the caller saw it fail, the callee did not
	}
	return culprit{service: s.Resource.Service, op: recs[i].op}
}
