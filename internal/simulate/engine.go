package simulate

import "time"

// engine is a clock and what is to happen: a discrete-event simulation. What happens at the same moment happens in the
// order it was asked for, so that a run is the same every time.
type engine struct {
	now  int64 // Unix nanoseconds
	heap []event
	seq  uint64
}

type event struct {
	at  int64
	seq uint64
	do  func()
}

func (a event) before(b event) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// at asks for something to happen at a time, not before now.
func (e *engine) at(t int64, do func()) {
	e.seq++
	e.heap = append(e.heap, event{max(t, e.now), e.seq, do})
	i := len(e.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !e.heap[i].before(e.heap[up]) {
			break
		}
		e.heap[i], e.heap[up] = e.heap[up], e.heap[i]
		i = up
	}
}

// after asks for something to happen in d seconds.
func (e *engine) after(seconds float64, do func()) {
	e.at(e.now+int64(seconds*float64(time.Second)), do)
}

// runUntil lets everything happen that is due before a time.
func (e *engine) runUntil(end int64) {
	for len(e.heap) > 0 && e.heap[0].at < end {
		next := e.pop()
		e.now = next.at
		next.do()
	}
	e.now = end
}

func (e *engine) pop() event {
	top := e.heap[0]
	last := len(e.heap) - 1
	e.heap[0] = e.heap[last]
	e.heap[last] = event{}
	e.heap = e.heap[:last]
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && e.heap[c+1].before(e.heap[c]) {
			c++
		}
		if !e.heap[c].before(e.heap[i]) {
			break
		}
		e.heap[i], e.heap[c] = e.heap[c], e.heap[i]
		i = c
	}
	return top
}

// limiter admits so many at a time; the others wait in line.
type limiter struct {
	max, used int
	line      []*waiter
	waited    int // who is still waiting
}

type waiter struct {
	got  func()
	gone bool
}

// acquire calls got once there is a place, or late when there was none for so many seconds. A line that is full is
// late at once.
func (l *limiter) acquire(e *engine, seconds float64, longest int, got, late func()) {
	if l.used < l.max {
		l.used++
		got()
		return
	}
	if l.waited >= longest {
		late()
		return
	}
	w := &waiter{got: got}
	l.line = append(l.line, w)
	l.waited++
	if seconds > 0 {
		e.after(seconds, func() {
			if !w.gone {
				w.gone = true
				l.waited--
				late()
			}
		})
	}
}

// release gives a place back, to who waits longest.
func (l *limiter) release() {
	l.used--
	l.admit()
}

func (l *limiter) admit() {
	for l.used < l.max && len(l.line) > 0 {
		w := l.line[0]
		l.line = l.line[1:]
		if w.gone {
			continue
		}
		w.gone = true
		l.waited--
		l.used++
		w.got()
	}
}
