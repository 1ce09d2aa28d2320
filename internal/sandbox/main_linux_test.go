package sandbox

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

// The test binary is the process inside, the candidate that attacks, and the test.
func TestMain(m *testing.M) {
	Init()
	if len(os.Args) > 2 && os.Args[1] == "attack" {
		attack, ok := attacks[os.Args[2]]
		if !ok {
			fmt.Println("no such attack:", os.Args[2])
			os.Exit(3)
		}
		attack(os.Args[3:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// onEachFence runs a test on every fence that holds, and without one where weak is set.
func onEachFence(t *testing.T, weak bool, test func(t *testing.T, s *Sandbox)) {
	t.Helper()
	fences := []Fence{FenceBubblewrap, FenceNamespaces}
	if weak {
		fences = append(fences, FenceNone)
	}
	for _, fence := range fences {
		t.Run(string(fence), func(t *testing.T) {
			s, err := New(Options{Only: fence, AllowWeak: fence == FenceNone})
			if err != nil {
				t.Skipf("NOT TESTED: this machine does not offer the fence: %v", err)
			}
			test(t, s)
		})
	}
}

// attackSpec is a Spec that runs one of the attacks in a fresh working copy.
func attackSpec(t *testing.T, name string, args ...string) Spec {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Spec{
		Dir:     t.TempDir(),
		Command: append([]string{self, "attack", name}, args...),
		// The second is for the race detector, which would have each attack end a second late.
		Env:     map[string]string{"PATH": "/usr/bin:/bin", "GORACE": "atexit_sleep_ms=0"},
		Timeout: time.Minute,
	}
}

func shell(t *testing.T, script string) Spec {
	t.Helper()
	return Spec{
		Dir: t.TempDir(), Command: []string{"sh", "-c", script},
		Env: map[string]string{"PATH": "/usr/bin:/bin"}, Timeout: time.Minute,
	}
}

func mustRun(t *testing.T, s *Sandbox, spec Spec) Result {
	t.Helper()
	r, err := s.Run(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// eventually polls until cond holds.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
