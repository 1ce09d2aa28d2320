package otlp

import (
	"math"
	"slices"
)

const (
	// bins is the resolution of the search for the onset: ten seconds of three quarters of an hour.
	bins = 270
	// enough is how many events make a share or a quantile usable.
	enough = 20
	// convincing is the log-likelihood ratio from which a change is believed: 10 is odds of about 20,000 to 1
	// before paying for the choice among the bins.
	convincing = 10
	// rise is the least rise of the share of bad events that somebody is alerted for.
	rise = 0.01
)

// onset finds the moment between two times from which events are bad more often: the split into two
// shares that is likelier than one share by the largest ratio (the change point of a binomial sequence; Hinkley and
// Hinkley, Inference about the change-point in a sequence of binomial variables, 1970). False when none is convincing.
// The events are ordered by time.
func onset(events []outcome, from, to int64) (int64, bool) {
	if to <= from {
		return 0, false
	}
	var n, bad [bins]float64
	width := float64(to-from) / bins
	total, totalBad := 0.0, 0.0
	for _, e := range events {
		if e.at < from || e.at > to {
			continue
		}
		i := min(int(float64(e.at-from)/width), bins-1)
		n[i]++
		total++
		if e.bad {
			bad[i]++
			totalBad++
		}
	}
	whole := likelihood(totalBad, total)
	best, at := 0.0, -1
	left, leftBad := 0.0, 0.0
	for k := 1; k < bins; k++ {
		left += n[k-1]
		leftBad += bad[k-1]
		if left < enough || total-left < enough {
			continue
		}
		before, after := leftBad/left, (totalBad-leftBad)/(total-left)
		if after < before+rise {
			continue
		}
		if ratio := likelihood(leftBad, left) + likelihood(totalBad-leftBad, total-left) - whole; ratio > best {
			best, at = ratio, k
		}
	}
	if best < convincing {
		return 0, false
	}
	// The first bad event from the split on is sharper than the edge of its bin.
	edge := from + int64(float64(at)*width)
	for _, e := range events {
		if e.bad && e.at >= edge {
			return e.at, true
		}
	}
	return edge, true
}

// likelihood is the logarithm of the likelihood of so many bad events among n, at their own share.
func likelihood(bad, n float64) float64 {
	sum := 0.0
	for _, x := range [...]float64{bad, n - bad} {
		if x > 0 {
			sum += x * math.Log(x/n)
		}
	}
	return sum
}

// slow is, by operation, the duration beyond which a trace counts as slow: half as much again as the 95th percentile of
// the first third of the time, which is the furthest from the alert. Operations seen too seldom there have none.
func (s *survey) slow() map[int32]int64 {
	until := s.from.Add(s.to.Sub(s.from) / 3).UnixNano()
	early := map[int32][]int64{}
	limits := map[int32]int64{-1: math.MaxInt64}
	for _, j := range s.journeys {
		limits[j.operation] = math.MaxInt64
		if j.start <= until && !j.failed && j.operation >= 0 {
			early[j.operation] = append(early[j.operation], j.entry)
		}
	}
	for op, d := range early {
		if len(d) >= enough {
			slices.Sort(d)
			limits[op] = d[len(d)*95/100] + d[len(d)*95/100]/2
		}
	}
	return limits
}
