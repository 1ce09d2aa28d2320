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
	eachPart(n, partsOf(n, partSize), func(_, from, to int) { work(from, to) })
}

// partsOf is into how many parts of some least size n is worth to be split.
func partsOf(n, size int) int { return max(1, min(runtime.GOMAXPROCS(0), n/size)) }

// eachPart is inParts for a number of parts, which work is told apart by.
func eachPart(n, parts int, work func(part, from, to int)) {
	if parts < 2 {
		work(0, 0, n)
		return
	}
	var wg sync.WaitGroup
	panics := make([]any, parts)
	for p := range parts {
		wg.Go(func() {
			defer func() { panics[p] = recover() }()
			work(p, n*p/parts, n*(p+1)/parts)
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}
