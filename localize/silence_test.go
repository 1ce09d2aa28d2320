package localize

import (
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

// refusing makes every call to a service of a request fail without an answer.
func refusing(n node, gone string) node {
	var calls []node
	for _, c := range n.calls {
		if c.service == gone {
			n.fail, n.message = true, "connect: connection refused"
			continue
		}
		c = refusing(c, gone)
		n.fail = n.fail || c.fail
		calls = append(calls, c)
	}
	n.calls = calls
	return n
}

func twoCallers(i int) node {
	leaf := server("stamps", "POST /stamp", 4*ms)
	caller := "letters"
	if i%2 == 0 {
		caller = "parcels"
	}
	return server("edge", "POST /"+caller, ms, client("edge", "POST "+caller, caller, ms, server(caller, "POST /send", 2*ms, client(caller, "POST stamps", "stamps", ms, leaf))))
}

func TestAServiceThatIsGoneIsBlamedAndNotThoseThatMissIt(t *testing.T) {
	cur, old := windows(300, func(_ *world, i int) node { return twoCallers(i) }, func(_ *world, i int) node {
		if i > 60 {
			return refusing(twoCallers(i), "stamps")
		}
		return twoCallers(i)
	})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "stamps" {
		t.Fatalf("%s", says(r))
	}
	said := map[string]bool{}
	for _, x := range r.Suspects[0].Reasons {
		said[x.Signal] = true
	}
	if !said["silence"] || !said["errors"] {
		t.Errorf("%s", says(r))
	}
}

func TestACallerThatAloneGetsNoAnswerIsBlamedItself(t *testing.T) {
	cur, old := windows(300, func(_ *world, i int) node { return twoCallers(i) }, func(_ *world, i int) node {
		if i > 60 && i%2 == 0 {
			return refusing(twoCallers(i), "stamps")
		}
		return twoCallers(i)
	})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "parcels" {
		t.Fatalf("stamps answers letters as ever:\n%s", says(r))
	}
}

func TestWhoWaitsForAHungCalleeIsNotToBlame(t *testing.T) {
	request := func(hung bool) node {
		l := ledger(10 * ms)
		n := chain(l)
		if hung {
			n = chain(ledger(3 * time.Second))
			// basket gives up; the ledger does not know.
			call := &n.calls[0].calls[0].calls[0]
			call.fail, call.message = true, "context deadline exceeded"
			n.calls[0].calls[0].fail, n.calls[0].fail, n.fail = true, true, true
		}
		return n
	}
	cur, old := windows(300, func(*world, int) node { return request(false) }, func(_ *world, i int) node { return request(i > 50 && i%2 == 0) })
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" {
		t.Fatalf("%s", says(r))
	}
}

func TestOneFailedCallAmongManyNamesNobodyForSure(t *testing.T) {
	cur, old := windows(100, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		l.fail = i == 70
		return chain(l)
	})
	if r := Rank(incident.Incident{}, evidence(cur, old), Options{}); r.Decision == Act {
		t.Errorf("%s", says(r))
	}
}

// delivered is one message sent and taken up so often.
func delivered(times int) node {
	send := node{service: "orders", name: "placed publish", kind: telemetry.KindProducer, self: ms, attrs: []string{telemetry.AttrMsgDestination, "placed", telemetry.AttrMsgSystem, "kafka"}}
	for range times {
		send.calls = append(send.calls, node{service: "packer", name: "placed process", kind: telemetry.KindConsumer, self: 3 * ms,
			attrs: []string{telemetry.AttrMsgDestination, "placed", telemetry.AttrMsgSystem, "kafka"}})
	}
	return server("orders", "POST /orders", ms, send)
}

func TestMessagesThatComeAgainOrStayAwayPointToTheirConsumer(t *testing.T) {
	for name, times := range map[string]int{"come again": 4, "stay away": 0} {
		t.Run(name, func(t *testing.T) {
			cur, old := windows(200, func(*world, int) node { return delivered(1) }, func(_ *world, i int) node {
				if i < 30 {
					return delivered(1)
				}
				return delivered(times)
			})
			r := Rank(incident.Incident{}, evidence(cur, old), Options{})
			if len(r.Suspects) == 0 || r.Suspects[0].Service != "packer" {
				t.Fatalf("%s", says(r))
			}
		})
	}
}

func TestASlowConsumerIsFoundThoughNobodyWaitsForIt(t *testing.T) {
	request := func(self time.Duration) node {
		n := delivered(1)
		n.calls[0].calls[0].self = self
		return n
	}
	cur, old := windows(200, func(*world, int) node { return request(3 * ms) }, func(*world, int) node { return request(300 * ms) })
	for _, ds := range []*telemetry.Dataset{&cur, &old} {
		for i := range ds.Spans {
			if s := &ds.Spans[i]; s.Resource.Service == "orders" {
				s.Duration = 2 * ms // it does not wait for the packer
			}
		}
	}
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "packer" || r.Symptom.Kind != SymptomLatency || r.Symptom.Service != "packer" {
		t.Fatalf("%s", says(r))
	}
	if len(r.Symptom.Exemplars) == 0 {
		t.Error("no exemplar of it")
	}
}

func TestWhoMultipliesCallsIsToBlameForTheLoad(t *testing.T) {
	request := func(calls int, self time.Duration) node {
		s := server("portal", "GET /page", ms)
		for range calls {
			s.calls = append(s.calls, client("portal", "GET rates", "rates", ms, server("rates", "GET /rates", self)))
		}
		return s
	}
	cur, old := windows(300, func(*world, int) node { return request(1, 5*ms) }, func(*world, int) node { return request(8, 60*ms) })
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "portal" {
		t.Fatalf("%s", says(r))
	}
	// Slower by itself, and asked as ever: its own fault.
	cur, old = windows(300, func(*world, int) node { return request(2, 5*ms) }, func(*world, int) node { return request(2, 60*ms) })
	if r := Rank(incident.Incident{}, evidence(cur, old), Options{}); len(r.Suspects) == 0 || r.Suspects[0].Service != "rates" {
		t.Fatalf("%s", says(r))
	}
}

func TestTheStoreThatAllIllServicesShareIsNamed(t *testing.T) {
	fill := func(w *world, self time.Duration, disk float64) telemetry.Dataset {
		w.run(300, 100*ms, func(i int) node {
			s := []string{"maps", "tours", "guides", "tickets"}[i%4]
			own := self
			if s == "tickets" {
				own = 5 * ms // uses no store
			}
			return server("edge", "GET /"+s, ms, client("edge", "GET "+s, s, ms, server(s, "GET /"+s, own)))
		})
		for m := range 20 {
			at := time.Duration(m) * time.Second
			w.metric(at, "places-db", "system.disk.operation_time.average", disk*(0.95+0.1*w.rng.Float64()))
			for _, s := range []string{"maps", "tours", "guides"} {
				w.metric(at, s, "db.client.connection.count", 2)
				i := w.series[s+"\x00db.client.connection.count"]
				w.ds.Metrics[i].Attrs = attrs("db.client.connection.pool.name", "places-db", "db.client.connection.state", "used")
			}
		}
		return w.dataset()
	}
	r := Rank(incident.Incident{}, evidence(fill(newWorld(base, 2), 150*ms, 0.05), fill(newWorld(base.Add(-time.Hour), 1), 5*ms, 0.002)), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "places-db" {
		t.Fatalf("%s", says(r))
	}
}

func TestRestartsAndKillsAreCounted(t *testing.T) {
	series := func(name string, v ...float64) telemetry.Series {
		s := *gaugeOf(name, v...)
		s.Resource = &telemetry.Resource{Service: "kube-state-metrics"}
		s.Attrs = attrs("pod", "ledger-7d9f8c-x2k4p", "namespace", "shop")
		return s
	}
	cur, old := windows(100, healthyChain, healthyChain)
	old.Metrics = append(old.Metrics, series("kube_pod_container_status_restarts_total", 4, 4, 4))
	cur.Metrics = append(cur.Metrics, series("kube_pod_container_status_restarts_total", 4, 5, 7))
	k := newConstants(nil)
	a := &analysis{k: k, ev: &Evidence{Incident: cur, Baseline: old}, board: newBoard(nil, k)}
	a.cur, a.base = &window{ds: &a.ev.Incident, from: 0, to: 10e9}, &window{ds: &a.ev.Baseline, from: 0, to: 10e9}
	a.findSpeakers()
	a.findRestarts()
	c := a.board.of("ledger")
	if len(c.reasons) != 1 || c.reasons[0].Value != 3 || !strings.Contains(c.reasons[0].Text, "restarts_total") {
		t.Errorf("%+v", c.reasons)
	}
	if got := a.ownerOf(&telemetry.Series{Resource: &telemetry.Resource{Service: "cadvisor"}, Attrs: attrs("container", "basket")}); got != "basket" {
		t.Errorf("a container's series belongs to %q", got)
	}
	if got := a.ownerOf(&telemetry.Series{Resource: &telemetry.Resource{Service: "cadvisor"}, Attrs: attrs("pod", "stranger-1-2")}); got != "cadvisor" {
		t.Errorf("a stranger's series belongs to %q", got)
	}
}

func TestCountersThatLostTheirTypeAreRates(t *testing.T) {
	got := values(gaugeOf("http_requests_total", 100, 160, 220, 10, 70))
	if len(got) != 3 || got[0].v != 1 || got[2].v != 1 {
		t.Errorf("%+v, want one per second and nothing across the restart", got)
	}
	if got := values(gaugeOf("queue_total", 5, 3, 6, 4)); len(got) != 4 {
		t.Errorf("what goes up and down is no counter: %+v", got)
	}
}

func TestSeriesOfPodsAreComparedAcrossTheirNames(t *testing.T) {
	a, b := gaugeOf("cpu"), gaugeOf("cpu")
	a.Attrs, b.Attrs = attrs("pod", "x-1", "mode", "user"), attrs("pod", "x-2", "mode", "user")
	if seriesKey(a) != seriesKey(b) {
		t.Error("a new pod is a new series")
	}
	b.Attrs = attrs("pod", "x-2", "mode", "system")
	if seriesKey(a) == seriesKey(b) {
		t.Error("two modes are one series")
	}
}
