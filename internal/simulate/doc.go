// Package simulate turns a seed into an incident of a made-up system: telemetry of the incident and of a healthy
// window, an alert, what was changed before, and the truth about it. It is for measuring a ranking, and how sure it may
// be of itself, on many incidents of systems that no rule was written for.
//
// [Case] draws a system (topology.go and work.go: services, databases, caches, queues, third parties; sizing.go: traffic and
// head-room; habits.go: how each service reports), a fault (fault_*.go) and a history of commits, roll-outs and flags
// (history.go), lets the system live through two windows in a discrete-event simulation (engine.go, run.go, serve.go,
// call.go, data.go, podlife.go) and writes down what its instrumentation would have seen (traces.go, attributes.go, logs.go, metrics.go). A fault
// changes what the system is or does, never what is written about it: a slow callee fills its caller's workers because
// they wait, an exhausted pool shows because nobody gives a connection back. A fault that nobody would have noticed is
// drawn again, as no alert would have fired.
//
// The package must not know how a ranking works, and no scenario may be shaped by what a ranking finds easy: its
// knowledge is of real systems and of published collections of faults, named where they are used.
//
// What it does not model: the scheduler of a machine (processors are shared as they are when a job begins), the transport
// (a lost message is sent again, windows and congestion do not exist), transactions and replication of databases,
// schedules (cron), people who intervene, two independent faults at once, attackers, clients that retry, slow decay over days,
// and languages other than Go, Java, Python and JavaScript. Code exists only as far as stacks, log statements and patches
// speak of it.
package simulate
