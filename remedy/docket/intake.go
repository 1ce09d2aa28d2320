package docket

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/remediator/remediator/incident"
)

// largeBody is the size from which an alert's body is kept beside its task: queues bound messages.
const largeBody = 256 << 10

// inbox starts the names of the blobs that hold such bodies until they are folded.
const inbox = "inbox/"

// Receive stores an alert durably as a task; when it returns nil the sender may forget the alert.
func (d *Desk) Receive(ctx context.Context, a Alert) error {
	if a.At.IsZero() {
		a.At = d.Now()
	}
	if len(a.Body) >= largeBody {
		sum := sha256.Sum256(a.Body)
		a.Blob = fmt.Sprintf("%s%d-%s", inbox, a.At.UnixNano(), hex.EncodeToString(sum[:8]))
		if err := d.Blobs.PutBlob(ctx, a.Blob, bytes.NewReader(a.Body)); err != nil {
			return fmt.Errorf("keeping the alert: %w", err)
		}
		a.Body = nil
	}
	body, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("keeping the alert: %w", err)
	}
	if err := d.Queue.Publish(ctx, Task{Kind: AlertTask, ID: a.ID, Body: body}); err != nil {
		return fmt.Errorf("keeping the alert: %w", err)
	}
	return nil
}

// ReceiveEvent stores an event of the forge durably; a delivery that was stored before is not stored again.
func (d *Desk) ReceiveEvent(ctx context.Context, e ForgeEvent) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("keeping the event: %w", err)
	}
	if err := d.Queue.Publish(ctx, Task{Kind: EventTask, ID: e.Delivery, Body: body}); err != nil {
		return fmt.Errorf("keeping the event: %w", err)
	}
	return nil
}

// handleAlert folds the incidents of one alert into their records.
func (d *Desk) handleAlert(ctx context.Context, t Task) error {
	var a Alert
	if err := decode("an alert's task", t.Body, &a); err != nil {
		return err
	}
	if a.Blob != "" {
		body, err := readBlob(ctx, d.Blobs, a.Blob)
		if errors.Is(err, ErrNotFound) {
			return nil // it goes only after the alert was folded
		}
		if err != nil {
			return fmt.Errorf("reading the alert: %w", err)
		}
		a.Body = body
	}
	parse := d.Parse
	if parse == nil {
		parse = parseAlert
	}
	incidents, err := parse(a)
	if err != nil {
		return fmt.Errorf("alert of %s: %w", a.Source, err)
	}
	for i := range incidents {
		if err := d.fold(ctx, a, incidents[i]); err != nil {
			return fmt.Errorf("alert of %s, incident %s: %w", a.Source, incidents[i].Fingerprint, err)
		}
	}
	d.observe(Observation{Kind: "alert", Key: a.Source})
	if a.Blob != "" {
		if err := d.Blobs.DeleteBlob(ctx, a.Blob); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// parseAlert reads an alert of any format that package incident knows.
func parseAlert(a Alert) ([]incident.Incident, error) {
	var mapping incident.Mapping
	if len(a.Mapping) > 0 {
		if err := decode("an alert's mapping", a.Mapping, &mapping); err != nil {
			return nil, err
		}
	}
	in, err := incident.ParseAs(a.Format, a.Body, mapping)
	if err != nil {
		return nil, err
	}
	return []incident.Incident{in}, nil
}

// fold brings one incident together with what is known of it.
func (d *Desk) fold(ctx context.Context, a Alert, in incident.Incident) error {
	if !validFingerprint(in.Fingerprint) {
		return fmt.Errorf("fingerprint %.40q is not 32 hexadecimal digits", in.Fingerprint)
	}
	for {
		kind := ""
		r, err := d.update(ctx, in.Fingerprint, func(r *Record) error {
			if r.LastAlert.Equal(a.At) && r.Incident.Digest == in.Digest && r.Alerts > 0 {
				return errUnchanged // delivered again by the queue
			}
			kind = d.repeat(r, a, in)
			return nil
		})
		switch {
		case errors.Is(err, ErrNotFound) && in.Status == incident.Resolved:
			return nil // the end of something that was never heard of
		case errors.Is(err, ErrNotFound):
			if err = d.open(ctx, a, in); errors.Is(err, ErrConflict) {
				continue // another alert opened it first
			}
			return err
		case err != nil:
			return err
		}
		if kind != "" {
			d.observe(Observation{Kind: kind, Record: r})
		}
		if r.Stage == Running || r.Stage == Writing || !d.pending(r) {
			return nil // whoever works on it sees in the end what is new
		}
		return d.nudgeOnce(ctx, r)
	}
}

// open starts a record.
func (d *Desk) open(ctx context.Context, a Alert, in incident.Incident) error {
	now := d.Now()
	r := &Record{Schema: RecordSchema, Fingerprint: in.Fingerprint, Incident: in, AlertSource: a.Source, AlertFormat: a.Format,
		AlertBlob: "alerts/" + in.Fingerprint + "/" + hexDigest(a.Body)[:16], Alerts: 1, FirstAlert: a.At, LastAlert: a.At, Updated: now}
	r.to(Queued, now, "opened by an alert of %s", a.Source)
	// The body and the breaker come first: both are the same when this is repeated after a kill.
	if err := d.Blobs.PutBlob(ctx, r.AlertBlob, bytes.NewReader(a.Body)); err != nil {
		return fmt.Errorf("keeping the alert's body: %w", err)
	}
	if err := d.countOpening(ctx, in.Fingerprint); err != nil {
		return fmt.Errorf("counting the new case: %w", err)
	}
	if err := d.Store.Put(ctx, r); err != nil {
		return err
	}
	d.observe(Observation{Kind: "opened", Record: r})
	return d.nudgeOnce(ctx, r)
}

// nudgeOnce is a nudge that a storm of alerts makes only once for each time that the record was queued.
func (d *Desk) nudgeOnce(ctx context.Context, r *Record) error {
	id := ""
	if r.Stage == Queued && r.Lease == nil {
		id = fmt.Sprintf("queued/%s/%d/%d", r.Fingerprint, r.Runs, r.Flaps)
	}
	return d.Queue.Publish(ctx, Task{Kind: CaseTask, ID: id, Case: r.Fingerprint})
}

// repeat folds one more notification into a record and returns what it was.
func (d *Desk) repeat(r *Record, a Alert, in incident.Incident) (kind string) {
	now := d.Now()
	r.Alerts++
	if a.At.After(r.LastAlert) {
		r.LastAlert = a.At
	}
	if in.Status == incident.Resolved {
		return d.resolve(r, a, in, now)
	}
	if moreUrgent(in.Severity, r.Incident.Severity) {
		r.note(now, "alert", fmt.Sprintf("the severity rose from %s to %s", r.Incident.Severity, in.Severity))
		r.Incident.Severity = in.Severity
	}
	kind = "repeated"
	if !r.Resolved.IsZero() && !in.StartsAt.Before(r.Resolved) {
		kind = "flapped"
		r.Flaps++
		r.Resolved = time.Time{}
		r.note(now, "alert", "the alert fires again")
	}
	// From here on only a new episode matters: one that began after the record came to its end.
	if !r.Stage.Ended() || !in.StartsAt.After(r.Ended) && !(r.Summary == nil && kind == "flapped") {
		return kind
	}
	switch r.Stage {
	case Merged:
		r.hold("came_back", now, "the alert fires again although its fix was merged at %s; nothing more is proposed for this cause until a person approves it", r.Ended.UTC().Format(time.RFC3339))
		return "came_back"
	case Declined, Failed, Joined:
		reopen := d.Settings.withDefaults().Reopen
		if r.Summary != nil && r.Summary.Decline == thinEvidence {
			reopen = min(reopen, thinPause) // what was missing may be there now
		}
		if r.Summary == nil && r.Stage == Declined || now.Sub(r.Ended) >= reopen {
			r.JoinedTo = ""
			r.again(now, "the alert fires again")
		}
	}
	return kind
}

// thinEvidence is the code of a decline for want of telemetry or of anything in it that stands out, and thinPause how
// long after it a new episode of the alert is not looked at.
const (
	thinEvidence = "evidence_too_thin"
	thinPause    = 5 * time.Minute
)

// resolve notes the end of an alert.
func (d *Desk) resolve(r *Record, a Alert, in incident.Incident, now time.Time) string {
	if !r.Resolved.IsZero() || in.StartsAt.After(a.At) {
		return "repeated"
	}
	r.Resolved = in.EndsAt
	if r.Resolved.IsZero() || r.Resolved.After(a.At) {
		r.Resolved = a.At
	}
	r.note(now, "alert", "the alert is resolved")
	if r.Stage == Queued && r.Lease == nil && r.Attempt == 0 && r.Runs == 0 && r.Pull == nil {
		r.to(Declined, now, "the alert ended before anything was begun")
	}
	return "resolved"
}

func validFingerprint(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range s {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func hexDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// urgency orders severities; an unknown one is the least urgent, so that nothing treats it as critical.
func urgency(s incident.Severity) int {
	switch s {
	case incident.Critical:
		return 3
	case incident.Major:
		return 2
	case incident.Minor:
		return 1
	}
	return 0
}

func moreUrgent(a, b incident.Severity) bool { return urgency(a) > urgency(b) }
