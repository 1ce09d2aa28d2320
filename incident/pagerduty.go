package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// pagerDutyBody is the wire form of PagerDuty's V3 webhooks,
// https://developer.pagerduty.com/docs/webhooks-overview.
type pagerDutyBody struct {
	Event struct {
		ID           string          `json:"id"`
		EventType    string          `json:"event_type"`
		ResourceType string          `json:"resource_type"`
		OccurredAt   any             `json:"occurred_at"`
		Data         json.RawMessage `json:"data"`
	} `json:"event"`
}

// pagerDutyIncident is the data of an event about an incident as a whole.
type pagerDutyIncident struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	HTMLURL     string `json:"html_url"`
	Number      int64  `json:"number"`
	Status      string `json:"status"` // triggered, acknowledged, resolved
	IncidentKey string `json:"incident_key"`
	CreatedAt   any    `json:"created_at"`
	ResolvedAt  any    `json:"resolved_at"`
	Title       string `json:"title"`
	Urgency     string `json:"urgency"` // high, low
	Service     struct {
		ID      string `json:"id"`
		Summary string `json:"summary"`
	} `json:"service"`
	Priority *struct {
		Summary string `json:"summary"`
	} `json:"priority"`
}

// ownKey is what PagerDuty makes up as incident_key where the sender of an alert gave none. It is
// another one for every incident.
var ownKey = regexp.MustCompile(`^[0-9a-f]{32}$`)

func eventType(raw json.RawMessage) string {
	var event struct {
		EventType string `json:"event_type"`
	}
	if json.Unmarshal(raw, &event) != nil {
		return ""
	}
	return event.EventType
}

// parsePagerDuty reads a V3 event. Its identity is not the id of PagerDuty's incident, since PagerDuty opens
// another one when an alert fires again after its end. It is the service with the deduplication key
// that the monitoring tool sent; where PagerDuty made the key up itself, the service with the title, in which
// numbers and ids do not count.
func parsePagerDuty(body []byte) (Incident, error) {
	var b pagerDutyBody
	if err := json.Unmarshal(body, &b); err != nil {
		return Incident{}, fmt.Errorf("alert body is not a PagerDuty V3 webhook: %w", describe(err))
	}
	kind := b.Event.EventType
	if kind == "" {
		return Incident{}, errors.New(`alert body is not a PagerDuty V3 webhook: it has no "event" with an "event_type"; add a V3 webhook subscription`)
	}
	if !strings.HasPrefix(kind, "incident.") {
		return Incident{}, fmt.Errorf("%w: PagerDuty event %s", ErrNoIncident, nameOf(clip(kind, 60)))
	}
	var d pagerDutyIncident
	if len(b.Event.Data) == 0 {
		return Incident{}, fmt.Errorf("PagerDuty event %s has no data: pass the whole body of the webhook", nameOf(clip(kind, 60)))
	}
	if err := json.Unmarshal(b.Event.Data, &d); err != nil {
		return Incident{}, fmt.Errorf("PagerDuty event %s cannot be read: %w", nameOf(clip(kind, 60)), describe(err))
	}
	if d.Type != "incident" {
		// Notes, status updates, responders and conference bridges tell nothing about the fault.
		return Incident{}, fmt.Errorf("%w: PagerDuty event %s", ErrNoIncident, nameOf(clip(kind, 60)))
	}
	if d.Title == "" && d.IncidentKey == "" {
		return Incident{}, errors.New("PagerDuty event has neither a title nor a key: nothing tells its incident from others")
	}
	in := Incident{Source: PagerDuty, Name: nameOf(d.Title, d.IncidentKey), Status: Firing, Alerts: 1, Service: d.Service.Summary}
	if d.Status == "resolved" || d.Status == "" && kind == "incident.resolved" {
		in.Status = Resolved
	}
	var err error
	if in.StartsAt, err = firstMoment(d.CreatedAt, b.Event.OccurredAt); err != nil {
		return Incident{}, fmt.Errorf("PagerDuty event: created_at: %w", err)
	}
	if in.StartsAt.IsZero() {
		return Incident{}, errors.New(`PagerDuty event has neither "created_at" nor "occurred_at": without them the window of the incident is unknown`)
	}
	if in.Status == Resolved {
		if in.EndsAt, err = firstMoment(d.ResolvedAt, b.Event.OccurredAt); err != nil {
			return Incident{}, fmt.Errorf("PagerDuty event: resolved_at: %w", err)
		}
	}
	labels := map[string]string{"pagerduty_event": kind}
	add := func(key, value string) {
		if value != "" {
			labels[key] = value
		}
	}
	add("pagerduty_service", d.Service.ID)
	add("pagerduty_incident", d.ID)
	add("urgency", d.Urgency)
	add("incident_key", d.IncidentKey)
	if d.Number > 0 {
		add("pagerduty_number", strconv.FormatInt(d.Number, 10))
	}
	in.Severity = Unknown
	if d.Priority != nil {
		add("priority", d.Priority.Summary)
		in.Severity = severityOf(map[string]string{"priority": d.Priority.Summary})
	}
	if in.Severity == Unknown {
		in.Severity = urgencies[d.Urgency]
	}
	if in.Severity == "" {
		in.Severity = Unknown
	}
	identity := map[string]string{"service": d.Service.ID, "key": d.IncidentKey}
	if d.IncidentKey == "" || ownKey.MatchString(d.IncidentKey) {
		identity = map[string]string{"service": d.Service.ID, "title": template(d.Title)}
	}
	in.Fingerprint = fingerprint(PagerDuty, "", identity)
	annotations := map[string]string{"title": d.Title}
	if strings.HasPrefix(d.HTMLURL, "https://") {
		annotations["link"] = d.HTMLURL
	}
	in.describeBy(labels, annotations)
	return in, nil
}

// urgencies are what PagerDuty has where an account uses no priorities. High is its default for whatever
// notifies anybody, so it is not taken for critical.
var urgencies = map[string]Severity{"high": Major, "low": Minor}

// firstMoment is the first of several values that holds a time.
func firstMoment(values ...any) (time.Time, error) {
	for _, v := range values {
		t, err := moment(v)
		if err != nil {
			return time.Time{}, err
		}
		if !t.IsZero() {
			return t, nil
		}
	}
	return time.Time{}, nil
}
