package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

// churn publishes, handles, counts and stores as fast as it can, and says what was acknowledged.
// Its arguments are a data directory and the number of the round.
func churn(ctx context.Context, args []string) error {
	q, err := Open(ctx, Options{DataDir: args[0], RetryFirst: time.Millisecond, RetryMost: 5 * time.Millisecond, AckWait: time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	failed := make(chan error, 10)
	for worker := range 2 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", args[1], worker, i)
				if err := q.Publish(ctx, docket.Task{Kind: docket.CaseTask, ID: id, Case: id}); err != nil {
					failed <- err
				}
				fmt.Println("published", id)
			}
		}()
	}
	go func() {
		failed <- q.Consume(ctx, docket.CaseTask, 2, func(_ context.Context, t docket.Task) error {
			fmt.Println("handled", t.ID)
			return nil
		})
	}()
	go func() {
		for {
			r, err := q.Get(ctx, "counter")
			if errors.Is(err, docket.ErrNotFound) {
				r, err = record("counter"), nil
			}
			if err == nil {
				r.Alerts++
				err = q.Put(ctx, r)
			}
			if err != nil {
				failed <- err
				return
			}
			fmt.Println("counted", r.Alerts)
		}
	}()
	go func() {
		for i := 0; ; i++ {
			if err := q.PutBlob(ctx, "file", bytes.NewReader(content(args[1], i))); err != nil {
				failed <- err
			}
			fmt.Println("stored", args[1], i)
		}
	}()
	fmt.Println("ready")
	return <-failed
}

// content is a file of several pieces that says which one it is.
func content(round string, i int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "%s %d\n", round, i), 60_000)
}

func record(fingerprint string) *docket.Record {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	return &docket.Record{Schema: docket.RecordSchema, Fingerprint: fingerprint, Stage: docket.Queued, FirstAlert: at, LastAlert: at, Updated: at}
}

func TestWhatWasAcknowledgedSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	published, handled := map[string]bool{}, map[string]bool{}
	counted := 0
	const rounds = 12
	for round := range rounds {
		c := start(t, "churn", dir, strconv.Itoa(round))
		c.await(t, "published")
		// Not a wait for anything: the moment to die has to be any.
		time.Sleep(time.Duration(rnd.IntN(150)) * time.Millisecond)
		c.kill()
		for _, id := range c.said("published") {
			published[id] = true
		}
		for _, id := range c.said("handled") {
			handled[id] = true
		}
		for _, n := range c.said("counted") {
			v, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			if v <= counted {
				t.Fatalf("round %d counted %d after %d: an acknowledged write was lost", round, v, counted)
			}
			counted = v
		}
		if e := c.said("error:"); len(e) > 0 {
			t.Fatalf("round %d: %q", round, e)
		}
	}
	if len(published) < rounds || counted < rounds {
		t.Fatalf("only %d tasks and %d counts in %d rounds: the test shows nothing", len(published), counted, rounds)
	}
	q := open(t, Options{DataDir: dir})
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string, 1<<16)
	ended := make(chan error, 1)
	go func() {
		ended <- q.Consume(ctx, docket.CaseTask, 4, func(_ context.Context, task docket.Task) error { got <- task.ID; return nil })
	}()
	until(t, "all tasks that were published", func() bool {
		for len(got) > 0 {
			handled[<-got] = true
		}
		for id := range published {
			if !handled[id] {
				return false
			}
		}
		return true
	})
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	r, err := q.Get(t.Context(), "counter")
	if err != nil {
		t.Fatal(err)
	}
	// The last one may have been written without having been said.
	if r.Alerts != counted && r.Alerts != counted+1 {
		t.Fatalf("the counter is %d, acknowledged were %d", r.Alerts, counted)
	}
	f, err := q.Blob(t.Context(), "file")
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatalf("the file is not whole after the kill: %v", err)
	}
	var of, i int
	if _, err := fmt.Sscanf(string(data), "%d %d\n", &of, &i); err != nil || !bytes.Equal(data, content(strconv.Itoa(of), i)) {
		t.Fatalf("the file of %d bytes is a mixture: %v", len(data), err)
	}
	letters, err := q.DeadLetters(t.Context())
	if err != nil || len(letters) > 0 {
		t.Fatalf("dead letters %+v, error %v", letters, err)
	}
	t.Logf("%d tasks, %d counts in %d rounds", len(published), counted, rounds)
}
