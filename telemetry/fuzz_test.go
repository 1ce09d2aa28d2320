package telemetry

import (
	"bytes"
	"testing"
)

// Whatever the lines hold, reading neither panics nor leaves a dataset that breaks its
// promises.
func FuzzReadLines(f *testing.F) {
	f.Add([]byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","parentSpanId":"b7ad6b7169203331","name":"n","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000001000000000","events":[{"name":"exception"}]}]}]}]}`))
	f.Add([]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"arrayValue":{}}}]}]}]}`))
	f.Add([]byte(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"e","exponentialHistogram":{"dataPoints":[{"scale":-9,"timeUnixNano":"1700000000000000000","positive":{"offset":2000000000,"bucketCounts":["1"]}}]}}]}]}]}`))
	f.Add([]byte("{}\n{"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, signal := range []Signal{Traces, Logs, Metrics} {
			r := NewReader(Options{Limits: Limits{Spans: 1000, Logs: 1000, Points: 1000, Value: 100}})
			_ = r.Read(bytes.NewReader(data), signal)
			ds := r.Dataset()
			for i := range ds.Spans {
				s := &ds.Spans[i]
				if s.Resource == nil || s.Duration < 0 {
					t.Fatalf("span %+v", s)
				}
				_ = s.Signature()
				_ = s.Peer()
				_ = s.Operation()
			}
			for _, tr := range GroupTraces(ds.Spans) {
				if len(tr.Order()) != len(tr.Spans) {
					t.Fatalf("%d of %d spans ordered", len(tr.Order()), len(tr.Spans))
				}
			}
		}
	})
}
