package simulate

import "math"

// podStats is what a process counts between two samples.
type podStats struct {
	cpu          float64 // seconds of processor time
	gc           float64
	poolWait     float64
	poolTimeouts int
	restarts     int
	byOp         map[*operation]*opStats
	gone         bool
}

type opStats struct {
	count, failed int
	sum           float64
	buckets       []uint64 // cumulative over the life of the process
	total, errors uint64
	totalSum      float64
	recent        []float64
}

type storeStats struct {
	queries, hits int
	busy          float64
}

type queueStats struct{ published, handled, dropped int }

const boundCount = 14

// bounds are those that the OpenTelemetry conventions advise for durations, in seconds.
func bounds() [boundCount]float64 {
	return [...]float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
}

func (s *podStats) note(op *operation, status int, took int64) {
	if s.byOp == nil {
		s.byOp = map[*operation]*opStats{}
	}
	o := s.byOp[op]
	if o == nil {
		o = &opStats{buckets: make([]uint64, boundCount+1)}
		s.byOp[op] = o
	}
	d := float64(took) / 1e9
	o.count++
	o.total++
	o.sum += d
	o.totalSum += d
	if status >= 500 {
		o.failed++
		o.errors++
	}
	i := 0
	b := bounds()
	for i < len(b) && d > b[i] {
		i++
	}
	o.buckets[i]++
	o.recent = append(o.recent, d)
}

// measure names a quantity, whatever it is called by those who collect it.
type measure uint8

const (
	mCPU         measure = iota // share of the pod's processors, 0..1
	mMemory                     // bytes
	mMemoryShare                // of the limit, 0..1
	mGC                         // seconds of pauses per second
	mRestarts
	mThrottled // share of periods
	mPoolUsed
	mPoolMax
	mPoolWaiting
	mPoolTimeouts
	mInflight
	mThreads
	mRetransmits // per second
	mP95         // seconds
	mErrorRate   // 0..1
	mRequestRate
	mDuration // histogram
	mRequests // counter
	mErrors   // counter
	mStoreCPU
	mStoreConns
	mStoreQueries
	mStoreHits
	mStoreLatency
	mLag
	mPublished
	mReady
	mNodeCPU
)

type seriesKey struct {
	m     measure
	owner any
	label string
}

// series is one quantity of one part of the system over time.
type series struct {
	key     seriesKey
	pod     *pod
	store   *store
	queue   *queue
	label   string
	op      *operation
	at      []int64
	value   []float64
	buckets [][]uint64
	count   []uint64
}

func (x *run) point(m measure, owner any, label string, v float64) *series {
	key := seriesKey{m, owner, label}
	s := x.rec.byKey[key]
	if s == nil {
		if x.rec.byKey == nil {
			x.rec.byKey = map[seriesKey]*series{}
		}
		s = &series{key: key, label: label}
		switch o := owner.(type) {
		case *pod:
			s.pod = o
		case *store:
			s.store = o
		case *queue:
			s.queue = o
		}
		x.rec.byKey[key] = s
		x.rec.points = append(x.rec.points, s)
	}
	s.at = append(s.at, x.now)
	s.value = append(s.value, v)
	return s
}

// samples looks at everything in the interval of the system's metrics.
func (x *run) samples() {
	every := x.sys.interval.Seconds()
	var tick func()
	tick = func() {
		for _, pods := range x.pods {
			for _, p := range pods {
				x.samplePod(p, every)
			}
		}
		for _, s := range x.stores {
			x.sampleStore(s, every)
		}
		for _, q := range x.queues {
			x.point(mLag, q.queue, "", math.Max(0, float64(q.lag())+math.Round(x.random.NormFloat64()*1.5)))
			x.point(mPublished, q.queue, "", float64(q.stat.published))
		}
		x.after(every, tick)
	}
	x.after(every*x.random.Float64(), tick)
}

func (x *run) noisy(v, share float64) float64 {
	return math.Max(0, v*(1+share*x.random.NormFloat64()))
}

func (x *run) samplePod(p *pod, every float64) {
	st := &p.stat
	if !p.up {
		st.cpu, st.gc = 0, 0
		x.point(mRestarts, p, "", float64(p.crashes))
		x.point(mReady, p, "", 0)
		return
	}
	x.point(mReady, p, "", 1)
	idle := 0.01 + 0.01*x.random.Float64()
	used := st.cpu/every/p.svc.cores + p.stolen/p.svc.cores + idle
	if p.collecting() > 1 {
		used += 0.2 * (p.collecting() - 1)
	}
	x.point(mCPU, p, "", math.Min(x.noisy(used, 0.08), 1.02))
	mem := x.noisy(p.heap+p.pressure, 0.01)
	x.point(mMemory, p, "", mem)
	x.point(mMemoryShare, p, "", math.Min(1, mem/p.svc.memory))
	x.point(mGC, p, "", st.gc/every)
	x.point(mRestarts, p, "", float64(p.crashes))
	throttled := p.throttle
	if used > 0.9 {
		throttled = math.Max(throttled, used-0.8)
	}
	x.point(mThrottled, p, "", math.Min(1, x.noisy(throttled+0.003*x.random.Float64(), 0.1)))
	x.point(mInflight, p, "", float64(p.workers.used))
	x.point(mThreads, p, "", math.Round(x.noisy(18+float64(p.workers.used)*1.5, 0.04)))
	loss := p.netLoss
	x.point(mRetransmits, p, "", x.noisy(0.02+loss*float64(len(p.frames)+3)*8, 0.3))
	for _, s := range x.sys.stores {
		if l, ok := p.pools[s]; ok {
			x.point(mPoolUsed, p, s.name, float64(l.used))
			x.point(mPoolMax, p, s.name, float64(l.max))
			x.point(mPoolWaiting, p, s.name, float64(l.waited))
		}
	}
	if len(p.svc.pools) > 0 {
		x.point(mPoolTimeouts, p, "", float64(st.poolTimeouts))
	}
	x.sampleRequests(p, every)
	st.cpu, st.gc = 0, 0
}

func (x *run) sampleRequests(p *pod, every float64) {
	count, failed := 0, 0
	var all []float64
	for _, op := range p.svc.ops {
		o := p.stat.byOp[op]
		if o == nil {
			continue
		}
		count += o.count
		failed += o.failed
		all = append(all, o.recent...)
		s := x.point(mDuration, p, op.name, o.totalSum)
		s.op = op
		s.buckets = append(s.buckets, append([]uint64(nil), o.buckets...))
		s.count = append(s.count, o.total)
		if o.errors > 0 {
			x.point(mErrors, p, op.name, float64(o.errors)).op = op
		}
		o.count, o.failed, o.sum, o.recent = 0, 0, 0, o.recent[:0]
	}
	x.point(mRequestRate, p, "", float64(count)/every)
	if count > 0 {
		x.point(mErrorRate, p, "", float64(failed)/float64(count))
		x.point(mP95, p, "", quantile(all, 0.95))
	}
}

func (x *run) sampleStore(s *storeState, every float64) {
	q := float64(s.stat.queries) / every
	busy := s.stat.busy / every / float64(s.store.capacity)
	x.point(mStoreQueries, s.store, "", x.noisy(q, 0.02))
	if s.store.kind == redis {
		if s.stat.queries > 0 {
			x.point(mStoreHits, s.store, "", float64(s.stat.hits)/float64(s.stat.queries))
		}
	} else {
		if s.slow > 1 && s.delay == 0 {
			busy *= 0.6 // waiting for the disk takes no processor
		}
		x.point(mStoreConns, s.store, "", float64(s.conns+s.taken)+math.Round(3*x.random.Float64()))
		x.point(mStoreLatency, s.store, "", x.noisy(0.002*s.slow, 0.15))
	}
	x.point(mStoreCPU, s.store, "", math.Min(1, x.noisy(0.03+busy, 0.08)))
	s.stat = storeStats{}
}

// quantile sorts what it is given.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	sortFloats(v)
	return v[min(len(v)-1, int(q*float64(len(v))))]
}
