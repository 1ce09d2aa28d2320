package localize

import (
	"time"

	"github.com/remediator/remediator/telemetry"
)

// episodes counts the requests, or where records belong to none the seconds, in which something was
// logged. Tests of rates take events to be independent, and records of one request are not.
type episodes struct {
	n    float64
	last telemetry.TraceID
	at   int64
	seen map[telemetry.TraceID]bool
}

// maxEpisodes bounds the requests that are told apart; beyond it every record counts.
const maxEpisodes = 4096

func (e *episodes) see(r *telemetry.Log) {
	if r.Trace == (telemetry.TraceID{}) {
		if second := r.Time / int64(time.Second); e.n == 0 || second != e.at {
			e.at = second
			e.n++
		}
		return
	}
	if e.n > 0 && r.Trace == e.last || e.seen[r.Trace] {
		return
	}
	e.last = r.Trace
	if len(e.seen) < maxEpisodes {
		if e.seen == nil {
			e.seen = map[telemetry.TraceID]bool{}
		}
		e.seen[r.Trace] = true
	}
	e.n++
}

// dispersionBins is how many parts of a window are compared.
const dispersionBins = 12

// dispersion is how much more the counts of events in the parts of a window vary than counts of
// independent events would: the quasi-Poisson factor, variance by mean, at least 1 (McCullagh and
// Nelder, Generalized Linear Models, 1989, section 6.2). What comes in bursts when healthy may come
// in a burst again.
func dispersion(times []int64, from, to int64) float64 {
	if len(times) < 2 || to <= from {
		return 1
	}
	var bins [dispersionBins]float64
	width := float64(to-from) / dispersionBins
	for _, t := range times {
		bins[min(max(int(float64(t-from)/width), 0), dispersionBins-1)]++
	}
	mean := float64(len(times)) / dispersionBins
	sum := 0.0
	for _, n := range bins {
		sum += (n - mean) * (n - mean)
	}
	return max(1, sum/(dispersionBins-1)/mean)
}
