package replay

import (
	"encoding/json"
	"time"
)

// Schema is the identifier of the golden trace format this package reads and writes.
const Schema = "remediator.golden/v1"

// Set is a golden trace set: what a service answered, and what it did meanwhile,
// when it was known to be right.
type Set struct {
	Schema    string    `json:"schema"`
	ID        string    `json:"id"`
	Service   string    `json:"service"`
	Recorded  Recorded  `json:"recorded"`
	Redaction Redaction `json:"redaction"`
	Semconv   string    `json:"semconv"`
	// Integrity is the SHA-256 of the canonical JSON of Cases, "sha256:<hex>".
	Integrity string `json:"integrity"`
	Cases     []Case `json:"cases"`
}

// Recorded says where a set comes from.
type Recorded struct {
	At          time.Time `json:"at"`
	Commit      string    `json:"commit"`
	Env         string    `json:"env,omitempty"`
	ToolVersion string    `json:"tool_version"`
	// Concurrency is how many requests were in flight at most; 0 and 1 are one after another.
	Concurrency int `json:"concurrency,omitempty"`
}

// Redaction says which rules were applied before anything was written.
type Redaction struct {
	Ruleset string `json:"ruleset"`
	Digest  string `json:"digest"`
}

// Case is one golden exchange.
type Case struct {
	ID         string       `json:"id"`
	Kind       string       `json:"kind"`    // http, grpc, message
	Effects    string       `json:"effects"` // read, sandboxed_write, forbidden
	DependsOn  []string     `json:"depends_on,omitempty"`
	Occurrence int          `json:"occurrence,omitempty"`
	Request    Request      `json:"request"`
	Vars       Vars         `json:"vars,omitzero"`
	Response   Response     `json:"response"`
	Latency    []Duration   `json:"latency"`
	Trace      Trace        `json:"trace"`
	Downstream []Downstream `json:"downstream,omitempty"`
	Noise      []Noise      `json:"noise,omitempty"`
	Expect     []string     `json:"expect,omitempty"`
}

// Duration is a time.Duration written as text ("1.5ms").
type Duration time.Duration

// Request is what is sent.
type Request struct {
	Method  string            `json:"method"`
	Route   string            `json:"route,omitempty"`
	Path    string            `json:"path"`
	Query   string            `json:"query,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"` // JSON as it is, anything else as a JSON string (content.go)
}

// Response is what came back. Shape is the body with every leaf replaced by its type,
// for bodies that were not kept.
type Response struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Shape   json.RawMessage   `json:"shape,omitempty"`
}

// Vars carry values from one case's response into later requests.
type Vars struct {
	Extract map[string]string `json:"extract,omitempty"` // name -> RFC 6901 pointer into the response body
	Inject  map[string]string `json:"inject,omitempty"`  // RFC 6901 pointer into the request -> name
}

// Trace is the span tree of one exchange, without ids.
type Trace struct {
	Tree []TreeSpan `json:"tree"`
}

// TreeSpan is one equivalence class of spans under one parent class.
type TreeSpan struct {
	Signature  string            `json:"signature"`
	Parent     string            `json:"parent,omitempty"` // signature path of the parent, "" for a root
	Kind       string            `json:"kind"`
	Status     string            `json:"status"`
	Count      Count             `json:"count"`
	Attributes map[string]string `json:"attributes,omitempty"` // critical ones only
	Errors     []string          `json:"errors,omitempty"`     // error.type / exception.type
	Links      int               `json:"links,omitempty"`
	Durations  []Duration        `json:"durations,omitempty"`
}

// Count is how often the span may occur.
type Count struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// Downstream is one outbound call as recorded: enough to stand in for the dependency.
type Downstream struct {
	Peer     string   `json:"peer"`   // name of the dependency
	Offset   Duration `json:"offset"` // from the start of the exchange
	Request  Request  `json:"request"`
	Response Response `json:"response"`
	Latency  Duration `json:"latency"`
	Error    string   `json:"error,omitempty"` // transport error instead of a response: "refused", "reset", "timeout"
}

// Noise is one difference that means nothing, with why we think so.
type Noise struct {
	Target   string `json:"target"`  // response.body, response.header, request.downstream, span
	Pointer  string `json:"pointer"` // RFC 6901, `*` allowed as a token
	Rule     string `json:"rule"`    // ignore, presence, uuid, timestamp, numeric, regex, unordered, alias
	Origin   string `json:"origin"`  // "recorded twice", "default", "person"
	Evidence string `json:"evidence,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// Pattern is the regular expression of the regex rule; the whole value has to match it.
	Pattern string `json:"pattern,omitempty"`
}
