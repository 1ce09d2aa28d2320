package localize

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// judgeFit asks whether what the change does fits what is seen: by rare words that both share
// (tables, functions, messages), and by the class of failure that both belong to.
func (j *judgedChange) judgeFit(k *fitConstants, names map[string]bool, symptoms bag, symptomConcepts map[string]float64, rarity map[string]float64) {
	if j.facts.class == pathInert || j.facts.onlyWords {
		return // its words are for people; that they are seen says nothing
	}
	if j.facts.onlyLogs {
		// What reports speaks of what is seen since it makes it seen. Only too much of it can be the fault.
		symptomConcepts = map[string]float64{"volume": symptomConcepts["volume"]}
		symptoms = nil
	}
	words := bag{}
	for w, n := range j.facts.words {
		words[w] += n
	}
	for _, w := range nameWords(j.change.Message) {
		if len(w) >= 3 && !isStopWord(w) {
			words[stem(w)] += 0.4
		}
	}
	type hit struct {
		word string
		w    float64
	}
	var hits []hit
	for w, n := range words {
		if s := symptoms[w]; s > 0 && !names[w] && len(w) >= 3 && !isStopWord(w) {
			hits = append(hits, hit{w, s * min(n, 2) * rarity[w]})
		}
	}
	slices.SortFunc(hits, func(x, y hit) int {
		if x.w != y.w {
			return int(math.Copysign(1, y.w-x.w))
		}
		return strings.Compare(x.word, y.word)
	})
	sum := 0.0
	var said []string
	for i, h := range hits {
		if i >= 8 {
			break
		}
		sum += h.w
		if i < 5 {
			said = append(said, h.word)
		}
	}
	// One rare word twice is much, ten common ones are not.
	overlap := 1 - math.Exp(-sum/k.wordScale)
	codeConcepts := conceptWeights(words, k.conceptScale, func(c *concept) []string { return c.code })
	name, shared := sharedConcept(symptomConcepts, codeConcepts)
	j.relation = 1 - (1-overlap)*(1-shared)
	if overlap > k.least {
		j.add("change_words", fmt.Sprintf("shares rare words with what is seen: %s", strings.Join(said, ", ")), overlap, k.words*overlap)
	}
	if shared > k.least {
		j.add("change_concept", fmt.Sprintf("it is about %q, and so is what is seen", name), shared, k.concept*shared)
	}
	if j.relation < k.related {
		j.add("change_fit", "nothing in it relates to what is seen", j.relation, -k.unrelated)
	}
}

// symptomWords are the words of everything that is abnormal, heavier where it is more so.
func (a *analysis) symptomWords() bag {
	b := bag{}
	for _, e := range a.raised {
		b.addWords(e.text(a.events.miner), 0.4+0.6*e.strength)
		b.addWords(shorten(e.sample.Body, 400), 0.3+0.5*e.strength)
	}
	for _, s := range a.shifts {
		if s.class != classDemand {
			b.addWords(s.name, 0.8*s.strength)
		}
	}
	for op, share := range a.blamedOps {
		o := &a.ops.list[op]
		b.addWords(o.name, 0.5*clamp01(share+0.3))
		b.addWords(o.span, 0.5*clamp01(share+0.3))
		b.addWords(o.peer, 0.3*clamp01(share+0.3))
	}
	for _, m := range a.failureMessages() {
		b.addWords(m, 0.8)
	}
	for _, p := range a.patternWords() {
		b.addWords(p, 1)
	}
	// Messages that appear for the first time say what the code does now, gone ones what it
	// no longer does.
	for i := range a.events.list {
		e := &a.events.list[i]
		if e.severity >= warning || a.base.empty() {
			continue
		}
		k, kb := float64(len(e.cur)), float64(len(e.base))
		if z := zRate(k, a.cur.seconds(), kb, a.base.seconds()); math.Abs(z) > 2.5 || kb == 0 && k >= 3 {
			b.addWords(e.text(a.events.miner), 0.4)
		}
	}
	return b
}

// failureMessages are the status and exception messages of the spans where failures began.
func (a *analysis) failureMessages() []string {
	seen := map[string]bool{}
	var out []string
	for t := range a.cur.recs {
		for i, r := range a.cur.recs[t] {
			if !r.origin || len(out) >= 50 {
				continue
			}
			s := a.cur.traces[t].Spans[i]
			m := s.Message
			if e := s.Exception(); e != nil {
				m += " " + e.Attrs.Get("exception.type") + " " + shorten(e.Attrs.Get("exception.message"), 300)
			}
			m = shorten(m, 400)
			if m != "" && !seen[m] {
				seen[m] = true
				out = append(out, m)
			}
		}
	}
	return out
}

// wordRarity is the inverse document frequency of words among the changes: a word that
// many changes use tells none of them apart.
func wordRarity(changes []Change) map[string]float64 {
	df := map[string]float64{}
	for i := range changes {
		seen := map[string]bool{}
		c := &changes[i]
		words := digest(c).words
		for w := range words {
			seen[w] = true
		}
		for _, w := range nameWords(c.Message) {
			seen[stem(w)] = true
		}
		for w := range seen {
			df[w]++
		}
	}
	n := float64(len(changes))
	out := make(map[string]float64, len(df))
	for w, k := range df {
		out[w] = clamp01(math.Log(1+n/k) / math.Log(1+max(n, 8)))
	}
	return out
}
