// Package benchmark turns a made-up system's telemetry into figures: how many spans a second
// are decoded, normalised and correlated, how long the ranking takes and how much memory it needs at
// each size, and how many log lines a second become templates, beside Drain3 where it is installed.
//
// [Run] measures; [Report] prints what was measured. Each figure is the median of several runs
// after one that is not counted, with the least and the most beside it. The telemetry is a function
// of its size ([System]), so two machines measure the same work.
//
// The package must not be imported by anything that works on incidents, and it must not know any
// data set: it measures how fast, not how right.
package benchmark
