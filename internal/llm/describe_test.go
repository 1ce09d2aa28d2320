package llm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/patch/modelrecipe"
)

var yes = modelrecipe.Question{System: "You answer.", User: "Yes?", Schema: json.RawMessage(`{"type":"object"}`), MaxTokens: 50, Seed: 7, Temperature: 0.1}

func TestServersAreFoundToBeWhatTheyAre(t *testing.T) {
	for _, test := range []struct {
		name, model string
		want        modelrecipe.Description
		path        string // of the chat
		field       string // that holds the schema
		answer      modelrecipe.Answer
	}{
		{"ollama", "qwen2.5-coder:7b", modelrecipe.Description{Name: "qwen2.5-coder:7b", Server: "ollama", Digest: "dae161e27b0e90dd1856c8bb3209201fd6736d8eb66298e75ed87571486f4364", Weights: 7615616512,
			Context: 16384, ContextFrom: "what is asked of Ollama", Dialect: "Ollama's format", Counting: "estimated from above"}, "/api/chat", "format", modelrecipe.Answer{PromptTokens: 26, AnswerTokens: 8}},
		{"ollama", "llama3.2", modelrecipe.Description{Name: "llama3.2:latest", Server: "ollama", Digest: "a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72", Weights: 3212749888,
			Context: 6144, ContextFrom: "the model's own num_ctx", Dialect: "Ollama's format", Counting: "estimated from above"}, "/api/chat", "format", modelrecipe.Answer{PromptTokens: 26, AnswerTokens: 8}},
		{"vllm", "", modelrecipe.Description{Name: "Qwen/Qwen2.5-Coder-32B-Instruct", Server: "vllm", Weights: 32e9,
			Context: 32768, ContextFrom: "vLLM's list of models", Dialect: "json_schema", Counting: "by the server"}, "/v1/chat/completions", "response_format", modelrecipe.Answer{PromptTokens: 26, AnswerTokens: 8}},
		{"lmstudio", "qwen2.5-coder-14b-instruct", modelrecipe.Description{Name: "qwen2.5-coder-14b-instruct", Server: "lmstudio", Weights: 14e9,
			Context: 6000, ContextFrom: "LM Studio's list of models", Dialect: "json_schema", Counting: "estimated from above"}, "/v1/chat/completions", "response_format", modelrecipe.Answer{}},
		{"llamacpp", "", modelrecipe.Description{Name: "../models/Qwen2.5-Coder-7B-Instruct-Q4_K_M.gguf", Server: "llama.cpp", Weights: 7615616512,
			Context: 4096, ContextFrom: "llama.cpp's properties", Dialect: "json_object with schema", Counting: "by the server"}, "/v1/chat/completions", "response_format", modelrecipe.Answer{PromptTokens: 26, AnswerTokens: 8, Cut: true}},
		{"python", "", modelrecipe.Description{Name: "smollm2-135m-instruct", Server: "llama-cpp-python", Weights: 135e6,
			Context: 8192, ContextFrom: "the server's refusal of a longer prompt", Dialect: "json_object with schema", Counting: "by the server"}, "/v1/chat/completions", "response_format", modelrecipe.Answer{}},
		{"other", "", modelrecipe.Description{Name: "some-1.5b", Server: "openai-compatible", Weights: 1.5e9,
			Context: 3000, ContextFrom: "a longer prompt of which the server says it read 3000 tokens", Dialect: "none, the answer is only checked", Counting: "estimated from above"}, "/v1/chat/completions", "", modelrecipe.Answer{}},
	} {
		t.Run(test.name+" "+test.model, func(t *testing.T) {
			s := serve(t, test.name)
			c := connect(t, Options{URL: s.URL + "/v1/", Model: test.model})
			got, err := c.Describe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("found\n%+v, want\n%+v", got, test.want)
			}
			before := len(s.requests)
			if again, err := c.Describe(t.Context()); err != nil || again != got || len(s.requests) != before {
				t.Errorf("the server is asked again what it is: %v", err)
			}
			a, err := c.Ask(t.Context(), yes)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(a.Text, `"answer"`) {
				t.Errorf("answer %q", a.Text)
			}
			a.Text = ""
			if a != test.answer {
				t.Errorf("of the answer is known %+v, want %+v", a, test.answer)
			}
			sent := s.last(t, test.path)
			if test.field != "" && sent[test.field] == nil {
				t.Errorf("the schema is not sent: %v", sent)
			}
			if options, ok := sent["options"].(map[string]any); ok {
				sent["temperature"], sent["seed"], sent["max_tokens"] = options["temperature"], options["seed"], options["num_predict"]
				if options["num_ctx"] != float64(test.want.Context) {
					t.Errorf("the context asked for is %v", options["num_ctx"])
				}
			}
			if sent["temperature"] != 0.1 || sent["seed"] != 7.0 || sent["max_tokens"] != 50.0 {
				t.Errorf("parameters: %v", sent)
			}
			if n := c.Count(t.Context(), "one two three"); n < 3 || n > 9 {
				t.Errorf("counted %d tokens", n)
			}
		})
	}
}

func TestAContextThatIsConfiguredIsNotProbed(t *testing.T) {
	s := serve(t, "python")
	c := connect(t, Options{URL: s.URL, Context: 2000})
	d, err := c.Describe(t.Context())
	if err != nil || d.Context != 2000 || d.ContextFrom != "the configuration" {
		t.Errorf("%+v, %v", d, err)
	}
	if n := s.asked("/v1/chat/completions"); n != 2 { // the dialect alone
		t.Errorf("%d questions were asked", n)
	}
}

func TestModelsThatAreNotThereAreNamed(t *testing.T) {
	s := serve(t, "ollama")
	for model, want := range map[string]string{"": "several models", "gpt-5": `has no model "gpt-5"; it has "llama3.2:latest", "qwen2.5-coder:7b"`} {
		_, err := connect(t, Options{URL: s.URL, Model: model}).Describe(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("model %q: %v", model, err)
		}
	}
}

func TestAServerThatRepeatsBothMarksIsTrusted(t *testing.T) {
	long := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q chatRequest
		if r.URL.Path != "/v1/chat/completions" || json.NewDecoder(r.Body).Decode(&q) != nil {
			http.NotFound(w, r)
			return
		}
		// It silently keeps the last 2500 words.
		words := strings.Fields(q.Messages[len(q.Messages)-1].Content)
		said := "I do not know"
		if len(words) > 2500 {
			long++
			words = words[len(words)-2500:]
		}
		if text := strings.Join(words, " "); strings.Contains(text, firstMark) && strings.Contains(text, lastMark) {
			said = "Quartz, walnut."
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"content": said}}}})
	}))
	defer s.Close()
	d, err := connect(t, Options{URL: s.URL, Model: "m"}).Describe(t.Context())
	if err != nil || d.Context != 2048 || long != 2 {
		t.Errorf("found %+v after %d prompts that were cut: %v", d, long, err)
	}
}

func TestAnUnreachableServerIsSaidSo(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	url := s.URL
	s.Close()
	_, err := connect(t, Options{URL: url, Model: "m"}).Ask(t.Context(), yes)
	if err == nil || !strings.Contains(err.Error(), "does not answer") || strings.Contains(err.Error(), "/v1/models") {
		t.Errorf("%v", err)
	}
}

// hanging is a server that starts to answer and stops, and tells when its caller goes away.
func hanging(t *testing.T) (url string, started, left chan struct{}) {
	started, left = make(chan struct{}, 10), make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/chat/completions" {
			_, _ = w.Write([]byte(`{"data":[{"id":"m","max_model_len":4096}]}`))
			return
		}
		var q chatRequest
		_ = json.NewDecoder(r.Body).Decode(&q)
		if !q.Stream {
			_, _ = w.Write([]byte(`{"choices":[{"message":{"content":"{\"colour\":\"amber-7341\"}"}}]}`))
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = w.Write([]byte("data: {\"choices\":[{\"delta\":{\"content\":\"{\"}}]}\n\n"))
		w.(http.Flusher).Flush()
		started <- struct{}{}
		<-r.Context().Done()
		left <- struct{}{}
	}))
	t.Cleanup(s.Close)
	return s.URL, started, left
}

func TestCancellationClosesTheConnection(t *testing.T) {
	url, started, left := hanging(t)
	c := connect(t, Options{URL: url})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	_, err := c.Ask(ctx, yes)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	<-left // the test's own time limit ends it otherwise
}

func TestATimeOutEndsTheQuestionAndTheConnection(t *testing.T) {
	url, _, left := hanging(t)
	c := connect(t, Options{URL: url, Timeout: 300 * time.Millisecond})
	_, err := c.Ask(t.Context(), yes)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("error %v", err)
	}
	<-left
}

func TestARefusedQuestionIsNotAskedAgain(t *testing.T) {
	for _, status := range []int{429, 500, 502, 503} {
		n := 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/chat/completions" {
				_, _ = w.Write([]byte(`{"data":[{"id":"m","max_model_len":4096}]}`))
				return
			}
			var q chatRequest
			_ = json.NewDecoder(r.Body).Decode(&q)
			if !q.Stream {
				_, _ = w.Write([]byte(`{"choices":[{"message":{"content":"{\"colour\":\"amber-7341\"}"}}]}`))
				return
			}
			n++
			http.Error(w, `{"error":{"message":"Loading model"}}`, status)
		}))
		_, err := connect(t, Options{URL: s.URL}).Ask(t.Context(), yes)
		s.Close()
		if err == nil || n != 1 || !strings.Contains(err.Error(), "Loading model") {
			t.Errorf("%d: asked %d times: %v", status, n, err)
		}
	}
}

func TestFindKnowsServersFromOthers(t *testing.T) {
	model := serve(t, "vllm")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello</html>")) }))
	defer other.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	found := Find(t.Context(), []string{gone.URL, other.URL, model.URL}, 5*time.Second)
	if len(found) != 1 || found[0].URL != model.URL || len(found[0].Models) != 1 {
		t.Errorf("found %+v", found)
	}
}
