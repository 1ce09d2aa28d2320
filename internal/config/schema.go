package config

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"
)

// SchemaID is where the schema is published.
const SchemaID = "https://remediator.dev/schemas/remediator-config.schema.json"

// Schema is the JSON Schema (draft 2020-12) of the configuration. What it accepts, Parse may still
// refuse: that a service named under slo exists, that ports do not collide.
func Schema() []byte {
	root := objectSchema(reflect.TypeFor[Config](), "")
	root.Version, root.ID = jsonschema.Version, SchemaID
	root.Title = "remediator's configuration of a repository, " + File
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(err) // a schema is plain data
	}
	return out.Bytes()
}

// objectSchema describes a struct by the same fields that the decoder knows.
func objectSchema(t reflect.Type, at string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for f := range fieldsOf(t) {
		path := join(at, f.name)
		p := typeSchema(f.typ, path)
		refine(p, path)
		s.Properties.Set(f.name, p)
		if f.required {
			s.Required = append(s.Required, f.name)
		}
	}
	return s
}

func typeSchema(t reflect.Type, at string) *jsonschema.Schema {
	switch {
	case t == reflect.TypeFor[Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$`, Examples: []any{"90s", "5m"}}
	case t == reflect.TypeFor[Command]():
		return &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}, MinItems: ptr(1)}
	case t.Kind() == reflect.Struct:
		return objectSchema(t, at)
	case t.Kind() == reflect.Map:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: typeSchema(t.Elem(), at+".*")}
	case t.Kind() == reflect.Slice:
		return &jsonschema.Schema{Type: "array", Items: typeSchema(t.Elem(), at+"[]")}
	case t.Kind() == reflect.Int:
		return &jsonschema.Schema{Type: "integer"}
	case t.Kind() == reflect.Float64:
		return &jsonschema.Schema{Type: "number"}
	case t.Kind() == reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}
	}
	return &jsonschema.Schema{Type: "string"}
}

func ptr(n uint64) *uint64 { return &n }

// note is what the schema says about one key beyond its type.
type note struct {
	text string
	enum []string
	def  any
}

// notes documents every key. A test fails for a key without one.
var notes = map[string]note{
	"services":                        {text: "Deployables of the repository, by the name their telemetry carries as service.name."},
	"services.*.paths":                {text: "Files and directories the service owns; globs, ** for any depth. No patch leaves them."},
	"services.*.owners":               {text: "People to ask, in addition to CODEOWNERS."},
	"services.*.language":             {text: "Main language.", enum: languages},
	"services.*.fetch":                {text: "Brings dependencies in, with the network, before the sandbox closes. Runs on the base commit only."},
	"services.*.build":                {text: "Builds the service, from the repository's root, without a shell."},
	"services.*.test":                 {text: "Runs the service's tests."},
	"services.*.run":                  {text: "Starts the service for replay; needs port."},
	"services.*.port":                 {text: "TCP port the service listens on."},
	"services.*.health":               {text: "Path that answers 2xx once the service is ready."},
	"services.*.env":                  {text: "Environment of build, test and run; nothing else gets in."},
	"services.*.golden":               {text: "Golden trace sets, files or directories."},
	"services.*.dependencies":         {text: "What the service calls; replay stands in for it."},
	"services.*.dependencies[].name":  {text: "Name in telemetry: peer service or host."},
	"services.*.dependencies[].env":   {text: "Variable that carries the dependency's address."},
	"services.*.dependencies[].port":  {text: "Loopback port of the stand-in."},
	"services.*.dependencies[].value": {text: "Value of the variable; ${addr} is the stand-in's host:port.", def: DefaultValue},
	"services.*.read_only":            {text: "Directories the sandbox has to show, such as a virtual environment."},
	"flags":                           {text: "Where feature flags live."},
	"flags.provider":                  {text: "Kind of flags.", enum: providers, def: DefaultProvider},
	"flags.file":                      {text: "File the provider reads, where there is one."},
	"ladder":                          {text: "Rungs that may be tried, cheapest first.", def: rungs},
	"autonomy":                        {text: "The most a proposal may become.", enum: autonomies, def: DefaultAutonomy},
	"policy":                          {text: "Additions to the default policy."},
	"policy.bundle":                   {text: "Directory of .rego files in packages remediator.user.NAME; they add denials and holds."},
	"policy.thresholds":               {text: "Numbers the rules compare with, such as size.lines."},
	"sandbox":                         {text: "Bounds of candidate code."},
	"sandbox.timeout":                 {text: "Time for one command.", def: "10m"},
	"sandbox.memory":                  {text: "Memory of all its processes.", def: DefaultMemory},
	"sandbox.processes":               {text: "Number of processes.", def: DefaultProcesses},
	"slo":                             {text: "Alerts and what they promise, by the alert's name."},
	"slo.*.service":                   {text: "Service the alert is about."},
	"slo.*.operation":                 {text: "Route or span name the alert is about."},
	"slo.*.kind":                      {text: "Broken promise.", enum: symptoms},
	"slo.*.threshold":                 {text: "Share of failing requests (0 to 1), or seconds at the 95th percentile."},
	"services.*":                      {},
	"services.*.dependencies[]":       {},
	"slo.*":                           {},
}

// refine adds description, choices and default to a key.
func refine(s *jsonschema.Schema, at string) {
	n := notes[at]
	s.Description, s.Default = n.text, n.def
	for _, v := range n.enum {
		s.Enum = append(s.Enum, v)
	}
	switch at {
	case "services":
		s.MinProperties = ptr(1)
	case "services.*.paths":
		s.MinItems = ptr(1)
	case "ladder":
		s.UniqueItems = true
		for _, v := range rungs {
			s.Items.Enum = append(s.Items.Enum, v)
		}
	case "services.*.port", "services.*.dependencies[].port":
		s.Minimum, s.Maximum = "1", "65535"
	case "services.*.health":
		s.Pattern = "^/"
	case "sandbox.processes":
		s.Minimum, s.Maximum = "8", "32768"
	case "slo.*.threshold":
		s.Minimum = "0"
	case "sandbox.memory":
		s.Pattern = `^[0-9]+(\.[0-9]+)? *([KMGT]i?B|[KMGT]i|B)?$`
	}
}
