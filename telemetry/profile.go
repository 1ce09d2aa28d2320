package telemetry

import "time"

// Profile is one pprof profile of a service, summed up by function and line.
type Profile struct {
	Resource *Resource // never nil
	Type     string    // sample type: "cpu", "inuse_space", "contentions", ...
	Unit     string    // "nanoseconds", "bytes", "count"
	Start    int64     // Unix nanoseconds, 0 when the profile does not say
	Duration time.Duration
	Total    int64
	Frames   []ProfileFrame // by Flat, largest first, then by name
}

// ProfileFrame is what one line of one function cost.
type ProfileFrame struct {
	Function, File string
	Line           int
	Flat, Cum      int64 // in the line itself; in it and all that it called
}
