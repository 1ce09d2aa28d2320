package dockettest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

// Backend is an implementation of what package docket needs kept, as [Conform] uses it. It goes by
// the real time.
type Backend struct {
	Store  docket.Store
	Claims docket.Claims
	Blobs  docket.Blobs
	Queue  docket.Queue
	// Tries is how often a task is handled before it is a dead letter. The delays between should be
	// a few milliseconds.
	Tries int
	// Damage overwrites what is stored of a record.
	Damage func(t *testing.T, fingerprint string, data []byte)
}

// patience bounds how long a test waits for what has to happen.
const patience = 30 * time.Second

// Conform runs the contract of [docket.Store], [docket.Claims], [docket.Blobs] and [docket.Queue]
// on an implementation. open returns an empty one for each test.
func Conform(t *testing.T, open func(t *testing.T) Backend) {
	for _, part := range []struct {
		name  string
		tests map[string]func(*testing.T, Backend)
	}{
		{"store", storeTests}, {"claims", claimTests}, {"blobs", blobTests}, {"queue", queueTests},
	} {
		t.Run(part.name, func(t *testing.T) {
			for name, test := range part.tests {
				t.Run(name, func(t *testing.T) { test(t, open(t)) })
			}
		})
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// receive takes from a channel, or fails when nothing comes.
func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v, ok := <-from:
		if !ok {
			t.Fatalf("waiting for %s: the channel was closed", what)
		}
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	panic("unreachable")
}

// until asks again and again until ok says yes.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// consumer is a call of Consume that a test can end and wait for.
type consumer struct {
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

func consume(t *testing.T, q docket.Queue, kind docket.TaskKind, n int, handle func(context.Context, docket.Task) error) *consumer {
	ctx, cancel := context.WithCancel(context.Background())
	c := &consumer{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		c.err = q.Consume(ctx, kind, n, handle)
	}()
	t.Cleanup(func() { c.stop(t) })
	return c
}

// stop ends Consume and waits for it.
func (c *consumer) stop(t *testing.T) {
	t.Helper()
	c.cancel()
	select {
	case <-c.ended:
	case <-time.After(patience):
		t.Fatal("Consume does not return after its context ended")
	}
	if c.err != nil && !errors.Is(c.err, context.Canceled) {
		t.Fatalf("Consume ended with %v", c.err)
	}
}

// tally counts what was handled.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *tally) add(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]int{}
	}
	c.seen[key]++
	return c.seen[key]
}

func (c *tally) of(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[key]
}

func (c *tally) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.seen)
}

func newRecord(fingerprint string, at time.Time) *docket.Record {
	return &docket.Record{Schema: docket.RecordSchema, Fingerprint: fingerprint, Stage: docket.Queued, FirstAlert: at, LastAlert: at, Updated: at}
}

// dawn is when the records of these tests begin.
func dawn() time.Time { return time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) }
