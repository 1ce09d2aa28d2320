package simulate

import (
	"math"
)

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
