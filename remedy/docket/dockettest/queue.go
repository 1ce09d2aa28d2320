package dockettest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

// queue holds the tasks of all kinds in the order of their publication.
type queue struct {
	tasks   []*task
	seen    map[string]bool // IDs within the window, which here is for ever
	letters []letter
	n       int
	changed chan struct{}
}

type task struct {
	docket.Task
	due     time.Time
	running bool
}

type letter struct {
	docket.DeadLetter
	task docket.Task
}

func newQueue() queue { return queue{seen: map[string]bool{}, changed: make(chan struct{})} }

// wake is called with the memory locked.
func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Publish implements [docket.Queue].
func (v *View) Publish(ctx context.Context, t docket.Task) error { return v.PublishAfter(ctx, t, 0) }

// PublishAfter implements [docket.Queue].
func (v *View) PublishAfter(ctx context.Context, t docket.Task, delay time.Duration) error {
	return v.write(ctx, "publish "+string(t.Kind), func() error {
		q := &v.m.queue
		if t.ID != "" {
			if q.seen[string(t.Kind)+t.ID] {
				return nil
			}
			q.seen[string(t.Kind)+t.ID] = true
		}
		t.Attempt = 0
		t.Body = slices.Clone(t.Body)
		q.tasks = append(q.tasks, &task{Task: t, due: v.m.now().Add(delay)})
		q.wake()
		return nil
	})
}

// take gives the first task that is due to somebody; wait says when the next one is.
func (m *Memory) take(kind docket.TaskKind) (t *task, changed <-chan struct{}, wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	wait = -1
	for _, t := range m.queue.tasks {
		if t.running || kind != "" && t.Kind != kind {
			continue
		}
		if d := t.due.Sub(now); d > 0 {
			if wait < 0 || d < wait {
				wait = d
			}
			continue
		}
		t.running = true
		t.Attempt++
		return t, nil, 0
	}
	return nil, m.queue.changed, wait
}

// settle takes the task off the queue or puts it back. An answer of a dead process is none.
func (v *View) settle(t *task, failed error) {
	err := v.p.step("ack", func() error {
		v.m.mu.Lock()
		defer v.m.mu.Unlock()
		q := &v.m.queue
		switch {
		case failed == nil:
			q.tasks = slices.DeleteFunc(q.tasks, func(o *task) bool { return o == t })
		case t.Attempt >= v.m.Tries:
			q.tasks = slices.DeleteFunc(q.tasks, func(o *task) bool { return o == t })
			q.n++
			q.letters = append(q.letters, letter{docket.DeadLetter{ID: strconv.Itoa(q.n), Kind: t.Kind, Case: t.Case, At: v.m.now(), Error: failed.Error(), Tries: t.Attempt}, t.Task})
		default:
			t.running = false
			t.due = v.m.now().Add(v.m.Backoff << (t.Attempt - 1))
		}
		q.wake()
		return nil
	})
	if err != nil {
		v.m.mu.Lock()
		defer v.m.mu.Unlock()
		if slices.Contains(v.m.queue.tasks, t) {
			t.running = false
			v.m.queue.wake()
		}
	}
}

// Consume implements [docket.Queue].
func (v *View) Consume(ctx context.Context, kind docket.TaskKind, n int, handle func(context.Context, docket.Task) error) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, max(n, 1))
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		t, err := v.next(ctx, kind)
		if err != nil {
			return err
		}
		wg.Go(func() {
			defer func() { <-slots }()
			v.settle(t, handle(ctx, t.Task))
		})
	}
}

// next waits for a task that is due.
func (v *View) next(ctx context.Context, kind docket.TaskKind) (*task, error) {
	for {
		if err := errors.Join(ctx.Err(), v.p.alive()); err != nil {
			return nil, err
		}
		var moved <-chan struct{}
		if v.m.clock != nil {
			moved = v.m.clock.Changed()
		}
		t, changed, wait := v.m.take(kind)
		if t != nil {
			return t, nil
		}
		var timer <-chan time.Time
		if v.m.clock == nil && wait >= 0 {
			timer = time.After(wait)
		}
		select {
		case <-changed:
		case <-moved:
		case <-timer:
		case <-ctx.Done():
		}
	}
}

// Drain handles all tasks that are due, one after the other, until none is or the process is dead. It
// returns how many it handled.
func (v *View) Drain(ctx context.Context, handle func(context.Context, docket.Task) error) int {
	for n := 0; ; n++ {
		if v.p.alive() != nil || ctx.Err() != nil {
			return n
		}
		t, _, _ := v.m.take("")
		if t == nil {
			return n
		}
		v.settle(t, handle(ctx, t.Task))
	}
}

// NextDue is how long it is until a task that waits is due; ok is false when none waits.
func (m *Memory) NextDue() (wait time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for _, t := range m.queue.tasks {
		if d := max(t.due.Sub(now), 0); !t.running && (!ok || d < wait) {
			wait, ok = d, true
		}
	}
	return wait, ok
}

// DeadLetters implements [docket.Queue].
func (v *View) DeadLetters(ctx context.Context) (out []docket.DeadLetter, err error) {
	err = v.read(ctx, func() error {
		for _, l := range v.m.queue.letters {
			out = append(out, l.DeadLetter)
		}
		return nil
	})
	return out, err
}

// Revive implements [docket.Queue].
func (v *View) Revive(ctx context.Context, id string) error {
	return v.write(ctx, "revive", func() error {
		l, err := v.m.queue.forget(id)
		if err != nil {
			return err
		}
		l.task.Attempt = 0
		v.m.queue.tasks = append(v.m.queue.tasks, &task{Task: l.task, due: v.m.now()})
		v.m.queue.wake()
		return nil
	})
}

// Bury implements [docket.Queue].
func (v *View) Bury(ctx context.Context, id string) error {
	return v.write(ctx, "bury", func() error {
		_, err := v.m.queue.forget(id)
		return err
	})
}

func (q *queue) forget(id string) (letter, error) {
	i := slices.IndexFunc(q.letters, func(l letter) bool { return l.ID == id })
	if i < 0 {
		return letter{}, fmt.Errorf("dead letter %s: %w", id, docket.ErrNotFound)
	}
	l := q.letters[i]
	q.letters = slices.Delete(q.letters, i, i+1)
	return l, nil
}
