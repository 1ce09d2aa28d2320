package sandbox

import (
	"net"
	"time"
)

// Spec is one command to run, fenced in.
type Spec struct {
	// Dir is the working copy. It appears at the same path inside and is the only
	// place, with Scratch and a private /tmp, that can be written.
	Dir string
	// WorkDir is where the command starts, relative to Dir.
	WorkDir string
	// Scratch are further writable directories, such as a build cache of this case.
	Scratch []string
	// ReadOnly are directories to show read-only although they lie below a hidden place such as the home
	// directory: module caches, virtual environments.
	ReadOnly []string
	Command  []string
	// Env is the whole environment; nothing of the tool's own gets in.
	Env map[string]string
	// Limits of the whole process tree.
	Timeout   time.Duration
	Memory    int64 // bytes
	Processes int
	Output    int // bytes of output kept, from the end
	// Inbound names TCP ports on the loopback inside that the outside may connect to.
	Inbound []int
	// Outbound maps a loopback TCP port inside to a listener outside.
	Outbound map[int]net.Listener
}

// Result is how a command ended.
type Result struct {
	Code     int
	Output   string // standard output and error, interleaved, the tail of it
	Dropped  int64  // bytes of output not kept
	Elapsed  time.Duration
	TimedOut bool
	Killed   string // which limit ended it, "" if none
}

// Fence says what holds the candidate code.
type Fence string

// The fences, strongest first. FenceNone is the weaker fence of the demo: limits, a clean
// environment and a private copy, but no namespaces.
const (
	FenceBubblewrap Fence = "bubblewrap"
	FenceNamespaces Fence = "namespaces"
	FenceNone       Fence = "none"
)
