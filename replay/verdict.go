package replay

import (
	"context"
	"net"
	"time"
)

// Outcome is what one replay showed.
type Outcome string

// The outcomes. Of a golden set: Green and Red. Of an incident: Red when its symptom shows,
// Green when it does not; NotReproduced is for the comparison of two builds. Broken means that the service could not
// be started or observed, which is neither.
const (
	Green         Outcome = "green"
	Red           Outcome = "red"
	NotReproduced Outcome = "not_reproduced"
	Broken        Outcome = "broken"
)

// Verdict is the outcome of one replay of one build with everything that led to it.
type Verdict struct {
	Outcome     Outcome      `json:"outcome"`
	Why         string       `json:"why"` // one sentence with the numbers
	Sets        []string     `json:"sets,omitempty"`
	Cases       int          `json:"cases"`
	Failed      int          `json:"failed"`
	Differences []Difference `json:"differences,omitempty"` // first 100, sorted; Dropped counts the rest
	Dropped     int          `json:"dropped,omitempty"`
	Incident    *IncidentRun `json:"incident,omitempty"`
}

// Difference is one way in which a replayed exchange is not the recorded one.
type Difference struct {
	Case     string `json:"case"`
	Target   string `json:"target"`            // status, header, body, span, downstream, latency, connection
	Pointer  string `json:"pointer,omitempty"` // RFC 6901 into the body, or a span's signature path
	Kind     string `json:"kind"`              // missing, unexpected, changed, count, order
	Recorded string `json:"recorded,omitempty"`
	Replayed string `json:"replayed,omitempty"`
	// Likely explains differences that stem from another one ("caused by the span above").
	Likely string `json:"likely,omitempty"`
}

// IncidentRun is what was measured when the incident was replayed.
type IncidentRun struct {
	Requests   int           `json:"requests"`
	Failed     int           `json:"failed"`
	ErrorRatio float64       `json:"error_ratio"`
	P95        time.Duration `json:"p95_ns"`
	Downstream int           `json:"downstream_calls"`
	PeakPerSec float64       `json:"downstream_peak_per_second"`
	Threshold  float64       `json:"threshold"` // of the symptom: error ratio, or seconds at p95
	Exemplar   *Exemplar     `json:"exemplar,omitempty"`
}

// Exemplar is one replayed exchange's span tree for a picture.
type Exemplar struct {
	Trace string         `json:"trace"`
	Spans []ExemplarSpan `json:"spans"`
}

// ExemplarSpan is one bar of the picture.
type ExemplarSpan struct {
	Name     string        `json:"name"`
	Service  string        `json:"service"`
	Depth    int           `json:"depth"`
	Offset   time.Duration `json:"offset_ns"`
	Duration time.Duration `json:"duration_ns"`
	Error    bool          `json:"error,omitempty"`
}

// Launcher starts one build of the service under test. The build, the sandbox and the
// configuration are behind it.
type Launcher interface {
	// Launch starts the service with its dependencies' addresses pointed at the
	// stand-ins and returns once it is healthy, or an error that carries the tail of its output.
	Launch(ctx context.Context, l Launch) (Instance, error)
}

// Launch says what a service under test is to be connected with.
type Launch struct {
	// StandIns maps a dependency's name to the listener that plays it.
	StandIns map[string]net.Listener
	// OTLP is where the service's telemetry is to be sent (OTLP/HTTP).
	OTLP net.Listener
	Env  map[string]string // in addition to what the configuration says
}

// Instance is a running service under test.
type Instance interface {
	// Dial connects to the service's port.
	Dial(ctx context.Context) (net.Conn, error)
	// Stop ends the service, letting it flush its telemetry first, and returns the
	// tail of its output.
	Stop(ctx context.Context) (output string, err error)
}

// IncidentPlan says how to bring the incident about again: what arrived when, how the dependencies
// behaved, and what counts as the symptom.
type IncidentPlan struct {
	Service   string
	Operation string // route or span name of the entry point
	Arrivals  []Arrival
	// Behaviour of each dependency, by name.
	Behaviour map[string]Behaviour
	Symptom   Threshold
}

// Arrival is one request of the incident: when, and which golden case supplies its content.
type Arrival struct {
	Offset time.Duration
	Route  string // method and route, as "POST /charge"
	Trace  string // hex id of the recorded trace
	Failed bool   // whether the recorded one failed
}

// Behaviour is how a dependency answered over time in the incident.
type Behaviour struct {
	Calls []RecordedCall // by Offset
}

// RecordedCall is one call as the caller saw it.
type RecordedCall struct {
	Offset   time.Duration // from the start of the plan
	Method   string
	Route    string
	Status   int // HTTP status; 0 for a transport error
	Error    string
	Latency  time.Duration
	TimedOut bool // the caller gave up: the true latency is at least Latency
}

// Threshold separates the symptom from health.
type Threshold struct {
	Kind  string  // "errors" or "latency"
	Value float64 // error ratio 0..1, or seconds at the 95th percentile
	// Recorded and Healthy are the measured values the threshold lies between.
	Recorded, Healthy float64
	Why               string // how Value follows from them
}
