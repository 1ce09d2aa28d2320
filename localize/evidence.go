package localize

import (
	"time"

	"github.com/remediator/remediator/telemetry"
)

// Evidence is all that localization looks at. Nothing in it is fetched here.
type Evidence struct {
	Incident telemetry.Dataset
	Baseline telemetry.Dataset // empty when there is no healthy window
	Changes  []Change
	Deploys  []Deploy
	Flags    []FlagChange
	// Missing names the inputs that were absent ("baseline/metrics", ...), so that
	// a result can say what it did not see.
	Missing []string
}

// Change is one commit made before the alert. Patch holds unified hunks without
// file headers and may be empty.
type Change struct {
	SHA     string        `json:"sha"`
	Time    time.Time     `json:"time"`
	Author  string        `json:"author"`
	Service string        `json:"service"`
	Message string        `json:"message"`
	Files   []ChangedFile `json:"files"`
}

// ChangedFile is one path a change touched.
type ChangedFile struct {
	Path  string `json:"path"`
	Patch string `json:"patch,omitempty"`
}

// Deploy is one roll-out of a service.
type Deploy struct {
	Time    time.Time `json:"time"`
	Service string    `json:"service"`
	SHA     string    `json:"sha"`
	Version string    `json:"version,omitempty"`
}

// FlagChange is one change of a feature flag.
type FlagChange struct {
	Time    time.Time `json:"time"`
	Flag    string    `json:"flag"`
	Service string    `json:"service"`
	Change  string    `json:"change"` // "on", "off", "50%", ...
	Actor   string    `json:"actor"`
}
