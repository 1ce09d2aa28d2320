package toolchain

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// argCache is the hidden first argument that makes this binary a build cache of the go command.
const argCache = "__remediator-gocacheprog"

// Init must be called first thing in main and in TestMain. In a process that the go command started
// as its build cache it never returns; in any other it does nothing.
func Init() {
	if len(os.Args) < 2 || os.Args[1] != argCache {
		return
	}
	err := serveCache(os.Args[2:], os.Stdin, os.Stdout, time.Now)
	if err != nil {
		fmt.Fprintln(os.Stderr, "build cache:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serveCache speaks the protocol of `go doc cmd/go/internal/cacheprog` (Go 1.24 and later).
func serveCache(args []string, in io.Reader, out io.Writer, now func() time.Time) error {
	cache := goCache{now: now}
	for len(args) >= 2 {
		switch args[0] {
		case "--rw":
			cache.own = args[1]
		case "--ro":
			cache.warm = append(cache.warm, args[1])
		default:
			return fmt.Errorf("unknown option %q", args[0])
		}
		args = args[2:]
	}
	if len(args) > 0 || cache.own == "" {
		return errors.New("usage: --rw DIR [--ro DIR ...]")
	}
	if err := os.MkdirAll(cache.own, 0o755); err != nil {
		return err
	}
	reader := bufio.NewReaderSize(in, 64<<10)
	writer := bufio.NewWriter(out)
	encoder := json.NewEncoder(writer)
	answer := func(r cacheResponse) error {
		if err := encoder.Encode(r); err != nil {
			return err
		}
		return writer.Flush()
	}
	if err := answer(cacheResponse{KnownCommands: []string{"get", "put", "close"}}); err != nil {
		return err
	}
	for {
		line, err := readLine(reader)
		if errors.Is(err, io.EOF) {
			return nil // the go command went away without saying so
		}
		if err != nil {
			return err
		}
		var req cacheRequest
		if err := json.Unmarshal(line, &req); err != nil {
			return fmt.Errorf("request: %w", err)
		}
		resp, err := cache.serve(req, reader)
		if err != nil {
			return err
		}
		if err := answer(resp); err != nil || req.Command == "close" {
			return err
		}
	}
}

type cacheRequest struct {
	ID       int64
	Command  string
	ActionID []byte
	OutputID []byte
	ObjectID []byte // what OutputID was called in Go 1.23's experiment; unused, kept from being an error
	BodySize int64
}

type cacheResponse struct {
	ID            int64
	Err           string     `json:",omitempty"`
	KnownCommands []string   `json:",omitempty"`
	Miss          bool       `json:",omitempty"`
	OutputID      []byte     `json:",omitempty"`
	Size          int64      `json:",omitempty"`
	Time          *time.Time `json:",omitempty"`
	DiskPath      string     `json:",omitempty"`
}

// maxRequest is far above the two ids that a request holds; the body is not part of the line.
const maxRequest = 64 << 10

// readLine is the next line that is not empty.
func readLine(r *bufio.Reader) ([]byte, error) {
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, fmt.Errorf("request longer than %d bytes", maxRequest)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// serve answers one request. Its error ends the program: the stream cannot be understood any further.
func (c goCache) serve(req cacheRequest, in *bufio.Reader) (cacheResponse, error) {
	resp := cacheResponse{ID: req.ID}
	switch req.Command {
	case "get":
		hit, ok := c.get(req.ActionID)
		if !ok {
			resp.Miss = true
			break
		}
		resp.OutputID, resp.Size, resp.Time, resp.DiskPath = hit.output, hit.size, &hit.time, hit.path
	case "put":
		body := io.Reader(bytes.NewReader(nil))
		var quoted *quotedReader
		if req.BodySize > 0 {
			quoted = &quotedReader{in: in}
			if err := quoted.open(); err != nil {
				return resp, err
			}
			body = base64.NewDecoder(base64.StdEncoding, quoted)
		}
		path, err := c.put(req.ActionID, req.OutputID, req.BodySize, body)
		if err != nil {
			resp.Err = err.Error()
		}
		resp.DiskPath = path
		if quoted != nil {
			// Whatever became of the body, the next request starts after it.
			if _, err := io.Copy(io.Discard, quoted); err != nil {
				return resp, err
			}
		}
	case "close":
	default:
		resp.Err = fmt.Sprintf("unknown command %q", req.Command)
	}
	return resp, nil
}

// quotedReader is the inside of a JSON string that holds base64, which needs no escapes. It never holds
// the string as a whole: compiled packages go to tens of megabytes.
type quotedReader struct {
	in   *bufio.Reader
	done bool
}

func (q *quotedReader) open() error {
	for {
		b, err := q.in.ReadByte()
		switch {
		case err != nil:
			return fmt.Errorf("body: %w", err)
		case b == '"':
			return nil
		case b != '\n' && b != '\r' && b != ' ':
			return fmt.Errorf("body: starts with %q instead of a quote", b)
		}
	}
}

func (q *quotedReader) Read(p []byte) (int, error) {
	if q.done {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if q.in.Buffered() == 0 {
		if _, err := q.in.Peek(1); err != nil {
			return 0, fmt.Errorf("body: %w", errors.Join(io.ErrUnexpectedEOF, err))
		}
	}
	chunk, _ := q.in.Peek(min(q.in.Buffered(), len(p)))
	if end := bytes.IndexByte(chunk, '"'); end >= 0 {
		q.done = true
		n := copy(p, chunk[:end])
		_, _ = q.in.Discard(end + 1)
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
	n := copy(p, chunk)
	_, _ = q.in.Discard(n)
	return n, nil
}

// entryPath is where the go command's own cache keeps a file: 256 directories by the first byte.
func entryPath(dir string, id []byte, kind string) string {
	return filepath.Join(dir, fmt.Sprintf("%02x", id[0]), fmt.Sprintf("%x-%s", id, kind))
}
