package localize

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

const ms = time.Millisecond

// shopRequest is edge -> basket -> ledger, with the ledger's part given.
func chain(ledger node) node {
	up := func(service, callee string, n node) node {
		c := client(service, "POST "+callee, callee, ms, n)
		c.fail, c.after = n.fail, ms
		return c
	}
	basket := server("basket", "POST /basket", 5*ms, up("basket", "ledger", ledger))
	basket.fail = ledger.fail
	edge := server("edge", "POST /checkout", 2*ms, up("edge", "basket", basket))
	edge.fail = ledger.fail
	return edge
}

func ledger(self time.Duration) node { return server("ledger", "POST /entries", self) }

func healthyChain(*world, int) node { return chain(ledger(10 * ms)) }

func TestAFailureIsBlamedOnTheServiceItBeganIn(t *testing.T) {
	cur, old := windows(300, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		l.fail = i > 100 && i%3 == 0
		if l.fail {
			l.message = "index out of range"
		}
		return chain(l)
	})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if r.Decision != Act || r.Suspects[0].Service != "ledger" || r.Suspects[0].Operation != "POST /entries" {
		t.Fatalf("want the ledger:\n%s", says(r))
	}
	if r.Symptom.Kind != SymptomErrors || r.Symptom.Service != "edge" || r.Symptom.Errors.Baseline != 0 || r.Symptom.Errors.Incident < 0.2 {
		t.Errorf("symptom %+v", r.Symptom)
	}
	if got := r.Symptom.From.Sub(base); got < 8*time.Second || got > 14*time.Second {
		t.Errorf("onset after %v, want about 10 s", got)
	}
	for _, s := range r.Suspects[1:] {
		if s.Confidence > 0.2 {
			t.Errorf("%s merely passed the error up and has confidence %.2f", s.Service, s.Confidence)
		}
	}
	if len(r.Symptom.Exemplars) == 0 || len(r.Path) == 0 || len(r.Suspects[0].Traces) == 0 {
		t.Error("no exemplar, path or traces")
	}
	if _, ok := pattern(r.Suspects[0], PatternErrorReturned); !ok {
		t.Errorf("no error pattern:\n%s", says(r))
	}
}

func TestSlownessIsBlamedOnTheServiceWhoseOwnTimeGrew(t *testing.T) {
	cur, old := windows(300, healthyChain, func(_ *world, i int) node {
		if i < 60 {
			return chain(ledger(10 * ms))
		}
		return chain(ledger(200 * ms))
	})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" || r.Symptom.Kind != SymptomLatency {
		t.Fatalf("want the ledger for latency:\n%s", says(r))
	}
	p, ok := pattern(r.Suspects[0], PatternSlowSelf)
	if !ok || p.Values["seconds"] < 0.15 || p.Values["baseline_seconds"] > 0.02 {
		t.Errorf("slow_self %+v", p)
	}
	longest := slices.MaxFunc(r.Path, func(a, b PathSegment) int { return compare(int64(a.Duration), int64(b.Duration)) })
	if longest.Service != "ledger" {
		t.Errorf("critical path spends most in %s", longest.Service)
	}
}

func TestCorrectRefusalsAreNotFaults(t *testing.T) {
	refusals := map[string][]string{
		"validation":   {telemetry.AttrHTTPStatus, "422"},
		"not found":    {telemetry.AttrHTTPStatus, "404"},
		"unauthorized": {telemetry.AttrHTTPStatus, "401"},
		"grpc":         {telemetry.AttrRPCStatus, "INVALID_ARGUMENT"},
		"cancelled":    {telemetry.AttrErrorType, "context.Canceled"},
	}
	for name, a := range refusals {
		t.Run(name, func(t *testing.T) {
			cur, old := windows(200, healthyChain, func(_ *world, i int) node {
				n := chain(ledger(10 * ms))
				if i%2 == 0 {
					n = server("edge", "POST /checkout", 2*ms)
					n.fail, n.attrs = true, a
				}
				return n
			})
			r := Rank(incident.Incident{}, evidence(cur, old), Options{})
			if r.Decision != Abstain || r.Cause != CauseNone || len(r.Suspects) != 0 {
				t.Errorf("half the requests are refused correctly, but:\n%s", says(r))
			}
		})
	}
}

func TestHealthyWindowsNameNobody(t *testing.T) {
	for seed := range uint64(40) {
		make1 := func(start time.Time, seed uint64) telemetry.Dataset {
			w := newWorld(start, seed)
			w.run(200, 100*ms, func(i int) node {
				l := ledger(time.Duration(8+w.rng.IntN(5)) * ms)
				l.fail = w.rng.IntN(100) == 0 // a healthy system fails now and then
				if w.rng.IntN(50) == 0 {
					l.self = 60 * ms
				}
				n := chain(l)
				n.logs = []string{"INFO checkout done"}
				if w.rng.IntN(40) == 0 {
					n.logs = append(n.logs, "WARN slow disk")
				}
				return n
			})
			for m := range 20 {
				w.metric(time.Duration(m)*time.Second, "ledger", "process.cpu.utilization", 0.2+0.1*w.rng.Float64())
				w.metric(time.Duration(m)*time.Second, "edge", "jvm.memory.used", 1e8*(1+w.rng.Float64()))
			}
			return w.dataset()
		}
		r := Rank(incident.Incident{}, evidence(make1(base, seed), make1(base.Add(-time.Hour), seed+1000)), Options{})
		if r.Decision != Abstain || r.Cause != CauseNone || len(r.Suspects) != 0 || len(r.Changes) != 0 || len(r.Why) == 0 {
			t.Errorf("seed %d:\n%s", seed, says(r))
		}
	}
}

// hotelRetry makes a request to an outside peer that sheds load in the same short moments in
// both windows: attempts say how its caller copes.
func peerRequest(failures, attempts int, pause time.Duration) node {
	var calls []node
	for n := range attempts {
		c := client("wallet", "POST", "acquirer.example", 2*ms)
		c.attrs = append(c.attrs, telemetry.AttrHTTPMethod, "POST", telemetry.AttrURLPath, "/authorize")
		c.fail = n < failures
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
	top := client("edge", "POST wallet", "wallet", ms, w)
	top.fail = w.fail
	e := server("edge", "POST /checkout", ms, top)
	e.fail = w.fail
	return e
}

func TestAPeerThatFailsAsBeforeIsNotToBlameButItsCallerIs(t *testing.T) {
	sheds := func(i int) bool { return i%10 < 3 }
	cur, old := windows(400,
		func(_ *world, i int) node {
			if sheds(i) {
				return peerRequest(1, 4, 80*ms) // the second attempt finds the peer well again
			}
			return peerRequest(0, 4, 80*ms)
		},
		func(_ *world, i int) node {
			if sheds(i) {
				return peerRequest(4, 4, 20*time.Microsecond) // all attempts fall into the same moment
			}
			return peerRequest(0, 4, 0)
		})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if r.Decision != Act || r.Suspects[0].Service != "wallet" || r.Suspects[0].Peer != "acquirer.example" || r.Cause != CauseCode {
		t.Fatalf("want wallet's call to the peer, as code:\n%s", says(r))
	}
	p, ok := pattern(r.Suspects[0], PatternRetryBurst)
	if !ok {
		t.Fatalf("no retry burst:\n%s", says(r))
	}
	if v := p.Values; v["attempts"] != 4 || v["gap_seconds"] > 0.001 || v["baseline_gap_seconds"] < 0.05 || v["exhausted_ratio"] != 1 || v["outage_p95_seconds"] <= 0 || v["caller_p95_seconds"] <= 0 {
		t.Errorf("values %v", v)
	}
	if d := p.Detail; d["peer"] != "acquirer.example" || d["method"] != "POST" || d["route"] != "/authorize" {
		t.Errorf("detail %v", d)
	}
}

func TestAPeerWhoseOwnBehaviourChangedIsAnOutsideCause(t *testing.T) {
	cur, old := windows(400,
		func(_ *world, i int) node { return peerRequest(0, 2, 50*ms) },
		func(_ *world, i int) node {
			if i > 100 && i%2 == 0 {
				return peerRequest(2, 2, 50*ms)
			}
			return peerRequest(0, 2, 50*ms)
		})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if r.Decision != Abstain || r.Cause != CauseExternal {
		t.Fatalf("want an external cause:\n%s", says(r))
	}
	if r.Suspects[0].Service != "wallet" || r.Suspects[0].Peer != "acquirer.example" {
		t.Errorf("the call to the peer is not first:\n%s", says(r))
	}
	if len(r.Why) == 0 || !strings.Contains(strings.Join(r.Why, " "), "acquirer.example") {
		t.Errorf("why %v does not name the peer", r.Why)
	}
}

func TestRepeatedQueriesAreFound(t *testing.T) {
	page := func(n int) node {
		list := server("catalog", "GET /list", 2*ms)
		for range n {
			q := node{service: "catalog", name: "SELECT items", kind: telemetry.KindClient, self: 2 * ms,
				attrs: []string{telemetry.AttrDBSystem, "postgresql", telemetry.AttrDBQuery, "SELECT * FROM items WHERE id = $1"}}
			list.calls = append(list.calls, q)
		}
		return server("edge", "GET /list", ms, client("edge", "GET catalog", "catalog", ms, list))
	}
	cur, old := windows(200, func(*world, int) node { return page(1) }, func(*world, int) node { return page(40) })
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "catalog" || r.Cause != CauseCode {
		t.Fatalf("want the catalog:\n%s", says(r))
	}
	p, ok := pattern(r.Suspects[0], PatternRepeatedQuery)
	if !ok || p.Values["per_parent"] != 40 || p.Values["baseline_per_parent"] != 1 || !strings.Contains(p.Detail["statement"], "FROM items") {
		t.Errorf("pattern %+v", p)
	}
	if !slices.ContainsFunc(r.Suspects[0].Hints, func(h Hint) bool { return h.Kind == HintStatement }) {
		t.Errorf("no statement among the hints: %+v", r.Suspects[0].Hints)
	}
}

func TestUnboundedCallsAreFound(t *testing.T) {
	request := func(wait time.Duration) node {
		c := client("mailer", "GET", "templates.example", wait)
		return server("edge", "POST /mail", ms, client("edge", "POST mailer", "mailer", ms, server("mailer", "POST /mail", ms, c)))
	}
	cur, old := windows(300, func(*world, int) node { return request(10 * ms) }, func(_ *world, i int) node {
		if i%5 == 0 {
			return request(8 * time.Second)
		}
		return request(10 * ms)
	})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "mailer" {
		t.Fatalf("want the mailer:\n%s", says(r))
	}
	p, ok := pattern(r.Suspects[0], PatternUnboundedCall)
	if !ok || p.Values["max_seconds"] < 7 || p.Values["p99_baseline_seconds"] > 0.02 || p.Values["slow_ratio"] < 0.15 || p.Detail["peer"] != "templates.example" {
		t.Errorf("pattern %+v\n%s", p, says(r))
	}
}

func TestExceptionsPointToTheirFrames(t *testing.T) {
	stack := "Traceback (most recent call last):\n  File \"/srv/app/price/rules.py\", line 41, in discount\n    return coupon.percent\nAttributeError: 'NoneType' object has no attribute 'percent'\n"
	cur, old := windows(300, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		if i%9 == 0 {
			l.fail = true
			l.events = []telemetry.Event{{Name: telemetry.EventException, Attrs: attrs(telemetry.AttrExceptionType, "AttributeError",
				telemetry.AttrExceptionMsg, "'NoneType' object has no attribute 'percent'", telemetry.AttrExceptionStack, stack)}}
		}
		return chain(l)
	})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if r.Decision != Act || r.Suspects[0].Service != "ledger" || r.Cause != CauseCode {
		t.Fatalf("want the ledger:\n%s", says(r))
	}
	p, ok := pattern(r.Suspects[0], PatternException)
	if !ok || p.Detail["file"] != "/srv/app/price/rules.py" || p.Detail["line"] != "41" || p.Detail["function"] != "discount" || p.Detail["type"] != "AttributeError" {
		t.Errorf("pattern %+v", p)
	}
	if h := r.Suspects[0].Hints[0]; h.Kind != HintFrame || h.Line != 41 {
		t.Errorf("first hint %+v", h)
	}
}

func TestThePoolThatIsTooSmallIsFound(t *testing.T) {
	scenario := func(start time.Time, seed uint64, limit, used, wait, pending float64, self time.Duration) telemetry.Dataset {
		w := newWorld(start, seed)
		w.run(200, 100*ms, func(int) node {
			q := node{service: "stock", name: "SELECT stock", kind: telemetry.KindClient, self: 5 * ms, attrs: []string{telemetry.AttrDBSystem, "mysql", telemetry.AttrDBNamespace, "wares"}}
			return server("edge", "GET /stock", ms, client("edge", "GET stock", "stock", ms, server("stock", "GET /stock", self, q)))
		})
		for i := range 20 {
			at := time.Duration(i) * time.Second
			w.metric(at, "stock", "db.client.connection.max", limit)
			w.metric(at, "stock", "db.client.connection.usage", used)
			w.metric(at, "stock", "db.client.connection.wait_time_seconds", wait*(0.95+0.1*w.rng.Float64()))
			w.metric(at, "stock", "db.client.connection.pending_requests", pending)
		}
		return w.dataset()
	}
	old := scenario(base.Add(-time.Hour), 1, 10, 3, 0.0001, 0, 2*ms)
	cur := scenario(base, 2, 1, 1, 0.4, 7, 400*ms)
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "stock" {
		t.Fatalf("want stock:\n%s", says(r))
	}
	p, ok := pattern(r.Suspects[0], PatternPoolWait)
	if !ok || p.Values["max"] != 1 || p.Values["baseline_max"] != 10 || p.Values["pending"] != 7 || p.Values["wait_p95_seconds"] < 0.3 || p.Detail["peer"] != "mysql:wares" {
		t.Errorf("pattern %+v\n%s", p, says(r))
	}
}

func TestAnUpstreamThatLogsAboutACalleeIsNotTheCulprit(t *testing.T) {
	b, c := newWorld(base.Add(-time.Hour), 1), newWorld(base, 2)
	for i := range 100 {
		b.log(time.Duration(i)*time.Second, "renderer", "INFO page rendered")
		b.log(time.Duration(i)*time.Second, "thumbnails", "INFO image scaled")
		c.log(time.Duration(i)*time.Second, "renderer", "INFO page rendered")
		if i > 30 {
			c.log(time.Duration(i)*time.Second, "renderer", "ERROR upstream thumbnails answered 500")
			c.log(time.Duration(i)*time.Second, "thumbnails", "ERROR cannot allocate bitmap")
		}
	}
	r := Rank(incident.Incident{}, evidence(c.dataset(), b.dataset()), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "thumbnails" {
		t.Fatalf("want thumbnails:\n%s", says(r))
	}
}

func TestTheOrderOfLogEventsShowsWhereWorkBreaksOff(t *testing.T) {
	request := func(broken bool) node {
		l := ledger(10 * ms)
		l.logs = []string{"INFO entry received", "INFO balance computed", "INFO entry stored"}
		n := chain(l)
		n.logs = []string{"INFO checkout done"}
		if broken {
			n.calls[0].calls[0].calls[0].calls[0].logs = []string{"INFO entry received"}
			n.logs = []string{"INFO checkout done"}
		}
		return n
	}
	cur, old := windows(200, func(*world, int) node { return request(false) }, func(_ *world, i int) node { return request(i%2 == 1) })
	// Records of one span are written at once; their order is that of the list.
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" || r.Decision != Act {
		t.Fatalf("want the ledger:\n%s", says(r))
	}
	if s := r.Suspects[0].Reasons[0]; s.Signal != "sequence" || !strings.Contains(s.Text, "balance computed") {
		t.Errorf("first reason %+v", s)
	}
}

func TestTheCommonEndOfSlowConnectionsIsBlamed(t *testing.T) {
	call := func(from, to string, lag time.Duration, inner node) node {
		c := client(from, "GET "+to, to, lag/2, inner)
		c.after = lag / 2
		return c
	}
	request := func(lag time.Duration) node {
		return server("edge", "GET /page", ms,
			call("edge", "left", 2*ms, server("left", "GET /left", ms, call("left", "shared", lag, server("shared", "GET /shared", ms)))),
			call("edge", "right", 2*ms, server("right", "GET /right", ms, call("right", "shared", lag, server("shared", "GET /shared", ms)))))
	}
	cur, old := windows(200, func(*world, int) node { return request(2 * ms) }, func(*world, int) node { return request(150 * ms) })
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "shared" {
		t.Fatalf("want the shared end:\n%s", says(r))
	}
	if r.Cause != CauseResource || r.Decision != Abstain {
		t.Errorf("a slow network is no code: %s %s", r.Cause, r.Decision)
	}
}

func TestASurgeOfDemandIsAnOutsideCause(t *testing.T) {
	fill := func(w *world, n int, period time.Duration, slow time.Duration) {
		w.run(n, period, func(i int) node { return chain(ledger(slow)) })
		for m := range 20 {
			for _, s := range []string{"edge", "basket", "ledger"} {
				w.metric(time.Duration(m)*time.Second, s, "http.server.request.rate", float64(n)/20)
			}
		}
	}
	b, c := newWorld(base.Add(-time.Hour), 1), newWorld(base, 2)
	fill(b, 100, 200*ms, 10*ms)
	fill(c, 1000, 20*ms, 300*ms)
	r := Rank(incident.Incident{}, evidence(c.dataset(), b.dataset()), Options{})
	if r.Decision != Abstain || r.Cause != CauseExternal {
		t.Fatalf("want a surge:\n%s", says(r))
	}
}

func TestWithoutAnythingNothingIsClaimed(t *testing.T) {
	r := Rank(incident.Incident{}, Evidence{}, Options{})
	if r.Decision != Abstain || r.Cause != CauseNone || len(r.Suspects) != 0 || len(r.Gaps) == 0 {
		t.Errorf("%s", says(r))
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	if r.Symptom.Kind != SymptomUnknown || len(r.Why) != 1 || strings.Contains(r.Why[0], "healthy") {
		t.Errorf("nothing was seen, but it is told as if it had been: %s", says(r))
	}
}

func TestWithoutABaselineNothingIsSaidOfTheHealthyWindow(t *testing.T) {
	w := newWorld(base, 1)
	w.run(50, 100*ms, func(int) node { return chain(ledger(10 * ms)) })
	r := Rank(incident.Incident{}, Evidence{Incident: w.dataset()}, Options{})
	if r.Decision != Abstain || r.Symptom.Kind != SymptomNone || len(r.Why) != 1 || strings.Contains(r.Why[0], "differs") {
		t.Errorf("%s", says(r))
	}
}

func TestWithoutABaselineAFailureIsStillTraced(t *testing.T) {
	w := newWorld(base, 1)
	w.run(5, time.Second, func(int) node {
		l := ledger(10 * ms)
		l.fail = true
		return chain(l)
	})
	r := Rank(incident.Incident{}, Evidence{Incident: w.dataset()}, Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "ledger" {
		t.Fatalf("%s", says(r))
	}
	if !slices.ContainsFunc(r.Gaps, func(g Gap) bool { return g.Code == "no_baseline" }) {
		t.Errorf("gaps %v", r.Gaps)
	}
	for _, s := range r.Suspects {
		for _, why := range s.Reasons {
			if strings.Contains(why.Text, "healthy") {
				t.Errorf("nothing is known of a healthy window, and yet: %s", why.Text)
			}
		}
		for _, p := range s.Patterns {
			if strings.Contains(p.Text, "healthy") {
				t.Errorf("nothing is known of a healthy window, and yet: %s", p.Text)
			}
		}
	}
}

func TestRankIsDeterministic(t *testing.T) {
	var first string
	for range 5 {
		cur, old := windows(150, healthyChain, func(_ *world, i int) node {
			l := ledger(time.Duration(10+i%7*20) * ms)
			l.fail = i%4 == 0
			l.logs = []string{"ERROR boom", "WARN upstream basket slow"}
			return chain(l)
		})
		ev := evidence(cur, old)
		ev.Changes = someChanges()
		b, err := json.Marshal(Rank(incident.Incident{}, ev, Options{}))
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = string(b)
		} else if first != string(b) {
			t.Fatalf("results differ:\n%s\n%s", first, b)
		}
	}
}

func TestTheThresholdDecides(t *testing.T) {
	cur, old := windows(300, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		l.fail = i%3 == 0
		return chain(l)
	})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{Threshold: 0.9999999})
	if r.Decision != Abstain || len(r.Suspects) == 0 || !strings.Contains(strings.Join(r.Why, " "), "threshold") {
		t.Errorf("%s", says(r))
	}
}

func TestSignalsCanBeLeftOut(t *testing.T) {
	cur, old := windows(300, healthyChain, func(_ *world, i int) node {
		l := ledger(10 * ms)
		l.fail = i%3 == 0
		return chain(l)
	})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{Without: []string{"errors"}})
	for _, s := range r.Suspects {
		for _, x := range s.Reasons {
			if x.Signal == "errors" {
				t.Errorf("left-out signal speaks: %+v", x)
			}
		}
	}
}

func TestScoresFallFromSuspectToSuspect(t *testing.T) {
	cur, old := windows(300, healthyChain, func(_ *world, i int) node {
		l := ledger(50 * ms)
		l.fail = i%3 == 0
		l.logs = []string{"ERROR boom"}
		n := chain(l)
		n.logs = []string{"ERROR checkout failed"}
		return n
	})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	for i, s := range r.Suspects {
		if s.Score < 0 || s.Score > 1 || s.Confidence < 0 || s.Confidence > 1 {
			t.Errorf("suspect %d out of range: %+v", i, s)
		}
		if i > 0 && s.Score > r.Suspects[i-1].Score {
			t.Errorf("suspect %d outscores the one before", i)
		}
		if len(s.Reasons) == 0 {
			t.Errorf("suspect %s has no reason", s.Service)
		}
	}
}
