package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/internal/evaluate"
	"github.com/remediator/remediator/internal/simulate"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// evalOptions are the flags of eval.
type evalOptions struct {
	corpora     []string
	format      string
	predictions string
	bundles     []string
	pages       string
	simulate    int
	all         bool
	seed        int64
	want        evaluate.Wanted
}

func evalCommand(io stdio) *cobra.Command {
	var o evalOptions
	c := &cobra.Command{
		Use:   "eval --corpus DIR",
		Short: "Measure the ranking on incidents whose cause is known",
		Long: `Ranks every case of a corpus as run does and compares with the answers, which are read
afterwards. A corpus is a directory with corpus.json ({"name": ..., "cases": [...]}) and one incident bundle per
case with a truth.json. Ranks are strict: what ties takes the worst place.

How far a long measurement is, and how long its step still takes, is said on standard error. What it writes is put in its
place as a whole: stopped by Ctrl-C, it leaves the files of the last run as they were.

Exit code 0: everything was measured, however good or bad the figures are. Exit code 2: the command line is off. Exit code 3:
a corpus or a case cannot be read, a file cannot be written, or misses.md does not explain the misses that were found.
Exit code 1: it was stopped.`,
		Example: `  remediator eval --corpus ../corpora/nezha --cases
  remediator eval --corpus DIR --corpus DIR --format json --predictions out.jsonl`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runEval(c.Context(), o, io) },
	}
	fl := c.Flags()
	fl.StringArrayVar(&o.corpora, "corpus", nil, "directory with corpus.json; may be repeated")
	fl.StringVar(&o.format, "format", "table", "output format: table, json, markdown")
	fl.StringVar(&o.predictions, "predictions", "", "file to write the answers to, one JSON object per line, for another scorer")
	fl.StringArrayVar(&o.bundles, "bundles", nil, "directory of labelled incident bundles without a corpus.json; may be repeated")
	fl.IntVar(&o.simulate, "simulate", 0, "also make up this many incidents of systems that do not exist, and rank them")
	fl.Int64Var(&o.seed, "seed", 1, "seed of the first of them")
	fl.StringVar(&o.pages, "pages", "", "directory to write everything to as Markdown pages; misses.md there must explain every miss")
	fl.BoolVar(&o.all, "all", false, "measure everything that the following flags name")
	fl.BoolVar(&o.want.Cases, "cases", false, "also print every case, and what it cost")
	fl.BoolVar(&o.want.Healthy, "healthy", false, "also count who is named where nothing is wrong: parts of each healthy window against each other")
	fl.BoolVar(&o.want.Ablation, "ablation", false, "also measure what each signal contributes")
	fl.BoolVar(&o.want.Sensitivity, "sensitivity", false, "also measure what halving and doubling each constant changes; takes minutes")
	fl.BoolVar(&o.want.Calibrate, "calibrate", false, "also compare confidences with what was so, and fit the calibration")
	fl.BoolVar(&o.want.LeaveOut, "leave-out", false, "also leave out one corpus after the other: confidence and weights chosen on the others, tested on it")
	return c
}

// evaluatedTool is what eval measures: loading and ranking as run does them.
func evaluatedTool() *evaluate.Tool {
	study := func(in incident.Incident, ev localize.Evidence) func(localize.Options) localize.Result {
		return localize.NewStudy(in, ev).Rank
	}
	return &evaluate.Tool{Load: loadForEval, Rank: localize.Rank, Study: study, Now: time.Now,
		Miner: func() evaluate.Templates { return localize.NewTemplates() }, Paths: localize.CriticalPaths, Spans: readTraceDocument}
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

func (o *evalOptions) open() ([]*evaluate.Corpus, error) {
	if o.simulate < 0 {
		return nil, usage("--simulate %d: give the number of incidents to make up", o.simulate)
	}
	if len(o.corpora)+len(o.bundles) == 0 && o.simulate <= 0 {
		return nil, usage("--corpus is required: name a directory with corpus.json and labelled incident bundles, or --simulate a number of incidents")
	}
	if !slices.Contains([]string{"table", "json", "markdown"}, o.format) {
		return nil, usage("unknown format %q: choose one of table, json, markdown", o.format)
	}
	var corpora []*evaluate.Corpus
	seen := map[string]bool{}
	add := func(c *evaluate.Corpus, err error) error {
		if err != nil {
			return inputError(err)
		}
		if seen[c.Name] {
			return usage("two corpora are called %s; name each once", c.Name)
		}
		seen[c.Name] = true
		corpora = append(corpora, c)
		return nil
	}
	for _, dir := range o.corpora {
		if err := add(evaluate.Open(dir)); err != nil {
			return nil, err
		}
	}
	for _, dir := range o.bundles {
		if err := add(evaluate.Collect(dir, filepath.Base(filepath.Clean(dir)))); err != nil {
			return nil, err
		}
	}
	if o.simulate > 0 {
		if err := add(simulated(o.seed, o.simulate), nil); err != nil {
			return nil, err
		}
	}
	return corpora, nil
}

// simulatedName is the corpus of made-up incidents, of which there are too many to explain each.
const simulatedName = "simulated"

// simulated is a corpus of incidents that are made anew whenever they are looked at, so that none needs to be kept.
func simulated(seed int64, n int) *evaluate.Corpus {
	var ids []string
	seeds := map[string]int64{}
	for i := range int64(n) {
		id := fmt.Sprintf("sim-%07d", seed+i)
		ids, seeds[id] = append(ids, id), seed+i
	}
	truths := map[string]simulate.Truth{}
	load := func(id string) (incident.Incident, localize.Evidence, error) {
		b := simulate.Case(seeds[id], simulate.Options{})
		truths[id] = b.Truth
		in, err := incident.Parse(b.Alert)
		return in, b.Evidence(), err
	}
	truth := func(id string) ([]byte, error) { return json.Marshal(truths[id]) }
	return evaluate.Made(simulatedName, fmt.Sprintf("made up, seeds %d to %d", seed, seed+int64(n)-1), ids, load, truth)
}

func runEval(ctx context.Context, o evalOptions, io stdio) error {
	corpora, err := o.open()
	if err != nil {
		return err
	}
	if o.predictions != "" { // minutes of measuring are not to end here
		parent := filepath.Dir(filepath.Clean(o.predictions))
		if info, err := os.Stat(parent); err != nil || !info.IsDir() {
			return inputError(fmt.Errorf("--predictions %s: %s is not a directory; make it first", o.predictions, parent))
		}
		if info, err := os.Stat(o.predictions); err == nil && info.IsDir() {
			return inputError(fmt.Errorf("--predictions %s is a directory; name a file", o.predictions))
		}
	}
	if o.all {
		o.want = evaluate.Wanted{Cases: true, Healthy: true, Ablation: true, Sensitivity: true, Calibrate: true, LeaveOut: true}
	}
	tool := evaluatedTool()
	tool.Progress = newMeasuring(io.err, time.Now).tell
	sections, reports, err := tool.Measure(ctx, corpora, o.want)
	if ctx.Err() != nil {
		return ctx.Err() // before anything is written
	}
	if err != nil {
		return inputError(err)
	}
	if o.predictions != "" {
		if err := writePredictions(o.predictions, reports); err != nil {
			return inputError(err)
		}
	}
	if o.pages != "" {
		made := func(corpus string) bool { return corpus != simulatedName }
		return inputError(evaluate.Pages(o.pages, sections, reports, made))
	}
	return evaluate.Print(io.out, sections, o.format)
}

func writePredictions(file string, reports []*evaluate.Report) error {
	var all []evaluate.Prediction
	for _, r := range reports {
		for i := range r.Answers {
			all = append(all, r.Answers[i].Prediction)
		}
	}
	var b bytes.Buffer
	if err := evaluate.WritePredictions(&b, all); err != nil {
		return err
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(file, b.Bytes(), 0o644) // a pipe, a terminal
	}
	return evaluate.WriteWhole(file, b.Bytes())
}

// readTraceDocument reads one file of traces.
func readTraceDocument(path string) (telemetry.Dataset, error) {
	data, err := readInput(path)
	if err != nil {
		return telemetry.Dataset{}, err
	}
	r := telemetry.NewReader(telemetry.Options{})
	if err := r.Read(bytes.NewReader(data), telemetry.Traces); err != nil {
		return telemetry.Dataset{}, err
	}
	return r.Dataset(), nil
}
