package localize

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// poolSeries is what the metrics of one pool say.
type poolSeries struct {
	service, pool        string
	limit                float64
	limitBase            float64
	used, usedBase       []float64
	pending, pendingBase []float64
	wait, waitBase       []float64 // seconds per acquisition
	use                  []float64 // seconds a connection is held
	demand               []float64 // acquisitions per second
}

// poolRole is what a metric says of a pool.
type poolRole uint8

const (
	poolNone poolRole = iota
	poolLimit
	poolUsed
	poolPending
	poolWait
	poolUse
)

// roleOf recognises pool metrics by the words of their names: the semantic conventions
// (db.client.connection.*, older db.client.connections.*), HikariCP, database/sql's statistics
// (sql_max_open_connections, in_use, wait_duration) and names like them.
func roleOf(s *telemetry.Series) poolRole {
	words := nameWords(s.Name)
	has := func(any ...string) bool {
		for _, w := range any {
			if slices.Contains(words, w) {
				return true
			}
		}
		return false
	}
	if !has("connection", "connections", "conns", "pool", "hikaricp") {
		return poolNone
	}
	if has("http", "tcp", "idle") && !has("pool") {
		return poolNone
	}
	switch {
	case has("pending"):
		return poolPending
	case has("wait", "acquire", "acquisition"):
		if has("count", "total") && !has("seconds", "ms", "duration", "time") {
			return poolNone
		}
		return poolWait
	case has("max", "limit"):
		return poolLimit
	case has("use") && has("time", "duration"), has("usage") && has("seconds", "ms"):
		if has("in") && !has("time", "duration") {
			return poolUsed
		}
		return poolUse
	case has("count") && s.Attrs.First("db.client.connection.state", "state") != "", has("usage"), has("active"), has("inuse"), has("in") && has("use"), has("used"), has("busy"), has("checkedout"):
		if st := s.Attrs.First("db.client.connection.state", "state"); st != "" && st != "used" {
			return poolNone
		}
		return poolUsed
	}
	return poolNone
}

// toSeconds converts a value by the unit of its series, or of its name.
func toSeconds(s *telemetry.Series, v float64) float64 {
	switch s.Unit {
	case "ms":
		return v / 1e3
	case "us":
		return v / 1e6
	case "ns":
		return v / 1e9
	case "s":
		return v
	}
	words := nameWords(s.Name)
	if slices.Contains(words, "ms") || slices.Contains(words, "milliseconds") {
		return v / 1e3
	}
	return v
}

// poolsOf gathers the pool metrics of both windows.
func (a *analysis) poolsOf() []*poolSeries {
	byKey := map[string]*poolSeries{}
	see := func(ds *telemetry.Dataset, current bool) {
		for i := range ds.Metrics {
			s := &ds.Metrics[i]
			role := roleOf(s)
			if role == poolNone {
				continue
			}
			name := s.Attrs.First("db.client.connection.pool.name", "pool.name", "pool", "db_name")
			key := s.Resource.Service + "\x00" + name
			p := byKey[key]
			if p == nil {
				p = &poolSeries{service: s.Resource.Service, pool: name}
				byKey[key] = p
			}
			p.add(s, role, current, a.onset)
		}
	}
	see(a.base.ds, false)
	see(a.cur.ds, true)
	keys := make([]string, 0, len(byKey))
	for k := range byKey {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := make([]*poolSeries, 0, len(keys))
	for _, k := range keys {
		out = append(out, byKey[k])
	}
	return out
}

func (p *poolSeries) add(s *telemetry.Series, role poolRole, current bool, onset int64) {
	for _, v := range values(s) {
		if current && v.t < onset {
			continue
		}
		switch role {
		case poolLimit:
			if current {
				p.limit = v.v
			} else {
				p.limitBase = v.v
			}
		case poolUsed:
			if current {
				p.used = append(p.used, v.v)
			} else {
				p.usedBase = append(p.usedBase, v.v)
			}
		case poolPending:
			if current {
				p.pending = append(p.pending, v.v)
			} else {
				p.pendingBase = append(p.pendingBase, v.v)
			}
		case poolWait:
			if current {
				p.wait = append(p.wait, toSeconds(s, v.v))
			} else {
				p.waitBase = append(p.waitBase, toSeconds(s, v.v))
			}
		case poolUse:
			if current {
				p.use = append(p.use, toSeconds(s, v.v))
			}
		}
	}
	if current && (role == poolWait || role == poolUse) && s.Kind == telemetry.Histogram {
		if q, ok := histogramQuantile(s, 0.95); ok {
			if role == poolWait {
				p.wait = append(p.wait, toSeconds(s, q))
			} else {
				p.use = append(p.use, toSeconds(s, q))
			}
		}
		p.demand = append(p.demand, histogramRate(s))
	}
}

// histogramQuantile estimates a quantile over the window from bucket counts, linear within a
// bucket as Prometheus does.
func histogramQuantile(s *telemetry.Series, q float64) (float64, bool) {
	var bounds []float64
	var sum []float64
	for i := range s.Points {
		p := &s.Points[i]
		if len(p.Buckets) == 0 {
			continue
		}
		if bounds == nil {
			bounds, sum = p.Bounds, make([]float64, len(p.Buckets))
		}
		if len(p.Buckets) != len(sum) {
			return 0, false
		}
		for j, n := range p.Buckets {
			if p.Cumulative {
				sum[j] = float64(n) // the last point holds all
			} else {
				sum[j] += float64(n)
			}
		}
	}
	total := 0.0
	for _, n := range sum {
		total += n
	}
	if total == 0 || len(bounds) == 0 {
		return 0, false
	}
	need, seen := q*total, 0.0
	for j, n := range sum {
		if seen+n < need || n == 0 {
			seen += n
			continue
		}
		if j >= len(bounds) {
			return bounds[len(bounds)-1], true
		}
		lower := 0.0
		if j > 0 {
			lower = bounds[j-1]
		}
		return lower + (bounds[j]-lower)*(need-seen)/n, true
	}
	return bounds[len(bounds)-1], true
}

// histogramRate is observations per second over the points.
func histogramRate(s *telemetry.Series) float64 {
	if len(s.Points) < 2 {
		return 0
	}
	first, last := &s.Points[0], &s.Points[len(s.Points)-1]
	length := float64(last.Time-first.Time) / 1e9
	if length <= 0 {
		return 0
	}
	if last.Cumulative {
		if last.Count < first.Count {
			return 0
		}
		return float64(last.Count-first.Count) / length
	}
	n := 0.0
	for i := range s.Points[1:] {
		n += float64(s.Points[i+1].Count)
	}
	return n / length
}

// findPools looks for work that queues for a connection: a pool at its limit whose waits or
// queue grew.
func (a *analysis) findPools() {
	var busiest map[string]poolUser
	for _, p := range a.poolsOf() {
		wait, waitBase := quantile(sorted(p.wait), 0.95), quantile(sorted(p.waitBase), 0.95)
		pending, pendingBase := quantile(sorted(p.pending), 0.95), quantile(sorted(p.pendingBase), 0.95)
		used := quantile(sorted(p.used), 0.95)
		k := &a.k.pool
		waits := wait > k.wait && wait > k.waitRatio*waitBase
		queues := pending >= k.pending && pending > k.pendingRatio*pendingBase
		full := p.limit > 0 && used >= k.full*p.limit
		if !waits && !queues && !(full && p.limitBase > 0 && p.limit < p.limitBase) {
			continue
		}
		v := map[string]float64{}
		set := func(k string, x float64) {
			if x > 0 {
				v[k] = x
			}
		}
		set("max", p.limit)
		set("baseline_max", p.limitBase)
		set("wait_p95_seconds", wait)
		set("use_p95_seconds", quantile(sorted(p.use), 0.95))
		set("demand_per_second", slicesMax(p.demand))
		set("pending", pending)
		set("used", used)
		d := map[string]string{}
		if p.pool != "" {
			d["pool"] = p.pool
		}
		if busiest == nil {
			busiest = a.poolOperations()
		}
		id, peer := int32(-1), ""
		if u, ok := busiest[p.service]; ok {
			id, peer = mostVoted(u.added), u.peer
		}
		if peer != "" {
			d["peer"] = peer
		}
		var parts []string
		switch {
		case p.limit > 0 && len(p.used) > 0:
			parts = append(parts, fmt.Sprintf("%.3g of %.3g connections in use", used, p.limit))
		case p.limit > 0:
			parts = append(parts, fmt.Sprintf("it has %.3g connections", p.limit))
		}
		if wait > 0 {
			parts = append(parts, fmt.Sprintf("waits of %s at the 95th percentile (%s when healthy)", seconds(wait), seconds(waitBase)))
		}
		if pending > 0 {
			parts = append(parts, fmt.Sprintf("%.3g requests queueing", pending))
		}
		if p.limitBase > 0 && p.limit != p.limitBase {
			parts = append(parts, fmt.Sprintf("its limit was %.3g when healthy", p.limitBase))
		}
		text := fmt.Sprintf("work in %s queues for a connection of its pool %s: %s", p.service, p.pool, strings.Join(parts, ", "))
		c := a.board.of(p.service)
		c.pattern = append(c.pattern, Pattern{Kind: PatternPoolWait, Text: text, Values: v, Detail: d})
		name := ""
		if id >= 0 {
			name = a.ops.list[id].name
		}
		a.board.addOp(p.service, name, peer, id, Reason{Signal: "resource_metric", Text: text, Value: wait, Baseline: waitBase, Weight: a.k.weight.resource})
	}
}

// poolUser is the operations of a service that have a database below them, with the time they hold up traces.
type poolUser struct {
	added map[int32]float64
	peer  string
}

// poolOperations finds, for each service, what waits while its pool is short. The operation to name is
// the one that holds up traces longest.
func (a *analysis) poolOperations() map[string]poolUser {
	out := map[string]poolUser{}
	for t := range a.cur.traces {
		tr, recs := &a.cur.traces[t], a.cur.recs[t]
		for i, s := range tr.Spans {
			for _, c := range tr.Children(i) {
				if op := &a.ops.list[recs[c].op]; op.database && op.service == s.Resource.Service {
					u := out[op.service]
					if u.added == nil {
						u.added = map[int32]float64{}
					}
					u.added[recs[i].op] += float64(recs[i].path)
					u.peer = op.peer
					out[op.service] = u
					break
				}
			}
		}
	}
	return out
}

func slicesMax(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return slices.Max(v)
}
