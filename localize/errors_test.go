package localize

import (
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

// storm is edge -> wallet -> vault, where the vault sheds load in the same short moments in both
// windows and wallet's way of repeating calls decides what becomes of it. The vault's own spans show
// every repetition.
func storm(failures, attempts int, pause time.Duration) node {
	var calls []node
	for n := range attempts {
		v := server("vault", "POST /unlock", 2*ms)
		v.fail = n < failures
		if v.fail {
			v.logs = []string{"WARN load shed"}
		}
		c := client("wallet", "POST vault", "vault", ms, v)
		c.fail = v.fail
		if n > 0 {
			c.gap = pause
		}
		calls = append(calls, c)
		if !c.fail {
			break
		}
	}
	w := server("wallet", "POST /charge", ms, calls...)
	w.fail = calls[len(calls)-1].fail
	c := client("edge", "POST wallet", "wallet", ms, w)
	c.fail = w.fail
	e := server("edge", "POST /checkout", ms, c)
	e.fail = w.fail
	return e
}

func TestADependencyThatAnswersARetryStormIsNotToBlame(t *testing.T) {
	cur, old := windows(400,
		func(_ *world, i int) node {
			if i%10 < 2 {
				return storm(1, 5, 80*ms)
			}
			return storm(0, 5, 0)
		},
		func(_ *world, i int) node {
			if i%10 < 2 {
				return storm(5, 5, 10*time.Microsecond)
			}
			return storm(0, 5, 0)
		})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "wallet" {
		t.Fatalf("the vault fails as many first attempts as before, wallet no longer copes:\n%s", says(r))
	}
}

func TestRepetitionsAndWhatLiesBelowThemCountOnce(t *testing.T) {
	w := newWorld(base, 1)
	w.run(10, time.Second, func(int) node { return storm(4, 5, ms) })
	ds := w.dataset()
	ops := newOperations()
	win := newWindow(&ds, ops)
	for id, c := range countOps(win, 0) {
		if op := ops.list[id]; op.service == "vault" && (c.n != 10 || c.bad != 10) {
			t.Errorf("%s: %v of %v failed, want each first answer once", op.name, c.bad, c.n)
		}
	}
}
