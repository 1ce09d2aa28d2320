package localize

import (
	"path"
	"slices"
	"strings"
)

// diffFacts is what the hunks of a change do to behaviour, as far as text shows.
type diffFacts struct {
	class          pathClass // the most telling of its files
	files          int
	known          bool // some hunks are there to look at
	removed, added []string
	// words of the code lines that changed, removed and added alike
	words map[string]float64
	// valueChanges are literals that changed on lines that otherwise stayed.
	values []valueChange
	// Losses and gains of behaviour, after what merely moved is taken out.
	guardsLost, callsLost, callsGained, constantsLost float64
	loopCalls                                         bool    // a call was put into a loop
	kept                                              float64 // share of the removed tokens that the added lines have too
	rewritten                                         float64 // statements that compute the same thing in another way
	serialises                                        bool    // requests wait for each other that did not
	disrupts                                          string  // what a migration does to data that is in use
	onlyAdds                                          bool
	onlyLogs                                          bool
	onlyWords                                         bool // nothing but messages and comments
	dependency                                        bool
}

// digest reads the hunks of a change.
func digest(c *Change) diffFacts {
	d := diffFacts{class: pathInert, words: map[string]float64{}, files: len(c.Files)}
	dependencyOnly := len(c.Files) > 0
	for _, f := range c.Files {
		pc := classifyPath(f.Path)
		if pc < d.class {
			d.class = pc
		}
		if !isManifest(f.Path) && pc != pathInert {
			dependencyOnly = false
		}
		if pc == pathInert {
			continue
		}
		for _, w := range nameWords(strings.TrimSuffix(f.Path, path.Ext(f.Path))) {
			d.words[stem(w)] += 0.5
		}
		if f.Patch == "" {
			continue
		}
		d.known = true
		removed, added := splitHunks(f.Patch)
		removed, added = dropWording(removed, added)
		if i := slices.IndexFunc(added, disruptive); pc == pathSchema && i >= 0 && d.disrupts == "" {
			d.disrupts = added[i]
		}
		d.removed = append(d.removed, removed...)
		d.added = append(d.added, added...)
		for _, header := range hunkHeaders(f.Patch) {
			for _, w := range nameWords(header) {
				d.words[stem(w)] += 0.3
			}
		}
	}
	d.onlyWords = d.known && len(d.removed)+len(d.added) == 0
	d.dependency = dependencyOnly
	d.compare()
	return d
}

// compare finds what the change took away and what it brought.
func (d *diffFacts) compare() {
	lost, gained := tokenBag(d.removed), tokenBag(d.added)
	common, all := 0.0, 0.0
	for t, n := range lost {
		all += n
		common += min(n, gained[t])
	}
	if all > 0 {
		d.kept = common / all
	}
	d.rewritten = rewritten(d.removed, d.added)
	d.serialises = serialises(d.removed, d.added)
	d.onlyAdds = len(d.removed) == 0 && len(d.added) > 0
	d.guardsLost = max(0, count(d.removed, isGuard)-count(d.added, isGuard))
	d.constantsLost = max(0, count(d.removed, isConstant)-count(d.added, isConstant))
	callsOut, callsIn := calls(d.removed), calls(d.added)
	for c := range callsOut {
		if callsIn[c] == 0 {
			d.callsLost++
		}
	}
	for c := range callsIn {
		if callsOut[c] == 0 {
			d.callsGained++
		}
	}
	d.loopCalls = loopGainedCall(d.removed, d.added)
	d.findValues()
	logs := 0.0
	for _, l := range append(slices.Clone(d.removed), d.added...) {
		if reports(l) {
			logs++
		}
	}
	d.onlyLogs = logs > 0 && d.callsLost <= logs && d.callsGained <= 2*logs && d.guardsLost == 0 && len(d.values) == 0 &&
		logs >= 0.5*float64(len(d.removed)) && len(d.added) <= 12
	// Words that are on both sides in equal number merely moved.
	for _, t := range sortedWords(lost) {
		d.weigh(t, lost[t]-gained[t])
	}
	for _, t := range sortedWords(gained) {
		d.weigh(t, gained[t]-lost[t])
	}
	for _, v := range d.values {
		for _, w := range v.words {
			d.words[w] += 2
		}
	}
}

// weigh counts a changed token's words; ones that merely moved count a little.
func (d *diffFacts) weigh(token string, surplus float64) {
	w := 0.2
	if surplus > 0 {
		w = min(surplus, 3)
	}
	for _, word := range nameWords(token) {
		d.words[stem(word)] += w
	}
}

// risk is how likely the change alters behaviour, 0..1, judged from its text alone: a
// refactoring that says the same in other words keeps its tokens, guards, calls and values.
func (d *diffFacts) risk(k *riskConstants) float64 {
	switch {
	case d.class == pathInert:
		return k.inert
	case !d.known:
		return k.unknown // paths alone
	case d.onlyWords:
		return k.comment
	case d.dependency:
		return k.dependency
	}
	if d.disrupts != "" {
		return k.disrupts
	}
	r := k.any
	if len(d.values) > 0 {
		changed := k.value + k.valueSize*clamp01(d.largestRatio()/3)
		if d.loosened() {
			changed *= k.loosened
		}
		r += changed
	}
	// What was taken out and stands elsewhere in other words is no loss: the more of the
	// removed tokens are kept, the less a missing check or call means.
	gone := clamp01(1.25 * (1 - d.kept))
	r += k.guard * min(d.guardsLost, 1) * gone
	r += k.call * min(d.callsLost, 3) * gone
	if d.constantsLost > 0 {
		r += k.constant
	}
	r += k.gained * min(d.callsGained, 3)
	if d.loopCalls {
		r += k.loop
	}
	edited := d.rewritten > 0 && len(d.values) == 0 && d.callsLost == 0 && d.guardsLost == 0 // else that is told already
	if edited {
		r += k.rewritten
	}
	if d.serialises {
		r += k.serial
	}
	if d.onlyAdds {
		r *= k.onlyAdds
	}
	if d.onlyLogs {
		r *= k.onlyLogs
	}
	if len(d.removed) > 0 && d.kept > k.movedShare && len(d.values) == 0 && !d.loopCalls && !d.serialises && !edited && d.constantsLost == 0 {
		r *= k.moved
	}
	return min(r, k.most)
}
