package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/remediator/remediator/remedy/docket"
)

// shared is a server that processes connect to.
func shared(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(),
		NoSigs: true, NoLog: true, DisableJetStreamBanner: true,
	}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server does not start")
	}
	return s
}

// brief is the AckWait of tests that wait for it to pass.
const brief = 600 * time.Millisecond

// worker handles case tasks from a server until it is killed. Its arguments are the address and
// what to do with a task at its first delivery: "done", or "hang".
func worker(ctx context.Context, args []string) error {
	q, err := Open(ctx, Options{URL: args[0], AckWait: brief, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return q.Consume(ctx, docket.CaseTask, 1, func(ctx context.Context, t docket.Task) error {
		fmt.Println("began", t.ID, t.Attempt)
		if t.Attempt == 1 && args[1] == "hang" {
			<-ctx.Done()
			fmt.Println("stopped", t.ID, context.Cause(ctx))
			return ctx.Err()
		}
		if args[1] == "done" {
			time.Sleep(2 * time.Millisecond) // something to do, so that one process alone cannot keep up
		}
		fmt.Println("did", t.ID)
		return nil
	})
}

func TestTwoProcessesShareTheWork(t *testing.T) {
	t.Parallel()
	s := shared(t, nil)
	a, b := start(t, "worker", s.ClientURL(), "done"), start(t, "worker", s.ClientURL(), "done")
	a.await(t, "ready")
	b.await(t, "ready")
	q := open(t, Options{URL: s.ClientURL(), AckWait: brief})
	const tasks = 300
	for i := range tasks {
		if err := q.Publish(t.Context(), docket.Task{Kind: docket.CaseTask, ID: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all tasks", func() bool { return len(a.said("did"))+len(b.said("did")) >= tasks })
	until(t, "an empty queue", func() bool {
		stats, err := q.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stats.Tasks[docket.CaseTask] == TaskStats{}
	})
	done := map[string]int{}
	for _, id := range append(a.said("did"), b.said("did")...) {
		done[id]++
		if done[id] > 1 {
			t.Errorf("task %s was done %d times while both were alive", id, done[id])
		}
	}
	if len(done) != tasks || len(a.said("did")) == 0 || len(b.said("did")) == 0 {
		t.Fatalf("of %d tasks one did %d and the other %d", tasks, len(a.said("did")), len(b.said("did")))
	}
}

// holding starts two processes of which one has begun a task and hangs.
func holding(t *testing.T) (holds, other *child) {
	t.Helper()
	s := shared(t, nil)
	a, b := start(t, "worker", s.ClientURL(), "hang"), start(t, "worker", s.ClientURL(), "hang")
	a.await(t, "ready")
	b.await(t, "ready")
	q := open(t, Options{URL: s.ClientURL(), AckWait: brief})
	if err := q.Publish(t.Context(), docket.Task{Kind: docket.CaseTask, ID: "x"}); err != nil {
		t.Fatal(err)
	}
	until(t, "somebody to begin", func() bool { return len(a.said("began"))+len(b.said("began")) > 0 })
	if len(b.said("began")) > 0 {
		a, b = b, a
	}
	// As long as it lives the task is its own, longer than the server would wait.
	time.Sleep(3 * brief)
	if len(b.said("began")) > 0 {
		t.Fatal("the task went to another process while the first was at it")
	}
	return a, b
}

func TestTheTaskOfAKilledProcessGoesToAnother(t *testing.T) {
	t.Parallel()
	holds, other := holding(t)
	holds.kill()
	if got := other.await(t, "began"); got != "x 2" {
		t.Fatalf("the other began %q, want the second attempt at x", got)
	}
	other.await(t, "did")
}

func TestAProcessThatWasFrozenLetsGo(t *testing.T) {
	t.Parallel()
	holds, other := holding(t)
	if err := holds.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	other.await(t, "did")
	if err := holds.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if got := holds.await(t, "stopped"); !strings.Contains(got, errLost.Error()) {
		t.Fatalf("its handler was stopped with %q", got)
	}
}
