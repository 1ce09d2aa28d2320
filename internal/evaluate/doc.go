// Package evaluate turns labelled incidents and a way to rank suspects into figures: strict ranks of
// services, files and line regions, commits and decoys, abstentions, false alarms on healthy
// windows, time and memory; and into what they hang on: each signal, each constant, each corpus.
//
// It must not rank anything itself, must not know how bundles are stored (it is handed a Load), and opens
// a case's answer, truth.json, only after every case of the corpus was ranked.
//
//	corpus.go      corpus.json, and what a corpus holds by its content
//	truth.go       the label of a case
//	prediction.go  an answer in the form that can be scored by others
//	match.go       strict ranks; when a name is the same file
//	score.go       the metrics
//	tool.go        the runs, one bundle in memory at a time
//	healthy.go     windows in which nothing is wrong
//	variant.go     the same cases under other options
//	hold.go        cases that are ranked many times, read and looked at once
package evaluate
