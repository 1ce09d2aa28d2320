package telemetry

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// readLines reads one JSON value per line. The first line may be as long as a document, since it may be one.
func (r *Reader) readLines(br *bufio.Reader, d *decoder, t *tally) error {
	var line []byte
	limit := max(r.limits.Line, r.limits.Document)
	for {
		var long bool
		var err error
		line, long, err = readLine(br, line[:0], limit)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		text := bytes.TrimSpace(line)
		switch {
		case long:
			t.tooLong(limit)
		case len(text) > 0:
			derr := d.json(text)
			if derr != nil && err != nil {
				derr = d.cut(text) // the writer was stopped in the middle of the last line
			}
			t.see(derr)
		}
		if err != nil {
			return nil
		}
		limit = r.limits.Line
	}
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
