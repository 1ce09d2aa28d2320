package remedy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/telemetry"
)

// Pipeline moves cases through the stages.
type Pipeline struct {
	Settings  Settings
	Repo      Repository
	Bench     Workbench
	Judge     Judge
	Recipes   []patch.Recipe
	Index     func(ctx context.Context, tree fs.FS) (*codeindex.Index, error)
	Artifacts Artifacts
	Pages     Pages
	Key       *attest.Key
	Observer  Observer
	// Located, where set, is called when the suspects are known and before anything is built. A decline
	// that it returns ends the case, such as when another case has the same cause.
	Located func(ctx context.Context, c *Case) (*Decline, error)
}

// Input is one alert with the telemetry of its incident.
type Input struct {
	Alert []byte
	// Incident is what the alert says, where it was read already; otherwise Alert is read as an
	// Alertmanager webhook.
	Incident *incident.Incident
	Evidence localize.Evidence
}

// ErrAlert marks an alert that cannot be read.
var ErrAlert = errors.New("alert")

// Run takes one case from the alert to a proposal or a reasoned decline. A decline is not
// an error: the case says why and what a person can do. An error means that nothing can be
// said, and wraps what was wrong with the input or the machine.
func (p *Pipeline) Run(ctx context.Context, in Input) (*Case, error) {
	c := &Case{Schema: Schema, Tool: p.Settings.Tool, State: Received, Autonomy: p.Settings.Autonomy,
		Base: p.Repo.Base(), Fence: p.Bench.Fence(), Suspects: []Suspect{}, Options: []Option{}, Timings: []Timing{}}
	r := &run{Pipeline: p, c: c, in: &in}
	stages := []struct {
		state State
		do    func(context.Context) error
	}{
		{Received, r.receive},
		{Gathered, r.gather},
		{Located, r.locate},
		{Planned, r.plan},
		{Proved, r.climb},
		{Signed, r.finish},
	}
	for _, s := range stages {
		if s.state != Signed && c.Declined != nil {
			continue // a declined case is still written down
		}
		start := p.Settings.Now()
		p.Observer.Begin(s.state, c)
		if err := s.do(ctx); err != nil {
			return c, err
		}
		elapsed := p.Settings.Now().Sub(start)
		c.Timings = append(c.Timings, Timing{Stage: string(s.state), Elapsed: elapsed})
		p.Observer.End(s.state, c, elapsed)
	}
	return c, nil
}

func (p *Pipeline) note(format string, args ...any) { p.Observer.Note(fmt.Sprintf(format, args...)) }

// run is the state of one case on its way.
type run struct {
	*Pipeline
	c         *Case
	in        *Input
	result    localize.Result
	tree      fs.FS
	index     *codeindex.Index
	locations [][]codeindex.Location
	ladder    patch.Plan
	input     *patch.Input
	chosen    *patch.Patch
	service   string // owner of the chosen patch
}

func (r *run) decline(code, why, next string) {
	r.c.State = Declined
	r.c.Declined = &Decline{Code: code, Why: why, Next: next}
}

func (r *run) receive(context.Context) error {
	var in incident.Incident
	if r.in.Incident != nil {
		in = *r.in.Incident
		in.Labels, in.Annotations = maps.Clone(in.Labels), maps.Clone(in.Annotations) // redaction changes them
	} else {
		var err error
		if in, err = incident.Parse(r.in.Alert); err != nil {
			return fmt.Errorf("%w: %w", ErrAlert, err)
		}
	}
	r.c.Incident, r.c.Fingerprint = in, in.Fingerprint
	if in.Status == incident.Resolved {
		r.decline("resolved", "the alert is resolved, so there is nothing to mend",
			"pass the firing notification if the incident is to be looked into all the same")
	}
	return nil
}

func (r *run) gather(ctx context.Context) error {
	ev := &r.in.Evidence
	r.c.Evidence = Evidence{Missing: ev.Missing, Notes: slices.Concat(ev.Incident.Notes, ev.Baseline.Notes)}
	if len(ev.Changes) == 0 {
		changes, notes, err := r.Repo.Changes(ctx, r.c.Incident.StartsAt, 200)
		if err != nil {
			return fmt.Errorf("reading the history of the repository: %w", err)
		}
		ev.Changes = changes
		for _, n := range notes {
			r.c.Evidence.Notes = append(r.c.Evidence.Notes, telemetry.Note{Code: "history", Text: n, Count: 1})
		}
	}
	r.c.Evidence.From, r.c.Evidence.To = span(ev.Incident)
	r.c.State = Gathered
	return nil
}

// span is the stretch of time a dataset covers.
func span(ds telemetry.Dataset) (from, to time.Time) {
	widen := func(a, b int64) {
		start, end := time.Unix(0, a).UTC(), time.Unix(0, b).UTC()
		if from.IsZero() || start.Before(from) {
			from = start
		}
		if end.After(to) {
			to = end
		}
	}
	for i := range ds.Spans {
		widen(ds.Spans[i].Start, ds.Spans[i].Start+int64(ds.Spans[i].Duration))
	}
	if len(ds.Spans) == 0 {
		for i := range ds.Logs {
			widen(ds.Logs[i].Time, ds.Logs[i].Time)
		}
	}
	return from, to
}

func (r *run) locate(ctx context.Context) error {
	r.result = localize.Rank(r.c.Incident, r.in.Evidence, localize.Options{})
	res, c := &r.result, r.c
	c.Cause, c.Confidence, c.Symptom = res.Cause, res.Confidence, res.Symptom
	c.Changes, c.Graph, c.Path, c.Gaps = res.Changes, res.Graph, res.Path, res.Gaps
	c.Evidence.Counts = res.Counts
	if err := r.openTree(ctx); err != nil {
		return err
	}
	c.Title = title(c)
	r.findCode()
	switch {
	case res.Decision == localize.Abstain:
		r.decline("evidence_too_thin", sentence(res.Why), nextForAbstention(res))
		return nil
	case len(c.Suspects) == 0:
		r.decline("no_suspect", "no operation stands out in the telemetry", "look at the service graph in the report and at the telemetry that was missing")
		return nil
	}
	for _, why := range res.Why {
		r.caveat(why)
	}
	if c.Declined != nil {
		return nil
	}
	c.State = Located
	if r.Pipeline.Located == nil {
		return nil
	}
	d, err := r.Pipeline.Located(ctx, c)
	if err != nil {
		return err
	}
	if d != nil {
		r.decline(d.Code, d.Why, d.Next)
	}
	return nil
}

func (r *run) plan(context.Context) error {
	r.input = &patch.Input{
		Base: r.tree, Suspects: r.result.Suspects, Locations: r.locations,
		Graph: r.result.Graph, Symptom: r.result.Symptom,
		Changes: r.in.Evidence.Changes, Ranked: r.result.Changes, Flags: r.in.Evidence.Flags,
		Services: map[string]patch.Service{}, Provider: r.Settings.Provider, FlagFile: r.Settings.FlagFile,
		Allowed: r.Settings.Allowed, Index: r.index,
	}
	for name, s := range r.Settings.Services {
		r.input.Services[name] = s.Service
	}
	r.ladder = patch.Ladder(r.input, r.Recipes)
	r.ladder.Options = askedLast(r.ladder.Options, r.Recipes)
	for _, l := range r.ladder.Left {
		r.c.Options = append(r.c.Options, Option{Rung: l.Rung, Recipe: l.Recipe, Outcome: LeftOut, Why: l.Why})
	}
	if len(r.Settings.Allowed) == 0 {
		r.decline("no_rung_allowed", "the configuration allows no rung of the ladder", "allow at least one of flag_off, revert, config, code under `ladder` in .remediator.yaml")
		return nil
	}
	if len(r.ladder.Options) == 0 {
		r.decline("no_option", "the cause was located, but nothing this tool can do fits it", nextForSuspect(r.c))
		return nil
	}
	r.c.State = Planned
	return nil
}
