package docket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

const breakerKey = "breaker"

// Breaker is the state of what holds everything when many cases open at once.
type Breaker struct {
	Openings []Opening `json:"openings,omitempty"` // the newest, within the time that counts
	Tripped  time.Time `json:"tripped,omitzero"`   // zero while nothing is held
	Why      string    `json:"why,omitempty"`
	// Reset says who let things go on last, and when; cases opened before do not count any more.
	Reset   time.Time `json:"reset,omitzero"`
	ResetBy string    `json:"reset_by,omitempty"`
}

// Opening is a new case.
type Opening struct {
	Case string    `json:"case"`
	At   time.Time `json:"at"`
}

// claimValue reads a claim into a value and returns its revision. A damaged claim reads as an empty one: it is
// written anew.
func claimValue[T any](ctx context.Context, d *Desk, key string) (v T, revision uint64, err error) {
	data, revision, err := d.Claims.Claim(ctx, key)
	if err != nil || data == nil {
		return v, revision, err
	}
	if err := json.Unmarshal(data, &v); err != nil {
		d.Log.WarnContext(ctx, "a stored value is damaged and starts anew", "key", key, "error", err)
		var empty T
		return empty, revision, nil
	}
	return v, revision, nil
}

// changeClaim reads a value, lets change decide and writes it, as often as somebody else wrote in between.
func changeClaim[T any](ctx context.Context, d *Desk, key string, change func(*T) error) error {
	const rounds = 100
	for range rounds {
		v, revision, err := claimValue[T](ctx, d, key)
		if err != nil {
			return err
		}
		if err := change(&v); errors.Is(err, errUnchanged) {
			return nil
		} else if err != nil {
			return err
		}
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := d.Claims.SetClaim(ctx, key, data, revision); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("%s: %w, %d times in a row", key, ErrConflict, rounds)
}

// countOpening counts a new case and trips the breaker when there are too many.
func (d *Desk) countOpening(ctx context.Context, fingerprint string) error {
	set := d.Settings.withDefaults()
	tripped := false
	err := changeClaim(ctx, d, breakerKey, func(b *Breaker) error {
		tripped = false
		now := d.Now()
		b.Openings = slices.DeleteFunc(b.Openings, func(o Opening) bool { return now.Sub(o.At) > set.BreakerWithin })
		if slices.ContainsFunc(b.Openings, func(o Opening) bool { return o.Case == fingerprint }) {
			return errUnchanged
		}
		b.Openings = append(b.Openings, Opening{Case: fingerprint, At: now})
		if b.Tripped.IsZero() && len(b.Openings) > set.BreakerCases {
			tripped = true
			b.Tripped = now
			b.Why = fmt.Sprintf("%d cases opened within %s, and more than %d are too many to be causes of their own", len(b.Openings), set.BreakerWithin, set.BreakerCases)
		}
		// Beyond this nothing is counted any more: what is held is held.
		if most := 10 * set.BreakerCases; len(b.Openings) > most {
			b.Openings = slices.Delete(b.Openings, 0, len(b.Openings)-most)
		}
		return nil
	})
	if err == nil && tripped {
		d.Log.WarnContext(ctx, "the breaker tripped: nothing is written outside until a person decides")
		d.observe(Observation{Kind: "breaker"})
	}
	return err
}

// BreakerState says whether everything is held.
func (d *Desk) BreakerState(ctx context.Context) (Breaker, error) {
	b, _, err := claimValue[Breaker](ctx, d, breakerKey)
	return b, err
}

// ResetBreaker lets everything go on that only the breaker held. Whether somebody may do that is
// for the caller to check.
func (d *Desk) ResetBreaker(ctx context.Context, by, reason string) error {
	err := changeClaim(ctx, d, breakerKey, func(b *Breaker) error {
		*b = Breaker{Reset: d.Now(), ResetBy: cut(by, 100)}
		return nil
	})
	if err != nil {
		return fmt.Errorf("resetting the breaker: %w", err)
	}
	d.Log.WarnContext(ctx, "the breaker was reset", "by", by, "reason", d.clean(reason))
	return d.releaseHeld(ctx, "breaker", by)
}

// releaseHeld lets the records go on that wait with a code.
func (d *Desk) releaseHeld(ctx context.Context, code, by string) error {
	all, err := d.Store.List(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, r := range all {
		if r.Stage != Held || r.Hold == nil || r.Hold.Code != code {
			continue
		}
		_, err := d.change(ctx, r.Fingerprint, func(r *Record) error {
			if r.Stage != Held || r.Hold == nil || r.Hold.Code != code {
				return errUnchanged
			}
			r.to(Writing, d.Now(), "the hold %q ended", code)
			r.History[len(r.History)-1].By = cut(by, 100)
			return nil
		})
		failed = errors.Join(failed, err)
	}
	return failed
}
