package docket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxHistory and maxEffects bound a record.
const (
	maxHistory = 200
	maxEffects = 300
	maxMembers = 1000
)

// errUnchanged is what a change returns when there is nothing to store.
var errUnchanged = errors.New("nothing to change")

// update reads a record, lets change decide and writes it, as often as somebody else wrote in between. It returns
// the record as stored. change must depend on nothing but the record it is given.
func (d *Desk) update(ctx context.Context, fingerprint string, change func(*Record) error) (*Record, error) {
	const rounds = 100 // with many writers one of them always gets through
	for range rounds {
		r, err := d.Store.Get(ctx, fingerprint)
		if err != nil {
			return nil, err
		}
		if err := change(r); errors.Is(err, errUnchanged) {
			return r, nil
		} else if err != nil {
			return r, err
		}
		r.Updated = d.Now()
		r.bound()
		err = d.Store.Put(ctx, r)
		if !errors.Is(err, ErrConflict) {
			return r, err
		}
	}
	return nil, fmt.Errorf("record %s: %w, %d times in a row", fingerprint, ErrConflict, rounds)
}

// nudge asks for work on a record. The record says what is to be done, so one nudge too many does nothing.
func (d *Desk) nudge(ctx context.Context, fingerprint string) error {
	return d.Queue.Publish(ctx, Task{Kind: CaseTask, Case: fingerprint})
}

// change updates a record from outside its worker and asks for work on it.
func (d *Desk) change(ctx context.Context, fingerprint string, change func(*Record) error) (*Record, error) {
	r, err := d.update(ctx, fingerprint, change)
	if err != nil {
		return r, err
	}
	return r, d.nudge(ctx, fingerprint)
}

// to moves a record to a stage. Whoever works on it notices, since the lease is gone; a worker that goes on
// itself takes its lease along.
func (r *Record) to(s Stage, now time.Time, format string, args ...any) {
	r.Stage, r.Progress, r.Lease = s, "", nil
	if s != Held {
		r.Hold = nil
	}
	r.Ended = time.Time{}
	if s.Ended() {
		r.Ended = now
	}
	r.note(now, "stage", fmt.Sprintf(string(s)+": "+format, args...))
}

// hold stops a record until a person or time lets it go on.
func (r *Record) hold(code string, now time.Time, format string, args ...any) {
	r.Hold = &Hold{Code: code, Why: fmt.Sprintf(format, args...), Since: now}
	h := r.Hold
	r.to(Held, now, "%s: %s", code, r.Hold.Why)
	r.Hold = h
}

// again has the case worked out anew from the start.
func (r *Record) again(now time.Time, format string, args ...any) {
	r.Attempt, r.Deaths, r.Failures = 0, 0, 0
	r.Admitted, r.Failure, r.Recheck = "", "", nil
	r.Away, r.Again = time.Time{}, time.Time{}
	r.to(Queued, now, format, args...)
}

func (r *Record) note(now time.Time, kind, text string) { r.noteBy(now, kind, text, "") }

func (r *Record) noteBy(now time.Time, kind, text, by string) {
	r.History = append(r.History, Event{At: now, Kind: kind, Text: cut(text, 500), By: cut(by, 100)})
}

// say queues the text of a comment, unless one with this key was queued before; it says whether it did.
func (r *Record) say(now time.Time, key, body string) bool {
	if r.effect(key) != nil {
		return false
	}
	r.Effects = append(r.Effects, Effect{Key: key, At: now, Body: cut(body, maxComment)})
	return true
}

func (r *Record) effect(key string) *Effect {
	for i := range r.Effects {
		if r.Effects[i].Key == key {
			return &r.Effects[i]
		}
	}
	return nil
}

func (r *Record) clear(code string) {
	if !slices.Contains(r.Cleared, code) {
		r.Cleared = append(r.Cleared, code)
	}
}

// bound drops the oldest of what grows.
func (r *Record) bound() {
	if n := len(r.History) - maxHistory; n > 0 {
		r.History = slices.Delete(r.History, 0, n)
	}
	r.Members = r.Members[:min(len(r.Members), maxMembers)]
	for n := len(r.Effects) - maxEffects; n > 0; n-- {
		i := slices.IndexFunc(r.Effects, func(e Effect) bool { return e.Done && strings.HasPrefix(e.Key, commandKey) })
		if i < 0 {
			break
		}
		r.Effects = slices.Delete(r.Effects, i, i+1)
	}
}

// open says whether a pull request is there that is neither merged nor closed.
func (r *Record) open() bool { return r.Pull != nil && r.Pull.State == "open" }

// cut shortens a text to a number of bytes, at the end of a character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most-len("...")], "") + "..."
}
