package simulate

import "time"

// fill gives each operation its own work, its queries and what else it does.
func (b *builder) fill() {
	r, sys := b.r, b.sys
	var dbs, caches []*store
	for _, s := range sys.stores {
		if s.kind == redis {
			caches = append(caches, s)
		} else {
			dbs = append(dbs, s)
		}
	}
	taken, asked := 0, 0
	for _, svc := range sys.services {
		var db, cache *store
		if svc.role != gateway && r.chance(0.75) {
			if taken < len(dbs) && r.chance(0.8) {
				db = dbs[taken]
				taken++
			} else {
				db = pick(r, dbs)
			}
		}
		if svc.role == inner && r.chance(0.3) {
			cache = pick(r, caches)
		}
		svc.poolWait = float64(r.int(1, 10))
		for _, op := range svc.ops {
			steps := []*step{b.work(r.spread(0.0006, 0.006))}
			calls := op.steps
			if db != nil && r.chance(0.85) {
				q := b.query(op, db)
				if cache != nil && op.method == "GET" {
					steps = append(steps, &step{kind: stepLookup, store: cache, hit: r.between(0.7, 0.97), prob: 1, sub: []*step{q}, line: op.line + r.int(4, 12)})
				} else {
					steps = append(steps, q)
				}
				if op.method != "GET" && r.chance(0.7) {
					w := b.query(op, db)
					w.verb = pick(r, []string{"INSERT", "UPDATE"})
					steps = append(steps, w)
				}
			}
			if svc.role != gateway && len(sys.parties) > asked && r.chance(0.5) {
				p := sys.parties[asked]
				asked++
				st := &step{kind: stepOutside, party: p, prob: 1, line: op.line + r.int(6, 30), timeout: time.Duration(r.int(2, 10)) * time.Second}
				if r.chance(0.5) {
					st.retries, st.backoff = r.int(1, 3), time.Duration(r.int(10, 50))*10*time.Millisecond
				}
				st.fallback = r.chance(0.25)
				calls = append(calls, st)
			}
			if len(calls) >= 2 && r.chance(0.3) {
				calls = []*step{{kind: stepParallel, sub: calls, prob: 1}}
			}
			for i, c := range calls {
				c.line = op.line + 8 + 5*i
			}
			steps = append(steps, calls...)
			steps = append(steps, b.work(r.spread(0.0004, 0.003)))
			op.steps = steps
		}
	}
	for _, p := range sys.parties[asked:] {
		// Nobody asked for it so far: the last service of the row does.
		for i := len(sys.services) - 1; i >= 0; i-- {
			if svc := sys.services[i]; svc.role == inner {
				op := svc.ops[0]
				op.steps = append(op.steps, &step{kind: stepOutside, party: p, prob: 1, timeout: 4 * time.Second, line: op.line + 21})
				break
			}
		}
	}
}

func (b *builder) work(median float64) *step {
	return &step{kind: stepWork, median: median, sigma: b.r.between(0.3, 0.6), prob: 1}
}

func (b *builder) query(op *operation, s *store) *step {
	st := &step{kind: stepQuery, store: s, prob: 1, verb: "SELECT", table: plural(snake(op.thing)), where: "id", median: b.r.spread(0.0007, 0.006), sigma: b.r.between(0.3, 0.7)}
	st.line = op.line + b.r.int(3, 20)
	if b.r.chance(0.3) {
		st.where = pick(b.r, []string{"owner_id", "external_ref", "status", "region_id"})
	}
	return st
}
