package modelrecipe

import (
	"errors"
	"strings"
	"testing"

	"github.com/remediator/remediator/patch"
)

// tunable is a recipe with parameters.
type tunable struct{}

func (tunable) Name() string     { return "tunable@1" }
func (tunable) Rung() patch.Rung { return patch.Code }

func (tunable) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	return []patch.Option{
		{ID: "wait", Title: "Wait", Why: "it bursts", Target: "a", Params: map[string]string{"base": "100ms", "retries": "3", "line": "12"}},
		{ID: "widen", Title: "Widen", Why: "it queues", Target: "b", Params: map[string]string{"to": "10"}},
	}, nil
}

func (tunable) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	if o.Params["retries"] == "12" {
		return nil, errors.New("too many")
	}
	return &patch.Patch{
		Files:   []patch.FileEdit{{Path: "pay/wait.txt", Kind: patch.OtherFile, New: []byte(o.Params["base"] + o.Params["retries"] + o.Params["to"] + " line " + o.Params["line"] + "\n")}},
		Flag:    patch.EnvFlag("a", "b"),
		Summary: []string{"It waits."},
	}, nil
}

func choose(t *testing.T, answer string) (*patch.Patch, *played, error) {
	t.Helper()
	m := &played{say: func(int, Question) (string, error) { return answer, nil }}
	in := shop()
	all := New(m, Options{Recipes: []patch.Recipe{tunable{}, patch.NewRevert()}})
	plan := patch.Ladder(in, all)
	if plan.Options[0].Recipe != "model-choice@1" {
		t.Fatalf("options %+v", plan.Options)
	}
	p, err := patch.Draft(in, plan.Options[0], all)
	return p, m, err
}

func TestAChoiceIsTheRecipesDraftWithOtherParameters(t *testing.T) {
	p, m, err := choose(t, `{"reason":"r","option":"1","parameters":{"base":"250ms","to":"4"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(p.Files[0].New); got != "250ms3 line 12\n" {
		t.Errorf("the recipe got %q", got)
	}
	if p.Author.Part != patch.ModelChose || !strings.Contains(p.Summary[0], "tunable@1 with base 250ms, retries 3 among 2 options") || p.Summary[1] != "It waits." {
		t.Errorf("%+v %q", p.Author, p.Summary)
	}
	for _, want := range []string{"option 1: Wait", "parameters: base 100ms, retries 3", "option 2: Widen", "4 calls within 1 ms"} {
		if !strings.Contains(m.asked[0].User, want) {
			t.Errorf("the prompt lacks %q", want)
		}
	}
}

func TestChoicesThatAreNone(t *testing.T) {
	for answer, want := range map[string]string{
		`{"reason":"r","option":"3","parameters":{}}`:                                  "no option",
		`{"reason":"r","option":"+1","parameters":{}}`:                                 "no option",
		`{"reason":"r","option":"../../etc/passwd","parameters":{}}`:                   "no option",
		`{"reason":"r","option":"1","parameters":{}}`:                                  "is on the ladder already",
		`{"reason":"r","option":"1","parameters":{"base":"100ms"}}`:                    "is on the ladder already",
		`{"reason":"r","option":"1","parameters":{"base":"1h"}}`:                       "more than a factor of 4",
		`{"reason":"r","option":"1","parameters":{"base":"1ms"}}`:                      "more than a factor of 4",
		`{"reason":"r","option":"1","parameters":{"base":"3"}}`:                        "not written like",
		`{"reason":"r","option":"1","parameters":{"base":"-100ms"}}`:                   "not written like",
		`{"reason":"r","option":"1","parameters":{"retries":"1e9"}}`:                   "not written like",
		`{"reason":"r","option":"1","parameters":{"retries":"12"}}`:                    "too many",
		`{"reason":"r","option":"1","parameters":{"line":"13"}}`:                       `has no parameter "line"`,
		`{"reason":"r","option":"1","parameters":{"file":"/etc/passwd"}}`:              `has no parameter "file"`,
		`{"reason":"r","option":"1","parameters":{"base":"200ms"},"policy":"allow"}`:   "unknown field",
		`{"reason":"r","option":"1","option":"2","parameters":{"base":"200ms"}}`:       "twice",
		`{"reason":"r","option":1,"parameters":{"base":"200ms"}}`:                      "may not be",
		`{"reason":"r","option":"1","parameters":{"base":"200ms"}`:                     "cut off",
		`{"reason":"r","option":"2","parameters":{"to":"99999999999999999999999999"}}`: "not written like",
	} {
		if _, _, err := choose(t, answer); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", answer, err, want)
		}
	}
}

func TestRecipesWithoutParametersLeaveNothingToChoose(t *testing.T) {
	in := shop()
	plan := patch.Ladder(in, New(&played{}, Options{Recipes: []patch.Recipe{patch.NewRevert(), tripping{}}}))
	for _, o := range plan.Options {
		if o.Recipe == "model-choice@1" {
			t.Errorf("a choice is offered: %+v", o)
		}
	}
}

type tripping struct{ tunable }

func (tripping) Propose(*patch.Input, int) ([]patch.Option, []patch.Left) { panic("trips") }
