package telemetry

import "crypto/sha256"

// splitShared gives server spans that share the id of the client span that called them, as Zipkin's B3 propagation has it, an id
// of their own and makes them children of the client's; what the server did hangs below its span then. It returns how
// many were split. The spans must be sorted and free of duplicates.
func splitShared(spans []Span) int {
	type key struct {
		trace TraceID
		id    SpanID
	}
	type side struct {
		key
		res *Resource
	}
	first := make(map[key]int32, len(spans))
	var own map[side]SpanID // ids of split servers, by where they are
	split := 0
	for i := range spans {
		s := &spans[i]
		k := key{s.Trace, s.ID}
		j, taken := first[k]
		if !taken {
			first[k] = int32(i) // bounded by Limits.Spans
			continue
		}
		server := s
		other := &spans[j]
		switch {
		case s.Kind == KindServer && other.Kind == KindClient:
		case s.Kind == KindClient && other.Kind == KindServer:
			server = other
		default:
			continue
		}
		if server.Resource.Service == spans[j].Resource.Service && server.Resource.Service == s.Resource.Service {
			continue // one process is not its own caller
		}
		if own == nil {
			own = map[side]SpanID{}
		}
		sum := sha256.Sum256(append(append(s.Trace[:len(s.Trace):len(s.Trace)], s.ID[:]...), "server"...))
		var id SpanID
		copy(id[:], sum[:])
		own[side{k, server.Resource}] = id
		server.Parent, server.ID = server.ID, id
		split++
	}
	if split == 0 {
		return 0
	}
	for i := range spans {
		s := &spans[i]
		if id, ok := own[side{key{s.Trace, s.Parent}, s.Resource}]; ok && s.ID != id {
			s.Parent = id
		}
	}
	return split
}
