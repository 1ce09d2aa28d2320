package dockettest

import (
	"sync"
	"time"
)

// Clock stands still until it is told to move.
type Clock struct {
	mu      sync.Mutex
	now     time.Time
	changed chan struct{}
}

// NewClock returns a clock that shows a fixed moment.
func NewClock() *Clock {
	return &Clock{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), changed: make(chan struct{})}
}

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock and wakes whoever waits for it.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	close(c.changed)
	c.changed = make(chan struct{})
}

// Changed is closed at the next Advance.
func (c *Clock) Changed() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}
