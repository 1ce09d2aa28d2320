package replay

import (
	"strings"
	"testing"
	"time"
)

// shedding is a plan in which the ledger refuses every call for a moment. The recorded service tried three
// times in a row, so each request in the moment shows as three failures.
func shedding(from, to, length time.Duration) IncidentPlan {
	p := IncidentPlan{Service: "desk", Operation: "POST /entries", Behaviour: map[string]Behaviour{}, Symptom: Threshold{Kind: "errors", Value: 0.08, Recorded: 0.4, Healthy: 0.005}}
	var calls []RecordedCall
	for at := time.Duration(0); at < length; at += 20 * time.Millisecond {
		failed := at >= from && at < to
		p.Arrivals = append(p.Arrivals, Arrival{Offset: at, Route: "POST /entries", Failed: failed})
		call := RecordedCall{Offset: at, Method: "POST", Route: "/bookings", Status: 200, Latency: 3 * time.Millisecond}
		if failed {
			call.Status, call.Latency = 503, time.Millisecond
			for n := range 3 {
				call.Offset = at + time.Duration(n)*time.Millisecond
				calls = append(calls, call)
			}
			continue
		}
		calls = append(calls, call)
	}
	p.Behaviour["ledger"] = Behaviour{Calls: calls}
	return p
}

// replayed replays the incident until it comes out as wanted, at most four times on fresh runs. Incidents run in real time:
// a scheduler that stalls for the length of the ledger's moment lets every request miss it, or makes a quick service look
// slow. A stall of that kind does not happen four times in a row; a defect does.
func replayed(t *testing.T, build func() *desk, plan IncidentPlan, set *Set, want Outcome) (Verdict, *Run) {
	t.Helper()
	for attempt := 1; ; attempt++ {
		v, run, err := Incident(t.Context(), launcher(build), plan, []*Set{set}, quick())
		if err != nil {
			t.Fatal(err)
		}
		if v.Outcome == want {
			return v, run
		}
		if attempt == 4 {
			t.Fatalf("%d times %s, want %s: %s\n%+v", attempt, v.Outcome, want, v.Why, v.Incident)
		}
		t.Logf("attempt %d: %s, want %s: %s", attempt, v.Outcome, want, v.Why)
	}
}

// patient waits out a moment: exponential backoff.
func patient() *desk {
	return &desk{retries: 6, pause: func(n int) time.Duration { return 25 * time.Millisecond << n }}
}

func TestIncidentShowsWithoutBackoffAndNotWithIt(t *testing.T) {
	set := recordDesk(t)
	plan := shedding(300*time.Millisecond, 1200*time.Millisecond, 1500*time.Millisecond)
	tests := []struct {
		name  string
		build func() *desk
		want  Outcome
	}{
		{"retries at once", func() *desk { return &desk{retries: 2} }, Red},
		{"retries once more at once", func() *desk { return &desk{retries: 3} }, Red},
		{"backs off", patient, Green},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, run := replayed(t, tt.build, plan, set, tt.want)
			m := v.Incident
			if m.Requests != len(plan.Arrivals) || m.Threshold != 0.08 || m.P95 <= 0 || m.PeakPerSec <= 0 || run.Calls != m.Downstream {
				t.Errorf("measured %+v, run calls %d", m, run.Calls)
			}
			if m.Exemplar == nil || len(m.Exemplar.Spans) < 3 || m.Exemplar.Spans[0].Depth != 0 || m.Exemplar.Spans[0].Service != "desk" {
				t.Errorf("exemplar %+v", m.Exemplar)
			}
		})
	}
}

func TestIncidentOfHangingCallsNeedsADeadline(t *testing.T) {
	set := recordDesk(t)
	plan := IncidentPlan{Service: "desk", Symptom: Threshold{Kind: "latency", Value: 0.5, Recorded: 0.8, Healthy: 0.004}, Behaviour: map[string]Behaviour{}}
	var calls []RecordedCall
	for at := time.Duration(0); at < 600*time.Millisecond; at += 20 * time.Millisecond {
		plan.Arrivals = append(plan.Arrivals, Arrival{Offset: at, Route: "POST /entries"})
		calls = append(calls, RecordedCall{Offset: at, Method: "POST", Route: "/bookings", Status: 200, Latency: 800 * time.Millisecond})
	}
	plan.Behaviour["ledger"] = Behaviour{Calls: calls}
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		want    Outcome
	}{{"without", 0, Red}, {"with", 50 * time.Millisecond, Green}} {
		t.Run(tt.name, func(t *testing.T) {
			replayed(t, func() *desk { return &desk{timeout: tt.timeout} }, plan, set, tt.want)
		})
	}
}

func TestIncidentIsBrokenWhenItCannotBeJudged(t *testing.T) {
	set := recordDesk(t)
	plan := shedding(100*time.Millisecond, 200*time.Millisecond, 300*time.Millisecond)
	t.Run("no golden case", func(t *testing.T) {
		p := plan
		p.Arrivals = []Arrival{{Route: "DELETE /nothing"}}
		v, _, err := Incident(t.Context(), launcher(patient), p, []*Set{set}, quick())
		if err != nil || v.Outcome != Broken || !strings.Contains(v.Why, "DELETE /nothing (1 requests); record one") {
			t.Fatalf("%v %s: %s", err, v.Outcome, v.Why)
		}
	})
	t.Run("unknown calls", func(t *testing.T) {
		bare := *set
		bare.Cases = append([]Case(nil), set.Cases...)
		for i := range bare.Cases {
			bare.Cases[i].Downstream = nil
		}
		v, _, err := Incident(t.Context(), launcher(patient), plan, []*Set{&bare}, quick())
		if err != nil || v.Outcome != Broken {
			t.Fatalf("%v %s: %s", err, v.Outcome, v.Why)
		}
	})
	t.Run("crashes midway", func(t *testing.T) {
		v, _ := replayed(t, func() *desk { return &desk{crashAt: 5} }, plan, set, Broken)
		if !strings.Contains(v.Why, "stopped accepting connections") {
			t.Fatal(v.Why)
		}
	})
}

func TestSymptomIsMeasuredOnTheFailingOperation(t *testing.T) {
	set := recordDesk(t)
	plan := shedding(100*time.Millisecond, 600*time.Millisecond, 700*time.Millisecond)
	plan.Operation = "POST /entries"
	posts := len(plan.Arrivals)
	for at := time.Duration(0); at < 700*time.Millisecond; at += 5 * time.Millisecond {
		plan.Arrivals = append(plan.Arrivals, Arrival{Offset: at, Route: "GET /entries/{id}"}, Arrival{Offset: at, Route: "GET /unknown"})
	}
	v, run := replayed(t, func() *desk { return &desk{} }, plan, set, Red)
	if v.Incident.Requests != posts {
		t.Errorf("%s of %d requests: %s", v.Outcome, v.Incident.Requests, v.Why)
	}
	if len(run.Notes) != 1 || !strings.Contains(run.Notes[0], "GET /unknown (140 requests)") {
		t.Errorf("notes %q", run.Notes)
	}
}

func TestRepeatedRequestsGetTheirOwnIdentity(t *testing.T) {
	r := Request{Method: "POST", Path: "/", Headers: map[string]string{"Idempotency-Key": "k", "x": "y"}, Body: []byte(`{"request_id":"r","order":"o"}`)}
	a, b := freshened(r, newTraceparent("s", 1)), freshened(r, newTraceparent("s", 2))
	if a.Headers["Idempotency-Key"] == b.Headers["Idempotency-Key"] || a.Headers["x"] != "y" || !isUUID(a.Headers["Idempotency-Key"]) {
		t.Errorf("%v %v", a.Headers, b.Headers)
	}
	if string(a.Body) == string(b.Body) || !strings.Contains(string(a.Body), `"order":"o"`) || r.Headers["Idempotency-Key"] != "k" {
		t.Errorf("%s %s", a.Body, b.Body)
	}
}

func TestPlansThatCannotBeReplayedAreRefused(t *testing.T) {
	good := shedding(0, 1, 2)
	for _, tt := range []struct {
		edit func(*IncidentPlan)
		want string
	}{
		{func(p *IncidentPlan) { p.Arrivals = nil }, "no arrivals"}, {func(p *IncidentPlan) { p.Symptom.Kind = "none" }, `of kind "none"`}, {func(p *IncidentPlan) { p.Symptom.Value = 0 }, "separates nothing"},
	} {
		p := good
		tt.edit(&p)
		if _, _, err := Incident(t.Context(), launcher(patient), p, nil, quick()); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}
