package localize

import (
	"fmt"
	"strings"
	"unicode"
)

// Bounds of the Mermaid graph: it stands in the middle of a text, and Mermaid's own layout of more is a
// tangle. Mermaid takes 50,000 characters and 500 edges.
const (
	maxMermaidNodes = 16
	maxMermaidEdges = 28
)

// Mermaid writes the graph in the language of Mermaid (flowchart), which GitHub and GitLab draw within
// Markdown. It holds the worst nodes and their neighbours; what it leaves out it says in a node of its own. Of names
// nothing is kept that means anything to Mermaid, to HTML or to Markdown.
func (g Graph) Mermaid() string {
	s := g.choose(maxMermaidNodes, maxMermaidEdges)
	if len(s.nodes) == 0 {
		return ""
	}
	compared, least := g.compared(), leastAdded*g.mostAdded()
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	id := map[string]int{}
	var first, further []string
	for i := range s.nodes {
		n := &s.nodes[i]
		id[n.Name] = i
		lines := []string{mermaidText(shown(n.Name, 60))}
		if n.Suspect > 0 && (n.Suspect <= 3 || n.Blame >= 0.05) {
			lines = append(lines, mermaidText(suspicion(n)))
		}
		if n.Errors.Incident >= 0.001 {
			lines = append(lines, mermaidText(was(n.Errors, compared, share)+" fail"))
		}
		if n.P95.Incident > 0 {
			lines = append(lines, mermaidText("p95 "+was(n.P95, compared, took)))
		}
		open, shut := mermaidShape(n.Kind)
		fmt.Fprintf(&b, "  n%d%s\"%s\"%s\n", i, open, strings.Join(lines, "<br/>"), shut)
		switch {
		case n.Suspect == 1:
			first = append(first, fmt.Sprintf("n%d", i))
		case n.Suspect > 0 && (n.Suspect <= 3 || n.Blame >= 0.05):
			further = append(further, fmt.Sprintf("n%d", i))
		}
	}
	var bad []string
	for i := range s.edges {
		e := &s.edges[i]
		arrow := "-->"
		if e.Async {
			arrow = "-.->"
		}
		var words []string
		if worseErrors(e.Errors) {
			words = append(words, was(e.Errors, compared, share)+" fail")
		}
		if added := addedTime(e.P95, e.Seen); added > 0 && added >= least {
			words = append(words, "p95 "+was(e.P95, compared, took))
		}
		if worseRate(e.Retries, 0.05) {
			words = append(words, share(e.Retries.Incident)+" are retries")
		}
		for _, h := range e.Hidden {
			words = append(words, hiddenWords[h.Kind]+" "+share(h.Share.Incident))
		}
		if len(words) > 0 || e.Suspect == 1 {
			bad = append(bad, fmt.Sprint(i))
		}
		label := ""
		if len(words) > 0 {
			for k := range words {
				words[k] = mermaidText(words[k])
			}
			label = "|\"" + strings.Join(words, "<br/>") + "\"|"
		}
		fmt.Fprintf(&b, "  n%d %s%s n%d\n", id[e.From], arrow, label, id[e.To])
	}
	if len(s.rest) > 0 {
		fmt.Fprintf(&b, "  rest[\"%s\"]\n  style rest fill:none,stroke:none\n", mermaidText(strings.Join(s.rest, " ")))
	}
	// Borders only: the reader's theme chooses the colours of boxes and text.
	if len(first) > 0 {
		fmt.Fprintf(&b, "  classDef first stroke:#d1372c,stroke-width:5px\n  class %s first\n", strings.Join(first, ","))
	}
	if len(further) > 0 {
		fmt.Fprintf(&b, "  classDef further stroke:#d1372c,stroke-width:2px,stroke-dasharray:6 3\n  class %s further\n", strings.Join(further, ","))
	}
	if len(bad) > 0 {
		fmt.Fprintf(&b, "  linkStyle %s stroke:#d1372c,stroke-width:3px\n", strings.Join(bad, ","))
	}
	return b.String()
}

// mermaidShape is how Mermaid draws a node of a kind.
func mermaidShape(kind string) (open, shut string) {
	switch kind {
	case nodeDatabase:
		return "[(", ")]"
	case nodeCache:
		return "{{", "}}"
	case nodeQueue:
		return "[[", "]]"
	case nodeService:
		return "(", ")"
	}
	return "[/", "/]"
}

// mermaidText sets a text within a quoted label. Letters, digits and a few signs stay; every other character
// becomes the entity of its code, so that no quote, directive, link, mention, markup or Markdown is left.
func mermaidText(s string) string {
	var b strings.Builder
	begun := false // a number or a dash at the beginning would make a list
	for _, r := range s {
		switch {
		case !begun && (r == '-' || r == '.'):
			fmt.Fprintf(&b, "#%d;", r)
			continue
		case !unicode.IsDigit(r) && r != ' ':
			begun = true
		}
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.Mn, r), strings.ContainsRune(" .,-", r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
