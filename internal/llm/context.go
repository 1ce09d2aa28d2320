package llm

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/remediator/remediator/patch/modelrecipe"
)

// A prompt never needs more than measured; a server that reads that much is not asked for more.
const (
	measured  = 8192
	leastUsed = 1024
	overlong  = 2_000_000 // bytes of a prompt that no server of this kind reads; most refuse it at once and say why
)

// contextInError finds the limit in the words of servers that refuse a prompt: "maximum context length is 8192
// tokens" (vLLM, llama-cpp-python, OpenAI), "exceeds the available context size (4096 tokens)" (llama.cpp).
var contextInError = regexp.MustCompile(`(?i)(?:maximum context length is|available context size \(|context (?:window|length|size)(?: of| is|:)?)\s*(\d{3,8})`)

// Words that end a long prompt's beginning and end, and that an attentive reader can repeat.
const (
	firstMark = "quartz"
	lastMark  = "walnut"
)

// measure finds how long a prompt the server reads where it does not tell. It refuses one that is much too long and
// names its limit; or it is given shorter and shorter ones until it says itself that it read all of one (the usage
// it reports) or repeats a word from the beginning. A server that does neither is trusted with little.
func (c *Client) measure(ctx context.Context, d dialect, f facts) (tokens int, from string, err error) {
	if f.kind == kindPython { // checks the length before it computes anything
		_, err := c.chat(ctx, d, f.name, modelrecipe.Question{User: strings.Repeat("word ", overlong/5), MaxTokens: 1}, 0, false)
		if n := limitIn(err); n > 0 {
			return n, "the server's refusal of a longer prompt", nil
		}
	}
	for want := measured; want >= leastUsed; want /= 2 {
		// "word " is one token everywhere; the rest is room for the question, the template and the answer.
		filler := strings.Repeat("word ", want-120)
		q := modelrecipe.Question{
			User:      "The first word is " + firstMark + ".\n" + filler + "\nThe last word is " + lastMark + ".\nName the first word and the last word. Answer with these two words only.",
			MaxTokens: 24, Seed: 1, Temperature: 0.1,
		}
		a, err := c.chat(ctx, d, f.name, q, 0, false)
		switch {
		case limitIn(err) > 0:
			return limitIn(err), "the server's refusal of a longer prompt", nil
		case err != nil && ctx.Err() != nil:
			return 0, "", fmt.Errorf("finding the length of the context: %w; give it with model.context", err)
		case err != nil && !refused(err) && !errors.Is(err, errEmpty):
			return 0, "", fmt.Errorf("finding the length of the context: %w", err)
		case err != nil && refused(err):
			continue
		case a.PromptTokens >= want-120:
			return want, fmt.Sprintf("a prompt of %d tokens that the server says it read", a.PromptTokens), nil
		case a.PromptTokens > leastUsed/4:
			return a.PromptTokens, fmt.Sprintf("a longer prompt of which the server says it read %d tokens", a.PromptTokens), nil
		case strings.Contains(strings.ToLower(a.Text), firstMark) && strings.Contains(strings.ToLower(a.Text), lastMark):
			return want, "a prompt whose first and last word the model could name", nil
		}
	}
	return leastUsed, "nothing: the server shows no sign of reading more", nil
}

// limitIn is the length of the context that a refusal names, 0 for none.
func limitIn(err error) int {
	var s *statusError
	if !errors.As(err, &s) {
		return 0
	}
	m := contextInError.FindStringSubmatch(s.message)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n < 128 {
		return 0
	}
	return n
}
