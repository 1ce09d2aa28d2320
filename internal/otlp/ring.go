package otlp

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Ring is a [Log] in memory, for one process that may forget when it ends.
type Ring struct {
	maxBytes int64
	maxAge   time.Duration
	now      func() time.Time

	mu      sync.Mutex
	entries []ringEntry // by arrival
	bytes   int64
	dropped int64
}

type ringEntry struct {
	signal   string
	at       time.Time // arrival
	from, to time.Time
	payload  []byte
}

// NewRing returns an empty ring that keeps payloads for an age and up to a size.
func NewRing(maxBytes int64, maxAge time.Duration, now func() time.Time) *Ring {
	return &Ring{maxBytes: maxBytes, maxAge: maxAge, now: now}
}

// Append implements [Log].
func (r *Ring) Append(ctx context.Context, signal string, from, to time.Time, payload []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.entries = append(r.entries, ringEntry{signal, now, from, to, slices.Clone(payload)})
	r.bytes += int64(len(payload))
	old := 0
	for old < len(r.entries) && (r.bytes > r.maxBytes || now.Sub(r.entries[old].at) > r.maxAge) {
		if r.bytes > r.maxBytes {
			r.dropped++
		}
		r.bytes -= int64(len(r.entries[old].payload))
		r.entries[old].payload = nil
		old++
	}
	r.entries = r.entries[old:]
	return nil
}

// Range implements [Log].
func (r *Ring) Range(ctx context.Context, signal string, from, to time.Time, fn func([]byte) error) error {
	r.mu.Lock()
	var found [][]byte
	for i := range r.entries {
		if e := &r.entries[i]; e.signal == signal && !e.to.Before(from) && !e.from.After(to) {
			found = append(found, e.payload)
		}
	}
	r.mu.Unlock()
	for _, payload := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(payload); err != nil {
			return err
		}
	}
	return nil
}

// Usage is how many bytes are kept and when the oldest payload arrived, zero when there is none.
func (r *Ring) Usage(context.Context) (bytes int64, oldest time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.entries) > 0 {
		oldest = r.entries[0].at
	}
	return r.bytes, oldest, nil
}
