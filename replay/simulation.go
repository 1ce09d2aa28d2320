package replay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// simulation answers outgoing calls in an incident replay: when and whether a call fails comes from the
// models of the incident, what a success says from the golden sets.
type simulation struct {
	library *library
	models  map[string][]*routeModel // by dependency
	now     func() time.Time
	zero    atomic.Pointer[time.Time] // start of the plan; nil before it
}

func newSimulation(plan *IncidentPlan, sets []*Set, now func() time.Time) *simulation {
	s := &simulation{library: newLibrary(sets), models: map[string][]*routeModel{}, now: now}
	merged := map[string]Behaviour{}
	for _, peer := range sortedKeys(plan.Behaviour) {
		name := s.library.nameOf(peer, plan.Behaviour[peer].Calls)
		b := merged[name]
		b.Calls = append(b.Calls, plan.Behaviour[peer].Calls...)
		merged[name] = b
	}
	for _, peer := range sortedKeys(merged) {
		s.models[peer] = inferModels(merged[peer])
	}
	return s
}

// begin starts the incident's time.
func (s *simulation) begin(t time.Time) { s.zero.Store(&t) }

// began is when the incident's time started; the zero time before it.
func (s *simulation) began() time.Time {
	if zero := s.zero.Load(); zero != nil {
		return *zero
	}
	return time.Time{}
}

// act implements actor.
func (s *simulation) act(peer string, x *tapped) play {
	zero := s.zero.Load()
	model := s.model(peer, x)
	if zero == nil || model == nil {
		return s.healthy(peer, x, nil)
	}
	f := model.arrive(s.now().Sub(*zero))
	var p play
	switch {
	case !f.fail:
		p = s.healthy(peer, x, f.like)
	case f.like == nil:
		p = s.failing(peer, x, &RecordedCall{Status: http.StatusServiceUnavailable})
	default:
		p = s.failing(peer, x, f.like)
	}
	p.after = model.leave
	return p
}

func (s *simulation) model(peer string, x *tapped) *routeModel {
	var loose *routeModel
	for _, m := range s.models[peer] {
		if m.method != "" && m.method != x.method {
			continue
		}
		if matchesRoute(m.route, x.path) {
			return m
		}
		// A client span need not carry a route; then the model is of the method as a whole.
		if m.route == "" {
			loose = m
		}
	}
	return loose
}

// healthy answers as the golden sets do, after the latency of a call of the incident where there is one.
func (s *simulation) healthy(peer string, x *tapped, like *RecordedCall) play {
	d := s.library.find(peer, x)
	if d == nil {
		return strange(peer, x)
	}
	p := playOf(d)
	if like != nil {
		p.wait = like.Latency
		if like.Status >= 400 && like.Status < 500 && like.Status != p.status {
			// A refusal is an answer too.
			refused := s.failing(peer, x, like)
			return refused
		}
	}
	return p
}

// failing answers as the recorded failure did.
func (s *simulation) failing(peer string, x *tapped, like *RecordedCall) play {
	switch {
	case like.TimedOut:
		return play{fault: "timeout"}
	case like.Error != "":
		return play{fault: like.Error, wait: like.Latency}
	case like.Status == 0:
		return play{fault: "reset", wait: like.Latency}
	}
	for _, d := range s.library.calls[peer+" "+x.method] {
		if d.Error == "" && d.Response.Status == like.Status && matchesRoute(callRoute(d), x.path) {
			p := playOf(d)
			p.wait = like.Latency
			return p
		}
	}
	body, err := json.Marshal(map[string]string{"error": fmt.Sprintf("%d %s", like.Status, http.StatusText(like.Status))})
	if err != nil {
		body = nil // a map of strings always encodes
	}
	return play{status: like.Status, wait: like.Latency, body: body, headers: map[string]string{"content-type": "application/json"}}
}
