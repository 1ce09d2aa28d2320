package simulate

import "time"

// call asks another service. A caller that gives up leaves the callee at work; it may try again.
func (x *run) call(f *frame, st *step, attempt int, done func(outcome)) {
	if f.dead {
		return
	}
	br := f.pod.breakerOf(st)
	if st.breaker && br.until > x.now {
		x.settled(f, st, outcome{status: 503, f: &failure{kind: failBreaker, peer: st.op.svc.name}}, done)
		return
	}
	c := x.begin(f, f.span, kindClient)
	c.step, c.op, c.attempt = st, st.op, attempt
	over := false
	settle := func(o outcome) {
		if over || f.dead {
			return
		}
		over = true
		x.close(c, o)
		br.note(o, x.now)
		if again(o, st, attempt) {
			x.complain(f, st, o, attempt)
			x.after(x.pause(st, attempt), func() { x.call(f, st, attempt+1, done) })
			return
		}
		x.settled(f, st, o, done)
	}
	x.deadline(st, f, st.op.svc.name, settle)
	if fl := f.pod.resolve(x, st.op.svc.name); fl != nil {
		x.after(0.02, func() { settle(outcome{status: 503, f: fl}) })
		return
	}
	target := x.pick(st.op.svc, f.rq)
	if target == nil {
		x.after(0.002, func() { settle(outcome{status: 503, f: &failure{kind: failRefused, peer: st.op.svc.name}}) })
		return
	}
	there, ok := x.network(f.pod, target)
	if !ok {
		return // lost for good: only the time-out ends it
	}
	x.after(there, func() {
		x.serve(target, st.op, f.rq, c, attempt, func(o outcome) {
			back, ok := x.network(target, f.pod)
			if !ok {
				return
			}
			x.after(back, func() { settle(x.seen(o, st.op.svc.name)) })
		})
	})
}

// seen is a callee's outcome as its caller sees it.
func (x *run) seen(o outcome, peer string) outcome {
	switch {
	case !o.failed() || o.f == nil || !o.answered:
		return o
	case o.f.kind == failAbsent:
		return outcome{status: o.status, f: &failure{kind: failAbsent, peer: peer, origin: o.f.origin}}
	}
	return outcome{status: o.status, f: &failure{kind: failStatus, peer: peer, status: o.status, cause: o.f}}
}

// deadline ends a call that lasts too long.
func (x *run) deadline(st *step, f *frame, peer string, settle func(outcome)) {
	wait := st.timeout
	if wait <= 0 {
		wait = 2 * time.Minute // what the operating system or a proxy allows
	}
	x.after(wait.Seconds(), func() { settle(outcome{status: 504, f: &failure{kind: failTimeout, peer: peer, after: wait}}) })
}

// again says whether a call is repeated.
func again(o outcome, st *step, attempt int) bool {
	return o.failed() && o.status >= 500 && attempt < st.retries
}

func (x *run) pause(st *step, attempt int) float64 {
	if st.backoff <= 0 {
		return 0.0005
	}
	return st.backoff.Seconds() * float64(int(1)<<min(attempt, 6)) * x.random.between(0.8, 1.2)
}

// settled is the end of a call, after all attempts: a fallback may hide that it failed.
func (x *run) settled(f *frame, st *step, o outcome, done func(outcome)) {
	if !o.failed() {
		done(outcome{})
		return
	}
	if o.f.kind == failAbsent {
		done(o)
		return
	}
	if st.fallback {
		x.log(f, logFallback, st, o.f)
		x.after(0.0003, func() { done(outcome{}) })
		return
	}
	x.complain(f, st, o, st.retries)
	status := 500
	switch {
	case o.f.kind == failTimeout && f.op.svc.habits.gateway504:
		status = 504
	case o.f.kind == failRefused, o.f.kind == failBreaker, o.f.kind == failOverload:
		status = 503
	case o.status == 429:
		status = 429
	case f.op.svc.role == gateway && o.status >= 500:
		status = 502
	}
	done(outcome{status: status, f: o.f})
}

// complain writes what a caller says of a call that failed.
func (x *run) complain(f *frame, st *step, o outcome, attempt int) {
	if f.op.svc.habits.chatter && o.f.kind != failAbsent {
		x.log(f, logCallFailed, st, o.f)
	}
}

func (p *pod) breakerOf(st *step) *breaker {
	b := p.breaker[st]
	if b == nil {
		b = &breaker{}
		p.breaker[st] = b
	}
	return b
}

// note opens the breaker after eight failures in a row, for five seconds.
func (b *breaker) note(o outcome, now int64) {
	if !o.failed() || o.status < 500 {
		b.failed = 0
		return
	}
	if b.failed++; b.failed >= 8 {
		b.failed, b.until = 4, now+int64(5*time.Second)
	}
}

// network is how long a message travels between two pods. A lost one is sent again after the usual time-out of TCP,
// twice as long each time; false when it never arrives.
func (x *run) network(from, to *pod) (float64, bool) {
	d := x.random.logNormal(0.00025, 0.5)
	if from.zone != to.zone {
		d += 0.0006
	}
	return x.disturb(d, from.netDelay+to.netDelay, from.netLoss+to.netLoss)
}

func (x *run) disturb(d, delay, loss float64) (float64, bool) {
	if delay > 0 {
		d += delay * x.random.between(0.8, 1.2)
	}
	if loss > 0 {
		wait := 0.2
		for n := 0; x.random.chance(loss); n++ {
			if n == 5 {
				return 0, false
			}
			d += wait
			wait *= 2
		}
	}
	return d, true
}

// resolve looks a name up.
func (p *pod) resolve(x *run, name string) *failure {
	if p.noDNS > 0 && x.random.chance(p.noDNS) {
		return &failure{kind: failDNS, peer: name}
	}
	return nil
}

// partyState is how a third party does.
type partyState struct {
	party  *party
	slow   float64
	errors float64
	hangs  float64
	status int // of its errors, 503 where it is not said
	tls    bool
}

// outside asks a third party.
func (x *run) outside(f *frame, st *step, attempt int, done func(outcome)) {
	if f.dead {
		return
	}
	state := x.partys[st.party.index]
	br := f.pod.breakerOf(st)
	if st.breaker && br.until > x.now {
		x.settled(f, st, outcome{status: 503, f: &failure{kind: failBreaker, peer: st.party.host}}, done)
		return
	}
	c := x.begin(f, f.span, kindClient)
	c.step, c.attempt = st, attempt
	over := false
	settle := func(o outcome) {
		if over || f.dead {
			return
		}
		over = true
		x.close(c, o)
		br.note(o, x.now)
		if again(o, st, attempt) || o.status == 429 && attempt < st.retries {
			x.complain(f, st, o, attempt)
			x.after(x.pause(st, attempt), func() { x.outside(f, st, attempt+1, done) })
			return
		}
		x.settled(f, st, o, done)
	}
	x.deadline(st, f, st.party.host, settle)
	if fl := f.pod.resolve(x, st.party.host); fl != nil {
		x.after(0.02, func() { settle(outcome{status: 503, f: fl}) })
		return
	}
	if state.tls {
		x.after(0.03, func() { settle(outcome{status: 503, f: &failure{kind: failTLS, peer: st.party.host}}) })
		return
	}
	if x.random.chance(state.hangs) {
		return
	}
	d, ok := x.disturb(x.random.logNormal(st.party.median, 0.45)*state.slow, f.pod.netDelay*2, f.pod.netLoss)
	if !ok {
		return
	}
	failed := x.random.chance(state.errors)
	x.after(d, func() {
		if failed {
			status := state.status
			if status == 0 {
				status = 503
			}
			settle(outcome{status: status, f: &failure{kind: failStatus, peer: st.party.host, status: status}})
			return
		}
		settle(outcome{status: 200})
	})
}
