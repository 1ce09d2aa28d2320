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
