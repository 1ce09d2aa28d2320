package report

import (
	"fmt"
	"strings"

	"github.com/remediator/remediator/patch"
)

// authorship says in one sentence what part a model had in a draft, with what identifies model, prompt and answer.
func authorship(a *patch.Authorship) string {
	did := "wrote this change"
	if a.Part == patch.ModelChose {
		did = "chose the recipe and its parameters"
	}
	digest := "digest not known"
	if a.ModelDigest != "" {
		digest = "digest " + a.ModelDigest
	}
	out := []string{fmt.Sprintf("The language model %s on %s (%s) was asked and %s", a.Model, a.Server, digest, did)}
	if a.Reached != patch.AnswerApplied {
		out[0] = fmt.Sprintf("The language model %s on %s (%s) was asked", a.Model, a.Server, digest)
	}
	out = append(out, fmt.Sprintf("temperature %g, seed %d, context %d tokens, schema held by %s", a.Parameters.Temperature, a.Parameters.Seed, a.Parameters.Context, a.Parameters.Dialect))
	out = append(out, fmt.Sprintf("exchanges %d, tokens in %d and out %d", a.Exchanges, a.PromptTokens, a.AnswerTokens))
	if a.PromptSHA256 != "" {
		out = append(out, "prompt sha256 "+a.PromptSHA256)
	}
	if a.AnswerSHA256 != "" {
		out = append(out, "answer sha256 "+a.AnswerSHA256)
	}
	if a.Left != "" {
		out = append(out, "left out of the prompt: "+a.Left)
	}
	return strings.Join(out, "; ") + "."
}
