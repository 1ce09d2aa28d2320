package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
)

// AlertHistory is a source of metrics that knows alerts: their expressions, and when which of them fired.
type AlertHistory interface {
	Expression(ctx context.Context, alert string) (string, error)
	Alerts(ctx context.Context, w Window, own string, services []string) ([]Disturbance, error)
}

// Plan is what is to be gathered for one alert, and from where. Sources that are nil are not asked.
type Plan struct {
	Incident incident.Incident
	// Exprs are the expressions of the alert's notification; where there are none they are asked for.
	Exprs                 []string
	Traces, Logs, Metrics Source
	Changes               []ChangeSource
	Settings              WindowSettings
	// Services are preferred where not all can be had.
	Services []string
	// Timeout bounds all of it. Default 5 minutes.
	Timeout time.Duration
	// AtOnce is how many servers are asked at a time. Default 4.
	AtOnce int
	Now    func() time.Time // nil means time.Now
	// Progress is told what was done, a line each; nil for nobody.
	Progress func(line string)
}

// For is the plan for one alert. exprs are the expressions of its notification; without any they are asked for.
func (p Plan) For(in incident.Incident, exprs []string) Plan {
	p.Incident, p.Exprs = in, exprs
	if in.Service != "" {
		p.Services = []string{in.Service}
	}
	return p
}

// Summary says what was asked where, what came, and what is missing.
type Summary struct {
	Schema      string    `json:"schema"`
	Alert       string    `json:"alert"`
	Expressions []string  `json:"expressions,omitempty"`
	Incident    Window    `json:"incident"`
	Baseline    *Window   `json:"baseline,omitempty"`
	Choice      string    `json:"choice"` // of the healthy window, in words
	Reports     []Report  `json:"reports"`
	Missing     []string  `json:"missing,omitempty"` // what was not to be had, with the next step
	At          time.Time `json:"at"`
	// Deploys are the roll-outs before and during the incident, oldest first.
	Deploys []localize.Deploy `json:"-"`
}

// SummarySchema names the form of a stored Summary.
const SummarySchema = "remediator.fetch/v1"

// ErrNothing is wrapped by the error about servers that had nothing of the incident, which the Summary explains.
var ErrNothing = errors.New("no telemetry of the incident was to be had")

// ErrAlert is wrapped by the error about an alert that nothing can be fetched for, whatever the servers have.
var ErrAlert = errors.New("the alert cannot be used")

const (
	// recent is how far back roll-outs are handed on: what was rolled out before has been through a day of load.
	recent = 48 * time.Hour
	// clockSlack is how far ahead of this machine's clock an alert may begin: more is no clock that is off, but a mistake.
	clockSlack = time.Hour
	// mostProbes bounds how many windows are asked about.
	mostProbes = 8
)

// Gather fetches the telemetry of an alert and of a healthy window before it into a Sink, whose methods are not called
// at the same time. The Summary is good with an error too: it says why there is nothing.
func Gather(ctx context.Context, p Plan, to Sink) (Summary, error) {
	g := &gatherer{p: p, to: &orderlySink{to: to}}
	if g.p.Now == nil {
		g.p.Now = time.Now
	}
	g.p.AtOnce = positive(p.AtOnce, 4)
	g.p.Timeout = positive(p.Timeout, 5*time.Minute)
	if p.Traces == nil && p.Logs == nil && p.Metrics == nil {
		return g.sum, errors.New("no server of traces, logs or metrics is named; add `sources` to the configuration, docs/sources.md shows how")
	}
	if p.Incident.StartsAt.IsZero() {
		return g.sum, fmt.Errorf("%w: it does not say when it began; set startsAt", ErrAlert)
	}
	if now := g.p.Now(); p.Incident.StartsAt.After(now.Add(clockSlack)) {
		return g.sum, fmt.Errorf("%w: it began at %s, which is in the future (here it is %s); check the alert's startsAt and both clocks", ErrAlert, stamp(p.Incident.StartsAt), stamp(now))
	}
	ctx, cancel := context.WithTimeout(ctx, g.p.Timeout)
	defer cancel()
	g.to.cancel = cancel
	g.sum = Summary{Schema: SummarySchema, Alert: p.Incident.Name, Expressions: p.Exprs, At: g.p.Now().UTC()}
	g.surroundings(ctx)
	g.choose(ctx)
	ids := g.fetch(ctx, []Source{p.Metrics, p.Logs}, nil, 2)
	g.fetch(ctx, []Source{p.Traces}, ids, 1)
	g.missing()
	if err := g.to.failure(); err != nil {
		return g.sum, err
	}
	for _, r := range g.sum.Reports {
		if r.Window == "incident" && r.Spans+r.Logs+r.Points > 0 {
			return g.sum, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return g.sum, fmt.Errorf("%w within %v: %w", ErrNothing, g.p.Timeout, err)
	}
	return g.sum, fmt.Errorf("%w:\n  %s", ErrNothing, strings.Join(g.sum.Missing, "\n  "))
}

type gatherer struct {
	p     Plan
	to    *orderlySink
	mu    sync.Mutex // guards sum and facts, and keeps lines of progress apart
	sum   Summary
	facts Facts
}

func (g *gatherer) say(format string, args ...any) {
	if g.p.Progress != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.p.Progress(fmt.Sprintf(format, args...))
	}
}

func (g *gatherer) miss(format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if text := fmt.Sprintf(format, args...); !slices.Contains(g.sum.Missing, text) {
		g.sum.Missing = append(g.sum.Missing, text)
	}
}

// together runs functions, so many at a time, and waits for all.
func (g *gatherer) together(each []func()) {
	slots := make(chan struct{}, g.p.AtOnce)
	var wg sync.WaitGroup
	for _, f := range each {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f()
		})
	}
	wg.Wait()
}

// surroundings finds out what else happened: which alerts fired, what was rolled out, what the alert's expression is.
func (g *gatherer) surroundings(ctx context.Context) {
	in := g.p.Incident
	g.facts = Facts{StartsAt: in.StartsAt, EndsAt: in.EndsAt, Now: g.p.Now(), Settings: g.p.Settings}
	window := Window{From: in.StartsAt.Add(-g.p.Settings.Lookback), To: g.facts.incident().To}
	var each []func()
	history, ok := g.p.Metrics.(AlertHistory)
	if ok {
		each = append(each, func() {
			if len(g.sum.Expressions) == 0 {
				expr, err := history.Expression(ctx, in.Name)
				if err != nil {
					g.miss("the alert's expression: %v", err)
				}
				if expr != "" {
					g.sum.Expressions = []string{expr}
				}
			}
		}, func() {
			// Up to the incident alone: what fires within it is part of it.
			found, err := history.Alerts(ctx, Window{window.From, g.facts.incident().From}, in.Name, g.p.Services)
			g.mu.Lock()
			defer g.mu.Unlock()
			if err != nil {
				g.facts.Unknown = append(g.facts.Unknown, "alerts")
				g.sum.Missing = append(g.sum.Missing, fmt.Sprintf("which alerts fired before: %v", err))
				return
			}
			g.facts.Disturbances = append(g.facts.Disturbances, found...)
		})
	} else {
		g.facts.Unknown = append(g.facts.Unknown, "alerts")
	}
	told := len(g.p.Changes) > 0
	for _, c := range g.p.Changes {
		each = append(each, func() {
			begin := g.p.Now()
			found, err := c.Deploys(ctx, window)
			var part *Incomplete
			switch {
			case errors.As(err, &part):
				g.miss("%v", err)
			case err != nil:
				g.miss("roll-outs: %v", err)
				return
			}
			g.say("%s: %d roll-outs in %v", c.Name(), len(found), g.p.Now().Sub(begin).Round(time.Millisecond))
			g.mu.Lock()
			defer g.mu.Unlock()
			g.sum.Deploys = append(g.sum.Deploys, found...)
		})
	}
	g.together(each)
	if !told {
		g.facts.Unknown = append(g.facts.Unknown, "roll-outs")
	}
	slices.Sort(g.facts.Unknown)
	slices.SortStableFunc(g.sum.Deploys, func(a, b localize.Deploy) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.Service, b.Service), strings.Compare(a.SHA, b.SHA), strings.Compare(a.Version, b.Version))
	})
	g.sum.Deploys = slices.Compact(g.sum.Deploys)
	for _, d := range g.sum.Deploys {
		g.facts.Disturbances = append(g.facts.Disturbances, Disturbance{From: d.Time.Add(-prelude), To: d.Time.Add(rollout), What: "roll-out of " + cmp.Or(clip(d.Service, 100), "a service"),
			Minor: d.Service != "" && len(g.p.Services) > 0 && !slices.Contains(g.p.Services, d.Service)})
	}
	slices.SortStableFunc(g.facts.Disturbances, func(a, b Disturbance) int {
		return cmp.Or(a.From.Compare(b.From), strings.Compare(a.What, b.What))
	})
	old := g.facts.incident().From.Add(-recent)
	g.sum.Deploys = slices.DeleteFunc(g.sum.Deploys, func(d localize.Deploy) bool { return d.Time.Before(old) })
}

func (g *gatherer) query(name string, w Window, ids []string) Query {
	return Query{Name: name, Window: w, Services: g.p.Services, Alert: g.p.Incident.Name, Exprs: g.sum.Expressions, Labels: g.p.Incident.Labels, TraceIDs: ids}
}

// fetch asks sources for both windows and returns the traces that the incident's answers point to. stages is how many
// stages are left with this one: each may use its part of the time.
func (g *gatherer) fetch(ctx context.Context, from []Source, ids map[string][]string, stages int) map[string][]string {
	if deadline, ok := ctx.Deadline(); ok && stages > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(stages))
		defer cancel()
	}
	type job struct {
		source Source
		query  Query
	}
	var jobs []job
	for _, s := range from {
		if s == nil {
			continue
		}
		jobs = append(jobs, job{s, g.query("incident", g.sum.Incident, ids["incident"])})
		if g.sum.Baseline != nil {
			jobs = append(jobs, job{s, g.query("baseline", *g.sum.Baseline, ids["baseline"])})
		}
	}
	reports := make([]Report, len(jobs))
	var each []func()
	for i, j := range jobs {
		each = append(each, func() {
			begin := g.p.Now()
			r, err := j.source.Fetch(ctx, j.query, g.to)
			r.Source, r.Window = cmp.Or(r.Source, j.source.Name()), j.query.Name
			r.Elapsed = g.p.Now().Sub(begin)
			if err != nil {
				r.Error = err.Error()
			}
			reports[i] = r
			g.say("%s", r.line())
		})
	}
	g.together(each)
	g.sum.Reports = append(g.sum.Reports, reports...)
	out := map[string][]string{}
	for _, r := range reports {
		for _, id := range r.TraceIDs {
			if !slices.Contains(out[r.Window], id) {
				out[r.Window] = append(out[r.Window], id)
			}
		}
	}
	return out
}

// line is a report for people.
func (r Report) line() string {
	var got []string
	for _, part := range []struct {
		n    int
		what string
	}{{r.Spans, "spans"}, {r.Logs, "log records"}, {r.Points, "points"}} {
		if part.n > 0 {
			got = append(got, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	text := cmp.Or(strings.Join(got, ", "), "nothing")
	if r.Error != "" {
		return fmt.Sprintf("%s: %s: failed: %s", r.Source, r.Window, r.Error)
	}
	text = fmt.Sprintf("%s: %s: %s in %v", r.Source, r.Window, text, r.Elapsed.Round(time.Millisecond))
	for _, p := range r.Partial {
		text += "\n  partial: " + p
	}
	return text
}

// missing gathers from the reports what was not to be had.
func (g *gatherer) missing() {
	kinds := []struct {
		source Source
		what   string
	}{{g.p.Traces, "traces"}, {g.p.Logs, "logs"}, {g.p.Metrics, "metrics"}}
	for _, k := range kinds {
		if k.source == nil {
			g.miss("no server of %s is named under sources", k.what)
		}
	}
	if g.sum.Baseline == nil {
		g.miss("%s", g.sum.Choice)
	}
	for _, r := range g.sum.Reports {
		if r.Error != "" {
			g.miss("%s: %s", r.Window, r.Error)
		}
		for _, p := range r.Partial {
			g.miss("%s: %s", r.Window, p)
		}
	}
}
