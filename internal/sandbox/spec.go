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
	// Limits of the whole process tree. Zero means the default of the package.
	Timeout time.Duration
	Memory  int64 // bytes, what the tree keeps in /tmp and /dev/shm included
	// Processes counts processes and their threads, as the kernel's own limits do.
	Processes int
	Disk      int64 // bytes that Dir and Scratch may grow by; no single file may be larger either
	Output    int   // bytes of output kept, from the end
	// Inbound names TCP ports on the loopback inside that the outside may connect to.
	Inbound []int
	// Outbound maps a loopback TCP port inside to a listener outside.
	Outbound map[int]net.Listener
}

// The limits of a Spec that names none: a build of a large program passes, a runaway does not.
const (
	DefaultTimeout   = 10 * time.Minute
	DefaultMemory    = 4 << 30
	DefaultProcesses = 2048
	DefaultDisk      = 8 << 30
	DefaultOutput    = 64 << 10
)

// Result is how a command ended.
type Result struct {
	// Code is the exit status, 128 plus the signal's number after a signal, and -1 when
	// the fence itself went down before the command could report.
	Code     int
	Output   string // standard output and error, interleaved, the tail of it
	Dropped  int64  // bytes of output not kept
	Elapsed  time.Duration
	TimedOut bool
	Killed   string // which limit ended it, "" if none; one of the Killed constants
}

// What ends a command before its time.
const (
	KilledTime      = "time"
	KilledMemory    = "memory"
	KilledProcesses = "processes"
	KilledDisk      = "disk"
	KilledCanceled  = "canceled" // the caller's context ended
	KilledStopped   = "stopped"  // Stop had to be followed by force
	KilledFence     = "fence"    // the process that holds the fence died first
)

// Fence says what holds the candidate code.
type Fence string

// The fences, strongest first. FenceNone is the weaker fence of the demo: limits, a clean
// environment and a private copy, but no namespaces.
const (
	FenceBubblewrap Fence = "bubblewrap"
	FenceNamespaces Fence = "namespaces"
	FenceNone       Fence = "none"
)

// Options says how to make a Sandbox. The zero value is the right one outside the demo.
type Options struct {
	// AllowWeak permits FenceNone where the machine offers nothing better.
	AllowWeak bool
	// Only restricts the choice to one fence, for tests and for doctor.
	Only Fence
	// Executable is the binary that calls Init, os.Executable when empty.
	Executable string
	// TempDir is where short-lived private directories go, os.TempDir when empty.
	TempDir string
}
