package docket

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Sweep looks after what no task comes for: records whose worker is gone, holds that end by time or because another
// case ended, pull requests whose webhooks were missed, and what is old enough to be erased. Call it at the start
// and every minute or so; several processes may. One record that cannot be handled does not stop the others.
func (d *Desk) Sweep(ctx context.Context) error {
	d.sweeping.Lock()
	defer d.sweeping.Unlock()
	all, err := d.Store.List(ctx)
	if err != nil {
		return fmt.Errorf("listing the cases: %w", err)
	}
	now, set := d.Now(), d.Settings.withDefaults()
	reconcile := d.reconciled.IsZero() || now.Sub(d.reconciled) >= set.Reconcile
	known := map[string]*Record{}
	var failed error
	for _, r := range all {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		known[r.Fingerprint] = r
		if r.Revision == 0 {
			d.Log.WarnContext(ctx, "a stored case is damaged", "case", r.Fingerprint, "error", r.Failure)
			continue
		}
		if err := guarded(func() error { return d.sweepRecord(ctx, r, reconcile) }); err != nil {
			failed = errors.Join(failed, fmt.Errorf("case %s: %w", r.Fingerprint, err))
		}
	}
	if reconcile && failed == nil {
		d.reconciled = now
	}
	return errors.Join(failed, d.sweepLedgers(ctx, known), d.sweepInbox(ctx))
}

func (d *Desk) sweepRecord(ctx context.Context, r *Record, reconcile bool) error {
	now, set := d.Now(), d.Settings.withDefaults()
	if reconcile && r.open() {
		if err := d.reconcile(ctx, r); err != nil {
			return err
		}
	}
	switch {
	case d.expired(r, set.KeepCases):
		return d.erase(ctx, r)
	case r.Files != "" && d.expired(r, set.KeepFiles):
		return d.eraseFiles(ctx, r)
	case r.Stage == Held && r.Hold != nil && (r.Hold.Code == "limit" || r.Hold.Code == "overlap"):
		return d.releaseIfFree(ctx, r)
	case r.Stage == Held && r.Hold != nil && r.Hold.Code == "no_forge" && d.forge(r.Repository) != nil:
		return d.release(ctx, r, "there is access to a forge now")
	}
	free := r.Lease == nil || !now.Before(r.Lease.Until)
	if free && now.Sub(r.Updated) >= set.Lease && d.pending(r) && !r.waitsOut(now) {
		return d.Queue.Publish(ctx, Task{Kind: CaseTask, Case: r.Fingerprint, ID: "sweep/" + r.Fingerprint + "/" + strconv.FormatUint(r.Revision, 10) + "/" + now.UTC().Format("2006010215")})
	}
	return nil
}

// reconcile asks the forge about an open pull request and treats what it finds as the events that were missed.
func (d *Desk) reconcile(ctx context.Context, r *Record) error {
	f := d.forge(r.Repository)
	if f == nil {
		return nil
	}
	p, err := f.FindPull(ctx, r.Repository, r.Pull.Branch)
	if err != nil {
		return fmt.Errorf("looking for the pull request: %w", err)
	}
	if p == nil || p.Number != r.Pull.Number {
		return nil
	}
	e := ForgeEvent{Repository: r.Repository, Number: p.Number, Branch: p.Branch, Head: p.Head, Case: r.Fingerprint}
	switch {
	case p.State == "merged":
		e.Kind = PullMerged
		return d.pullMoved(ctx, r.Fingerprint, e)
	case p.State == "closed":
		e.Kind = PullClosed
		return d.pullMoved(ctx, r.Fingerprint, e)
	case p.Head != r.Pull.Head && (r.Stage == Proposed || r.Stage == Held):
		e.Kind = PullPushed
		return d.pullPushed(ctx, r.Fingerprint, e)
	}
	return nil
}

// releaseIfFree lets a record go on once its limit or overlap does not hold any more.
func (d *Desk) releaseIfFree(ctx context.Context, r *Record) error {
	if d.Now().Before(r.Hold.Until) {
		return nil
	}
	res, err := d.readResult(ctx, r)
	if err != nil {
		return err
	}
	l, _, err := claimValue[ledger](ctx, d, ledgerKey(r.Repository))
	if err != nil {
		return err
	}
	if l.wait(r, res.Rules, res.Rules.Bypass, d.Now()) != nil {
		return nil
	}
	return d.release(ctx, r, "there is room now")
}

// release lets a held record go on, unless it is held for another reason by now.
func (d *Desk) release(ctx context.Context, r *Record, why string) error {
	_, err := d.change(ctx, r.Fingerprint, func(now *Record) error {
		if now.Stage != Held || now.Hold == nil || now.Hold.Code != r.Hold.Code {
			return errUnchanged
		}
		now.to(Writing, d.Now(), "%s", why)
		return nil
	})
	return err
}

// expired says whether a record has been at its end for so long. What waits for a person comes to its
// end by waiting, unless something of it is open outside.
func (d *Desk) expired(r *Record, keep time.Duration) bool {
	switch {
	case r.open():
		return false
	case r.Stage.Ended():
		return d.Now().Sub(latest(r.Ended, r.LastAlert)) >= keep
	case r.Stage == Held || r.Stage == Proposed:
		return d.Now().Sub(latest(r.Updated, r.LastAlert)) >= keep
	}
	return false
}

func (d *Desk) eraseFiles(ctx context.Context, r *Record) error {
	for _, prefix := range []string{"cases/" + r.Fingerprint + "/", "results/" + r.Fingerprint + "/", "alerts/" + r.Fingerprint + "/"} {
		if err := deleteBlobs(ctx, d.Blobs, prefix); err != nil {
			return fmt.Errorf("erasing files: %w", err)
		}
	}
	_, err := d.update(ctx, r.Fingerprint, func(r *Record) error {
		r.Files, r.Result = "", ""
		r.note(d.Now(), "stage", "the files were erased, as the retention asks for")
		return nil
	})
	return err
}

// erase removes everything that is kept of a case. The record goes last, so that an interrupted erasure goes on
// with the next sweep.
func (d *Desk) erase(ctx context.Context, r *Record) error {
	for _, prefix := range []string{"cases/" + r.Fingerprint + "/", "results/" + r.Fingerprint + "/", "alerts/" + r.Fingerprint + "/"} {
		if err := deleteBlobs(ctx, d.Blobs, prefix); err != nil {
			return fmt.Errorf("erasing files: %w", err)
		}
	}
	if r.Summary != nil {
		if err := d.disown(ctx, r.Fingerprint, r.Summary.Causes); err != nil {
			return fmt.Errorf("erasing claims: %w", err)
		}
	}
	if err := d.Store.Delete(ctx, r.Fingerprint); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("erasing the record: %w", err)
	}
	d.Log.InfoContext(ctx, "a case was erased, as the retention asks for", "case", r.Fingerprint)
	return nil
}

// sweepLedgers frees places that are taken by cases which are gone or have nothing open.
func (d *Desk) sweepLedgers(ctx context.Context, known map[string]*Record) error {
	keys, err := d.Claims.ClaimKeys(ctx, ledgerKey(""))
	if err != nil {
		return err
	}
	var failed error
	for _, k := range keys {
		failed = errors.Join(failed, changeClaim(ctx, d, k, func(l *ledger) error {
			changed := false
			for i := range l.Entries {
				e := &l.Entries[i]
				r := known[e.Case]
				// A record that was opened after the list was read is not in it; an hour is enough to tell.
				gone := r == nil && d.Now().Sub(e.At) > window
				if e.Open && (gone || r != nil && r.Stage.Ended() && !r.open()) {
					e.Open, changed = false, true
				}
			}
			before := len(l.Entries)
			l.prune(d.Now())
			if !changed && len(l.Entries) == before {
				return errUnchanged
			}
			return nil
		}))
	}
	return failed
}

// sweepInbox erases bodies of alerts whose tasks were given up.
func (d *Desk) sweepInbox(ctx context.Context) error {
	const keep = 7 * 24 * time.Hour
	names, err := d.Blobs.BlobNames(ctx, inbox)
	if err != nil {
		return err
	}
	for _, n := range names {
		at, _, _ := strings.Cut(strings.TrimPrefix(n, inbox), "-")
		if ns, err := strconv.ParseInt(at, 10, 64); err != nil || d.Now().Sub(time.Unix(0, ns)) < keep {
			continue
		}
		if err := d.Blobs.DeleteBlob(ctx, n); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
