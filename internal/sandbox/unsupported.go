//go:build !linux

package sandbox

import (
	"context"
	"errors"
	"net"
	"runtime"
	"time"
)

// errUnsupported is the answer of every function here: what holds candidate code is made of
// Linux's namespaces.
var errUnsupported = errors.New("the sandbox needs Linux, and this is " + runtime.GOOS +
	"; run remediator in a Linux virtual machine or container, or in the GitHub Action")

// Init does nothing where there is no sandbox.
func Init() {}

// Sandbox cannot be made here.
type Sandbox struct{}

// New always fails.
func New(Options) (*Sandbox, error) { return nil, errUnsupported }

// Fence is never called.
func (*Sandbox) Fence() Fence { return FenceNone }

// Run always fails.
func (*Sandbox) Run(context.Context, Spec) (Result, error) { return Result{}, errUnsupported }

// Start always fails.
func (*Sandbox) Start(context.Context, Spec) (*Process, error) { return nil, errUnsupported }

// Process cannot be made here.
type Process struct{}

// Wait is never called.
func (*Process) Wait() Result { return Result{Code: -1, Killed: KilledFence} }

// Done is never called.
func (*Process) Done() <-chan struct{} { return nil }

// Output is never called.
func (*Process) Output() string { return "" }

// Stop always fails.
func (*Process) Stop(context.Context, time.Duration) (Result, error) { return Result{}, errUnsupported }

// Dial always fails.
func (*Process) Dial(context.Context, int) (net.Conn, error) { return nil, errUnsupported }
