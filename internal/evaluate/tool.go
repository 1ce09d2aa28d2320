package evaluate

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// Tool is what is measured.
type Tool struct {
	// Load reads the incident bundle in a directory; it must not read truth.json.
	Load func(dir string) (incident.Incident, localize.Evidence, error)
	// Rank is localize.Rank, or what stands in its place.
	Rank func(incident.Incident, localize.Evidence, localize.Options) localize.Result
	// Study looks at an incident once, to rank it under many options with the results that Rank has; nil ranks anew each
	// time.
	Study func(incident.Incident, localize.Evidence) func(localize.Options) localize.Result
	// Progress is told how far a step of the measurement is; nil tells nobody.
	Progress func(step string, done, of int)
	// Options are those that the product ranks with.
	Options localize.Options
	// Miner makes what groups log messages.
	Miner func() Templates
	// Spans reads one trace document, in whatever form it is.
	Spans func(path string) (telemetry.Dataset, error)
	// Paths finds the critical path of every trace.
	Paths func(*telemetry.Dataset) []localize.TracePath
	// Now is the clock that times are taken by.
	Now func() time.Time
}

// Cost is what one case took.
type Cost struct {
	Spans, Logs, Points int
	Load, Rank          time.Duration
	Allocated           uint64 // bytes, by loading and ranking
	Peak                uint64 // bytes of the largest heap that was seen in between
}

// Answer is the result for one case.
type Answer struct {
	Prediction Prediction
	Result     localize.Result
	Grounds    localize.Grounds
	Willing    bool // nothing but the confidence could keep the tool from acting
	Cost       Cost
}

// Run ranks every case of a corpus of bundles, in its order, one in memory at a time.
func (t *Tool) Run(ctx context.Context, c *Corpus) ([]Answer, error) {
	var out []Answer
	for i, id := range c.Cases {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t.progress("ranking "+c.Name, i, len(c.Cases))
		a, err := t.run(c, id)
		if err != nil {
			return nil, fmt.Errorf("case %s of %s: %w", id, c.Name, err)
		}
		out = append(out, a)
	}
	return out, nil
}

func (t *Tool) run(c *Corpus, id string) (Answer, error) {
	runtime.GC() // so that the peak is this case's own
	heap := watchHeap()
	defer heap.stop()
	before := allocated()
	began := t.Now()
	in, ev, err := t.load(c, id)
	if err != nil {
		return Answer{}, err
	}
	loaded := t.Now()
	res := t.Rank(in, ev, t.Options)
	done := t.Now()
	cost := Cost{Spans: len(ev.Incident.Spans) + len(ev.Baseline.Spans), Logs: len(ev.Incident.Logs) + len(ev.Baseline.Logs),
		Load: loaded.Sub(began), Rank: done.Sub(loaded), Allocated: allocated() - before, Peak: heap.stop()}
	for _, ds := range []*telemetry.Dataset{&ev.Incident, &ev.Baseline} {
		for i := range ds.Metrics {
			cost.Points += len(ds.Metrics[i].Points)
		}
	}
	willing := res.Decision == localize.Act
	if !willing && len(res.Suspects) > 0 {
		o := t.Options
		o.Threshold = anyConfidence
		again := t.Rank(in, ev, o)
		willing = again.Decision == localize.Act
	}
	return Answer{Prediction: Predict(id, &res, ev.Changes), Result: res, Grounds: localize.GroundsOf(&ev), Willing: willing, Cost: cost}, nil
}

func (t *Tool) progress(step string, done, of int) {
	if t.Progress != nil {
		t.Progress(step, done, of)
	}
}

func (t *Tool) load(c *Corpus, id string) (incident.Incident, localize.Evidence, error) {
	if c.load != nil {
		return c.load(id)
	}
	return t.Load(c.path(id))
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// heapWatch samples the size of the heap until it is stopped.
type heapWatch struct {
	quit, gone chan struct{}
	stopped    atomic.Bool
	peak       uint64
}

// heapMetric counts objects that are reachable or not yet swept.
const heapMetric = "/memory/classes/heap/objects:bytes"

func watchHeap() *heapWatch {
	w := &heapWatch{quit: make(chan struct{}), gone: make(chan struct{})}
	go func() {
		defer close(w.gone)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		sample := []metrics.Sample{{Name: heapMetric}}
		for {
			metrics.Read(sample)
			w.peak = max(w.peak, sample[0].Value.Uint64())
			select {
			case <-w.quit:
				metrics.Read(sample)
				w.peak = max(w.peak, sample[0].Value.Uint64())
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

func (w *heapWatch) stop() uint64 {
	if !w.stopped.Swap(true) {
		close(w.quit)
	}
	<-w.gone
	return w.peak
}
