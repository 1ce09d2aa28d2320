package queue

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

func benchQueue(b *testing.B) *Queue {
	b.Helper()
	q, err := Open(b.Context(), Options{DataDir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := q.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return q
}

// BenchmarkPublish is what a webhook waits for: one task of the size of an alert, on disk.
func BenchmarkPublish(b *testing.B) {
	q := benchQueue(b)
	body := noise(4 << 10)
	for b.Loop() {
		if err := q.Publish(b.Context(), docket.Task{Kind: docket.AlertTask, Body: body}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPublishParallel is an alert storm.
func BenchmarkPublishParallel(b *testing.B) {
	q := benchQueue(b)
	body := noise(4 << 10)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := q.Publish(b.Context(), docket.Task{Kind: docket.AlertTask, Body: body}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkRecord reads a record and writes it back, compared and set.
func BenchmarkRecord(b *testing.B) {
	q := benchQueue(b)
	r := record("aa")
	for i := range 40 {
		r.History = append(r.History, docket.Event{Kind: "stage", Text: fmt.Sprintf("what happened at step %d of the case, in a sentence", i)})
	}
	if err := q.Put(b.Context(), r); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := q.Get(b.Context(), "aa")
		if err != nil {
			b.Fatal(err)
		}
		r.Alerts++
		if err := q.Put(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTelemetry appends exports of the usual size, and reads them all at the end.
func BenchmarkTelemetry(b *testing.B) {
	q := benchQueue(b)
	payload := noise(128 << 10)
	now := time.Now()
	b.SetBytes(int64(len(payload)))
	n := 0
	for b.Loop() {
		if err := q.Append(b.Context(), "traces", now, now, payload); err != nil {
			b.Fatal(err)
		}
		n++
	}
	began := time.Now()
	got := 0
	if err := q.Range(b.Context(), "traces", now, now, func([]byte) error { got++; return nil }); err != nil || got != n {
		b.Fatalf("%d of %d came back, %v", got, n, err)
	}
	b.ReportMetric(float64(n*len(payload))/(1<<20)/time.Since(began).Seconds(), "readMiB/s")
}
