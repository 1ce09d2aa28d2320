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
	mostFuncs    = 3    // functions that are shown, one of which may change
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
	shown, why := e.places(in, i)
	if len(shown) == 0 {
		return nil, []patch.Left{{Why: why}}
	}
	for k := range i {
		if earlier, _ := e.places(in, k); len(earlier) > 0 {
			return nil, nil // one question of this kind is enough for a case
		}
	}
	g := shown[0]
	return []patch.Option{{
		ID:     "code-model-edits-" + patch.Slug(g.decl.Name.Name, '-', 40),
		Title:  "Revise the code around " + g.key() + " as a model drafts it",
		Why:    fmt.Sprintf("a model can be asked for a change of %s in %s", keys(shown), g.path),
		Target: g.path + ":" + g.key(),
		Size:   sizeOfEdits,
		Params: map[string]string{"file": g.path, "function": g.key()},
	}}, nil
}

// places are the functions that may change: the first of a suspect's places that is one, those of its file that call it,
// and the suspect's other places there. What is wrong is as often how a function is called as what it does.
func (e edits) places(in *patch.Input, i int) ([]*goFunc, string) {
	why := "the suspect's code was not found, so there is nothing to show a model"
	var out []*goFunc
	add := func(path string, line int) {
		g, err := findGo(in.Base, path, line)
		if err != nil {
			why = "no function to ask a model about: " + err.Error()
			return
		}
		if len(out) == mostFuncs || slices.ContainsFunc(out, func(o *goFunc) bool { return o.key() == g.key() }) {
			return
		}
		if _, err := (gorecipe.Branch{Suspect: i, File: g.path, Function: g.key(), Body: g.text(g.decl.Body)}).Draft(in); err != nil {
			why = "no change of it could be switched and tested: " + err.Error()
			return
		}
		out = append(out, g)
	}
	for k, l := range in.Locations[i] {
		switch {
		case k >= mostPlaces:
		case len(out) > 0 && l.File != out[0].path:
		case l.Language != "go":
			why = fmt.Sprintf("a model is asked for Go code only, and %s is not", l.File)
		case !owned(in.Services[in.Suspects[i].Service].Paths, l.File):
			why = l.File + " does not belong to the suspect's service"
		default:
			first := len(out) == 0
			add(l.File, l.Line)
			if first && len(out) > 0 {
				for _, line := range out[0].callers() {
					add(l.File, line)
				}
			}
		}
	}
	return out, why
}

func keys(list []*goFunc) string {
	var out []string
	for _, g := range list {
		out = append(out, g.key())
	}
	return strings.Join(out, " or ")
}

// target finds the function whose body holds the old text of an edit; the first of the list where none does.
func target(list []*goFunc, e edit) *goFunc {
	for _, g := range list {
		at := strings.Index(string(g.src), e.Old)
		if body := g.body(); at >= body.from && at+len(e.Old) <= body.to {
			return g
		}
	}
	return list[0]
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
	shown, why := e.places(in, o.Suspect)
	if len(shown) == 0 {
		return nil, errors.New(why)
	}
	g := shown[0]
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
	read := func(doc []byte) error {
		var a editAnswer
		if err := strict(doc, &a); err != nil {
			return err
		}
		t.by.Reached = patch.AnswerRead
		if len(a.Imports) > maxImports {
			return fmt.Errorf("it names more than %d imports", maxImports)
		}
		if len(a.Edits) > 0 {
			g = target(shown, a.Edits[0])
		}
		changed, err := apply(g.src, g.path, g.body(), a.Edits)
		if err != nil {
			return err
		}
		change, err = g.check(changed, a.Imports)
		return err
	}
	err = t.exchange(ctx, editTask(shown), e.sections(in, o.Suspect, shown), editSchema(g.path), read)
	if errors.Is(err, errNoRoom) && len(shown) > 1 {
		away := keys(shown[1:])
		shown = shown[:1]
		err = t.exchange(ctx, editTask(shown), e.sections(in, o.Suspect, shown), editSchema(g.path), read)
		t.by.Left = strings.TrimSuffix(away+"; "+t.by.Left, "; ")
	}
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

func editTask(shown []*goFunc) string {
	what := "the Go function " + keys(shown)
	if len(shown) > 1 {
		what = "the Go functions " + keys(shown)
	}
	return fmt.Sprintf(`The data describes an incident and %s in %s, where the fault is suspected. Change the body of one function of these, and nothing else, as little as possible, so that the incident ends.
Rules: keep the signature, every check and every error. Refuse what is refused now. Call nothing that the file does not call already, except packages of the standard library that only compute or wait.
Answer with a JSON object: "reason" (one sentence), "edits" (each with "path" %q, "old": lines copied exactly from the function that occur once in the file, "new": what replaces them) and "imports" (import paths of the standard library that the change needs and the file does not have).`, what, shown[0].path, shown[0].path)
}

// sections is the evidence, in the order of its worth.
func (e edits) sections(in *patch.Input, i int, shown []*goFunc) []section {
	s, g := e.session, shown[0]
	var all []string
	for _, f := range shown {
		all = append(all, f.text(f.decl))
	}
	return []section{
		{name: "functions that may change", text: s.code(strings.Join(all, "\n\n")), whole: true},
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
