package sources

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/remediator/remediator/telemetry"
	"github.com/remediator/remediator/telemetry/nesting"
)

// decodeTempo reads a trace as Tempo answers it. API v1 sends a tempopb.Trace, whose bytes are those of OTLP's TracesData,
// API v2 a tempopb.TraceByIDResponse around it; both may come as JSON, where something on the way drops the Accept header. An
// empty answer is an empty trace.
func decodeTempo(body []byte, v2 bool) (td ptrace.Traces, said []string, err error) {
	td = ptrace.NewTraces()
	trace := body
	if text := bytes.TrimSpace(body); len(text) > 0 && (text[0] == '{' || text[0] == '[' || text[0] == '<') {
		if said, err = tempoStatusJSON(text); err != nil {
			return td, nil, err
		}
		if v2 && said == nil && isEmptyTempo(text) {
			return td, nil, nil
		}
	} else if v2 {
		if trace, said, err = unwrapTempo(body); err != nil {
			return td, nil, err
		}
	}
	if len(trace) == 0 {
		return td, said, nil
	}
	got, notes, err := telemetry.DecodeTraces(trace)
	if err != nil {
		return td, said, err
	}
	for _, n := range notes {
		said = append(said, fmt.Sprintf("%d: %s", n.Count, n.Text))
	}
	return got, said, nil
}

// unwrapTempo takes a tempopb.TraceByIDResponse apart: trace = 1, metrics = 2, status = 3 (PARTIAL = 1), message = 4.
func unwrapTempo(body []byte) (trace []byte, said []string, err error) {
	partial, message := false, ""
	for len(body) > 0 {
		num, typ, n := protowire.ConsumeTag(body)
		if n < 0 {
			return nil, nil, protowire.ParseError(n)
		}
		body = body[n:]
		switch {
		case num == 1 && typ == protowire.BytesType:
			v, n := protowire.ConsumeBytes(body)
			if n < 0 {
				return nil, nil, protowire.ParseError(n)
			}
			if trace == nil {
				trace = v
			} else {
				trace = append(bytes.Clone(trace), v...) // messages are merged by joining their bytes
			}
			body = body[n:]
		case num == 3 && typ == protowire.VarintType:
			v, n := protowire.ConsumeVarint(body)
			if n < 0 {
				return nil, nil, protowire.ParseError(n)
			}
			partial = v == 1
			body = body[n:]
		case num == 4 && typ == protowire.BytesType:
			v, n := protowire.ConsumeBytes(body)
			if n < 0 {
				return nil, nil, protowire.ParseError(n)
			}
			message = string(v)
			body = body[n:]
		default:
			n := protowire.ConsumeFieldValue(num, typ, body)
			if n < 0 {
				return nil, nil, protowire.ParseError(n)
			}
			if num > 100 {
				return nil, nil, errors.New("a field that a trace has not")
			}
			body = body[n:]
		}
	}
	return trace, tempoPartial(partial, message), nil
}

func tempoPartial(partial bool, message string) []string {
	if !partial {
		return nil
	}
	if message == "" {
		message = "a part of it"
	}
	return []string{"the server sent only a part: " + clip(message, excerpt)}
}

// tempoStatusJSON reads what stands beside the trace.
func tempoStatusJSON(text []byte) ([]string, error) {
	var beside struct {
		Status  json.RawMessage
		Message string
	}
	if err := nesting.JSON(text); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &beside); err != nil {
		return nil, err
	}
	return tempoPartial(string(beside.Status) == `"PARTIAL"` || string(beside.Status) == "1", beside.Message), nil
}

// isEmptyTempo says whether the answer is that of API v2 about a trace which is not stored: it may hold other things than
// the trace.
func isEmptyTempo(text []byte) bool {
	var a map[string]json.RawMessage
	if err := json.Unmarshal(text, &a); err != nil {
		return false
	}
	for key := range a {
		switch key {
		case "trace", "metrics", "status", "message":
		default:
			return false
		}
	}
	trace := string(bytes.TrimSpace(a["trace"]))
	return trace == "" || trace == "null" || trace == "{}"
}
