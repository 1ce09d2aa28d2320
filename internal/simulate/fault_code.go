package simulate

import (
	"time"
)

// codeFaults are mistakes in code, each shipped by a commit. Their kinds follow the fault cases that Zhou et al. collected
// from industry (Fault Analysis and Debugging of Microservice Systems, TSE 2018), the code faults of Nezha (Yu et al.,
// ESEC/FSE 2023) and RCAEval's code-level faults.
func codeFaults() []fault {
	return []fault{
		{"exception_on_input", "code", 2, func(s *scene) bool { return s.throw("exception_on_input", 0.05, 0.5) }},
		{"nil_after_refactor", "code", 2, func(s *scene) bool { return s.throw("nil_after_refactor", 0.08, 1) }},
		{"query_per_item", "code", 1.5, queryPerItem},
		{"slow_query", "code", 1.5, slowQuery},
		{"timeout_removed", "code", 1, timeoutRemoved},
		{"retry_storm", "code", 1, retryStorm},
		{"lock_contention", "code", 1, lockContention},
		{"memory_leak", "code", 1, memoryLeak},
		{"wrong_status", "code", 1, wrongStatus},
		{"missing_ack", "code", 1, missingAck},
		{"bad_cache_key", "code", 1, badCacheKey},
		{"schema_change", "code", 1, schemaChange},
		{"busy_loop_on_input", "code", 1, busyLoop},
		{"connection_leak", "code", 1, connectionLeak},
		{"serial_calls", "code", 0.7, serialCalls},
	}
}

// throw lets a handler fail on a class of requests.
func (s *scene) throw(name string, least, most float64) bool {
	op := s.target(func(op *operation) bool { return op.svc.role != gateway || s.r.chance(0.15) })
	if op == nil {
		return false
	}
	rc := s.code(op, name, "")
	fails, hit := s.exception(op, rc, ""), s.share(least, most)
	trap(op, func(f *frame) *failure {
		if f.pod.bad && hit(f.rq) {
			return fails()
		}
		return nil
	})
	return true
}

func queryPerItem(s *scene) bool {
	op, st := s.step(func(op *operation, st *step) bool {
		return st.kind == stepQuery && st.store.kind != redis && st.verb == "SELECT"
	})
	if op == nil {
		return false
	}
	s.code(op, "query_per_item", "")
	least := s.r.int(6, 20)
	swap(st, func(f *frame, was *step) *step {
		if !f.pod.bad {
			return nil
		}
		many := *was
		many.times = func(f *frame) int { return least + f.rq.entity%(2*least) }
		if f.pod.svc.index%2 == 0 {
			many.table += "_items"
		}
		return &many
	})
	return true
}

func slowQuery(s *scene) bool {
	op, st := s.step(func(op *operation, st *step) bool {
		return st.kind == stepQuery && st.store.kind != redis && st.verb == "SELECT"
	})
	if op == nil {
		return false
	}
	s.code(op, "slow_query", "")
	factor := s.r.spread(40, 250)
	swap(st, func(f *frame, was *step) *step {
		if !f.pod.bad {
			return nil
		}
		slow := *was
		slow.median *= factor
		slow.where = "lower(external_ref)"
		return &slow
	})
	return true
}

// timeoutRemoved lets a handler wait for ever for a third party that sometimes does not answer.
func timeoutRemoved(s *scene) bool {
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepOutside })
	if op == nil {
		return false
	}
	hangs := s.r.between(0.02, 0.08)
	st.timeout, st.retries, st.backoff = time.Second, 2, 100*time.Millisecond
	party := st.party
	party.median = min(party.median, 0.15)
	s.plan.both = append(s.plan.both, func(x *run) { x.partys[party.index].hangs = hangs })
	s.code(op, "timeout_removed", party.name)
	swap(st, func(f *frame, was *step) *step {
		if !f.pod.bad {
			return nil
		}
		bare := *was
		bare.timeout, bare.retries = 0, 0
		return &bare
	})
	return true
}

// retryStorm multiplies the calls to a callee that has little to spare.
func retryStorm(s *scene) bool {
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepCall && !st.breaker })
	if op == nil {
		return false
	}
	callee := st.op
	tight(callee, s.r.between(0.55, 0.75))
	s.code(op, "retry_storm", callee.svc.name)
	patience := time.Duration(max(0.004, callee.latency*s.r.between(0.9, 1.4)) * float64(time.Second))
	more := s.r.int(6, 12)
	swap(st, func(f *frame, was *step) *step {
		if !f.pod.bad {
			return nil
		}
		storm := *was
		storm.retries, storm.backoff, storm.timeout = more, 0, patience
		return &storm
	})
	return true
}

// tight leaves a handler's service so much load on its processors.
func tight(op *operation, load float64) {
	svc := op.svc
	work := 0.0
	for _, o := range svc.ops {
		for _, st := range o.steps {
			if st.kind == stepWork {
				work += o.rate * st.median * 1.1
			}
		}
	}
	need := load * svc.cores * float64(svc.replicas)
	factor := need / max(work, 1e-6)
	for _, o := range svc.ops {
		for _, st := range o.steps {
			if st.kind == stepWork {
				st.median = min(st.median*factor, 0.15)
			}
		}
	}
	svc.workers = max(svc.workers/4, 8)
	svc.backlog = svc.workers * 4
}

func lockContention(s *scene) bool {
	op := s.target(func(op *operation) bool { return op.latency > 0.004 && op.rate > 1 })
	if op == nil {
		return false
	}
	s.code(op, "lock_contention", "")
	// The lock is held for as long as makes its owners queue.
	held := 0.9 / (op.rate / float64(op.svc.replicas)) * s.r.between(0.95, 1.5)
	burden(op, func(f *frame) *step {
		if !f.pod.bad {
			return nil
		}
		return &step{kind: stepLocked, table: "mu", prob: 1, sub: []*step{{kind: stepSleep, median: held, sigma: 0.3, prob: 1}}}
	})
	return true
}

// memoryLeak ends in one restart after the other; the version that leaks has run for a while when the first one comes.
func memoryLeak(s *scene) bool {
	op := s.target(func(op *operation) bool { return op.rate > 0.5 })
	if op == nil {
		return false
	}
	svc := op.svc
	when := time.Duration(s.r.between(20, 300) * float64(time.Minute))
	s.blame(op, recipeOf("memory_leak"), "", when)
	rate := 0.0
	for _, o := range svc.ops {
		rate += o.rate
	}
	life := s.r.between(60, 150) // seconds from the middle of the heap to its end
	leak := svc.memory * 0.35 / life / (rate / float64(svc.replicas))
	until := s.onset.Sub(s.from).Seconds()
	s.plan.timed = append(s.plan.timed, timed{s.from, func(x *run) {
		for i, p := range x.pods[svc.index] {
			p.bad, p.version, p.sha = true, s.plan.deploy.Version, s.plan.deploy.SHA
			p.leak = leak
			p.heap = svc.memory * max(0.3, 0.93-0.35*until/life-0.1*float64(i))
		}
	}})
	return true
}

func wrongStatus(s *scene) bool {
	op := s.target(func(op *operation) bool { return op.method == "GET" && op.svc.role == inner })
	if op == nil {
		return false
	}
	share := s.r.between(0.06, 0.25)
	op.absent = share
	rc := s.code(op, "wrong_status", "")
	fails := s.exception(op, rc, "")
	hit := s.share(share, share+0.01)
	trap(op, func(f *frame) *failure {
		if f.pod.bad && hit(f.rq) {
			return fails()
		}
		return nil
	})
	return true
}

// missingAck has each message handled again and again, until somebody counts.
func missingAck(s *scene) bool {
	var found []*queue
	for _, q := range s.sys.queues {
		if q.rate > 0.1*s.sys.rate {
			found = append(found, q)
		}
	}
	if len(found) == 0 {
		return false
	}
	q := pick(s.r, found)
	s.code(q.consumer, "missing_ack", q.name)
	again := s.r.int(2, 4)
	trapEnd(q.consumer, func(f *frame) *failure {
		if f.pod.bad && f.attempt == 0 {
			m := &message{rq: f.rq, from: f.span.parent}
			state := f.run.queues[q.index]
			part := state.partitions[f.rq.entity%len(state.partitions)]
			for i := range again {
				f.run.after(5+5*float64(i), func() {
					copied := *m
					copied.tries, copied.at = 1, f.run.now
					f.run.enqueue(state, part, &copied)
				})
			}
		}
		return nil
	})
	return true
}

func trapEnd(op *operation, fail func(f *frame) *failure) {
	op.steps = append(op.steps, &step{kind: stepWork, prob: 1, fail: fail})
}

// badCacheKey makes nearly every look-up a miss, and the database behind it feels it.
func badCacheKey(s *scene) bool {
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepLookup && len(st.sub) > 0 })
	if op == nil {
		return false
	}
	s.code(op, "bad_cache_key", "")
	q := st.sub[0]
	st.hit = s.r.between(0.93, 0.98)
	q.median = s.r.between(0.04, 0.15) // what is worth a cache is slow without one
	if q.store.capacity < 3 || float64(q.store.capacity) > op.rate*q.median*1.2 {
		q.store.capacity = max(2, int(op.rate*q.median*s.r.between(0.7, 1)))
	}
	swap(st, func(f *frame, was *step) *step {
		if !f.pod.bad {
			return nil
		}
		cold := *was
		cold.hit = 0.02
		return &cold
	})
	return true
}

// schemaChange breaks the reader of an answer that its writer changed. What fails first is the caller, what is to be
// taken back is in the callee.
func schemaChange(s *scene) bool {
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepCall && !st.fallback })
	if op == nil {
		return false
	}
	callee := st.op
	s.code(callee, "schema_change", op.svc.name)
	t := &s.plan.truth
	t.Service, t.DeployService, t.Also = op.svc.name, callee.svc.name, []string{callee.svc.name}
	line := st.line + 3
	field := pick(s.r, []string{"Amount", "Region", "ExpiresAt", "OwnerId", "Quantity"})
	if callee.svc.name == op.svc.name {
		return false
	}
	was := *st
	st.alt = func(f *frame) *step {
		// Which version answered is known only afterwards; the next pod in turn stands for it.
		bad := 0
		pods := f.run.pods[callee.svc.index]
		for _, p := range pods {
			if p.bad {
				bad++
			}
		}
		if bad == 0 || f.rq.entity%len(pods) >= bad {
			return nil
		}
		one := was
		one.alt = nil
		return &step{kind: stepSequence, prob: one.prob, sub: []*step{withProb(&one, 1), {kind: stepWork, prob: 1, fail: func(*frame) *failure {
			return &failure{kind: failSchema, peer: callee.svc.name, fn: field, line: line}
		}}}}
	}
	return true
}

func withProb(st *step, p float64) *step {
	st.prob = p
	return st
}

// busyLoop burns processor time on a class of requests, and everybody else on the pod waits with them.
func busyLoop(s *scene) bool {
	op := s.target(func(op *operation) bool { return op.svc.role == inner })
	if op == nil {
		return false
	}
	s.code(op, "busy_loop_on_input", "")
	hit := s.share(0.03, 0.12)
	burn := s.r.between(0.8, 3)
	burden(op, func(f *frame) *step {
		if !f.pod.bad || !hit(f.rq) {
			return nil
		}
		return &step{kind: stepWork, median: burn, sigma: 0.4, prob: 1}
	})
	return true
}

// connectionLeak keeps connections on one path, until the pool has none left.
func connectionLeak(s *scene) bool {
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepQuery && st.store.kind != redis })
	if op == nil {
		return false
	}
	s.code(op, "connection_leak", "")
	pods := float64(op.svc.replicas)
	share := min(1, float64(op.svc.pools[st.store])*pods/(op.rate*s.r.between(20, 70)))
	hit := s.share(share, min(1, share+0.01))
	swap(st, func(f *frame, was *step) *step {
		if !f.pod.bad || !hit(f.rq) {
			return nil
		}
		kept := *was
		kept.leaks = true
		return &kept
	})
	return true
}

// serialCalls makes a handler ask one after the other, and twice, what it asked at once.
func serialCalls(s *scene) bool {
	op, st := s.step(func(_ *operation, st *step) bool { return st.kind == stepParallel && len(st.sub) > 1 })
	if op == nil {
		return false
	}
	s.code(op, "serial_calls", "")
	n := s.r.int(2, 5)
	swap(st, func(f *frame, was *step) *step {
		if !f.pod.bad {
			return nil
		}
		var sub []*step
		for range n {
			sub = append(sub, was.sub...)
		}
		return &step{kind: stepSequence, prob: 1, sub: sub}
	})
	return true
}
