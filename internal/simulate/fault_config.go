package simulate

import (
	"time"

	"github.com/remediator/remediator/localize"
)

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
