package benchmark

import (
	"context"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"
)

// Figure is one quantity measured several times.
type Figure struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
	Runs   int     `json:"runs"`
}

func figure(v []float64) Figure {
	v = slices.Clone(v)
	slices.Sort(v)
	return Figure{Median: v[len(v)/2], Least: v[0], Most: v[len(v)-1], Runs: len(v)}
}

// Memory is what one run needed beyond what was there before it.
type Memory struct {
	Peak        float64 `json:"peak_bytes"` // most bytes of the heap at once, garbage not yet collected included
	Allocated   float64 `json:"allocated_bytes"`
	Allocations float64 `json:"allocations"`
}

// Measurement is one row of the report.
type Measurement struct {
	Name    string `json:"name"`
	Items   int    `json:"items"` // how many of Unit one run works on
	Unit    string `json:"unit"`  // "span", "event", "line"
	Seconds Figure `json:"seconds"`
	// CPU is the processors' time, on all cores together: beyond Seconds where more than one worked, and far
	// below it where other programs had the machine.
	CPU    Figure  `json:"cpu_seconds,omitzero"`
	Memory *Memory `json:"memory,omitempty"`
	// Target says what the project wants of it, Met whether it is so; nil where nothing is set.
	Target string `json:"target,omitempty"`
	Met    *bool  `json:"met,omitempty"`
	Note   string `json:"note,omitempty"`
}

// PerSecond is how many items a second the median run took.
func (m *Measurement) PerSecond() float64 { return float64(m.Items) / max(m.Seconds.Median, 1e-12) }

// Nanoseconds is the time per item of the median run.
func (m *Measurement) Nanoseconds() float64 { return m.Seconds.Median * 1e9 / float64(max(m.Items, 1)) }

// atLeast and within judge a measurement by its target.
func (m Measurement) atLeast(perSecond float64, target string) Measurement {
	met := m.PerSecond() >= perSecond
	m.Target, m.Met = target, &met
	return m
}

func (m Measurement) within(limit time.Duration, target string) Measurement {
	met := m.Seconds.Median <= limit.Seconds()
	m.Target, m.Met = target, &met
	return m
}

// enoughTime is how long the runs of one measurement take together, beyond which no further one is
// begun once there are three.
const enoughTime = 20 * time.Second

// repeat measures f: once to warm up, then up to the number of runs. Every run begins with a
// collected heap, as what one run leaves behind is no affair of the next.
func repeat(ctx context.Context, now func() time.Time, runs int, f func()) (wall, cpu Figure, err error) {
	if err := ctx.Err(); err != nil {
		return wall, cpu, err
	}
	f()
	var took, worked []float64
	spent := time.Duration(0)
	for len(took) < runs && (len(took) < 3 || spent < enoughTime) {
		if err := ctx.Err(); err != nil {
			return wall, cpu, err
		}
		runtime.GC()
		begin, had := now(), cpuTime()
		f()
		d := now().Sub(begin)
		took = append(took, d.Seconds())
		worked = append(worked, (cpuTime() - had).Seconds())
		spent += d
	}
	return figure(took), figure(worked), nil
}

// measure is repeat for something that works on items.
func (b *bench) measure(name, unit string, items int, f func()) (Measurement, error) {
	b.say("%s, %d", name, items)
	wall, cpu, err := repeat(b.ctx, b.opt.Now, b.opt.Runs, f)
	return Measurement{Name: name, Items: items, Unit: unit, Seconds: wall, CPU: cpu}, err
}

// need is what one more run of f needs of memory. The heap is looked at every millisecond, so that a
// peak shorter than that may be missed.
func need(f func()) Memory {
	heap := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	from := heap()
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, heap())
			select {
			case <-stop:
				peak <- max(most, heap())
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(stop)
	most := <-peak
	runtime.ReadMemStats(&after)
	return Memory{Peak: float64(most) - float64(min(from, most)), Allocated: float64(after.TotalAlloc - before.TotalAlloc),
		Allocations: float64(after.Mallocs - before.Mallocs)}
}
