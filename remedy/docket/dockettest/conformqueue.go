package dockettest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

var errHandler = errors.New("the handler's own error")

var queueTests = map[string]func(*testing.T, Backend){
	"a task comes as it was sent, once": func(t *testing.T, b Backend) {
		tasks := []docket.Task{
			{Kind: docket.AlertTask, ID: "1", Case: "aa", Body: []byte("{}\n\nlines\x00")},
			{Kind: docket.AlertTask, Case: "with\nlines\r\nand: colons"},
			{Kind: docket.AlertTask, ID: "ü \n*.>", Body: []byte(strings.Repeat("large ", 50_000))},
		}
		for _, task := range tasks {
			check(t, b.Queue.Publish(t.Context(), task))
		}
		got := make(chan docket.Task, 10)
		consume(t, b.Queue, docket.AlertTask, 1, func(_ context.Context, task docket.Task) error { got <- task; return nil })
		for range tasks {
			task := receive(t, got, "a task")
			if task.Attempt != 1 {
				t.Errorf("attempt %d at the first delivery", task.Attempt)
			}
			task.Attempt = 0
			found := false
			for _, want := range tasks {
				found = found || reflect.DeepEqual(task, want)
			}
			if !found {
				t.Errorf("got %.200q, which nobody sent", fmt.Sprint(task))
			}
		}
		marker(t, b, docket.AlertTask)
		for range 1 {
			if task := receive(t, got, "the marker"); task.Case != "marker" {
				t.Fatalf("task %q came twice", task.ID)
			}
		}
	},
	"kinds do not mix": func(t *testing.T, b Backend) {
		got := make(chan docket.Task, 10)
		for _, kind := range []docket.TaskKind{docket.AlertTask, docket.CaseTask, docket.EventTask} {
			check(t, b.Queue.Publish(t.Context(), docket.Task{Kind: kind, ID: "same", Case: string(kind)}))
			consume(t, b.Queue, kind, 1, func(_ context.Context, task docket.Task) error { got <- task; return nil })
		}
		for range 3 {
			if task := receive(t, got, "a task"); string(task.Kind) != task.Case {
				t.Fatalf("a task of kind %s came as %s", task.Case, task.Kind)
			}
		}
	},
	"the same ID is no second task": func(t *testing.T, b Backend) {
		got := make(chan docket.Task, 10)
		for range 3 {
			check(t, b.Queue.Publish(t.Context(), docket.Task{Kind: docket.CaseTask, ID: "x"}))
		}
		consume(t, b.Queue, docket.CaseTask, 1, func(_ context.Context, task docket.Task) error { got <- task; return nil })
		receive(t, got, "the task")
		check(t, b.Queue.Publish(t.Context(), docket.Task{Kind: docket.CaseTask, ID: "x"}))
		check(t, b.Queue.PublishAfter(t.Context(), docket.Task{Kind: docket.CaseTask, ID: "x"}, time.Millisecond))
		for range 2 { // without an ID there are as many as were sent
			check(t, b.Queue.Publish(t.Context(), docket.Task{Kind: docket.CaseTask, Case: "none"}))
			if task := receive(t, got, "a task without ID"); task.Case != "none" {
				t.Fatalf("task %q came again", task.ID)
			}
		}
	},
	"not before its time": func(t *testing.T, b Backend) {
		const delay = 1200 * time.Millisecond
		got := make(chan docket.Task, 10)
		consume(t, b.Queue, docket.CaseTask, 1, func(_ context.Context, task docket.Task) error { got <- task; return nil })
		sent := time.Now()
		want := docket.Task{Kind: docket.CaseTask, ID: "later", Case: "aa", Body: []byte("body"), Attempt: 1}
		check(t, b.Queue.PublishAfter(t.Context(), want, delay))
		check(t, b.Queue.PublishAfter(t.Context(), docket.Task{Kind: docket.CaseTask, Case: "now"}, 0))
		if task := receive(t, got, "the task without delay"); task.Case != "now" {
			t.Fatal("the delayed task came first")
		}
		task := receive(t, got, "the delayed task")
		if passed := time.Since(sent); passed < delay {
			t.Fatalf("it came after %s, want at least %s", passed, delay)
		}
		if !reflect.DeepEqual(task, want) {
			t.Fatalf("got %+v, want %+v", task, want)
		}
	},
	"what fails comes again, then is a dead letter": func(t *testing.T, b Backend) {
		attempts := make(chan int, 100)
		consume(t, b.Queue, docket.CaseTask, 2, func(_ context.Context, task docket.Task) error {
			attempts <- task.Attempt
			if task.Case == "revived" {
				return nil
			}
			return errHandler
		})
		check(t, b.Queue.Publish(t.Context(), docket.Task{Kind: docket.CaseTask, ID: "x", Case: "aa", Body: []byte("b")}))
		for want := 1; want <= b.Tries; want++ {
			if got := receive(t, attempts, "an attempt"); got != want {
				t.Fatalf("attempt %d, want %d", got, want)
			}
		}
		letter := oneLetter(t, b.Queue)
		if letter.Kind != docket.CaseTask || letter.Case != "aa" || letter.Tries != b.Tries || !strings.Contains(letter.Error, errHandler.Error()) || letter.At.IsZero() {
			t.Fatalf("the letter is %+v", letter)
		}
		// Back to work it has all its attempts, and fails once more.
		check(t, b.Queue.Revive(t.Context(), letter.ID))
		for want := 1; want <= b.Tries; want++ {
			if got := receive(t, attempts, "an attempt after the revival"); got != want {
				t.Fatalf("attempt %d after the revival, want %d", got, want)
			}
		}
		letter = oneLetter(t, b.Queue)
		check(t, b.Queue.Bury(t.Context(), letter.ID))
		noLetters(t, b.Queue)
		wantError(t, b.Queue.Bury(t.Context(), letter.ID), docket.ErrNotFound)
		wantError(t, b.Queue.Revive(t.Context(), letter.ID), docket.ErrNotFound)
	},
	"a revived task is done": func(t *testing.T, b Backend) {
		var mended atomic.Bool
		done := make(chan docket.Task, 10)
		consume(t, b.Queue, docket.EventTask, 1, func(_ context.Context, task docket.Task) error {
			if !mended.Load() {
				return errHandler
			}
			done <- task
			return nil
		})
		want := docket.Task{Kind: docket.EventTask, ID: "x", Case: "aa", Body: []byte("b"), Attempt: 1}
		check(t, b.Queue.Publish(t.Context(), want))
		letter := oneLetter(t, b.Queue)
		mended.Store(true)
		check(t, b.Queue.Revive(t.Context(), letter.ID))
		if got := receive(t, done, "the revived task"); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		noLetters(t, b.Queue)
	},
	"at most n at a time": func(t *testing.T, b Backend) {
		const n, tasks = 3, 20
		var now, most atomic.Int32
		var done sync.WaitGroup
		done.Add(tasks)
		full := make(chan struct{})
		var once sync.Once
		consume(t, b.Queue, docket.CaseTask, n, func(context.Context, docket.Task) error {
			defer done.Done()
			running := now.Add(1)
			defer now.Add(-1)
			for old := most.Load(); running > old && !most.CompareAndSwap(old, running); old = most.Load() {
			}
			if running >= n {
				once.Do(func() { close(full) })
			}
			select { // all hands have to be busy once before anyone is done
			case <-full:
			case <-time.After(patience):
			}
			return nil
		})
		for range tasks {
			check(t, b.Queue.Publish(t.Context(), docket.Task{Kind: docket.CaseTask}))
		}
		done.Wait()
		if got := most.Load(); got != n {
			t.Fatalf("%d ran at a time, want %d", got, n)
		}
	},
	"the end waits for those that run": func(t *testing.T, b Backend) {
		started, release := make(chan struct{}, 1), make(chan struct{})
		var handled tally
		c := consume(t, b.Queue, docket.CaseTask, 1, func(_ context.Context, task docket.Task) error {
			handled.add(task.ID)
			started <- struct{}{}
			<-release
			return nil
		})
		check(t, b.Queue.Publish(t.Context(), docket.Task{Kind: docket.CaseTask, ID: "a"}))
		receive(t, started, "the handler's start")
		check(t, b.Queue.Publish(t.Context(), docket.Task{Kind: docket.CaseTask, ID: "b"}))
		c.cancel()
		select {
		case <-c.ended:
			t.Fatal("Consume returned while a handler ran")
		default:
		}
		close(release)
		c.stop(t)
		if handled.of("b") != 0 {
			t.Fatal("a task was begun after the end")
		}
		again := make(chan docket.Task, 10)
		consume(t, b.Queue, docket.CaseTask, 1, func(_ context.Context, task docket.Task) error { again <- task; return nil })
		if task := receive(t, again, "the task that nobody began"); task.ID != "b" {
			t.Fatalf("got task %q, which was done", task.ID)
		}
	},
	"many senders, many hands, each task done": func(t *testing.T, b Backend) {
		const senders, each = 4, 50
		var handled tally
		for range 2 {
			consume(t, b.Queue, docket.AlertTask, 2, func(_ context.Context, task docket.Task) error {
				if handled.add(task.ID) == 1 && strings.HasSuffix(task.ID, "7") {
					return errHandler // comes again
				}
				return nil
			})
		}
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for i := range each {
					if err := b.Queue.Publish(t.Context(), docket.Task{Kind: docket.AlertTask, ID: fmt.Sprintf("%d/%d", s, i)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		until(t, "all tasks", func() bool {
			for s := range senders {
				for i := range each {
					want := 1
					if i%10 == 7 {
						want = 2
					}
					if handled.of(fmt.Sprintf("%d/%d", s, i)) < want {
						return false
					}
				}
			}
			return true
		})
		for s := range senders {
			for i := range each {
				if n := handled.of(fmt.Sprintf("%d/%d", s, i)); i%10 != 7 && n != 1 {
					t.Errorf("task %d/%d was done %d times while nobody died", s, i, n)
				}
			}
		}
		noLetters(t, b.Queue)
	},
}

// marker sends a task that comes after all before it.
func marker(t *testing.T, b Backend, kind docket.TaskKind) {
	t.Helper()
	check(t, b.Queue.Publish(t.Context(), docket.Task{Kind: kind, Case: "marker"}))
}

// oneLetter waits for the one dead letter.
func oneLetter(t *testing.T, q docket.Queue) docket.DeadLetter {
	t.Helper()
	var letters []docket.DeadLetter
	until(t, "a dead letter", func() bool {
		var err error
		letters, err = q.DeadLetters(t.Context())
		check(t, err)
		return len(letters) > 0
	})
	if len(letters) != 1 {
		t.Fatalf("there are %d dead letters, want 1: %+v", len(letters), letters)
	}
	return letters[0]
}

func noLetters(t *testing.T, q docket.Queue) {
	t.Helper()
	letters, err := q.DeadLetters(t.Context())
	check(t, err)
	if len(letters) != 0 {
		t.Fatalf("there are dead letters: %+v", letters)
	}
}
