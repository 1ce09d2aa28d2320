package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/examples/shop"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/testdata/incidents"
)

// demoIncident is the one that the demo shows unless told otherwise.
const demoIncident = "retry-storm"

func demoCommand(io stdio) *cobra.Command {
	var out, incident string
	var all, verbose bool
	var model modelOptions
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole path on a recorded incident of the sample shop",
		Long: `Takes an alert and the telemetry that were recorded from a real run of the sample shop
(examples/shop), builds the shop's repository with its history, and runs the case from the
alert to the signed pull request. It needs no network, keys, services or root.

The shop's code ships with this tool; so, unlike run, the demo goes on behind limits only
where the machine offers no namespaces, and says so.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			names, err := recordedIncidents()
			if err != nil {
				return err
			}
			if !all {
				if !slices.Contains(names, incident) {
					return usage("no recorded incident %q: choose one of %s", incident, strings.Join(names, ", "))
				}
				_, err := demoCase(c, io, incident, out, verbose, model)
				return err
			}
			return demoAll(c, io, names, out, model)
		},
	}
	fl := c.Flags()
	fl.StringVar(&out, "out", "remediator-demo", "directory for the case")
	fl.StringVar(&incident, "incident", demoIncident, "which recorded incident to show")
	fl.BoolVar(&all, "all", false, "run every recorded incident and say which end in a pull request")
	fl.BoolVarP(&verbose, "verbose", "v", false, "show the reasons of every suspect")
	model.bind(c)
	return c
}

func recordedIncidents() ([]string, error) {
	entries, err := fs.ReadDir(incidents.Files, ".")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// demoCase builds the repository as it was deployed during the incident and runs the case.
func demoCase(c *cobra.Command, io stdio, incident, out string, verbose bool, model modelOptions) (*remedy.Case, error) {
	tmp, err := os.MkdirTemp("", "remediator-demo-")
	if err != nil {
		return nil, machineError(err)
	}
	defer os.RemoveAll(tmp)
	bundle := filepath.Join(tmp, "incident")
	sub, err := fs.Sub(incidents.Files, incident)
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(bundle, sub); err != nil {
		return nil, machineError(err)
	}
	repo := filepath.Join(tmp, "shop")
	head, err := shop.BuildHistory(repo, incident)
	if err != nil {
		return nil, fmt.Errorf("building the sample shop's repository: %w", err)
	}
	fmt.Fprintf(io.out, "The sample shop at %s, and the telemetry of the incident %q recorded from a real run of it.\n\n", head[:10], incident)
	cs, err := runCase(c.Context(), runOptions{incident: bundle, repo: repo, out: out, propose: "none", allowWeak: true, verbose: verbose, model: model, format: format{value: "text"}}, io)
	if err != nil {
		return nil, err
	}
	if cs.Declined != nil {
		return cs, quiet(exitDeclined)
	}
	return cs, nil
}

// demoAll runs every recorded incident into its own directory and sums up.
func demoAll(c *cobra.Command, io stdio, names []string, out string, model modelOptions) error {
	type row struct{ name, end, why string }
	var rows []row
	for i, name := range names {
		fmt.Fprintf(io.out, "\n######## %d of %d: %s\n\n", i+1, len(names), name)
		cs, err := demoCase(c, io, name, filepath.Join(out, name), false, model)
		switch {
		case cs == nil:
			if c.Context().Err() != nil {
				return err
			}
			fmt.Fprintf(io.out, "remediator: %v\n", err)
			rows = append(rows, row{name, "failed", err.Error()})
		case cs.Declined != nil:
			rows = append(rows, row{name, "declined", cs.Declined.Why})
		default:
			end := "proposed, " + string(cs.Patch.Option.Rung)
			if !cs.Verdicts.Proved {
				end = "draft, " + string(cs.Patch.Option.Rung)
			}
			rows = append(rows, row{name, end, cs.Title})
		}
	}
	fmt.Fprintf(io.out, "\n%-18s %-20s %s\n", "incident", "end", "")
	failed := false
	for _, r := range rows {
		first, _, _ := strings.Cut(r.why, "\n")
		fmt.Fprintf(io.out, "%-18s %-20s %s\n", r.name, r.end, first)
		failed = failed || r.end == "failed"
	}
	if failed {
		return quiet(exitFailure)
	}
	return nil
}
