package replay

import (
	"encoding/json"
	"math"
	"net/http"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// history writes recorded calls: one per letter, o ok, x refused, t timed out, r reset.
func history(gap time.Duration, letters string) []RecordedCall {
	var out []RecordedCall
	for i, l := range letters {
		c := RecordedCall{Offset: time.Duration(i) * gap, Method: "POST", Route: "/bookings", Status: 200, Latency: 5 * time.Millisecond}
		switch l {
		case 'x':
			c.Status, c.Latency = 503, time.Millisecond
		case 't':
			c.Status, c.Error, c.TimedOut = 0, "timeout", true
		case 'r':
			c.Status, c.Error = 0, "reset"
		}
		out = append(out, c)
	}
	return out
}

// ask is one call at the time that is over at once.
func ask(m *routeModel, t time.Duration) bool {
	f := m.arrive(t)
	m.leave()
	return f.fail
}

func TestModelFailsInTheMomentOnly(t *testing.T) {
	const gap = 20 * time.Millisecond
	m := inferModel(history(gap, "oooooooooooooooooooo"+"xxxxxxxxxxxxxxx"+"oooooooooooooooooooo"))
	if len(m.stretches) != 3 {
		t.Fatalf("stretches %+v", m.stretches)
	}
	for at, want := range map[time.Duration]bool{
		0: false, 19 * gap: false, 20 * gap: true, 27*gap + 7: true, 34 * gap: true, 35 * gap: false, 54 * gap: false, -time.Second: false, time.Minute: false,
	} {
		if got := ask(m, at); got != want {
			t.Errorf("at %v: fails %v, want %v", at, got, want)
		}
	}
}

func TestModelOfOutageAtTheEdgesOfTheRecording(t *testing.T) {
	const gap = 20 * time.Millisecond
	all := inferModel(history(gap, "xxxxxxxxxx"))
	if !ask(all, 0) || !ask(all, 9*gap) || ask(all, time.Minute) || ask(all, -time.Minute) {
		t.Error("an outage that was all there is to see holds as long as it was seen")
	}
	sparse := inferModel([]RecordedCall{{Offset: 0, Status: 200}, {Offset: 1, Status: 200}, {Offset: 2, Status: 200}, {Offset: 3, Status: 200}, {Offset: 4, Status: 200}, {Offset: 5, Status: 200},
		{Offset: 10 * time.Second, Status: 503}, {Offset: 10*time.Second + 1, Status: 503}, {Offset: 10*time.Second + 2, Status: 503}, {Offset: 10*time.Second + 3, Status: 503},
		{Offset: 20 * time.Second, Status: 200}, {Offset: 20*time.Second + 1, Status: 200}, {Offset: 20*time.Second + 2, Status: 200}, {Offset: 20*time.Second + 3, Status: 200}})
	if ask(sparse, 9*time.Second) || ask(sparse, 11*time.Second) || !ask(sparse, 10*time.Second+100*time.Millisecond) {
		t.Errorf("nothing was called for seconds around the outage, so it reaches no further than %v: %+v", edgeSlack, sparse.stretches)
	}
}

func TestModelKeepsTheRatioOfScatteredFailures(t *testing.T) {
	m := inferModel(history(10*time.Millisecond, "ooxooooxoooxooooxoooooxooxooooxooooxooooxoooxooooxoo"))
	failures := 0
	for i := range 520 {
		if ask(m, time.Duration(i)*time.Millisecond) {
			failures++
		}
	}
	if got := float64(failures) / 520; math.Abs(got-11.0/52) > 0.02 {
		t.Errorf("%.3f of the calls fail, %.3f did", got, 11.0/52)
	}
}

// load is calls whose number per second changes; fails tells which are refused.
func load(fails func(inSecond int) bool) []RecordedCall {
	var out []RecordedCall
	for second, n := range []int{10, 12, 40, 9, 50, 14, 45, 10, 8} {
		for i := range n {
			c := RecordedCall{Offset: time.Duration(second)*2*time.Second + time.Duration(i)*(time.Second/time.Duration(n)), Method: "POST", Route: "/b", Status: 200, Latency: time.Millisecond}
			if fails(i + 1) {
				c.Status = 429
			}
			out = append(out, c)
		}
	}
	return out
}

func TestModelInfersARateLimit(t *testing.T) {
	m := inferModel(load(func(n int) bool { return n > 20 }))
	if m.rate.max < 12 || m.rate.max > 21 || m.rate.window != time.Second {
		t.Fatalf("rate %+v, busy %d", m.rate, m.busy)
	}
	// The same calls at a quarter of the pace pass, also at a time when the recorded ones failed.
	for i := range 40 {
		if ask(m, 4*time.Second+time.Duration(i)*100*time.Millisecond) {
			t.Fatalf("call %d at 10 per second is refused", i)
		}
	}
	refused := 0
	for i := range 40 {
		if ask(m, 60*time.Second+time.Duration(i)*10*time.Millisecond) {
			refused++
		}
	}
	if refused < 15 || refused > 30 {
		t.Errorf("%d of 40 calls within 400 ms are refused", refused)
	}
}

func TestModelIsNotFooledByRetries(t *testing.T) {
	// An outage by time, during which every request is tried five times at once: the rate is
	// high because calls fail, not the other way round.
	var calls []RecordedCall
	for at := time.Duration(0); at < 10*time.Second; at += 50 * time.Millisecond {
		out := at >= 4*time.Second && at < 5*time.Second
		c := RecordedCall{Offset: at, Method: "POST", Route: "/b", Status: 200, Latency: time.Millisecond}
		if out {
			c.Status = 503
			for range 4 {
				calls = append(calls, c)
				c.Offset += time.Millisecond
			}
		}
		calls = append(calls, c)
	}
	m := inferModel(calls)
	if m.rate.max != 0 || m.busy != 0 {
		t.Fatalf("taken for a limit: rate %+v, busy %d", m.rate, m.busy)
	}
	if !ask(m, 4500*time.Millisecond) || ask(m, 5500*time.Millisecond) {
		t.Error("one slow caller inside the outage must fail, after it succeed")
	}
}

func TestModelInfersAConcurrencyLimit(t *testing.T) {
	var calls []RecordedCall
	for burst := range 12 {
		for i := range 1 + burst%6 {
			c := RecordedCall{Offset: time.Duration(burst)*10*time.Second + time.Duration(i)*time.Millisecond, Method: "POST", Route: "/b", Status: 200, Latency: 500 * time.Millisecond}
			if i >= 3 {
				c.Status, c.Latency = 503, time.Millisecond
			}
			calls = append(calls, c)
		}
	}
	m := inferModel(calls)
	if m.rate.max == 0 && m.busy != 3 {
		t.Fatalf("rate %+v, busy %d", m.rate, m.busy)
	}
	refused := 0
	for range 6 {
		if m.arrive(time.Hour).fail {
			refused++
		}
	}
	if refused != 3 {
		t.Errorf("%d of 6 calls at once are refused", refused)
	}
}

func TestModelSharesOutSlowAnswers(t *testing.T) {
	calls := history(time.Millisecond, "oooooooooo")
	for i := range calls {
		if i%2 == 1 {
			calls[i].Latency = time.Second
		}
	}
	m := inferModel(calls)
	slow := 0
	for range 10 {
		if m.arrive(5*time.Millisecond).like.Latency == time.Second {
			slow++
		}
	}
	if slow != 5 {
		t.Errorf("%d of 10 calls are slow, half of the recorded ones were", slow)
	}
}

// Whatever was recorded, a model answers every time, and replaying the recorded calls fails about as many of them.
func TestModelReproducesItsRecording(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.StringMatching(`(o{5,20}x{5,20}|o{1,9}|t{5,9}o{6,9}|[ox]{1,8}){1,6}`).Draw(t, "letters")
		calls := history(25*time.Millisecond, letters)
		m := inferModel(calls)
		failed, recorded := 0, 0
		for i := range calls {
			if ask(m, calls[i].Offset) {
				failed++
			}
			if calls[i].failed() {
				recorded++
			}
		}
		if n := float64(len(calls)); math.Abs(float64(failed-recorded)) > 2+0.15*n {
			t.Fatalf("%q: %d fail, %d did", letters, failed, recorded)
		}
		for i := 1; i < len(m.stretches); i++ {
			if m.stretches[i].from != m.stretches[i-1].to {
				t.Fatalf("a gap between stretches: %+v", m.stretches)
			}
		}
	})
}

func TestSimulationPlaysContentAndFaults(t *testing.T) {
	set := smallSet()
	set.Cases[0].Downstream = []Downstream{
		{Peer: "ledger", Request: Request{Method: "POST", Path: "/bookings", Body: json.RawMessage(`{"n":1}`)}, Response: Response{Status: 200, Headers: map[string]string{"content-type": "application/json"}, Body: json.RawMessage(`{"state":"booked"}`)}, Latency: Duration(7 * time.Millisecond)},
		{Peer: "ledger", Request: Request{Method: "POST", Path: "/bookings", Body: json.RawMessage(`{"n":0}`)}, Response: Response{Status: 503, Body: json.RawMessage(`{"why":"busy"}`)}},
	}
	zero := time.Now()
	now := zero
	plan := &IncidentPlan{Behaviour: map[string]Behaviour{"ledger": {Calls: history(100*time.Millisecond, "oooooooooooxxxxxxxxxxxxtttttttttttttrrrrrrrrrrrr")}}}
	s := newSimulation(plan, []*Set{set}, func() time.Time { return now })
	call := func(path string) play {
		p := s.act("ledger", &tapped{method: "POST", path: path, header: http.Header{}})
		if p.after != nil {
			p.after()
		}
		return p
	}
	if p := call("/bookings"); p.status != 200 || p.wait != 7*time.Millisecond || string(p.body) != `{"state":"booked"}` {
		t.Errorf("before the incident: %+v", p)
	}
	s.begin(zero)
	if p := call("/bookings"); p.status != 200 || p.wait != 5*time.Millisecond {
		t.Errorf("at its start: %+v", p)
	}
	now = zero.Add(1500 * time.Millisecond)
	if p := call("/bookings"); p.status != 503 || string(p.body) != `{"why":"busy"}` || p.wait != time.Millisecond {
		t.Errorf("while it sheds: %+v", p)
	}
	if p := call("/other"); !p.unknown || p.status != http.StatusNotImplemented {
		t.Errorf("a request nothing resembles: %+v", p)
	}
	faults := map[string]int{}
	for at := 2400 * time.Millisecond; at < 4800*time.Millisecond; at += 50 * time.Millisecond {
		now = zero.Add(at)
		faults[call("/bookings").fault]++
	}
	if faults["timeout"] < 10 || faults["reset"] < 10 || faults[""] != 0 {
		t.Errorf("faults %v", faults)
	}
	now = zero.Add(time.Minute)
	if p := call("/bookings"); p.status != 200 {
		t.Errorf("after it: %+v", p)
	}
}

func TestSimulationRecognisesADependencyByItsRoutes(t *testing.T) {
	set := smallSet()
	call := func(peer, path string) Downstream {
		return Downstream{Peer: peer, Request: Request{Method: "POST", Path: path}, Response: Response{Status: 200}}
	}
	set.Cases[0].Downstream = []Downstream{call("ledger", "/bookings"), call("stock", "/items"), call("ledger", "/shared"), call("stock", "/shared")}
	l := newLibrary([]*Set{set})
	for _, tt := range []struct {
		peer, route, want string
	}{{"127.0.0.1:4711", "/bookings", "ledger"}, {"127.0.0.1:4711", "/shared", "127.0.0.1:4711"}, {"127.0.0.1:4711", "/none", "127.0.0.1:4711"}, {"stock", "/bookings", "stock"}} {
		if got := l.nameOf(tt.peer, []RecordedCall{{Method: "POST", Route: tt.route}}); got != tt.want {
			t.Errorf("%s %s is %s, want %s", tt.peer, tt.route, got, tt.want)
		}
	}
	plan := &IncidentPlan{Behaviour: map[string]Behaviour{"127.0.0.1:4711": {Calls: history(time.Millisecond, "xxxxxx")}}}
	if s := newSimulation(plan, []*Set{set}, time.Now); len(s.models["ledger"]) != 1 {
		t.Errorf("models %v", s.models)
	}
}
