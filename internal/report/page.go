package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strconv"
	"strings"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/remedy"
)

//go:embed page.html.tmpl
var pageText string

//go:embed page.css
var pageStyle string

// Pages renders cases; it implements remedy.Pages.
type Pages struct{ page *template.Template }

// NewPages prepares the templates.
func NewPages() (Pages, error) {
	t, err := template.New("page").Funcs(template.FuncMap{
		"percent": percent, "seconds": seconds, "span": span, "short": short, "plain": plain,
		"authorship": authorship,
		"place":      place, "what": what, "symptom": symptom, "replayName": replayName,
		"rung":    func(o remedy.Option) string { return rungNames[o.Rung] },
		"outcome": func(o remedy.Option) string { return outcomeMarks[o.Outcome] },
		"join":    strings.Join,
		"style":   func() template.CSS { return template.CSS(pageStyle) },
		"score":   func(f float64) string { return fmt.Sprintf("%.2f", f) },
	}).Parse(pageText)
	if err != nil {
		return Pages{}, fmt.Errorf("report page: %w", err)
	}
	return Pages{page: t}, nil
}

// page is what the template sees.
type page struct {
	Case                  *remedy.Case
	Graph, Path           template.HTML
	Before, After         template.HTML
	Diff                  []diffLine
	BeforeName, AfterName string
}

type diffLine struct{ Class, Text string }

// Report writes the whole case as one page without outside references.
func (p Pages) Report(c *remedy.Case) ([]byte, error) {
	v := page{Case: c, Graph: graph(c.Graph), Path: waterfallSVG("Critical path of the exemplar trace", pathBars(c.Path))}
	v.Before = waterfallSVG("One request of the replayed incident on the base build", exemplarBars(find(c, "incident_base")))
	v.After = waterfallSVG("One request of the replayed incident with the change", exemplarBars(find(c, "incident_on")))
	if c.Patch != nil {
		v.Diff = diffLines(c.Patch.Diff)
	}
	var b bytes.Buffer
	if err := p.page.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("report page: %w", err)
	}
	return b.Bytes(), nil
}

// graph sets the service graph's picture within a page, where elements need no namespace.
func graph(g localize.Graph) template.HTML {
	if len(g.Nodes) == 0 {
		return ""
	}
	svg := g.SVG()
	style := ""
	// A wide picture shrinks to what can still be read; beyond that its frame scrolls.
	if _, rest, ok := strings.Cut(svg, ` width="`); ok {
		width, _, _ := strings.Cut(rest, `"`)
		if w, err := strconv.ParseFloat(width, 64); err == nil {
			style = fmt.Sprintf(` style="min-width:%.0fpx"`, 0.72*w)
		}
	}
	return template.HTML(strings.Replace(svg, ` xmlns="http://www.w3.org/2000/svg"`, style, 1)) // SVG escapes every string from outside
}

func diffLines(diff string) []diffLine {
	var out []diffLine
	for line := range strings.Lines(diff) {
		line = strings.TrimRight(line, "\n")
		class := "same"
		switch {
		case strings.HasPrefix(line, "diff --git"), strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "), strings.HasPrefix(line, "index "), strings.HasPrefix(line, "new file"), strings.HasPrefix(line, "deleted file"):
			class = "file"
		case strings.HasPrefix(line, "@@"):
			class = "hunk"
		case strings.HasPrefix(line, "+"):
			class = "add"
		case strings.HasPrefix(line, "-"):
			class = "del"
		}
		out = append(out, diffLine{class, line})
	}
	return out
}
