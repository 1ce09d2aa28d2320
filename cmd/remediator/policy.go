package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/report"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/policy"
)

// maxDiff bounds a diff read from outside; the default policy denies far smaller ones.
const maxDiff = 16 << 20

func policyCommand(io stdio) *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Judge diffs by the policy", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(policyCheckCommand(io))
	return c
}

func policyCheckCommand(streams stdio) *cobra.Command {
	var f format
	var diff, repo, service, rung string
	c := &cobra.Command{
		Use:   "check --diff FILE",
		Short: "Say whether the policy allows, holds or denies a diff, and by which rule",
		Long: `Judges a unified diff as the pipeline would judge its own. Exit code 0: allowed;
5: denied, or held for a person.`,
		Example: "  git diff main | remediator policy check --diff - --repo . --service payments",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if diff == "" {
				return usage("--diff is required: name a file, or - for standard input")
			}
			if rung != "" && !slices.Contains(patch.Rungs(), patch.Rung(rung)) {
				return usage("--rung %q: choose one of %v", rung, patch.Rungs())
			}
			text, err := readDiff(diff, streams.in)
			if err != nil {
				return inputError(err)
			}
			facts, err := policy.FactsFromDiff(text)
			if err != nil {
				return inputError(err)
			}
			tree := os.DirFS(repo)
			conf, err := config.Load(tree)
			if err != nil && (!errors.Is(err, fs.ErrNotExist) || service != "") {
				return inputError(err)
			}
			facts.Rung, facts.Service, facts.Confidence = rung, service, 1
			if service != "" {
				svc, ok := conf.Services[service]
				if !ok {
					return inputError(fmt.Errorf("%s knows no service %q, only %v", config.File, service, conf.ServiceNames()))
				}
				facts.Paths = svc.Paths
			}
			judge, err := newJudge(c.Context(), conf, tree)
			if err != nil {
				return inputError(err)
			}
			d, err := judge.Decide(c.Context(), facts)
			if err != nil {
				return err
			}
			switch f.value {
			case "json":
				err = writeJSON(streams.out, d)
			case "sarif":
				err = writeSARIF(streams.out, decisionSARIF(d))
			default:
				err = report.Decision(streams.out, &d)
			}
			if err == nil && d.Outcome != policy.Allow {
				return quiet(exitNo)
			}
			return err
		},
	}
	fl := c.Flags()
	fl.StringVar(&diff, "diff", "", "unified diff; - reads standard input (required)")
	fl.StringVar(&repo, "repo", ".", "directory with "+config.File)
	fl.StringVar(&service, "service", "", "service the diff is for; its paths bound the scope")
	fl.StringVar(&rung, "rung", "", "judge as this rung of the ladder: flag_off, revert, config, code (default: a person's diff)")
	f.bind(c, "sarif")
	return c
}

func readDiff(name string, stdin io.Reader) (string, error) {
	read := func() ([]byte, error) { return io.ReadAll(io.LimitReader(stdin, maxDiff+1)) }
	if name != "-" {
		read = func() ([]byte, error) { return readInput(name) }
	}
	b, err := read()
	if err != nil {
		return "", fmt.Errorf("reading the diff: %w", err)
	}
	if len(b) > maxDiff {
		return "", fmt.Errorf("the diff is larger than %d MiB: check its parts one by one", maxDiff>>20)
	}
	return string(b), nil
}

// newJudge prepares the policy with what the configuration of the target branch adds.
func newJudge(ctx context.Context, conf config.Config, tree fs.FS) (*policy.Engine, error) {
	o := policy.Options{Thresholds: conf.Policy.Thresholds}
	if conf.Policy.Bundle != "" {
		sub, err := fs.Sub(tree, conf.Policy.Bundle)
		if err != nil {
			return nil, fmt.Errorf("policy.bundle: %w", err)
		}
		o.Bundle = sub
		o.Protected = append(o.Protected, conf.Policy.Bundle)
	}
	for _, name := range conf.ServiceNames() {
		o.Protected = append(o.Protected, conf.Services[name].Golden...)
	}
	return policy.New(ctx, o)
}
