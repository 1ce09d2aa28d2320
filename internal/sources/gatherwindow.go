package sources

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// choose settles the windows, and asks the servers whether they have the healthy one.
func (g *gatherer) choose(ctx context.Context) {
	var choice Choice
	var probed []Window
	for {
		choice = ChooseWindows(g.facts)
		if choice.NoBaseline() {
			break
		}
		if len(probed) == mostProbes {
			choice.Baseline, choice.Reason = Window{}, fmt.Sprintf("no healthy window: the servers have none of the %d that were looked at; %s", mostProbes, choice.Reason)
			break
		}
		probed = append(probed, choice.Baseline)
		lacking := g.probe(ctx, choice.Baseline)
		if len(lacking) == 0 {
			break
		}
		for _, server := range lacking {
			g.facts.Lacking = append(g.facts.Lacking, Lack{choice.Baseline, server})
		}
	}
	// One server that keeps less than others shall not cost the comparison by the others.
	for _, s := range g.probed() {
		if !choice.NoBaseline() {
			break
		}
		without := g.facts
		without.Lacking = slices.DeleteFunc(slices.Clone(g.facts.Lacking), func(l Lack) bool { return l.Server == s.Name() })
		if again := ChooseWindows(without); slices.Contains(probed, again.Baseline) && len(g.probed()) > 1 {
			again.Reason += "; " + s.Name() + " has nothing of it"
			choice = again
		}
	}
	g.sum.Incident, g.sum.Choice = choice.Incident, choice.Reason
	if !choice.NoBaseline() {
		g.sum.Baseline = &choice.Baseline
	}
	g.say("incident %s to %s; %s", stamp(choice.Incident.From), stamp(choice.Incident.To), choice.Reason)
}

func (g *gatherer) probed() []Source {
	var out []Source
	for _, s := range []Source{g.p.Metrics, g.p.Logs, g.p.Traces} {
		if _, ok := s.(Prober); ok {
			out = append(out, s)
		}
	}
	return out
}

// probe names the servers that have nothing of a window. One that does not answer is not held against the window: the
// fetch will say so.
func (g *gatherer) probe(ctx context.Context, w Window) []string {
	var mu sync.Mutex
	var lacking []string
	var each []func()
	for _, s := range g.probed() {
		each = append(each, func() {
			q := g.query("baseline", w, nil)
			if has, err := s.(Prober).Probe(ctx, q); err == nil && !has {
				mu.Lock()
				defer mu.Unlock()
				lacking = append(lacking, s.Name())
			}
		})
	}
	g.together(each)
	slices.Sort(lacking)
	return lacking
}
