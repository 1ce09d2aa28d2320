package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/remediator/remediator/remedy/docket"
)

// consume runs Consume until the test ends or stop is called, which waits for it.
func consume(t *testing.T, q *Queue, handle func(context.Context, docket.Task) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Consume(ctx, docket.CaseTask, 1, handle) }()
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, errClosed) {
				t.Errorf("Consume: %v", err)
			}
		case <-time.After(patience):
			t.Error("Consume does not end")
		}
	}
	t.Cleanup(stop)
	return stop
}

func publish(t *testing.T, q *Queue, id string) {
	t.Helper()
	if err := q.Publish(t.Context(), docket.Task{Kind: docket.CaseTask, ID: id, Case: id}); err != nil {
		t.Fatal(err)
	}
}

func letters(t *testing.T, q *Queue, n int) []docket.DeadLetter {
	t.Helper()
	var all []docket.DeadLetter
	until(t, fmt.Sprintf("%d dead letters", n), func() bool {
		var err error
		if all, err = q.DeadLetters(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(all) >= n
	})
	return all
}

func take[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

func TestATaskThatMakesTheHandlerPanic(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir(), Attempts: 2})
	done := make(chan string, 10)
	consume(t, q, func(_ context.Context, task docket.Task) error {
		if task.ID == "bomb" {
			panic("bomb")
		}
		done <- task.ID
		return nil
	})
	publish(t, q, "bomb")
	publish(t, q, "next")
	if got := take(t, done); got != "next" {
		t.Fatalf("got %q", got)
	}
	if l := letters(t, q, 1); !strings.Contains(l[0].Error, "panicked: bomb") || l[0].Tries != 2 {
		t.Fatalf("the letter is %+v", l)
	}
}

func TestATaskThatKillsEveryProcessIsGivenUp(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir(), Attempts: 2, Deaths: 2, AckWait: 50 * time.Millisecond})
	publish(t, q, "poison")
	for range 4 { // a process takes it and is never heard of again
		m, err := q.tasks[docket.CaseTask].consumer.Next()
		if err != nil {
			t.Fatal(err)
		}
		if meta, err := m.Metadata(); err != nil || meta.NumDelivered > 4 {
			t.Fatalf("delivery %+v, %v", meta, err)
		}
	}
	consume(t, q, func(_ context.Context, task docket.Task) error {
		t.Errorf("task %q was handled at attempt %d", task.ID, task.Attempt)
		return nil
	})
	if l := letters(t, q, 1); !strings.Contains(l[0].Error, "died or was stopped, 4 times") || l[0].Case != "poison" {
		t.Fatalf("the letter is %+v", l)
	}
}

func TestForgedTasksAreSetAside(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	forged := []string{"", "no line", "{\n", "[]\n", "\x28\xb5\x2f\xfdjunk", `{"id":1}` + "\n"}
	for _, f := range forged {
		m := nats.NewMsg(q.tasks[docket.CaseTask].now)
		m.Data = []byte(f)
		if _, err := q.publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, q, "true")
	done := make(chan string, 10)
	consume(t, q, func(_ context.Context, task docket.Task) error { done <- task.ID; return nil })
	if got := take(t, done); got != "true" {
		t.Fatalf("got %q", got)
	}
	for _, l := range letters(t, q, len(forged)) {
		if !strings.Contains(l.Error, "cannot be read") {
			t.Errorf("the letter is %+v", l)
		}
		if err := q.Bury(t.Context(), l.ID); err != nil {
			t.Error(err)
		}
	}
}

func TestForgedLettersAreShownAndBuried(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	for key, data := range map[string]string{"a": "{", "b": `{"id":"c"}`, "c": `{"id":"c","kind":"none"}`, "d": ""} {
		if _, err := q.letters.set(t.Context(), key, []byte(data), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range letters(t, q, 4) {
		if err := q.Revive(t.Context(), l.ID); err == nil || !strings.Contains(err.Error(), "bury it") {
			t.Errorf("reviving %+v: %v", l, err)
		}
		if err := q.Bury(t.Context(), l.ID); err != nil {
			t.Error(err)
		}
	}
}

func TestALongErrorIsCut(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir(), Attempts: 1})
	consume(t, q, func(context.Context, docket.Task) error { return errors.New(strings.Repeat("ä\xff", 1<<20)) })
	publish(t, q, "x")
	if l := letters(t, q, 1); len(l[0].Error) > longestError+10 || !strings.HasPrefix(l[0].Error, "ä") {
		t.Fatalf("the error has %d bytes", len(l[0].Error))
	}
}

func TestTheEndCutsOffWhoDoesNotEnd(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir(), Grace: 50 * time.Millisecond})
	began, causes := make(chan int, 10), make(chan error, 10)
	stop := consume(t, q, func(ctx context.Context, task docket.Task) error {
		began <- task.Attempt
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return ctx.Err()
	})
	publish(t, q, "long")
	take(t, began)
	stop()
	if got := take(t, causes); !errors.Is(got, errDraining) {
		t.Fatalf("it was stopped with %v", got)
	}
	// It is free at once, not when AckWait is over, and no failure.
	done := make(chan docket.Task, 1)
	consume(t, q, func(_ context.Context, task docket.Task) error { done <- task; return nil })
	if got := take(t, done); got.Attempt != 2 {
		t.Fatalf("attempt %d", got.Attempt)
	}
}

func TestCloseWaitsThenCutsOff(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	began, release := make(chan struct{}, 10), make(chan struct{})
	var finished atomic.Bool
	consume(t, q, func(ctx context.Context, task docket.Task) error {
		began <- struct{}{}
		if task.ID == "ends" {
			<-release
			finished.Store(ctx.Err() == nil)
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
	publish(t, q, "ends")
	take(t, began)
	close(release)
	publish(t, q, "never ends")
	take(t, began)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := q.Close(ctx); err == nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Close says %v, though it cut a handler off", err)
	}
	if !finished.Load() {
		t.Error("a handler that ended by itself was cut off")
	}
	if err := q.Publish(t.Context(), docket.Task{Kind: docket.CaseTask}); !errors.Is(err, errClosed) {
		t.Errorf("publishing on a closed queue: %v", err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if err := q.Consume(t.Context(), docket.CaseTask, 1, nil); !errors.Is(err, errClosed) {
		t.Errorf("consuming from a closed queue: %v", err)
	}
}

func TestAnUnknownKind(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	if err := q.Publish(t.Context(), docket.Task{Kind: "a.>"}); err == nil {
		t.Error("published")
	}
	if err := q.Consume(t.Context(), "a.>", 1, nil); err == nil {
		t.Error("consumed")
	}
	if err := q.Consume(t.Context(), docket.CaseTask, 0, nil); err == nil {
		t.Error("consumed by nobody")
	}
}

func TestDelaysDouble(t *testing.T) {
	q := &Queue{opts: Options{RetryFirst: 2 * time.Second, RetryMost: 5 * time.Minute}}
	for tries, want := range map[int]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 9: 5 * time.Minute, 1 << 20: 5 * time.Minute} {
		if got := q.delay(tries); got != want {
			t.Errorf("after %d failures %s, want %s", tries, got, want)
		}
	}
}

// TestDelayedTasksSurviveARestart also shows that a task whose time came while nothing ran is done.
func TestDelayedTasksSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Options{DataDir: dir})
	at := time.Now()
	for id, delay := range map[string]time.Duration{"soon": 10 * time.Millisecond, "later": 2 * time.Second, "much later": time.Hour} {
		if err := q.PublishAfter(t.Context(), docket.Task{Kind: docket.CaseTask, ID: id}, delay); err != nil {
			t.Fatal(err)
		}
	}
	closeNow(t, q)
	q = open(t, Options{DataDir: dir})
	done := make(chan string, 10)
	consume(t, q, func(_ context.Context, task docket.Task) error { done <- task.ID; return nil })
	if got := take(t, done); got != "soon" {
		t.Fatalf("got %q", got)
	}
	if got := take(t, done); got != "later" || time.Since(at) < 2*time.Second {
		t.Fatalf("got %q after %s", got, time.Since(at))
	}
	stats, err := q.Stats(t.Context())
	if err != nil || stats.Tasks[docket.CaseTask].Later != 1 {
		t.Fatalf("stats are %+v, %v", stats, err)
	}
}

func TestALostConnectionIsOutlived(t *testing.T) {
	s := shared(t, nil)
	q := open(t, Options{URL: s.ClientURL()})
	done := make(chan string, 100)
	consume(t, q, func(_ context.Context, task docket.Task) error { done <- task.ID; return nil })
	changes, err := q.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		id := fmt.Sprint(i)
		if err := q.conn.ForceReconnect(); err != nil {
			t.Fatal(err)
		}
		publish(t, q, id)
		if err := q.Put(t.Context(), record(id)); err != nil {
			t.Fatal(err)
		}
		if got := take(t, done); got != id {
			t.Fatalf("got %q, want %q", got, id)
		}
		if r := take(t, changes); r.Fingerprint != id {
			t.Fatalf("got %+v, want %s: a change was missed while the connection was away", r, id)
		}
	}
}

func TestCallersWaitUpToTheirContext(t *testing.T) {
	s := shared(t, nil)
	q := open(t, Options{URL: s.ClientURL()})
	s.Shutdown()
	s.WaitForShutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := q.Publish(ctx, docket.Task{Kind: docket.CaseTask})
	if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() == nil {
		t.Fatalf("got %v, context %v", err, ctx.Err())
	}
	if _, err := q.Health(t.Context()); err == nil {
		t.Fatal("a server that is away is healthy")
	}
}
