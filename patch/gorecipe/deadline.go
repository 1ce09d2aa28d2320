package gorecipe

import (
	"cmp"
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// callDeadline gives an outgoing call a deadline.
type callDeadline struct{}

// NewCallDeadline returns the recipe go-call-deadline. The deadline is three times the healthy 99th
// percentile of the call, which lets all but the pathological calls through (Site Reliability Engineering, Beyer et
// al., 2016, chapter 22, "Latency and deadlines").
func NewCallDeadline() patch.Recipe { return callDeadline{} }

func (callDeadline) Name() string     { return "go-call-deadline@1" }
func (callDeadline) Rung() patch.Rung { return patch.Code }

const (
	// deadlineFactor is how far beyond the healthy tail a call may last.
	deadlineFactor = 3
	// minDeadline keeps a very fast call from being cut by a pause of the garbage collector or the scheduler.
	minDeadline = 100 * time.Millisecond
)

// siteKind is the form of an outgoing call.
type siteKind int

const (
	siteRequest siteKind = iota // client.Do(req)
	siteGet                     // client.Get(url), http.Post(...)
	siteContext                 // f(ctx, ...)
	siteQuery                   // db.Query(...), without a context
)

// site is one outgoing call without a deadline.
type site struct {
	fn   *fn
	call *ast.CallExpr
	stmt ast.Stmt // of a block; what is inserted goes above it
	kind siteKind
	ctx  ast.Expr // the context argument of siteContext
	far  int
	// leaks says that the function hands on what must be read before the deadline is cancelled.
	leaks bool
}

func (r callDeadline) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	p, ok := pattern(in, i, string(localize.PatternUnboundedCall))
	if !ok || !hasGo(in, i) {
		return nil, nil
	}
	p99 := seconds(p.value("p99_baseline_seconds"))
	if p99 == 0 {
		return nil, []patch.Left{{Why: "how long the call takes when healthy is not known, so no deadline can be derived"}}
	}
	deadline := roundUp(max(deadlineFactor*p99, minDeadline))
	if longest := seconds(p.value("max_seconds")); longest > 0 && longest <= deadline {
		return nil, []patch.Left{{Why: fmt.Sprintf("a deadline of %s, three times the healthy 99th percentile, would not have cut calls of at most %s", deadline, round(longest))}}
	}
	s, why := findSite(in, i, p, deadline)
	if s == nil {
		return nil, []patch.Left{{Why: why}}
	}
	return []patch.Option{{
		ID:     "code-go-call-deadline-" + patch.Slug(snake(s.fn.decl.Name.Name), '-', 40),
		Title:  fmt.Sprintf("Bound the call of %s in %s", s.callee(), s.fn.key()),
		Why:    fmt.Sprintf("%s calls %s without a deadline; healthy calls take up to %s (99th percentile), slow ones took %s", s.fn.key(), s.callee(), round(p99), round(seconds(p.value("max_seconds")))),
		Target: fmt.Sprintf("%s:%s:%s", s.fn.file.path, s.fn.key(), s.callee()),
		Size:   8,
		Params: map[string]string{"deadline": deadline.String(), "healthy_p99": round(p99).String(),
			"file": s.fn.file.path, "function": s.fn.key(), "line": strconv.Itoa(s.fn.file.line(s.call.Pos()))},
	}}, nil
}

func (s *site) callee() string { return s.fn.file.text(s.call.Fun) }

// findSite is the outgoing call without a deadline that is nearest to where the suspect points, or why
// there is none.
func findSite(in *patch.Input, i int, p *patternView, deadline time.Duration) (*site, string) {
	t := newTree(in.Base)
	near := t.around(locations(in, i))
	if len(near) == 0 {
		return nil, "the suspect points to no Go function that can be read"
	}
	words := clues(in.Suspects[i], p)
	var sites []*site
	var why []string
	for _, r := range near {
		if !r.fn.file.editable() {
			continue
		}
		found, reasons := outgoing(r.fn, deadline)
		for _, s := range found {
			s.far = r.distance
			if !hints(r.fn.file.text(r.fn.decl), words) {
				s.far += 6
			}
			sites = append(sites, s)
		}
		if r.distance <= 4 {
			why = append(why, reasons...)
		}
	}
	slices.SortStableFunc(sites, func(a, b *site) int { return cmp.Compare(a.far, b.far) })
	if len(sites) > 0 {
		return sites[0], ""
	}
	if len(why) > 0 {
		return nil, strings.Join(why, "; ")
	}
	return nil, fmt.Sprintf("no outgoing call was found in %s or the %d functions around it", near[0].fn.key(), len(near)-1)
}

// clues are the words by which the code of the slow call can be told: of the peer and of the route.
func clues(s localize.Suspect, p *patternView) []string {
	var out []string
	for _, text := range []string{s.Peer, p.detail["peer"], p.detail["route"], p.detail["operation"]} {
		for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r < 'a' || r > 'z' }) {
			if len(w) >= 4 && w != "http" && w != "https" && w != "post" && w != "service" {
				out = append(out, w)
			}
		}
	}
	return out
}

func hints(text string, words []string) bool {
	text = strings.ToLower(text)
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}

func (r callDeadline) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	deadline, err := time.ParseDuration(o.Params["deadline"])
	if err != nil || deadline < time.Millisecond {
		return nil, fmt.Errorf("parameter deadline: %q is no duration of a millisecond or more", o.Params["deadline"])
	}
	p, ok := pattern(in, o.Suspect, string(localize.PatternUnboundedCall))
	if !ok {
		return nil, fmt.Errorf("the suspect shows no unbounded call")
	}
	s, why := findSite(in, o.Suspect, p, deadline)
	if s == nil {
		return nil, fmt.Errorf("%s", why)
	}
	if got := fmt.Sprintf("%s:%s:%s", s.fn.file.path, s.fn.key(), s.callee()); got != o.Target {
		return nil, fmt.Errorf("the call without a deadline is %s, not %s", got, o.Target)
	}
	e := &deadlineEdit{site: s, deadline: deadline, guard: newGuard(in, o.Suspect, s.fn, "deadline"), r: newRewrite(s.fn)}
	source, err := e.edit()
	if err != nil {
		return nil, err
	}
	out := &patch.Patch{
		Files: append(e.guard.files, patch.FileEdit{Path: s.fn.file.path, Kind: patch.SourceFile, Old: s.fn.file.src, New: source}),
		Flag:  e.guard.flag,
		Summary: []string{
			fmt.Sprintf("With %s on, %s gives up its call of %s after %s, three times the healthy 99th percentile of %s.", e.guard.flag.Name, s.fn.key(), s.callee(), deadline, o.Params["healthy_p99"]),
			"With it off (the default) the call has no deadline, as before.",
		},
		Telemetry: []string{e.telemetry},
		Risks:     []string{fmt.Sprintf("A call that would have succeeded after more than %s now fails; what it started may still be done on the other side.", deadline)},
	}
	return out, e.test(out)
}
