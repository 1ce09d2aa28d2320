package incident

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxBody is the largest alert body that Parse reads. Alertmanager groups of several
// thousand alerts stay below it.
const MaxBody = 8 << 20

// maxText bounds one label or annotation; longer ones are cut. Alertmanager itself
// sets no bound, and an annotation may carry a rendered template of any size.
const maxText = 4096

// webhook is the wire form of Alertmanager's webhook_config message,
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.
type webhook struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   uint64            `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	Alerts            []webhookAlert    `json:"alerts"`
}

type webhookAlert struct {
	Status      string            `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// Parse reads one alert body. Its errors name what was found and what to send instead.
func Parse(body []byte) (Incident, error) {
	if len(body) > MaxBody {
		return Incident{}, fmt.Errorf("alert body is larger than %d MiB: send fewer alerts a notification (max_alerts in Alertmanager's webhook_config)", MaxBody>>20)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return Incident{}, errors.New("alert body is empty: pass the JSON that Alertmanager posts to a webhook receiver")
	}
	if !utf8.Valid(body) {
		return Incident{}, errors.New("alert body is not UTF-8: pass the JSON body as Alertmanager sent it, uncompressed")
	}
	var w webhook
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&w); err != nil {
		return Incident{}, fmt.Errorf("alert body is not an Alertmanager webhook: %w", describe(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Incident{}, errors.New("alert body goes on after its JSON object: pass one notification at a time")
	}
	switch {
	case w.Version == "" && len(w.Alerts) == 0:
		return Incident{}, errors.New(`unknown alert format: expected an Alertmanager webhook with "version": "4" and "alerts"`)
	case w.Version != "4":
		return Incident{}, fmt.Errorf(`unsupported Alertmanager webhook version %q: version "4" is read, which Alertmanager 0.15 and later send`, clip(w.Version, 20))
	case len(w.Alerts) == 0:
		return Incident{}, errors.New("alert body holds no alerts: there is nothing to look into")
	}
	return fromWebhook(w, body)
}

func describe(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("invalid JSON at byte %d: %w", syntax.Offset, err)
	case errors.As(err, &kind):
		return fmt.Errorf("%q holds a %s where a %s belongs", kind.Field, kind.Value, kind.Type)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON ends early: was the body cut off?")
	}
	return err
}

func fromWebhook(w webhook, body []byte) (Incident, error) {
	digest := sha256.Sum256(body)
	in := Incident{
		Source:    "alertmanager",
		Status:    Resolved,
		Alerts:    len(w.Alerts),
		Truncated: int(min(w.TruncatedAlerts, 1<<31-1)),
		Digest:    hex.EncodeToString(digest[:]),
	}
	labels, annotations := common(w.Alerts)
	for k, v := range w.GroupLabels {
		labels[k] = v
	}
	in.Labels, in.Annotations = clipAll(labels), clipAll(annotations)
	for _, a := range w.Alerts {
		firing := a.Status != string(Resolved)
		if firing {
			in.Status = Firing
		}
		if !a.StartsAt.IsZero() && (in.StartsAt.IsZero() || a.StartsAt.Before(in.StartsAt)) {
			in.StartsAt = a.StartsAt.UTC()
		}
		if a.EndsAt.After(in.EndsAt) {
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
	in.Name = in.Labels["alertname"]
	in.Service = first(in.Labels, "service", "service_name", "service.name", "app", "app_kubernetes_io_name")
	in.Operation = first(in.Labels, "operation", "route", "http_route", "handler", "endpoint", "span_name")
	identity := w.GroupLabels
	if len(identity) == 0 {
		identity = w.CommonLabels
	}
	if len(identity) == 0 {
		identity = labels
	}
	in.Fingerprint = fingerprint(in.Source, labels["alertname"], identity)
	return in, nil
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

// passing are labels that change while the incident stays the same: the urgency of a
// multi-window burn-rate alert, and the replica that happened to be scraped.
var passing = []string{"severity", "priority", "level", "instance", "pod", "container", "node", "replica", "endpoint_ip", "prometheus", "prometheus_replica"}

func fingerprint(source, name string, labels map[string]string) string {
	keys := make([]string, 0, len(labels))
	for k := range labels {
		if !slices.Contains(passing, k) && k != "alertname" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	h := sha256.New()
	// Lengths in front keep ("ab","c") and ("a","bc") apart.
	write := func(s string) { fmt.Fprintf(h, "%d:%s,", len(s), s) }
	write(source)
	write(name)
	for _, k := range keys {
		write(k)
		write(labels[k])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func first(labels map[string]string, keys ...string) string {
	for _, k := range keys {
		if v := labels[k]; v != "" {
			return v
		}
	}
	return ""
}

func clipAll(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[clip(k, maxText)] = clip(v, maxText)
	}
	return out
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
