package llm

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"

	"github.com/remediator/remediator/patch/modelrecipe"
)

// maxLine bounds one line of a stream.
const maxLine = 1 << 20

var (
	errLong  = fmt.Errorf("the model's answer is longer than %d KiB", maxAnswer>>10)
	errEmpty = errors.New("the model's answer holds no text")
)

// chunk is a whole answer or a part of one, in OpenAI's form and in Ollama's.
type chunk struct {
	Choices []struct {
		Message      *words  `json:"message"`
		Delta        *words  `json:"delta"`
		Text         string  `json:"text"`
		FinishReason *string `json:"finish_reason"`
	} `json:"choices"`
	Usage *struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
	} `json:"usage"`
	// Ollama
	Message         *words `json:"message"`
	DoneReason      string `json:"done_reason"`
	PromptEvalCount int    `json:"prompt_eval_count"`
	EvalCount       int    `json:"eval_count"`

	Error json.RawMessage `json:"error"`
}

// words are what a model said. Its reasoning, which some servers keep apart, is not read.
type words struct {
	Content   text   `json:"content"`
	Refusal   string `json:"refusal"`
	ToolCalls []struct {
		Function struct {
			Arguments json.RawMessage `json:"arguments"`
		} `json:"function"`
	} `json:"tool_calls"`
}

// text is a string or a list of parts, of which those with a text count.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var s *string
	if json.Unmarshal(b, &s) == nil {
		if s != nil {
			*t = text(*s)
		}
		return nil
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(b, &parts); err != nil {
		return errors.New("content is neither a text nor a list of parts")
	}
	for _, p := range parts {
		*t += text(p.Text)
	}
	return nil
}

// collector puts an answer together.
type collector struct {
	said, called strings.Builder
	refusal      string
	out          modelrecipe.Answer
}

func (c *collector) add(b []byte) error {
	var k chunk
	if err := json.Unmarshal(b, &k); err != nil {
		return errors.New("the model server's answer is not the JSON that was expected")
	}
	if len(k.Error) > 0 && string(k.Error) != "null" {
		return fmt.Errorf("the model server broke off: %s", (&Client{}).clean(message(b)))
	}
	say := func(w *words) {
		if w == nil {
			return
		}
		c.said.WriteString(string(w.Content))
		if w.Refusal != "" {
			c.refusal += w.Refusal
		}
		for _, t := range w.ToolCalls {
			var s string
			if json.Unmarshal(t.Function.Arguments, &s) == nil { // OpenAI: JSON inside a string
				c.called.WriteString(s)
			} else { // Ollama: an object
				c.called.Write(t.Function.Arguments)
			}
		}
	}
	say(k.Message)
	for i := range k.Choices {
		if i > 0 {
			break // one answer was asked for
		}
		ch := &k.Choices[i]
		say(ch.Message)
		say(ch.Delta)
		c.said.WriteString(ch.Text)
		if ch.FinishReason != nil {
			c.out.Cut = *ch.FinishReason == "length"
		}
	}
	if k.DoneReason != "" {
		c.out.Cut = k.DoneReason == "length"
	}
	if k.Usage != nil {
		c.out.PromptTokens, c.out.AnswerTokens = max(k.Usage.PromptTokens, 0), max(k.Usage.CompletionTokens, 0)
	}
	if k.EvalCount > 0 || k.PromptEvalCount > 0 {
		c.out.PromptTokens, c.out.AnswerTokens = max(k.PromptEvalCount, 0), max(k.EvalCount, 0)
	}
	if c.said.Len()+c.called.Len()+len(c.refusal) > maxAnswer {
		return errLong
	}
	return nil
}

// answer is what was said in words, else what was said as the arguments of a call.
func (c *collector) answer() (modelrecipe.Answer, error) {
	c.out.Text = c.said.String()
	if strings.TrimSpace(c.out.Text) == "" {
		c.out.Text = c.called.String()
	}
	if strings.TrimSpace(c.out.Text) == "" && c.refusal != "" {
		return c.out, fmt.Errorf("the model refuses: %s", (&Client{}).clean(c.refusal))
	}
	if strings.TrimSpace(c.out.Text) == "" {
		return c.out, errEmpty
	}
	return c.out, nil
}

// decode reads an answer: server-sent events, or JSON in one piece or one object a line.
func decode(contentType string, r io.Reader) (modelrecipe.Answer, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = contentType
	}
	var c collector
	switch kind {
	case "text/event-stream":
		err = events(r, c.add)
	case "application/x-ndjson":
		err = lines(r, c.add)
	default:
		var b []byte
		if b, err = io.ReadAll(io.LimitReader(r, maxBody+1)); err == nil {
			if len(b) > maxBody {
				err = errLong
			} else {
				err = c.add(b)
			}
		}
	}
	if err != nil {
		return modelrecipe.Answer{}, err
	}
	return c.answer()
}

// events reads server-sent events (WHATWG HTML, section 9.2): data lines of one event are joined by line feeds, an
// empty line ends it, and other fields and comments do not matter here. "[DONE]" ends the stream.
func events(r io.Reader, do func([]byte) error) error {
	var data []string
	done := false
	flush := func() error {
		if len(data) == 0 {
			return nil
		}
		event := strings.Join(data, "\n")
		data = nil
		if strings.TrimSpace(event) == "[DONE]" {
			done = true
			return nil
		}
		return do([]byte(event))
	}
	size := 0
	err := eachLine(r, func(line string) error {
		if done {
			return io.EOF
		}
		if line == "" {
			size = 0
			return flush()
		}
		if value, ok := strings.CutPrefix(line, "data:"); ok {
			if size += len(value); size > maxLine {
				return errLong
			}
			data = append(data, strings.TrimPrefix(value, " "))
		}
		return nil
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if done {
		return nil
	}
	return flush()
}

func lines(r io.Reader, do func([]byte) error) error {
	return eachLine(r, func(line string) error {
		if strings.TrimSpace(line) == "" {
			return nil
		}
		return do([]byte(line))
	})
}

// eachLine reads lines of a bounded length that end with LF, CR LF or the stream.
func eachLine(r io.Reader, do func(string) error) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), maxLine)
	for s.Scan() {
		if err := do(strings.TrimSuffix(s.Text(), "\r")); err != nil {
			return err
		}
	}
	if errors.Is(s.Err(), bufio.ErrTooLong) {
		return errLong
	}
	return s.Err()
}
