package telemetry

import "time"

// Profile is one sample type of one pprof profile of a service, summed up by function and line.
type Profile struct {
	Resource *Resource // never nil
	Type     string    // sample type: "cpu", "inuse_space", "contentions", ...
	Unit     string    // "nanoseconds", "bytes", "count"
	Start    int64     // Unix nanoseconds, 0 when the profile does not say
	Duration time.Duration
	Total    int64
	// Samples is how many observations the profiler made of what Total adds up, 0 when the profile does not say. A CPU
	// profile of a minute that adds up to 1 s at 100 Hz rests on a hundred.
	Samples int64
	Frames  []ProfileFrame // by Flat, largest first, then by name
	Stacks  []ProfileStack // by Value, largest first; only the heaviest are kept
}

// ProfileFrame is what one line of one function cost.
type ProfileFrame struct {
	Function, File string
	Line           int
	Flat, Cum      int64 // in the line itself; in it and all that it called
}

// ProfileStack is one way to what was measured.
type ProfileStack struct {
	Frames []int32 // indices into Profile.Frames, innermost first
	Value  int64
}
