package main

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/remediator/remediator/internal/config"
)

var update = flag.Bool("update", false, "write the published schemas anew")

// TestPublishedSchemasAreCurrent keeps docs/schemas equal to what the program prints.
func TestPublishedSchemasAreCurrent(t *testing.T) {
	want := map[string][]byte{"remediator-config": config.Schema(), "remediator-serve": config.ServerSchema()}
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		text, err := outputSchema(name)
		if err != nil {
			t.Fatal(err)
		}
		want[name] = text
	}
	for name, text := range want {
		path := filepath.Join("..", "..", "docs", "schemas", name+".schema.json")
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, text) {
			t.Errorf("%s is not what the program prints; run go test ./cmd/remediator -run Schemas -update", path)
		}
		if _, err := jsonschema.NewCompiler().Compile(path); err != nil {
			t.Errorf("%s is not a JSON Schema: %v", path, err)
		}
	}
}
