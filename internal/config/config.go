package config

import "time"

// File is the name of the configuration in the root of a repository. It is read from the
// branch that a pull request would target, never from a candidate.
const File = ".remediator.yaml"

// Config is the repository's configuration.
type Config struct {
	Services map[string]Service `yaml:"services"`
	Flags    Flags              `yaml:"flags,omitempty"`
	Ladder   []string           `yaml:"ladder,omitempty"`   // allowed rungs: flag_off, revert, config, code
	Autonomy string             `yaml:"autonomy,omitempty"` // report, branch, draft, ready
	// AutonomyFor changes Autonomy for some services or severities; the first rule that fits holds.
	AutonomyFor []AutonomyRule `yaml:"autonomy_for,omitempty"`
	// Approvals are the severities whose patches a person approves before anything is proposed. Absent
	// means the default, an empty list none.
	Approvals []string       `yaml:"approvals,omitempty"`
	Limits    Limits         `yaml:"limits,omitempty"`
	Model     Model          `yaml:"model,omitempty"`
	Policy    Policy         `yaml:"policy,omitempty"`
	Sandbox   Sandbox        `yaml:"sandbox,omitempty"`
	SLO       map[string]SLO `yaml:"slo,omitempty"` // alert name -> what it promises
	Sources   Sources        `yaml:"sources,omitempty"`
}

// Service is one deployable of the repository.
type Service struct {
	Paths    []string `yaml:"paths"`
	Owners   []string `yaml:"owners,omitempty"`
	Language string   `yaml:"language,omitempty"`
	// Fetch brings dependencies in, with the network, before the sandbox closes. It runs
	// on the base commit only and never runs candidate code.
	Fetch Command `yaml:"fetch,omitempty"`
	Build Command `yaml:"build,omitempty"`
	Test  Command `yaml:"test"`
	Run   Command `yaml:"run,omitempty"`
	// Port is the TCP port the service listens on in the sandbox, Health the path that
	// answers 2xx once it is ready.
	Port   int               `yaml:"port,omitempty"`
	Health string            `yaml:"health,omitempty"`
	Env    map[string]string `yaml:"env,omitempty"`
	// Golden names golden trace sets, files or directories, relative to the root.
	Golden []string `yaml:"golden,omitempty"`
	// Dependencies are what the service calls and replay stands in for.
	Dependencies []Dependency `yaml:"dependencies,omitempty"`
	// ReadOnly are directories the sandbox has to show, such as a virtual environment.
	ReadOnly []string `yaml:"read_only,omitempty"`
}

// Dependency is one thing the service calls.
type Dependency struct {
	Name string `yaml:"name"` // as it appears in telemetry: peer service or host
	Env  string `yaml:"env"`  // the variable that carries its address
	Port int    `yaml:"port"` // the loopback port the stand-in takes in the sandbox
	// Value is the variable's value; ${addr} is the stand-in's host:port. Default "http://${addr}".
	Value string `yaml:"value,omitempty"`
}

// Command is a program with its arguments; no shell is involved.
type Command []string

// Flags says where feature flags live.
type Flags struct {
	Provider string `yaml:"provider,omitempty"` // openfeature, flagd, launchdarkly, unleash, env
	File     string `yaml:"file,omitempty"`
}

// Policy names a bundle that adds to the default one, and its thresholds.
type Policy struct {
	Bundle     string             `yaml:"bundle,omitempty"`
	Thresholds map[string]float64 `yaml:"thresholds,omitempty"`
}

// Sandbox bounds what candidate code may use.
type Sandbox struct {
	Timeout   Duration `yaml:"timeout,omitempty"`
	Memory    string   `yaml:"memory,omitempty"` // "2GiB"
	Processes int      `yaml:"processes,omitempty"`
}

// Duration is written as in Go: "90s", "5m"; days may be written too: "90d".
type Duration time.Duration

// SLO says what an alert promises.
type SLO struct {
	Service   string  `yaml:"service,omitempty"`
	Operation string  `yaml:"operation,omitempty"`
	Kind      string  `yaml:"kind,omitempty"` // errors, latency
	Threshold float64 `yaml:"threshold,omitempty"`
}

// AutonomyRule sets the autonomy for what it names; an empty list names all.
type AutonomyRule struct {
	Services   []string `yaml:"services,omitempty"`
	Severities []string `yaml:"severities,omitempty"` // critical, major, minor, unknown
	Autonomy   string   `yaml:"autonomy"`
}

// Limits bound what the service writes into the repository.
type Limits struct {
	OpenPullRequests    int `yaml:"open_pull_requests,omitempty"`
	OpenPerService      int `yaml:"open_per_service,omitempty"`
	PullRequestsPerHour int `yaml:"pull_requests_per_hour,omitempty"`
	// CriticalBypass lets critical incidents pass the limits; a pointer, so that false can be said.
	CriticalBypass     *bool `yaml:"critical_bypass,omitempty"`
	KeepClosedBranches bool  `yaml:"keep_closed_branches,omitempty"`
}

// Model names a local model server that speaks the OpenAI protocol. Without one the recipes work alone.
type Model struct {
	URL     string   `yaml:"url,omitempty"`
	Name    string   `yaml:"name,omitempty"`
	Context int      `yaml:"context,omitempty"` // tokens; probed when 0
	Timeout Duration `yaml:"timeout,omitempty"`
}
