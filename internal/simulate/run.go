package simulate

import (
	"math"
	"time"
)

// run is one window of time in which a system lives.
type run struct {
	engine
	sys    *system
	random random // what happens
	ids    random
	from   int64
	to     int64
	faulty bool // the fault happens in it
	pods   [][]*pod
	stores []*storeState
	queues []*queueState
	partys []*partyState
	turn   []int // whose turn it is among the pods
	flags  map[string]bool
	surge  float64 // factor on the traffic
	mix    map[*operation]float64
	rec    recorder
	notes  []podEvent // what Kubernetes would tell
	tally  *tally
}

// request is one request of a user, wherever it went.
type request struct {
	trace  [16]byte
	kept   bool
	class  float64 // 0..1: what the request is about; a fault of an input class takes a range of it
	tenant string
	zone   string
	user   int
	entity int
}

// outcome is how something ended: a status as HTTP has it, and why if it failed.
type outcome struct {
	status   int
	f        *failure
	answered bool // by a handler, not by the lack of one
}

func (o outcome) failed() bool { return o.status >= 400 }

// pod is one process of a service.
type pod struct {
	svc     *service
	id      string
	zone    string
	node    string
	bad     bool // runs the faulty version
	version string
	sha     string
	up      bool
	born    int64
	crashes int

	workers *limiter
	pools   map[*store]*limiter
	locks   map[string]*limiter
	breaker map[*step]*breaker
	frames  []*frame

	active   int     // jobs on the processors
	share    float64 // of its processors that it really gets, 0..1
	slowdown float64 // of its processors
	paused   int64   // nothing moves until
	stolen   float64 // cores that something else inside it burns
	throttle float64 // share of periods in which it was throttled
	netDelay float64 // seconds each way
	netLoss  float64
	noDNS    float64 // share of look-ups that fail
	heap     float64
	leak     float64 // bytes per request
	pressure float64 // bytes that something else holds

	stat podStats
}

// breaker is a circuit breaker.
type breaker struct {
	failed int
	until  int64
}

// frame is a handler at work on a request.
type frame struct {
	run     *run
	pod     *pod
	op      *operation
	rq      *request
	span    *span
	dead    bool
	done    func(outcome)
	attempt int
}

func newRun(sys *system, seed int64, name string, from, to time.Time, plan *plan) *run {
	x := &run{
		engine: engine{now: from.UnixNano()}, sys: sys, random: newRandom(seed, name), ids: newRandom(seed, name+" ids"),
		from: from.UnixNano(), to: to.UnixNano(), faulty: name == "incident", turn: make([]int, len(sys.services)), flags: map[string]bool{}, surge: 1,
	}
	names := newRandom(seed, "pods")
	for _, svc := range sys.services {
		var pods []*pod
		for i := range svc.replicas {
			p := x.newPod(svc, names, sys.zones[(i+svc.index)%len(sys.zones)])
			p.version, p.sha = plan.running(svc, from)
			p.born = x.from - int64(names.between(1, 200)*float64(time.Hour))
			pods = append(pods, p)
		}
		x.pods = append(x.pods, pods)
	}
	for _, s := range sys.stores {
		x.stores = append(x.stores, &storeState{store: s, slots: &limiter{max: s.capacity}, slow: 1, hits: 1})
	}
	for _, q := range sys.queues {
		x.queues = append(x.queues, newQueueState(q))
	}
	for _, p := range sys.parties {
		x.partys = append(x.partys, &partyState{party: p, slow: 1, errors: p.errors, hangs: p.hangs})
	}
	if x.faulty {
		for _, t := range plan.timed {
			x.at(t.at.UnixNano(), func() { t.do(x) })
		}
	}
	for _, b := range plan.both {
		b(x)
	}
	return x
}

func (x *run) newPod(svc *service, r random, zone string) *pod {
	return &pod{
		svc: svc, zone: zone, node: "node-" + zone + r.hex(3), up: true, share: 1, slowdown: 1, version: svc.version, sha: svc.sha,
		id:      svc.name + "-" + r.hex(9) + "-" + r.hex(5),
		workers: &limiter{max: svc.workers}, pools: map[*store]*limiter{}, locks: map[string]*limiter{}, breaker: map[*step]*breaker{},
		heap: svc.heap * r.between(0.8, 1.2),
	}
}

// live runs the window from its beginning to its end.
func (x *run) live() {
	x.arrivals()
	x.housekeeping()
	x.samples()
	// A system that was running before has nothing to warm up; what is under way at the end is cut off.
	x.runUntil(x.to)
}

// arrivals are a Poisson process whose rate moves with the hour of the day and with what surges.
func (x *run) arrivals() {
	var weights []float64
	for _, op := range x.sys.routes {
		weights = append(weights, op.weight)
	}
	var next func()
	next = func() {
		if x.random.Float64()*4 < x.demand() {
			op := x.sys.routes[x.random.weighted(weights)]
			if f := x.mix[op]; f == 0 || x.random.chance(f) {
				x.arrive(op)
			}
		}
		x.after(x.random.ExpFloat64()/(x.sys.rate*4), next)
	}
	x.after(x.random.ExpFloat64()/(x.sys.rate*4), next)
}

// demand is the factor on the usual rate at this time, at most 4.
func (x *run) demand() float64 {
	day := 2 * math.Pi * float64(x.now%int64(24*time.Hour)) / float64(24*time.Hour)
	slow := 1 + x.sys.drift*math.Sin(day)
	wave := 1 + 0.08*math.Sin(2*math.Pi*float64(x.now%int64(7*time.Minute))/float64(7*time.Minute))
	return math.Min(4, slow*wave*x.surge)
}

func (x *run) arrive(op *operation) {
	r := x.random
	rq := &request{
		class: r.Float64(), tenant: x.sys.tenants[int(math.Pow(r.Float64(), 2)*float64(len(x.sys.tenants)))],
		zone: pick(r, x.sys.zones), user: r.IntN(40000), entity: 1000 + r.IntN(90000),
	}
	rq.trace = x.traceID()
	rq.kept = r.chance(x.sys.sampling)
	p := x.pick(op.svc, rq)
	if p == nil {
		return // the user sees the load balancer's error page; nothing of ours does
	}
	x.serve(p, op, rq, nil, 0, func(outcome) {})
}

func (x *run) traceID() (id [16]byte) {
	a, b := x.ids.Uint64()|1, x.ids.Uint64()
	for i := range 8 {
		id[i], id[8+i] = byte(a>>(8*i)), byte(b>>(8*i)) // the low byte of each shift
	}
	return id
}

// pick chooses a pod that is up, in turn; nil when there is none.
func (x *run) pick(svc *service, rq *request) *pod {
	pods := x.pods[svc.index]
	for range pods {
		x.turn[svc.index]++
		if p := pods[x.turn[svc.index]%len(pods)]; p.up {
			return p
		}
	}
	return nil
}

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
