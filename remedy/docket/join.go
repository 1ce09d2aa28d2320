package docket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/remedy"
)

// Codes of the declines with which a case ends when its suspects are known.
const (
	joinedCode   = "joined"
	cameBackCode = "came_back"
)

// The kinds of causes, which start their keys.
const (
	commitCause = "commit:" // the change blamed
	spanCause   = "span:"   // the operation blamed
	codeCause   = "code:"   // the function blamed
)

// causes are keys for what a case blames, strongest first. Only the first suspect counts: that two cases
// share a service somewhere down their rankings says nothing, but a shared change, operation or function at the
// top means one cause. The keys are hashes, since they come from telemetry.
func causes(c *remedy.Case) []string {
	if len(c.Suspects) == 0 {
		return nil
	}
	s := c.Suspects[0]
	key := func(kind string, parts ...string) string {
		sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
		return kind + hex.EncodeToString(sum[:16])
	}
	var out []string
	if s.Commit != "" {
		out = append(out, key(commitCause, s.Commit))
	}
	if s.Operation != "" || s.Peer != "" {
		out = append(out, key(spanCause, s.Service, s.Operation, s.Peer))
	}
	if s.File != "" && s.Function != "" {
		out = append(out, key(codeCause, s.Service, s.File, s.Function))
	}
	return out
}

// ownership is the claim on one cause.
type ownership struct {
	Case    string    `json:"case"`
	Culprit string    `json:"culprit,omitempty"`
	From    time.Time `json:"from,omitzero"` // window of the owner's evidence
	To      time.Time `json:"to,omitzero"`
}

func causeKey(cause string) string { return "cause/" + strings.Replace(cause, ":", "/", 1) }

// located decides, once the suspects are known, whether the case goes on: it owns its causes from then on, or it
// joins the case that does. Keys are claimed in their order, so that of cases which meet in several keys
// one gets all of them, and none ends up waiting for another in a ring.
func (w *work) located(ctx context.Context, c *remedy.Case) (*remedy.Decline, error) {
	r := w.record()
	mine := ownership{Case: r.Fingerprint, From: c.Evidence.From, To: c.Evidence.To}
	if len(c.Suspects) > 0 {
		mine.Culprit = c.Suspects[0].Commit
	}
	if mine.From.IsZero() {
		mine.From, mine.To = r.Incident.StartsAt, r.LastAlert
	}
	keys := causes(c)
	slices.Sort(keys)
	var got []string
	for _, k := range keys {
		d, isNew, err := w.claim(ctx, r, k, mine)
		if err != nil {
			return nil, fmt.Errorf("claiming the cause: %w", err)
		}
		if d != nil {
			return d, w.d.disown(ctx, r.Fingerprint, got)
		}
		if isNew {
			got = append(got, k)
		}
	}
	return nil, nil
}

// claim gets hold of one cause, or says whose it is.
func (w *work) claim(ctx context.Context, r *Record, cause string, mine ownership) (d *remedy.Decline, isNew bool, err error) {
	err = changeClaim(ctx, w.d, causeKey(cause), func(o *ownership) error {
		d, isNew = nil, false
		if o.Case != "" && o.Case != r.Fingerprint {
			owner, err := w.d.ownerOf(ctx, o.Case, r.Fingerprint)
			if err != nil {
				return err
			}
			if d = w.d.yields(r, owner, cause, *o, mine); d != nil {
				return errUnchanged
			}
		}
		isNew = o.Case != r.Fingerprint
		*o = mine
		return nil
	})
	return d, isNew, err
}

// ownerOf finds the record that works on a cause, following those that joined another. It is nil when there is none
// any more, or when the way leads back to the asker.
func (d *Desk) ownerOf(ctx context.Context, fingerprint, asker string) (*Record, error) {
	const most = 10 // joins in a row; more would be a ring
	for range most {
		if fingerprint == asker {
			return nil, nil
		}
		r, err := d.Store.Get(ctx, fingerprint)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
			return nil, nil
		}
		if err != nil || r.Stage != Joined {
			return r, err
		}
		fingerprint = r.JoinedTo
	}
	return nil, nil
}

// yields says whether a case gives way to the owner of a cause, and why; nil means that it takes the cause over.
func (d *Desk) yields(r, owner *Record, cause string, theirs, mine ownership) *remedy.Decline {
	if owner == nil {
		return nil
	}
	join := func(why string) *remedy.Decline {
		return &remedy.Decline{Code: joinedCode, Why: "it has the same cause as case " + owner.Fingerprint[:12] + ", " + why, Next: "look at case " + owner.Fingerprint}
	}
	switch owner.Stage {
	case Failed:
		return nil
	case Refused:
		// A no holds for the change that was blamed, and for the place if no other change is.
		if strings.HasPrefix(cause, commitCause) || theirs.Culprit == mine.Culprit {
			return join("which a person refused")
		}
		return nil
	case Merged:
		if !r.Incident.StartsAt.After(owner.Ended) {
			return join("whose fix was merged since")
		}
		if slices.Contains(r.Cleared, cameBackCode) {
			return nil
		}
		return &remedy.Decline{Code: cameBackCode, Why: "the fix of the same cause was merged with case " + owner.Fingerprint[:12] + ", and the cause came back", Next: "look at why the fix did not last, then approve or reject the case"}
	case Declined:
		slack := d.Settings.withDefaults().JoinSlack
		end := latest(theirs.To, owner.Resolved, owner.LastAlert)
		if mine.From.After(end.Add(slack)) || mine.To.Before(theirs.From.Add(-slack)) {
			return nil
		}
		return join("for which nothing could be proposed")
	}
	return join("which is being worked on")
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// disown gives causes back that the case holds.
func (d *Desk) disown(ctx context.Context, fingerprint string, keys []string) error {
	for _, k := range keys {
		data, revision, err := d.Claims.Claim(ctx, causeKey(k))
		if err != nil {
			return err
		}
		var o ownership
		if data == nil || json.Unmarshal(data, &o) != nil || o.Case != fingerprint {
			continue
		}
		if err := d.Claims.SetClaim(ctx, causeKey(k), nil, revision); err != nil && !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return nil
}

// endLocated ends a run that located decided about.
func (w *work) endLocated(ctx context.Context, c *remedy.Case) error {
	d, r := w.d, w.record()
	sum := &Summary{Title: c.Title, State: c.State, Why: c.Declined.Why, Next: c.Declined.Next, Decline: c.Declined.Code, Causes: causes(c), From: c.Evidence.From, To: c.Evidence.To, Confidence: c.Confidence}
	if len(c.Suspects) > 0 {
		sum.Service, sum.Culprit = c.Suspects[0].Service, c.Suspects[0].Commit
	}
	if c.Declined.Code == cameBackCode {
		err := w.update(ctx, func(r *Record) error {
			r.Summary = sum
			r.hold(cameBackCode, d.Now(), "%s; nothing more is proposed for it until a person approves it", c.Declined.Why)
			return nil
		})
		d.observe(Observation{Kind: "came_back", Record: w.record(), Err: err})
		return err
	}
	// Next names the owner in full; it may have joined another in the meantime.
	owner, err := d.ownerOf(ctx, strings.TrimPrefix(c.Declined.Next, "look at case "), r.Fingerprint)
	if err != nil {
		return err
	}
	if owner == nil {
		return errors.New("the case of the same cause is gone")
	}
	_, err = d.change(ctx, owner.Fingerprint, func(o *Record) error {
		if slices.Contains(o.Members, r.Fingerprint) {
			return errUnchanged
		}
		o.Members = append(o.Members, r.Fingerprint)
		o.note(d.Now(), "alert", "the alert "+remedy.Plain(r.Incident.Name)+" has the same cause and joined")
		return nil
	})
	if err != nil {
		return fmt.Errorf("joining case %s: %w", owner.Fingerprint, err)
	}
	err = w.update(ctx, func(r *Record) error {
		r.Summary, r.JoinedTo = sum, owner.Fingerprint
		r.to(Joined, d.Now(), "%s", c.Declined.Why)
		return nil
	})
	d.observe(Observation{Kind: "joined", Record: w.record(), Err: err})
	return err
}
