package modelrecipe

import (
	"context"
	"encoding/json"
)

// Model is a language model that answers one question at a time. An error says what to look at; it is never a
// reason to stop a case.
type Model interface {
	// Describe says what the model is. It finds out at the first call and remembers.
	Describe(ctx context.Context) (Description, error)
	// Count is how many tokens a text has, or a bound from above where nobody can tell.
	Count(ctx context.Context, text string) int
	Ask(ctx context.Context, q Question) (Answer, error)
}

// Description is what is known of a model and its server.
type Description struct {
	Name    string `json:"model"`
	Server  string `json:"server"`           // kind: "ollama", "llama.cpp", ...
	Digest  string `json:"digest,omitempty"` // of the weights, as far as the server tells
	Weights int64  `json:"weights,omitempty"`
	// Context is how many tokens of prompt and answer together the server was found to see.
	Context     int    `json:"context"`
	ContextFrom string `json:"context_from"` // how that was found
	Dialect     string `json:"dialect"`      // how answers are held to a schema
	Counting    string `json:"counting"`     // how tokens are counted
}

// small is the number of weights below which a model is asked to choose among recipes rather than to write.
const small = 4_000_000_000

// Small says whether the model is known to be too small to write code.
func (d Description) Small() bool { return d.Weights > 0 && d.Weights < small }

// Question is one exchange.
type Question struct {
	System, User string
	Schema       json.RawMessage // of the answer
	MaxTokens    int
	Seed         int
	Temperature  float64
}

// Answer is what came back, unread.
type Answer struct {
	Text string
	// PromptTokens and AnswerTokens are what the server counted, 0 where it did not say.
	PromptTokens, AnswerTokens int
	// Cut says that the answer ended because it was as long as it may be.
	Cut bool
}
