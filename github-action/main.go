// Command github-action is the step that action.yml runs: it wires the runner's environment to internal/workflow, and
// that to the remediator program beside it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/remediator/remediator/internal/workflow"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "github-action:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context) (bool, error) {
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	program := filepath.Join(filepath.Dir(self), "remediator")
	if _, err := os.Stat(program); err != nil {
		return false, fmt.Errorf("remediator has to lie beside this program: %w", err)
	}
	temp, err := os.MkdirTemp(os.Getenv("RUNNER_TEMP"), "remediator-step-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(temp)
	return workflow.Action{
		Getenv: os.Getenv, Environ: os.Environ(), Stdout: os.Stdout, Sleep: sleep, Temp: temp,
		Tool: func(ctx context.Context, args, env []string, stdout, stderr io.Writer) (int, error) {
			return call(ctx, program, args, env, stdout, stderr)
		},
	}.Run(ctx), nil
}

// call runs the program; a signal reaches it too, so that it cleans up after itself.
func call(ctx context.Context, program string, args, env []string, stdout, stderr io.Writer) (int, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
