package localize

import (
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// The kinds of nodes.
const (
	nodeService  = "service"
	nodeDatabase = "database"
	nodeQueue    = "queue"
	nodeExternal = "external"
)

// call is one edge of the graph while it is built: the calls of one window.
type call struct {
	durations []float64
	errors    float64
	requests  float64   // parents that made at least one call
	retries   float64   // calls beyond the first failed one of the same operation under a parent
	gap       []float64 // seconds between caller's and callee's view of one call
	async     bool
	firsts    float64 // first attempts, and how many of them failed
	firstFail float64
}

type edgeKey struct{ from, to string }

// traffic is the graph of one window.
type traffic struct {
	calls     map[edgeKey]*call
	kinds     map[string]string
	durations map[string][]float64 // of requests into a service
	errors    map[string]float64
}

// peerNode names the node that an outgoing span without a callee in the trace calls, and says
// what kind of node it is.
func peerNode(op *operation) (name, kind string) {
	name = op.peer
	switch {
	case op.database:
		kind = nodeDatabase
	case op.kind == telemetry.KindProducer || op.sample.Attrs.Get(telemetry.AttrMsgDestination) != "":
		kind = nodeQueue
	default:
		kind = nodeExternal
	}
	return name, kind
}

// hasRemoteChild says whether a child of span i runs in another service.
func hasRemoteChild(tr *telemetry.Trace, i int) bool {
	for _, c := range tr.Children(i) {
		if tr.Spans[c].Resource.Service != tr.Spans[i].Resource.Service {
			return true
		}
	}
	return false
}

// observe builds the graph of one window. services are all service names of both windows, so
// that a peer that is a service by name is the same node.
func observe(w *window, ops *operations, services map[string]bool) *traffic {
	g := &traffic{calls: map[edgeKey]*call{}, kinds: map[string]string{}, durations: map[string][]float64{}, errors: map[string]float64{}}
	get := func(from, to string) *call {
		k := edgeKey{from, to}
		c := g.calls[k]
		if c == nil {
			c = &call{}
			g.calls[k] = c
		}
		return c
	}
	type attempt struct {
		parent int
		op     int32
	}
	for t := range w.traces {
		tr, recs := &w.traces[t], w.recs[t]
		requests := map[edgeKey]map[int]bool{}
		attempts := map[attempt]bool{} // failed before
		for _, i := range tr.Order() {
			s := tr.Spans[i]
			g.kinds[s.Resource.Service] = nodeService
			p := tr.Parent(i)
			remote := p >= 0 && tr.Spans[p].Resource.Service != s.Resource.Service
			if remote || p < 0 {
				g.durations[s.Resource.Service] = append(g.durations[s.Resource.Service], s.Duration.Seconds())
				if recs[i].outcome == failed {
					g.errors[s.Resource.Service]++
				}
			}
			var c *call
			var key edgeKey
			view := i // the span that shows the caller's view of the call
			switch {
			case remote:
				key = edgeKey{tr.Spans[p].Resource.Service, s.Resource.Service}
				c = get(key.from, key.to)
				if tr.Spans[p].Kind.Outgoing() {
					view = p
					c.gap = append(c.gap, tr.Spans[p].Duration.Seconds()-s.Duration.Seconds())
				}
				c.async = c.async || s.Kind == telemetry.KindConsumer
			case s.Kind.Outgoing() && !hasRemoteChild(tr, i):
				name, kind := peerNode(&ops.list[recs[i].op])
				if name == "" || name == s.Resource.Service {
					continue
				}
				if services[name] {
					kind = nodeService
				}
				if g.kinds[name] == "" {
					g.kinds[name] = kind
				}
				key = edgeKey{s.Resource.Service, name}
				c = get(key.from, key.to)
				c.async = c.async || s.Kind == telemetry.KindProducer
			default:
				continue
			}
			c.durations = append(c.durations, tr.Spans[view].Duration.Seconds())
			bad := recs[view].outcome == failed || recs[i].outcome == failed
			if bad {
				c.errors++
			}
			caller := tr.Parent(view)
			if requests[key] == nil {
				requests[key] = map[int]bool{}
			}
			if !requests[key][caller] {
				requests[key][caller] = true
				c.requests++
			}
			at := attempt{caller, recs[view].op}
			if before, seen := attempts[at]; !seen {
				c.firsts++
				if bad {
					c.firstFail++
				}
			} else if before {
				c.retries++
			}
			attempts[at] = bad
		}
	}
	for _, c := range g.calls {
		slices.Sort(c.durations)
	}
	for _, d := range g.durations {
		slices.Sort(d)
	}
	return g
}

func (c *call) count() float64 {
	if c == nil {
		return 0
	}
	return float64(len(c.durations))
}

func (c *call) ratio(of float64) float64 {
	if c == nil || len(c.durations) == 0 {
		return 0
	}
	return of / float64(len(c.durations))
}

// merge writes the graphs of both windows as one.
func merge(a *analysis, blame map[string]float64) Graph {
	names, edges := map[string]string{}, map[edgeKey]bool{}
	for _, g := range []*traffic{a.graphBase, a.graph} {
		for n, k := range g.kinds {
			names[n] = k
		}
		for k := range g.calls {
			edges[k] = true
		}
	}
	for _, ds := range []*telemetry.Dataset{a.base.ds, a.cur.ds} {
		for _, s := range servicesOf(ds) {
			if names[s] == "" {
				names[s] = nodeService
			}
		}
	}
	var out Graph
	for n, k := range names {
		node := Node{Name: n, Kind: k, Blame: blame[n]}
		cur, base := a.graph.durations[n], a.graphBase.durations[n]
		if k == nodeService {
			node.Requests = Shift{float64(len(base)) / a.base.seconds(), float64(len(cur)) / a.cur.seconds()}
			node.Errors = Shift{a.graphBase.errors[n] / max(float64(len(base)), 1), a.graph.errors[n] / max(float64(len(cur)), 1)}
			node.P95 = Shift{quantile(base, 0.95), quantile(cur, 0.95)}
		} else {
			node.Requests, node.Errors, node.P95 = a.seenByCallers(n)
		}
		out.Nodes = append(out.Nodes, node)
	}
	slices.SortFunc(out.Nodes, func(x, y Node) int { return strings.Compare(x.Name, y.Name) })
	for k := range edges {
		b, c := a.graphBase.calls[k], a.graph.calls[k]
		e := Edge{From: k.from, To: k.to, Calls: Shift{b.count() / a.base.seconds(), c.count() / a.cur.seconds()}}
		for _, side := range []struct {
			c                                 *call
			errors, p50, p95, retries, fanOut *float64
		}{
			{b, &e.Errors.Baseline, &e.P50.Baseline, &e.P95.Baseline, &e.Retries.Baseline, &e.FanOut.Baseline},
			{c, &e.Errors.Incident, &e.P50.Incident, &e.P95.Incident, &e.Retries.Incident, &e.FanOut.Incident},
		} {
			if side.c == nil {
				continue
			}
			*side.errors, *side.retries = side.c.ratio(side.c.errors), side.c.ratio(side.c.retries)
			*side.p50, *side.p95 = quantile(side.c.durations, 0.5), quantile(side.c.durations, 0.95)
			*side.fanOut = side.c.count() / max(side.c.requests, 1)
			e.Async = e.Async || side.c.async
		}
		out.Edges = append(out.Edges, e)
	}
	slices.SortFunc(out.Edges, func(x, y Edge) int {
		if c := strings.Compare(x.From, y.From); c != 0 {
			return c
		}
		return strings.Compare(x.To, y.To)
	})
	return out
}

// seenByCallers sums up the calls into a node that sends no telemetry of its own.
func (a *analysis) seenByCallers(node string) (requests, errors, p95 Shift) {
	sum := func(g *traffic) (n, bad float64, durations []float64) {
		for k, c := range g.calls {
			if k.to == node {
				n += c.count()
				bad += c.errors
				durations = append(durations, c.durations...)
			}
		}
		return n, bad, sorted(durations)
	}
	nb, eb, db := sum(a.graphBase)
	nc, ec, dc := sum(a.graph)
	return Shift{nb / a.base.seconds(), nc / a.cur.seconds()}, Shift{eb / max(nb, 1), ec / max(nc, 1)},
		Shift{quantile(db, 0.95), quantile(dc, 0.95)}
}

// servicesOf lists the services that sent telemetry.
func servicesOf(ds *telemetry.Dataset) []string {
	seen := map[string]bool{}
	last := (*telemetry.Resource)(nil)
	see := func(r *telemetry.Resource) {
		if r != last {
			seen[r.Service] = true
			last = r
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
	out := make([]string, 0, len(seen))
	for s := range seen {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}
