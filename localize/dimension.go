package localize

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// dimensionConstants judge failures that one part of a service has and the others have not.
type dimensionConstants struct {
	weight, most float64
	sure         slope
}

func (c *dimensionConstants) list(t *table) {
	t.num(&c.weight, "dimension.weight", 2.0, "nats for a service one part of which has the bad requests", "")
	t.num(&c.most, "dimension.most", 0.7, "share of the requests that a part may have and still be a part", "")
	t.slope(&c.sure, "dimension.sure", 3, 6, "z score of the bad requests through the part against those past it", "")
}

// dimensions are the properties of a process that tell parts of a service apart.
var dimensions = []struct{ name, key string }{
	{"version", "service.version"}, {"zone", "cloud.availability_zone"}, {"node", "k8s.node.name"}, {"host", "host.name"},
}

// findDimensions asks of each service whether the requests that went through one of its versions, instances
// or zones went badly and those through the others did not. A dependency that fails, fails for all; so
// a difference between siblings speaks for the service itself: a partial roll-out, an ill pod, a
// node (Bhagwan et al., Adtributor, NSDI 2014).
func (a *analysis) findDimensions() {
	type part struct{ service, name, value string }
	type tally struct{ n, bad float64 }
	// A label is a part, or a service as a whole, with the trace that it was counted in last.
	type label struct {
		tally
		seen int
	}
	type process struct {
		whole *label
		parts []*label
	}
	counts, all := map[part]*label{}, map[string]*label{}
	var parts []part
	processes := map[*telemetry.Resource]*process{}
	describe := func(r *telemetry.Resource) *process {
		p := &process{whole: all[r.Service]}
		if p.whole == nil {
			p.whole = &label{seen: -1}
			all[r.Service] = p.whole
		}
		add := func(name, value string) {
			k := part{r.Service, name, value}
			if counts[k] == nil {
				counts[k] = &label{seen: -1}
				parts = append(parts, k)
			}
			p.parts = append(p.parts, counts[k])
		}
		if r.Instance != "" {
			add("instance", r.Instance)
		}
		for _, d := range dimensions {
			if v := r.Attrs.Get(d.key); v != "" && v != r.Instance {
				add(d.name, v)
			} else if d.name == "version" && r.Version != "" {
				add(d.name, r.Version)
			}
		}
		return p
	}
	for t := range a.cur.traces {
		tr := &a.cur.traces[t]
		if tr.Start() < a.onset {
			continue
		}
		bad := a.cur.outcomes[t].bad()
		count := func(l *label) {
			if l.seen == t {
				return
			}
			l.seen = t
			l.n++
			if bad {
				l.bad++
			}
		}
		last := (*telemetry.Resource)(nil)
		for _, s := range tr.Spans {
			r := s.Resource
			if r == last {
				continue
			}
			last = r
			p := processes[r]
			if p == nil {
				p = describe(r)
				processes[r] = p
			}
			count(p.whole)
			for _, l := range p.parts {
				count(l)
			}
		}
	}
	slices.SortFunc(parts, func(x, y part) int {
		if c := strings.Compare(x.service, y.service); c != 0 {
			return c
		}
		if c := strings.Compare(x.name, y.name); c != 0 {
			return c
		}
		return strings.Compare(x.value, y.value)
	})
	k := &a.k.dimension
	for _, p := range parts {
		c, whole := counts[p], all[p.service]
		rest := tally{whole.n - c.n, whole.bad - c.bad}
		if c.n > k.most*whole.n || rest.n < a.k.network.calls || c.bad < a.k.spectrum.traces || c.bad/c.n < 2*rest.bad/rest.n {
			continue
		}
		z := zProportions(c.bad, c.n, rest.bad, rest.n)
		a.board.add(p.service, Reason{Signal: "dimension",
			Text:  fmt.Sprintf("requests through its %s %s went badly in %s, those through the others in %s", p.name, shorten(p.value, 60), percent(c.bad/c.n), percent(rest.bad/rest.n)),
			Value: c.bad / c.n, Baseline: rest.bad / rest.n, Weight: k.weight * k.sure.of(z)})
	}
}
