package modelrecipe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/patch/gorecipe"
)

const (
	// sizeOfEdits and sizeOfChoice put what a model drafts behind what recipes draft for the same suspect.
	sizeOfEdits  = 1000
	sizeOfChoice = 500
	editTokens   = 1200 // of an answer
	mostPlaces   = 3    // places of a suspect that are looked at for a function to change
	maxImports   = 4
)

// edits is the recipe that lets a model write.
type edits struct {
	session *session
	recipes []patch.Recipe // those that go before
	ctx     context.Context
}

func (edits) Name() string     { return "model-edits@1" }
func (edits) Rung() patch.Rung { return patch.Code }

// Within gives the context of a draft.
func (e edits) Within(ctx context.Context) patch.Recipe { e.ctx = ctx; return e }

// Propose offers the first suspect whose code is a Go function that can be branched. The model is not asked yet: only
// when nothing before this option was proved.
func (e edits) Propose(in *patch.Input, i int) ([]patch.Option, []patch.Left) {
	g, why := e.place(in, i)
	if g == nil {
		return nil, []patch.Left{{Why: why}}
	}
	for k := range i {
		if earlier, _ := e.place(in, k); earlier != nil {
			return nil, nil // one question of this kind is enough for a case
		}
	}
	return []patch.Option{{
		ID:     "code-model-edits-" + patch.Slug(g.decl.Name.Name, '-', 40),
		Title:  "Revise " + g.key() + " as a model drafts it",
		Why:    fmt.Sprintf("a model can be asked for a change of %s in %s", g.key(), g.path),
		Target: g.path + ":" + g.key(),
		Size:   sizeOfEdits,
		Params: map[string]string{"file": g.path, "function": g.key()},
	}}, nil
}

// place is the function to change: the first of a suspect's places that is one.
func (e edits) place(in *patch.Input, i int) (*goFunc, string) {
	why := "the suspect's code was not found, so there is nothing to show a model"
	for k, l := range in.Locations[i] {
		if k == mostPlaces {
			break
		}
		if l.Language != "go" {
			why = fmt.Sprintf("a model is asked for Go code only, and %s is not", l.File)
			continue
		}
		if !owned(in.Services[in.Suspects[i].Service].Paths, l.File) {
			why = l.File + " does not belong to the suspect's service"
			continue
		}
		g, err := findGo(in.Base, l.File, l.Line)
		if err != nil {
			why = "no function to ask a model about: " + err.Error()
			continue
		}
		if _, err := (gorecipe.Branch{Suspect: i, File: g.path, Function: g.key(), Body: g.text(g.decl.Body)}).Draft(in); err != nil {
			why = "no change of it could be switched and tested: " + err.Error()
			continue
		}
		return g, ""
	}
	return nil, why
}

// owned says whether a service owns a path; one that names no paths owns all.
func owned(globs []string, path string) bool {
	return len(globs) == 0 || slices.ContainsFunc(globs, func(g string) bool {
		ok, err := doublestar.Match(g, path)
		return err == nil && ok || strings.HasSuffix(g, "/") && strings.HasPrefix(path, g)
	})
}

// editAnswer is what a model answers.
type editAnswer struct {
	Reason  string   `json:"reason"` // lets the model think first; nobody reads it
	Edits   []edit   `json:"edits"`
	Imports []string `json:"imports"`
}

// editSchema is the form of the answer. Lengths are checked afterwards: servers that make a grammar of a schema repeat a
// rule as often as maxLength says, and give up.
func editSchema(path string) []byte {
	text := map[string]any{"type": "string"}
	b, err := json.Marshal(map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"reason", "edits", "imports"},
		"properties": map[string]any{
			"reason": text,
			"edits": map[string]any{"type": "array", "minItems": 1, "maxItems": maxEdits, "items": map[string]any{
				"type": "object", "additionalProperties": false, "required": []string{"path", "old", "new"},
				"properties": map[string]any{"path": map[string]any{"type": "string", "enum": []string{path}}, "old": text, "new": text},
			}},
			"imports": map[string]any{"type": "array", "maxItems": maxImports, "items": text},
		},
	})
	if err != nil {
		panic(err) // of constants and a string
	}
	return b
}

func (e edits) Draft(in *patch.Input, o patch.Option) (*patch.Patch, error) {
	g, why := e.place(in, o.Suspect)
	if g == nil {
		return nil, errors.New(why)
	}
	if got := g.path + ":" + g.key(); got != o.Target {
		return nil, fmt.Errorf("the function to revise is %s, not %s", got, o.Target)
	}
	ctx, done, err := e.session.begin(e.ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	t, err := e.session.sit(ctx, patch.ModelWrote, editTokens)
	if err != nil {
		return nil, err
	}
	if t.what.Small() && applies(in, o.Suspect, e.recipes) {
		return nil, fmt.Errorf("%s has %d million weights; where recipes apply, a model of less than %d million is only asked to choose among them", t.what.Name, t.what.Weights/1e6, int64(small/1e6))
	}
	var change *goChange
	err = t.exchange(ctx, editTask(g), e.sections(in, o.Suspect, g), editSchema(g.path), func(doc []byte) error {
		var a editAnswer
		if err := strict(doc, &a); err != nil {
			return err
		}
		t.by.Reached = patch.AnswerRead
		if len(a.Imports) > maxImports {
			return fmt.Errorf("it names more than %d imports", maxImports)
		}
		changed, err := apply(g.src, g.path, g.body(), a.Edits)
		if err != nil {
			return err
		}
		change, err = g.check(changed, a.Imports)
		return err
	})
	if err != nil {
		return nil, t.failed(err)
	}
	p, err := gorecipe.Branch{Suspect: o.Suspect, File: g.path, Function: g.key(), Body: change.body, Imports: change.imports}.Draft(in)
	if err != nil {
		return nil, t.failed(err)
	}
	t.by.Reached = patch.AnswerApplied
	p.Author = &t.by
	p.Summary = []string{
		fmt.Sprintf("With %s on, a copy of %s runs in its place, in which %d lines are new and %d are gone; a language model wrote them.", p.Flag.Name, g.key(), change.added, change.deleted),
		fmt.Sprintf("With it off (the default) %s runs as it was.", g.key()),
	}
	p.Risks = append(p.Risks, "A language model wrote this. The traces that were replayed speak for it and nothing else does; compare the copy with the function line by line.",
		"The generated test shows that the flag switches between the two bodies, not that the new one is right.")
	return p, nil
}

// failed is an error of a draft with what is known of the model's part.
func (t *sitting) failed(err error) error {
	if t.by.Exchanges == 0 {
		return err
	}
	return &patch.AuthoredError{By: t.by, Err: err}
}

func editTask(g *goFunc) string {
	return fmt.Sprintf(`The data describes an incident and the Go function %s that is suspected, in %s. Change the body of this function, and only it, as little as possible, so that the incident ends.
Rules: keep the signature, every check and every error. Refuse what is refused now. Call nothing that the file does not call already, except packages of the standard library that only compute or wait.
Answer with a JSON object: "reason" (one sentence), "edits" (each with "path" %q, "old": lines copied exactly from the function that occur once in the file, "new": what replaces them) and "imports" (import paths of the standard library that the change needs and the file does not have).`, g.key(), g.path, g.path)
}

// sections is the evidence, in the order of its worth.
func (e edits) sections(in *patch.Input, i int, g *goFunc) []section {
	s := e.session
	return []section{
		{name: "the function", text: s.code(g.text(g.decl)), whole: true},
		{name: "what broke", text: s.shown(broke(in, i))},
		{name: "the change that is blamed, in this file", text: s.shown(blamed(in, i, g.path))},
		{name: "declarations of the file", text: s.code(g.around())},
		{name: "log lines, exceptions and statements", text: s.shown(seen(&in.Suspects[i]))},
		{name: "functions it calls", text: s.code(g.called())},
	}
}

// code is source text for a prompt. It is redacted like the rest; an edit of a line that was is refused, since its old text
// does not occur.
func (s *session) code(text string) string { return s.shown(text) }

// applies says whether a recipe has an option for the suspect.
func applies(in *patch.Input, i int, recipes []patch.Recipe) bool {
	return len(offers(in, i, recipes)) > 0
}
