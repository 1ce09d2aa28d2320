package telemetry

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/telemetry/nesting"
)

// Signal is one of the three kinds of telemetry.
type Signal string

// The signals, named as the files of a bundle are.
const (
	Traces  Signal = "traces"
	Logs    Signal = "logs"
	Metrics Signal = "metrics"
)

// ReadLines reads OTLP/JSON lines as the OpenTelemetry Collector's file exporter writes
// them. Lines that cannot be decoded are counted in the notes; it is an error only when no
// line could be, or when reading fails.
func (r *Reader) ReadLines(in io.Reader, signal Signal) error {
	switch signal {
	case Traces, Logs, Metrics:
	default:
		return fmt.Errorf("telemetry has no signal %q; use traces, logs or metrics", signal)
	}
	br := bufio.NewReaderSize(in, 1<<16)
	var line []byte
	var first error
	good, bad := 0, 0
	for {
		var long bool
		var err error
		line, long, err = readLine(br, line[:0], r.limits.Line)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: %w", signal, err)
		}
		text := bytes.TrimSpace(line)
		switch {
		case long:
			r.notes.add(NoteLongLine, 1)
			bad++
			if first == nil {
				first = fmt.Errorf("a line is longer than %d bytes", r.limits.Line)
			}
		case len(text) == 0:
		default:
			if derr := r.decode(text, signal); derr != nil {
				r.notes.add(NoteMalformedLine, 1)
				bad++
				if first == nil {
					first = derr
				}
			} else {
				good++
			}
		}
		if err != nil {
			break
		}
	}
	if good == 0 && bad > 0 {
		return fmt.Errorf("none of %d lines of %s is OTLP/JSON (%w); export with the collector's file exporter, one JSON object per line", bad, signal, first)
	}
	return nil
}

// decode adds one line. The decoder is not ours and the input is hostile, so a panic in
// it costs the line and no more.
func (r *Reader) decode(line []byte, signal Signal) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder failed: %v", p)
		}
	}()
	if line[0] != '{' {
		return errors.New("not a JSON object")
	}
	if err := nesting.JSON(line); err != nil {
		return err // before the decoder's recursion, which nothing would stop
	}
	switch signal {
	case Traces:
		var u ptrace.JSONUnmarshaler
		td, err := u.UnmarshalTraces(line)
		if err != nil {
			return err
		}
		r.AddTraces(td)
	case Logs:
		var u plog.JSONUnmarshaler
		ld, err := u.UnmarshalLogs(line)
		if err != nil {
			return err
		}
		r.AddLogs(ld)
	case Metrics:
		var u pmetric.JSONUnmarshaler
		md, err := u.UnmarshalMetrics(line)
		if err != nil {
			return err
		}
		r.AddMetrics(md)
	}
	return nil
}

// readLine reads up to the next line feed into buf. Of a line longer than limit nothing is
// kept.
func readLine(br *bufio.Reader, buf []byte, limit int) (line []byte, long bool, err error) {
	for {
		part, err := br.ReadSlice('\n')
		if !long {
			if len(buf)+len(part) > limit {
				long, buf = true, buf[:0]
			} else {
				buf = append(buf, part...)
			}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return buf, long, err
	}
}
