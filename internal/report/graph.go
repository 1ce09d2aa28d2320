package report

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"strings"

	"github.com/remediator/remediator/localize"
)

// Sizes of the service graph's picture, in SVG user units.
const (
	nodeW, nodeH   = 168.0, 58.0
	gapX, gapY     = 150.0, 26.0
	margin         = 14.0
	maxGraphNodes  = 60 // a picture of more is not read by anybody; the worst stay
	maxLabelLength = 22
)

// graphSVG draws the service graph left to right in layers: callers left of what they call. It
// is the layering step of Sugiyama, Tagawa and Toda (1981) with one barycentre pass to keep
// lines short; service graphs are small and nearly trees.
func graphSVG(g localize.Graph) template.HTML {
	nodes, edges := worst(g)
	if len(nodes) == 0 {
		return ""
	}
	layers := layer(nodes, edges)
	type box struct{ x, y float64 }
	at := map[string]box{}
	height := 0.0
	for _, l := range layers {
		height = max(height, float64(len(l))*(nodeH+gapY)-gapY)
	}
	for i, l := range layers {
		top := margin + (height-(float64(len(l))*(nodeH+gapY)-gapY))/2
		for j, name := range l {
			at[name] = box{margin + float64(i)*(nodeW+gapX), top + float64(j)*(nodeH+gapY)}
		}
	}
	width := float64(len(layers))*(nodeW+gapX) - gapX + 2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="graph" viewBox="0 0 %.0f %.0f" role="img" aria-label="Service graph" style="max-width:%.0fpx">`, width, height+2*margin+16, width)
	b.WriteString(`<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="head"/></marker></defs>`)
	for _, e := range edges {
		f, t := at[e.From], at[e.To]
		x1, y1, x2, y2 := f.x+nodeW, f.y+nodeH/2, t.x, t.y+nodeH/2
		class := "edge"
		if e.Errors.Incident > 0.01 && e.Errors.Incident > 1.5*e.Errors.Baseline {
			class += " bad"
		}
		if e.Async {
			class += " async"
		}
		mid := (x1 + x2) / 2
		if x2 <= x1 { // a call back to the left, or within a layer: bow around below
			low := max(y1, y2) + nodeH
			fmt.Fprintf(&b, `<path class=%q d="M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f" marker-end="url(#arrow)"><title>%s</title></path>`, class, x1, y1, x1+40, low, x2-40, low, x2, y2, edgeTitle(e))
		} else {
			fmt.Fprintf(&b, `<path class=%q d="M%.0f %.0fC%.0f %.0f %.0f %.0f %.0f %.0f" marker-end="url(#arrow)"><title>%s</title></path>`, class, x1, y1, mid, y1, mid, y2, x2-2, y2, edgeTitle(e))
		}
		if e.Retries.Incident >= 0.05 || e.Errors.Incident >= 0.01 {
			// Labels sit near the callee, where lines have fanned out.
			fmt.Fprintf(&b, `<text class="on-edge" x="%.0f" y="%.0f" text-anchor="end">%s</text>`, x2-12, y2-6, html.EscapeString(edgeLabel(e)))
		}
	}
	for _, n := range nodes {
		p := at[n.Name]
		fmt.Fprintf(&b, `<g class="node %s" style="--blame:%.2f"><title>%s</title><rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="7"/>`, nodeClass(n.Kind), n.Blame, nodeTitle(n), p.x, p.y, nodeW, nodeH)
		fmt.Fprintf(&b, `<text class="name" x="%.0f" y="%.0f">%s</text>`, p.x+10, p.y+21, html.EscapeString(ellipsis(plain(n.Name), maxLabelLength)))
		fmt.Fprintf(&b, `<text class="facts" x="%.0f" y="%.0f">%s errors (%s)</text>`, p.x+10, p.y+37, percent(n.Errors.Incident), percent(n.Errors.Baseline))
		fmt.Fprintf(&b, `<text class="facts" x="%.0f" y="%.0f">p95 %s (%s)</text></g>`, p.x+10, p.y+51, seconds(n.P95.Incident), seconds(n.P95.Baseline))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // every string above is escaped
}

// worst bounds the picture to the nodes that carry most blame, then most traffic.
func worst(g localize.Graph) ([]localize.Node, []localize.Edge) {
	nodes := slices.Clone(g.Nodes)
	if len(nodes) > maxGraphNodes {
		slices.SortStableFunc(nodes, func(a, b localize.Node) int {
			if a.Blame != b.Blame {
				return compare(b.Blame, a.Blame)
			}
			return compare(b.Requests.Incident, a.Requests.Incident)
		})
		nodes = nodes[:maxGraphNodes]
	}
	keep := map[string]bool{}
	for _, n := range nodes {
		keep[n.Name] = true
	}
	var edges []localize.Edge
	for _, e := range g.Edges {
		if keep[e.From] && keep[e.To] && e.From != e.To {
			edges = append(edges, e)
		}
	}
	return nodes, edges
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// layer puts every node one layer right of its rightmost caller. Cycles are cut at the edge that closes
// them, in the order of names, so the picture is the same every time.
func layer(nodes []localize.Node, edges []localize.Edge) [][]string {
	callees, callers := map[string][]string{}, map[string][]string{}
	for _, e := range edges {
		callees[e.From] = append(callees[e.From], e.To)
	}
	names := make([]string, 0, len(nodes))
	for _, n := range nodes {
		names = append(names, n.Name)
		slices.Sort(callees[n.Name])
	}
	slices.Sort(names)
	const open, done = 1, 2
	state, order := map[string]int{}, []string{}
	var visit func(string)
	visit = func(n string) {
		state[n] = open
		for _, m := range callees[n] {
			if state[m] == open {
				continue // closes a cycle
			}
			callers[m] = append(callers[m], n)
			if state[m] == 0 {
				visit(m)
			}
		}
		state[n] = done
		order = append(order, n)
	}
	for _, n := range names {
		if state[n] == 0 {
			visit(n)
		}
	}
	slices.Reverse(order)
	level, deepest := map[string]int{}, 0
	for _, n := range order {
		for _, c := range callers[n] {
			level[n] = max(level[n], level[c]+1)
		}
		deepest = max(deepest, level[n])
	}
	layers := make([][]string, deepest+1)
	for _, n := range names {
		layers[level[n]] = append(layers[level[n]], n)
	}
	for i := 1; i < len(layers); i++ {
		position := map[string]int{}
		for j, n := range layers[i-1] {
			position[n] = j
		}
		centre := func(n string) float64 {
			sum, k := 0.0, 0
			for _, c := range callers[n] {
				if p, ok := position[c]; ok {
					sum, k = sum+float64(p), k+1
				}
			}
			if k == 0 {
				return float64(len(layers[i-1]))
			}
			return sum / float64(k)
		}
		slices.SortStableFunc(layers[i], func(a, b string) int { return compare(centre(a), centre(b)) })
	}
	return layers
}

func nodeClass(kind string) string {
	switch kind {
	case "service", "database", "queue", "external":
		return kind
	}
	return "other"
}

func nodeTitle(n localize.Node) string {
	return html.EscapeString(fmt.Sprintf("%s (%s)\n%.1f requests/s, %.1f healthy\nblame %.2f", plain(n.Name), n.Kind, n.Requests.Incident, n.Requests.Baseline, n.Blame))
}

func edgeTitle(e localize.Edge) string {
	return html.EscapeString(fmt.Sprintf("%s -> %s\n%.1f calls/s (healthy %.1f)\n%s errors (%s)\np95 %s (%s)\n%.2f retries a call (%.2f)",
		plain(e.From), plain(e.To), e.Calls.Incident, e.Calls.Baseline, percent(e.Errors.Incident), percent(e.Errors.Baseline),
		seconds(e.P95.Incident), seconds(e.P95.Baseline), e.Retries.Incident, e.Retries.Baseline))
}

func edgeLabel(e localize.Edge) string {
	if e.Retries.Incident >= 0.05 {
		return fmt.Sprintf("%s err, %.1f retries", percent(e.Errors.Incident), e.Retries.Incident)
	}
	return percent(e.Errors.Incident) + " err"
}

func ellipsis(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
