package remedy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/patch"
)

// waiting is a recipe whose draft waits for somebody else, such as a model server. Within gives it the context that
// ends the waiting.
type waiting interface {
	patch.Recipe
	Within(ctx context.Context) patch.Recipe
}

// askedLast moves the options whose draft waits for somebody to the end: they neither delay a recipe nor take its place
// among those that are tried.
func askedLast(options []patch.Option, recipes []patch.Recipe) []patch.Option {
	var out, last []patch.Option
	for _, o := range options {
		i := slices.IndexFunc(recipes, func(r patch.Recipe) bool { return r.Name() == o.Recipe })
		if i >= 0 {
			if _, ok := recipes[i].(waiting); ok {
				last = append(last, o)
				continue
			}
		}
		out = append(out, o)
	}
	return append(out, last...)
}

// draft drafts an option and notes a model's part in it, also where the draft failed.
func (r *run) draft(ctx context.Context, o patch.Option, rec *Option) (*patch.Patch, error) {
	recipes := slices.Clone(r.Recipes)
	for i := range recipes {
		if w, ok := recipes[i].(waiting); ok {
			recipes[i] = w.Within(ctx)
		}
	}
	pt, err := patch.Draft(r.input, o, recipes)
	var failed *patch.AuthoredError
	switch {
	case errors.As(err, &failed):
		rec.Author = &failed.By
	case err == nil:
		rec.Author = pt.Author
	}
	return pt, err
}

// unproved says why a draft that a model had a part in is not worth proposing. What a model wrote must be seen to
// end the incident, or to mend golden traces: neither the ranking nor a test of the guard alone
// speaks for it. What it only chose is a recipe's draft; there the recipe's own test counts too.
func unproved(a *patch.Authorship, v *Verdicts) string {
	switch {
	case a == nil || v.Proved || v.mends():
		return ""
	case a.Part == patch.ModelWrote:
		return "a model wrote it, and no recorded trace was seen to turn from red to green"
	case slices.ContainsFunc(v.Checks, func(c Check) bool { return c.Want == "red" && c.OK }):
		return ""
	}
	return "a model chose it, and nothing was seen to turn from red to green"
}

// author says who wrote a patch, for the statement.
func author(p *patch.Patch) (attest.Author, error) {
	out := attest.Author{Recipe: p.Option.Recipe, Rung: string(p.Option.Rung)}
	if p.Author == nil {
		return out, nil
	}
	out.Model, out.PromptSHA256 = p.Author.Model, p.Author.PromptSHA256
	var err error
	if out.Parameters, err = json.Marshal(p.Author); err != nil {
		return out, fmt.Errorf("writing the model's part: %w", err)
	}
	return out, nil
}
