package localize

import (
	"fmt"
	"testing"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

func TestTheServiceWithOneIllVersionIsToldFromWhatAllItsVersionsCall(t *testing.T) {
	fill := func(w *world, broken bool) telemetry.Dataset {
		for _, v := range []string{"1.4.0", "1.5.0"} {
			w.resources["basket "+v] = &telemetry.Resource{Service: "basket", Instance: "basket-" + v, Version: v}
		}
		w.run(300, 100*ms, func(i int) node {
			n := chain(ledger(10 * ms))
			v := "1.4.0"
			if i%5 == 0 {
				v = "1.5.0"
			}
			// The new version sends requests that the ledger cannot serve.
			n.calls[0].calls[0].service = "basket " + v
			n.calls[0].calls[0].calls[0].service = "basket " + v
			if broken && v == "1.5.0" {
				for _, s := range []*node{&n, &n.calls[0], &n.calls[0].calls[0], &n.calls[0].calls[0].calls[0], &n.calls[0].calls[0].calls[0].calls[0]} {
					s.fail = true
				}
			}
			return n
		})
		return w.dataset()
	}
	r := Rank(incident.Incident{}, evidence(fill(newWorld(base, 2), true), fill(newWorld(base.Add(-1e12), 1), false)), Options{})
	for _, s := range r.Suspects {
		for _, x := range s.Reasons {
			if x.Signal == "dimension" {
				if s.Service != "basket" || x.Value < 0.9 || x.Baseline > 0.1 {
					t.Errorf("%s: %+v", s.Service, x)
				}
				return
			}
		}
	}
	t.Errorf("nobody tells the versions apart:\n%s", says(r))
}

func TestAStoreThatSparesMostStatementsIsNotIll(t *testing.T) {
	request := func(i int, slow bool) node {
		q := node{service: "stock", kind: telemetry.KindClient, self: 2 * ms, attrs: []string{telemetry.AttrDBSystem, "mysql", telemetry.AttrDBNamespace, "wares",
			telemetry.AttrDBQuery, fmt.Sprintf("SELECT * FROM t%c WHERE id = ?", 'a'+rune(i%4))}}
		q.name = "SELECT t" + string('a'+rune(i%4))
		if slow && i%4 == 0 {
			q.self = 200 * ms
		}
		return server("stock", "GET /stock"+string('a'+rune(i%4)), ms, q)
	}
	cur, old := windows(400, func(_ *world, i int) node { return request(i, false) }, func(_ *world, i int) node { return request(i, true) })
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "stock" {
		t.Fatalf("%s", says(r))
	}
	for _, w := range r.Why {
		if len(w) > 20 && w[:5] == "mysql" {
			t.Errorf("the store is blamed for one statement of four: %q", w)
		}
	}
}
