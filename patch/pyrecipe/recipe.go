package pyrecipe

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	ts "github.com/remediator/remediator/codeindex/treesitter"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// All returns the recipes of this package.
func All() []patch.Recipe {
	return []patch.Recipe{NewNoneGuard(), NewRetryBackoff(), NewCallDeadline(), NewPoolSize()}
}

// place is a line of a Python file that a suspect points to.
type place struct {
	file     string
	line     int
	from, to int
}

// places lists where suspect i is, best first: stack frames whose file is one of the located ones, from
// the innermost application frame on, then the located lines.
func places(in *patch.Input, i int) []place {
	if i >= len(in.Locations) {
		return nil
	}
	var out []place
	add := func(p place) {
		if p.line > 0 && !slices.ContainsFunc(out, func(o place) bool { return o.file == p.file && o.line == p.line }) {
			out = append(out, p)
		}
	}
	for _, f := range frames(in.Suspects[i]) {
		name := strings.TrimPrefix(strings.ReplaceAll(f.File, "\\", "/"), "./")
		for _, l := range in.Locations[i] {
			if path.Ext(l.File) == ".py" && (name == l.File || strings.HasSuffix(name, "/"+l.File) || strings.HasSuffix(l.File, "/"+name)) {
				add(place{l.File, f.Line, l.From, l.To})
			}
		}
	}
	for _, l := range in.Locations[i] {
		if path.Ext(l.File) == ".py" {
			add(place{l.File, l.Line, l.From, l.To})
		}
	}
	return out[:min(8, len(out))]
}

// frame is a stack frame as patterns carry it.
type frame struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Library bool   `json:"library"`
}

// frames lists the application's frames that telemetry names for a suspect, innermost first.
func frames(s localize.Suspect) []frame {
	var out []frame
	for _, p := range s.Patterns {
		if p.Kind != localize.PatternException {
			continue
		}
		if line := number(p.Detail["line"]); line > 0 && p.Detail["file"] != "" {
			out = append(out, frame{File: p.Detail["file"], Line: line})
		}
		var stack []frame
		if err := json.Unmarshal([]byte(p.Detail["frames"]), &stack); err != nil {
			continue // absent, or not as this version writes it: the hints say the same
		}
		for _, f := range stack[:min(50, len(stack))] {
			if !f.Library && f.Line > 0 && f.File != "" {
				out = append(out, f)
			}
		}
	}
	for _, h := range s.Hints {
		if (h.Kind == localize.HintFrame || h.Kind == localize.HintCode) && h.Line > 0 && h.File != "" {
			out = append(out, frame{File: h.File, Line: h.Line})
		}
	}
	return out
}

var errNoFunction = errors.New("the line is in no function, or in one too large to be rewritten")

// pattern is the suspect's pattern of a kind.
func pattern(s localize.Suspect, kind localize.PatternKind) (localize.Pattern, bool) {
	k := slices.IndexFunc(s.Patterns, func(p localize.Pattern) bool { return p.Kind == kind })
	if k < 0 {
		return localize.Pattern{}, false
	}
	return s.Patterns[k], true
}

// value is the first of the pattern's values that is there and positive.
func value(p localize.Pattern, names ...string) float64 {
	for _, n := range names {
		if v := p.Values[n]; v > 0 && v < 1e9 {
			return v
		}
	}
	return 0
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// short writes a number with at most three digits behind the point.
func short(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// finish turns the edits of a recipe into a patch, with the imports that its guard needs.
func finish(in *patch.Input, s *source, o patch.Option, g *guard, edits []edit) (*patch.Patch, error) {
	imports, err := s.imports(g.needs...)
	if err != nil {
		return nil, err
	}
	after, err := s.rewrite(append(edits, imports...))
	if err != nil {
		return nil, err
	}
	return &patch.Patch{
		Option:    o,
		Files:     append([]patch.FileEdit{{Path: s.path, Kind: patch.SourceFile, Mode: s.mode, Old: s.src, New: after}}, g.files...),
		Flag:      g.flag,
		Telemetry: g.telemetry,
	}, nil
}

// body is a generated test's body in the making, with what to fall back to.
type body struct {
	name     string
	title    string
	imports  []string
	checks   string
	function ts.Node
	write    func(t *script) error
}

// addTest writes the generated test of a patch. Where the function cannot be driven to the changed line by
// arguments made from its code, the test only shows that the guard is there, and says so.
func addTest(in *patch.Input, p *patch.Patch, s *source, g *guard, b body) error {
	l, err := findLayout(in, s.path)
	if err != nil {
		p.Risks = append(p.Risks, "No test was generated: "+err.Error()+".")
		return nil
	}
	gen := generated{name: b.name, title: b.title, imports: append(slices.Clone(b.imports), g.imports...), checks: b.checks, behavioural: true}
	t := &script{module: l.module()}
	g.turnOn(t)
	if err := b.write(t); err != nil {
		p.Risks = append(p.Risks, "The generated test shows the guard only, not its effect: "+err.Error()+".")
		gen.behavioural = false
		gen.checks = "that the guard is in " + s.qualified(b.function)
		gen.imports = []string{"import inspect"}
		target := l.module() + "." + s.qualified(b.function)
		t = &script{module: l.module()}
		if s.enclosing(b.function, "function_definition") != ts.None || b.function == ts.None {
			target = l.module()
		}
		t.add("source = inspect.getsource(%s)", target)
		t.add("assert %q in source", g.flag.Name)
	}
	gen.imports = append(gen.imports, "import os", "import asyncio")
	gen.body = t.lines
	edit, test, err := gen.write(in, l)
	if err != nil {
		return err
	}
	p.Files = append(p.Files, edit)
	p.Tests = append(p.Tests, test)
	return nil
}

// turnOn opens the test's body with the flag on.
func (g *guard) turnOn(t *script) {
	if g.flag.Provider == "env" {
		t.with("mock.patch.dict(os.environ, {%q: \"true\"})", g.flag.Name)
		return
	}
	for _, line := range g.setup {
		t.add("%s", line)
	}
}

// testName makes the name of a generated test.
func testName(s *source, function ts.Node, effect string) string {
	return fmt.Sprintf("test_%s_%s", patch.Slug(s.name(function), '_', 40), effect)
}
