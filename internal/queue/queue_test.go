package queue

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/remediator/remediator/remedy/docket/dockettest"
)

// quiet keeps the server's lines with the test that caused them.
func quiet(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// open opens a queue for a test, with short waits where the options name none.
func open(t *testing.T, o Options) *Queue {
	t.Helper()
	if o.RetryFirst == 0 {
		o.RetryFirst, o.RetryMost = 2*time.Millisecond, 10*time.Millisecond
	}
	if o.AckWait == 0 {
		o.AckWait = 3 * time.Second
	}
	if o.Attempts == 0 {
		o.Attempts = 3
	}
	if o.Log == nil {
		o.Log = quiet(t)
	}
	q, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, q) })
	return q
}

func closeNow(t *testing.T, q *Queue) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := q.Close(ctx); err != nil {
		t.Error(err)
	}
}

// backend is a queue as the conformance suite uses it.
func backend(q *Queue) dockettest.Backend {
	return dockettest.Backend{
		Store: q, Claims: q, Blobs: q, Queue: q, Tries: q.opts.Attempts,
		Damage: func(t *testing.T, fingerprint string, data []byte) {
			t.Helper()
			m := nats.NewMsg(q.records.prefix + escape(fingerprint))
			m.Data = data
			if _, err := q.publish(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func TestEmbeddedConforms(t *testing.T) {
	dockettest.Conform(t, func(t *testing.T) dockettest.Backend { return backend(open(t, Options{DataDir: t.TempDir()})) })
}
