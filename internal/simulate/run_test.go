package simulate

import (
	"testing"
	"time"
)

// pair is a system of a gateway and one service below it, made by hand: one route asks the service, the other does not.
func pair(workers int) (sys *system, asks, alone *operation, call, inside *step) {
	gate := &service{index: 0, name: "gate", role: gateway, replicas: 1, workers: workers, backlog: 1000, cores: 8, memory: 1 << 30, heap: 1 << 28, pools: map[*store]int{}, lang: golang}
	deep := &service{index: 1, name: "deep", layer: 1, replicas: 1, workers: 1000, backlog: 1000, cores: 8, memory: 1 << 30, heap: 1 << 28, pools: map[*store]int{}, lang: golang}
	inside = &step{kind: stepSleep, median: 0.01, sigma: 0.1, prob: 1}
	below := &operation{svc: deep, name: "Below", thing: "Thing", file: "a/b.go", steps: []*step{inside}}
	call = &step{kind: stepCall, op: below, prob: 1}
	asks = &operation{svc: gate, name: "Asks", thing: "Thing", file: "a/a.go", weight: 1, steps: []*step{call}}
	alone = &operation{svc: gate, name: "Alone", thing: "Thing", file: "a/a.go", weight: 1, steps: []*step{{kind: stepSleep, median: 0.005, sigma: 0.1, prob: 1}}}
	gate.ops, deep.ops = []*operation{asks, alone}, []*operation{below}
	sys = &system{org: "org", services: []*service{gate, deep}, routes: []*operation{asks, alone}, rate: 20, zones: []string{"a"}, tenants: []string{"t"}, sampling: 1, interval: 15 * time.Second}
	return sys, asks, alone, call, inside
}

// liveThrough runs a minute of the system; begin may change it first.
func liveThrough(sys *system, begin func(x *run)) *run {
	from := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	x := newRun(sys, 1, "incident", from, from.Add(time.Minute), &plan{})
	x.tally = newTally(from.UnixNano())
	if begin != nil {
		begin(x)
	}
	x.live()
	return x
}

func TestASlowCalleeFillsTheWorkersOfItsCaller(t *testing.T) {
	sys, _, alone, _, inside := pair(8)
	waited := func(x *run) float64 {
		n := 0.0
		for _, s := range x.rec.points {
			if s.key.m == mInflight && s.pod.svc.name == "gate" {
				for _, v := range s.value {
					n = max(n, v)
				}
			}
		}
		return n
	}
	healthy := liveThrough(sys, nil)
	if n := waited(healthy); n > 4 {
		t.Errorf("%g of 8 workers are busy when healthy", n)
	}
	inside.median = 3
	slow := liveThrough(sys, nil)
	if n := waited(slow); n != 8 {
		t.Errorf("%g of 8 workers are busy though the callee takes three seconds", n)
	}
	// Who does not ask the callee suffers too, since there is no worker for them.
	if a, b := slow.tally.of(alone).n, healthy.tally.of(alone).n; a > b/2 {
		t.Errorf("%d requests were handled that do not need the slow callee, %d when healthy", a, b)
	}
}

func TestACallerThatGivesUpLeavesTheCalleeAtWork(t *testing.T) {
	sys, asks, _, call, inside := pair(1000)
	call.timeout, inside.median = 200*time.Millisecond, 1
	x := liveThrough(sys, nil)
	late := 0
	for _, s := range x.rec.spans {
		if s.kind == kindServer && s.parent != nil && s.parent.f != nil && s.parent.f.kind == failTimeout && s.end > s.parent.end {
			late++
		}
	}
	c := x.tally.of(asks)
	if late < 100 || c.failed < c.n*9/10 {
		t.Errorf("%d callees worked on after their callers gave up; %d of %d requests failed", late, c.failed, c.n)
	}
}

func TestRetriesPauseAsTheyAreToldTo(t *testing.T) {
	sys, _, _, call, _ := pair(1000)
	call.retries, call.backoff = 2, 100*time.Millisecond
	x := liveThrough(sys, func(x *run) { x.pods[1][0].up = false })
	before := map[*span]*span{} // by parent, the last attempt
	attempts := map[int]int{}
	for _, s := range x.rec.spans {
		if s.kind != kindClient {
			continue
		}
		attempts[s.attempt]++
		if last := before[s.parent]; last != nil {
			gap := time.Duration(s.start - last.end)
			if want := 100 * time.Millisecond << last.attempt; gap < want*7/10 || gap > want*13/10 {
				t.Fatalf("attempt %d came %s after the one before, want about %s", s.attempt, gap, want)
			}
		}
		before[s.parent] = s
	}
	if attempts[0] < 100 || attempts[1] < attempts[0]*9/10 || attempts[2] < attempts[0]*9/10 || attempts[3] > 0 {
		t.Errorf("attempts by number: %v", attempts)
	}
}

func TestACrashBreaksWhatIsUnderWay(t *testing.T) {
	sys, asks, _, _, inside := pair(1000)
	inside.median = 0.5
	x := liveThrough(sys, func(x *run) {
		x.after(30, func() { x.crash(x.pods[1][0], "OOMKilled", 10) })
	})
	reset, refused := 0, 0
	for _, s := range x.rec.spans {
		if s.kind == kindClient && s.f != nil {
			switch s.f.kind {
			case failReset:
				reset++
			case failRefused:
				refused++
			}
		}
	}
	c := x.tally.of(asks)
	if reset < 2 || refused < 30 || c.failed != reset+refused {
		t.Errorf("%d connections broke and %d were refused; %d of %d requests failed", reset, refused, c.failed, c.n)
	}
	if p := x.pods[1][0]; !p.up || p.crashes != 1 {
		t.Errorf("the pod is up: %v, after %d crashes", p.up, p.crashes)
	}
}

func TestABreakerOpensAndStopsAsking(t *testing.T) {
	sys, _, _, call, _ := pair(1000)
	count := func() (n int) {
		x := liveThrough(sys, func(x *run) { x.pods[1][0].up = false })
		for _, s := range x.rec.spans {
			if s.kind == kindClient {
				n++
			}
		}
		return n
	}
	without := count()
	call.breaker = true
	if with := count(); with > without/3 || with < 8 {
		t.Errorf("%d calls with a breaker, %d without", with, without)
	}
}

func TestProcessorsAreShared(t *testing.T) {
	sys, asks, _, _, inside := pair(1000)
	inside.kind, inside.median = stepWork, 0.02
	quick := quantile(liveThrough(sys, nil).tally.of(asks).took, 0.5)
	slow := quantile(liveThrough(sys, func(x *run) { x.pods[1][0].share = 0.02 }).tally.of(asks).took, 0.5)
	if slow < 4*quick {
		t.Errorf("with a fiftieth of its processors the median is %.3f s, with all %.3f s", slow, quick)
	}
}

func TestAQueueHandsAFailedMessageOverThreeTimes(t *testing.T) {
	sys, asks, _, _, _ := pair(1000)
	worker := &service{index: 2, name: "worker", role: consumer, replicas: 1, workers: 100, backlog: 100, cores: 4, memory: 1 << 30, heap: 1 << 28, pools: map[*store]int{}}
	handle := &operation{svc: worker, name: "Handle", thing: "Thing", file: "a/c.go", proto: overQueue}
	worker.ops = []*operation{handle}
	q := &queue{name: "things", system: "kafka", partitions: 4, consumer: handle}
	sys.services, sys.queues = append(sys.services, worker), []*queue{q}
	asks.steps = append(asks.steps, &step{kind: stepPublish, queue: q, prob: 1})
	trap(handle, func(f *frame) *failure {
		if f.rq.entity%50 == 0 {
			return &failure{kind: failException, typ: "E", msg: "m"}
		}
		return nil
	})
	x := liveThrough(sys, nil)
	perTrace := map[[16]byte]int{}
	for _, s := range x.rec.spans {
		if s.kind == kindConsumer && s.status >= 500 {
			perTrace[s.rq.trace]++
		}
	}
	three := 0
	for _, n := range perTrace {
		if n > 3 {
			t.Fatalf("a message was handled %d times", n)
		}
		if n == 3 {
			three++
		}
	}
	if three == 0 || x.queues[0].stat.dropped < three {
		t.Errorf("%d messages were handled three times, %d were put aside", three, x.queues[0].stat.dropped)
	}
}
