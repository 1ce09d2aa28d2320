package replay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// maxAnswer bounds a response of candidate code.
	maxAnswer = 8 << 20
	// maxIdle is how long a connection may lie idle before it is not used again. Servers close idle connections
	// after two seconds or more; staying below that needs no second attempt, and a second attempt would be a second request.
	maxIdle = 500 * time.Millisecond
)

// driver sends requests over HTTP/1.1. It writes a request in one piece and reads the answer on the calling
// goroutine: net/http's transport hands each exchange through two further goroutines, which costs a load
// generator a third of its rate.
type driver struct {
	dial func(ctx context.Context) (net.Conn, error)
	now  func() time.Time

	mu   sync.Mutex
	idle []*wire
	open map[*wire]bool
	shut bool
}

type wire struct {
	net.Conn
	in   *bufio.Reader
	last time.Time
}

func newDriver(dial func(ctx context.Context) (net.Conn, error), now func() time.Time) *driver {
	return &driver{dial: dial, now: now, open: map[*wire]bool{}}
}

// message is a request ready to be sent; only its trace context changes between sendings.
type message struct {
	method string
	bytes  []byte
	trace  int // offset of the trace context's value
}

// newMessage renders a request. Headers were validated when the set was read; what an
// injected value may bring in is refused here once more.
func newMessage(r Request) (message, error) {
	if strings.ContainsAny(r.Method+r.Path+r.Query, " \r\n\x00") {
		return message{}, errors.New("the request line has white space or control characters")
	}
	body := wireBody(r.Body, header(r.Headers, "Content-Type"))
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: service\r\n", r.Method, target(r))
	agent, accept := false, false
	for _, k := range sortedKeys(r.Headers) {
		v := r.Headers[k]
		if k == "" || strings.ContainsAny(k, " :\r\n\t\x00") || strings.ContainsAny(v, "\r\n\x00") {
			return message{}, fmt.Errorf("header %q has characters no header may carry", clip(k, 40))
		}
		switch strings.ToLower(k) {
		case "host", "content-length", "traceparent", "connection", "transfer-encoding", "expect":
			continue
		case "user-agent":
			agent = true
		case "accept":
			accept = true
		}
		fmt.Fprintf(&b, "%s: %s\r\n", k, v)
	}
	if !agent {
		b.WriteString("User-Agent: remediator-replay\r\n")
	}
	if !accept {
		b.WriteString("Accept: */*\r\n")
	}
	if len(body) > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("Traceparent: ")
	at := b.Len()
	b.WriteString(traceparent{}.blank() + "\r\n\r\n")
	b.Write(body)
	return message{method: r.Method, bytes: []byte(b.String()), trace: at}, nil
}

// blank has the length of every trace context.
func (tp traceparent) blank() string { return strings.Repeat("0", 55) }

// received is what came back.
type received struct {
	status int
	header http.Header
	body   []byte
}

// send sends the message with the trace context and reads the answer. The context's deadline holds for all of it; a
// cancelled replay ends it through close, which spares each request a watcher of its own.
func (d *driver) send(ctx context.Context, m *message, tp traceparent) (received, error) {
	w, err := d.take(ctx)
	if err != nil {
		return received{}, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = w.SetDeadline(deadline)
	} else {
		err = w.SetDeadline(time.Time{})
	}
	if err != nil {
		d.drop(w)
		return received{}, err
	}
	out := make([]byte, len(m.bytes))
	copy(out, m.bytes)
	copy(out[m.trace:], tp.String())
	if _, err := w.Write(out); err != nil {
		d.drop(w)
		return received{}, err
	}
	r, reusable, err := w.read(m.method)
	if err != nil || !reusable {
		d.drop(w)
		return r, err
	}
	d.put(w)
	return r, nil
}

// read reads one response, passing over interim ones.
func (w *wire) read(method string) (received, bool, error) {
	for {
		resp, err := http.ReadResponse(w.in, &http.Request{Method: method})
		if err != nil {
			return received{}, false, err
		}
		if resp.StatusCode >= 100 && resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		out := received{status: resp.StatusCode, header: resp.Header}
		if resp.Body == http.NoBody { // HEAD, 204, 304: a length may be announced all the same
			return out, !resp.Close, nil
		}
		if n := resp.ContentLength; n >= 0 && n <= 64<<10 {
			out.body = make([]byte, n)
			_, err = io.ReadFull(resp.Body, out.body)
		} else {
			out.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		}
		if err != nil {
			return out, false, err
		}
		if len(out.body) > maxAnswer {
			return out, false, errors.New("the answer is larger than " + strconv.Itoa(maxAnswer>>20) + " MiB")
		}
		return out, !resp.Close, nil
	}
}

func (d *driver) take(ctx context.Context) (*wire, error) {
	now := d.now()
	d.mu.Lock()
	for len(d.idle) > 0 {
		w := d.idle[len(d.idle)-1]
		d.idle = d.idle[:len(d.idle)-1]
		if now.Sub(w.last) < maxIdle {
			d.mu.Unlock()
			return w, nil
		}
		delete(d.open, w)
		_ = w.Close()
	}
	d.mu.Unlock()
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	d.open[w] = true
	return w, nil
}

func (d *driver) put(w *wire) {
	w.last = d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		_ = w.Close()
		return
	}
	d.idle = append(d.idle, w)
}

func (d *driver) drop(w *wire) {
	d.mu.Lock()
	delete(d.open, w)
	d.mu.Unlock()
	_ = w.Close()
}

// close ends every connection, also those in use.
func (d *driver) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
	for w := range d.open {
		_ = w.Close()
	}
	d.open, d.idle = map[*wire]bool{}, nil
}

// failure names a transport error in the words of the format.
func failure(err error) string {
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	}
	return "reset"
}
