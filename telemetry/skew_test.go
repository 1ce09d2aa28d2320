package telemetry

import (
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"pgregory.net/rapid"
)

// call makes one trace of a caller and a callee on another host; off is by how much the callee's clock is ahead.
func call(d *traceData, n byte, at time.Duration, length, delay, work, off time.Duration, kinds ...ptrace.SpanKind) {
	p := d.span("front", n, 1, 0, "call", at, length, nil)
	c := d.span("back", n, 2, 1, "work", at+delay+off, work, nil)
	if len(kinds) == 2 {
		p.SetKind(kinds[0])
		c.SetKind(kinds[1])
	}
}

// Whatever the clocks, and however unlike the ways there and back, the callees lie in their callers afterwards and in their order.
func TestSkewProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		off := time.Duration(rapid.Int64Range(-int64(24*time.Hour), int64(24*time.Hour)).Draw(t, "off"))
		d := newTraceData()
		n := rapid.IntRange(certain, 12).Draw(t, "calls")
		for i := range n {
			work := time.Duration(rapid.IntRange(1, 1000).Draw(t, "work")) * time.Millisecond
			there := time.Duration(rapid.IntRange(0, 200).Draw(t, "there")) * time.Millisecond
			back := time.Duration(rapid.IntRange(0, 200).Draw(t, "back")) * time.Millisecond
			call(d, byte(i+1), time.Duration(i)*10*time.Second, there+work+back, there, work, off)
		}
		r := NewReader(Options{})
		r.AddTraces(d.td)
		for _, tr := range GroupTraces(r.Dataset().Spans) {
			for i, s := range tr.Spans {
				p := tr.Parent(i)
				if p < 0 {
					continue
				}
				parent := tr.Spans[p]
				if off.Abs() > 2*time.Second && (s.Start < parent.Start || s.End() > parent.End()) {
					t.Fatalf("callee at %d..%d of %d..%d", s.Start-base, s.End()-base, parent.Start-base, parent.End()-base)
				}
			}
		}
	})
}

func TestAClockThatMayBeRightIsLeftAlone(t *testing.T) {
	for name, fill := range map[string]func(d *traceData){
		"asymmetric ways": func(d *traceData) {
			for i := range byte(5) {
				call(d, i+1, time.Duration(i)*10*time.Second, time.Second, 900*time.Millisecond, 100*time.Millisecond, 0)
			}
		},
		"one callee outlives its caller": func(d *traceData) {
			call(d, 1, 0, time.Second, 100*time.Millisecond, 5*time.Second, 0)
		},
		"fire and forget, ever later": func(d *traceData) {
			for i := range byte(6) {
				call(d, i+1, time.Duration(i)*time.Minute, 10*time.Millisecond, time.Duration(i*i+1)*time.Second, 5*time.Millisecond, 0)
			}
		},
		"one call that nobody is known to have waited for": func(d *traceData) {
			call(d, 1, 0, 10*time.Millisecond, time.Second, 5*time.Millisecond, 0)
		},
		"messages": func(d *traceData) {
			for i := range byte(5) {
				call(d, i+1, time.Duration(i)*time.Minute, 10*time.Millisecond, time.Hour, 5*time.Millisecond, 0, ptrace.SpanKindProducer, ptrace.SpanKindConsumer)
			}
		},
		"messages from before they were sent": func(d *traceData) {
			for i := range byte(5) {
				call(d, i+1, time.Duration(i)*time.Minute, 10*time.Millisecond, 0, 5*time.Millisecond, -time.Hour, ptrace.SpanKindClient, ptrace.SpanKindConsumer)
			}
		},
		"one process": func(d *traceData) {
			for i := range byte(5) {
				d.span("front", i+1, 1, 0, "in", 0, time.Second, nil)
				d.span("front", i+1, 2, 1, "later", time.Minute, time.Second, nil)
			}
		},
	} {
		d := newTraceData()
		fill(d)
		if ds := d.dataset(t); noteCount(ds, NoteClockSkew) != 0 {
			t.Errorf("%s: %v", name, ds.Notes)
		}
	}
}

func TestClocksThatMustBeWrongAreMoved(t *testing.T) {
	for name, fill := range map[string]func(d *traceData){
		"one callee before its caller": func(d *traceData) {
			call(d, 1, 0, time.Second, 0, time.Second/2, -time.Minute)
		},
		"one callee after its caller, who waited": func(d *traceData) {
			call(d, 1, 0, time.Second, 0, time.Second/2, time.Minute, ptrace.SpanKindClient, ptrace.SpanKindServer)
		},
	} {
		d := newTraceData()
		fill(d)
		if ds := d.dataset(t); noteCount(ds, NoteClockSkew) != 1 {
			t.Errorf("%s: %v", name, ds.Notes)
		}
	}
}

// Two hosts of one service have a clock each.
func TestHostsAndNotServicesHaveClocks(t *testing.T) {
	d := newTraceData()
	for i := range byte(8) {
		at := time.Duration(i) * 10 * time.Second
		d.span("front", i+1, 1, 0, "call", at, time.Second, nil)
		off, host := time.Duration(0), "good"
		if i%2 == 0 {
			off, host = -time.Hour, "bad"
		}
		d.span("back", i+1, 2, 1, "work", at+100*time.Millisecond+off, time.Second/2, nil)
		rs := d.td.ResourceSpans()
		rs.At(rs.Len()-1).Resource().Attributes().PutStr("host.name", host)
	}
	ds := d.dataset(t)
	if noteCount(ds, NoteClockSkew) != 4 {
		t.Errorf("notes %v", ds.Notes)
	}
	for _, s := range ds.Spans {
		if s.Resource.Instance == "good" && (s.Start-base)%int64(10*time.Second) != int64(100*time.Millisecond) {
			t.Errorf("the good host's span begins at %d", s.Start-base)
		}
	}
}

// A message's consumer has a clock of its own, whatever is known of its producer's.
func TestConsumersDoNotMoveWithTheirProducers(t *testing.T) {
	d := newTraceData()
	for i := range byte(4) {
		at := time.Duration(i) * 10 * time.Second
		d.span("front", i+1, 1, 0, "call", at, time.Second, nil)
		d.span("back", i+1, 2, 1, "send", at-time.Hour, time.Second/2, nil).SetKind(ptrace.SpanKindProducer)
		d.span("worker", i+1, 3, 2, "process", at+3*time.Second, time.Second, nil).SetKind(ptrace.SpanKindConsumer)
	}
	for _, s := range d.dataset(t).Spans {
		if s.Resource.Service == "worker" && (s.Start-base)%int64(10*time.Second) != int64(3*time.Second) {
			t.Errorf("the consumer was moved to %d", s.Start-base)
		}
		if s.Resource.Service == "back" && s.Start < base {
			t.Errorf("the producer was not moved: %d", s.Start-base)
		}
	}
}
