package replay

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// theatre is a simulation with a clock that the test moves.
type theatre struct {
	*simulation
	now time.Time
}

func newTheatre(calls []RecordedCall, downstream ...Downstream) *theatre {
	set := smallSet()
	set.Cases[0].Downstream = downstream
	th := &theatre{now: time.Unix(1000, 0)}
	th.simulation = newSimulation(&IncidentPlan{Behaviour: map[string]Behaviour{"ledger": {Calls: calls}}}, []*Set{set}, func() time.Time { return th.now })
	return th
}

// at asks at a time of the incident; a negative one is before it began.
func (th *theatre) at(t time.Duration, method, path string) play {
	zero := time.Unix(2000, 0)
	if t >= 0 {
		th.begin(zero)
	}
	th.now = zero.Add(t)
	p := th.act("ledger", &tapped{method: method, path: path, header: http.Header{}})
	if p.after != nil {
		p.after()
	}
	return p
}

func answered(method, path string, status int, body string) Downstream {
	return Downstream{Peer: "ledger", Request: Request{Method: method, Path: path}, Latency: Duration(7 * time.Millisecond),
		Response: Response{Status: status, Headers: map[string]string{"content-type": "application/json"}, Body: json.RawMessage(body)}}
}

func calls(method, route string, status int, fault string, latency time.Duration) []RecordedCall {
	var out []RecordedCall
	for i := range 20 {
		out = append(out, RecordedCall{Offset: time.Duration(i) * 50 * time.Millisecond, Method: method, Route: route, Status: status, Error: fault, TimedOut: fault == "timeout", Latency: latency})
	}
	return out
}

func TestSimulationPlaysEachKindOfTrouble(t *testing.T) {
	good := answered("POST", "/b", 201, `{"ok":true}`)
	tests := []struct {
		name       string
		calls      []RecordedCall
		downstream []Downstream
		want       play
		body       string
	}{
		{"slow answers", calls("POST", "/b", 201, "", 900*time.Millisecond), []Downstream{good}, play{status: 201, wait: 900 * time.Millisecond}, `{"ok":true}`},
		{"hung calls", calls("POST", "/b", 0, "timeout", 300*time.Millisecond), []Downstream{good}, play{fault: "timeout"}, ""},
		{"resets", calls("POST", "/b", 0, "reset", 3*time.Millisecond), []Downstream{good}, play{fault: "reset", wait: 3 * time.Millisecond}, ""},
		{"refused connections", calls("POST", "/b", 0, "refused", 0), []Downstream{good}, play{fault: "refused"}, ""},
		{"no status and no error", calls("POST", "/b", 0, "", time.Millisecond), []Downstream{good}, play{fault: "reset", wait: time.Millisecond}, ""},
		{"failures whose body is known", calls("POST", "/b", 503, "", time.Millisecond), []Downstream{good, answered("POST", "/b", 503, `{"why":"busy"}`)}, play{status: 503, wait: time.Millisecond}, `{"why":"busy"}`},
		{"failures whose body is not", calls("POST", "/b", 503, "", time.Millisecond), []Downstream{good}, play{status: 503, wait: time.Millisecond}, `{"error":"503 Service Unavailable"}`},
		{"another failure is another body", calls("POST", "/b", 500, "", time.Millisecond), []Downstream{good, answered("POST", "/b", 503, `{"why":"busy"}`)}, play{status: 500, wait: time.Millisecond}, `{"error":"500 Internal Server Error"}`},
		{"a body of another route", calls("POST", "/b", 503, "", time.Millisecond), []Downstream{good, answered("POST", "/c", 503, `{"why":"c"}`)}, play{status: 503, wait: time.Millisecond}, `{"error":"503 Service Unavailable"}`},
		{"refusals, which are answers", calls("POST", "/b", 404, "", 2*time.Millisecond), []Downstream{good}, play{status: 404, wait: 2 * time.Millisecond}, `{"error":"404 Not Found"}`},
		{"the refusal that was recorded", calls("POST", "/b", 409, "", 2*time.Millisecond), []Downstream{answered("POST", "/b", 409, `{"why":"twice"}`)}, play{status: 409, wait: 2 * time.Millisecond}, `{"why":"twice"}`},
		{"another success is the recorded one", calls("POST", "/b", 200, "", 2*time.Millisecond), []Downstream{good}, play{status: 201, wait: 2 * time.Millisecond}, `{"ok":true}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := newTheatre(tt.calls, tt.downstream...).at(500*time.Millisecond, "POST", "/b")
			if got.status != tt.want.status || got.wait != tt.want.wait || got.fault != tt.want.fault || string(got.body) != tt.body || got.unknown {
				t.Errorf("%+v with body %s", got, got.body)
			}
		})
	}
}

func TestOutsideTheIncidentHealthHolds(t *testing.T) {
	th := newTheatre(calls("POST", "/b", 503, "", time.Millisecond), answered("POST", "/b", 201, `{}`))
	for _, tt := range []struct {
		at   time.Duration
		want int
	}{{-time.Second, 201}, {-time.Hour, 201}, {0, 503}, {950 * time.Millisecond, 503}, {950*time.Millisecond + edgeSlack, 503}, {1201 * time.Millisecond, 201}, {time.Hour, 201}} {
		p := th.at(tt.at, "POST", "/b")
		if p.status != tt.want {
			t.Errorf("at %v: %d", tt.at, p.status)
		}
		if tt.want == 201 && p.wait != 7*time.Millisecond {
			t.Errorf("at %v it takes %v, not what it takes in health", tt.at, p.wait)
		}
	}
}

func TestOnlyTheRouteThatFailedFails(t *testing.T) {
	all := []Downstream{answered("POST", "/b", 201, `"b"`), answered("GET", "/b", 200, `"get"`), answered("POST", "/items/7", 200, `"item"`), answered("POST", "/", 200, `"root"`)}
	tests := []struct {
		name, method, route string
		failing             []string
		well                []string
	}{
		{"a route", "POST", "/b", []string{"POST /b"}, []string{"GET /b", "POST /items/7", "POST /"}},
		{"a template", "POST", "/items/{id}", []string{"POST /items/7", "POST /items/8"}, []string{"POST /b", "POST /"}},
		{"a method without a route", "POST", "", []string{"POST /b", "POST /items/7", "POST /"}, []string{"GET /b"}},
		{"neither", "", "", []string{"POST /b", "GET /b"}, nil},
		{"the root", "POST", "/", []string{"POST /"}, []string{"POST /b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			th := newTheatre(calls(tt.method, tt.route, 503, "", time.Millisecond), all...)
			for _, request := range tt.failing {
				method, path, _ := strings.Cut(request, " ")
				if p := th.at(500*time.Millisecond, method, path); p.status != 503 {
					t.Errorf("%s: %d", request, p.status)
				}
			}
			for _, request := range tt.well {
				method, path, _ := strings.Cut(request, " ")
				if p := th.at(500*time.Millisecond, method, path); p.status >= 400 {
					t.Errorf("%s: %d", request, p.status)
				}
			}
		})
	}
}

func TestTheModelOfARouteComesBeforeThatOfItsMethod(t *testing.T) {
	th := newTheatre(append(calls("POST", "", 503, "", time.Millisecond), calls("POST", "/b", 200, "", 5*time.Millisecond)...), answered("POST", "/b", 201, `{}`), answered("POST", "/c", 201, `{}`))
	if p := th.at(500*time.Millisecond, "POST", "/b"); p.status != 201 {
		t.Errorf("/b: %d", p.status)
	}
	if p := th.at(500*time.Millisecond, "POST", "/c"); p.status != 503 {
		t.Errorf("/c: %d", p.status)
	}
}

func TestUnknownRequestsAreSaidInAnySimulation(t *testing.T) {
	th := newTheatre(calls("POST", "/b", 200, "", time.Millisecond), answered("POST", "/b", 201, `{}`))
	for _, at := range []time.Duration{-time.Second, 500 * time.Millisecond, time.Hour} {
		p := th.at(at, "DELETE", "/b%20c")
		if !p.unknown || p.status != http.StatusNotImplemented || !strings.Contains(string(p.body), "no recorded answer to DELETE /b c") {
			t.Errorf("at %v: %+v %s", at, p, p.body)
		}
	}
	// A model without any recorded success has nothing to say when it would succeed.
	th = newTheatre(calls("POST", "/only-in-the-incident", 200, "", time.Millisecond))
	if p := th.at(500*time.Millisecond, "POST", "/only-in-the-incident"); !p.unknown {
		t.Errorf("%+v", p)
	}
	// A failure needs no recorded answer.
	th = newTheatre(calls("POST", "/only-in-the-incident", 503, "", time.Millisecond))
	if p := th.at(500*time.Millisecond, "POST", "/only-in-the-incident"); p.unknown || p.status != 503 {
		t.Errorf("%+v", p)
	}
}

func TestSimulationKnowsWhenItBegan(t *testing.T) {
	th := newTheatre(nil)
	if !th.began().IsZero() {
		t.Error("it began before it began")
	}
	zero := time.Unix(7, 0)
	th.begin(zero)
	if !th.began().Equal(zero) {
		t.Errorf("%v", th.began())
	}
}
