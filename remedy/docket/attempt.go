package docket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy"
)

// result is what has to survive between a run and what is written outside.
type result struct {
	Repository string   `json:"repository"`
	Target     string   `json:"target"` // branch
	Title      string   `json:"title"`
	Labels     []string `json:"labels,omitempty"`
	Reviewers  []string `json:"reviewers,omitempty"`
	Change     Change   `json:"change"`
	Rules      Rules    `json:"rules"`
	Lines      []Touch  `json:"lines,omitempty"` // changed lines, as they stand after the change
}

// advance does what the stage asks for.
func (w *work) advance(ctx context.Context) error {
	switch w.record().Stage {
	case Queued, Running:
		if err := w.started(ctx); err != nil {
			return err
		}
		return w.attempt(ctx)
	case Writing:
		return w.write(ctx)
	}
	return w.settle(ctx)
}

// maxDeaths is how many processes may die over one case before it is taken for what kills them. A rolling update, a node
// that runs out of memory over something else, and an operator in a hurry stay well below.
const maxDeaths = 20

// attempt has the case worked out once.
func (w *work) attempt(ctx context.Context) error {
	d := w.d
	most := d.Settings.withDefaults().Attempts
	gone := false
	err := w.update(ctx, func(r *Record) error {
		now := d.Now()
		if r.Stage == Running {
			// The process died, since a failure that it lived through would have been noted as one. That is
			// seldom the case's fault; only one that dies again and again may be what kills the service.
			r.Deaths++
			r.Attempt = max(r.Attempt-1, 0)
		}
		if gone = r.Attempt >= most || r.Deaths >= maxDeaths; gone {
			r.Failure = fmt.Sprintf("%d runs ended without a result; the service may have been killed by them", r.Attempt+r.Deaths)
			r.Deaths = 0
			r.to(Failed, now, "given up after %d attempts; see the service's log, then ask for a retry", r.Runs)
			return nil
		}
		r.Stage, r.Progress = Running, string(remedy.Received)
		r.Attempt++
		r.Runs++
		r.note(now, "stage", fmt.Sprintf("running: attempt %d", r.Attempt))
		return nil
	})
	if err != nil {
		return err
	}
	if gone {
		d.observe(Observation{Kind: "failed", Record: w.record()})
		return nil
	}
	r := w.record()
	alert, err := d.alertOf(ctx, r)
	if err != nil {
		return err
	}
	begun := d.Now()
	var res *RunResult
	err = guarded(func() (err error) {
		res, err = d.Runner.Run(ctx, RunRequest{Record: r, Alert: alert, Located: w.located, Progress: w.progress(ctx)})
		return err
	})
	if cause := context.Cause(ctx); cause != nil {
		err = errors.Join(cause, err)
	}
	if err == nil && (res == nil || res.Case == nil) {
		err = errors.New("the run ended without a case")
	}
	d.observe(Observation{Kind: "ran", Record: r, Elapsed: d.Now().Sub(begun), Err: err})
	if res != nil && res.Close != nil {
		defer func() {
			if err := res.Close(); err != nil {
				d.Log.WarnContext(ctx, "the files of a run were not cleaned up", "case", r.Fingerprint, "error", err)
			}
		}()
	}
	if err != nil {
		return fmt.Errorf("working the case out: %w", err)
	}
	return w.finish(ctx, res, r.Incident.Severity, d.Now().Sub(begun))
}

func (d *Desk) alertOf(ctx context.Context, r *Record) (Alert, error) {
	a := Alert{Source: r.AlertSource, Format: r.AlertFormat, At: r.FirstAlert}
	var err error
	// An erased body is no obstacle: the record holds what the alert said.
	if a.Body, err = readBlob(ctx, d.Blobs, r.AlertBlob); err != nil && !errors.Is(err, ErrNotFound) {
		return a, fmt.Errorf("reading the alert that opened the case: %w", err)
	}
	return a, nil
}

// progress notes where the pipeline is. Notes come in bursts, so only some of them are stored.
func (w *work) progress(ctx context.Context) func(remedy.State, string) {
	const apart = 2 * time.Second
	var state remedy.State
	var stored time.Time
	return func(s remedy.State, note string) {
		now := w.d.Now()
		if s == state && now.Sub(stored) < apart {
			return
		}
		state, stored = s, now
		text := string(s)
		if note != "" {
			text += ": " + cut(w.d.clean(note), 200)
		}
		// Progress is for those who watch: a failure to store it is no failure of the run.
		err := w.update(ctx, func(r *Record) error { r.Progress = text; return nil })
		if err == nil {
			err = w.perform(ctx) // answers to what people asked in the meantime need not wait for the end
		}
		if err != nil && !errors.Is(err, errLost) {
			w.d.Log.DebugContext(ctx, "progress was not told", "case", w.fingerprint, "error", w.d.clean(err.Error()))
		}
	}
}

// finish keeps what a run brought and decides where the record goes. The severity is the one the rules were read for.
func (w *work) finish(ctx context.Context, res *RunResult, severity incident.Severity, elapsed time.Duration) error {
	d, r, c := w.d, w.record(), res.Case
	if c.Declined != nil && (c.Declined.Code == joinedCode || c.Declined.Code == cameBackCode) {
		return w.endLocated(ctx, c)
	}
	if c.Declined == nil && (c.Commit == nil || res.Change == nil) {
		return errors.New("the run proposes a change and does not bring it")
	}
	if r.Recheck != nil {
		return w.recheck(ctx, c)
	}
	if c.Declined != nil && r.open() {
		return w.update(ctx, func(r *Record) error {
			r.hold("stale", d.Now(), "worked out anew on %s the case ended with %q, so the pull request stands for %s only; merge or reject it, or retry later", short(c.Base.Commit), c.Declined.Code, short(r.Pull.Base))
			return nil
		})
	}
	files := fmt.Sprintf("cases/%s/%d/", r.Fingerprint, r.Runs)
	if err := archive(ctx, d.Blobs, res.Dir, files); err != nil {
		return err
	}
	var lines []Touch
	sum := summarize(c, res, elapsed)
	sum.Severity = string(severity)
	if c.Declined == nil {
		var err error
		if sum.Touches, lines, err = touches(c.Patch.Diff); err != nil {
			return fmt.Errorf("reading the patch: %w", err)
		}
	}
	blob := ""
	if c.Declined == nil {
		blob = fmt.Sprintf("results/%s/%d.json", r.Fingerprint, r.Runs)
		data, err := json.Marshal(result{Repository: res.Repository, Target: c.Base.Branch, Title: c.Title, Labels: c.Commit.Labels, Reviewers: c.Commit.Reviewers,
			Change: *res.Change, Rules: res.Rules, Lines: lines})
		if err != nil {
			return err
		}
		if err := d.Blobs.PutBlob(ctx, blob, bytes.NewReader(data)); err != nil {
			return fmt.Errorf("keeping the change: %w", err)
		}
	}
	old := *r
	err := w.update(ctx, func(r *Record) error {
		r.Summary, r.Files, r.Result, r.Repository = sum, files, blob, res.Repository
		r.Deaths, r.Failures, r.Failure, r.Away, r.Again = 0, 0, "", time.Time{}, time.Time{}
		if c.Declined != nil {
			r.to(Declined, d.Now(), "%s", d.clean(c.Declined.Why))
			return nil
		}
		r.to(Writing, d.Now(), "worked out in %s", elapsed.Round(time.Second))
		return nil
	})
	if err != nil {
		return err
	}
	if c.Declined != nil {
		d.observe(Observation{Kind: "declined", Record: w.record(), Key: c.Declined.Code})
	}
	d.dropRun(ctx, &old)
	return nil
}

// dropRun erases what an earlier run left; if it fails, erasing the record does it.
func (d *Desk) dropRun(ctx context.Context, old *Record) {
	if old.Files == "" {
		return
	}
	err := deleteBlobs(ctx, d.Blobs, old.Files)
	if old.Result != "" {
		err = errors.Join(err, deleteBlobs(ctx, d.Blobs, old.Result))
	}
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "the files of an earlier run were not erased", "case", old.Fingerprint, "error", err)
	}
}

func summarize(c *remedy.Case, res *RunResult, elapsed time.Duration) *Summary {
	s := &Summary{Title: c.Title, State: c.State, Autonomy: lowest(c.Autonomy, res.Rules.Autonomy), Confidence: c.Confidence,
		Base: c.Base.Commit, Target: c.Base.Branch, Causes: causes(c), From: c.Evidence.From, To: c.Evidence.To, Elapsed: elapsed, DropBranch: res.Rules.DeleteStale}
	if len(c.Suspects) > 0 {
		s.Service, s.Culprit = c.Suspects[0].Service, c.Suspects[0].Commit
	}
	if d := c.Declined; d != nil {
		s.Decline, s.Why, s.Next = d.Code, d.Why, d.Next
		return s
	}
	s.Branch, s.Commit = c.Commit.Branch, c.Commit.SHA
	if c.Patch != nil {
		s.Rung, s.Recipe, s.Digest = string(c.Patch.Option.Rung), c.Patch.Option.Recipe, c.Patch.Digest
	}
	if c.Verdicts != nil {
		s.Proved, s.Why = c.Verdicts.Proved, c.Verdicts.Why
	}
	return s
}

// lowest is the smaller of two grades of autonomy; what is not known counts as the lowest.
func lowest(a, b remedy.Autonomy) remedy.Autonomy {
	if grade(a) < grade(b) {
		return a
	}
	return b
}

func grade(a remedy.Autonomy) int {
	switch a {
	case remedy.Branch:
		return 1
	case remedy.Draft:
		return 2
	case remedy.Ready:
		return 3
	}
	return 0
}

// readResult loads what is to be written outside.
func (d *Desk) readResult(ctx context.Context, r *Record) (*result, error) {
	if r.Result == "" {
		return nil, fmt.Errorf("case %s has nothing to write: %w", r.Fingerprint, ErrNotFound)
	}
	data, err := readBlob(ctx, d.Blobs, r.Result)
	if err != nil {
		return nil, fmt.Errorf("reading what is to be written: %w", err)
	}
	var res result
	if err := decode(r.Result, data, &res); err != nil {
		return nil, err
	}
	return &res, nil
}

func short(sha string) string { return sha[:min(len(sha), 12)] }
