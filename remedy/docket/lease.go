package docket

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// errLost means that the record is not this worker's any more: somebody moved it on, or took it over.
var errLost = errors.New("the record is not this worker's any more")

// work is one worker's hold on one record. The heartbeat updates the record beside the work itself.
type work struct {
	d           *Desk
	token       string
	fingerprint string
	mu          sync.Mutex
	last        *Record // as last stored
}

// record is the record as last seen.
func (w *work) record() *Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// update changes the record while it is this worker's, and keeps it for another while.
func (w *work) update(ctx context.Context, change func(*Record) error) error {
	r, err := w.d.update(ctx, w.fingerprint, func(r *Record) error {
		if r.Lease == nil || r.Lease.Owner != w.token {
			return errLost
		}
		lease := r.Lease
		if err := change(r); err != nil {
			return err
		}
		lease.Until = w.d.Now().Add(w.d.Settings.withDefaults().Lease)
		r.Lease = lease // moving on to another stage lets go of it
		return nil
	})
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			return errLost
		}
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Revision > w.last.Revision { // of two updates at a time the one stored first may come back last
		w.last = r
	}
	return nil
}

// beat keeps the lease until ctx ends, and ends the work when it is lost.
func (w *work) beat(ctx context.Context, lost context.CancelCauseFunc) {
	t := time.NewTicker(w.d.Settings.withDefaults().Lease / 4)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if err := w.update(ctx, func(*Record) error { return nil }); errors.Is(err, errLost) {
				lost(errLost)
				return
			}
		}
	}
}

// take gets hold of a record for as long as there is work on it. It returns nil when there is none, or when
// somebody else has it; then it is looked at again after that one's lease.
func (d *Desk) take(ctx context.Context, fingerprint string) (*work, error) {
	now := d.Now()
	w := &work{d: d, fingerprint: fingerprint, token: fmt.Sprintf("%s/%d", d.Owner, d.takes.Add(1))}
	var other *Lease
	taken := false
	r, err := d.update(ctx, fingerprint, func(r *Record) error {
		other, taken = nil, false
		dead := d.Alone && r.Lease != nil && !strings.HasPrefix(r.Lease.Owner, d.Owner+"/")
		if r.Lease != nil && now.Before(r.Lease.Until) && !dead {
			other = r.Lease
			return errUnchanged
		}
		if !d.pending(r) || r.waitsOut(now) {
			return errUnchanged
		}
		taken = true
		r.Lease = &Lease{Owner: w.token, Until: now.Add(d.Settings.withDefaults().Lease)}
		return nil
	})
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil // erased
	case err != nil:
		return nil, err
	case other != nil:
		wait := other.Until.Sub(now) + time.Second
		t := Task{Kind: CaseTask, Case: fingerprint, ID: fmt.Sprintf("after/%s/%s/%d", fingerprint, other.Owner, other.Until.UnixNano())}
		return nil, d.Queue.PublishAfter(ctx, t, wait)
	case !taken:
		return nil, nil
	}
	w.last = r
	return w, nil
}

// handleCase works on a record until there is nothing left to do.
func (d *Desk) handleCase(ctx context.Context, t Task) error {
	const rounds = 20 // each ends with the record further on; more would be a loop
	for range rounds {
		w, err := d.take(ctx, t.Case)
		if err != nil || w == nil {
			return err
		}
		if err := w.do(ctx); err != nil {
			return err
		}
	}
	return d.nudge(ctx, t.Case)
}

// do works with the lease in hand and lets go of it in the end.
func (w *work) do(ctx context.Context) error {
	working, stop := context.WithCancelCause(ctx)
	beating := make(chan struct{})
	go func() {
		defer close(beating)
		w.beat(working, stop)
	}()
	err := guarded(func() error { return w.advance(working) })
	if errors.Is(context.Cause(working), errLost) {
		err = errLost
	}
	stop(nil)
	<-beating
	switch {
	case errors.Is(err, errLost):
		return nil // whoever moved the record asked for the work that is to follow
	case ctx.Err() != nil:
		// The process stops. Another takes over at once if the lease can still be given back.
		return errors.Join(ctx.Err(), w.release(context.WithoutCancel(ctx)))
	case err != nil:
		ended, failed := w.failed(ctx, err)
		if ended && failed == nil {
			return nil // the record says so itself, and a retry begins anew
		}
		return errors.Join(err, failed)
	}
	return w.release(ctx)
}

// release gives the record back.
func (w *work) release(ctx context.Context) error {
	_, err := w.d.update(ctx, w.fingerprint, func(r *Record) error {
		if r.Lease == nil || r.Lease.Owner != w.token {
			return errUnchanged
		}
		r.Lease = nil
		if r.Stage == Running { // stopped in the middle, which is not the case's fault
			r.Stage, r.Progress, r.Attempt = Queued, "", max(r.Attempt-1, 0)
		}
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// failed notes why the work did not go on, and ends the record when it was tried often enough.
func (w *work) failed(ctx context.Context, why error) (gone bool, err error) {
	d := w.d
	text := d.clean(why.Error())
	var ended *Record
	away := false
	stored, err := d.update(ctx, w.fingerprint, func(r *Record) error {
		ended, away = nil, false
		if r.Lease == nil || r.Lease.Owner != w.token {
			return errUnchanged
		}
		now := d.Now()
		r.Lease = nil
		working := r.Stage == Queued || r.Stage == Running || r.Stage == Writing
		if errors.Is(why, ErrAway) && working {
			if r.Away.IsZero() {
				r.Away = now
			}
			if away = now.Sub(r.Away) < maxAway; away {
				r.Again = now.Add(min(max(now.Sub(r.Away), time.Minute), 30*time.Minute))
				if r.Failure != text {
					r.Failure = text
					r.note(now, "failure", text)
				}
				if r.Stage == Running {
					r.Stage, r.Progress, r.Attempt = Queued, "", max(r.Attempt-1, 0)
				}
				return nil
			}
		} else {
			r.Away = time.Time{}
		}
		r.Failure = text
		r.Failures++
		r.note(now, "failure", text)
		most := d.Settings.withDefaults().Attempts
		if working && (r.Failures >= most || !r.Away.IsZero()) {
			// Deliveries of the task are not counted: a process that dies is not the case's fault.
			tried := fmt.Sprintf("%d attempts", r.Failures)
			if !r.Away.IsZero() {
				tried = now.Sub(r.Away).Round(time.Minute).String()
			}
			r.to(Failed, now, "given up after %s; mend what the failure names, then ask for a retry", tried)
			ended = r
		} else if r.Stage == Running {
			r.Stage, r.Progress = Queued, ""
		}
		return nil
	})
	if ended != nil && err == nil {
		d.observe(Observation{Kind: "failed", Record: ended, Err: why})
		// What people are told of the end is work as well.
		return true, d.nudge(ctx, ended.Fingerprint)
	}
	if away && err == nil {
		d.Log.WarnContext(ctx, "a case waits for what cannot be reached", "case", stored.Fingerprint, "since", stored.Away, "again", stored.Again, "error", why)
		t := Task{Kind: CaseTask, Case: stored.Fingerprint, ID: fmt.Sprintf("away/%s/%d", stored.Fingerprint, stored.Revision)}
		return true, d.Queue.PublishAfter(ctx, t, stored.Again.Sub(d.Now()))
	}
	return false, err
}

// maxAway is for how long a case waits for what cannot be reached.
const maxAway = 24 * time.Hour

// waitsOut says that the record is not to be worked on yet, since what it needs could not be reached just now.
func (r *Record) waitsOut(now time.Time) bool {
	return now.Before(r.Again) && (r.Stage == Queued || r.Stage == Writing)
}

// guarded turns a panic into an error, so that one poisonous case does not end the service.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v\n%s", p, cut(string(debug.Stack()), 600))
		}
	}()
	return do()
}
