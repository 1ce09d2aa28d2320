package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/remediator/remediator/remedy/docket"
)

const (
	// nearlyFull is the share of the storage from which somebody should be told.
	nearlyFull = 0.9
	// littleDisk is how much has to be free on an embedded server's disk.
	littleDisk = 256 << 20
	// healthTimeout is how long a healthy server may take to answer.
	healthTimeout = 2 * time.Second
)

// Health says how the storage is.
type Health struct {
	Used  int64 // bytes
	Limit int64 // bytes; 0 means none that is known
	Free  int64 // bytes free on an embedded server's disk
	// NearlyFull says why, "" when there is room.
	NearlyFull string
}

// Health asks the server. An error means that nothing can be stored now.
func (q *Queue) Health(ctx context.Context) (Health, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if q.server != nil {
		if err := q.server.broken(); err != nil {
			return Health{NearlyFull: "the disk is full"}, err
		}
	}
	account, err := q.js.AccountInfo(ctx)
	if err != nil {
		return Health{}, fmt.Errorf("JetStream does not answer: %w", err)
	}
	// The account answers from any server; the stream tells whether its leader is there.
	if _, err := q.records.stream.Info(ctx); err != nil {
		return Health{}, fmt.Errorf("the stream of cases does not answer: %w", err)
	}
	h := Health{Used: int64(account.Store), Limit: max(account.Limits.MaxStore, 0)}
	if q.server != nil {
		h.Limit = q.server.limit
		if h.Free, err = diskFree(q.server.dir); err != nil {
			return h, fmt.Errorf("the data directory cannot be looked at: %w", err)
		}
		if h.Free < littleDisk {
			h.NearlyFull = fmt.Sprintf("%d MiB are free on the disk of %s", h.Free>>20, q.server.dir)
		}
	}
	if h.Limit > 0 && float64(h.Used) > nearlyFull*float64(h.Limit) {
		h.NearlyFull = fmt.Sprintf("%d of %d MiB of the storage are used", h.Used>>20, h.Limit>>20)
	}
	if q.failing.Load() {
		// Whether it still does is found out by writing: the trace of a deletion, which nobody lists.
		m := nats.NewMsg(q.claims.prefix + "probe")
		markDeleted(m)
		if _, err := q.publish(ctx, m); err != nil {
			return h, fmt.Errorf("nothing can be written: %w", err)
		}
	}
	return h, nil
}

// Stats are figures for metrics.
type Stats struct {
	Tasks       map[docket.TaskKind]TaskStats
	DeadLetters int
	Cases       int
	Damaged     int              // cases that the last List could not read
	Bytes       map[string]int64 // by "cases", "claims", "dead", "files", "telemetry", "tasks"
	Oldest      time.Time        // arrival of the oldest telemetry, zero when there is none
}

// TaskStats are figures of one kind.
type TaskStats struct {
	Waiting int // to be handed out
	Taken   int // being handled, or failed and waiting for the next attempt
	Later   int // waiting for their time
}

// Stats asks the server.
func (q *Queue) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Tasks: map[docket.TaskKind]TaskStats{}, Damaged: int(q.damaged.Load()), Bytes: map[string]int64{}}
	for name, stream := range map[string]jetstream.Stream{
		"cases": q.records.stream, "claims": q.claims.stream, "dead": q.letters.stream, "files": q.files, "telemetry": q.telemetry,
	} {
		info, err := stream.Info(ctx)
		if err != nil {
			return s, fmt.Errorf("asking for the size of %s: %w", name, err)
		}
		s.Bytes[name] = int64(info.State.Bytes)
		if name == "telemetry" && info.State.Msgs > 0 {
			s.Oldest = info.State.FirstTime
		}
	}
	for kind, t := range q.tasks {
		info, err := t.stream.Info(ctx)
		if err != nil {
			return s, fmt.Errorf("asking for %s tasks: %w", kind, err)
		}
		c, err := t.consumer.Info(ctx)
		if err != nil {
			return s, fmt.Errorf("asking for %s tasks: %w", kind, err)
		}
		s.Bytes["tasks"] += int64(info.State.Bytes)
		waiting, taken := int(c.NumPending), c.NumAckPending
		// Asked one after the other, so that they may not add up.
		s.Tasks[kind] = TaskStats{Waiting: waiting, Taken: taken, Later: max(0, int(info.State.Msgs)-waiting-taken)}
	}
	for _, count := range []struct {
		of *table
		n  *int
	}{{q.letters, &s.DeadLetters}, {q.records, &s.Cases}} {
		if err := count.of.list(ctx, true, func(value) { *count.n++ }); err != nil {
			return s, err
		}
	}
	return s, nil
}
