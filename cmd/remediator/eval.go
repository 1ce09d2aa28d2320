package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/internal/evaluate"
	"github.com/remediator/remediator/localize"
)

// evalOptions are the flags of eval.
type evalOptions struct {
	corpora     []string
	format      string
	predictions string
	cases       bool
}

func evalCommand(io stdio) *cobra.Command {
	var o evalOptions
	c := &cobra.Command{
		Use:   "eval --corpus DIR",
		Short: "Measure the ranking on incidents whose cause is known",
		Long: `Ranks every case of a corpus as run does and compares with the answers, which are read
afterwards. A corpus is a directory with corpus.json ({"name": ..., "cases": [...]}) and one incident bundle per
case with a truth.json. Ranks are strict: what ties takes the worst place.`,
		Example: `  remediator eval --corpus ../corpora/nezha --cases
  remediator eval --corpus DIR --corpus DIR --format json --predictions out.jsonl`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runEval(c.Context(), o, io) },
	}
	fl := c.Flags()
	fl.StringArrayVar(&o.corpora, "corpus", nil, "directory with corpus.json; may be repeated")
	fl.StringVar(&o.format, "format", "table", "output format: table, json, markdown")
	fl.StringVar(&o.predictions, "predictions", "", "file to write the answers to, one JSON object per line, for another scorer")
	fl.BoolVar(&o.cases, "cases", false, "also print every case, and what it cost")
	return c
}

// evaluatedTool is what eval measures: loading and ranking as run does them.
func evaluatedTool() *evaluate.Tool {
	return &evaluate.Tool{Load: loadForEval, Rank: localize.Rank, Now: time.Now}
}

func loadForEval(dir string) (incident.Incident, localize.Evidence, error) {
	b, err := bundle.Load(dir, bundle.Limits{})
	if err != nil {
		return incident.Incident{}, localize.Evidence{}, err
	}
	if b.Alert == nil {
		return incident.Incident{}, localize.Evidence{}, errors.New("it has no alert.json, and run starts with an alert")
	}
	in, err := incident.Parse(b.Alert)
	return in, b.Evidence, err
}

func runEval(ctx context.Context, o evalOptions, io stdio) error {
	if len(o.corpora) == 0 {
		return usage("--corpus is required: name a directory with corpus.json and labelled incident bundles")
	}
	if o.format != "table" && o.format != "json" && o.format != "markdown" {
		return usage("unknown format %q: choose one of table, json, markdown", o.format)
	}
	var corpora []*evaluate.Corpus
	for _, dir := range o.corpora {
		c, err := evaluate.Open(dir)
		if err != nil {
			return inputError(err)
		}
		corpora = append(corpora, c)
	}
	tool := evaluatedTool()
	var reports []*evaluate.Report
	var predictions []evaluate.Prediction
	for _, c := range corpora {
		fmt.Fprintf(io.err, "%s: %d %s\n", c.Name, len(c.Cases), c.Content)
		r, err := tool.Evaluate(ctx, c)
		if err != nil {
			return inputError(err)
		}
		reports = append(reports, r)
		for i := range r.Answers {
			predictions = append(predictions, r.Answers[i].Prediction)
		}
	}
	if o.predictions != "" {
		var b bytes.Buffer
		if err := evaluate.WritePredictions(&b, predictions); err != nil {
			return err
		}
		if err := os.WriteFile(o.predictions, b.Bytes(), 0o644); err != nil {
			return inputError(err)
		}
	}
	if o.format == "json" {
		if !o.cases {
			for _, r := range reports {
				r.Rows, r.Costs = nil, nil
			}
		}
		return writeJSON(io.out, reports)
	}
	for _, r := range reports {
		r.Summary(io.out, o.format == "markdown")
		fmt.Fprintln(io.out)
		if o.cases {
			r.CaseTable(io.out, o.format == "markdown")
			fmt.Fprintln(io.out)
			r.CostTable(io.out, o.format == "markdown")
			fmt.Fprintln(io.out)
		}
	}
	return nil
}
