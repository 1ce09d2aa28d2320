package benchmark

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// Options say what is measured. The zero value of each field but Now means its default.
type Options struct {
	Spans  []int  // sizes of the ranking. Default 10^4, 10^5, 10^6.
	Ingest int    // spans that are decoded. Default the largest size, but 100,000 at most.
	Lines  int    // log lines. Default 200,000.
	Runs   int    // of each measurement, after one to warm up. Default 3.
	Drain3 string // a Python interpreter with Drain3; "" leaves it out
	Now    func() time.Time
	// Say, if set, is told what is about to be measured.
	Say func(string)
	// Row, if set, is given each measurement as soon as it is there.
	Row func(*Measurement)
}

func (o Options) withDefaults() Options {
	if len(o.Spans) == 0 {
		o.Spans = []int{10_000, 100_000, 1_000_000}
	}
	set := func(p *int, d int) {
		if *p <= 0 {
			*p = d
		}
	}
	set(&o.Ingest, min(slices.Max(o.Spans), mostIngest))
	set(&o.Lines, 200_000)
	set(&o.Runs, 3)
	return o
}

// mostIngest is how many spans are decoded at most: each size is held as protobuf and as JSON at once.
const mostIngest = 100_000

// Report is everything that was measured.
type Report struct {
	Go           string        `json:"go"`
	Platform     string        `json:"platform"`
	Cores        int           `json:"cores"`
	Measurements []Measurement `json:"measurements"`
	Peers        []Peer        `json:"log_templates,omitempty"`
}

type bench struct {
	ctx context.Context
	opt Options
	out Report
}

func (b *bench) say(format string, args ...any) {
	if b.opt.Say != nil {
		b.opt.Say(fmt.Sprintf(format, args...))
	}
}

// Run measures.
func Run(ctx context.Context, opt Options) (*Report, error) {
	b := &bench{ctx: ctx, opt: opt.withDefaults()}
	b.out = Report{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.GOMAXPROCS(0)}
	for _, step := range []func() error{b.ingest, b.correlate, b.rank, b.lines} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &b.out, nil
}

func (b *bench) add(m Measurement, err error) error {
	if err != nil {
		return err
	}
	b.out.Measurements = append(b.out.Measurements, m)
	if b.opt.Row != nil {
		b.opt.Row(&m)
	}
	return nil
}

// ingestTarget is what the project set itself.
const ingestTarget = 250_000

// encoded is telemetry as it arrives.
type encoded struct {
	spans, records   int
	traces, logs     [][]byte // OTLP/protobuf, one per export
	jsonTraces, json []byte   // OTLP/JSON lines
}

func encode(spans int) (encoded, error) {
	var e encoded
	var tp ptrace.ProtoMarshaler
	var lp plog.ProtoMarshaler
	var tj ptrace.JSONMarshaler
	var lj plog.JSONMarshaler
	s := NewSystem(true)
	for e.spans < spans {
		td, ld := s.Batch(min(spans-e.spans, batchSpans))
		e.spans += td.SpanCount()
		e.records += ld.LogRecordCount()
		for _, w := range []struct {
			marshal func() ([]byte, error)
			keep    func([]byte)
		}{
			{func() ([]byte, error) { return tp.MarshalTraces(td) }, func(p []byte) { e.traces = append(e.traces, p) }},
			{func() ([]byte, error) { return lp.MarshalLogs(ld) }, func(p []byte) { e.logs = append(e.logs, p) }},
			{func() ([]byte, error) { return tj.MarshalTraces(td) }, func(p []byte) { e.jsonTraces = append(append(e.jsonTraces, p...), '\n') }},
			{func() ([]byte, error) { return lj.MarshalLogs(ld) }, func(p []byte) { e.json = append(append(e.json, p...), '\n') }},
		} {
			p, err := w.marshal()
			if err != nil {
				return e, fmt.Errorf("encode made-up telemetry: %w", err)
			}
			w.keep(p)
		}
	}
	return e, nil
}

// ingest measures the way from bytes to spans that are tied to their traces and logs.
func (b *bench) ingest() error {
	e, err := encode(b.opt.Ingest)
	if err != nil {
		return err
	}
	var failed error
	proto := func(r *telemetry.Reader, logs bool) {
		read := func(exports [][]byte, signal telemetry.Signal) {
			for i := 0; i < len(exports) && failed == nil; i++ {
				failed = r.Read(bytes.NewReader(exports[i]), signal)
			}
		}
		if read(e.traces, telemetry.Traces); logs {
			read(e.logs, telemetry.Logs)
		}
	}
	lines := func(r *telemetry.Reader, logs bool) {
		failed = r.Read(bytes.NewReader(e.jsonTraces), telemetry.Traces)
		if logs && failed == nil {
			failed = r.Read(bytes.NewReader(e.json), telemetry.Logs)
		}
	}
	correlated := func(decode func(*telemetry.Reader, bool)) func() {
		return func() {
			r := telemetry.NewReader(telemetry.Options{})
			decode(r, true)
			ds := r.Dataset()
			telemetry.Correlate(ds.Logs, telemetry.GroupTraces(ds.Spans), correlateBucket)
		}
	}
	for _, m := range []struct {
		name   string
		f      func()
		target bool
	}{
		{"OTLP/protobuf decoded and normalised", func() { proto(telemetry.NewReader(telemetry.Options{}), false) }, false},
		{"OTLP/JSON lines decoded and normalised", func() { lines(telemetry.NewReader(telemetry.Options{}), false) }, false},
		{"ingest and correlate, spans and their logs, from protobuf", correlated(proto), true},
		{"ingest and correlate, spans and their logs, from JSON lines", correlated(lines), true},
	} {
		out, err := b.measure(m.name, "span", e.spans, m.f)
		if m.target {
			out = out.atLeast(ingestTarget, "250,000 spans/s")
			out.Note = fmt.Sprintf("with %d log records", e.records)
			mem := need(m.f)
			out.Memory = &mem
		}
		if err := b.add(out, err); err != nil {
			return err
		}
		if failed != nil {
			return fmt.Errorf("%s: %w", m.name, failed)
		}
	}
	return nil
}

// correlateBucket is how near in time a record without ids must be to a span.
const correlateBucket = 2 * time.Second

// promised is what tools of this kind promise for ten thousand events, and the factor by which it
// is to be beaten.
const (
	promisedEvents = 10_000
	promised       = 100 * time.Millisecond
	factor         = 20
)

// correlate measures ten thousand events, spans and log records together.
func (b *bench) correlate() error {
	ds := NewSystem(true).Dataset(promisedEvents * 2 / 3)
	ds.Logs = ds.Logs[:min(len(ds.Logs), max(0, promisedEvents-len(ds.Spans)))]
	n := len(ds.Spans) + len(ds.Logs)
	m, err := b.measure("events correlated: traces built, log records tied to spans", "event", n, func() {
		telemetry.Correlate(ds.Logs, telemetry.GroupTraces(ds.Spans), correlateBucket)
	})
	limit := promised * time.Duration(n) / promisedEvents / factor
	return b.add(m.within(limit, fmt.Sprintf("20 times faster than 100 ms for 10,000: %.1f ms", limit.Seconds()*1e3)), err)
}

// rankTarget is how long the ranking of a million spans may take.
const rankTarget = 2 * time.Second

// rank measures the ranking at each size.
func (b *bench) rank() error {
	for _, n := range b.opt.Spans {
		b.say("making telemetry of %d spans", n)
		ev := localize.Evidence{Incident: NewSystem(true).Dataset(n / 2), Baseline: NewSystem(false).Dataset(n - n/2)}
		spans := len(ev.Incident.Spans) + len(ev.Baseline.Spans)
		records := len(ev.Incident.Logs) + len(ev.Baseline.Logs)
		var res localize.Result
		f := func() { res = localize.Rank(incident.Incident{}, ev, localize.Options{}) }
		m, err := b.measure("alert to ranked suspects", "span", spans, f)
		if err != nil {
			return err
		}
		mem := need(f)
		m.Memory = &mem
		m.Note = fmt.Sprintf("half of the spans in the healthy window; with %d log records", records)
		if len(res.Suspects) > 0 {
			m.Note += "; first suspect " + res.Suspects[0].Service
		}
		if n == 1_000_000 {
			m = m.within(rankTarget, "2 s")
		}
		if err := b.add(m, nil); err != nil {
			return err
		}
	}
	return nil
}
