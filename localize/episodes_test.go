package localize

import (
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

func TestABurstIsNoLaw(t *testing.T) {
	from, to := base.UnixNano(), base.Add(2*time.Minute).UnixNano()
	var even, burst []int64
	for i := range 60 {
		even = append(even, base.Add(time.Duration(i)*2*time.Second).UnixNano())
		burst = append(burst, base.Add(time.Duration(i)*10*time.Millisecond).UnixNano())
	}
	if d := dispersion(even, from, to); d > 1.2 {
		t.Errorf("even events are dispersed by %.2f", d)
	}
	if d := dispersion(burst, from, to); d < 10 {
		t.Errorf("one burst is dispersed by %.2f", d)
	}
	if dispersion(nil, from, to) != 1 || dispersion(burst, to, to) != 1 {
		t.Error("nothing is dispersed")
	}
}

func TestABurstOfWarningsOfOneRequestIsNotActedUpon(t *testing.T) {
	b, c := newWorld(base.Add(-time.Hour), 1), newWorld(base, 2)
	for i := range 100 {
		for _, w := range []*world{b, c} {
			w.log(time.Duration(i)*time.Second, "seats", "INFO seat shown")
		}
		if i == 40 {
			for n := range 80 {
				c.log(time.Duration(i)*time.Second+time.Duration(n)*time.Millisecond, "seats", "WARN no seat left")
			}
		}
	}
	if r := Rank(incident.Incident{}, evidence(c.dataset(), b.dataset()), Options{}); r.Decision == Act {
		t.Errorf("%s", says(r))
	}
}
