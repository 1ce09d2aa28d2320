package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/otlp"
	"github.com/remediator/remediator/internal/sources"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/telemetry"
)

// gatherForRun fetches the telemetry of an alert from the servers that the configuration of the target branch names, into
// a directory that is gone after the run.
func gatherForRun(ctx context.Context, o runOptions, io stdio) (dir string, done func() error, err error) {
	alert, err := readAlert(o.alert, io)
	if err != nil {
		return "", nil, err
	}
	in, err := incident.Parse(alert)
	if err != nil {
		return "", nil, inputError(err)
	}
	c, err := openCode(ctx, o.repo, o.branch)
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	conf := c.repo.Config()
	if conf.Sources.Empty() {
		return "", nil, usage("--incident is required: %s of the target branch names no sources from which the telemetry of an alert could be fetched (docs/sources.md)", config.File)
	}
	h := &history{repo: c.repo.Clone(), owner: conf.Owner, services: conf.ServiceNames()}
	plan, err := sources.Open(conf.Sources, sources.Surroundings{Dir: o.repo}, func(d config.DeploySource) (sources.ChangeSource, error) { return tagged{h, d.Tags}, nil })
	if err != nil {
		return "", nil, inputError(err)
	}
	plan = plan.For(in, sources.AlertExpressions(alert))
	plan.Progress = func(line string) { fmt.Fprintln(io.err, harmless(line)) }
	tmp, err := os.MkdirTemp("", "remediator-incident-")
	if err != nil {
		return "", nil, machineError(err)
	}
	done = func() error { return os.RemoveAll(tmp) }
	dir = filepath.Join(tmp, "incident")
	sum, err := fillBundle(ctx, dir, plan, h, alert)
	for _, m := range sum.Missing {
		fmt.Fprintln(io.err, "missing:", harmless(m))
	}
	if err != nil {
		return "", nil, gatherError(ctx, errors.Join(err, done()))
	}
	return dir, done, nil
}

// gatherError gives the failure of a fetch its exit code.
func gatherError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, sources.ErrAlert):
		return inputError(err)
	case errors.Is(err, sources.ErrNothing) && ctx.Err() == nil:
		return coded(exitNo, err)
	}
	return machineError(err)
}

// checkSources finds out what the sources of a service's configuration lack on this machine: a variable, a file, a
// certificate. No server is asked.
func checkSources(conf config.Sources) error {
	_, err := sources.Open(conf, sources.Surroundings{}, nil)
	if err != nil {
		return fmt.Errorf("sources: %w", err)
	}
	return nil
}

// evidence is what a case of the service works on: from the servers that the configuration names, else, and where
// nothing could be had of them for whatever reason, from the telemetry that was received.
func (s *service) evidence(ctx context.Context, window *otlp.Window, rec *docket.Record, alert []byte, to *drawn) (ev localize.Evidence, err error) {
	conf := s.conf.Load()
	defer func() {
		ev.Incident.CorrelationKeys, ev.Baseline.CorrelationKeys = conf.Sources.CorrelationKeys, conf.Sources.CorrelationKeys
	}()
	var tried *telemetry.Note
	if !conf.Sources.Empty() {
		ev, err := s.fetched(ctx, conf, rec, alert, to)
		if err == nil || ctx.Err() != nil {
			return ev, errors.Join(err, ctx.Err())
		}
		s.log.WarnContext(ctx, "nothing of an incident was to be had of the configured sources; what was received by OTLP has to do", "case", rec.Fingerprint, "error", err)
		if err := errors.Join(to.w.Close(), to.renew(alert)); err != nil {
			return localize.Evidence{}, err // parts of a healthy window may have been written
		}
		tried = &telemetry.Note{Code: "sources", Text: "nothing was to be had of the configured sources: " + err.Error(), Count: 1}
	}
	o := conf.OTLP
	ev, err = window.Evidence(ctx, rec.Incident.StartsAt, otlp.Draw{Before: time.Duration(o.Before), After: time.Duration(o.After),
		Settle: time.Duration(o.Settle), Resolved: rec.Resolved, Sink: to.w})
	if tried != nil {
		ev.Incident.Notes = append(ev.Incident.Notes, *tried)
	}
	return ev, errors.Join(err, to.w.Close())
}

// fetched asks the configured sources.
func (s *service) fetched(ctx context.Context, conf *config.Server, rec *docket.Record, alert []byte, to *drawn) (localize.Evidence, error) {
	plan, err := sources.Open(conf.Sources, sources.Surroundings{}, nil)
	if err != nil {
		return localize.Evidence{}, err
	}
	in := rec.Incident
	in.EndsAt = rec.Resolved
	sum, err := sources.Gather(ctx, plan.For(in, sources.AlertExpressions(alert)), to.w)
	if err != nil {
		return localize.Evidence{}, err // what was received may still fill the bundle
	}
	if err := errors.Join(to.w.Context(nil, sum.Deploys, nil), to.w.Fetched(sum), to.w.Close()); err != nil {
		return localize.Evidence{}, err
	}
	b, err := bundle.Load(to.dir, bundle.Limits{})
	if err != nil {
		return localize.Evidence{}, err
	}
	return b.Evidence, nil
}
