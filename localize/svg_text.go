package localize

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// phrase is a line of text; worse means that it tells of something that got worse.
type phrase struct {
	text  string
	worse bool
}

// nodeText is what a box says.
type nodeText struct {
	caption string
	name    []string
	facts   []phrase
}

// nodeText says what matters of a node, and the healthy value only where it differs.
func (d *drawing) nodeText(n *Node) nodeText {
	t := nodeText{name: wrapped(shown(n.Name, 200), (boxWidth-2*boxPad)/nameSize/1.06)}
	switch n.Kind {
	case nodeService:
		if n.Entry.Incident+n.Entry.Baseline > 0 {
			t.caption = "service, entry"
		}
	case nodeExternal:
		t.caption = "outside peer"
	default:
		t.caption = shown(n.Kind, 20)
		if n.System != "" && n.System != n.Kind {
			t.caption += ", " + shown(n.System, 24)
		}
	}
	what := "requests/s"
	if n.Kind == nodeQueue {
		what = "messages/s"
	} else if n.Kind != nodeService {
		what = "calls/s"
	}
	switch {
	case n.Requests.Incident > 0:
		t.facts = append(t.facts, phrase{amount(n.Requests.Incident) + " " + what + d.before(n.Requests, amount), false})
	case n.Requests.Baseline > 0:
		t.facts = append(t.facts, phrase{"no " + strings.TrimSuffix(what, "/s") + " (" + amount(n.Requests.Baseline) + "/s)", false})
	}
	if n.Errors.Incident >= 0.001 {
		t.facts = append(t.facts, phrase{share(n.Errors.Incident) + " fail" + d.before(n.Errors, share), worseErrors(n.Errors)})
	}
	if n.P95.Incident > 0 {
		p95 := "p95 "
		if n.Kind == nodeQueue {
			p95 = "waiting: p95 "
		}
		t.facts = append(t.facts, phrase{p95 + took(n.P95.Incident) + d.before(n.P95, took), d.slower(n.P95, n.Seen)})
	}
	if len(t.facts) == 0 {
		t.facts = append(t.facts, phrase{"no spans of its own", false})
	}
	return t
}

func (d *drawing) before(s Shift, write func(float64) string) string {
	if !d.compared || !differs(s) {
		return ""
	}
	return " (" + write(s.Baseline) + ")"
}

// edgeText says what matters of an edge; nothing where it is as always and there are many.
func (d *drawing) edgeText(e *Edge) []phrase {
	var out []phrase
	few := len(d.sketch.edges) <= fewEdges
	slow, waits := d.slower(e.P95, e.Seen), d.slower(e.Queued, e.Seen)
	if !few && !slow && !waits && !worseErrors(e.Errors) && !worseRate(e.Retries, 0.05) && len(e.Hidden) == 0 && e.Suspect != 1 {
		return nil
	}
	rate := amount(e.Calls.Incident) + "/s" + d.before(e.Calls, amount)
	if e.Calls.Incident == 0 {
		rate = "no calls (" + amount(e.Calls.Baseline) + "/s)"
	}
	if e.From == e.To {
		rate = "calls itself " + rate
	}
	out = append(out, phrase{rate, false})
	if e.Errors.Incident >= 0.001 {
		out = append(out, phrase{share(e.Errors.Incident) + " fail" + d.before(e.Errors, share), worseErrors(e.Errors)})
	}
	if worseRate(e.Retries, 0.05) || e.Retries.Incident >= 0.2 {
		out = append(out, phrase{share(e.Retries.Incident) + " are retries" + d.before(e.Retries, share), worseRate(e.Retries, 0.05)})
	}
	switch {
	case e.Queued.Incident > 0 && (waits || !slow):
		out = append(out, phrase{"in queue p95 " + took(e.Queued.Incident) + d.before(e.Queued, took), waits})
	case e.P95.Incident > 0 && (slow || few):
		out = append(out, phrase{"p95 " + took(e.P95.Incident) + d.before(e.P95, took), slow})
	}
	if e.FanOut.Incident >= 3 && e.FanOut.Incident > 1.5*e.FanOut.Baseline {
		out = append(out, phrase{amount(e.FanOut.Incident) + " calls a request" + d.before(e.FanOut, amount), true})
	}
	for _, h := range e.Hidden {
		out = append(out, phrase{hiddenWords[h.Kind] + " " + share(h.Share.Incident) + d.before(h.Share, share), true})
	}
	return out
}

// hiddenWords name a hidden fault on an edge.
var hiddenWords = map[HiddenKind]string{
	HiddenFallback: "fallback hides",
	HiddenRetry:    "retries hide",
	HiddenBreaker:  "no longer called:",
	HiddenDeadline: "given up too soon:",
}

func worseRate(s Shift, least float64) bool {
	return s.Incident >= least && s.Incident > 1.5*s.Baseline
}

func labelBox(text []phrase) box {
	if len(text) == 0 {
		return box{}
	}
	w := 0.0
	for _, p := range text {
		k := 1.0
		if p.worse {
			k = 1.06
		}
		w = max(w, k*textWidth(p.text))
	}
	return box{w*labelSize + 12, float64(len(text))*14 + 7}
}

// gist says in words what the picture shows.
func (d *drawing) gist() string {
	if len(d.g.Nodes) == 0 {
		return "No service was seen."
	}
	kinds := map[string]int{}
	for i := range d.g.Nodes {
		kinds[d.g.Nodes[i].Kind]++
	}
	out := []string{fmt.Sprintf("%s, %s and %s.", plural(kinds[nodeService], "service"), plural(len(d.g.Nodes)-kinds[nodeService], "other node"), plural(len(d.g.Edges), "connection"))}
	var suspects []*Node
	for i := range d.sketch.nodes {
		if d.sketch.nodes[i].Suspect > 0 {
			suspects = append(suspects, &d.sketch.nodes[i])
		}
	}
	slices.SortStableFunc(suspects, func(x, y *Node) int { return cmp.Compare(x.Suspect, y.Suspect) })
	for _, n := range suspects[:min(len(suspects), 3)] {
		out = append(out, fmt.Sprintf("Suspect %d is %s (blame %s).", n.Suspect, shown(n.Name, 80), share(n.Blame)))
	}
	said := 0
	for i := range d.sketch.edges {
		e := &d.sketch.edges[i]
		var what []string
		for _, p := range d.labels[i] {
			if p.worse {
				what = append(what, p.text)
			}
		}
		if len(what) > 0 && said < 12 {
			said++
			out = append(out, fmt.Sprintf("%s to %s: %s.", shown(e.From, 80), shown(e.To, 80), strings.Join(what, ", ")))
		}
	}
	return strings.Join(append(out, d.sketch.rest...), " ")
}

// edgeTitle is what a pointer that rests on an edge is told: everything.
func (d *drawing) edgeTitle(e *Edge) string {
	both := func(s Shift, write func(float64) string) string { return was(s, d.compared, write) }
	out := fmt.Sprintf("%s to %s\n%s calls/s\n%s fail\np50 %s, p95 %s, p99 %s\n%s of the calls are retries\n%s calls a request\n%s of the time requests take",
		shown(e.From, 200), shown(e.To, 200), both(e.Calls, amount), both(e.Errors, share), both(e.P50, took), both(e.P95, took), both(e.P99, took),
		both(e.Retries, share), both(e.FanOut, amount), both(e.Path, share))
	if e.Queued.Incident+e.Queued.Baseline > 0 {
		out += "\np95 in the queue " + both(e.Queued, took)
	}
	for _, h := range e.Hidden {
		out += "\n" + shown(h.Text, 400)
	}
	return out
}

func (d *drawing) nodeTitle(n *Node) string {
	both := func(s Shift, write func(float64) string) string { return was(s, d.compared, write) }
	return fmt.Sprintf("%s (%s)\n%s requests/s\n%s fail\np50 %s, p95 %s, p99 %s\nblame %s",
		shown(n.Name, 200), shown(n.Kind, 20), both(n.Requests, amount), both(n.Errors, share), both(n.P50, took), both(n.P95, took), both(n.P99, took), share(n.Blame))
}

// escapeXML makes text safe between tags and in quoted attributes.
func escapeXML(s string) string { return xmlEscapes.Replace(s) }

var xmlEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;")
