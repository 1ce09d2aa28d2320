package localize

import (
	"math"
	"slices"
)

// onsetBins is the resolution of the search for the onset.
const onsetBins = 120

// changePoint splits the window where the rate of events rises most convincingly: it maximises
// the log-likelihood ratio of two Poisson rates against one (Hinkley, Inference about the
// change-point in a sequence of random variables, 1970). It returns the time and the ratio, and
// 0, 0 when the rate does not rise.
func changePoint(times []int64, from, to int64, c *onsetConstants) (int64, float64) {
	if len(times) == 0 || to <= from {
		return 0, 0
	}
	width := float64(to-from) / onsetBins
	var bins [onsetBins]float64
	for _, t := range times {
		bins[min(max(int(float64(t-from)/width), 0), onsetBins-1)]++
	}
	total := float64(len(times))
	overall := total / onsetBins
	before, best, at := 0.0, 0.0, -1
	for k := 1; k < onsetBins; k++ {
		before += bins[k-1]
		after := total - before
		if before > c.early*total {
			break // what began when most of it was over did not begin there: it comes in bursts
		}
		l, r := before/float64(k), after/float64(onsetBins-k)
		if r <= l {
			continue
		}
		llr := after * math.Log(r/overall)
		if before > 0 {
			llr += before * math.Log(l/overall)
		}
		if llr > best {
			best, at = llr, k
		}
	}
	if at < 0 {
		return 0, 0
	}
	// The first event at or after the split is sharper than the bin's edge.
	edge := from + int64(float64(at)*width)
	first := int64(math.MaxInt64)
	for _, t := range times {
		if t >= edge {
			first = min(first, t)
		}
	}
	return first, best
}

// levelShift splits a series of values where its mean changes most (least squares, one
// break; Bai, Estimation of a change point in multiple regression models, 1997) and returns
// the index of the first value after the break; 0 when there is none.
func levelShift(v []float64) int {
	n := len(v)
	if n < 2 {
		return 0
	}
	total := 0.0
	for _, x := range v {
		total += x
	}
	best, at, left := 0.0, 0, 0.0
	for k := 1; k < n; k++ {
		left += v[k-1]
		l, r := left/float64(k), (total-left)/float64(n-k)
		gain := float64(k) * float64(n-k) / float64(n) * (l - r) * (l - r)
		if gain > best*(1+1e-12) {
			best, at = gain, k
		}
	}
	return at
}

// findOnset tells when the incident began: the change point of the bad events of the window,
// else the earliest level shift of the metrics that moved; the start of the window when
// neither is convincing.
func (a *analysis) findOnset(events []int64) int64 {
	w, k := a.cur, &a.k.onset
	slices.Sort(events)
	if t, llr := changePoint(events, w.from, w.to, k); llr >= k.significant {
		// A metric that moved clearly before the events sets the date: the cause comes first.
		return t
	}
	var times []int64
	for _, s := range a.shifts {
		if s.at > 0 && s.strength > k.strong {
			times = append(times, s.at)
		}
	}
	if len(times) > 0 {
		slices.Sort(times)
		return times[len(times)/4]
	}
	a.undated = true
	return w.from
}

// causeOnset is the latest time at which the cause must have been there: the onset, or earlier
// where new warnings or moved metrics announced it. Slow causes (a cache that runs dry, a disk
// that fills) show there long before requests fail.
func (a *analysis) findCauseOnset() int64 {
	at := a.onset
	for _, e := range a.raised {
		if e.fresh && len(e.cur) >= 5 && e.strength > a.k.onset.strong && e.first < at {
			at = e.first
		}
	}
	if a.shiftEvidence() < a.k.combine.wrong {
		return at
	}
	var times []int64
	for _, s := range a.shifts {
		if s.strength > a.k.onset.strong && s.at > 0 && s.class != classDemand && s.class != classOther {
			times = append(times, s.at)
		}
	}
	if len(times) > 0 {
		slices.Sort(times)
		at = min(at, times[len(times)/4])
	}
	return at
}
