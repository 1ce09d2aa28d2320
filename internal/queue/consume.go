package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/remediator/remediator/remedy/docket"
)

// pullHeartbeat is how often the server says that it still knows who waits for a task; after twice
// as long without, as when the node that knew was lost, one asks anew.
const pullHeartbeat = 2 * time.Second

// Reasons for which a handler's context ends.
var (
	errDraining = errors.New("the service stops; another process goes on with the task")
	errLost     = errors.New("the task could not be kept from others for too long, so another process may have it")
)

// Consume hands tasks of a kind to handle, at most n at a time, until ctx ends or the queue is
// closed. Handlers that run then go on for Options.Grace before their own context ends; what they
// leave undone goes to another process at once.
func (q *Queue) Consume(ctx context.Context, kind docket.TaskKind, n int, handle func(context.Context, docket.Task) error) error {
	s, ok := q.tasks[kind]
	if !ok {
		return fmt.Errorf("there are no tasks of kind %q", kind)
	}
	if n < 1 {
		return fmt.Errorf("%d handlers for tasks of kind %s; give at least 1", n, kind)
	}
	if !q.enter() {
		return errClosed
	}
	defer q.busy.Done()
	taking, stopTaking := context.WithCancel(ctx)
	defer stopTaking()
	working, abort := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abort(nil)
	go func() {
		defer stopTaking()
		grace := (<-chan time.Time)(nil)
		ended, closing := ctx.Done(), q.closing
		for {
			select {
			case <-ended:
				timer := time.NewTimer(q.opts.Grace)
				defer timer.Stop()
				grace, ended = timer.C, nil
			case <-closing:
				stopTaking()
				closing = nil
			case <-grace:
				abort(errDraining)
				return
			case <-q.abort:
				abort(errDraining)
				return
			case <-working.Done():
				return
			}
		}
	}()
	var workers sync.WaitGroup
	for range n {
		workers.Go(func() {
			for taking.Err() == nil {
				if m, ok := q.take(taking, s.consumer); ok {
					q.work(working, kind, m, handle)
				}
			}
		})
	}
	workers.Wait()
	if ctx.Err() == nil {
		return errClosed
	}
	return nil
}

// enter counts a call of Consume in, unless the queue is closed.
func (q *Queue) enter() bool {
	q.door.Lock()
	defer q.door.Unlock()
	select {
	case <-q.closing:
		return false
	default:
		q.busy.Add(1)
		return true
	}
}

// take waits for one task. One at a time and only when there is a free hand, so that no task lies
// in this process while another process is idle.
func (q *Queue) take(ctx context.Context, c jetstream.Consumer) (jetstream.Msg, bool) {
	m, err := c.Next(jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(pullHeartbeat))
	if err == nil {
		return m, true
	}
	if ctx.Err() == nil && !errors.Is(err, nats.ErrTimeout) {
		q.opts.Log.Debug("no task to be had", "error", err)
		select { // the connection is away, or the leader changes
		case <-ctx.Done():
		case <-time.After(firstPause * 5):
		}
	}
	return nil, false
}

// work does one task and settles it.
func (q *Queue) work(ctx context.Context, kind docket.TaskKind, m jetstream.Msg, handle func(context.Context, docket.Task) error) {
	log := q.opts.Log.With("kind", string(kind))
	meta, err := m.Metadata()
	if err != nil {
		log.Error("a delivery that is none", "error", err)
		return
	}
	tries := int(meta.NumDelivered)
	t, err := q.readTask(kind, m.Data())
	if err != nil {
		q.giveUp(ctx, kind, m, meta, t, fmt.Errorf("the task cannot be read: %w", err))
		return
	}
	t.Attempt = tries
	log = log.With("case", t.Case, "attempt", tries)
	// A task that fails says so and is given up after Attempts. One that never says anything, since
	// its process dies each time or is stopped, is seldom the reason for that.
	if tries > q.opts.Attempts+q.opts.Deaths {
		q.giveUp(ctx, kind, m, meta, t, fmt.Errorf("whoever worked on it died or was stopped, %d times", tries-1))
		return
	}
	err = q.guarded(ctx, m, t, handle)
	switch {
	case err == nil:
		if err := q.acknowledge(ctx, m); err != nil {
			log.Warn("a task is done, but NATS does not know; it will be done again", "error", err)
		}
	case errors.Is(err, errLost):
		log.Warn("left a task to others", "error", err)
	case errors.Is(context.Cause(ctx), errDraining):
		log.Info("left a task to another process", "error", err)
		if err := m.Nak(); err != nil {
			log.Debug("the task is free when its time is over", "error", err)
		}
	case tries >= q.opts.Attempts:
		q.giveUp(ctx, kind, m, meta, t, err)
	default:
		delay := q.delay(tries)
		log.Warn("a task failed and comes again", "in", delay, "error", err)
		if err := m.NakWithDelay(delay); err != nil {
			log.Debug("the task is free when its time is over", "error", err)
		}
	}
}

func (q *Queue) readTask(kind docket.TaskKind, data []byte) (docket.Task, error) {
	data, err := q.packer.unpack(data)
	if err != nil {
		return docket.Task{Kind: kind}, err
	}
	return decodeTask(kind, data)
}

// delay doubles from failure to failure.
func (q *Queue) delay(tries int) time.Duration {
	d := q.opts.RetryFirst
	for range tries - 1 {
		if d = 2 * d; d >= q.opts.RetryMost {
			return q.opts.RetryMost
		}
	}
	return d
}

// guarded runs the handler and keeps the task from others meanwhile. A panic is a failure like any
// other: a task that brings a handler down must not bring down every process in turn.
func (q *Queue) guarded(ctx context.Context, m jetstream.Msg, t docket.Task, handle func(context.Context, docket.Task) error) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		q.keep(ctx, m, cancel)
	}()
	defer func() {
		if r := recover(); r != nil {
			q.opts.Log.Error("a handler panicked", "kind", string(t.Kind), "case", t.Case, "panic", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("the handler panicked: %v", r)
		}
		if errors.Is(context.Cause(ctx), errLost) && err != nil {
			err = errors.Join(errLost, err)
		}
		cancel(nil)
		<-kept
	}()
	return handle(ctx, t)
}

// keep renews the hold on a task until ctx ends. When that does not succeed for as long as the
// server waits, the handler is stopped: somebody else may be at it.
func (q *Queue) keep(ctx context.Context, m jetstream.Msg, cancel context.CancelCauseFunc) {
	every := q.opts.AckWait / 3
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		// Before asking: the server also renews for someone who was stopped so long that another has
		// the task.
		if time.Since(renewed) > q.opts.AckWait {
			cancel(errLost)
			return
		}
		asked := time.Now()
		if q.tell(ctx, m, "+WPI", every) == nil {
			renewed = asked
		}
	}
}

// acknowledge settles a task and waits until the server knows, as long as nobody else can have it.
func (q *Queue) acknowledge(ctx context.Context, m jetstream.Msg) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.opts.AckWait)
	defer cancel()
	for {
		err := q.tell(ctx, m, "+ACK", attemptTimeout)
		if err == nil || ctx.Err() != nil || errors.Is(err, nats.ErrConnectionClosed) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(firstPause * 5):
		}
	}
}

// tell sends an acknowledgement and waits for the server's answer.
func (q *Queue) tell(ctx context.Context, m jetstream.Msg, what string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := q.conn.RequestWithContext(ctx, m.Reply(), []byte(what))
	return err
}
