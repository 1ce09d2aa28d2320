package remedy

import (
	"fmt"
	"maps"
	"slices"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/replay"
)

// planIncident works out how to bring the incident about again at one service.
func (p *Pipeline) planIncident(in *Input, c *Case, service string) (replay.IncidentPlan, error) {
	o := replay.PlanOptions{Peers: p.Settings.Services[service].Peers, Dependencies: p.dependencies(service)}
	if service == c.Symptom.Service {
		// Further in, the same fault may show in another way: slow there, failing at the edge.
		o.Symptom, o.Operation = string(c.Symptom.Kind), c.Symptom.Operation
	}
	plan, err := replay.PlanIncident(in.Evidence.Incident, in.Evidence.Baseline, service, o)
	if err != nil {
		return plan, fmt.Errorf("the telemetry does not say enough to bring the incident about again at %s: %w", service, err)
	}
	return plan, nil
}

func (p *Pipeline) dependencies(service string) []string {
	return slices.Compact(slices.Sorted(maps.Values(p.Settings.Services[service].Peers)))
}

func (p *Pipeline) replayOptions(service string) replay.Options {
	return replay.Options{Dependencies: p.dependencies(service)}
}

// baseLimit is the limit above which the base build shows the symptom. For errors it is the plan's own. Latency
// depends on the machine: what was recorded beside a loaded system is faster alone, so the
// base shows the symptom when it takes clearly longer than when healthy, twice at most.
func baseLimit(t replay.Threshold) float64 {
	if t.Kind != string(localize.SymptomLatency) || t.Healthy <= 0 {
		return t.Value
	}
	return min(t.Value, 2*t.Healthy)
}

// patchedLimit is the limit below which a patched build counts as mended. Latency has to come down to health as
// the base's limit says, or, on a machine slower than the recorded one, below the plan's limit and to half of what
// the base build took in the same run.
func patchedLimit(plan replay.Threshold, limit float64, base replay.Verdict) float64 {
	if plan.Kind != string(localize.SymptomLatency) || base.Incident == nil {
		return limit
	}
	return max(limit, min(plan.Value, base.Incident.P95.Seconds()/2))
}
