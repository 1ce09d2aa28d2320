package simulate

import "time"

// system is a made-up distributed system: what it is made of, not what happens in it.
type system struct {
	org      string
	prefix   string // package prefix of Java code
	repo     layout
	services []*service
	stores   []*store
	queues   []*queue
	parties  []*party
	routes   []*operation // what users ask for
	rate     float64      // requests of users per second
	drift    float64      // how far the rate moves over a day, 0..1
	zones    []string
	tenants  []string
	sampling float64 // share of traces that are kept
	metrics  metricHabit
	interval time.Duration // between two samples of metrics
}

type layout uint8

const (
	layoutServices layout = iota // services/NAME/...
	layoutSrc                    // src/NAME/...
	layoutApps                   // apps/NAME/...
)

type language uint8

const (
	golang language = iota
	java
	python
	node
)

func (l language) String() string { return [...]string{"go", "java", "python", "nodejs"}[l] }

type role uint8

const (
	inner role = iota
	gateway
	consumer
)

type service struct {
	index    int
	name     string
	noun     string // Tariff
	role     role
	layer    int
	lang     language
	habits   habits
	ops      []*operation
	replicas int
	workers  int // requests that one pod works on at a time
	backlog  int // requests that wait for a worker
	cores    float64
	memory   float64 // limit of one pod, bytes
	heap     float64 // what a healthy pod holds, bytes
	pools    map[*store]int
	poolWait float64 // seconds to wait for a connection
	version  string
	sha      string
	dir      string
	silent   bool // sends no spans
	quiet    bool // sends no logs
	accesses bool // logs every request
}

type protocol uint8

const (
	overHTTP protocol = iota
	overGRPC
	overQueue
)

// operation is a handler.
type operation struct {
	svc    *service
	name   string // GetTariff
	verb   string
	thing  string // Tariff
	proto  protocol
	method string
	route  string
	steps  []*step
	file   string
	class  string
	fn     string
	line   int
	absent float64 // share of requests for what is not there
	weight float64 // of a route

	rate, latency float64 // estimates: requests per second, seconds
	spans         float64 // of one request, with all it leads to
}

type stepKind uint8

const (
	stepWork     stepKind = iota // own processor time
	stepCall                     // another service
	stepQuery                    // a database
	stepLookup                   // a cache, and what is done on a miss
	stepPublish                  // a message
	stepOutside                  // a third party
	stepParallel                 // several steps at once
	stepSequence                 // several steps one after the other
	stepSleep                    // waiting that takes no processor
	stepLocked                   // several steps under a lock of the process
)

// step is one thing a handler does.
type step struct {
	kind     stepKind
	median   float64 // seconds of work, or of the query
	sigma    float64
	prob     float64 // how often it is done at all
	times    func(f *frame) int
	op       *operation
	store    *store
	queue    *queue
	party    *party
	verb     string // SELECT
	table    string
	where    string
	timeout  time.Duration
	retries  int
	backoff  time.Duration
	fallback bool
	breaker  bool
	sub      []*step
	hit      float64
	line     int
	leaks    bool // the statement's connection is not given back
	// What a fault does here: alt may give another step instead, fail may end the request.
	alt  func(f *frame) *step
	fail func(f *frame) *failure
}

type storeKind uint8

const (
	postgres storeKind = iota
	mysql
	mongo
	redis
)

func (k storeKind) String() string {
	return [...]string{"postgresql", "mysql", "mongodb", "redis"}[k]
}

// store is a database or a cache.
type store struct {
	index    int
	name     string
	kind     storeKind
	db       string
	capacity int  // statements at a time
	conns    int  // connections at a time
	exported bool // metrics of it are collected under its own name
	load     float64
}

type queue struct {
	index      int
	name       string
	system     string // kafka, rabbitmq
	partitions int
	consumer   *operation
	rate       float64
}

// party is a server of somebody else.
type party struct {
	index  int
	name   string
	host   string
	path   string
	median float64
	errors float64
	hangs  float64 // share of requests that are never answered
}

// each calls do for every step of the system and the operation it belongs to.
func (sys *system) each(do func(op *operation, st *step)) {
	for _, svc := range sys.services {
		for _, op := range svc.ops {
			var walk func(steps []*step)
			walk = func(steps []*step) {
				for _, st := range steps {
					do(op, st)
					walk(st.sub)
				}
			}
			walk(op.steps)
		}
	}
}
