package localize

import "sync"

// beside does several things at the same time. None may touch what another writes, so that the outcome is
// the same with any number of processors. A panic in one of them is the caller's.
func beside(work ...func()) {
	panics := make([]any, len(work))
	var wg sync.WaitGroup
	for i, f := range work[1:] {
		wg.Go(func() {
			defer func() { panics[i] = recover() }()
			f()
		})
	}
	func() {
		defer func() { panics[len(work)-1] = recover() }()
		work[0]()
	}()
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

// both looks at the two windows at the same time.
func both[T any](a *analysis, look func(w *window) T) (cur, base T) {
	beside(func() { cur = look(a.cur) }, func() { base = look(a.base) })
	return cur, base
}

// since is the time from which on a window's spans count: the onset, and all of the healthy window.
func (a *analysis) since(w *window) int64 {
	if w == a.base {
		return 0
	}
	return a.onset
}
