// Package queue turns NATS JetStream into the durable state of `remediator serve`: records and
// claims with compare-and-set (key-value buckets), files (object store), tasks (work-queue streams)
// and the rolling log of telemetry. The same code runs on a server embedded below a data directory,
// which listens on no port, and on an existing cluster that several processes share.
//
// What it acknowledges is on disk: the embedded server syncs every write of state before it
// answers, a cluster answers when a majority has it. Telemetry alone is written behind.
//
// It must not know what a record, a task or a payload means: it never looks into a case, decides a
// transition or drops a task. Everything that others wrote into the same buckets is read with
// suspicion: a damaged entry is reported and left out, and never stops the rest.
package queue
