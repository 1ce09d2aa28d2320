package config

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const one = "services: {a: {paths: [x], test: [y]}, b: {paths: [z], test: [y]}}\n"

func parsed(t *testing.T, text string) Config {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTheFirstAutonomyRuleThatFitsHolds(t *testing.T) {
	c := parsed(t, one+`autonomy: branch
autonomy_for:
  - {services: [a], severities: [critical], autonomy: report}
  - {services: [a], autonomy: ready}
  - {severities: [minor, unknown], autonomy: draft}
`)
	for _, q := range []struct{ service, severity, want string }{
		{"a", "critical", "report"}, {"a", "minor", "ready"}, {"b", "minor", "draft"}, {"b", "critical", "branch"},
		{"", "unknown", "draft"}, {"", "critical", "branch"}, {"c", "", "branch"},
	} {
		if got := c.AutonomyOf(q.service, q.severity); got != q.want {
			t.Errorf("%q, %q: %s, want %s", q.service, q.severity, got, q.want)
		}
	}
	if got := (Config{}).AutonomyOf("a", "critical"); got != DefaultAutonomy {
		t.Errorf("of nothing: %s", got)
	}
}

func TestSevereIncidentsWaitForAPersonUnlessTheFileSaysOtherwise(t *testing.T) {
	for text, want := range map[string][4]bool{
		"":                       {true, true, false, false},
		"approvals: []\n":        {},
		"approvals: [unknown]\n": {false, false, false, true},
		"approvals: [critical, major, minor, unknown]\n": {true, true, true, true},
	} {
		c := parsed(t, one+text)
		for i, severity := range severities {
			if got := c.NeedsApproval(severity); got != want[i] {
				t.Errorf("%q: %s needs approval: %v", text, severity, got)
			}
		}
	}
	if !(Config{}).NeedsApproval("critical") || (Config{}).NeedsApproval("minor") {
		t.Error("a configuration made by a program has no default")
	}
}

func TestLimitsHaveDefaultsAndFalseCanBeSaid(t *testing.T) {
	c := parsed(t, one)
	if c.Limits.OpenPullRequests != 5 || c.Limits.OpenPerService != 1 || c.Limits.PullRequestsPerHour != 3 || c.Limits.KeepClosedBranches {
		t.Errorf("limits are %+v", c.Limits)
	}
	if !c.Limits.Bypass("critical") || c.Limits.Bypass("major") {
		t.Error("by default critical incidents alone pass the limits")
	}
	if parsed(t, one+"limits: {critical_bypass: false}\n").Limits.Bypass("critical") {
		t.Error("critical_bypass: false is not heard")
	}
	if !(Limits{}).Bypass("critical") {
		t.Error("unset means yes")
	}
}

func TestMistakesInAutonomyNamePlaceAndFix(t *testing.T) {
	for text, want := range map[string]string{
		"autonomy_for: [{services: [c], autonomy: draft}]\n":        `2:28: autonomy_for[0].services[0]: there is no service "c"`,
		"autonomy_for: [{autonomy: draft}]\n":                       "fits every incident; name services or severities",
		"autonomy_for: [{services: [a]}]\n":                         "autonomy_for[0]: autonomy is required",
		"autonomy_for: [{services: [a], autonomy: drat}]\n":         `did you mean "draft"?`,
		"autonomy_for: [{severities: [majr], autonomy: draft}]\n":   `did you mean "major"?`,
		"approvals: [sev1]\n":                                       `approvals[0]: "sev1" is not known; use one of critical, major, minor, unknown`,
		"approvals: [minor, minor]\n":                               `"minor" is there twice`,
		"approvals: critical\n":                                     `must be a list, not text; write a list: ["critical"]`,
		"limits: {open_pull_requests: 0}\n":                         "2:30: limits.open_pull_requests: must be between 1 and 1000",
		"limits: {pull_requests_per_hour: -1}\n":                    "must be between 1 and 1000",
		"limits: {critical_bypass: maybe}\n":                        "must be true or false",
		"model: {name: x}\n":                                        "model: a model is named, but not the server it runs on; add url",
		"model: {url: \"ftp://x\"}\n":                               "is not an http or https URL",
		"model: {url: \"http://models.example.com/v1\"}\n":          "would travel unencrypted",
		"model: {url: \"https://user:pw@models.example.com/v1\"}\n": "remove what stands before the @",
		"model: {url: \"https://models.example.com/v1?k=1\"}\n":     "query or fragment",
		"model: {url: \"http://127.0.0.1:1\", timeout: 2h}\n":       "model.timeout: must be between 1s and 1h0m0s",
	} {
		_, err := Parse([]byte(one + text))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives\n%v, want in it\n%s", text, err, want)
		}
	}
}

func TestAModelMayBeNearbyOverHTTP(t *testing.T) {
	for host, want := range map[string]bool{"127.0.0.1": true, "::1": true, "localhost": true, "10.1.2.3": true, "192.168.1.9": true, "fd00::1": true,
		"ollama": true, "ollama.models.svc": true, "box.local": true, "8.8.8.8": false, "2001:4860:4860::8888": false, "models.example.com": false, "svc.example.com": false} {
		if got := nearby(host); got != want {
			t.Errorf("%s is nearby: %v", host, got)
		}
	}
}

func TestDurationsMayHaveDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "90d": 2160 * time.Hour, "1d12h": 36 * time.Hour, "0.5d": 12 * time.Hour, "2160h": 2160 * time.Hour} {
		if got, err := ParseDuration(text); err != nil || time.Duration(got) != want {
			t.Errorf("%s is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "90", "1w", "9999999d", "999999d", "-", "1d-2h", "1,5d"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// What is written can be read, and means the same.
func TestDurationsSurviveWritingAndReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Range(0, int64(20*365*24*time.Hour)).Draw(t, "duration"))
		if rapid.Bool().Draw(t, "days") {
			d -= d % Duration(24*time.Hour)
		}
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again Duration
		if err := again.UnmarshalText(text); err != nil || again != d {
			t.Fatalf("%v was written %s and read %v (%v)", int64(d), text, int64(again), err)
		}
	})
}
