package telemetry

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/telemetry/nesting"
)

// sink takes what was decoded. A Reader is one.
type sink interface {
	AddTraces(td ptrace.Traces)
	AddLogs(ld plog.Logs)
	AddMetrics(md pmetric.Metrics)
}

// decoder turns single documents of any format into pdata.
type decoder struct {
	sink   sink
	notes  noteCounts
	signal Signal // what bare protobuf holds
}

// collected is a sink that keeps the spans and nothing else.
type collected struct{ td ptrace.Traces }

func (c collected) AddTraces(td ptrace.Traces) {
	td.ResourceSpans().MoveAndAppendTo(c.td.ResourceSpans())
}
func (collected) AddLogs(plog.Logs)          {}
func (collected) AddMetrics(pmetric.Metrics) {}

// DecodeTraces decodes one document with spans, such as a server's answer, in any of the formats that Reader.Read
// knows: OTLP, Jaeger's APIs, Zipkin v2. The notes say what of it could not be decoded.
func DecodeTraces(document []byte) (ptrace.Traces, []Note, error) {
	c := collected{ptrace.NewTraces()}
	d := &decoder{sink: c, notes: noteCounts{}, signal: Traces}
	text := bytes.TrimSpace(document)
	var err error
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		err = d.json(text)
	} else {
		err = d.proto(document)
	}
	return c.td, d.notes.notes(), err
}

// readValues reads JSON values that may go over several lines.
func (r *Reader) readValues(br *bufio.Reader, d *decoder, t *tally) error {
	var buf []byte
	depth, quoted, escaped, long := 0, false, false, false
	for {
		part, err := br.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		for len(part) > 0 {
			end := -1 // behind the bracket that closes the value
			for i, c := range part {
				switch {
				case escaped:
					escaped = false
				case quoted && c == '\\':
					escaped = true
				case c == '"':
					quoted = !quoted
				case quoted:
				case c == '{' || c == '[':
					depth++
				case c == '}' || c == ']':
					if depth--; depth <= 0 {
						end = i + 1
					}
				}
				if end > 0 {
					break
				}
			}
			n := end
			if n < 0 {
				n = len(part)
			}
			if long = long || len(buf)+n > r.limits.Document; long {
				buf = buf[:0]
			} else {
				buf = append(buf, part[:n]...)
			}
			part = part[n:]
			if end < 0 {
				continue
			}
			if long {
				t.tooLong(r.limits.Document)
			} else {
				t.see(d.json(bytes.TrimSpace(buf)))
			}
			buf, depth, long = buf[:0], 0, false
		}
		if errors.Is(err, io.EOF) {
			break
		}
	}
	if long {
		t.tooLong(r.limits.Document)
	} else if rest := bytes.TrimSpace(buf); len(rest) > 0 {
		t.see(d.cut(rest))
	}
	return nil
}

// cut rescues what is whole in a document that ends too early.
func (d *decoder) cut(value []byte) error {
	whole := closed(value)
	if whole == nil {
		return errors.New("the document is cut off")
	}
	if err := d.json(whole); err != nil {
		return fmt.Errorf("the document is cut off (%w)", err)
	}
	d.notes.add(NoteCutDocument, 1)
	return nil
}

// closed closes the brackets of a JSON value that was cut off, behind the last element that is whole; nil when
// there is none.
func closed(value []byte) []byte {
	var open, at []byte // closing brackets owed, now and behind the last whole element
	last, quoted := -1, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			open = append(open, '}')
		case c == '[':
			open = append(open, ']')
		case c == '}' || c == ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return nil
			}
			if open = open[:len(open)-1]; len(open) > 0 && len(open) <= 2*nesting.Depth {
				last, at = i+1, append(at[:0], open...)
			}
		}
	}
	if last < 0 {
		return nil
	}
	out := bytes.Clone(value[:last])
	for i := len(at) - 1; i >= 0; i-- {
		out = append(out, at[i])
	}
	return out
}

// json adds one JSON value. The decoders are not all ours and the input is hostile, so a panic in one costs the
// document and no more.
func (d *decoder) json(value []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder failed: %v", p)
		}
	}()
	value = bytes.TrimPrefix(value, []byte("\ufeff"))
	if len(value) == 0 || value[0] != '{' && value[0] != '[' {
		return errors.New("not a JSON object or list")
	}
	if err := nesting.JSON(value); err != nil {
		return err // before any decoder's recursion, which nothing would stop
	}
	if value[0] == '[' {
		return d.list(value)
	}
	return d.object(value)
}

// proto adds one OTLP message in protobuf.
func (d *decoder) proto(data []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder failed: %v", p)
		}
	}()
	if r, ok := d.sink.(*Reader); ok && d.signal == Traces && r.addWire(data) {
		return nil
	}
	if err := nesting.Proto(data); err != nil {
		return err
	}
	empty := false
	switch d.signal {
	case Traces:
		var u ptrace.ProtoUnmarshaler
		td, err := u.UnmarshalTraces(data)
		if err != nil {
			return err
		}
		empty = td.ResourceSpans().Len() == 0
		d.sink.AddTraces(td)
	case Logs:
		var u plog.ProtoUnmarshaler
		ld, err := u.UnmarshalLogs(data)
		if err != nil {
			return err
		}
		empty = ld.ResourceLogs().Len() == 0
		d.sink.AddLogs(ld)
	case Metrics:
		var u pmetric.ProtoUnmarshaler
		md, err := u.UnmarshalMetrics(data)
		if err != nil {
			return err
		}
		empty = md.ResourceMetrics().Len() == 0
		d.sink.AddMetrics(md)
	}
	if empty && len(data) > 0 {
		return fmt.Errorf("the bytes are no OTLP %s", d.signal)
	}
	return nil
}

// list adds the elements of a JSON list: documents, or spans of Zipkin, alone or in lists by trace.
func (d *decoder) list(value []byte) error {
	var zipkin [][]byte
	var first error
	good, bad := 0, 0
	err := eachElement(value, func(el []byte) error {
		var err error
		switch {
		case el[0] == '[':
			err = d.list(el)
		case el[0] != '{':
			err = errors.New("a list element is no object")
		case isZipkin(el):
			zipkin = append(zipkin, el)
			return nil
		default:
			err = d.object(el)
		}
		if err != nil {
			bad++
			if first == nil {
				first = err
			}
		} else {
			good++
		}
		return nil
	})
	if len(zipkin) > 0 {
		d.zipkin(zipkin)
		good++
	}
	if err != nil {
		bad, first = bad+1, err
	}
	if good == 0 && bad > 0 {
		return first
	}
	d.notes.add(NoteMalformedLine, bad)
	return nil
}

// object adds one JSON object, which its keys tell apart.
func (d *decoder) object(value []byte) error {
	f, err := shapeOf(value)
	switch {
	case err != nil:
		return err
	case f["resourceSpans"] != nil || f["resource_spans"] != nil || f["resourceLogs"] != nil || f["resource_logs"] != nil ||
		f["resourceMetrics"] != nil || f["resource_metrics"] != nil:
		return d.otlp(value, f)
	case f["batches"] != nil: // Tempo's name for resourceSpans
		whole := append([]byte(`{"resourceSpans":`), f["batches"]...)
		whole = append(whole, '}')
		return d.otlp(whole, shape{"resourceSpans": f["batches"]})
	case isObject(f["result"]): // Jaeger's API v3, streamed by gRPC's gateway
		return d.object(f["result"])
	case isObject(f["trace"]): // Tempo's API v2
		return d.object(f["trace"])
	case isObject(f["_source"]): // a document of Elasticsearch
		return d.object(f["_source"])
	case isObject(f["hits"]):
		inner, err := shapeOf(f["hits"])
		if err != nil {
			return err
		}
		if isList(inner["hits"]) {
			return d.list(inner["hits"])
		}
	case isList(f["data"]):
		return d.list(f["data"])
	case isList(f["spans"]) && f["traceID"] != nil || isList(f["spans"]) && f["processes"] != nil:
		return d.jaegerTrace(f)
	case f["traceID"] != nil && f["spanID"] != nil:
		return d.jaegerSpans([][]byte{value}, nil)
	case isZipkin(value):
		d.zipkin([][]byte{value})
		return nil
	case f["error"] != nil || f["errors"] != nil:
		said := f["error"]
		if said == nil {
			said = f["errors"]
		}
		return fmt.Errorf("the server answered with an error: %.200q", said)
	case len(f) == 0 && len(bytes.TrimSpace(value[1:len(value)-1])) == 0:
		return nil // an export of nothing
	}
	return errors.New("an object without resourceSpans, resourceLogs, resourceMetrics, data, spans or traceId")
}

// otlp adds an export in OTLP/JSON.
func (d *decoder) otlp(value []byte, f shape) error {
	if bytes.Contains(value, []byte(`"instrumentationLibrary`)) && !bytes.Contains(value, []byte(`"scopeSpans"`)) {
		// OTLP before 0.19.
		value = bytes.ReplaceAll(value, []byte(`"instrumentationLibrary"`), []byte(`"scope"`))
		for _, s := range []string{"Spans", "Logs", "Metrics"} {
			value = bytes.ReplaceAll(value, []byte(`"instrumentationLibrary`+s+`"`), []byte(`"scope`+s+`"`))
		}
	}
	if f["resourceSpans"] != nil || f["resource_spans"] != nil {
		var u ptrace.JSONUnmarshaler
		td, err := u.UnmarshalTraces(value)
		if err != nil {
			// Plain protobuf JSON, which OTLP departs from, writes ids as base64.
			if value = hexIDs(value); value == nil {
				return err
			}
			if td, err = u.UnmarshalTraces(value); err != nil {
				return err
			}
		}
		d.sink.AddTraces(td)
	}
	if f["resourceLogs"] != nil || f["resource_logs"] != nil {
		var u plog.JSONUnmarshaler
		ld, err := u.UnmarshalLogs(value)
		if err != nil {
			return err
		}
		d.sink.AddLogs(ld)
	}
	if f["resourceMetrics"] != nil || f["resource_metrics"] != nil {
		var u pmetric.JSONUnmarshaler
		md, err := u.UnmarshalMetrics(value)
		if err != nil {
			return err
		}
		d.sink.AddMetrics(md)
	}
	return nil
}

// hexIDs rewrites ids in base64 as hexadecimal; nil when there are none.
func hexIDs(value []byte) []byte {
	id := regexp.MustCompile(`("(?:traceId|spanId|parentSpanId)"\s*:\s*")([A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{11}=)"`)
	if !id.Match(value) {
		return nil
	}
	return id.ReplaceAllFunc(value, func(m []byte) []byte {
		parts := id.FindSubmatch(m)
		raw, err := base64.StdEncoding.DecodeString(string(parts[2]))
		if err != nil {
			return m
		}
		return append(hex.AppendEncode(bytes.Clone(parts[1]), raw), '"')
	})
}

// shape is the fields of an object that tell formats apart, as they stand in the document.
type shape map[string][]byte

func shapeOf(value []byte) (shape, error) {
	f := shape{}
	err := eachField(value, func(key, v []byte) error {
		switch string(key) {
		case "resourceSpans", "resource_spans", "resourceLogs", "resource_logs", "resourceMetrics", "resource_metrics", "batches", "result", "trace",
			"_source", "hits", "data", "spans", "processes", "traceID", "spanID", "traceId", "id", "error", "errors":
			if string(v) != "null" {
				f[string(key)] = v
			}
		}
		return nil
	})
	if err == nil && len(f) == 0 && !json.Valid(value) {
		err = errors.New("not JSON")
	}
	return f, err
}

func isObject(v []byte) bool { return len(v) > 0 && v[0] == '{' }
func isList(v []byte) bool   { return len(v) > 0 && v[0] == '[' }
