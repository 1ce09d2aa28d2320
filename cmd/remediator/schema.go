package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
	"github.com/spf13/cobra"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/policy"
	"github.com/remediator/remediator/remedy"
)

// outputs are the JSON documents that programs read, by the name of their schema.
var outputs = map[string]any{
	"case":         remedy.Case{},
	"localization": located{},
	"locations":    []codeindex.Location{},
	"decision":     policy.Decision{},
	"replays":      []remedy.Replay{},
	"claims":       []attest.Claim{},
	"findings":     []finding{},
	"problems":     []config.Problem{},
}

func schemaCommand(io stdio) *cobra.Command {
	names := slices.Sorted(maps.Keys(outputs))
	return &cobra.Command{
		Use:       "schema NAME",
		Short:     "Print the JSON Schema of what --format json and case.json hold",
		Long:      "NAME is one of " + strings.Join(names, ", ") + ". The configuration's schema is printed by `remediator config schema`.",
		Args:      oneArg("the name of a schema: " + strings.Join(names, ", ")),
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := outputSchema(args[0])
			if err != nil {
				return err
			}
			_, err = io.out.Write(text)
			return err
		},
	}
}

// outputSchema describes one output. Fields that may be left out are those marked omitempty or
// omitzero in the Go type, so the schema cannot drift from what is written.
func outputSchema(name string) ([]byte, error) {
	v, ok := outputs[name]
	if !ok {
		return nil, usage("no schema %q: choose one of %s", name, strings.Join(slices.Sorted(maps.Keys(outputs)), ", "))
	}
	// Types of two packages may share a name.
	namer := func(t reflect.Type) string {
		if t.Name() == "" {
			return ""
		}
		return path.Base(t.PkgPath()) + "." + t.Name()
	}
	r := jsonschema.Reflector{Anonymous: true, AllowAdditionalProperties: true, Namer: namer}
	s := r.Reflect(v)
	s.ID = jsonschema.ID("https://remediator.dev/schemas/" + name + ".schema.json")
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	return append(text, '\n'), nil
}
