package replay

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// PlanOptions bound an incident plan and translate names.
type PlanOptions struct {
	// Operation is the failing one ("POST /orders" or a route); "" finds the worst.
	Operation string
	// Symptom is "errors" or "latency"; anything else finds out.
	Symptom string
	// Peers maps names of dependencies in telemetry (peer.service, server.address, service.name) to those of the
	// configuration. A name that is not in it stands for itself.
	Peers map[string]string
	// Dependencies are the configured names; calls to anything else are left out. Empty keeps all.
	Dependencies []string
	// MaxWindow and MaxRequests bound the replay (0: 8 s and 400 requests).
	MaxWindow   time.Duration
	MaxRequests int
}

// clearlyWorse is the factor below which a difference between two windows is not worth a replay: a threshold between
// them could not be told from the differences between machines.
const clearlyWorse = 1.5

// lead is how much of the time before the first failure is replayed, so that the service is warm and its
// pools are filled when the incident begins.
const lead = 500 * time.Millisecond

// PlanIncident makes the plan of an incident from its telemetry: the requests the service received on the failing
// operation become arrivals, the calls it made become the behaviour of its dependencies. The plan covers the worst
// stretch only, so that replaying two builds stays quick. The baseline may be empty; then health
// is estimated from the better part of the incident.
func PlanIncident(incident, baseline telemetry.Dataset, service string, opts PlanOptions) (IncidentPlan, error) {
	setDefault(&opts.MaxWindow, 8*time.Second)
	setDefault(&opts.MaxRequests, 400)
	entries := entriesOf(incident.Spans, service)
	if len(entries) == 0 {
		return IncidentPlan{}, fmt.Errorf("the incident's telemetry has no server span of %s, so what it received is not known (services there: %s)", service, strings.Join(servicesOf(incident.Spans), ", "))
	}
	operation, err := pickOperation(entries, entriesOf(baseline.Spans, service), opts.Operation)
	if err != nil {
		return IncidentPlan{}, err
	}
	recorded := ofOperation(entries, operation)
	healthy := ofOperation(entriesOf(baseline.Spans, service), operation)
	kind := opts.Symptom
	if kind != "errors" && kind != "latency" {
		kind = pickKind(recorded, healthy)
	}
	// Everything the service received is replayed, since other operations may take what the failing one
	// needs; the symptom is measured on the failing one alone.
	from, to := worstWindow(entries, operation, kind, opts.MaxWindow, opts.MaxRequests)
	plan := IncidentPlan{Service: service, Operation: operation, Behaviour: map[string]Behaviour{}}
	for _, e := range within(entries, from, to) {
		plan.Arrivals = append(plan.Arrivals, Arrival{Offset: time.Duration(e.span.Start - from), Route: e.operation, Trace: e.span.Trace.String(), Failed: e.failed})
	}
	plan.Symptom = threshold(kind, within(recorded, from, to), recorded, healthy)
	if plan.Symptom.Recorded < clearlyWorse*plan.Symptom.Healthy {
		return plan, fmt.Errorf("%s of %s is not clearly worse in the incident (%.4g) than in health (%.4g) by %s, so there is nothing to reproduce", operation, service, plan.Symptom.Recorded, plan.Symptom.Healthy, kind)
	}
	calls := outgoing(incident.Spans, service, from, later(to, opts.MaxWindow/2), &opts)
	uncensor(calls, outgoing(baseline.Spans, service, math.MinInt64, math.MaxInt64, &opts))
	for _, c := range calls {
		b := plan.Behaviour[c.peer]
		b.Calls = append(b.Calls, c.call)
		plan.Behaviour[c.peer] = b
	}
	for _, peer := range sortedKeys(plan.Behaviour) {
		calls := plan.Behaviour[peer].Calls
		sort.SliceStable(calls, func(i, j int) bool { return calls[i].Offset < calls[j].Offset })
	}
	return plan, nil
}

// entry is one request the service received.
type entry struct {
	span      *telemetry.Span
	operation string
	failed    bool
}

// entriesOf lists the HTTP requests a service received, by time.
func entriesOf(spans []telemetry.Span, service string) []entry {
	var out []entry
	for i := range spans {
		s := &spans[i]
		if s.Kind != telemetry.KindServer || s.Resource.Service != service || s.Attrs.Get(telemetry.AttrHTTPMethod) == "" {
			continue
		}
		out = append(out, entry{span: s, operation: operationOf(s), failed: failedEntry(s)})
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].span.Start < out[j].span.Start })
	return out
}

// operationOf is method and route. A route beats a path.
func operationOf(s *telemetry.Span) string {
	return s.Attrs.Get(telemetry.AttrHTTPMethod) + " " + s.Route()
}

// failedEntry counts server errors only: a refusal (4xx) is a correct answer.
func failedEntry(s *telemetry.Span) bool {
	if status := s.HTTPStatus(); status > 0 {
		return status >= 500
	}
	return s.Status == telemetry.StatusError
}

func ofOperation(entries []entry, operation string) []entry {
	var out []entry
	for _, e := range entries {
		if e.operation == operation {
			out = append(out, e)
		}
	}
	return out
}

func within(entries []entry, from, to int64) []entry {
	var out []entry
	for _, e := range entries {
		if e.span.Start >= from && e.span.Start < to {
			out = append(out, e)
		}
	}
	return out
}

func servicesOf(spans []telemetry.Span) []string {
	seen := map[string]bool{}
	for i := range spans {
		seen[spans[i].Resource.Service] = true
	}
	names := sortedKeys(seen)
	if len(names) > 10 {
		names = append(names[:10], "…")
	}
	return names
}

// pickOperation finds the operation by name, or the one that got worse most.
func pickOperation(incident, baseline []entry, wanted string) (string, error) {
	byName := map[string][]entry{}
	for _, e := range incident {
		byName[e.operation] = append(byName[e.operation], e)
	}
	if wanted != "" {
		for _, name := range sortedKeys(byName) {
			_, route, _ := strings.Cut(name, " ")
			if name == wanted || route == wanted {
				return name, nil
			}
		}
		for _, e := range incident {
			if e.span.Name == wanted {
				return e.operation, nil
			}
		}
		return "", fmt.Errorf("the service received no %q in the incident (it received %s)", clip(wanted, 60), clip(strings.Join(sortedKeys(byName), ", "), 300))
	}
	best, worst := "", math.Inf(-1)
	for _, name := range sortedKeys(byName) {
		before := ofOperation(baseline, name)
		harm := float64(len(byName[name])) * (errorRatio(byName[name]) - errorRatio(before))
		if harm <= 0 {
			// Without failures the one whose tail grew most, far below any failure.
			harm = 1e-6 * p95(byName[name]) / healthyTail(byName[name], before)
		}
		if harm > worst {
			best, worst = name, harm
		}
	}
	if best == "" {
		return "", errors.New("no operation of the service was called in the incident")
	}
	return best, nil
}

// pickKind prefers errors: a request that fails is worse than one that is slow, and many failures are fast.
func pickKind(incident, baseline []entry) string {
	rec, base := errorRatio(incident), errorRatio(baseline)
	// Twice the healthy ratio and at least two failures in a hundred: below that a window of
	// some hundred requests cannot tell failures from chance.
	if rec >= 2*base && rec >= base+0.02 {
		return "errors"
	}
	return "latency"
}

func errorRatio(entries []entry) float64 {
	if len(entries) == 0 {
		return 0
	}
	n := 0
	for _, e := range entries {
		if e.failed {
			n++
		}
	}
	return float64(n) / float64(len(entries))
}

func p95(entries []entry) float64 { return tail(entries, 0.95) }

func tail(entries []entry, q float64) float64 {
	values := make([]time.Duration, len(entries))
	for i, e := range entries {
		values[i] = e.span.Duration
	}
	return quantile(values, q).Seconds()
}
