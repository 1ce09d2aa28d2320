package localize

import (
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

func TestWhereTheBeginningIsUnknownNoChangeOfTheWindowIsTooLate(t *testing.T) {
	judge := func(undated bool) float64 {
		a := &analysis{k: newConstants(nil), causeOnset: base.UnixNano(), onset: base.UnixNano(), undated: undated, ev: &Evidence{},
			cur: &window{from: base.UnixNano(), to: base.Add(20 * time.Minute).UnixNano()}}
		j := judgedChange{change: &Change{SHA: shaGuilty, Time: base.Add(5 * time.Minute)}}
		a.judgeTime(&j, nil)
		return j.odds
	}
	if judge(true) < -1 {
		t.Errorf("%.2f nats against a change of the window, though nobody knows when it began", -judge(true))
	}
	if judge(false) > -5 {
		t.Errorf("%.2f nats for a change that came after the onset", judge(false))
	}
}

func TestAServiceThatStoppedWithoutARollOutIsNoCode(t *testing.T) {
	cur, old := windows(300, func(_ *world, i int) node { return twoCallers(i) }, func(_ *world, i int) node {
		if i > 60 {
			return refusing(twoCallers(i), "stamps")
		}
		return twoCallers(i)
	})
	if r := Rank(incident.Incident{}, evidence(cur, old), Options{}); r.Cause == CauseCode || r.Decision == Act {
		t.Errorf("%s", says(r))
	}
}
