package localize

import (
	"fmt"
	"strings"
)

// DOT writes the graph in the language of Graphviz. Labels hold what the telemetry said,
// quoted.
func (g Graph) DOT() string {
	var b strings.Builder
	b.WriteString("digraph services {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\"];\n")
	shapes := map[string]string{nodeDatabase: "cylinder", nodeQueue: "cds", nodeExternal: "ellipse"}
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "  %s [label=%s", quoteDOT(n.Name), quoteDOT(fmt.Sprintf("%s\n%.2g/s, %.1f %% errors, p95 %s",
			n.Name, n.Requests.Incident, 100*n.Errors.Incident, seconds(n.P95.Incident))))
		if s := shapes[n.Kind]; s != "" {
			fmt.Fprintf(&b, ", shape=%s, style=filled", s)
		}
		if n.Blame > 0 {
			// White to red by blame.
			fmt.Fprintf(&b, ", fillcolor=\"#ff%02x%02x\"", int(255-155*clamp01(n.Blame)), int(255-155*clamp01(n.Blame)))
		}
		b.WriteString("];\n")
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s [label=%s", quoteDOT(e.From), quoteDOT(e.To),
			quoteDOT(fmt.Sprintf("%.2g/s, %.1f %% errors, p95 %s", e.Calls.Incident, 100*e.Errors.Incident, seconds(e.P95.Incident))))
		if e.Async {
			b.WriteString(", style=dashed")
		}
		b.WriteString("];\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// quoteDOT quotes an identifier: a quoted string of DOT knows one escape for quotes.
func quoteDOT(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' {
			return -1
		}
		return r
	}, s)
	s = strings.ReplaceAll(s, `\`, `\\`)
	s = strings.ReplaceAll(s, `"`, `\"`)
	return `"` + strings.ReplaceAll(s, "\n", `\n`) + `"`
}

// seconds writes a time in seconds for people.
func seconds(s float64) string {
	switch {
	case s == 0:
		return "0"
	case s < 0.001:
		return fmt.Sprintf("%.0f µs", s*1e6)
	case s < 1:
		return fmt.Sprintf("%.3g ms", s*1e3)
	case s < 120:
		return fmt.Sprintf("%.3g s", s)
	}
	return fmt.Sprintf("%.3g min", s/60)
}

func percent(x float64) string {
	if x > 0 && x < 0.001 {
		return fmt.Sprintf("%.2f %%", 100*x)
	}
	return fmt.Sprintf("%.1f %%", 100*x)
}
