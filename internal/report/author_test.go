package report

import (
	"strings"
	"testing"

	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
)

func TestAModelsPartIsShown(t *testing.T) {
	a := &patch.Authorship{Model: "tiny <b>@everyone</b>", Server: "ollama", ModelDigest: "dae161e27b0e", Part: patch.ModelWrote, Reached: patch.AnswerApplied, Exchanges: 2,
		PromptSHA256: strings.Repeat("a", 64), AnswerSHA256: strings.Repeat("b", 64), Left: "functions it calls",
		Parameters: patch.Parameters{Temperature: 0.1, Seed: 7, Context: 4096, Dialect: "json_schema"}}
	c := proposed("text")
	c.Patch.Author = a
	c.Options = append(c.Options, remedy.Option{Rung: patch.Code, Outcome: remedy.Rejected, Why: "refused", Author: &patch.Authorship{Model: "other", Server: "vllm", Part: patch.ModelWrote, Exchanges: 1}})
	pages, err := NewPages()
	if err != nil {
		t.Fatal(err)
	}
	body, err := pages.PullRequest(c)
	if err != nil {
		t.Fatal(err)
	}
	page, err := pages.Report(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"wrote this change", "dae161e27b0e", strings.Repeat("a", 64), strings.Repeat("b", 64), "seed 7", "left out of the prompt: functions it calls"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the body lacks %q", want)
		}
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(string(body), "<b>") || strings.Contains(string(body), "tiny <b>@everyone") || strings.Contains(string(page), "<b>@everyone") {
		t.Error("the model's name is not escaped")
	}
	if !strings.Contains(string(page), "The language model other on vllm (digest not known) was asked;") {
		t.Error("the page does not say that a model was asked for what was rejected")
	}
}
