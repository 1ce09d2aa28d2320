package gorecipe

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// poolSize widens a pool whose size is written in the source.
type poolSize struct{}

// NewPoolSize returns the recipe go-pool-size. The new size follows from Little's law, as patch.PoolSize computes
// it.
func NewPoolSize() patch.Recipe { return poolSize{} }

func (poolSize) Name() string     { return "go-pool-size@1" }
func (poolSize) Rung() patch.Rung { return patch.Code }

// poolSite is a place that sets the size of a pool.
type poolSite struct {
	fn    *fn
	value ast.Expr // the size
	also  ast.Expr // the number of idle connections, where it is the same and set beside it
	what  string   // "SetMaxOpenConns", "MaxConnsPerHost", "make(chan)"
	typ   string   // Go type of the size
}

// poolSetters are the calls and fields that bound a pool, with the type they take.
var poolSetters = map[string]string{
	"SetMaxOpenConns": "int",   // database/sql
	"MaxConnsPerHost": "int",   // net/http.Transport
	"MaxConns":        "int32", // pgxpool.Config
	"PoolSize":        "int",   // go-redis
	"MaxOpenConns":    "int",
}

var (
	semaphoreName = regexp.MustCompile(`(?i)(sem|slots|tokens|pool|workers|limiter|permits|tickets)`)
	deliberate    = regexp.MustCompile(`(?i)(single|serial|only one|one (connection|writer|at a time)|not (thread|goroutine)[ -]?safe|exactly one|must be 1)`)
)

func (r poolSize) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	k := slices.IndexFunc(in.Suspects[i].Patterns, func(p localize.Pattern) bool { return p.Kind == localize.PatternPoolWait })
	if k < 0 || !hasGo(in, i) {
		return nil, nil
	}
	p := in.Suspects[i].Patterns[k]
	want, why := patch.PoolSize(p)
	if want == 0 {
		return nil, []patch.Left{{Why: why}}
	}
	s, reason := findPool(in, i, p)
	if s == nil {
		return nil, []patch.Left{{Why: reason}}
	}
	return []patch.Option{{
		ID:     "code-go-pool-size-" + patch.Slug(snake(s.fn.decl.Name.Name), '-', 40),
		Title:  fmt.Sprintf("Raise %s in %s from %s to %d", s.what, s.fn.key(), s.fn.file.text(s.value), want),
		Why:    why,
		Target: fmt.Sprintf("%s:%s:%s", s.fn.file.path, s.fn.key(), s.what),
		Size:   12,
		Params: map[string]string{"file": s.fn.file.path, "function": s.fn.key(), "line": strconv.Itoa(s.fn.file.line(s.value.Pos())),
			"from": strconv.Itoa(s.fn.number(s.value)), "to": strconv.Itoa(want), "why": why},
	}}, nil
}

// findPool is the only place in the service's code, or the only one in the located package, that sets a pool
// to the size that telemetry saw.
func findPool(in *patch.Input, i int, p localize.Pattern) (*poolSite, string) {
	size := int(p.Values["max"])
	t := newTree(in.Base)
	var sites []*poolSite
	why := ""
	for _, q := range t.goPackages(in, i, locations(in, i)) {
		for _, f := range q.funcs() {
			if !f.file.editable() {
				continue
			}
			for _, s := range poolSites(f, size) {
				if reason := s.leave(); reason != "" {
					why = reason
					continue
				}
				sites = append(sites, s)
			}
		}
	}
	if len(sites) > 1 {
		near := slices.DeleteFunc(slices.Clone(sites), func(s *poolSite) bool {
			return !slices.ContainsFunc(locations(in, i), func(l codeindex.Location) bool { return strings.HasPrefix(l.File, s.fn.file.pkg.dir+"/") })
		})
		if len(near) > 0 {
			sites = near
		}
	}
	switch {
	case len(sites) == 1:
		return sites[0], ""
	case len(sites) > 1:
		var places []string
		for _, s := range sites {
			places = append(places, fmt.Sprintf("%s (%s)", s.what, s.fn.key()))
		}
		return nil, fmt.Sprintf("ambiguous: a pool of %d is made by each of %s", size, strings.Join(places, ", "))
	case why != "":
		return nil, why
	}
	return nil, fmt.Sprintf("no Go source of the service sets a pool to the constant %d", size)
}

// poolSites lists the places in a function that set a pool to a constant of the given size.
func poolSites(f *fn, size int) (out []*poolSite) {
	idle := map[string]ast.Expr{}
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			name := callName(n)
			switch {
			case name == "SetMaxIdleConns" && len(n.Args) == 1 && f.number(n.Args[0]) == size:
				idle[f.file.text(n.Fun.(*ast.SelectorExpr).X)] = n.Args[0]
			case poolSetters[name] != "" && len(n.Args) == 1 && f.number(n.Args[0]) == size:
				if _, ok := n.Fun.(*ast.SelectorExpr); ok {
					out = append(out, &poolSite{fn: f, value: n.Args[0], what: name, typ: poolSetters[name]})
				}
			}
		case *ast.KeyValueExpr:
			if key := identName(n.Key); key != "" && f.number(n.Value) == size {
				if poolSetters[key] != "" {
					out = append(out, &poolSite{fn: f, value: n.Value, what: key, typ: poolSetters[key]})
				} else if c := channelSize(f, key, n.Value, size); c != nil {
					out = append(out, c)
				}
			} else if c := channelSize(f, key, n.Value, size); c != nil {
				out = append(out, c)
			}
		case *ast.AssignStmt:
			for k, lhs := range n.Lhs {
				if len(n.Rhs) != len(n.Lhs) {
					break
				}
				name := typeName(lhs)
				if c := channelSize(f, name, n.Rhs[k], size); c != nil {
					out = append(out, c)
				} else if _, isField := lhs.(*ast.SelectorExpr); isField && poolSetters[name] != "" && f.number(n.Rhs[k]) == size {
					out = append(out, &poolSite{fn: f, value: n.Rhs[k], what: name, typ: poolSetters[name]})
				}
			}
		}
		return true
	})
	for _, s := range out {
		if s.what == "SetMaxOpenConns" {
			for _, x := range sortedKeys(idle) {
				s.also = idle[x]
			}
		}
		// The field may be one of the repository's own structs, of another type than the library's.
		if t := s.fieldType(); t != "" {
			s.typ = t
		}
	}
	return out
}

// channelSize recognises a semaphore: make(chan struct{}, size) under a telling name.
func channelSize(f *fn, name string, e ast.Expr, size int) *poolSite {
	c, ok := e.(*ast.CallExpr)
	if !ok || identName(c.Fun) != "make" || len(c.Args) != 2 || !semaphoreName.MatchString(name) || f.number(c.Args[1]) != size {
		return nil
	}
	if ch, ok := c.Args[0].(*ast.ChanType); !ok || f.file.text(ch.Value) != "struct{}" {
		return nil
	}
	return &poolSite{fn: f, value: c.Args[1], what: name, typ: "int"}
}

// fieldType is the type of the field that a composite literal of the repository's own struct sets.
func (s *poolSite) fieldType() string {
	out := ""
	ast.Inspect(s.fn.decl.Body, func(n ast.Node) bool {
		l, ok := n.(*ast.CompositeLit)
		if !ok || l.Type == nil || !inNode(s.value, l) {
			return true
		}
		if t, field := s.fn.file.typ(l.Type).field(s.fn.file.pkg, s.what); field != nil && t.isInteger() {
			out = t.name
		}
		return true
	})
	return out
}

// leave says why a place is not to be touched.
func (s *poolSite) leave() string {
	f := s.fn.file
	line := f.line(s.value.Pos())
	for _, g := range f.ast.Comments {
		if from, to := f.line(g.Pos()), f.line(g.End()); from <= line && line <= to+1 && deliberate.MatchString(g.Text()) {
			return fmt.Sprintf("%s: a comment says that the size of %s is meant", s.fn.key(), s.what)
		}
	}
	text := f.text(s.fn.decl)
	if strings.Contains(text, ":memory:") || strings.Contains(text, "mode=memory") {
		return fmt.Sprintf("%s: an SQLite database in memory lives in one connection", s.fn.key())
	}
	return ""
}

func (r poolSize) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	k := slices.IndexFunc(in.Suspects[o.Suspect].Patterns, func(p localize.Pattern) bool { return p.Kind == localize.PatternPoolWait })
	if k < 0 {
		return nil, fmt.Errorf("the suspect shows no saturated pool")
	}
	to, err := strconv.Atoi(o.Params["to"])
	if err != nil || to < 1 {
		return nil, fmt.Errorf("parameter to: %q is no size", o.Params["to"])
	}
	s, why := findPool(in, o.Suspect, in.Suspects[o.Suspect].Patterns[k])
	if s == nil {
		return nil, fmt.Errorf("%s", why)
	}
	if got := fmt.Sprintf("%s:%s:%s", s.fn.file.path, s.fn.key(), s.what); got != o.Target {
		return nil, fmt.Errorf("the pool is set by %s, not by %s", got, o.Target)
	}
	e := &poolEdit{site: s, to: to, guard: newGuard(in, o.Suspect, s.fn, "pool_size"), r: newRewrite(s.fn)}
	source, err := e.edit()
	if err != nil {
		return nil, err
	}
	p := &patch.Patch{
		Files: append(e.guard.files, patch.FileEdit{Path: s.fn.file.path, Kind: patch.SourceFile, Old: s.fn.file.src, New: source}),
		Flag:  e.guard.flag,
		Summary: []string{
			fmt.Sprintf("With %s on, %s sets %s to %d instead of %s.", e.guard.flag.Name, s.fn.key(), s.what, to, s.fn.file.text(s.value)),
			o.Params["why"],
			"With it off (the default) the size is what it was. The flag is read when the pool is made.",
		},
		Telemetry: []string{e.telemetry},
		Risks:     []string{fmt.Sprintf("What is behind the pool gets up to %d at a time from each instance; its own limit must allow for that.", to)},
	}
	if s.fn.file.pkg.contains("sqlite") {
		p.Risks = append(p.Risks, "SQLite lets one connection write at a time; more connections help readers only.")
	}
	return p, e.test(p)
}
