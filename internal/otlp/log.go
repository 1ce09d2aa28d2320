package otlp

import (
	"context"
	"time"
)

// MaxPayload bounds the bytes of one payload given to [Log.Append], below the 1 MiB that a NATS message
// may have with its headers.
const MaxPayload = 1_000_000

// Log is the rolling window: payloads of at most [MaxPayload] bytes, opaque to it, of a signal ("traces", "logs",
// "metrics"), that are kept until they are too old or there are too many. It may be shared by processes and is
// safe for concurrent use.
type Log interface {
	// Append returns when the payload is stored as durably as it will be. from and to are the first and last time of
	// what is in it, by the clocks of its senders but never before what is kept nor far in the future.
	Append(ctx context.Context, signal string, from, to time.Time, payload []byte) error
	// Range calls fn with every payload of the signal whose times overlap with from..to, both ends included, in the
	// order of arrival, until fn returns an error, which Range then returns. fn does not keep the slice. What
	// is appended while Range runs may be left out.
	Range(ctx context.Context, signal string, from, to time.Time, fn func(payload []byte) error) error
}

// Watcher is told what the receiver does, for its metrics. reason is one of the Reason constants.
type Watcher interface {
	// Received counts items (spans, log records, metric points) that were kept.
	Received(signal, transport string, items int)
	// Refused counts a request that was refused as a whole, when items is 0, or items that were left out of one.
	Refused(signal, transport, reason string, items int)
	// Stored counts bytes of payloads as they went to the log.
	Stored(signal string, bytes int)
}

// noWatcher is used when nobody watches.
type noWatcher struct{}

func (noWatcher) Received(string, string, int)        {}
func (noWatcher) Refused(string, string, string, int) {}
func (noWatcher) Stored(string, int)                  {}
