package replay

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func dialer(addr string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", addr)
	}
}

// patience is how long a test waits for what is certain to come; a loaded machine takes its time.
const patience = 30 * time.Second

// raw serves fixed bytes to each request on a connection.
func raw(t *testing.T, answer string, keep bool) (addr string, connections *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	connections = new(atomic.Int32)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if _, err := io.WriteString(conn, answer); err != nil || !keep {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), connections
}

func sendTo(t *testing.T, d *driver, r Request, timeout time.Duration) (received, error) {
	t.Helper()
	m, err := newMessage(r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	return d.send(ctx, &m, newTraceparent("d", 1))
}

func TestDriverSendsWhatWasRecorded(t *testing.T) {
	type seen struct {
		line, host, body, trace, agent string
		length                         int64
		extra                          string
	}
	got := make(chan seen, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- seen{r.Method + " " + r.RequestURI, r.Host, string(body), r.Header.Get("Traceparent"), r.UserAgent(), r.ContentLength, r.Header.Get("X-Extra")}
	}))
	defer s.Close()
	d := newDriver(dialer(s.Listener.Addr().String()), time.Now)
	defer d.close()
	r := Request{Method: "POST", Path: "/a%20b", Query: "q=1", Headers: map[string]string{"x-extra": "v", "traceparent": "old", "host": "evil", "content-type": "application/json", "content-length": "9"}, Body: json.RawMessage(`{"n":1}`)}
	if _, err := sendTo(t, d, r, patience); err != nil {
		t.Fatal(err)
	}
	want := seen{"POST /a%20b?q=1", "service", `{"n":1}`, newTraceparent("d", 1).String(), "remediator-replay", 7, "v"}
	if g := <-got; g != want {
		t.Errorf("%+v\nwant %+v", g, want)
	}
}

func TestDriverReadsEveryForm(t *testing.T) {
	tests := []struct {
		name, method, answer string
		keep                 bool
		status               int
		body                 string
		reused               bool
	}{
		{"length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true, 200, "ok", true},
		{"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n", true, 200, "ok", true},
		{"until the end", "GET", "HTTP/1.0 200 OK\r\n\r\nok", false, 200, "ok", false},
		{"no content", "GET", "HTTP/1.1 204 No Content\r\n\r\n", true, 204, "", true},
		{"head", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n", true, 200, "", true},
		{"interim", "POST", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", true, 201, "", true},
		{"closing", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", false, 200, "ok", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr, connections := raw(t, tt.answer, tt.keep)
			d := newDriver(dialer(addr), func() time.Time { return time.Unix(0, 0) }) // no connection gets stale meanwhile
			defer d.close()
			for range 3 {
				got, err := sendTo(t, d, Request{Method: tt.method, Path: "/"}, patience)
				if err != nil || got.status != tt.status || string(got.body) != tt.body {
					t.Fatalf("%v %d %q", err, got.status, got.body)
				}
			}
			if n := connections.Load(); (n == 1) != tt.reused {
				t.Errorf("%d connections for 3 requests", n)
			}
		})
	}
}

func TestDriverNamesFailures(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	hangup, _ := raw(t, "", false)
	cut, _ := raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok", false)
	nonsense, _ := raw(t, "hello\r\n\r\n", false)
	for _, tt := range []struct{ name, addr, want string }{{"refused", closed.Addr().String(), "refused"}, {"silent", silent.Addr().String(), "timeout"}, {"hangs up", hangup, "reset"}, {"cut", cut, "reset"}, {"nonsense", nonsense, "reset"}} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDriver(dialer(tt.addr), time.Now)
			defer d.close()
			limit := patience
			if tt.want == "timeout" {
				limit = 100 * time.Millisecond
			}
			_, err := sendTo(t, d, Request{Method: "GET", Path: "/"}, limit)
			if err == nil || failure(err) != tt.want {
				t.Errorf("%v is %q", err, failure(err))
			}
			if len(d.open) != 0 || len(d.idle) != 0 {
				t.Error("the broken connection is kept")
			}
		})
	}
}

func TestDriverDoesNotUseStaleConnections(t *testing.T) {
	addr, connections := raw(t, "HTTP/1.1 204 No Content\r\n\r\n", true)
	now := time.Now()
	d := newDriver(dialer(addr), func() time.Time { return now })
	for range 2 {
		if _, err := sendTo(t, d, Request{Method: "GET", Path: "/"}, patience); err != nil {
			t.Fatal(err)
		}
		now = now.Add(maxIdle)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	d.close()
	if _, err := sendTo(t, d, Request{Method: "GET", Path: "/"}, patience); err == nil {
		t.Error("sends after it was closed")
	}
}

func TestMessagesCannotBeSplit(t *testing.T) {
	for _, r := range []Request{
		{Method: "GET", Path: "/ HTTP/1.1\r\nX: y"}, {Method: "GET /x", Path: "/"}, {Method: "GET", Path: "/", Query: "a\nb"},
		{Method: "GET", Path: "/", Headers: map[string]string{"x": "a\r\nb"}}, {Method: "GET", Path: "/", Headers: map[string]string{"x: y\r\nz": "a"}},
	} {
		if _, err := newMessage(r); err == nil {
			t.Errorf("%+v is sent", r)
		}
	}
}
