package telemetry

import "hash/maphash"

// dedupe drops spans that were delivered more than once: same trace and id, name, start
// and process. Spans that share an id but differ are kept (Zipkin's client and server once
// did), and said. The spans must be sorted. It returns the spans kept, how many were dropped
// and how many share an id.
func dedupe(spans []Span) (kept []Span, dropped, shared int) {
	seen := newSpanTable(len(spans))
	kept = spans[:0]
	for i := range spans {
		s := &spans[i]
		j := seen.enter(spans, s, len(kept))
		if j < 0 {
			if len(kept) == i {
				kept = spans[:i+1] // where it is already
			} else {
				kept = append(kept, *s)
			}
			continue
		}
		first := &kept[j]
		if first.Start == s.Start && first.Name == s.Name && first.Kind == s.Kind && first.Resource.Service == s.Resource.Service {
			// Of a span exported before and after its end the finished one is kept.
			if s.Duration > first.Duration {
				*first = *s
			}
			dropped++
			continue
		}
		shared++
		kept = append(kept, *s)
	}
	return kept, dropped, shared
}

// spanTable finds the first span of each trace and id: a hash table with open addressing that holds nothing but indices.
type spanTable struct {
	seed  maphash.Seed
	slots []int32 // index + 1
}

func newSpanTable(n int) *spanTable {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return &spanTable{maphash.MakeSeed(), make([]int32, size)}
}

// enter returns the index of the first span with the trace and the id of s, -1 when there is none: then it is s, at an index.
func (t *spanTable) enter(spans []Span, s *Span, index int) int {
	var id [24]byte
	copy(id[:16], s.Trace[:])
	copy(id[16:], s.ID[:])
	for at := int(maphash.Bytes(t.seed, id[:])); ; at++ {
		slot := &t.slots[at&(len(t.slots)-1)]
		if *slot == 0 {
			*slot = int32(index) + 1 // bounded by Limits.Spans
			return -1
		}
		if other := &spans[*slot-1]; other.ID == s.ID && other.Trace == s.Trace {
			return int(*slot - 1)
		}
	}
}
