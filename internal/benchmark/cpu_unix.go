//go:build unix

package benchmark

import (
	"syscall"
	"time"
)

// cpuTime is what this process has had of the processors so far, on all cores together.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
