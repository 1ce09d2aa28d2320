package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/toolchain"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	toolchain.Init()
	// A test that kills the program starts this binary again with a command line of its own.
	if args := os.Getenv("REMEDIATOR_TEST_ARGS"); args != "" {
		os.Unsetenv("REMEDIATOR_TEST_ARGS")
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := execute(ctx, strings.Split(args, "\x1f"), stdio{os.Stdin, os.Stdout, os.Stderr})
		stop()
		os.Exit(code)
	}
	testscript.Main(m, map[string]func(){"remediator": main})
}

// TestScripts runs the real program, line by line as a person would.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			// The Go toolchain finds its caches as the user's does.
			for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
				out, err := exec.Command("go", "env", name).Output()
				if err != nil {
					return err
				}
				e.Setenv(name, string(out[:len(out)-1]))
			}
			root, err := filepath.Abs("../..")
			if err != nil {
				return err
			}
			e.Setenv("ROOT", root)
			e.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
			return nil
		},
	})
}
