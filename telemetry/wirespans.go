package telemetry

import "slices"

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
