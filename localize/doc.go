// Package localize turns an incident and its evidence (telemetry of the incident and of a
// healthy window, changes, deployments, flags) into a service graph, the critical path of an
// exemplar trace, and a ranking of suspects with reasons in words and numbers and a confidence.
//
// [Rank] is pure and deterministic: the same evidence gives the same bytes. The package must
// not do I/O, must not call a model, and must not fetch what it misses; it says what it missed
// in Result.Gaps instead. How the signals are found and weighed is described at each of them;
// weight.go lists the weights and says where they come from.
//
// The way through the package, in the order of Rank:
//
//	window.go    spans of one window: operations, faults, outcome of each trace (torn.go: where spans are lost)
//	critical.go  which span a trace was waiting for at each moment
//	symptom.go   what users noticed, and whether they noticed anything
//	onset.go     when it began
//	graph.go     services, databases, queues, outside peers and the calls between them
//	errors.go, latency.go, network.go, ochiai.go, sequence.go, logs.go, metrics.go, pool.go
//	             signals: each adds reasons for and against services to the board
//	patterns.go  shapes of failure that a recipe can mend: retry.go, unbounded.go, repeated.go,
//	             exceptions.go, pool.go
//	changes.go   what was changed, where and when (diff.go: to what effect), and whether its
//	             content fits the failure (fit.go, concepts.go)
//	cause.go     code, configuration, flag (flags.go), resource, external (outside.go), none
//	board.go     the combination of the signals
//	presence.go  whether anything is wrong at all
//	report.go    the result
//	stages.go    these steps by name; study.go: many rankings of one incident, each from the step on that its
//	             options matter to
package localize
