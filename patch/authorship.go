package patch

// Authorship is a model's part in a draft, kept with the case and signed with it. A recipe's own
// draft has none.
type Authorship struct {
	Model string `json:"model"` // name the server was asked for
	// ModelDigest identifies the weights, as far as the server tells; "" when it does not.
	ModelDigest string     `json:"model_digest,omitempty"`
	Server      string     `json:"server,omitempty"` // its kind: "ollama", "llama.cpp", ...
	Part        ModelPart  `json:"part"`
	Parameters  Parameters `json:"parameters"`
	// PromptSHA256 and AnswerSHA256 are of the last exchange, hex.
	PromptSHA256 string `json:"prompt_sha256,omitempty"`
	AnswerSHA256 string `json:"answer_sha256,omitempty"`
	PromptTokens int    `json:"prompt_tokens,omitempty"` // of all exchanges
	AnswerTokens int    `json:"answer_tokens,omitempty"`
	Exchanges    int    `json:"exchanges"`      // 2 with the repair round
	Left         string `json:"left,omitempty"` // what the budget kept out of the prompt, in words
	// Reached is how far the best answer came before anything was built.
	Reached Reached `json:"reached,omitempty"`
}

// ModelPart is what a model was asked for.
type ModelPart string

// The parts a model may have: to choose among recipes, whose drafts stay the recipes', or to write edits.
const (
	ModelChose ModelPart = "choice"
	ModelWrote ModelPart = "edits"
)

// Reached is how far an answer came.
type Reached string

// An answer is of the form that was asked for, or is a draft too.
const (
	AnswerRead    Reached = "read"
	AnswerApplied Reached = "applied"
)

// Parameters are what an exchange was made with.
type Parameters struct {
	Temperature float64 `json:"temperature"`
	Seed        int     `json:"seed"`
	MaxTokens   int     `json:"max_tokens"`
	Context     int     `json:"context"` // tokens the server was found to see
	Dialect     string  `json:"dialect"` // how the answer was held to its schema
}

// AuthoredError is a draft that failed after a model had been asked.
type AuthoredError struct {
	By  Authorship
	Err error
}

func (e *AuthoredError) Error() string { return e.Err.Error() }

func (e *AuthoredError) Unwrap() error { return e.Err }
