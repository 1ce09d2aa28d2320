package localize

import (
	"fmt"
	"slices"
	"time"

	"github.com/remediator/remediator/incident"
)

// doubt is a reason not to take the telemetry for that of the alert.
type doubt struct {
	code, text string
	// help says what to do about it.
	help string
	// grave doubts make it abstain: what would be named is not what the alert is about.
	grave bool
}

const (
	// nearby is how far from the telemetry an alert may begin and still be told by it: rules look back
	// over minutes to hours before they fire.
	nearby = time.Hour
	// farAway is from where on the telemetry cannot be of the same incident.
	farAway = 24 * time.Hour
)

// doubts compares the alert with the telemetry that is to explain it.
func (a *analysis) doubts(inc incident.Incident) []doubt {
	var out []doubt
	if a.cur.empty() {
		return nil // said elsewhere
	}
	if inc.Service != "" && !a.knows(inc.Service) {
		out = append(out, doubt{code: "unknown_service",
			text: fmt.Sprintf("the alert names %q, of which the telemetry shows nothing", shorten(inc.Service, 80)),
			help: "look whether the service reports under another service.name, or not at all; what is named here are other services"})
	}
	if inc.Status == incident.Resolved {
		text := "the alert is resolved already"
		if !inc.EndsAt.IsZero() && !inc.StartsAt.IsZero() && inc.EndsAt.After(inc.StartsAt) {
			text += fmt.Sprintf(", after %s", round(inc.EndsAt.Sub(inc.StartsAt)))
		}
		out = append(out, doubt{code: "resolved", text: text + ": what is named may be mended", help: "look whether the symptom is still there before anything is changed"})
	}
	if inc.StartsAt.IsZero() || a.cur.to == 0 {
		return out
	}
	from, to := time.Unix(0, a.cur.from), time.Unix(0, a.cur.to)
	away, side := from.Sub(inc.StartsAt), "after"
	if d := inc.StartsAt.Sub(to); d > away {
		away, side = d, "before"
	}
	if away > nearby {
		what := fmt.Sprintf("the telemetry ends %s before the alert began", round(away))
		if side == "after" {
			what = fmt.Sprintf("the telemetry begins %s after the alert began", round(away))
		}
		out = append(out, doubt{code: "other_time", grave: away > farAway,
			text: what + ": it may show something else",
			help: fmt.Sprintf("give the telemetry around %s", inc.StartsAt.UTC().Format(time.RFC3339))})
	}
	return out
}

// knows says that a service sent telemetry or was called.
func (a *analysis) knows(service string) bool {
	if slices.Contains(a.services, service) {
		return true
	}
	for _, g := range []*traffic{a.graph, a.graphBase} {
		if _, ok := g.kinds[service]; ok {
			return true
		}
	}
	return false
}

func (a *analysis) doubtTexts() []string {
	var out []string
	for _, d := range a.doubted {
		out = append(out, d.text)
	}
	return out
}
