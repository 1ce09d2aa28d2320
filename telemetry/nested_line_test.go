package telemetry

import (
	"strings"
	"testing"
)

// TestNestedLineCostsTheLine: a line of an incident bundle that nests a million arrays once overflowed the
// decoder's stack, which ends the process.
func TestNestedLineCostsTheLine(t *testing.T) {
	line := func(levels int) string {
		return `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","startTimeUnixNano":"1767323045000000000","endTimeUnixNano":"1767323045000000001","attributes":[{"key":"k","value":` +
			strings.Repeat(`{"arrayValue":{"values":[`, levels) + `{"intValue":"7"}` + strings.Repeat(`]}}`, levels) + `}]}]}]}]}`
	}
	r := NewReader(Options{})
	if err := r.Read(strings.NewReader(line(1_500_000)+"\n"+line(3)+"\n"), Traces); err != nil {
		t.Fatal(err)
	}
	ds := r.Dataset()
	if len(ds.Spans) != 1 {
		t.Errorf("%d spans of the good line", len(ds.Spans))
	}
	for _, n := range ds.Notes {
		if n.Code == NoteMalformedLine && n.Count == 1 {
			return
		}
	}
	t.Errorf("the line is not mentioned: %+v", ds.Notes)
}
