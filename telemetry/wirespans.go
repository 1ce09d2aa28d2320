package telemetry

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

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

// span decodes a span. Its resource stays nil when it is left out.
func (l *wireLane) span(out *Span, in *wireScope, msg string) {
	head := spanHead{}
	attrs, events := 0, 0
	l.attrs, l.events, l.links = l.attrs[:0], l.events[:0], l.links[:0]
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 || int(f.number) >= len(spanKinds) || f.kind != spanKinds[f.number] {
			l.strange = true
			return
		}
		switch f.number {
		case 1:
			l.id(head.trace[:], f.body)
		case 2:
			l.id(head.id[:], f.body)
		case 3:
			l.strange = l.strange || !f.plain()
		case 4:
			l.id(head.parent[:], f.body)
		case 5:
			l.strange = l.strange || !f.plain()
			head.name = f.body
		case 6:
			head.kind = int32(f.bits) // as pdata cuts it
		case 7:
			head.start = f.bits
		case 8:
			head.end = f.bits
		case 9:
			l.attrs = l.attribute(l.attrs, f.body)
			attrs++
		case 11:
			if events++; len(l.events) < l.limits.Events {
				l.events = append(l.events, f.body)
			} else {
				l.event(f.body) // one that is broken makes the export so
			}
		case 13:
			if link := l.link(f.body); len(l.links) < l.limits.Events {
				l.links = append(l.links, link)
			}
		case 15:
			l.status(&head, f.body)
		}
	}
	keep := l.begin(out, &head)
	if keep {
		out.Attrs = l.normalise(l.attrs, attrs, out.Kind.Incoming())
		if len(l.events) > 0 {
			out.Events = make([]Event, 0, len(l.events))
			l.notes.add(NoteCut, events-len(l.events))
		}
		if len(l.links) > 0 {
			out.Links = slices.Clone(l.links)
		}
	}
	for _, body := range l.events {
		name, at, n := l.event(body)
		if l.strange {
			return
		}
		if keep {
			out.Events = append(out.Events, l.newEvent(name, at, l.normalise(l.inner, n, false)))
		}
	}
	if keep && !l.strange {
		out.Resource, out.Scope = in.resource, in.name
		out.conclude()
	}
}

// spanKinds are the wire types of a span's fields by their numbers.
var spanKinds = [17]uint8{0: 255, 1: wireBytes, 2: wireBytes, 3: wireBytes, 4: wireBytes, 5: wireBytes, 6: wireVarint, 7: wire64, 8: wire64, 9: wireBytes,
	10: wireVarint, 11: wireBytes, 12: wireVarint, 13: wireBytes, 14: wireVarint, 15: wireBytes, 16: wire32}

// id reads an id, which is absent or whole.
func (l *wireLane) id(into []byte, body string) {
	switch len(body) {
	case 0:
		clear(into)
	case len(into):
		copy(into, body)
	default:
		l.strange = true
	}
}

func (l *wireLane) status(s *spanHead, msg string) {
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 {
			l.strange = true
			return
		}
		switch {
		case f.number == 2 && f.kind == wireBytes && f.plain():
			s.message = f.body
		case f.number == 3 && f.kind == wireVarint:
			s.status = int32(f.bits) // as pdata cuts it
		default:
			l.strange = true
			return
		}
	}
}

func (l *wireLane) link(msg string) (out Link) {
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 {
			l.strange = true
			return out
		}
		switch {
		case f.number == 1 && f.kind == wireBytes:
			l.id(out.Trace[:], f.body)
		case f.number == 2 && f.kind == wireBytes:
			l.id(out.Span[:], f.body)
		case f.number == 3 && f.kind == wireBytes && f.plain():
		case f.number == 4 && f.kind == wireBytes:
			l.attribute(nil, f.body)
		case f.number == 5 && f.kind == wireVarint, f.number == 6 && f.kind == wire32:
		default:
			l.strange = true
			return out
		}
	}
	return out
}

// event reads an event; the first of its attributes are left in inner.
func (l *wireLane) event(msg string) (name string, at uint64, attrs int) {
	l.inner = l.inner[:0]
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 {
			l.strange = true
			return name, at, attrs
		}
		switch {
		case f.number == 1 && f.kind == wire64:
			at = f.bits
		case f.number == 2 && f.kind == wireBytes && f.plain():
			name = f.body
		case f.number == 3 && f.kind == wireBytes:
			l.inner = l.attribute(l.inner, f.body)
			attrs++
		case f.number == 4 && f.kind == wireVarint:
		default:
			l.strange = true
			return name, at, attrs
		}
	}
	return name, at, attrs
}

// attribute reads a key and its value and appends them, up to the limit.
func (l *wireLane) attribute(to []rawAttr, msg string) []rawAttr {
	var attr rawAttr
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 {
			l.strange = true
			return to
		}
		switch {
		case f.number == 1 && f.kind == wireBytes && f.plain():
			attr.key = f.body
			continue
		case f.number == 2 && f.kind == wireBytes && attr.value(f.body):
			continue
		}
		attr = l.nested(msg)
		break
	}
	if len(to) < l.limits.Attributes {
		to = append(to, attr)
	}
	return to
}

// value reads a plain value; false when it is a list, a map or strange.
func (v *rawValue) value(msg string) bool {
	var f wireField
	for i := 0; i < len(msg); {
		if i = f.read(msg, i); i < 0 || !f.plain() {
			return false
		}
		switch {
		case f.number == 1 && f.kind == wireBytes:
			*v = rawValue{kind: pcommon.ValueTypeStr, text: f.body}
		case f.number == 2 && f.kind == wireVarint:
			*v = rawValue{kind: pcommon.ValueTypeBool, bits: min(f.bits, 1)}
		case f.number == 3 && f.kind == wireVarint:
			*v = rawValue{kind: pcommon.ValueTypeInt, bits: f.bits}
		case f.number == 4 && f.kind == wire64:
			*v = rawValue{kind: pcommon.ValueTypeDouble, bits: f.bits}
		case f.number == 7 && f.kind == wireBytes:
			*v = rawValue{kind: pcommon.ValueTypeBytes, text: f.body}
		default:
			return false
		}
	}
	return true
}

// nested has pdata decode an attribute whose value is a list, a map or strange: an export with this attribute alone.
func (l *wireLane) nested(msg string) (out rawAttr) {
	if nesting.Nested(msg, wireDepth) {
		l.strange = true
		return out
	}
	whole := []byte(msg)
	for range 3 { // an attribute of a resource of spans of an export
		whole = append(protoHeader(len(whole)), whole...)
	}
	var u ptrace.ProtoUnmarshaler
	td, err := u.UnmarshalTraces(whole)
	if err != nil || td.ResourceSpans().Len() != 1 {
		l.strange = true
		return out
	}
	for k, v := range td.ResourceSpans().At(0).Resource().Attributes().All() {
		out = rawAttr{k, rawOf(v)}
	}
	return out
}

// protoHeader begins field 1 of a length.
func protoHeader(n int) []byte {
	out := []byte{otlpField1}
	for ; n >= 0x80; n >>= 7 {
		out = append(out, byte(n)|0x80)
	}
	return append(out, byte(n))
}
