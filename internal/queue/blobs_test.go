package queue

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func readAll(t *testing.T, q *Queue, name string) []byte {
	t.Helper()
	r, err := q.Blob(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRemainsOfABrokenWriteAreRemovedLater(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	if err := q.PutBlob(t.Context(), "whole", bytes.NewReader(noise(300<<10))); err != nil {
		t.Fatal(err)
	}
	// A process died after the pieces and before the entry.
	info := jetstream.ObjectInfo{NUID: "orphan"}
	if err := q.writePieces(t.Context(), &info, bytes.NewReader(noise(300<<10))); err != nil {
		t.Fatal(err)
	}
	pieces := func() int {
		p, err := q.fileSubjects(t.Context(), "C")
		if err != nil {
			t.Fatal(err)
		}
		return len(p)
	}
	if err := q.compact(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if pieces() != 2 {
		t.Fatal("what may still be written was removed")
	}
	if err := q.compact(t.Context(), time.Now().Add(2*orphanAge)); err != nil {
		t.Fatal(err)
	}
	if pieces() != 1 || !bytes.Equal(readAll(t, q, "whole"), noise(300<<10)) {
		t.Fatal("the remains are there, or the whole file is not")
	}
}

func TestAReplacedFileIsNotAMixture(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	if err := q.PutBlob(t.Context(), "a", bytes.NewReader(noise(1<<20))); err != nil {
		t.Fatal(err)
	}
	r, err := q.Blob(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if err := q.PutBlob(t.Context(), "a", strings.NewReader("new")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); err == nil || !strings.Contains(err.Error(), "read it again") {
		t.Fatalf("reading on gave %v", err)
	}
	if got := readAll(t, q, "a"); string(got) != "new" {
		t.Fatalf("got %q", got)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Fatal("a closed file can be read")
	}
}

func TestAForgedFileIsRefused(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	if err := q.PutBlob(t.Context(), "a", strings.NewReader("true")); err != nil {
		t.Fatal(err)
	}
	info, err := q.entry(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	send := func(subject, data string) {
		t.Helper()
		m := nats.NewMsg(subject)
		m.Data = []byte(data)
		m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
		if _, err := q.publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for _, forged := range []string{"fals", "false"} {
		send(q.piecesOf(info.NUID), forged)
		r, err := q.Blob(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Fatalf("%q was read as the file: %v", forged, err)
		}
	}
	for _, entry := range []string{"", "{", `{"nuid":""}`, `{"nuid":">"}`, `{"nuid":"*"}`, `{"nuid":"a b"}`} {
		send(q.entryOf("a"), entry)
		if _, err := q.Blob(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Fatalf("entry %q: %v", entry, err)
		}
	}
	// It can be replaced and deleted all the same.
	if err := q.PutBlob(t.Context(), "a", strings.NewReader("new")); err != nil {
		t.Fatal(err)
	}
	send(q.entryOf("a"), "{")
	if err := q.DeleteBlob(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
}

func TestStockClientReadsOurFilesAndRecords(t *testing.T) {
	q := open(t, Options{DataDir: t.TempDir()})
	if err := q.PutBlob(t.Context(), "cases/ä", bytes.NewReader(noise(600<<10))); err != nil {
		t.Fatal(err)
	}
	store, err := q.js.ObjectStore(t.Context(), "remediator-files")
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.GetBytes(t.Context(), "cases/ä")
	if err != nil || !bytes.Equal(got, noise(600<<10)) {
		t.Fatalf("the client's own object store reads %d bytes, %v", len(got), err)
	}
	if _, err := store.PutBytes(t.Context(), "theirs", noise(300<<10)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(readAll(t, q, "theirs"), noise(300<<10)) {
		t.Fatal("a file written by the client's own object store is read otherwise")
	}
	if err := store.Delete(t.Context(), "theirs"); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Blob(t.Context(), "theirs"); err == nil {
		t.Fatal("a file that the client's own object store deleted is there")
	}
	if err := q.Put(t.Context(), record("aa")); err != nil {
		t.Fatal(err)
	}
	kv, err := q.js.KeyValue(t.Context(), "remediator-cases")
	if err != nil {
		t.Fatal(err)
	}
	e, err := kv.Get(t.Context(), "aa")
	if err != nil || !bytes.Contains(e.Value(), []byte(`"fingerprint":"aa"`)) {
		t.Fatalf("the client's own bucket has %v, %v", e, err)
	}
	if err := kv.Delete(t.Context(), "aa"); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Get(t.Context(), "aa"); err == nil {
		t.Fatal("a record that the client's own bucket deleted is there")
	}
	if err := q.Put(t.Context(), record("aa")); err != nil {
		t.Fatal(err)
	}
}
