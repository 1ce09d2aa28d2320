package localize

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

func TestDoubtsAboutTheAlertAreSaid(t *testing.T) {
	tests := map[string]struct {
		alert incident.Incident
		code  string
		grave bool
	}{
		"unknown service":        {incident.Incident{Service: "payroll"}, "unknown_service", false},
		"resolved":               {incident.Incident{Status: incident.Resolved, StartsAt: base, EndsAt: base.Add(time.Minute)}, "resolved", false},
		"hours later":            {incident.Incident{StartsAt: base.Add(5 * time.Hour)}, "other_time", false},
		"hours earlier":          {incident.Incident{StartsAt: base.Add(-5 * time.Hour)}, "other_time", false},
		"years later":            {incident.Incident{StartsAt: base.AddDate(2, 0, 0)}, "other_time", true},
		"of the telemetry":       {incident.Incident{Service: "ledger", Status: incident.Firing, StartsAt: base.Add(time.Minute)}, "", false},
		"a database only called": {incident.Incident{Service: "edge"}, "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := Rank(tt.alert, nilScenario(), Options{})
			if len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" {
				t.Fatalf("%s", says(r))
			}
			codes := []string{"unknown_service", "resolved", "other_time"}
			for _, g := range r.Gaps {
				if slices.Contains(codes, g.Code) != (g.Code == tt.code) {
					t.Errorf("gap %+v", g)
				}
			}
			said := slices.ContainsFunc(r.Gaps, func(g Gap) bool { return g.Code == tt.code })
			if tt.code != "" && (!said || len(r.Why) == 0) {
				t.Errorf("no word of it: why %q, gaps %v", r.Why, r.Gaps)
			}
			if tt.grave != (r.Decision == Abstain) {
				t.Errorf("decision %s, why %q", r.Decision, r.Why)
			}
		})
	}
	cur, old := windows(100, healthyChain, healthyChain)
	if r := Rank(incident.Incident{Service: "payroll"}, evidence(cur, old), Options{}); !strings.Contains(strings.Join(r.Why, " "), "payroll") {
		t.Errorf("where nothing is wrong the doubt is not said: %q", r.Why)
	}
}

func TestWithoutAHealthyWindowNobodyIsSure(t *testing.T) {
	ev := nilScenario()
	compared := Rank(incident.Incident{}, ev, Options{})
	ev.Baseline = newWorld(base, 1).dataset()
	r := Rank(incident.Incident{}, ev, Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" {
		t.Fatalf("%s", says(r))
	}
	if r.Confidence > 0.85 || r.Confidence > compared.Confidence-0.1 {
		t.Errorf("%.2f sure, %.2f with a healthy window, though all of it may be as it always was", r.Confidence, compared.Confidence)
	}
}

func TestDeploymentsAreNoGapBesideABlamedChange(t *testing.T) {
	missing := func(ev Evidence) bool {
		r := Rank(incident.Incident{}, ev, Options{})
		return slices.ContainsFunc(r.Gaps, func(g Gap) bool { return g.Code == "no_deploys" })
	}
	ev := nilScenario()
	ev.Deploys = nil
	if missing(ev) {
		t.Error("a change is blamed, and deployments are asked for")
	}
	ev.Changes = nil
	if !missing(ev) {
		t.Error("nothing is blamed, and deployments are not asked for")
	}
}
