package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

const completeServer = `listen: ":8443"
metrics: off
url: https://remediator.example.com/bot/
tls: {cert_file: tls.crt, key_file: /etc/tls.key}
data_dir: data
workers: 4
otlp:
  grpc: "0.0.0.0:4317"
  http: off
  token_file: otlp.token
  keep: 6h
  max_size: 2GiB
  before: 1h
  after: 5m
  settle: 1m30s
nats: {url: "nats://a:4222, tls://b:4222", credentials_file: nats.creds, replicas: 3, prefix: rem_1}
retention: {cases: 1y, files: 7d}
breaker: {cases: 8, within: 15m}
alerts:
  am: {format: alertmanager, bearer_file: am.token, per_minute: 60, max_body: 4MiB, repository: shop/backend}
  pd: {format: pagerduty, secret_file: pd.secret}
  gf: {format: grafana, secret_file: gf.secret, timestamp_header: X-Grafana-Alerting-Timestamp, replay_window: 1m}
  gen:
    format: generic
    secret_file: gen.secret
    signature_header: X-Signature
    mapping: {name: /a/name, starts_at: /a/at, labels: ""}
github: {url: "https://github.example.com/api/v3/", app_id: 12, private_key_file: app.pem, webhook_secret_file: hook.secret}
repositories:
  - {name: shop/backend, autonomy: ready, branch: release/1.x, services: [orders, payments]}
  - {name: Shop/front.end, path: clones/front, services: [web]}
slack: {token_file: slack.token, signing_secret_file: slack.secret, channel: C0123456, approvers: [U0123456]}
model: {url: "http://ollama:11434/v1", name: small}
tokens:
  - {name: ci, role: read, sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
signing_key_file: cosign.key
signing_key_password_file: cosign.password
`

func served(t *testing.T, text string) Server {
	t.Helper()
	s, err := ParseServer([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseServerReadsACompleteConfiguration(t *testing.T) {
	s := served(t, strings.Replace(completeServer, "1y", "365d", 1))
	for what, ok := range map[string]bool{
		"listen":    s.Listen == ":8443" && !s.Local() && s.URL == "https://remediator.example.com/bot/" && s.Workers == 4,
		"otlp":      s.OTLP.HTTPOff() && !s.OTLP.GRPCOff() && s.OTLP.MaxBytes() == 2<<30 && time.Duration(s.OTLP.Settle) == 90*time.Second,
		"nats":      s.NATS.Replicas == 3 && s.NATS.Prefix == "rem_1",
		"retention": time.Duration(s.Retention.Cases) == 365*24*time.Hour && time.Duration(s.Retention.Files) == 7*24*time.Hour,
		"breaker":   s.Breaker == Breaker{8, Duration(15 * time.Minute)},
		"github":    s.GitHub.AppID == 12 && s.GitHub.URL == "https://github.example.com/api/v3/",
		"tokens":    len(s.Tokens) == 1 && s.Tokens[0].Role == "read",
		"slack":     s.Slack.URL == DefaultSlack && s.Slack.Approvers[0] == "U0123456",
		"repos":     len(s.Repositories) == 2 && s.Repositories[0].Services[1] == "payments",
		"mapping":   s.Alerts["gen"].Mapping["starts_at"] == "/a/at",
	} {
		if !ok {
			t.Errorf("%s is not as written: %+v", what, s)
		}
	}
	for name, want := range map[string]AlertSource{
		"am": {Format: "alertmanager", BearerFile: "am.token", SignatureHeader: DefaultSignature, ReplayWindow: DefaultReplayWindow, MaxBody: "4MiB", PerMinute: 60, Repository: "shop/backend"},
		"pd": {Format: "pagerduty", SecretFile: "pd.secret", SignatureHeader: "X-PagerDuty-Signature", ReplayWindow: DefaultReplayWindow, MaxBody: DefaultMaxBody, PerMinute: DefaultPerMinute},
		"gf": {Format: "grafana", SecretFile: "gf.secret", SignatureHeader: "X-Grafana-Alerting-Signature", TimestampHeader: "X-Grafana-Alerting-Timestamp", ReplayWindow: Duration(time.Minute),
			MaxBody: DefaultMaxBody, PerMinute: DefaultPerMinute},
	} {
		if got := s.Alerts[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is\n%+v, want\n%+v", name, got, want)
		}
	}
	if s.Alerts["am"].MaxBytes() != 4<<20 {
		t.Errorf("max_body is %d bytes", s.Alerts["am"].MaxBytes())
	}
}

func TestAnEmptyServerConfigurationHasEveryDefault(t *testing.T) {
	s := served(t, "")
	want := Server{Listen: "127.0.0.1:8080", Metrics: "127.0.0.1:9464", URL: "http://127.0.0.1:8080", Workers: 1,
		OTLP: OTLP{GRPC: "127.0.0.1:4317", HTTP: "127.0.0.1:4318", Keep: Duration(2 * time.Hour), Memory: "512MiB", Before: Duration(30 * time.Minute), After: Duration(15 * time.Minute), Settle: Duration(30 * time.Second)},
		NATS: NATS{Replicas: 1, Prefix: "remediator"}, Retention: Retention{Duration(2160 * time.Hour), Duration(720 * time.Hour)}, Breaker: Breaker{5, Duration(10 * time.Minute)},
		GitHub: GitHub{URL: "https://api.github.com/"}, Slack: Slack{URL: "https://slack.com/api/"}}
	want.derivedURL = want.URL
	want.Sources.Window = SourceWindow{Lead: Duration(15 * time.Minute), Length: Duration(time.Hour), Lookback: Duration(192 * time.Hour)}
	want.Sources.Timeout, want.Sources.ServiceLabels = Duration(5*time.Minute), []string{"service_name", "service", "app_kubernetes_io_name", "app", "job"}
	want.Sources.Traces.Limit, want.Sources.Logs.Limit, want.Sources.Metrics.Limit = 500, 50_000, 2000
	for _, c := range []*Connection{&want.Sources.Traces.Connection, &want.Sources.Logs.Connection, &want.Sources.Metrics.Connection} {
		c.Timeout = Duration(30 * time.Second)
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got\n%+v, want\n%+v", s, want)
	}
	if !reflect.DeepEqual(DefaultServer(), want) {
		t.Error("DefaultServer is something else")
	}
	if s := served(t, "tls: {cert_file: a, key_file: b}\nlisten: \"localhost:1\"\n"); s.URL != "https://localhost:1" {
		t.Errorf("with TLS the URL is %s", s.URL)
	}
	if s := served(t, "retention: {cases: 7d}\n"); s.Retention.Files != s.Retention.Cases {
		t.Errorf("files of cases kept for 7d are kept for %v", s.Retention.Files)
	}
}

// Every mistake is reported as "line:column: path: message; fix".
func TestParseServerNamesPlaceAndFix(t *testing.T) {
	const open = "listen: \":80\"\nurl: https://x\n"
	const hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	for name, c := range map[string]struct{ yaml, want string }{
		"unknown key":             {"listn: x\n", `1:1: listn: unknown key; did you mean "listen"?`},
		"no address":              {"listen: \"8080\"\n", `1:1: listen: "8080" is not host:port; write`},
		"no port":                 {"listen: \"127.0.0.1:http\"\n", `"http" is not a TCP port`},
		"port out of range":       {"listen: \"127.0.0.1:70000\"\n", `"70000" is not a TCP port`},
		"open without URL":        {"listen: \":80\"\n", "url: is required where listen is not bound to this machine"},
		"plain URL":               {open[:14] + "url: http://bot.example.com/x\n", `2:1: url: must be https: only an address of this machine may do without; write "https://bot.example.com/x"`},
		"no URL":                  {"url: bot.example.com\n", "is not an http or https URL"},
		"password in URL":         {"url: https://a:b@x\n", "remove what stands before the @"},
		"half of TLS":             {"tls: {cert_file: a}\n", "1:1: tls: cert_file and key_file belong together"},
		"workers":                 {"workers: 0\n", "1:10: workers: must be between 1 and 64"},
		"metrics address":         {"metrics: \"9464\"\n", `1:1: metrics: "9464" is not host:port`},
		"telemetry address":       {"otlp: {grpc: \"on\"}\n", `otlp.grpc: "on" is not host:port`},
		"telemetry size":          {"otlp: {max_size: lots}\n", `otlp.max_size: "lots" is not an amount`},
		"telemetry too small":     {"otlp: {max_size: 1KiB}\n", "must be between 1MiB and 1TiB"},
		"telemetry too old":       {"otlp: {keep: 10m}\n", "otlp.keep: telemetry is kept for 10m0s, but a case draws on the 30m0s before"},
		"no wait at all":          {"otlp: {settle: 0s}\n", "otlp.settle: must be between 1ms and 1h0m0s"},
		"no duration":             {"otlp: {keep: long}\n", `must be a duration, not text; write "90s", "5m" or "30d"`},
		"nats URL":                {"nats: {url: \"http://x\"}\n", "nats.url: is not the URL of a NATS server"},
		"one of the nats URLs":    {"nats: {url: \"nats://a:1,b:2\"}\n", "nats.url: is not the URL"},
		"password for nats":       {"nats: {url: \"nats://a:b@c:4222\"}\n", "nats.url: carries a user name or password; use credentials_file"},
		"embedded with replicas":  {"nats: {replicas: 3}\n", "the embedded server is one"},
		"embedded with login":     {"nats: {credentials_file: x}\n", "needs no credentials"},
		"two replicas":            {"nats: {url: \"nats://a\", replicas: 2}\n", "2 copies have no majority to lose one by; use 1, 3 or 5"},
		"prefix":                  {"nats: {prefix: \"a.b\"}\n", "nats.prefix: is made of letters"},
		"files outlive cases":     {"retention: {cases: 1d, files: 2d}\n", "files are kept for 2d and the cases they belong to for 1d"},
		"breaker":                 {"breaker: {cases: 1}\n", "must be between 2 and 10000"},
		"open source":             {open + "alerts: {team: {format: grafana}}\n", "3:10: alerts.team: anybody could send alerts: listen is not bound to this machine; add bearer_file"},
		"open PagerDuty":          {open + "alerts: {team: {format: pagerduty}}\n", "add secret_file"},
		"no format":               {"alerts: {team: {}}\n", "alerts.team: format is required; add format: one of alertmanager, grafana, pagerduty, datadog, generic"},
		"unknown format":          {"alerts: {team: {format: grafna}}\n", `did you mean "grafana"?`},
		"source's name":           {"alerts: {Team A: {format: grafana}}\n", "a source's name is part of its URL"},
		"header":                  {"alerts: {a: {format: grafana, signature_header: \"X Y\"}}\n", "is not the name of a header"},
		"header with another use": {"alerts: {a: {format: grafana, signature_header: authorization}}\n", "has another use"},
		"unsigned time stamp":     {"alerts: {a: {format: grafana, timestamp_header: X-T}}\n", "a time stamp counts only when it is signed"},
		"PagerDuty's time stamp":  {"alerts: {a: {format: pagerduty, secret_file: x, timestamp_header: X-T}}\n", "PagerDuty signs the body alone"},
		"body":                    {"alerts: {a: {format: grafana, max_body: 9MiB}}\n", "must be between 1KiB and 8MiB"},
		"rate":                    {"alerts: {a: {format: grafana, per_minute: 0}}\n", "must be between 1 and 1000000"},
		"mapping of another":      {"alerts: {a: {format: grafana, mapping: {name: /a}}}\n", "only the format generic has a mapping"},
		"no mapping":              {"alerts: {a: {format: generic}}\n", `alerts.a.mapping: name is required; add name: "/path/in/the/body"`},
		"field of a mapping":      {"alerts: {a: {format: generic, mapping: {name: /a, starts_at: /b, servce: /c}}}\n", `alerts.a.mapping.servce: is not a field of an incident; did you mean "service"?`},
		"pointer":                 {"alerts: {a: {format: generic, mapping: {name: a.b, starts_at: /b}}}\n", `alerts.a.mapping.name: "a.b" is not a JSON pointer; write "/alert/name"`},
		"repository of a source":  {"alerts: {a: {format: grafana, repository: shop}}\n", `"shop" is not a repository; write "owner/name"`},
		"repository not served":   {"alerts: {a: {format: grafana, repository: a/b}}\n", `there is no repository "a/b"; add it under repositories`},
		"GitHub URL":              {"github: {url: \"http://github.example.com/\"}\n", "github.url: must be https"},
		"App without key":         {"github: {app_id: 1}\n", "app_id needs private_key_file"},
		"key without App":         {"github: {private_key_file: x}\n", "private_key_file needs app_id"},
		"App and token":           {"github: {app_id: 1, private_key_file: x, token_file: y}\n", "github.token_file: there is an App already"},
		"negative App":            {"github: {app_id: -1}\n", "github.app_id: must be between 1"},
		"unreachable repository":  {"repositories: [{name: a/b}]\n", "there is no GitHub App and no token"},
		"nameless repository":     {"repositories: [{path: x}]\n", "repositories[0]: name is required"},
		"repository's name":       {"repositories: [{name: a/../b, path: x}]\n", `"a/../b" is not a repository`},
		"repository twice":        {"repositories: [{name: a/b, path: x}, {name: A/B, path: y}]\n", "is there twice"},
		"branch":                  {"repositories: [{name: a/b, path: x, branch: -x}]\n", `"-x" is not the name of a branch`},
		"branch with dots":        {"repositories: [{name: a/b, path: x, branch: a..b}]\n", "is not the name of a branch"},
		"autonomy":                {"repositories: [{name: a/b, path: x, autonomy: full}]\n", "use one of report, branch, draft, ready"},
		"service of two":          {"repositories: [{name: a/b, path: x, services: [s]}, {name: a/c, path: x, services: [s]}]\n", `repositories[1].services[0]: "s" belongs to a/b already`},
		"service's name":          {"repositories: [{name: a/b, path: x, services: [\"a b\"]}]\n", "a service's name is made of"},
		"half of Slack":           {"slack: {channel: C0123456}\n", "slack: token_file is required; add token_file, or remove slack: everything works by comments too"},
		"Slack channel":           {"slack: {token_file: a, signing_secret_file: b, channel: general}\n", "slack.channel: is not a channel"},
		"Slack user by name":      {"slack: {token_file: a, signing_secret_file: b, channel: \"#ops\", approvers: [\"@ann\"]}\n", "names can be changed by anybody"},
		"Slack approvers alone":   {"slack: {approvers: [U0123456]}\n", "approvers without a channel"},
		"model":                   {"model: {url: \"http://models.example.com/\"}\n", "would travel unencrypted"},
		"token without role":      {"tokens: [{name: a, sha256: " + hash + "}]\n", "tokens[0]: role is required"},
		"role":                    {"tokens: [{name: a, role: admin, sha256: " + hash + "}]\n", `"admin" is not known; `},
		"token itself":            {"tokens: [{name: a, role: read, sha256: hunter2}]\n", "write the hash, never the token itself"},
		"hash in capitals":        {"tokens: [{name: a, role: read, sha256: " + strings.ToUpper(hash) + "}]\n", "lower-case hex"},
		"tokens of one name":      {"tokens: [{name: a, role: read, sha256: " + hash + "}, {name: a, role: read, sha256: " + strings.Replace(hash, "9", "8", 1) + "}]\n", `tokens[1].name: "a" is there twice`},
		"tokens of one hash":      {"tokens: [{name: a, role: read, sha256: " + hash + "}, {name: b, role: read, sha256: " + hash + "}]\n", "tokens[1].sha256: is there twice"},
		"password without key":    {"signing_key_password_file: x\n", "a password without a key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseServer([]byte(c.yaml))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v, want an *Error", err)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), ServerFile+":") {
				t.Errorf("error is\n%v\nwant in it\n%s", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("a token is in the error")
			}
			for _, p := range e.Problems {
				if p.Line == 0 && !strings.Contains(c.want, "url: is required") {
					t.Errorf("%s has no place", p)
				}
			}
		})
	}
}

func TestServerSchemaAgreesWithTheParser(t *testing.T) {
	schema := compile(t, ServerSchemaID, ServerSchema())
	for _, text := range []string{strings.Replace(completeServer, "1y", "365d", 1), string(InitServer()), "workers: 2\n"} {
		served(t, text)
		if err := schema.Validate(instance(t, text)); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	for _, text := range []string{"workers: 0\n", "workers: many\n", "zzz: 1\n", "nats: {replicas: 2, url: \"nats://a\"}\n", "nats: {prefix: a.b}\n", "retention: {cases: long}\n",
		"alerts: {a: {format: x}}\n", "alerts: {A: {format: grafana}}\n", "alerts: {a: {}}\n", "alerts: {a: {format: generic, mapping: {name: /a}}}\n", "alerts: {a: {format: generic, mapping: {name: /a, starts_at: /b, x: /c}}}\n",
		"alerts: {a: {format: grafana, signature_header: \"a b\"}}\n", "repositories: [{name: x, path: y}]\n", "repositories: [{path: y}]\n", "tokens: [{name: a, role: x, sha256: y}]\n",
		"slack: {token_file: a, signing_secret_file: b, channel: general}\n", "otlp: {max_size: lots}\n", "github: {app_id: 0}\n"} {
		if _, err := ParseServer([]byte(text)); err == nil {
			t.Errorf("parsed:\n%s", text)
		}
		if err := schema.Validate(instance(t, text)); err == nil {
			t.Errorf("the schema accepts:\n%s", text)
		}
	}
}

// Every default that the schema names is the one that is used.
func TestDefaultsInTheServerSchemaAreTheTrueOnes(t *testing.T) {
	s := reflect.ValueOf(served(t, "alerts: {x: {format: alertmanager}}\nsources: {deployments: [{kind: git-tags}]}\n"))
	for key, n := range serverNotes {
		if n.def == nil {
			continue
		}
		v := s
		for part := range strings.SplitSeq(key, ".") {
			if part == "*" {
				v = v.MapIndex(reflect.ValueOf("x"))
				continue
			}
			part, listed := strings.CutSuffix(part, "[]")
			for _, f := range reflect.VisibleFields(v.Type()) {
				if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name == part {
					v = v.FieldByIndex(f.Index)
					break
				}
			}
			if listed {
				v = v.Index(0)
			}
		}
		if got := fmt.Sprint(v.Interface()); got != fmt.Sprint(n.def) {
			t.Errorf("%s is %s by default, the schema says %v", key, got, n.def)
		}
	}
}

func TestLoadServerResolvesPathsWhereTheFileLies(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "serve.yaml")
	if err := os.WriteFile(name, []byte(strings.Replace(completeServer, "1y", "365d", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := LoadServer(name)
	if err != nil {
		t.Fatal(err)
	}
	if s.TLS.CertFile != filepath.Join(dir, "tls.crt") || s.TLS.KeyFile != "/etc/tls.key" || s.DataDir != filepath.Join(dir, "data") || s.Repositories[1].Path != filepath.Join(dir, "clones/front") ||
		s.Alerts["am"].BearerFile != filepath.Join(dir, "am.token") || s.Alerts["am"].SecretFile != "" || s.PasswordFile != filepath.Join(dir, "cosign.password") {
		t.Errorf("paths are %+v", s)
	}
	// Whatever names a file is resolved: a new key must not be forgotten.
	seen := map[string]bool{}
	s.eachPath(func(key string, _ *string) { seen[key[strings.LastIndexAny(key, ".")+1:]] = true })
	for key := range serverNotes {
		if last := key[strings.LastIndex(key, ".")+1:]; (strings.HasSuffix(last, "_file") || last == "path" || last == "data_dir") && !seen[last] {
			t.Errorf("%s is not resolved", key)
		}
	}
	_, err = LoadServer(filepath.Join(dir, "gone.yaml"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "config init --server") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := LoadServer(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	if err := os.WriteFile(name, []byte("workers: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadServer(name); err == nil || !strings.HasPrefix(err.Error(), name+":1:10: ") {
		t.Errorf("a mistake: %v", err)
	}
}

// A flag may change what the file says; what followed from the file must follow from the flag then.
func TestCompleteFollowsWhatAProgramChanged(t *testing.T) {
	s := DefaultServer()
	s.Listen = "127.0.0.1:9999"
	if s, err := s.Complete(); err != nil || s.URL != "http://127.0.0.1:9999" {
		t.Errorf("URL is %q (%v)", s.URL, err)
	}
	s.Listen = ":9999"
	if _, err := s.Complete(); err == nil || !strings.Contains(err.Error(), "url: is required") {
		t.Errorf("open to everybody, and reached under an address of this machine: %v", err)
	}
	s = served(t, "url: https://bot.example.com\n")
	s.Listen = ":9999"
	if s, err := s.Complete(); err != nil || s.URL != "https://bot.example.com" {
		t.Errorf("URL is %q (%v)", s.URL, err)
	}
}

func TestOnlyLoopbackIsLocal(t *testing.T) {
	for listen, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "127.9.9.9:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "localhost.example.com:1": false, "127.0.0.1.nip.io:1": false} {
		if got := (Server{Listen: listen}).Local(); got != want {
			t.Errorf("%s is local: %v", listen, got)
		}
	}
}

func TestWarningsNameOpenDoorsAndMissingSecrets(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"am.token": 0o600, "wide.token": 0o644} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("hunter2"), mode); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "serve.yaml")
	if err := os.WriteFile(name, []byte(`listen: ":80"
url: https://x
otlp: {grpc: ":4317"}
alerts:
  a: {format: alertmanager, bearer_file: am.token}
  b: {format: alertmanager, bearer_file: wide.token}
  c: {format: alertmanager, bearer_file: gone.token}
github: {app_id: 1, private_key_file: am.token}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := LoadServer(name)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range s.Warnings() {
		got = append(got, w.Path)
		if strings.Contains(w.String(), "hunter2") {
			t.Errorf("%s shows a secret", w)
		}
	}
	want := []string{"alerts.b.bearer_file", "alerts.c.bearer_file", "github.webhook_secret_file", "otlp.grpc", "tls", "tokens"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("warnings are about %v, want %v", got, want)
	}
	if got := DefaultServer().Warnings(); len(got) != 1 || got[0].Path != "alerts" {
		t.Errorf("by default: %v", got)
	}
}

func TestEveryFormatCanBeConfigured(t *testing.T) {
	for _, format := range incident.Formats() {
		text := "alerts: {a: {format: " + format
		if format == incident.Generic {
			text += ", mapping: {name: /n, starts_at: /t}"
		}
		served(t, text+"}}\n")
	}
}

func FuzzParseServer(f *testing.F) {
	f.Add([]byte(completeServer))
	f.Add(InitServer())
	f.Add([]byte("alerts: {a: {format: generic, mapping: {name: ~, starts_at: /~2}}}\n"))
	f.Add([]byte("tokens: [{}]\nrepositories: [{}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseServer(data)
		if err != nil {
			return
		}
		if ps := s.Validate(); len(ps) > 0 {
			t.Errorf("accepted although %v", ps)
		}
		if !reflect.DeepEqual(s, s.withDefaults()) {
			t.Error("the defaults change what has its defaults")
		}
	})
}
