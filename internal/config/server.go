package config

// ServerFile is the usual name of the configuration of `remediator serve`. It belongs to whoever
// runs the service; the repositories' own configuration stays in File.
const ServerFile = "serve.yaml"

// Server is the configuration of `remediator serve`. Secrets are never in it: every *_file names a
// file that holds one, which is read again when the configuration is.
type Server struct {
	// Listen is where webhooks, the API and the page are served.
	Listen string `yaml:"listen,omitempty"`
	// Metrics is where Prometheus scrapes, "off" for none.
	Metrics string `yaml:"metrics,omitempty"`
	// URL is how people and pull requests reach Listen.
	URL       string    `yaml:"url,omitempty"`
	TLS       TLS       `yaml:"tls,omitempty"`
	DataDir   string    `yaml:"data_dir,omitempty"`
	Workers   int       `yaml:"workers,omitempty"` // cases worked out at a time in this process
	OTLP      OTLP      `yaml:"otlp,omitempty"`
	NATS      NATS      `yaml:"nats,omitempty"`
	Retention Retention `yaml:"retention,omitempty"`
	Breaker   Breaker   `yaml:"breaker,omitempty"`
	// Alerts are the sources of webhooks, each at /webhooks/alerts/NAME.
	Alerts       map[string]AlertSource `yaml:"alerts,omitempty"`
	GitHub       GitHub                 `yaml:"github,omitempty"`
	Repositories []ServedRepository     `yaml:"repositories,omitempty"`
	Slack        Slack                  `yaml:"slack,omitempty"`
	Model        Model                  `yaml:"model,omitempty"`
	Tokens       []Token                `yaml:"tokens,omitempty"`
	// Sources are asked for the telemetry of every case. Those of a repository's configuration are not: who may
	// write to a repository shall not say where the service's credentials go.
	Sources Sources `yaml:"sources,omitempty"`
	// SigningKeyFile is a key as cosign makes it; one is made below DataDir when there is none.
	SigningKeyFile string `yaml:"signing_key_file,omitempty"`
	PasswordFile   string `yaml:"signing_key_password_file,omitempty"`

	derivedURL string // what URL was set to for want of one
}

// TLS makes Listen and the OTLP ports speak TLS; the files are read again when they change.
type TLS struct {
	CertFile string `yaml:"cert_file,omitempty"`
	KeyFile  string `yaml:"key_file,omitempty"`
}

// OTLP is the receiver and the rolling window behind it.
type OTLP struct {
	GRPC      string   `yaml:"grpc,omitempty"` // host:port, "off" for none
	HTTP      string   `yaml:"http,omitempty"`
	TokenFile string   `yaml:"token_file,omitempty"` // bearer token that senders have to show
	Keep      Duration `yaml:"keep,omitempty"`       // age of the oldest telemetry kept
	Memory    string   `yaml:"max_size,omitempty"`   // size of the window
	// Before and After bound what a case draws around the alert's start; Settle is how long a case
	// waits for telemetry that is still on its way.
	Before Duration `yaml:"before,omitempty"`
	After  Duration `yaml:"after,omitempty"`
	Settle Duration `yaml:"settle,omitempty"`
}

// NATS names an existing cluster; without a URL a server is embedded below DataDir.
type NATS struct {
	URL             string `yaml:"url,omitempty"`
	CredentialsFile string `yaml:"credentials_file,omitempty"`
	Replicas        int    `yaml:"replicas,omitempty"`
	Prefix          string `yaml:"prefix,omitempty"` // of streams and buckets, where a cluster is shared
}

// Retention says how long ended cases are kept.
type Retention struct {
	Cases Duration `yaml:"cases,omitempty"`
	Files Duration `yaml:"files,omitempty"` // evidence and reports; the record itself stays as long as Cases
}

// Breaker holds everything for a person when many cases open at once.
type Breaker struct {
	Cases  int      `yaml:"cases,omitempty"`
	Within Duration `yaml:"within,omitempty"`
}

// AlertSource is one sender of alerts and how it shows that it is the one.
type AlertSource struct {
	Format string `yaml:"format"` // alertmanager, grafana, pagerduty, datadog, generic
	// BearerFile holds the token of the Authorization header; SecretFile the secret of an HMAC-SHA256
	// signature in SignatureHeader. One of them is required unless Listen is bound to loopback.
	// Where both are set, both have to be right.
	BearerFile      string `yaml:"bearer_file,omitempty"`
	SecretFile      string `yaml:"secret_file,omitempty"`
	SignatureHeader string `yaml:"signature_header,omitempty"`
	// TimestampHeader carries the Unix time that is signed with the body, as timestamp:body; a
	// signature older than ReplayWindow is refused then.
	TimestampHeader string            `yaml:"timestamp_header,omitempty"`
	ReplayWindow    Duration          `yaml:"replay_window,omitempty"`
	MaxBody         string            `yaml:"max_body,omitempty"`
	PerMinute       int               `yaml:"per_minute,omitempty"` // notifications; more are asked to come later
	Mapping         map[string]string `yaml:"mapping,omitempty"`    // of format generic: field -> JSON pointer
	Repository      string            `yaml:"repository,omitempty"` // owner/name that the source's alerts are about
}

// GitHub is the App, or a token in its place.
type GitHub struct {
	URL               string `yaml:"url,omitempty"` // of the API; default https://api.github.com/
	AppID             int    `yaml:"app_id,omitempty"`
	PrivateKeyFile    string `yaml:"private_key_file,omitempty"`
	WebhookSecretFile string `yaml:"webhook_secret_file,omitempty"`
	TokenFile         string `yaml:"token_file,omitempty"`
}

// ServedRepository is a repository that cases may be proposed to.
type ServedRepository struct {
	Name   string `yaml:"name"`             // owner/name at GitHub
	Path   string `yaml:"path,omitempty"`   // a clone on this machine in place of GitHub; nothing is proposed then but a branch
	Branch string `yaml:"branch,omitempty"` // target; default the repository's own
	// Autonomy caps what the repository's configuration asks for.
	Autonomy string `yaml:"autonomy,omitempty"`
	// Services are names in telemetry; without them the repository's own configuration says.
	Services []string `yaml:"services,omitempty"`
}

// Slack is the chat in which cases are approved.
type Slack struct {
	URL               string   `yaml:"url,omitempty"` // of the API, for tests and proxies
	TokenFile         string   `yaml:"token_file,omitempty"`
	SigningSecretFile string   `yaml:"signing_secret_file,omitempty"`
	Channel           string   `yaml:"channel,omitempty"`
	Approvers         []string `yaml:"approvers,omitempty"` // user ids; everybody in the channel when empty
}

// Token lets a program or a person use the API and the page.
type Token struct {
	Name string `yaml:"name"`
	Role string `yaml:"role"` // read, approve, administer
	// SHA256 is the hash of the token in hex; the command `remediator app token` makes both.
	SHA256 string `yaml:"sha256"`
}
