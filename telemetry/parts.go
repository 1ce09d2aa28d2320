package telemetry

import (
	"runtime"
	"sync"
)

// partSize is the least work that is worth another goroutine.
const partSize = 4096

// inParts calls work on neighbouring parts of 0..n at the same time. What work does to one index may not
// depend on another, so that the outcome is the same with any number of processors. A panic in a
// part is the caller's.
func inParts(n int, work func(from, to int)) {
	parts := min(runtime.GOMAXPROCS(0), n/partSize)
	if parts < 2 {
		work(0, n)
		return
	}
	var wg sync.WaitGroup
	panics := make([]any, parts)
	for p := range parts {
		wg.Go(func() {
			defer func() { panics[p] = recover() }()
			work(n*p/parts, n*(p+1)/parts)
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}
