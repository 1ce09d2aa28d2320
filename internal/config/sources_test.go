package config

import (
	"errors"
	"strings"
	"testing"
	"time"
)

const sourcesHead = "services: {a: {paths: [x], test: [y]}}\nsources:\n"

const completeSources = sourcesHead + `
  traces: {kind: tempo, url: "https://tempo", tenant: team-a, limit: 10, query: '{ status = error }', ca_file: ca.pem, timeout: 5s}
  logs: {kind: loki, url: "http://127.0.0.1:3100", selector: '{a="b"} |= "x"', username_env: U, password_env: P, limit: 7}
  metrics: {kind: prometheus, url: "http://prom:9090", token_env: T, plain_credentials: true, headers_env: {X-A: H}, match: 'a="b"', queries: {q: up}}
  deployments:
    - {kind: kubernetes, namespaces: [a], selector: app=x, kubeconfig: kc, context: c}
    - {kind: argocd, url: "https://argo", token_env: ARGOCD_TOKEN}
    - {kind: git-tags, tags: ["v*"]}
  window: {lead: 5m, length: 30m, lookback: 2d}
  service_labels: [app]
  timeout: 1m
`

func TestSourcesAreRead(t *testing.T) {
	c, err := Parse([]byte(completeSources))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Sources
	if s.Empty() || s.Traces.Tenant != "team-a" || s.Traces.Timeout != Duration(5*time.Second) || s.Logs.PasswordEnv != "P" || s.Metrics.HeadersEnv["X-A"] != "H" ||
		s.Metrics.Timeout != DefaultRequestTimeout || s.Metrics.Limit != DefaultSeries || len(s.Deployments) != 3 || s.Deployments[1].TokenEnv != "ARGOCD_TOKEN" ||
		s.Window.Lookback != Duration(48*time.Hour) || s.Timeout != Duration(time.Minute) || s.ServiceLabels[0] != "app" {
		t.Errorf("read %+v", s)
	}
	if err := compiled(t).Validate(instance(t, completeSources)); err != nil {
		t.Errorf("the schema refuses it: %v", err)
	}
	if c, err := Parse([]byte("services: {a: {paths: [x], test: [y]}}\n")); err != nil || !c.Sources.Empty() {
		t.Errorf("without sources: %+v, %v", c.Sources, err)
	}
	server, err := ParseServer([]byte(strings.TrimPrefix(completeSources, "services: {a: {paths: [x], test: [y]}}\n")))
	if err != nil || server.Sources.Traces.URL != "https://tempo" {
		t.Errorf("in the server's configuration: %v", err)
	}
}

func TestMistakesInSourcesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`traces: {kind: jeager, url: "http://x"}`:                             `3:12: sources.traces.kind: "jeager" is not known; did you mean "jaeger"?`,
		`traces: {url: "http://x"}`:                                           `sources.traces: kind is required; add kind: tempo or jaeger`,
		`logs: {kind: loki}`:                                                  `sources.logs: url is required`,
		`logs: {kind: loki, url: "loki:3100"}`:                                `is not the URL of a server; write http://host:port`,
		`logs: {kind: loki, url: "http://a:b@x"}`:                             `use username_env and password_env`,
		`logs: {kind: loki, url: "http://x?a=b"}`:                             `write the server's base URL alone`,
		`logs: {kind: loki, url: "http://x", token_env: T}`:                   `credentials would go over the network in the clear; use https`,
		`logs: {kind: loki, url: "https://x", token_env: "glsa_se cret"}`:     `never the secret itself`,
		`logs: {kind: loki, url: "https://x", token_env: GITHUB_TOKEN}`:       `is a credential of another system`,
		`logs: {kind: loki, url: "https://x", headers_env: {"a b": H}}`:       `is not the name of a header`,
		`logs: {kind: loki, url: "https://x", headers_env: {A: ""}}`:          `names no variable`,
		`logs: {kind: loki, url: "https://x", token_env: T, password_env: P}`: `two ways of logging in`,
		`logs: {kind: loki, url: "https://x", tenant: "a b"}`:                 `is not a tenant's id`,
		`logs: {kind: loki, url: "https://x", selector: app}`:                 `write {namespace="shop"}`,
		`logs: {kind: loki, url: "https://x", limit: 0}`:                      `must be between 1 and 5000000`,
		`metrics: {kind: prometheus, url: "https://x", match: '{a="b"}'}`:     `without braces`,
		`metrics: {kind: prometheus, url: "https://x", queries: {"a-b": up}}`: `a query's name is that of a metric`,
		`metrics: {kind: prometheus, url: "https://x", queries: {a: " "}}`:    `the expression is empty`,
		`traces: {kind: jaeger, url: "https://x", query: "{}"}`:               `which only tempo answers`,
		`deployments: [{kind: helm}]`:                                         `"helm" is not known`,
		`deployments: [{url: "https://x"}]`:                                   `kind is required`,
		`deployments: [{kind: argocd}]`:                                       `url is required`,
		`deployments: [{kind: argocd, url: "https://x", tags: [a]}]`:          `only git-tags reads tags`,
		`deployments: [{kind: git-tags, url: "https://x"}]`:                   `from the repository itself`,
		`deployments: [{kind: git-tags, kubeconfig: x}]`:                      `are for kubernetes`,
		`window: {lead: 1ms}`:                                                 `must be between 1s and 1d`,
		`service_labels: ["a.b"]`:                                             `is not the name of a label`,
		`tracing: {}`:                                                         `unknown key`,
	} {
		_, err := Parse([]byte(sourcesHead + "  " + text + "\n"))
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
			continue
		}
		for _, p := range e.Problems {
			if p.Line != 3 {
				t.Errorf("%s: the place is line %d", text, p.Line)
			}
		}
	}
}
