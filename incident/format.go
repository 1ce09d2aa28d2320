package incident

import "slices"

// The formats that [ParseAs] reads.
const (
	Alertmanager = "alertmanager"
	Grafana      = "grafana"
	PagerDuty    = "pagerduty"
	Datadog      = "datadog"
	Generic      = "generic" // any JSON, with a [Mapping]
)

var formats = []string{Alertmanager, Grafana, PagerDuty, Datadog, Generic}

// Formats returns the names of the formats.
func Formats() []string { return slices.Clone(formats) }
