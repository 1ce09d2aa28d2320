// Package replay turns golden traces and a build of a service into a Verdict: the
// same requests are sent again, the service's dependencies are played by stand-ins made
// from recorded calls, and what comes back (response, span tree, outgoing calls) is
// compared with what was recorded.
//
// From the bottom up:
//
//   - golden.go is the format, codec.go reads it strictly and writes it canonically.
//   - redact.go takes secrets and personal data out before anything is kept.
//   - receiver.go collects the spans a service exports (receiver_depth.go bounds them), tree.go folds them into
//     classes of spans without ids.
//   - recorder.go makes golden sets: it sits in front of a service and of each of its dependencies, and finds
//     out by repetition (noise_find.go, noise_pattern.go) which values mean nothing.
//   - compare.go and its siblings find the Differences between a Case and what was Observed.
//   - behaviour.go, stretches.go and limits.go conclude from recorded calls how a dependency behaved in time;
//     standin.go plays it.
//   - equivalent.go compares what two builds did.
//   - driver.go sends requests, golden_run.go and incident_run.go drive whole replays, plan.go
//     makes an IncidentPlan out of telemetry.
//
// The package must not know about patches, flags or git: it is given a Launcher and reports
// what that build did. It never decides whether a change is good.
//
// # The model of a dependency
//
// In a golden replay a stand-in is a cassette (as in VCR and its relatives): each recorded call is answered
// once, matched by method, path or route, body and occurrence. In an incident replay it is
// a small simulation, because a changed service calls at other moments than the recorded one did, and a
// cassette would answer the wrong moment. Per method and route the recorded
// calls are cut into stretches of constant failure probability by optimal
// partitioning (Jackson et al. 2005, "An algorithm for optimal partitioning of data on
// an interval"; penalty: BIC), and the answer at time t is that of the stretch t falls into. Where failures are
// separated from successes by how many calls arrived shortly before rather than by
// time, a rate limit is concluded instead; likewise a concurrency limit. Latency is that of the recorded call of the same
// kind nearest in time. A call the caller gave up on hangs, unless as many requests made calls of that length when all was
// well (censored.go). A limit holds for the whole replay; else before the first and after the last recorded call, and on
// routes never seen in the incident, the healthy behaviour of the golden set holds. This is the behaviour mode of
// service virtualisation tools (Hoverfly's stateful simulation, WireMock's fault and
// delay distributions) with its parameters measured rather than written by hand.
//
// Its limits: state that the dependency keeps about single requests (idempotency, balances) is not modelled;
// a failure that depends on the content of a request is seen as a failure probability;
// a dependency that was made slow by the load itself stays slow at that time even if the load is gone, which
// errs on the side of red; the edges of a failing stretch are known only as finely as calls were recorded.
package replay
