package localize

import (
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

// More requests that are all served as before are no reason for errors that nobody saw before.
func TestDemandThatIsServedAsBeforeIsNoCause(t *testing.T) {
	surge := func(took time.Duration) Result {
		fill := func(w *world, n int, period, took time.Duration) {
			w.run(n, period, func(int) node { return chain(ledger(took)) })
			for m := range 20 {
				for _, s := range []string{"edge", "basket", "ledger"} {
					w.metric(time.Duration(m)*time.Second, s, "http.server.request.rate", float64(n)/20)
				}
			}
		}
		b, c := newWorld(base.Add(-time.Hour), 1), newWorld(base, 2)
		fill(b, 100, 200*ms, 10*ms)
		fill(c, 500, 40*ms, took)
		for i := range 40 {
			c.log(time.Duration(i)*500*ms, "ledger", "ERROR no entry for this account")
		}
		return Rank(incident.Incident{}, evidence(c.dataset(), b.dataset()), Options{})
	}
	if r := surge(10 * ms); r.Cause == CauseExternal || len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" {
		t.Errorf("five times the requests, served as fast as ever, and a new error:\n%s", says(r))
	}
	if r := surge(300 * ms); r.Cause != CauseExternal {
		t.Errorf("five times the requests, and they last longer:\n%s", says(r))
	}
}
