package config

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/incident"
)

// The values that keys with a fixed choice may take, in the order in which they are explained.
var (
	rungs      = []string{"flag_off", "revert", "config", "code"}
	autonomies = []string{"report", "branch", "draft", "ready"}
	providers  = []string{"openfeature", "flagd", "launchdarkly", "unleash", "env"}
	languages  = []string{"go", "python", "javascript", "typescript", "java"}
	symptoms   = []string{"errors", "latency"}
	severities = []string{string(incident.Critical), string(incident.Major), string(incident.Minor), string(incident.Unknown)}
	// defaultApprovals: what wakes people up gets a person's eyes before it gets a pull request.
	defaultApprovals = severities[:2]
)

// What is used where a configuration says nothing.
const (
	// DefaultAutonomy caps what a proposal may become. Whether anything is written at all is
	// the command's choice.
	DefaultAutonomy = "draft"
	DefaultProvider = "env"
	DefaultTimeout  = Duration(10 * time.Minute)
	DefaultMemory   = "2GiB"
	// DefaultProcesses is enough for a parallel build and the race detector, and little
	// enough to stop a fork bomb.
	DefaultProcesses = 512
	// The limits are what one team can review in a working day. One per service: a second patch of a
	// service would be judged on a base that the first is about to change.
	DefaultOpen           = 5
	DefaultOpenPerService = 1
	DefaultPerHour        = 3
	// DefaultValue is how a dependency's variable is filled in.
	DefaultValue = "http://${addr}"
)

// Bounds of the sandbox's limits. Below them no toolchain starts; above them they bound nothing.
const (
	minTimeout, maxTimeout     = Duration(time.Second), Duration(2 * time.Hour)
	minMemory, maxMemory       = 64 << 20, 1 << 40 // bytes
	minProcesses, maxProcesses = 8, 32768
)

// withDefaults fills in what the configuration leaves open.
func (c Config) withDefaults() Config {
	if len(c.Ladder) == 0 {
		c.Ladder = slices.Clone(rungs)
	}
	if c.Autonomy == "" {
		c.Autonomy = DefaultAutonomy
	}
	if c.Flags.Provider == "" {
		c.Flags.Provider = DefaultProvider
	}
	if c.Sandbox.Timeout == 0 {
		c.Sandbox.Timeout = DefaultTimeout
	}
	if c.Sandbox.Memory == "" {
		c.Sandbox.Memory = DefaultMemory
	}
	if c.Sandbox.Processes == 0 {
		c.Sandbox.Processes = DefaultProcesses
	}
	if c.Approvals == nil {
		c.Approvals = slices.Clone(defaultApprovals)
	}
	c.Limits = c.Limits.withDefaults()
	c.Sources = c.Sources.withDefaults()
	services := make(map[string]Service, len(c.Services))
	for name, s := range c.Services {
		s.Dependencies = slices.Clone(s.Dependencies)
		for i := range s.Dependencies {
			if s.Dependencies[i].Value == "" {
				s.Dependencies[i].Value = DefaultValue
			}
		}
		services[name] = s
	}
	c.Services = services
	return c
}

// MemoryBytes is the memory limit as a number; 0 when it is not set or not valid.
func (s Sandbox) MemoryBytes() int64 {
	n, err := ParseSize(s.Memory)
	if err != nil {
		return 0
	}
	return n
}

// ServiceNames lists the services in order.
func (c Config) ServiceNames() []string { return slices.Sorted(maps.Keys(c.Services)) }

// Owner returns the service that a path belongs to: the one with the longest matching pattern, by
// name where two match alike, "" where none does.
func (c Config) Owner(file string) string {
	owner, length := "", -1
	for _, name := range c.ServiceNames() {
		for _, p := range c.Services[name].Paths {
			if Matches(p, file) && len(p) > length {
				owner, length = name, len(p)
			}
		}
	}
	return owner
}

// Matches says whether a file is covered by a pattern of a service's paths: a directory or file
// (with everything below it), or a glob in which ** stands for any number of directories.
func Matches(pattern, file string) bool {
	pattern = strings.TrimSuffix(strings.TrimPrefix(pattern, "./"), "/")
	if pattern == "." || pattern == "**" || pattern == "" {
		return pattern != ""
	}
	return matchParts(strings.Split(pattern, "/"), strings.Split(file, "/"))
}

func matchParts(pattern, file []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			if len(pattern) == 1 {
				return len(file) > 0
			}
			for i := range file {
				if matchParts(pattern[1:], file[i:]) {
					return true
				}
			}
			return false
		}
		if len(file) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], file[0]); err != nil || !ok {
			return false
		}
		pattern, file = pattern[1:], file[1:]
	}
	return true // what is left of file lies below the pattern
}

var (
	serviceName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

// Validate returns what is wrong with the configuration beyond its shape. Places in the file are
// filled in by Parse; a Config made by a program gets the paths alone.
func (c Config) Validate() []Problem {
	var ps problems
	if len(c.Services) == 0 {
		ps.add(Problem{Path: "services", Message: "is required and must name at least one service",
			Fix: "let `remediator config init` propose them"})
	}
	for _, name := range c.ServiceNames() {
		at := join("services", name)
		if !serviceName.MatchString(name) {
			ps.add(Problem{Path: at, Message: "a service's name is made of letters, digits, '.', '_', '-' and '/'",
				Fix: "use the name that its telemetry carries as service.name"})
		}
		c.Services[name].validate(&ps, at)
	}
	ps.choice("flags.provider", c.Flags.Provider, providers)
	ps.inside("flags.file", c.Flags.File)
	if c.Flags.Provider == "flagd" && c.Flags.File == "" {
		ps.add(Problem{Path: "flags", Message: "the provider flagd needs the file it reads",
			Fix: `add file: "path/to/flags.json"`})
	}
	for i, r := range c.Ladder {
		ps.choice(fmt.Sprintf("ladder[%d]", i), r, rungs)
		if slices.Contains(c.Ladder[:i], r) {
			ps.add(Problem{Path: fmt.Sprintf("ladder[%d]", i), Message: "the rung " + strconv.Quote(r) + " is there twice",
				Fix: "remove one of them"})
		}
	}
	ps.choice("autonomy", c.Autonomy, autonomies)
	c.validateAutonomy(&ps)
	c.Model.validate(&ps, "model")
	ps.inside("policy.bundle", c.Policy.Bundle)
	for _, name := range slices.Sorted(maps.Keys(c.Policy.Thresholds)) {
		if v := c.Policy.Thresholds[name]; !(v >= 0 && v <= 1e9) {
			ps.add(Problem{Path: join("policy.thresholds", name), Message: "must be between 0 and a thousand million"})
		}
	}
	c.Sandbox.validate(&ps)
	for _, name := range slices.Sorted(maps.Keys(c.SLO)) {
		c.SLO[name].validate(&ps, join("slo", name), c)
	}
	c.Sources.validate(&ps)
	return ps
}

func (s Service) validate(ps *problems, at string) {
	if len(s.Paths) == 0 {
		ps.add(Problem{Path: at, Message: "paths is required", Fix: `add paths: ["dir/of/the/service/**"]`})
	}
	for i, p := range s.Paths {
		ps.inside(fmt.Sprintf("%s.paths[%d]", at, i), p)
		if _, err := path.Match(p, "x"); err != nil {
			ps.add(Problem{Path: fmt.Sprintf("%s.paths[%d]", at, i), Message: "is not a valid glob", Fix: "close the bracket ["})
		}
	}
	ps.choice(at+".language", s.Language, languages)
	if len(s.Test) == 0 {
		ps.add(Problem{Path: at, Message: "test is required: nothing is proposed that was not tested",
			Fix: `add test: ["go", "test", "./..."]`})
	}
	for name, command := range map[string]Command{"fetch": s.Fetch, "build": s.Build, "test": s.Test, "run": s.Run} {
		if len(command) > 0 && strings.TrimSpace(command[0]) == "" {
			ps.add(Problem{Path: at + "." + name, Message: "the program's name is empty"})
		}
		if len(command) == 1 && strings.ContainsAny(command[0], " |;&") {
			ps.add(Problem{Path: at + "." + name, Message: "is one word with blanks in it; no shell is involved",
				Fix: "write " + listOf(command[0], true)})
		}
	}
	if s.Port < 0 || s.Port > 65535 {
		ps.add(Problem{Path: at + ".port", Message: fmt.Sprintf("%d is not a TCP port", s.Port), Fix: "use 1 to 65535"})
	}
	if s.Health != "" && !strings.HasPrefix(s.Health, "/") {
		ps.add(Problem{Path: at + ".health", Message: "must be a path", Fix: "write " + strconv.Quote("/"+s.Health)})
	}
	if len(s.Run) > 0 && s.Port == 0 {
		ps.add(Problem{Path: at + ".run", Message: "a service that is run for replay needs a port", Fix: "add port: 8080"})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		ps.variable(join(at+".env", name), name)
		if strings.ContainsRune(s.Env[name], 0) {
			ps.add(Problem{Path: join(at+".env", name), Message: "a variable's value cannot hold a zero byte"})
		}
	}
	for i, g := range s.Golden {
		ps.inside(fmt.Sprintf("%s.golden[%d]", at, i), g)
	}
	s.validateDependencies(ps, at)
}

func (s Service) validateDependencies(ps *problems, at string) {
	ports, names := map[int]string{}, map[string]bool{}
	if s.Port > 0 {
		ports[s.Port] = "the service itself"
	}
	for i, d := range s.Dependencies {
		here := fmt.Sprintf("%s.dependencies[%d]", at, i)
		if d.Name == "" {
			ps.add(Problem{Path: here, Message: "name is required", Fix: "use the peer's name or host as telemetry shows it"})
		} else if names[d.Name] {
			ps.add(Problem{Path: here + ".name", Message: strconv.Quote(d.Name) + " is there twice", Fix: "remove one of them"})
		}
		names[d.Name] = true
		if d.Env == "" {
			ps.add(Problem{Path: here, Message: "env is required: the variable that carries the dependency's address"})
		} else {
			ps.variable(here+".env", d.Env)
		}
		switch taken := ports[d.Port]; {
		case d.Port < 1 || d.Port > 65535:
			ps.add(Problem{Path: here + ".port", Message: fmt.Sprintf("%d is not a TCP port", d.Port), Fix: "use 1 to 65535"})
		case taken != "":
			ps.add(Problem{Path: here + ".port", Message: fmt.Sprintf("port %d belongs to %s", d.Port, taken), Fix: "choose another"})
		}
		ports[d.Port] = "dependency " + strconv.Quote(d.Name)
		if d.Value != "" && !strings.Contains(d.Value, "${addr}") && !strings.Contains(d.Value, "${host}") {
			ps.add(Problem{Path: here + ".value", Message: "does not mention the stand-in's address",
				Fix: "write ${addr} where host:port belongs"})
		}
	}
}

func (s Sandbox) validate(ps *problems) {
	if s.Timeout != 0 && (s.Timeout < minTimeout || s.Timeout > maxTimeout) {
		ps.add(Problem{Path: "sandbox.timeout", Message: "must be between 1s and 2h"})
	}
	if s.Memory != "" {
		switch n, err := ParseSize(s.Memory); {
		case err != nil:
			ps.add(Problem{Path: "sandbox.memory", Message: err.Error()})
		case n < minMemory || n > maxMemory:
			ps.add(Problem{Path: "sandbox.memory", Message: "must be between 64MiB and 1TiB"})
		}
	}
	if s.Processes != 0 && (s.Processes < minProcesses || s.Processes > maxProcesses) {
		ps.add(Problem{Path: "sandbox.processes", Message: fmt.Sprintf("must be between %d and %d", minProcesses, maxProcesses)})
	}
}

func (s SLO) validate(ps *problems, at string, c Config) {
	ps.choice(at+".kind", s.Kind, symptoms)
	if s.Service != "" {
		if _, ok := c.Services[s.Service]; !ok {
			fix := "add it under services"
			if near := nearest(s.Service, c.ServiceNames()); near != "" {
				fix = "did you mean " + strconv.Quote(near) + "?"
			}
			ps.add(Problem{Path: at + ".service", Message: "there is no service " + strconv.Quote(s.Service), Fix: fix})
		}
	}
	switch {
	case s.Threshold < 0:
		ps.add(Problem{Path: at + ".threshold", Message: "must not be negative"})
	case s.Kind == "errors" && s.Threshold > 1:
		ps.add(Problem{Path: at + ".threshold", Message: "is a share of requests, 0 to 1", Fix: "write 0.05 for 5 %"})
	}
}

// choice checks a key with a fixed set of values; "" means that it is not set.
func (ps *problems) choice(at, value string, allowed []string) {
	if value == "" || slices.Contains(allowed, value) {
		return
	}
	fix := "use one of " + strings.Join(allowed, ", ")
	if near := nearest(value, allowed); near != "" {
		fix = "did you mean " + strconv.Quote(near) + "?"
	}
	ps.add(Problem{Path: at, Message: strconv.Quote(value) + " is not known", Fix: fix})
}

// inside checks a path that must stay in the repository; "" means that it is not set.
func (ps *problems) inside(at, p string) {
	if p == "" {
		return
	}
	if strings.ContainsAny(p, "\\\x00") || strings.HasPrefix(p, "/") || !fs.ValidPath(path.Clean(p)) {
		ps.add(Problem{Path: at, Message: strconv.Quote(p) + " does not lie in the repository",
			Fix: "write it relative to the repository's root, with slashes and without .."})
	}
}

// dangerous variables decide what code the tool's own processes load, not how a service behaves.
var dangerous = []string{"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "DYLD_LIBRARY_PATH"}

func (ps *problems) variable(at, name string) {
	switch {
	case !variableName.MatchString(name):
		ps.add(Problem{Path: at, Message: "is not a name for an environment variable", Fix: "use letters, digits and '_'"})
	case slices.Contains(dangerous, name):
		ps.add(Problem{Path: at, Message: "decides what code is loaded and cannot be set here", Fix: "remove it"})
	}
}
