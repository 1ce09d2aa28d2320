package localize

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// graphOf is the graph of one window, without a healthy one.
func graphOf(ds telemetry.Dataset) Graph {
	none := telemetry.Dataset{}
	a := &analysis{ev: &Evidence{}, ops: newOperations(), callees: map[int32]string{}}
	a.cur, a.base = newWindow(&ds, a.ops), newWindow(&none, a.ops)
	names := map[string]bool{}
	for _, s := range servicesOf(&ds) {
		names[s] = true
	}
	a.places = newPlaces(a.ops, names, a.base, a.cur)
	a.graph, a.graphBase = observe(a.cur, a.ops, a.places), observe(a.base, a.ops, a.places)
	return merge(a, nil)
}

// oneTrace makes ten traces of a request, a second apart.
func oneTrace(root node) Graph {
	w := newWorld(base, 3)
	w.run(10, time.Second, func(int) node { return root })
	return graphOf(w.dataset())
}

func edgeOf(t *testing.T, g Graph, from, to string) Edge {
	t.Helper()
	for _, e := range g.Edges {
		if e.From == from && e.To == to {
			return e
		}
	}
	t.Fatalf("no edge from %s to %s in %v", from, to, edgeNames(g))
	return Edge{}
}

func edgeNames(g Graph) string {
	var out []string
	for _, e := range g.Edges {
		out = append(out, e.From+">"+e.To)
	}
	return strings.Join(out, " ")
}

func nodeOf(t *testing.T, g Graph, name string) Node {
	t.Helper()
	i := slices.IndexFunc(g.Nodes, func(n Node) bool { return n.Name == name })
	if i < 0 {
		t.Fatalf("no node %s in %+v", name, g.Nodes)
	}
	return g.Nodes[i]
}

func near(got, want, by float64) bool { return math.Abs(got-want) <= by }

func TestNumbersOfAnEdge(t *testing.T) {
	w := newWorld(base, 3)
	// Of a hundred requests each calls twice; every tenth request's first call fails and is repeated; the calls
	// take 1 to 100 ms and more for their caller.
	w.run(100, 100*ms, func(i int) node {
		call := func(fail bool) node {
			c := client("a", "GET /b", "b", 0, server("b", "GET /b", time.Duration(i+1)*ms))
			c.fail, c.calls[0].fail = fail, fail
			return c
		}
		return server("a", "GET /a", ms, call(i%10 == 0), call(false))
	})
	g := graphOf(w.dataset())
	e := edgeOf(t, g, "a", "b")
	if e.Seen.Incident != 200 || !near(e.Calls.Incident, 20, 0.5) || !near(e.Errors.Incident, 0.05, 1e-6) || !near(e.Retries.Incident, 0.05, 1e-6) || e.FanOut.Incident != 2 {
		t.Errorf("seen %v, rate %v, errors %v, retries %v, fan-out %v", e.Seen, e.Calls, e.Errors, e.Retries, e.FanOut)
	}
	if !near(e.P50.Incident, 0.0505, 0.006) || !near(e.P95.Incident, 0.095, 0.011) || !near(e.P99.Incident, 0.099, 0.011) || e.P99.Incident < e.P95.Incident {
		t.Errorf("quantiles %v %v %v", e.P50, e.P95, e.P99)
	}
	if !near(e.Path.Incident, 1, 0.03) || e.Async || e.Suspect != 0 {
		t.Errorf("critical path %v of a, which only waits for b: %+v", e.Path, e)
	}
	a, b := nodeOf(t, g, "a"), nodeOf(t, g, "b")
	if a.Entry != a.Requests || !near(a.Requests.Incident, 10, 0.3) || b.Entry.Incident != 0 || !near(b.Errors.Incident, 0.05, 1e-6) || b.Seen.Incident != 200 {
		t.Errorf("nodes %+v %+v", a, b)
	}
}

func TestTheCriticalPathIsSharedOut(t *testing.T) {
	db := node{service: "b", name: "SELECT", kind: telemetry.KindClient, self: 30 * ms, attrs: []string{telemetry.AttrDBSystem, "postgresql", telemetry.AttrDBNamespace, "shop"}}
	g := oneTrace(server("a", "GET /", 50*ms, client("a", "GET /b", "b", 0, server("b", "GET /b", 20*ms, db))))
	ab, bd := edgeOf(t, g, "a", "b").Path.Incident, edgeOf(t, g, "b", "postgresql:shop").Path.Incident
	if !near(ab, 0.2, 0.03) || !near(bd, 0.3, 0.03) {
		t.Errorf("a waits %.2f behind b and b %.2f behind its database, want 0.2 and 0.3", ab, bd)
	}
}

func TestAServiceThatCallsItself(t *testing.T) {
	g := oneTrace(server("a", "GET /", ms, client("a", "GET /part", "localhost", 0, server("a", "GET /part", 2*ms))))
	if e := edgeOf(t, g, "a", "a"); e.Seen.Incident != 10 || len(g.Edges) != 1 {
		t.Errorf("edges %s: %+v", edgeNames(g), e)
	}
	if n := nodeOf(t, g, "a"); n.Seen.Incident != 20 {
		t.Errorf("a is asked %v times, want ten from outside and ten by itself", n.Seen.Incident)
	}
}

func TestCallsWithoutKinds(t *testing.T) {
	g := oneTrace(node{service: "a", name: "handle", self: ms, calls: []node{{service: "b", name: "work", self: ms, calls: []node{{service: "c", name: "store", self: ms}}}}})
	if got := edgeNames(g); got != "a>b b>c" {
		t.Errorf("edges %s", got)
	}
}

// What a span says of whom it calls, in old and new conventions and in none.
func TestWhoIsCalled(t *testing.T) {
	call := func(kv ...string) node {
		return node{service: "a", name: "call", kind: telemetry.KindClient, self: ms, attrs: kv}
	}
	for _, c := range []struct {
		span             node
		name, kind, what string
	}{
		{call(telemetry.AttrDBSystem, "mysql", telemetry.AttrDBNamespace, "shop"), "mysql:shop", nodeDatabase, "mysql"},
		{call(telemetry.AttrDBSystem, "postgresql", telemetry.AttrServerAddress, "db-1"), "postgresql:db-1", nodeDatabase, "postgresql"},
		{call(telemetry.AttrDBSystem, "redis", telemetry.AttrServerAddress, "sessions", telemetry.AttrDBNamespace, "0"), "redis:sessions", nodeCache, "redis"},
		{call(telemetry.AttrServerAddress, "10.0.0.9", telemetry.AttrServerPort, "5432"), "10.0.0.9", nodeDatabase, "postgresql"},
		{call(telemetry.AttrURLFull, "https://user:secret@api.bank.example:8443/v1/charge?card=1"), "api.bank.example", nodeExternal, ""},
		{call(telemetry.AttrPeerService, "https://user:secret@pay.example/v1?key=1"), "pay.example", nodeExternal, ""},
		{call(telemetry.AttrServerAddress, "B.shop.svc.cluster.local."), "b", nodeService, ""},
		{call(telemetry.AttrServerAddress, "b"), "b", nodeService, ""},
		{call(telemetry.AttrServerAddress, "b.example.com"), "b.example.com", nodeExternal, ""},
		{call("network.peer.address", "192.0.2.7"), "192.0.2.7", nodeExternal, ""},
		{call(telemetry.AttrServerAddress, "localhost", telemetry.AttrServerPort, "9000"), "localhost:9000", nodeExternal, ""},
		{call(telemetry.AttrRPCService, "pay.Cards", telemetry.AttrRPCMethod, "Charge"), "pay.Cards", nodeExternal, ""},
		{node{service: "a", name: "send", kind: telemetry.KindProducer, self: ms, attrs: []string{telemetry.AttrMsgSystem, "kafka", telemetry.AttrMsgDestination, "b"}}, "b (queue)", nodeQueue, "kafka"},
	} {
		w := newWorld(base, 3)
		w.run(5, time.Second, func(int) node { return server("a", "GET /", ms, c.span) })
		w.run(5, time.Second, func(int) node { return server("b", "GET /b", ms) })
		g := graphOf(w.dataset())
		if len(g.Edges) != 1 || g.Edges[0].To != c.name {
			t.Errorf("%v: edges %s, want one to %s", c.span.attrs, edgeNames(g), c.name)
			continue
		}
		if n := nodeOf(t, g, c.name); n.Kind != c.kind || n.System != c.what || c.kind != nodeService && n.Seen.Incident != 5 {
			t.Errorf("%v: node %+v, want a %s of %q", c.span.attrs, n, c.kind, c.what)
		}
		if strings.Contains(g.SVG()+g.DOT()+g.Mermaid(), "secret") {
			t.Error("a password in the picture")
		}
	}
}

// An address that was answered by a service once is that service where no span answers.
func TestAddressesAreLearned(t *testing.T) {
	w := newWorld(base, 3)
	w.run(20, time.Second, func(i int) node {
		call := node{service: "a", name: "GET", kind: telemetry.KindClient, self: ms, attrs: []string{telemetry.AttrServerAddress, "10.1.2.3"}}
		if i%2 == 0 {
			call.calls = []node{server("b", "GET /b", ms)}
		}
		// Behind this address two services answer, so it is neither.
		shared := node{service: "a", name: "GET", kind: telemetry.KindClient, self: ms, attrs: []string{telemetry.AttrServerAddress, "10.9.9.9"}}
		if i < 4 {
			shared.calls = []node{server([]string{"c", "d"}[i%2], "GET /cd", ms)}
		}
		return server("a", "GET /", ms, call, shared)
	})
	g := graphOf(w.dataset())
	if e := edgeOf(t, g, "a", "b"); e.Seen.Incident != 20 {
		t.Errorf("%v calls to b, want 20", e.Seen.Incident)
	}
	if n := nodeOf(t, g, "10.9.9.9"); n.Kind != nodeExternal || n.Seen.Incident != 16 {
		t.Errorf("%+v", n)
	}
}

// A call and its transport are one call.
func TestNestedSpansAreOneCall(t *testing.T) {
	http := node{service: "a", name: "POST", kind: telemetry.KindClient, self: ms, attrs: []string{telemetry.AttrServerAddress, "dynamodb.example"}}
	sdk := node{service: "a", name: "GetItem", kind: telemetry.KindClient, self: ms, calls: []node{http}, attrs: []string{telemetry.AttrDBSystem, "aws.dynamodb", telemetry.AttrDBNamespace, "eu"}}
	if got := edgeNames(oneTrace(server("a", "GET /", ms, sdk))); got != "a>aws.dynamodb:eu" {
		t.Errorf("edges %s", got)
	}
	wrapper := node{service: "a", name: "with retries", kind: telemetry.KindClient, self: ms, calls: []node{http}}
	if got := edgeNames(oneTrace(server("a", "GET /", ms, wrapper))); got != "a>dynamodb.example" {
		t.Errorf("edges %s", got)
	}
}

func TestMessagesGoThroughTheirQueue(t *testing.T) {
	queue := []string{telemetry.AttrMsgSystem, "kafka", telemetry.AttrMsgDestination, "orders"}
	send := node{service: "shop", name: "orders publish", kind: telemetry.KindProducer, self: 2 * ms, attrs: queue}
	take := node{service: "mail", name: "orders process", kind: telemetry.KindConsumer, self: 5 * ms, attrs: queue}
	check := func(t *testing.T, g Graph, wait float64) {
		t.Helper()
		in, out := edgeOf(t, g, "shop", "orders"), edgeOf(t, g, "orders", "mail")
		if len(g.Edges) != 2 || in.Seen.Incident != 10 || out.Seen.Incident != 10 || !in.Async || !out.Async {
			t.Errorf("edges %s: %+v %+v", edgeNames(g), in, out)
		}
		if !near(out.Queued.Incident, wait, 0.05*wait+1e-9) {
			t.Errorf("messages wait %v, want %v", out.Queued.Incident, wait)
		}
		if q := nodeOf(t, g, "orders"); q.Kind != nodeQueue || q.System != "kafka" || q.Seen.Incident != 10 || !near(q.P95.Incident, wait, 0.05*wait+1e-9) {
			t.Errorf("%+v", q)
		}
	}
	t.Run("within a trace", func(t *testing.T) {
		s := send
		c := take
		c.gap = 300 * ms
		s.calls = []node{c}
		w := newWorld(base, 3)
		w.run(10, time.Second, func(int) node { return server("shop", "POST /order", ms, s) })
		ds := w.dataset()
		for i := range ds.Spans { // the producer does not wait for its child
			if ds.Spans[i].Resource.Service == "shop" {
				ds.Spans[i].Duration = min(ds.Spans[i].Duration, 4*ms)
			}
		}
		g := graphOf(ds)
		if q := edgeOf(t, g, "orders", "mail").Queued.Incident; !near(q, 0.298, 0.004) {
			t.Errorf("messages wait %v", q)
		}
	})
	t.Run("by links", func(t *testing.T) {
		w := newWorld(base, 3)
		w.run(10, time.Second, func(int) node { return server("shop", "POST /order", ms, send) })
		w.run(10, time.Second, func(int) node { n := take; return n })
		ds := w.dataset()
		var senders []telemetry.Span
		for _, s := range ds.Spans {
			if s.Kind == telemetry.KindProducer {
				senders = append(senders, s)
			}
		}
		k := 0
		for i := range ds.Spans {
			if s := &ds.Spans[i]; s.Kind == telemetry.KindConsumer {
				s.Links = []telemetry.Link{{Trace: senders[k].Trace, Span: senders[k].ID}}
				s.Start = senders[k].End() + int64(400*ms)
				k++
			}
		}
		check(t, graphOf(ds), 0.4)
	})
	t.Run("by attributes only", func(t *testing.T) {
		w := newWorld(base, 3)
		w.run(10, time.Second, func(int) node { return server("shop", "POST /order", ms, send) })
		w.run(10, time.Second, func(int) node { return take })
		check(t, graphOf(w.dataset()), 0)
	})
	t.Run("without the queue's name", func(t *testing.T) {
		c := take
		c.attrs = nil
		s := send
		s.attrs, s.calls = nil, []node{c}
		if got := edgeNames(oneTrace(server("shop", "POST /order", ms, s))); got != "shop>mail" {
			t.Errorf("edges %s", got)
		}
	})
	t.Run("received, then processed", func(t *testing.T) {
		c := take
		poll := node{service: "mail", name: "orders receive", kind: telemetry.KindClient, self: ms, calls: []node{c}, attrs: append([]string{telemetry.AttrMsgOperation, "receive"}, queue...)}
		if e := edgeOf(t, oneTrace(poll), "orders", "mail"); e.Seen.Incident != 10 {
			t.Errorf("%v messages, want 10", e.Seen.Incident)
		}
	})
}

func TestPeersAreBounded(t *testing.T) {
	w := newWorld(base, 3)
	w.run(3*maxOutside, ms, func(i int) node {
		return server("a", "GET /", ms, node{service: "a", name: "GET", kind: telemetry.KindClient, self: ms, attrs: []string{telemetry.AttrServerAddress, fmt.Sprintf("host-%d.example", i)}})
	})
	g := graphOf(w.dataset())
	if len(g.Nodes) != maxOutside+2 {
		t.Errorf("%d nodes", len(g.Nodes))
	}
	if e := edgeOf(t, g, "a", otherPeers); e.Seen.Incident != 2*maxOutside {
		t.Errorf("%v calls to the rest", e.Seen.Incident)
	}
}

func TestSuspectsAreMarked(t *testing.T) {
	g := Graph{Nodes: []Node{{Name: "a"}, {Name: "b"}, {Name: "bank.example"}}, Edges: []Edge{{From: "a", To: "b"}, {From: "b", To: "bank.example"}}}
	g.mark([]Suspect{{Service: "b", Peer: "https://bank.example/v1"}, {Service: "b"}, {Service: "a", Peer: "b"}}, newPlaces(newOperations(), map[string]bool{"a": true, "b": true}))
	if g.Nodes[0].Suspect != 2 || g.Nodes[1].Suspect != 1 || g.Nodes[2].Suspect != 0 || g.Edges[0].Suspect != 2 || g.Edges[1].Suspect != 1 {
		t.Errorf("%+v", g)
	}
}
