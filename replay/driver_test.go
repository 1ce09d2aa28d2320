package replay

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
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
	if _, err := sendTo(t, d, r, time.Second); err != nil {
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
			d := newDriver(dialer(addr), time.Now)
			defer d.close()
			for range 3 {
				got, err := sendTo(t, d, Request{Method: tt.method, Path: "/"}, time.Second)
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
			_, err := sendTo(t, d, Request{Method: "GET", Path: "/"}, 100*time.Millisecond)
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
		if _, err := sendTo(t, d, Request{Method: "GET", Path: "/"}, time.Second); err != nil {
			t.Fatal(err)
		}
		now = now.Add(maxIdle)
	}
	if n := connections.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	d.close()
	if _, err := sendTo(t, d, Request{Method: "GET", Path: "/"}, time.Second); err == nil {
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

// TestMain lets the test binary play the target of the load benchmarks: a server in a process of its
// own, as a service under test is.
func TestMain(m *testing.M) {
	if os.Getenv("REPLAY_BENCHMARK_TARGET") == "" {
		os.Exit(m.Run())
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go func() { // ends with the benchmark, however that ends
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true}`) })))
}

func benchmarkTarget(b *testing.B) (addr string) {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = []string{"REPLAY_BENCHMARK_TARGET=1"}
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	addr, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

// The three benchmarks load the same server over as many connections, so that their ratios say what the
// driver costs beside the standard client and beside wrk.
const benchmarkConnections = 32

func benchmarkLoad(b *testing.B, send func(addr string) func() error) {
	one := send(benchmarkTarget(b))
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for range benchmarkConnections {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := one(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func BenchmarkDriver(b *testing.B) {
	benchmarkLoad(b, func(addr string) func() error {
		d := newDriver(dialer(addr), time.Now)
		b.Cleanup(d.close)
		m, err := newMessage(Request{Method: "GET", Path: "/x"})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		b.Cleanup(cancel)
		tp := newTraceparent("b", 1)
		return func() error {
			got, err := d.send(ctx, &m, tp)
			if err == nil && got.status != 200 {
				err = fmt.Errorf("answered %d", got.status)
			}
			return err
		}
	})
}

func BenchmarkStandardClient(b *testing.B) {
	benchmarkLoad(b, func(addr string) func() error {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
		b.Cleanup(client.CloseIdleConnections)
		tp := newTraceparent("b", 1).String()
		return func() error {
			req, err := http.NewRequest(http.MethodGet, "http://"+addr+"/x", nil)
			if err != nil {
				return err
			}
			req.Header.Set("Traceparent", tp)
			resp, err := client.Do(req)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return err
		}
	})
}

// BenchmarkWrk is the fastest load generator at hand on the same kind of server, for the
// ratio; it is skipped where wrk is not installed.
func BenchmarkWrk(b *testing.B) {
	path, err := exec.LookPath("wrk")
	if err != nil {
		b.Skip("wrk is not installed")
	}
	addr := benchmarkTarget(b)
	for b.Loop() {
		out, err := exec.CommandContext(b.Context(), path, "-t", "2", "-c", strconv.Itoa(benchmarkConnections), "-d", "2s", "-H", "Traceparent: "+newTraceparent("b", 1).String(), "http://"+addr+"/x").Output()
		if err != nil {
			b.Fatal(err)
		}
		m := regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`).FindSubmatch(out)
		if m == nil {
			b.Fatalf("cannot read %s", out)
		}
		rate, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(rate, "requests/s")
	}
}

func TestTraceparent(t *testing.T) {
	tp := newTraceparent("seed", 7)
	got, ok := parseTraceparent(tp.String())
	if !ok || got != tp {
		t.Errorf("%v %v", got, ok)
	}
	if tp == newTraceparent("seed", 8) || tp == newTraceparent("other", 7) || tp != newTraceparent("seed", 7) {
		t.Error("ids do not follow seed and number")
	}
	zero := strings.Repeat("0", 32)
	for _, bad := range []string{"", "00", "00-" + zero + "-0000000000000001-01", "00-" + tp.trace.String() + "-" + strings.Repeat("0", 16) + "-01", "ff" + tp.String()[2:], strings.ReplaceAll(tp.String(), "-", "_"), "00-" + strings.Repeat("z", 32) + "-" + tp.span.String() + "-01"} {
		if _, ok := parseTraceparent(bad); ok {
			t.Errorf("%q is accepted", bad)
		}
	}
}
