package telemetry

import (
	"cmp"
	"math"
	"slices"
)

// skewEdge is a pair of processes, caller first.
type skewEdge struct{ from, to *Resource }

// skewCalls is what is known of the clocks of a pair of processes.
type skewCalls struct {
	ranges []skewRange
	waited bool // a caller is known to have waited: its span is a client's, the callee's a server's
}

// skewRange is how far a callee may be moved and still lie in its caller.
type skewRange struct{ from, to int64 }

// correctSkew moves the spans of processes whose clocks disagree with their callers'. Each call says by how much the callee's
// clock may be off: as far as the callee still lies in its caller (Cristian, Probabilistic Clock Synchronization, 1989).
// The shift is one per pair of processes, hosts and not services, and lies where the most calls agree (Marzullo's algorithm,
// Maintaining the Time in a Distributed System, 1984); in the middle of that, as Jaeger's clock skew adjuster centres each single span.
// So a callee that merely ran late, since its caller had given up, is not taken for a wrong clock: the other calls disagree.
//
// Nothing is concluded where the caller did not wait: from producers to consumers, from spans that follow from
// others, from callees that begin after their callers ended by ever different times. It returns how many spans moved.
func correctSkew(traces []Trace) int {
	calls := map[skewEdge]*skewCalls{}
	const enough = 1024 // calls per pair
	for t := range traces {
		tr := &traces[t]
		for i, s := range tr.Spans {
			p := tr.Parent(i)
			if p < 0 || tr.Spans[p].Resource == s.Resource || unwaited(tr.Spans[p], s) {
				continue
			}
			parent := tr.Spans[p]
			e := skewEdge{parent.Resource, s.Resource}
			c := calls[e]
			if c == nil {
				c = &skewCalls{}
				calls[e] = c
			}
			if len(c.ranges) < enough {
				c.ranges = append(c.ranges, skewOf(parent, s))
				c.waited = c.waited || parent.Kind == KindClient && s.Kind == KindServer && !parent.KindInferred && !s.KindInferred
			}
		}
	}
	shift := make(map[skewEdge]int64, len(calls))
	for e, c := range calls {
		if m := c.shift(); m != 0 {
			shift[e] = m
		}
	}
	if len(shift) == 0 {
		return 0
	}
	moved := 0
	var offsets []int64
	for t := range traces {
		tr := &traces[t]
		offsets = append(offsets[:0], make([]int64, len(tr.Spans))...)
		for _, i := range tr.Order() {
			p := tr.Parent(i)
			if p < 0 {
				continue
			}
			s := tr.Spans[i]
			off := offsets[p]
			if tr.Spans[p].Resource != s.Resource {
				if unwaited(tr.Spans[p], s) {
					off = 0 // another clock, of which nothing is known
				} else {
					off += shift[skewEdge{tr.Spans[p].Resource, s.Resource}]
				}
			}
			if offsets[i] = off; off != 0 {
				s.Start += off
				for e := range s.Events {
					if s.Events[e].Time != 0 {
						s.Events[e].Time += off
					}
				}
				moved++
			}
		}
	}
	return moved
}

// unwaited says that a caller did not wait for its callee.
func unwaited(parent, child *Span) bool {
	return parent.Kind == KindProducer || child.Kind == KindConsumer || child.Attrs.Get(AttrRefType) == RefFollowsFrom
}

// skewOf is how far a callee may be moved: all of it has to lie in its caller, or its beginning where it lasted longer.
func skewOf(parent, child *Span) skewRange {
	r := skewRange{parent.Start - child.Start, parent.End() - child.End()}
	if child.Duration > parent.Duration {
		r.to = parent.End() - child.Start
	}
	return r
}

// certain is how many calls must agree before a callee that seems to begin after its caller's end is taken for one with a clock that is
// ahead: a caller that does not wait looks the same.
const certain = 3

// shift is by how much the callee's clock is to be moved, 0 where it may be right.
func (c *skewCalls) shift() int64 {
	right := 0
	type edge struct {
		at   int64
		open int
	}
	edges := make([]edge, 0, 2*len(c.ranges))
	for _, r := range c.ranges {
		if r.from <= 0 && 0 <= r.to {
			right++
		}
		edges = append(edges, edge{r.from, 1}, edge{r.to, -1})
	}
	if 2*right >= len(c.ranges) {
		return 0
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.open, a.open)) })
	best, open := 0, 0
	var from, to int64
	for i, e := range edges {
		open += e.open
		if e.open < 0 || open < best {
			continue
		}
		f, t := e.at, edges[i+1].at // an open range has an end
		if open > best || distance(f, t) < distance(from, to) {
			best, from, to = open, f, t
		}
	}
	if 2*best <= len(c.ranges) {
		return 0 // they do not agree
	}
	if to < 0 && best < certain && !c.waited {
		return 0
	}
	return from + (to-from)/2
}

// distance is how far a range is from 0.
func distance(from, to int64) int64 {
	if from <= 0 && 0 <= to {
		return 0
	}
	if from == math.MinInt64 || to == math.MinInt64 {
		return math.MaxInt64
	}
	return min(max(from, -from), max(to, -to))
}
