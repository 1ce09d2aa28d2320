package replay

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
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
