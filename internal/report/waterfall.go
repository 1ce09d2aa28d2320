package report

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/replay"
)

// bar is one span of a picture of a trace.
type bar struct {
	label    string
	depth    int
	from, to time.Duration
	bad      bool
}

const (
	rowH     = 19.0
	labelW   = 300.0
	chartW   = 560.0
	maxBars  = 60
	minWidth = 1.5
)

// waterfallSVG draws spans as bars over time.
func waterfallSVG(name string, bars []bar) template.HTML {
	if len(bars) == 0 {
		return ""
	}
	dropped := 0
	if len(bars) > maxBars {
		bars, dropped = bars[:maxBars], len(bars)-maxBars
	}
	end := time.Duration(1)
	for _, r := range bars {
		end = max(end, r.to)
	}
	height := float64(len(bars))*rowH + 26
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="trace" viewBox="0 0 %.0f %.0f" role="img" aria-label=%q style="max-width:%.0fpx">`, labelW+chartW+70, height, html.EscapeString(name), labelW+chartW+70)
	for i := range 5 {
		x := labelW + chartW*float64(i)/4
		fmt.Fprintf(&b, `<line class="tick" x1="%.1f" y1="0" x2="%.1f" y2="%.0f"/><text class="facts" x="%.1f" y="%.0f" text-anchor="middle">%s</text>`, x, x, height-18, x, height-5, span(end*time.Duration(i)/4))
	}
	for i, r := range bars {
		y := float64(i) * rowH
		x := labelW + chartW*float64(r.from)/float64(end)
		width := max(chartW*float64(r.to-r.from)/float64(end), minWidth)
		class := "bar"
		if r.bad {
			class += " bad"
		}
		indent := min(float64(r.depth)*10, 90)
		label := html.EscapeString(ellipsis(plain(r.label), 46-r.depth))
		fmt.Fprintf(&b, `<g><title>%s, %s</title><text class="facts" x="%.0f" y="%.1f">%s</text><rect class=%q x="%.1f" y="%.1f" width="%.1f" height="%.0f" rx="2"/><text class="facts" x="%.1f" y="%.1f">%s</text></g>`,
			html.EscapeString(plain(r.label)), span(r.to-r.from), 2+indent, y+13, label, class, x, y+3, width, rowH-6, x+width+4, y+13, span(r.to-r.from))
	}
	b.WriteString(`</svg>`)
	if dropped > 0 {
		fmt.Fprintf(&b, `<p class="note">%d further spans are not drawn.</p>`, dropped)
	}
	return template.HTML(b.String()) // every string above is escaped
}

func pathBars(path []localize.PathSegment) []bar {
	var out []bar
	depth := map[string]int{}
	for _, s := range path {
		if _, ok := depth[s.Service]; !ok {
			depth[s.Service] = len(depth)
		}
		out = append(out, bar{label: s.Service + " " + s.Operation, depth: depth[s.Service], from: s.Offset, to: s.Offset + s.Duration, bad: s.Error})
	}
	return out
}

func exemplarBars(v *replay.Verdict) []bar {
	if v == nil || v.Incident == nil || v.Incident.Exemplar == nil {
		return nil
	}
	var out []bar
	for _, s := range v.Incident.Exemplar.Spans {
		out = append(out, bar{label: s.Service + " " + s.Name, depth: s.Depth, from: s.Offset, to: s.Offset + s.Duration, bad: s.Error})
	}
	return out
}

func ellipsis(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
