package sources

import (
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/config"
)

func TestOpenMakesWhatTheConfigurationNames(t *testing.T) {
	conf, err := config.ParseServer([]byte(`sources:
  traces: {kind: jaeger, url: "http://127.0.0.1:16686"}
  logs: {kind: loki, url: "http://127.0.0.1:3100", limit: 7}
  metrics: {kind: prometheus, url: "http://127.0.0.1:9090", queries: {q: up}}
  deployments: [{kind: git-tags, tags: ["v*"]}]
  window: {lead: 5m, length: 30m, lookback: 2d}
`))
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	p, err := Open(conf.Sources, Surroundings{}, func(d config.DeploySource) (ChangeSource, error) {
		asked = d.Tags
		return madeDeploys{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.Traces.Name() != "jaeger at http://127.0.0.1:16686" || p.Logs.Name() != "loki at http://127.0.0.1:3100" || p.Metrics.Name() != "prometheus at http://127.0.0.1:9090" {
		t.Errorf("sources are %v, %v, %v", p.Traces.Name(), p.Logs.Name(), p.Metrics.Name())
	}
	if len(p.Changes) != 1 || len(asked) != 1 || p.Settings != (WindowSettings{5 * time.Minute, 30 * time.Minute, 48 * time.Hour}) || p.Timeout != 5*time.Minute {
		t.Errorf("the plan is %+v", p)
	}
	if p.Logs.(*Loki).o.Limit != 7 || p.Metrics.(*Prometheus).o.Queries["q"] != "up" {
		t.Error("the limits did not get through")
	}
	conf.Sources.Traces.Kind = "tempo"
	if p, err := Open(conf.Sources, Surroundings{}, func(config.DeploySource) (ChangeSource, error) { return madeDeploys{}, nil }); err != nil || !strings.HasPrefix(p.Traces.Name(), "tempo at") {
		t.Errorf("tempo: %v", err)
	}
	if p, err := Open(config.Sources{}, Surroundings{}, nil); err != nil || p.Traces != nil || p.Logs != nil || p.Metrics != nil {
		t.Errorf("nothing named: %+v, %v", p, err)
	}
	if _, err := Open(conf.Sources, Surroundings{}, nil); err == nil || !strings.Contains(err.Error(), "give one with --repo") {
		t.Errorf("tags without a repository: %v", err)
	}
	conf.Sources.Deployments = []config.DeploySource{{Kind: "argocd", Connection: config.Connection{URL: "https://argo", TokenEnv: "T"}},
		{Kind: "kubernetes", Connection: config.Connection{URL: "https://kube", TokenEnv: "T"}, Namespaces: []string{"shop"}}}
	p, err = Open(conf.Sources, Surroundings{Getenv: func(string) string { return "token" }}, nil)
	if err != nil || len(p.Changes) != 2 || p.Changes[0].Name() != "argocd at https://argo" || p.Changes[1].Name() != "kubernetes at https://kube" {
		t.Errorf("roll-outs come from %v, %v", p.Changes, err)
	}
	conf.Sources.Deployments[1].Tenant = "a"
	if _, err := Open(conf.Sources, Surroundings{Getenv: func(string) string { return "token" }}, nil); err == nil || !strings.Contains(err.Error(), "takes a token or a kubeconfig") {
		t.Errorf("a tenant for Kubernetes: %v", err)
	}
}
