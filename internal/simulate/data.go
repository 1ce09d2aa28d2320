package simulate

import (
	"math"
	"time"
)

// storeState is how a database or cache does.
type storeState struct {
	store  *store
	slots  *limiter // statements at a time
	slow   float64  // factor on the time of each statement
	hits   float64  // factor on the hit ratio of a cache
	conns  int      // connections in use
	taken  int      // connections that something else holds
	delay  float64
	down   bool
	denied map[*service]bool // whose credentials it does not take
	stat   storeStats
}

// query runs a statement on a connection of the pod's pool.
func (x *run) query(f *frame, st *step, done func(outcome)) {
	if f.dead {
		return
	}
	state := x.stores[st.store.index]
	pool := f.pod.pool(st.store)
	waiting := x.now
	pool.acquire(&x.engine, f.op.svc.poolWait, math.MaxInt32, func() {
		if f.dead {
			pool.release()
			return
		}
		f.pod.stat.poolWait += float64(x.now-waiting) / float64(time.Second)
		x.statement(f, st, state, pool, done)
	}, func() {
		f.pod.stat.poolTimeouts++
		done(outcome{status: 500, f: &failure{kind: failPool, peer: st.store.name, origin: f.op, after: time.Duration(f.op.svc.poolWait * float64(time.Second))}})
	})
}

func (x *run) statement(f *frame, st *step, state *storeState, pool *limiter, done func(outcome)) {
	c := x.begin(f, f.span, kindClient)
	c.step = st
	state.conns++
	finish := func(o outcome) {
		state.conns--
		if !st.leaks {
			pool.release()
		}
		if !f.dead {
			x.close(c, o)
			if o.failed() {
				x.complain(f, st, o, 0)
			}
			done(o)
		}
	}
	var refused *failure
	switch {
	case state.down:
		refused = &failure{kind: failRefused, peer: st.store.name}
	case state.denied[f.op.svc]:
		refused = &failure{kind: failAuth, peer: st.store.name}
	case state.conns+state.taken > state.store.conns:
		refused = &failure{kind: failConnections, peer: st.store.name}
	default:
		refused = f.pod.resolve(x, st.store.name)
	}
	if refused != nil {
		refused.origin = f.op
		x.after(0.003, func() { finish(outcome{status: 500, f: refused}) })
		return
	}
	travel, ok := x.disturb(x.random.logNormal(0.0003, 0.4), (f.pod.netDelay+state.delay)*2, f.pod.netLoss)
	if !ok {
		travel = 15
	}
	x.after(travel, func() {
		state.slots.acquire(&x.engine, 0, math.MaxInt32, func() {
			d := x.random.logNormal(st.median, st.sigma) * state.slow
			state.stat.queries++
			state.stat.busy += d
			x.after(d, func() {
				state.slots.release()
				finish(outcome{})
			})
		}, nil)
	})
}

func (p *pod) pool(s *store) *limiter {
	l := p.pools[s]
	if l == nil {
		l = &limiter{max: max(2, p.svc.pools[s])}
		p.pools[s] = l
	}
	return l
}

// lookup asks a cache and does the rest on a miss. A cache that fails is a miss.
func (x *run) lookup(f *frame, st *step, done func(outcome)) {
	state := x.stores[st.store.index]
	c := x.begin(f, f.span, kindClient)
	c.step = st
	hit := x.random.chance(st.hit * state.hits)
	state.stat.queries++
	if hit {
		state.stat.hits++
	}
	end := func(o outcome) {
		if f.dead {
			return
		}
		x.close(c, o)
		if o.failed() {
			x.log(f, logFallback, st, o.f)
			hit = false
		}
		if hit {
			done(outcome{})
			return
		}
		x.steps(f, st.sub, done)
	}
	if state.down {
		x.after(0.002, func() { end(outcome{status: 500, f: &failure{kind: failRefused, peer: st.store.name}}) })
		return
	}
	d, ok := x.disturb(x.random.logNormal(0.0005, 0.4)*state.slow, (f.pod.netDelay+state.delay)*2, f.pod.netLoss)
	if !ok {
		d = 1
	}
	x.after(d, func() { end(outcome{}) })
}

// queueState is a queue and who works on it: each partition by one handler at a time, in order.
type queueState struct {
	queue      *queue
	partitions []*partition
	stopped    bool
	stat       queueStats
}

type partition struct {
	line []*message
	busy bool
}

type message struct {
	rq     *request
	from   *span
	at     int64
	tries  int
	poison bool
}

func newQueueState(q *queue) *queueState {
	s := &queueState{queue: q}
	for range q.partitions {
		s.partitions = append(s.partitions, &partition{})
	}
	return s
}

// publish sends a message; the sender does not wait for who handles it.
func (x *run) publish(f *frame, st *step, done func(outcome)) {
	c := x.begin(f, f.span, kindProducer)
	c.step = st
	q := x.queues[st.queue.index]
	d, ok := x.disturb(x.random.logNormal(0.0015, 0.5), f.pod.netDelay*2, f.pod.netLoss)
	if !ok {
		d = 5
	}
	x.after(d, func() {
		if f.dead {
			return
		}
		x.close(c, outcome{status: 200})
		part := q.partitions[f.rq.entity%len(q.partitions)]
		q.stat.published++
		x.enqueue(q, part, &message{rq: f.rq, from: c, at: x.now})
		done(outcome{})
	})
}

func (x *run) enqueue(q *queueState, part *partition, m *message) {
	part.line = append(part.line, m)
	x.after(x.random.between(0.001, 0.03), func() { x.deliver(q, part) })
}

// deliver hands the first message of a partition to a pod of the consumer. One that fails is handed over again, three
// times in all; then it is put aside.
func (x *run) deliver(q *queueState, part *partition) {
	if part.busy || len(part.line) == 0 || q.stopped {
		return
	}
	p := x.pick(q.queue.consumer.svc, part.line[0].rq)
	if p == nil {
		x.after(2, func() { x.deliver(q, part) })
		return
	}
	m := part.line[0]
	part.line = part.line[1:]
	part.busy = true
	m.tries++
	next := func() {
		part.busy = false
		x.deliver(q, part)
	}
	x.serve(p, q.queue.consumer, m.rq, m.from, m.tries-1, func(o outcome) {
		q.stat.handled++
		if !o.failed() || o.status == 404 {
			next()
			return
		}
		if m.poison || m.tries < 3 {
			x.after(x.random.between(0.3, 1), func() {
				part.line = append([]*message{m}, part.line...)
				next()
			})
			return
		}
		q.stat.dropped++
		next()
	})
}

// lag is how many messages wait.
func (q *queueState) lag() int {
	n := 0
	for _, p := range q.partitions {
		n += len(p.line)
	}
	return n
}
