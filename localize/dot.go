package localize

import (
	"fmt"
	"strings"
)

// DOT writes the whole graph in the language of Graphviz. Labels hold what the telemetry said, quoted.
func (g Graph) DOT() string {
	var b strings.Builder
	b.WriteString("digraph services {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica\"];\n  edge [fontname=\"Helvetica\", fontsize=10];\n")
	shapes := map[string]string{nodeDatabase: "cylinder", nodeCache: "octagon", nodeQueue: "cds", nodeExternal: "ellipse"}
	names := dotNames(g)
	for _, n := range g.Nodes {
		what := fmt.Sprintf("%s\n%.2g/s, %.1f %% errors, p95 %s", shown(n.Name, maxNodeName), n.Requests.Incident, 100*n.Errors.Incident, seconds(n.P95.Incident))
		if n.Suspect > 0 {
			what += "\n" + suspicion(&n)
		}
		fmt.Fprintf(&b, "  %s [label=%s", quoteDOT(names[n.Name]), quoteDOT(what))
		if s := shapes[n.Kind]; s != "" {
			fmt.Fprintf(&b, ", shape=%s, style=filled", s)
		}
		if n.Suspect == 1 {
			b.WriteString(", penwidth=3")
		}
		if n.Blame > 0 {
			// White to red by blame.
			fmt.Fprintf(&b, ", fillcolor=\"#ff%02x%02x\"", int(255-155*clamp01(n.Blame)), int(255-155*clamp01(n.Blame)))
		}
		b.WriteString("];\n")
	}
	for _, e := range g.Edges {
		what := fmt.Sprintf("%.2g/s, %.1f %% errors, p95 %s", e.Calls.Incident, 100*e.Errors.Incident, seconds(e.P95.Incident))
		for _, h := range e.Hidden {
			what += fmt.Sprintf("\n%s %s", hiddenWords[h.Kind], percent(h.Share.Incident))
		}
		fmt.Fprintf(&b, "  %s -> %s [label=%s", quoteDOT(names[e.From]), quoteDOT(names[e.To]), quoteDOT(what))
		if e.Async {
			b.WriteString(", style=dashed")
		}
		if e.Suspect == 1 || len(e.Hidden) > 0 || worseErrors(e.Errors) {
			b.WriteString(", color=\"#b3261e\", penwidth=2")
		}
		b.WriteString("];\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// dotNames gives each node an identifier: its name, or a number where the name is no plain text or too long.
func dotNames(g Graph) map[string]string {
	out, odd := make(map[string]string, len(g.Nodes)), []string{}
	give := func(name string) {
		if shown(name, maxNodeName) == name {
			out[name] = name
		} else {
			odd = append(odd, name)
		}
	}
	for _, n := range g.Nodes {
		give(n.Name)
	}
	for _, e := range g.Edges {
		give(e.From)
		give(e.To)
	}
	for n := 0; len(odd) > 0; n++ {
		id := fmt.Sprintf("node %d", n)
		if _, taken := out[id]; taken {
			continue
		}
		if _, done := out[odd[0]]; !done {
			out[odd[0]] = id
		}
		odd = odd[1:]
	}
	return out
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
