package telemetry

import (
	"slices"

	"github.com/remediator/remediator/telemetry/nesting"
)

// wire reads exports of spans as OTLP's protobuf has them, without the objects of pdata in between, which cost more than all
// that is done with them. It knows the plain export only: whatever it does not expect, a field of a type that is not its own,
// a group, a length beyond the end, it leaves to pdata, and so has neither errors nor notes of its own. Its outcome is that
// of pdata and AddTraces; a fuzz test holds them against each other.
type wire struct {
	lanes     []*wireLane
	scopes    []wireScope
	spans     []wireSpan
	resources []string // keys that this export added
	size      int      // of the export, in bytes
	outer     int      // messages of its outer three levels, at most: see nesting
}

// wireScope is the spans of one instrumentation scope.
type wireScope struct {
	name     string
	resource *Resource
}

// wireSpan is a span that is not decoded yet.
type wireSpan struct {
	scope int
	body  string
}

// wireLane decodes some spans of an export.
type wireLane struct {
	lane
	// The first of a span, and the attributes of an event, up to the limits.
	attrs, inner []rawAttr
	events       []string
	links        []Link
	strange      bool // something is to be left to pdata
}

// wireParts is how many spans are worth another lane.
const wireParts = 512

// addWire adds an export of spans, or nothing when it is none for it.
func (r *Reader) addWire(data []byte) bool {
	msg := string(data)
	w := &r.wire
	if len(w.lanes) == 0 {
		w.lanes = []*wireLane{r.newWireLane()}
	}
	defer func() {
		// Nothing may keep the export alive.
		clear(w.scopes)
		clear(w.spans)
		w.scopes, w.spans, w.resources = w.scopes[:0], w.spans[:0], w.resources[:0]
		for _, l := range w.lanes {
			l.strange = false
			clear(l.notes)
			clear(l.attrs)
			clear(l.inner)
			clear(l.events)
		}
	}()
	if !r.outline(msg) || r.spans.n+len(w.spans) > r.limits.Spans {
		r.forgetResources()
		return false
	}
	spans := make([]Span, len(w.spans))
	parts := partsOf(len(spans), wireParts)
	for len(w.lanes) < parts {
		w.lanes = append(w.lanes, r.newWireLane())
	}
	eachPart(len(spans), parts, func(part, from, to int) {
		l := w.lanes[part]
		for i := from; i < to && !l.strange; i++ {
			s := &w.spans[i]
			l.span(&spans[i], &w.scopes[s.scope], s.body)
		}
	})
	for _, l := range w.lanes {
		if l.strange {
			r.forgetResources()
			return false
		}
	}
	for _, l := range w.lanes {
		for code, n := range l.notes {
			r.notes.add(code, n)
		}
	}
	r.spans.take(slices.DeleteFunc(spans, func(s Span) bool { return s.Resource == nil })) // what was left out
	return true
}

func (r *Reader) newWireLane() *wireLane {
	l := &wireLane{lane: newLane(r.limits)}
	l.strings.borrowed = true
	return l
}

// forgetResources takes back the resources of an export that is left to pdata, which will note what they lack.
func (r *Reader) forgetResources() {
	for _, key := range r.wire.resources {
		delete(r.resources, key)
	}
}

// outline finds the spans of an export and what they share.
func (r *Reader) outline(msg string) bool {
	var f wireField
	r.wire.size, r.wire.outer = len(msg), 0
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 || f.number != 1 || f.kind != wireBytes || !r.outlineResource(f.body) {
			return false
		}
	}
	return len(msg) > 0 && !r.wire.count(1)
}

// count counts messages and is whether there are too many of them for the size of the export.
func (w *wire) count(n int) bool {
	w.outer += n
	return nesting.Crowded(w.outer, w.size)
}

func (r *Reader) outlineResource(msg string) bool {
	w := &r.wire
	first := len(w.scopes)
	resource, described := "", false
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 || w.count(1) {
			return false
		}
		switch f.number {
		case 1:
			if f.kind != wireBytes || described {
				return false
			}
			resource, described = f.body, true
		case 2:
			if f.kind != wireBytes || !w.outlineScope(f.body) {
				return false
			}
		case 3:
			if f.kind != wireBytes || !f.plain() || w.count(len(f.body)/2) { // if it were messages
				return false
			}
		default:
			return false
		}
	}
	l := w.lanes[0]
	n, ok := w.resource(resource)
	if !ok || w.count(1) {
		return false
	}
	attrs := l.normalise(l.attrs, n, false)
	res, key, added := r.sharedResource(attrs, l.notes)
	if added {
		w.resources = append(w.resources, key)
	}
	for i := first; i < len(w.scopes); i++ {
		w.scopes[i].resource = res
	}
	return true
}

// resource reads the attributes of a resource and counts them.
func (w *wire) resource(msg string) (n int, ok bool) {
	l := w.lanes[0]
	l.attrs = l.attrs[:0]
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 || w.count(1) {
			return 0, false
		}
		switch {
		case f.number == 1 && f.kind == wireBytes:
			l.attrs = l.attribute(l.attrs, f.body)
			n++
		case f.number == 2 && f.kind == wireVarint:
		default:
			return 0, false
		}
	}
	return n, !l.strange
}

func (w *wire) outlineScope(msg string) bool {
	at := len(w.scopes)
	w.scopes = append(w.scopes, wireScope{})
	l := w.lanes[0]
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 || w.count(1) {
			return false
		}
		switch f.number {
		case 1:
			if f.kind != wireBytes || !l.scope(f.body, &w.scopes[at].name) {
				return false
			}
		case 2:
			if f.kind != wireBytes {
				return false
			}
			w.spans = append(w.spans, wireSpan{at, f.body})
		case 3:
			if f.kind != wireBytes || !f.plain() {
				return false
			}
		default:
			return false
		}
	}
	w.scopes[at].name = l.strings.str(w.scopes[at].name)
	return true
}

// scope reads the name of an instrumentation scope.
func (l *wireLane) scope(msg string, name *string) bool {
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 {
			return false
		}
		switch f.number {
		case 1, 2:
			if f.kind != wireBytes || !f.plain() {
				return false
			}
			if f.number == 1 {
				*name = f.body
			}
		case 3:
			if f.kind != wireBytes {
				return false
			}
			if l.attribute(nil, f.body); l.strange {
				return false
			}
		case 4:
			if f.kind != wireVarint {
				return false
			}
		default:
			return false
		}
	}
	return true
}
