package config

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
)

var (
	exposeLine = regexp.MustCompile(`(?mi)^\s*EXPOSE\s+(\d{1,5})`)
	listenCode = regexp.MustCompile(`(?i)(?:listen\w*\(|addr\s*[:=]+|run\(|bind\(|port\b[^\n\d"']{0,40}|"port",\s*|:-)\s*["'(]{0,3}[\w.]*:?(\d{4,5})\b`)
	healthCode = regexp.MustCompile(`["'](?:GET )?(/(?:healthz?|health/ready|health/live|readyz?|livez|live|ping|status|_health|up|actuator/health))["']`)
	addressEnv = regexp.MustCompile(`["'\x60.]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:URL|ADDR|ADDRESS|ENDPOINT|HOST|BASE_URL|SERVICE_URL|URI))\b`)
	// The suffixes of address variables; the last ones carry host:port instead of a URL.
	addressSuffix = regexp.MustCompile(`_(SERVICE_URL|BASE_URL|URL|URI|ADDR|ADDRESS|ENDPOINT|HOST)$`)
	hostSuffix    = regexp.MustCompile(`_(ADDR|ADDRESS|HOST)$`)
	portEnv       = regexp.MustCompile(`(?i)(?:getenv|environ\w*|env)\W{1,3}(?:get\W{1,2})?["']?PORT\b`)
)

// notDependencies are address variables that do not name a service which is called over HTTP.
var notDependencies = regexp.MustCompile(`^(OTEL|OTLP|JAEGER|ZIPKIN|TEMPO|PROMETHEUS|SENTRY|FLAGD|LISTEN|BIND|HTTP|GRPC|SERVER|PUBLIC|SELF|APP|METRICS|DATABASE|DB|POSTGRES\w*|PG|MYSQL|MONGO\w*|REDIS|KAFKA\w*|NATS|AMQP|RABBITMQ|MEMCACHED|ELASTIC\w*|SQLITE)_`)

// standInPort is the first loopback port that stand-ins are proposed at.
const standInPort = 18081

// hints fills in what code, Dockerfiles and Compose files say about a service.
func (s *survey) hints(p *proposal, composed []composeService) {
	c := matching(p, composed)
	s.port(p, c)
	var health string
	envs := map[string]bool{}
	for _, file := range s.sources(p.dir, extensions[p.service.Language]...) {
		text := s.read(file)
		if m := healthCode.FindStringSubmatch(text); m != nil && (health == "" || m[1] < health) {
			health = m[1]
		}
		for _, m := range addressEnv.FindAllStringSubmatch(text, -1) {
			envs[m[1]] = true
		}
		if p.service.Port > 0 && portEnv.MatchString(text) {
			if p.service.Env == nil {
				p.service.Env = map[string]string{}
			}
			p.service.Env["PORT"] = strconv.Itoa(p.service.Port)
		}
	}
	p.service.Health = health
	if health == "" && p.service.Port > 0 {
		p.comment("port", strings.TrimPrefix(p.comments["port"]+"\nNo health path was found; without one the service counts as ready once the port answers.", "\n"))
	}
	for name, value := range c.env {
		if strings.HasPrefix(value, "http") && strings.Contains(value, "://") && variableName.MatchString(name) && !slices.Contains(dangerous, name) {
			envs[name] = true
		}
	}
	s.dependencies(p, envs, c)
	for _, at := range []string{"testdata/golden-traces/" + p.name, "testdata/golden-traces/" + p.name + ".json", path.Join(p.dir, "testdata/golden-traces")} {
		if f, err := s.fsys.Open(at); err == nil {
			f.Close()
			p.service.Golden = []string{at}
			break
		}
	}
	if p.service.Port == 0 && len(p.service.Run) > 0 {
		s.note(fmt.Sprintf("no port was found for service %s, so it cannot be run for replay; add run, port and health", p.name))
		p.service.Run = nil
	}
}

func (s *survey) port(p *proposal, c composeService) {
	if p.service.Port > 0 {
		return
	}
	for _, name := range []string{"Dockerfile", "Containerfile", path.Base(p.dir) + ".Dockerfile"} {
		if m := exposeLine.FindStringSubmatch(s.read(path.Join(p.dir, name))); m != nil {
			p.service.Port = tcpPort(m[1])
			p.comment("port", "From EXPOSE in "+path.Join(p.dir, name)+".")
			return
		}
	}
	if c.port > 0 {
		p.service.Port = c.port
		p.comment("port", "From "+c.file+".")
		return
	}
	for _, file := range s.sources(p.dir, extensions[p.service.Language]...) {
		if m := listenCode.FindStringSubmatch(s.read(file)); m != nil {
			if p.service.Port = tcpPort(m[1]); p.service.Port > 0 {
				p.comment("port", "Guessed from "+file+".")
				return
			}
		}
	}
}

func tcpPort(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 {
		return 0
	}
	return n
}

// dependencies proposes a stand-in for every address the service reads from its environment.
func (s *survey) dependencies(p *proposal, envs map[string]bool, c composeService) {
	next := standInPort
	seen := map[string]bool{}
	for _, env := range slices.Sorted(maps.Keys(envs)) {
		if notDependencies.MatchString(env) {
			continue
		}
		name := strings.ToLower(strings.ReplaceAll(addressSuffix.ReplaceAllString(env, ""), "_", "-"))
		if m := urlHost.FindStringSubmatch(c.env[env]); m != nil {
			name = m[1]
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		if next == p.service.Port {
			next++
		}
		value := DefaultValue
		if hostSuffix.MatchString(env) && !strings.Contains(c.env[env], "://") {
			value = "${addr}"
		}
		p.service.Dependencies = append(p.service.Dependencies, Dependency{Name: name, Env: env, Port: next, Value: value})
		next++
	}
	if len(p.service.Dependencies) > 0 {
		p.comment("dependencies", "From the variables the service reads; name each as telemetry names the peer.")
	}
}

var urlHost = regexp.MustCompile(`^[a-z]+://([A-Za-z0-9][A-Za-z0-9._-]*)`)

// composeService is one service of a Compose file.
type composeService struct {
	name, dir, file string
	port            int
	env             map[string]string
}

// compose reads the Compose files of the repository's root and one level below.
func (s *survey) compose() []composeService {
	var out []composeService
	for _, dir := range s.dirs {
		if strings.Count(dir, "/") > 0 {
			continue
		}
		for _, name := range s.files[dir] {
			if !composeName.MatchString(name) {
				continue
			}
			file := path.Join(dir, name)
			var found problems
			text := s.read(file)
			if !bounded(lexer.Tokenize(text), &found) {
				s.note(file + " was not read: " + found[0].Message)
				continue
			}
			var doc struct {
				Services map[string]struct {
					Build       any   `yaml:"build"`
					Ports       []any `yaml:"ports"`
					Expose      []any `yaml:"expose"`
					Environment any   `yaml:"environment"`
				} `yaml:"services"`
			}
			if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
				s.note(file + " cannot be read: " + firstLine(err.Error()))
				continue
			}
			for _, service := range slices.Sorted(maps.Keys(doc.Services)) {
				d := doc.Services[service]
				c := composeService{name: service, file: file, env: environmentOf(d.Environment), dir: contextOf(dir, d.Build)}
				for _, port := range append(d.Ports, d.Expose...) {
					if c.port == 0 {
						c.port = containerPort(port)
					}
				}
				out = append(out, c)
			}
		}
	}
	return out
}

var composeName = regexp.MustCompile(`^(docker-)?compose([.-][a-z]+)?\.ya?ml$`)

func contextOf(dir string, build any) string {
	switch b := build.(type) {
	case string:
		return path.Join(dir, b)
	case map[string]any:
		if text, ok := b["context"].(string); ok {
			return path.Join(dir, text)
		}
	}
	return ""
}

func environmentOf(env any) map[string]string {
	out := map[string]string{}
	switch e := env.(type) {
	case map[string]any:
		for name, v := range e {
			out[name] = fmt.Sprint(v)
		}
	case []any:
		for _, v := range e {
			if name, value, ok := strings.Cut(fmt.Sprint(v), "="); ok {
				out[name] = value
			}
		}
	}
	return out
}

// containerPort reads "8080", "80:8080", "127.0.0.1:80:8080/tcp" and the long form.
func containerPort(v any) int {
	if long, ok := v.(map[string]any); ok {
		return tcpPort(fmt.Sprint(long["target"]))
	}
	text, _, _ := strings.Cut(fmt.Sprint(v), "/")
	return tcpPort(text[strings.LastIndex(text, ":")+1:])
}

// matching finds the Compose service that is built from a proposal's directory, or has its name.
func matching(p *proposal, composed []composeService) composeService {
	for _, c := range composed {
		if c.dir != "" && c.dir != "." && c.dir == p.dir {
			return c
		}
	}
	for _, c := range composed {
		if c.name == p.name {
			return c
		}
	}
	return composeService{}
}

// foundFlags is how the repository does feature flags.
type foundFlags struct{ provider, file, why string }

// flags looks for a flag provider among the dependencies and for a file of flags.
func (s *survey) flags() foundFlags {
	out := foundFlags{provider: DefaultProvider, why: "No flag library was found; flags are environment variables."}
	libraries := []struct{ mark, provider string }{
		{"open-feature", "openfeature"}, {"openfeature", "openfeature"}, {"launchdarkly", "launchdarkly"}, {"unleash", "unleash"}}
search:
	for _, l := range libraries {
		for _, dir := range s.dirs {
			for _, name := range []string{"go.mod", "requirements.txt", "pyproject.toml", "package.json", "pom.xml", "build.gradle", "build.gradle.kts"} {
				if strings.Contains(strings.ToLower(s.read(path.Join(dir, name))), l.mark) {
					out = foundFlags{provider: l.provider, why: "Found in " + path.Join(dir, name) + "."}
					break search
				}
			}
		}
	}
	for _, dir := range s.dirs {
		for _, name := range s.files[dir] {
			if !flagName.MatchString(name) {
				continue
			}
			file := path.Join(dir, name)
			if text := s.read(file); strings.Contains(text, "defaultVariant") && strings.Contains(text, "flags") {
				out.file = file
				if out.provider == DefaultProvider {
					out.provider, out.why = "flagd", "The file has flagd's form."
				}
				return out
			}
		}
	}
	return out
}

var flagName = regexp.MustCompile(`(?i)^[\w.-]*flag[\w.-]*\.(json|ya?ml)$`)
