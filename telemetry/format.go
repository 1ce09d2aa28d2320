package telemetry

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// Signal is one of the three kinds of telemetry.
type Signal string

// The signals, named as the files of a bundle are.
const (
	Traces  Signal = "traces"
	Logs    Signal = "logs"
	Metrics Signal = "metrics"
)

// peekSize is how much of the input is looked at to tell its format.
const peekSize = 1 << 16

// zstdMagic begins a zstd frame, with which the collector's file exporter may compress each message.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// framing is how the documents of an input are told apart.
type framing uint8

const (
	framedByLine  framing = iota // one JSON value per line
	framedByValue                // JSON values that span lines
	framedFixed                  // each behind its length in four bytes, big-endian: the collector's file exporter
	framedVarint                 // each behind its length as a varint: OTLP's file format for protobuf
	unframed                     // one protobuf message
)

// Read reads telemetry in any of the formats that the package doc lists. The format is recognised by the
// content; signal matters for bare protobuf only, whose bytes do not say what they are. Documents that cannot be
// decoded are counted in the notes; it is an error only when none could be, or when reading fails.
func (r *Reader) Read(in io.Reader, signal Signal) error {
	switch signal {
	case Traces, Logs, Metrics:
	default:
		return fmt.Errorf("telemetry has no signal %q; use traces, logs or metrics", signal)
	}
	br := bufio.NewReaderSize(in, peekSize)
	head, err := br.Peek(peekSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read %s: %w", signal, err)
	}
	d := &decoder{sink: r, notes: r.notes, signal: signal}
	t := tally{notes: r.notes, signal: signal}
	switch sniff(head) {
	case framedByLine:
		err = r.readLines(br, d, &t)
	case framedByValue:
		err = r.readValues(br, d, &t)
	case framedFixed:
		err = r.readFrames(br, d, &t, func() (uint64, error) {
			var b [4]byte
			_, err := io.ReadFull(br, b[:])
			return uint64(binary.BigEndian.Uint32(b[:])), err
		})
	case framedVarint:
		err = r.readFrames(br, d, &t, func() (uint64, error) { return binary.ReadUvarint(br) })
	case unframed:
		var all bytes.Buffer
		if sized, ok := in.(interface{ Len() int }); ok {
			all.Grow(min(sized.Len(), r.limits.Document) + peekSize + bytes.MinRead) // what lies in memory says how much it is
		}
		if _, err = all.ReadFrom(io.LimitReader(br, int64(r.limits.Document)+1)); err == nil {
			if all.Len() > r.limits.Document {
				t.tooLong(r.limits.Document)
			} else {
				t.see(d.proto(all.Bytes()))
			}
		}
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", signal, err)
	}
	return t.verdict()
}

// tally counts the documents of one input.
type tally struct {
	notes     noteCounts
	signal    Signal
	good, bad int
	first     error // what was wrong with the first bad one
}

func (t *tally) see(err error) {
	if err == nil {
		t.good++
		return
	}
	t.bad++
	t.notes.add(NoteMalformedLine, 1)
	if t.first == nil {
		t.first = err
	}
}

func (t *tally) tooLong(limit int) {
	t.bad++
	t.notes.add(NoteLongLine, 1)
	if t.first == nil {
		t.first = fmt.Errorf("a document is longer than %d bytes", limit)
	}
}

func (t *tally) verdict() error {
	if t.good > 0 || t.bad == 0 {
		return nil
	}
	known := "OTLP (JSON or protobuf)"
	if t.signal == Traces {
		known = "OTLP (JSON or protobuf), Jaeger JSON or Zipkin v2 JSON"
	}
	return fmt.Errorf("none of %d documents of %s is %s (%w); export with the collector's file exporter, one JSON object per line", t.bad, t.signal, known, t.first)
}

// sniff tells from the first bytes how documents are framed.
func sniff(head []byte) framing {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	if len(text) == 0 {
		return framedByLine // nothing in it
	}
	if text[0] == '{' || text[0] == '[' {
		// A message of 123 bytes that begins with field 1 looks like a line feed and a brace.
		if len(text) == len(head) || !binaryText(head) {
			return jsonFraming(text)
		}
	} else if !binaryText(head) {
		return framedByLine // which says what is wrong with each
	}
	if head[0] == otlpField1 {
		return unframed
	}
	if len(head) >= 5 {
		n := binary.BigEndian.Uint32(head)
		if n > 0 && (head[4] == otlpField1 || head[4] == '{' || bytes.HasPrefix(head[4:], zstdMagic)) {
			return framedFixed
		}
	}
	if n, size := binary.Uvarint(head); size > 0 && n > 0 && len(head) > size && head[size] == otlpField1 {
		return framedVarint
	}
	return unframed
}

// otlpField1 is the tag of field 1, length-delimited: resource_spans, resource_logs and resource_metrics.
const otlpField1 = 0x0a

// binaryText says that bytes hold control characters, which text, and JSON above all, does not.
func binaryText(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\n' && c != '\r' && c != '\t' {
			return true
		}
	}
	return false
}

// jsonFraming tells lines from values that go over several lines, by the first line: it is a document's beginning when
// brackets stay open at its end, unless it seems to be a line that was cut off before the next one began.
func jsonFraming(text []byte) framing {
	line, rest, more := bytes.Cut(text, []byte("\n"))
	if !more {
		return framedByLine // or a document on one line, which is read the same
	}
	depth, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	if depth <= 0 || quoted {
		return framedByLine
	}
	line = bytes.TrimRight(line, " \t\r")
	if len(rest) > 0 && rest[0] == '{' && !bytes.ContainsRune([]byte("[:,"), rune(line[len(line)-1])) {
		return framedByLine
	}
	return framedByValue
}

// readFrames reads documents behind their lengths.
func (r *Reader) readFrames(br *bufio.Reader, d *decoder, t *tally, next func() (uint64, error)) error {
	var z *zstd.Decoder
	defer func() {
		if z != nil {
			z.Close()
		}
	}()
	var frame bytes.Buffer
	for {
		n, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		cut := errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !cut {
			t.see(fmt.Errorf("the length of a message is broken: %w", err))
			return nil
		}
		if n > uint64(r.limits.Document) {
			t.tooLong(r.limits.Document)
			return nil // what follows cannot be told from content
		}
		frame.Reset()
		if !cut {
			// Grows as bytes come: a length is only a claim.
			_, err = io.CopyN(&frame, br, int64(n)) // bounded by Document
			cut = errors.Is(err, io.EOF)
			if err != nil && !cut {
				return err
			}
		}
		if cut {
			t.see(errors.New("the last message is cut off"))
			return nil
		}
		data := frame.Bytes()
		if bytes.HasPrefix(data, zstdMagic) {
			if z == nil {
				if z, err = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(r.limits.Document)), zstd.WithDecoderConcurrency(1)); err != nil {
					return err
				}
			}
			if data, err = z.DecodeAll(data, nil); err != nil {
				t.see(fmt.Errorf("a message is not zstd: %w", err))
				continue
			}
		}
		if len(data) > 0 && data[0] == '{' {
			t.see(d.json(data))
		} else {
			t.see(d.proto(data))
		}
	}
}
