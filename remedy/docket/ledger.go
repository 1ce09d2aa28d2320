package docket

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/remediator/remediator/remedy"
)

// ledger is what was let through into one repository: it is read and written as one value, so that two cases
// in two processes cannot both take the last place or the same lines.
type ledger struct {
	Entries []entry `json:"entries,omitempty"`
}

type entry struct {
	Case    string    `json:"case"`
	Service string    `json:"service,omitempty"`
	At      time.Time `json:"at"`
	Open    bool      `json:"open"`
	Touches []Touch   `json:"touches,omitempty"`
}

func ledgerKey(repository string) string { return "ledger/" + repository }

// window is the time over which proposals are counted.
const window = time.Hour

// admit lets a case into its repository, or says what it has to wait for. A case that was let in
// before stays in, with the lines it touches now.
func (d *Desk) admit(ctx context.Context, r *Record, rules Rules) (wait *Hold, err error) {
	bypass := rules.Bypass || slices.Contains(r.Cleared, "limit")
	err = changeClaim(ctx, d, ledgerKey(r.Repository), func(l *ledger) error {
		now := d.Now()
		if wait = l.wait(r, rules, bypass, now); wait != nil {
			return errUnchanged
		}
		l.prune(now)
		e := entry{Case: r.Fingerprint, Service: r.Summary.Service, At: now, Open: grade(r.Summary.Autonomy) >= grade(remedy.Draft), Touches: r.Summary.Touches}
		if i := l.find(r.Fingerprint); i >= 0 {
			e.At = l.Entries[i].At
			l.Entries[i] = e
			return nil
		}
		l.Entries = append(l.Entries, e)
		return nil
	})
	return wait, err
}

// wait is the hold that the rules ask for, nil for none.
func (l *ledger) wait(r *Record, rules Rules, bypass bool, now time.Time) *Hold {
	hold := func(code string, until time.Time, format string, args ...any) *Hold {
		return &Hold{Code: code, Why: fmt.Sprintf(format, args...), Since: now, Until: until}
	}
	open, ofService, recent := 0, 0, 0
	var oldest time.Time
	for _, e := range l.Entries {
		if e.Case == r.Fingerprint {
			if e.Open {
				rules.MaxOpen, rules.MaxPerServe, rules.MaxPerHour = 0, 0, 0 // it has its place
			}
			continue
		}
		if e.Open {
			open++
			if e.Service == r.Summary.Service {
				ofService++
			}
			if t, ok := overlap(e.Touches, r.Summary.Touches); ok {
				return hold("overlap", time.Time{}, "the open pull request of case %s changes lines %d to %d of %s, too", short(e.Case), t.First, t.Last, t.Path)
			}
		}
		if now.Sub(e.At) < window {
			recent++
			if oldest.IsZero() || e.At.Before(oldest) {
				oldest = e.At
			}
		}
	}
	switch {
	case bypass:
		return nil
	case rules.MaxOpen > 0 && open >= rules.MaxOpen:
		return hold("limit", time.Time{}, "%d pull requests are open in %s, and %d are allowed at a time", open, r.Repository, rules.MaxOpen)
	case rules.MaxPerServe > 0 && ofService >= rules.MaxPerServe:
		return hold("limit", time.Time{}, "%d pull requests are open for this service, and %d are allowed at a time", ofService, rules.MaxPerServe)
	case rules.MaxPerHour > 0 && recent >= rules.MaxPerHour:
		return hold("limit", oldest.Add(window), "%d pull requests were made within the hour, and %d are allowed", recent, rules.MaxPerHour)
	}
	return nil
}

func (l *ledger) find(fingerprint string) int {
	return slices.IndexFunc(l.Entries, func(e entry) bool { return e.Case == fingerprint })
}

func (l *ledger) prune(now time.Time) {
	l.Entries = slices.DeleteFunc(l.Entries, func(e entry) bool { return !e.Open && now.Sub(e.At) >= window })
}

// settleLedger says that a case has no open pull request any more, or has one again.
func (d *Desk) settleLedger(ctx context.Context, r *Record, open bool) error {
	if r.Repository == "" {
		return nil
	}
	return changeClaim(ctx, d, ledgerKey(r.Repository), func(l *ledger) error {
		i := l.find(r.Fingerprint)
		if i < 0 && open && r.Summary != nil {
			l.Entries = append(l.Entries, entry{Case: r.Fingerprint, Service: r.Summary.Service, At: d.Now(), Open: true, Touches: r.Summary.Touches})
			return nil
		}
		if i < 0 || l.Entries[i].Open == open {
			return errUnchanged
		}
		l.Entries[i].Open = open
		l.prune(d.Now())
		return nil
	})
}

// overlap finds lines of b that a touches, too.
func overlap(a, b []Touch) (Touch, bool) {
	for _, x := range a {
		for _, y := range b {
			if x.Path == y.Path && x.First <= y.Last && y.First <= x.Last {
				return Touch{Path: x.Path, First: max(x.First, y.First), Last: min(x.Last, y.Last)}, true
			}
		}
	}
	return Touch{}, false
}
