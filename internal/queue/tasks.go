package queue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/remediator/remediator/remedy/docket"
)

// Headers of scheduled messages, nats-server 2.12.
const (
	scheduleHeader = "Nats-Schedule"
	targetHeader   = "Nats-Schedule-Target"
)

// taskHead is the first line of a stored task; the body follows as it is.
type taskHead struct {
	ID   string `json:"id,omitempty"`
	Case string `json:"case,omitempty"`
}

// Publish stores a task durably.
func (q *Queue) Publish(ctx context.Context, t docket.Task) error {
	return q.send(ctx, t, time.Time{})
}

// PublishAfter stores a task that the server itself hands out when the delay is over; the clock is
// the server's.
func (q *Queue) PublishAfter(ctx context.Context, t docket.Task, delay time.Duration) error {
	if delay <= 0 {
		return q.send(ctx, t, time.Time{})
	}
	return q.send(ctx, t, time.Now().Add(delay))
}

func (q *Queue) send(ctx context.Context, t docket.Task, at time.Time) error {
	s, ok := q.tasks[t.Kind]
	if !ok {
		return fmt.Errorf("there are no tasks of kind %q", t.Kind)
	}
	data, err := encodeTask(t)
	if err == nil {
		data, err = q.packer.pack(data)
	}
	if err != nil {
		return fmt.Errorf("publishing a task: %w", err)
	}
	m := nats.NewMsg(s.now)
	m.Data = data
	if t.ID != "" {
		m.Header.Set(jetstream.MsgIDHeader, known(t.ID))
	}
	if !at.IsZero() {
		m.Subject = s.later + nuid.Next()
		m.Header.Set(scheduleHeader, "@at "+at.UTC().Format(time.RFC3339Nano))
		m.Header.Set(targetHeader, s.now)
	}
	if _, err := q.publish(ctx, m); err != nil {
		return fmt.Errorf("publishing a task of kind %s: %w", t.Kind, err)
	}
	return nil
}

// known makes a header out of a task's ID, whatever characters that has.
func known(id string) string {
	sum := sha256.Sum256([]byte(id))
	return "task-" + hex.EncodeToString(sum[:16])
}

func encodeTask(t docket.Task) ([]byte, error) {
	head, err := json.Marshal(taskHead{ID: t.ID, Case: t.Case})
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{head, t.Body}, []byte("\n")), nil
}

func decodeTask(kind docket.TaskKind, data []byte) (docket.Task, error) {
	head, body, ok := bytes.Cut(data, []byte("\n"))
	if !ok {
		return docket.Task{}, errors.New("the task has no first line")
	}
	var h taskHead
	if err := json.Unmarshal(head, &h); err != nil {
		return docket.Task{}, fmt.Errorf("the task's first line: %w", err)
	}
	if len(body) == 0 {
		body = nil
	}
	return docket.Task{Kind: kind, ID: h.ID, Case: h.Case, Body: body}, nil
}
