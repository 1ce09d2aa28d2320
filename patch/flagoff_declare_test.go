package patch

import (
	"fmt"
	"strings"
	"testing"
)

func TestDeclareFlag(t *testing.T) {
	for name, src := range map[string]string{
		"spread": "{\n  \"$schema\": \"x\",\n  \"flags\": {\n    \"a\": {\n      \"state\": \"ENABLED\",\n      \"variants\": {\"on\": true, \"off\": false},\n      \"defaultVariant\": \"off\"\n    }\n  }\n}\n",
		"tight":  `{"flags":{"a":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","targeting":{}}}}`,
		"more":   "{\"flags\": {\n\t\"a\": {\"state\": \"ENABLED\", \"defaultVariant\": \"x\"},\n\t\"b\": {\"state\": \"ENABLED\", \"defaultVariant\": \"y\"}\n}, \"$evaluators\": {}}\n",
	} {
		t.Run(name, func(t *testing.T) {
			off, on, err := DeclareFlag([]byte(src), "new")
			if err != nil {
				t.Fatal(err)
			}
			for variant, got := range map[string][]byte{"off": off, "on": on} {
				all, err := readSettings("flags.json", got)
				if err != nil {
					t.Fatalf("%v\n%s", err, got)
				}
				at, mine := flagSettings(all, "new")
				if d, ok := pick(mine, at, "defaultVariant"); !ok || d.Text != variant || d.Path[0] != "flags" {
					t.Errorf("default variant %+v in\n%s", d, got)
				}
			}
			// What was there is there in the same bytes.
			cut := strings.Index(string(off), ",\n")
			for ; cut >= 0 && !strings.HasPrefix(strings.TrimLeft(string(off[cut+2:]), " \t"), `"new"`); cut += 1 + strings.Index(string(off[cut+1:]), ",\n") {
			}
			added := len(off) - len(src)
			if got := string(off[:cut]) + string(off[cut+added:]); got != src {
				t.Errorf("without the flag the file is\n%s\nwant\n%s", got, src)
			}
			if _, _, err := DeclareFlag(off, "new"); err == nil {
				t.Error("a flag was declared twice")
			}
		})
	}
	for _, src := range []string{"", "{}", `{"flags":{}}`, `{"flags":[1]}`, `{"a":{"b":{"c":1}}}`, "flags: 1"} {
		if _, _, err := DeclareFlag([]byte(src), "new"); err == nil {
			t.Errorf("a flag was declared in %q", src)
		}
	}
}

func FuzzDeclareFlag(f *testing.F) {
	f.Add([]byte(`{"flags":{"a":{"state":"ENABLED","targeting":{"if":[{"x":["}"]}]}}}}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		off, on, err := DeclareFlag(src, "new-one")
		if err != nil {
			return
		}
		if len(off) <= len(src) || fmt.Sprint(len(on)-len(off)) != "-1" {
			t.Fatalf("%q became %q and %q", src, off, on)
		}
	})
}
