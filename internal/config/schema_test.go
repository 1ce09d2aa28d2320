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

// published is where the schema lies for editors and other programs.
const published = "../../docs/schemas/remediator-config.schema.json"

var update = flag.Bool("update", false, "write the schema to docs/schemas")

func TestPublishedSchemaIsCurrent(t *testing.T) {
	if *update {
		if err := os.WriteFile(published, Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(published)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, Schema()) {
		t.Errorf("%s is out of date; run go test ./internal/config -update", published)
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(SchemaID)
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
		case typ.Kind() == reflect.Map:
			walk(typ.Elem(), at+".*")
		case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct:
			walk(typ.Elem(), at+"[]")
		}
	}
	walk(reflect.TypeFor[Config](), "")
	for at := range notes {
		if !seen[at] {
			t.Errorf("the note on %s is about nothing", at)
		}
	}
	var doc map[string]any
	if err := json.Unmarshal(Schema(), &doc); err != nil || !strings.HasPrefix(doc["$schema"].(string), "https://json-schema.org/draft/2020-12") {
		t.Errorf("schema is of %v (%v)", doc["$schema"], err)
	}
}

func TestRungsAreThoseOfThePatchPackage(t *testing.T) {
	for i, r := range []patch.Rung{patch.FlagOff, patch.Revert, patch.Config, patch.Code} {
		if rungs[i] != string(r) {
			t.Errorf("rung %d is %s here and %s there", i, rungs[i], r)
		}
	}
}
