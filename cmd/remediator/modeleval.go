package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/examples/shop"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/internal/casedir"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/llm"
	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/secrets"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/patch/modelrecipe"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
	"github.com/remediator/remediator/testdata/incidents"
)

// evalRow is one question that a model was asked, and how far its answer came.
type evalRow struct {
	Incident string          `json:"incident"`
	Part     patch.ModelPart `json:"part,omitempty"` // empty where the model could not be asked
	Parsed   bool            `json:"parsed"`         // the answer is of the form that was asked for
	Applied  bool            `json:"applied"`        // and is a draft that keeps the rules
	Allowed  bool            `json:"allowed"`        // by the policy
	Compiled bool            `json:"compiled"`
	Tests    bool            `json:"tests"`  // the service's own, flag off and on
	Replay   bool            `json:"replay"` // proved: red on the base, green with the change
	Proposed bool            `json:"proposed"`
	Seconds  float64         `json:"seconds"`
	Prompt   int             `json:"prompt_tokens"`
	Answer   int             `json:"answer_tokens"`
	Why      string          `json:"why"`
}

// evaluation is the table of one model.
type evaluation struct {
	Model modelrecipe.Description `json:"model"`
	Rows  []evalRow               `json:"rows"`
}

func modelEvalCommand(io stdio) *cobra.Command {
	var o modelOptions
	var f format
	var dir, repo, out string
	var only []string
	c := &cobra.Command{
		Use:   "eval --model-url URL [--model NAME]",
		Short: "Ask a model about recorded incidents, and say how far each answer comes",
		Long: `Takes each recorded incident as run would, with the model's drafts as the only ones on the
ladder, and prints for each question whether the answer could be read, was applied, compiled,
passed the service's tests, and was proved under replay. The incidents are those of the sample
shop unless --incidents names a directory of bundles, whose services --repo holds.`,
		Example: `  remediator model eval --model-url http://127.0.0.1:11434 --model qwen2.5-coder:7b
  remediator model eval --model-url http://127.0.0.1:8000 --incident n-plus-one --incident none-deref --format json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if (dir == "") != (repo == "") {
				return usage("--incidents and --repo belong together: the bundles, and the repository of their services")
			}
			client, timeout, err := o.client(config.Model{})
			if err != nil {
				return err
			}
			if client == nil {
				return usage("--model-url is required: name the server of the model to measure")
			}
			defer client.Close()
			e := &evaluator{client: client, timeout: timeout, dir: dir, repo: repo, out: out, io: io}
			result, err := e.run(c.Context(), only)
			if err != nil {
				return err
			}
			if f.json() {
				return writeJSON(io.out, result)
			}
			return printEvaluation(io.out, result)
		},
	}
	fl := c.Flags()
	fl.StringVar(&dir, "incidents", "", "directory of incident bundles (default: those recorded from the sample shop)")
	fl.StringVar(&repo, "repo", "", "repository of the services of --incidents")
	fl.StringArrayVar(&only, "incident", nil, "take only this incident; may be repeated")
	fl.StringVar(&out, "out", "", "directory to keep the cases in (default: they are not kept)")
	o.bind(c)
	f.bind(c)
	return c
}

// evaluator runs cases in which only a model drafts.
type evaluator struct {
	client    *llm.Client
	timeout   time.Duration
	dir, repo string
	out       string
	io        stdio
}

func (e *evaluator) run(ctx context.Context, only []string) (*evaluation, error) {
	names, err := e.names(only)
	if err != nil {
		return nil, err
	}
	d, err := e.client.Describe(ctx)
	if err != nil {
		return nil, machineError(err)
	}
	result := &evaluation{Model: d}
	for i, name := range names {
		fmt.Fprintf(e.io.err, "%d of %d: %s\n", i+1, len(names), name)
		rows, err := e.incident(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		result.Rows = append(result.Rows, rows...)
	}
	return result, nil
}

func (e *evaluator) names(only []string) ([]string, error) {
	names, err := recordedIncidents()
	if e.dir != "" {
		names = nil
		var entries []os.DirEntry
		if entries, err = os.ReadDir(e.dir); err != nil {
			return nil, inputError(err)
		}
		for _, x := range entries {
			if x.IsDir() {
				names = append(names, x.Name())
			}
		}
	}
	if err != nil {
		return nil, err
	}
	for _, o := range only {
		if !slices.Contains(names, o) {
			return nil, usage("no incident %q: choose among %s", o, strings.Join(names, ", "))
		}
	}
	if len(only) > 0 {
		names = only
	}
	if len(names) == 0 {
		return nil, inputError(fmt.Errorf("%s holds no incident bundles", e.dir))
	}
	return names, nil
}

// incident runs one case and reads from it what became of each question.
func (e *evaluator) incident(ctx context.Context, name string) (rows []evalRow, err error) {
	tmp, err := os.MkdirTemp("", "remediator-eval-")
	if err != nil {
		return nil, machineError(err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	in, repo := filepath.Join(e.dir, name), e.repo
	if e.dir == "" {
		in, repo = filepath.Join(tmp, "incident"), filepath.Join(tmp, "shop")
		sub, err := fs.Sub(incidents.Files, name)
		if err != nil {
			return nil, err
		}
		if err := os.CopyFS(in, sub); err != nil {
			return nil, machineError(err)
		}
		if _, err := shop.BuildHistory(repo, name); err != nil {
			return nil, fmt.Errorf("building the sample shop's repository: %w", err)
		}
	}
	out := filepath.Join(tmp, "case")
	if e.out != "" {
		out = filepath.Join(e.out, name)
	}
	asked := &stopwatch{Client: e.client}
	cs, err := e.modelCase(ctx, in, repo, out, asked)
	if err != nil {
		return nil, err
	}
	for i := range cs.Options {
		if o := &cs.Options[i]; strings.HasPrefix(o.Recipe, "model-") && o.Outcome != remedy.LeftOut {
			row := outcomeRow(name, o)
			if k := len(rows); k < len(asked.took) && o.Author != nil {
				row.Seconds = asked.took[k]
			}
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		why := "nothing to ask about"
		if cs.Declined != nil {
			why = cs.Declined.Why
		}
		for _, o := range cs.Options {
			if o.Recipe == "model-edits@1" && o.Outcome == remedy.LeftOut {
				why = o.Why
			}
		}
		rows = []evalRow{{Incident: name, Why: firstOf(why)}}
	}
	return rows, nil
}

func firstOf(s string) string { head, _, _ := strings.Cut(s, "\n"); return head }

// modelCase is a case in which the model's recipes are the only ones.
func (e *evaluator) modelCase(ctx context.Context, in, repo, out string, m modelrecipe.Model) (*remedy.Case, error) {
	b, err := bundle.Load(in, bundle.Limits{})
	if err != nil {
		return nil, inputError(err)
	}
	key, err := signingKey("")
	if err != nil {
		return nil, machineError(err)
	}
	fence, err := sandbox.New(sandbox.Options{AllowWeak: e.dir == ""})
	if err != nil {
		return nil, machineError(err)
	}
	dir, err := casedir.Open(out)
	if err != nil {
		return nil, inputError(err)
	}
	defer dir.Close()
	p, _, err := newPipeline(ctx, pipelineOptions{repository: repo, dir: dir, fence: fence, key: key, observer: quietObserver{}})
	if err != nil {
		return nil, err
	}
	p.Recipes = modelrecipe.New(m, modelrecipe.Options{Recipes: recipes(), Timeout: e.timeout, Now: time.Now, Redact: replay.NewRedactor(&secrets.Finder{}).Text})
	p.Settings.Allowed = []patch.Rung{patch.Code}
	return p.Run(ctx, remedy.Input{Alert: b.Alert, Evidence: b.Evidence})
}

// quietObserver hears nothing; an evaluation prints a table.
type quietObserver struct{}

func (quietObserver) Begin(remedy.State, *remedy.Case)              {}
func (quietObserver) Note(string)                                   {}
func (quietObserver) End(remedy.State, *remedy.Case, time.Duration) {}

// stopwatch times what the model takes for each draft: a description begins one.
type stopwatch struct {
	*llm.Client
	took []float64
}

func (s *stopwatch) Describe(ctx context.Context) (modelrecipe.Description, error) {
	s.took = append(s.took, 0)
	return s.Client.Describe(ctx)
}

func (s *stopwatch) Ask(ctx context.Context, q modelrecipe.Question) (modelrecipe.Answer, error) {
	start := time.Now()
	a, err := s.Client.Ask(ctx, q)
	s.took[len(s.took)-1] += time.Since(start).Seconds()
	return a, err
}

// outcomeRow reads from an option how far the model's answer came.
func outcomeRow(incident string, o *remedy.Option) evalRow {
	why := strings.TrimPrefix(firstOf(o.Why), "it could not be drafted: ")
	row := evalRow{Incident: incident, Why: strings.TrimPrefix(why, "draft "+o.ID+": "), Proposed: o.Outcome == remedy.Chosen}
	if o.Author == nil {
		return row
	}
	row.Part, row.Prompt, row.Answer = o.Author.Part, o.Author.PromptTokens, o.Author.AnswerTokens
	row.Applied = o.Author.Reached == patch.AnswerApplied
	row.Parsed = row.Applied || o.Author.Reached == patch.AnswerRead
	if o.Verdicts == nil {
		return row
	}
	row.Allowed, row.Tests, row.Replay = true, false, o.Verdicts.Proved
	suites, red := 0, 0
	for _, c := range o.Verdicts.Checks {
		switch {
		case strings.HasPrefix(c.Name, "patched build"):
			row.Compiled = c.OK
		case strings.HasPrefix(c.Name, "whole suite"):
			suites++
			if !c.OK {
				red++
			}
		}
	}
	row.Tests = suites > 0 && red == 0
	return row
}

func printEvaluation(to io.Writer, e *evaluation) error {
	d := e.Model
	fmt.Fprintf(to, "%s on %s, digest %s, context %d tokens, schema held by %s\n\n", d.Name, d.Server, first(d.Digest, "not known"), d.Context, d.Dialect)
	fmt.Fprintln(to, "| incident | asked for | parsed | applied | allowed | compiled | tests | replay | proposed | seconds | tokens in | tokens out | why |")
	fmt.Fprintln(to, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | ---: | ---: | ---: | --- |")
	mark := map[bool]string{true: "yes", false: "no"}
	var sum struct{ asked, parsed, applied, compiled, tests, replay, proposed int }
	count := func(n *int, b bool) string {
		if b {
			*n++
		}
		return mark[b]
	}
	for _, r := range e.Rows {
		if r.Part == "" {
			fmt.Fprintf(to, "| %s | not asked | | | | | | | | | | | %s |\n", r.Incident, cell(r.Why))
			continue
		}
		sum.asked++
		fmt.Fprintf(to, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %.1f | %d | %d | %s |\n", r.Incident, r.Part, count(&sum.parsed, r.Parsed), count(&sum.applied, r.Applied), mark[r.Allowed],
			count(&sum.compiled, r.Compiled), count(&sum.tests, r.Tests), count(&sum.replay, r.Replay), count(&sum.proposed, r.Proposed), r.Seconds, r.Prompt, r.Answer, cell(r.Why))
	}
	_, err := fmt.Fprintf(to, "\n%d questions: %d parsed, %d applied, %d compiled, %d passed the tests, %d proved under replay, %d proposed\n", sum.asked, sum.parsed, sum.applied, sum.compiled, sum.tests, sum.replay, sum.proposed)
	return err
}

// cell makes a text fit into a cell of a table.
func cell(s string) string {
	s = strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "/")
	if r := []rune(s); len(r) > 160 {
		s = string(r[:160]) + "..."
	}
	return s
}
