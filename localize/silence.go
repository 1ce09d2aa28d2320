package localize

import (
	"fmt"
	"slices"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// silenceConstants judge services that fall silent.
type silenceConstants struct {
	weight, rest, calls, victim float64
	sure                        slope
}

func (c *silenceConstants) list(t *table) {
	t.num(&c.weight, "silence.weight", 3.0, "nats for a service that fell silent while it was still asked for", "")
	t.num(&c.rest, "silence.rest", 0.15, "share of its healthy part of all work that a silent service still does at most", "")
	t.num(&c.calls, "silence.calls", 3, "calls to it that show that it is still asked for", "")
	t.num(&c.victim, "silence.victim", 0.1, "part of the weight for a service that nobody asks for any more", "")
	t.slope(&c.sure, "silence.sure", 4, 8, "z score of the fall", "")
}

// output counts what a service did.
type output struct {
	n    float64
	last int64
}

// workOf counts requests served and records written by each service from a time on, and all of them. A
// service that only shows in others' calls is not counted.
func workOf(ds *telemetry.Dataset, from int64) (map[string]*output, float64) {
	out, total := map[string]*output{}, 0.0
	last, lastName := (*output)(nil), ""
	see := func(r *telemetry.Resource, t int64) {
		if r.Service != lastName || last == nil {
			lastName = r.Service
			if last = out[lastName]; last == nil {
				last = &output{}
				out[lastName] = last
			}
		}
		last.last = max(last.last, t)
		if t >= from {
			last.n++
			total++
		}
	}
	for i := range ds.Spans {
		if s := &ds.Spans[i]; s.Kind.Incoming() || s.Parent.IsZero() {
			see(s.Resource, s.Start)
		}
	}
	if total == 0 {
		for i := range ds.Logs {
			see(ds.Logs[i].Resource, ds.Logs[i].Time)
		}
	}
	return out, total
}

// findSilence looks for services whose part of all work fell to next to nothing while the others went
// on: a process that is gone reports nothing, so its absence is the signal (Sridharan, Distributed
// Systems Observability, 2018, on absent telemetry; Avizienis et al., 2004, call it a halt failure).
// Parts are compared, since load and sampling change from window to window. A service that nobody asks
// for any more is the victim of whoever used to ask.
func (a *analysis) findSilence() {
	a.silence = map[string]float64{}
	var base, cur map[string]*output
	var totalBase, total float64
	beside(
		func() { base, totalBase = workOf(a.base.ds, 0) },
		func() { cur, total = workOf(a.cur.ds, a.onset) },
	)
	k := &a.k.silence
	if totalBase == 0 || total < a.k.window.enough {
		return
	}
	for _, s := range sortedServices(base) {
		b := base[s]
		if b.n < a.k.window.enough {
			continue
		}
		c := cur[s]
		if c == nil {
			c = &output{}
		}
		// The others' work, without its own, is what the fall is measured by.
		restBase, rest := totalBase-b.n, total-c.n
		if restBase <= 0 || rest < a.k.window.enough || c.n/rest > k.rest*b.n/restBase {
			continue
		}
		sure := k.sure.of(zProportions(b.n, totalBase, c.n, total))
		if sure == 0 {
			continue
		}
		asked, askedFor := a.askedFor(s)
		weight := k.weight * sure
		text := fmt.Sprintf("it did %s of all work when healthy and %s since the incident began", percent(b.n/totalBase), percent(c.n/total))
		switch {
		case askedFor:
			a.silence[s] = sure
			text += fmt.Sprintf(", though it was called %.0f times", asked)
		case a.hadCallers(s):
			weight *= k.victim
			text += ", and nobody called it any more"
		case a.isEdge(s):
			// Requests that never arrive are not its doing.
			weight *= k.victim
			text += ": requests stopped coming"
		default:
			a.silence[s] = sure
		}
		if c.last > 0 {
			text += fmt.Sprintf("; its last sign is of %s", time.Unix(0, c.last).UTC().Format("15:04:05"))
		}
		a.board.add(s, Reason{Signal: "silence", Text: text, Value: c.n / total, Baseline: b.n / totalBase, Weight: weight})
	}
}

// askedFor counts the calls to a service since the onset.
func (a *analysis) askedFor(service string) (float64, bool) {
	n := 0.0
	for k, c := range a.answers {
		if k.to == service {
			n += c.calls
		}
	}
	return n, n >= a.k.silence.calls
}

// hadCallers says that other services called it when healthy.
func (a *analysis) hadCallers(service string) bool {
	for k, c := range a.answers {
		if k.to == service && c.callsBase > 0 {
			return true
		}
	}
	return false
}

// isEdge says that requests of users enter at a service.
func (a *analysis) isEdge(service string) bool {
	return slices.ContainsFunc(a.base.outcomes, func(o traceRec) bool {
		op := &a.ops.list[o.op]
		return op.service == service && op.kind != telemetry.KindConsumer
	})
}
