package telemetry

import "strings"

// inferFromAttrs concludes kind and status of a span from its own attributes.
func inferFromAttrs(s *Span) {
	if s.Kind == KindUnspecified {
		if k := kindOf(s); k != KindUnspecified {
			s.Kind, s.KindInferred = k, true
		}
	}
	if s.Status == StatusUnset {
		if c := statusOf(s); c != StatusUnset {
			s.Status, s.StatusInferred = c, true
		}
	}
}

// kindOf concludes a span's kind: OpenTracing's span.kind tag says it outright; a database
// system or statement belongs to a client, a message is sent or processed.
func kindOf(s *Span) Kind {
	a := s.Attrs
	switch strings.ToLower(a.Get("span.kind")) {
	case "server":
		return KindServer
	case "client":
		return KindClient
	case "producer":
		return KindProducer
	case "consumer":
		return KindConsumer
	case "internal", "local":
		return KindInternal
	}
	if a.Get(AttrDBSystem) != "" || a.Get(AttrDBQuery) != "" {
		return KindClient
	}
	switch a.Get(AttrMsgOperation) {
	case "publish", "send", "create":
		return KindProducer
	case "process", "receive", "deliver", "settle":
		return KindConsumer
	}
	if a.Get(AttrHTTPRoute) != "" && a.Get(AttrHTTPMethod) != "" {
		return KindServer
	}
	for i := range s.Events {
		// Zipkin's core annotations, from before its spans had a kind.
		switch s.Events[i].Name {
		case "cs", "cr":
			return KindClient
		case "sr", "ss":
			return KindServer
		case "ms":
			return KindProducer
		case "mr":
			return KindConsumer
		}
	}
	return KindUnspecified
}

// statusOf concludes a span's status. Responses of the 4xx class stay unset whichever side
// saw them: a refusal may be what was asked for, and whether it was is not decided here.
func statusOf(s *Span) StatusCode {
	a := s.Attrs
	switch strings.ToUpper(a.Get("otel.status_code")) {
	case "ERROR":
		return StatusError
	case "OK":
		return StatusOK
	}
	if e := a.Get("error"); e == "true" || e == "1" {
		return StatusError
	}
	if s.HTTPStatus() >= 500 {
		return StatusError
	}
	switch s.RPCStatus() {
	case "UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS":
		return StatusError
	}
	for i := range s.Events {
		if s.Events[i].Name == EventException && s.Events[i].Attrs.Get(AttrExceptionEsc) == "true" {
			return StatusError
		}
	}
	return StatusUnset
}

// asks says that a span within a service names whom it asked: a request that was received has another service's span, or none, above it.
func asks(s *Span) bool {
	a := s.Attrs
	if a.Get(AttrHTTPRoute) != "" {
		return false
	}
	return a.Get(AttrPeerService) != "" || a.Get(AttrHTTPMethod) != "" && a.First(AttrURLFull, AttrServerAddress) != "" ||
		a.Get(AttrRPCMethod) != "" && a.Get(AttrServerAddress) != ""
}

// inferFromTree concludes kinds that only the neighbours of a span show: work whose caller is
// another service was received, a span whose child runs in another service called it, and so did one that says whom it asked.
func inferFromTree(traces []Trace) {
	for t := range traces {
		tr := &traces[t]
		for i, s := range tr.Spans {
			p := tr.Parent(i)
			if p < 0 {
				continue
			}
			if tr.Spans[p].Resource.Service == s.Resource.Service {
				if s.Kind == KindUnspecified && asks(s) {
					s.Kind, s.KindInferred = KindClient, true
				}
				continue
			}
			if s.Kind == KindUnspecified {
				s.Kind, s.KindInferred = KindServer, true
				if tr.Spans[p].Kind == KindProducer {
					s.Kind = KindConsumer
				}
			}
			// A server that calls on without a client span of its own stays a server.
			if parent := tr.Spans[p]; parent.Kind == KindUnspecified && tr.Parent(p) >= 0 &&
				tr.Spans[tr.Parent(p)].Resource.Service == parent.Resource.Service && len(tr.Children(p)) == 1 {
				parent.Kind, parent.KindInferred = KindClient, true
			}
		}
	}
}
