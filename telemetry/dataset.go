package telemetry

import (
	"cmp"
	"slices"
	"time"
)

// farAway is how far from the middle of the window a record may lie. Windows are minutes to
// hours; a record further away has a broken clock.
const farAway = 7 * 24 * time.Hour

// Dataset normalises what was added and returns it. The Reader must not be used afterwards.
func (r *Reader) Dataset() Dataset {
	spans, dropped, shared := dedupe(r.spans.sorted(r.dropFarAway()))
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
			moved := spanStore{}
			moved.take(spans)
			spans = moved.sorted(nil)
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
	logs, repeated := sortedLogs(r.logs)
	r.notes.add(NoteDuplicateLog, repeated)
	slices.Sort(r.keys)
	metrics := make([]Series, 0, len(r.keys))
	for _, k := range r.keys {
		s := r.series[k]
		slices.SortStableFunc(s.Points, comparePoints)
		s.Points = slices.CompactFunc(s.Points, samePoint)
		metrics = append(metrics, *s)
	}
	slices.SortStableFunc(r.profiles, compareProfiles)
	return Dataset{Spans: spans, Logs: logs, Metrics: metrics, Profiles: r.profiles, Notes: r.notes.notes()}
}

// dropFarAway leaves out logs that lie days from the median span or log, and says which spans do not; nil when all do not.
func (r *Reader) dropFarAway() (keep func(s *Span) bool) {
	times := make([]int64, 0, r.spans.n+len(r.logs))
	r.spans.each(func(s *Span) { times = append(times, s.Start) })
	for i := range r.logs {
		times = append(times, r.logs[i].Time)
	}
	if len(times) == 0 {
		return nil
	}
	if lo, hi := slices.Min(times), slices.Max(times); hi-lo <= int64(farAway) {
		return nil
	}
	slices.Sort(times)
	middle := times[len(times)/2]
	far := func(t int64) bool { return t-middle > int64(farAway) || middle-t > int64(farAway) }
	before := len(r.logs)
	r.logs = slices.DeleteFunc(r.logs, func(l Log) bool { return far(l.Time) })
	r.notes.add(NoteFarFromWindow, before-len(r.logs))
	r.spans.each(func(s *Span) {
		if far(s.Start) {
			r.notes.add(NoteFarFromWindow, 1)
		}
	})
	return func(s *Span) bool { return !far(s.Start) }
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
