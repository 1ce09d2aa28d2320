package docket

import (
	"context"
	"fmt"

	"github.com/remediator/remediator/remedy"
)

// recheck answers whether the proof of a case still holds, and leaves everything else as it was.
func (w *work) recheck(ctx context.Context, c *remedy.Case) error {
	d := w.d
	return w.update(ctx, func(r *Record) error {
		k := r.Recheck
		said := recheckComment(r, c)
		r.Recheck = nil
		r.to(k.Back, d.Now(), "replayed: %s", recheckWord(c))
		r.Hold = k.Hold
		if r.Summary != nil {
			r.Admitted = ""
			if k.Back == Proposed {
				r.Admitted = r.Summary.Commit
			}
		}
		if e := r.effect(k.Key); e != nil {
			e.Body, e.Done = said, false
		} else {
			r.say(d.Now(), k.Key, said)
		}
		return nil
	})
}

func recheckWord(c *remedy.Case) string {
	switch {
	case c.Declined != nil:
		return "not proved (" + remedy.Plain(c.Declined.Code) + ")"
	case c.Verdicts != nil && c.Verdicts.Proved:
		return "proved"
	}
	return "not proved in full"
}

func recheckComment(r *Record, c *remedy.Case) string {
	same := "The same patch came out."
	switch {
	case c.Patch == nil:
		same = "No patch came out this time."
	case r.Summary != nil && c.Patch.Digest != r.Summary.Digest:
		same = "Another patch came out; `/remediator retry` proposes it."
	}
	return fmt.Sprintf("Replayed on %s: **%s**. %s\n\n%s", code(short(c.Base.Commit)), recheckWord(c), same, proofTable(c))
}
