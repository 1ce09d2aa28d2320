package telemetry

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"
)

// spanStore holds spans in the order of their arrival, in pieces, so that a growing window is not copied over and over.
type spanStore struct {
	pieces [][]Span
	n      int
}

const (
	firstPiece = 1 << 6
	mostPiece  = 1 << 12
)

// add appends one span.
func (st *spanStore) add(s Span) {
	last := len(st.pieces) - 1
	if last < 0 || len(st.pieces[last]) == cap(st.pieces[last]) {
		st.pieces = append(st.pieces, make([]Span, 0, min(max(firstPiece, st.n), mostPiece)))
		last++
	}
	st.pieces[last] = append(st.pieces[last], s)
	st.n++
}

// take takes over a piece.
func (st *spanStore) take(piece []Span) {
	if len(piece) > 0 {
		st.pieces = append(st.pieces, piece)
		st.n += len(piece)
	}
}

// each visits the spans in order.
func (st *spanStore) each(visit func(s *Span)) {
	for _, p := range st.pieces {
		for i := range p {
			visit(&p[i])
		}
	}
}

// sortKey finds a span or a record by its time, and where that is the same by all else.
type sortKey[T any] struct {
	time int64
	item *T
	at   int32 // order of arrival
}

// sortKeys sorts both halves at the same time and merges them. No two keys are equal, so there is one outcome: what compare says
// of the items at one time, and the order of arrival where it says nothing.
func sortKeys[T any](keys []sortKey[T], compare func(a, b *T) int) {
	order := func(a, b sortKey[T]) int {
		switch {
		case a.time < b.time:
			return -1
		case a.time > b.time:
			return 1
		}
		if c := compare(a.item, b.item); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	}
	if partsOf(len(keys), partSize) < 2 {
		slices.SortFunc(keys, order)
		return
	}
	eachPart(len(keys), 2, func(_, from, to int) { slices.SortFunc(keys[from:to], order) })
	first, second := slices.Clone(keys[:len(keys)/2]), keys[len(keys)/2:]
	for i := range keys {
		switch {
		case len(first) == 0:
			return // the rest is where it belongs
		case len(second) == 0 || order(first[0], second[0]) < 0:
			keys[i], first = first[0], first[1:]
		default:
			keys[i], second = second[0], second[1:]
		}
	}
}

// gathered copies what the keys lead to.
func gathered[T any](keys []sortKey[T]) []T {
	if len(keys) == 0 {
		return nil
	}
	out := make([]T, len(keys))
	inParts(len(keys), func(from, to int) {
		for i := from; i < to; i++ {
			out[i] = *keys[i].item
		}
	})
	return out
}

// sorted copies the spans that keep lets through into one slice, in the order of compareSpans, and empties the store.
func (st *spanStore) sorted(keep func(s *Span) bool) []Span {
	keys := make([]sortKey[Span], 0, st.n)
	st.each(func(s *Span) {
		if keep == nil || keep(s) {
			keys = append(keys, sortKey[Span]{s.Start, s, int32(len(keys))}) // bounded by Limits.Spans
		}
	})
	sortKeys(keys, compareSpans)
	*st = spanStore{}
	return gathered(keys)
}

// sortedLogs copies records in the order of compareLogs, one of each that was delivered twice, and counts the others.
func sortedLogs(logs []Log) (sorted []Log, repeated int) {
	keys := make([]sortKey[Log], len(logs))
	for i := range logs {
		keys[i] = sortKey[Log]{logs[i].Time, &logs[i], int32(i)} // bounded by Limits.Logs
	}
	sortKeys(keys, compareLogs)
	keys = slices.CompactFunc(keys, func(a, b sortKey[Log]) bool { return sameLog(a.item, b.item) })
	return gathered(keys), len(logs) - len(keys)
}

// compareLogs orders records by time; of those of one moment, by all that tells them apart, so that the order in which they
// arrived does not matter.
func compareLogs(a, b *Log) int {
	if a.Time != b.Time {
		return cmp.Compare(a.Time, b.Time)
	}
	if c := bytes.Compare(a.Trace[:], b.Trace[:]); c != 0 {
		return c
	}
	if c := bytes.Compare(a.Span[:], b.Span[:]); c != 0 {
		return c
	}
	if c := strings.Compare(a.Resource.Service, b.Resource.Service); c != 0 {
		return c
	}
	if c := strings.Compare(a.Body, b.Body); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(a.Severity, b.Severity), strings.Compare(a.Scope, b.Scope),
		strings.Compare(a.Resource.Instance, b.Resource.Instance), compareAttrs(a.Attrs, b.Attrs), compareAttrs(a.Resource.Attrs, b.Resource.Attrs))
}

// sameLog says that a record was delivered twice: exporters repeat a batch when they get no answer. A clock that counts
// milliseconds or less may well show the same moment to two records with one text.
func sameLog(a, b *Log) bool {
	return a.Time == b.Time && a.Time%int64(time.Millisecond) != 0 && a.Resource == b.Resource && compareLogs(a, b) == 0
}

func compareAttrs(a, b Attrs) int {
	return slices.CompareFunc(a, b, func(x, y Attr) int {
		return cmp.Or(strings.Compare(x.Key, y.Key), strings.Compare(x.Value, y.Value))
	})
}

func compareSpans(a, b *Span) int {
	switch {
	case a.Start < b.Start:
		return -1
	case a.Start > b.Start:
		return 1
	}
	if c := bytes.Compare(a.Trace[:], b.Trace[:]); c != 0 {
		return c
	}
	if c := bytes.Compare(a.ID[:], b.ID[:]); c != 0 {
		return c
	}
	if c := strings.Compare(a.Resource.Service, b.Resource.Service); c != 0 {
		return c
	}
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return cmp.Compare(a.Duration, b.Duration)
}
