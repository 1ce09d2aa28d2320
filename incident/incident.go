package incident

import "time"

// Severity is the urgency of an incident, normalised from what the alert says.
type Severity string

// The severities, most urgent first. Unknown is what an alert without a usable
// severity label gets; nothing may treat it as critical.
const (
	Critical Severity = "critical"
	Major    Severity = "major"
	Minor    Severity = "minor"
	Unknown  Severity = "unknown"
)

// Status says whether the alert is still firing.
type Status string

// The two states an alert can be in.
const (
	Firing   Status = "firing"
	Resolved Status = "resolved"
)

// Incident is one SLO breach as an alert described it. All text in it came from
// outside and is hostile until shown otherwise.
type Incident struct {
	// Fingerprint is stable over repeats, re-notifications and reorderings of the
	// same alert: 32 lower-case hex digits, safe in branch names and file names.
	Fingerprint string   `json:"fingerprint"`
	Source      string   `json:"source"` // "alertmanager", ...
	Name        string   `json:"name"`   // the alert's name, such as SLOErrorBudgetBurn
	Severity    Severity `json:"severity"`
	Status      Status   `json:"status"`
	// Service and Operation are what the alert itself names; often empty.
	Service     string            `json:"service,omitempty"`
	Operation   string            `json:"operation,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	StartsAt    time.Time         `json:"starts_at"`
	EndsAt      time.Time         `json:"ends_at,omitzero"`
	// Alerts counts the alerts of the notification; Truncated those it left out.
	Alerts    int `json:"alerts"`
	Truncated int `json:"truncated,omitempty"`
	// Digest is the SHA-256 of the alert body as it arrived, in hex.
	Digest string `json:"digest"`
}
