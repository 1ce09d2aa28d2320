package sources

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/localize"
)

// Window is a stretch of time, the end not included.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Sink takes what sources find. window is "incident" or "baseline". internal/bundle's Writer is one.
type Sink interface {
	Traces(window string, td ptrace.Traces) error
	Logs(window string, ld plog.Logs) error
	Metrics(window string, md pmetric.Metrics) error
}

// Query is what is asked of every source for one window.
type Query struct {
	Name     string // "incident" or "baseline", handed on to the Sink
	Window   Window
	Services []string // preferred where not all can be had; empty means all
	Alert    string   // name of the alert
	Exprs    []string // the alert's own expressions, where they are known
	Labels   map[string]string
	// TraceIDs are traces known by their ids, from exemplars and log records; they are fetched besides what is found.
	TraceIDs []string
}

// Source is one server that telemetry is fetched from. Fetch hands over what it could get, page by page, and
// says in the report what it could not get; the error is for when there is nothing at all.
type Source interface {
	Name() string // "jaeger at http://...", for people
	Fetch(ctx context.Context, q Query, to Sink) (Report, error)
}

// Report says what one source brought for one window.
type Report struct {
	Source  string        `json:"source"`
	Window  string        `json:"window"`
	Spans   int           `json:"spans,omitempty"`
	Logs    int           `json:"logs,omitempty"`
	Points  int           `json:"points,omitempty"`
	Partial []string      `json:"partial,omitempty"` // what is missing and why, with the next step
	Error   string        `json:"error,omitempty"`   // why there is nothing
	Elapsed time.Duration `json:"elapsed_ns"`
	// TraceIDs are traces that exemplars and log records pointed to, the most telling first.
	TraceIDs []string `json:"-"`
}

// Prober is a Source that can tell cheaply whether it has anything at all of a window, so that no window
// is chosen as healthy that nobody recorded.
type Prober interface {
	Probe(ctx context.Context, q Query) (bool, error)
}

// ChangeSource says what was rolled out and changed.
type ChangeSource interface {
	Name() string
	// Deploys are the roll-outs within the window, oldest first. An *Incomplete error comes with what was found;
	// with any other there is nothing.
	Deploys(ctx context.Context, w Window) ([]localize.Deploy, error)
}

// Incomplete is the error of a ChangeSource that found something and knows that it is not all.
type Incomplete struct {
	Source  string
	Missing []string // what is missing and why, with the next step
}

func (i *Incomplete) Error() string { return i.Source + ": " + strings.Join(i.Missing, "; ") }
