package remedy

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

// TestScrubReachesEveryText fills every string of a case with a secret and looks for those
// that survive. Only identifiers and what comes from the repository may.
func TestScrubReachesEveryText(t *testing.T) {
	const secret = "hunter2"
	c := &Case{}
	fill(reflect.ValueOf(c), secret, 0)
	scrub(c, func(s string) string { return strings.ReplaceAll(s, secret, "***") })
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var m any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	identifiers := map[string]bool{"sha": true, "commit": true, "deployed": true, "digest": true, "fingerprint": true, "tree": true, "parent": true,
		"branch": true, "diff": true, "file": true, "path": true, "bundle": true, "key": true, "schema": true, "id": true, "traces": true,
		"model_digest": true, "prompt_sha256": true, "answer_sha256": true}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				if identifiers[k] {
					continue
				}
				walk(at+"."+k, x)
			}
		case []any:
			for _, x := range v {
				walk(at+"[]", x)
			}
		case string:
			if strings.Contains(v, secret) {
				t.Errorf("%s still holds the secret", at)
			}
		}
	}
	walk("", m)
}

// fill sets every string it can reach.
func fill(v reflect.Value, text string, depth int) {
	if depth > 12 {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() && v.CanSet() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		if !v.IsNil() {
			fill(v.Elem(), text, depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), text, depth+1)
			}
		}
	case reflect.Slice:
		if v.CanSet() && v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), text, depth+1)
		}
	case reflect.Map:
		if v.Type().Key().Kind() == reflect.String && v.Type().Elem().Kind() == reflect.String {
			m := reflect.MakeMap(v.Type())
			m.SetMapIndex(reflect.ValueOf("k").Convert(v.Type().Key()), reflect.ValueOf(text).Convert(v.Type().Elem()))
			v.Set(m)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(text)
		}
	}
}

func TestScrubKeepsContentsAndIdentifiers(t *testing.T) {
	c := &Case{Fingerprint: "s", Incident: incident.Incident{Labels: map[string]string{"slo": "s"}}, Suspects: []Suspect{{Commit: "s", Reasons: []localize.Reason{{Text: "s"}}}},
		Patch: &Patch{Patch: patch.Patch{Diff: "s", Files: []patch.FileEdit{{Path: "s", New: []byte("s")}}}}}
	scrub(c, func(string) string { return "x" })
	if c.Fingerprint != "s" || c.Suspects[0].Commit != "s" || c.Patch.Diff != "s" || string(c.Patch.Files[0].New) != "s" {
		t.Errorf("an identifier or a content was changed: %+v", c)
	}
	if c.Incident.Labels["slo"] != "x" || c.Suspects[0].Reasons[0].Text != "x" {
		t.Errorf("a text was not redacted: %+v", c)
	}
}
