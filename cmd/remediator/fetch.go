package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/internal/casedir"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/gitrepo"
	"github.com/remediator/remediator/internal/sources"
	"github.com/remediator/remediator/localize"
)

// fetchOptions say where telemetry is fetched from.
type fetchOptions struct {
	alert, out, repo, config string
	format                   format
}

func fetchCommand(io stdio) *cobra.Command {
	var o fetchOptions
	c := &cobra.Command{
		Use:   "fetch --alert FILE --out DIR",
		Short: "Fetch the telemetry around an alert, and of a healthy window before it, into an incident bundle",
		Long: `Asks the servers that ` + "`sources`" + ` of ` + config.File + ` names for traces, logs, metrics and roll-outs around the
alert, and for the same of a healthy window before it: of the same weekday and hour a week before,
else a day before, else right before the incident, with no alert and no roll-out in it. What
was asked where, what came and what is missing is in context/fetch.json of the bundle.

The bundle appears at --out when it is complete; a directory that exists is never touched.
Secrets come from the environment variables that the configuration names.

Exit code 0: there is a bundle, and what is missing in it is said. Exit code 3: the alert or the
configuration cannot be used, or --out exists. Exit code 5: no server had anything of the
incident. With any but 0 nothing was written.`,
		Example: `  remediator fetch --alert alert.json --out ./incident-42 --repo ~/src/shop
  curl -s $ALERT | remediator fetch --alert - --out ./incident-42 --config serve.yaml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.format.check(); err != nil {
				return err
			}
			switch {
			case o.alert == "":
				return usage("--alert is required: name a file with the alert's body, or - for standard input")
			case o.out == "":
				return usage("--out is required: name a directory that does not exist yet")
			case o.repo != "" && o.config != "" && !c.Flags().Changed("repo"):
				o.repo = ""
			}
			body, err := readAlert(o.alert, io)
			if err != nil {
				return err
			}
			sum, err := fetchBundle(c.Context(), o, body, func(line string) { fmt.Fprintln(io.err, harmless(line)) })
			if err != nil {
				return err
			}
			if o.format.json() {
				return writeJSON(io.out, sum)
			}
			_, err = fmt.Fprint(io.out, harmless(fetched(o.out, sum)))
			return err
		},
	}
	fl := c.Flags()
	fl.StringVar(&o.alert, "alert", "", "file of the alert's body, as the webhook carries it; - reads standard input (required)")
	fl.StringVar(&o.out, "out", "", "directory of the bundle, which must not exist (required)")
	fl.StringVar(&o.repo, "repo", ".", "repository whose "+config.File+" names the sources, and whose commits and tags are changes")
	fl.StringVar(&o.config, "config", "", "configuration to read the sources from in place of the repository's: a "+config.File+" or a "+config.ServerFile)
	o.format.bind(c)
	return c
}

// fetched is what a person is told at the end.
func fetched(out string, sum sources.Summary) string {
	var b strings.Builder
	spans, logs, points := 0, 0, 0
	for _, r := range sum.Reports {
		if r.Window == "incident" {
			spans, logs, points = spans+r.Spans, logs+r.Logs, points+r.Points
		}
	}
	fmt.Fprintf(&b, "%s: %d spans, %d log records, %d points of metrics, %d roll-outs\n", out, spans, logs, points, len(sum.Deploys))
	fmt.Fprintf(&b, "%s\n", sum.Choice)
	if len(sum.Missing) > 0 {
		fmt.Fprintf(&b, "missing:\n")
		for _, m := range sum.Missing {
			fmt.Fprintf(&b, "  %s\n", m)
		}
	}
	fmt.Fprintf(&b, "next: remediator localize --incident %s\n", out)
	return b.String()
}

// fetchBundle fetches into a directory beside the one that is to be, and renames it when everything is there.
func fetchBundle(ctx context.Context, o fetchOptions, alert []byte, progress func(string)) (sources.Summary, error) {
	var none sources.Summary
	in, err := incident.Parse(alert)
	if err != nil {
		return none, inputError(err)
	}
	if _, err := os.Lstat(o.out); err == nil {
		return none, inputError(fmt.Errorf("%s exists; choose another --out, nothing is overwritten", o.out))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return none, machineError(err)
	}
	plan, repo, err := sourcesOf(o)
	if err != nil {
		return none, err
	}
	plan = plan.For(in, sources.AlertExpressions(alert))
	plan.Progress = progress
	parent := filepath.Dir(filepath.Clean(o.out))
	undo, err := casedir.MakeAll(parent)
	if err != nil {
		return none, machineError(err)
	}
	defer undo() // what is empty; a bundle keeps its parents
	dir, err := os.MkdirTemp(parent, "."+filepath.Base(o.out)+".partial-")
	if err != nil {
		return none, machineError(err)
	}
	defer os.RemoveAll(dir)
	sum, err := fillBundle(ctx, dir, plan, repo, alert)
	if err != nil {
		return sum, gatherError(ctx, err)
	}
	if _, err := os.Lstat(o.out); err == nil {
		return sum, inputError(fmt.Errorf("%s has come to exist meanwhile; choose another --out", o.out))
	}
	return sum, machineError(os.Rename(dir, o.out))
}

// fillBundle fetches into an empty directory.
func fillBundle(ctx context.Context, dir string, plan sources.Plan, repo *history, alert []byte) (sources.Summary, error) {
	w, err := bundle.Create(dir)
	if err != nil {
		return sources.Summary{}, err
	}
	sum, err := sources.Gather(ctx, plan, w)
	if err == nil {
		var changes []localize.Change
		var notes []string
		changes, notes, err = repo.changes(ctx, sum.Incident)
		sum.Missing = append(sum.Missing, notes...)
		if err == nil {
			err = errors.Join(w.Alert(alert), w.Context(changes, sum.Deploys, nil), w.Fetched(sum))
		}
	}
	return sum, errors.Join(err, w.Close())
}

// sourcesOf reads the configuration and makes the sources it names, and the history of the repository.
func sourcesOf(o fetchOptions) (sources.Plan, *history, error) {
	name, dir := o.config, filepath.Dir(o.config)
	if name == "" {
		name, dir = filepath.Join(o.repo, config.File), o.repo
	}
	h := &history{}
	named, err := h.configuration(name, o.config != "")
	if err != nil {
		return sources.Plan{}, nil, inputError(err)
	}
	if o.repo != "" {
		if h.repo, err = gitrepo.Open(o.repo); err != nil && !errors.Is(err, gitrepo.ErrNotRepository) {
			return sources.Plan{}, nil, inputError(err)
		}
	}
	var tags func(config.DeploySource) (sources.ChangeSource, error)
	if h.repo != nil {
		tags = func(d config.DeploySource) (sources.ChangeSource, error) { return tagged{h, d.Tags}, nil }
	}
	plan, err := sources.Open(named, sources.Surroundings{Dir: dir}, tags)
	if err == nil && plan.Traces == nil && plan.Logs == nil && plan.Metrics == nil {
		err = fmt.Errorf("%s names no server of traces, logs or metrics; add `sources` to it, docs/sources.md shows how", name)
	}
	return plan, h, inputError(err)
}

// history is the repository as a source of changes and roll-outs; without one it has none.
type history struct {
	repo     *gitrepo.Repo
	owner    func(string) string
	services []string
}

// configuration reads the sources that a file names, and from the configuration of a repository whose which file is. Where
// either kind may be meant, the mistakes named are those of the kind that the file is nearer to.
func (h *history) configuration(name string, eitherKind bool) (config.Sources, error) {
	text, err := readInput(name)
	if errors.Is(err, fs.ErrNotExist) {
		return config.Sources{}, fmt.Errorf("%w; name a configuration with `sources` by --config, docs/sources.md shows one", err)
	} else if err != nil {
		return config.Sources{}, err
	}
	conf, err := config.Parse(text)
	if err == nil {
		h.owner, h.services = conf.Owner, conf.ServiceNames()
		return conf.Sources, nil
	}
	var mistakes *config.Error
	if errors.As(err, &mistakes) {
		mistakes.File = name
	}
	if !eitherKind {
		return config.Sources{}, err
	}
	server, other := config.LoadServer(name)
	if other == nil {
		return server.Sources, nil
	}
	var others *config.Error
	if errors.As(other, &others) && mistakes != nil && len(others.Problems) < len(mistakes.Problems) {
		err = other
	}
	return config.Sources{}, err
}

// sinceChange is how far back commits are handed on: what landed in the week before the incident.
const sinceChange = 7 * 24 * time.Hour

func (h *history) changes(ctx context.Context, incident sources.Window) ([]localize.Change, []string, error) {
	if h.repo == nil {
		return nil, nil, nil
	}
	from, err := h.repo.DefaultBranch()
	if err != nil || from == "" {
		from = "HEAD"
	}
	got, err := h.repo.History(ctx, gitrepo.HistoryRange{From: from, Since: incident.From.Add(-sinceChange), Until: incident.To, Owner: h.owner})
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, err
		}
		return nil, []string{fmt.Sprintf("changes of the repository: %v", err)}, nil
	}
	return got.Changes, got.Notes, nil
}

// tagged reads tags as roll-outs.
type tagged struct {
	history *history
	match   []string
}

func (t tagged) Name() string { return "tags of " + t.history.repo.Path() }

func (t tagged) Deploys(ctx context.Context, w sources.Window) ([]localize.Deploy, error) {
	got, err := t.history.repo.Tags(ctx, gitrepo.TagRange{Since: w.From, Until: w.To, Services: slices.Clone(t.history.services), Match: t.match})
	if err == nil && len(got.Notes) > 0 {
		return got.Deploys, &sources.Incomplete{Source: t.Name(), Missing: got.Notes}
	}
	return got.Deploys, err
}
