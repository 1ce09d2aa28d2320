package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/internal/report"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/remedy"
)

func localizeCommand(io stdio) *cobra.Command {
	var f format
	var dir, alert, repo, branch string
	c := &cobra.Command{
		Use:   "localize --incident DIR [--repo PATH]",
		Short: "Rank the suspects of an incident by its telemetry",
		Long: `Ranks suspects from the telemetry and from what was changed: no model, nothing built, nothing written.
With --repo the commits that landed before the incident are looked at too, where the bundle names none,
and every suspect is pointed at its places in the code.
Exit code 10 means that it abstained; the output says why and what would have helped.`,
		Example: "  remediator localize --incident testdata/incidents/retry-storm\n  remediator localize --incident DIR --format svg > graph.svg",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := f.check(); err != nil {
				return err
			}
			if branch != "" && repo == "" {
				return usage("--branch is of a repository: name its clone with --repo")
			}
			b, in, err := loadIncident(dir, alert, io)
			if err != nil {
				return err
			}
			var from *code
			if repo != "" {
				if from, err = openCode(cmd.Context(), repo, branch); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, from.close()) }()
				b.Correlate(from.repo.Config().Sources.CorrelationKeys)
				if err := from.changes(cmd.Context(), in, &b.Evidence); err != nil {
					return inputError(err)
				}
			}
			out := located{Result: localize.Rank(in, b.Evidence, localize.Options{})}
			res := &out.Result
			if from != nil {
				if out.Code, err = from.locate(cmd.Context(), res.Suspects, b.Evidence.Changes); err != nil {
					return inputError(err)
				}
				for _, n := range from.notes {
					fmt.Fprintln(io.err, harmless(n))
				}
			}
			switch f.value {
			case "json":
				err = writeJSON(io.out, out)
			case "dot":
				_, err = fmt.Fprint(io.out, res.Graph.DOT())
			case "svg":
				_, err = fmt.Fprint(io.out, res.Graph.SVG())
			case "sarif":
				err = writeSARIF(io.out, suspectsSARIF(*res, out.Code))
			default:
				err = report.Localization(io.out, res, out.Code, slices.Concat(b.Evidence.Incident.Notes, b.Evidence.Baseline.Notes))
			}
			if err == nil && res.Decision == localize.Abstain {
				return quiet(exitDeclined)
			}
			return err
		},
	}
	c.Flags().StringVar(&dir, "incident", "", "incident bundle directory (required)")
	c.Flags().StringVar(&alert, "alert", "", "alert body to use instead of the bundle's alert.json; - reads standard input")
	c.Flags().StringVar(&repo, "repo", "", "clone of the repository whose services the telemetry is of")
	c.Flags().StringVar(&branch, "branch", "", "branch or revision to look at (default: the repository's default branch)")
	f.bind(c, "dot", "svg", "sarif")
	return c
}

// located is a ranking with its places in the code.
type located struct {
	localize.Result
	// Code repeats the suspects in their order, each with its places in the code; absent without a repository.
	Code []remedy.Suspect `json:"code,omitempty"`
}

// loadIncident reads a bundle and its alert.
func loadIncident(dir, alert string, io stdio) (*bundle.Bundle, incident.Incident, error) {
	if dir == "" {
		return nil, incident.Incident{}, usage("--incident is required: name a directory with alert.json and incident/*.jsonl")
	}
	b, err := bundle.Load(dir, bundle.Limits{})
	if err != nil {
		return nil, incident.Incident{}, inputError(err)
	}
	if alert != "" {
		if b.Alert, err = readAlert(alert, io); err != nil {
			return nil, incident.Incident{}, err
		}
	}
	if b.Alert == nil {
		return nil, incident.Incident{}, inputError(fmt.Errorf("%s has no alert.json: pass the alert's body with --alert FILE or --alert -", dir))
	}
	in, err := incident.Parse(b.Alert)
	return b, in, inputError(err)
}

func indexCommand(io stdio) *cobra.Command {
	index := &cobra.Command{Use: "index", Short: "Look leads from telemetry up in code", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	index.AddCommand(locateCommand(io))
	return index
}

func locateCommand(io stdio) *cobra.Command {
	var f format
	var repo string
	var q codeindex.Query
	c := &cobra.Command{
		Use:   "locate",
		Short: "Find the file, line and function behind a span, route, log line or stack frame",
		Example: `  remediator index locate --repo . --span "charge card"
  remediator index locate --route /orders/{id} --method GET
  remediator index locate --log "payment 42 refused by bank"`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if q.Span+q.Route+q.Log+q.Statement+q.File+q.Function+q.Namespace == "" {
				return usage("nothing to look up: give at least one of --span, --route, --log, --statement, --file, --function")
			}
			if info, err := os.Stat(repo); err != nil || !info.IsDir() {
				return inputError(fmt.Errorf("--repo %s is not a directory: name the root of the code", repo))
			}
			ix, err := codeindex.Build(c.Context(), os.DirFS(repo), codeindex.Options{})
			if err != nil {
				return inputError(err)
			}
			found := ix.Locate(codeindex.WeightedQuery{Query: q, Weight: 1})
			if f.json() {
				return writeJSON(io.out, found)
			}
			if len(found) == 0 {
				fmt.Fprintln(io.err, "nothing in the code matches; try a shorter literal, or another kind of lead")
				return quiet(exitNo)
			}
			for _, l := range found {
				fmt.Fprintf(io.out, "%s:%d\t%s\t%.2f\t%s\n", l.File, l.Line, l.Function, l.Confidence, l.Reason)
			}
			return nil
		},
	}
	fl := c.Flags()
	fl.StringVar(&repo, "repo", ".", "directory of the code")
	fl.StringVar(&q.Service, "service", "", "service name; paths that carry it are preferred")
	fl.StringSliceVar(&q.Paths, "path", nil, "globs the service owns")
	fl.StringVar(&q.Span, "span", "", "span name")
	fl.StringVar(&q.Method, "method", "", "HTTP method")
	fl.StringVar(&q.Route, "route", "", "HTTP or RPC route, or a path")
	fl.StringVar(&q.Log, "log", "", "log message or template")
	fl.StringVar(&q.Statement, "statement", "", "database statement")
	fl.StringVar(&q.Peer, "peer", "", "name of the dependency that is called")
	fl.StringVar(&q.File, "file", "", "file of a stack frame")
	fl.IntVar(&q.Line, "line", 0, "line of a stack frame")
	fl.StringVar(&q.Function, "function", "", "function of a stack frame")
	fl.StringVar(&q.Namespace, "namespace", "", "class, module or logger")
	f.bind(c)
	return c
}
