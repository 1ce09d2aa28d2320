package incident

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// edited is a fixture with other values at some JSON pointers' last members, given as path and value pairs.
func edited(t testing.TB, name string, edits ...any) []byte {
	t.Helper()
	var root any
	if err := json.Unmarshal(fixture(t, name), &root); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(edits); i += 2 {
		parts, err := splitPointer(edits[i].(string))
		if err != nil {
			t.Fatal(err)
		}
		at := root.(map[string]any)
		for _, part := range parts[:len(parts)-1] {
			at = at[part].(map[string]any)
		}
		if last := parts[len(parts)-1]; edits[i+1] == nil {
			delete(at, last)
		} else {
			at[last] = edits[i+1]
		}
	}
	body, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func mustParse(t testing.TB, body []byte) Incident {
	t.Helper()
	in, err := Parse(body)
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return in
}

var genericMapping = Mapping{"name": "/alert/title", "service": "/alert/tags/service", "operation": "/alert/a~1b/~0/1", "severity": "/alert/level",
	"status": "/alert/state", "starts_at": "/alert/opened", "ends_at": "/alert/closed", "fingerprint": "/alert/key", "labels": "/alert/tags"}

// Every fixture by its content: what it is, and what it says.
func TestParseTellsTheFormatByTheContent(t *testing.T) {
	for name, want := range map[string]Incident{
		"grafana-firing.json": {Source: Grafana, Name: "Checkout errors", Severity: Critical, Status: Firing, Service: "checkout", Alerts: 2, Truncated: 3,
			StartsAt: time.Date(2026, 3, 4, 11, 40, 10, 0, time.UTC)},
		"pagerduty-triggered.json": {Source: PagerDuty, Name: "Error rate of checkout is 4.2 % on web-17", Severity: Critical, Status: Firing, Service: "checkout", Alerts: 1,
			StartsAt: time.Date(2026, 3, 4, 12, 0, 2, 0, time.UTC)},
		"datadog-triggered.json": {Source: Datadog, Name: "Error rate of checkout", Severity: Major, Status: Firing, Service: "checkout", Operation: "POST /checkout", Alerts: 1, StartsAt: noon},
		"datadog-default.json":   {Source: Datadog, Name: "Error rate of checkout is 4.21 %", Severity: Unknown, Status: Firing, Alerts: 1, StartsAt: noon},
	} {
		in := mustParse(t, fixture(t, name))
		got := in
		got.Fingerprint, got.Digest, got.Labels, got.Annotations = "", "", nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is\n%+v, want\n%+v", name, got, want)
		}
		if as, err := ParseAs(in.Source, fixture(t, name), nil); err != nil || !reflect.DeepEqual(as, in) {
			t.Errorf("%s by its format is\n%+v (%v), want\n%+v", name, as, err, in)
		}
	}
}

func TestNotificationsAboutNoIncident(t *testing.T) {
	for _, name := range []string{"grafana-test-button.json", "pagerduty-ping.json", "pagerduty-annotated.json"} {
		if in, err := Parse(fixture(t, name)); !errors.Is(err, ErrNoIncident) {
			t.Errorf("%s is %+v (%v)", name, in, err)
		}
	}
}

func TestAnotherFormatThanConfiguredIsNamed(t *testing.T) {
	for name, format := range map[string]string{"grafana-firing.json": Alertmanager, "pagerduty-triggered.json": Grafana, "datadog-triggered.json": PagerDuty} {
		if _, err := ParseAs(format, fixture(t, name), nil); err == nil || !strings.Contains(err.Error(), "but "+format+" was configured") {
			t.Errorf("%s as %s: %v", name, format, err)
		}
	}
	if _, err := ParseAs("nagios", []byte("{}"), nil); err == nil || !strings.Contains(err.Error(), "use one of alertmanager, grafana") {
		t.Errorf("unknown format: %v", err)
	}
}

func TestErrorsOfTheOtherFormatsNameTheNextStep(t *testing.T) {
	for name, c := range map[string]struct{ format, body, want string }{
		"PagerDuty V2":           {"", `{"messages":[{"event":"incident.trigger"}]}`, "add a V3 webhook subscription"},
		"Events API":             {"", `{"event_action":"trigger","payload":{}}`, "not a webhook of PagerDuty"},
		"legacy Grafana":         {"", `{"ruleId":1,"state":"alerting","evalMatches":[]}`, "use unified alerting"},
		"anything":               {"", `{"hello":"world"}`, "configure a source of format generic"},
		"PagerDuty, no envelope": {PagerDuty, `{"incident":{}}`, `no "event"`},
		"PagerDuty, no time":     {PagerDuty, `{"event":{"event_type":"incident.triggered","data":{"type":"incident","title":"x"}}}`, "created_at"},
		"PagerDuty, bad time":    {PagerDuty, `{"event":{"event_type":"incident.triggered","data":{"type":"incident","title":"x","created_at":"soon"}}}`, `"soon" is not a time`},
		"PagerDuty, no title":    {PagerDuty, `{"event":{"event_type":"incident.triggered","data":{"type":"incident"}}}`, "neither a title nor a key"},
		"PagerDuty, odd data":    {PagerDuty, `{"event":{"event_type":"incident.triggered","data":[]}}`, "JSON object belongs"},
		"Datadog, empty":         {Datadog, `{}`, "docs/alert-sources.md"},
		"Datadog, no date":       {Datadog, `{"alert_id":"1"}`, `"date": "$DATE"`},
		"Datadog, bad date":      {Datadog, `{"alert_id":"1","date":"tomorrow"}`, `"tomorrow" is not a time`},
		"Datadog, variables":     {Datadog, `{"alert_id":"$ALERT_ID","date":"1772625600000"}`, "neither alert_id nor a title"},
		"Grafana, custom":        {Grafana, `{"version":"2","orgId":1,"alerts":[{}]}`, "without a custom payload"},
		"Grafana, no alerts":     {Grafana, `{"version":"1","orgId":1,"alerts":[]}`, "holds no alerts"},
		"generic, no mapping":    {Generic, `{"a":1}`, "needs a mapping"},
	} {
		if _, err := read(c.format, []byte(c.body), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want in it %q", name, err, c.want)
		}
	}
}

// --- Grafana

func TestGrafanaGroupsKeepTheirFingerprint(t *testing.T) {
	want := mustParse(t, fixture(t, "grafana-firing.json")).Fingerprint
	alerts := func(status string, pods ...string) []any {
		var out []any
		for i, pod := range pods {
			out = append(out, map[string]any{"status": status, "startsAt": noon.Add(time.Duration(i) * time.Minute), "endsAt": noon.Add(time.Hour),
				"labels": map[string]any{"alertname": "Checkout errors", "pod": pod}})
		}
		return out
	}
	for name, body := range map[string][]byte{
		"growing":   edited(t, "grafana-firing.json", "/alerts", alerts("firing", "a", "b", "c"), "/title", "[FIRING:3] Checkout errors"),
		"shrinking": edited(t, "grafana-firing.json", "/alerts", alerts("firing", "c")),
		"resolved":  edited(t, "grafana-firing.json", "/alerts", alerts("resolved", "a", "b"), "/status", "resolved"),
	} {
		if got := mustParse(t, body); got.Fingerprint != want {
			t.Errorf("%s: the fingerprint changed", name)
		} else if resolved := name == "resolved"; (got.Status == Resolved) != resolved || resolved && !got.EndsAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("%s: %s until %v", name, got.Status, got.EndsAt)
		}
	}
	for name, body := range map[string][]byte{
		"another rule":         edited(t, "grafana-firing.json", "/groupLabels/alertname", "Cart errors"),
		"another organisation": edited(t, "grafana-firing.json", "/orgId", 2),
	} {
		if mustParse(t, body).Fingerprint == want {
			t.Errorf("%s has the same fingerprint", name)
		}
	}
}

// A group without labels is known by the alert that began first, whatever joins it.
func TestUngroupedNotificationsKeepTheirFingerprintAsTheyGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := sample()
		b.GroupLabels, b.CommonLabels = nil, nil
		b.Alerts[0].Labels = map[string]string{"alertname": "First", "slo": "a"}
		want := parseRaw(t, b).Fingerprint
		n := rapid.IntRange(1, 5).Draw(t, "more")
		for range n {
			b.Alerts = append(b.Alerts, alert{Status: rapid.SampledFrom([]string{"firing", "resolved"}).Draw(t, "status"),
				StartsAt: noon.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "later")) * time.Second),
				Labels:   map[string]string{"alertname": rapid.SampledFrom([]string{"First", "Other"}).Draw(t, "name"), "slo": rapid.SampledFrom([]string{"a", "b"}).Draw(t, "slo")}})
		}
		b.Alerts = rapid.Permutation(b.Alerts).Draw(t, "order")
		if got := parseRaw(t, b); got.Fingerprint != want {
			t.Fatalf("the fingerprint changed with %d more alerts", n)
		}
	})
}

func parseRaw(t *rapid.T, b body) Incident {
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	in, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// --- PagerDuty

func TestPagerDutyReopensOneCase(t *testing.T) {
	const at = "/event/data/"
	first := mustParse(t, fixture(t, "pagerduty-triggered.json"))
	for name, body := range map[string][]byte{
		"acknowledged": edited(t, "pagerduty-triggered.json", "/event/event_type", "incident.acknowledged", at+"status", "acknowledged"),
		"escalated":    edited(t, "pagerduty-triggered.json", "/event/event_type", "incident.escalated", at+"priority", nil),
		"reopened":     edited(t, "pagerduty-triggered.json", "/event/event_type", "incident.reopened"),
		// PagerDuty opens another incident when the alert fires again after its end.
		"triggered again": edited(t, "pagerduty-triggered.json", at+"id", "PZZZZZ9", at+"number", 3, at+"incident_key", "00000fbd41094207a1c11e58e46b1662",
			at+"title", "Error rate of checkout is 17 % on web-2", at+"created_at", "2026-03-04T13:00:02Z"),
	} {
		if got := mustParse(t, body); got.Fingerprint != first.Fingerprint || got.Status != Firing {
			t.Errorf("%s: another case, or not firing (%s)", name, got.Status)
		}
	}
	resolved := mustParse(t, edited(t, "pagerduty-triggered.json", "/event/event_type", "incident.resolved", at+"status", "resolved",
		at+"resolved_at", "2026-03-04T12:30:00Z"))
	if resolved.Fingerprint != first.Fingerprint || resolved.Status != Resolved || !resolved.EndsAt.Equal(noon.Add(30*time.Minute)) || !resolved.StartsAt.Equal(first.StartsAt) {
		t.Errorf("resolved: %+v", resolved)
	}
	for name, body := range map[string][]byte{
		"another service": edited(t, "pagerduty-triggered.json", at+"service", map[string]any{"id": "POTHER1", "summary": "cart"}),
		"another title":   edited(t, "pagerduty-triggered.json", at+"title", "Latency of checkout is 4.2 s"),
	} {
		if mustParse(t, body).Fingerprint == first.Fingerprint {
			t.Errorf("%s: the same case", name)
		}
	}
}

func TestPagerDutyKeysOfTheMonitoringToolGoBeforeTitles(t *testing.T) {
	const at = "/event/data/"
	named := func(edits ...any) string {
		return mustParse(t, edited(t, "pagerduty-triggered.json", append([]any{at + "incident_key", "checkout/errors"}, edits...)...)).Fingerprint
	}
	want := named()
	if named(at+"title", "renamed by a person", at+"id", "PNEW") != want {
		t.Error("a renamed incident became another case")
	}
	if named(at+"incident_key", "checkout/latency") == want || named(at+"service", map[string]any{"id": "POTHER1"}) == want {
		t.Error("another key, or another service, is the same case")
	}
}

func TestPagerDutySeverity(t *testing.T) {
	const at = "/event/data/"
	for _, c := range []struct {
		priority any
		urgency  string
		want     Severity
	}{
		{map[string]any{"summary": "P1"}, "low", Critical}, {map[string]any{"summary": "SEV-2"}, "low", Major}, {map[string]any{"summary": "P4"}, "high", Minor},
		{nil, "high", Major}, {nil, "low", Minor}, {nil, "", Unknown}, {map[string]any{"summary": "Blue"}, "low", Minor},
	} {
		if got := mustParse(t, edited(t, "pagerduty-triggered.json", at+"priority", c.priority, at+"urgency", c.urgency)).Severity; got != c.want {
			t.Errorf("priority %v, urgency %q: %s, want %s", c.priority, c.urgency, got, c.want)
		}
	}
}

// --- Datadog

func TestDatadogMonitorsKeepTheirFingerprint(t *testing.T) {
	first := mustParse(t, fixture(t, "datadog-triggered.json"))
	for name, c := range map[string]struct {
		edits  []any
		status Status
	}{
		"renotified":      {[]any{"/alert_transition", "Renotify", "/date", "1772629200000"}, Firing},
		"worse":           {[]any{"/alert_transition", "Re-Triggered", "/alert_priority", "P1"}, Firing},
		"no data":         {[]any{"/alert_transition", "No Data"}, Firing},
		"another host":    {[]any{"/alert_scope", "env:prod,host:i-ffff,service:checkout"}, Firing},
		"renamed":         {[]any{"/alert_title", "Errors of checkout"}, Firing},
		"recovered":       {[]any{"/alert_transition", "Recovered", "/alert_type", "success", "/date", "1772629200000"}, Resolved},
		"number for text": {[]any{"/alert_id", 148275309, "/date", 1772625600000}, Firing},
	} {
		got := mustParse(t, edited(t, "datadog-triggered.json", c.edits...))
		if got.Fingerprint != first.Fingerprint || got.Status != c.status {
			t.Errorf("%s: %s, same case: %v", name, got.Status, got.Fingerprint == first.Fingerprint)
		}
		if c.status == Resolved && !got.EndsAt.Equal(noon.Add(time.Hour)) {
			t.Errorf("%s: it ended %v", name, got.EndsAt)
		}
	}
	for name, edits := range map[string][]any{"another monitor": {"/alert_id", "7"}, "another group": {"/alert_scope", "service:cart,env:prod"}, "another organisation": {"/org_id", "2"}} {
		if mustParse(t, edited(t, "datadog-triggered.json", edits...)).Fingerprint == first.Fingerprint {
			t.Errorf("%s: the same case", name)
		}
	}
}

func TestDatadogPayloadsOfOthersAreReadByUsualNames(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		name   string
		status Status
	}{
		"camel case":      {`{"alertId":"5","alertTitle":"Slow","alertTransition":"Recovered","lastUpdatedPosix":"1772625600"}`, "Slow", Resolved},
		"upper case":      {`{"ALERT_ID":"5","ALERT_TITLE":"Slow","ALERT_TRANSITION":"Warn","DATE":"1772625600000"}`, "Slow", Firing},
		"state in title":  {`{"title":"[Recovered] Slow","last_updated":"1772625600000","event_type":"metric_alert_monitor","org":{"id":"1"}}`, "Slow", Resolved},
		"type alone":      {`{"aggreg_key":"k","alert_type":"success","date":"1772625600000","title":"Slow"}`, "Slow", Resolved},
		"unset variables": {`{"alert_id":"5","alert_transition":"$ALERT_TRANSITION","alert_title":"$ALERT_TITLE","date":"1772625600000"}`, "Datadog monitor 5", Firing},
	} {
		in, err := ParseAs(Datadog, []byte(c.body), nil)
		if err != nil || in.Name != c.name || in.Status != c.status || !in.StartsAt.Equal(noon) {
			t.Errorf("%s: %+v (%v)", name, in, err)
		}
	}
	if got := mustParse(t, fixture(t, "datadog-default.json")); got.Fingerprint != mustParse(t, edited(t, "datadog-default.json", "/title", "[Recovered] Error rate of checkout is 0.1 %")).Fingerprint {
		t.Error("the default payload of one monitor makes two cases")
	}
}

func TestDatadogSeverity(t *testing.T) {
	for want, edits := range map[Severity][]any{Critical: {"/alert_priority", "P1"}, Major: {"/alert_priority", "$ALERT_PRIORITY"}, Minor: {"/alert_transition", "Warn", "/alert_priority", "P1"},
		Unknown: {"/alert_priority", "", "/alert_type", "snapshot"}} {
		if got := mustParse(t, edited(t, "datadog-triggered.json", edits...)).Severity; got != want {
			t.Errorf("%v: %s, want %s", edits, got, want)
		}
	}
	if got := mustParse(t, edited(t, "datadog-triggered.json", "/alert_priority", nil, "/tags", []any{"severity:sev1"})).Severity; got != Critical {
		t.Errorf("by tag: %s", got)
	}
}

// The published template is what the parser reads first, and is JSON before Datadog fills it in.
func TestDatadogTemplateIsReadInFull(t *testing.T) {
	var members map[string]string
	if err := json.Unmarshal([]byte(DatadogTemplate), &members); err != nil {
		t.Fatal(err)
	}
	read := map[string]bool{"remediator": true}
	for _, names := range datadogNames {
		read[names[0]] = true
	}
	for name := range members {
		if !read[squash(name)] && name != "remediator" {
			t.Errorf("the template sends %s, which nobody reads", name)
		}
	}
	if len(members) != len(datadogNames)+1 {
		t.Errorf("the template has %d members, the parser reads %d", len(members), len(datadogNames)+1)
	}
	var sent map[string]any
	if err := json.Unmarshal(fixture(t, "datadog-triggered.json"), &sent); err != nil {
		t.Fatal(err)
	}
	for name := range members {
		if _, ok := sent[name]; !ok {
			t.Errorf("the fixture lacks %s", name)
		}
	}
}
