package gorecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// retryBackoff makes a retry loop wait between its attempts.
type retryBackoff struct{}

// NewRetryBackoff returns the recipe go-retry-backoff: bounded exponential backoff with jitter for retry
// loops that come round at once or after a constant pause.
func NewRetryBackoff() patch.Recipe { return retryBackoff{} }

func (retryBackoff) Name() string     { return "go-retry-backoff@1" }
func (retryBackoff) Rung() patch.Rung { return patch.Code }

func (r retryBackoff) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	p, ok := pattern(in, i, string(localize.PatternRetryBurst))
	if !ok || !hasGo(in, i) {
		return nil, nil
	}
	l, why := findRetry(in, i)
	if l == nil {
		return nil, []patch.Left{{Why: why}}
	}
	b := l.backoff(p)
	target := fmt.Sprintf("%s:%s", l.fn.file.path, l.fn.key())
	return []patch.Option{{
		ID:     "code-go-retry-backoff-" + patch.Slug(snake(l.fn.decl.Name.Name), '-', 40),
		Title:  fmt.Sprintf("Back off between the attempts of %s", l.fn.key()),
		Why:    l.why(p, b),
		Target: target,
		Size:   25,
		Params: map[string]string{
			"file": l.fn.file.path, "function": l.fn.key(), "line": strconv.Itoa(l.fn.file.line(l.stmt.Pos())),
			"base": b.Base.String(), "limit": b.Limit.String(), "retries": strconv.Itoa(b.Retries),
			"shortest": round(b.shortest()).String(), "longest": round(b.longest()).String(),
			"outage": round(b.Outage).String(), "budget": round(b.Budget).String(), "risk": b.risk(),
		},
	}}, nil
}

// hasGo says whether any place the suspect points to is Go.
func hasGo(in *patch.Input, i int) bool {
	for _, l := range locations(in, i) {
		if strings.HasSuffix(l.File, ".go") {
			return true
		}
	}
	return false
}

// findRetry is the retry loop nearest to where the suspect points, or why there is none.
func findRetry(in *patch.Input, i int) (*retryLoop, string) {
	t := newTree(in.Base)
	near := t.around(locations(in, i))
	if len(near) == 0 {
		return nil, "the suspect points to no Go function that can be read"
	}
	why := ""
	for _, r := range near {
		loops, reasons := findLoop(r.fn)
		for _, l := range loops {
			switch {
			case !r.fn.file.editable():
				reasons = append(reasons, r.fn.key()+": the file is generated or vendored")
			case l.counter == "" && !l.bare && labelled(r.fn, l.stmt):
				reasons = append(reasons, r.fn.key()+": the loop has a label and no counter")
			default:
				return l, ""
			}
		}
		if why == "" && len(reasons) > 0 {
			why = strings.Join(reasons, "; ")
		}
	}
	if why == "" {
		why = fmt.Sprintf("no loop that repeats a failed call was found in %s or the %d functions around it", near[0].fn.key(), len(near)-1)
	}
	return nil, why
}

func labelled(f *fn, s ast.Stmt) bool {
	hit := false
	ast.Inspect(f.decl.Body, func(n ast.Node) bool {
		if l, ok := n.(*ast.LabeledStmt); ok && l.Stmt == s {
			hit = true
		}
		return true
	})
	return hit
}

// backoff chooses the parameters from what telemetry saw and what the source bounds.
func (l *retryLoop) backoff(p *patternView) *backoff {
	attempts := l.bound
	b := &backoff{}
	if attempts == 0 {
		attempts = int(p.value("attempts"))
		b.assumed = true
	}
	if attempts < 2 {
		attempts = 3
	}
	b.Retries = min(attempts, 20) - 1
	b.Outage = seconds(p.value("outage_max_seconds"))
	b.Budget, b.budgetFrom = l.budget()
	b.plan()
	if usual := seconds(p.value("outage_p95_seconds")); !b.covers() && usual > 0 && usual < b.Outage {
		b.Longest = b.Outage
		b.Outage = usual
		b.plan()
	}
	// The shortest wait stays clearly above a constant pause that is there already.
	if d := l.fn.duration(l.pauseFor); d > 0 {
		if least := max(5*d/2, 2*d+60*time.Millisecond); b.Base < least {
			b.setBase(roundUp(least))
		}
	}
	return b
}

// budget is the time that callers leave for all attempts, less the attempts themselves, and where it was
// seen.
func (l *retryLoop) budget() (time.Duration, string) {
	d, from := l.visibleDeadline()
	if d == 0 {
		return defaultBudget, "allowed where no deadline of a caller is in sight"
	}
	return d * 4 / 5, from // a fifth for the attempts themselves
}

// visibleDeadline is the shortest constant deadline that the function or a caller in its package sets around
// the loop.
func (l *retryLoop) visibleDeadline() (d time.Duration, from string) {
	look := func(f *fn, before token.Pos) {
		for _, c := range calls(f) {
			if callName(c) != "WithTimeout" || len(c.Args) != 2 || before.IsValid() && c.Pos() > before {
				continue
			}
			if v := f.duration(c.Args[1]); v > 0 && (d == 0 || v < d) {
				d, from = v, "deadline that "+f.key()+" sets"
			}
		}
	}
	look(l.fn, l.stmt.Pos())
	for _, c := range callers(l.fn) {
		look(c, token.NoPos)
	}
	return d, from
}

func (l *retryLoop) why(p *patternView, b *backoff) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s repeats %s ", l.fn.key(), l.fn.file.text(l.call.Fun))
	if l.pause != nil {
		s.WriteString("after a constant pause")
	} else {
		s.WriteString("at once")
	}
	if v := p.value("attempts"); v > 0 {
		fmt.Fprintf(&s, ", up to %.0f times a request", v)
	}
	fmt.Fprintf(&s, "; waits of %s to %s between %d attempts", round(b.wait(1)/2), round(b.wait(b.Retries)), b.Retries+1)
	if b.Outage > 0 {
		verb := "outlast"
		if !b.covers() {
			verb = "come near"
		}
		which := "longest outage seen"
		if b.Longest > 0 {
			which = "95th percentile of the outages seen"
		}
		fmt.Fprintf(&s, " together last at least %s and %s the %s, %s", round(b.shortest()), verb, which, round(b.Outage))
	}
	return s.String()
}

func (r retryBackoff) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	l, why := findRetry(in, o.Suspect)
	if l == nil {
		return nil, fmt.Errorf("%s", why)
	}
	if got := l.fn.file.path + ":" + l.fn.key(); got != o.Target {
		return nil, fmt.Errorf("the retry loop is in %s, not in %s", got, o.Target)
	}
	b := &backoff{}
	var err error
	if b.Base, err = time.ParseDuration(o.Params["base"]); err != nil {
		return nil, fmt.Errorf("parameter base: %w", err)
	}
	if b.Limit, err = time.ParseDuration(o.Params["limit"]); err != nil {
		return nil, fmt.Errorf("parameter limit: %w", err)
	}
	if b.Retries, err = strconv.Atoi(o.Params["retries"]); err != nil || b.Retries < 1 || b.Base < time.Millisecond || b.Limit < b.Base {
		return nil, fmt.Errorf("the option's parameters make no backoff: base %s, limit %s, retries %s", b.Base, b.Limit, o.Params["retries"])
	}
	g := newGuard(in, o.Suspect, l.fn, "backoff")
	e := &retryEdit{loop: l, backoff: b, guard: g, r: newRewrite(l.fn)}
	source, err := e.edit()
	if err != nil {
		return nil, err
	}
	p := &patch.Patch{
		Files: append(g.files, patch.FileEdit{Path: l.fn.file.path, Kind: patch.SourceFile, Old: l.fn.file.src, New: source}),
		Flag:  g.flag,
		Summary: []string{
			fmt.Sprintf("With %s on, %s waits before each further attempt: %s at first, doubling up to %s, half of each wait random.", g.flag.Name, l.fn.key(), b.Base, b.Limit),
			"With it off (the default) the loop runs as before.",
		},
		Telemetry: []string{e.telemetry},
		Risks: []string{
			fmt.Sprintf("A request that meets an outage takes up to %s longer before it fails, and holds what it holds for that time.", round(b.longest())),
		},
	}
	if s := o.Params["risk"]; s != "" {
		p.Risks = append(p.Risks, s)
	}
	if l.bound == 0 {
		p.Risks = append(p.Risks, fmt.Sprintf("The number of attempts is not a constant in the source; %d were assumed.", b.Retries+1))
	}
	if e.ctx == "" {
		p.Risks = append(p.Risks, "No context is in scope in "+l.fn.key()+", so a wait does not end when the caller gives up.")
	}
	if err := e.test(p); err != nil {
		return nil, err
	}
	return p, nil
}
