package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// What `remediator serve` uses where its configuration says nothing.
const (
	DefaultListen = "127.0.0.1:8080"
	// DefaultMetrics is the port that OpenTelemetry's exporter for Prometheus has by default.
	DefaultMetrics = "127.0.0.1:9464"
	// The ports are those that the OTLP specification assigns.
	DefaultOTLPGRPC = "127.0.0.1:4317"
	DefaultOTLPHTTP = "127.0.0.1:4318"
	// DefaultKeep leaves a healthy window before an incident that began half an hour before its alert.
	DefaultKeep       = Duration(2 * time.Hour)
	DefaultWindowSize = "512MiB"
	DefaultBefore     = Duration(30 * time.Minute)
	DefaultAfter      = Duration(15 * time.Minute)
	// DefaultSettle is longer than the batch time-outs of SDK (5 s) and Collector together.
	DefaultSettle        = Duration(30 * time.Second)
	DefaultWorkers       = 1
	DefaultRetainCases   = Duration(90 * 24 * time.Hour)
	DefaultRetainFiles   = Duration(30 * 24 * time.Hour)
	DefaultBreakerCases  = 5
	DefaultBreakerWithin = Duration(10 * time.Minute)
	DefaultMaxBody       = "1MiB" // a group of about a thousand alerts
	// DefaultPerMinute is well above a storm of a thousand a minute: Alertmanager and Datadog do not
	// send again what was refused as too many.
	DefaultPerMinute      = 3000
	DefaultReplayWindow   = Duration(5 * time.Minute)
	DefaultGitHub         = "https://api.github.com/"
	DefaultSlack          = "https://slack.com/api/"
	DefaultNATSPrefix     = "remediator"
	DefaultSignature      = "X-Remediator-Signature" // header, for senders that have none of their own
	pagerDutySignature    = "X-PagerDuty-Signature"
	grafanaSignature      = "X-Grafana-Alerting-Signature"
	otlpOff               = "off"
	maxServedRepositories = 1000
)

// LoadServer reads the configuration of `remediator serve` from a file. Relative paths in it are
// relative to the directory it lies in.
func LoadServer(name string) (Server, error) {
	// Looked at before it is opened: a pipe would keep the program waiting.
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return Server{}, fmt.Errorf("read the configuration: %s is not a regular file; name the file itself", name)
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrPermission) {
		return Server{}, fmt.Errorf("read the configuration: %w; let this user read it", err)
	} else if err != nil {
		return Server{}, fmt.Errorf("read the configuration: %w; `remediator config init --server` prints one", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return Server{}, fmt.Errorf("read the configuration: %w", err)
	}
	s, err := parse[Server](data, name, serverNotes)
	if err != nil {
		return Server{}, err
	}
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return Server{}, fmt.Errorf("read the configuration: %w", err)
	}
	s.eachPath(func(_ string, p *string) {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	})
	return s, nil
}

// ParseServer decodes the configuration of `remediator serve`, checks it and fills in the defaults. Its
// error is an *Error that names every mistake with line, column and fix. Paths stay as written.
func ParseServer(text []byte) (Server, error) { return parse[Server](text, ServerFile, serverNotes) }

// DefaultServer is what an empty configuration means.
func DefaultServer() Server { return Server{}.withDefaults() }

// Roles lists what a token may be for, weakest first.
func Roles() []string { return slices.Clone(roles) }

// Complete fills in the defaults of a configuration that a program changed, and checks it anew.
func (s Server) Complete() (Server, error) {
	s = s.withDefaults()
	if problems := s.Validate(); len(problems) > 0 {
		return s, &Error{File: "configuration", Problems: problems}
	}
	return s, nil
}

func (s Server) withDefaults() Server {
	s.Listen = cmp.Or(s.Listen, DefaultListen)
	s.Metrics = cmp.Or(s.Metrics, DefaultMetrics)
	s.Workers = cmp.Or(s.Workers, DefaultWorkers)
	if s.URL == s.derivedURL { // a program may have changed Listen since
		s.URL, s.derivedURL = "", ""
	}
	if s.URL == "" && s.Local() {
		scheme := "http://"
		if s.TLS.CertFile != "" {
			scheme = "https://"
		}
		s.URL = scheme + s.Listen
		s.derivedURL = s.URL
	}
	s.OTLP.GRPC = cmp.Or(s.OTLP.GRPC, DefaultOTLPGRPC)
	s.OTLP.HTTP = cmp.Or(s.OTLP.HTTP, DefaultOTLPHTTP)
	s.OTLP.Keep = cmp.Or(s.OTLP.Keep, DefaultKeep)
	s.OTLP.Memory = cmp.Or(s.OTLP.Memory, DefaultWindowSize)
	s.OTLP.Before = cmp.Or(s.OTLP.Before, DefaultBefore)
	s.OTLP.After = cmp.Or(s.OTLP.After, DefaultAfter)
	s.OTLP.Settle = cmp.Or(s.OTLP.Settle, DefaultSettle)
	s.NATS.Replicas = cmp.Or(s.NATS.Replicas, 1)
	s.NATS.Prefix = cmp.Or(s.NATS.Prefix, DefaultNATSPrefix)
	s.Retention.Cases = cmp.Or(s.Retention.Cases, DefaultRetainCases)
	s.Retention.Files = cmp.Or(s.Retention.Files, min(DefaultRetainFiles, s.Retention.Cases))
	s.Breaker.Cases = cmp.Or(s.Breaker.Cases, DefaultBreakerCases)
	s.Breaker.Within = cmp.Or(s.Breaker.Within, DefaultBreakerWithin)
	s.GitHub.URL = cmp.Or(s.GitHub.URL, DefaultGitHub)
	s.Slack.URL = cmp.Or(s.Slack.URL, DefaultSlack)
	s.Sources = s.Sources.withDefaults()
	s.Alerts = maps.Clone(s.Alerts)
	for name, a := range s.Alerts {
		s.Alerts[name] = a.withDefaults()
	}
	return s
}

func (a AlertSource) withDefaults() AlertSource {
	if a.SignatureHeader == "" {
		switch a.Format {
		case "pagerduty":
			a.SignatureHeader = pagerDutySignature
		case "grafana":
			a.SignatureHeader = grafanaSignature
		default:
			a.SignatureHeader = DefaultSignature
		}
	}
	a.ReplayWindow = cmp.Or(a.ReplayWindow, DefaultReplayWindow)
	a.MaxBody = cmp.Or(a.MaxBody, DefaultMaxBody)
	a.PerMinute = cmp.Or(a.PerMinute, DefaultPerMinute)
	return a
}

// MaxBytes is MaxBody as a number; 0 when it is not valid.
func (a AlertSource) MaxBytes() int64 { return bytesOf(a.MaxBody) }

// MaxBytes is the size of the window as a number; 0 when it is not valid.
func (o OTLP) MaxBytes() int64 { return bytesOf(o.Memory) }

func bytesOf(text string) int64 {
	n, err := ParseSize(text)
	if err != nil {
		return 0
	}
	return n
}

// Local says whether Listen can be reached from this machine alone.
func (s Server) Local() bool {
	var ignored problems
	return ignored.address("listen", s.Listen)
}

// GRPCOff says that the port for OTLP over gRPC is not to be opened.
func (o OTLP) GRPCOff() bool { return o.GRPC == otlpOff }

// HTTPOff says that the port for OTLP over HTTP is not to be opened.
func (o OTLP) HTTPOff() bool { return o.HTTP == otlpOff }

// eachPath calls use with every key that names a file or directory, in order.
func (s *Server) eachPath(use func(key string, path *string)) {
	use("data_dir", &s.DataDir)
	for i := range s.Repositories {
		use(fmt.Sprintf("repositories[%d].path", i), &s.Repositories[i].Path)
	}
	use("tls.cert_file", &s.TLS.CertFile)
	use("tls.key_file", &s.TLS.KeyFile)
	use("signing_key_file", &s.SigningKeyFile)
	s.Sources.eachPath(use)
	s.eachSecret(use)
}

// eachSecret calls use with every key that names the file of a secret, in order.
func (s *Server) eachSecret(use func(key string, path *string)) {
	use("otlp.token_file", &s.OTLP.TokenFile)
	use("nats.credentials_file", &s.NATS.CredentialsFile)
	for _, name := range slices.Sorted(maps.Keys(s.Alerts)) {
		a := s.Alerts[name]
		bearer, secret := a.BearerFile, a.SecretFile
		use("alerts."+name+".bearer_file", &a.BearerFile)
		use("alerts."+name+".secret_file", &a.SecretFile)
		if a.BearerFile != bearer || a.SecretFile != secret { // readers share the map
			s.Alerts[name] = a
		}
	}
	use("github.private_key_file", &s.GitHub.PrivateKeyFile)
	use("github.webhook_secret_file", &s.GitHub.WebhookSecretFile)
	use("github.token_file", &s.GitHub.TokenFile)
	use("slack.token_file", &s.Slack.TokenFile)
	use("slack.signing_secret_file", &s.Slack.SigningSecretFile)
	use("signing_key_password_file", &s.PasswordFile)
}
