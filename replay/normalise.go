package replay

import (
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/telemetry"
)

// normalise turns exports into spans of one vocabulary. Clocks are left alone: everything in a
// replay runs on one machine.
func normalise(payloads []ptrace.Traces) []telemetry.Span {
	r := telemetry.NewReader(telemetry.Options{KeepClocks: true})
	for _, td := range payloads {
		r.AddTraces(td)
	}
	return r.Dataset().Spans
}
