package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/secrets"
	"github.com/remediator/remediator/replay"
)

// recordFlags are the flags of record.
type recordFlags struct {
	service, id, target, otlp, commit, env, out string
	dependencies                                []string
	requests                                    string
	rounds                                      int
}

func recordCommand(io stdio) *cobra.Command {
	var o recordFlags
	c := &cobra.Command{
		Use:   "record --service NAME --target URL --requests FILE --out FILE",
		Short: "Record golden traces of a running service",
		Long: `Stands in front of a running service and of its dependencies, sends it the requests of a golden set
(responses and traces in it are not needed) several times, and writes down what it
answered and did, with secrets and personal data replaced. What differs between the rounds
is noted as noise.

Start the service with its dependencies pointed at the addresses given by --dependency and
its OTLP exporter at --otlp; then run this.`,
		Example: `  remediator record --service payments --target http://127.0.0.1:8083 --otlp 127.0.0.1:4318 \
    --dependency bank=127.0.0.1:9001=http://bank.internal --requests requests.json --out golden/payments.json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return record(c.Context(), o, io)
		},
	}
	fl := c.Flags()
	fl.StringVar(&o.service, "service", "", "service name as in its telemetry (required)")
	fl.StringVar(&o.id, "id", "", "name of the set (default: the service's)")
	fl.StringVar(&o.target, "target", "", "base URL of the running service (required)")
	fl.StringVar(&o.requests, "requests", "", "golden set whose requests are sent (required)")
	fl.StringVar(&o.out, "out", "", "file to write (required)")
	fl.StringVar(&o.otlp, "otlp", "127.0.0.1:4318", "address to take the service's OTLP/HTTP at")
	fl.StringArrayVar(&o.dependencies, "dependency", nil, "NAME=LISTEN=URL: stand at LISTEN in front of the dependency at URL; repeat for each")
	fl.StringVar(&o.commit, "commit", "", "commit the service was built from")
	fl.StringVar(&o.env, "env", "", "environment it runs in")
	fl.IntVar(&o.rounds, "rounds", 3, "how often to send each request; noise is found by repetition")
	return c
}

func (o *recordFlags) check() error {
	for _, f := range []struct{ name, value string }{{"service", o.service}, {"target", o.target}, {"requests", o.requests}, {"out", o.out}} {
		if f.value == "" {
			return usage("--%s is required", f.name)
		}
	}
	if u, err := url.Parse(o.target); err != nil || u.Host == "" {
		return usage("--target %q is not a URL such as http://127.0.0.1:8080", o.target)
	}
	if o.id == "" {
		o.id = o.service
	}
	return nil
}

// dependency is one place to stand in front of.
type dependency struct{ name, listen, upstream string }

func (o *recordFlags) split() ([]dependency, error) {
	var out []dependency
	for _, d := range o.dependencies {
		parts := strings.SplitN(d, "=", 3)
		if len(parts) != 3 {
			return nil, usage("--dependency %q: write it as NAME=LISTEN=URL, such as bank=127.0.0.1:9001=http://bank.internal", d)
		}
		out = append(out, dependency{parts[0], parts[1], parts[2]})
	}
	return out, nil
}

func record(ctx context.Context, o recordFlags, io stdio) error {
	dependencies, err := o.split()
	if err != nil {
		return err
	}
	text, err := readInput(o.requests)
	if err != nil {
		return inputError(err)
	}
	wanted, err := replay.ReadSet(bytes.NewReader(text))
	if err != nil {
		return inputError(fmt.Errorf("%s: %w", o.requests, err))
	}
	finder := &secrets.Finder{}
	if err := finder.Check(); err != nil {
		return err
	}
	opts := replay.RecorderOptions{ID: o.id, Service: o.service, Target: o.target, Dependencies: map[string]string{}, Commit: o.commit, Env: o.env,
		ToolVersion: version(), Redactor: replay.NewRedactor(finder), Rounds: o.rounds, Now: time.Now}
	for _, d := range dependencies {
		opts.Dependencies[d.name] = d.upstream
	}
	rec, err := replay.NewRecorder(opts)
	if err != nil {
		return inputError(err)
	}
	stop, err := listenAll(rec, o.otlp, dependencies)
	if err != nil {
		return err
	}
	defer stop()
	if err := rec.Record(ctx, wanted.Cases); err != nil {
		return inputError(err)
	}
	set, notes, err := rec.Set(ctx)
	if err != nil {
		return inputError(err)
	}
	for _, n := range notes {
		fmt.Fprintln(io.err, "note:", n)
	}
	out, err := os.Create(o.out)
	if err != nil {
		return inputError(err)
	}
	if err := errors.Join(replay.WriteSet(out, set), out.Close()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%d cases of %s in %s\n", len(set.Cases), o.service, o.out)
	return err
}

// listenAll opens the addresses the service was pointed at.
func listenAll(rec *replay.Recorder, otlp string, dependencies []dependency) (stop func(), err error) {
	var servers []*http.Server
	stop = func() {
		for _, s := range servers {
			_ = s.Close()
		}
	}
	serve := func(addr string, h http.Handler) error {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return machineError(fmt.Errorf("%w: end what uses the address, or choose another", err))
		}
		s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		servers = append(servers, s)
		go func() { _ = s.Serve(l) }()
		return nil
	}
	if err := serve(otlp, rec.OTLP()); err != nil {
		return nil, err
	}
	for _, d := range dependencies {
		if err := serve(d.listen, rec.Outbound(d.name)); err != nil {
			stop()
			return nil, err
		}
	}
	return stop, nil
}
