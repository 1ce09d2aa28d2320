package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/alerthook"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/internal/otlp"
	"github.com/remediator/remediator/internal/queue"
	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/secrets"
	"github.com/remediator/remediator/internal/selftelemetry"
	"github.com/remediator/remediator/internal/slack"
	"github.com/remediator/remediator/internal/web"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch/modelrecipe"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/replay"
)

// service is everything that serve runs, wired.
type service struct {
	conf  atomic.Pointer[config.Server]
	log   *slog.Logger
	tel   *selftelemetry.Telemetry
	queue *queue.Queue
	meter *selftelemetry.Instruments
	desk  *docket.Desk

	github   *github.Client // nil without an App or a token
	slack    *slack.Chat    // nil without a token
	decide   *slack.Decisions
	hook     *alerthook.Handler
	web      *web.Handler
	receiver *otlp.Receiver
	secrets  atomic.Pointer[serviceSecrets]

	public, metrics, grpc, http net.Listener // of the page, of metrics, of OTLP
	cert                        *certificate
}

// serviceSecrets are those that are asked for while the service runs, read again with the configuration.
type serviceSecrets struct{ otlp, github config.Secret }

// newService wires the service and takes its ports. Everything that may be missing is found out
// here, before the first alert is taken.
func newService(ctx context.Context, conf config.Server, allowWeak bool, log *slog.Logger) (_ *service, err error) {
	s := &service{log: log}
	s.conf.Store(&conf)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	for _, w := range conf.Warnings() {
		log.Warn("configuration", "problem", w.String())
	}
	if err := s.readSecrets(conf); err != nil {
		return nil, inputError(err)
	}
	if err := checkSources(conf.Sources); err != nil {
		return nil, inputError(err)
	}
	if err := checkClones(conf.Repositories, log); err != nil {
		return nil, inputError(err)
	}
	fence, err := sandbox.New(sandbox.Options{AllowWeak: allowWeak})
	if err != nil {
		return nil, machineError(err)
	}
	if err := os.MkdirAll(conf.DataDir, 0o700); err != nil {
		return nil, machineError(fmt.Errorf("data directory: %w; name one that can be written with --data-dir or data_dir", err))
	}
	key, err := serviceKey(conf, log)
	if err != nil {
		return nil, inputError(err)
	}
	if err := s.openTelemetry(ctx, os.Getenv); err != nil {
		return nil, machineError(err)
	}
	if err := s.listen(conf); err != nil {
		return nil, machineError(err)
	}
	if s.queue, err = queue.Open(ctx, queueOptions(conf, log)); err != nil {
		return nil, machineError(err)
	}
	if err := s.tel.WatchState(time.Now, s.state); err != nil {
		return nil, machineError(err)
	}
	if err := s.openGitHub(conf); err != nil {
		return nil, inputError(err)
	}
	if err := s.openDesk(conf, fence, key); err != nil {
		return nil, err
	}
	if err := s.openDoors(ctx, conf); err != nil {
		return nil, inputError(err)
	}
	return s, nil
}

func queueOptions(conf config.Server, log *slog.Logger) queue.Options {
	o := queue.Options{
		URL: conf.NATS.URL, CredentialsFile: conf.NATS.CredentialsFile, Prefix: conf.NATS.Prefix,
		TelemetryAge: time.Duration(conf.OTLP.Keep), TelemetryBytes: conf.OTLP.MaxBytes(), Log: log,
	}
	if o.URL == "" {
		o.DataDir = filepath.Join(conf.DataDir, "state")
		o.AckWait = 5 * time.Second // no network lies between
	} else {
		o.Replicas = conf.NATS.Replicas
	}
	return o
}

func (s *service) readSecrets(conf config.Server) error {
	var all serviceSecrets
	var err error
	if all.otlp, err = config.ReadSecret(conf.OTLP.TokenFile); err != nil {
		return err
	}
	if all.github, err = config.ReadSecret(conf.GitHub.WebhookSecretFile); err != nil {
		return err
	}
	s.secrets.Store(&all)
	return nil
}

// serviceKey loads the key that signs evidence and commits. Without one in the configuration a key
// is made once and kept.
func serviceKey(conf config.Server, log *slog.Logger) (*attest.Key, error) {
	if conf.SigningKeyFile != "" {
		password, err := config.ReadSecret(conf.PasswordFile)
		if err != nil {
			return nil, err
		}
		key, err := attest.LoadKey(conf.SigningKeyFile, password.Bytes())
		if err != nil {
			return nil, fmt.Errorf("signing key: %w (make one with `remediator keygen --out DIR`)", err)
		}
		return key, nil
	}
	dir := filepath.Join(conf.DataDir, "keys")
	private, public := filepath.Join(dir, "cosign.key"), filepath.Join(dir, "cosign.pub")
	if _, err := os.Stat(private); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := attest.WriteKeyPair(private, public, nil); err != nil {
			return nil, err
		}
		log.Info("made a signing key; give its public half to whoever verifies", "public", public)
	}
	if conf.NATS.URL != "" {
		log.Warn("this process signs with a key of its own: name one key for all in signing_key_file")
	}
	return attest.LoadKey(private, nil)
}

func (s *service) listen(conf config.Server) error {
	var err error
	take := func(into *net.Listener, what, address string) {
		if err != nil || address == "off" {
			return
		}
		var l net.Listener
		if l, err = net.Listen("tcp", address); err != nil {
			err = fmt.Errorf("%s: %w; is another process of remediator running here?", what, err)
			return
		}
		*into = l
	}
	take(&s.public, "listen", conf.Listen)
	take(&s.metrics, "metrics", conf.Metrics)
	take(&s.grpc, "otlp.grpc", conf.OTLP.GRPC)
	take(&s.http, "otlp.http", conf.OTLP.HTTP)
	if err == nil && conf.TLS.CertFile != "" {
		s.cert, err = newCertificate(conf.TLS.CertFile, conf.TLS.KeyFile, time.Now)
	}
	return err
}

func (s *service) tls() *tls.Config {
	if s.cert == nil {
		return nil
	}
	return s.cert.config()
}

// openGitHub makes the client of the App or the token, where there is one.
func (s *service) openGitHub(conf config.Server) error {
	g := conf.GitHub
	if g.AppID == 0 && g.TokenFile == "" {
		return nil
	}
	o := github.Options{URL: g.URL, AppID: int64(g.AppID), Autonomy: s.cap, Mirrors: filepath.Join(conf.DataDir, "mirrors"),
		Version: version(), Log: s.log, Observe: s.githubObserver()}
	key, err := config.ReadSecret(g.PrivateKeyFile)
	if err != nil {
		return err
	}
	token, err := config.ReadSecret(g.TokenFile)
	if err != nil {
		return err
	}
	o.PrivateKey, o.Token = key.Bytes(), token.Text()
	s.github, err = github.New(o)
	return err
}

// cap is the most that the operator lets the tool write to a repository. A repository that the
// configuration does not list gets what its own configuration asks for only when the list is empty.
func (s *service) cap(repo string) remedy.Autonomy {
	conf := s.conf.Load()
	for _, r := range conf.Repositories {
		if strings.EqualFold(r.Name, repo) {
			if r.Autonomy == "" {
				return remedy.Ready
			}
			return remedy.Autonomy(r.Autonomy)
		}
	}
	if len(conf.Repositories) == 0 {
		return remedy.Ready
	}
	return remedy.Report
}

// served lists the repositories of the configuration, or those the App is installed on.
func (s *service) served(ctx context.Context) ([]config.ServedRepository, error) {
	conf := s.conf.Load()
	if len(conf.Repositories) > 0 || s.github == nil {
		return conf.Repositories, nil
	}
	all, err := s.github.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	var out []config.ServedRepository
	for _, r := range all {
		if !r.Archived {
			out = append(out, config.ServedRepository{Name: r.Name})
		}
	}
	return out, nil
}

func (s *service) mirror(ctx context.Context, name string) (string, error) {
	if s.github == nil {
		return "", errors.New("there is no GitHub App or token to fetch it with: set github.app_id or github.token_file, or give the repository a path")
	}
	return s.github.Mirror(ctx, name, filepath.Join(s.conf.Load().DataDir, "mirrors"))
}

func (s *service) openDesk(conf config.Server, fence *sandbox.Sandbox, key *attest.Key) error {
	window, err := otlp.NewWindow(s.queue, otlp.WindowOptions{Now: time.Now})
	if err != nil {
		return err
	}
	work := filepath.Join(conf.DataDir, "work")
	if err := os.MkdirAll(work, 0o700); err != nil {
		return machineError(err)
	}
	if err := s.openSlack(conf); err != nil {
		return inputError(err)
	}
	model, err := operatorsModel(conf.Model)
	if err != nil {
		return inputError(err)
	}
	model.wrap = func(m modelrecipe.Model) modelrecipe.Model { return meteredModel{m, s.meter, time.Now} }
	owner := make([]byte, 8)
	if _, err := rand.Read(owner); err != nil {
		return machineError(err)
	}
	host, _ := os.Hostname()
	s.desk = &docket.Desk{
		Store: s.queue, Claims: s.queue, Blobs: s.queue, Queue: s.queue,
		Runner: &caseRunner{
			evidence: func(ctx context.Context, rec *docket.Record, alert []byte, to *drawn) (localize.Evidence, error) {
				return s.evidence(ctx, window, rec, alert, to)
			},
			repos: &repositories{list: s.served, mirror: s.mirror, source: func(name string) string { return s.conf.Load().Alerts[name].Repository }},
			fence: fence, key: key, work: work, recipes: model.recipes, telemetry: s.tel, log: s.log,
		},
		Forge:   s.forge,
		Parse:   parseAlert,
		Redact:  replay.NewRedactor(&secrets.Finder{}).Text,
		Now:     time.Now,
		Owner:   host + "-" + hex.EncodeToString(owner),
		Alone:   conf.NATS.URL == "", // the embedded state lets one process in at a time
		Log:     s.log,
		PageURL: func(fingerprint string) string { return s.conf.Load().URL + "/cases/" + fingerprint },
		Settings: docket.Settings{Lease: 30 * time.Second, BreakerCases: conf.Breaker.Cases, BreakerWithin: time.Duration(conf.Breaker.Within),
			KeepCases: time.Duration(conf.Retention.Cases), KeepFiles: time.Duration(conf.Retention.Files)},
		Observe: s.observe,
	}
	if s.slack != nil {
		s.desk.Notifier = s.slack
	}
	return nil
}

// observe counts what happens to cases and tells it to whoever reads the log.
func (s *service) observe(o docket.Observation) {
	s.meter.Docket(o)
	r := o.Record
	if r == nil {
		if o.Kind == "breaker" {
			s.log.Warn("many cases opened within a short time: all of them wait for a person, until an administrator resets the breaker")
		}
		return
	}
	switch at := []any{"case", r.Fingerprint, "alert", r.Incident.Name, "service", r.Incident.Service, "severity", r.Incident.Severity}; o.Kind {
	case "opened":
		s.log.Info("case opened", append(at, "source", r.AlertSource)...)
	case "declined", "held":
		why := ""
		switch {
		case r.Hold != nil:
			why = r.Hold.Why
		case r.Summary != nil:
			why = r.Summary.Why
		}
		s.log.Info("case "+o.Kind, append(at, "code", o.Key, "why", why)...)
	case "failed":
		s.log.Error("case given up", append(at, "error", o.Err)...)
	case "joined", "came_back", "proposed", "merged", "refused":
		if r.Pull != nil {
			at = append(at, "pull_request", r.Pull.URL)
		}
		s.log.Info("case "+o.Kind, at...)
	}
}

// forge says where a repository's pull requests live.
func (s *service) forge(repo string) docket.Forge {
	for _, r := range s.conf.Load().Repositories {
		if strings.EqualFold(r.Name, repo) && r.Path != "" {
			return nil // a clone on this machine is only read
		}
	}
	if s.github == nil {
		return nil
	}
	return s.github
}

// parseAlert reads a notification in the format of its source.
func parseAlert(a docket.Alert) ([]incident.Incident, error) {
	var m incident.Mapping
	if len(a.Mapping) > 0 {
		if err := json.Unmarshal(a.Mapping, &m); err != nil {
			return nil, fmt.Errorf("mapping of the alert: %w", err)
		}
	}
	in, err := incident.ParseAs(a.Format, a.Body, m)
	if err != nil {
		return nil, err
	}
	return []incident.Incident{in}, nil
}
