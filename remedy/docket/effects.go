package docket

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/remedy"
)

// commandKey starts the keys of what answers a command.
const commandKey = "comment:command:"

// branchKey is the effect whose Ref lists the heads that this tool wrote, newest first.
const branchKey = "branch"

// todo is one outward effect that the record asks for. It is named without looking at anything but the record, so that
// everybody sees the same list.
type todo struct {
	key     string
	version string // "" where the effect never changes
	do      func(ctx context.Context, w *work, r *Record) (ref string, err error)
	// optional effects are given up when they are not permitted; the others hold the record.
	optional bool
}

// todos lists, in their order, the effects that the record asks for now.
func (d *Desk) todos(r *Record) []todo {
	var out []todo
	add := func(optional bool, key, version string, do func(context.Context, *work, *Record) (string, error)) {
		out = append(out, todo{key, version, do, optional})
	}
	if d.forge(r.Repository) != nil && r.Summary != nil {
		if r.Stage == Writing && r.Admitted == r.Summary.Commit {
			add(false, "evidence", r.Summary.Commit, putEvidence)
			add(false, branchKey, r.Summary.Commit, putBranch)
			if grade(r.Summary.Autonomy) >= grade(remedy.Draft) {
				add(false, "pull", r.Summary.Commit+" "+string(r.Summary.Autonomy), putPull)
			}
		}
		if r.Pull != nil {
			d.pullTodos(r, add)
		}
	}
	// A message whose case nobody was told of yet is not begun for an end that needs no one.
	if d.Notifier != nil && (worthTelling(r) || r.effect("notify") != nil) {
		add(true, "notify", noticeVersion(r), notify)
	}
	return out
}

// pullTodos lists what belongs to a pull request that is there.
func (d *Desk) pullTodos(r *Record, add func(bool, string, string, func(context.Context, *work, *Record) (string, error))) {
	if v := checkVersion(r); v != "" {
		add(true, "check", v, putCheck)
		if !strings.HasPrefix(v, "in_progress") {
			add(true, "status", v, putStatus)
		}
	}
	if r.Stage == Refused && r.open() && r.Decision != nil && r.Decision.Hold != stopCode {
		add(true, "close", "", closePull)
	}
	if (r.Stage == Merged || r.Stage == Refused) && !r.open() && r.Summary.DropBranch && !r.Pull.Human {
		add(true, "drop", r.Pull.Head, dropBranch)
	}
	for _, c := range standing {
		if c.when(r) {
			add(true, c.key, c.version(r), func(ctx context.Context, w *work, r *Record) (string, error) {
				body, err := c.body(ctx, w.d, r)
				if err != nil {
					return "", err
				}
				return "", w.comment(ctx, r, c.key, body)
			})
		}
	}
	for _, e := range r.Effects {
		if e.Body != "" && !e.Done {
			add(true, e.Key, "", func(ctx context.Context, w *work, r *Record) (string, error) {
				return "", w.comment(ctx, r, e.Key, e.Body)
			})
		}
	}
}

// patience is how long a message waits that could not be sent; meanwhile nothing else waits for it.
const patience = 5 * time.Minute

func (t todo) done(r *Record, now time.Time) bool {
	e := r.effect(t.key)
	if e == nil || e.Version != t.version {
		return false
	}
	return e.Done || t.key == "notify" && now.Sub(e.At) < patience
}

// pending says whether there is work on the record.
func (d *Desk) pending(r *Record) bool {
	switch r.Stage {
	case Queued, Running, Writing:
		return true
	}
	for _, t := range d.todos(r) {
		if !t.done(r, d.Now()) {
			return true
		}
	}
	return false
}

// write brings a worked-out case outside.
func (w *work) write(ctx context.Context) error {
	d, r := w.d, w.record()
	if r.Summary == nil || r.Summary.Commit == "" {
		return w.update(ctx, func(r *Record) error { r.again(d.Now(), "there is nothing worked out yet"); return nil })
	}
	res, err := d.readResult(ctx, r)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
		return w.update(ctx, func(r *Record) error { r.again(d.Now(), "what was worked out is gone"); return nil })
	}
	if err != nil {
		return err
	}
	if ok, err := w.gate(ctx, res); err != nil || !ok {
		return err
	}
	if err := w.perform(ctx); err != nil {
		return w.refusal(ctx, err)
	}
	if w.record().Stage != Writing {
		return nil
	}
	r = w.record()
	err = w.update(ctx, func(r *Record) error {
		what := "the branch " + r.Summary.Branch
		if r.Pull != nil {
			what = fmt.Sprintf("pull request %d", r.Pull.Number)
		}
		r.Rebases, r.Failures, r.Failure, r.Away, r.Again = 0, 0, "", time.Time{}, time.Time{}
		r.to(Proposed, d.Now(), "%s", what)
		return nil
	})
	if err != nil {
		return err
	}
	d.observe(Observation{Kind: "proposed", Record: w.record(), Elapsed: d.Now().Sub(r.FirstAlert)})
	return nil
}

// settle makes the effects of a record that is not being written.
func (w *work) settle(ctx context.Context) error {
	if err := w.perform(ctx); err != nil {
		return w.refusal(ctx, err)
	}
	return nil
}

// started shows on the pull request that the case is worked out anew.
func (w *work) started(ctx context.Context) error { return w.settle(ctx) }

// perform makes all effects that are not done. Each is stored as begun before, and as done after it.
func (w *work) perform(ctx context.Context) error {
	for range maxEffects {
		r := w.record()
		var next *todo
		for _, t := range w.d.todos(r) {
			if !t.done(r, w.d.Now()) {
				next = &t
				break
			}
		}
		if next == nil {
			return nil
		}
		if err := w.effect(ctx, *next); err != nil {
			return err
		}
	}
	return fmt.Errorf("more than %d effects at a time", maxEffects)
}

// effect makes one effect.
func (w *work) effect(ctx context.Context, t todo) error {
	d := w.d
	err := w.update(ctx, func(r *Record) error {
		e := r.effect(t.key)
		if e == nil {
			r.Effects = append(r.Effects, Effect{Key: t.key})
			e = &r.Effects[len(r.Effects)-1]
		}
		if t.key == branchKey && !e.Done && e.Version != "" && e.Version != t.version {
			// The branch may already point to what was begun and never noted as done.
			e.Ref = strings.Join(strings.Fields(e.Version + " " + e.Ref)[:min(len(strings.Fields(e.Ref))+1, 5)], " ")
		}
		e.At, e.Done, e.Version = d.Now(), false, t.version
		return nil
	})
	if err != nil {
		return err
	}
	begun := d.Now()
	ref, err := t.do(ctx, w, w.record())
	d.observe(Observation{Kind: "effect", Record: w.record(), Key: t.key, Elapsed: d.Now().Sub(begun), Err: err})
	if t.key == "notify" && err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "people could not be told; it is tried again later", "case", w.fingerprint, "error", d.clean(err.Error()))
		return nil
	}
	given := ""
	if t.optional && (errors.Is(err, ErrForbidden) || errors.Is(err, ErrHumanCommits)) {
		// Nothing is worth holding the case for which is only said about it.
		d.Log.WarnContext(ctx, "an effect was given up", "case", w.fingerprint, "effect", t.key, "error", d.clean(err.Error()))
		given, err = d.clean(err.Error()), nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", t.key, err)
	}
	return w.update(ctx, func(r *Record) error {
		e := r.effect(t.key)
		if e == nil {
			return errLost
		}
		e.At, e.Done, e.Body = d.Now(), true, ""
		if ref != "" {
			e.Ref = ref
		}
		text := t.key + " done"
		if given != "" {
			text = t.key + " given up: " + given
		}
		r.note(e.At, "effect", text)
		return nil
	})
}

// refusal turns answers of the forge into stages; other errors are returned.
func (w *work) refusal(ctx context.Context, err error) error {
	const rebases = 3 // of one case in a row, before somebody has to look at it
	d := w.d
	code, why := "", ""
	switch r := w.record(); {
	case errors.Is(err, ErrHumanCommits):
		code, why = "human_commits", "the branch carries a commit of a person and is left alone; go on by hand, or remove that commit and retry"
	case errors.Is(err, ErrForbidden):
		code, why = "forbidden", "the forge does not permit it; grant what is missing, then approve: "+d.clean(err.Error())
	case errors.Is(err, ErrBaseMoved) && r.Rebases >= rebases:
		code, why = "base_moves", "the target branch moved "+strconv.Itoa(r.Rebases+1)+" times while the case was worked out; retry when it is quieter"
	case errors.Is(err, ErrBaseMoved):
		return w.update(ctx, func(r *Record) error {
			r.Rebases++
			r.again(d.Now(), "the target branch moved on")
			return nil
		})
	default:
		return err
	}
	err = w.update(ctx, func(r *Record) error {
		if code == "human_commits" && r.Pull != nil {
			r.Pull.Human = true
		}
		r.hold(code, d.Now(), "%s", why)
		return nil
	})
	if err == nil {
		d.observe(Observation{Kind: "held", Record: w.record(), Key: code})
	}
	return err
}

func worthTelling(r *Record) bool {
	switch r.Stage {
	case Held, Proposed, Merged, Refused, Failed:
		return true
	}
	return false
}

// noticeVersion changes whenever there is something new to tell.
func noticeVersion(r *Record) string {
	v := string(r.Stage)
	if r.Hold != nil {
		v += " " + r.Hold.Code + " " + r.Hold.Since.UTC().Format(time.RFC3339)
	}
	if r.Summary != nil {
		v += " " + r.Summary.Commit
	}
	if r.Decision != nil {
		v += " " + r.Decision.At.UTC().Format(time.RFC3339)
	}
	if !r.Resolved.IsZero() {
		v += " resolved"
	}
	return v
}
