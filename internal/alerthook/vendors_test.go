package alerthook

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

// vendors is a configuration as docs/alert-sources.md recommends it.
const vendors = `  grafana: {format: grafana, secret_file: key, timestamp_header: X-Grafana-Alerting-Timestamp}
  grafana-plain: {format: grafana, secret_file: key}
  pagerduty: {format: pagerduty, secret_file: key}
  datadog: {format: datadog, bearer_file: token}
  other:
    format: generic
    bearer_file: token
    mapping: {name: /alert/title, starts_at: /alert/opened, status: /alert/state, labels: /alert/tags}
`

func fixture(t testing.TB, name string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "incident", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestEveryVendorIsAcceptedAsItSends(t *testing.T) {
	b := newBench(t, vendors, guardedFiles, nil)
	stamp := stampOf(noon.Add(-time.Minute))
	for _, c := range []struct {
		source, file string
		headers      func(body string) []string
	}{
		{"grafana", "grafana-firing.json", func(body string) []string {
			return []string{"X-Grafana-Alerting-Signature", sign("k", stamp+":"+body), "X-Grafana-Alerting-Timestamp", stamp}
		}},
		{"grafana-plain", "grafana-firing.json", func(body string) []string { return []string{"X-Grafana-Alerting-Signature", sign("k", body)} }},
		{"pagerduty", "pagerduty-triggered.json", func(body string) []string {
			return []string{"X-PagerDuty-Signature", "v1=" + sign("former", body) + ",v1=" + sign("k", body)}
		}},
		{"datadog", "datadog-triggered.json", func(string) []string { return []string{"Authorization", "Bearer open sesame"} }},
		{"other", "generic.json", func(string) []string {
			return []string{"Authorization", "Bearer open sesame", "Content-Type", "application/vnd.example+json"}
		}},
	} {
		body := fixture(t, c.file)
		got := wantReply(t, b.send(c.source, body, c.headers(body)...), http.StatusAccepted)
		all := b.store.all()
		last := all[len(all)-1]
		// Whoever gets the alert reads it without knowing the source.
		in, err := incident.Parse(last.Body)
		if err != nil || in.Fingerprint != got.Case || last.Format != in.Source {
			t.Errorf("%s: %+v (%v), answered %+v", c.source, in, err, got)
		}
		var mapping incident.Mapping
		if c.source == "other" {
			mapping = incident.Mapping{"name": "/alert/title", "starts_at": "/alert/opened", "status": "/alert/state", "labels": "/alert/tags"}
		}
		if as, err := incident.ParseAs(last.Format, []byte(body), mapping); err != nil || !reflect.DeepEqual(as, in) {
			t.Errorf("%s: as sent it is %+v (%v), as stored %+v", c.source, as, err, in)
		}
		// A body that somebody else signed, or nobody.
		if w := b.send(c.source, strings.Replace(body, "1", "2", 1), c.headers(body)...); c.headers(body)[0] != "Authorization" && w.Code != http.StatusUnauthorized {
			t.Errorf("%s: another body with the same signature: %d", c.source, w.Code)
		}
		if w := b.send(c.source, body); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: unsigned: %d", c.source, w.Code)
		}
	}
}

// A sender that is asked to send a test again would do so for ever.
func TestTestsOfTheConnectionAreAnsweredAndNotStored(t *testing.T) {
	b := newBench(t, vendors, guardedFiles, nil)
	for source, name := range map[string]string{"pagerduty": "pagerduty-ping.json", "grafana-plain": "grafana-test-button.json"} {
		body := fixture(t, name)
		header := map[string]string{"pagerduty": "X-PagerDuty-Signature", "grafana-plain": "X-Grafana-Alerting-Signature"}[source]
		if got := wantReply(t, b.send(source, body, header, "v1="+sign("k", body)), http.StatusOK); got.Ignored == "" || got.Case != "" {
			t.Errorf("%s: %+v", name, got)
		}
		// Even a ping shows that the secret is right, and only then.
		if w := b.send(source, body, header, "v1="+sign("x", body)); w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d without the right secret", name, w.Code)
		}
	}
	if len(b.store.all()) > 0 || len(b.seen) != 4 || b.log.Len() == 0 {
		t.Errorf("stored %d, observed %d", len(b.store.all()), len(b.seen))
	}
}

// What the documentation shows for Datadog is what the parser wants.
func TestTheDocumentedTemplateIsTheParsersOwn(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "alert-sources.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), incident.DatadogTemplate) {
		t.Error("docs/alert-sources.md shows another payload than incident.DatadogTemplate")
	}
}

// BenchmarkAccept is the time from a request to its 202 where the queue takes no time: reading, checking and parsing.
func BenchmarkAccept(b *testing.B) {
	for _, c := range []struct {
		name, source, body string
		headers            []string
	}{
		{"alertmanager", "open", alertBody, nil},
		{"grafana", "g", fixture(b, "grafana-firing.json"), []string{"X-Grafana-Alerting-Signature", sign("k", fixture(b, "grafana-firing.json"))}},
		{"group of 500", "open", `{"version":"4","groupLabels":{"alertname":"Burn"},"alerts":[` + strings.TrimSuffix(strings.Repeat(alertBody[strings.Index(alertBody, `{"status"`):len(alertBody)-2]+",", 500), ",") + `]}`, nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			h := newBench(b, "  open: {format: alertmanager, per_minute: 1000000}\n  g: {format: grafana, secret_file: key, per_minute: 1000000}\n", guardedFiles,
				func(o *Options) { o.Now = time.Now; o.Observe = nil })
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				if w := h.send(c.source, c.body, c.headers...); w.Code != http.StatusAccepted {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
