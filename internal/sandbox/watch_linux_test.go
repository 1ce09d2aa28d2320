package sandbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStatusFields(t *testing.T) {
	status := []byte("Name:\tRssAnon: 7 kB\nVmRSS:\t  100 kB\nRssAnon:\t      64 kB\nThreads:\t12\nBroken:\nWords:\tx kB\n")
	if n, ok := statusBytes(status, "RssAnon:"); !ok || n != 64<<10 {
		t.Errorf("RssAnon: %d %v; a process may name itself like a field", n, ok)
	}
	if s, ok := statusField(status, "Threads:"); !ok || s != "12" {
		t.Errorf("Threads: %q %v", s, ok)
	}
	for _, key := range []string{"Absent:", "Broken:", "Words:"} {
		if n, ok := statusBytes(status, key); ok {
			t.Errorf("%s: %d", key, n)
		}
	}
}

func TestDescendantsReadsOddNames(t *testing.T) {
	// The name of a process stands in its stat line; this one looks like the fields after it.
	odd := filepath.Join(t.TempDir(), ") R 1 1 1")
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(sleep, odd); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(odd, "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	eventually(t, "the child is found", func() bool { return slices.Contains(descendants(os.Getpid()), cmd.Process.Pid) })
	if u := usageOf(cmd.Process.Pid); u.threads != 1 {
		t.Errorf("got %+v", u)
	}
	if slices.Contains(descendants(cmd.Process.Pid), os.Getpid()) {
		t.Error("a parent is its child's descendant")
	}
}

func TestUsageOfAZombie(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is a zombie", func() bool {
		data, err := os.ReadFile(procPath(cmd.Process.Pid, "status"))
		state, _ := statusField(data, "State:")
		return err == nil && state == "Z"
	})
	if u := usageOf(cmd.Process.Pid); u != (usage{}) {
		t.Errorf("got %+v", u)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestUsageOfAProcessThatIsGone(t *testing.T) {
	if u := usageOf(1 << 30); u != (usage{}) {
		t.Errorf("got %+v", u)
	}
}

func TestUnmappedCountsEachFileOnce(t *testing.T) {
	before := unmapped([]int{os.Getpid()})
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	twice, err := unix.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(twice)
	if got := unmapped([]int{os.Getpid(), os.Getpid()}) - before; got != 1<<20 {
		t.Errorf("got %d", got)
	}
}

func TestAllocatedDoesNotFollowLinks(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	for _, path := range []string{filepath.Join(outside, "large"), filepath.Join(dir, "small")} {
		size := 1 << 20
		if filepath.Base(path) == "small" {
			size = 8 << 10
		}
		if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "small"), filepath.Join(dir, "same")); err != nil {
		t.Fatal(err)
	}
	if got := allocated([]string{dir}); got < 8<<10 || got > 100<<10 {
		t.Errorf("got %d", got)
	}
}
