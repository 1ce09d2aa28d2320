package alerthook

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

var (
	errTooLarge = errors.New("the body is too large")
	errCrowded  = errors.New("too many bodies at once")
	errSlow     = errors.New("the body came too slowly")
	errBroken   = errors.New("the body broke off")
)

// budget bounds the bytes of bodies that are held at one time, over all requests. Nothing else
// bounds what strangers can make the process hold, since credentials are known only after the body.
type budget struct {
	held atomic.Int64
	most int64
}

// take reserves n bytes; false if there is no room.
func (b *budget) take(n int64) bool {
	if b.held.Add(n) > b.most {
		b.held.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.held.Add(-n) }

// chunk is what a body grows by. A slow sender holds one of it, not the whole of what it announces.
const chunk = 16 << 10

// readBody reads a request's body, at most limit bytes and at most for the given time. release gives back
// what is held and must be called once.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, patience time.Duration, b *budget) (body []byte, release func(), err error) {
	var held int64
	release = func() { b.give(held) }
	if r.ContentLength > limit {
		return nil, release, errTooLarge
	}
	control := http.NewResponseController(w)
	// The deadline is the connection's, so it is one of the system's clock. A writer without a connection has none.
	// It stays where the body is not read to its end: the server reads on for a while before it
	// closes such a connection, and would wait for a sender that sends nothing.
	bounded := control.SetReadDeadline(time.Now().Add(patience)) == nil
	var buffer bytes.Buffer
	for {
		if !b.take(chunk) {
			return nil, release, errCrowded
		}
		held += chunk
		n, err := io.CopyN(&buffer, r.Body, chunk)
		switch {
		case int64(buffer.Len()) > limit:
			return nil, release, errTooLarge
		case errors.Is(err, io.EOF) && n < chunk:
			if bounded {
				_ = control.SetReadDeadline(time.Time{}) // what comes next has a time of its own
			}
			return buffer.Bytes(), release, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, release, errSlow
		case err != nil:
			return nil, release, errBroken
		}
	}
}

// unpack decompresses a body if its encoding says so, to at most limit bytes.
func unpack(encoding string, body []byte, limit int64) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		if int64(len(body)) > limit {
			return nil, errTooLarge
		}
		return body, nil
	case "gzip", "x-gzip":
	default:
		return nil, fmt.Errorf("content encoding %.20q is not read: send the body as it is, or compressed with gzip", encoding)
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the body is not gzip, although its Content-Encoding says so")
	}
	out, err := io.ReadAll(io.LimitReader(z, limit+1))
	switch {
	case int64(len(out)) > limit:
		return nil, errTooLarge
	case err != nil:
		return nil, errors.New("the compressed body is damaged or cut off")
	}
	return out, nil
}
