package localize

import (
	"strings"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// cover is what one window shows of the faults on an edge that its caller covers up. It counts pieces
// of the caller's work: from the span by which the caller was entered to all that it called for it.
type cover struct {
	units     float64 // pieces of work that called over the edge
	fallen    float64 // of them, those whose call failed in the end and that were answered well
	repeated  float64 // of them, those whose call failed at first only
	abandoned float64 // calls given up before the callee answered, well
	patience  []float64
	answers   []float64 // seconds that the abandoned callees took
	fallenAt  []callAt
	repeatAt  []callAt
}

// callAt is where a call stands.
type callAt struct{ trace, span int }

// effort is how often a service was entered by one operation, and which edges it then called over.
type effort struct {
	n       float64 // answered well, or kept from calling by a breaker
	tripped float64 // of them, those with a breaker's refusal
	made    map[edgeKey]float64
}

// try is the calls of one operation under one parent.
type try struct {
	edge     *call
	home     int
	last     int // span of the last
	failed   bool
	failures int
}

// unit is one piece of work's calls over one edge.
type unit struct {
	failed, repeated bool
	counted, made    bool // it is in the cover, in the work of its entry
	at               int  // span of the call that failed
}

// maxSamples bounds the calls of an edge that are followed to where they failed.
const maxSamples = 2000

// cover sums up one trace.
func (o *observer) cover() {
	for i := range o.tries {
		x := &o.tries[i]
		k := parentKey{x.home, x.edge}
		u := o.units.get(k)
		if u == nil {
			u = o.units.add(k, unit{at: x.last})
		}
		switch {
		case x.failed:
			if !u.failed || x.last < u.at {
				u.at = x.last
			}
			u.failed = true
		case x.failures > 0:
			u.repeated = true
		}
	}
	for i := range o.tries {
		x := &o.tries[i]
		k := parentKey{x.home, x.edge}
		u := o.units.get(k)
		if u.counted {
			continue
		}
		u.counted = true
		c := &x.edge.cover
		c.units++
		if !o.answeredWell(x.home) {
			continue
		}
		switch {
		case u.failed:
			c.fallen++
			if len(c.fallenAt) < maxSamples {
				c.fallenAt = append(c.fallenAt, callAt{o.at, u.at})
			}
		case u.repeated:
			c.repeated++
			if len(c.repeatAt) < maxSamples {
				c.repeatAt = append(c.repeatAt, callAt{o.at, u.at})
			}
		}
	}
	o.works()
}

// answeredWell says that neither a span nor whoever called for it saw it fail.
func (o *observer) answeredWell(i int) bool {
	if o.recs[i].outcome == failed {
		return false
	}
	p := o.tr.Parent(i)
	return p < 0 || !o.tr.Spans[p].Kind.Outgoing() || o.recs[p].outcome != failed
}

// works counts the pieces of work and what each of them called.
func (o *observer) works() {
	o.tripped = emptied(o.tripped)
	for i, s := range o.tr.Spans {
		if o.recs[i].facts.is(troubled) && isBreaker(s) {
			o.tripped[o.home[i]] = true
		}
	}
	for _, i := range o.tr.Order() {
		if o.home[i] != i {
			continue
		}
		refusedToCall := o.tripped[i]
		if !refusedToCall && !o.answeredWell(i) {
			continue
		}
		w := o.work[o.recs[i].op]
		if w == nil {
			w = &effort{made: map[edgeKey]float64{}}
			o.work[o.recs[i].op] = w
		}
		w.n++
		if refusedToCall {
			w.tripped++
		}
	}
	for i := range o.tries {
		x := &o.tries[i]
		w := o.work[o.recs[x.home].op]
		k := parentKey{x.home, x.edge}
		u := o.units.get(k)
		if w == nil || u.made {
			continue
		}
		u.made = true
		if o.answeredWell(x.home) {
			w.made[x.edge.key]++
		}
	}
}

// abandon records an answered call whose caller gave up before the callee, which then answered well.
func (c *cover) abandon(caller, callee *telemetry.Span, seen, given outcome) {
	const clocks = int64(time.Millisecond)
	if seen != failed || given != fine || callee.End() <= caller.End()+clocks || callee.Status == telemetry.StatusError {
		return
	}
	c.abandoned++
	if len(c.answers) < maxSamples {
		c.patience = append(c.patience, caller.Duration.Seconds())
		c.answers = append(c.answers, callee.Duration.Seconds())
	}
}

// isBreaker recognises the refusal of a circuit breaker or a bulkhead to make a call at all, by the
// exceptions and messages of the libraries in use (Resilience4j, Hystrix, Polly, gobreaker, opossum, pybreaker,
// Sentinel, Envoy).
func isBreaker(s *telemetry.Span) bool {
	if breakerWords(s.Message) || breakerWords(s.Attrs.Get(telemetry.AttrErrorType)) {
		return true
	}
	for i := range s.Events {
		a := s.Events[i].Attrs
		if breakerWords(s.Events[i].Name) || breakerWords(a.Get(telemetry.AttrExceptionType)) || breakerWords(a.Get(telemetry.AttrExceptionMsg)) {
			return true
		}
	}
	return false
}

func breakerWords(text string) bool {
	if text == "" {
		return false
	}
	t := strings.ToLower(shorten(text, 400))
	for _, w := range []string{"callnotpermitted", "brokencircuit", "isolatedcircuit", "short-circuited", "circuitbreaker", "circuit breaker", "circuit_breaker", "circuit is open",
		"circuit open", "open circuit", "breaker is open", "bulkheadfull", "bulkhead full", "bulkheadrejected", "eopenbreaker", "degradeexception", "hystrix"} {
		if strings.Contains(t, w) {
			return true
		}
	}
	return false
}
