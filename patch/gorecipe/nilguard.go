package gorecipe

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// nilGuard keeps a nil value from panicking where the code itself shows what to do instead.
type nilGuard struct{}

// NewNilGuard returns the recipe go-nil-guard. It acts only where a panic was certain, so it never changes what
// a request that worked before gets, and it refuses rather than accepts: the function fails in its own words, or
// leaves out a step that the code elsewhere treats as optional.
func NewNilGuard() patch.Recipe { return nilGuard{} }

func (nilGuard) Name() string     { return "go-nil-guard@1" }
func (nilGuard) Rung() patch.Rung { return patch.Code }

var nilPanic = regexp.MustCompile(`(?i)nil pointer dereference|invalid memory address|assignment to entry in nil map`)

// nilSite is a statement that panics when one of the guarded expressions is nil.
type nilSite struct {
	fn      *fn
	stmt    ast.Stmt
	line    int
	guarded []ast.Expr
	how     nilAction
	target  string // the variable that actionDefine declares, with its type
	zeros   string
}

type nilAction int

const (
	actionSkip   nilAction = iota // leave the statement out
	actionDefine                  // declare the variable with its zero value
	actionReturn                  // return the function's failure
	actionHTTP                    // answer 500 as the handler does elsewhere
)

func (r nilGuard) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	p, ok := pattern(in, i, string(localize.PatternException))
	if !ok || !hasGo(in, i) || !isNilPanic(in, i, p) {
		return nil, nil
	}
	s, why := findNil(in, i)
	if s == nil {
		return nil, []patch.Left{{Why: why}}
	}
	return []patch.Option{{
		ID:     "code-go-nil-guard-" + patch.Slug(snake(s.fn.decl.Name.Name), '-', 40),
		Title:  fmt.Sprintf("Guard %s against a missing %s", s.fn.key(), s.names()),
		Why:    fmt.Sprintf("%s panics at line %d of %s when %s is nil; %s", s.fn.key(), s.line, s.fn.file.path, s.names(), s.does()),
		Target: fmt.Sprintf("%s:%s:%s", s.fn.file.path, s.fn.key(), s.names()),
		Size:   5,
		Params: map[string]string{"file": s.fn.file.path, "function": s.fn.key(), "line": strconv.Itoa(s.line)},
	}}, nil
}

// isNilPanic says whether the exception is one that a nil value raises.
func isNilPanic(in *patch.Input, i int, p *patternView) bool {
	texts := []string{p.text}
	for _, k := range sortedKeys(p.detail) {
		texts = append(texts, p.detail[k])
	}
	for _, h := range in.Suspects[i].Hints {
		texts = append(texts, h.Text)
	}
	return slices.ContainsFunc(texts, nilPanic.MatchString)
}

func (s *nilSite) names() string {
	var out []string
	for _, e := range s.guarded {
		out = append(out, s.fn.file.text(e))
	}
	return strings.Join(out, " or ")
}

func (s *nilSite) does() string {
	switch s.how {
	case actionSkip:
		return "the statement is optional there, as the code shows elsewhere"
	case actionDefine:
		return "without it the value is left empty, as the code does elsewhere"
	case actionHTTP:
		return "the handler answers with an internal error instead"
	}
	return "the function returns an error instead, as it does for other failures"
}

func (r nilGuard) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	s, why := findNil(in, o.Suspect)
	if s == nil {
		return nil, fmt.Errorf("%s", why)
	}
	if got := fmt.Sprintf("%s:%s:%s", s.fn.file.path, s.fn.key(), s.names()); got != o.Target {
		return nil, fmt.Errorf("what may be nil is %s, not %s", got, o.Target)
	}
	e := &nilEdit{site: s, guard: newGuard(in, o.Suspect, s.fn, "nil_guard"), r: newRewrite(s.fn)}
	source, err := e.edit()
	if err != nil {
		return nil, err
	}
	p := &patch.Patch{
		Files: append(e.guard.files, patch.FileEdit{Path: s.fn.file.path, Kind: patch.SourceFile, Old: s.fn.file.src, New: source}),
		Flag:  e.guard.flag,
		Summary: []string{
			fmt.Sprintf("With %s on, %s no longer panics when %s is nil; %s.", e.guard.flag.Name, s.fn.key(), s.names(), s.does()),
			"With it off (the default) it panics as before. Requests that did not panic are not touched either way.",
		},
		Telemetry: []string{e.telemetry},
		Risks:     []string{fmt.Sprintf("Why %s is nil is not mended; the new telemetry counts how often it is.", s.names())},
	}
	return p, e.test(p)
}
