package queue

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// childEnv makes the test binary be one of the processes below, so that a test can kill it.
const childEnv = "REMEDIATOR_QUEUE_CHILD"

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" {
		run, ok := roles()[role]
		if !ok {
			fmt.Println("error: no role", role)
			os.Exit(2)
		}
		if err := run(context.Background(), os.Args[1:]); err != nil {
			fmt.Printf("error: %v\n", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	// Every step of a state machine is a write to a disk, or to three.
	if given := flag.Lookup("rapid.checks"); given.Value.String() == given.DefValue {
		if err := given.Value.Set("30"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func roles() map[string]func(context.Context, []string) error {
	return map[string]func(context.Context, []string) error{
		"churn": churn, "worker": worker, "node": node, "full": fullDisk, "readonly": readOnlyDisk,
	}
}

// patience bounds how long a test waits for what has to happen.
const patience = 60 * time.Second

// child is a running process and the lines it has written.
type child struct {
	cmd *exec.Cmd

	mu    sync.Mutex
	lines []string
	ended chan struct{}
}

func start(t *testing.T, role string, args ...string) *child {
	t.Helper()
	return startCommand(t, role, exec.Command(os.Args[0], args...))
}

func startCommand(t *testing.T, role string, cmd *exec.Cmd) *child {
	t.Helper()
	c := &child{cmd: cmd, ended: make(chan struct{})}
	cmd.Env = append(os.Environ(), childEnv+"="+role)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.mu.Lock()
			c.lines = append(c.lines, s.Text())
			c.mu.Unlock()
		}
	}()
	t.Cleanup(c.kill)
	return c
}

// kill is kill -9.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // fails when it ended by itself
	<-c.ended
	_ = c.cmd.Wait() // that it was killed is known
}

// said are the rests of the lines that begin with a word.
func (c *child) said(word string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, l := range c.lines {
		if l == word {
			out = append(out, "")
		} else if rest, ok := strings.CutPrefix(l, word+" "); ok {
			out = append(out, rest)
		}
	}
	return out
}

// await waits until the process has said a word.
func (c *child) await(t *testing.T, word string) string {
	t.Helper()
	until(t, word, func() bool {
		select {
		case <-c.ended:
			if len(c.said(word)) == 0 {
				t.Fatalf("the process ended without %q: %q", word, c.lines)
			}
		default:
		}
		return len(c.said(word)) > 0
	})
	return c.said(word)[0]
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
