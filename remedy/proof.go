package remedy

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/replay"
)

// prover proves options against one base. What it learns of the base is kept, since every
// option of every rung is compared with it.
type prover struct {
	p        *Pipeline
	c        *Case
	in       *Input
	base     Variant
	tree     fs.FS
	services map[string]*baseline
}

// baseline is what the base build of one service did.
type baseline struct {
	decline  *Decline // the base itself is not fit to prove anything against
	checks   []Check
	sets     []*replay.Set
	plan     *replay.IncidentPlan
	mended   replay.IncidentPlan // the plan with the limit for a build that mends it
	noPlan   string              // why there is no plan to replay the incident by
	golden   *Replay
	goldenAt *replay.Run
	incident *Replay
}

// baseFor builds, tests and replays the base of a service once.
func (v *prover) baseFor(ctx context.Context, service string) (*baseline, error) {
	if b, ok := v.services[service]; ok {
		return b, nil
	}
	b := &baseline{}
	v.services[service] = b
	if err := v.buildBase(ctx, service, b); err != nil || b.decline != nil {
		return b, err
	}
	return b, v.replayBase(ctx, service, b)
}

func (v *prover) buildBase(ctx context.Context, service string, b *baseline) error {
	short := short(v.c.Base.Commit)
	fetched, err := v.base.Fetch(ctx, service)
	if err != nil {
		return fmt.Errorf("fetching the dependencies of %s: %w", service, err)
	}
	if fetched.Code != 0 {
		b.decline = &Decline{Code: "dependencies_missing",
			Why:  fmt.Sprintf("the dependencies of %s could not be fetched:\n%s", service, tail(fetched.Output, 20)),
			Next: fmt.Sprintf("run `%s` in a checkout of %s and mend what it says", strings.Join(fetched.Command, " "), short)}
		return nil
	}
	v.p.note("building %s at %s", service, short)
	built, err := v.base.Build(ctx, service)
	if err != nil {
		return fmt.Errorf("building %s: %w", service, err)
	}
	b.checks = append(b.checks, check("base build", built, true))
	if !passed(built) {
		b.decline = &Decline{Code: "base_build_red",
			Why:  fmt.Sprintf("%s does not build at %s, before any change:\n%s", service, short, tail(built.Output, 20)),
			Next: fmt.Sprintf("check `services.%s.build` in .remediator.yaml, or mend the build on the target branch", service)}
		return nil
	}
	v.p.note("testing %s at %s", service, short)
	tested, err := v.base.Test(ctx, service, nil)
	if err != nil {
		return fmt.Errorf("testing %s: %w", service, err)
	}
	b.checks = append(b.checks, check("base tests", tested, true))
	if !passed(tested) {
		b.decline = &Decline{Code: "base_tests_red",
			Why:  fmt.Sprintf("the tests of %s are red at %s, before any change:\n%s", service, short, tail(tested.Output, 20)),
			Next: fmt.Sprintf("mend the tests on the target branch, or check `services.%s.test` in .remediator.yaml; a red suite proves nothing", service)}
	}
	return nil
}

func (v *prover) replayBase(ctx context.Context, service string, b *baseline) error {
	if !v.p.Settings.Services[service].Run {
		b.noPlan = fmt.Sprintf("the configuration does not say how to start %s (services.%s.run)", service, service)
		return nil
	}
	sets, err := v.p.Settings.Golden(service, v.tree)
	if err != nil {
		return fmt.Errorf("golden traces of %s: %w", service, err)
	}
	if len(sets) == 0 {
		b.noPlan = fmt.Sprintf("%s has no golden traces (services.%s.golden); record some with `remediator record`", service, service)
		return nil
	}
	b.sets = sets
	launcher, err := v.base.Launcher(service, nil)
	if err != nil {
		return fmt.Errorf("starting %s: %w", service, err)
	}
	v.p.note("replaying the golden traces of %s against the base build", service)
	golden, run, err := replay.Golden(ctx, launcher, sets, v.p.replayOptions(service))
	if err != nil {
		return fmt.Errorf("golden replay of %s: %w", service, err)
	}
	b.golden = &Replay{Name: "golden_base", Build: "base", Want: replay.Green, OK: golden.Outcome == replay.Green, Verdict: golden}
	b.goldenAt = run
	if golden.Outcome == replay.Broken {
		b.sets, b.noPlan = nil, fmt.Sprintf("%s could not be replayed: %s", service, golden.Why)
		return nil
	}
	plan, err := v.p.planIncident(v.in, v.c, service)
	if err != nil {
		b.noPlan = err.Error()
		return nil
	}
	recorded := plan.Symptom
	plan.Symptom.Value = baseLimit(recorded)
	b.plan = &plan
	v.p.note("replaying the incident against the base build")
	incident, _, err := replay.Incident(ctx, launcher, plan, sets, v.p.replayOptions(service))
	if err != nil {
		return fmt.Errorf("incident replay of %s: %w", service, err)
	}
	b.mended = plan
	b.mended.Symptom.Value = patchedLimit(recorded, plan.Symptom.Value, incident)
	b.incident = &Replay{Name: "incident_base", Build: "base", Want: replay.Red, OK: incident.Outcome == replay.Red, Verdict: incident}
	return nil
}

// prove runs everything that can be run for one drafted option. It stops at the first thing
// that goes other than wanted, since the option is then not taken.
func (v *prover) prove(ctx context.Context, service string, pt *patch.Patch) (Verdicts, *Decline, error) {
	b, err := v.baseFor(ctx, service)
	if err != nil || b.decline != nil {
		return Verdicts{}, b.decline, err
	}
	r := &proofRun{prover: v, b: b, service: service, patch: pt}
	r.out.Checks = append(r.out.Checks, b.checks...)
	for _, step := range []func(context.Context) (string, error){r.build, r.tests, r.suite, r.golden, r.incident} {
		failed, err := step(ctx)
		if err != nil {
			return r.out, nil, err
		}
		if failed != "" {
			r.out.Why = failed
			return r.out, nil, nil
		}
	}
	r.conclude()
	return r.out, nil, nil
}

func passed(r CommandResult) bool { return r.Skipped || (r.Code == 0 && r.Ended == "") }

func check(name string, r CommandResult, wantGreen bool) Check {
	c := Check{Name: name, Command: r.Command, Want: "red", Got: "red"}
	if wantGreen {
		c.Want = "green"
	}
	switch {
	case r.Skipped:
		c.Got, c.OK, c.Why = "skipped", true, "the configuration names no such command"
		return c
	case r.Ended != "":
		c.Got, c.Why = "killed", "ended by the limit on "+r.Ended
	case r.Code == 0:
		c.Got = "green"
	}
	c.OK = c.Got == c.Want
	if c.Got != "green" {
		c.Output = tail(r.Output, 30)
	}
	return c
}

// tail keeps the last n lines of a command's output.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	if len(lines) > n {
		lines = append([]string{fmt.Sprintf("[%d lines before]", len(lines)-n)}, lines[len(lines)-n:]...)
	}
	return strings.Join(lines, "\n")
}

func short(sha string) string { return sha[:min(len(sha), 10)] }
