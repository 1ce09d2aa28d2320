package localize

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// madeUp is a graph of n nodes in tiers with databases, caches, queues, outside peers, cycles and calls of
// services to themselves; something is wrong at a few of them.
func madeUp(n int, seed uint64) Graph {
	rng := rand.New(rand.NewPCG(seed, 7))
	var g Graph
	kinds := []string{nodeService, nodeService, nodeService, nodeService, nodeDatabase, nodeCache, nodeQueue, nodeExternal}
	for i := range n {
		kind := kinds[rng.IntN(len(kinds))]
		if i < max(n/3, 2) {
			kind = nodeService
		}
		rate := 1 + 99*rng.Float64()
		node := Node{Name: fmt.Sprintf("%s-%03d", kind, i), Kind: kind, Requests: Shift{rate, rate * 1.1}, Seen: Shift{rate * 60, rate * 66}, P95: Shift{0.02, 0.021}}
		if kind == nodeDatabase {
			node.System = "postgresql"
		}
		if i == 0 {
			node.Entry = node.Requests
		}
		g.Nodes = append(g.Nodes, node)
	}
	seen := map[edgeKey]bool{}
	join := func(a, b int) {
		k := edgeKey{g.Nodes[a].Name, g.Nodes[b].Name}
		if g.Nodes[a].Kind != nodeService && g.Nodes[a].Kind != nodeQueue || seen[k] {
			return
		}
		seen[k] = true
		e := Edge{From: k.from, To: k.to, Calls: Shift{10, 11}, Seen: Shift{600, 660}, P50: Shift{0.01, 0.01}, P95: Shift{0.02, 0.02}, P99: Shift{0.03, 0.03}, FanOut: Shift{1, 1},
			Async: g.Nodes[a].Kind == nodeQueue || g.Nodes[b].Kind == nodeQueue}
		switch rng.IntN(25) {
		case 0:
			e.Errors = Shift{0.001, 0.2}
		case 1:
			e.P95 = Shift{0.02, 0.9}
		case 2:
			e.Hidden = []Hidden{{HiddenFallback, "it falls back", Shift{0, 0.4}}}
		case 3:
			e.Retries = Shift{0.01, 0.6}
		}
		g.Edges = append(g.Edges, e)
	}
	for i := 1; i < n; i++ {
		join(rng.IntN(i), i)
		if rng.IntN(3) == 0 {
			join(rng.IntN(n), rng.IntN(n))
		}
	}
	if n > 3 {
		join(1, 1)
		join(2, 0)
		g.Nodes[2].Suspect, g.Nodes[2].Blame, g.Nodes[2].Errors = 1, 0.8, Shift{0, 0.3}
		g.Nodes[1].Suspect, g.Nodes[1].Blame = 2, 0.1
	}
	slices.SortFunc(g.Nodes, func(x, y Node) int { return strings.Compare(x.Name, y.Name) })
	slices.SortFunc(g.Edges, byEnds)
	return g
}

// parseXML fails unless the text is one well-formed element of the picture's vocabulary, and counts elements.
func parseXML(t interface{ Errorf(string, ...any) }, svg string) map[string]int {
	count := map[string]int{}
	d := xml.NewDecoder(strings.NewReader(svg))
	depth, roots := 0, 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Errorf("the picture is no XML: %v", err)
			return count
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			count[tok.Name.Local]++
			switch tok.Name.Local {
			case "svg", "title", "desc", "style", "defs", "marker", "path", "rect", "g", "text":
			default:
				t.Errorf("element <%s> in the picture", tok.Name.Local)
			}
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") || a.Name.Local == "src" || strings.Contains(strings.ToLower(a.Value), "javascript:") {
					t.Errorf("attribute %s=%q in the picture", a.Name.Local, a.Value)
				}
			}
		case xml.EndElement:
			depth--
		case xml.Comment, xml.ProcInst, xml.Directive:
			t.Errorf("%T in the picture", tok)
		}
	}
	if roots != 1 {
		t.Errorf("%d roots", roots)
	}
	return count
}

// Whatever the graph: all of a small one is drawn, what a large one leaves out is said, the same bytes come
// out again, and the text is well-formed.
func TestSVGHoldsOrCountsEverything(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 8, 20, 40, 41, 120, 300} {
		g := madeUp(n, uint64(n))
		svg := g.SVG()
		parseXML(t, svg)
		if svg != g.SVG() {
			t.Errorf("%d nodes: two pictures of one graph differ", n)
		}
		s := g.choose(maxDrawnNodes, maxDrawnEdges)
		if len(s.nodes) > maxDrawnNodes || len(s.edges) > maxDrawnEdges {
			t.Errorf("%d nodes and %d edges are drawn", len(s.nodes), len(s.edges))
		}
		for _, x := range s.nodes {
			if !strings.Contains(svg, "<title>"+x.Name+" (") {
				t.Errorf("%d nodes: %s has no box", n, x.Name)
			}
		}
		for _, e := range s.edges {
			if !strings.Contains(svg, "<title>"+e.From+" to "+e.To+"\n") {
				t.Errorf("%d nodes: %s to %s has no line", n, e.From, e.To)
			}
		}
		lone := 0
		for _, x := range g.Nodes {
			if !slices.ContainsFunc(g.Edges, func(e Edge) bool { return e.From == x.Name || e.To == x.Name }) && !slices.ContainsFunc(s.nodes, func(y Node) bool { return x.Name == y.Name }) {
				lone++
			}
		}
		if lone > 0 && !strings.Contains(strings.Join(s.rest, " "), "No call to or from "+plural(lone, "node")) {
			t.Errorf("%d nodes: of %d lone ones the picture says %q", n, lone, s.rest)
		}
		if left := n - len(s.nodes) - lone; left > 0 && !strings.Contains(strings.Join(s.rest, " "), fmt.Sprintf("%d of %d nodes are not drawn", left, n)) {
			t.Errorf("%d of %d nodes are left out, and the picture says %q", left, n, s.rest)
		}
		if n <= maxDrawnNodes && (len(s.nodes)+lone != n || len(s.edges) != len(g.Edges)) {
			t.Errorf("%d of %d nodes and %d of %d edges are drawn", len(s.nodes), n, len(s.edges), len(g.Edges))
		}
		if n > 3 && (!strings.Contains(svg, "suspect 1") || !strings.Contains(svg, "Suspect 1 is ")) {
			t.Errorf("%d nodes: the suspect is not marked, or not told to those who cannot see", n)
		}
		if !strings.Contains(svg, `role="img"`) || !strings.Contains(svg, "<desc") || !strings.Contains(svg, "prefers-color-scheme:dark") || strings.Contains(svg, "<script") {
			t.Errorf("%d nodes: not accessible, not for dark pages, or with a script", n)
		}
	}
}

// Nothing covers anything: boxes and labels do not overlap, callers stand left of callees unless a line is
// drawn backwards.
func TestNothingOverlaps(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := madeUp(rapid.IntRange(1, 60).Draw(rt, "nodes"), rapid.Uint64().Draw(rt, "seed"))
		d := newDrawing(&g)
		items := d.lay.items
		for i := range items {
			for j := range i {
				a, b := &items[i], &items[j]
				if a.w == 0 || b.w == 0 {
					continue
				}
				if a.x < b.x+b.w && b.x < a.x+a.w && a.y-a.h/2 < b.y+b.h/2-0.01 && b.y-b.h/2 < a.y+a.h/2-0.01 {
					rt.Fatalf("items %d and %d overlap: %+v %+v", i, j, *a, *b)
				}
			}
			it := &items[i]
			if x, y := d.x(it.x), d.y(it.y-it.h/2); x < 0 || y < 0 || x+it.w > d.width || y+it.h > d.height {
				rt.Fatalf("item %d sticks out: %+v", i, *it)
			}
		}
		for e, chain := range d.lay.chains {
			for k := 1; k < len(chain); k++ {
				if items[chain[k]].column != items[chain[k-1]].column+1 {
					rt.Fatalf("edge %d jumps a column", e)
				}
			}
		}
	})
}

func TestCallersStandLeft(t *testing.T) {
	l := arrange([]box{{10, 10}, {10, 10}, {10, 10}}, []ends{{2, 1}, {1, 0}, {2, 0}, {0, 1}}, make([]box, 4), make([]bool, 3))
	x := func(n int) float64 { return l.items[l.nodes[n]].x }
	if x(2) >= x(1) || x(1) >= x(0) || !slices.Equal(l.reversed, []bool{false, false, false, true}) {
		t.Errorf("places %v %v %v, reversed %v", x(0), x(1), x(2), l.reversed)
	}
}

// Lines that need not cross do not: a ladder of two rungs entered in the wrong order is turned round.
func TestCrossingsAreRemoved(t *testing.T) {
	edges := []ends{{0, 1}, {0, 2}, {1, 4}, {2, 3}}
	l := arrange(slices.Repeat([]box{{10, 10}}, 5), edges, make([]box, len(edges)), make([]bool, 5))
	position := make([]int, len(l.items))
	for _, c := range l.columns {
		for k, i := range c {
			position[i] = k
		}
	}
	if n := l.crossings(position); n != 0 {
		t.Errorf("%d crossings", n)
	}
}

func TestTheWorstAndTheirNeighboursStay(t *testing.T) {
	g := madeUp(300, 3)
	// A suspect with no traffic to speak of, and whom it calls.
	g.Nodes[250].Requests, g.Nodes[250].Suspect, g.Nodes[250].Blame = Shift{0.01, 0.01}, 1, 0.9
	g.Nodes[251].Requests = Shift{0.01, 0.01}
	g.Edges = append(g.Edges, Edge{From: g.Nodes[250].Name, To: g.Nodes[251].Name, Calls: Shift{0.01, 0.01}})
	s := g.choose(maxDrawnNodes, maxDrawnEdges)
	for _, want := range []string{g.Nodes[250].Name, g.Nodes[251].Name} {
		if !slices.ContainsFunc(s.nodes, func(n Node) bool { return n.Name == want }) {
			t.Errorf("%s is left out", want)
		}
	}
}

// hostileNames are what service.name and peer.service can hold.
var hostileNames = []string{
	`</text></svg><script>alert(1)</script>`, `"/><image href="http://evil/x.png"/>`, `a" ]; b [label="c`, `x\`, `\N\G`, "%%{init: {'theme':'dark'}}%%", "]]-->|x|", "`code`", "```\n# merged",
	"@everyone", "[click](javascript:alert(1))", "\u202egnp.exe", "line\r\nbreak", "\x00\xff\xfe", strings.Repeat("x", 70000), "Z\u0351\u0352\u0353\u0354\u0355algo", "end", "subgraph", "名前のとても長いサービスの名前はここで切れる", "<b>&amp;", "", " ", "#quot;", "]]>", "<!--", "{{.}}", "class n0 first",
}

func hostileGraph(names []string) Graph {
	var g Graph
	for i, name := range names {
		kind := []string{nodeService, nodeDatabase, nodeCache, nodeQueue, nodeExternal, name}[i%6]
		g.Nodes = append(g.Nodes, Node{Name: name, Kind: kind, System: name, Suspect: i, Blame: 0.3, Requests: Shift{1, 2}, Errors: Shift{0, 0.5}, P95: Shift{0.1, 1}})
		g.Edges = append(g.Edges, Edge{From: name, To: names[(i+1)%len(names)], Errors: Shift{0, 0.5}, Hidden: []Hidden{{HiddenBreaker, name, Shift{0, 1}}}}, Edge{From: name, To: name, Retries: Shift{0, 3}})
	}
	return g
}

func TestHostileNamesStayNames(t *testing.T) {
	for _, name := range hostileNames {
		checkWriters(t, hostileGraph([]string{name, "b"}))
	}
	checkWriters(t, hostileGraph(hostileNames))
}

func TestAnyNameStaysAName(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfN(rapid.StringOf(rapid.RuneFrom([]rune("<>&\"'`@#|*_[](){}!\\/%-; \n\r\x1b\x00aé\u202e\u0301名"))), 1, 8).Draw(rt, "names")
		checkWriters(rt, hostileGraph(names))
	})
}

func FuzzGraphWriters(f *testing.F) {
	for _, n := range hostileNames {
		f.Add(n, "b", 0.5, 1.0)
	}
	f.Add("a", "b", -1.0, 1e300)
	f.Fuzz(func(t *testing.T, a, b string, x, y float64) {
		g := hostileGraph([]string{a, b})
		g.Nodes[0].Requests, g.Edges[0].P95, g.Edges[0].Errors, g.Nodes[0].Blame = Shift{x, y}, Shift{x, y}, Shift{y, x}, x
		checkWriters(t, g)
	})
}

// checkWriters holds the three pictures of a graph against the grammar of their languages.
func checkWriters(t interface {
	Errorf(string, ...any)
	Helper()
}, g Graph) {
	t.Helper()
	svg := g.SVG()
	parseXML(t, svg)
	if len(svg) > 2<<20 {
		t.Errorf("the picture has %d bytes", len(svg))
	}
	for _, bad := range []string{"NaN", "Inf", "\u202e", "\x00"} {
		if strings.Contains(svg, `="`+bad) || strings.Contains(svg, bad) && bad < "A" {
			t.Errorf("%q in the picture", bad)
		}
	}
	checkDOT(t, g.DOT())
	checkMermaid(t, g.Mermaid())
}

// checkDOT reads the language of Graphviz as far as it is written here: statements of quoted identifiers and
// bracketed lists of attributes, each on a line of its own.
func checkDOT(t interface{ Errorf(string, ...any) }, dot string) {
	lines := strings.Split(strings.TrimSuffix(dot, "\n"), "\n")
	if lines[0] != "digraph services {" || lines[len(lines)-1] != "}" {
		t.Errorf("no digraph: %q", lines[0])
		return
	}
	for _, line := range lines[4 : len(lines)-1] {
		rest := unquoted(line)
		statement := strings.TrimSuffix(strings.TrimSpace(rest), ";")
		ok := strings.HasPrefix(statement, "Q [label=Q") || strings.HasPrefix(statement, "Q -> Q [label=Q")
		if !ok || !strings.HasSuffix(statement, "]") || strings.Count(statement, "[") != 1 || strings.Contains(statement, `"`) {
			t.Errorf("statement %q of %q", statement, line)
		}
	}
}

// unquoted replaces each quoted string of a line of DOT by Q, as Graphviz's scanner reads it: within quotes a
// backslash takes the next character with it.
func unquoted(line string) string {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		if line[i] != '"' {
			b.WriteByte(line[i])
			continue
		}
		for i++; i < len(line) && line[i] != '"'; i++ {
			if line[i] == '\\' {
				i++
			}
		}
		b.WriteByte('Q')
	}
	return b.String()
}

// checkMermaid allows the lines that the writer means, with labels of harmless characters only.
func checkMermaid(t interface{ Errorf(string, ...any) }, text string) {
	if len(text) > 50_000 {
		t.Errorf("%d characters are more than Mermaid takes", len(text))
	}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if i == 0 {
			if line != "flowchart LR" && text != "" {
				t.Errorf("begins %q", line)
			}
			continue
		}
		head, rest, labelled := strings.Cut(line, `"`)
		if labelled {
			label, tail, closed := strings.Cut(rest, `"`)
			if !closed || strings.Contains(tail, `"`) || strings.ContainsAny(strings.ReplaceAll(label, "<br/>", ""), "<>&@`*_[]{}()|%\\\"'\x00\x1b\r") {
				t.Errorf("label of %q", line)
			}
			head += tail
		}
		if strings.ContainsAny(head, "`@%\\\r\x00") || !strings.HasPrefix(line, "  ") {
			t.Errorf("line %q", line)
		}
	}
}
