package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/remediator/remediator/examples/shop"
)

// services are the shop's services with the names and ports under which they call each other.
var services = []service{
	{name: "inventory", host: "inventory:8082"},
	{name: "pricing", host: "pricing:8084", python: true},
	{name: "payments", host: "payments:8083"},
	{name: "orders", host: "orders:8081"},
	{name: "gateway", host: "gateway:8080"},
}

type service struct {
	name   string
	host   string
	python bool
}

// build is one commit, checked out and compiled.
type build struct {
	dir     string
	sha     string
	version string
}

// builder checks commits out of a repository and compiles them.
type builder struct {
	repo string
	work string // directory for the checkouts
}

func (b *builder) build(ctx context.Context, commit shop.Commit) (build, error) {
	made := build{
		dir:     filepath.Join(b.work, commit.SHA[:12]),
		sha:     commit.SHA,
		version: commit.Time.UTC().Format("2006.01.02") + "-" + commit.SHA[:7],
	}
	if err := command(ctx, b.repo, "git", "worktree", "add", "--quiet", "--detach", made.dir, commit.SHA); err != nil {
		return build{}, fmt.Errorf("check out %s: %w", commit.SHA, err)
	}
	// -trimpath keeps this machine's directories out of stack traces.
	if err := command(ctx, made.dir, "go", "build", "-trimpath", "-buildvcs=false", "-o", "bin/", "./cmd/..."); err != nil {
		return build{}, fmt.Errorf("build %s: %w", commit.SHA, err)
	}
	return made, nil
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(append([]string{name}, args...), " "), err, tail(out))
	}
	return nil
}

func tail(out []byte) []byte {
	const keep = 2000
	return out[max(0, len(out)-keep):]
}

// instance is one running process of a service.
type instance struct {
	service service
	addr    string
	cmd     *exec.Cmd
	output  *tailWriter
	ended   chan struct{}
}

// fleet is the running shop.
type fleet struct {
	mesh   *mesh
	proxy  string // address of the mesh
	otlp   string // base URL of the collector
	python string // interpreter with the OpenTelemetry SDK

	mu        sync.Mutex
	serial    map[string]int
	instances map[string]*instance
}

// deploy starts the named services of a build beside what runs, sends the traffic to them,
// and stops what ran before.
func (f *fleet) deploy(ctx context.Context, b build, names ...string) error {
	for _, s := range services {
		if len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		addr, err := freeAddress()
		if err != nil {
			return err
		}
		next, err := f.start(ctx, b, s, addr)
		if err != nil {
			return err
		}
		f.mu.Lock()
		previous := f.instances[s.name]
		f.instances[s.name] = next
		f.mu.Unlock()
		f.mesh.route(s.host, next.addr)
		if previous != nil {
			if err := previous.stop(); err != nil {
				return err
			}
		}
	}
	return nil
}

// start runs one process of a service at an address. extra is added to its environment and wins.
func (f *fleet) start(ctx context.Context, b build, s service, addr string, extra ...string) (*instance, error) {
	f.mu.Lock()
	f.serial[s.name]++
	serial := f.serial[s.name]
	f.mu.Unlock()

	// Processes outlive the context; they are stopped, so that their telemetry is complete.
	cmd := exec.Command(filepath.Join(b.dir, "bin", s.name))
	if s.python {
		cmd = exec.Command(f.python, "-m", s.name)
	}
	cmd.Dir = b.dir
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.TempDir(),
		"PYTHONDONTWRITEBYTECODE=1",
		"ADDR=" + addr,
		"HTTP_PROXY=http://" + f.proxy,
		"NO_PROXY=127.0.0.1",
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + f.otlp,
		"OTEL_BSP_SCHEDULE_DELAY=500",
		"OTEL_BLRP_SCHEDULE_DELAY=500",
		"OTEL_METRIC_EXPORT_INTERVAL=3000",
		"OTEL_METRICS_EXEMPLAR_FILTER=always_off",
		fmt.Sprintf("OTEL_RESOURCE_ATTRIBUTES=service.version=%s,vcs.ref.head.revision=%s,deployment.environment.name=production,service.instance.id=%s-%d",
			b.version, b.sha, s.name, serial),
	}
	cmd.Env = append(cmd.Env, extra...)
	i := &instance{service: s, addr: addr, cmd: cmd, output: &tailWriter{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = i.output, i.output
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.name, err)
	}
	go func() {
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(i.ended)
	}()
	if err := i.awaitHealth(ctx); err != nil {
		return nil, errors.Join(err, i.stop())
	}
	return i, nil
}

func (i *instance) awaitHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.addr+"/healthz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode/100 == 2 {
				return nil
			}
		}
		select {
		case <-i.ended:
			return fmt.Errorf("%s ended (%s):\n%s", i.service.name, i.cmd.ProcessState, i.output)
		case <-ctx.Done():
			return fmt.Errorf("%s is not healthy: %w\n%s", i.service.name, ctx.Err(), i.output)
		case <-tick.C:
		}
	}
}

// stop asks the process to end and waits until it has sent its telemetry.
func (i *instance) stop() error {
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", i.service.name, err)
	}
	select {
	case <-i.ended:
		return nil
	case <-time.After(15 * time.Second):
		_ = i.cmd.Process.Kill()
		<-i.ended
		return fmt.Errorf("%s did not end in time:\n%s", i.service.name, i.output)
	}
}

// stop ends all services, callers first.
func (f *fleet) stop() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var errs []error
	for _, s := range slices.Backward(services) {
		if i := f.instances[s.name]; i != nil {
			errs = append(errs, i.stop())
			delete(f.instances, s.name)
		}
	}
	return errors.Join(errs...)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// serve runs a handler on a free loopback port until the context ends.
func serve(ctx context.Context, handler http.Handler) (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }() // ends with ErrServerClosed
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	return l.Addr().String(), nil
}

// tailWriter keeps the end of what is written to it.
type tailWriter struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*tailWriter)(nil)

func (t *tailWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if t.buf.Len() > 16<<10 {
		t.buf.Next(t.buf.Len() - 8<<10)
	}
	return len(p), nil
}

func (t *tailWriter) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(tail(t.buf.Bytes()))
}
