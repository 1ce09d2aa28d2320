package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

const (
	// attemptTimeout bounds one request; a fail-over of a cluster's leader takes about as long.
	attemptTimeout = 3 * time.Second
	firstPause     = 20 * time.Millisecond
	longestPause   = time.Second
)

// errClosed is returned when the queue was closed under a call.
var errClosed = errors.New("the queue is closed")

// again asks the server until it answers or ctx ends. What it calls must be harmless to repeat.
func again[T any](ctx context.Context, q *Queue, ask func(context.Context) (T, error)) (T, error) {
	var none T
	told := false
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if err := ctx.Err(); err != nil {
			return none, context.Cause(ctx)
		}
		once, cancel := context.WithTimeout(ctx, attemptTimeout)
		v, err := ask(once)
		cancel()
		if err == nil {
			return v, nil
		}
		if ctx.Err() != nil {
			return none, fmt.Errorf("no answer from NATS in time: %w", context.Cause(ctx))
		}
		if !passing(err) {
			return none, q.explain(err)
		}
		if q.server != nil {
			if broken := q.server.broken(); broken != nil {
				return none, fmt.Errorf("%w (%w)", broken, err)
			}
		}
		if !told && pause == longestPause {
			told = true
			q.opts.Log.Warn("NATS does not answer; trying on", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// passing says whether an error is about the connection or a change of leaders, and so goes away.
func passing(err error) bool {
	for _, e := range []error{
		context.DeadlineExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrReconnectBufExceeded,
		nats.ErrDisconnected, nats.ErrStaleConnection, nats.ErrNoServers,
		jetstream.ErrNoStreamResponse, jetstream.ErrNoHeartbeat, jetstream.ErrServerShutdown,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var api *jetstream.APIError
	if errors.As(err, &api) {
		return api.ErrorCode == errClusterNoLeader || api.ErrorCode == errClusterNotReady
	}
	return false
}

// explain adds the next step to an error that stays.
func (q *Queue) explain(err error) error {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, nats.ErrConnectionClosed):
		return errClosed
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w (%d bytes); raise max_payload of the NATS servers", err, q.conn.MaxPayload())
	case q.server != nil && q.server.broken() != nil:
		return fmt.Errorf("%w (%w)", q.server.broken(), err)
	case errors.As(err, &api) && (api.ErrorCode == errNoStorage || api.ErrorCode == errInsufficient || api.ErrorCode == errStoreFailed):
		return fmt.Errorf("the storage is full: %w; shorten the retention or give it more room", err)
	}
	return err
}

// publish stores a message durably, once: it goes under an id, so that a repetition after a lost
// answer is recognised.
func (q *Queue) publish(ctx context.Context, m *nats.Msg) (*jetstream.PubAck, error) {
	if m.Header.Get(jetstream.MsgIDHeader) == "" {
		m.Header.Set(jetstream.MsgIDHeader, nuid.Next())
	}
	ack, err := again(ctx, q, func(ctx context.Context) (*jetstream.PubAck, error) {
		return q.js.PublishMsg(ctx, m, jetstream.WithRetryAttempts(0))
	})
	// A refusal is an answer too, and a caller who did not wait knows nothing.
	q.failing.Store(err != nil && !isConflict(err) && !errors.Is(err, context.Canceled))
	return ack, err
}
