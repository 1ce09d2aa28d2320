package gorecipe

import (
	"fmt"
	"go/ast"
	"go/token"
	"math/bits"
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

// retryEdit writes one patch.
type retryEdit struct {
	loop      *retryLoop
	backoff   *backoff
	guard     guard
	r         *rewrite
	ctx       string // expression for the context in scope, "" if none
	helper    string
	aborts    bool // the helper returns an error when the context ends
	carry     string
	telemetry string
}

func (e *retryEdit) edit() ([]byte, error) {
	l, r, f := e.loop, e.r, e.loop.fn
	e.helper = f.file.pkg.freshName(f, lower(f.decl.Name.Name)+"Backoff")

	start := scope{f, l.body.Lbrace + 1}
	inPlace := l.pause != nil
	s := start
	if inPlace {
		s = scope{f, l.pause.Pos()}
		// A context made inside the loop may be spent by the time of the pause.
		if c := s.contextExpr(); c != "" && c == start.contextExpr() && !sameDeclaration(s, start, c) {
			inPlace, s = false, start
		}
	}
	e.ctx = s.contextExpr()
	zeros, returnsError := s.zeros(r)
	e.carry = l.carrier(s.pos)
	e.aborts = e.ctx != "" && (returnsError || e.carry != "")
	enabled, decl := e.guard.enabled(r, e.ctx, e.helper+"Enabled")

	retry, count := e.retryNumber(inPlace)
	wait := e.waitStmt(retry, zeros)
	switch {
	case inPlace:
		if count != "" {
			wait = count + "++\n" + wait
		}
		r.wrap(l.pause, "if "+enabled+" {\n"+indent(wait, "\t")+"} else {\n", "}\n")
	default:
		first := fmt.Sprintf("%s > %d && ", l.counterName(count), l.firstValue(count))
		text := "if " + first + enabled + " {\n" + indent(wait, "\t") + "}\n"
		if count != "" {
			text += count + "++\n"
		}
		r.into(l.body, text, r.indentOf(l.stmt)+"\t")
		if l.pause != nil {
			r.wrap(l.pause, "if "+not(enabled)+" {\n", "}\n")
		}
	}
	if count != "" {
		r.before(l.stmt, count+" := 0\n")
	}
	r.after(f.decl, e.helperText()+spaced(decl))
	return r.bytes()
}

func spaced(decl string) string {
	if decl == "" {
		return ""
	}
	return "\n" + decl
}

// sameDeclaration says whether a name means the same variable at two places.
func sameDeclaration(a, b scope, expr string) bool {
	name, _, _ := strings.Cut(expr, ".")
	x, y := a.declared(name), b.declared(name)
	return x != nil && y != nil && x.pos == y.pos
}

// retryNumber is the expression for the number of the retry that is about to be waited for, from 1, and the
// name of a counter to add where the loop has none.
func (e *retryEdit) retryNumber(inPlace bool) (expr, count string) {
	l := e.loop
	if l.bare {
		l.counter, l.start = e.loop.fn.file.pkg.freshName(l.fn, "attempt"), 0
		at := l.fn.file.offset(l.stmt.(*ast.RangeStmt).Range)
		e.r.edits = append(e.r.edits, span{at, at, l.counter + " := "})
	}
	if l.counter == "" {
		count = l.fn.file.pkg.freshName(l.fn, "retry")
		return count, count
	}
	offset := -l.start // before the call: attempts done so far
	if inPlace && (!l.pauseFirst || !l.guardedPause()) {
		offset++ // after the call, its attempt is done too
	}
	name := l.counter
	if s, ok := l.stmt.(*ast.RangeStmt); ok && !(scope{l.fn, s.X.Pos()}).typeOf(s.X).isBasic("int") {
		name = "int(" + name + ")"
	}
	switch {
	case offset > 0:
		return name + "+" + strconv.Itoa(offset), ""
	case offset < 0:
		return name + strconv.Itoa(offset), ""
	}
	return name, ""
}

// guardedPause says whether the pause stands under a condition on the counter, "if attempt > 0".
func (l *retryLoop) guardedPause() bool {
	hit := false
	inspectShallow(l.body, func(n ast.Node) bool {
		if i, ok := n.(*ast.IfStmt); ok && inNode(l.pause, i.Body) && mentions(i.Cond, l.counter) {
			hit = true
		}
		return true
	})
	return hit
}

func (l *retryLoop) counterName(count string) string {
	if count != "" {
		return count
	}
	return l.counter
}

func (l *retryLoop) firstValue(count string) int {
	if count != "" {
		return 0
	}
	return l.start
}

func (e *retryEdit) waitStmt(retry, zeros string) string {
	args := retry
	if e.ctx != "" {
		args = e.ctx + ", " + retry
	}
	if !e.aborts {
		return fmt.Sprintf("%s(%s)\n", e.helper, args)
	}
	switch e.carry {
	case "":
		return fmt.Sprintf("if err := %s(%s); err != nil {\n\treturn %serr\n}\n", e.helper, args, zeros)
	case "err":
		return fmt.Sprintf("if err = %s(%s); err != nil {\n\tbreak\n}\n", e.helper, args)
	}
	return fmt.Sprintf("if err := %s(%s); err != nil {\n\t%s = err\n\tbreak\n}\n", e.helper, args, e.carry)
}

// carrier is the variable in which the loop keeps its last error for what follows it: an interrupted wait
// then ends as a failed attempt does, wrapped in the same words. "" where there is none, or where a
// break would leave something else than the loop.
func (l *retryLoop) carrier(at token.Pos) string {
	if f, ok := l.stmt.(*ast.ForStmt); ok && f.Cond == nil {
		return ""
	}
	name := ""
	blocked := false
	inspectShallow(l.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt, *ast.ForStmt, *ast.RangeStmt:
			blocked = blocked || n.Pos() <= at && at < n.End()
		case *ast.AssignStmt:
			for _, lhs := range n.Lhs {
				id, ok := lhs.(*ast.Ident)
				if !ok || n.Tok != token.ASSIGN || name != "" || !l.usedAfter(id.Name) {
					continue
				}
				outer := scope{l.fn, l.stmt.Pos()}.declared(id.Name)
				here := scope{l.fn, at}.declared(id.Name)
				if outer != nil && here != nil && outer.pos == here.pos && (scope{l.fn, l.stmt.Pos()}).ident(id.Name, 0).isError() {
					name = id.Name
				}
			}
		}
		return true
	})
	if blocked || !l.failsAfter() {
		return ""
	}
	return name
}

// failsAfter says whether what follows the loop returns nothing but an error.
func (l *retryLoop) failsAfter() bool {
	var first *ast.ReturnStmt
	inspectShallow(l.fn.decl.Body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok && first == nil && r.Pos() > l.stmt.End() {
			first = r
		}
		return true
	})
	if first == nil || len(first.Results) == 0 {
		return false
	}
	s := scope{l.fn, first.Pos()}
	for _, e := range first.Results[:len(first.Results)-1] {
		if !s.zeroLike(e) {
			return false
		}
	}
	return true
}

// usedAfter says whether a name is read behind the loop.
func (l *retryLoop) usedAfter(name string) bool {
	hit := false
	ast.Inspect(l.fn.decl.Body, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		hit = hit || ok && id.Name == name && id.Pos() > l.stmt.End()
		return true
	})
	return hit
}

// helperText is the function that waits.
func (e *retryEdit) helperText() string {
	r := e.r
	tm := r.use("time")
	var b strings.Builder
	fmt.Fprintf(&b, "// %s waits before a retry, counted from 1. The wait doubles from retry to retry, and half\n// of it is random so that callers do not come back in step to what is overloaded.\n", e.helper)
	params, result := "retry int", ""
	if e.ctx != "" {
		params = "ctx " + r.use("context") + ".Context, retry int"
	}
	if e.aborts {
		result = " error"
	}
	fmt.Fprintf(&b, "func %s(%s)%s {\n", e.helper, params, result)
	doublings := bits.Len(uint(e.backoff.Limit/e.backoff.Base)) - 1
	if doublings > 0 {
		fmt.Fprintf(&b, "\tconst base, limit = %s, %s\n\tdelay := limit\n\tif retry <= %d {\n\t\tdelay = base << (retry - 1)\n\t}\n",
			literal(e.backoff.Base, tm), literal(e.backoff.Limit, tm), doublings)
	} else {
		fmt.Fprintf(&b, "\tdelay := %s\n", literal(e.backoff.Base, tm))
	}
	b.WriteString("\tdelay = delay/2 + " + e.random("delay/2") + "\n")
	ctx := ""
	if e.ctx != "" {
		ctx = "ctx"
	}
	stmt, telemetry := attribute(r, ctx, "waiting before a retry", "remediator.retry.delay_ms", "Int64", "delay.Milliseconds()")
	e.telemetry = telemetry
	fmt.Fprintf(&b, "\t%s\n", stmt)
	switch {
	case e.ctx == "":
		fmt.Fprintf(&b, "\t%s.Sleep(delay)\n", tm)
	case e.aborts:
		fmt.Fprintf(&b, "\ttimer := %s.NewTimer(delay)\n\tdefer timer.Stop()\n\tselect {\n\tcase <-ctx.Done():\n\t\treturn ctx.Err()\n\tcase <-timer.C:\n\t\treturn nil\n\t}\n", tm)
	default:
		fmt.Fprintf(&b, "\ttimer := %s.NewTimer(delay)\n\tdefer timer.Stop()\n\tselect {\n\tcase <-ctx.Done():\n\tcase <-timer.C:\n\t}\n", tm)
	}
	b.WriteString("}\n")
	return b.String()
}

// random is an expression for a random duration below d, by the generator the module's Go version has.
func (e *retryEdit) random(d string) string {
	tm := e.r.use("time")
	if name, ok := e.r.file.imported("math/rand"); ok {
		return fmt.Sprintf("%s.Duration(%s.Int63n(int64(%s)))", tm, name, d)
	}
	if m := e.r.file.pkg.module; m != nil && m.minor >= 22 {
		return fmt.Sprintf("%s.N(%s)", e.r.use("math/rand/v2"), d)
	}
	return fmt.Sprintf("%s.Duration(%s.Int63n(int64(%s)))", tm, e.r.use("math/rand"), d)
}
