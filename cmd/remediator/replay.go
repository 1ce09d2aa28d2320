package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/casedir"
	"github.com/remediator/remediator/internal/report"
	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/workbench"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
)

// replayFlags are the flags of replay.
type replayFlags struct {
	repo, rev, golden string
	services          []string
	allowWeak         bool
	format            format
}

func replayCommand(io stdio) *cobra.Command {
	var o replayFlags
	c := &cobra.Command{
		Use:   "replay",
		Short: "Replay golden traces against services built from a commit",
		Long: `Builds services from a commit in the sandbox, starts each with stand-ins for its
dependencies, replays its golden traces and compares responses and span trees. Exit code 5
means that a replay is red.`,
		Example: "  remediator replay --repo . --service payments\n  remediator replay --repo . --rev my-branch --format json",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.format.check(); err != nil {
				return err
			}
			return replayServices(c.Context(), o, io)
		},
	}
	fl := c.Flags()
	fl.StringVar(&o.repo, "repo", ".", "repository of the code")
	fl.StringVar(&o.rev, "rev", "HEAD", "commit, branch or tag to build")
	fl.StringVar(&o.golden, "golden", "", "directory of golden trace sets to use instead of those the configuration names")
	fl.StringSliceVar(&o.services, "service", nil, "services to replay (default: all that have golden traces)")
	fl.BoolVar(&o.allowWeak, "allow-weak-sandbox", false, "run the code without namespaces where the machine offers none")
	o.format.bind(c, "junit")
	return c
}

func replayServices(ctx context.Context, o replayFlags, io stdio) error {
	fence, err := sandbox.New(sandbox.Options{AllowWeak: o.allowWeak})
	if err != nil {
		return machineError(err)
	}
	tmp, err := os.MkdirTemp("", "remediator-replay-")
	if err != nil {
		return machineError(err)
	}
	dir, err := casedir.Open(tmp)
	if err != nil {
		return machineError(err)
	}
	defer func() { _ = errors.Join(dir.Close(), os.RemoveAll(tmp)) }()
	repo, err := workbench.OpenRepository(ctx, o.repo, dir.File(casedir.Repository), o.rev, nil)
	if err != nil {
		return inputError(err)
	}
	if _, err := repo.LoadConfig(); err != nil {
		return inputError(err)
	}
	golden, err := goldenDir(o.golden)
	if err != nil {
		return err
	}
	settings := workbench.Settings(repo.Config(), version(), golden)
	services := o.services
	if len(services) == 0 {
		services = repo.Config().ServiceNames()
	}
	variant, err := workbench.New(fence, repo, dir.Work(), o.repo).Variant(ctx, "base", repo.Base().Commit, nil)
	if err != nil {
		return inputError(err)
	}
	replays := []remedy.Replay{}
	for _, service := range services {
		if _, ok := settings.Services[service]; !ok {
			return inputError(fmt.Errorf("the configuration knows no service %q, only %v", service, repo.Config().ServiceNames()))
		}
		sets, err := settings.Golden(service, repo.BaseTree())
		if err != nil {
			return inputError(err)
		}
		if len(sets) == 0 {
			if len(o.services) > 0 {
				return inputError(fmt.Errorf("%s has no golden traces: set services.%s.golden, or pass --golden", service, service))
			}
			continue
		}
		v, err := replayOne(ctx, variant, service, sets)
		if err != nil {
			return err
		}
		replays = append(replays, remedy.Replay{Name: service, Build: repo.Base().Commit, Want: replay.Green, OK: v.Outcome == replay.Green, Verdict: v})
	}
	return printReplays(replays, o.format, io)
}

func replayOne(ctx context.Context, variant remedy.Variant, service string, sets []*replay.Set) (replay.Verdict, error) {
	for _, do := range []func(context.Context, string) (remedy.CommandResult, error){variant.Fetch, variant.Build} {
		res, err := do(ctx, service)
		if err != nil {
			return replay.Verdict{}, machineError(err)
		}
		if res.Code != 0 || res.Ended != "" {
			return replay.Verdict{}, inputError(fmt.Errorf("%s does not build:\n%s", service, res.Output))
		}
	}
	launcher, err := variant.Launcher(service, nil)
	if err != nil {
		return replay.Verdict{}, inputError(err)
	}
	v, _, err := replay.Golden(ctx, launcher, sets, replay.Options{})
	return v, err
}

func printReplays(replays []remedy.Replay, f format, io stdio) error {
	if len(replays) == 0 {
		return inputError(errors.New("no service has golden traces: nothing was replayed"))
	}
	write := map[string]func() error{
		"json": func() error { return writeJSON(io.out, replays) }, "junit": func() error { return writeJUnit(io.out, replays) },
	}[f.value]
	if write != nil {
		if err := write(); err != nil {
			return err
		}
	}
	red := false
	for i := range replays {
		red = red || !replays[i].OK
		if write == nil {
			report.Verdict(io.out, replays[i].Name, &replays[i].Verdict)
		}
	}
	if red {
		return quiet(exitNo)
	}
	return nil
}
