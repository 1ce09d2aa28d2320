package localize

import (
	"slices"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// pathFinder computes critical paths as CRISP does (Zhang et al., CRISP: Critical Path
// Analysis of Large-Scale Microservice Architectures, USENIX ATC 2022, section 4.2): walking
// back from the end of a span, the child that ended last before the current moment is what the
// span was waiting for; the walk goes on inside it and resumes at its start. Children that
// overlap their parent's edges are clipped to it.
type pathFinder struct {
	byEnd [][]int // scratch per depth
	// emit, if set, receives each stretch of the path, latest first.
	emit func(i int, from, to int64)
}

// overlapShare is the part of a child's duration, one in so many, by which it may overlap the
// next and still be taken to have ended before it: clocks within a process are read in turn.
const overlapShare = 50

// maxDepth bounds the recursion; whatever lies deeper is counted as the span's own time.
const maxDepth = 2000

// walk adds the time on the critical path below root to recs.
func (p *pathFinder) walk(tr *telemetry.Trace, root int, recs []spanRec) {
	if len(tr.Spans) == 0 {
		return
	}
	s := tr.Spans[root]
	p.visit(tr, root, s.Start, s.End(), recs, 0)
}

// visit walks span i back from end to start.
func (p *pathFinder) visit(tr *telemetry.Trace, i int, start, end int64, recs []spanRec, depth int) {
	children := tr.Children(i)
	own := func(from, to int64) {
		if to > from {
			recs[i].path += to - from
			if p.emit != nil {
				p.emit(i, from, to)
			}
		}
	}
	if len(children) == 0 || depth >= maxDepth {
		own(start, end)
		return
	}
	for len(p.byEnd) <= depth {
		p.byEnd = append(p.byEnd, nil)
	}
	order := append(p.byEnd[depth][:0], children...)
	p.byEnd[depth] = order
	// Work handed to a queue is not waited for, nor is what starts after the parent ended.
	order = slices.DeleteFunc(order, func(c int) bool {
		ch := tr.Spans[c]
		return ch.Kind == telemetry.KindConsumer || ch.Start >= end || ch.End() <= start
	})
	slices.SortFunc(order, func(a, b int) int {
		ea, eb := min(tr.Spans[a].End(), end), min(tr.Spans[b].End(), end)
		switch {
		case ea != eb:
			return compare(eb, ea)
		case tr.Spans[a].Start != tr.Spans[b].Start:
			return compare(tr.Spans[a].Start, tr.Spans[b].Start)
		}
		return compare(int64(a), int64(b))
	})
	at := end
	for _, c := range order {
		ch := tr.Spans[c]
		cEnd, cStart := min(ch.End(), end), max(ch.Start, start)
		if over := cEnd - at; over > 0 {
			if over > int64(ch.Duration)/overlapShare {
				continue // it ran beside the child that was waited for
			}
			cEnd = at
			if cStart >= cEnd {
				continue
			}
		}
		own(cEnd, at)
		p.visit(tr, c, cStart, cEnd, recs, depth+1)
		at = cStart
		if at <= start {
			break
		}
	}
	own(start, at)
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// criticalPath lists the stretches of a trace's critical path by time. Neighbouring
// stretches of one span are joined.
func criticalPath(w *window, ops *operations, t int) []PathSegment {
	tr := &w.traces[t]
	scratch := make([]spanRec, len(tr.Spans))
	var out []PathSegment
	origin := tr.Spans[w.outcomes[t].root].Start
	p := pathFinder{emit: func(i int, from, to int64) {
		s := tr.Spans[i]
		id := s.ID.String()
		if n := len(out); n > 0 && out[n-1].Span == id && out[n-1].Offset == time.Duration(to-origin) {
			out[n-1].Offset = time.Duration(from - origin)
			out[n-1].Duration += time.Duration(to - from)
			return
		}
		out = append(out, PathSegment{
			Service: s.Resource.Service, Operation: ops.list[w.recs[t][i].op].name, Span: id,
			Offset: time.Duration(from - origin), Duration: time.Duration(to - from),
			Error: w.recs[t][i].outcome == failed,
		})
	}}
	p.walk(tr, w.outcomes[t].root, scratch)
	slices.Reverse(out)
	const most = 200
	if len(out) > most { // keep the longest, in order
		bySize := slices.Clone(out)
		slices.SortStableFunc(bySize, func(a, b PathSegment) int { return compare(int64(b.Duration), int64(a.Duration)) })
		least := bySize[most-1].Duration
		out = slices.DeleteFunc(out, func(s PathSegment) bool { return s.Duration < least })
		out = out[:min(len(out), most)]
	}
	return out
}
