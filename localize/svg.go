package localize

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Bounds of the picture. Nobody reads a drawing of more than a few dozen boxes.
const (
	maxDrawnNodes = 40
	maxDrawnEdges = 90
	fewEdges      = 14 // up to so many every edge carries its numbers, beyond only those with something to say
)

// Sizes in the picture's units, CSS pixels at full size.
const (
	boxWidth  = 204.0
	boxPad    = 12.0
	lineStep  = 15.0
	pageEdge  = 16.0
	badgeRise = 9.0  // how far a suspect's badge stands out above its box
	loopRise  = 26.0 // room above a box for a call to itself
	labelSize = 12.0
	nameSize  = 13.5
)

// SVG draws the graph as one self-contained picture: no script, no outside reference, for light and dark pages,
// with its gist in words for those who cannot see it. It holds the worst nodes and their neighbours, and says how
// much it leaves out. The same graph gives the same bytes.
func (g Graph) SVG() string {
	d := newDrawing(&g)
	d.header()
	for i := range d.sketch.edges {
		d.edge(i)
	}
	for i := range d.sketch.edges {
		d.edgeLabel(i)
	}
	for i := range d.sketch.nodes {
		d.node(i)
	}
	d.legend()
	d.b.WriteString("</svg>\n")
	return d.b.String()
}

// drawing is a picture while it is written.
type drawing struct {
	g        *Graph
	sketch   sketch
	compared bool
	lay      *layout
	index    map[string]int
	texts    []nodeText
	labels   [][]phrase // of each edge
	loops    map[int]int
	of       []int // edge of the layout for each edge of the sketch, -1 for loops
	ports    [][2]float64
	notes    []string
	least    float64 // seconds by which a time must have risen to be called worse beside the others
	width    float64
	height   float64
	b        strings.Builder
}

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

func newDrawing(g *Graph) *drawing {
	d := &drawing{g: g, sketch: g.choose(maxDrawnNodes, maxDrawnEdges), compared: g.compared(), index: map[string]int{}, loops: map[int]int{}}
	d.least = leastAdded * g.mostAdded()
	var boxes []box
	var first []bool
	for i := range d.sketch.nodes {
		n := &d.sketch.nodes[i]
		d.index[n.Name] = i
		d.texts = append(d.texts, d.nodeText(n))
		first = append(first, n.Entry.Incident+n.Entry.Baseline > 0)
		boxes = append(boxes, box{boxWidth, d.boxHeight(i) + d.above(i)})
	}
	// Busy edges are laid out first, so that cycles are cut at the idle ones.
	slices.SortStableFunc(d.sketch.edges, func(x, y Edge) int {
		return cmp.Or(cmp.Compare(y.Calls.Incident+y.Calls.Baseline, x.Calls.Incident+x.Calls.Baseline), byEnds(x, y))
	})
	var edges []ends
	var labels []box
	for i := range d.sketch.edges {
		e := &d.sketch.edges[i]
		text := d.edgeText(e)
		d.labels = append(d.labels, text)
		if e.From == e.To {
			d.of = append(d.of, -1)
			d.loops[d.index[e.From]] = i
			continue
		}
		d.of = append(d.of, len(edges))
		edges = append(edges, ends{d.index[e.From], d.index[e.To]})
		labels = append(labels, labelBox(text))
	}
	for i := range boxes { // loops are known now
		boxes[i].h = d.boxHeight(i) + d.above(i)
	}
	d.lay = arrange(boxes, edges, labels, first)
	d.spread(edges)
	d.notes = d.captions()
	d.width = max(d.lay.width+2*pageEdge, 480)
	d.height = d.lay.height + 2*pageEdge + d.legendHeight()
	return d
}

// leastAdded is the part of the largest rise of any edge that another must reach to be shown as worse: what waits for
// a slow callee is slow by as much, and tenths of it elsewhere only lead the eye astray.
const leastAdded = 0.1

func (g *Graph) mostAdded() float64 {
	most := 0.0
	for i := range g.Edges {
		e := &g.Edges[i]
		most = max(most, addedTime(e.P95, e.Seen), addedTime(e.Queued, e.Seen))
	}
	return most
}

func (d *drawing) slower(s, seen Shift) bool {
	added := addedTime(s, seen)
	return added > 0 && added >= d.least
}

// above is the room a box needs above itself.
func (d *drawing) above(i int) float64 {
	if _, ok := d.loops[i]; ok {
		return loopRise
	}
	if d.badged(&d.sketch.nodes[i]) {
		return badgeRise
	}
	return 0
}

func (d *drawing) boxHeight(i int) float64 {
	t := &d.texts[i]
	n := len(t.name) + len(t.facts)
	if t.caption != "" {
		n++
	}
	return float64(n)*lineStep + 15 + d.head(i)
}

// head is how much lower than usual the text of a box begins: below a drum's lid, below a badge.
func (d *drawing) head(i int) float64 {
	n := &d.sketch.nodes[i]
	h := 0.0
	if n.Kind == nodeDatabase {
		h = 9
	}
	if d.badged(n) {
		h = max(h, 6)
	}
	return h
}

// badged says that a suspect is worth a badge: the first three, and whoever else has some blame.
func (d *drawing) badged(n *Node) bool { return n.Suspect > 0 && (n.Suspect <= 3 || n.Blame >= 0.05) }

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

// spread gives every line a place of its own at the side of a box, in the order of where it goes.
func (d *drawing) spread(edges []ends) {
	d.ports = make([][2]float64, len(edges))
	for n := range d.sketch.nodes {
		it := d.lay.nodes[n]
		for side, far := range [2]func(chain []int) (at, next int){
			func(c []int) (int, int) { return c[0], c[1] },
			func(c []int) (int, int) { return c[len(c)-1], c[len(c)-2] },
		} {
			var here []int
			for e, c := range d.lay.chains {
				if at, _ := far(c); at == it {
					here = append(here, e)
				}
			}
			slices.SortStableFunc(here, func(a, b int) int {
				_, x := far(d.lay.chains[a])
				_, y := far(d.lay.chains[b])
				return cmp.Compare(d.lay.items[x].y, d.lay.items[y].y)
			})
			h := d.boxHeight(n)
			step := min(14, (h-20)/float64(max(len(here)-1, 1)))
			middle := d.lay.items[it].y + d.above(n)/2
			for k, e := range here {
				d.ports[e][side] = middle + (float64(k)-float64(len(here)-1)/2)*step
			}
		}
	}
}

// x and y turn coordinates of the layout into the picture's.
func (d *drawing) x(v float64) float64 { return v + (d.width-d.lay.width)/2 }
func (d *drawing) y(v float64) float64 { return v - d.lay.top + pageEdge }

// num writes a coordinate.
func num(v float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

func (d *drawing) header() {
	fmt.Fprintf(&d.b, `<svg xmlns="http://www.w3.org/2000/svg" class="rg" viewBox="0 0 %s %s" width="%s" height="%s" role="img" aria-labelledby="rg-title rg-desc">`,
		num(d.width), num(d.height), num(d.width), num(d.height))
	fmt.Fprintf(&d.b, "\n<title id=\"rg-title\">Service graph</title>\n<desc id=\"rg-desc\">%s</desc>\n<style>%s</style>\n", escapeXML(d.gist()), svgStyle)
	d.b.WriteString(`<defs>`)
	for _, m := range []string{"", "-bad"} {
		fmt.Fprintf(&d.b, `<marker id="rg-arrow%s" viewBox="0 0 10 8" refX="9" refY="4" markerWidth="10" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path class="rg-head%s" d="M0 0L10 4L0 8z"/></marker>`, m, m)
	}
	fmt.Fprintf(&d.b, "</defs>\n<rect class=\"rg-page\" width=\"%s\" height=\"%s\"/>\n", num(d.width), num(d.height))
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

// edge draws the line of an edge, from its caller to its callee.
func (d *drawing) edge(i int) {
	e := &d.sketch.edges[i]
	class, marker := "rg-edge", "rg-arrow"
	if d.isBad(i) {
		class, marker = class+" rg-bad", "rg-arrow-bad"
	}
	if e.Async {
		class += " rg-async"
	}
	if e.Calls.Incident == 0 {
		class += " rg-gone"
	}
	if d.of[i] < 0 {
		n := d.index[e.From]
		it := &d.lay.items[d.lay.nodes[n]]
		right, top := d.x(it.x+it.w), d.y(it.y-it.h/2+d.above(n))
		fmt.Fprintf(&d.b, `<path class="%s" d="M%s %sC%s %s %s %s %s %s" marker-end="url(#%s)"><title>%s</title></path>`+"\n", class,
			num(right-16), num(top), num(right-8), num(top-24), num(right-52), num(top-24), num(right-44), num(top-1), marker, escapeXML(d.edgeTitle(e)))
		return
	}
	k := d.of[i]
	chain := d.lay.chains[k]
	type point struct{ x, y float64 }
	var line []point
	for n, c := range chain {
		it := &d.lay.items[c]
		switch n {
		case 0:
			line = append(line, point{it.x + it.w, d.ports[k][0]})
		case len(chain) - 1:
			line = append(line, point{it.x, d.ports[k][1]})
		default:
			// A line crosses its column level, whatever the column's width.
			left, right := d.columnOf(it.column)
			line = append(line, point{left, it.y}, point{right, it.y})
		}
	}
	if d.lay.reversed[k] {
		slices.Reverse(line)
	}
	var p strings.Builder
	fmt.Fprintf(&p, "M%s %s", num(d.x(line[0].x)), num(d.y(line[0].y)))
	for n := 1; n < len(line); n++ {
		a, b := line[n-1], line[n]
		if math.Abs(a.y-b.y) < 0.05 {
			fmt.Fprintf(&p, "L%s %s", num(d.x(b.x)), num(d.y(b.y)))
			continue
		}
		mid := (a.x + b.x) / 2
		fmt.Fprintf(&p, "C%s %s %s %s %s %s", num(d.x(mid)), num(d.y(a.y)), num(d.x(mid)), num(d.y(b.y)), num(d.x(b.x)), num(d.y(b.y)))
	}
	fmt.Fprintf(&d.b, `<path class="%s" d="%s" marker-end="url(#%s)"><title>%s</title></path>`+"\n", class, p.String(), marker, escapeXML(d.edgeTitle(e)))
}

func (d *drawing) columnOf(c int) (left, right float64) {
	left, right = math.Inf(1), math.Inf(-1)
	for _, i := range d.lay.columns[c] {
		it := &d.lay.items[i]
		left, right = min(left, it.x), max(right, it.x+it.w)
	}
	return left, right
}

// isBad says that an edge has something worse to tell.
func (d *drawing) isBad(i int) bool {
	return d.sketch.edges[i].Suspect == 1 || slices.ContainsFunc(d.labels[i], func(p phrase) bool { return p.worse })
}

func (d *drawing) edgeLabel(i int) {
	text := d.labels[i]
	if len(text) == 0 {
		return
	}
	if d.of[i] < 0 { // above the box, left of the loop
		n := d.index[d.sketch.edges[i].From]
		it := &d.lay.items[d.lay.nodes[n]]
		class, words := "rg-note", []string{text[0].text}
		for _, p := range text {
			if p.worse {
				if class == "rg-note" {
					class, words = "rg-note rg-worse", []string{"calls itself"}
				}
				words = append(words, p.text)
			}
		}
		fmt.Fprintf(&d.b, `<text class="%s" x="%s" y="%s" text-anchor="end">%s</text>`+"\n", class, num(d.x(it.x+it.w-56)), num(d.y(it.y-it.h/2+11)),
			escapeXML(fitted(strings.Join(words, ", "), (boxWidth-58)/11/1.06)))
		return
	}
	for _, c := range d.lay.chains[d.of[i]] {
		it := &d.lay.items[c]
		if !it.label {
			continue
		}
		class := "rg-label"
		if d.isBad(i) {
			class += " rg-bad"
		}
		x, y := d.x(it.x), d.y(it.y-it.h/2)
		fmt.Fprintf(&d.b, `<g><title>%s</title><rect class="%s" x="%s" y="%s" width="%s" height="%s" rx="5"/>`, escapeXML(d.edgeTitle(&d.sketch.edges[i])), class, num(x), num(y), num(it.w), num(it.h))
		for k, p := range text {
			class := ""
			if p.worse {
				class = ` class="rg-worse"`
			}
			fmt.Fprintf(&d.b, `<text%s x="%s" y="%s" text-anchor="middle">%s</text>`, class, num(x+it.w/2), num(y+14.5+14*float64(k)), escapeXML(p.text))
		}
		d.b.WriteString("</g>\n")
	}
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
