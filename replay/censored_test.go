package replay

import (
	"encoding/binary"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/telemetry"
)

// callsOf makes one call per request; a latency beyond patience (if there is one) shows as a call
// that was given up on.
func callsOf(patience time.Duration, latencies ...int) []outgoingCall {
	var out []outgoingCall
	for i, ms := range latencies {
		c := outgoingCall{peer: "ledger", call: RecordedCall{Offset: time.Duration(i) * time.Second, Method: "POST", Route: "/b", Status: 201, Latency: time.Duration(ms) * time.Millisecond}}
		binary.BigEndian.PutUint64(c.trace[:], uint64(i)+1)
		if patience > 0 && c.call.Latency > patience {
			c.call.Status, c.call.Error, c.call.TimedOut, c.call.Latency = 0, "timeout", true, patience
		}
		out = append(out, c)
	}
	return out
}

func TestImpatientCallsGetTheLatencyTheyWouldHaveHad(t *testing.T) {
	healthy := callsOf(0, 20, 150, 30, 200, 25, 300, 20, 180, 30, 500)
	calls := callsOf(80*time.Millisecond, 20, 250, 30, 160, 25, 400)
	uncensor(calls, healthy)
	seen := map[time.Duration]bool{}
	for i, c := range calls {
		if c.call.failed() || c.call.Status != 201 {
			t.Fatalf("call %d still hangs: %+v", i, c.call)
		}
		if i%2 == 1 {
			seen[c.call.Latency] = true
			if c.call.Latency < 150*time.Millisecond {
				t.Errorf("call %d takes %v, no healthy call beyond the patience was that quick", i, c.call.Latency)
			}
		} else if c.call.Latency > 30*time.Millisecond {
			t.Errorf("call %d, which was answered, was changed: %+v", i, c.call)
		}
	}
	if len(seen) != 3 {
		t.Errorf("the three calls share latencies: %v", seen)
	}
}

func TestHangingCallsStayHanging(t *testing.T) {
	tests := []struct {
		name           string
		calls, healthy []outgoingCall
	}{
		{"no healthy call was that long", callsOf(80*time.Millisecond, 20, 2000, 30, 2000), callsOf(0, 20, 30, 25, 20, 30, 22)},
		{"far more than in health", callsOf(80*time.Millisecond, 2000, 2000, 2000, 2000), callsOf(0, 20, 30, 25, 20, 30, 22, 20, 20, 20, 20, 20, 20, 100, 100, 100, 100, 100)},
		{"no healthy window", callsOf(80*time.Millisecond, 2000, 20), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			uncensor(tt.calls, tt.healthy)
			hanging := 0
			for _, c := range tt.calls {
				if c.call.TimedOut {
					hanging++
				}
			}
			if hanging == 0 {
				t.Error("the dependency is said to have been well")
			}
		})
	}
}

func TestUncensorNeverShortensACall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.SliceOfN(rapid.IntRange(1, 500), 1, 40)
		calls := callsOf(time.Duration(rapid.IntRange(10, 400).Draw(t, "patience"))*time.Millisecond, ms.Draw(t, "incident")...)
		before := append([]outgoingCall(nil), calls...)
		uncensor(calls, callsOf(0, ms.Draw(t, "health")...))
		for i := range calls {
			if calls[i].call.Latency < before[i].call.Latency || !before[i].call.TimedOut && calls[i] != before[i] {
				t.Fatalf("%+v became %+v", before[i].call, calls[i].call)
			}
		}
	})
}

func TestGoldenStrideVisitsEveryPlace(t *testing.T) {
	for n := 1; n < 300; n++ {
		seen := map[int]bool{}
		for i := range n {
			seen[i*goldenStride(n)%n] = true
		}
		if len(seen) != n {
			t.Fatalf("%d of %d places", len(seen), n)
		}
	}
}

// A service whose patience was set too short: the plan has to let a more patient build succeed.
func TestPlanOfLostPatience(t *testing.T) {
	tell := func(patience time.Duration) telemetry.Dataset {
		s := &story{}
		for i := range 200 {
			at := time.Duration(i) * 50 * time.Millisecond
			took := 20 * time.Millisecond
			if i%3 == 0 {
				took = 200 * time.Millisecond
			}
			if took > patience {
				p := s.request("desk", at, "/entries", "503", patience)
				s.call(p, 0, "ledger", "/bookings", "", "timeout", patience)
				continue
			}
			p := s.request("desk", at, "/entries", "201", took)
			s.call(p, 0, "ledger", "/bookings", "200", "", took)
		}
		return telemetry.Dataset{Spans: s.spans}
	}
	plan, err := PlanIncident(tell(80*time.Millisecond), tell(time.Second), "desk", PlanOptions{MaxWindow: 1500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	set := recordDesk(t)
	for _, tt := range []struct {
		timeout time.Duration
		want    Outcome
	}{{80 * time.Millisecond, Red}, {5 * time.Second, Green}} {
		replayed(t, func() *desk { return &desk{timeout: tt.timeout} }, plan, set, tt.want)
	}
}
