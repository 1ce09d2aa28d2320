package config

import (
	"fmt"
	"strings"
)

// InitServer is a configuration of `remediator serve` to start from: everything has its default, and
// what has to be decided stands beside it as a comment. The text is valid as it is.
func InitServer() []byte {
	return fmt.Appendf(nil, `# %s: the configuration of remediator serve.
# Check it with remediator config validate --server. Secrets are never in it: every *_file
# names a file that holds one. Relative paths start where this file lies.

listen: %s          # webhooks, API and page
# url: https://remediator.example.com  # how people reach it; required when listen is not this machine
# tls: {cert_file: /etc/remediator/tls.crt, key_file: /etc/remediator/tls.key}
# data_dir: /var/lib/remediator
metrics: %s         # what Prometheus scrapes; "off" for none
workers: %d                        # cases worked out at a time

otlp:                             # "off" for a port that is not wanted
  grpc: %s
  http: %s
  # token_file: /etc/remediator/otlp.token
  keep: %v                      # rolling window, bounded by age and by size
  max_size: %s
  before: %v                     # what a case draws around its alert
  after: %v
  settle: %v                     # wait for telemetry that is on its way

# Without a URL a server is embedded below data_dir.
# nats: {url: "nats://nats:4222", credentials_file: /etc/remediator/nats.creds, replicas: 3}

# Each at /webhooks/alerts/NAME. Formats: %s.
alerts:
  alertmanager:
    format: alertmanager
    # bearer_file: /etc/remediator/alertmanager.token
  # grafana: {format: grafana, secret_file: /etc/remediator/grafana.secret, timestamp_header: X-Grafana-Alerting-Timestamp}
  # pagerduty: {format: pagerduty, secret_file: /etc/remediator/pagerduty.secret}
  # datadog: {format: datadog, bearer_file: /etc/remediator/datadog.token}
  # other:
  #   format: generic
  #   bearer_file: /etc/remediator/other.token
  #   mapping: {name: /alert/name, starts_at: /alert/opened, status: /alert/state, service: /tags/service}

# github: {app_id: 12345, private_key_file: /etc/remediator/app.pem, webhook_secret_file: /etc/remediator/webhook.secret}
# repositories:
#   - {name: owner/name, autonomy: draft}

# slack: {token_file: /etc/remediator/slack.token, signing_secret_file: /etc/remediator/slack.secret, channel: C0123456789}
# model: {url: "http://127.0.0.1:11434/v1", name: qwen2.5-coder}

# remediator app token prints a token and its hash. Roles: %s.
# tokens:
#   - {name: oncall, role: approve, sha256: "..."}

breaker: {cases: %d, within: %v}  # more at once wait for a person
retention: {cases: %v, files: %v}
`, ServerFile, DefaultListen, DefaultMetrics, DefaultWorkers, DefaultOTLPGRPC, DefaultOTLPHTTP, DefaultKeep, DefaultWindowSize, DefaultBefore, DefaultAfter, DefaultSettle,
		strings.Join(alertFormats, ", "), strings.Join(roles, ", "), DefaultBreakerCases, DefaultBreakerWithin, DefaultRetainCases, DefaultRetainFiles)
}
