package sources

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/remediator/remediator/internal/config"
)

// Open makes a plan's sources of a configuration; nothing is asked yet. tags makes the source that reads a repository's
// tags; nil where there is no repository. Its error names everything that a source lacks here, a line each: a variable that
// is not set, a file that is not there.
func Open(conf config.Sources, s Surroundings, tags func(config.DeploySource) (ChangeSource, error)) (Plan, error) {
	p := Plan{
		Timeout:  time.Duration(conf.Timeout),
		Settings: WindowSettings{Lead: time.Duration(conf.Window.Lead), Length: time.Duration(conf.Window.Length), Lookback: time.Duration(conf.Window.Lookback)},
		Now:      s.Client.Now,
	}
	var lacking []error
	connect := func(kind string, conn config.Connection) *Client {
		c, err := s.Connect(kind, conn)
		lacking = append(lacking, err)
		return c
	}
	if conf.Metrics.Kind != "" {
		c := connect(conf.Metrics.Kind, conf.Metrics.Connection)
		p.Metrics = NewPrometheus(c, PrometheusOptions{ServiceLabels: conf.ServiceLabels, Queries: conf.Metrics.Queries, Match: conf.Metrics.Match, Series: conf.Metrics.Limit})
	}
	if conf.Logs.Kind != "" {
		c := connect(conf.Logs.Kind, conf.Logs.Connection)
		p.Logs = NewLoki(c, LokiOptions{ServiceLabels: conf.ServiceLabels, Selector: conf.Logs.Selector, Limit: conf.Logs.Limit})
	}
	if conf.Traces.Kind != "" {
		c := connect(conf.Traces.Kind, conf.Traces.Connection)
		limits := TraceLimits{Traces: conf.Traces.Limit}
		switch conf.Traces.Kind {
		case "jaeger":
			p.Traces = NewJaeger(c, limits)
		case "tempo":
			p.Traces = NewTempo(c, limits, conf.Traces.Query)
		default:
			lacking = append(lacking, fmt.Errorf("no source of traces is called %q", clip(conf.Traces.Kind, 40)))
		}
	}
	for _, d := range conf.Deployments {
		source, err := s.changes(d, tags)
		if err != nil {
			lacking = append(lacking, err)
			continue
		}
		p.Changes = append(p.Changes, source)
	}
	return p, errors.Join(lacking...)
}

// changes makes one source of roll-outs.
func (s Surroundings) changes(d config.DeploySource, tags func(config.DeploySource) (ChangeSource, error)) (ChangeSource, error) {
	switch d.Kind {
	case "git-tags":
		if tags == nil {
			return nil, fmt.Errorf("sources.deployments names git-tags, and no repository is known; give one with --repo, or remove it (the service reads no tags)")
		}
		return tags(d)
	case "argocd":
		c, err := s.Connect(d.Kind, d.Connection)
		if err != nil {
			return nil, err
		}
		return NewArgoCD(c, ArgoCDOptions{Namespaces: d.Namespaces, Selector: d.Selector}), nil
	case "kubernetes":
		o, err := s.options(d.Kind, d.Connection)
		if err != nil {
			return nil, err
		}
		if o.Username != "" || o.Password != "" || len(o.Headers) > 0 || o.Tenant != "" {
			return nil, fmt.Errorf("sources.deployments: kubernetes takes a token or a kubeconfig, no password, header or tenant; remove them")
		}
		kubeconfig := d.Kubeconfig
		if kubeconfig != "" && !filepath.IsAbs(kubeconfig) {
			kubeconfig = filepath.Join(s.Dir, kubeconfig)
		}
		return NewKubernetes(KubernetesOptions{URL: o.URL, Token: o.Token, CA: o.CA, Kubeconfig: kubeconfig, Context: d.Context,
			Namespaces: d.Namespaces, Selector: d.Selector, Timeout: o.Timeout})
	}
	return nil, fmt.Errorf("no source of roll-outs is called %q", clip(d.Kind, 40))
}
