package simulate

import (
	"math"
	"time"
)

// serve lets a pod handle a request.
func (x *run) serve(p *pod, op *operation, rq *request, parent *span, attempt int, done func(outcome)) {
	if !p.up {
		x.after(0.001, func() { done(outcome{status: 503, f: &failure{kind: failRefused, peer: op.svc.name}}) })
		return
	}
	f := &frame{run: x, pod: p, op: op, rq: rq, attempt: attempt}
	ended := false
	f.done = func(o outcome) {
		if !ended {
			ended = true
			done(o)
		}
	}
	p.frames = append(p.frames, f)
	workers := p.workers
	workers.acquire(&x.engine, 0, p.svc.backlog, func() {
		if f.dead {
			workers.release()
			return
		}
		f.span = x.begin(f, parent, op.kind())
		f.span.op = op
		p.heap += p.leak
		x.steps(f, op.steps, func(o outcome) {
			if o.status == 0 {
				o.status = 200
				if op.absent > 0 && x.random.chance(op.absent) {
					o = outcome{status: 404, f: &failure{kind: failAbsent, origin: op}}
				}
			}
			o.answered = true
			x.end(f, o)
			p.forget(f)
			workers.release()
			f.done(o)
		})
	}, func() {
		p.forget(f)
		f.done(outcome{status: 503, f: &failure{kind: failOverload, peer: op.svc.name}})
	})
}

func (op *operation) kind() spanKind {
	if op.proto == overQueue {
		return kindConsumer
	}
	return kindServer
}

func (p *pod) forget(f *frame) {
	for i, g := range p.frames {
		if g == f {
			last := len(p.frames) - 1
			p.frames[i] = p.frames[last]
			p.frames[last] = nil
			p.frames = p.frames[:last]
			return
		}
	}
}

// steps does one step after the other and ends at the first that fails.
func (x *run) steps(f *frame, steps []*step, done func(outcome)) {
	if f.dead {
		return
	}
	if len(steps) == 0 {
		done(outcome{})
		return
	}
	rest := steps[1:]
	x.step(f, steps[0], func(o outcome) {
		if f.dead {
			return
		}
		if o.failed() {
			done(o)
			return
		}
		x.steps(f, rest, done)
	})
}

func (x *run) step(f *frame, st *step, done func(outcome)) {
	if st.alt != nil && x.faulty {
		if other := st.alt(f); other != nil {
			st = other
		}
	}
	if st.prob < 1 && !x.random.chance(st.prob) {
		done(outcome{})
		return
	}
	if st.fail != nil && x.faulty {
		if fl := st.fail(f); fl != nil {
			done(x.raise(f, fl))
			return
		}
	}
	if st.times != nil {
		one := *st
		one.times, one.alt, one.fail, one.prob = nil, nil, nil, 1
		many := make([]*step, st.times(f))
		for i := range many {
			many[i] = &one
		}
		x.steps(f, many, done)
		return
	}
	switch st.kind {
	case stepWork:
		if st.median <= 0 {
			done(outcome{})
			return
		}
		x.compute(f, x.random.logNormal(st.median, st.sigma), func() { done(outcome{}) })
	case stepSleep:
		x.after(x.random.logNormal(st.median, st.sigma), func() { done(outcome{}) })
	case stepCall:
		x.call(f, st, 0, done)
	case stepOutside:
		x.outside(f, st, 0, done)
	case stepQuery:
		x.query(f, st, done)
	case stepLookup:
		x.lookup(f, st, done)
	case stepPublish:
		x.publish(f, st, done)
	case stepSequence:
		x.steps(f, st.sub, done)
	case stepLocked:
		x.locked(f, st, done)
	case stepParallel:
		x.parallel(f, st.sub, done)
	}
}

// raise makes an outcome of a failure of the handler's own.
func (x *run) raise(f *frame, fl *failure) outcome {
	fl.origin = f.op
	status := fl.status
	if status == 0 {
		status = 500
	}
	return outcome{status: status, f: fl}
}

func (x *run) parallel(f *frame, steps []*step, done func(outcome)) {
	left, worst := len(steps), outcome{}
	for _, st := range steps {
		x.step(f, st, func(o outcome) {
			if o.failed() && !worst.failed() {
				worst = o
			}
			if left--; left == 0 && !f.dead {
				done(worst)
			}
		})
	}
}

// locked lets one request of the process through at a time.
func (x *run) locked(f *frame, st *step, done func(outcome)) {
	l := f.pod.locks[st.table]
	if l == nil {
		l = &limiter{max: 1}
		f.pod.locks[st.table] = l
	}
	l.acquire(&x.engine, 0, math.MaxInt32, func() {
		if f.dead {
			l.release()
			return
		}
		x.steps(f, st.sub, func(o outcome) {
			l.release()
			done(o)
		})
	}, nil)
}

// compute takes processor time: work is what it takes on a processor of one's own. Jobs share the processors; the
// share is taken as it is when the job begins.
func (x *run) compute(f *frame, work float64, done func()) {
	p := f.pod
	if p.paused > x.now {
		x.at(p.paused, func() { x.compute(f, work, done) })
		return
	}
	p.active++
	cores := math.Max(0.02, p.svc.cores*p.share-p.stolen*0.98)
	slow := math.Max(1, float64(p.active)/cores) * p.slowdown * p.warmth(x.now) * p.collecting()
	if cores < 1 {
		slow = math.Max(slow, p.slowdown/cores)
	}
	d := work * slow
	p.stat.cpu += work
	x.after(d, func() {
		p.active--
		if p.paused > x.now {
			x.at(p.paused, done)
			return
		}
		done()
	})
}

// warmth is how much slower a young process is: compilers, empty caches, fresh connections.
func (p *pod) warmth(now int64) float64 {
	age := float64(now-p.born) / float64(time.Second)
	if age > 60 {
		return 1
	}
	most := [...]float64{1.2, 4, 1.5, 2}[p.svc.lang]
	return 1 + (most-1)*math.Exp(-age/15)
}

// collecting is the price of a heap that is nearly full.
func (p *pod) collecting() float64 {
	full := (p.heap + p.pressure) / p.svc.memory
	if full < 0.85 || p.svc.lang == python {
		return 1
	}
	return 1 + math.Pow((full-0.85)/0.15, 2)*6
}
