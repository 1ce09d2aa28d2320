package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sources names the servers that hold the telemetry of the services. Secrets are never in it: keys that end in
// _env name environment variables.
type Sources struct {
	Traces  TraceServer  `yaml:"traces,omitempty"`
	Logs    LogServer    `yaml:"logs,omitempty"`
	Metrics MetricServer `yaml:"metrics,omitempty"`
	// Deployments say what was rolled out and when; all of them are asked.
	Deployments []DeploySource `yaml:"deployments,omitempty"`
	Window      SourceWindow   `yaml:"window,omitempty"`
	// ServiceLabels are the labels of series and streams that name the service, the first that is there.
	ServiceLabels []string `yaml:"service_labels,omitempty"`
	// CorrelationKeys are attributes or fields of log bodies whose values name a request.
	CorrelationKeys []string `yaml:"correlation_keys,omitempty"`
	// Timeout bounds a fetch with all its requests.
	Timeout Duration `yaml:"timeout,omitempty"`
}

// Connection is how a server is reached.
type Connection struct {
	URL         string            `yaml:"url,omitempty"`
	TokenEnv    string            `yaml:"token_env,omitempty"`
	UsernameEnv string            `yaml:"username_env,omitempty"`
	PasswordEnv string            `yaml:"password_env,omitempty"`
	HeadersEnv  map[string]string `yaml:"headers_env,omitempty"` // header -> variable
	Tenant      string            `yaml:"tenant,omitempty"`      // X-Scope-OrgID
	CAFile      string            `yaml:"ca_file,omitempty"`
	// PlainCredentials lets credentials go over http to another machine.
	PlainCredentials bool     `yaml:"plain_credentials,omitempty"`
	Timeout          Duration `yaml:"timeout,omitempty"` // of one request
}

// TraceServer is a Tempo or Jaeger.
type TraceServer struct {
	Kind       string `yaml:"kind,omitempty"`
	Connection `yaml:",inline"`
	// Limit is how many traces are fetched for one window.
	Limit int `yaml:"limit,omitempty"`
	// Query is a TraceQL expression that traces have to match, of Tempo only.
	Query string `yaml:"query,omitempty"`
}

// LogServer is a Loki.
type LogServer struct {
	Kind       string `yaml:"kind,omitempty"`
	Connection `yaml:",inline"`
	// Selector is the LogQL stream selector that all services' logs match; default any stream with a service label.
	Selector string `yaml:"selector,omitempty"`
	// Limit is how many records are fetched for one window.
	Limit int `yaml:"limit,omitempty"`
}

// MetricServer is a Prometheus or what answers its API: Mimir, Thanos, VictoriaMetrics.
type MetricServer struct {
	Kind       string `yaml:"kind,omitempty"`
	Connection `yaml:",inline"`
	// Queries are PromQL expressions by the name that the result is to have, in addition to the found ones.
	Queries map[string]string `yaml:"queries,omitempty"`
	// Match is a list of label matchers that every found series has to satisfy: namespace="shop".
	Match string `yaml:"match,omitempty"`
	// Limit is how many series are fetched for one window.
	Limit int `yaml:"limit,omitempty"`
}

// DeploySource says what was rolled out: a Kubernetes API server, an Argo CD, or the repository's git tags.
type DeploySource struct {
	Kind       string `yaml:"kind"`
	Connection `yaml:",inline"`
	// Namespaces are those whose roll-outs count, of kubernetes and argocd; all when empty.
	Namespaces []string `yaml:"namespaces,omitempty"`
	// Kubeconfig is a file that names server and credentials in place of url; Context one of its contexts.
	Kubeconfig string `yaml:"kubeconfig,omitempty"`
	Context    string `yaml:"context,omitempty"`
	// Selector is a Kubernetes label selector, of kubernetes and argocd.
	Selector string `yaml:"selector,omitempty"`
	// Tags are globs of the tags that count, of git-tags; without any, those that end in a version or a date.
	Tags []string `yaml:"tags,omitempty"`
}

// SourceWindow says how the windows around an alert are chosen.
type SourceWindow struct {
	Lead   Duration `yaml:"lead,omitempty"`   // before the alert's start
	Length Duration `yaml:"length,omitempty"` // of the incident window at most
	// Lookback is how far back a healthy window is looked for.
	Lookback Duration `yaml:"lookback,omitempty"`
}

// What is used where the sources say nothing.
const (
	// DefaultSourceTimeout is what a person waits for, and well below an alert's repeat interval.
	DefaultSourceTimeout  = Duration(5 * time.Minute)
	DefaultRequestTimeout = Duration(30 * time.Second)
	// DefaultLead is longer than the usual `for` of an alert together with the range of its expression.
	DefaultLead = Duration(15 * time.Minute)
	// DefaultLength keeps the window of an alert that is still firing near its start, where the cause shows.
	DefaultLength   = Duration(time.Hour)
	DefaultLookback = Duration(8 * 24 * time.Hour) // the week before, with its window
	DefaultTraces   = 500
	DefaultLogs     = 50_000
	DefaultSeries   = 2000
)

var (
	traceServers  = []string{"tempo", "jaeger"}
	logServers    = []string{"loki"}
	metricServers = []string{"prometheus"}
	deployServers = []string{"kubernetes", "argocd", "git-tags"}
	// defaultServiceLabels are those under which exporters of OpenTelemetry, Kubernetes' recommended labels and
	// Prometheus' own scrape configuration name the service.
	defaultServiceLabels = []string{"service_name", "service", "app_kubernetes_io_name", "app", "job"}
	promLabel            = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,127}$`)
	tenantName           = regexp.MustCompile(`^[A-Za-z0-9!_.*'()|-]{1,150}$`)
)

// Empty says that no server is named.
func (s Sources) Empty() bool {
	return s.Traces.Kind == "" && s.Logs.Kind == "" && s.Metrics.Kind == "" && len(s.Deployments) == 0
}

func (s Sources) withDefaults() Sources {
	set := func(d *Duration, def Duration) {
		if *d == 0 {
			*d = def
		}
	}
	set(&s.Timeout, DefaultSourceTimeout)
	set(&s.Window.Lead, DefaultLead)
	set(&s.Window.Length, DefaultLength)
	set(&s.Window.Lookback, DefaultLookback)
	if len(s.ServiceLabels) == 0 {
		s.ServiceLabels = slices.Clone(defaultServiceLabels)
	}
	if s.Traces.Limit == 0 {
		s.Traces.Limit = DefaultTraces
	}
	if s.Logs.Limit == 0 {
		s.Logs.Limit = DefaultLogs
	}
	if s.Metrics.Limit == 0 {
		s.Metrics.Limit = DefaultSeries
	}
	for _, c := range []*Connection{&s.Traces.Connection, &s.Logs.Connection, &s.Metrics.Connection} {
		set(&c.Timeout, DefaultRequestTimeout)
	}
	s.Deployments = slices.Clone(s.Deployments)
	for i := range s.Deployments {
		set(&s.Deployments[i].Timeout, DefaultRequestTimeout)
	}
	return s
}

func (s Sources) validate(ps *problems) {
	for _, one := range []struct {
		at, kind string
		kinds    []string
		conn     Connection
	}{
		{"sources.traces", s.Traces.Kind, traceServers, s.Traces.Connection},
		{"sources.logs", s.Logs.Kind, logServers, s.Logs.Connection},
		{"sources.metrics", s.Metrics.Kind, metricServers, s.Metrics.Connection},
	} {
		switch {
		case one.kind == "" && one.conn.URL != "":
			ps.add(Problem{Path: one.at, Message: "kind is required", Fix: "add kind: " + strings.Join(one.kinds, " or ")})
		case one.kind != "" && one.conn.URL == "":
			ps.add(Problem{Path: one.at, Message: "url is required", Fix: `add url: "https://` + one.kind + `.example.com"`})
		}
		ps.choice(one.at+".kind", one.kind, one.kinds)
		one.conn.validate(ps, one.at)
	}
	if s.Traces.Query != "" && s.Traces.Kind != "tempo" {
		ps.add(Problem{Path: "sources.traces.query", Message: "is TraceQL, which only tempo answers", Fix: "remove it"})
	}
	for key, text := range map[string]string{"sources.logs.selector": s.Logs.Selector, "sources.metrics.match": s.Metrics.Match} {
		if strings.ContainsAny(text, "\x00\n") {
			ps.add(Problem{Path: key, Message: "must be one line"})
		}
	}
	if m := strings.TrimSpace(s.Metrics.Match); strings.HasPrefix(m, "{") {
		ps.add(Problem{Path: "sources.metrics.match", Message: "is a list of matchers without braces", Fix: `write namespace="shop"`})
	}
	if l := strings.TrimSpace(s.Logs.Selector); l != "" && (!strings.HasPrefix(l, "{") || !strings.Contains(l, "}")) {
		ps.add(Problem{Path: "sources.logs.selector", Message: "is a LogQL stream selector in braces", Fix: `write {namespace="shop"}`})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Metrics.Queries)) {
		at := join("sources.metrics.queries", name)
		if !promLabel.MatchString(name) {
			ps.add(Problem{Path: at, Message: "a query's name is that of a metric: letters, digits and '_'"})
		}
		if strings.TrimSpace(s.Metrics.Queries[name]) == "" {
			ps.add(Problem{Path: at, Message: "the expression is empty", Fix: "write PromQL"})
		}
	}
	for i, d := range s.Deployments {
		d.validate(ps, fmt.Sprintf("sources.deployments[%d]", i))
	}
	for i, label := range s.ServiceLabels {
		if !promLabel.MatchString(label) {
			ps.add(Problem{Path: fmt.Sprintf("sources.service_labels[%d]", i), Message: strconv.Quote(clipText(label)) + " is not the name of a label", Fix: "use letters, digits and '_'"})
		}
	}
	for i, key := range s.CorrelationKeys {
		if strings.TrimSpace(key) == "" || len(key) > 200 {
			ps.add(Problem{Path: fmt.Sprintf("sources.correlation_keys[%d]", i), Message: "the name of the attribute is empty or too long", Fix: "name an attribute or a field of log bodies, such as x-request-id"})
		}
	}
}

func (d DeploySource) validate(ps *problems, at string) {
	if d.Kind == "" {
		ps.add(Problem{Path: at, Message: "kind is required", Fix: "add kind: one of " + strings.Join(deployServers, ", ")})
	}
	ps.choice(at+".kind", d.Kind, deployServers)
	d.Connection.validate(ps, at)
	if d.Kind == "argocd" && d.URL == "" {
		ps.add(Problem{Path: at, Message: "url is required", Fix: `add url: "https://argocd.example.com"`})
	}
	if d.Kind != "git-tags" && len(d.Tags) > 0 {
		ps.add(Problem{Path: at + ".tags", Message: "only git-tags reads tags", Fix: "remove it"})
	}
	if d.Kind == "git-tags" && d.URL != "" {
		ps.add(Problem{Path: at + ".url", Message: "tags are read from the repository itself", Fix: "remove it"})
	}
	if d.Kind != "kubernetes" && (d.Kubeconfig != "" || d.Context != "") {
		ps.add(Problem{Path: at, Message: "kubeconfig and context are for kubernetes", Fix: "remove them"})
	}
}

// foreign are variables with credentials of other systems, which no telemetry server may ask for: the file
// that names variable and server lies in a repository.
var foreign = []string{"GITHUB_", "GH_", "ACTIONS_", "AWS_", "AZURE_", "GOOGLE_", "NPM_", "SSH_", "GITLAB_", "CI_JOB_"}

func (c Connection) validate(ps *problems, at string) {
	local := false
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
			ps.add(Problem{Path: at + ".url", Message: "is not the URL of a server", Fix: "write http://host:port or https://host"})
		case u.User != nil:
			ps.add(Problem{Path: at + ".url", Message: "carries a user name or password", Fix: "use username_env and password_env"})
		case u.RawQuery != "" || u.Fragment != "":
			ps.add(Problem{Path: at + ".url", Message: "carries a query", Fix: "write the server's base URL alone"})
		default:
			ip := net.ParseIP(u.Hostname())
			local = u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
			if (c.TokenEnv != "" || c.PasswordEnv != "" || len(c.HeadersEnv) > 0) && !local && !c.PlainCredentials {
				ps.add(Problem{Path: at + ".url", Message: "credentials would go over the network in the clear",
					Fix: "use https, or say plain_credentials: true where the network is trusted"})
			}
		}
	}
	variables := map[string]string{"token_env": c.TokenEnv, "username_env": c.UsernameEnv, "password_env": c.PasswordEnv}
	for header, name := range c.HeadersEnv {
		key := join("headers_env", header)
		variables[key] = name
		if !headerName.MatchString(header) {
			ps.add(Problem{Path: join(at, key), Message: strconv.Quote(clipText(header)) + " is not the name of a header"})
		}
		if name == "" {
			ps.add(Problem{Path: join(at, key), Message: "names no variable"})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(variables)) {
		name := variables[key]
		if name == "" {
			continue
		}
		if !variableName.MatchString(name) {
			ps.add(Problem{Path: join(at, key), Message: "is not a name for an environment variable", Fix: "name the variable that holds the secret, never the secret itself"})
		} else if slices.ContainsFunc(foreign, func(p string) bool { return strings.HasPrefix(strings.ToUpper(name), p) }) {
			ps.add(Problem{Path: join(at, key), Message: "is a credential of another system and is not sent to a telemetry server", Fix: "use a variable of its own"})
		}
	}
	if c.TokenEnv != "" && (c.UsernameEnv != "" || c.PasswordEnv != "") {
		ps.add(Problem{Path: at, Message: "a token and a password are two ways of logging in", Fix: "keep one"})
	}
	if c.Tenant != "" && !tenantName.MatchString(c.Tenant) {
		ps.add(Problem{Path: at + ".tenant", Message: "is not a tenant's id", Fix: "use letters, digits and !-_.*'() as Loki, Tempo and Mimir do"})
	}
	if strings.ContainsRune(c.CAFile, 0) {
		ps.add(Problem{Path: at + ".ca_file", Message: "a path cannot hold a zero byte"})
	}
}

// eachPath calls use with every key that names a file, in order.
func (s *Sources) eachPath(use func(key string, path *string)) {
	use("sources.traces.ca_file", &s.Traces.CAFile)
	use("sources.logs.ca_file", &s.Logs.CAFile)
	use("sources.metrics.ca_file", &s.Metrics.CAFile)
	for i := range s.Deployments {
		use(fmt.Sprintf("sources.deployments[%d].ca_file", i), &s.Deployments[i].CAFile)
		use(fmt.Sprintf("sources.deployments[%d].kubeconfig", i), &s.Deployments[i].Kubeconfig)
	}
}

func clipText(s string) string { return s[:min(len(s), 60)] }

// sourceNotes documents the keys of `sources`, which both configurations have.
var sourceNotes = map[string]note{
	"sources":                          {text: "Servers that telemetry of an incident is fetched from; docs/sources.md."},
	"sources.traces":                   {text: "Server of traces."},
	"sources.traces.kind":              {text: "What it is.", enum: traceServers},
	"sources.traces.limit":             {text: "Traces fetched for one window.", def: DefaultTraces, low: 1, high: 100_000},
	"sources.traces.query":             {text: "TraceQL that traces have to match, of tempo only."},
	"sources.logs":                     {text: "Server of logs."},
	"sources.logs.kind":                {text: "What it is.", enum: logServers},
	"sources.logs.selector":            {text: `LogQL stream selector of the logs that count, such as {namespace="shop"}; found when absent.`},
	"sources.logs.limit":               {text: "Records fetched for one window.", def: DefaultLogs, low: 1, high: 5_000_000},
	"sources.metrics":                  {text: "Server of metrics, one with Prometheus' API."},
	"sources.metrics.kind":             {text: "What it is.", enum: metricServers},
	"sources.metrics.queries":          {text: "PromQL by the name of its result, beside what is found."},
	"sources.metrics.match":            {text: `Matchers that found series have to satisfy: namespace="shop".`},
	"sources.metrics.limit":            {text: "Series fetched for one window.", def: DefaultSeries, low: 1, high: 100_000},
	"sources.deployments":              {text: "What says what was rolled out, all of them asked."},
	"sources.deployments[]":            {},
	"sources.deployments[].kind":       {text: "What it is.", enum: deployServers},
	"sources.deployments[].namespaces": {text: "Namespaces whose roll-outs count; all when absent."},
	"sources.deployments[].kubeconfig": {text: "File that names server and credentials in place of url; default what kubectl would use, or the pod's own account."},
	"sources.deployments[].context":    {text: "Context of the kubeconfig."},
	"sources.deployments[].selector":   {text: "Kubernetes label selector of what counts."},
	"sources.deployments[].tags":       {text: "Globs of the tags that count; those that end in a version or a date when absent."},
	"sources.window":                   {text: "How the windows around an alert are chosen."},
	"sources.window.lead":              {text: "How far before the alert's start the incident window begins.", def: DefaultLead.String(), least: second, most: day},
	"sources.window.length":            {text: "Length of the incident window at most.", def: DefaultLength.String(), least: 10 * second, most: day},
	"sources.window.lookback":          {text: "How far back a healthy window is looked for.", def: DefaultLookback.String(), least: 10 * second, most: 60 * day},
	"sources.service_labels":           {text: "Labels of series and streams that name the service; the first that is there.", def: defaultServiceLabels},
	"sources.correlation_keys":         {text: "Attributes or fields of log bodies whose values name a request, such as x-request-id; others are found where their values join services."},
	"sources.timeout":                  {text: "Time for a fetch with all its requests.", def: DefaultSourceTimeout.String(), least: second, most: hour},
}

// connectionNotes documents the keys of a connection, wherever one is.
var connectionNotes = map[string]note{
	"url":               {text: "Base URL of the server."},
	"token_env":         {text: "Environment variable of the bearer token."},
	"username_env":      {text: "Environment variable of the user name."},
	"password_env":      {text: "Environment variable of the password."},
	"headers_env":       {text: "Headers to send, each with the environment variable of its value."},
	"tenant":            {text: "Tenant, sent as X-Scope-OrgID.", pattern: tenantName.String()},
	"ca_file":           {text: "Certificates of the CA in PEM, trusted in place of the system's."},
	"plain_credentials": {text: "Let credentials go over http to another machine.", def: false},
	"timeout":           {text: "Time for one request.", def: DefaultRequestTimeout.String(), least: instant, most: hour},
}

// withSources adds the notes on sources to those of a configuration.
func withSources(notes map[string]note) map[string]note {
	maps.Copy(notes, sourceNotes)
	for _, at := range []string{"sources.traces", "sources.logs", "sources.metrics", "sources.deployments[]"} {
		for key, n := range connectionNotes {
			notes[join(at, key)] = n
		}
	}
	return notes
}
