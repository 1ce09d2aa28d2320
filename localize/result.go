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
	Confidence float64   `json:"confidence"`          // 0..1, at most 0.99
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

// Graph is the service graph seen in the telemetry.
type Graph struct {
	Nodes []Node `json:"nodes"`
	Edges []Edge `json:"edges"`
}

// Node is a service, database, queue or outside peer.
type Node struct {
	Name     string  `json:"name"`
	Kind     string  `json:"kind"` // "service", "database", "queue", "external"
	Requests Shift   `json:"requests_per_second"`
	Errors   Shift   `json:"errors"`
	P95      Shift   `json:"p95_seconds"`
	Blame    float64 `json:"blame"` // 0..1
}

// Edge is calls from one node to another.
type Edge struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Calls   Shift  `json:"calls_per_second"`
	Errors  Shift  `json:"errors"`
	P50     Shift  `json:"p50_seconds"`
	P95     Shift  `json:"p95_seconds"`
	Retries Shift  `json:"retries_per_call"`
	FanOut  Shift  `json:"calls_per_request"`
	Async   bool   `json:"async,omitempty"`
}

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
