package llm

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/patch/modelrecipe"
)

var d4096 = modelrecipe.Description{Name: "m", Context: 4096}

func TestAnswersInTheFormsServersHave(t *testing.T) {
	for _, test := range []struct{ name, kind, body, want, err string }{
		{"whole", "application/json", `{"choices":[{"message":{"content":"{}"}}]}`, "{}", ""},
		{"parts", "application/json", `{"choices":[{"message":{"content":[{"type":"text","text":"{"},{"type":"text","text":"}"}]}}]}`, "{}", ""},
		{"thoughts apart", "application/json", `{"choices":[{"message":{"content":"{}","reasoning_content":"I think of { and }"}}]}`, "{}", ""},
		{"a call", "application/json", `{"choices":[{"message":{"content":null,"tool_calls":[{"type":"function","function":{"name":"edit","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}]}`, `{"a":1}`, ""},
		{"a call in parts", "text/event-stream", "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"{\\\"a\\\"\"}}]}}]}\n\ndata: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\":1}\"}}]}}]}\n\n", `{"a":1}`, ""},
		{"Ollama's call", "application/json", `{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"edit","arguments":{"a":1}}}]},"done":true}`, `{"a":1}`, ""},
		{"a refusal", "application/json", `{"choices":[{"message":{"content":null,"refusal":"I cannot help with that."}}]}`, "", "the model refuses: I cannot help with that."},
		{"nothing", "application/json", `{"choices":[]}`, "", "holds no text"},
		{"an error in the stream", "text/event-stream", "data: {\"error\":{\"message\":\"out of memory\"}}\n\n", "", "broke off: out of memory"},
		{"no JSON", "application/json", "<html>", "", "not the JSON"},
		{"cut in the stream", "text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"{\"}}]}\n\ndata: {\"choi", "", "not the JSON"},
		{"comments and CR LF", "text/event-stream; charset=utf-8", ": ping\r\nevent: x\r\ndata: {\"choices\":[{\"delta\":\r\ndata: {\"content\":\"{}\"}}]}\r\n\r\ndata:[DONE]\r\n\r\ndata: garbage\r\n\r\n", "{}", ""},
		{"a completion", "application/json", `{"choices":[{"text":"{}"}]}`, "{}", ""},
		{"another answer beside it", "application/json", `{"choices":[{"message":{"content":"{}"}},{"message":{"content":"evil"}}]}`, "{}", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, err := decode(test.kind, strings.NewReader(test.body))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil || a.Text != test.want {
				t.Errorf("%q, %v, want %q", a.Text, err, test.want)
			}
		})
	}
}

// TestAStreamSaysWhatItsPiecesSay cuts a text anywhere and sends the pieces as events.
func TestAStreamSaysWhatItsPiecesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.String(), 1, 20).Draw(t, "pieces")
		var b strings.Builder
		for _, p := range pieces {
			text, err := json.Marshal(map[string]any{"choices": []any{map[string]any{"delta": map[string]any{"content": p}}}})
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString("data: " + string(text) + "\n\n")
		}
		a, err := decode("text/event-stream", strings.NewReader(b.String()+"data: [DONE]\n\n"))
		want := strings.ToValidUTF8(strings.Join(pieces, ""), "\uFFFD")
		if strings.TrimSpace(want) == "" {
			if err == nil {
				t.Fatal("an answer without text is taken")
			}
			return
		}
		if err != nil || a.Text != want {
			t.Fatalf("%q, %v, want %q", a.Text, err, want)
		}
	})
}

func TestTheEstimateIsOneFromAbove(t *testing.T) {
	// The least is what one token for each word, digit and mark would be.
	for text, least := range map[string]int{
		"func (c *Client) Authorize(ctx context.Context) error {": 14,
		"2026-11-21T12:00:00.123Z":                                20,
		"the quick brown fox":                                     4,
		"日本語のテキスト":                                                8,
		"deadbeefcafe0123456789":                                  10,
		"":                                                        0,
	} {
		if n := estimate(text); n < least || n > 2*len(text)+1 {
			t.Errorf("%q: %d tokens, want at least %d", text, n, least)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("text/event-stream", "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\ndata: [DONE]\n\n")
	f.Add("application/json", `{"choices":[{"message":{"content":[{"text":"x"}]},"finish_reason":"length"}],"usage":{"prompt_tokens":-5}}`)
	f.Add("application/x-ndjson", "{\"message\":{\"content\":\"x\"}}\n{\"done_reason\":\"length\",\"eval_count\":3}\n")
	f.Add("application/json", `{"choices":[{"message":{"tool_calls":[{"function":{"arguments":{"a":1}}}]}}]}`)
	f.Add("a/b;c", `{"error":{"message":"\u0000"}}`)
	f.Fuzz(func(t *testing.T, kind, body string) {
		a, err := decode(kind, strings.NewReader(body))
		if err != nil {
			if len(err.Error()) > 2*maxError+100 || strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("the error is no line for a report: %q", err)
			}
			return
		}
		if strings.TrimSpace(a.Text) == "" || len(a.Text) > maxAnswer || a.PromptTokens < 0 || a.AnswerTokens < 0 {
			t.Errorf("%+v", a)
		}
	})
}
