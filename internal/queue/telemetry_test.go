package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

func payloads(t *testing.T, q *Queue, signal string, from, to time.Time) []string {
	t.Helper()
	var out []string
	err := q.Range(t.Context(), signal, from, to, func(p []byte) error { out = append(out, string(p)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func add(t *testing.T, q *Queue, signal string, from, to time.Time, payload string) {
	t.Helper()
	if err := q.Append(t.Context(), signal, from, to, []byte(payload)); err != nil {
		t.Fatal(err)
	}
}

func TestRangeFindsWhatOverlaps(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	now := time.Now()
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	add(t, q, "traces", at(-60), at(-50), "early")
	add(t, q, "traces", at(-40), at(-20), "reaches in")
	add(t, q, "logs", at(-30), at(-20), "another signal")
	add(t, q, "traces", at(-25), at(-24), "inside")
	add(t, q, "traces", at(-90), at(0), "around")
	add(t, q, "traces", at(-5), at(0), "late")
	add(t, q, "traces", at(-30), at(-30), "a moment")
	if got, want := payloads(t, q, "traces", at(-30), at(-10)), []string{"reaches in", "inside", "around", "a moment"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := payloads(t, q, "metrics", at(-90), at(0)); len(got) != 0 {
		t.Errorf("got %q of a signal that was never sent", got)
	}
	if got := payloads(t, q, "traces", at(-500), at(-400)); len(got) != 0 {
		t.Errorf("got %q from before anything", got)
	}
	own := errors.New("enough")
	n := 0
	if err := q.Range(t.Context(), "traces", at(-90), at(0), func([]byte) error { n++; return own }); !errors.Is(err, own) || n != 1 {
		t.Errorf("got %v after %d payloads, want the caller's own error after 1", err, n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := q.Range(ended, "traces", at(-90), at(0), func([]byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v with a context that ended", err)
	}
}

func TestHostileSignalsAreRefused(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	now := time.Now()
	for _, signal := range []string{"", "*", ">", "a.b", "a b", "Ä", "a\r\nPUB x", string(make([]byte, 100))} {
		if err := q.Append(t.Context(), signal, now, now, nil); err == nil {
			t.Errorf("signal %q was taken", signal)
		}
		if err := q.Range(t.Context(), signal, now, now, func([]byte) error { return nil }); err == nil {
			t.Errorf("signal %q was read", signal)
		}
	}
	if err := q.Append(t.Context(), "traces", now, now.Add(-1), nil); err == nil {
		t.Error("a window that ends before it begins was taken")
	}
	if err := q.Append(t.Context(), "traces", now, now, make([]byte, largestEntry+1)); err == nil {
		t.Error("an entry without bound was taken")
	}
}

func TestLargeTelemetryComesBackWhole(t *testing.T) {
	s := shared(t, func(o *server.Options) { o.MaxPayload = 64 << 10 })
	q := open(t, Options{URL: s.ClientURL()})
	now := time.Now()
	want := map[string]bool{}
	var wg sync.WaitGroup
	for i := range 6 {
		p := bytes.Repeat([]byte{byte('a' + i)}, 200<<10+i*7001)
		want[string(p)] = true
		wg.Go(func() { // so that the parts of several lie between each other
			if err := q.Append(t.Context(), "traces", now, now, p); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := payloads(t, q, "traces", now, now)
	if len(got) != len(want) {
		t.Fatalf("%d payloads came back of %d", len(got), len(want))
	}
	for _, p := range got {
		if !want[p] {
			t.Fatalf("a payload of %d bytes came back changed", len(p))
		}
	}
}

func TestForgedPartsDoNotStopTheRest(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	now := time.Now()
	add(t, q, "traces", now, now, "before")
	for _, h := range []map[string]string{
		{},
		{fromHeader: "x", toHeader: "y"},
		{setHeader: "a", partHeader: "1", ofHeader: "2"},
		{setHeader: "b", partHeader: "-1", ofHeader: "2"},
		{setHeader: "c", partHeader: "0", ofHeader: "x"},
		{setHeader: "d", partHeader: "0", ofHeader: "999999999"},
		{setHeader: "d", partHeader: "0", ofHeader: "999999999"},
	} {
		m := nats.NewMsg("remediator.telemetry.traces")
		m.Data = []byte("forged")
		m.Header.Set(fromHeader, strconv.FormatInt(now.UnixNano(), 10))
		m.Header.Set(toHeader, strconv.FormatInt(now.UnixNano(), 10))
		for k, v := range h {
			m.Header.Set(k, v)
		}
		if len(h) == 0 {
			m.Header.Del(fromHeader)
		}
		if _, err := q.publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	add(t, q, "traces", now, now, "after")
	if got, want := payloads(t, q, "traces", now, now), []string{"before", "after"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestRangeEndsWhileOthersAppend(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir(), TelemetryBytes: 4 << 20})
	now := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 2 {
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := q.Append(ctx, "traces", now, now, noise(32<<10)); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	// Long enough that the oldest are dropped while they are read.
	until(t, "the log to be full", func() bool {
		stats, err := q.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return stats.Bytes["telemetry"] > 3<<20
	})
	for range 10 {
		if got := payloads(t, q, "traces", now, now); len(got) == 0 {
			t.Fatal("nothing was read")
		}
	}
	cancel()
	writers.Wait()
	stats, err := q.Stats(t.Context())
	if err != nil || stats.Bytes["telemetry"] > 4<<20 {
		t.Fatalf("%d bytes of telemetry are kept, %v", stats.Bytes["telemetry"], err)
	}
}

func TestRangeOutlivesALostConnection(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	now := time.Now()
	var want []string
	for i := range 40 {
		want = append(want, fmt.Sprint(i))
		add(t, q, "traces", now, now, want[i])
	}
	var got []string
	err := q.Range(t.Context(), "traces", now, now, func(p []byte) error {
		got = append(got, string(p))
		if len(got) == 10 || len(got) == 25 {
			return q.conn.ForceReconnect()
		}
		return nil
	})
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestOldTelemetryGoes(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir(), TelemetryAge: time.Second})
	now := time.Now()
	add(t, q, "traces", now, now, "x")
	until(t, "it to go", func() bool { return len(payloads(t, q, "traces", now, now)) == 0 })
}
