package llm

import (
	"context"
	"net/http"
	"unicode/utf8"
)

// counter is a way of counting tokens.
type counter int

const (
	countEstimate counter = iota
	countTokenize         // llama.cpp: POST /tokenize {"content"} -> {"tokens":[...]}
	countVLLM             // vLLM: POST /tokenize {"model","prompt"} -> {"count"}
	countExtras           // llama-cpp-python: POST /extras/tokenize/count {"input"} -> {"count"}
)

var counters = [...]string{countEstimate: "estimated from above", countTokenize: "by the server", countVLLM: "by the server", countExtras: "by the server"}

func (c counter) String() string { return counters[c] }

// Count is the number of tokens of a text by the server's own tokenizer, or an estimate from above where it
// has none to ask or does not answer.
func (c *Client) Count(ctx context.Context, text string) int {
	c.mu.Lock()
	how, name := c.counter, c.opt.Model
	if c.known != nil {
		name = c.known.Name
	}
	c.mu.Unlock()
	if n := c.countWith(ctx, how, name, text); n > 0 {
		return n
	}
	return estimate(text)
}

// countWith is 0 where the server does not tell.
func (c *Client) countWith(ctx context.Context, how counter, model, text string) int {
	var out struct {
		Count  int   `json:"count"`
		Tokens []any `json:"tokens"`
	}
	var err error
	switch how {
	case countTokenize:
		err = c.call(ctx, http.MethodPost, "/tokenize", map[string]any{"content": text}, &out)
	case countVLLM:
		err = c.call(ctx, http.MethodPost, "/tokenize", map[string]any{"model": model, "prompt": text}, &out)
	case countExtras:
		err = c.call(ctx, http.MethodPost, "/extras/tokenize/count", map[string]any{"input": text}, &out)
	default:
		return 0
	}
	if err != nil {
		return 0
	}
	return max(out.Count, len(out.Tokens))
}

// estimate counts more tokens than byte-pair encodings make of such a text: one for every four letters of a
// word, one for each digit and each mark, one for a run of blanks, and one for each byte beyond ASCII.
func estimate(s string) int {
	n, letters := 0, 0
	blank := false
	flush := func() { n += (letters + 3) / 4; letters = 0 }
	for _, r := range s {
		switch {
		case r == ' ' || r == '\t':
			flush()
			if blank {
				break
			}
			n++
			blank = true
			continue
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			letters++
		case r < utf8.RuneSelf:
			flush()
			n++
		default:
			flush()
			n += max(utf8.RuneLen(r), 1)
		}
		blank = r == ' ' || r == '\t'
	}
	flush()
	return n
}
