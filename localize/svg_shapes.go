package localize

import (
	"fmt"
	"strings"
)

// node draws the box of a node: its shape says what kind it is, its border and badge whether it is suspected.
func (d *drawing) node(i int) {
	n, t := &d.sketch.nodes[i], &d.texts[i]
	it := &d.lay.items[d.lay.nodes[i]]
	x, y, w, h := d.x(it.x), d.y(it.y-it.h/2+d.above(i)), it.w, d.boxHeight(i)
	class := "rg-" + kindClass(n.Kind)
	if n.Suspect == 1 {
		class += " rg-suspect"
	}
	fmt.Fprintf(&d.b, `<g class="%s"><title>%s</title>`, class, escapeXML(d.nodeTitle(n)))
	shape(&d.b, n.Kind, x, y, w, h)
	if n.Blame > 0.005 {
		fmt.Fprintf(&d.b, `<rect class="rg-blame" x="%s" y="%s" width="%s" height="%s" rx="5" fill-opacity="%.2f"/>`, num(x+4), num(y+4), num(w-8), num(h-8), 0.26*clamp01(n.Blame))
	}
	line := y + 18 + d.head(i)
	if t.caption != "" {
		fmt.Fprintf(&d.b, `<text class="rg-kind" x="%s" y="%s">%s</text>`, num(x+boxPad), num(line), escapeXML(t.caption))
		line += lineStep
	}
	for _, s := range t.name {
		fmt.Fprintf(&d.b, `<text class="rg-name" x="%s" y="%s">%s</text>`, num(x+boxPad), num(line), escapeXML(s))
		line += lineStep
	}
	for _, p := range t.facts {
		class := ""
		if p.worse {
			class = ` class="rg-worse"`
		}
		fmt.Fprintf(&d.b, `<text%s x="%s" y="%s">%s</text>`, class, num(x+boxPad), num(line), escapeXML(fitted(p.text, (boxWidth-1.6*boxPad)/labelSize)))
		line += lineStep
	}
	if d.badged(n) {
		d.badge(x, y, n)
	}
	d.b.WriteString("</g>\n")
}

// badge numbers a suspect.
func (d *drawing) badge(x, y float64, n *Node) {
	text := suspicion(n)
	w := textWidth(text)*11*1.06 + 16
	class := "rg-badge"
	if n.Suspect > 1 {
		class = "rg-badge-less"
	}
	fmt.Fprintf(&d.b, `<rect class="%s" x="%s" y="%s" width="%s" height="17" rx="8.5"/><text class="%s-text" x="%s" y="%s">%s</text>`,
		class, num(x+8), num(y-badgeRise), num(w), class, num(x+16), num(y-badgeRise+12.5), escapeXML(text))
}

// suspicion says which suspect a node is, and how surely.
func suspicion(n *Node) string {
	if n.Blame < 0.01 {
		return fmt.Sprintf("suspect %d", n.Suspect)
	}
	return fmt.Sprintf("suspect %d, %s", n.Suspect, share(n.Blame))
}

func kindClass(kind string) string {
	switch kind {
	case nodeService, nodeDatabase, nodeCache, nodeQueue:
		return kind
	}
	return "outside"
}

// shape draws the outline of a node: a box with round corners for a service, a drum for a database, a box with cut
// corners for a cache, a pipe for a queue, a dashed box for what belongs to others.
func shape(b *strings.Builder, kind string, x, y, w, h float64) {
	switch kind {
	case nodeDatabase:
		const r = 6.0
		fmt.Fprintf(b, `<path class="rg-box" d="M%s %sv%sa%s %s 0 0 0 %s 0v%sa%s %s 0 0 0 -%s 0z"/>`, num(x), num(y+r), num(h-2*r), num(w/2), num(r), num(w), num(-(h - 2*r)), num(w/2), num(r), num(w))
		fmt.Fprintf(b, `<path class="rg-line" d="M%s %sa%s %s 0 0 0 %s 0"/>`, num(x), num(y+r), num(w/2), num(r), num(w))
	case nodeCache:
		const c = 9.0
		fmt.Fprintf(b, `<path class="rg-box" d="M%s %sh%sl%s %sv%sl-%s %sh-%sl-%s -%sv-%sz"/>`, num(x+c), num(y), num(w-2*c), num(c), num(c), num(h-2*c), num(c), num(c), num(w-2*c), num(c), num(c), num(h-2*c))
	case nodeQueue:
		const r = 7.0
		fmt.Fprintf(b, `<path class="rg-box" d="M%s %sh%sa%s %s 0 0 1 0 %sh-%sa%s %s 0 0 1 0 -%sz"/>`, num(x+r), num(y), num(w-2*r), num(r), num(h/2), num(h), num(w-2*r), num(r), num(h/2), num(h))
		fmt.Fprintf(b, `<path class="rg-line" d="M%s %sa%s %s 0 0 0 0 %s"/>`, num(x+w-r), num(y), num(r), num(h/2), num(h))
	case nodeService:
		fmt.Fprintf(b, `<rect class="rg-box" x="%s" y="%s" width="%s" height="%s" rx="8"/>`, num(x), num(y), num(w), num(h))
	default:
		fmt.Fprintf(b, `<rect class="rg-box" x="%s" y="%s" width="%s" height="%s"/>`, num(x), num(y), num(w), num(h))
	}
}

// captions are the lines of words under the picture.
func (d *drawing) captions() []string {
	var out []string
	if len(d.sketch.nodes) == 0 {
		return []string{"No service was seen."}
	}
	if d.compared {
		out = append(out, "In brackets: the value when healthy, where it differs. Arrows go from the caller to what it calls.")
	} else {
		out = append(out, "There is no healthy window to compare with. Arrows go from the caller to what it calls.")
	}
	return append(out, d.sketch.rest...)
}

const legendRow = 34.0

// legendHeight is the room that legend and captions take.
func (d *drawing) legendHeight() float64 {
	n := 0.0
	for _, s := range d.notes {
		n += float64(len(d.broken(s)))
	}
	rows := len(d.legendRows())
	return 12 + float64(rows)*legendRow + n*16
}

// broken breaks a sentence into lines as wide as the picture.
func (d *drawing) broken(s string) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && (textWidth(line)+textWidth(word)+0.4)*11 > max(d.lay.width, 448) {
			out, line = append(out, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(out, line)
}

// legendItem explains one sign of the picture.
type legendItem struct{ sign, text string }

// legendRows lists what occurs in the picture, broken into rows as wide as it.
func (d *drawing) legendRows() [][]legendItem {
	var items []legendItem
	has := map[string]bool{}
	for i := range d.sketch.nodes {
		has[kindClass(d.sketch.nodes[i].Kind)] = true
		has["suspect"] = has["suspect"] || d.sketch.nodes[i].Suspect == 1
	}
	for i := range d.sketch.edges {
		has["async"] = has["async"] || d.sketch.edges[i].Async
		has["bad"] = has["bad"] || d.isBad(i)
		has["gone"] = has["gone"] || d.sketch.edges[i].Calls.Incident == 0
	}
	for _, x := range []legendItem{{nodeService, "service"}, {nodeDatabase, "database"}, {nodeCache, "cache"}, {nodeQueue, "queue"}, {"outside", "outside peer"},
		{"suspect", "first suspect"}, {"bad", "worse than when healthy"}, {"async", "nobody waits"}, {"gone", "called when healthy only"}} {
		if has[x.sign] {
			items = append(items, x)
		}
	}
	var rows [][]legendItem
	width := 0.0
	for _, it := range items {
		w := it.width()
		if len(rows) == 0 || width+w > max(d.lay.width, 448) {
			rows, width = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], it)
		width += w
	}
	return rows
}

func (l legendItem) width() float64 { return 42 + textWidth(l.text)*11 + 18 }

func (d *drawing) legend() {
	y := d.lay.height + 2*pageEdge + 4
	for _, row := range d.legendRows() {
		x := pageEdge
		for _, it := range row {
			d.sign(it.sign, x, y)
			fmt.Fprintf(&d.b, `<text class="rg-note" x="%s" y="%s">%s</text>`+"\n", num(x+42), num(y+15), escapeXML(it.text))
			x += it.width()
		}
		y += legendRow
	}
	for _, s := range d.notes {
		for _, line := range d.broken(s) {
			fmt.Fprintf(&d.b, `<text class="rg-note" x="%s" y="%s">%s</text>`+"\n", num(pageEdge), num(y+10), escapeXML(line))
			y += 16
		}
	}
}

// sign draws one sign of the legend.
func (d *drawing) sign(sign string, x, y float64) {
	switch sign {
	case "bad", "async", "gone":
		class, marker := "rg-edge rg-"+sign, ""
		if sign == "bad" {
			class, marker = "rg-edge rg-bad", "-bad"
		}
		fmt.Fprintf(&d.b, `<path class="%s" d="M%s %sh32" marker-end="url(#rg-arrow%s)"/>`, class, num(x), num(y+11), marker)
	case "suspect":
		fmt.Fprintf(&d.b, `<g class="rg-suspect"><rect class="rg-box" x="%s" y="%s" width="30" height="17" rx="5"/></g>`, num(x+2), num(y+2))
	default:
		fmt.Fprintf(&d.b, `<g class="rg-%s">`, sign)
		shape(&d.b, sign, x+1, y+1, 32, 20)
		d.b.WriteString(`</g>`)
	}
}
