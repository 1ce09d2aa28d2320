package simulate

import (
	"math"
	"time"

	"github.com/remediator/remediator/localize"
)

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

// configFaults are wrong settings, of which Google's analyses of postmortems name a third of all triggers
// (Site Reliability Workbook, appendix C).
func configFaults() []fault {
	return []fault{
		{"wrong_url", "configuration", 1.5, wrongURL},
		{"timeout_lowered", "configuration", 1.5, timeoutLowered},
		{"flag_on", "configuration", 2, flagOn},
		{"limit_lowered", "configuration", 1.5, limitLowered},
		{"credentials_rotated", "configuration", 1, credentials},
		{"certificate_expired", "configuration", 1, certificate},
	}
}

func wrongURL(s *scene) bool {
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepCall && !st.fallback })
	if op == nil {
		return false
	}
	s.code(op, "wrong_url", st.op.svc.name)
	svc, callee := op.svc, st.op.svc
	noName := s.r.chance(0.5)
	s.sys.each(func(o *operation, c *step) {
		if o.svc == svc && c.kind == stepCall && c.op.svc == callee {
			trapStep(c, func(f *frame) *failure {
				if !f.pod.bad {
					return nil
				}
				if noName {
					return &failure{kind: failDNS, peer: callee.name + "-v2", status: 503}
				}
				return &failure{kind: failRefused, peer: callee.name, status: 503}
			})
		}
	})
	return true
}

// trapStep makes a call fail before anybody answers.
func trapStep(st *step, fail func(f *frame) *failure) {
	was := *st
	st.alt = func(f *frame) *step {
		fl := fail(f)
		if fl == nil {
			return nil
		}
		one := was
		one.alt = nil
		one.op = was.op
		return &step{kind: stepSequence, prob: one.prob, sub: []*step{{kind: stepWork, prob: 1, fail: func(f *frame) *failure {
			f.run.attempted(f, &one, fl)
			return fl
		}}}}
	}
}

// attempted records the client span of a call that could not be made.
func (x *run) attempted(f *frame, st *step, fl *failure) {
	c := x.begin(f, f.span, kindClient)
	c.step, c.op = st, st.op
	c.start -= int64(2 * time.Millisecond)
	x.close(c, outcome{status: 503, f: fl})
	x.complain(f, st, outcome{status: 503, f: fl}, 0)
}

func timeoutLowered(s *scene) bool {
	op, st := s.step(func(_ *operation, st *step) bool {
		return st.kind == stepCall && !st.fallback && st.op.latency > 0.003 || st.kind == stepOutside && !st.fallback
	})
	if op == nil {
		return false
	}
	latency := 0.0
	if st.op != nil {
		latency = st.op.latency
	} else {
		latency = st.party.median
	}
	s.code(op, "timeout_lowered", st.peer())
	short := time.Duration(latency * s.r.between(0.5, 1.3) * float64(time.Second))
	swap(st, func(f *frame, was *step) *step {
		if !f.pod.bad {
			return nil
		}
		hasty := *was
		hasty.timeout = short
		return &hasty
	})
	return true
}

// flagOn switches on a path that fails or that is slow. The code behind the flag is older than anybody looks back.
func flagOn(s *scene) bool {
	op := s.target(func(op *operation) bool { return true })
	if op == nil {
		return false
	}
	name := pick(s.r, []string{"enable-", "use-", "new-", ""}) + snake(op.thing) + pick(s.r, []string{"-v2", "-engine", "-fast-path", "-rules"})
	svc := op.svc
	at := s.onset.Add(-time.Duration(s.r.between(1, 20) * float64(time.Second)))
	share := pick(s.r, []float64{1, 1, 0.5, 0.25})
	s.plan.flags = append(s.plan.flags, localize.FlagChange{Time: at.Truncate(time.Second), Flag: name, Service: svc.name, Change: map[bool]string{true: "on", false: percent(share)}[share == 1], Actor: pick(s.r, people())})
	s.plan.timed = append(s.plan.timed, timed{at, func(x *run) { x.flags[name] = true }})
	on := func(f *frame) bool { return f.run.flags[name] && f.rq.class < share }
	if s.r.chance(0.5) {
		rc := recipeOf("nil_after_refactor")
		s.plan.truth.Lines = [2]int{op.line + 5, op.line + 20}
		fails := s.exception(op, rc, "")
		trap(op, func(f *frame) *failure {
			if on(f) {
				return fails()
			}
			return nil
		})
	} else {
		wait := s.r.spread(0.3, 2.5)
		burden(op, func(f *frame) *step {
			if !on(f) {
				return nil
			}
			return &step{kind: stepSleep, median: wait, sigma: 0.3, prob: 1}
		})
	}
	t := &s.plan.truth
	t.Kind, t.Service, t.Commit, t.Flag, t.File, t.Files = "change", svc.name, "none", name, op.file, []string{op.file}
	t.Region = op.fn
	return true
}

func percent(share float64) string {
	return map[float64]string{0.5: "50%", 0.25: "25%"}[share]
}

func limitLowered(s *scene) bool {
	if s.r.chance(0.5) {
		op, st := s.step(func(op *operation, st *step) bool {
			return st.kind == stepQuery && st.store.kind != redis && st.median*op.rate > 0.005
		})
		if op == nil {
			return false
		}
		s.code(op, "pool_lowered", st.store.name)
		store := st.store
		st.median = max(st.median, 1.3*float64(op.svc.replicas)/op.rate)
		store.capacity = max(store.capacity, int(store.load*4)+int(op.rate*st.median*4))
		op.svc.pools[store] = max(8, int(op.rate/float64(op.svc.replicas)*st.median*4))
		s.onBad(op.svc, func(_ *run, p *pod) { p.pools[store] = &limiter{max: 1} })
		return true
	}
	op := s.target(func(op *operation) bool { return op.svc.role == inner && op.latency > 0.005 })
	if op == nil {
		return false
	}
	s.code(op, "rate_limit_lowered", "")
	keep := s.r.between(0.3, 0.7)
	for _, o := range op.svc.ops {
		trap(o, func(f *frame) *failure {
			if f.pod.bad && f.run.random.chance(1-keep) {
				return &failure{kind: failLimit, status: 429, line: o.line + 2}
			}
			return nil
		})
	}
	return true
}

// onBad does something to each pod that comes up with the culprit's version.
func (s *scene) onBad(svc *service, do func(x *run, p *pod)) {
	done := map[*pod]bool{}
	var look func(x *run)
	look = func(x *run) {
		for _, p := range x.pods[svc.index] {
			if p.bad && !done[p] {
				done[p] = true
				do(x, p)
			}
		}
		x.after(0.5, func() { look(x) })
	}
	s.plan.timed = append(s.plan.timed, timed{s.from, look})
}

func credentials(s *scene) bool {
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepQuery && st.store.kind != redis })
	if op == nil {
		return false
	}
	s.code(op, "credentials_rotated", st.store.name)
	svc, store := op.svc, st.store
	s.sys.each(func(o *operation, c *step) {
		if o.svc == svc && c.kind == stepQuery && c.store == store {
			trapStep(c, func(f *frame) *failure {
				if f.pod.bad {
					return &failure{kind: failAuth, peer: store.name, origin: o}
				}
				return nil
			})
		}
	})
	return true
}

func certificate(s *scene) bool {
	if op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepOutside && !st.fallback }); op != nil && s.r.chance(0.5) {
		party := st.party
		s.at(0, func(x *run) { x.partys[party.index].tls = true })
		s.external(op.svc.name)
		s.plan.truth.Also = []string{party.host}
		return true
	}
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepCall && !st.fallback })
	if op == nil {
		return false
	}
	callee := st.op.svc
	expired := s.onset.UnixNano()
	var callers []string
	s.sys.each(func(o *operation, c *step) {
		if c.kind == stepCall && c.op.svc == callee {
			callers = append(callers, o.svc.name)
			trapStep(c, func(f *frame) *failure {
				if f.run.now >= expired {
					return &failure{kind: failTLS, peer: callee.name, status: 503}
				}
				return nil
			})
		}
	})
	s.external(callee.name)
	s.plan.truth.Also = callers
	return true
}

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

// partialFaults concern one pod, one version or one zone.
func partialFaults() []fault {
	return []fault{
		{"pod_network", "partial", 1, func(s *scene) bool { return s.network(s.r.spread(0.1, 0.8), 0, true) }},
		{"pod_cpu", "partial", 1, podCPU},
		{"canary", "partial", 1.5, canary},
		{"zone_network", "partial", 0.7, zoneNetwork},
	}
}

func podCPU(s *scene) bool {
	op := s.target(func(op *operation) bool { return op.svc.role == inner && op.svc.replicas > 1 })
	if op == nil {
		return false
	}
	svc := op.svc
	s.at(0, func(x *run) {
		p := x.pods[svc.index][0]
		s.plan.truth.Pod = p.id
		p.stolen, p.slowdown = svc.cores*0.95, s.r.spread(20, 120)
	})
	s.resource(svc.name, "cpu")
	return true
}

func canary(s *scene) bool {
	op := s.target(func(op *operation) bool { return op.svc.replicas > 1 })
	if op == nil {
		return false
	}
	rc := recipeOf("nil_after_refactor")
	when := s.lately()
	s.blame(op, rc, "", when)
	s.roll(op.svc, when, 1)
	fails, hit := s.exception(op, rc, ""), s.share(0.3, 1)
	trap(op, func(f *frame) *failure {
		if f.pod.bad && hit(f.rq) {
			return fails()
		}
		return nil
	})
	return true
}

func zoneNetwork(s *scene) bool {
	if len(s.sys.zones) < 2 {
		return false
	}
	zone := pick(s.r, s.sys.zones)
	delay, loss := s.r.spread(0.05, 0.4), s.r.between(0, 0.1)
	hit := 0
	for _, svc := range s.sys.services {
		for i := range svc.replicas {
			if s.sys.zones[(i+svc.index)%len(s.sys.zones)] == zone {
				hit++
			}
		}
	}
	if hit < 3 {
		return false
	}
	s.at(0, func(x *run) {
		for _, pods := range x.pods {
			for _, p := range pods {
				if p.zone == zone {
					p.netDelay, p.netLoss = delay, loss
				}
			}
		}
	})
	s.external("")
	return true
}

// absenceFaults show by what is missing.
func absenceFaults() []fault {
	return []fault{
		{"service_gone", "absence", 1, func(s *scene) bool { return s.gone(false) }},
		{"crash_loop", "absence", 1, func(s *scene) bool { return s.gone(true) }},
		{"consumer_stopped", "absence", 1, consumerStopped},
		{"requests_stop", "absence", 0.7, requestsStop},
	}
}

// gone takes all pods of a service away: somebody scaled it to nothing, or a new version does not even start.
func (s *scene) gone(byCommit bool) bool {
	op := s.target(func(op *operation) bool { return op.svc.role == inner })
	if op == nil {
		return false
	}
	svc := op.svc
	if byCommit {
		when := s.lately()
		s.blame(op, recipeOf("crash_loop"), "", when)
		s.roll(svc, when, 99)
		fails := &failure{kind: failException, origin: op, line: s.plan.truth.Lines[0] + 1, msg: "required setting " + snake(op.thing) + "_endpoint is not set",
			typ: [4]string{"panic", "java.lang.IllegalStateException", "KeyError", "Error"}[svc.lang]}
		s.onBad(svc, func(x *run, p *pod) {
			p.up = false
			var fall func()
			fall = func() {
				p.crashes++
				x.logStart(p)
				x.rec.logs = append(x.rec.logs, logLine{at: x.now, kind: logFailed, pod: p, op: op, f: fails})
				x.notes = append(x.notes, podEvent{x.now, p, "BackOff", "Back-off restarting failed container " + svc.name + " in pod " + p.id})
				x.after(math.Min(80, 8*math.Pow(2, float64(p.crashes))), fall)
			}
			fall()
		})
		return true
	}
	s.at(0, func(x *run) {
		for _, p := range x.pods[svc.index] {
			x.crash(p, "Killing: stopping container", 0)
		}
	})
	s.external(svc.name)
	return true
}

func consumerStopped(s *scene) bool {
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
	if s.r.chance(0.5) {
		when := s.lately()
		s.blame(q.consumer, recipeOf("consumer_stopped"), q.name, when)
		s.roll(q.consumer.svc, when, 99)
	} else {
		s.external(q.consumer.svc.name)
	}
	s.at(0, func(x *run) { x.queues[q.index].stopped = true })
	return true
}

func requestsStop(s *scene) bool {
	left := s.r.between(0, 0.08)
	s.at(0, func(x *run) { x.surge = math.Max(0.002, left) })
	s.external("")
	return true
}

// noFaults are alerts without an incident.
func noFaults() []fault {
	nothing := func(s *scene) { s.plan.none, s.plan.truth.Kind, s.plan.truth.Commit = true, "none", "none" }
	return []fault{
		{"healthy", "none", 1, func(s *scene) bool { nothing(s); return true }},
		{"deploy_without_effect", "none", 1, func(s *scene) bool {
			nothing(s)
			op := s.target(func(*operation) bool { return true })
			if op == nil {
				return false
			}
			sha := s.r.hex(40)
			s.at(-5, func(x *run) { x.rollOut(op.svc, bump(op.svc.version), sha, func(*pod) {}, 99) })
			s.plan.deploy = &localize.Deploy{Time: s.onset.Add(-5 * time.Second).Truncate(time.Second), Service: op.svc.name, SHA: sha, Version: bump(op.svc.version)}
			return true
		}},
		{"load_change", "none", 1, func(s *scene) bool {
			nothing(s)
			factor := pick(s.r, []float64{0.6, 0.75, 1.3, 1.45})
			s.at(0, func(x *run) { x.surge = factor })
			return true
		}},
		{"restart", "none", 1, func(s *scene) bool {
			nothing(s)
			op := s.target(func(op *operation) bool { return op.svc.replicas > 1 })
			if op == nil {
				return false
			}
			s.at(0, func(x *run) { x.crash(x.pods[op.svc.index][0], "Evicted", 12) })
			return true
		}},
		{"blip", "none", 1, func(s *scene) bool {
			nothing(s)
			op := s.target(func(*operation) bool { return true })
			if op == nil {
				return false
			}
			s.at(0, func(x *run) {
				for _, p := range x.pods[op.svc.index] {
					p.paused = x.now + int64(s.r.between(0.3, 1)*float64(time.Second))
				}
			})
			return true
		}},
	}
}

func faults() []fault {
	var all []fault
	for _, some := range [][]fault{codeFaults(), resourceFaults(), configFaults(), externalFaults(), partialFaults(), absenceFaults(), noFaults()} {
		all = append(all, some...)
	}
	return all
}
