package llm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/remediator/remediator/patch/modelrecipe"
)

// dialect is a way of holding an answer to a schema.
type dialect int

const (
	jsonSchema dialect = iota // response_format {"type":"json_schema","json_schema":{"schema":...}}: OpenAI, vLLM, LM Studio, llama.cpp
	jsonObject                // response_format {"type":"json_object","schema":...}: llama.cpp, llama-cpp-python
	format                    // "format": schema, of Ollama's own /api/chat
	plain                     // nothing; the prompt asks for JSON and the answer is read strictly
)

var dialects = [...]string{jsonSchema: "json_schema", jsonObject: "json_object with schema", format: "Ollama's format", plain: "none, the answer is only checked"}

func (d dialect) String() string { return dialects[d] }

type chatMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// chatRequest is what is sent, in OpenAI's form.
type chatRequest struct {
	Model       string        `json:"model"`
	Messages    []chatMessage `json:"messages"`
	Temperature float64       `json:"temperature"`
	Seed        int           `json:"seed"`
	MaxTokens   int           `json:"max_tokens"`
	Stream      bool          `json:"stream"`
	Options     any           `json:"stream_options,omitempty"`
	Format      any           `json:"response_format,omitempty"`
}

// ollamaRequest is the form of /api/chat. Only there can the length of the context be said; Ollama's
// OpenAI form cuts at its default.
type ollamaRequest struct {
	Model    string          `json:"model"`
	Messages []chatMessage   `json:"messages"`
	Stream   bool            `json:"stream"`
	Format   json.RawMessage `json:"format,omitempty"`
	Options  map[string]any  `json:"options"`
}

func (d dialect) request(model string, q modelrecipe.Question, window int, stream bool) (path string, body any) {
	messages := []chatMessage{{"system", q.System}, {"user", q.User}}
	if q.System == "" {
		messages = messages[1:]
	}
	if d == format {
		options := map[string]any{"temperature": q.Temperature, "seed": q.Seed, "num_predict": q.MaxTokens}
		if window > 0 {
			options["num_ctx"] = window
		}
		return "/api/chat", ollamaRequest{Model: model, Messages: messages, Stream: stream, Format: q.Schema, Options: options}
	}
	r := chatRequest{Model: model, Messages: messages, Temperature: q.Temperature, Seed: q.Seed, MaxTokens: q.MaxTokens, Stream: stream}
	if stream {
		r.Options = map[string]bool{"include_usage": true}
	}
	if len(q.Schema) > 0 {
		switch d {
		case jsonSchema:
			r.Format = map[string]any{"type": "json_schema", "json_schema": map[string]any{"name": "answer", "strict": true, "schema": q.Schema}}
		case jsonObject:
			r.Format = map[string]any{"type": "json_object", "schema": q.Schema}
		}
	}
	return "/v1/chat/completions", r
}

// chat makes one exchange. The server sees it end when ctx ends: an answer comes as a stream, and the
// connection is closed.
func (c *Client) chat(ctx context.Context, d dialect, model string, q modelrecipe.Question, window int, stream bool) (modelrecipe.Answer, error) {
	path, body := d.request(model, q, window, stream)
	resp, err := c.send(ctx, http.MethodPost, path, body)
	if err != nil {
		return modelrecipe.Answer{}, err
	}
	defer resp.Body.Close()
	a, err := decode(resp.Header.Get("Content-Type"), resp.Body)
	if err != nil && ctx.Err() != nil {
		err = c.unreachable(ctx, ctx.Err())
	}
	return a, err
}

// secretWord is what the probe's schema allows and its prompt does not name: only a server that holds the answer to
// the schema can say it.
const secretWord = "amber-7341"

var probe = modelrecipe.Question{
	System:      "You answer with one JSON object.",
	User:        `Which colour has the sky? Answer as {"colour": "..."}.`,
	Schema:      json.RawMessage(`{"type":"object","properties":{"colour":{"type":"string","enum":["` + secretWord + `"]}},"required":["colour"],"additionalProperties":false}`),
	MaxTokens:   40,
	Seed:        1,
	Temperature: 0.1,
}

// findDialect tries the ways in which servers hold answers to a schema and takes the first that has an effect.
func (c *Client) findDialect(ctx context.Context, kind, model string) (dialect, error) {
	order := []dialect{jsonSchema, jsonObject, format}
	if kind == kindOllama {
		order = []dialect{format}
	}
	for _, d := range order {
		a, err := c.chat(ctx, d, model, probe, 0, false)
		switch {
		case err == nil && held(a.Text):
			return d, nil
		case err != nil && ctx.Err() != nil:
			return plain, err
		case err != nil && !refused(err):
			var s *statusError
			if !errors.As(err, &s) || s.code < 500 || s.code == http.StatusServiceUnavailable {
				if !errors.Is(err, errEmpty) && !strings.Contains(err.Error(), "JSON that was expected") {
					return plain, err
				}
			}
		}
	}
	return plain, nil
}

// held says whether an answer is what the schema of the probe allows.
func held(answer string) bool {
	var v map[string]string
	return json.Unmarshal([]byte(strings.TrimSpace(answer)), &v) == nil && v["colour"] == secretWord
}
