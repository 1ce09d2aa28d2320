package replay

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// story writes telemetry the way a service tells it.
type story struct {
	spans []telemetry.Span
	n     uint64
}

var storyStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano()

func attrs(kv ...string) telemetry.Attrs {
	var out telemetry.Attrs
	for i := 0; i < len(kv); i += 2 {
		if kv[i+1] != "" {
			out = append(out, telemetry.Attr{Key: kv[i], Value: kv[i+1]})
		}
	}
	return out
}

func (s *story) id() (id telemetry.SpanID) {
	s.n++
	binary.BigEndian.PutUint64(id[:], s.n)
	return id
}

// request adds a server span of service at the offset and returns it as a parent.
func (s *story) request(service string, at time.Duration, route, status string, took time.Duration) telemetry.Span {
	sp := telemetry.Span{ID: s.id(), Resource: &telemetry.Resource{Service: service}, Name: "POST " + route, Kind: telemetry.KindServer, Start: storyStart + int64(at), Duration: took,
		Attrs: attrs(telemetry.AttrHTTPMethod, "POST", telemetry.AttrHTTPStatus, status, telemetry.AttrHTTPRoute, route)}
	binary.BigEndian.PutUint64(sp.Trace[:], s.n)
	s.spans = append(s.spans, sp)
	return sp
}

func (s *story) call(parent telemetry.Span, after time.Duration, peer, path, status, fault string, took time.Duration) telemetry.Span {
	sp := telemetry.Span{Trace: parent.Trace, ID: s.id(), Parent: parent.ID, Resource: parent.Resource, Name: "POST", Kind: telemetry.KindClient, Start: parent.Start + int64(after), Duration: took,
		Attrs: attrs(telemetry.AttrErrorType, fault, telemetry.AttrHTTPMethod, "POST", telemetry.AttrHTTPStatus, status, telemetry.AttrServerAddress, peer, telemetry.AttrURLPath, path)}
	if fault != "" {
		sp.Status = telemetry.StatusError
	}
	s.spans = append(s.spans, sp)
	return sp
}

// outage is a minute of a desk whose ledger refuses for 400 ms every 20 s.
func outage(healthy bool) telemetry.Dataset {
	s := &story{}
	for at := time.Duration(0); at < time.Minute; at += 100 * time.Millisecond {
		bad := !healthy && at%(20*time.Second) >= 10*time.Second && at%(20*time.Second) < 10400*time.Millisecond
		if !bad {
			p := s.request("desk", at, "/entries", "201", 8*time.Millisecond)
			s.call(p, time.Millisecond, "ledger.internal", "/bookings", "200", "", 5*time.Millisecond)
			continue
		}
		p := s.request("desk", at, "/entries", "503", 9*time.Millisecond)
		for n := range 3 {
			s.call(p, time.Duration(1+2*n)*time.Millisecond, "ledger.internal", "/bookings", "503", "503", time.Millisecond)
		}
	}
	return telemetry.Dataset{Spans: s.spans}
}

func TestPlanIncidentCutsTheWorstStretch(t *testing.T) {
	plan, err := PlanIncident(outage(false), outage(true), "desk", PlanOptions{Peers: map[string]string{"ledger.internal": "ledger"}})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Operation != "POST /entries" || plan.Symptom.Kind != "errors" {
		t.Fatalf("operation %q, symptom %+v", plan.Operation, plan.Symptom)
	}
	failed := 0
	for _, a := range plan.Arrivals {
		if a.Failed {
			failed++
		}
		if a.Offset < 0 || a.Offset >= 8*time.Second {
			t.Errorf("arrival at %v", a.Offset)
		}
	}
	if failed != 4 || len(plan.Arrivals) > 40 || plan.Arrivals[0].Failed || plan.Arrivals[len(plan.Arrivals)-1].Failed {
		t.Errorf("%d of %d arrivals failed; the stretch should begin and end in health", failed, len(plan.Arrivals))
	}
	calls := plan.Behaviour["ledger"].Calls
	refused := 0
	for i, c := range calls {
		if c.Method != "POST" || c.Route != "/bookings" {
			t.Fatalf("call %+v", c)
		}
		if c.Status == 503 {
			refused++
		}
		if i > 0 && c.Offset < calls[i-1].Offset {
			t.Fatal("calls are not in order of time")
		}
	}
	if refused != 12 {
		t.Errorf("%d refused calls, 12 were recorded", refused)
	}
	th := plan.Symptom
	if !(th.Healthy < th.Value && th.Value < th.Recorded) || math.Abs(th.Value*th.Value-th.Recorded*th.Healthy) > 1e-9 || th.Why == "" {
		t.Errorf("threshold %+v", th)
	}
}

func TestPlanIncidentOfSlowness(t *testing.T) {
	s := &story{}
	for at := time.Duration(0); at < 20*time.Second; at += 50 * time.Millisecond {
		took := 10 * time.Millisecond
		if at >= 8*time.Second && at < 9*time.Second {
			took = 2 * time.Second
		}
		p := s.request("desk", at, "/entries", "201", took)
		s.call(p, time.Millisecond, "ledger", "/bookings", "200", "", took-2*time.Millisecond)
	}
	plan, err := PlanIncident(telemetry.Dataset{Spans: s.spans}, telemetry.Dataset{}, "desk", PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Symptom.Kind != "latency" || plan.Symptom.Value < 0.05 || plan.Symptom.Value > 1 || !strings.Contains(plan.Symptom.Why, "want of a healthy window") {
		t.Errorf("symptom %+v", plan.Symptom)
	}
	if n := len(plan.Arrivals); n < 20 || n > 60 {
		t.Errorf("%d arrivals for one slow second", n)
	}
}

func TestPlanIncidentReadsHowCallsEnded(t *testing.T) {
	s := &story{}
	p := s.request("desk", 0, "/entries", "500", time.Second)
	s.call(p, 0, "ledger", "/bookings", "", "context deadline exceeded", 300*time.Millisecond)
	s.call(p, time.Millisecond, "ledger", "/bookings", "", "ECONNREFUSED", time.Millisecond)
	s.call(p, 2*time.Millisecond, "ledger", "/bookings", "", "EPIPE", time.Millisecond)
	slow := s.call(p, 3*time.Millisecond, "ledger", "/bookings", "", "timeout", 300*time.Millisecond)
	server := s.request("books", 3*time.Millisecond, "/bookings", "200", 900*time.Millisecond)
	s.spans[len(s.spans)-1].Trace, s.spans[len(s.spans)-1].Parent = slow.Trace, slow.ID
	_ = server
	s.call(p, 4*time.Millisecond, "elsewhere", "/x", "200", "", time.Millisecond)
	plan, err := PlanIncident(telemetry.Dataset{Spans: s.spans}, telemetry.Dataset{}, "desk", PlanOptions{Dependencies: []string{"ledger"}, Peers: map[string]string{"books": "ledger"}})
	if err != nil {
		t.Fatal(err)
	}
	got := plan.Behaviour["ledger"].Calls
	if len(plan.Behaviour) != 1 || len(got) != 4 {
		t.Fatalf("behaviour %+v", plan.Behaviour)
	}
	want := []RecordedCall{
		{Error: "timeout", TimedOut: true, Latency: 300 * time.Millisecond}, {Error: "refused", Latency: time.Millisecond}, {Error: "reset", Latency: time.Millisecond},
		{Status: 200, Latency: 900 * time.Millisecond}, // the callee's span knows how it went on
	}
	for i, w := range want {
		g := got[i]
		if g.Error != w.Error || g.TimedOut != w.TimedOut || g.Status != w.Status || g.Latency != w.Latency {
			t.Errorf("call %d: %+v, want %+v", i, g, w)
		}
	}
}

func TestPlanIncidentSaysWhatIsMissing(t *testing.T) {
	tests := []struct {
		name     string
		incident telemetry.Dataset
		service  string
		opts     PlanOptions
		want     string
	}{
		{"no such service", outage(false), "shelf", PlanOptions{}, "no server span of shelf"},
		{"no such operation", outage(false), "desk", PlanOptions{Operation: "GET /none"}, `received no "GET /none"`},
		{"nothing wrong", outage(true), "desk", PlanOptions{Symptom: "errors"}, "nothing to reproduce"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := PlanIncident(tt.incident, outage(true), tt.service, tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// The whole way: telemetry of an incident, its plan, a build that shows it and one that does not.
func TestPlannedIncidentIsRedThenGreen(t *testing.T) {
	set := recordDesk(t)
	plan, err := PlanIncident(outage(false), outage(true), "desk", PlanOptions{Peers: map[string]string{"ledger.internal": "ledger"}, MaxWindow: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		build func() *desk
		want  Outcome
	}{{func() *desk { return &desk{retries: 2} }, Red}, {patient, Green}} {
		replayed(t, tt.build, plan, set, tt.want)
	}
}
