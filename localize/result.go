package localize

import "time"

// Decision says whether the evidence is good enough to act on.
type Decision string

// Act means that the first suspect is worth a patch; Abstain that it is not, and
// Result.Why says why.
const (
	Act     Decision = "act"
	Abstain Decision = "abstain"
)

// Cause is the class of what went wrong.
type Cause string

// The classes of causes. Unclear is an honest answer.
const (
	CauseCode     Cause = "code"
	CauseConfig   Cause = "configuration"
	CauseFlag     Cause = "flag"
	CauseResource Cause = "resource"
	CauseExternal Cause = "external"
	CauseNone     Cause = "none"
	CauseUnclear  Cause = "unclear"
)

// Result is the outcome of localization. It is deterministic: the same evidence
// gives the same bytes.
type Result struct {
	Decision   Decision       `json:"decision"`
	Why        []string       `json:"why,omitempty"` // reasons for abstaining, or caveats
	Cause      Cause          `json:"cause"`
	Confidence float64        `json:"confidence"` // 0..1, of the first suspect
	Symptom    Symptom        `json:"symptom"`
	Suspects   []Suspect      `json:"suspects"`
	Changes    []RankedChange `json:"changes,omitempty"` // best first; empty when no change is to blame
	Graph      Graph          `json:"graph"`
	Path       []PathSegment  `json:"critical_path,omitempty"` // of the exemplar trace, by time
	Gaps       []Gap          `json:"gaps,omitempty"`
	Counts     Counts         `json:"counts"`
}

// Symptom is what users of the system noticed, at its edge.
type Symptom struct {
	Service   string      `json:"service"`
	Operation string      `json:"operation"`
	Kind      SymptomKind `json:"kind"`
	Errors    Shift       `json:"errors"` // share of failing requests, 0..1
	P95       Shift       `json:"p95_seconds"`
	Requests  Shift       `json:"requests_per_second"`
	From      time.Time   `json:"from,omitzero"`
	To        time.Time   `json:"to,omitzero"`
	Exemplars []string    `json:"exemplar_traces,omitempty"` // trace ids, hex, worst first
}

// SymptomKind names the broken promise.
type SymptomKind string

// The kinds of symptoms.
const (
	SymptomErrors  SymptomKind = "errors"
	SymptomLatency SymptomKind = "latency"
	SymptomNone    SymptomKind = "none"
	SymptomUnknown SymptomKind = "unknown" // nothing of the incident was received, so nothing is known of it
)

// Shift is a quantity in the baseline and in the incident.
type Shift struct {
	Baseline float64 `json:"baseline"`
	Incident float64 `json:"incident"`
}

// Suspect is one place to blame: an operation of a service, with everything that
// helps to find it in the code.
type Suspect struct {
	Service    string    `json:"service"`
	Operation  string    `json:"operation,omitempty"` // span name, route or statement as recorded
	Peer       string    `json:"peer,omitempty"`      // the dependency the operation calls, where it is a call
	Score      float64   `json:"score"`               // 0..1, comparable within one result
	Confidence float64   `json:"confidence"`          // 0..1, how often such a suspect is right
	Posterior  float64   `json:"-"`                   // what Confidence was before calibration
	Reasons    []Reason  `json:"reasons"`
	Patterns   []Pattern `json:"patterns,omitempty"`
	Hints      []Hint    `json:"hints,omitempty"`
	Commit     string    `json:"commit,omitempty"`  // deployed revision of the service, where telemetry or deploys say it
	Culprit    string    `json:"culprit,omitempty"` // the change blamed for it, if any
	Traces     []string  `json:"traces,omitempty"`  // exemplar trace ids, hex
}

// Reason is one piece of evidence in words and numbers.
type Reason struct {
	Signal   string  `json:"signal"` // "ochiai", "self_time", "edge_errors", "log_template", "change", ...
	Text     string  `json:"text"`
	Value    float64 `json:"value"`
	Baseline float64 `json:"baseline"`
	Weight   float64 `json:"weight"` // contribution to the score
}

// PatternKind names a shape of failure that a recipe may know how to mend.
type PatternKind string

// The shapes of failure that telemetry alone can show.
const (
	PatternRetryBurst    PatternKind = "retry_burst"    // repeated failing calls to one peer without growing gaps
	PatternUnboundedCall PatternKind = "unbounded_call" // calls that last far beyond the healthy tail, no deadline seen
	PatternPoolWait      PatternKind = "pool_wait"      // work queues for a connection of a saturated pool
	PatternRepeatedQuery PatternKind = "repeated_query" // one parent issues the same statement many times (N+1)
	PatternException     PatternKind = "exception"      // an exception or panic with a stack
	PatternErrorReturned PatternKind = "error_returned" // the operation itself answers with server errors
	PatternSlowSelf      PatternKind = "slow_self"      // the operation's own time grew
)

// Pattern is one such shape with its numbers; Detail keys are documented at the kind
// that sets them (see patterns.go).
type Pattern struct {
	Kind   PatternKind        `json:"kind"`
	Text   string             `json:"text"`
	Values map[string]float64 `json:"values,omitempty"`
	Detail map[string]string  `json:"detail,omitempty"`
}

// Hint is a lead from telemetry into code.
type Hint struct {
	Kind      HintKind `json:"kind"`
	File      string   `json:"file,omitempty"`
	Line      int      `json:"line,omitempty"`
	Function  string   `json:"function,omitempty"`
	Namespace string   `json:"namespace,omitempty"`
	Text      string   `json:"text,omitempty"` // span name, route, log template, statement, stack
	Weight    float64  `json:"weight"`         // 0..1, how telling it is
}

// HintKind says what a Hint was taken from.
type HintKind string

// The kinds of hints.
const (
	HintFrame     HintKind = "frame"     // stack frame, innermost application frame first
	HintCode      HintKind = "code"      // code.* attributes
	HintSpan      HintKind = "span"      // span name literal
	HintRoute     HintKind = "route"     // HTTP or RPC route
	HintLog       HintKind = "log"       // log template or message
	HintStatement HintKind = "statement" // database statement
	HintCall      HintKind = "call"      // outgoing call: peer, method and route
)

// RankedChange is a change with the case against it.
type RankedChange struct {
	SHA     string   `json:"sha"`
	Service string   `json:"service,omitempty"`
	Title   string   `json:"title"`
	Score   float64  `json:"score"`
	Reasons []Reason `json:"reasons"`
}

// Graph is the service graph seen in the telemetry of both windows. Nodes are in order of name,
// edges in order of their ends.
type Graph struct {
	Nodes []Node `json:"nodes" jsonschema_description:"services and what they call, by name"`
	Edges []Edge `json:"edges" jsonschema_description:"calls and messages from one node to another, by their ends"`
}

// Node is a service, database, cache, queue or outside peer.
type Node struct {
	Name     string  `json:"name" jsonschema_description:"service.name; for what sends no telemetry of its own the name by which its callers call it"`
	Kind     string  `json:"kind" jsonschema:"enum=service,enum=database,enum=cache,enum=queue,enum=external"`
	System   string  `json:"system,omitempty" jsonschema_description:"product behind a database, cache or queue, as db.system.name and messaging.system say it"`
	Requests Shift   `json:"requests_per_second" jsonschema_description:"requests it received; for a queue messages sent into it"`
	Seen     Shift   `json:"seen" jsonschema_description:"how many of them the telemetry holds"`
	Entry    Shift   `json:"entry_per_second,omitzero" jsonschema_description:"those that came from outside the telemetry"`
	Errors   Shift   `json:"errors" jsonschema_description:"failing share of them, 0 to 1"`
	P50      Shift   `json:"p50_seconds"`
	P95      Shift   `json:"p95_seconds" jsonschema_description:"how long they took; for a queue how long messages waited in it, where that can be known"`
	P99      Shift   `json:"p99_seconds"`
	Blame    float64 `json:"blame" jsonschema_description:"probability that it is at fault, 0 to 1"` // 0..1
	Suspect  int     `json:"suspect,omitempty" jsonschema_description:"place among the suspected services, 1 is the first"`
}

// Edge is calls from one node to another, or messages through a queue.
type Edge struct {
	From    string   `json:"from"`
	To      string   `json:"to"`
	Calls   Shift    `json:"calls_per_second"`
	Seen    Shift    `json:"seen" jsonschema_description:"how many of them the telemetry holds"`
	Errors  Shift    `json:"errors" jsonschema_description:"failing share of the calls as their caller saw them, 0 to 1"`
	P50     Shift    `json:"p50_seconds"`
	P95     Shift    `json:"p95_seconds"`
	P99     Shift    `json:"p99_seconds"`
	Retries Shift    `json:"retries_per_call" jsonschema_description:"share of the calls that repeat one which failed"`
	FanOut  Shift    `json:"calls_per_request" jsonschema_description:"calls that one piece of the caller's work makes if it makes any"`
	Path    Shift    `json:"critical_path_share" jsonschema_description:"share of the time all requests took that was spent behind this edge, further calls not included"`
	Queued  Shift    `json:"queued_p95_seconds,omitzero" jsonschema_description:"time between sending and receiving a message, 95th percentile, where both were seen"`
	Async   bool     `json:"async,omitempty" jsonschema_description:"nobody waits for the answer"`
	Suspect int      `json:"suspect,omitempty" jsonschema_description:"place among the suspects of the operation that calls over this edge"`
	Hidden  []Hidden `json:"hidden,omitempty" jsonschema_description:"faults that the caller keeps from its own callers"`
}

// Hidden is a fault on an edge that the caller's answers do not show.
type Hidden struct {
	Kind  HiddenKind `json:"kind" jsonschema:"enum=fallback,enum=retry,enum=breaker,enum=deadline"`
	Text  string     `json:"text"`
	Share Shift      `json:"share" jsonschema_description:"share of the caller's requests over this edge to which it happened, 0 to 1"`
}

// HiddenKind says what keeps the fault from being seen.
type HiddenKind string

// The ways in which a fault is hidden.
const (
	HiddenFallback HiddenKind = "fallback" // the call failed and its caller answered well all the same
	HiddenRetry    HiddenKind = "retry"    // the call failed and a repetition of it did not
	HiddenBreaker  HiddenKind = "breaker"  // the call is no longer made, though what led to it still happens
	HiddenDeadline HiddenKind = "deadline" // the caller gave up, and the callee answered well later
)

// PathSegment is a stretch of the exemplar trace's critical path.
type PathSegment struct {
	Service   string        `json:"service"`
	Operation string        `json:"operation"`
	Span      string        `json:"span"` // hex id
	Offset    time.Duration `json:"offset_ns"`
	Duration  time.Duration `json:"duration_ns"` // time on the critical path
	Error     bool          `json:"error,omitempty"`
}

// Gap is telemetry that was missing and would have helped.
type Gap struct {
	Code string `json:"code"`
	Text string `json:"text"` // what was missing and how to supply it
}

// Counts are how much was looked at.
type Counts struct {
	Spans, Traces, FailedTraces, Logs, Series int
}
