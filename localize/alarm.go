package localize

import (
	"math"
	"slices"
)

// Whoever asks many questions of a window hears something odd in answer to one of them. logAlarm and
// shortage say how likely their strongest answer is where nothing is wrong, all questions they ask counted
// (Bonferroni; Dunn, Multiple Comparisons among Means, JASA 1961), so that a suspect is named at a known
// rate of false alarms, see present.false_alarm.

// alarmStarts are the parts of the incident's window, from its beginning, after which a rise is looked for: what
// began late is diluted by the time before it. Each is half as long as the one before, so that the best is
// never off by more than a factor of two, at the price of four questions.
var alarmStarts = [...]float64{0, 0.5, 0.75, 0.875}

// kindCounts are how many requests there were of each kind, in the healthy window and from each start on.
type kindCounts map[int32]*[len(alarmStarts) + 1]float64

func (c kindCounts) add(kind int32, healthy bool, at float64) {
	n := c[kind]
	if n == nil {
		n = &[len(alarmStarts) + 1]float64{}
		c[kind] = n
	}
	if healthy {
		n[len(alarmStarts)]++
		return
	}
	for i, from := range alarmStarts {
		if at >= from {
			n[i]++
		}
	}
}

// logAlarm is how likely the most surprising warning or error is by chance. What is compared is how many
// of the requests of a kind bring it, since a window in which people ask for other things has other warnings
// (stratification; Cochran, Some Methods for Strengthening the Common chi-squared Tests, Biometrics 1954). The
// test is Fisher's exact one within each kind. Records that belong to no request are compared
// by seconds, and their counts divided by how unevenly healthy ones come, see dispersion.
func (a *analysis) logAlarm() float64 {
	if !a.comparesLogs() || len(a.raised) == 0 {
		return 1
	}
	asked := 0
	for i := range a.events.list {
		if e := &a.events.list[i]; e.severity >= warning || e.thrown {
			asked++
		}
	}
	index := make(map[*logEvent]int, len(a.raised))
	for i := range a.raised {
		index[a.raised[i].logEvent] = i
	}
	all, hits, untied := kindCounts{}, make([]kindCounts, len(a.raised)), make([][2]float64, len(a.raised))
	for n, w := range []*window{a.cur, a.base} {
		length := max(float64(w.to-w.from), 1)
		for t := range w.traces {
			all.add(w.outcomes[t].op, n == 1, float64(w.traces[t].Start()-w.from)/length)
		}
		ids := a.events.cur
		if n == 1 {
			ids = a.events.base
		}
		type hit struct{ event, trace int32 }
		seen := map[hit]bool{}
		for i, id := range ids {
			e := &a.events.list[id]
			if e.severity < warning && !e.thrown {
				continue
			}
			at, ok := index[e]
			if !ok {
				continue
			}
			link := w.links[i]
			if !link.Tie.Known() {
				untied[at][n]++
				continue
			}
			h := hit{id, link.Trace}
			if seen[h] {
				continue
			}
			seen[h] = true
			if hits[at] == nil {
				hits[at] = kindCounts{}
			}
			hits[at].add(w.outcomes[link.Trace].op, n == 1, float64(w.traces[link.Trace].Start()-w.from)/length)
		}
	}
	chances := make([]float64, 0, len(a.raised))
	exposure := a.exposure()
	for i := range a.raised {
		e := &a.raised[i]
		least, tied := 1.0, 0.0
		for _, n := range hits[i] {
			tied += n[0] + n[len(alarmStarts)]
		}
		if tied < e.curEpisodes.n/2 { // most of it belongs to no request
			x, d := exposure(e.service), dispersion(e.base, a.base.from, a.base.to)
			chances = append(chances, binomialTail(e.curEpisodes.n/d, e.baseEpisodes.n/d, x[0]/max(x[0]+x[1], 1)))
			continue
		}
		for start := range alarmStarts {
			least = min(least, rarer(hits[i], all, start))
		}
		chances = append(chances, min(least*float64(len(alarmStarts)), 1))
	}
	return together(chances, asked)
}

// together is how likely answers as surprising as these are by chance, of as many questions as were asked: the
// i-th strongest counts as if i questions fewer had been asked (Simes, An Improved Bonferroni Procedure, Biometrika
// 1986; the step of Benjamini and Hochberg, 1995). It holds for answers that go along with each other
// (Sarkar, Annals of Statistics 1998), as records of one failure do.
func together(chances []float64, asked int) float64 {
	slices.Sort(chances)
	least := 1.0
	for i, p := range chances {
		least = min(least, p*float64(asked)/float64(i+1))
	}
	return least
}

// mostExact is how many requests of all kinds are counted exactly; beyond them the normal distribution stands
// in, which is then near enough.
const mostExact = 400

// rarer is how likely at least as many of the requests after a start bring an event as did, if those before
// it and the healthy ones bring it as often, kind by kind: the sum of hypergeometric counts.
func rarer(hits, all kindCounts, start int) float64 {
	kinds := make([]int32, 0, len(hits))
	total := 0.0
	for kind, h := range hits {
		kinds = append(kinds, kind)
		total += h[0] + h[len(alarmStarts)]
	}
	slices.Sort(kinds)
	seen, mean, variance := 0.0, 0.0, 0.0
	chances := []float64{1} // of 0, 1, 2 ... hits after the start
	for _, kind := range kinds {
		h, n := hits[kind], all[kind]
		after, of := n[start], n[0]+n[len(alarmStarts)]
		k, seenHere := h[0]+h[len(alarmStarts)], h[start]
		if of == 0 || after == of {
			continue // no requests of this kind to compare with
		}
		seen += seenHere
		mean += k * after / of
		if of > 1 {
			variance += k * after / of * (1 - after/of) * (of - k) / (of - 1)
		}
		if total <= mostExact {
			chances = convolve(chances, hypergeometric(k, after, of))
		}
	}
	if total > mostExact {
		if variance <= 0 {
			return 1
		}
		return upperNormal((seen - mean - 0.5) / math.Sqrt(variance))
	}
	sum := 0.0
	for n := int(seen); n < len(chances); n++ {
		sum += chances[n]
	}
	return min(sum, 1)
}

// hypergeometric is the chances that 0, 1 ... k of k marked requests are among the after of all.
func hypergeometric(k, after, of float64) []float64 {
	choose := func(n, r float64) float64 {
		x, _ := math.Lgamma(n + 1)
		y, _ := math.Lgamma(r + 1)
		z, _ := math.Lgamma(n - r + 1)
		return x - y - z
	}
	out := make([]float64, int(k)+1)
	for i := range out {
		n := float64(i)
		if n > after || k-n > of-after {
			continue
		}
		out[i] = math.Exp(choose(after, n) + choose(of-after, k-n) - choose(of, k))
	}
	return out
}

// convolve is the distribution of the sum of two counts.
func convolve(x, y []float64) []float64 {
	out := make([]float64, len(x)+len(y)-1)
	for i, p := range x {
		for j, q := range y {
			out[i+j] += p * q
		}
	}
	return out
}

// shortage is how likely it is by chance that a resource reached its limit while the requests at the edge
// became slower as much as they did: each may happen, both hardly.
func (a *analysis) shortage() float64 {
	for i := range a.shifts {
		if s := &a.shifts[i]; s.share >= a.k.pool.full && s.strength > a.k.onset.strong {
			return min(a.k.combine.presentShort*float64(max(a.edges, 1))*upperNormal(a.worstSlow), 1)
		}
	}
	return 1
}
