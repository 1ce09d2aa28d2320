package simulate

import (
	"fmt"
	"time"
)

// podEvent is something that Kubernetes did to a pod.
type podEvent struct {
	at     int64
	pod    *pod
	reason string
	text   string
}

// housekeeping is what goes on in every process: heaps that breathe, collections, and the end of those that grew too
// large.
func (x *run) housekeeping() {
	var tick func()
	tick = func() {
		for _, pods := range x.pods {
			for _, p := range pods {
				x.breathe(p)
			}
		}
		x.after(1, tick)
	}
	x.after(1, tick)
}

func (x *run) breathe(p *pod) {
	if !p.up {
		return
	}
	full := (p.heap + p.pressure) / p.svc.memory
	if p.leak == 0 && p.pressure == 0 {
		p.heap += (p.svc.heap*(1+0.15*float64(p.workers.used)/float64(1+p.workers.max)) - p.heap) * 0.1
		p.heap += p.svc.heap * 0.02 * x.random.NormFloat64()
	}
	if full > 0.9 && p.svc.lang != python {
		if x.random.chance((full - 0.88) * 4) {
			pause := x.random.between(0.1, 1.2) * (full - 0.85) / 0.1
			p.paused = x.now + int64(pause*float64(time.Second))
			p.stat.gc += pause
		}
	}
	p.stat.gc += 0.002 * x.random.Float64()
	if full >= 1 {
		x.crash(p, "OOMKilled", x.random.between(8, 25))
	}
}

// crash ends a process: what it was doing is lost, and who waited for it sees a broken connection. It comes back after so
// many seconds.
func (x *run) crash(p *pod, reason string, seconds float64) {
	if !p.up {
		return
	}
	x.stop(p)
	p.crashes++
	p.stat.restarts++
	x.notes = append(x.notes, podEvent{x.now, p, reason, fmt.Sprintf("container %s of pod %s terminated: %s", p.svc.name, p.id, reason)})
	if seconds > 0 {
		x.after(seconds, func() { x.start(p) })
	}
}

// stop ends a process at once.
func (x *run) stop(p *pod) {
	p.up = false
	frames := p.frames
	p.frames = nil
	p.active = 0
	for _, f := range frames {
		f.dead = true
	}
	for _, f := range frames {
		if f.done != nil {
			f.done(outcome{status: 503, f: &failure{kind: failReset, peer: p.svc.name}})
		}
	}
}

// start begins a process anew.
func (x *run) start(p *pod) {
	p.up, p.born = true, x.now
	p.heap = p.svc.heap * x.random.between(0.6, 0.8)
	p.workers = &limiter{max: p.svc.workers}
	p.pools, p.locks, p.breaker = map[*store]*limiter{}, map[string]*limiter{}, map[*step]*breaker{}
	x.logStart(p)
}

// rollOut replaces the pods of a service one after the other by those of a version.
func (x *run) rollOut(svc *service, version, sha string, change func(p *pod), only int) {
	names := newRandom(int64(len(sha)), sha+version) // the names of the new pods, the same in every run
	pods := x.pods[svc.index]
	var next func(i int)
	next = func(i int) {
		if i >= len(pods) || i >= only {
			return
		}
		x.after(names.between(4, 15), func() {
			old := pods[i]
			fresh := x.newPod(svc, names, old.zone)
			fresh.version, fresh.sha, fresh.born = version, sha, x.now
			fresh.inherit(old)
			change(fresh)
			pods[i] = fresh
			x.notes = append(x.notes, podEvent{x.now, fresh, "Started", "Started container " + svc.name})
			x.logStart(fresh)
			old.stat.gone = true
			x.rec.retired = append(x.rec.retired, old)
			// The old process ends what it began; nothing new reaches it, as it is not in the list any more.
			x.after(20, func() { x.stop(old) })
			next(i + 1)
		})
	}
	next(0)
}

// inherit takes over what a new version does not change: the culprit's code, and what was done to its place in the cluster.
func (p *pod) inherit(old *pod) {
	p.bad, p.leak = old.bad, old.leak
	p.share, p.slowdown, p.stolen, p.throttle = old.share, old.slowdown, old.stolen, old.throttle
	p.netDelay, p.netLoss, p.noDNS, p.pressure = old.netDelay, old.netLoss, old.noDNS, old.pressure
}
