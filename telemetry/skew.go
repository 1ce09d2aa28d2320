package telemetry

import "slices"

// skewEdge is a pair of processes, caller first.
type skewEdge struct{ from, to *Resource }

// correctSkew moves the spans of processes whose clocks disagree with their callers'. It
// follows Jaeger's clock skew adjuster (cmd/query, clockskew.go): a callee that lies outside
// its caller is centred in it, or started with it where it lasted longer. Unlike Jaeger's, which
// judges each span alone, the shift is one per pair of processes, the median over their calls,
// so that a callee that merely ran late (its caller had given up) is not taken for a wrong
// clock. It returns how many spans moved.
func correctSkew(traces []Trace) int {
	deltas := map[skewEdge][]int64{}
	const enough = 1024 // calls per pair
	for t := range traces {
		tr := &traces[t]
		for i, s := range tr.Spans {
			p := tr.Parent(i)
			if p < 0 {
				continue
			}
			parent := tr.Spans[p]
			if parent.Resource == s.Resource || parent.Kind == KindProducer || s.Kind == KindConsumer {
				continue
			}
			e := skewEdge{parent.Resource, s.Resource}
			if d := deltas[e]; len(d) < enough {
				deltas[e] = append(d, skewOf(parent, s))
			}
		}
	}
	shift := make(map[skewEdge]int64, len(deltas))
	for e, d := range deltas {
		slices.Sort(d)
		if m := d[len(d)/2]; m != 0 {
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
				off += shift[skewEdge{tr.Spans[p].Resource, s.Resource}]
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

// skewOf is the shift that puts a callee into its caller, 0 when it lies in it.
func skewOf(parent, child *Span) int64 {
	if child.Duration > parent.Duration {
		if child.Start < parent.Start {
			return parent.Start - child.Start
		}
		return 0
	}
	if child.Start >= parent.Start && child.End() <= parent.End() {
		return 0
	}
	return parent.Start + int64(parent.Duration-child.Duration)/2 - child.Start
}
