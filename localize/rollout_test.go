package localize

import (
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

// withRevisions stamps the ledger's telemetry of both windows.
func withRevisions(ev *Evidence, healthy, broken string) {
	for i := range ev.Baseline.Spans {
		if r := ev.Baseline.Spans[i].Resource; r.Service == "ledger" {
			r.Commit = healthy
		}
	}
	for i := range ev.Incident.Spans {
		if r := ev.Incident.Spans[i].Resource; r.Service == "ledger" {
			r.Commit = broken
		}
	}
}

func TestOnlyWhatWasRolledOutBetweenTheWindowsIsToBlame(t *testing.T) {
	blamed := func(healthy, broken string, at time.Duration) string {
		t.Helper()
		ev := nilScenario()
		ev.Deploys = nil
		ev.Changes = []Change{
			{SHA: shaOther, Time: base.Add(-5 * time.Hour), Service: "ledger", Message: "ledger: round totals", Files: []ChangedFile{{Path: "ledger/round.go", Patch: "@@ @@\n-\tx := floor(y)\n+\tx := ceil(y)\n"}}},
			{SHA: shaGuilty, Time: base.Add(at), Service: "ledger", Message: "ledger: simplify posting of entries", Files: someChanges()[3].Files},
			{SHA: shaMoved, Time: base.Add(-3 * time.Minute), Service: "ledger", Message: "ledger: name a step", Files: []ChangedFile{{Path: "ledger/step.go", Patch: "@@ @@\n-\tdo(a)\n+\trun(a)\n"}}},
		}
		withRevisions(&ev, healthy, broken)
		r := Rank(incident.Incident{}, ev, Options{})
		if len(r.Changes) == 0 {
			return "none"
		}
		return r.Changes[0].SHA
	}
	if got := blamed(shaOther, shaMoved, -5*time.Minute); got != shaGuilty {
		t.Errorf("rolled out between the windows, and %s is blamed", got)
	}
	if got := blamed(shaGuilty, shaMoved, -5*time.Minute); got == shaGuilty {
		t.Error("a commit that ran when the service was healthy is blamed")
	}
	if got := blamed(shaOther, shaOther, -5*time.Minute); got != "none" {
		t.Errorf("nothing was rolled out, and %s is blamed", got)
	}
	if got := blamed(shaOther[:10], shaGuilty[:10], -5*time.Minute); got != shaGuilty {
		t.Errorf("with shortened hashes %s is blamed", got)
	}
	if got := blamed("1234567890", "0987654321", -5*time.Minute); got != shaGuilty {
		t.Errorf("with revisions that are no known commits %s is blamed", got)
	}
	if got := blamed("unknown0", shaOther, -5*time.Minute); got != "none" {
		t.Errorf("none of the suspicious commits was live yet, and %s is blamed", got)
	}
}

func TestWhatRanBeforeTheHealthyWindowByTheDeploymentsIsInnocent(t *testing.T) {
	ev := nilScenario()
	ev.Changes = []Change{{SHA: shaGuilty, Time: base.Add(-4 * time.Hour), Service: "ledger", Message: "ledger: simplify posting of entries", Files: someChanges()[3].Files}}
	ev.Deploys = []Deploy{{Time: base.Add(-3 * time.Hour), Service: "ledger", SHA: shaGuilty}}
	if r := Rank(incident.Incident{}, ev, Options{}); len(r.Changes) != 0 {
		t.Errorf("it was deployed two hours before the healthy window:\n%s", says(r))
	}
	ev.Deploys[0].Time = base.Add(-2 * time.Minute)
	if r := Rank(incident.Incident{}, ev, Options{}); len(r.Changes) == 0 {
		t.Errorf("it was deployed between the windows:\n%s", says(r))
	}
}

func TestAHealthyWindowAfterTheIncidentBoundsNothing(t *testing.T) {
	ev := nilScenario()
	ev.Deploys = nil
	later := newWorld(base.Add(3*time.Hour), 5)
	later.run(300, 100*ms, func(i int) node { return healthyChain(later, i) })
	ev.Baseline = later.dataset()
	withRevisions(&ev, shaLate, shaGuilty)
	ev.Changes = append(ev.Changes[3:4:4], Change{SHA: shaLate, Time: base.Add(time.Hour), Service: "ledger", Message: "ledger: mend it", Files: []ChangedFile{{Path: "ledger/account.go", Patch: "@@ @@\n+\tif e.Account == nil {\n+\t}\n"}}})
	if r := Rank(incident.Incident{}, ev, Options{}); len(r.Changes) == 0 || r.Changes[0].SHA != shaGuilty {
		t.Errorf("the healthy window ran the repair:\n%s", says(r))
	}
}
