package telemetry

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"time"
)

// farAway is how far from the middle of the window a record may lie. Windows are minutes to
// hours; a record further away has a broken clock.
const farAway = 7 * 24 * time.Hour

// Dataset normalises what was added and returns it. The Reader must not be used afterwards.
func (r *Reader) Dataset() Dataset {
	r.dropFarAway()
	slices.SortFunc(r.spans, func(a, b Span) int { return compareSpans(&a, &b) })
	spans, dropped, shared := dedupe(r.spans)
	r.notes.add(NoteDuplicateSpan, dropped)
	if shared > 0 {
		split := splitShared(spans)
		r.notes.add(NoteSharedID, split)
		r.notes.add(NoteDuplicateID, shared-split)
	}

	traces := GroupTraces(spans)
	inferFromTree(traces)
	if !r.opts.KeepClocks {
		if moved := correctSkew(traces); moved > 0 {
			r.notes.add(NoteClockSkew, moved)
			slices.SortFunc(spans, func(a, b Span) int { return compareSpans(&a, &b) })
		}
	}
	for t := range traces {
		if traces[t].Broken {
			r.notes.add(NoteBrokenTrace, 1)
		}
		if traces[t].Headless {
			r.notes.add(NoteHeadless, 1)
		}
		if traces[t].Cyclic {
			r.notes.add(NoteSpanCycle, 1)
		}
	}
	for i := range spans {
		if spans[i].KindInferred {
			r.notes.add(NoteKindInferred, 1)
		}
		if spans[i].StatusInferred {
			r.notes.add(NoteStatusInferred, 1)
		}
	}
	for i := range r.logs {
		if r.logs[i].IDsInferred {
			r.notes.add(NoteTextID, 1)
		}
	}
	slices.SortStableFunc(r.logs, func(a, b Log) int { return compareLogs(&a, &b) })
	logs := len(r.logs)
	r.logs = slices.CompactFunc(r.logs, func(a, b Log) bool { return sameLog(&a, &b) })
	r.notes.add(NoteDuplicateLog, logs-len(r.logs))
	slices.Sort(r.keys)
	metrics := make([]Series, 0, len(r.keys))
	for _, k := range r.keys {
		s := r.series[k]
		slices.SortStableFunc(s.Points, comparePoints)
		s.Points = slices.CompactFunc(s.Points, samePoint)
		metrics = append(metrics, *s)
	}
	slices.SortStableFunc(r.profiles, compareProfiles)
	return Dataset{Spans: spans, Logs: r.logs, Metrics: metrics, Profiles: r.profiles, Notes: r.notes.notes()}
}

// dropFarAway leaves out spans and logs that lie days from the median span or log.
func (r *Reader) dropFarAway() {
	times := make([]int64, 0, len(r.spans)+len(r.logs))
	for i := range r.spans {
		times = append(times, r.spans[i].Start)
	}
	for i := range r.logs {
		times = append(times, r.logs[i].Time)
	}
	if len(times) == 0 {
		return
	}
	if lo, hi := slices.Min(times), slices.Max(times); hi-lo <= int64(farAway) {
		return
	}
	slices.Sort(times)
	middle := times[len(times)/2]
	far := func(t int64) bool { return t-middle > int64(farAway) || middle-t > int64(farAway) }
	before := len(r.spans) + len(r.logs)
	r.spans = slices.DeleteFunc(r.spans, func(s Span) bool { return far(s.Start) })
	r.logs = slices.DeleteFunc(r.logs, func(l Log) bool { return far(l.Time) })
	r.notes.add(NoteFarFromWindow, before-len(r.spans)-len(r.logs))
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

// comparePoints orders the points of a series, those of one moment by what they say.
func comparePoints(a, b Point) int {
	if a.Time != b.Time {
		return cmp.Compare(a.Time, b.Time)
	}
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Count, b.Count), slices.Compare(a.Buckets, b.Buckets))
}

// samePoint says that an observation was delivered twice.
func samePoint(a, b Point) bool {
	return a.Cumulative == b.Cumulative && comparePoints(a, b) == 0 && slices.Equal(a.Bounds, b.Bounds)
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
