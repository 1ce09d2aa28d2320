package localize

import (
	"fmt"
	"slices"
	"time"
)

// The most of each kind of context that is judged. Every change is held against every deployment and flag, and a
// history without end would make that last without end; what came last is the likeliest cause.
const (
	mostChanges = 5000
	mostDeploys = 5000
	mostFlags   = 1000
)

// limit leaves out what is too much, and notes it for Result.Gaps.
func (a *analysis) limit() {
	a.ev.Changes = latest(a, a.ev.Changes, mostChanges, "changes", func(c *Change) time.Time { return c.Time })
	a.ev.Deploys = latest(a, a.ev.Deploys, mostDeploys, "deployments", func(d *Deploy) time.Time { return d.Time })
	a.ev.Flags = latest(a, a.ev.Flags, mostFlags, "flag changes", func(f *FlagChange) time.Time { return f.Time })
}

// latest keeps the most recent, in the order they were in.
func latest[T any](a *analysis, all []T, most int, what string, at func(*T) time.Time) []T {
	if len(all) <= most {
		return all
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return at(&all[y]).Compare(at(&all[x])) })
	order = order[:most]
	slices.Sort(order)
	kept := make([]T, 0, most)
	for _, i := range order {
		kept = append(kept, all[i])
	}
	a.cut = append(a.cut, Gap{"context_cut", fmt.Sprintf("of %d %s only the latest %d were judged: give those of the days before the incident", len(all), what, most)})
	return kept
}

// sayCuts adds what the miner of templates could not keep apart.
func (a *analysis) sayCuts() []Gap {
	out := slices.Clone(a.cut)
	if n := a.events.miner.overflow; n > 0 {
		out = append(out, Gap{"log_templates_cut", fmt.Sprintf("the log has more than %d shapes of messages; %d records that fit none of the first were put together: "+
			"log constant messages with variable parts, not texts made for each record", maxTemplates, n)})
	}
	return out
}
