package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/remediator/remediator/remedy/docket"
)

// layout is the version of names, subjects and stored forms. A server whose streams carry a later
// one belongs to a later version of the program.
const (
	layout    = 1
	layoutKey = "remediator.layout"
)

// markerAge is how long a deleted key leaves a trace, for those who watch and were away.
const markerAge = time.Hour

// kinds are the tasks there are.
var kinds = []docket.TaskKind{docket.AlertTask, docket.CaseTask, docket.EventTask}

// taskStream is the work of one kind.
type taskStream struct {
	stream   jetstream.Stream
	consumer jetstream.Consumer
	now      string // subject of tasks to be done
	later    string // prefix of the subjects on which tasks wait for their time
}

// layOut creates or updates all streams. Any number of processes may do so at once.
func (q *Queue) layOut(ctx context.Context) (err error) {
	if _, err := again(ctx, q, q.js.AccountInfo); err != nil {
		return fmt.Errorf("JetStream is not to be had: %w; start nats-server with -js, and let the account use it", err)
	}
	if q.opts.Replicas == 0 {
		q.opts.Replicas = 1
		if q.conn.ConnectedClusterName() != "" {
			q.opts.Replicas = 3
		}
	}
	p := q.opts.Prefix
	if q.records, err = q.openTable(ctx, p+"-cases", "cases of remediator"); err != nil {
		return err
	}
	if q.claims, err = q.openTable(ctx, p+"-claims", "who owns which cause, deliveries seen"); err != nil {
		return err
	}
	if q.letters, err = q.openTable(ctx, p+"-dead", "tasks that were given up"); err != nil {
		return err
	}
	if q.files, err = q.openStream(ctx, filesConfig(p)); err != nil {
		return err
	}
	if q.telemetry, err = q.openStream(ctx, telemetryConfig(q.opts)); err != nil {
		return err
	}
	q.tasks = map[docket.TaskKind]taskStream{}
	for _, kind := range kinds {
		t := taskStream{now: p + ".tasks." + string(kind) + ".now", later: p + ".tasks." + string(kind) + ".later."}
		t.stream, err = q.openStream(ctx, jetstream.StreamConfig{
			Name:              p + "-tasks-" + string(kind),
			Description:       "tasks of kind " + string(kind),
			Subjects:          []string{t.now, t.later + "*"},
			Retention:         jetstream.WorkQueuePolicy,
			Duplicates:        q.opts.Known,
			AllowMsgSchedules: true,
			// The scheduler removes a waiting task by rolling its subject up.
			AllowRollup: true,
		})
		if err != nil {
			return err
		}
		t.consumer, err = again(ctx, q, func(ctx context.Context) (jetstream.Consumer, error) {
			return t.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
				Durable:       "workers",
				FilterSubject: t.now,
				AckPolicy:     jetstream.AckExplicitPolicy,
				AckWait:       q.opts.AckWait,
				MaxDeliver:    -1, // the attempts are counted by whoever handles, who can say what went wrong
				MaxAckPending: 10_000,
			})
		})
		if err != nil {
			return fmt.Errorf("the consumer of %s tasks: %w", kind, err)
		}
		q.tasks[kind] = t
	}
	return nil
}

// openStream makes a stream be as configured.
func (q *Queue) openStream(ctx context.Context, c jetstream.StreamConfig) (jetstream.Stream, error) {
	c.Storage = jetstream.FileStorage
	c.Replicas = q.opts.Replicas
	c.Metadata = map[string]string{layoutKey: strconv.Itoa(layout)}
	if q.server == nil && c.PersistMode == jetstream.AsyncPersistMode {
		// A cluster decides for itself when it syncs, and replicated streams do not take the mode.
		c.PersistMode = jetstream.DefaultPersistMode
	}
	s, err := again(ctx, q, func(ctx context.Context) (jetstream.Stream, error) {
		there, err := q.js.Stream(ctx, c.Name)
		if err == nil {
			stored := there.CachedInfo().Config
			if v, ok := stored.Metadata[layoutKey]; ok {
				if n, err := strconv.Atoi(v); err != nil || n > layout {
					return nil, fmt.Errorf("it was made by a later version of remediator (layout %q, this one knows %d): upgrade, or use another prefix", v, layout)
				}
			}
			// How a single server persists is fixed when the stream is made.
			c.PersistMode = stored.PersistMode
		} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, err
		}
		return q.js.CreateOrUpdateStream(ctx, c)
	})
	var api *jetstream.APIError
	switch {
	case err == nil:
		return s, nil
	case errors.As(err, &api) && (api.ErrorCode == errNoPeers || api.ErrorCode == errNotClustered):
		return nil, fmt.Errorf("stream %s with %d replicas: %w; set nats.replicas to at most the number of servers with JetStream", c.Name, c.Replicas, err)
	case errors.As(err, &api) && api.ErrorCode == errNoStorage:
		return nil, fmt.Errorf("stream %s of %d MiB: %w; keep less telemetry, or give the servers more room", c.Name, max(c.MaxBytes, 0)>>20, err)
	case errors.As(err, &api) && api.ErrorCode == errInvalidConfig:
		return nil, fmt.Errorf("stream %s is there in another form: %w; use another prefix, or delete it if nothing needs it", c.Name, err)
	default:
		return nil, fmt.Errorf("stream %s: %w", c.Name, err)
	}
}

// Error codes of the server that the client does not name.
const (
	errNoPeers         jetstream.ErrorCode = 10005 // no suitable peers for placement
	errNotClustered    jetstream.ErrorCode = 10074 // replicas > 1 not supported in non-clustered mode
	errInvalidConfig   jetstream.ErrorCode = 10052
	errClusterNoLeader jetstream.ErrorCode = 10008 // system temporarily unavailable
	errClusterNotReady jetstream.ErrorCode = 10009
	errNoStorage       jetstream.ErrorCode = 10047 // storage resources exceeded
	errInsufficient    jetstream.ErrorCode = 10023
	errStoreFailed     jetstream.ErrorCode = 10077
)
