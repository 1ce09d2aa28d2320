package simulate

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Truth is what is really wrong, in the form of the public corpora's truth.json with some fields more.
type Truth struct {
	Kind    string   `json:"kind"`              // code, resource, change, external, none
	Service string   `json:"service,omitempty"` // at fault, or the first to fail
	File    string   `json:"file,omitempty"`
	Files   []string `json:"files,omitempty"`
	Lines   [2]int   `json:"lines,omitzero"`
	Region  string   `json:"region,omitempty"`
	Commit  string   `json:"commit,omitempty"` // the full hash, or "none"
	Decoys  []string `json:"decoys,omitempty"`
	Metric  string   `json:"metric,omitempty"`
	Pod     string   `json:"pod,omitempty"`
	Flag    string   `json:"flag,omitempty"`
	// DeployService shipped the culprit where that is not the service that fails.
	DeployService string `json:"deploy_service,omitempty"`
	// Also are other names that a person would accept for the place: the third party that is down, the callee whose
	// answer changed.
	Also       []string  `json:"also,omitempty"`
	Fault      string    `json:"fault"` // one of Faults
	Class      string    `json:"class"` // code, resource, configuration, external, data, partial, absence, none
	Difficulty string    `json:"difficulty"`
	Effect     string    `json:"effect,omitempty"` // what users or operators could notice, in words
	InjectTime time.Time `json:"inject_time"`
	Seed       int64     `json:"seed"`
}

// omit leaves out what some incidents lack.
func (b *Bundle) omit(r random, s *scene) {
	drop := func(p float64, names ...string) {
		if r.chance(p) {
			b.Missing = append(b.Missing, names...)
		}
	}
	drop(0.08, "incident/metrics", "baseline/metrics")
	drop(0.06, "incident/logs", "baseline/logs")
	drop(0.04, "baseline/metrics")
	t := &b.Truth
	if t.Kind == "change" && t.Commit != "none" && r.chance(0.12) {
		// Nobody told what was changed; the fault is in the code all the same.
		b.Changes, b.Deploys, b.Flags = nil, nil, nil
		t.Kind, t.Commit, t.Decoys = "code", "", nil
		if t.Class == "configuration" {
			t.File, t.Files, t.Lines = "", nil, [2]int{}
		}
	}
	if s.plan.none {
		b.Missing = slices.DeleteFunc(b.Missing, func(string) bool { return true })
	}
	slices.Sort(b.Missing)
	b.Missing = slices.Compact(b.Missing)
	for _, m := range b.Missing {
		switch m {
		case "incident/metrics":
			b.Incident.Metrics = pmetric.NewMetrics()
		case "baseline/metrics":
			b.Baseline.Metrics = pmetric.NewMetrics()
		case "incident/logs":
			b.Incident.Logs = plog.NewLogs()
		case "baseline/logs":
			b.Baseline.Logs = plog.NewLogs()
		}
	}
}

// difficulty says how much a person could see: hard where the place at fault sends no spans or the signal that shows
// the fault is missing, easy where its own exception names it.
func (s *scene) difficulty(b *Bundle) string {
	t := &b.Truth
	svc := s.serviceNamed(t.Service)
	known := svc.name == t.Service
	for _, st := range s.sys.stores {
		known = known || st.exported && st.name == t.Service
	}
	unseen := svc.silent || !svc.habits.dbSpans && (t.Fault == "query_per_item" || t.Fault == "slow_query")
	missing := func(what string) bool { return slices.Contains(b.Missing, what) }
	switch {
	case t.Difficulty != "":
		return t.Difficulty
	case t.Kind == "none":
		return "medium"
	case !known, unseen, svc.quiet && t.Class != "resource", t.Class == "resource" && missing("incident/metrics"), t.Fault == "schema_change", t.Fault == "zone_network":
		return "hard"
	case t.Fault == "exception_on_input", t.Fault == "nil_after_refactor", t.Fault == "canary", t.Fault == "wrong_url", t.Fault == "credentials_rotated", t.Fault == "query_per_item", t.Fault == "poison_record":
		if len(b.Missing) == 0 {
			return "easy"
		}
	}
	return "medium"
}
