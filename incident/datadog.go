package incident

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// DatadogTemplate is the payload to configure in Datadog's webhooks integration,
// https://docs.datadoghq.com/integrations/webhooks/. It leaves out the message, which may carry anything.
const DatadogTemplate = `{
  "remediator": "datadog/1",
  "alert_id": "$ALERT_ID",
  "alert_title": "$ALERT_TITLE",
  "alert_transition": "$ALERT_TRANSITION",
  "alert_type": "$ALERT_TYPE",
  "alert_priority": "$ALERT_PRIORITY",
  "alert_scope": "$ALERT_SCOPE",
  "aggregation_key": "$AGGREG_KEY",
  "org_id": "$ORG_ID",
  "tags": "$TAGS",
  "date": "$DATE",
  "link": "$LINK"
}
`

// datadogNames are the names under which payloads in use carry what is read, in lower case without
// separators. The template's own come first, those of Datadog's default payload last.
var datadogNames = map[string][]string{
	"monitor":    {"alertid", "monitorid"},
	"title":      {"alerttitle", "monitorname", "eventtitle", "title"},
	"transition": {"alerttransition", "transition", "alertstatus", "status"},
	"type":       {"alerttype"},
	"priority":   {"alertpriority", "priority"},
	"scope":      {"alertscope", "scope"},
	"key":        {"aggregationkey", "aggregkey", "aggregatekey", "aggregregkey"},
	"org":        {"orgid"},
	"tags":       {"tags"},
	"date":       {"date", "lastupdated", "lastupdatedposix"},
	"link":       {"link", "url"},
}

// datadogFields are the members of a payload under those names.
type datadogFields map[string]any

func (f datadogFields) text(field string) string {
	for _, name := range datadogNames[field] {
		if s := strings.TrimSpace(text(f[name])); s != "" && !variable.MatchString(s) && s != "null" && s != "n/a" {
			return s
		}
	}
	return ""
}

// first is the first member of a field that holds anything.
func (f datadogFields) first(field string) any {
	for _, name := range datadogNames[field] {
		switch v := f[name].(type) {
		case nil:
		case string:
			if v = strings.TrimSpace(v); v != "" && !variable.MatchString(v) {
				return v
			}
		default:
			return v
		}
	}
	return nil
}

// variable is what Datadog leaves where it has no value for a variable.
var variable = regexp.MustCompile(`^\$[A-Z_]+(\[.*\])?$`)

func looksLikeDatadog(fields map[string]json.RawMessage) bool {
	if strings.HasPrefix(literal(fields["remediator"]), "datadog/") {
		return true
	}
	f := map[string]bool{}
	for name := range fields {
		f[squash(name)] = true
	}
	// The last is Datadog's payload where none is configured.
	return f["alerttransition"] || f["aggregkey"] || f["alertcyclekey"] || f["eventtype"] && f["lastupdated"] && f["title"] && f["org"]
}

// squash takes case and separators out of a member's name.
func squash(name string) string {
	if len(name) > 40 {
		return ""
	}
	return strings.NewReplacer("_", "", "-", "", " ", "", "$", "").Replace(strings.ToLower(name))
}

// bracket is the state that Datadog puts in front of an event's title.
var bracket = regexp.MustCompile(`^\s*(?:\[P[1-5]\]\s*)?\[([A-Za-z -]{2,30})(?: on \{[^}]*\})?\]\s*`)

// parseDatadog reads what [DatadogTemplate] sends, and other templates by the names usual in them. The
// identity is the monitor with its scope, in which replicas and hosts do not count; where a payload lacks
// the monitor, the aggregation key, and where it lacks that, the title without numbers and ids.
func parseDatadog(fields map[string]json.RawMessage) (Incident, error) {
	f := datadogFields{}
	for name, raw := range fields {
		var v any
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		if dec.Decode(&v) == nil {
			f[squash(name)] = v
		}
	}
	if org, ok := f["org"].(map[string]any); ok && f["orgid"] == nil {
		f["orgid"] = org["id"]
	}
	title, transition, kind := f.text("title"), f.text("transition"), strings.ToLower(f.text("type"))
	if m := bracket.FindStringSubmatch(title); m != nil {
		title = title[len(m[0]):]
		if transition == "" {
			transition = m[1]
		}
	}
	monitor, key := f.text("monitor"), f.text("key")
	if title == "" && monitor == "" && key == "" {
		return Incident{}, errors.New("the Datadog payload has neither alert_id nor a title: configure the payload that `docs/alert-sources.md` shows")
	}
	at, err := moment(f.first("date"))
	if err != nil {
		return Incident{}, fmt.Errorf("the Datadog payload: date: %w", err)
	}
	if at.IsZero() {
		return Incident{}, errors.New(`the Datadog payload has no date: add "date": "$DATE" to it`)
	}
	in := Incident{Source: Datadog, Name: nameOf(title, "Datadog monitor "+monitor), Status: Firing, StartsAt: at, Alerts: 1}
	if state := squash(transition); recovered(state, kind) {
		// The payload says when it ended and not when it began; who knows of the beginning keeps it.
		in.Status, in.EndsAt = Resolved, at
	}
	labels, scope := map[string]string{}, pairs(f.first("scope"))
	for _, pair := range append(pairs(f["tags"]), scope...) {
		labels[pair[0]] = pair[1]
	}
	for name, value := range map[string]string{"monitor_id": monitor, "transition": transition, "alert_type": kind, "priority": f.text("priority")} {
		if value != "" {
			labels[name] = value
		}
	}
	in.Severity = datadogSeverity(labels, squash(transition), kind)
	identity := map[string]string{"org": f.text("org")}
	switch {
	case monitor != "":
		identity["monitor"] = monitor
		for _, pair := range scope {
			if !slices.Contains(passing, pair[0]) {
				identity["scope."+pair[0]] = pair[1]
			}
		}
	case key != "":
		identity["key"] = key
	default:
		identity["title"] = template(title)
	}
	in.Fingerprint = fingerprint(Datadog, "", identity)
	annotations := map[string]string{}
	if link := f.text("link"); strings.HasPrefix(link, "https://") {
		annotations["link"] = link
	}
	in.describeBy(labels, annotations)
	return in, nil
}

// recovered says whether a transition is the end of an alert; where a payload has none, its type tells.
func recovered(state, kind string) bool {
	switch state {
	case "recovered", "resolved", "ok", "success":
		return true
	case "":
		return kind == "success"
	}
	return false
}

// pairs reads tags: a list, or text with commas between. What is not key:value is left out.
func pairs(v any) [][2]string {
	var parts []string
	switch v := v.(type) {
	case string:
		parts = strings.Split(v, ",")
	case []any:
		for _, item := range v {
			parts = append(parts, text(item))
		}
	}
	var out [][2]string
	for _, part := range parts {
		key, value, ok := strings.Cut(strings.TrimSpace(part), ":")
		if ok && key != "" && value != "" && !variable.MatchString(part) {
			out = append(out, [2]string{key, value})
		}
	}
	return out
}

// datadogSeverity is that of the monitor's priority, else of a severity tag, else of how the alert is
// shown. An alert that only warns is minor whatever its monitor.
func datadogSeverity(labels map[string]string, state, kind string) Severity {
	if state == "warn" || state == "rewarn" {
		return Minor
	}
	for _, name := range []string{"priority", "severity", "sev"} {
		if s := severityOf(map[string]string{"severity": labels[name]}); s != Unknown {
			return s
		}
	}
	switch kind {
	case "error":
		return Major
	case "warning", "info":
		return Minor
	}
	return Unknown
}
