package modelrecipe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxText bounds an answer that is read.
const maxText = 1 << 20

var (
	errNoObject = errors.New("the answer holds no JSON object")
	errCutOff   = errors.New("the JSON of the answer is cut off")
	errTwo      = errors.New("the answer holds more than one JSON object")
)

// thought is what models think aloud before they answer.
var thought = regexp.MustCompile(`(?s)<(think|thinking|reasoning)>.*?</(think|thinking|reasoning)>`)

// object finds the one JSON object of an answer: bare, after thoughts, inside a fence of Markdown, or as the arguments
// of a call that was not asked for. Around it there may be words.
func object(text string) ([]byte, error) {
	switch {
	case len(text) > maxText:
		return nil, fmt.Errorf("the answer is longer than %d KiB", maxText>>10)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return nil, errors.New("the answer is not a text")
	}
	text = thought.ReplaceAllString(text, "")
	for _, end := range []string{"</think>", "</thinking>", "</reasoning>", "<|message|>"} {
		if i := strings.LastIndex(text, end); i >= 0 { // the beginning is the template's
			text = text[i+len(end):]
		}
	}
	if strings.Contains(text, "<think") {
		return nil, errors.New("the model thinks aloud and does not come to an answer")
	}
	doc, rest, err := firstObject(text)
	if err != nil {
		return nil, err
	}
	if other, _, err := firstObject(rest); err == nil && !bytes.Equal(other, doc) {
		return nil, errTwo
	}
	return unwrap(doc, 0)
}

func firstObject(text string) (doc []byte, rest string, err error) {
	err = errNoObject
	for tries := 0; tries < 32; tries++ {
		i := strings.IndexByte(text, '{')
		if i < 0 {
			return nil, "", err
		}
		text = text[i:]
		d := json.NewDecoder(strings.NewReader(text))
		var raw json.RawMessage
		switch decodeErr := d.Decode(&raw); {
		case decodeErr == nil:
			return raw, text[d.InputOffset():], nil
		case errors.Is(decodeErr, io.ErrUnexpectedEOF):
			return nil, "", errCutOff // an object inside of it is not the answer
		}
		text = text[1:]
	}
	return nil, "", err
}

// unwrap takes the arguments out of what is written like a call of a tool.
func unwrap(doc []byte, depth int) ([]byte, error) {
	var call struct {
		Name       *string         `json:"name"`
		Arguments  json.RawMessage `json:"arguments"`
		Parameters json.RawMessage `json:"parameters"`
		Function   json.RawMessage `json:"function"`
		ToolCalls  []struct {
			Function json.RawMessage `json:"function"`
		} `json:"tool_calls"`
	}
	if depth > 2 || json.Unmarshal(doc, &call) != nil {
		return doc, nil
	}
	inner := call.Arguments
	switch {
	case len(call.ToolCalls) > 1:
		return nil, errTwo
	case len(call.ToolCalls) == 1:
		inner = call.ToolCalls[0].Function
	case len(call.Function) > 0 && call.Function[0] == '{':
		inner = call.Function
	case call.Name == nil:
		return doc, nil
	case len(inner) == 0:
		inner = call.Parameters
	}
	var quoted string
	if json.Unmarshal(inner, &quoted) == nil {
		inner = json.RawMessage(quoted)
	}
	if len(inner) == 0 || inner[0] != '{' || !json.Valid(inner) {
		return doc, nil
	}
	return unwrap(inner, depth+1)
}

// strict decodes a document that has the fields of v and no others, and none of them twice.
func strict(doc []byte, v any) error {
	if err := once(json.NewDecoder(bytes.NewReader(doc)), 0); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return fmt.Errorf("the answer's %q is a %s, which it may not be", wrong.Field, wrong.Value)
		}
		return fmt.Errorf("the answer is not of the form that was asked for: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// once refuses objects that name a member twice: readers disagree on which one counts.
func once(d *json.Decoder, depth int) error {
	if depth > 32 {
		return errors.New("the answer is nested too deeply")
	}
	t, err := d.Token()
	if err != nil {
		return errCutOff
	}
	open, ok := t.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			k, err := d.Token()
			if err != nil {
				return errCutOff
			}
			name := strings.ToLower(fmt.Sprint(k)) // encoding/json does not mind the case
			if seen[name] {
				return fmt.Errorf("the answer has the member %q twice", name)
			}
			seen[name] = true
		}
		if err := once(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}
