package modelrecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// Bounds on what is taken into a prompt before it is cut to its budget.
const (
	mostHints   = 30
	mostReasons = 12
	mostHunks   = 80 // lines of the blamed change in the file
)

// broke says in lines what the telemetry shows of a suspect.
func broke(in *patch.Input, i int) string {
	s := &in.Suspects[i]
	var b strings.Builder
	fmt.Fprintf(&b, "symptom: %s at %s %s\n", in.Symptom.Kind, line(in.Symptom.Service), line(in.Symptom.Operation))
	fmt.Fprintf(&b, "share of failing requests: %s now, %s when healthy\n", number(in.Symptom.Errors.Incident), number(in.Symptom.Errors.Baseline))
	fmt.Fprintf(&b, "95th percentile of latency in seconds: %s now, %s when healthy\n", number(in.Symptom.P95.Incident), number(in.Symptom.P95.Baseline))
	fmt.Fprintf(&b, "suspect: %s %s", line(s.Service), line(s.Operation))
	if s.Peer != "" {
		fmt.Fprintf(&b, ", which calls %s", line(s.Peer))
	}
	b.WriteString("\n")
	for _, p := range s.Patterns {
		fmt.Fprintf(&b, "pattern %s: %s\n", p.Kind, line(p.Text))
		for _, k := range slices.Sorted(maps.Keys(p.Values)) {
			fmt.Fprintf(&b, "  %s = %s\n", line(k), number(p.Values[k]))
		}
	}
	for k, r := range s.Reasons {
		if k == mostReasons {
			break
		}
		fmt.Fprintf(&b, "seen: %s\n", line(r.Text))
	}
	return b.String()
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// line keeps a text on one line.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// seen lists log templates, exceptions and statements of a suspect, most telling first.
func seen(s *localize.Suspect) string {
	hints := slices.Clone(s.Hints)
	slices.SortStableFunc(hints, func(a, b localize.Hint) int {
		switch {
		case a.Weight > b.Weight:
			return -1
		case a.Weight < b.Weight:
			return 1
		}
		return 0
	})
	var out []string
	for _, h := range hints {
		if h.Text == "" || len(out) == mostHints {
			continue
		}
		out = append(out, fmt.Sprintf("%s: %s", h.Kind, line(h.Text)))
	}
	return strings.Join(out, "\n")
}

// blamed is what the change that is blamed did to a file.
func blamed(in *patch.Input, i int, path string) string {
	sha := in.Suspects[i].Culprit
	if sha == "" {
		return ""
	}
	for _, c := range in.Changes {
		if c.SHA != sha {
			continue
		}
		out := []string{"message: " + line(c.Message)}
		for _, f := range c.Files {
			if f.Path != path {
				continue
			}
			hunks := strings.Split(strings.TrimRight(f.Patch, "\n"), "\n")
			out = append(out, hunks[:min(len(hunks), mostHunks)]...)
		}
		return strings.Join(out, "\n")
	}
	return ""
}

// around are the imports, types, constants and variables of the file.
func (g *goFunc) around() string {
	var out []string
	for _, d := range g.file.Decls {
		if gen, ok := d.(*ast.GenDecl); ok {
			out = append(out, g.text(gen))
		}
	}
	return strings.Join(out, "\n")
}

// called are the functions of the file that the function calls by their name.
func (g *goFunc) called() string {
	names := map[string]bool{}
	ast.Inspect(g.decl.Body, func(x ast.Node) bool {
		if c, ok := x.(*ast.CallExpr); ok {
			switch f := c.Fun.(type) {
			case *ast.Ident:
				names[f.Name] = true
			case *ast.SelectorExpr:
				names[f.Sel.Name] = true
			}
		}
		return true
	})
	var out []string
	for _, d := range g.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f != g.decl && names[f.Name.Name] && f.Pos() != token.NoPos {
			out = append(out, g.text(f))
		}
	}
	return strings.Join(out, "\n\n")
}

// callers are the lines at which functions of the file begin that call the function by its name.
func (g *goFunc) callers() []int {
	var out []int
	for _, d := range g.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f == g.decl || f.Body == nil {
			continue
		}
		calls := false
		ast.Inspect(f.Body, func(x ast.Node) bool {
			if c, ok := x.(*ast.CallExpr); ok {
				switch n := c.Fun.(type) {
				case *ast.Ident:
					calls = calls || g.decl.Recv == nil && n.Name == g.decl.Name.Name
				case *ast.SelectorExpr:
					calls = calls || g.decl.Recv != nil && n.Sel.Name == g.decl.Name.Name
				}
			}
			return true
		})
		if calls {
			out = append(out, g.line(f.Pos()))
		}
	}
	return out
}
