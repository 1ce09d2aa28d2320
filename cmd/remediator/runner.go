package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/internal/casedir"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/selftelemetry"
	"github.com/remediator/remediator/internal/workbench"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
)

// caseRunner works out the cases of serve by the same pipeline as run: evidence from the telemetry
// window, code from a mirror of the repository. It implements docket.Runner.
type caseRunner struct {
	// evidence gathers the telemetry of a case into a bundle, and closes it.
	evidence  func(ctx context.Context, rec *docket.Record, alert []byte, to *drawn) (localize.Evidence, error)
	repos     *repositories
	fence     *sandbox.Sandbox
	key       *attest.Key
	work      string // directory for the files of cases that are being worked out
	recipes   func(config.Model) ([]patch.Recipe, error)
	telemetry *selftelemetry.Telemetry
	log       *slog.Logger
}

// Run implements docket.Runner.
func (r *caseRunner) Run(ctx context.Context, q docket.RunRequest) (*docket.RunResult, error) {
	rec := q.Record
	q.Progress(remedy.Received, "waiting for telemetry of the incident")
	raw, err := newDrawn(filepath.Join(r.work, rec.Fingerprint+".telemetry"), q.Alert.Body)
	if err != nil {
		return nil, err
	}
	ev, err := r.evidence(ctx, rec, q.Alert.Body, raw)
	if err != nil {
		return nil, fmt.Errorf("telemetry of the incident: %w", err)
	}
	q.Progress(remedy.Gathered, "")
	named := rec.Repository // of an earlier attempt
	if named == "" {
		named = r.repos.source(q.Alert.Source)
	}
	repo, missing := r.repos.choose(ctx, rec.Incident, ev, named)
	if missing != nil && !errors.Is(missing, errNoRepository) {
		return nil, missing
	}
	dir, err := casedir.Open(filepath.Join(r.work, rec.Fingerprint))
	if err != nil {
		return nil, err
	}
	var res *docket.RunResult
	if missing != nil {
		res, err = nowhere(rec, missing, dir)
	} else {
		res, err = r.inside(ctx, q, ev, repo, dir)
	}
	if err == nil {
		err = r.keep(raw, dir.Path)
	}
	if err != nil {
		return nil, errors.Join(err, discard(dir))
	}
	res.Close = func() error { return discard(dir) }
	return res, nil
}

// discard closes a case's directory and removes it: what is to be kept has been archived.
func discard(dir *casedir.Dir) error { return errors.Join(dir.Close(), os.RemoveAll(dir.Path)) }

func (r *caseRunner) inside(ctx context.Context, q docket.RunRequest, ev localize.Evidence, repo chosen, dir *casedir.Dir) (*docket.RunResult, error) {
	p, clone, err := newPipeline(ctx, pipelineOptions{repository: repo.clone, branch: repo.Branch, dir: dir, fence: r.fence, key: r.key, observer: progress(q.Progress)})
	if err != nil {
		return nil, err
	}
	conf := clone.Config()
	if p.Recipes, err = r.recipes(conf.Model); err != nil {
		return nil, err
	}
	p.Settings.Round = q.Record.Round
	severity := string(q.Record.Incident.Severity)
	p.Located = func(ctx context.Context, c *remedy.Case) (*remedy.Decline, error) {
		c.Autonomy = lesser(remedy.Autonomy(repo.Autonomy), remedy.Autonomy(conf.AutonomyOf(c.Suspects[0].Service, severity)))
		return q.Located(ctx, c)
	}
	observer, done, err := r.telemetry.Observe(ctx, p.Observer, r.log)
	if err != nil {
		return nil, err
	}
	p.Observer = observer
	in := q.Record.Incident
	c, err := p.Run(ctx, remedy.Input{Alert: q.Alert.Body, Incident: &in, Evidence: ev})
	done(c, err)
	if err != nil {
		return nil, err
	}
	res := &docket.RunResult{Case: c, Repository: repo.Name, Dir: dir.Path, Rules: rules(conf, c)}
	if c.Commit != nil {
		if res.Change, err = change(clone, c); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// change takes the proposed commit out of the clone.
func change(repo *workbench.Repository, c *remedy.Case) (*docket.Change, error) {
	raw, err := repo.Clone().CommitObject(c.Commit.SHA)
	if err != nil {
		return nil, err
	}
	files, err := repo.Clone().Changes(c.Commit.SHA)
	if err != nil {
		return nil, err
	}
	out := &docket.Change{Base: c.Commit.Parent, Commit: raw, SHA: c.Commit.SHA, Tree: c.Commit.Tree, Message: c.Commit.Message}
	for _, f := range files {
		if f.New == nil {
			out.Files = append(out.Files, docket.FileChange{Path: f.Path, Deleted: true})
			continue
		}
		out.Files = append(out.Files, docket.FileChange{Path: f.Path, Mode: fmt.Sprintf("%06o", f.NewMode), Content: f.New})
	}
	return out, nil
}

// nowhere is the case of an incident that no served repository has anything to do with.
func nowhere(rec *docket.Record, why error, dir *casedir.Dir) (*docket.RunResult, error) {
	in := rec.Incident
	in.Labels, in.Annotations = nil, nil
	c := &remedy.Case{
		Schema: remedy.Schema, Tool: "remediator " + version(), State: remedy.Declined, Fingerprint: rec.Fingerprint, Incident: in,
		Title:    "An incident of which no repository is known",
		Suspects: []remedy.Suspect{}, Options: []remedy.Option{}, Timings: []remedy.Timing{}, Autonomy: remedy.Report,
		Declined: &remedy.Decline{Code: "no_repository", Why: why.Error(),
			Next: "name the service in a repository's " + config.File + ", or the repository of the alert's source in " + config.ServerFile},
	}
	var text bytes.Buffer
	if err := writeJSON(&text, c); err != nil {
		return nil, err
	}
	return &docket.RunResult{Case: c, Dir: dir.Path}, dir.Put(casedir.CaseFile, text.Bytes())
}

// progress passes the stages of a pipeline on.
type progress func(remedy.State, string)

func (p progress) Begin(stage remedy.State, _ *remedy.Case)      { p(stage, "") }
func (p progress) Note(text string)                              { p("", text) }
func (p progress) End(remedy.State, *remedy.Case, time.Duration) {}

var _ docket.Runner = (*caseRunner)(nil)
