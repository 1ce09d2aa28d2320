package config

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const complete = `services:
  orders:
    paths: ["services/orders/**"]
    language: go
    test: [go, test, ./services/orders/...]
    run: [go, run, ./services/orders]
    port: 8080
    health: /healthz
    env: {LOG_LEVEL: debug}
    dependencies:
      - {name: payments, env: PAYMENTS_URL, port: 18080}
ladder: [revert, code]
autonomy: branch
autonomy_for:
  - {services: [orders], severities: [critical], autonomy: report}
  - {severities: [minor, unknown], autonomy: ready}
approvals: [critical]
limits: {open_pull_requests: 7, pull_requests_per_hour: 2, critical_bypass: false, keep_closed_branches: true}
model: {url: "http://127.0.0.1:11434/v1", name: small, context: 8192, timeout: 2m}
policy:
  thresholds: {size.lines: 80}
sandbox:
  timeout: 90s
  memory: 512MiB
slo:
  OrdersErrors: {service: orders, kind: errors, threshold: 0.05}
`

func TestParseReadsACompleteConfiguration(t *testing.T) {
	c, err := Parse([]byte(complete))
	if err != nil {
		t.Fatal(err)
	}
	s := c.Services["orders"]
	if s.Port != 8080 || s.Health != "/healthz" || s.Env["LOG_LEVEL"] != "debug" || len(s.Test) != 3 {
		t.Errorf("service is %+v", s)
	}
	if s.Dependencies[0].Value != DefaultValue {
		t.Errorf("dependency's value is %q, want the default", s.Dependencies[0].Value)
	}
	if time.Duration(c.Sandbox.Timeout) != 90*time.Second || c.Sandbox.MemoryBytes() != 512<<20 {
		t.Errorf("sandbox is %+v", c.Sandbox)
	}
	if c.Sandbox.Processes != DefaultProcesses || c.Flags.Provider != DefaultProvider {
		t.Errorf("defaults are missing: %+v %+v", c.Sandbox, c.Flags)
	}
	if c.Policy.Thresholds["size.lines"] != 80 || c.SLO["OrdersErrors"].Threshold != 0.05 {
		t.Errorf("thresholds are %v, slo %v", c.Policy.Thresholds, c.SLO)
	}
}

func TestLoadSaysHowToCreateAMissingFile(t *testing.T) {
	_, err := Load(fstest.MapFS{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "config init") {
		t.Errorf("error is %v", err)
	}
	if _, err = Load(fstest.MapFS{File: {Data: []byte(complete)}}); err != nil {
		t.Error(err)
	}
}

// Every mistake is reported as "line:column: path: message; fix".
func TestParseNamesPlaceAndFix(t *testing.T) {
	const head = "services:\n  a:\n    paths: [a/]\n    test: [make, test]\n"
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"unknown key, near":       {head + "    langage: go\n", []string{`5:5: services.a.langage: unknown key; did you mean "language"?`}},
		"unknown key, far":        {head + "zzzzzzz: 1\n", []string{"5:1: zzzzzzz: unknown key; remove it; known here: approvals, autonomy, autonomy_for, flags"}},
		"command as text":         {"services:\n  a:\n    paths: [a/]\n    test: make test\n", []string{`4:11: services.a.test: must be a list, not text; write a list: ["make", "test"]`}},
		"paths as text":           {"services:\n  a:\n    paths: a/\n    test: [t]\n", []string{`3:12: services.a.paths: must be a list, not text; write a list: ["a/"]`}},
		"port as text":            {head + "    port: \"80\"\n", []string{"5:11: services.a.port: must be a whole number, not text; remove the quotes"}},
		"port out of range":       {head + "    port: 70000\n", []string{"5:5: services.a.port: 70000 is not a TCP port"}},
		"number as text":          {head + "    env: {A: 1}\n", []string{`5:14: services.a.env.A: must be text, not a number; put it in quotes: "1"`}},
		"missing test":            {"services:\n  a:\n    paths: [a/]\n", []string{"2:3: services.a: test is required"}},
		"missing services":        {"autonomy: branch\n", []string{"services: is required"}},
		"empty file":              {"", []string{"services: is required"}},
		"comment only":            {"# nothing\n", []string{"services: is required"}},
		"twice":                   {head + "autonomy: branch\nautonomy: draft\n", []string{"6:1: autonomy: the key is there twice"}},
		"unknown autonomy":        {head + "autonomy: drafd\n", []string{`5:1: autonomy: "drafd" is not known; did you mean "draft"?`}},
		"unknown rung":            {head + "ladder: [revert, sing]\n", []string{`5:18: ladder[1]: "sing" is not known; use one of flag_off`}},
		"duration":                {head + "sandbox: {timeout: 90}\n", []string{"5:20: sandbox.timeout: must be a duration, not a number; write"}},
		"memory":                  {head + "sandbox: {memory: lots}\n", []string{`5:11: sandbox.memory: "lots" is not an amount of memory`}},
		"escape":                  {head + "policy: {bundle: ../x}\n", []string{`policy.bundle: "../x" does not lie in the repository`}},
		"absolute path":           {head + "    golden: [/etc]\n", []string{`5:14: services.a.golden[0]: "/etc" does not lie`}},
		"alias":                   {"a: &x 1\nb: *x\n", []string{"1:4: anchors, aliases and merge keys are not supported"}},
		"tag":                     {"a: !!binary x\n", []string{"1:4: tags are not supported"}},
		"two documents":           {head + "---\nautonomy: draft\n", []string{"there is a second document"}},
		"no mapping":              {"- a\n", []string{"1:1: must be a mapping of keys to values, not a list"}},
		"broken":                  {"services: [\n", []string{"not valid YAML"}},
		"null":                    {head + "autonomy:\n", []string{"autonomy: has no value"}},
		"env":                     {head + "    env: {LD_PRELOAD: x}\n", []string{"decides what code is loaded"}},
		"run without port":        {head + "    run: [a]\n", []string{"5:5: services.a.run: a service that is run for replay needs a port; add port"}},
		"one word":                {"services:\n  a:\n    paths: [a/]\n    test: [make test]\n", []string{`no shell is involved; write ["make", "test"]`}},
		"slo service":             {head + "slo: {X: {service: b}}\n", []string{`5:11: slo.X.service: there is no service "b"`}},
		"threshold":               {head + "slo: {X: {kind: errors, threshold: 5}}\n", []string{"is a share of requests"}},
		"dependency without name": {head + "    dependencies: [{env: A, port: 1}]\n", []string{"services.a.dependencies[0]: name is required"}},
		"port taken":              {head + "    port: 80\n    dependencies: [{name: b, env: A, port: 80}]\n", []string{"port 80 belongs to the service itself"}},
		"value without address":   {head + "    dependencies: [{name: b, env: A, port: 80, value: x}]\n", []string{"does not mention the stand-in's address"}},
		"health":                  {head + "    health: up\n", []string{`must be a path; write "/up"`}},
		"flagd without file":      {head + "flags: {provider: flagd}\n", []string{"needs the file it reads"}},
		"several at once":         {"services:\n  a:\n    pathes: [a/]\n    test: 1\nautonomi: x\n", []string{"3:5:", "4:11:", "5:1:"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(c.yaml))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v, want an *Error", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error is\n%v\nwant in it\n%s", err, want)
				}
			}
			if strings.Contains(c.want[0], ":") && !strings.HasPrefix(err.Error(), File+":") {
				t.Errorf("error %q does not start with the file", err)
			}
		})
	}
}

func TestHostileYAMLIsRefusedBeforeItIsParsed(t *testing.T) {
	for name, text := range map[string]string{
		"brackets":  strings.Repeat("[", 200_000),
		"braces":    strings.Repeat("{a: ", 50_000),
		"dashes":    strings.Repeat("- ", 100_000),
		"questions": strings.Repeat("? ", 100_000),
		"large":     strings.Repeat("#", maxSize+1),
		"laughs":    "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(text)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(complete))
	f.Add([]byte("services: {a: {paths: [x], test: [y]}}"))
	f.Add([]byte("a: &x\n  - *x\n"))
	f.Add([]byte("? [a]\n: b\n"))
	f.Add([]byte("a: |\n  b\n..."))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		if ps := c.Validate(); len(ps) > 0 {
			t.Errorf("accepted although %v", ps)
		}
	})
}
