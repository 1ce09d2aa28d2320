package patch

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
)

var symptomStart = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func flagInput(files map[string]string, flags ...localize.FlagChange) *Input {
	in := &Input{
		Base:      fstest.MapFS{"pay/pay.go": {Data: []byte("package pay\n\nfunc f() bool { return on(\"new-path\") }\n")}},
		Suspects:  []localize.Suspect{{Service: "pay", Operation: "POST /pay"}},
		Locations: [][]codeindex.Location{{{File: "pay/pay.go", Line: 3, From: 3, To: 3}}},
		Symptom:   localize.Symptom{From: symptomStart},
		Flags:     flags,
		Allowed:   Rungs(),
	}
	for name, content := range files {
		in.Base.(fstest.MapFS)[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return in
}

func turned(change string) localize.FlagChange {
	return localize.FlagChange{Time: symptomStart.Add(-20 * time.Minute), Flag: "new-path", Service: "pay", Change: change, Actor: "someone"}
}

func TestFlagOffEditsOneValue(t *testing.T) {
	for name, c := range map[string]struct{ file, before, after, left string }{
		"flagd, default variant": {
			file:   "flags.json",
			before: "{\"flags\": {\n  \"other\": {\"state\": \"ENABLED\", \"variants\": {\"on\": true, \"off\": false}, \"defaultVariant\": \"on\"},\n  \"new-path\": {\"state\": \"ENABLED\",   \"variants\": {\"on\": true, \"off\": false}, \"defaultVariant\": \"on\", \"targeting\": {}}\n}}\n",
			after:  "{\"flags\": {\n  \"other\": {\"state\": \"ENABLED\", \"variants\": {\"on\": true, \"off\": false}, \"defaultVariant\": \"on\"},\n  \"new-path\": {\"state\": \"ENABLED\",   \"variants\": {\"on\": true, \"off\": false}, \"defaultVariant\": \"off\", \"targeting\": {}}\n}}\n",
		},
		"flagd, variants with names of their own": {
			file:   "flags.json",
			before: `{"flags":{"new-path":{"state":"ENABLED","variants":{"fast":true,"slow":false},"defaultVariant":"fast"}}}`,
			after:  `{"flags":{"new-path":{"state":"ENABLED","variants":{"fast":true,"slow":false},"defaultVariant":"slow"}}}`,
		},
		"flagd, share of users": {
			file:   "flagd.yaml",
			before: "flags:\n  new-path:\n    state: ENABLED\n    variants: {\"on\": true, \"off\": false}\n    defaultVariant: \"off\"\n    targeting:\n      fractional:\n      - [\"on\", 50]  # half\n      - [\"off\", 50]\n",
			after:  "flags:\n  new-path:\n    state: ENABLED\n    variants: {\"on\": true, \"off\": false}\n    defaultVariant: \"off\"\n    targeting:\n      fractional:\n      - [\"on\", 0]  # half\n      - [\"off\", 50]\n",
		},
		"flagd, other targeting": {
			file:   "flags.json",
			before: `{"flags":{"new-path":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"in":["@a",{"var":"email"}]},"on","off"]}}}}`,
			after:  `{"flags":{"new-path":{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"in":["@a",{"var":"email"}]},"on","off"]}}}}`,
		},
		"flagd, off already": {file: "flags.json", before: `{"flags":{"new-path":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"}}}`, left: "serves its off variant already"},
		"flagd, disabled":    {file: "flags.json", before: `{"flags":{"new-path":{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}}}`, left: "disabled already"},
		"plain boolean":      {file: "flags.yaml", before: "# flags\nnew-path: true # since May\nother: true\n", after: "# flags\nnew-path: false # since May\nother: true\n"},
		"nested object":      {file: "features.json", before: `{"features": {"new-path": {"enabled": true, "owner": "x"}}}`, after: `{"features": {"new-path": {"enabled": false, "owner": "x"}}}`},
		"percentage":         {file: "feature-toggles.yaml", before: "flags:\n  new-path: 50\n", after: "flags:\n  new-path: 0\n"},
		"quoted percentage":  {file: "feature-toggles.yaml", before: "flags:\n  new-path: {rollout: '50%'}\n", after: "flags:\n  new-path: {rollout: '0%'}\n"},
		"list by name":       {file: "flags.json", before: `[{"name":"other","enabled":true},{"name":"new-path","enabled":true}]`, after: `[{"name":"other","enabled":true},{"name":"new-path","enabled":false}]`},
		"environment file":   {file: "pay/.env", before: "A=1\nFEATURE_NEW_PATH=TRUE # x\n", after: "A=1\nFEATURE_NEW_PATH=FALSE # x\n"},
		"environment number": {file: ".env", before: "NEW_PATH=1\n", after: "NEW_PATH=0\n"},
		"go feature flag": {
			file:   "flags.goff.yaml",
			before: "new-path:\n  variations:\n    yes-variant: true\n    no-variant: false\n  defaultRule:\n    variation: yes-variant # all\n",
			after:  "new-path:\n  variations:\n    yes-variant: true\n    no-variant: false\n  defaultRule:\n    variation: no-variant # all\n",
		},
		"go feature flag, share": {
			file:   "flags.yaml",
			before: "new-path:\n  variations: {a: true, b: false}\n  defaultRule:\n    percentage:\n      a: 30\n      b: 70\n",
			after:  "new-path:\n  variations: {a: true, b: false}\n  defaultRule:\n    percentage:\n      a: 0\n      b: 100\n",
		},
		"go feature flag, rules": {file: "flags.yaml", before: "new-path:\n  variations: {a: true, b: false}\n  targeting:\n  - query: x\n    variation: a\n  defaultRule:\n    variation: b\n", left: "targeting rules beside its default"},
		"launchdarkly export":    {file: "flags.json", before: `{"flags":{"new-path":{"on":true,"offVariation":1,"fallthrough":{"variation":0},"variations":[true,false]}}}`, left: "ldcli flags toggle-off --flag new-path"},
		"unleash export":         {file: "features.json", before: `{"version":1,"features":[{"name":"new-path","enabled":true,"strategies":[{"name":"default"}]}]}`, left: "environments/ENV/off"},
		"no file":                {file: "x.txt", before: "", left: "it is in no file of the repository"},
		"off":                    {file: "flags.yaml", before: "new-path: false\n", left: "is off already"},
		"no switch":              {file: "flags.yaml", before: "new-path: sometimes\n", left: "its value is no switch"},
		"not the flag itself":    {file: "flags.json", before: `{"flags":{"other":{"state":"ENABLED","variants":{"new-path":true,"off":false},"defaultVariant":"new-path"}}}`, left: "in no file"},
	} {
		t.Run(name, func(t *testing.T) {
			in := flagInput(map[string]string{c.file: c.before}, turned("off->on"))
			plan := Ladder(in, []Recipe{NewFlagOff()})
			if c.left != "" {
				if len(plan.Options) != 0 || !strings.Contains(fmt.Sprint(plan.Left), c.left) {
					t.Fatalf("options %v, left %v, want %q", plan.Options, plan.Left, c.left)
				}
				return
			}
			if len(plan.Options) != 1 {
				t.Fatalf("options %v, left %v", plan.Options, plan.Left)
			}
			o := plan.Options[0]
			if o.Title != "Turn off flag new-path" || !strings.Contains(o.Why, "20m0s before the symptom; pay/pay.go, where the suspect's code is, reads it") {
				t.Errorf("title %q, why %q", o.Title, o.Why)
			}
			p, err := Draft(in, o, []Recipe{NewFlagOff()})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(p.Files[0].New); got != c.after || p.Files[0].Kind != FlagFile {
				t.Errorf("got\n%s\nwant\n%s", got, c.after)
			}
		})
	}
}

func TestFlagOffWeighsTheChange(t *testing.T) {
	file := map[string]string{"flags.yaml": "new-path: true\nunread: true\n"}
	change := func(edit func(*localize.FlagChange)) localize.FlagChange {
		c := turned("on")
		edit(&c)
		return c
	}
	for name, c := range map[string]struct {
		change localize.FlagChange
		want   string // "" for an option
	}{
		"on":               {change: turned("on")},
		"raised share":     {change: turned("10% → 50%")},
		"turned off":       {change: turned("on->off"), want: "was turned off or down"},
		"lowered share":    {change: turned("50% to 10%"), want: "was turned off or down"},
		"days before":      {change: change(func(c *localize.FlagChange) { c.Time = symptomStart.Add(-50 * time.Hour) }), want: "not shortly before the symptom"},
		"after":            {change: change(func(c *localize.FlagChange) { c.Time = symptomStart.Add(time.Hour) }), want: "not shortly before the symptom"},
		"as it began":      {change: change(func(c *localize.FlagChange) { c.Time = symptomStart.Add(time.Minute) })},
		"another service":  {change: change(func(c *localize.FlagChange) { c.Flag, c.Service = "unread", "mail" }), want: "nothing ties it to a suspect"},
		"by service alone": {change: change(func(c *localize.FlagChange) { c.Flag = "unread" })},
	} {
		t.Run(name, func(t *testing.T) {
			plan := Ladder(flagInput(file, c.change), []Recipe{NewFlagOff()})
			if (len(plan.Options) == 1) != (c.want == "") || !strings.Contains(fmt.Sprint(plan.Left), c.want) {
				t.Errorf("options %v, left %v, want %q", plan.Options, plan.Left, c.want)
			}
		})
	}
}

func TestFlagOffReadsTheCommitThatTurnedItOn(t *testing.T) {
	in := flagInput(map[string]string{"config/flags.yaml": "a: 1\nnew-path: true\n"})
	in.FlagFile = "config/flags.yaml"
	in.Changes = []localize.Change{{SHA: "abcdef12345", Time: symptomStart.Add(-time.Hour), Service: "", Message: "rollout",
		Files: []localize.ChangedFile{{Path: "config/flags.yaml", Patch: "@@ -1,2 +1,2 @@\n a: 1\n-new-path: false\n+new-path: true\n"}}}}
	plan := Ladder(in, []Recipe{NewFlagOff()})
	if len(plan.Options) != 1 || !strings.Contains(plan.Options[0].Why, "1h0m0s before") {
		t.Errorf("options %v, left %v", plan.Options, plan.Left)
	}
}

func TestFlagInTwoFilesIsLeft(t *testing.T) {
	in := flagInput(map[string]string{"a/flags.yaml": "new-path: true\n", "b/flags.yaml": "new-path: true\n"}, turned("on"))
	if plan := Ladder(in, []Recipe{NewFlagOff()}); len(plan.Options) != 0 || !strings.Contains(fmt.Sprint(plan.Left), "a/flags.yaml and in b/flags.yaml") {
		t.Errorf("options %v, left %v", plan.Options, plan.Left)
	}
	in.FlagFile = "b/flags.yaml"
	if plan := Ladder(in, []Recipe{NewFlagOff()}); len(plan.Options) != 1 || plan.Options[0].Params["file"] != "b/flags.yaml" {
		t.Errorf("options %v, left %v", plan.Options, plan.Left)
	}
}

func TestHostileFlagNames(t *testing.T) {
	for _, flag := range []string{"a`b$(c)", "x\x1b[31m\n@admin", strings.Repeat("f", 150), "../../etc", "ünïcode"} {
		in := flagInput(map[string]string{"flags.json": fmt.Sprintf("{%q: true}", flag)}, localize.FlagChange{Time: symptomStart, Flag: flag, Service: "pay", Change: "on"})
		plan := Ladder(in, []Recipe{NewFlagOff()})
		for _, o := range plan.Options {
			if strings.ContainsAny(o.Title+o.Why, "`$(\x1b\n@") {
				t.Errorf("title %q, why %q", o.Title, o.Why)
			}
		}
		for _, l := range plan.Left {
			if strings.ContainsAny(l.Why, "`$(\x1b\n@") {
				t.Errorf("left %q", l.Why)
			}
		}
	}
}

func FuzzTurnFlagOff(f *testing.F) {
	f.Add([]byte(`{"flags":{"f":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}}}`), "f")
	f.Add([]byte(`{"f":{"targeting":{"fractional":[["on",1],["off",1]]},"defaultVariant":"off","variants":{"on":true,"off":false}}}`), "f")
	f.Add([]byte(`[{"name":"f","enabled":true}]`), "f")
	f.Fuzz(func(t *testing.T, src []byte, flag string) {
		all, err := readSettings("flags.json", src)
		if err != nil {
			return
		}
		c, err := turnFlagOff(all, flag)
		if err != nil {
			return
		}
		if len(c.edits) == 0 || c.words == "" {
			t.Fatalf("no edit and no error for %q in %q", flag, src)
		}
		after, err := editSettings("flags.json", src, c.edits)
		if err != nil {
			return
		}
		// Turning off what is off is nothing to do: the edit went all the way.
		again, err := readSettings("flags.json", after)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := turnFlagOff(again, flag); err == nil {
			if _, err := editSettings("flags.json", after, c.edits); err == nil && string(after) == string(src) {
				t.Fatalf("%q stays on in %q", flag, after)
			}
		}
	})
}
