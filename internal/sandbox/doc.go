// Package sandbox turns a Spec (one command and what it may touch) into a Result, with
// the command fenced in: no network, no environment but the one given, nothing of the home
// directory, writes only in its own copy, and limits on time, memory, processes and output that
// hold for the whole process tree.
//
// # Fences
//
// New tries the fences in order and really runs a command in each: bubblewrap; namespaces that
// this program sets up itself, without root; and, only where Options.AllowWeak is set, none. When
// nothing works its error says why each failed and what would make it work.
//
// Both real fences follow one plan of mounts (plan.go), so that what is visible inside does not depend on
// which of them is at work. Inside, the same small process is always number one: this very binary,
// started again with a hidden first argument, which is why main and TestMain must call
// Init first thing. It watches the limits, starts the command, reaps what the command
// leaves behind, and takes the tree down with it.
//
// # Network
//
// The command sees a loopback of its own. Ports cross the fence as file descriptors: the
// process inside opens the listening socket or the connection in its network namespace and hands the
// descriptor to the tool outside. There is no socket in the file system for the command to find, and no
// proxy inside that shares its memory limit.
//
// # What it must not do
//
// It must not decide what to run, know about languages or repositories, or fetch anything. It
// must never fall back to a weaker fence by itself.
package sandbox
