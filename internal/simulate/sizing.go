package simulate

import (
	"math"
	"time"
)

// size chooses the traffic and gives every part as much as that traffic needs, with the head-room people leave.
func (b *builder) size() {
	r, sys := b.r, b.sys
	for _, op := range sys.routes {
		b.weigh(op, 0)
	}
	for _, q := range sys.queues {
		b.weigh(q.consumer, 0)
	}
	total, spans := 0.0, 0.0
	for _, op := range sys.routes {
		total += op.weight
		spans += op.weight * op.spans
	}
	spans /= total
	// So many spans per second are simulated; of them a share is kept.
	sys.rate = math.Min(60, math.Max(1.5*b.traffic, b.traffic*r.spread(45, 180)/spans))
	sys.drift = r.between(0.1, 0.4)
	for _, op := range sys.routes {
		b.load(op, sys.rate*op.weight/total, 0)
	}
	for _, q := range sys.queues {
		b.load(q.consumer, q.rate, 0)
	}
	sys.sampling = 1
	if kept := b.traffic * math.Max(r.spread(25, 110), 1.5*spans); kept < sys.rate*spans {
		sys.sampling = kept / (sys.rate * spans)
	}
	sys.interval = time.Duration(pick(r, []int{10, 15, 15, 30, 60})) * time.Second
	sys.metrics = pick(r, []metricHabit{otelMetrics, otelMetrics, promMetrics, promMetrics, gaugeMetrics})
	for _, svc := range sys.services {
		b.provision(svc)
	}
	for _, s := range sys.stores {
		s.capacity = max(4, int(math.Ceil(s.load/r.between(0.15, 0.4)))+2)
		s.conns = 0
		for _, svc := range sys.services {
			s.conns += svc.pools[s] * svc.replicas
		}
		s.conns = max(20, s.conns*5/4)
	}
}

// weigh estimates how long a request takes and how many spans it makes. It never recurses far: calls lead down.
func (b *builder) weigh(op *operation, depth int) {
	if op.spans > 0 || depth > 20 {
		return
	}
	op.spans = 1
	op.latency = b.cost(op.steps, op, depth)
}

func (b *builder) cost(steps []*step, op *operation, depth int) float64 {
	sum := 0.0
	for _, st := range steps {
		switch st.kind {
		case stepWork:
			sum += st.median * 1.1
		case stepCall:
			b.weigh(st.op, depth+1)
			op.spans += st.prob * (1 + st.op.spans)
			sum += st.prob * (st.op.latency + 0.001)
		case stepQuery:
			op.spans += st.prob
			sum += st.prob * st.median * 1.2
		case stepOutside:
			op.spans += st.prob
			sum += st.prob * st.party.median * 1.2
		case stepLookup:
			op.spans += st.prob
			before := op.spans
			miss := b.cost(st.sub, op, depth)
			op.spans = before + (op.spans-before)*(1-st.hit)
			sum += 0.0006 + (1-st.hit)*miss
		case stepPublish:
			op.spans++
			sum += 0.002
		case stepParallel:
			longest := 0.0
			for _, sub := range st.sub {
				longest = math.Max(longest, b.cost([]*step{sub}, op, depth))
			}
			sum += longest
		default:
			sum += b.cost(st.sub, op, depth)
		}
	}
	return sum
}

// load adds up what a rate of requests asks of everything below an operation.
func (b *builder) load(op *operation, rate float64, depth int) {
	if depth > 20 {
		return
	}
	op.rate += rate
	var walk func(steps []*step, rate float64)
	walk = func(steps []*step, rate float64) {
		for _, st := range steps {
			switch st.kind {
			case stepCall:
				b.load(st.op, rate*st.prob, depth+1)
			case stepQuery:
				st.store.load += rate * st.prob * st.median * 1.2
			case stepLookup:
				st.store.load += rate * st.prob * 0.0005
				walk(st.sub, rate*st.prob*(1-st.hit))
			case stepPublish:
				st.queue.rate += rate * st.prob
			default:
				walk(st.sub, rate*st.prob)
			}
		}
	}
	walk(op.steps, rate)
}

// provision gives a service processors, workers and connections.
func (b *builder) provision(svc *service) {
	r := b.r
	work, busy := 0.0, 0.0
	held := map[*store]float64{}
	for _, op := range svc.ops {
		busy += op.rate * op.latency
		var walk func(steps []*step, rate float64)
		walk = func(steps []*step, rate float64) {
			for _, st := range steps {
				switch st.kind {
				case stepWork:
					work += rate * st.median * 1.1
				case stepQuery:
					held[st.store] += rate * st.median * 1.5
				case stepLookup:
					held[st.store] += rate * 0.001
					walk(st.sub, rate*(1-st.hit))
				default:
					walk(st.sub, rate)
				}
			}
		}
		walk(op.steps, op.rate)
	}
	pods := float64(svc.replicas)
	svc.cores = math.Max(1, math.Ceil(work/pods/r.between(0.15, 0.5)))
	svc.workers = max(6, int(math.Ceil(busy/pods/r.between(0.15, 0.45)))+3)
	svc.backlog = svc.workers * r.int(4, 20)
	if (svc.lang == golang || svc.lang == node) && r.chance(0.6) {
		svc.workers, svc.backlog = 2000, 2000 // these take whatever comes
	}
	for _, s := range b.sys.stores {
		if h, ok := held[s]; ok {
			svc.pools[s] = max(4, int(math.Ceil(h/pods/r.between(0.15, 0.4)))+2)
		}
	}
}
