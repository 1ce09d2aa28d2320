package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

// startOnDisk starts a child that may mount a disk of its own, without being root outside.
func startOnDisk(t *testing.T, role string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if probe := exec.Command("true"); !mayUnshare(probe, cmd.SysProcAttr) {
		t.Skip("needs user namespaces, to mount a small disk")
	}
	return startCommand(t, role, cmd)
}

func mayUnshare(probe *exec.Cmd, attr *syscall.SysProcAttr) bool {
	copied := *attr
	probe.SysProcAttr = &copied
	return probe.Run() == nil
}

// fullDisk fills the disk below a queue and says what that led to.
func fullDisk(ctx context.Context, args []string) error {
	dir := args[0]
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		return err
	}
	o := Options{DataDir: filepath.Join(dir, "data"), Log: slog.New(slog.DiscardHandler)}
	q, err := Open(ctx, o)
	if err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := fill(ballast); err != nil {
		return err
	}
	acknowledged := 0
	for ; acknowledged < 10_000; acknowledged++ {
		limited, cancel := context.WithTimeout(ctx, 20*time.Second)
		err = q.Publish(limited, docket.Task{Kind: docket.CaseTask, ID: fmt.Sprint(acknowledged), Body: noise(9 << 10)})
		cancel()
		if err != nil {
			break
		}
	}
	fmt.Println("publish", err)
	health, err := q.Health(ctx)
	fmt.Println("health", health.NearlyFull, err)
	if err := q.Close(ctx); err != nil {
		return err
	}
	if _, err := Open(ctx, o); err != nil {
		fmt.Println("open", err)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if q, err = Open(ctx, o); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	stats, err := q.Stats(ctx)
	if err != nil {
		return err
	}
	fmt.Println("left", stats.Tasks[docket.CaseTask].Waiting-acknowledged)
	if err := q.Publish(ctx, docket.Task{Kind: docket.CaseTask}); err != nil {
		return fmt.Errorf("publishing with room again: %w", err)
	}
	fmt.Println("again")
	return q.Close(ctx)
}

func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 64<<10))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return nil
}

func noise(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(out) // never fails
	return out
}

func TestAFullDiskIsSaidAndLosesNothing(t *testing.T) {
	t.Parallel()
	c := startOnDisk(t, "full")
	c.await(t, "again")
	for word, want := range map[string]string{"publish": "is full: make room", "health": "is full: make room", "open": "make room"} {
		if got := c.await(t, word); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want a text with %q", word, got, want)
		}
	}
	// What was refused may be there, what was acknowledged has to be.
	if got := c.await(t, "left"); strings.HasPrefix(got, "-") {
		t.Errorf("%s tasks that were acknowledged are gone", got)
	}
	t.Log(c.said("publish"), c.said("health"), c.said("open"), c.said("left"))
}

// readOnlyDisk opens a queue on a disk that cannot be written.
func readOnlyDisk(ctx context.Context, args []string) error {
	if err := syscall.Mount("tmpfs", args[0], "tmpfs", syscall.MS_RDONLY, "size=64m"); err != nil {
		return err
	}
	_, err := Open(ctx, Options{DataDir: args[0], Log: slog.New(slog.DiscardHandler)})
	fmt.Println("open", err)
	return nil
}

func TestAReadOnlyDiskIsSaid(t *testing.T) {
	c := startOnDisk(t, "readonly")
	if got := c.await(t, "open"); !strings.Contains(got, "cannot be written") || !strings.Contains(got, "--data-dir") {
		t.Fatalf("got %q", got)
	}
}

func TestTheLimitOfTheStorageIsSaidAndSpaceComesBack(t *testing.T) {
	t.Parallel()
	q := open(t, Options{DataDir: t.TempDir(), MaxStore: 48 << 20})
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		err = q.PutBlob(t.Context(), fmt.Sprint(n), bytes.NewReader(noise(1<<20)))
	}
	if err == nil || !strings.Contains(err.Error(), "the storage is full") {
		t.Fatalf("after %d MiB: %v", n, err)
	}
	// Whether one more small write gets through depends on what the failed one left.
	health, err := q.Health(t.Context())
	if health.NearlyFull == "" || err != nil && !strings.Contains(err.Error(), "the storage is full") {
		t.Fatalf("health is %+v, %v", health, err)
	}
	for i := range n - 1 {
		if err := q.DeleteBlob(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.PutBlob(t.Context(), "again", bytes.NewReader(noise(8<<20))); err != nil {
		t.Fatal(err)
	}
	if health, err = q.Health(t.Context()); err != nil || health.NearlyFull != "" {
		t.Fatalf("health is %+v, %v", health, err)
	}
}

func TestDeletedFilesFreeTheDisk(t *testing.T) {
	t.Parallel()
	q := open(t, Options{DataDir: t.TempDir(), syncEvery: 200 * time.Millisecond})
	used := func() int64 {
		n, err := diskUsed(q.server.dir)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := used()
	// One that stays lies between those that go.
	for i := range 20 {
		if err := q.PutBlob(t.Context(), fmt.Sprint(i), bytes.NewReader(noise(2<<20))); err != nil {
			t.Fatal(err)
		}
		if err := q.PutBlob(t.Context(), fmt.Sprint("small", i), bytes.NewReader(noise(1<<10))); err != nil {
			t.Fatal(err)
		}
	}
	if got := used() - before; got < 40<<20 {
		t.Fatalf("40 MiB take %d bytes", got)
	}
	for i := range 20 {
		if err := q.DeleteBlob(t.Context(), fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the disk to be freed", func() bool { return used()-before < 10<<20 })
	for i := range 20 {
		if got := readAll(t, q, fmt.Sprint("small", i)); !bytes.Equal(got, noise(1<<10)) {
			t.Fatal("a file that was to stay is damaged")
		}
	}
}

func TestRewritingARecordDoesNotFillTheDisk(t *testing.T) {
	t.Parallel()
	q := open(t, Options{DataDir: t.TempDir()})
	r := record("aa")
	r.Failure = string(bytes.ToValidUTF8(noise(20<<10), []byte("?")))
	for range 700 {
		r.Alerts++
		if err := q.Put(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	written := int64(700 * len(r.Failure))
	got, err := diskUsed(q.server.dir)
	if err != nil {
		t.Fatal(err)
	}
	if got > written/2 {
		t.Fatalf("one record written 700 times takes %d of the %d bytes written", got, written)
	}
	t.Logf("%d bytes on disk of %d written", got, written)
}
