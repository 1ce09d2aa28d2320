package telemetry

import (
	"strconv"
	"strings"
)

// Signature names what a span is an instance of:
// service|kind|normalised name|route, database operation and collection, or messaging
// destination. No id is part of it, so the same work has the same signature in every trace.
func (s *Span) Signature() string {
	name, target := NormalName(s.Name), s.Target()
	var b strings.Builder
	b.Grow(len(s.Resource.Service) + len(name) + len(target) + 12)
	b.WriteString(s.Resource.Service)
	b.WriteByte('|')
	b.WriteString(s.Kind.String())
	b.WriteByte('|')
	b.WriteString(name)
	b.WriteByte('|')
	b.WriteString(target)
	return b.String()
}

// Target is what the span works on: the route of a request, the operation and collection of
// a statement, the destination of a message, the method of a remote call; "" if it says none.
func (s *Span) Target() string {
	a := s.Attrs
	if len(a) == 0 {
		return ""
	}
	if a.Get(AttrDBSystem) != "" || a.Get(AttrDBQuery) != "" {
		op, coll := s.Statement()
		if coll != "" {
			return op + " " + coll
		}
		return op
	}
	if d := a.Get(AttrMsgDestination); d != "" {
		return NormalName(d)
	}
	if r := s.Route(); r != "" {
		return r
	}
	return s.RPC()
}

// Statement returns the operation and the collection of a database span in upper and lower
// case as recorded, taken from the statement where the attributes do not say them.
func (s *Span) Statement() (operation, collection string) {
	operation, collection = s.Attrs.Get(AttrDBOperation), s.Attrs.Get(AttrDBCollection)
	if operation != "" && collection != "" {
		return operation, collection
	}
	op, coll := splitStatement(s.Attrs.First(AttrDBQuery, AttrDBSummary))
	if operation == "" {
		operation = op
	}
	if collection == "" {
		collection = coll
	}
	return operation, collection
}

// splitStatement finds the verb of a statement and the first table it names. It is no
// parser: it looks for the word after FROM, INTO, UPDATE, TABLE or JOIN.
func splitStatement(q string) (operation, collection string) {
	if len(q) > 2048 {
		q = q[:2048]
	}
	words := strings.Fields(q)
	for i, w := range words {
		u := strings.ToUpper(strings.Trim(w, "();,"))
		if operation == "" && u != "" && isWord(u) {
			operation = u
			if operation != "UPDATE" {
				continue
			}
		}
		switch u {
		case "FROM", "INTO", "UPDATE", "TABLE", "JOIN":
			if i+1 < len(words) {
				t := strings.Trim(words[i+1], "();,\"`'[]")
				if j := strings.IndexAny(t, "(;,"); j > 0 {
					t = t[:j]
				}
				if t != "" && !strings.EqualFold(t, "SELECT") {
					return operation, NormalName(strings.NewReplacer("\"", "", "`", "").Replace(t))
				}
			}
		}
		if i > 400 {
			break
		}
	}
	return operation, ""
}

func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return s != ""
}

// Route is the route of an HTTP span: as recorded, else the path with ids masked; "" for
// other spans.
func (s *Span) Route() string {
	if r := s.Attrs.First(AttrHTTPRoute, AttrURLTemplate); r != "" {
		return NormalRoute(r)
	}
	if p := s.Attrs.Get(AttrURLPath); p != "" {
		return NormalRoute(p)
	}
	if u := s.Attrs.Get(AttrURLFull); u != "" {
		return NormalRoute(pathOf(u))
	}
	return ""
}

// pathOf cuts scheme and authority off a URL.
func pathOf(u string) string {
	if _, rest, ok := strings.Cut(u, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
		return "/"
	}
	return u
}

// hostOf is the host of a URL without port and credentials.
func hostOf(u string) string {
	_, rest, ok := strings.Cut(u, "://")
	if !ok {
		return ""
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasSuffix(rest, "]") {
		rest = rest[:i]
	}
	return rest
}

// RPC is service/method of a remote procedure call, "" for other spans.
func (s *Span) RPC() string {
	m := s.Attrs.Get(AttrRPCMethod)
	if m == "" {
		return ""
	}
	if svc := s.Attrs.Get(AttrRPCService); svc != "" && !strings.HasPrefix(m, svc) {
		return svc + "/" + m
	}
	return m
}

// Operation is what a person would call the span: "POST /orders", "SELECT orders",
// "oteldemo.Cart/AddItem", or its name with ids masked.
func (s *Span) Operation() string {
	t := s.Target()
	if t == "" {
		return NormalName(s.Name)
	}
	if m := s.Attrs.Get(AttrHTTPMethod); m != "" && strings.HasPrefix(t, "/") {
		return m + " " + t
	}
	if s.Attrs.Get(AttrMsgDestination) != "" {
		return NormalName(s.Name)
	}
	return t
}

// Peer names what an outgoing span calls, as far as the span itself says: peer.service,
// the database's namespace and system, the messaging system's destination, or the server's
// address. "" when it says nothing.
func (s *Span) Peer() string {
	a := s.Attrs
	if p := a.Get(AttrPeerService); p != "" {
		return p
	}
	if sys := a.Get(AttrDBSystem); sys != "" {
		if ns := a.Get(AttrDBNamespace); ns != "" {
			return sys + ":" + NormalName(ns)
		}
		return sys
	}
	if d := a.Get(AttrMsgDestination); d != "" {
		return NormalName(d)
	}
	host := a.Get(AttrServerAddress)
	if host == "" {
		host = hostOf(a.Get(AttrURLFull))
	}
	if host != "" {
		return hostName(host, a.Get(AttrServerPort))
	}
	if svc := a.Get(AttrRPCService); svc != "" {
		return svc
	}
	return a.Get("network.peer.address")
}

// hostName keeps the port only where the host alone says too little: several servers share
// a loopback address.
func hostName(host, port string) string {
	bare := strings.Trim(host, "[]")
	if h, p, ok := strings.Cut(host, ":"); ok && !strings.Contains(p, ":") {
		bare = h
		if port == "" {
			port = p
		}
	}
	if port != "" && (bare == "localhost" || bare == "::1" || strings.HasPrefix(bare, "127.")) {
		return bare + ":" + port
	}
	return bare
}

// HTTPStatus is the response status of an HTTP span, 0 when unknown.
func (s *Span) HTTPStatus() int {
	return HTTPStatusOf(s.Attrs.Get(AttrHTTPStatus))
}

// HTTPStatusOf is the status that a text writes, 0 when it is none.
func HTTPStatusOf(text string) int {
	if len(text) < 3 {
		return 0 // most spans have none, and an error costs more than all the rest
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 || n > 999 {
		return 0
	}
	return n
}

// RPCStatus is the name of the call's status ("UNAVAILABLE"), "" when unknown.
func (s *Span) RPCStatus() string { return s.Attrs.Get(AttrRPCStatus) }

// End is the end of the span in Unix nanoseconds.
func (s *Span) End() int64 { return s.Start + int64(s.Duration) }

// Exception returns the last exception event of the span, nil when there is none.
func (s *Span) Exception() *Event {
	for i := len(s.Events) - 1; i >= 0; i-- {
		if s.Events[i].Name == EventException {
			return &s.Events[i]
		}
	}
	return nil
}
