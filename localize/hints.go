package localize

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// maxHints bounds the leads of one suspect.
const maxHints = 40

// hintsOf gathers the leads into code of a suspect: what its spans, logs, statements and calls
// say, heavier where it is nearer to what went wrong.
func (a *analysis) hintsOf(c *serviceCase, op *opCase) []Hint {
	hints := slices.Clone(c.hints)
	ids := a.suspectOps(c, op)
	for n, id := range ids {
		weight := 0.7
		if n > 0 {
			weight = 0.45
		}
		o := &a.ops.list[id]
		hints = append(hints, spanHints(o.sample, weight)...)
	}
	if len(ids) > 0 {
		hints = append(hints, a.codeHints(ids[0])...)
		hints = append(hints, a.callHints(ids[0])...)
	}
	for _, e := range a.raised {
		if e.service != c.service {
			continue
		}
		h := Hint{Kind: HintLog, Namespace: e.namespace, File: e.file, Line: e.line, Function: e.function,
			Text: e.text(a.events.miner), Weight: 0.6 * e.strength}
		if e.place() != "" {
			h.Kind = HintCode
			h.Weight = 0.7 * e.strength
		}
		hints = append(hints, h)
	}
	return tidyHints(hints)
}

// suspectOps are the operations of the case that the suspect is about, best first.
func (a *analysis) suspectOps(c *serviceCase, op *opCase) []int32 {
	var ids []int32
	add := func(id int32) {
		if id >= 0 && !slices.Contains(ids, id) && len(ids) < 6 {
			ids = append(ids, id)
		}
	}
	if op != nil {
		add(op.op)
	}
	for _, o := range c.bestOps() {
		add(o.op)
	}
	if op != nil && op.op >= 0 && a.ops.list[op.op].kind.Outgoing() {
		add(a.parentOf(op.op))
	}
	return ids
}

// spanHints are the leads that a span's own attributes give.
func spanHints(s *telemetry.Span, weight float64) []Hint {
	hints := []Hint{{Kind: HintSpan, Text: telemetry.NormalName(s.Name), Namespace: s.Scope, Weight: weight}}
	if r := s.Route(); r != "" {
		text := r
		if m := s.Attrs.Get(telemetry.AttrHTTPMethod); m != "" {
			text = m + " " + r
		}
		kind := HintRoute
		if s.Kind.Outgoing() {
			kind = HintCall
			text = strings.TrimSpace(s.Peer() + " " + text)
		}
		hints = append(hints, Hint{Kind: kind, Text: text, Weight: weight})
	}
	if r := s.RPC(); r != "" {
		kind := HintRoute
		if s.Kind.Outgoing() {
			kind = HintCall
		}
		hints = append(hints, Hint{Kind: kind, Text: r, Weight: weight})
	}
	if q := s.Attrs.Get(telemetry.AttrDBQuery); q != "" {
		hints = append(hints, Hint{Kind: HintStatement, Text: shorten(q, 2000), Weight: weight})
	}
	return append(hints, codeOf(s, weight+0.15)...)
}

// codeOf is the lead of a span's code.* attributes.
func codeOf(s *telemetry.Span, weight float64) []Hint {
	file, fn, ns := s.Attrs.Get(telemetry.AttrCodeFile), s.Attrs.Get(telemetry.AttrCodeFunction), s.Attrs.Get(telemetry.AttrCodeNamespace)
	if file == "" && fn == "" && ns == "" {
		return nil
	}
	line, _ := s.Attrs.Int(telemetry.AttrCodeLine)
	return []Hint{{Kind: HintCode, File: file, Line: int(line), Function: fn, Namespace: ns, Weight: clamp01(weight)}}
}

// codeHints are the code places that spans of the operation, and the spans above and below
// them in the same service, name.
func (a *analysis) codeHints(op int32) []Hint {
	var out []Hint
	seen := 0
	for t := range a.cur.recs {
		tr := &a.cur.traces[t]
		for i := range a.cur.recs[t] {
			if a.cur.recs[t][i].op != op {
				continue
			}
			if seen++; seen > 20 {
				return out
			}
			out = append(out, codeOf(tr.Spans[i], 0.8)...)
			if p := tr.Parent(i); p >= 0 && tr.Spans[p].Resource.Service == tr.Spans[i].Resource.Service {
				out = append(out, spanHints(tr.Spans[p], 0.4)...)
			}
			for _, c := range tr.Children(i)[:min(len(tr.Children(i)), 5)] {
				if tr.Spans[c].Resource.Service == tr.Spans[i].Resource.Service {
					out = append(out, codeOf(tr.Spans[c], 0.4)...)
				}
			}
		}
	}
	return out
}

// callHints are the calls that spans of the operation make.
func (a *analysis) callHints(op int32) []Hint {
	counts := map[int32]float64{}
	seen := 0
	for t := range a.cur.recs {
		tr := &a.cur.traces[t]
		for i := range a.cur.recs[t] {
			if a.cur.recs[t][i].op != op {
				continue
			}
			for _, c := range tr.Children(i) {
				if tr.Spans[c].Kind.Outgoing() {
					counts[a.cur.recs[t][c].op]++
				}
			}
			seen++
		}
		if seen > 200 {
			break
		}
	}
	var out []Hint
	for _, id := range sortedOps(counts) {
		for _, h := range spanHints(a.ops.list[id].sample, 0.35) {
			if h.Kind == HintCall || h.Kind == HintStatement || h.Kind == HintSpan {
				out = append(out, h)
			}
		}
		if len(out) > 15 {
			break
		}
	}
	return out
}

// tidyHints drops repeated leads, keeping the heaviest, and sorts by weight.
func tidyHints(in []Hint) []Hint {
	type key struct {
		kind                            HintKind
		file, function, namespace, text string
		line                            int
	}
	best := map[key]int{}
	var out []Hint
	for _, h := range in {
		h.Weight = clamp01(h.Weight)
		k := key{h.Kind, h.File, h.Function, h.Namespace, h.Text, h.Line}
		if i, ok := best[k]; ok {
			out[i].Weight = max(out[i].Weight, h.Weight)
			continue
		}
		best[k] = len(out)
		out = append(out, h)
	}
	slices.SortStableFunc(out, func(x, y Hint) int {
		switch {
		case x.Weight > y.Weight:
			return -1
		case x.Weight < y.Weight:
			return 1
		}
		return compareStrings(fmt.Sprintf("%s%s%06d%s%s", x.Kind, x.File, x.Line, x.Function, x.Text), fmt.Sprintf("%s%s%06d%s%s", y.Kind, y.File, y.Line, y.Function, y.Text))
	})
	return out[:min(len(out), maxHints)]
}
