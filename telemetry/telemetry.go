package telemetry

import "time"

// Dataset is the normalised telemetry of one window. Order is deterministic:
// by time, then by ids.
type Dataset struct {
	Spans   []Span
	Logs    []Log
	Metrics []Series
	// Profiles are those of the window, by service, then by type.
	Profiles []Profile
	// CorrelationKeys are attributes or fields of log bodies whose values name a request, for Correlate. How a key is
	// spelt (x-request-id, requestId, http.request.header.x_request_id) does not matter. Others are found.
	CorrelationKeys []string
	// Notes say what was repaired, inferred or left out while reading, so that
	// nobody mistakes a gap in the data for a healthy system.
	Notes []Note
}

// Note is one remark of the reader about the data it was given.
type Note struct {
	Code  string `json:"code"` // "malformed_line", "duplicate_span", "kind_inferred", ...
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// TraceID and SpanID are the identifiers of W3C Trace Context; zero means absent.
type (
	TraceID [16]byte
	SpanID  [8]byte
)

// Kind is a span's kind as in OpenTelemetry.
type Kind uint8

// The span kinds, numbered as in OTLP.
const (
	KindUnspecified Kind = iota
	KindInternal
	KindServer
	KindClient
	KindProducer
	KindConsumer
)

// StatusCode is a span's status as in OpenTelemetry.
type StatusCode uint8

// The status codes, numbered as in OTLP.
const (
	StatusUnset StatusCode = iota
	StatusOK
	StatusError
)

// Resource is what produced telemetry: one process of one service.
type Resource struct {
	Service  string // service.name
	Instance string // service.instance.id, k8s.pod.name or host.name, whichever is there
	Version  string // service.version
	Commit   string // vcs.ref.head.revision (or its older names), "" where absent
	Language string // telemetry.sdk.language
	Attrs    Attrs
}

// Attr is one attribute under its current semantic-convention name. Values are
// kept as text; numbers in their shortest decimal form.
type Attr struct{ Key, Value string }

// Attrs is sorted by key.
type Attrs []Attr

// Span is one operation. Attribute names are normalised to the current semantic
// conventions, whatever vintage the sender used.
type Span struct {
	Trace    TraceID
	ID       SpanID
	Parent   SpanID
	Resource *Resource // never nil; shared between spans of one process
	Scope    string    // instrumentation scope's name
	Name     string
	Kind     Kind
	Status   StatusCode
	Message  string // status message
	Start    int64  // Unix nanoseconds, after clock-skew correction
	Duration time.Duration
	Attrs    Attrs
	Events   []Event
	Links    []Link
	// What was not in the data but concluded from it.
	KindInferred, StatusInferred bool
}

// Event is a span event; exceptions are events named "exception".
type Event struct {
	Name  string
	Time  int64
	Attrs Attrs
}

// Link is a causal reference to a span, mostly of another trace.
type Link struct {
	Trace TraceID
	Span  SpanID
}

// Log is one log record.
type Log struct {
	Time     int64
	Resource *Resource
	Scope    string // logger name
	Severity int    // OTLP severity number, 0 when unknown (17 and above are errors)
	Body     string
	Trace    TraceID
	Span     SpanID
	Attrs    Attrs
	// IDsInferred says that Trace and Span were found in text or attributes and not in their own fields.
	IDsInferred bool
}

// Series is one metric time series.
type Series struct {
	Name        string
	Description string
	Unit        string
	Kind        MetricKind
	Resource    *Resource
	Attrs       Attrs
	Points      []Point // by time
}

// MetricKind says how the points of a series are to be read.
type MetricKind uint8

// The kinds of series. Cumulative sums are kept cumulative; Histogram points carry
// Count, Sum, Bounds and Buckets.
const (
	Gauge MetricKind = iota
	Sum
	Histogram
)

// Point is one observation. Cumulative says that it counts from Start.
type Point struct {
	Start, Time int64
	Value       float64
	Count       uint64
	Bounds      []float64
	Buckets     []uint64
	Cumulative  bool
}
