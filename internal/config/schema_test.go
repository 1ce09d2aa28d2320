package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/remediator/remediator/patch"
)

// published is where the schemas lie for editors and other programs.
var published = map[string]func() []byte{
	"../../docs/schemas/remediator-config.schema.json": Schema,
	"../../docs/schemas/remediator-serve.schema.json":  ServerSchema,
}

var update = flag.Bool("update", false, "write the schemas to docs/schemas")

func TestPublishedSchemasAreCurrent(t *testing.T) {
	for name, schema := range published {
		if *update {
			if err := os.WriteFile(name, schema(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, schema()) {
			t.Errorf("%s is out of date; run go test ./internal/config -update", name)
		}
	}
}

func compiled(t *testing.T) *jsonschema.Schema { t.Helper(); return compile(t, SchemaID, Schema()) }

func compile(t *testing.T, id string, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(id, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// instance turns YAML into what JSON Schema is about.
func instance(t *testing.T, text string) any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsWhatParseAccepts(t *testing.T) {
	schema := compiled(t)
	for _, text := range []string{complete, "services: {a: {paths: [x], test: [y]}}\n"} {
		if _, err := Parse([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance(t, text)); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

func TestSchemaRefusesWhatParseRefuses(t *testing.T) {
	schema := compiled(t)
	const head = "services: {a: {paths: [x], test: [y]}}\n"
	for _, text := range []string{
		"autonomy: draft\n", "services: {}\n", head + "autonomy: x\n", head + "zzz: 1\n", head + "ladder: [revert, revert]\n",
		"services: {a: {paths: [x], test: y}}\n", "services: {a: {paths: [], test: [y]}}\n", "services: {a: {test: [y]}}\n",
		"services: {a: {paths: [x], test: [y], port: 0.5}}\n", "services: {a: {paths: [x], test: [y], health: up}}\n",
		"services: {a: {paths: [x], test: [y], langage: go}}\n", head + "sandbox: {timeout: 90}\n", head + "sandbox: {memory: lots}\n",
		head + "sandbox: {processes: 1}\n", head + "slo: {X: {kind: slow}}\n", head + "flags: {provider: homemade}\n",
		head + "autonomy_for: [{severities: [loud], autonomy: draft}]\n", head + "autonomy_for: [{services: [a]}]\n", head + "approvals: [sev1]\n",
		head + "limits: {open_pull_requests: 0}\n", head + "limits: {critical_bypass: 1}\n", head + "model: {context: 5}\n", head + "approvals: [minor, minor]\n",
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("parsed:\n%s", text)
		}
		if err := schema.Validate(instance(t, text)); err == nil {
			t.Errorf("the schema accepts:\n%s", text)
		}
	}
}

// Every key is documented, and every note is about a key that exists.
func TestEveryKeyHasANote(t *testing.T) {
	everyKeyHasANote(t, reflect.TypeFor[Config](), notes)
	everyKeyHasANote(t, reflect.TypeFor[Server](), serverNotes)
	for _, schema := range published {
		var doc map[string]any
		if err := json.Unmarshal(schema(), &doc); err != nil || !strings.HasPrefix(doc["$schema"].(string), "https://json-schema.org/draft/2020-12") {
			t.Errorf("schema is of %v (%v)", doc["$schema"], err)
		}
	}
}

func everyKeyHasANote(t *testing.T, root reflect.Type, notes map[string]note) {
	t.Helper()
	seen := map[string]bool{}
	var walk func(typ reflect.Type, at string)
	walk = func(typ reflect.Type, at string) {
		if at != "" {
			seen[at] = true
		}
		switch {
		case typ.Kind() == reflect.Struct:
			for f := range fieldsOf(typ) {
				path := join(at, f.name)
				if notes[path].text == "" {
					t.Errorf("%s has no note", path)
				}
				walk(f.typ, path)
			}
		case typ.Kind() == reflect.Map && typ.Elem().Kind() == reflect.Struct:
			walk(typ.Elem(), at+".*")
		case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct:
			walk(typ.Elem(), at+"[]")
		}
	}
	walk(root, "")
	for at := range notes {
		if !seen[at] {
			t.Errorf("the note on %s is about nothing", at)
		}
	}
}

func TestRungsAreThoseOfThePatchPackage(t *testing.T) {
	for i, r := range []patch.Rung{patch.FlagOff, patch.Revert, patch.Config, patch.Code} {
		if rungs[i] != string(r) {
			t.Errorf("rung %d is %s here and %s there", i, rungs[i], r)
		}
	}
}
