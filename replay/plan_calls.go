package replay

import (
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/telemetry"
)

type outgoingCall struct {
	peer  string
	trace telemetry.TraceID
	call  RecordedCall
}

// outgoing lists the calls the service made between two times, in order of the spans.
func outgoing(spans []telemetry.Span, service string, from, to int64, opts *PlanOptions) []outgoingCall {
	byID := make(map[telemetry.SpanID]*telemetry.Span, len(spans))
	callee := map[telemetry.SpanID]*telemetry.Span{} // server span by its parent
	for i := range spans {
		s := &spans[i]
		byID[s.ID] = s
		if s.Kind == telemetry.KindServer {
			callee[s.Parent] = s
		}
	}
	var out []outgoingCall
	keep := func(names []string, c RecordedCall, s *telemetry.Span) {
		if s.Start < from || s.Start >= to || c.Method == "" {
			return
		}
		peer := opts.peer(names)
		if peer == "" {
			return
		}
		c.Offset = time.Duration(s.Start - from)
		out = append(out, outgoingCall{peer: peer, trace: s.Trace, call: c})
	}
	for i := range spans {
		s := &spans[i]
		switch {
		case s.Kind == telemetry.KindClient && s.Resource.Service == service:
			names := []string{s.Attrs.Get(telemetry.AttrPeerService)}
			server := callee[s.ID]
			if server != nil && server.Trace != s.Trace {
				server = nil
			}
			if server != nil {
				names = append(names, server.Resource.Service)
			}
			names = append(names, s.Peer(), addressOf(s), s.Attrs.Get(telemetry.AttrServerAddress))
			keep(names, callSeen(s, server), s)
		case s.Kind == telemetry.KindServer && s.Resource.Service != service:
			// A client without instrumentation: the callee's span hangs below the service's own work.
			p := byID[s.Parent]
			if p != nil && p.Trace == s.Trace && p.Resource.Service == service && p.Kind != telemetry.KindClient {
				keep([]string{s.Resource.Service}, callSeen(s, nil), s)
			}
		}
	}
	return out
}

func addressOf(s *telemetry.Span) string {
	host, port := s.Attrs.Get(telemetry.AttrServerAddress), s.Attrs.Get(telemetry.AttrServerPort)
	if host == "" || port == "" {
		return ""
	}
	return host + ":" + port
}

// peer is the configured name of the first known one of names.
func (o *PlanOptions) peer(names []string) string {
	for _, n := range names {
		if mapped, ok := o.Peers[n]; ok && n != "" {
			return mapped
		}
		if n != "" && slices.Contains(o.Dependencies, n) {
			return n
		}
	}
	if len(o.Dependencies) > 0 {
		return ""
	}
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

// callSeen is a call as the caller's span tells it; the callee's span, where there is one, tells how
// long a call would have taken that the caller gave up on.
func callSeen(s, server *telemetry.Span) RecordedCall {
	c := RecordedCall{Method: s.Attrs.Get(telemetry.AttrHTTPMethod), Route: s.Route(), Status: s.HTTPStatus(), Latency: s.Duration}
	if server != nil && server.Attrs.Get(telemetry.AttrHTTPRoute) != "" {
		c.Route = server.Route()
	}
	if c.Status > 0 {
		return c
	}
	if s.Status != telemetry.StatusError {
		c.Status = 200 // ended well, whatever the status was
		return c
	}
	c.Error, c.TimedOut = errorWord(s)
	if c.TimedOut && server != nil && server.HTTPStatus() > 0 && server.Duration > s.Duration {
		c.Status, c.Error, c.TimedOut, c.Latency = server.HTTPStatus(), "", false, server.Duration
	}
	return c
}

// errorWord names a transport error. Types and messages of several languages are looked
// through, since no convention lists them.
func errorWord(s *telemetry.Span) (word string, timedOut bool) {
	var b strings.Builder
	b.WriteString(clip(s.Attrs.Get(telemetry.AttrErrorType), 500) + " " + clip(s.Message, 500))
	for _, e := range s.Events {
		if b.Len() > 10_000 { // a span may carry any number of events
			break
		}
		b.WriteString(" " + clip(e.Attrs.Get(telemetry.AttrExceptionType), 500) + " " + clip(e.Attrs.Get(telemetry.AttrExceptionMsg), 500))
	}
	text := strings.ToLower(b.String())
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch {
	case has("timeout", "timed out", "deadline", "cancel", "etimedout", "aborted"):
		return "timeout", true
	case has("refused", "econnrefused", "no such host", "unreachable", "enotfound"):
		return "refused", false
	}
	return "reset", false
}
