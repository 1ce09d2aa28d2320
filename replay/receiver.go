package replay

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/remediator/remediator/telemetry"
	"github.com/remediator/remediator/telemetry/nesting"
)

// Bounds of the receiver. A service under test is candidate code: it may send anything.
const (
	defaultMaxPayload = 16 << 20  // bytes of one export after decompression; the SDKs send well under 4 MiB
	defaultMaxSpans   = 1_000_000 // spans kept of one replay
)

// Receiver is an OTLP/HTTP endpoint (protobuf and JSON, plain or gzip) that collects the
// spans of each trace and acknowledges logs and metrics. It implements http.Handler for
// /v1/traces, /v1/logs and /v1/metrics.
type Receiver struct {
	// MaxPayload and MaxSpans bound what is accepted; zero means the default.
	MaxPayload int64
	MaxSpans   int
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	mu       sync.Mutex
	payloads []ptrace.Traces
	traces   map[telemetry.TraceID]*arrival
	spans    int
	dropped  int
	logs     int
	metrics  int
	last     time.Time
}

// arrival is what is known about a trace before its spans are normalised.
type arrival struct {
	spans int
	// parents counts spans by parent, to see whether the entry span has come.
	parents map[telemetry.SpanID]int
	last    time.Time
}

// ServeHTTP accepts one export.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "OTLP exports are sent with POST", http.StatusMethodNotAllowed)
		return
	}
	media, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	asJSON := media == "application/json"
	if !asJSON && media != "application/x-protobuf" {
		http.Error(w, "send application/x-protobuf or application/json", http.StatusUnsupportedMediaType)
		return
	}
	body, err := r.payload(req)
	if err != nil {
		status := http.StatusBadRequest
		if errors.Is(err, errTooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), status)
		return
	}
	var response interface {
		MarshalProto() ([]byte, error)
		MarshalJSON() ([]byte, error)
	}
	switch strings.TrimSuffix(req.URL.Path, "/") {
	case "/v1/traces":
		response, err = r.acceptTraces(body, asJSON)
	case "/v1/logs":
		in := plogotlp.NewExportRequest()
		if err = decodeExport(body, asJSON, in.UnmarshalJSON, in.UnmarshalProto); err == nil {
			r.note(&r.logs, in.Logs().LogRecordCount())
		}
		response = plogotlp.NewExportResponse()
	case "/v1/metrics":
		in := pmetricotlp.NewExportRequest()
		if err = decodeExport(body, asJSON, in.UnmarshalJSON, in.UnmarshalProto); err == nil {
			r.note(&r.metrics, in.Metrics().DataPointCount())
		}
		response = pmetricotlp.NewExportResponse()
	default:
		http.Error(w, "send to /v1/traces, /v1/logs or /v1/metrics", http.StatusNotFound)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var out []byte
	if asJSON {
		out, err = response.MarshalJSON()
	} else {
		out, err = response.MarshalProto()
	}
	if err != nil {
		http.Error(w, "encoding the answer failed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", media)
	_, _ = w.Write(out)
}

var errTooLarge = errors.New("the export is too large; send smaller batches")

// payload reads the body, decompressed and bounded, so that a small gzip bomb stays small.
func (r *Receiver) payload(req *http.Request) ([]byte, error) {
	limit := r.MaxPayload
	if limit <= 0 {
		limit = defaultMaxPayload
	}
	var in io.Reader = io.LimitReader(req.Body, limit+1)
	switch strings.ToLower(req.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip":
		zr, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		in = io.LimitReader(zr, limit+1)
	default:
		return nil, errors.New("only gzip or no compression is understood")
	}
	body, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("reading the export: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, errTooLarge
	}
	return body, nil
}

func decodeExport(body []byte, asJSON bool, fromJSON, fromProto func([]byte) error) (err error) {
	// The decoders are generated code fed with hostile bytes; a panic in them is a bad
	// request and not the end of the replay.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed export: %v", p)
		}
	}()
	if asJSON {
		if err := nesting.JSON(body); err != nil {
			return err
		}
		return fromJSON(body)
	}
	if err := nesting.Proto(body); err != nil {
		return err
	}
	return fromProto(body)
}

func (r *Receiver) acceptTraces(body []byte, asJSON bool) (ptraceotlp.ExportResponse, error) {
	response := ptraceotlp.NewExportResponse()
	in := ptraceotlp.NewExportRequest()
	if err := decodeExport(body, asJSON, in.UnmarshalJSON, in.UnmarshalProto); err != nil {
		return response, err
	}
	if refused := r.add(in.Traces()); refused > 0 {
		response.PartialSuccess().SetRejectedSpans(int64(refused))
		response.PartialSuccess().SetErrorMessage("too many spans")
	}
	return response, nil
}

// add keeps the spans and returns how many were refused.
func (r *Receiver) add(td ptrace.Traces) int {
	limit := r.MaxSpans
	if limit <= 0 {
		limit = defaultMaxSpans
	}
	now := r.now()
	n := td.SpanCount()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = now
	if r.spans+n > limit {
		r.dropped += n
		return n
	}
	r.spans += n
	r.payloads = append(r.payloads, td)
	if r.traces == nil {
		r.traces = map[telemetry.TraceID]*arrival{}
	}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, s := range ss.Spans().All() {
				id := telemetry.TraceID(s.TraceID())
				a := r.traces[id]
				if a == nil {
					a = &arrival{parents: map[telemetry.SpanID]int{}}
					r.traces[id] = a
				}
				a.spans++
				a.parents[telemetry.SpanID(s.ParentSpanID())]++
				a.last = now
			}
		}
	}
	return 0
}

func (r *Receiver) note(counter *int, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*counter += n
}

func (r *Receiver) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

// settled reports whether a span under the given parent has come and nothing more of the
// trace did for the quiet period. The entry span ends last in most programs, but
// background work may outlive it, hence the quiet.
func (r *Receiver) settled(trace telemetry.TraceID, parent telemetry.SpanID, quiet time.Duration) bool {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.traces[trace]
	return a != nil && a.parents[parent] > 0 && now.Sub(a.last) >= quiet
}

// Spans returns everything received so far, normalised, by time.
func (r *Receiver) Spans() []telemetry.Span {
	r.mu.Lock()
	payloads := append([]ptrace.Traces(nil), r.payloads...)
	r.mu.Unlock()
	return normalise(payloads)
}

// Received counts what came and what was refused because there was too much of it.
func (r *Receiver) Received() (spans, dropped, logs, metrics int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spans, r.dropped, r.logs, r.metrics
}

// Reset forgets everything, for the next recording.
func (r *Receiver) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.payloads, r.traces, r.spans, r.dropped, r.logs, r.metrics = nil, nil, 0, 0, 0, 0
}
