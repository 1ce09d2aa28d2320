package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// webhook is the wire form of Alertmanager's webhook_config message,
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Grafana's has the same shape with a
// version of its own and some more fields,
// https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/.
type webhook struct {
	Version         string            `json:"version"`
	TruncatedAlerts uint64            `json:"truncatedAlerts"`
	GroupLabels     map[string]string `json:"groupLabels"`
	Alerts          []webhookAlert    `json:"alerts"`
	OrgID           int64             `json:"orgId"` // Grafana
	Title           string            `json:"title"` // Grafana
}

type webhookAlert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// The versions that tell the two senders apart.
const (
	alertmanagerVersion = "4" // of Alertmanager 0.15 and later
	grafanaVersion      = "1" // of Grafana's unified alerting
)

func parseAlertmanager(body []byte) (Incident, error) {
	w, err := decodeWebhook(body, "an Alertmanager webhook")
	if err != nil {
		return Incident{}, err
	}
	if w.Version != alertmanagerVersion {
		return Incident{}, fmt.Errorf(`unsupported Alertmanager webhook version %q: version "4" is read, which Alertmanager 0.15 and later send`, clip(w.Version, 20))
	}
	return fromWebhook(w, Alertmanager)
}

func parseGrafana(body []byte) (Incident, error) {
	w, err := decodeWebhook(body, "a Grafana webhook")
	if err != nil {
		return Incident{}, err
	}
	if w.Version != grafanaVersion {
		return Incident{}, fmt.Errorf(`unsupported Grafana webhook version %q: version "1" is read, which a webhook contact point without a custom payload sends`, clip(w.Version, 20))
	}
	if testOfContactPoint(w) {
		return Incident{}, fmt.Errorf("%w: a test of the contact point", ErrNoIncident)
	}
	return fromWebhook(w, Grafana)
}

// testOfContactPoint says whether somebody pressed Test in Grafana, which sends one made-up alert.
func testOfContactPoint(w webhook) bool {
	return len(w.Alerts) == 1 && w.Alerts[0].Labels["alertname"] == "TestAlert" && w.Alerts[0].Labels["instance"] == "Grafana"
}

func decodeWebhook(body []byte, what string) (webhook, error) {
	var w webhook
	if err := json.Unmarshal(body, &w); err != nil {
		return w, fmt.Errorf("alert body is not %s: %w", what, describe(err))
	}
	if len(w.Alerts) == 0 {
		return w, errors.New("alert body holds no alerts: there is nothing to look into")
	}
	return w, nil
}

func fromWebhook(w webhook, source string) (Incident, error) {
	in := Incident{
		Source:    source,
		Status:    Resolved,
		Alerts:    len(w.Alerts),
		Truncated: int(min(w.TruncatedAlerts, 1<<31-1)),
	}
	labels, annotations := common(w.Alerts)
	for k, v := range w.GroupLabels {
		labels[k] = v
	}
	for _, a := range w.Alerts {
		if a.Status != string(Resolved) {
			in.Status = Firing
		}
		if plausible(a.StartsAt) && (in.StartsAt.IsZero() || a.StartsAt.Before(in.StartsAt)) {
			in.StartsAt = a.StartsAt.UTC()
		}
		if plausible(a.EndsAt) && a.EndsAt.After(in.EndsAt) {
			in.EndsAt = a.EndsAt.UTC()
		}
		in.Severity = moreUrgent(in.Severity, severityOf(a.Labels))
	}
	if in.StartsAt.IsZero() {
		return Incident{}, errors.New(`no alert carries "startsAt": without it the window of the incident is unknown`)
	}
	if in.Status == Firing {
		in.EndsAt = time.Time{} // Alertmanager sets a deadline here, not an end
	}
	name, identity := labels["alertname"], w.GroupLabels
	if len(identity) == 0 {
		// Without groups a notification is known by its alert that began first: those that join it later
		// do not change that.
		identity = earliest(w.Alerts).Labels
		name = identity["alertname"]
	}
	if w.OrgID > 0 {
		identity = with(identity, "grafana_org", strconv.FormatInt(w.OrgID, 10))
	}
	in.Fingerprint = fingerprint(source, name, identity)
	in.Name = nameOf(name, w.Title)
	in.describeBy(labels, annotations)
	return in, nil
}

// earliest is the alert that began first; of several the one whose labels sort first, so that their
// order in the body does not matter.
func earliest(alerts []webhookAlert) webhookAlert {
	best := alerts[0]
	for _, a := range alerts[1:] {
		if a.StartsAt.Before(best.StartsAt) || a.StartsAt.Equal(best.StartsAt) && lessLabels(a.Labels, best.Labels) {
			best = a
		}
	}
	return best
}

// common returns the labels and annotations that all alerts share. Alertmanager sends them too, but
// a sender that only imitates it may not.
func common(alerts []webhookAlert) (labels, annotations map[string]string) {
	labels, annotations = map[string]string{}, map[string]string{}
	for k, v := range alerts[0].Labels {
		labels[k] = v
	}
	for k, v := range alerts[0].Annotations {
		annotations[k] = v
	}
	for _, a := range alerts[1:] {
		keepShared(labels, a.Labels)
		keepShared(annotations, a.Annotations)
	}
	return labels, annotations
}

func keepShared(m, other map[string]string) {
	for k, v := range m {
		if o, ok := other[k]; !ok || o != v {
			delete(m, k)
		}
	}
}
