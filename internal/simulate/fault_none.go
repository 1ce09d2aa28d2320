package simulate

import (
	"time"

	"github.com/remediator/remediator/localize"
)

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
