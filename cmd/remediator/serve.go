package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/config"
)

// serveOptions are the flags of serve. What they set goes before the configuration file.
type serveOptions struct {
	config, listen, dataDir, natsURL string
	metrics, otlpGRPC, otlpHTTP      string
	modelURL, model                  string
	repos                            []string
	logLevel, logFormat              string
	allowWeak                        bool
}

func serveCommand(io stdio) *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "serve [--config FILE]",
		Short: "Take alerts by webhook and propose pull requests, as a service",
		Long: `Takes alerts by webhook and telemetry by OTLP, works every incident out as run does, and
proposes pull requests as a GitHub App. Cases, their stages and what waits for a person are
on a page, in an API (remediator cases) and in Slack.

Without a configuration everything is bound to this machine alone: alerts of Alertmanager,
Grafana, PagerDuty and Datadog at http://127.0.0.1:8080/webhooks/alerts/FORMAT, OTLP at ports
4317 and 4318, and nothing is written to any repository. "remediator config init --server"
prints a configuration to begin with.

SIGHUP reads the configuration and all secrets again. SIGTERM and Ctrl-C hand back what is
being worked on, so that the next process takes it up.`,
		Example: `  remediator serve --repo ~/src/shop
  remediator serve --config /etc/remediator/serve.yaml`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			log, err := o.logger(io)
			if err != nil {
				return err
			}
			conf, err := o.load()
			if err != nil {
				return err
			}
			return serve(c.Context(), o, conf, log)
		},
	}
	fl := c.Flags()
	fl.StringVar(&o.config, "config", "", "configuration file; remediator config init --server prints one")
	fl.StringVar(&o.listen, "listen", "", "address of webhooks, API and page (default "+config.DefaultListen+")")
	fl.StringVar(&o.dataDir, "data-dir", "", "directory of the queue, mirrors and keys (default: remediator in the user's state directory)")
	fl.StringVar(&o.natsURL, "nats-url", "", "NATS cluster with JetStream in place of the embedded one")
	fl.StringVar(&o.otlpGRPC, "otlp-grpc", "", "address of OTLP by gRPC, or off (default "+config.DefaultOTLPGRPC+")")
	fl.StringVar(&o.otlpHTTP, "otlp-http", "", "address of OTLP by HTTP, or off (default "+config.DefaultOTLPHTTP+")")
	fl.StringVar(&o.metrics, "metrics", "", "address that Prometheus scrapes, or off (default "+config.DefaultMetrics+")")
	fl.StringVar(&o.modelURL, "model-url", "", "server of a local language model, such as http://127.0.0.1:11434")
	fl.StringVar(&o.model, "model", "", "name of the model at that server")
	fl.StringArrayVar(&o.repos, "repo", nil, "clone on this machine whose incidents to work out; nothing is written to it; may be given several times")
	fl.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	fl.StringVar(&o.logFormat, "log-format", "text", "text or json")
	fl.BoolVar(&o.allowWeak, "allow-weak-sandbox", false, "run candidate code without namespaces where the machine offers none")
	return c
}

func (o *serveOptions) logger(io stdio) (*slog.Logger, error) {
	var level slog.LevelVar
	if level.UnmarshalText([]byte(o.logLevel)) != nil {
		return nil, usage("--log-level %q: choose debug, info, warn or error", o.logLevel)
	}
	h := &slog.HandlerOptions{Level: &level}
	switch o.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(io.err, h)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(io.err, h)), nil
	}
	return nil, usage("--log-format %q: choose text or json", o.logFormat)
}

// load reads the configuration and lets the flags go before it.
func (o *serveOptions) load() (config.Server, error) {
	conf := config.DefaultServer()
	if o.config != "" {
		var err error
		if conf, err = config.LoadServer(o.config); err != nil {
			return conf, inputError(err)
		}
	}
	if o.listen != "" {
		if strings.TrimPrefix(strings.TrimPrefix(conf.URL, "https://"), "http://") == conf.Listen {
			conf.URL = "" // made from the address, not chosen
		}
		conf.Listen = o.listen
	}
	for _, f := range []struct {
		flag string
		into *string
	}{
		{o.natsURL, &conf.NATS.URL}, {o.dataDir, &conf.DataDir}, {o.metrics, &conf.Metrics}, {o.otlpGRPC, &conf.OTLP.GRPC},
		{o.otlpHTTP, &conf.OTLP.HTTP}, {o.modelURL, &conf.Model.URL}, {o.model, &conf.Model.Name},
	} {
		if f.flag != "" {
			*f.into = f.flag
		}
	}
	if conf.DataDir == "" {
		dir, err := stateDir()
		if err != nil {
			return conf, machineError(err)
		}
		conf.DataDir = dir
	}
	for _, path := range o.repos {
		abs, err := filepath.Abs(path)
		if err != nil {
			return conf, inputError(err)
		}
		conf.Repositories = append(conf.Repositories, config.ServedRepository{Name: "local/" + repositoryName(abs), Path: abs})
	}
	if len(conf.Alerts) == 0 && conf.Local() {
		conf.Alerts = map[string]config.AlertSource{}
		for _, format := range []string{"alertmanager", "grafana", "pagerduty", "datadog"} {
			conf.Alerts[format] = config.AlertSource{Format: format}
		}
	}
	conf, err := conf.Complete()
	return conf, inputError(err)
}

// repositoryName is a directory's name as far as a repository may be called so.
func repositoryName(path string) string {
	name := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, filepath.Base(path))
	return strings.TrimLeft(name, ".-")
}

// stateDir is where the XDG base directory specification puts what a program has to keep.
func stateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "remediator"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no directory for the queue: %w; name one with --data-dir", err)
	}
	return filepath.Join(home, ".local", "state", "remediator"), nil
}

// serve runs the service until ctx ends, and reloads it at SIGHUP.
func serve(ctx context.Context, o serveOptions, conf config.Server, log *slog.Logger) error {
	s, err := newService(ctx, conf, o.allowWeak, log)
	if err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	done := make(chan error, 1)
	go func() { done <- s.run(ctx) }()
	for {
		select {
		case err := <-done:
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case <-hangup:
			next, err := o.load()
			if err == nil {
				err = s.reload(next)
			}
			if err != nil {
				log.Error("the configuration was not reloaded; the former one stays", "error", err)
				continue
			}
			log.Info("configuration reloaded")
		}
	}
}
