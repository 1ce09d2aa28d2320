//go:build !unix

package benchmark

import "time"

// cpuTime is not known here, and the column stays empty.
func cpuTime() time.Duration { return 0 }
