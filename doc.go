// Package remediator is the tour of the code; it holds no code itself, only the tests that
// keep the layers and the documents true.
//
// Read the packages from the bottom up. Each turns one thing into the next:
//
//   - incident: the bytes of an alert webhook into an Incident with a stable fingerprint.
//   - telemetry: OTLP payloads into spans, logs and metrics under one vocabulary.
//   - localize: incident and evidence into a service graph and ranked suspects with reasons.
//   - codeindex: a repository into symbols, span sites and routes; a lead into file:line:function.
//   - patch: suspects and code into a ladder of options, and an option into a patch.
//   - policy: facts about a patch into allow, hold or deny, by Rego rules.
//   - replay: golden traces and a running service into differences and a verdict.
//   - attest: a case into a signed in-toto statement, and that into claims proved or not.
//   - remedy: the order of all these, and the rules by which a case goes on or is declined;
//     remedy/docket: many cases over their whole lives, for the service.
//
// Around them stand the adapters under internal/, which know files, processes, Git, queues, GitHub and
// pages, and cmd/remediator and github-action, which wire everything and decide nothing.
//
// Imports point down this list only; layers_test.go checks it and says why each ban exists.
// ARCHITECTURE.md walks one incident through all stages.
package remediator
