package telemetry

// dedupe drops spans that were delivered more than once: same trace and id, name, start
// and process. Spans that share an id but differ are kept (Zipkin's client and server once
// did), and said. The spans must be sorted. It returns the spans kept, how many were dropped
// and how many share an id.
func dedupe(spans []Span) (kept []Span, dropped, shared int) {
	type key struct {
		trace TraceID
		id    SpanID
	}
	seen := make(map[key]int32, len(spans))
	kept = spans[:0]
	for i := range spans {
		s := &spans[i]
		k := key{s.Trace, s.ID}
		j, ok := seen[k]
		if !ok {
			seen[k] = int32(len(kept)) // bounded by Limits.Spans
			kept = append(kept, *s)
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
