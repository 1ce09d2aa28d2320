package simulate

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// newSystem draws a system: gateways at the edge, services below them in layers, each operation called by one or two of
// the layers above, databases that some share, caches, queues with consumers and third parties.
func newSystem(seed int64, o Options) *system {
	r := newRandom(seed, "system")
	b := &builder{r: r, nouns: newDeck(newRandom(seed, "nouns"), nouns()), sys: &system{}, most: o.Services, traffic: o.Traffic}
	if b.most <= 0 {
		b.most = 40
	}
	if b.traffic <= 0 {
		b.traffic = 1
	}
	sys := b.sys
	sys.org = pick(r, companies())
	sys.prefix = pick(r, []string{"com.", "io.", "net.", "org."}) + sys.org
	sys.repo = pick(r, []layout{layoutServices, layoutServices, layoutSrc, layoutApps})
	sys.zones = []string{"a", "b", "c"}[:r.int(1, 3)]
	for range r.int(5, 30) {
		sys.tenants = append(sys.tenants, fmt.Sprintf("%s-%02d", pick(r, companies()), r.int(1, 99)))
	}
	b.addServices()
	b.addStores()
	b.addParties()
	b.wire()
	b.addQueues()
	b.fill()
	b.size()
	return sys
}

type builder struct {
	r       random
	nouns   *deck
	sys     *system
	family  habits // what the services of one company have in common
	langs   []float64
	suffix  []string
	most    int
	traffic float64
}

// addServices draws the services, without what they do.
func (b *builder) addServices() {
	r, sys := b.r, b.sys
	n := min(b.most, int(r.spread(4, 41)))
	b.langs = make([]float64, 4)
	for i := range b.langs {
		b.langs[i] = r.spread(0.1, 4)
	}
	b.family = newHabits(r, golang, nil)
	b.suffix = []string{pick(r, suffixes()), pick(r, suffixes()), pick(r, suffixes()), ""}
	gates := 1
	if n > 12 && r.chance(0.4) {
		gates = 2
	}
	layers := 2 + int(math.Log2(float64(n)))/2 + r.int(0, 1)
	for i := range n {
		svc := &service{index: i, lang: language(r.weighted(b.langs)), pools: map[*store]int{}}
		noun := b.nouns.deal()
		svc.noun = title(noun)
		svc.name = noun + pick(r, b.suffix)
		if i < gates {
			svc.role = gateway
			svc.name = pick(r, []string{"edge", "public", "web", "mobile", "partner"}) + pick(r, []string{"-gateway", "-bff", "-ingress", "-portal"})
			if i == 1 {
				svc.name = noun + "-gateway"
			}
		} else {
			svc.layer = 1 + (i-gates)*layers/max(1, n-gates)
		}
		svc.habits = newHabits(r, svc.lang, &b.family)
		svc.replicas = r.int(1, 3)
		svc.version = fmt.Sprintf("%d.%d.%d", r.int(0, 5), r.int(0, 40), r.int(0, 20))
		svc.sha = r.hex(40)
		svc.dir = map[layout]string{layoutServices: "services/", layoutSrc: "src/", layoutApps: "apps/"}[sys.repo] + svc.name
		svc.memory = float64(int(256)<<r.int(0, 3)) * (1 << 20)
		svc.heap = svc.memory * r.between(0.25, 0.6)
		svc.accesses = r.chance(0.35)
		sys.services = append(sys.services, svc)
	}
}

// addStores draws databases and caches.
func (b *builder) addStores() {
	r, sys := b.r, b.sys
	n := max(1, len(sys.services)*2/5)
	exported := r.chance(0.7)
	kinds := []storeKind{postgres, mysql, mongo}
	main := pick(r, kinds)
	for i := range n {
		s := &store{index: i, kind: main, exported: exported}
		if r.chance(0.25) {
			s.kind = pick(r, kinds)
		}
		s.db = strings.ReplaceAll(b.nouns.deal(), "-", "_")
		s.name = s.db + pick(r, []string{"-db", "-postgres", "-store", "-data"})
		if s.kind != postgres {
			s.name = s.db + pick(r, []string{"-db", "-" + s.kind.String(), "-store"})
		}
		sys.stores = append(sys.stores, s)
	}
	for range max(1, n/3) {
		c := &store{index: len(sys.stores), kind: redis, exported: exported}
		c.db = "0"
		c.name = b.nouns.deal() + pick(r, []string{"-cache", "-redis"})
		sys.stores = append(sys.stores, c)
	}
}

func (b *builder) addParties() {
	r, sys := b.r, b.sys
	for i := range 1 + len(sys.services)/8 {
		w := b.nouns.deal()
		p := &party{index: i, name: w, median: r.spread(0.03, 0.25), errors: r.spread(0.0005, 0.01), hangs: r.spread(0.0005, 0.01)}
		p.host = pick(r, []string{"api.", "gw.", ""}) + strings.ReplaceAll(w, "-", "") + pick(r, []string{"hub.example.com", "cloud.example.net", ".example.org"})
		p.path = pick(r, []string{"/v1/", "/v2/", "/api/"}) + plural(w)
		sys.parties = append(sys.parties, p)
	}
}

// wire makes the operations: those of a service are each called by one or two operations above it.
func (b *builder) wire() {
	r, sys := b.r, b.sys
	for _, svc := range sys.services {
		if svc.role == gateway {
			continue
		}
		proto := overHTTP
		if r.chance(0.35) {
			proto = overGRPC
		}
		for range r.int(1, 4) {
			op := b.operation(svc, proto)
			b.hook(op)
			if r.chance(0.2) {
				b.hook(op)
			}
		}
	}
	for _, svc := range sys.services {
		if svc.role == gateway && len(svc.ops) == 0 {
			b.operation(svc, overHTTP)
		}
	}
	for _, svc := range sys.services {
		if svc.role == gateway {
			for _, op := range svc.ops {
				op.weight = r.spread(0.3, 3)
				sys.routes = append(sys.routes, op)
			}
		}
	}
}

// hook lets an operation be called by one of the layers above.
func (b *builder) hook(op *operation) {
	r, sys := b.r, b.sys
	var above []*operation
	for _, svc := range sys.services {
		if svc.layer < op.svc.layer && (svc.layer >= op.svc.layer-2 || svc.role == gateway && r.chance(0.15)) {
			for _, o := range svc.ops {
				if len(o.steps) < 5 {
					above = append(above, o)
				}
			}
		}
	}
	gates := 0
	for _, svc := range sys.services {
		if svc.role == gateway {
			gates++
		}
	}
	if len(above) == 0 || op.svc.layer == 1 && r.chance(0.6) {
		above = append(above[:0], b.operation(sys.services[r.IntN(gates)], overHTTP))
	}
	caller := pick(r, above)
	st := &step{kind: stepCall, op: op, prob: 1, breaker: caller.svc.habits.breakers, line: 0}
	if r.chance(0.35) {
		st.prob = r.between(0.3, 0.9)
	}
	if r.chance(0.85) {
		st.timeout = time.Duration(pick(r, []int{1000, 1500, 2000, 3000, 5000, 10000})) * time.Millisecond
	}
	if r.chance(0.35) {
		st.retries = r.int(1, 2)
		if r.chance(0.7) {
			st.backoff = time.Duration(r.int(2, 20)) * 10 * time.Millisecond
		}
	}
	st.fallback = r.chance(0.15)
	caller.steps = append(caller.steps, st)
}

// operation makes a handler of a service, without what it does.
func (b *builder) operation(svc *service, proto protocol) *operation {
	r := b.r
	op := &operation{svc: svc, proto: proto, verb: pick(r, verbs())}
	op.thing = svc.noun
	if len(svc.ops) > 0 || svc.role == gateway {
		op.thing = title(b.nouns.deal())
	}
	if proto == overQueue {
		op.verb = pick(r, []string{"handle", "process", "consume", "on"})
	}
	op.name = title(op.verb) + op.thing
	op.method = "POST"
	switch op.verb {
	case "get", "list", "find", "lookup", "match", "quote", "compute":
		op.method = "GET"
	case "update", "renew", "confirm":
		op.method = "PUT"
	}
	op.route = b.route(op)
	op.absent = 0
	if op.method == "GET" && r.chance(0.4) {
		op.absent = r.spread(0.002, 0.04)
	}
	b.place(op)
	svc.ops = append(svc.ops, op)
	return op
}

func (b *builder) route(op *operation) string {
	base := pick(b.r, []string{"/api/v1/", "/api/v2/", "/v1/", "/"}) + plural(strings.ReplaceAll(snake(op.thing), "_", "-"))
	id := "{id}"
	if op.svc.lang == node || op.svc.lang == python && b.r.chance(0.3) {
		id = ":id"
	}
	switch op.verb {
	case "list", "create":
		return base
	case "get", "update", "find":
		return base + "/" + id
	}
	return base + "/" + id + "/" + op.verb
}

// place says where the code of an operation is, by the customs of its language.
func (b *builder) place(op *operation) {
	r, svc := b.r, op.svc
	op.line = r.int(25, 210)
	thing, low := op.thing, snake(op.thing)
	switch svc.lang {
	case golang:
		op.file = svc.dir + pick(r, []string{"/internal/", "/internal/server/", "/pkg/", "/"}) + low + pick(r, []string{".go", "_handler.go", "_service.go"})
		op.class, op.fn = pick(r, []string{"server", "handler", "service"}), op.name
	case java:
		op.class = thing + pick(r, []string{"Service", "ServiceImpl", "Controller", "Handler", "Manager"})
		op.file = svc.dir + "/src/main/java/" + strings.ReplaceAll(b.javaPackage(svc), ".", "/") + "/" + op.class + ".java"
		op.fn = lowerFirst(op.name)
	case python:
		op.file = svc.dir + pick(r, []string{"/app/", "/", "/src/"}) + low + pick(r, []string{".py", "_service.py", "_views.py"})
		op.class, op.fn = "", snake(op.name)
	default:
		op.file = svc.dir + pick(r, []string{"/src/", "/lib/", "/src/routes/"}) + lowerFirst(thing) + pick(r, []string{".js", ".ts", "Handler.ts"})
		op.class, op.fn = "", lowerFirst(op.name)
	}
}

func (b *builder) javaPackage(svc *service) string {
	return b.sys.prefix + "." + strings.ReplaceAll(strings.ToLower(svc.noun), "-", "")
}

// addQueues lets some operations publish messages and makes consumers of some services.
func (b *builder) addQueues() {
	r, sys := b.r, b.sys
	system := pick(r, []string{"kafka", "kafka", "rabbitmq"})
	for range max(1, len(sys.services)/8) {
		var from []*operation
		for _, svc := range sys.services {
			if svc.role != consumer {
				for _, op := range svc.ops {
					if op.method != "GET" {
						from = append(from, op)
					}
				}
			}
		}
		if len(from) == 0 {
			return
		}
		svc := &service{index: len(sys.services), lang: language(r.weighted(b.langs)), pools: map[*store]int{}, role: consumer, layer: 9}
		noun := b.nouns.deal()
		svc.noun, svc.name = title(noun), noun+pick(r, []string{"-worker", "-consumer", "-processor", "-listener"})
		svc.habits = newHabits(r, svc.lang, &b.family)
		svc.replicas = r.int(1, 2)
		svc.version, svc.sha = fmt.Sprintf("1.%d.%d", r.int(0, 40), r.int(0, 20)), r.hex(40)
		svc.dir = strings.TrimSuffix(sys.services[0].dir, sys.services[0].name) + svc.name
		svc.memory = 512 << 20
		svc.heap = svc.memory * r.between(0.25, 0.6)
		sys.services = append(sys.services, svc)
		op := b.operation(svc, overQueue)
		source := pick(r, from)
		q := &queue{index: len(sys.queues), system: system, partitions: r.int(2, 6), consumer: op}
		q.name = strings.ReplaceAll(snake(source.thing), "_", "-") + pick(r, []string{".events", "-events", ".created", "-updates", ".v1"})
		sys.queues = append(sys.queues, q)
		source.steps = append(source.steps, &step{kind: stepPublish, queue: q, prob: 1})
		// A consumer may ask services that nobody above would mind being asked twice.
		if r.chance(0.4) {
			if leaf := b.leaf(); leaf != nil {
				op.steps = append(op.steps, &step{kind: stepCall, op: leaf, prob: 1, timeout: 5 * time.Second, retries: 1, backoff: 200 * time.Millisecond})
			}
		}
	}
}

// leaf is an operation that calls no other.
func (b *builder) leaf() *operation {
	var out []*operation
	for _, svc := range b.sys.services {
		for _, op := range svc.ops {
			if svc.role == inner && len(op.steps) == 0 {
				out = append(out, op)
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return pick(b.r, out)
}
