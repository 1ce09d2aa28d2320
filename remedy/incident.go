package remedy

import (
	"fmt"
	"maps"
	"slices"

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
