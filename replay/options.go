package replay

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Options are the bounds and the surroundings of a replay. The zero value is usable.
type Options struct {
	// Env is given to the service in addition to its configuration, such as a flag's value.
	Env map[string]string
	// Dependencies are the configured ones; each gets a stand-in, also when no recorded call is known.
	Dependencies []string
	// CaseTimeout bounds one golden case (0: 10 s, or twenty times the slowest recording).
	CaseTimeout time.Duration
	// TraceTimeout bounds the wait for spans after the last answer (0: 8 s, above the SDKs' export interval of
	// 5 s); Quiet is how long a trace has to be silent to be complete (0: 250 ms).
	TraceTimeout, Quiet time.Duration
	// LaunchTimeout and StopTimeout bound the service's start and end (0: 60 s and 15 s).
	LaunchTimeout, StopTimeout time.Duration
	// RequestTimeout is how patient the clients of the incident are (0: 10 s).
	RequestTimeout time.Duration
	// MaxSpans bounds what one replay takes in (0: a million).
	MaxSpans int
	// Redactor is applied to what is observed before it is kept; nil means NewRedactor().
	Redactor *Redactor
	// Seed makes trace ids; "" takes a random one. A service that stores ids wants a new seed per replay.
	Seed string
	// Listen opens the listeners of stand-ins and receiver; nil means loopback TCP.
	Listen func() (net.Listener, error)
	Now    func() time.Time
	Log    *slog.Logger
}

func (o Options) withDefaults() Options {
	setDefault(&o.TraceTimeout, 8*time.Second)
	setDefault(&o.Quiet, 250*time.Millisecond)
	setDefault(&o.LaunchTimeout, 60*time.Second)
	setDefault(&o.StopTimeout, 15*time.Second)
	setDefault(&o.RequestTimeout, 10*time.Second)
	setDefault(&o.MaxSpans, defaultMaxSpans)
	if o.Redactor == nil {
		o.Redactor = NewRedactor()
	}
	if o.Seed == "" {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		o.Seed = hex.EncodeToString(b[:])
	}
	if o.Listen == nil {
		o.Listen = func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// telemetryEnv makes the OpenTelemetry SDKs export everything soon. The endpoint is the Launcher's to
// set, since only it knows the address inside its fence.
func telemetryEnv() map[string]string {
	return map[string]string{
		"OTEL_TRACES_SAMPLER": "always_on", "OTEL_PROPAGATORS": "tracecontext,baggage", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
		"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BSP_MAX_QUEUE_SIZE": "65536", "OTEL_BLRP_SCHEDULE_DELAY": "500", "OTEL_METRIC_EXPORT_INTERVAL": "5000",
	}
}

// rig is a running service with everything around it.
type rig struct {
	opts     Options
	receiver *Receiver
	otlp     *http.Server
	stage    *stage
	instance Instance
	driver   *driver
}

// start brings up receiver, stand-ins and service.
func start(ctx context.Context, l Launcher, peers []string, a actor, opts Options) (*rig, error) {
	g := &rig{opts: opts, receiver: &Receiver{MaxSpans: opts.MaxSpans, Now: opts.Now}}
	otlp, err := opts.Listen()
	if err != nil {
		return nil, err
	}
	g.otlp = &http.Server{Handler: g.receiver, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(opts.Log.Handler(), slog.LevelDebug)}
	go func() { _ = g.otlp.Serve(otlp) }()
	if g.stage, err = newStage(peers, a, opts.Listen, opts.Now); err != nil {
		_ = g.otlp.Close()
		return nil, err
	}
	env := telemetryEnv()
	for k, v := range opts.Env {
		env[k] = v
	}
	launchCtx, cancel := context.WithTimeout(ctx, opts.LaunchTimeout)
	defer cancel()
	g.instance, err = l.Launch(launchCtx, Launch{StandIns: g.stage.listeners, OTLP: otlp, Env: env})
	if err != nil {
		g.stage.close()
		_ = g.otlp.Close()
		return nil, err
	}
	g.driver = newDriver(g.instance.Dial, opts.Now)
	context.AfterFunc(ctx, g.driver.close)
	return g, nil
}

// stop ends the service, which flushes its telemetry, and then what surrounds it.
func (g *rig) stop(ctx context.Context) (string, error) {
	g.driver.close()
	// The service gets its time to flush also when the replay was cancelled.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.opts.StopTimeout)
	defer cancel()
	output, err := g.instance.Stop(ctx)
	g.stage.close()
	_ = g.otlp.Close()
	return output, err
}

// union lists names once, sorted.
func union(lists ...[]string) []string {
	seen := map[string]bool{}
	for _, l := range lists {
		for _, s := range l {
			seen[s] = true
		}
	}
	return sortedKeys(seen)
}
