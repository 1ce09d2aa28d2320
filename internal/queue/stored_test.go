package queue

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"github.com/remediator/remediator/remedy/docket"
)

func TestKeysAreEscapedWithoutLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		key := escape(a)
		if strings.ContainsAny(key, ".*> \t\r\n/") {
			t.Fatalf("%q becomes %q, which is more than one token", a, key)
		}
		if back, ok := unescape(key); a != "" && (!ok || back != a) {
			t.Fatalf("%q becomes %q and then %q", a, key, back)
		}
		if strings.HasPrefix(a, b) != strings.HasPrefix(key, escape(b)) {
			t.Fatalf("%q and %q: the prefix is not kept", a, b)
		}
	})
}

func FuzzUnescape(f *testing.F) {
	for _, s := range []string{"", "a", "=", "=2", "=2f", "=2F", "=zz", "a=41", "aä"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if text, ok := unescape(key); ok && escape(text) != key {
			t.Fatalf("%q is read as %q, which is written %q: two keys for one text", key, text, escape(text))
		}
	})
}

func TestTasksAreStoredWithoutLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := docket.Task{Kind: docket.CaseTask, ID: rapid.String().Draw(t, "id"), Case: rapid.String().Draw(t, "case"), Body: rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "body")}
		if len(want.Body) == 0 {
			want.Body = nil
		}
		data, err := encodeTask(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeTask(docket.CaseTask, data)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
	})
}

// FuzzStored feeds what others may have written into the buckets of a shared cluster to all that
// reads it.
func FuzzStored(f *testing.F) {
	var p packer
	packed, err := p.pack(bytes.Repeat([]byte(`{"id":"x"}`+"\n"), 4000))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "\n", "{}\n", `{"id":"a","case":"b"}` + "\nbody", string(packed), "\x28\xb5\x2f\xfd", `{"id":"k","kind":"case","task":"e30K"}`} {
		f.Add([]byte(s))
	}
	q := &Queue{}
	f.Fuzz(func(t *testing.T, data []byte) {
		if task, err := q.readTask(docket.CaseTask, data); err == nil {
			again, err := encodeTask(task)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := decodeTask(docket.CaseTask, again); err != nil || !reflect.DeepEqual(back, task) {
				t.Fatalf("%+v is stored as %q and read as %+v, %v", task, again, back, err)
			}
		}
		if l, err := q.letter(value{key: "k", data: data}); err == nil && l.ID != "k" {
			t.Fatalf("another's letter was taken: %+v", l)
		}
		if r, err := q.record(value{key: "k", data: data}); err == nil && r.Fingerprint != "k" {
			t.Fatalf("another's record was taken: %+v", r)
		} else if err != nil && !errors.Is(err, docket.ErrDamaged) {
			t.Fatalf("%v is not told from a failure to read", err)
		}
	})
}

// FuzzTelemetryHeaders reads entries of a log that others may write to.
func FuzzTelemetryHeaders(f *testing.F) {
	f.Add("1", "2", "set", "0", "2", []byte("x"))
	f.Add("-1", "99999999999999999999", "", "", "", []byte{})
	f.Fuzz(func(t *testing.T, from, to, set, part, parts string, data []byte) {
		got := 0
		c := &cursor{from: 0, to: 10, sets: map[string]*partSet{}, fn: func(p []byte) error { got += len(p); return nil }}
		h := nats.Header{fromHeader: {from}, toHeader: {to}, setHeader: {set}, partHeader: {part}, ofHeader: {parts}}
		for range 3 {
			if err := c.entry(h, data); err != nil {
				t.Fatal(err)
			}
		}
		if got > 3*len(data) || c.held < 0 || c.held > 3*len(data) {
			t.Fatalf("of 3 times %d bytes came %d, and %d are held", len(data), got, c.held)
		}
	})
}

func TestABombIsNotUnpacked(t *testing.T) {
	var p packer
	bomb, err := p.pack(make([]byte, unpackMost+1))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := p.unpack(bomb); err == nil {
		t.Fatalf("%d bytes were made of %d", len(out), len(bomb))
	}
	for _, size := range []int{0, 1, packFrom - 1, packFrom, 1 << 20} {
		packed, err := p.pack(noise(size))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := p.unpack(packed); err != nil || !bytes.Equal(out, noise(size)) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
}

func TestAWriteWhoseAnswerWasLostIsOnesOwn(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	revision, err := q.claims.set(t.Context(), "a", []byte("1"), 0)
	if err != nil {
		t.Fatal(err)
	}
	// The first attempt arrives and its answer does not: the same message is sent twice.
	m := nats.NewMsg(q.claims.prefix + "a")
	m.Data = []byte("2")
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(revision, 10))
	ack, err := q.publish(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.publish(t.Context(), m); err != nil && !isConflict(err) {
		t.Fatal(err)
	}
	v, id, err := q.claims.last(t.Context(), "a")
	if err != nil || id != m.Header.Get(jetstream.MsgIDHeader) || v.revision != ack.Sequence {
		t.Fatalf("the writer cannot know its own write again: %+v %q, %v", v, id, err)
	}
}

func TestForeignKeysAreLeftOut(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	if err := q.SetClaim(t.Context(), "ours", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := q.claims.kv.Put(t.Context(), "the/irs.x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	keys, err := q.ClaimKeys(t.Context(), "")
	if err != nil || !reflect.DeepEqual(keys, []string{"ours"}) {
		t.Fatalf("got %q, %v", keys, err)
	}
	for _, key := range []string{"", strings.Repeat("x", 600)} {
		if err := q.SetClaim(t.Context(), key, []byte("1"), 0); err == nil {
			t.Errorf("a key of %d bytes was taken", len(key))
		}
	}
}

func TestWhatIsTooLargeForTheServer(t *testing.T) {
	s := shared(t, func(o *server.Options) { o.MaxPayload = 32 << 10 })
	q := open(t, Options{URL: s.ClientURL()})
	err := q.Publish(t.Context(), docket.Task{Kind: docket.AlertTask, Body: noise(64 << 10)})
	if err == nil || !strings.Contains(err.Error(), "raise max_payload") {
		t.Fatalf("got %v", err)
	}
	// What can be compressed gets through.
	if err := q.Publish(t.Context(), docket.Task{Kind: docket.AlertTask, Body: make([]byte, 64<<10)}); err != nil {
		t.Fatal(err)
	}
	if err := q.PutBlob(t.Context(), "a", bytes.NewReader(noise(100<<10))); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(readAll(t, q, "a"), noise(100<<10)) {
		t.Fatal("the file came back changed")
	}
}

func TestStatsAndHealth(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir(), Attempts: 1})
	if err := q.Put(t.Context(), record("aa")); err != nil {
		t.Fatal(err)
	}
	if err := q.Put(t.Context(), record("bb")); err != nil {
		t.Fatal(err)
	}
	backend(q).Damage(t, "bb", []byte("{"))
	if _, err := q.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := consume(t, q, func(context.Context, docket.Task) error { return errors.New("no") })
	publish(t, q, "fails")
	letters(t, q, 1)
	stop()
	began, release := make(chan struct{}, 10), make(chan struct{})
	consume(t, q, func(context.Context, docket.Task) error { began <- struct{}{}; <-release; return nil })
	publish(t, q, "taken")
	take(t, began)
	publish(t, q, "waits")
	if err := q.PublishAfter(t.Context(), docket.Task{Kind: docket.CaseTask}, time.Hour); err != nil {
		t.Fatal(err)
	}
	s, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Cases != 2 || s.Damaged != 1 || s.DeadLetters != 1 || s.Tasks[docket.CaseTask] != (TaskStats{Waiting: 1, Taken: 1, Later: 1}) || s.Tasks[docket.AlertTask] != (TaskStats{}) {
		t.Fatalf("stats are %+v", s)
	}
	for _, part := range []string{"cases", "dead", "tasks"} {
		if s.Bytes[part] == 0 {
			t.Errorf("%s take no bytes", part)
		}
	}
	close(release)
	h, err := q.Health(t.Context())
	if err != nil || h.Limit <= 0 || h.Used <= 0 || h.Free <= 0 {
		t.Fatalf("health is %+v, %v", h, err)
	}
	// After a failed write it is tried whether the next one succeeds, and nobody sees the attempt.
	q.failing.Store(true)
	if _, err := q.Health(t.Context()); err != nil || q.failing.Load() {
		t.Fatalf("%v, still failing: %v", err, q.failing.Load())
	}
	if keys, err := q.ClaimKeys(t.Context(), ""); err != nil || len(keys) != 0 {
		t.Fatalf("the attempt is seen: %q, %v", keys, err)
	}
	if err := q.server.ShutdownJetStream(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "gave up writing") {
		t.Fatalf("got %v", err)
	}
	if err := q.Put(t.Context(), record("cc")); err == nil || !strings.Contains(err.Error(), "start again") {
		t.Fatalf("got %v", err)
	}
}

func TestWatchersOfAClosedQueueEnd(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	changes, err := q.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	closeNow(t, q)
	if r, ok := <-changes; ok {
		t.Fatalf("got %+v", r)
	}
	if _, err := q.Get(t.Context(), "aa"); !errors.Is(err, errClosed) {
		t.Fatalf("got %v", err)
	}
}

// TestAListDoesNotWaitForTheTraceOfADeletionThatIsGone is about a bucket whose newest entry was
// removed for its age, which looks like a replica that is behind.
func TestAListDoesNotWaitForTheTraceOfADeletionThatIsGone(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	if err := q.SetClaim(t.Context(), "stays", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	m := nats.NewMsg(q.claims.prefix + "gone")
	markDeleted(m)
	m.Header.Set(jetstream.MsgTTLHeader, "1s")
	ack, err := q.publish(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the trace to go", func() bool {
		newest, err := q.claims.newest(t.Context(), ack.Sequence)
		if err != nil {
			t.Fatal(err)
		}
		return newest < ack.Sequence
	})
	ctx, cancel := context.WithTimeout(t.Context(), attemptTimeout-time.Second)
	defer cancel()
	keys, err := q.ClaimKeys(ctx, "")
	if err != nil || !reflect.DeepEqual(keys, []string{"stays"}) {
		t.Fatalf("got %q, %v", keys, err)
	}
}

// TestAListIsCompleteWhileEntriesGo: the server counts what a watch has to bring too low where an
// entry goes while the watch begins.
func TestAListIsCompleteWhileEntriesGo(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	if err := q.SetClaim(t.Context(), "stays", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			_, err := q.publish(t.Context(), nats.NewMsg(q.claims.prefix+"goes"))
			if err == nil {
				err = q.claims.stream.Purge(t.Context(), jetstream.WithPurgeSubject(q.claims.prefix+"goes"))
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	for range 200 {
		keys, err := q.ClaimKeys(t.Context(), "s")
		if err != nil || !reflect.DeepEqual(keys, []string{"stays"}) {
			t.Errorf("got %q, %v", keys, err)
			break
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestTheNewestRevisionThatIsThere(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	var kept uint64
	for i := range 40 {
		if i == 11 {
			if err := q.SetClaim(t.Context(), "stays", []byte("1"), 0); err != nil {
				t.Fatal(err)
			}
			info, err := q.claims.stream.Info(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			kept = info.State.LastSeq
		}
		if _, err := q.publish(t.Context(), nats.NewMsg(q.claims.prefix+"goes")); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.claims.stream.Purge(t.Context(), jetstream.WithPurgeSubject(q.claims.prefix+"goes")); err != nil {
		t.Fatal(err)
	}
	for last := kept; last < 41; last++ {
		if newest, err := q.claims.newest(t.Context(), last); err != nil || newest != kept {
			t.Errorf("up to %d: got %d, %v, want %d", last, newest, err, kept)
		}
	}
}
