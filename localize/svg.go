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
