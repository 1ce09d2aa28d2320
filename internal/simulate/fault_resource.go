package simulate

// resourceFaults are shortages, as Chaos Mesh injects them (StressChaos, NetworkChaos, IOChaos) and as RCAEval's
// resource faults do.
func resourceFaults() []fault {
	return []fault{
		{"cpu_contention", "resource", 1.5, func(s *scene) bool { return s.starve(false) }},
		{"cpu_throttled", "resource", 1, func(s *scene) bool { return s.starve(true) }},
		{"memory_pressure", "resource", 1, memoryPressure},
		{"disk_latency", "resource", 1, diskLatency},
		{"network_delay", "resource", 1.5, func(s *scene) bool { return s.network(s.r.spread(0.05, 0.6), 0, false) }},
		{"network_loss", "resource", 1, func(s *scene) bool { return s.network(0, s.r.between(0.1, 0.4), false) }},
		{"connection_limit", "resource", 1, connectionLimit},
		{"pool_exhausted", "resource", 0.7, poolExhausted},
	}
}

// starve takes processor time from the pods of a service.
func (s *scene) starve(quota bool) bool {
	op := s.target(func(op *operation) bool { return op.svc.role == inner })
	if op == nil {
		return false
	}
	svc := op.svc
	left := s.r.spread(0.01, 0.08)
	s.at(0, func(x *run) {
		for _, p := range x.pods[svc.index] {
			p.share = left
			if quota {
				p.throttle = s.r.between(0.5, 0.95)
			} else {
				p.stolen = svc.cores * (1 - left)
				p.share = 1
				p.slowdown = 1 / (left * 4)
			}
		}
	})
	s.resource(svc.name, "cpu")
	return true
}

func memoryPressure(s *scene) bool {
	op := s.target(func(op *operation) bool { return op.svc.role == inner && op.svc.lang != python })
	if op == nil {
		return false
	}
	svc := op.svc
	full := s.r.between(0.95, 0.985)
	s.at(0, func(x *run) {
		for _, p := range x.pods[svc.index] {
			p.pressure = svc.memory*full - p.heap
		}
	})
	s.resource(svc.name, "memory")
	return true
}

func diskLatency(s *scene) bool {
	_, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepQuery && st.store.kind != redis })
	if st == nil {
		return false
	}
	factor := s.r.spread(15, 120)
	store := st.store
	store.exported = store.exported || s.r.chance(0.85)
	s.at(0, func(x *run) { x.stores[store.index].slow = factor })
	s.atStore(store, "disk")
	return true
}

// atStore blames a database; whoever can only name services names one that uses it.
func (s *scene) atStore(store *store, metric string) {
	s.resource(store.name, metric)
	t := &s.plan.truth
	if !store.exported {
		t.Difficulty = "hard"
		var users []string
		for _, svc := range s.sys.services {
			if _, ok := svc.pools[store]; ok {
				users = append(users, svc.name)
			}
		}
		if len(users) == 1 {
			t.Service, t.Also = users[0], []string{store.name}
		}
	}
}

func (s *scene) network(delay, loss float64, one bool) bool {
	op := s.target(func(op *operation) bool { return op.svc.role == inner && (!one || op.svc.replicas > 1) })
	if op == nil {
		return false
	}
	svc := op.svc
	s.at(0, func(x *run) {
		for i, p := range x.pods[svc.index] {
			if !one || i == 0 {
				p.netDelay, p.netLoss = delay, loss
				if one {
					s.plan.truth.Pod = p.id
				}
			}
		}
	})
	s.resource(svc.name, "network")
	return true
}

// connectionLimit lets something outside take nearly all connections of a database.
func connectionLimit(s *scene) bool {
	_, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepQuery && st.store.kind != redis })
	if st == nil {
		return false
	}
	store := st.store
	store.exported = store.exported || s.r.chance(0.85)
	left := s.r.int(0, 1)
	s.at(0, func(x *run) { x.stores[store.index].taken = store.conns - left })
	s.atStore(store, "connections")
	return true
}

// poolExhausted has a job inside the service sit on the connections of its pool.
func poolExhausted(s *scene) bool {
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepQuery && st.store.kind != redis })
	if op == nil {
		return false
	}
	svc, store := op.svc, st.store
	s.at(0, func(x *run) {
		for _, p := range x.pods[svc.index] {
			pool := p.pool(store)
			pool.used += pool.max - s.r.int(0, 1)
		}
	})
	s.resource(svc.name, "pool")
	return true
}
