package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/llm"
	"github.com/remediator/remediator/internal/secrets"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/patch/modelrecipe"
	"github.com/remediator/remediator/replay"
)

// defaultModelTimeout is how long a case waits for a model when nobody says otherwise.
const defaultModelTimeout = 2 * time.Minute

// modelOptions say which model server takes part, if any.
type modelOptions struct {
	url, name, keyFile string
	context            int
	timeout            time.Duration
	// fixed says that a repository's configuration decides nothing: a service sends data only where its operator says.
	fixed bool
	// known is the server that all cases share, with what was found out about it.
	known *llm.Client
	// wrap, where set, is put around the model, such as to count what is asked of it.
	wrap func(modelrecipe.Model) modelrecipe.Model
}

// operatorsModel is the model of a service, for all repositories.
func operatorsModel(m config.Model) (*modelOptions, error) {
	o := &modelOptions{url: m.URL, name: m.Name, context: m.Context, timeout: time.Duration(m.Timeout), fixed: true}
	var err error
	o.known, _, err = o.client(config.Model{})
	return o, err
}

func (o *modelOptions) bind(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&o.url, "model-url", "", "model server to ask when no recipe is proved: Ollama, llama.cpp, vLLM, LM Studio or another with OpenAI's protocol (default: model.url of the configuration)")
	fl.StringVar(&o.name, "model", "", "model to ask for; needed where the server has several")
	fl.DurationVar(&o.timeout, "model-timeout", 0, "how long a case waits for the model in all (default 2m)")
	fl.StringVar(&o.keyFile, "model-key-file", "", "file with the key of the model server, where it wants one")
}

// merged are the options where the command line has none and the configuration has.
func (o *modelOptions) merged(repo config.Model) modelOptions {
	m := *o
	if !o.fixed && m.url == "" {
		m.url, m.name, m.context = repo.URL, first(m.name, repo.Name), repo.Context
	}
	if !o.fixed && m.timeout == 0 {
		m.timeout = time.Duration(repo.Timeout)
	}
	if m.timeout <= 0 {
		m.timeout = defaultModelTimeout
	}
	return m
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// client is the model's server, nil where none is named.
func (o *modelOptions) client(repo config.Model) (*llm.Client, time.Duration, error) {
	m := o.merged(repo)
	if m.url == "" {
		if m.name != "" {
			return nil, 0, usage("a model is named but no server: add --model-url, such as http://127.0.0.1:11434")
		}
		return nil, 0, nil
	}
	if o.known != nil {
		return o.known, m.timeout, nil
	}
	c, err := llm.New(llm.Options{URL: m.url, Model: m.name, Context: m.context, Timeout: m.timeout, KeyFile: m.keyFile})
	if err != nil {
		return nil, 0, inputError(fmt.Errorf("model: %w", err))
	}
	return c, m.timeout, nil
}

// recipes are all ways to mend something for one case: those of the tool, and after them the model's where a
// server is named.
func (o *modelOptions) recipes(repo config.Model) ([]patch.Recipe, error) {
	all := recipes()
	c, timeout, err := o.client(repo)
	if err != nil || c == nil {
		return all, err
	}
	var m modelrecipe.Model = c
	if o.wrap != nil {
		m = o.wrap(c)
	}
	return append(all, modelrecipe.New(m, modelrecipe.Options{Recipes: all, Timeout: timeout, Now: time.Now, Redact: replay.NewRedactor(&secrets.Finder{}).Text})...), nil
}
