package remedy_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
)

// modelled is a recipe whose draft a model had a part in.
type modelled struct {
	recipe
	part patch.ModelPart
	err  error
	ctx  context.Context
}

func (m modelled) Name() string { return "model-test@1" }

func (m modelled) Within(ctx context.Context) patch.Recipe { m.ctx = ctx; return m }

func (m modelled) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	options, left := m.recipe.Propose(in, i)
	for k := range options {
		options[k].Recipe = m.Name()
	}
	return options, left
}

func (m modelled) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	by := patch.Authorship{Model: "tiny", Part: m.part, PromptSHA256: "4111111111111111" + strings.Repeat("a", 48), Exchanges: 1}
	if m.ctx == nil {
		return nil, errors.New("nobody said how long to wait")
	}
	if m.err != nil {
		return nil, &patch.AuthoredError{By: by, Err: m.err}
	}
	p, err := m.recipe.Draft(in, o)
	if err == nil {
		p.Author = &by
	}
	return p, err
}

func TestWhatAModelWroteIsNotProposedOnATestOfItsGuard(t *testing.T) {
	f := newFixture()
	f.recipes = []patch.Recipe{modelled{recipe: recipe{rung: patch.Code}, part: patch.ModelWrote}}
	c := f.run(t, nil)
	if c.Declined == nil || len(f.repo.commits) != 0 {
		t.Fatalf("a draft whose incident was not replayed was proposed: %+v", c.Options)
	}
	o := c.Options[0]
	if !slices.ContainsFunc(o.Verdicts.Checks, func(c remedy.Check) bool { return c.Want == "red" && c.OK }) {
		t.Fatal("the test did not turn from red to green, so this shows nothing")
	}
	if o.Outcome != remedy.Rejected || !strings.Contains(o.Why, "a model wrote it") || o.Author == nil {
		t.Errorf("%s: %s (%+v)", o.Outcome, o.Why, o.Author)
	}
}

func TestWhatAModelChoseIsHeldToTheTestOfTheRecipe(t *testing.T) {
	f := newFixture()
	f.recipes = []patch.Recipe{modelled{recipe: recipe{rung: patch.Code}, part: patch.ModelChose}}
	c := f.run(t, nil)
	if c.Declined != nil {
		t.Fatalf("declined: %s", c.Declined.Why)
	}
	if c.Patch.Author == nil || c.Patch.Author.Model != "tiny" {
		t.Errorf("the case does not say which model chose: %+v", c.Patch.Author)
	}

	f = newFixture()
	f.recipes = []patch.Recipe{modelled{recipe: recipe{rung: patch.Config}, part: patch.ModelChose}}
	if c := f.run(t, nil); c.Declined == nil {
		t.Error("a choice that nothing speaks for was proposed")
	}
}

// renamed is another recipe of the kind.
type renamed struct{ modelled }

func (r renamed) Name() string { return "model-test-two@1" }

func (r renamed) Within(ctx context.Context) patch.Recipe { r.ctx = ctx; return r }

func (r renamed) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	options, left := r.modelled.Propose(in, i)
	for k := range options {
		options[k].Recipe = r.Name()
	}
	return options, left
}

func TestAModelIsAskedAfterEveryRecipe(t *testing.T) {
	f := newFixture()
	f.recipes = []patch.Recipe{modelled{recipe: recipe{rung: patch.Config}, part: patch.ModelWrote}, recipe{rung: patch.Code}}
	c := f.run(t, nil)
	if c.Declined != nil || c.Patch.Author != nil {
		t.Fatalf("the recipe was not taken: %+v", c.Options)
	}
	if len(c.Options) < 2 || c.Options[0].Rung != patch.Code || c.Options[1].Recipe != "model-test@1" {
		t.Errorf("the model was asked before a recipe of a dearer rung: %+v", c.Options)
	}
}

func TestAModelThatFailsDoesNotStopTheLadder(t *testing.T) {
	f := newFixture()
	f.recipes = []patch.Recipe{modelled{recipe: recipe{rung: patch.Config}, part: patch.ModelWrote, err: errors.New("the model server at http://127.0.0.1:1 does not answer")}, modelled{recipe: recipe{rung: patch.Code}, part: patch.ModelChose}}
	f.recipes[1] = renamed{f.recipes[1].(modelled)}
	c := f.run(t, nil)
	if c.Declined != nil {
		t.Fatalf("declined: %s", c.Declined.Why)
	}
	o := c.Options[0]
	if o.Outcome != remedy.Rejected || !strings.Contains(o.Why, "does not answer") {
		t.Errorf("the report does not say that the model was out of reach: %s %s", o.Outcome, o.Why)
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"prompt_sha256":"4111111111111111aaaa`) {
		t.Errorf("the digest of the prompt is not kept whole: %s", text)
	}
}
