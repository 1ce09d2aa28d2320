package modelrecipe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/patch"
)

// choiceTokens bounds an answer that chooses.
const choiceTokens = 300

// leeway is how far a parameter may be from what the recipe itself takes: the recipe's value follows from measurements, and
// an order of magnitude away from it is another change.
const leeway = 4

// adjustable are the parameters of recipes that are quantities, in Go's notation of durations or as whole numbers. Others name
// places in the code.
var adjustable = []string{"attempts", "base", "deadline", "limit", "retries", "timeout", "to"}

// choice is the recipe that lets a model choose among others.
type choice struct {
	session *session
	recipes []patch.Recipe
	ctx     context.Context
}

func (choice) Name() string     { return "model-choice@1" }
func (choice) Rung() patch.Rung { return patch.Code }

// Within gives the context of a draft.
func (c choice) Within(ctx context.Context) patch.Recipe { c.ctx = ctx; return c }

// offer is an option of a recipe.
type offer struct {
	recipe patch.Recipe
	option patch.Option
}

// offers are the options for code that the recipes have for a suspect.
func offers(in *patch.Input, i int, recipes []patch.Recipe) (out []offer) {
	for _, r := range recipes {
		if r.Rung() != patch.Code {
			continue
		}
		for _, o := range proposed(in, i, r) {
			o.Rung, o.Suspect = r.Rung(), i
			if o.Recipe == "" {
				o.Recipe = r.Name()
			}
			out = append(out, offer{r, o})
		}
	}
	return out
}

// proposed shields from a recipe that trips, as the ladder does.
func proposed(in *patch.Input, i int, r patch.Recipe) (out []patch.Option) {
	defer func() {
		if recover() != nil {
			out = nil
		}
	}()
	out, _ = r.Propose(in, i)
	return out
}

// quantities are the adjustable parameters of an option.
func quantities(o patch.Option) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(o.Params)) {
		if slices.Contains(adjustable, k) && quantity(o.Params[k]) != nil {
			out = append(out, k)
		}
	}
	return out
}

func (c choice) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	list := offers(in, i, c.recipes)
	if !slices.ContainsFunc(list, func(o offer) bool { return len(quantities(o.option)) > 0 }) {
		return nil, nil // the recipes' own options stand on the ladder already
	}
	return []patch.Option{{
		ID:     fmt.Sprintf("code-model-choice-%d", i+1),
		Title:  "Apply the recipe and the parameters that a model chooses",
		Why:    fmt.Sprintf("%d recipes fit this suspect, and their parameters may be chosen otherwise", len(list)),
		Target: fmt.Sprintf("choice:%d", i),
		Size:   sizeOfChoice,
	}}, nil
}

// choiceAnswer is what a model answers.
type choiceAnswer struct {
	Reason     string            `json:"reason"`
	Option     string            `json:"option"`
	Parameters map[string]string `json:"parameters"`
}

func choiceSchema(list []offer) []byte {
	var ids []string
	params := map[string]any{}
	for k, o := range list {
		ids = append(ids, strconv.Itoa(k+1))
		for _, q := range quantities(o.option) {
			params[q] = map[string]any{"type": "string"}
		}
	}
	b, err := json.Marshal(map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"reason", "option", "parameters"},
		"properties": map[string]any{
			"reason":     map[string]any{"type": "string"},
			"option":     map[string]any{"type": "string", "enum": ids},
			"parameters": map[string]any{"type": "object", "additionalProperties": false, "properties": params},
		},
	})
	if err != nil {
		panic(err) // of constants
	}
	return b
}

func (c choice) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	list := offers(in, o.Suspect, c.recipes)
	if len(list) == 0 {
		return nil, errors.New("no recipe fits any more; plan again")
	}
	ctx, done, err := c.session.begin(c.ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	t, err := c.session.sit(ctx, patch.ModelChose, choiceTokens)
	if err != nil {
		return nil, err
	}
	var taken offer
	err = t.exchange(ctx, choiceTask(len(list)), c.sections(in, o.Suspect, list), choiceSchema(list), func(doc []byte) error {
		var a choiceAnswer
		if err := strict(doc, &a); err != nil {
			return err
		}
		t.by.Reached = patch.AnswerRead
		taken, err = pick(list, a)
		return err
	})
	if err != nil {
		return nil, t.failed(err)
	}
	p, err := taken.recipe.Draft(in, taken.option)
	if err != nil {
		return nil, t.failed(fmt.Errorf("%s with the parameters that the model chose: %w", taken.option.Recipe, err))
	}
	t.by.Reached = patch.AnswerApplied
	p.Author = &t.by
	p.Summary = append([]string{fmt.Sprintf("A language model chose the recipe %s with %s among %d options; the recipe wrote the change.", taken.option.Recipe, values(taken.option), len(list))}, p.Summary...)
	return p, nil
}

// pick applies an answer to the options.
func pick(list []offer, a choiceAnswer) (offer, error) {
	n, err := strconv.Atoi(a.Option)
	if err != nil || n < 1 || n > len(list) || strconv.Itoa(n) != a.Option {
		return offer{}, fmt.Errorf("there is no option %q, only 1 to %d", shorten(a.Option), len(list))
	}
	out := list[n-1]
	own := out.option.Params
	out.option.Params = maps.Clone(own)
	changed := false
	for _, k := range slices.Sorted(maps.Keys(a.Parameters)) {
		v := strings.TrimSpace(a.Parameters[k])
		if v == "" {
			continue
		}
		if !slices.Contains(quantities(list[n-1].option), k) {
			if slices.Contains(adjustable, k) {
				continue // a parameter of another option
			}
			return offer{}, fmt.Errorf("option %d has no parameter %q", n, shorten(k))
		}
		want, have := quantity(v), quantity(own[k])
		switch {
		case want == nil || want.duration != have.duration:
			return offer{}, fmt.Errorf("parameter %s: %q is not written like %q", k, shorten(v), own[k])
		case want.value*leeway < have.value || want.value > have.value*leeway:
			return offer{}, fmt.Errorf("parameter %s: %s is more than a factor of %d from %s, which was measured", k, want, leeway, own[k])
		}
		out.option.Params[k] = want.String()
		changed = changed || want.value != have.value
	}
	if !changed {
		return offer{}, fmt.Errorf("option %d with its own parameters is on the ladder already; choose other parameters", n)
	}
	return out, nil
}

// amount is a duration in nanoseconds, or a whole number.
type amount struct {
	value    float64
	duration bool
}

func quantity(s string) *amount {
	if n, err := strconv.Atoi(s); err == nil && n > 0 && n < 1_000_000 {
		return &amount{value: float64(n)}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= time.Millisecond && d <= time.Hour {
		return &amount{value: float64(d), duration: true}
	}
	return nil
}

func (a amount) String() string {
	if a.duration {
		return time.Duration(a.value).String()
	}
	return strconv.Itoa(int(a.value))
}

func values(o patch.Option) string {
	var out []string
	for _, k := range quantities(o) {
		out = append(out, k+" "+o.Params[k])
	}
	return strings.Join(out, ", ")
}

func choiceTask(n int) string {
	return fmt.Sprintf(`The data describes an incident and %d options to end it, numbered from 1. Choose the one that fits what broke best, and set its parameters as you think right; a parameter may be at most %d times larger or smaller than the one given, and is written in the same way.
Answer with a JSON object: "reason" (one sentence), "option" (the number, as a string) and "parameters" (names and values, as strings).`, n, leeway)
}

func (c choice) sections(in *patch.Input, i int, list []offer) []section {
	var b strings.Builder
	for k, o := range list {
		fmt.Fprintf(&b, "option %d: %s\n  why: %s\n", k+1, line(o.option.Title), line(o.option.Why))
		if v := values(o.option); v != "" {
			fmt.Fprintf(&b, "  parameters: %s\n", v)
		}
	}
	s := c.session
	return []section{
		{name: "options", text: s.shown(b.String()), whole: true},
		{name: "what broke", text: s.shown(broke(in, i))},
		{name: "log lines, exceptions and statements", text: s.shown(seen(&in.Suspects[i]))},
	}
}
