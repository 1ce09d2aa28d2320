// Harness runs the sample system of examples/shop as it would run in production, breaks it, and
// records what is to be seen of it.
//
//	harness record --scenario NAME --out DIR   an incident bundle: alert, telemetry, context
//	harness golden --out DIR                   golden trace sets of every service
//	harness run --scenario NAME                the shop under load, until it is interrupted
//
// What it turns into what: a scenario's history becomes a repository, a commit of it becomes
// binaries, and these become processes that reach one another through a mesh (an HTTP
// proxy that knows services by name, where faults of the network are brought about). A load
// generator plays the customers; a bank outside the shop answers as the scenario says. The
// services export OTLP over HTTP to a collector, which keeps windows of it. A real Prometheus
// evaluates the objectives over what customers saw, and a real Alertmanager sends the alert.
//
// It must not write into the recorded telemetry what was not observed. It leaves out only what
// belongs to this machine: the paths of its working directory are replaced by /srv, those of its
// Python by /usr.
package main
