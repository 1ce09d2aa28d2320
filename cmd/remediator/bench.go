package main

import (
	"fmt"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/benchmark"
)

// largestBench bounds what may be asked for: ten million spans need about ten gigabytes.
const largestBench = 10_000_000

func benchCommand(io stdio) *cobra.Command {
	var o benchmark.Options
	var f string
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast telemetry is read and suspects are ranked on this machine",
		Long: `Makes telemetry of a made-up system and measures on it how many spans a second are decoded,
normalised and correlated, how long the ranking takes and how much memory it needs at each size, and how
many log lines a second become templates; beside Drain3 (PyPI) where --drain3 names a Python that has it
(internal/benchmark/install-drain3 makes one). Every figure is the median of several runs,
and each row is printed as soon as it is measured.

Exit code 0: everything was measured. Exit code 2: the command line is off. Exit code 4: the Python of --drain3 is not
there or cannot be run, or this machine could not do what is measured.`,
		Example: `  remediator bench
  remediator bench --spans 10000,100000 --logs 50000 --format json
  remediator bench --drain3 "$(internal/benchmark/install-drain3)"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch f {
			case "table", "json", "markdown":
			default:
				return usage("unknown format %q: choose one of table, json, markdown", f)
			}
			for _, n := range append([]int{o.Lines}, o.Spans...) {
				if n < 100 || n > largestBench {
					return usage("%d is out of range: choose sizes from 100 to %d", n, largestBench)
				}
			}
			if o.Runs < 1 || o.Runs > 1000 {
				return usage("--runs %d is out of range: choose from 1 to 1000", o.Runs)
			}
			if o.Drain3 != "" { // not after minutes of measuring
				if _, err := exec.LookPath(o.Drain3); err != nil {
					return machineError(fmt.Errorf("--drain3: %w; internal/benchmark/install-drain3 makes a Python that has it and prints its path", err))
				}
			}
			o.Now = time.Now
			o.Say = func(what string) { fmt.Fprintln(io.err, what) }
			if f == "table" {
				if err := benchmark.Header(io.out); err != nil {
					return machineError(err)
				}
				o.Row = func(m *benchmark.Measurement) { _ = m.Line(io.out) }
			}
			report, err := benchmark.Run(c.Context(), o)
			if err != nil {
				return machineError(err)
			}
			switch f {
			case "json":
				return writeJSON(io.out, report)
			case "markdown":
				return report.Markdown(io.out)
			}
			return report.PeerTable(io.out)
		},
	}
	fl := c.Flags()
	fl.IntSliceVar(&o.Spans, "spans", []int{10_000, 100_000, 1_000_000}, "numbers of spans to rank over; the largest is decoded too, 100,000 at most")
	fl.IntVar(&o.Lines, "logs", 200_000, "number of log lines to group")
	fl.StringVar(&o.Drain3, "drain3", "", "Python interpreter with Drain3, to run beside (default: left out)")
	fl.IntVar(&o.Runs, "runs", 3, "runs of each measurement, after one to warm up")
	fl.StringVar(&f, "format", "table", "output format: table, json, markdown")
	_ = c.RegisterFlagCompletionFunc("format", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"table", "json", "markdown"}, cobra.ShellCompDirectiveNoFileComp
	})
	return c
}
