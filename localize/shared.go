package localize

import (
	"fmt"
	"slices"
)

// sharedConstants judge what several ill services have in common.
type sharedConstants struct{ weight, alone, users float64 }

func (c *sharedConstants) list(t *table) {
	t.num(&c.weight, "shared.weight", 4.0, "nats for what all ill services use and all its users are ill of, where its own metrics moved too", "")
	t.num(&c.alone, "shared.alone", 0.4, "part of the weight where nothing is known of it itself", "")
	t.num(&c.users, "shared.users", 2, "ill services that must use it", "")
}

// findShared looks below the ill services for what they have in common and what sends no spans: a
// database, a broker, a node. It asks which part of all evidence the users of such a thing carry, and
// which part of its users is ill, as Adtributor asks of the elements of a dimension for explanatory
// power and succinctness (Bhagwan et al., NSDI 2014).
func (a *analysis) findShared() {
	ill, total := map[string]float64{}, 0.0
	for _, s := range sortedServices(a.board.cases) {
		worst := 0.0
		for _, r := range a.board.cases[s].reasons {
			if r.Signal == "errors" || r.Signal == "latency" || r.Signal == "latency_metric" {
				worst = max(worst, r.Weight)
			}
		}
		if worst > 0 {
			ill[s] = worst
			total += worst
		}
	}
	if total == 0 {
		return
	}
	users := a.usersOfSilent()
	for _, n := range sortedServices(users) {
		hit, carried := 0.0, 0.0
		for _, u := range users[n] {
			if ill[u] > 0 {
				hit++
				carried += ill[u]
			}
		}
		if hit < a.k.shared.users {
			continue
		}
		fit := carried / total * hit / float64(len(users[n]))
		own := 0.0
		for i := range a.shifts {
			if s := &a.shifts[i]; s.service == n && s.class != classDemand {
				own = max(own, s.strength)
			}
		}
		weight := a.k.shared.weight * fit * (a.k.shared.alone + (1-a.k.shared.alone)*own)
		text := fmt.Sprintf("%.0f of the %d services that use it are ill, and they carry %s of the evidence", hit, len(users[n]), percent(carried/total))
		if own > 0 {
			text += "; its own metrics moved too"
		}
		a.board.add(n, Reason{Signal: "shared", Text: text, Value: hit, Baseline: float64(len(users[n])), Weight: weight})
	}
}

// usersOfSilent lists the services that use each thing without spans of its own: those that call it, and
// those whose metrics name it (a pool by the name of its database).
func (a *analysis) usersOfSilent() map[string][]string {
	_, touched := a.tracedServices()
	out := map[string][]string{}
	add := func(thing, user string) {
		if thing != user && !touched[thing] && !slices.Contains(out[thing], user) && len(out[thing]) < 1000 {
			out[thing] = append(out[thing], user)
		}
	}
	for _, g := range []*traffic{a.graph, a.graphBase} {
		for k := range g.calls {
			if kind := g.kinds[k.to]; kind == nodeDatabase || kind == nodeCache || kind == nodeService {
				add(k.to, k.from)
			}
		}
	}
	for i := range a.cur.ds.Metrics {
		s := &a.cur.ds.Metrics[i]
		for _, x := range s.Attrs {
			if x.Value != s.Resource.Service && a.isService(x.Value) {
				add(x.Value, s.Resource.Service)
			}
		}
	}
	for _, u := range out {
		slices.Sort(u)
	}
	return out
}
