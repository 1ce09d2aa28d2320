package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/remediator/remediator/remedy/docket"
)

// Queue is the state of the service. It is a [docket.Store], [docket.Claims], [docket.Blobs] and
// [docket.Queue], and the log of telemetry. All methods may be called at the same time; all of
// them outlive the loss of the connection and wait for its return as long as their context lasts.
type Queue struct {
	opts   Options
	server *embedded // nil on an existing cluster
	conn   *nats.Conn
	js     jetstream.JetStream

	records   *table
	claims    *table
	letters   *table
	files     jetstream.Stream
	telemetry jetstream.Stream
	tasks     map[docket.TaskKind]taskStream

	packer  packer
	damaged atomic.Int64 // records that the last List could not read
	failing atomic.Bool  // the last write failed

	closing chan struct{} // closed when no further task is to be begun
	once    sync.Once
	door    sync.Mutex     // between entering Consume and closing
	busy    sync.WaitGroup // calls of Consume
	tidying sync.WaitGroup // clean
	abort   chan struct{}  // closed when handlers have to give up
}

var (
	_ docket.Store  = (*Queue)(nil)
	_ docket.Claims = (*Queue)(nil)
	_ docket.Blobs  = (*Queue)(nil)
	_ docket.Queue  = (*Queue)(nil)
)

// Open starts the embedded server or connects to the cluster and makes sure that all streams and
// buckets are there as this version needs them.
func Open(ctx context.Context, opts Options) (_ *Queue, err error) {
	opts, err = opts.complete()
	if err != nil {
		return nil, err
	}
	q := &Queue{opts: opts, closing: make(chan struct{}), abort: make(chan struct{})}
	defer func() {
		if err != nil {
			q.disconnect()
		}
	}()
	if opts.DataDir != "" {
		if q.server, err = startEmbedded(opts); err != nil {
			return nil, err
		}
		// The server sets aside what a bounded stream may need.
		q.opts.TelemetryBytes = min(q.opts.TelemetryBytes, q.server.limit/2)
	}
	if q.conn, err = connect(ctx, opts, q.server); err != nil {
		return nil, err
	}
	if q.js, err = jetstream.New(q.conn); err != nil {
		return nil, err
	}
	if err := q.layOut(ctx); err != nil {
		return nil, err
	}
	q.tidying.Go(q.clean)
	return q, nil
}

// cleanEvery is how often the remains of broken writes are looked for.
const cleanEvery = 6 * time.Hour

// clean removes such remains at the start, after which a crash is most likely, and from time to
// time, since other processes may have crashed.
func (q *Queue) clean() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-q.closing
		cancel()
	}()
	for {
		if err := q.compact(ctx, time.Now()); err != nil && ctx.Err() == nil {
			q.opts.Log.Warn("the remains of broken writes stay for now", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(cleanEvery):
		}
	}
}

// Close begins no further task, waits for the handlers that run until ctx ends, then ends their
// contexts too, and shuts the connection and the embedded server.
func (q *Queue) Close(ctx context.Context) error {
	var err error
	q.once.Do(func() {
		q.door.Lock()
		close(q.closing)
		q.door.Unlock()
		idle := make(chan struct{})
		go func() { q.busy.Wait(); close(idle) }()
		select {
		case <-idle:
		case <-ctx.Done():
			select {
			case <-idle:
			default:
				close(q.abort)
				<-idle
				err = fmt.Errorf("handlers were cut off: %w", context.Cause(ctx))
			}
		}
		q.tidying.Wait()
		if e := q.conn.FlushTimeout(q.opts.AckWait); e != nil && !errors.Is(e, nats.ErrConnectionClosed) {
			q.opts.Log.Warn("the last acknowledgements may be lost, so that tasks are done twice", "error", e)
		}
		q.disconnect()
	})
	return err
}

func (q *Queue) disconnect() {
	if q.conn != nil {
		q.conn.Close()
	}
	if q.server != nil {
		q.server.stop()
	}
}
