package codeindex

import (
	"fmt"
	"math"
	"sort"
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// WeightedQuery is a lead with how telling it is, 0..1. A weight of zero counts as one.
type WeightedQuery struct {
	Query
	Weight float64
}

// maxLocations bounds the result: nobody reads further, and scores are noise by then.
const maxLocations = 20

// How much of a place's score its neighbours in the call graph get. A retry loop, a transaction or a
// fan-out often stands in the function around the one with the span; it must stay behind direct hits.
const (
	callerShare = 0.55
	calleeShare = 0.45
)

// followed is from which score on, and for how many places, calls are followed.
const (
	followFrom = 0.3
	followMost = 6
)

// hit is one place that one lead points to.
type hit struct {
	at     ref // symbol is facts.None at file level
	line   int32
	score  float64
	reason string
}

// Locate joins leads into places, best first. Leads for the same function add up as independent
// evidence, 1-Π(1-wᵢsᵢ) (noisy or; Pearl, Probabilistic Reasoning in Intelligent Systems, 4.3.2);
// within one lead only the best hit of a function counts. No lead, or none that leads anywhere,
// gives nil.
func (x *Index) Locate(leads ...WeightedQuery) []Location {
	places := map[ref]*place{}
	for i := range leads {
		q := &leads[i]
		weight := q.Weight
		if weight <= 0 || weight > 1 {
			weight = 1
		}
		for _, hits := range x.hits(&q.Query) {
			x.add(places, x.weigh(hits, &q.Query), weight)
		}
	}
	direct := ranked(places)
	x.follow(places, direct)
	all := ranked(places)
	out := make([]Location, 0, min(len(all), maxLocations))
	for _, p := range all {
		if len(out) == maxLocations {
			break
		}
		out = append(out, x.location(p))
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// place is what is known against one function.
type place struct {
	at       ref
	path     string
	line     int32
	best     float64 // of a single lead; its line is shown
	score    float64
	reasons  []string
	indirect bool
}

// weigh judges the hits of one lead by where they are: the service's own paths, tests, generated
// code, and how many other places look the same.
func (x *Index) weigh(hits []hit, q *Query) []hit {
	best := map[ref]hit{}
	for _, h := range hits {
		e := x.entries[h.at.entry]
		f := e.facts()
		h.score *= q.within(e.path)
		exact := q.File != "" && q.Line > 0
		if f.Test && !exact {
			h.score *= 0.15
		}
		if f.Generated {
			h.score *= 0.3
		}
		if h.at.symbol == facts.None {
			h.score *= 0.8
		}
		if old, ok := best[h.at]; !ok || h.score > old.score || h.score == old.score && h.line < old.line {
			best[h.at] = h
		}
	}
	out := make([]hit, 0, len(best))
	for _, h := range best {
		if h.score > 0.02 {
			out = append(out, h)
		}
	}
	sort.Slice(out, func(i, j int) bool { return x.before(out[i], out[j]) })
	// Places that look the same share the credit.
	for i := 0; i < len(out); {
		j := i
		for j < len(out) && math.Abs(out[j].score-out[i].score) < 1e-9 {
			j++
		}
		if n := j - i; n > 1 {
			for k := i; k < j; k++ {
				out[k].score /= math.Sqrt(float64(n))
				out[k].reason += fmt.Sprintf(" (one of %d such places)", n)
			}
		}
		i = j
	}
	return out
}

func (x *Index) before(a, b hit) bool {
	if a.score != b.score {
		return a.score > b.score
	}
	if a.at.entry != b.at.entry {
		return a.at.entry < b.at.entry
	}
	if a.line != b.line {
		return a.line < b.line
	}
	return a.at.symbol < b.at.symbol
}

func (x *Index) add(places map[ref]*place, hits []hit, weight float64) {
	for _, h := range hits {
		p := places[h.at]
		if p == nil {
			p = &place{at: h.at, path: x.entries[h.at.entry].path}
			places[h.at] = p
		}
		s := min(h.score*weight, 0.99)
		if s > p.best {
			p.best, p.line = s, h.line
			p.reasons = append([]string{h.reason}, p.reasons...)
		} else {
			p.reasons = append(p.reasons, h.reason)
		}
		p.score = 1 - (1-p.score)*(1-s)
	}
}

func ranked(places map[ref]*place) []*place {
	out := make([]*place, 0, len(places))
	for _, p := range places {
		out = append(out, p)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.score != b.score {
			return a.score > b.score
		}
		if a.path != b.path {
			return a.path < b.path
		}
		if a.line != b.line {
			return a.line < b.line
		}
		return a.at.symbol < b.at.symbol
	})
	return out
}

// follow adds the callers and callees of the best places, two steps far. What is reached this way
// never adds up: the best way counts.
func (x *Index) follow(places map[ref]*place, direct []*place) {
	type step struct {
		at    ref
		score float64
		what  string
	}
	var frontier []step
	for i, p := range direct {
		if i == followMost || p.score < followFrom {
			break
		}
		if p.at.symbol != facts.None {
			frontier = append(frontier, step{p.at, p.score, x.describe(p.at)})
		}
	}
	reached := map[ref]bool{}
	for _, s := range frontier {
		reached[s.at] = true
	}
	for range 2 {
		var next []step
		for _, s := range frontier {
			visit := func(other ref, line int32, share, sure float64, words string) {
				score := s.score * share * sure
				if f := x.entries[other.entry].facts(); f.Test || f.Generated {
					return
				}
				if score < 0.05 {
					return
				}
				p := places[other]
				if p == nil {
					p = &place{at: other, path: x.entries[other.entry].path, indirect: true}
					places[other] = p
				}
				if score > p.score {
					p.score, p.best, p.line = score, score, line
					p.reasons = append([]string{words}, p.reasons...)
				}
				if !reached[other] {
					reached[other] = true
					next = append(next, step{other, score, x.describe(other)})
				}
			}
			callers := x.callers(s.at)
			if len(callers) <= maxFanOut {
				for _, c := range callers {
					visit(c.from, c.line, callerShare, c.sure, fmt.Sprintf("calls %s", s.what))
				}
			}
			for _, c := range x.callees(s.at) {
				to := &x.entries[c.to.entry].facts().Symbols[c.to.symbol]
				if to.Kind.Callable() {
					visit(c.to, to.From, calleeShare, c.sure, fmt.Sprintf("called by %s", s.what))
				}
			}
		}
		frontier = next
	}
}

func (x *Index) describe(r ref) string {
	e := x.entries[r.entry]
	s := &e.facts().Symbols[r.symbol]
	return fmt.Sprintf("%s (%s:%d)", s.Name, e.path, s.From)
}

func (x *Index) location(p *place) Location {
	e := x.entries[p.at.entry]
	f := e.facts()
	l := Location{
		File: e.path, Line: int(p.line), Language: f.Language, Package: packageOf(e.path, f),
		Confidence: math.Round(min(p.score, 0.99)*1000) / 1000,
	}
	if p.at.symbol != facts.None {
		s := &f.Symbols[p.at.symbol]
		l.Function, l.From, l.To = s.Name, int(s.From), int(s.To)
		if l.Line < l.From || l.Line > l.To {
			l.Line = l.From
		}
	} else {
		l.From, l.To = l.Line, l.Line
	}
	var reasons []string
	for _, r := range p.reasons {
		if !contains(reasons, r) && len(reasons) < 4 {
			reasons = append(reasons, r)
		}
	}
	l.Reason = strings.Join(reasons, "; ")
	return l
}
