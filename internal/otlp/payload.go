package otlp

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/remediator/remediator/telemetry"
	"github.com/remediator/remediator/telemetry/nesting"
)

// pieceSize bounds a payload before compression. What cannot be compressed grows by a thousandth at most, so
// that every piece becomes a payload of less than MaxPayload.
const pieceSize = 960_000

// packer compresses payloads and unpacks them again. A payload is one zstd frame with the protobuf form of an export
// request; requests put one after another are one request, which is how batches are made.
type packer struct {
	in  *zstd.Decoder
	out *zstd.Encoder
}

func newPacker() (*packer, error) {
	in, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(4*MaxPayload), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, fmt.Errorf("set up decompression: %w", err)
	}
	out, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	return &packer{in, out}, nil
}

func (p *packer) pack(raw []byte) []byte { return p.out.EncodeAll(raw, make([]byte, 0, len(raw)/4)) }

// unpack decodes a payload. The log may be shared with others, so it is checked like a request.
func (p *packer) unpack(signal telemetry.Signal, payload []byte) (export, error) {
	raw, err := p.in.DecodeAll(payload, nil)
	if err != nil {
		return nil, fmt.Errorf("payload of the telemetry log: %w", err)
	}
	return decode(signal, raw, false)
}

// decode reads the body of a request. Its errors are refusals.
func decode(signal telemetry.Signal, body []byte, asJSON bool) (e export, err error) {
	check := nesting.Proto
	if asJSON {
		check = nesting.JSON
	}
	if err := check(body); err != nil {
		return nil, tooDeep(err)
	}
	// The decoders are generated code fed with hostile bytes; a panic in them is a bad request and not the
	// end of the service. Their errors are not repeated, since they may quote what they read.
	defer func() {
		if p := recover(); p != nil {
			e, err = nil, malformed("the export cannot be decoded")
		}
	}()
	read := func(fromProto, fromJSON func([]byte) error) error {
		from := fromProto
		if asJSON {
			from = fromJSON
		}
		if from(body) != nil {
			return malformed("the export cannot be decoded; send OTLP as protobuf or JSON as the Content-Type says")
		}
		return nil
	}
	switch signal {
	case telemetry.Traces:
		in := ptraceotlp.NewExportRequest()
		err = read(in.UnmarshalProto, in.UnmarshalJSON)
		return &traceExport{in.Traces()}, err
	case telemetry.Logs:
		in := plogotlp.NewExportRequest()
		err = read(in.UnmarshalProto, in.UnmarshalJSON)
		return &logExport{in.Logs()}, err
	case telemetry.Metrics:
		in := pmetricotlp.NewExportRequest()
		err = read(in.UnmarshalProto, in.UnmarshalJSON)
		return &metricExport{in.Metrics()}, err
	default:
		return nil, errors.New("otlp has no such signal; use traces, logs or metrics")
	}
}
