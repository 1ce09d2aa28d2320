package workbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/replay"
)

const (
	// otlpPort is where the service finds the receiver behind a fence that has a network of its own.
	otlpPort = 4318
	// startTimeout is how long a service may take until it is healthy. JVMs with many
	// classes need most of it on a small machine.
	startTimeout = 60 * time.Second
	// stopGrace is how long a service may take to flush its telemetry.
	stopGrace  = 5 * time.Second
	probeEvery = 50 * time.Millisecond
)

// Launcher implements remedy.Variant.
func (v *variant) Launcher(service string, env map[string]string) (replay.Launcher, error) {
	s, ok := v.service(service)
	if !ok || len(s.Run) == 0 {
		return nil, fmt.Errorf("services.%s.run in %s does not say how to start it", service, config.File)
	}
	if s.Port == 0 {
		return nil, fmt.Errorf("services.%s.port in %s does not say where it listens", service, config.File)
	}
	return &launcher{variant: v, name: service, service: s, env: env}, nil
}

type launcher struct {
	variant *variant
	name    string
	service config.Service
	env     map[string]string
}

// Launch implements replay.Launcher.
func (l *launcher) Launch(ctx context.Context, with replay.Launch) (replay.Instance, error) {
	t, err := l.variant.toolchain(ctx, l.service)
	if err != nil {
		return nil, err
	}
	spec, err := l.variant.spec(l.service, t, l.env)
	if err != nil {
		return nil, err
	}
	spec.Command, spec.Inbound = l.service.Run, []int{l.service.Port}
	spec.Outbound = map[int]net.Listener{}
	// A server runs until it is stopped; replay sets its own bounds.
	spec.Timeout = time.Hour
	for _, d := range l.service.Dependencies {
		standIn := with.StandIns[d.Name]
		if standIn == nil {
			continue
		}
		spec.Outbound[d.Port] = standIn
		value := d.Value
		if value == "" {
			value = "http://${addr}"
		}
		spec.Env[d.Env] = strings.ReplaceAll(value, "${addr}", fmt.Sprintf("127.0.0.1:%d", d.Port))
	}
	if with.OTLP != nil {
		port, err := l.telemetryPort()
		if err != nil {
			return nil, err
		}
		spec.Outbound[port] = with.OTLP
		maps.Copy(spec.Env, telemetryEnv(l.name, port))
	}
	maps.Copy(spec.Env, with.Env)
	// ctx bounds the start; the service lives until Stop, or until this program ends.
	p, err := l.variant.bench.fence.Start(context.WithoutCancel(ctx), spec)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", l.name, err)
	}
	in := &instance{process: p, port: l.service.Port}
	if err := in.healthy(ctx, l.name, l.service.Health); err != nil {
		out, _ := in.Stop(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("%w; its output ends with:\n%s", err, strings.TrimSpace(out))
	}
	return in, nil
}

// telemetryPort is the usual one, unless the service shares the machine's network.
func (l *launcher) telemetryPort() (int, error) {
	if l.variant.bench.fence.Fence() != sandbox.FenceNone {
		return otlpPort, nil
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("finding a free port for telemetry: %w", err)
	}
	defer free.Close()
	return free.Addr().(*net.TCPAddr).Port, nil
}

// telemetryEnv points OpenTelemetry SDKs of every language at the receiver
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). How often they
// export is for replay to say.
func telemetryEnv(service string, port int) map[string]string {
	return map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT": fmt.Sprintf("http://127.0.0.1:%d", port),
		"OTEL_TRACES_EXPORTER":        "otlp",
		"OTEL_METRICS_EXPORTER":       "none",
		"OTEL_LOGS_EXPORTER":          "none",
		"OTEL_SERVICE_NAME":           service,
	}
}

// instance is a running service.
type instance struct {
	process *sandbox.Process
	port    int
}

// Dial implements replay.Instance.
func (i *instance) Dial(ctx context.Context) (net.Conn, error) { return i.process.Dial(ctx, i.port) }

// Stop implements replay.Instance.
func (i *instance) Stop(ctx context.Context) (string, error) {
	res, err := i.process.Stop(ctx, stopGrace)
	return res.Output, err
}

// healthy waits until the service answers.
func (i *instance) healthy(ctx context.Context, name, path string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return i.Dial(ctx) }}}
	last := errors.New("it has not answered")
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		err := i.probe(ctx, client, path)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-i.process.Done():
			return fmt.Errorf("%s ended before it was healthy", name)
		case <-ctx.Done():
			return fmt.Errorf("%s was not healthy within %s (%w); check services.%s.health and port", name, startTimeout, last, name)
		case <-tick.C:
		}
	}
}

func (i *instance) probe(ctx context.Context, client *http.Client, path string) error {
	if path == "" {
		conn, err := i.Dial(ctx)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://service"+path, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20))
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %d", path, res.StatusCode)
	}
	return nil
}
