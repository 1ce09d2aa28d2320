package simulate

// externalFaults come from outside.
func externalFaults() []fault {
	return []fault{
		{"party_slow", "external", 1.5, func(s *scene) bool { return s.party(true) }},
		{"party_down", "external", 1.5, func(s *scene) bool { return s.party(false) }},
		{"traffic_surge", "external", 1.5, trafficSurge},
		{"dns_failure", "external", 1, dnsFailure},
		{"poison_message", "data", 1, poisonMessage},
		{"poison_record", "data", 1, poisonRecord},
	}
}

func (s *scene) party(slow bool) bool {
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepOutside && (slow || !st.fallback) })
	if op == nil {
		return false
	}
	index := st.party.index
	factor, share := s.r.spread(8, 60), s.r.between(0.3, 1)
	status := pick(s.r, []int{500, 502, 503, 503, 429})
	s.at(0, func(x *run) {
		if slow {
			x.partys[index].slow = factor
			return
		}
		x.partys[index].errors, x.partys[index].status = share, status
	})
	s.external(op.svc.name)
	s.plan.truth.Also = []string{st.party.host}
	return true
}

// trafficSurge brings more requests than some service can take.
func trafficSurge(s *scene) bool {
	op := s.target(func(op *operation) bool { return op.svc.role == inner })
	if op == nil {
		return false
	}
	tight(op, s.r.between(0.45, 0.65))
	factor := s.r.between(2.2, 3)
	s.at(0, func(x *run) { x.surge = factor })
	s.external("")
	s.plan.truth.Also = []string{op.svc.name}
	return true
}

func dnsFailure(s *scene) bool {
	op, _ := s.step(func(_ *operation, st *step) bool { return st.kind == stepCall && !st.fallback })
	if op == nil {
		return false
	}
	svc := op.svc
	share := s.r.between(0.15, 0.7)
	s.at(0, func(x *run) {
		for _, p := range x.pods[svc.index] {
			p.noDNS = share
		}
	})
	s.external(svc.name)
	return true
}

// poisonMessage blocks a partition with a message that can never be handled.
func poisonMessage(s *scene) bool {
	var found []*queue
	for _, q := range s.sys.queues {
		if q.rate > 0.08*s.sys.rate {
			found = append(found, q)
		}
	}
	if len(found) == 0 {
		return false
	}
	q := pick(s.r, found)
	rc := recipeOf("exception_on_input")
	s.plan.truth.Lines = [2]int{q.consumer.line + 3, q.consumer.line + 12}
	fails := s.exception(q.consumer, rc, "")
	bad := map[*request]bool{}
	trap(q.consumer, func(f *frame) *failure {
		if bad[f.rq] {
			return fails()
		}
		return nil
	})
	n := s.r.int(1, 3)
	s.at(0, func(x *run) {
		state := x.queues[q.index]
		for i := range n {
			rq := &request{trace: x.traceID(), kept: true, tenant: x.sys.tenants[0], entity: i, zone: x.sys.zones[0]}
			bad[rq] = true
			x.enqueue(state, state.partitions[i%len(state.partitions)], &message{rq: rq, at: x.now, poison: true})
		}
	})
	s.unreadable(q.consumer)
	return true
}

// unreadable says that a handler cannot cope with some data: nobody changed its code, and it is there that it is mended.
func (s *scene) unreadable(op *operation) {
	t := &s.plan.truth
	t.Kind, t.Service, t.Commit, t.File, t.Files, t.Region = "code", op.svc.name, "none", op.file, []string{op.file}, op.fn
	t.Lines = [2]int{op.line + 3, op.line + 15}
}

// poisonRecord is a record that everybody of one tenant reads and no code can.
func poisonRecord(s *scene) bool {
	op := s.target(func(op *operation) bool { return op.svc.role == inner })
	if op == nil {
		return false
	}
	tenant := s.sys.tenants[s.r.IntN(max(1, len(s.sys.tenants)/3))]
	s.plan.truth.Lines = [2]int{op.line + 3, op.line + 12}
	fails := s.exception(op, recipeOf("exception_on_input"), "")
	onset := s.onset.UnixNano()
	trap(op, func(f *frame) *failure {
		if f.run.now >= onset && f.rq.tenant == tenant {
			return fails()
		}
		return nil
	})
	s.unreadable(op)
	return true
}
