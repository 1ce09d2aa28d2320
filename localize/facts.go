package localize

import "github.com/remediator/remediator/telemetry"

// facts is what the passes over a window ask of each span, looked up once: a pass that reads facts alone stays within
// the records, where one that goes to the spans waits for memory at every step.
type facts uint8

const (
	kindBits  facts = 7 // telemetry.Kind
	statement facts = 1 << (iota + 2)
	receipt         // see receives
	threw           // it carries an exception
	crossing        // its parent is another service's
	troubled        // it has events, or failed
)

// notes are the attributes that every span is asked for, found in one pass over them.
type notes struct {
	status, rpc, system, operation string
	route, path, url, query        string // what it works on, the surest first
	collection, method, topic      string
	peer, address, space           string // whom it calls
}

func noted(attrs telemetry.Attrs) (n notes) {
	for i := range attrs {
		v := attrs[i].Value
		switch attrs[i].Key {
		case telemetry.AttrHTTPStatus:
			n.status = v
		case telemetry.AttrRPCStatus:
			n.rpc = v
		case telemetry.AttrDBSystem:
			n.system = v
		case telemetry.AttrMsgOperation:
			n.operation = v
		case telemetry.AttrHTTPRoute:
			n.route = v
		case telemetry.AttrURLPath:
			n.path = v
		case telemetry.AttrURLFull:
			n.url = v
		case telemetry.AttrDBQuery:
			n.query = v
		case telemetry.AttrDBCollection:
			n.collection = v
		case telemetry.AttrRPCMethod:
			n.method = v
		case telemetry.AttrMsgDestination:
			n.topic = v
		case telemetry.AttrPeerService:
			n.peer = v
		case telemetry.AttrServerAddress:
			n.address = v
		case telemetry.AttrDBNamespace:
			n.space = v
		}
	}
	return n
}

// key is what the number of a span's operation depends on.
func (n *notes) key(s *telemetry.Span) opKey {
	key := opKey{service: s.Resource.Service, name: s.Name, kind: s.Kind,
		a: firstNonEmpty(n.route, n.path, n.url, n.query), b: firstNonEmpty(n.collection, n.method, n.topic)}
	if s.Kind.Outgoing() {
		key.peer = firstNonEmpty(n.peer, n.address, n.space)
	}
	return key
}

// facts looks at span i of a trace, whose notes these are.
func (n *notes) facts(tr *telemetry.Trace, i int) facts {
	s := tr.Spans[i]
	f := facts(s.Kind) & kindBits
	if n.system != "" {
		f |= statement
	}
	if receivesBy(s.Kind, n.operation) {
		f |= receipt
	}
	if len(s.Events) > 0 || s.Status == telemetry.StatusError {
		f |= troubled
		if s.Exception() != nil {
			f |= threw
		}
	}
	if p := tr.Parent(i); p >= 0 && tr.Spans[p].Resource != s.Resource && tr.Spans[p].Resource.Service != s.Resource.Service {
		f |= crossing
	}
	return f
}

func (f facts) is(what facts) bool   { return f&what != 0 }
func (f facts) kind() telemetry.Kind { return telemetry.Kind(f & kindBits) }

// resourcesOf lists the processes that sent spans.
func resourcesOf(ds *telemetry.Dataset) []*telemetry.Resource {
	var out []*telemetry.Resource
	known, last := map[*telemetry.Resource]bool{}, (*telemetry.Resource)(nil)
	for i := range ds.Spans {
		if r := ds.Spans[i].Resource; r != last {
			if last = r; !known[r] {
				known[r] = true
				out = append(out, r)
			}
		}
	}
	return out
}
