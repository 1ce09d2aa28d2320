package localize

// Weights of the signals in nats: the natural logarithm of how much likelier a signal at full
// strength is at the culprit than at a bystander. They are orders of magnitude, not fits:
// 4.0 is about 50 to 1, 3.0 is 20 to 1, 2.0 is 7 to 1, 1.0 is 3 to 1.
//
// What a trace shows directly (where a failure began, where time went, where the order of
// events broke off) outweighs what only accompanies a fault (a metric that moved, a commit near
// in time), because faults spread along calls and load, and most commits are innocent.
const (
	weightErrors   = 4.0 // share of the failing traces whose failure began there
	weightLatency  = 3.5 // share of the added time on the critical path
	weightSequence = 4.0 // share of the traces whose event order first broke there
	weightOchiai   = 1.5 // Ochiai coefficient of "anomalous there" with "trace is bad"
	weightNetwork  = 2.5 // all of its connections got slower and its neighbours' others did not
	weightLog      = 2.0 // new or more frequent warnings and errors
	weightThrown   = 2.5 // new exceptions with a stack of its own
	weightMention  = 1.5 // others' new errors name it; it names others: the same, negative
	weightResource = 2.5 // CPU, memory, disk, pool or queue moved beyond its healthy range
	weightMetric   = 1.0 // another of its metrics moved
	weightFirst    = 0.7 // it was the first to show anything
	weightChange   = 1.5 // it was changed before the onset, and the change fits
	weightShape    = 1.0 // a known shape of failure (retry burst, repeated query, ...)
)
