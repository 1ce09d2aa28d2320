package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/remediator/remediator/internal/alerthook"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/internal/otlp"
	"github.com/remediator/remediator/internal/selftelemetry"
	"github.com/remediator/remediator/internal/slack"
	"github.com/remediator/remediator/internal/web"
	"github.com/remediator/remediator/remedy/docket"
)

func (s *service) openSlack(conf config.Server) error {
	if conf.Slack.TokenFile == "" {
		return nil
	}
	read := func(conf config.Server) (slack.Settings, error) {
		token, err := config.ReadSecret(conf.Slack.TokenFile)
		if err != nil {
			return slack.Settings{}, err
		}
		signing, err := config.ReadSecret(conf.Slack.SigningSecretFile)
		return slack.Settings{Token: token.Text(), SigningSecret: signing.Text(), Channel: conf.Slack.Channel, Approvers: conf.Slack.Approvers}, err
	}
	if _, err := read(conf); err != nil {
		return err
	}
	var err error
	s.slack, err = slack.New(slack.Options{URL: conf.Slack.URL, Pages: conf.URL, Now: time.Now, Log: s.log, Settings: func() slack.Settings {
		now, err := read(*s.conf.Load())
		if err != nil {
			s.log.Warn("slack", "error", err)
		}
		return now
	}})
	return err
}

// openDoors prepares everything that answers requests.
func (s *service) openDoors(ctx context.Context, conf config.Server) error {
	var err error
	if s.hook, err = alerthook.New(conf.Alerts, s.desk, alerthook.Options{Log: s.log, Observe: s.alertRequest}); err != nil {
		return err
	}
	key, err := sessionKey(ctx, s.queue)
	if err != nil {
		return err
	}
	if s.web, err = web.New(web.Options{
		Store: s.queue, Blobs: s.queue, Letters: s.queue, Act: s.desk.Act, Breaker: s.desk.BreakerState, ResetBreaker: s.desk.ResetBreaker,
		Tokens: func() []config.Token { return s.conf.Load().Tokens }, Loopback: conf.Local(), URL: conf.URL,
		Key: key, Version: version(), Now: time.Now, Log: s.log,
	}); err != nil {
		return err
	}
	if s.slack != nil {
		s.decide = s.slack.Decisions(s.queue.Get, s.desk.Act)
	}
	o := otlp.Options{TLS: s.tls(), Keep: time.Duration(conf.OTLP.Keep), Watch: s.meter, Log: s.log, Now: time.Now}
	if conf.OTLP.TokenFile != "" {
		o.Token = func() string { return s.secrets.Load().otlp.Text() }
	}
	s.receiver, err = otlp.NewReceiver(s.queue, o)
	return err
}

// sessionKeyClaim names the key that signs the sessions of the page, which all processes share.
const sessionKeyClaim = "session-key"

func sessionKey(ctx context.Context, claims docket.Claims) ([]byte, error) {
	for range 3 {
		key, revision, err := claims.Claim(ctx, sessionKeyClaim)
		if err != nil || len(key) > 0 {
			return key, err
		}
		key = make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
		if err = claims.SetClaim(ctx, sessionKeyClaim, key, revision); !errors.Is(err, docket.ErrConflict) {
			return key, err
		}
	}
	return nil, errors.New("the key of the page's sessions could not be agreed upon")
}

// handler is everything below the public address.
func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(alerthook.Prefix, s.hook)
	if s.github != nil {
		mux.Handle("/webhooks/github", s.meter.Webhook("github", s.github.Webhook(func() []byte { return s.secrets.Load().github.Bytes() }, s.desk.ReceiveEvent, s.target)))
	}
	if s.decide != nil {
		mux.Handle("/webhooks/slack", s.meter.Webhook("slack", s.decide))
	}
	mux.Handle("GET /app/created", github.CreatedPage()) // where GitHub sends whoever created the App
	mux.HandleFunc("GET /healthz", selftelemetry.Alive)
	mux.Handle("GET /readyz", s.ready())
	mux.Handle("/", s.web)
	return mux
}

// target is the branch of a repository that proposals go to, "" for its default.
func (s *service) target(repo string) string {
	for _, r := range s.conf.Load().Repositories {
		if r.Name == repo {
			return r.Branch
		}
	}
	return ""
}

// run serves until ctx ends. Doors are closed first, so that nothing new comes in; then what is being worked on
// is handed back, and the state is closed last.
func (s *service) run(ctx context.Context) error {
	defer s.close()
	conf := s.conf.Load()
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	begin := func(what string, f func(context.Context) error) {
		all.Go(func() {
			if err := f(working); err != nil && working.Err() == nil {
				stop(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	begin("page and webhooks", func(ctx context.Context) error { return serveHTTP(ctx, s.public, s.handler(), s, s.web.Close) })
	if s.metrics != nil {
		begin("metrics", func(ctx context.Context) error { return serveHTTP(ctx, s.metrics, s.tel.Scrape(), nil, nil) })
	}
	if s.grpc != nil || s.http != nil {
		begin("otlp", func(ctx context.Context) error { return s.receiver.Serve(ctx, s.grpc, s.http) })
	}
	begin("workers", func(ctx context.Context) error { return s.desk.Run(ctx, conf.Workers) })
	begin("sweep", s.sweep)
	s.say(conf)
	all.Wait()
	s.log.Info("stopped; what was being worked on is taken up by the next process")
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(working)
}

// say tells a person at the terminal where everything is.
func (s *service) say(conf *config.Server) {
	s.log.Info("serving", "page", conf.URL, "alerts", conf.URL+alerthook.Prefix+"SOURCE", "sources", len(conf.Alerts),
		"otlp_grpc", address(s.grpc), "otlp_http", address(s.http), "metrics", address(s.metrics), "data", conf.DataDir)
	switch {
	case s.github == nil:
		s.log.Info("there is no GitHub App or token: cases are worked out and shown, and nothing is proposed anywhere")
	case len(conf.Repositories) == 0:
		s.log.Info("every repository that the App is installed on is served; each says in its .remediator.yaml how far")
	}
}

func address(l net.Listener) string {
	if l == nil {
		return "off"
	}
	return l.Addr().String()
}

// sweepEvery is how often what time alone changes is looked at.
const sweepEvery = 15 * time.Second

// reconcileWindow is how far back missed deliveries are asked for; GitHub keeps three days.
const reconcileWindow = 24 * time.Hour

// sweep lets holds end, erases what is old and asks for deliveries that were missed.
func (s *service) sweep(ctx context.Context) error {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	var reconciled time.Time
	for {
		if err := s.desk.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("sweep", "error", err)
		}
		if now := time.Now(); s.github != nil && now.Sub(reconciled) > time.Hour {
			since := now.Add(-reconcileWindow)
			if n, err := s.github.Reconcile(ctx, since); err != nil && ctx.Err() == nil {
				s.log.Warn("missed deliveries could not be asked for", "error", err)
			} else if n > 0 {
				s.log.Info("asked GitHub for deliveries that were missed", "deliveries", n)
			}
			reconciled = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// serveHTTP answers on a listener until ctx ends, then lets running requests finish.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, s *service, stopping func()) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10}
	if s != nil {
		srv.TLSConfig = s.tls()
		srv.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)
	}
	if stopping != nil {
		srv.RegisterOnShutdown(stopping)
	}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		ended <- errors.Join(srv.Shutdown(late), srv.Close())
	}()
	var err error
	if srv.TLSConfig != nil {
		err = srv.ServeTLS(l, "", "")
	} else {
		err = srv.Serve(l)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-ended
	return nil
}

// reload takes over what may change while the service runs: sources of alerts, tokens, secrets, repositories,
// limits of the window. What needs a restart is named.
func (s *service) reload(next config.Server) error {
	now := s.conf.Load()
	if err := s.readSecrets(next); err != nil {
		return err
	}
	if err := checkSources(next.Sources); err != nil {
		return err
	}
	if err := checkClones(next.Repositories, s.log); err != nil {
		return err
	}
	if err := s.hook.Reload(next.Alerts); err != nil {
		return err
	}
	for _, key := range needRestart(*now, next) {
		s.log.Warn("a change takes effect with the next start only", "key", key)
	}
	s.conf.Store(&next)
	return nil
}

// needRestart names the keys whose change a running service does not take over.
func needRestart(now, next config.Server) []string {
	var keys []string
	for what, same := range map[string]bool{
		"listen": next.Listen == now.Listen, "metrics": next.Metrics == now.Metrics, "data_dir": next.DataDir == now.DataDir,
		"nats": next.NATS == now.NATS, "workers": next.Workers == now.Workers, "tls": next.TLS == now.TLS, "github": next.GitHub == now.GitHub,
		"otlp": next.OTLP.GRPC == now.OTLP.GRPC && next.OTLP.HTTP == now.OTLP.HTTP && next.OTLP.Keep == now.OTLP.Keep && next.OTLP.Memory == now.OTLP.Memory,
		// Another token is taken over, but not that one is asked for at all.
		"otlp.token_file": (next.OTLP.TokenFile == "") == (now.OTLP.TokenFile == ""),
		"slack":           (next.Slack.TokenFile == "") == (now.Slack.TokenFile == "") && next.Slack.URL == now.Slack.URL,
		"url":             next.URL == now.URL, "breaker": next.Breaker == now.Breaker, "retention": next.Retention == now.Retention,
		"model": next.Model == now.Model, "signing_key_file": next.SigningKeyFile == now.SigningKeyFile && next.PasswordFile == now.PasswordFile,
	} {
		if !same {
			keys = append(keys, what)
		}
	}
	slices.Sort(keys)
	return keys
}

// close gives back what was taken, in the reverse order.
func (s *service) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if s.queue != nil {
		if err := s.queue.Close(ctx); err != nil {
			s.log.Warn("closing the queue", "error", err)
		}
	}
	for _, l := range []net.Listener{s.public, s.metrics, s.grpc, s.http} {
		if l != nil {
			_ = l.Close()
		}
	}
	if s.tel != nil {
		if err := s.tel.Close(ctx); err != nil {
			s.log.Warn("own telemetry was not sent", "error", err)
		}
	}
}
