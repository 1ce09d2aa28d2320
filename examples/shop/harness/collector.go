package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// maxExport bounds one export request, in bytes.
const maxExport = 32 << 20

// collector receives OTLP over HTTP and keeps everything in memory.
type collector struct {
	mu      sync.Mutex
	traces  []ptrace.Traces
	logs    []plog.Logs
	metrics []pmetric.Metrics
}

// window is a stretch of time, the end excluded.
type window struct{ from, to time.Time }

func (w window) holds(t pcommon.Timestamp) bool {
	at := t.AsTime()
	return !at.Before(w.from) && at.Before(w.to)
}

// ServeHTTP takes one export request.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := exported(w, r)
	if err == nil {
		err = c.keep(r.URL.Path, body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK) // an empty response says that everything was taken
}

func exported(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var body io.Reader = http.MaxBytesReader(w, r.Body, maxExport)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("unzip: %w", err)
		}
		body = io.LimitReader(unzipped, maxExport)
	}
	return io.ReadAll(body)
}

func (c *collector) keep(path string, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch path {
	case "/v1/traces":
		request := ptraceotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return fmt.Errorf("traces: %w", err)
		}
		c.traces = append(c.traces, request.Traces())
	case "/v1/logs":
		request := plogotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return fmt.Errorf("logs: %w", err)
		}
		c.logs = append(c.logs, request.Logs())
	case "/v1/metrics":
		request := pmetricotlp.NewExportRequest()
		if err := request.UnmarshalProto(body); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		c.metrics = append(c.metrics, request.Metrics())
	default:
		return fmt.Errorf("%s is not a path of OTLP", path)
	}
	return nil
}

// forget drops everything received so far.
func (c *collector) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traces, c.logs, c.metrics = nil, nil, nil
}

// files renders a window as the Collector's file exporter would, compressed: name -> content.
// Text that replacer changes is what belongs to this machine.
func (c *collector) files(win window, replacer func([]byte) []byte) (map[string][]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := make(map[string][]byte)
	for name, lines := range map[string]func() ([][]byte, error){
		"traces.jsonl.zst":  func() ([][]byte, error) { return c.traceLines(win) },
		"logs.jsonl.zst":    func() ([][]byte, error) { return c.logLines(win) },
		"metrics.jsonl.zst": func() ([][]byte, error) { return c.metricLines(win) },
	} {
		rendered, err := lines()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(rendered) == 0 {
			continue // a healthy service may have nothing to log
		}
		files[name], err = compress(replacer(append(bytes.Join(rendered, []byte("\n")), '\n')))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if files["traces.jsonl.zst"] == nil {
		return nil, fmt.Errorf("no spans were received between %s and %s", win.from, win.to)
	}
	return files, nil
}

func compress(text []byte) ([]byte, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(8<<20))
	if err != nil {
		return nil, err
	}
	defer encoder.Close()
	return encoder.EncodeAll(text, nil), nil
}

// traceLines are the spans of whole traces that began in the window.
func (c *collector) traceLines(win window) ([][]byte, error) {
	begun := c.traceStarts()
	var lines [][]byte
	for _, received := range c.traces {
		kept := ptrace.NewTraces()
		received.CopyTo(kept)
		kept.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
			rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
				ss.Spans().RemoveIf(func(s ptrace.Span) bool { return !win.holds(begun[s.TraceID()]) })
				return ss.Spans().Len() == 0
			})
			return rs.ScopeSpans().Len() == 0
		})
		if kept.SpanCount() == 0 {
			continue
		}
		line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(kept)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// traceStarts is when each trace's first span began, so that a trace is in one window as a whole.
func (c *collector) traceStarts() map[pcommon.TraceID]pcommon.Timestamp {
	begun := make(map[pcommon.TraceID]pcommon.Timestamp)
	for _, received := range c.traces {
		for _, rs := range received.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, s := range ss.Spans().All() {
					if first, ok := begun[s.TraceID()]; !ok || s.StartTimestamp() < first {
						begun[s.TraceID()] = s.StartTimestamp()
					}
				}
			}
		}
	}
	return begun
}

func (c *collector) logLines(win window) ([][]byte, error) {
	var lines [][]byte
	for _, received := range c.logs {
		kept := plog.NewLogs()
		received.CopyTo(kept)
		kept.ResourceLogs().RemoveIf(func(rl plog.ResourceLogs) bool {
			rl.ScopeLogs().RemoveIf(func(sl plog.ScopeLogs) bool {
				sl.LogRecords().RemoveIf(func(l plog.LogRecord) bool {
					at := l.Timestamp()
					if at == 0 {
						at = l.ObservedTimestamp()
					}
					return !win.holds(at)
				})
				return sl.LogRecords().Len() == 0
			})
			return rl.ScopeLogs().Len() == 0
		})
		if kept.LogRecordCount() == 0 {
			continue
		}
		line, err := (&plog.JSONMarshaler{}).MarshalLogs(kept)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// metricLines are the exports of the window; all points of an export have one time.
func (c *collector) metricLines(win window) ([][]byte, error) {
	var lines [][]byte
	for _, received := range c.metrics {
		if at, ok := exportTime(received); !ok || !win.holds(at) {
			continue
		}
		line, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(received)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// exportTime is the time of the first point of an export.
func exportTime(export pmetric.Metrics) (pcommon.Timestamp, bool) {
	for _, rm := range export.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				switch m.Type() {
				case pmetric.MetricTypeSum:
					if m.Sum().DataPoints().Len() > 0 {
						return m.Sum().DataPoints().At(0).Timestamp(), true
					}
				case pmetric.MetricTypeGauge:
					if m.Gauge().DataPoints().Len() > 0 {
						return m.Gauge().DataPoints().At(0).Timestamp(), true
					}
				case pmetric.MetricTypeHistogram:
					if m.Histogram().DataPoints().Len() > 0 {
						return m.Histogram().DataPoints().At(0).Timestamp(), true
					}
				}
			}
		}
	}
	return 0, false
}
