package remedy

import (
	"context"
	"fmt"
	"slices"

	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/replay"
)

// proofRun is the proof of one patch on one service. Its steps return why the option falls,
// "" when it stands, and an error only when nothing can be said.
type proofRun struct {
	*prover
	b       *baseline
	service string
	patch   *patch.Patch
	patched Variant
	// inForce is the build in which the change is in force: the patched one, unless the flag is turned on by
	// a file, which takes a build of its own.
	inForce Variant
	out     Verdicts
}

func (r *proofRun) on() map[string]string {
	if r.patch.Flag == nil {
		return nil
	}
	return r.patch.Flag.On
}

// patchedName names the build in which the change is in force.
func (r *proofRun) patchedName() string {
	if r.patch.Flag == nil {
		return "patched"
	}
	return "patched, flag on"
}

func (r *proofRun) build(ctx context.Context) (string, error) {
	variant, err := r.p.Bench.Variant(ctx, r.patch.Option.ID, r.c.Base.Commit, r.patch.Files)
	if err != nil {
		return "", fmt.Errorf("applying %s: %w", r.patch.Option.ID, err)
	}
	r.patched = variant
	r.p.note("building %s with the change", r.service)
	built, err := variant.Build(ctx, r.service)
	if err != nil {
		return "", fmt.Errorf("building %s with the change: %w", r.service, err)
	}
	if c := r.add(check("patched build", built, true)); !c.OK {
		return "it does not build: " + lastLine(c.Output), nil
	}
	return r.buildInForce(ctx)
}

func (r *proofRun) buildInForce(ctx context.Context) (string, error) {
	r.inForce = r.patched
	if r.patch.Flag == nil || len(r.patch.Flag.Files) == 0 {
		return "", nil
	}
	edits := overlay(r.patch.Files, r.patch.Flag.Files)
	variant, err := r.p.Bench.Variant(ctx, r.patch.Option.ID+"-on", r.c.Base.Commit, edits)
	if err != nil {
		return "", fmt.Errorf("turning the flag of %s on: %w", r.patch.Option.ID, err)
	}
	built, err := variant.Build(ctx, r.service)
	if err != nil {
		return "", fmt.Errorf("building %s with the flag on: %w", r.service, err)
	}
	if c := r.add(check("patched build, flag on", built, true)); !c.OK {
		return "it does not build with the flag on: " + lastLine(c.Output), nil
	}
	r.inForce = variant
	return "", nil
}

// overlay puts edits on top of others; of two for one path the later one counts, from what the earlier one
// started from.
func overlay(under, over []patch.FileEdit) []patch.FileEdit {
	out := slices.Clone(under)
	for _, e := range over {
		i := slices.IndexFunc(out, func(u patch.FileEdit) bool { return u.Path == e.Path })
		if i < 0 {
			out = append(out, e)
			continue
		}
		e.Old = out[i].Old
		out[i] = e
	}
	return out
}

// tests shows each generated test red without the change and green with it.
func (r *proofRun) tests(ctx context.Context) (string, error) {
	if len(r.patch.Tests) == 0 {
		return "", nil
	}
	before, err := r.p.Bench.Variant(ctx, r.patch.Option.ID+"-tests-only", r.c.Base.Commit, patch.Without(r.patch, patch.SourceFile, patch.FlagFile, patch.ConfigFile).Files)
	if err != nil {
		return "", fmt.Errorf("applying the tests of %s: %w", r.patch.Option.ID, err)
	}
	for _, t := range r.patch.Tests {
		r.p.note("running %s without the change (must be red)", t.Name)
		red, err := before.Command(ctx, r.service, t.Command, t.Env)
		if err != nil {
			return "", fmt.Errorf("running %s: %w", t.Name, err)
		}
		c := check("generated test "+t.Name+" without the change", red, false)
		if c.OK && !t.Behavioural {
			c.Why = "red because what it tests is not there without the change"
		}
		if c = r.add(c); !c.OK {
			return fmt.Sprintf("the generated test %s is %s without the change, so it proves nothing", t.Name, c.Got), nil
		}
		r.p.note("running %s with the change (must be green)", t.Name)
		green, err := r.patched.Command(ctx, r.service, t.Command, t.Env)
		if err != nil {
			return "", fmt.Errorf("running %s: %w", t.Name, err)
		}
		if c := r.add(check("generated test "+t.Name+" with the change", green, true)); !c.OK {
			return fmt.Sprintf("the generated test %s is %s with the change: %s", t.Name, c.Got, lastLine(c.Output)), nil
		}
	}
	return "", nil
}

// suite runs the service's own tests with the flag as it will be merged and, where there is a flag, on.
func (r *proofRun) suite(ctx context.Context) (string, error) {
	type suite struct {
		name  string
		build Variant
		env   map[string]string
	}
	runs := []suite{{"whole suite with the change", r.patched, nil}}
	if f := r.patch.Flag; f != nil {
		runs = []suite{{"whole suite with the change, flag off", r.patched, f.Off}, {"whole suite with the change, flag on", r.inForce, f.On}}
	}
	for _, run := range runs {
		r.p.note("running the %s", run.name)
		res, err := run.build.Test(ctx, r.service, run.env)
		if err != nil {
			return "", fmt.Errorf("running the suite of %s: %w", r.service, err)
		}
		if c := r.add(check(run.name, res, true)); !c.OK {
			return fmt.Sprintf("the %s is %s: %s", run.name, c.Got, lastLine(c.Output)), nil
		}
		if res.Skipped {
			r.out.NotProved = append(r.out.NotProved, "the service has no test command, so its own tests were not run")
			break
		}
	}
	return "", nil
}

func (r *proofRun) golden(ctx context.Context) (string, error) {
	if len(r.b.sets) == 0 {
		return "", nil
	}
	r.out.Replays = append(r.out.Replays, *r.b.golden)
	if r.b.incident != nil {
		r.out.Replays = append(r.out.Replays, *r.b.incident)
		r.out.Reproduced = r.b.incident.OK
	}
	failed, _, err := r.replayGolden(ctx, "golden_on", r.patchedName(), r.inForce, r.on())
	if err != nil || failed != "" || r.patch.Flag == nil {
		return failed, err
	}
	failed, run, err := r.replayGolden(ctx, "golden_off", "patched, flag off", r.patched, r.patch.Flag.Off)
	if err != nil || failed != "" {
		return failed, err
	}
	if d := replay.Equivalent(r.b.goldenAt, run); len(d) > 0 {
		return fmt.Sprintf("with the flag off it is not the same as the base build: %d differences, the first in %s: %s %s", len(d), d[0].Case, d[0].Target, d[0].Kind), nil
	}
	r.out.FlagOffSame = true
	return "", nil
}

func (r *proofRun) replayGolden(ctx context.Context, name, build string, variant Variant, env map[string]string) (string, *replay.Run, error) {
	launcher, err := variant.Launcher(r.service, env)
	if err != nil {
		return "", nil, fmt.Errorf("starting %s: %w", r.service, err)
	}
	r.p.note("replaying the golden traces against the build: %s", build)
	v, run, err := replay.Golden(ctx, launcher, r.b.sets, r.p.replayOptions(r.service))
	if err != nil {
		return "", nil, fmt.Errorf("golden replay: %w", err)
	}
	fresh := newDifferences(r.b.golden.Verdict, v)
	rp := Replay{Name: name, Build: build, Want: replay.Green, OK: v.Outcome == replay.Green || v.Outcome == replay.Red && r.b.golden.Verdict.Outcome == replay.Red && len(fresh) == 0 && v.Dropped == 0, Verdict: v}
	r.out.Replays = append(r.out.Replays, rp)
	switch {
	case rp.OK:
		return "", run, nil
	case r.b.golden.OK || len(fresh) == 0:
		return fmt.Sprintf("it changes recorded behaviour (%s): %s", build, v.Why), run, nil
	}
	d := fresh[0]
	return fmt.Sprintf("it changes recorded behaviour (%s) beyond what the base build changes already: %s: %s %s %s, recorded %s, replayed %s", build, d.Case, d.Target, d.Pointer, d.Kind, d.Recorded, d.Replayed), run, nil
}

// newDifferences are those that the base does not show. A base may differ from what was recorded
// when all was well: the commit that broke it may have changed what is seen. Such a base
// speaks against no change, as long as the change adds nothing to it.
func newDifferences(base, with replay.Verdict) []replay.Difference {
	known := map[[4]string]bool{}
	for _, d := range base.Differences {
		known[[4]string{d.Case, d.Target, d.Pointer, d.Kind}] = true
	}
	var out []replay.Difference
	for _, d := range with.Differences {
		if !known[[4]string{d.Case, d.Target, d.Pointer, d.Kind}] {
			out = append(out, d)
		}
	}
	return out
}

// incident replays the breach: gone with the change in force, there as before with the flag off.
func (r *proofRun) incident(ctx context.Context) (string, error) {
	if r.b.plan == nil || !r.out.Reproduced {
		return "", nil
	}
	failed, err := r.replayIncident(ctx, "incident_on", r.patchedName(), r.inForce, r.on(), replay.Green)
	if err != nil || failed != "" || r.patch.Flag == nil {
		return failed, err
	}
	return r.replayIncident(ctx, "incident_off", "patched, flag off", r.patched, r.patch.Flag.Off, replay.Red)
}

func (r *proofRun) replayIncident(ctx context.Context, name, build string, variant Variant, env map[string]string, want replay.Outcome) (string, error) {
	launcher, err := variant.Launcher(r.service, env)
	if err != nil {
		return "", fmt.Errorf("starting %s: %w", r.service, err)
	}
	r.p.note("replaying the incident against the build: %s", build)
	plan := *r.b.plan
	if want == replay.Green {
		plan = r.b.mended
	}
	v, _, err := replay.Incident(ctx, launcher, plan, r.b.sets, r.p.replayOptions(r.service))
	if err != nil {
		return "", fmt.Errorf("incident replay: %w", err)
	}
	rp := Replay{Name: name, Build: build, Want: want, OK: v.Outcome == want, Verdict: v}
	r.out.Replays = append(r.out.Replays, rp)
	switch {
	case rp.OK:
		return "", nil
	case want == replay.Green:
		return "it does not end the incident: " + v.Why, nil
	default:
		return "with the flag off the incident is not what it is on the base build: " + v.Why, nil
	}
}

// conclude says what was proved and, as plainly, what was not.
func (r *proofRun) conclude() {
	switch {
	case r.b.plan == nil:
		r.out.Why = "not reproduced: " + r.b.noPlan
		r.out.NotProved = append(r.out.NotProved, "the incident was not replayed: "+r.b.noPlan)
	case !r.out.Reproduced:
		r.out.Why = "not reproduced: " + r.b.incident.Verdict.Why
		r.out.NotProved = append(r.out.NotProved, "the incident did not show on the base build under replay, so nothing shows that the change ends it")
	default:
		r.out.Proved = true
		r.out.Why = "the incident is red on the base build and green on the " + r.patchedName() + " build"
	}
	switch {
	case r.b.golden == nil || r.b.golden.Verdict.Outcome != replay.Red:
	case r.out.mends():
		r.out.Why += "; the golden traces, red on the base build, are green with the change"
	default:
		r.out.NotProved = append(r.out.NotProved, "the base build differs from the golden traces already ("+r.b.golden.Verdict.Why+"); the change adds no difference")
	}
	if len(r.b.sets) == 0 {
		r.out.NotProved = append(r.out.NotProved, "no golden traces were replayed, so recorded behaviour may have changed unseen")
	}
	if r.patch.Option.Rung == patch.Code && len(r.patch.Tests) == 0 {
		r.out.Proved = false
		r.out.NotProved = append(r.out.NotProved, "no test was generated that fails without the change")
	}
}

func (r *proofRun) add(c Check) Check {
	r.out.Checks = append(r.out.Checks, c)
	return c
}

func lastLine(s string) string {
	lines := []rune(tail(s, 1))
	return string(lines[:min(len(lines), 200)])
}
