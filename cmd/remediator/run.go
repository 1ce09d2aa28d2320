package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/internal/casedir"
	"github.com/remediator/remediator/internal/gitrepo"
	"github.com/remediator/remediator/internal/report"
	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/selftelemetry"
	"github.com/remediator/remediator/internal/workbench"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/patch/gorecipe"
	"github.com/remediator/remediator/patch/pyrecipe"
	"github.com/remediator/remediator/policy"
	"github.com/remediator/remediator/remedy"
)

// runOptions are the flags of run, and what demo sets in their place.
type runOptions struct {
	incident, alert, repo, out, branch, propose string
	golden, key, logLevel, autonomy, approvedBy string
	allowWeak, verbose                          bool
	format                                      format
	model                                       modelOptions
}

func runCommand(io stdio) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run (--incident DIR | --alert FILE) --repo PATH",
		Short: "Take one incident from its alert to a proven, signed pull request",
		Long: `Takes one incident through all stages. Nothing is written outside --out unless
--propose says so, and the checkout of the repository is never touched. The output
directory then holds case.json, patch.diff, pull-request.md, report.html,
evidence.sigstore.json, signing.pub and repository.git with the proposed branch.

With --propose pull-request the same rules hold as for the service: autonomy, limits and
approvals of .remediator.yaml, one pull request for an incident, and a closed one is a no.
proposal.json then says what became of it.

Exit code 0: a pull request is proposed. Exit code 10: declined, or held for a person; the
report says what was found and what to check by hand.`,
		Example: `  remediator run --incident ./incident-42 --repo ~/src/shop --out ./case-42
  curl -s $ALERT | remediator run --incident ./incident-42 --alert - --repo ~/src/shop --propose branch`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			cs, err := runCase(c.Context(), o, io)
			if cs == nil {
				return err
			}
			if o.format.json() {
				if err := writeJSON(io.out, cs); err != nil {
					return err
				}
			}
			if cs.Declined != nil {
				return quiet(exitDeclined)
			}
			return err
		},
	}
	fl := c.Flags()
	fl.StringVar(&o.incident, "incident", "", "incident bundle directory")
	fl.StringVar(&o.alert, "alert", "", "alert body to use instead of the bundle's alert.json; without --incident the telemetry around it is fetched from the sources that the repository's configuration names; - reads standard input")
	fl.StringVar(&o.repo, "repo", "", "repository of the code (required)")
	fl.StringVar(&o.branch, "branch", "", "branch a pull request would target (default: the repository's default branch)")
	fl.StringVar(&o.out, "out", "remediator-case", "directory for the case; empty, absent or made by an earlier run")
	fl.StringVar(&o.propose, "propose", "none", "none: write to --out only; branch: also create the branch in --repo; pull-request: at GitHub, with the token in GITHUB_TOKEN")
	fl.StringVar(&o.autonomy, "autonomy", "", "the most a proposal may become: report, branch, draft, ready; never more than the configuration allows")
	fl.StringVar(&o.approvedBy, "approved-by", "", "who approves a pull request where the configuration asks for approval, such as your login")
	fl.StringVar(&o.golden, "golden", "", "directory of golden trace sets to use instead of those the configuration names")
	fl.StringVar(&o.key, "key", "", "signing key as cosign makes it, passphrase in COSIGN_PASSWORD (default: a key made for this run alone)")
	fl.BoolVar(&o.allowWeak, "allow-weak-sandbox", false, "run candidate code without namespaces where the machine offers none")
	fl.StringVar(&o.logLevel, "log-level", "warn", "what to log to standard error: debug, info, warn, error")
	fl.BoolVarP(&o.verbose, "verbose", "v", false, "show the reasons of every suspect")
	o.model.bind(c)
	o.format.bind(c)
	return c
}

func (o *runOptions) check() error {
	switch {
	case o.incident == "" && o.alert == "":
		return usage("--incident is required: name a directory with alert.json and incident/*.jsonl; or --alert alone, where the repository's configuration names sources")
	case o.repo == "":
		return usage("--repo is required: name a clone of the repository whose services the telemetry is of")
	case new(slog.LevelVar).UnmarshalText([]byte(o.logLevel)) != nil:
		return usage("--log-level %q: choose debug, info, warn or error", o.logLevel)
	case !slices.Contains([]string{"none", "branch", "pull-request"}, o.propose):
		return usage("--propose %q: choose none, branch or pull-request", o.propose)
	case o.autonomy != "" && !slices.Contains(grades, remedy.Autonomy(o.autonomy)):
		return usage("--autonomy %q: choose one of %v", o.autonomy, grades)
	}
	return o.format.check()
}

func readAlert(name string, io stdio) ([]byte, error) {
	if name == "-" {
		b, err := readBounded(io.in)
		return b, inputError(err)
	}
	b, err := readInput(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, inputError(fmt.Errorf("alert: %w; name a file with the body of the alert's webhook, or - for standard input", err))
	case err != nil:
		return nil, inputError(fmt.Errorf("alert: %w", err))
	}
	return b, nil
}

// readBounded reads at most one byte more than an alert may have, so that Parse can say that it
// is too large.
func readBounded(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, incident.MaxBody+1))
	if err != nil {
		return nil, fmt.Errorf("reading the alert: %w", err)
	}
	return b, nil
}

// runCase wires the stages together and runs one case.
func runCase(ctx context.Context, o runOptions, io stdio) (_ *remedy.Case, err error) {
	if o.incident == "" {
		dir, done, failed := gatherForRun(ctx, o, io)
		if failed != nil {
			return nil, failed
		}
		defer func() { err = errors.Join(err, done()) }()
		o.incident, o.alert = dir, ""
	}
	b, err := bundle.Load(o.incident, bundle.Limits{})
	if err != nil {
		return nil, inputError(err)
	}
	if o.alert != "" {
		if b.Alert, err = readAlert(o.alert, io); err != nil {
			return nil, err
		}
	}
	if b.Alert == nil {
		return nil, inputError(fmt.Errorf("%s has no alert.json: pass the alert's body with --alert FILE or --alert -", o.incident))
	}
	if _, err := incident.Parse(b.Alert); err != nil {
		return nil, inputError(err) // before anything is written
	}
	var at atGitHub
	if o.propose == "pull-request" {
		if at, err = fromEnvironment(ctx, os.Getenv, o.repo); err != nil {
			return nil, err // before minutes of work
		}
	}
	key, err := signingKey(o.key)
	if err != nil {
		return nil, machineError(err)
	}
	fence, err := sandbox.New(sandbox.Options{AllowWeak: o.allowWeak})
	if err != nil {
		return nil, machineError(err)
	}
	if within(o.out, o.incident) {
		return nil, usage("--out %s lies inside the incident bundle %s, which is only read: choose a directory outside", o.out, o.incident)
	}
	dir, err := casedir.Open(o.out)
	if err != nil {
		return nil, inputError(err)
	}
	defer dir.Close()

	golden, err := goldenDir(o.golden)
	if err != nil {
		return nil, err
	}
	var observer remedy.Observer = &report.Terminal{W: io.out, Verbose: o.verbose}
	if o.format.json() {
		observer = &report.Terminal{W: io.err}
	}
	p, repo, err := newPipeline(ctx, pipelineOptions{repository: o.repo, branch: o.branch, golden: golden, dir: dir, fence: fence, key: key, observer: observer})
	if err != nil {
		return nil, err
	}
	if p.Recipes, err = o.model.recipes(repo.Config().Model); err != nil {
		return nil, err
	}
	conf := repo.Config()
	b.Correlate(conf.Sources.CorrelationKeys)
	p.Located = func(_ context.Context, c *remedy.Case) (*remedy.Decline, error) {
		c.Autonomy = lesser(remedy.Autonomy(o.autonomy), remedy.Autonomy(conf.AutonomyOf(c.Suspects[0].Service, string(c.Incident.Severity))))
		return nil, nil
	}
	cs, err := watched(ctx, p, remedy.Input{Alert: b.Alert, Evidence: b.Evidence}, o.logLevel, io)
	if err != nil {
		if errors.Is(err, remedy.ErrAlert) {
			err = inputError(err)
		}
		return nil, err
	}
	if o.propose == "branch" && cs.Commit != nil {
		if err := repo.Propose(ctx, o.repo, cs.Commit.Branch, cs.Commit.SHA); err != nil {
			return nil, inputError(fmt.Errorf("the case is complete in %s, but the branch could not be created: %w", o.out, err))
		}
	}
	if !o.format.json() {
		report.Closing(io.out, cs, self(), o.out, o.propose == "branch")
	}
	if o.propose == "pull-request" && cs.Commit != nil {
		made, err := proposePullRequest(ctx, at, o, cs, repo, dir, b.Alert, logger(o.logLevel, io))
		if err != nil {
			return nil, fmt.Errorf("the case is complete in %s, but it could not be proposed: %w", o.out, err)
		}
		say := io.out
		if o.format.json() {
			say = io.err
		}
		if err := made.keep(dir, say); err != nil {
			return nil, err
		}
		if made.Why != "" {
			return cs, quiet(exitDeclined)
		}
	}
	return cs, nil
}

// goldenDir is the directory of golden trace sets that take the place of those the configuration names, nil for none.
func goldenDir(name string) (fs.FS, error) {
	if name == "" {
		return nil, nil
	}
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return nil, inputError(fmt.Errorf("--golden %s is not a directory: name the one that holds the golden trace sets", name))
	}
	return os.DirFS(name), nil
}

// logger writes to standard error.
func logger(level string, io stdio) *slog.Logger {
	var threshold slog.LevelVar
	if err := threshold.UnmarshalText([]byte(level)); err != nil {
		threshold.Set(slog.LevelWarn)
	}
	return slog.New(slog.NewTextHandler(io.err, &slog.HandlerOptions{Level: &threshold}))
}

// watched runs the case with the tool's own telemetry around it.
func watched(ctx context.Context, p *remedy.Pipeline, in remedy.Input, level string, io stdio) (*remedy.Case, error) {
	log := logger(level, io)
	tel, err := selftelemetry.New(ctx, version(), os.Getenv)
	if err != nil {
		return nil, machineError(err)
	}
	defer func() {
		if err := tel.Close(ctx); err != nil {
			log.Warn("own telemetry was not sent", "error", err)
		}
	}()
	observer, done, err := tel.Observe(ctx, p.Observer, log)
	if err != nil {
		return nil, machineError(err)
	}
	p.Observer = observer
	cs, err := p.Run(ctx, in)
	done(cs, err)
	return cs, err
}

// within says whether a path is dir or lies below it, links followed as far as they exist.
func within(path, dir string) bool {
	path, dir = resolved(path), resolved(dir)
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// resolved follows the links of the part of a path that exists.
func resolved(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real
	}
	if parent := filepath.Dir(abs); parent != abs {
		return filepath.Join(resolved(parent), filepath.Base(abs))
	}
	return abs
}

// pipelineOptions are what run and serve decide differently about one pipeline.
type pipelineOptions struct {
	repository, branch string // path of a clone; target branch, "" for its own
	golden             fs.FS  // golden sets in place of those the configuration names; nil for none
	dir                *casedir.Dir
	fence              *sandbox.Sandbox
	key                *attest.Key
	observer           remedy.Observer
}

// newPipeline clones the repository, reads its configuration and wires one pipeline.
func newPipeline(ctx context.Context, o pipelineOptions) (*remedy.Pipeline, *workbench.Repository, error) {
	signer, err := o.key.SSHSigner()
	if err != nil {
		return nil, nil, machineError(err)
	}
	repo, err := workbench.OpenRepository(ctx, o.repository, o.dir.File(casedir.Repository), o.branch, signer)
	if errors.Is(err, gitrepo.ErrNoGit) {
		return nil, nil, machineError(err)
	}
	if err != nil {
		return nil, nil, inputError(err)
	}
	notes, err := repo.LoadConfig()
	if err != nil {
		return nil, nil, inputError(err)
	}
	conf := repo.Config()
	judge, err := newJudge(ctx, conf, repo.BaseTree())
	if err != nil {
		return nil, nil, inputError(err)
	}
	pages, err := report.NewPages()
	if err != nil {
		return nil, nil, err
	}
	for _, n := range notes {
		o.observer.Note(n)
	}
	return &remedy.Pipeline{
		Settings: workbench.Settings(conf, version(), o.golden),
		Repo:     repo,
		Bench:    workbench.New(o.fence, repo, o.dir.Work(), o.repository),
		Judge:    judge,
		Recipes:  recipes(),
		Index: func(ctx context.Context, tree fs.FS) (*codeindex.Index, error) {
			return codeindex.Build(ctx, tree, codeindex.Options{})
		},
		Artifacts: o.dir,
		Pages:     pages,
		Key:       o.key,
		Observer:  o.observer,
	}, repo, nil
}

// self is how this program was called: go run builds it into a temporary place that is not on the PATH.
func self() string {
	if exe, err := os.Executable(); err == nil && strings.Contains(filepath.ToSlash(exe), "/go-build") {
		return "go run ./cmd/remediator"
	}
	return "remediator"
}

// recipes are all ways to mend something, of every rung and language.
func recipes() []patch.Recipe {
	all := []patch.Recipe{patch.NewFlagOff(), patch.NewRevert(), patch.NewConfigValue()}
	all = append(all, gorecipe.Recipes()...)
	return append(all, pyrecipe.All()...)
}

var _ remedy.Judge = (*policy.Engine)(nil)
