package localize

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

// quietLogs writes ordinary records of services into a window.
func quietLogs(w *world, n int, services ...string) {
	for i := range n {
		for _, s := range services {
			w.log(time.Duration(i)*time.Second, s, "INFO item handled")
		}
	}
}

func TestNamesThatNoLongerResolveAreAnOutsideCause(t *testing.T) {
	b, c := newWorld(base.Add(-time.Hour), 1), newWorld(base, 2)
	quietLogs(b, 120, "billing", "mail", "search")
	quietLogs(c, 60, "billing", "mail", "search")
	for i := 60; i < 120; i++ {
		at := time.Duration(i) * time.Second
		c.log(at, "billing", "ERROR dial tcp: lookup rates.example on 10.0.0.2:53: no such host")
		c.log(at, "mail", "ERROR getaddrinfo ENOTFOUND smtp.example")
		c.log(at, "search", "WARN index fetch failed: temporary failure in name resolution")
	}
	ev := evidence(c.dataset(), b.dataset())
	ev.Changes = []Change{{SHA: shaGuilty, Time: base.Add(-10 * time.Minute), Service: "billing", Message: "billing: tidy host list",
		Files: []ChangedFile{{Path: "billing/hosts.yaml", Patch: "@@ @@\n-# hosts\n+# hosts by name\n"}}}}
	r := Rank(incident.Incident{}, ev, Options{})
	if r.Cause != CauseExternal || r.Decision != Abstain || len(r.Changes) != 0 {
		t.Fatalf("%s", says(r))
	}
	if !strings.Contains(strings.Join(r.Why, " "), "billing, mail, search") {
		t.Errorf("why %v", r.Why)
	}
}

func TestOneBadInputIsAnOutsideCause(t *testing.T) {
	b, c := newWorld(base.Add(-time.Hour), 1), newWorld(base, 2)
	quietLogs(b, 120, "ingest")
	quietLogs(c, 50, "ingest")
	for i := 50; i < 120; i++ {
		c.log(time.Duration(i)*time.Second, "ingest", "ERROR validation failed: amount out of range, record_id=77-12 offset=991; will retry")
	}
	r := Rank(incident.Incident{}, evidence(c.dataset(), b.dataset()), Options{})
	if r.Cause != CauseExternal || r.Decision != Abstain {
		t.Fatalf("one input fails over and over:\n%s", says(r))
	}

	many := newWorld(base, 3)
	quietLogs(many, 50, "ingest")
	for i := 50; i < 120; i++ {
		many.log(time.Duration(i)*time.Second, "ingest", fmt.Sprintf("ERROR validation failed: amount out of range, record_id=77-%d offset=%d; will retry", i, 900+i))
	}
	if r := Rank(incident.Incident{}, evidence(many.dataset(), b.dataset()), Options{}); r.Cause == CauseExternal {
		t.Errorf("many different inputs fail, which is no one bad input:\n%s", says(r))
	}
}

func TestACallerThatLostPatienceIsNotItsPeersFault(t *testing.T) {
	request := func(took time.Duration, gaveUp bool) node {
		c := client("wallet", "POST", "acquirer.example", took)
		c.fail = gaveUp
		if gaveUp {
			c.message = "context deadline exceeded"
		}
		w := server("wallet", "POST /charge", ms, c)
		w.fail = gaveUp
		top := client("edge", "POST wallet", "wallet", ms, w)
		top.fail = gaveUp
		e := server("edge", "POST /checkout", ms, top)
		e.fail = gaveUp
		return e
	}
	// Every third answer takes a quarter of a second, in both windows.
	cur, old := windows(300,
		func(_ *world, i int) node { return request(time.Duration(30+220*(i%3/2))*ms, false) },
		func(_ *world, i int) node {
			if i%3 == 2 {
				return request(80*ms, true)
			}
			return request(30*ms, false)
		})
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if r.Cause == CauseExternal || len(r.Suspects) == 0 || r.Suspects[0].Service != "wallet" {
		t.Errorf("wallet gives up earlier than it did:\n%s", says(r))
	}
}

func TestAFlagWithoutSpansNeedsAFittingNameOrTheVeryMoment(t *testing.T) {
	ev := nilScenario()
	ev.Changes = nil
	ev.Deploys = nil
	ev.Flags = []FlagChange{{Time: base.Add(-3 * time.Minute), Flag: "new_footer_colour", Service: "ledger", Change: "on"}}
	if r := Rank(incident.Incident{}, ev, Options{}); r.Cause == CauseFlag {
		t.Errorf("a flag about something else is blamed:\n%s", says(r))
	}
	ev.Flags[0].Flag = "nil_account_posting_pointer"
	if r := Rank(incident.Incident{}, ev, Options{}); r.Cause != CauseFlag {
		t.Errorf("a flag that fits is not blamed:\n%s", says(r))
	}
	ev.Flags[0].Flag, ev.Flags[0].Time = "opaque", base.Add(4*time.Second)
	if r := Rank(incident.Incident{}, ev, Options{}); r.Cause != CauseFlag {
		t.Errorf("a flag of the failing service that changed a second before is not blamed:\n%s", says(r))
	}
	ev.Flags[0].Service = "edge"
	if r := Rank(incident.Incident{}, ev, Options{}); r.Cause == CauseFlag {
		t.Errorf("a flag of another service is blamed:\n%s", says(r))
	}
	ev.Flags[0].Service, ev.Flags[0].Time = "ledger", base.Add(time.Minute)
	if r := Rank(incident.Incident{}, ev, Options{}); r.Cause == CauseFlag {
		t.Errorf("a flag that changed afterwards is blamed:\n%s", says(r))
	}
}

func TestIsUnreachable(t *testing.T) {
	for text, want := range map[string]bool{
		"lookup x on 10.0.0.1:53: no such host": true, "getaddrinfo ENOTFOUND x": true, "java.net.UnknownHostException: x": true,
		"lookup x: i/o timeout": true, "connect: connection refused": false, "coupon lookup failed": false, "": false,
	} {
		if got := isUnreachable(text); got != want {
			t.Errorf("isUnreachable(%q) = %v", text, got)
		}
	}
}

func TestHasIdentifier(t *testing.T) {
	for text, want := range map[string]bool{
		"bad record record_id=77": true, "stuck at offset=99": true, "order_id: 7": false, "value out of range: 7": false, "failed 3 times": false,
	} {
		if got := hasIdentifier(text); got != want {
			t.Errorf("hasIdentifier(%q) = %v", text, got)
		}
	}
}

// failing builds a trace and returns the name of the span where its failure began.
func failing(t *testing.T, root node) string {
	t.Helper()
	w := newWorld(base, 1)
	w.trace(0, root)
	ds := w.dataset()
	a := &analysis{k: newConstants(nil), ops: newOperations()}
	win := newWindow(&ds, a.ops)
	tr := &win.traces[0]
	at := a.failureStart(tr, win.recs[0], win.outcomes[0].root)
	if at < 0 {
		return ""
	}
	return tr.Spans[at].Resource.Service + " " + tr.Spans[at].Name
}

func TestFailureStart(t *testing.T) {
	bad := func(n node) node { n.fail = true; return n }
	status := func(n node, code string) node {
		n.attrs = append(n.attrs, telemetry.AttrHTTPStatus, code)
		return n
	}
	tests := []struct {
		name string
		root node
		want string
	}{
		{"nothing failed", server("a", "in", ms), ""},
		{"here", bad(server("a", "in", ms, server("b", "work", ms))), "a in"},
		{"at the end of a chain", bad(server("a", "in", ms, bad(client("a", "call", "b", ms, bad(server("b", "work", ms)))))), "b work"},
		{"the first of two failures", bad(server("a", "in", ms,
			bad(client("a", "pay", "b", ms, bad(server("b", "pay", ms)))), bad(client("a", "mail", "c", ms, bad(server("c", "mail", ms)))))), "b pay"},
		{"not the one that was coped with", bad(server("a", "in", ms,
			bad(client("a", "pay", "b", ms)), client("a", "pay", "b", ms), bad(client("a", "mail", "c", ms, bad(server("c", "mail", ms)))))), "c mail"},
		{"what a proxy gave up waiting for", status(server("proxy", "in", 0, client("proxy", "out", "b", 0, server("b", "work", time.Second))), "504"), "b work"},
		{"a proxy whose own call says so too", status(server("proxy", "in", 0, bad(client("proxy", "out", "b", 0, server("b", "work", time.Second)))), "504"), "b work"},
		{"below a step that says nothing", bad(server("a", "in", ms, node{service: "a", name: "step", kind: telemetry.KindInternal, self: ms, calls: []node{
			bad(client("a", "call", "b", ms, bad(server("b", "work", ms))))}})), "b work"},
		{"a load generator's request", node{service: "users", name: "session", kind: telemetry.KindInternal, self: ms, calls: []node{bad(server("a", "in", ms))}}, "a in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := failing(t, tt.root); got != tt.want {
				t.Errorf("began at %q, want %q", got, tt.want)
			}
		})
	}
}

func TestGaveUp(t *testing.T) {
	for _, s := range []telemetry.Span{
		{Attrs: attrs(telemetry.AttrHTTPStatus, "504")}, {Attrs: attrs(telemetry.AttrRPCStatus, "DEADLINE_EXCEEDED")}, {Message: "Read timed out"},
		{Attrs: attrs(telemetry.AttrErrorType, "httpx.ReadTimeout")},
		{Events: []telemetry.Event{{Name: telemetry.EventException, Attrs: attrs(telemetry.AttrExceptionMsg, "context deadline exceeded")}}},
	} {
		if !gaveUp(&s) {
			t.Errorf("%+v did not give up", s)
		}
	}
	if gaveUp(&telemetry.Span{Message: "connection refused"}) {
		t.Error("a refused connection is no timeout")
	}
}

func TestTheCommitThatSetsABlamedFlagIsNamed(t *testing.T) {
	ev := nilScenario()
	ev.Deploys = nil
	ev.Flags = []FlagChange{{Time: base.Add(4 * time.Second), Flag: "double-entry", Service: "ledger", Change: "on"}}
	ev.Changes = []Change{
		{SHA: shaMoved, Time: base.Add(-time.Hour), Message: "flags: dark footer", Files: []ChangedFile{{Path: "flags.json", Patch: "@@ @@\n \"footer\": {\n-  \"default\": \"off\"\n+  \"default\": \"on\"\n }\n"}}},
		{SHA: shaGuilty, Time: base.Add(-20 * time.Hour), Message: "flags: for everybody", Files: []ChangedFile{{Path: "flags.json", Patch: "@@ @@\n \"double-entry\": {\n-  \"default\": \"off\"\n+  \"default\": \"on\"\n }\n"}}},
	}
	r := Rank(incident.Incident{}, ev, Options{})
	if r.Cause != CauseFlag || len(r.Changes) != 1 || r.Changes[0].SHA != shaGuilty {
		t.Errorf("%s", says(r))
	}
}

func TestWhatAServiceAsksOfOthersIsNoDemandOnIt(t *testing.T) {
	for name, want := range map[string]bool{"http_requests_per_second": true, "orders_received_rate": true, "outbound_attempts_per_request": false,
		"http.client.request.rate": false, "upstream_rq_total": false, "grpc_retries_rate": false, "request_success_rate": false} {
		if isIncoming(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
