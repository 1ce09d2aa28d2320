package pyrecipe

import (
	"fmt"
	"math"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// outageMargin is how much longer than the longest observed outage the retries have to last.
const outageMargin = 1.25

// defaultBase is the first delay, in seconds, where the telemetry does not say how long the peer was away,
// defaultBudget what all delays may take where no deadline of a caller is known: about what a person waits for a page.
const (
	defaultBase   = 0.1
	defaultBudget = 10
)

type retryBackoff struct{}

// NewRetryBackoff returns the recipe that lets the gaps between retries grow, with jitter: delays of
// base·2^k·u with u uniform in [½, 1), the "equal jitter" of M. Brooker, "Exponential Backoff And Jitter", AWS
// Architecture Blog, 2015. Its lower bound is what makes the sum of the delays certain. The number of attempts stays.
func NewRetryBackoff() patch.Recipe { return retryBackoff{} }

func (retryBackoff) Name() string     { return "py-retry-backoff@1" }
func (retryBackoff) Rung() patch.Rung { return patch.Code }

func (r retryBackoff) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	p, ok := pattern(in.Suspects[i], localize.PatternRetryBurst)
	if !ok {
		return nil, nil
	}
	leave := func(why string) ([]patch.Option, []patch.Left) {
		return nil, []patch.Left{{Rung: patch.Code, Recipe: r.Name(), Why: why}}
	}
	why := ""
	for _, pl := range places(in, i) {
		s, err := open(in.Base, pl.file)
		if err != nil {
			why = err.Error()
			continue
		}
		l, err := findRetryLoop(s, pl.line)
		if err != nil {
			why = fmt.Sprintf("%s:%d: %v", pl.file, pl.line, err)
			continue
		}
		if l.attempts == 0 {
			l.attempts = int(value(p, "attempts"))
		}
		b, err := chooseBackoff(p, l.attempts)
		if err != nil {
			return leave(fmt.Sprintf("%s:%d: %v", pl.file, s.line(l.loop), err))
		}
		return []patch.Option{{
			ID:     "code-py-retry-backoff",
			Rung:   patch.Code,
			Title:  "Back off between the retries in " + s.qualified(l.function),
			Why:    fmt.Sprintf("the loop at %s:%d repeats without growing gaps; %s", pl.file, s.line(l.loop), b.why),
			Recipe: r.Name(),
			Params: map[string]string{"file": pl.file, "line": fmt.Sprint(pl.line), "base_seconds": short(b.base), "risk": b.risk, "attempts": fmt.Sprint(l.attempts)},
			Target: pl.file + ":" + s.qualified(l.function),
			Size:   2,
		}}, nil
	}
	if why == "" {
		return nil, nil
	}
	return leave(why)
}

// backoff is how the delays are chosen.
type backoff struct {
	base float64 // seconds
	why  string
	risk string // what the delays do not reach, "" if they do what is asked
}

// chooseBackoff takes the base with which the smallest possible delays between n attempts,
// ½·base·(2^(n-1)-1) together, cover the longest outage with its margin, or the largest whose longest
// delays the caller still waits for.
func chooseBackoff(p localize.Pattern, n int) (backoff, error) {
	if n < 2 || n > 12 {
		return backoff{}, fmt.Errorf("%d attempts leave no gaps to spread, or too many", n)
	}
	gaps := math.Pow(2, float64(n-1)) - 1
	budget, words := value(p, "budget_seconds", "deadline_seconds", "caller_deadline_seconds", "caller_timeout_seconds"), "that the caller waits"
	if budget == 0 {
		budget, words = defaultBudget, "allowed where no deadline of a caller is known"
	}
	outage := value(p, "outage_max_seconds")
	b := backoff{base: defaultBase}
	if outage > 0 {
		b.base = roundUp(2 * outage * outageMargin / gaps)
	}
	if b.base*gaps > budget {
		b.base = roundDown(budget / gaps)
		b.risk = fmt.Sprintf("The delays between %d attempts last at least %.3gs; the longest outage seen lasted %.3gs, and more does not fit into the %.3gs %s.", n, b.base*gaps/2, outage, budget, words)
	}
	if b.base < 0.001 {
		return backoff{}, fmt.Errorf("%d attempts with growing gaps do not fit into the %.3gs %s", n, budget, words)
	}
	b.why = fmt.Sprintf("%d attempts with delays from %gs on, doubled and jittered, spread over at least %.3gs and at most %.3gs", n, b.base, b.base*gaps/2, b.base*gaps)
	if outage > 0 {
		b.why += fmt.Sprintf("; the longest outage seen lasted %.3gs", outage)
	}
	return b, nil
}

// roundDown keeps two significant digits.
func roundDown(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Round(math.Floor(v/unit+1e-9)*unit*1e6) / 1e6
}

// roundUp keeps two significant digits.
func roundUp(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Round(math.Ceil(v/unit-1e-9)*unit*1e6) / 1e6
}

func (r retryBackoff) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	s, err := open(in.Base, o.Params["file"])
	if err != nil {
		return nil, err
	}
	l, err := findRetryLoop(s, number(o.Params["line"]))
	if err != nil {
		return nil, err
	}
	l.attempts = number(o.Params["attempts"])
	g, err := newGuard(in, o.Suspect, s, l.function, "retry_backoff")
	if err != nil {
		return nil, err
	}
	sleep := "time.sleep"
	if s.async(l.function) {
		sleep = "await asyncio.sleep"
		g.needs = append(g.needs, need{"asyncio", ""})
	} else {
		g.needs = append(g.needs, need{"time", ""})
	}
	g.needs = append(g.needs, need{"random", ""})
	base := o.Params["base_seconds"]
	edits, err := l.backOff(s, g, sleep, base)
	if err != nil {
		return nil, err
	}
	p, err := finish(in, s, o, g, edits)
	if err != nil {
		return nil, err
	}
	p.Summary = []string{fmt.Sprintf("With the flag on, %s waits before each further attempt: %ss, doubled each time, of which a random half at most is left out. The number of attempts stays.", s.qualified(l.function), base)}
	p.Risks = []string{"A call that fails for good fails later than before, by the sum of the delays."}
	if risk := o.Params["risk"]; risk != "" {
		p.Risks = append(p.Risks, risk)
	}
	return p, addTest(in, p, s, g, backoffTest(s, l, g, base))
}
