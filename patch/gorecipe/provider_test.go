package gorecipe

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestProviders(t *testing.T) { testRecipe(t, "providers", NewRetryBackoff()) }

func TestAddFlag(t *testing.T) {
	for name, src := range map[string]string{
		"filled": "{\n  \"a\": \"flags\",\n  \"x\": {\"flags\": {}},\n  \"flags\": {\n    \"old\": {\"state\": \"ENABLED\"}\n  }\n}\n",
		"empty":  "{\"flags\": {}}",
		"inline": `{"flags":{"old":{"state":"ENABLED"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			off, on, err := addFlag([]byte(src), "new")
			if err != nil {
				t.Fatal(err)
			}
			for want, file := range map[string][]byte{"off": off, "on": on} {
				var doc struct {
					Flags map[string]struct {
						State          string
						Variants       map[string]bool
						DefaultVariant string
					}
				}
				if err := json.Unmarshal(file, &doc); err != nil {
					t.Fatalf("%v\n%s", err, file)
				}
				f := doc.Flags["new"]
				if f.State != "ENABLED" || f.DefaultVariant != want || !f.Variants["on"] || f.Variants["off"] {
					t.Errorf("%s: %+v", want, f)
				}
				if _, ok := doc.Flags["old"]; ok != strings.Contains(src, "old") {
					t.Errorf("the other flags changed: %s", file)
				}
			}
		})
	}
	for _, src := range []string{"", "{}", "[]", `{"flags": 1}`, `{"flags": {`, `{"x": {"flags": {}}}`, "flags:\n  a: 1\n"} {
		if _, _, err := addFlag([]byte(src), "new"); err == nil {
			t.Errorf("%q was taken for a flag file", src)
		}
	}
}

func FuzzAddFlag(f *testing.F) {
	f.Add([]byte(`{"flags": {"a": {}}}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		off, _, err := addFlag(src, "n")
		if err == nil && !json.Valid(off) {
			t.Errorf("%q became %q", src, off)
		}
	})
}
