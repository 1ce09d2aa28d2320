package remedy_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/policy"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
	"github.com/remediator/remediator/telemetry"
)

const baseCommit = "1111111111111111111111111111111111111111"

const source = "package main\n\nfunc answer() int { return 41 }\n"

// repository is a repository of one file.
type repository struct {
	commits []remedy.NewCommit
	missing bool   // no deployed commit is there
	lacks   string // the one deployed commit that is not there
}

func (r *repository) Base() remedy.Revision {
	return remedy.Revision{Branch: "main", Commit: baseCommit}
}
func (r *repository) Resolve(rev string) (string, error) {
	if r.missing || r.lacks != "" && r.lacks == rev {
		return "", errors.New("no such commit")
	}
	return baseCommit, nil
}
func (r *repository) Tree(string) (fs.FS, error) {
	return fstest.MapFS{"main.go": {Data: []byte(source)}, "go.mod": {Data: []byte("module example.com/app\n\ngo 1.24\n")}}, nil
}
func (r *repository) Changes(context.Context, time.Time, int) ([]localize.Change, []string, error) {
	return nil, []string{"the clone is shallow"}, nil
}
func (r *repository) Reviewers([]string) []string { return []string{"@owner"} }
func (r *repository) Commit(_ context.Context, c remedy.NewCommit) (string, string, error) {
	r.commits = append(r.commits, c)
	return strings.Repeat("2", 40), strings.Repeat("3", 40), nil
}

// bench answers from a script: the first entry whose key is a prefix of "variant step" wins; what is not in it
// succeeds.
type bench struct {
	script map[string]remedy.CommandResult
	ran    []string
}

func (b *bench) Fence() string { return "test" }
func (b *bench) Variant(_ context.Context, name, _ string, _ []patch.FileEdit) (remedy.Variant, error) {
	return &variant{b, name}, nil
}

type variant struct {
	bench *bench
	name  string
}

func (v *variant) run(step string) (remedy.CommandResult, error) {
	v.bench.ran = append(v.bench.ran, v.name+" "+step)
	res, ok := v.bench.script[v.name+" "+step]
	if !ok {
		res = remedy.CommandResult{}
	}
	res.Command = []string{step}
	return res, nil
}
func (v *variant) Fetch(context.Context, string) (remedy.CommandResult, error) { return v.run("fetch") }
func (v *variant) Build(context.Context, string) (remedy.CommandResult, error) { return v.run("build") }
func (v *variant) Test(_ context.Context, _ string, env map[string]string) (remedy.CommandResult, error) {
	if env["FLAG"] != "" {
		return v.run("test flag=" + env["FLAG"])
	}
	return v.run("test")
}
func (v *variant) Command(_ context.Context, _ string, argv []string, _ map[string]string) (remedy.CommandResult, error) {
	return v.run(strings.Join(argv, " "))
}
func (v *variant) Launcher(string, map[string]string) (replay.Launcher, error) {
	return nil, errors.New("nothing is started here")
}

// recipe changes the answer; kind says which rung it is.
type recipe struct {
	rung patch.Rung
	fail error
}

func (r recipe) Name() string     { return "test-" + string(r.rung) + "@1" }
func (r recipe) Rung() patch.Rung { return r.rung }
func (r recipe) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	if i != 0 {
		return nil, nil
	}
	return []patch.Option{{ID: "opt-" + string(r.rung), Rung: r.rung, Title: "Answer better by " + string(r.rung), Why: "because", Recipe: r.Name(), Suspect: i}}, nil
}
func (r recipe) Draft(_ *patch.Input, o patch.Option) (*patch.Patch, error) {
	if r.fail != nil {
		return nil, r.fail
	}
	p := &patch.Patch{Option: o, Summary: []string{"The answer is right."}, Files: []patch.FileEdit{
		{Path: "main.go", Kind: patch.SourceFile, Mode: 0o100644, Old: []byte(source), New: []byte(strings.Replace(source, "41", "42", 1))}}}
	if r.rung == patch.Code {
		p.Flag = &patch.Flag{Name: "FLAG", Provider: "env", On: map[string]string{"FLAG": "on"}, Off: map[string]string{"FLAG": "off"}}
		p.Telemetry = []string{"span attribute answer"}
		p.Files = append(p.Files, patch.FileEdit{Path: "main_better_test.go", Kind: patch.TestFile, Mode: 0o100644, New: []byte("package main\n")})
		p.Tests = []patch.Test{{File: "main_better_test.go", Name: "TestBetter", Command: []string{"go-test-better"}, Behavioural: true}}
	}
	return p, nil
}

type judge struct{ decision policy.Decision }

func (j judge) Decide(context.Context, policy.Facts) (policy.Decision, error) { return j.decision, nil }

type artifacts struct {
	order  []string
	sums   []attest.Artifact
	sealed bool
}

func (a *artifacts) Put(name string, data []byte) error {
	sum := sha256.Sum256(data)
	a.order = append(a.order, name)
	a.sums = append(a.sums, attest.Artifact{Name: name, SHA256: hex.EncodeToString(sum[:])})
	return nil
}
func (a *artifacts) Seal(bool) error { a.sealed = true; return nil }
func (a *artifacts) Digests() ([]attest.Artifact, error) {
	if !a.sealed {
		return nil, errors.New("digests were asked for before the case was sealed")
	}
	return a.sums, nil
}

type pages struct{}

func (pages) PullRequest(*remedy.Case) ([]byte, error) { return []byte("body"), nil }
func (pages) Report(*remedy.Case) ([]byte, error)      { return []byte("page"), nil }

type silent struct{}

func (silent) Begin(remedy.State, *remedy.Case)              {}
func (silent) Note(string)                                   {}
func (silent) End(remedy.State, *remedy.Case, time.Duration) {}

// fixture is a pipeline over a recorded incident, with everything around it played.
type fixture struct {
	repo      *repository
	bench     *bench
	judge     judge
	recipes   []patch.Recipe
	artifacts *artifacts
	allowed   []patch.Rung
	incident  string
	autonomy  remedy.Autonomy
	located   func(context.Context, *remedy.Case) (*remedy.Decline, error)
	round     int
	evidence  func(*localize.Evidence)
}

func newFixture() *fixture {
	return &fixture{repo: &repository{}, bench: &bench{script: map[string]remedy.CommandResult{"opt-code-tests-only go-test-better": {Code: 1, Output: "want 42"}}},
		judge: judge{policy.Decision{Outcome: policy.Allow}}, recipes: []patch.Recipe{recipe{rung: patch.Code}},
		artifacts: &artifacts{}, allowed: patch.Rungs(), incident: "retry-storm", autonomy: remedy.Ready}
}

func (f *fixture) run(t *testing.T, alert func([]byte) []byte) *remedy.Case {
	t.Helper()
	b, err := bundle.Load("../testdata/incidents/"+f.incident, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	private, _, err := attest.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := attest.ParseKey(private, nil)
	if err != nil {
		t.Fatal(err)
	}
	if alert != nil {
		b.Alert = alert(b.Alert)
	}
	if f.evidence != nil {
		f.evidence(&b.Evidence)
	}
	p := &remedy.Pipeline{
		Settings: remedy.Settings{Tool: "remediator test", Version: "test", Allowed: f.allowed, Autonomy: f.autonomy, MaxSuspects: 3, MaxOptions: 3, Now: time.Now, Round: f.round,
			Services: map[string]remedy.Service{"payments": {Service: patch.Service{Paths: []string{"**"}, Language: "go"}}},
			Golden:   func(string, fs.FS) ([]*replay.Set, error) { return nil, nil }},
		Repo: f.repo, Bench: f.bench, Judge: f.judge, Recipes: f.recipes, Artifacts: f.artifacts, Pages: pages{}, Key: key, Observer: silent{}, Located: f.located,
		Index: func(ctx context.Context, tree fs.FS) (*codeindex.Index, error) {
			return codeindex.Build(ctx, tree, codeindex.Options{})
		},
	}
	c, err := p.Run(context.Background(), remedy.Input{Alert: b.Alert, Evidence: b.Evidence})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestUnreproducedIsADraft: tests are red and green, but nothing was replayed.
func TestUnreproducedIsADraft(t *testing.T) {
	f := newFixture()
	f.evidence = func(ev *localize.Evidence) { ev.Changes = nil } // the repository's history stands in
	c := f.run(t, nil)
	if c.State != remedy.Proposed || c.Verdicts.Proved || c.Autonomy != remedy.Draft {
		t.Fatalf("state %s, proved %v, autonomy %s; want a proposal that is an unproved draft (%+v)", c.State, c.Verdicts.Proved, c.Autonomy, c.Declined)
	}
	if len(c.Holds) == 0 || len(c.Verdicts.NotProved) == 0 || !strings.Contains(c.Verdicts.Why, "not reproduced") {
		t.Errorf("it does not say what was not proved: %+v", c.Verdicts)
	}
	for _, want := range []string{"base fetch", "base build", "base test", "opt-code build", "opt-code-tests-only go-test-better", "opt-code go-test-better", "opt-code test flag=off", "opt-code test flag=on"} {
		if !slices.Contains(f.bench.ran, want) {
			t.Errorf("%q was not run, only %q", want, f.bench.ran)
		}
	}
	if got := f.artifacts.order[len(f.artifacts.order)-1]; got != "evidence.sigstore.json" {
		t.Errorf("the last file written is %s; the evidence has to cover all others", got)
	}
	if len(f.repo.commits) != 1 || f.repo.commits[0].Branch != "remediator/"+c.Fingerprint[:12] || !f.repo.commits[0].When.Equal(c.Incident.StartsAt) {
		t.Errorf("commits %+v", f.repo.commits)
	}
	if !slices.ContainsFunc(c.Evidence.Notes, func(n telemetry.Note) bool { return n.Text == "the clone is shallow" }) {
		t.Errorf("what was missing of the history is not said: %+v", c.Evidence.Notes)
	}
	if !slices.Contains(c.Commit.Labels, "rung:code") || !slices.Equal(c.Commit.Reviewers, []string{"@owner"}) {
		t.Errorf("labels %v, reviewers %v", c.Commit.Labels, c.Commit.Reviewers)
	}
}

// TestDeclines: every way to end without a patch has its code, a reason and a next step, and is written down and signed.
func TestDeclines(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*fixture)
		alert  func([]byte) []byte
		code   string
		why    string
	}{
		"base does not build": {func(f *fixture) { f.bench.script["base build"] = remedy.CommandResult{Code: 2, Output: "undefined: x"} }, nil, "base_build_red", "undefined: x"},
		"base tests are red":  {func(f *fixture) { f.bench.script["base test"] = remedy.CommandResult{Code: 1, Output: "FAIL TestOld"} }, nil, "base_tests_red", "TestOld"},
		"base tests hang":     {func(f *fixture) { f.bench.script["base test"] = remedy.CommandResult{Ended: "time"} }, nil, "base_tests_red", ""},
		"no dependencies":     {func(f *fixture) { f.bench.script["base fetch"] = remedy.CommandResult{Code: 1, Output: "no route"} }, nil, "dependencies_missing", "no route"},
		"no rung":             {func(f *fixture) { f.allowed = nil }, nil, "no_rung_allowed", ""},
		"no recipe":           {func(f *fixture) { f.recipes = nil }, nil, "no_option", ""},
		"draft fails":         {func(f *fixture) { f.recipes = []patch.Recipe{recipe{patch.Code, errors.New("odd code")}} }, nil, "no_option_proved", ""},
		"deployed elsewhere":  {func(f *fixture) { f.repo.missing = true }, nil, "deployed_commit_missing", ""},
		"healthy":             {func(f *fixture) { f.incident = "healthy-steady" }, nil, "evidence_too_thin", ""},
		"outside cause":       {func(f *fixture) { f.incident = "bank-down" }, nil, "evidence_too_thin", "outside"},
		"alert is over":       {func(*fixture) {}, func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), `"firing"`, `"resolved"`)) }, "resolved", ""},
		"test proves nothing": {func(f *fixture) { delete(f.bench.script, "opt-code-tests-only go-test-better") }, nil, "no_option_proved", ""},
		"policy denies": {func(f *fixture) {
			f.judge.decision = policy.Decision{Outcome: policy.Deny, Findings: []policy.Finding{{Message: "too large"}}}
		}, nil, "no_option_proved", ""},
		"does not build":       {func(f *fixture) { f.bench.script["opt-code build"] = remedy.CommandResult{Code: 1, Output: "boom"} }, nil, "no_option_proved", ""},
		"red with the flag on": {func(f *fixture) { f.bench.script["opt-code test flag=on"] = remedy.CommandResult{Code: 1} }, nil, "no_option_proved", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			tc.change(f)
			c := f.run(t, tc.alert)
			if c.State != remedy.Declined || c.Declined == nil || c.Declined.Code != tc.code || !strings.Contains(c.Declined.Why, tc.why) {
				t.Fatalf("state %s, declined %+v; want %s with %q", c.State, c.Declined, tc.code, tc.why)
			}
			if c.Declined.Next == "" || len(c.NextSteps) == 0 {
				t.Error("no next step")
			}
			if len(f.repo.commits) != 0 {
				t.Error("a declined case made a commit")
			}
			if !slices.Contains(f.artifacts.order, "evidence.sigstore.json") || slices.Contains(f.artifacts.order, "patch.diff") {
				t.Errorf("files %v", f.artifacts.order)
			}
		})
	}
}

// TestRejectedOptionsSayWhy: the reason of a rejected option names what went wrong.
func TestRejectedOptionsSayWhy(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*fixture)
		why    string
	}{
		"policy": {func(f *fixture) {
			f.judge.decision = policy.Decision{Outcome: policy.Deny, Findings: []policy.Finding{{Message: "too large"}}}
		}, "too large"},
		"build":   {func(f *fixture) { f.bench.script["opt-code build"] = remedy.CommandResult{Code: 1, Output: "a\nboom"} }, "boom"},
		"test":    {func(f *fixture) { delete(f.bench.script, "opt-code-tests-only go-test-better") }, "proves nothing"},
		"draft":   {func(f *fixture) { f.recipes = []patch.Recipe{recipe{patch.Code, errors.New("odd code")}} }, "odd code"},
		"too big": {func(f *fixture) { f.bench.script["opt-code test flag=off"] = remedy.CommandResult{Ended: "memory"} }, "killed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			tc.change(f)
			c := f.run(t, nil)
			i := slices.IndexFunc(c.Options, func(o remedy.Option) bool { return o.ID == "opt-code" })
			if i < 0 || c.Options[i].Outcome != remedy.Rejected || !strings.Contains(c.Options[i].Why, tc.why) {
				t.Errorf("options %+v, want one rejected with %q", c.Options, tc.why)
			}
		})
	}
}

// TestCheaperOptionIsTriedFirst: order and what is left for the dearer one.
func TestCheaperOptionIsTriedFirst(t *testing.T) {
	f := newFixture()
	f.recipes = []patch.Recipe{recipe{rung: patch.Code}, recipe{rung: patch.Config}}
	c := f.run(t, nil)
	if c.Options[0].Rung != patch.Config || c.Patch.Option.Rung != patch.Config {
		t.Errorf("taken %s of %+v; neither is proved, so the cheaper one is", c.Patch.Option.Rung, c.Options)
	}
	if o := c.Options[1]; o.Outcome != remedy.Rejected || !strings.Contains(o.Why, "another option has more to show") {
		t.Errorf("the other option: %s, %s", o.Outcome, o.Why)
	}
}

// TestRankingAloneHasToBeNearlyCertain: an unproved revert of a change that is only likely to be to blame is no draft.
func TestRankingAloneHasToBeNearlyCertain(t *testing.T) {
	f := newFixture()
	f.incident = "n-plus-one"
	f.recipes = []patch.Recipe{recipe{rung: patch.Config}}
	c := f.run(t, nil)
	sure := c.Suspects[0].Confidence
	if proposed := c.State == remedy.Proposed; proposed != (sure >= 0.9) {
		t.Errorf("confidence %.2f, proposed %v", sure, proposed)
	}
	f = newFixture()
	f.incident, f.recipes = "retry-storm", []patch.Recipe{unsure{recipe{rung: patch.Config}}}
	c = f.run(t, nil)
	if c.State != remedy.Declined || !strings.Contains(c.Options[0].Why, "red to green") {
		t.Errorf("a suspect of confidence %.2f was proposed on the ranking alone: %s", c.Suspects[1].Confidence, c.Options[0].Why)
	}
}

// unsure proposes for the second suspect.
type unsure struct{ recipe }

func (u unsure) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	if i != 1 {
		return nil, nil
	}
	return []patch.Option{{ID: "opt-config", Rung: patch.Config, Title: "Guess", Recipe: u.Name(), Suspect: 1}}, nil
}

func TestPolicyHoldNeedsAPerson(t *testing.T) {
	f := newFixture()
	f.judge.decision = policy.Decision{Outcome: policy.Hold, Findings: []policy.Finding{{Effect: policy.Hold, Message: "looks like validation"}}}
	c := f.run(t, nil)
	if c.State != remedy.Proposed || c.Autonomy != remedy.Draft || !slices.Contains(c.Holds, "looks like validation") {
		t.Errorf("state %s, autonomy %s, holds %v", c.State, c.Autonomy, c.Holds)
	}
}

func TestUnreadableAlertIsAnError(t *testing.T) {
	f := newFixture()
	p := &remedy.Pipeline{Settings: remedy.Settings{Now: time.Now}, Repo: f.repo, Bench: f.bench, Observer: silent{}}
	if _, err := p.Run(context.Background(), remedy.Input{Alert: []byte("{")}); !errors.Is(err, remedy.ErrAlert) {
		t.Errorf("Run = %v, want an error about the alert", err)
	}
}
