package localize

import (
	"fmt"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// operation is what spans of one signature have in common.
type operation struct {
	service, name string // name as a person would call it
	span          string // span name with ids masked
	kind          telemetry.Kind
	peer          string // what an outgoing call names as its target
	database      bool
	sample        *telemetry.Span
}

// operations numbers the signatures of both windows.
type operations struct {
	ids  map[string]int32
	list []operation
	fast map[opKey]int32
	// routes masks literal paths; nil masks nothing.
	routes *routes
}

// opKey finds the number of a span whose name tells everything, without building the
// signature.
type opKey struct {
	service, name string
	kind          telemetry.Kind
	a, b, peer    string
}

func newOperations() *operations {
	return &operations{ids: map[string]int32{}, fast: map[opKey]int32{}}
}

// keyOf is all that the number of a span may depend on, as long as its name tells everything.
func keyOf(s *telemetry.Span) opKey {
	n := noted(s.Attrs)
	return n.key(s)
}

// maxFast bounds the keys that are remembered.
const maxFast = 1 << 16

// keyed numbers the keys of one window. Windows are keyed at the same time; what costs is making keys.
type keyed struct {
	of     map[opKey]int32
	keys   []opKey
	lately recent[opKey, int32]
}

func newKeyed() *keyed { return &keyed{of: map[opKey]int32{}} }

// number is the key's number in its window, -1 when there are too many.
func (n *keyed) number(key opKey) int32 {
	at := uint(key.kind) + 3*texture(key.service) + 5*texture(key.name) + 11*texture(key.a) + 13*texture(key.b) + 17*texture(key.peer)
	id, ok := n.lately.get(at, key)
	if ok {
		return id
	}
	if id, ok = n.of[key]; !ok {
		if len(n.keys) >= maxFast {
			return -1
		}
		id = int32(len(n.keys)) // below maxFast
		n.of[key] = id
		n.keys = append(n.keys, key)
	}
	n.lately.put(at, key, id)
	return id
}

// of is the number of a span's operation.
func (o *operations) of(s *telemetry.Span) int32 { return o.keyed(s, keyOf(s)) }

func (o *operations) keyed(s *telemetry.Span, key opKey) int32 {
	if id, ok := o.fast[key]; ok {
		return id
	}
	sig, name := s.Signature(), s.Operation()
	if o.routes != nil {
		if route, ok := o.routes.of(s); ok {
			name = strings.TrimSpace(s.Attrs.Get(telemetry.AttrHTTPMethod) + " " + route)
			sig = s.Resource.Service + "|" + s.Kind.String() + "|" + name
		}
	}
	// Calls of two peers are two operations, though they are made the same way.
	if s.Kind.Outgoing() {
		sig += "|" + targetName(s)
	}
	id, ok := o.ids[sig]
	if !ok {
		id = int32(len(o.list)) // bounded by the reader's limits
		o.ids[sig] = id
		o.list = append(o.list, operation{
			service: s.Resource.Service, name: name, span: telemetry.NormalName(s.Name), kind: s.Kind,
			peer: s.Peer(), database: s.Attrs.Get(telemetry.AttrDBSystem) != "", sample: s,
		})
	}
	if len(o.fast) < maxFast {
		o.fast[key] = id
	}
	return id
}

// targetName is what an outgoing span names as its target, "" when that is the address of one
// instance.
func targetName(s *telemetry.Span) string {
	p := telemetry.NormalName(s.Peer())
	if strings.Trim(strings.ReplaceAll(p, anything, ""), "0123456789.:[]") == "" {
		return ""
	}
	return p
}

// requestClass is the operation that a trace's request is compared by: its root's, and where the
// root has a name for everything (a gateway's "/*", a bare method), also the first operation
// that it reaches in another service.
func requestClass(tr *telemetry.Trace, recs []spanRec, root int, ops *operations) int32 {
	op := recs[root].op
	if !isCatchAll(ops.list[op].name) {
		return op
	}
	order := tr.Order()
	if torn(tr) {
		// What hung below a lost span stands beside the root now, so that depth says nothing: the earliest was reached first.
		order = byStart(len(tr.Spans))
	}
	for _, i := range order {
		if tr.Spans[i].Resource.Service != tr.Spans[root].Resource.Service {
			return ops.combine(op, recs[i].op)
		}
	}
	return op
}

// byStart lists the n spans of a trace as they are.
func byStart(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// isCatchAll says that an operation's name does not tell requests apart.
func isCatchAll(name string) bool {
	if strings.HasSuffix(name, "*") {
		return true
	}
	switch strings.TrimPrefix(name, "HTTP ") {
	case "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "/", "GET /", "POST /", "ingress", "request", "":
		return true
	}
	return false
}

// nameCalls tells outgoing calls apart that do not say what they call ("HTTP POST"), by the
// operation that answers them.
func (o *operations) nameCalls(tr *telemetry.Trace, recs []spanRec) {
	for i, s := range tr.Spans {
		if !recs[i].facts.kind().Outgoing() || o.list[recs[i].op].peer != "" && !isCatchAll(o.list[recs[i].op].name) {
			continue
		}
		for _, c := range tr.Children(i) {
			callee := tr.Spans[c].Resource.Service
			if callee == s.Resource.Service {
				continue
			}
			key := opKey{a: "call", b: fmt.Sprint(recs[i].op, ">", recs[c].op)}
			id, ok := o.fast[key]
			if !ok {
				id = int32(len(o.list)) // bounded by the reader's limits
				op := o.list[recs[i].op]
				op.peer = callee
				if isCatchAll(op.name) {
					op.name = o.list[recs[c].op].name
				}
				o.list = append(o.list, op)
				o.fast[key] = id
			}
			recs[i].op = id
			break
		}
	}
}

// combine numbers a root operation together with what it reaches first.
func (o *operations) combine(root, next int32) int32 {
	key := opKey{a: "combined", b: fmt.Sprint(root, ">", next)}
	if id, ok := o.fast[key]; ok {
		return id
	}
	id := int32(len(o.list)) // bounded by the reader's limits
	c := o.list[root]
	c.name += " > " + o.list[next].service + " " + o.list[next].name
	o.list = append(o.list, c)
	o.fast[key] = id
	return id
}
