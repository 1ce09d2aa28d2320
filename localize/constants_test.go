package localize

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/remediator/remediator/incident"
)

func TestEveryConstantHasOneNameAndAMeaning(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Constants() {
		if seen[c.Name] || c.Meaning == "" || !regexp.MustCompile(`^[a-z]+\.[a-z_]+$`).MatchString(c.Name) {
			t.Errorf("constant %+v", c)
		}
		seen[c.Name] = true
		if math.IsNaN(c.Value) || c.Value < 0 {
			t.Errorf("%s is %v", c.Name, c.Value)
		}
	}
}

// Every field of the constants is listed, so that none stays at zero.
func TestEveryConstantIsListed(t *testing.T) {
	c := &constants{}
	bound := map[*float64]bool{}
	for _, e := range tableOf(c) {
		for _, f := range e.fields {
			if bound[f] {
				t.Errorf("%s holds a field that another constant holds", e.name)
			}
			bound[f] = true
		}
	}
	fields := 0
	var count func(reflect.Type)
	count = func(s reflect.Type) {
		for i := range s.NumField() {
			if f := s.Field(i).Type; f.Kind() == reflect.Struct {
				count(f)
			} else {
				fields++
			}
		}
	}
	count(reflect.TypeFor[constants]())
	if fields != len(bound) {
		t.Errorf("%d numbers, %d of them listed", fields, len(bound))
	}
}

func TestAFactorMovesItsConstantAlone(t *testing.T) {
	plain, scaled := newConstants(nil), newConstants(map[string]float64{"weight.errors": 2, "present.edge": 0.5})
	if scaled.weight.errors != 2*plain.weight.errors || scaled.weight.latency != plain.weight.latency {
		t.Errorf("weights %+v", scaled.weight)
	}
	if p := scaled.combine.presentEdge; p.from != 1.5 || p.to != 2.5 {
		t.Errorf("a slope moves with both bounds: %+v", p)
	}
	for _, c := range Constants() {
		if reflect.DeepEqual(newConstants(map[string]float64{c.Name: 3}), plain) && c.Value != 0 {
			t.Errorf("a factor for %s changes nothing", c.Name)
		}
	}
}

func TestScalingAWeightMovesTheAnswer(t *testing.T) {
	ev := nilScenario()
	weak := Rank(incident.Incident{}, ev, Options{Scale: map[string]float64{"weight.errors": 0.1}})
	plain := Rank(incident.Incident{}, ev, Options{})
	if len(plain.Suspects) == 0 || len(weak.Suspects) == 0 || weak.Suspects[0].Score >= plain.Suspects[0].Score {
		t.Errorf("a tenth of the weight:\n%s\nall of it:\n%s", says(weak), says(plain))
	}
	one := map[string]float64{}
	for _, c := range Constants() {
		one[c.Name] = 1
	}
	a, _ := json.Marshal(plain)
	b, _ := json.Marshal(Rank(incident.Incident{}, ev, Options{Scale: one}))
	if string(a) != string(b) {
		t.Error("factors of one change the answer")
	}
}

func TestMisspeltOptionsAreSaid(t *testing.T) {
	for name, o := range map[string]Options{
		"no constant": {Scale: map[string]float64{"weight.eror": 2}},
		"no factor":   {Scale: map[string]float64{"weight.errors": math.NaN()}},
		"nor is zero": {Scale: map[string]float64{"weight.errors": 0}},
		"no signal":   {Without: []string{"ochiay"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := o.Check(); err == nil {
				t.Error("no error")
			}
			if r := Rank(incident.Incident{}, nilScenario(), o); len(r.Why) == 0 || !strings.Contains(r.Why[0], "no ") {
				t.Errorf("why %q", r.Why)
			}
		})
	}
	if err := (Options{Scale: map[string]float64{"weight.errors": 2}, Without: []string{"ochiai"}}).Check(); err != nil {
		t.Error(err)
	}
}

// What the code calls its signals is what Signals lists.
func TestEverySignalIsListed(t *testing.T) {
	listed, weights := map[string]bool{}, map[string]bool{}
	for _, c := range Constants() {
		weights[c.Name] = true
	}
	for _, s := range Signals() {
		if listed[s.Name] || s.Asks == "" || !weights[s.Weight] {
			t.Errorf("signal %+v", s)
		}
		listed[s.Name] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	used := regexp.MustCompile(`Signal:\s*"([a-z_]+)"|j\.add\("([a-z_]+)"`)
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range used.FindAllStringSubmatch(string(text), -1) {
			if name := m[1] + m[2]; !listed[name] {
				t.Errorf("%s speaks of %q, which Signals does not list", f, name)
			}
		}
	}
}
