package replay

import (
	"net/http"
	"slices"
	"sort"
	"time"
)

// maxExemplarSpans keeps the picture readable.
const maxExemplarSpans = 200

func (r *incidentReplay) exemplar(s *shot) *Exemplar {
	own := groupByTrace(r.rig.receiver.Spans())[s.context.trace].exchange("", s.context.span)
	if len(own) == 0 {
		return nil
	}
	e := &Exemplar{Trace: s.context.trace.String()}
	zero := own[0].span.Start
	for _, p := range own {
		zero = min(zero, p.span.Start)
	}
	for _, p := range depthFirst(own) {
		if len(e.Spans) == maxExemplarSpans {
			break
		}
		e.Spans = append(e.Spans, ExemplarSpan{Name: r.opts.Redactor.Text(p.span.Name), Service: p.span.Resource.Service, Depth: p.depth, Offset: time.Duration(p.span.Start - zero),
			Duration: p.span.Duration, Error: statusText(p.span.Status) == "error" || p.span.HTTPStatus() >= http.StatusInternalServerError})
	}
	return e
}

// depthFirst orders the spans of an exchange as a picture draws them.
func depthFirst(own []placed) []placed {
	children := map[[8]byte][]int{}
	known := map[[8]byte]bool{}
	for i := range own {
		known[own[i].span.ID] = true
	}
	var roots []int
	for i := range own {
		if p := own[i].span.Parent; known[p] && own[i].depth > 0 {
			children[p] = append(children[p], i)
		} else {
			roots = append(roots, i)
		}
	}
	byStart := func(list []int) {
		sort.SliceStable(list, func(a, b int) bool { return own[list[a]].span.Start < own[list[b]].span.Start })
	}
	byStart(roots)
	out := make([]placed, 0, len(own))
	stack := slices.Clone(roots)
	slices.Reverse(stack)
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		out = append(out, own[i])
		kids := children[own[i].span.ID]
		byStart(kids)
		for j := len(kids) - 1; j >= 0; j-- {
			stack = append(stack, kids[j])
		}
	}
	return out
}
