package llm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/patch/modelrecipe"
)

// The kinds of servers that are told apart.
const (
	kindOllama    = "ollama"
	kindLlamaCPP  = "llama.cpp"
	kindPython    = "llama-cpp-python"
	kindVLLM      = "vllm"
	kindLMStudio  = "lmstudio"
	kindOther     = "openai-compatible"
	ollamaWindow  = 16384 // tokens asked of Ollama, which takes what it is asked for as far as the model goes
	maxShownNames = 8
)

// listed is an entry of /v1/models with what some servers add.
type listed struct {
	ID          string `json:"id"`
	OwnedBy     string `json:"owned_by"`
	MaxModelLen int    `json:"max_model_len"` // vLLM
	Meta        struct {
		Params int64 `json:"n_params"` // llama.cpp
	} `json:"meta"`
}

// facts are what a server says of itself and a model, as far as it does.
type facts struct {
	kind, name, digest string
	context            int
	contextFrom        string
	weights            int64
	counter            counter
}

// models lists what the server has.
func (c *Client) models(ctx context.Context) ([]listed, error) {
	var list struct {
		Data []listed `json:"data"`
	}
	if err := c.call(ctx, http.MethodGet, "/v1/models", nil, &list); err != nil {
		return nil, err
	}
	return list.Data, nil
}

// look asks the server what it is. Only the first request has to be answered.
func (c *Client) look(ctx context.Context) (facts, error) {
	f := facts{kind: kindOther, name: c.opt.Model}
	list, err := c.models(ctx)
	if err != nil && (!refused(err) || c.opt.Model == "") {
		return f, err
	}
	mine, err := choose(list, c.opt.Model)
	if err != nil {
		return f, err
	}
	if mine.ID != "" {
		f.name = mine.ID
	}
	f.weights = mine.Meta.Params
	switch {
	case mine.MaxModelLen > 0:
		f.kind, f.context, f.contextFrom, f.counter = kindVLLM, mine.MaxModelLen, "vLLM's list of models", countVLLM
	case c.ollama(ctx, &f), c.llamaCPP(ctx, &f), c.lmStudio(ctx, &f):
	case c.countWith(ctx, countExtras, f.name, "one two") > 0:
		f.kind, f.counter = kindPython, countExtras
	}
	if f.weights <= 0 {
		f.weights = weights(f.name)
	}
	return f, nil
}

// choose finds the model that was asked for, or the only one.
func choose(list []listed, name string) (listed, error) {
	var names []string
	for _, m := range list {
		if m.ID == name || m.ID == name+":latest" && name != "" {
			return m, nil
		}
		names = append(names, strconv.Quote(short(m.ID)))
	}
	switch {
	case name == "" && len(list) == 1:
		return list[0], nil
	case len(list) == 0 && name == "":
		return listed{}, fmt.Errorf("the model server has no model; load one and name it with --model")
	case len(list) == 0:
		return listed{}, nil // a server without a list takes any name or says so
	}
	slices.Sort(names)
	if len(names) > maxShownNames {
		names = append(names[:maxShownNames], "...")
	}
	if name == "" {
		return listed{}, fmt.Errorf("the model server has several models; name one with --model: %s", strings.Join(names, ", "))
	}
	return listed{}, fmt.Errorf("the model server has no model %q; it has %s", short(name), strings.Join(names, ", "))
}

func short(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > 80 {
		s = strings.ToValidUTF8(s[:80], "") + "..."
	}
	return s
}

var hexDigest = regexp.MustCompile(`^(sha256:)?[0-9a-f]{12,128}$`)

// ollama fills in what Ollama's own API says (/api/tags, /api/show).
func (c *Client) ollama(ctx context.Context, f *facts) bool {
	var tags struct {
		Models []struct {
			Name   string `json:"name"`
			Digest string `json:"digest"`
		} `json:"models"`
	}
	if c.call(ctx, http.MethodGet, "/api/tags", nil, &tags) != nil || tags.Models == nil {
		return false
	}
	f.kind = kindOllama
	for _, m := range tags.Models {
		if (m.Name == f.name || m.Name == f.name+":latest") && hexDigest.MatchString(m.Digest) {
			f.digest = m.Digest
		}
	}
	var show struct {
		Parameters string                     `json:"parameters"`
		Info       map[string]json.RawMessage `json:"model_info"`
	}
	if c.call(ctx, http.MethodPost, "/api/show", map[string]string{"model": f.name}, &show) != nil {
		return true
	}
	for k, v := range show.Info {
		var n int64
		if json.Unmarshal(v, &n) != nil || n <= 0 {
			continue
		}
		switch {
		case strings.HasSuffix(k, ".context_length"):
			f.context, f.contextFrom = int(min(n, ollamaWindow)), "what is asked of Ollama"
		case k == "general.parameter_count":
			f.weights = n
		}
	}
	for line := range strings.Lines(show.Parameters) {
		if w := strings.Fields(line); len(w) == 2 && w[0] == "num_ctx" {
			if n, err := strconv.Atoi(w[1]); err == nil && n > 0 {
				f.context, f.contextFrom = n, "the model's own num_ctx"
			}
		}
	}
	return true
}

// llamaCPP fills in what llama.cpp's server says (/props).
func (c *Client) llamaCPP(ctx context.Context, f *facts) bool {
	var props struct {
		Settings *struct {
			Context int `json:"n_ctx"`
		} `json:"default_generation_settings"`
	}
	if c.call(ctx, http.MethodGet, "/props", nil, &props) != nil || props.Settings == nil {
		return false
	}
	f.kind, f.counter = kindLlamaCPP, countTokenize
	if props.Settings.Context > 0 {
		f.context, f.contextFrom = props.Settings.Context, "llama.cpp's properties"
	}
	return true
}

// lmStudio fills in what LM Studio's own API says (/api/v0/models).
func (c *Client) lmStudio(ctx context.Context, f *facts) bool {
	var list struct {
		Data []struct {
			ID     string `json:"id"`
			State  string `json:"state"`
			Loaded int    `json:"loaded_context_length"`
		} `json:"data"`
	}
	if c.call(ctx, http.MethodGet, "/api/v0/models", nil, &list) != nil || list.Data == nil {
		return false
	}
	f.kind = kindLMStudio
	for _, m := range list.Data {
		if m.ID == f.name && m.Loaded > 0 && m.State == "loaded" {
			f.context, f.contextFrom = m.Loaded, "LM Studio's list of models"
		}
	}
	return true
}

var sizeInName = regexp.MustCompile(`(?i)(?:^|[^a-z0-9.])(\d{1,4}(?:\.\d{1,3})?)(m|b)(?:$|[^a-z])`)

// weights reads the number of weights from a model's name, as in "qwen2.5-coder:7b" or "smollm2-135m".
func weights(name string) int64 {
	m := sizeInName.FindStringSubmatch(name)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0
	}
	if strings.EqualFold(m[2], "b") {
		return int64(n * 1e9)
	}
	return int64(n * 1e6)
}

// Describe finds out what the model is, once; a failure is not remembered.
func (c *Client) Describe(ctx context.Context) (modelrecipe.Description, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known != nil {
		return *c.known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	f, err := c.look(ctx)
	if err != nil {
		return modelrecipe.Description{}, err
	}
	d, err := c.findDialect(ctx, f.kind, f.name)
	if err != nil {
		return modelrecipe.Description{}, err
	}
	switch {
	case c.opt.Context > 0:
		f.context, f.contextFrom = c.opt.Context, "the configuration"
	case f.context == 0:
		if f.context, f.contextFrom, err = c.measure(ctx, d, f); err != nil {
			return modelrecipe.Description{}, err
		}
	}
	c.dialect, c.counter = d, f.counter
	c.known = &modelrecipe.Description{Name: f.name, Server: f.kind, Digest: f.digest, Weights: f.weights,
		Context: f.context, ContextFrom: f.contextFrom, Dialect: d.String(), Counting: f.counter.String()}
	return *c.known, nil
}

// Ask makes one exchange within the time-out.
func (c *Client) Ask(ctx context.Context, q modelrecipe.Question) (modelrecipe.Answer, error) {
	d, err := c.Describe(ctx)
	if err != nil {
		return modelrecipe.Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	return c.chat(ctx, c.dialect, d.Name, q, d.Context, true)
}
