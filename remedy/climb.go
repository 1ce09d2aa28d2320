package remedy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/policy"
	"github.com/remediator/remediator/replay"
)

// attempt is a drafted option that may be proposed.
type attempt struct {
	option  int // index into Case.Options
	patch   *patch.Patch
	service string
}

// climb goes up the ladder, cheapest option first, until one is proved. An option that stands all
// checks but whose incident could not be reproduced is kept as a second best: it may be
// proposed, but only as a draft that says so.
func (r *run) climb(ctx context.Context) error {
	base, err := r.Bench.Variant(ctx, "base", r.c.Base.Commit, nil)
	if err != nil {
		return fmt.Errorf("preparing the base build: %w", err)
	}
	v := &prover{p: r.Pipeline, c: r.c, in: r.in, base: base, tree: r.tree, services: map[string]*baseline{}}
	left := r.c.Options
	r.c.Options = nil
	var best, second *attempt
	var stood []int // options that nothing speaks against
	tried := 0
	for _, o := range r.ladder.Options {
		rec := Option{ID: o.ID, Rung: o.Rung, Title: o.Title, Recipe: o.Recipe, Suggests: o.Why}
		switch {
		case best != nil:
			rec.Outcome, rec.Why = NotTried, "a cheaper option was proved first"
		case tried >= r.Settings.MaxOptions:
			rec.Outcome, rec.Why = NotTried, fmt.Sprintf("%d options were tried before it, which is the limit for one case", tried)
		default:
			tried++
			r.note("%s: %s", o.Rung, o.Title)
			a, err := r.try(ctx, v, o, &rec)
			if err != nil || r.c.Declined != nil {
				r.c.Options = append(append(r.c.Options, rec), left...)
				return err
			}
			r.note("  %s", rec.note())
			if a == nil {
				break
			}
			a.option = len(r.c.Options)
			stood = append(stood, a.option)
			switch {
			case rec.Verdicts.Proved:
				best = a
			case second == nil, rec.Verdicts.mends() && !r.c.Options[second.option].Verdicts.mends():
				second = a
			}
		}
		r.c.Options = append(r.c.Options, rec)
	}
	r.c.Options = append(r.c.Options, left...)
	if best == nil {
		best = second
	}
	if best == nil {
		r.decline("no_option_proved", "every option of the ladder was tried and none passed the proof", nextForSuspect(r.c))
		return nil
	}
	r.take(best, stood)
	return nil
}

// try drafts, judges and proves one option. It returns nil when the option falls, with the
// reason in rec.
func (r *run) try(ctx context.Context, v *prover, o patch.Option, rec *Option) (*attempt, error) {
	rec.Outcome = Rejected
	pt, err := r.draft(ctx, o, rec)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		rec.Why = "it could not be drafted: " + err.Error()
		return nil, nil
	}
	rec.Diff = pt.Diff
	r.c.State = Drafted
	service := r.owner(pt)
	facts, err := r.facts(pt, service)
	if err != nil {
		rec.Why = "it could not be judged: " + err.Error()
		return nil, nil
	}
	decision, err := r.Judge.Decide(ctx, facts)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	rec.Policy = &decision
	r.c.State = Judged
	if decision.Outcome == policy.Deny {
		rec.Why = "the policy denies it: " + decision.Findings[0].Message
		return nil, nil
	}
	verdicts, declined, err := v.prove(ctx, service, pt)
	if err != nil {
		return nil, err
	}
	rec.Verdicts = &verdicts
	if declined != nil {
		rec.Outcome, rec.Why = NotTried, declined.Why
		r.decline(declined.Code, declined.Why, declined.Next)
		return nil, nil
	}
	rec.Why = verdicts.Why
	if !verdicts.standing() {
		return nil, nil
	}
	why := unproved(rec.Author, &verdicts)
	if why == "" {
		why = r.thin(o, &verdicts)
	}
	if why != "" {
		rec.Why = why + ": " + verdicts.Why
		return nil, nil
	}
	return &attempt{patch: pt, service: service}, nil
}

// standing says whether nothing spoke against the option, be it proved or not.
func (v *Verdicts) standing() bool {
	for _, c := range v.Checks {
		if !c.OK {
			return false
		}
	}
	for _, rp := range v.Replays {
		if !rp.OK && rp.Name != "incident_base" && rp.Name != "golden_base" {
			return false
		}
	}
	return v.Proved || len(v.NotProved) > 0
}

// nearlyCertain is what ranking has to be of a change that nothing but the ranking speaks for. A draft that reverts an
// innocent commit costs its readers more than no draft.
const nearlyCertain = 0.9

// thin says why an option that stands is still not worth a draft: nothing was seen to turn from red to green, and
// the ranking alone is not sure enough.
func (r *run) thin(o patch.Option, v *Verdicts) string {
	if v.Proved || v.mends() {
		return ""
	}
	for _, c := range v.Checks {
		if c.Want == "red" && c.OK {
			return "" // a generated test was red without the change and is green with it
		}
	}
	sure := r.result.Suspects[o.Suspect].Confidence
	if sha, ok := strings.CutPrefix(o.ID, "revert-"); ok {
		for _, ch := range r.result.Changes {
			if strings.HasPrefix(ch.SHA, sha) {
				sure = min(sure, ch.Score)
			}
		}
	}
	if sure >= nearlyCertain {
		return ""
	}
	return fmt.Sprintf("nothing was seen to turn from red to green, and the ranking alone is only %.2f sure of it", sure)
}

// mends says whether golden traces that are red on the base build are green with the change: weaker than
// the incident's end, and still more than nothing.
func (v *Verdicts) mends() bool {
	outcome := map[string]replay.Outcome{}
	for _, rp := range v.Replays {
		outcome[rp.Name] = rp.Verdict.Outcome
	}
	return outcome["golden_base"] == replay.Red && outcome["golden_on"] == replay.Green
}

func (r *run) take(a *attempt, stood []int) {
	c, rec := r.c, &r.c.Options[a.option]
	rec.Outcome = Chosen
	for _, i := range stood {
		if i != a.option {
			c.Options[i].Why = "it stands, but another option has more to show for it: " + c.Options[i].Why
		}
	}
	c.Policy, c.Verdicts = rec.Policy, rec.Verdicts
	r.chosen, r.service = a.patch, a.service
	added, deleted := counts(a.patch.Diff)
	c.Patch = &Patch{Patch: *a.patch, Digest: digest([]byte(a.patch.Diff)), Added: added, Deleted: deleted}
	c.Title = patchTitle(a.patch, a.service)
	if rec.Policy.Outcome == policy.Hold {
		for _, f := range rec.Policy.Findings {
			c.Holds = append(c.Holds, f.Message)
		}
	}
	if !rec.Verdicts.Proved {
		c.Holds = append(c.Holds, rec.Verdicts.Why)
	}
	if len(c.Holds) > 0 && c.Autonomy == Ready {
		c.Autonomy = Draft
	}
	c.State = Proved
}

// owner is the service whose paths hold most of the patch's source files, the suspect's
// service when none does.
func (r *run) owner(p *patch.Patch) string {
	best, most := r.result.Suspects[p.Option.Suspect].Service, 0
	names := make([]string, 0, len(r.Settings.Services))
	for name := range r.Settings.Services {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		n := 0
		for _, f := range p.Files {
			if covers(r.Settings.Services[name].Paths, f.Path) {
				n++
			}
		}
		if n > most || n == most && n > 0 && name == r.result.Suspects[p.Option.Suspect].Service {
			best, most = name, n
		}
	}
	return best
}

// note says how an option fared, while it is not yet known which one will be taken.
func (o *Option) note() string {
	switch {
	case o.Verdicts != nil && o.Verdicts.Proved:
		return "proved: " + o.Why
	case o.Verdicts != nil && o.Verdicts.standing():
		return "not proved: " + o.Why
	}
	return "rejected: " + o.Why
}
