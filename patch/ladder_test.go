package patch

import (
	"strings"
	"testing"

	"github.com/remediator/remediator/localize"
)

// scripted is a recipe that answers from a table.
type scripted struct {
	name    string
	rung    Rung
	options map[int][]Option
	left    map[int][]Left
	draft   func(*Input, Option) (*Patch, error)
}

func (s scripted) Name() string { return s.name }
func (s scripted) Rung() Rung   { return s.rung }
func (s scripted) Propose(_ *Input, i int) ([]Option, []Left) {
	return s.options[i], s.left[i]
}
func (s scripted) Draft(in *Input, o Option) (*Patch, error) { return s.draft(in, o) }

func twoSuspects(allowed ...Rung) *Input {
	return &Input{Suspects: []localize.Suspect{
		{Service: "a", Patterns: []localize.Pattern{{Kind: localize.PatternRetryBurst}}},
		{Service: "b", Patterns: []localize.Pattern{{Kind: localize.PatternException}}},
	}, Allowed: allowed}
}

func optionIDs(p Plan) string {
	var ids []string
	for _, o := range p.Options {
		ids = append(ids, o.ID)
	}
	return strings.Join(ids, " ")
}

func TestLadderOrdersRungThenSuspectThenSize(t *testing.T) {
	plan := Ladder(twoSuspects(Rungs()...), []Recipe{
		scripted{name: "code@1", rung: Code, options: map[int][]Option{
			0: {{ID: "big", Size: 40, Target: "x:F"}, {ID: "small", Size: 4, Target: "x:G"}},
			1: {{ID: "other", Size: 1, Target: "y:H"}},
		}},
		scripted{name: "config@1", rung: Config, options: map[int][]Option{1: {{ID: "value"}}}},
		scripted{name: "revert@1", rung: Revert, options: map[int][]Option{1: {{ID: "revert-b"}}, 0: {{ID: "revert-a"}}}},
		scripted{name: "flag@1", rung: FlagOff, options: map[int][]Option{1: {{ID: "off"}}}},
	})
	if got, want := optionIDs(plan), "off revert-a revert-b value small big other"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
	if o := plan.Options[0]; o.Rung != FlagOff || o.Recipe != "flag@1" || o.Suspect != 1 {
		t.Errorf("rung, recipe and suspect were not filled in: %+v", o)
	}
	if len(plan.Left) != 0 {
		t.Errorf("left %+v", plan.Left)
	}
}

func TestLadderDropsWhatWasOfferedBefore(t *testing.T) {
	plan := Ladder(twoSuspects(Code), []Recipe{scripted{name: "code@1", rung: Code, options: map[int][]Option{
		0: {{ID: "Fix it!", Target: "x.go:F", Params: map[string]string{"base": "1s"}}},
		1: {{ID: "Fix it!", Target: "x.go:F", Params: map[string]string{"base": "2s"}}, {ID: "Fix it!", Target: "x.go:G"}},
	}}})
	if got := optionIDs(plan); got != "fix-it fix-it-2" {
		t.Fatalf("options %s", got)
	}
	if plan.Options[0].Params["base"] != "1s" || plan.Options[1].Target != "x.go:G" {
		t.Errorf("the best suspect's option was not kept: %+v", plan.Options)
	}
}

func TestLadderSaysWhyNothingCameOfARung(t *testing.T) {
	in := twoSuspects(Revert, Config)
	plan := Ladder(in, []Recipe{
		scripted{name: "code@1", rung: Code, options: map[int][]Option{0: {{ID: "c", Title: "Bound the call"}}}},
		scripted{name: "revert@1", rung: Revert, left: map[int][]Left{0: {{Why: "same"}}, 1: {{Why: "same"}}}},
		scripted{name: "config@1", rung: Config},
	})
	if len(plan.Options) != 0 {
		t.Fatalf("options %+v", plan.Options)
	}
	want := []Left{
		{Rung: FlagOff, Why: "no recipe of this rung is at hand"},
		{Rung: Revert, Recipe: "revert@1", Why: "same"},
		{Rung: Config, Why: "no configuration value fits a suspect"},
		{Rung: Code, Recipe: "code@1", Why: "Bound the call: the rung code is not allowed here (allowed: revert, config)"},
	}
	if len(plan.Left) != len(want) {
		t.Fatalf("left %+v", plan.Left)
	}
	for i := range want {
		if plan.Left[i] != want[i] {
			t.Errorf("left[%d] = %+v, want %+v", i, plan.Left[i], want[i])
		}
	}
}

func TestLadderNamesThePatternsNobodyMends(t *testing.T) {
	plan := Ladder(twoSuspects(Code), []Recipe{scripted{name: "code@1", rung: Code}})
	last := plan.Left[len(plan.Left)-1]
	if want := "none of code@1 mends what the suspects show (exception, retry_burst)"; last.Why != want {
		t.Errorf("%q, want %q", last.Why, want)
	}
	plan = Ladder(&Input{}, nil)
	if len(plan.Left) != 4 || plan.Left[0].Why != "there is no suspect to mend" {
		t.Errorf("without suspects: %+v", plan.Left)
	}
}

type panicking struct{ scripted }

func (panicking) Propose(*Input, int) ([]Option, []Left)     { panic("odd code") }
func (panicking) Draft(*Input, Option) (p *Patch, err error) { panic("odd code") }

func TestLadderOutlivesARecipeThatPanics(t *testing.T) {
	recipes := []Recipe{
		panicking{scripted{name: "bad@1", rung: Code}},
		scripted{name: "good@1", rung: Code, options: map[int][]Option{0: {{ID: "g"}}}},
	}
	plan := Ladder(twoSuspects(Code), recipes)
	if optionIDs(plan) != "g" || !strings.Contains(plan.Left[len(plan.Left)-1].Why, "odd code") {
		t.Errorf("plan %+v", plan)
	}
	if _, err := Draft(twoSuspects(Code), Option{ID: "x", Recipe: "bad@1"}, recipes); err == nil || !strings.Contains(err.Error(), "odd code") {
		t.Errorf("draft: %v", err)
	}
}

func TestSlug(t *testing.T) {
	for _, tt := range []struct {
		in    string
		sep   byte
		limit int
		want  string
	}{
		{"POST /orders/{id}", '_', 64, "post_orders_id"},
		{"../../etc", '-', 64, "etc"},
		{"ключ", '-', 64, "x"},
		{"aaaa bbbb", '-', 6, "aaaa-b"},
		{"aaaa bbbb", '-', 5, "aaaa"},
		{"", '-', 5, "x"},
	} {
		if got := Slug(tt.in, tt.sep, tt.limit); got != tt.want {
			t.Errorf("Slug(%q, %d) = %q, want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

func TestEnvFlagIsOffUnlessTrue(t *testing.T) {
	f := EnvFlag("POST /charge", "backoff")
	if f.Name != "REMEDIATOR_POST_CHARGE_BACKOFF" || f.On[f.Name] != "true" || f.Off[f.Name] == "true" {
		t.Errorf("%+v", f)
	}
}
