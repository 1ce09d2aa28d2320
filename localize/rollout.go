package localize

import (
	"fmt"
	"slices"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// rollout is what is known of the revisions of a service that ran in both windows.
type rollout struct {
	// healthy and broken are the times of the newest known commit of each window.
	healthy, broken           time.Time
	healthyKnown, brokenKnown bool
	same                      bool // both windows ran one and the same revision
	told                      string
}

// findRollouts gathers which revisions of each service ran when healthy and in the incident: as the
// telemetry says (vcs.ref.head.revision), else as the deployments do. What failed between two windows
// is found among what was rolled out between them (Zeller, Yesterday, My Program Worked. Today, It
// Does Not. Why?, ESEC/FSE 1999).
func (a *analysis) findRollouts() map[string]*rollout {
	known := newRevisions(a.ev.Changes)
	out := map[string]*rollout{}
	// A healthy window after the incident ran what mended it: it bounds nothing.
	before := a.base.to > 0 && a.base.to <= a.cur.to && a.base.from < a.cur.from
	base, cur := revisionsOf(a.base.ds), revisionsOf(a.cur.ds)
	for _, service := range a.services {
		r := &rollout{told: "telemetry"}
		if before {
			r.healthy, r.healthyKnown = known.newest(base[service], false)
			r.same = len(base[service]) > 0 && slices.Equal(base[service], cur[service])
		}
		r.broken, r.brokenKnown = known.newest(cur[service], true)
		if r.brokenKnown && r.healthyKnown && r.broken.Before(r.healthy) {
			r.healthyKnown = false // rolled back: what was taken out is in neither
		}
		if r.healthyKnown || r.brokenKnown || r.same {
			out[service] = r
		}
	}
	if !before {
		return out
	}
	// Deployments say less: when they began, not when they were done. Only what ran before the whole
	// healthy window counts as having run in it.
	start := time.Unix(0, a.base.from)
	for i := range a.ev.Deploys {
		d := &a.ev.Deploys[i]
		if d.Time.After(start) || len(base[d.Service]) > 0 || d.Service == "" {
			continue
		}
		if at, ok := known.at(d.SHA); ok {
			r := out[d.Service]
			if r == nil {
				r = &rollout{told: "deployments"}
				out[d.Service] = r
			}
			if !r.healthyKnown || at.After(r.healthy) {
				r.healthy, r.healthyKnown = at, true
			}
		}
	}
	return out
}

// judgeRange asks whether the change is among what was rolled out between the windows. One that was
// not yet live cannot have done anything. One that ran through the healthy window did no harm there;
// only where what is seen takes time to show may it still be to blame.
func (a *analysis) judgeRange(j *judgedChange, rollouts map[string]*rollout, slow bool) {
	r := rollouts[j.service]
	if r == nil || j.service == "" {
		return
	}
	at := j.change.Time
	weight := a.k.change.late
	if slow {
		weight = a.k.change.ripening
	}
	switch {
	case r.brokenKnown && at.After(r.broken):
		j.add("change_range", fmt.Sprintf("the revision of %s that ran in the incident is older: it was not live yet", j.service), 0, -a.k.change.late)
	case r.healthyKnown && !at.After(r.healthy) && r.told == "deployments" && j.exact && j.live.UnixNano() > a.base.to:
		// A newer commit ran when healthy, but this one was rolled out by itself after that: what one was made of is not known.
	case r.healthyKnown && !at.After(r.healthy):
		j.add("change_range", fmt.Sprintf("%s ran with it when it was healthy, as its %s says", j.service, r.told), 0, -weight)
	case r.same && j.facts.class != pathConfig:
		j.add("change_range", fmt.Sprintf("%s ran the same revision when it was healthy: nothing of it was rolled out since", j.service), 0, -weight)
	case r.same:
		j.add("change_range", fmt.Sprintf("%s ran the same revision when it was healthy, though its configuration may come from elsewhere", j.service), 0, -a.k.change.unshipped)
	case r.brokenKnown && r.healthyKnown:
		j.add("change_range", fmt.Sprintf("it is among what was rolled out in %s between the healthy window and the incident", j.service), 1, a.k.change.ranged)
	}
}

// revisions finds commits by full or shortened hashes.
type revisions struct{ byPrefix map[string][]*Change }

const hashPrefix = 7

func newRevisions(changes []Change) *revisions {
	r := &revisions{byPrefix: map[string][]*Change{}}
	for i := range changes {
		if c := &changes[i]; len(c.SHA) >= hashPrefix && !c.Time.IsZero() {
			r.byPrefix[c.SHA[:hashPrefix]] = append(r.byPrefix[c.SHA[:hashPrefix]], c)
		}
	}
	return r
}

// at is when a revision was committed.
func (r *revisions) at(sha string) (time.Time, bool) {
	if len(sha) < hashPrefix {
		return time.Time{}, false
	}
	for _, c := range r.byPrefix[sha[:hashPrefix]] {
		if sameCommit(c.SHA, sha) {
			return c.Time, true
		}
	}
	return time.Time{}, false
}

// newest is when the newest of some revisions was committed. Where all must be known, one that is not
// may be newer than any.
func (r *revisions) newest(shas []string, all bool) (time.Time, bool) {
	var best time.Time
	found := false
	for _, s := range shas {
		at, ok := r.at(s)
		if !ok {
			if all {
				return time.Time{}, false
			}
			continue
		}
		if !found || at.After(best) {
			best, found = at, true
		}
	}
	return best, found
}

// revisionsOf lists the revisions of each service that sent telemetry in a window, sorted.
func revisionsOf(ds *telemetry.Dataset) map[string][]string {
	out := map[string][]string{}
	seen := map[*telemetry.Resource]bool{}
	last := (*telemetry.Resource)(nil)
	see := func(r *telemetry.Resource) {
		if r == last || seen[r] {
			return
		}
		last = r
		seen[r] = true
		if r.Commit != "" && !slices.Contains(out[r.Service], r.Commit) && len(out[r.Service]) < 100 {
			out[r.Service] = append(out[r.Service], r.Commit)
		}
	}
	for i := range ds.Spans {
		see(ds.Spans[i].Resource)
	}
	for i := range ds.Logs {
		see(ds.Logs[i].Resource)
	}
	for i := range ds.Metrics {
		see(ds.Metrics[i].Resource)
	}
	for _, r := range out {
		slices.Sort(r)
	}
	return out
}
