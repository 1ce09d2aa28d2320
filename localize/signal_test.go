package localize

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/telemetry"
)

func TestQuantile(t *testing.T) {
	v := []float64{1, 2, 3, 4, 5}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 1: 5, 0.25: 2, 0.9: 4.6} {
		if got := quantile(v, q); math.Abs(got-want) > 1e-12 {
			t.Errorf("quantile(%v) = %v, want %v", q, got, want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("quantile of nothing")
	}
}

func TestMADIgnoresOutliers(t *testing.T) {
	calm := []float64{10, 11, 9, 10, 11, 9, 10}
	if a, b := mad(calm), mad(append(slices.Clone(calm), 1e9)); b > 2*a+1 {
		t.Errorf("one outlier moved the MAD from %v to %v", a, b)
	}
}

func TestCliff(t *testing.T) {
	if d := cliff([]float64{3, 4}, []float64{1, 2}); d != 1 {
		t.Errorf("all above: %v", d)
	}
	if d := cliff([]float64{1}, []float64{1, 1}); d != 0 {
		t.Errorf("ties: %v", d)
	}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-9, 9), 1, 20)
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		d := cliff(a, b)
		if d < -1 || d > 1 || math.Abs(d+cliff(b, a)) > 1e-9 {
			t.Fatalf("delta %v and %v", d, cliff(b, a))
		}
		// It is the share of pairs above minus the share below.
		above := 0
		for _, x := range a {
			for _, y := range b {
				above += int(compareFloat(x, y))
			}
		}
		if want := float64(above) / float64(len(a)*len(b)); math.Abs(want-d) > 1e-9 {
			t.Fatalf("delta %v, by counting %v", d, want)
		}
	})
}

func compareFloat(a, b float64) float64 {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestZScoresAskForEvidence(t *testing.T) {
	if z := zProportions(1, 1, 0, 1); z > 1.5 {
		t.Errorf("one against none of one is no evidence: %v", z)
	}
	if z := zProportions(50, 100, 5, 100); z < 6 {
		t.Errorf("half against a twentieth: %v", z)
	}
	if z := zProportions(5, 100, 50, 100); z > -6 {
		t.Errorf("sign: %v", z)
	}
	if z := zRate(10, 60, 0, 60); z < 2.5 {
		t.Errorf("ten against none: %v", z)
	}
	if z := zRate(20, 120, 10, 60); z != 0 {
		t.Errorf("equal rates: %v", z)
	}
	if zRate(0, 1, 0, 1) != 0 || zRate(1, 0, 1, 0) != 0 || zProportions(1, 0, 1, 1) != 0 {
		t.Error("nothing to compare gives a score")
	}
}

func TestChangePointFindsTheOnset(t *testing.T) {
	var times []int64
	for i := int64(0); i < 1000; i += 100 {
		times = append(times, i) // now and then
	}
	for i := int64(600); i < 1000; i += 5 {
		times = append(times, i) // and then all the time
	}
	slices.Sort(times)
	at, llr := changePoint(times, 0, 1000, &newConstants(nil).onset)
	if at < 585 || at > 615 || llr < newConstants(nil).onset.significant {
		t.Errorf("change at %d (%.1f), want 600", at, llr)
	}
}

func TestBurstsAreNoOnset(t *testing.T) {
	var times []int64
	for burst := int64(0); burst < 1000; burst += 100 {
		for i := int64(0); i < 20; i++ {
			times = append(times, burst+i)
		}
	}
	if at, _ := changePoint(times, 0, 1000, &newConstants(nil).onset); at > 300 {
		t.Errorf("bursts all over the window, but the onset is at %d", at)
	}
	if at, llr := changePoint(nil, 0, 10, &newConstants(nil).onset); at != 0 || llr != 0 {
		t.Error("an onset of nothing")
	}
}

func TestLevelShift(t *testing.T) {
	if at := levelShift([]float64{1, 1, 1, 1, 9, 9, 9}); at != 4 {
		t.Errorf("break at %d, want 4", at)
	}
	if at := levelShift([]float64{5, 5, 5, 5}); at != 0 {
		t.Errorf("a flat series breaks at %d", at)
	}
	if at := levelShift([]float64{1}); at != 0 {
		t.Errorf("one value breaks at %d", at)
	}
}

func TestJudge(t *testing.T) {
	span := func(status telemetry.StatusCode, message string, kv ...string) *telemetry.Span {
		return &telemetry.Span{Status: status, Message: message, Attrs: attrs(kv...)}
	}
	tests := []struct {
		name string
		span *telemetry.Span
		want outcome
	}{
		{"fine", span(telemetry.StatusUnset, ""), fine},
		{"error", span(telemetry.StatusError, "boom"), failed},
		{"500", span(telemetry.StatusUnset, "", telemetry.AttrHTTPStatus, "500"), failed},
		{"503 marked OK", span(telemetry.StatusOK, "", telemetry.AttrHTTPStatus, "503"), failed},
		{"404 marked error", span(telemetry.StatusError, "", telemetry.AttrHTTPStatus, "404"), refused},
		{"409", span(telemetry.StatusError, "", telemetry.AttrHTTPStatus, "409"), refused},
		{"429 is about the callee", span(telemetry.StatusError, "", telemetry.AttrHTTPStatus, "429"), failed},
		{"408", span(telemetry.StatusError, "", telemetry.AttrHTTPStatus, "408"), failed},
		{"not found", span(telemetry.StatusError, "", telemetry.AttrRPCStatus, "NOT_FOUND"), refused},
		{"unavailable", span(telemetry.StatusUnset, "", telemetry.AttrRPCStatus, "UNAVAILABLE"), failed},
		{"cancelled", span(telemetry.StatusError, "context canceled"), refused},
		{"cancelled in Python", span(telemetry.StatusError, "", telemetry.AttrErrorType, "asyncio.exceptions.CancelledError"), refused},
	}
	for _, tt := range tests {
		if got := judge(tt.span); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestMinerGroupsMessages(t *testing.T) {
	m := newMiner()
	groups := [][]string{
		{"user 42 logged in from 10.0.0.1", "user 7 logged in from 192.168.1.77"},
		{"connection to db-1.example:5432 refused", "connection to db-2.example:5432 refused"},
		{"order 550e8400-e29b-41d4-a716-446655440000 stored", "order 123e4567-e89b-12d3-a456-426614174000 stored"},
		{"took 17ms", "took 3ms"},
		{"starting"},
		{""},
	}
	seen := map[int32]int{}
	for g, lines := range groups {
		for _, l := range lines {
			id := m.add("s", l)
			if old, ok := seen[id]; ok && old != g {
				t.Errorf("%q joined group %d", l, old)
			}
			seen[id] = g
		}
	}
	if len(m.list) != len(groups) {
		for i := range m.list {
			t.Logf("%d: %s", i, m.text(int32(i)))
		}
		t.Errorf("%d templates, want %d", len(m.list), len(groups))
	}
	if m.add("other", "starting") == m.add("s", "starting") {
		t.Error("services share a template")
	}
	if got := m.text(m.add("s", "user 1 logged in from 1.1.1.1")); got != "user <*> logged in from <*>" {
		t.Errorf("template %q", got)
	}
}

func TestMinerIsStableUnderRepetition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMiner()
		lines := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,5}( [a-z0-9:/.=]{1,8}){0,6}`), 1, 30).Draw(t, "lines")
		for _, l := range lines {
			m.add("s", l)
		}
		n := len(m.list)
		for _, l := range lines {
			id := m.add("s", l)
			if tokens := tokenize(l); len(tokens) != len(m.list[id].tokens) {
				t.Fatalf("%q joined a template of another length", l)
			}
		}
		if len(m.list) != n {
			t.Fatalf("seen lines made %d new templates", len(m.list)-n)
		}
	})
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "42": "<*>", "id=42": "id=<*>", "10.0.0.1:8080": "<*>", "worker2": "worker2", "utf8": "utf8",
		"0x1f": "<*>", "/var/log/app3.log": "/var/log/app3.log", "/var/log/app31.log": "/var/log/<*>", "[7]": "[<*>]", "a1b2c3": "<*>", "blk_-160899": "<*>",
	} {
		if got := (&masker{}).mask(in); got != want {
			t.Errorf("mask(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParseStack(t *testing.T) {
	tests := map[string]struct {
		stack string
		want  frame
		n     int
	}{
		"go": {"goroutine 12 [running]:\npanic({0x1, 0x2})\n\t/usr/local/go/src/runtime/panic.go:770 +0x1\nexample.com/pay/charge.(*Service).Do(0xc0, {0x1, 0x2})\n\t/src/pay/charge/service.go:88 +0x2f\nmain.main()\n\t/src/pay/main.go:12 +0x1d\n",
			frame{File: "/src/pay/charge/service.go", Line: 88, Function: "example.com/pay/charge.(*Service).Do"}, 2},
		"python": {"Traceback (most recent call last):\n  File \"/usr/lib/python3.12/site-packages/flask/app.py\", line 10, in wsgi\n    x\n  File \"/app/views.py\", line 33, in show\n    y\nKeyError: 'a'\n",
			frame{File: "/app/views.py", Line: 33, Function: "show"}, 1},
		"java": {"java.lang.NullPointerException: x\n\tat com.acme.pay.Charge.run(Charge.java:51)\n\tat org.springframework.web.Foo.bar(Foo.java:1)\nCaused by: y\n",
			frame{File: "Charge.java", Line: 51, Function: "run", Namespace: "com.acme.pay.Charge"}, 1},
		"java module": {"\tat app//com.acme.A$B.lambda$x$0(A.java:7)\n", frame{File: "A.java", Line: 7, Function: "lambda$x$0", Namespace: "com.acme.A$B"}, 1},
		"node": {"TypeError: Cannot read properties of undefined\n    at applyCoupon (/app/src/cart.js:17:23)\n    at async /app/src/server.js:40:5\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)\n",
			frame{File: "/app/src/cart.js", Line: 17, Function: "applyCoupon"}, 2},
		"nothing": {"no stack here", frame{}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ownFrames(parseStack(tt.stack))
			if len(got) != tt.n {
				t.Fatalf("%d frames of its own: %+v", len(got), got)
			}
			if tt.n > 0 && got[0] != tt.want {
				t.Errorf("innermost %+v, want %+v", got[0], tt.want)
			}
		})
	}
}

func FuzzParseStack(f *testing.F) {
	f.Add("\tat a.B.c(D.java:1)\n    at x (/y.js:1:2)\n  File \"z\", line 3, in w\n\t/q.go:9 +0x1\n")
	f.Add("File \"" + strings.Repeat("a", 2000) + "\", line 99999999999999999999")
	f.Fuzz(func(t *testing.T, s string) {
		if frames := parseStack(s); len(frames) > maxFrames {
			t.Fatalf("%d frames", len(frames))
		}
	})
}

func FuzzMiner(f *testing.F) {
	f.Add("a b 1", "a b 2")
	f.Fuzz(func(t *testing.T, a, b string) {
		m := newMiner()
		first := m.add("s", a)
		m.add("s", b)
		if m.add("s", a) != first && len(m.list) < 2 {
			t.Fatal("a message moved to a template that is not there")
		}
		_ = m.text(first)
	})
}

func TestNameWords(t *testing.T) {
	for in, want := range map[string]string{
		"db.client.connection.wait_time": "db client connection wait time", "maxConnIdleTime": "max conn idle time",
		"HTTPServer2xx": "http server2xx", "ABC": "abc", "": "", "p99-ms": "p99 ms", "NoneType": "none type",
	} {
		if got := strings.Join(nameWords(in), " "); got != want {
			t.Errorf("nameWords(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClassify(t *testing.T) {
	for name, want := range map[string]metricClass{
		"http_server_duration_p99_ms": classLatency, "http.server.request.duration": classLatency, "k8s.pod.cpu_limit_utilization": classResource,
		"db.client.connection.wait_time": classResource, "http_5xx_ratio": classError, "requests_per_sec": classDemand,
		"http_401_unauthorized_ratio": classRefusal, "jvm.gc.duration": classResource, "queue_depth": classResource, "weather": classOther,
	} {
		if got := classify(name); got != want {
			t.Errorf("classify(%q) = %d, want %d", name, got, want)
		}
	}
}

func gaugeOf(name string, v ...float64) *telemetry.Series {
	s := &telemetry.Series{Name: name, Resource: &telemetry.Resource{Service: "s"}}
	for i, x := range v {
		s.Points = append(s.Points, telemetry.Point{Time: base.Add(time.Duration(i) * time.Minute).UnixNano(), Value: x})
	}
	return s
}

func TestShiftOf(t *testing.T) {
	healthy := []float64{10, 11, 9, 10, 10.5, 9.5, 10, 11}
	if _, ok := shiftOf(gaugeOf("queue_depth", 10, 9.5, 11, 10), healthy, 0, &newConstants(nil).metrics); ok {
		t.Error("a calm series moved")
	}
	s, ok := shiftOf(gaugeOf("queue_depth", 10, 10, 90, 95, 92), healthy, 0, &newConstants(nil).metrics)
	if !ok || s.strength < 0.9 || s.cur != 92 || s.at != base.Add(2*time.Minute).UnixNano() {
		t.Errorf("a jump: %+v %v", s, ok)
	}
	if s, _ := shiftOf(gaugeOf("queue_depth", 10, 10, 90, 95, 92), healthy, 500, &newConstants(nil).metrics); s.strength > 0 {
		t.Errorf("where series jump by themselves, a jump counted: %+v", s)
	}
	if _, ok := shiftOf(gaugeOf("queue_depth", 90, 95), healthy[:3], 0, &newConstants(nil).metrics); ok {
		t.Error("three healthy values are enough to judge by")
	}
	low := []float64{0.01, 0.011, 0.009, 0.01, 0.012, 0.01}
	if s, ok := shiftOf(gaugeOf("pod.cpu_limit_utilization", 0.01, 0.05, 0.05, 0.05), low, 0, &newConstants(nil).metrics); ok {
		t.Errorf("a pod at a twentieth of its limit is short of nothing: %+v", s)
	}
	if s, ok := shiftOf(gaugeOf("pod.cpu_limit_utilization", 0.01, 0.99, 1, 0.98), low, 0, &newConstants(nil).metrics); !ok || s.strength < 0.9 {
		t.Errorf("a pod at its limit: %+v %v", s, ok)
	}
}

func TestValuesOfCumulativeSeries(t *testing.T) {
	at := func(s int) int64 { return base.Add(time.Duration(s) * time.Second).UnixNano() }
	sum := &telemetry.Series{Kind: telemetry.Sum, Points: []telemetry.Point{
		{Start: at(0), Time: at(10), Value: 100, Cumulative: true}, {Start: at(0), Time: at(20), Value: 150, Cumulative: true},
		{Start: at(21), Time: at(30), Value: 10, Cumulative: true}, {Start: at(21), Time: at(40), Value: 30, Cumulative: true}}}
	got := values(sum)
	if len(got) != 2 || got[0].v != 5 || got[1].v != 2 {
		t.Errorf("rates %+v, want 5 and 2 without the restart", got)
	}
	hist := &telemetry.Series{Kind: telemetry.Histogram, Points: []telemetry.Point{
		{Time: at(0), Value: 10, Count: 10, Cumulative: true}, {Time: at(10), Value: 30, Count: 15, Cumulative: true}}}
	if got := values(hist); len(got) != 1 || got[0].v != 4 {
		t.Errorf("means %+v, want 4", got)
	}
}

func TestHistogramQuantile(t *testing.T) {
	s := &telemetry.Series{Kind: telemetry.Histogram, Points: []telemetry.Point{{Bounds: []float64{1, 2, 4}, Buckets: []uint64{50, 40, 10, 0}}}}
	if q, ok := histogramQuantile(s, 0.95); !ok || q != 3 {
		t.Errorf("95th percentile %v, want 3", q)
	}
	if _, ok := histogramQuantile(&telemetry.Series{}, 0.5); ok {
		t.Error("a quantile of nothing")
	}
}

func TestRoleOfPoolMetrics(t *testing.T) {
	for name, want := range map[string]poolRole{
		"db.client.connection.max": poolLimit, "db.client.connection.wait_time": poolWait, "db.client.connection.pending_requests": poolPending,
		"db.client.connection.use_time": poolUse, "db.client.connections.max": poolLimit, "db.client.connections.usage": poolUsed,
		"go_sql_max_open_connections": poolLimit, "go_sql_in_use_connections": poolUsed, "hikaricp.connections.active": poolUsed,
		"hikaricp.connections.pending": poolPending, "db_pool_wait_seconds_p99": poolWait, "http.server.active_requests": poolNone, "cpu": poolNone,
	} {
		if got := roleOf(gaugeOf(name)); got != want {
			t.Errorf("roleOf(%q) = %d, want %d", name, got, want)
		}
	}
}

func TestOutages(t *testing.T) {
	calls := []attemptTime{{0, 1, false}, {2e9, 3e9, true}, {3e9, 5e9, true}, {6e9, 7e9, false}, {8e9, 9e9, true}}
	if got := outages(calls); len(got) != 2 || got[0] != 1 || got[1] != 3 {
		t.Errorf("outages %v, want 1 and 3 s", got)
	}
}

func TestDOTQuotesWhatTelemetrySays(t *testing.T) {
	g := Graph{
		Nodes: []Node{{Name: `evil" ]; x [label="y`, Kind: nodeExternal}, {Name: "a", Kind: nodeService, Blame: 0.5}},
		Edges: []Edge{{From: "a", To: `evil" ]; x [label="y`, Async: true}},
	}
	dot := g.DOT()
	if strings.Contains(dot, `evil" ]`) || !strings.Contains(dot, `evil\" ]; x [label=\"y`) {
		t.Errorf("a name breaks out of its quotes:\n%s", dot)
	}
	if !strings.HasPrefix(dot, "digraph") || !strings.Contains(dot, "style=dashed") || !strings.Contains(dot, "fillcolor=\"#ff") {
		t.Errorf("%s", dot)
	}
}

func TestTheGraphShowsPeersAndRetries(t *testing.T) {
	w := newWorld(base, 1)
	w.run(50, 100*ms, func(int) node { return peerRequest(2, 3, 10*ms) })
	a := &analysis{k: newConstants(nil), ev: &Evidence{}, ops: newOperations(), callees: map[int32]string{}}
	ds, none := w.dataset(), telemetry.Dataset{}
	a.cur, a.base = newWindow(&ds, a.ops), newWindow(&none, a.ops)
	p := newPlaces(a.ops, nil, a.base, a.cur)
	a.graph, a.graphBase = observe(a.cur, a.ops, p), observe(a.base, a.ops, p)
	g := merge(a, nil)
	kinds := map[string]string{}
	for _, n := range g.Nodes {
		kinds[n.Name] = n.Kind
	}
	if kinds["acquirer.example"] != nodeExternal || kinds["wallet"] != nodeService || kinds["edge"] != nodeService {
		t.Errorf("nodes %v", kinds)
	}
	i := slices.IndexFunc(g.Edges, func(e Edge) bool { return e.To == "acquirer.example" })
	if i < 0 {
		t.Fatalf("edges %+v", g.Edges)
	}
	e := g.Edges[i]
	if e.FanOut.Incident != 3 || math.Abs(e.Errors.Incident-2.0/3) > 0.01 || math.Abs(e.Retries.Incident-2.0/3) > 0.01 || e.P50.Incident <= 0 {
		t.Errorf("edge %+v", e)
	}
}

func TestMentionedNeedsWholeWords(t *testing.T) {
	a := &analysis{services: []string{"cart", "cart-api", "pay", "search"}}
	for body, want := range map[string]string{
		"upstream cart failed": "cart", "cart-api failed": "cart-api", "discarted": "", "searching": "", "search: 500": "search", "pay failed": "",
	} {
		if got := strings.Join(a.mentioned("edge", body), ","); got != want {
			t.Errorf("mentioned(%q) = %q, want %q", body, got, want)
		}
	}
}
