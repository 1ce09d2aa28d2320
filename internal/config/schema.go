package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"strconv"
	"time"

	"github.com/invopop/jsonschema"
)

// SchemaID is where the schema is published.
const SchemaID = "https://remediator.dev/schemas/remediator-config.schema.json"

// ServerSchemaID is where the schema of the server's configuration is published.
const ServerSchemaID = "https://remediator.dev/schemas/remediator-serve.schema.json"

// Schema is the JSON Schema (draft 2020-12) of the configuration. What it accepts, Parse may still
// refuse: that a service named under slo exists, that ports do not collide.
func Schema() []byte {
	return schemaOf(reflect.TypeFor[Config](), SchemaID, "remediator's configuration of a repository, "+File, notes, refine)
}

// ServerSchema is the JSON Schema of the configuration of `remediator serve`; ParseServer may
// refuse more.
func ServerSchema() []byte {
	return schemaOf(reflect.TypeFor[Server](), ServerSchemaID, "Configuration of remediator serve, "+ServerFile, serverNotes, refineServer)
}

func schemaOf(t reflect.Type, id, title string, notes map[string]note, refine func(*jsonschema.Schema, string)) []byte {
	d := describer{notes: notes, refine: refine}
	root := d.object(t, "")
	root.Version, root.ID, root.Title = jsonschema.Version, jsonschema.ID(id), title
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic(err) // a schema is plain data
	}
	return out.Bytes()
}

// describer turns types and their notes into a schema.
type describer struct {
	notes  map[string]note
	refine func(s *jsonschema.Schema, at string) // what the notes have no words for
}

// object describes a struct by the same fields that the decoder knows.
func (d describer) object(t reflect.Type, at string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for f := range fieldsOf(t) {
		path := join(at, f.name)
		p := d.value(f.typ, path)
		d.notes[path].describe(p)
		d.refine(p, path)
		s.Properties.Set(f.name, p)
		if f.required {
			s.Required = append(s.Required, f.name)
		}
	}
	return s
}

func (d describer) value(t reflect.Type, at string) *jsonschema.Schema {
	switch {
	case t == reflect.TypeFor[Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h|d))+$`, Examples: []any{"90s", "5m", "30d"}}
	case t == reflect.TypeFor[Command]():
		return &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}, MinItems: ptr(1)}
	case t.Kind() == reflect.Pointer:
		return d.value(t.Elem(), at)
	case t.Kind() == reflect.Struct:
		return d.object(t, at)
	case t.Kind() == reflect.Map:
		return &jsonschema.Schema{Type: "object", AdditionalProperties: d.value(t.Elem(), at+".*")}
	case t.Kind() == reflect.Slice:
		return &jsonschema.Schema{Type: "array", Items: d.value(t.Elem(), at+"[]")}
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

// note is what is known about one key beyond its type. Schema and decoder both read it.
type note struct {
	text        string
	enum        []string // of the value, or of the items of a list
	def         any
	low, high   int      // of a number, both included; high 0 means unbounded
	least, most Duration // of a duration, both included; most 0 means unbounded
	pattern     string
}

// describe adds the note to the schema of its key.
func (n note) describe(s *jsonschema.Schema) {
	s.Description, s.Default, s.Pattern = n.text, n.def, cmp.Or(n.pattern, s.Pattern)
	values := s
	if s.Type == "array" && len(n.enum) > 0 {
		values, s.UniqueItems = s.Items, true
	}
	for _, v := range n.enum {
		values.Enum = append(values.Enum, v)
	}
	if n.high > 0 {
		s.Minimum, s.Maximum = json.Number(strconv.Itoa(n.low)), json.Number(strconv.Itoa(n.high))
	}
}

// notes documents every key. A test fails for a key without one.
var notes = withSources(map[string]note{
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
	"ladder":                          {text: "Rungs that may be tried, cheapest first.", enum: rungs, def: rungs},
	"autonomy":                        {text: "The most a proposal may become.", enum: autonomies, def: DefaultAutonomy},
	"autonomy_for":                    {text: "Exceptions to autonomy; the first rule that fits holds."},
	"autonomy_for[].services":         {text: "Services the rule is about; all when absent."},
	"autonomy_for[].severities":       {text: "Severities the rule is about; all when absent.", enum: severities},
	"autonomy_for[].autonomy":         {text: "The most a proposal may become where the rule fits.", enum: autonomies},
	"approvals":                       {text: "Severities that wait for a person before anything is proposed; [] for none.", enum: severities, def: defaultApprovals},
	"limits":                          {text: "Bounds of what the service writes into the repository."},
	"limits.open_pull_requests":       {text: "Open pull requests of the service.", def: DefaultOpen, low: 1, high: 1000},
	"limits.open_per_service":         {text: "Open pull requests about one service.", def: DefaultOpenPerService, low: 1, high: 1000},
	"limits.pull_requests_per_hour":   {text: "New pull requests within an hour.", def: DefaultPerHour, low: 1, high: 1000},
	"limits.critical_bypass":          {text: "Critical incidents pass the limits; approval still holds.", def: true},
	"limits.keep_closed_branches":     {text: "Leave the branch of a pull request that was closed.", def: false},
	"model":                           {text: "Local model server that speaks the OpenAI protocol; recipes work without."},
	"model.url":                       {text: "Base URL, such as http://127.0.0.1:11434/v1."},
	"model.name":                      {text: "Model as the server calls it."},
	"model.context":                   {text: "Context length in tokens; probed when absent.", low: 1024, high: 10_000_000},
	"model.timeout":                   {text: "Time for one answer.", least: Duration(time.Second), most: Duration(time.Hour)},
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
	"autonomy_for[]":                  {},
})

// refine adds what the notes have no words for.
func refine(s *jsonschema.Schema, at string) {
	switch at {
	case "services":
		s.MinProperties = ptr(1)
	case "services.*.paths":
		s.MinItems = ptr(1)
	case "services.*.port", "services.*.dependencies[].port":
		s.Minimum, s.Maximum = "1", "65535"
	case "services.*.health":
		s.Pattern = "^/"
	case "sandbox.processes":
		s.Minimum, s.Maximum = "8", "32768"
	case "slo.*.threshold":
		s.Minimum = "0"
	case "sandbox.memory":
		s.Pattern = sizePattern
	}
}

const sizePattern = `^[0-9]+(\.[0-9]+)? *([KMGT]i?B|[KMGT]i|B)?$`
