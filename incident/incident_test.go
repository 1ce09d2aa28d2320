package incident

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type alert struct {
	Status   string            `json:"status"`
	Labels   map[string]string `json:"labels"`
	StartsAt time.Time         `json:"startsAt"`
	EndsAt   time.Time         `json:"endsAt"`
}

type body struct {
	Version      string            `json:"version"`
	GroupKey     string            `json:"groupKey"`
	Status       string            `json:"status"`
	GroupLabels  map[string]string `json:"groupLabels"`
	CommonLabels map[string]string `json:"commonLabels"`
	Truncated    int               `json:"truncatedAlerts"`
	Alerts       []alert           `json:"alerts"`
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func sample() body {
	labels := map[string]string{"alertname": "ErrorBudgetBurn", "slo": "checkout-availability", "severity": "page", "service": "edge"}
	return body{
		Version: "4", GroupKey: `{}:{alertname="ErrorBudgetBurn"}`, Status: "firing",
		GroupLabels:  map[string]string{"alertname": "ErrorBudgetBurn", "slo": "checkout-availability"},
		CommonLabels: labels,
		Alerts:       []alert{{Status: "firing", Labels: labels, StartsAt: noon, EndsAt: noon.Add(time.Hour)}},
	}
}

func parse(t testing.TB, b body) Incident {
	t.Helper()
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	in, err := Parse(raw)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return in
}

func TestParse(t *testing.T) {
	in := parse(t, sample())
	if in.Name != "ErrorBudgetBurn" || in.Severity != Critical || in.Status != Firing || in.Service != "edge" {
		t.Errorf("got %+v", in)
	}
	if !in.StartsAt.Equal(noon) {
		t.Errorf("StartsAt = %v, want %v", in.StartsAt, noon)
	}
	if !in.EndsAt.IsZero() {
		t.Errorf("EndsAt = %v of a firing alert: Alertmanager's deadline is not an end", in.EndsAt)
	}
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(in.Fingerprint) {
		t.Errorf("fingerprint %q is not 32 hex digits", in.Fingerprint)
	}
}

func TestResolved(t *testing.T) {
	b := sample()
	b.Status, b.Alerts[0].Status = "resolved", "resolved"
	in := parse(t, b)
	if in.Status != Resolved || !in.EndsAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("got %s until %v, want resolved with its end", in.Status, in.EndsAt)
	}
	if got, want := in.Fingerprint, parse(t, sample()).Fingerprint; got != want {
		t.Errorf("fingerprint changed from %s to %s when the alert was resolved", want, got)
	}
}

func TestMixedGroupFiresFromItsEarliestAlert(t *testing.T) {
	b := sample()
	early := b.Alerts[0]
	early.StartsAt = noon.Add(-time.Minute)
	done := b.Alerts[0]
	done.Status = "resolved"
	b.Alerts = append(b.Alerts, done, early)
	b.Truncated = 7
	in := parse(t, b)
	if in.Status != Firing || !in.StartsAt.Equal(early.StartsAt) || in.Alerts != 3 || in.Truncated != 7 {
		t.Errorf("got %+v", in)
	}
}

// TestFingerprintIsStable: order, repeats, urgency and replicas do not make a second case.
func TestFingerprintIsStable(t *testing.T) {
	want := parse(t, sample()).Fingerprint
	rapid.Check(t, func(t *rapid.T) {
		b := sample()
		n := rapid.IntRange(1, 6).Draw(t, "alerts")
		proto := b.Alerts[0]
		b.Alerts = nil
		for i := range n {
			a := proto
			a.Labels = maps.Clone(proto.Labels)
			a.Labels["pod"] = fmt.Sprintf("edge-%d", i)
			a.Labels["severity"] = rapid.SampledFrom([]string{"page", "warning", "ticket"}).Draw(t, "severity")
			a.StartsAt = noon.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "start")) * time.Second)
			b.Alerts = append(b.Alerts, a)
		}
		rand.Shuffle(len(b.Alerts), func(i, j int) { b.Alerts[i], b.Alerts[j] = b.Alerts[j], b.Alerts[i] })
		raw, _ := json.Marshal(b)
		in, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if in.Fingerprint != want {
			t.Fatalf("fingerprint %s, want %s", in.Fingerprint, want)
		}
	})
}

func TestFingerprintTellsObjectivesApart(t *testing.T) {
	seen := map[string]string{}
	for _, slo := range []string{"a", "b", "ab", ""} {
		for _, name := range []string{"Burn", "Slow"} {
			b := sample()
			b.GroupLabels = map[string]string{"alertname": name, "slo": slo}
			b.Alerts[0].Labels = map[string]string{"alertname": name, "slo": slo}
			f := parse(t, b).Fingerprint
			key := name + "/" + slo
			if other, ok := seen[f]; ok {
				t.Errorf("%s and %s share the fingerprint %s", key, other, f)
			}
			seen[f] = key
		}
	}
}

func TestSeverity(t *testing.T) {
	for word, want := range map[string]Severity{
		"critical": Critical, "PAGE": Critical, "SEV-1": Critical, "sev_2": Major, "P3": Minor,
		"warning": Minor, "": Unknown, "urgent-ish": Unknown,
	} {
		if got := severityOf(map[string]string{"severity": word}); got != want {
			t.Errorf("severity %q is %s, want %s", word, got, want)
		}
	}
	b := sample()
	worse := b.Alerts[0]
	worse.Labels = maps.Clone(worse.Labels)
	b.Alerts[0].Labels = maps.Clone(b.Alerts[0].Labels)
	b.Alerts[0].Labels["severity"] = "warning"
	b.Alerts = append(b.Alerts, worse)
	if got := parse(t, b).Severity; got != Critical {
		t.Errorf("a group of a warning and a page is %s, want critical", got)
	}
}

// TestErrorsNameTheNextStep: each kind of bad body gets its own words.
func TestErrorsNameTheNextStep(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"empty":         {"  \n", "empty"},
		"not JSON":      {"alert!", "invalid JSON"},
		"cut off":       {`{"version":"4","alerts":[`, "ends early"},
		"two":           {`{"version":"4","alerts":[{"startsAt":"2026-01-01T00:00:00Z"}]} {}`, "one notification"},
		"other format":  {`{"event":{"event_type":"incident.triggered"}}`, "has no data"},
		"old version":   {`{"version":"3","alerts":[{}]}`, `version "3"`},
		"no alerts":     {`{"version":"4","alerts":[]}`, "no alerts"},
		"no start":      {`{"version":"4","alerts":[{"labels":{"alertname":"x"}}]}`, "startsAt"},
		"wrong type":    {`{"version":4,"alerts":[{}]}`, `"version" holds a number`},
		"not UTF-8":     {"{\"version\":\"\xff\"}", "UTF-8"},
		"list":          {`[]`, "a JSON object belongs there"},
		"bad timestamp": {`{"version":"4","alerts":[{"startsAt":"yesterday"}]}`, "not an Alertmanager webhook"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(tc.body))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
	if _, err := Parse(make([]byte, MaxBody+1)); err == nil || !strings.Contains(err.Error(), "max_alerts") {
		t.Errorf("a huge body: got %v", err)
	}
}

func TestLongTextIsCut(t *testing.T) {
	b := sample()
	b.Alerts[0].Labels["note"] = strings.Repeat("é", maxText)
	in := parse(t, b)
	if n := len(in.Labels["note"]); n > maxText+len("…") {
		t.Errorf("label of %d bytes was kept", n)
	}
}

func FuzzParse(f *testing.F) {
	raw, _ := json.Marshal(sample())
	f.Add(raw)
	f.Add([]byte(`{"version":"4","alerts":[{"status":"resolved","startsAt":"0001-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"version":"4","truncatedAlerts":18446744073709551615,"alerts":[{"startsAt":"2026-01-01T00:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := Parse(data)
		if err != nil {
			return
		}
		again, err := Parse(data)
		if err != nil || again.Fingerprint != in.Fingerprint {
			t.Fatalf("the same body parsed differently: %v", err)
		}
		if len(in.Fingerprint) != 32 || in.Severity == "" || in.StartsAt.IsZero() || in.Truncated < 0 {
			t.Fatalf("half an incident: %+v", in)
		}
	})
}
