// Command remediator turns an SLO alert and its telemetry into a proven, signed pull
// request, or into a report that says why there is none. It only wires packages; see
// the package documentation at the root of the repository.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/toolchain"
)

// stdio are the streams of the process.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	// Both never return in a process that was started to hold a fence or to serve a
	// build cache.
	sandbox.Init()
	toolchain.Init()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(code)
}
