package localize

import (
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

// The healthy window has traces and no logs: errors that the incident's logs hold may have been there for ever, so
// nothing is said of them when healthy, and they alone make nobody sure.
func TestLogsWithoutHealthyOnesAreComparedWithNothing(t *testing.T) {
	healthy := func(seed uint64, start time.Time) *world {
		w := newWorld(start, seed)
		w.run(200, 300*ms, func(int) node { return chain(ledger(10 * ms)) })
		return w
	}
	b, c := healthy(1, base.Add(-time.Hour)), healthy(2, base)
	for i := range 60 {
		c.log(time.Duration(i)*time.Second, "ledger", "ERROR cache miss for account, going to the store")
	}
	ev := evidence(c.dataset(), b.dataset())
	r := Rank(incident.Incident{}, ev, Options{})
	if r.Decision != Abstain {
		t.Errorf("acts on records that may have been there for ever:\n%s", says(r))
	}
	for _, s := range r.Suspects {
		for _, why := range s.Reasons {
			if strings.Contains(why.Text, "when healthy") {
				t.Errorf("there are no healthy logs, and yet: %s", why.Text)
			}
		}
	}

	quietLogs(b, 60, "ledger")
	r = Rank(incident.Incident{}, evidence(c.dataset(), b.dataset()), Options{})
	if len(r.Suspects) == 0 || !strings.Contains(says(r), "never when healthy") {
		t.Errorf("new errors beside healthy logs:\n%s", says(r))
	}
}
